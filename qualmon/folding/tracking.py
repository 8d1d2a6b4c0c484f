"""An incident's life inside the fold: opened, fed, moved, joined by further symptoms."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence, Set
from dataclasses import dataclass, replace

from qualmon import incidents as rulebook
from qualmon.folding import attribution
from qualmon.folding.evidence import Cell, Terms
from qualmon.folding.nodes import GAP_INTERVALS
from qualmon.folding.rules import EVENT_LEVEL, FoldRules
from qualmon.folding.state import FoldState, Hit, OpenIncident, TargetState
from qualmon.stats import esr, recovery
from qualmon.stats.blocks import Blocks, since
from qualmon.stats.share import Window, plausible
from qualmon.types import Incident, Slot, family_of

MAX_SUPPORT = 64
MAX_EXAMPLES = 8
#: Two alarms at one place count as one fault when their onsets are this close.
MERGE_INTERVALS = 24
MERGE_SECONDS = 86400.0
#: Evidence of recovery is capped at this many times what closes the incident.
RECOVERY_SLACK = 100.0


@dataclass(frozen=True, slots=True)
class Alarm:
    """A node above the budget's line. guilty: its targets with hits that made it rise.
    doubtful: channels of those hits without a proven bound; provable: the others reach the
    line alone."""

    index: int
    family: str
    mass: float
    guilty: frozenset[str]
    onset: float
    doubtful: tuple[str, ...]
    provable: bool


def reach(slot: Slot) -> float:
    """Seconds around an onset within which an alarm may belong to the same fault."""
    return max(MERGE_SECONDS, MERGE_INTERVALS * slot.every)


def bound_of(channel: str, rules: FoldRules) -> float:
    """Healthy rate of hits on a channel."""
    return rules.bounds.get(channel, 1.0 / EVENT_LEVEL)


def opened(state: FoldState, rules: FoldRules, alarm: Alarm, slot: Slot) -> OpenIncident:
    """A new incident where the alarm is; `state` is the state after the round that alarmed."""
    node = rules.nodes[alarm.index]
    channel = _main_channel(state, rules, alarm)
    tally = attribution.opened(state, rules, alarm.family, node.targets)
    starts = _starts(state, node.targets, channel, bound_of(channel, rules), slot)
    involved = sorted({t for scope in tally for t in rules.nodes[rules.place[scope]].targets})
    first = OpenIncident(
        incident=_blank(rules, alarm, channel, slot),
        channel=channel,
        provable=alarm.provable,
        doubtful=alarm.doubtful,
        tally={alarm.family: tally},
        pending=attribution.no_news({alarm.family: tally}),
        starts=starts,
        windows={
            target: tuple(since(_history(state, target, channel), start) for start in starts)
            for target in involved
        },
        support=(),
        recovery=recovery.start(slot.due),
    )
    return with_hits(first, hits_since_onset(first, state))


def _blank(rules: FoldRules, alarm: Alarm, channel: str, slot: Slot) -> Incident:
    node = rules.nodes[alarm.index]
    return Incident(
        id=rulebook.incident_id(node.scope, alarm.family, slot.due),
        kind="regression",
        scope=node.scope,
        opened_scope=node.scope,
        family=alarm.family,
        families=(alarm.family,),
        level=rulebook.advance("ok", "alarm"),
        severity="ticket",
        opened_at=slot.due,
        updated_at=slot.due,
        onset=min(alarm.onset, slot.due),
        log10_e=0.0,
        threshold_log10=math.log10(rules.budget_hours),
        answers=0,
        hits=0,
        share=None,
        share_low=0.0,
        share_high=1.0,
        targets=node.targets,
        channels=(channel,),
        causes=(),
        examples=(),
        identities_bad=0,
        identities_observed=0,
    )


def _main_channel(state: FoldState, rules: FoldRules, alarm: Alarm) -> str:
    """The channel with the most evidence at the node, one with a proven bound if it can be."""
    rows = rules.rows[alarm.family]
    masses = {rules.events[r]: state.events.mass[alarm.index, r] for r in rows.events}
    masses |= {rules.tokens[r]: state.tokens.mass[alarm.index, r] for r in rows.tokens}
    totals = {channel: float(esr.total(mass)) for channel, mass in masses.items()}
    if alarm.provable:
        totals = {c: total for c, total in totals.items() if c not in alarm.doubtful}
    return max(sorted(totals), key=totals.__getitem__)


def _history(state: FoldState, target: str, channel: str) -> Blocks:
    return state.targets.get(target, TargetState()).blocks.get(channel, ())


def _starts(
    state: FoldState, targets: Sequence[str], channel: str, bound: float, slot: Slot
) -> tuple[float, ...]:
    histories = [_history(state, target, channel) for target in targets]
    starts = sorted({block.start for blocks in histories for block in blocks})
    windows = []
    for start in starts:
        counts = [since(blocks, start) for blocks in histories]
        windows.append(Window(start, sum(n for n, _ in counts), sum(h for _, h in counts)))
    return tuple(window.start for window in plausible(windows, bound)) or (slot.due,)


def hits_since_onset(item: OpenIncident, state: FoldState) -> list[Hit]:
    """Remembered hits of the whole fleet since the earliest plausible onset."""
    return [hit for hit in state.hits if hit.due >= min(item.starts)]


def onset(state: FoldState, rules: FoldRules, index: int, family: str) -> float:
    """Mean start, in Unix seconds, of the evidence of a node that has some."""
    rows = rules.rows[family]
    mass = moment = 0.0
    for bank, chosen in ((state.events, rows.events), (state.tokens, rows.tokens)):
        for row in chosen:
            mass += float(esr.total(bank.mass[index, row]))
            moment += float(esr.total(bank.moment[index, row]))
    return rules.started + 3600.0 * moment / mass


def advanced(
    item: OpenIncident,
    cells: Mapping[str, Cell],
    given: Terms,
    past: Sequence[Hit],
    claimed: Set[str],
) -> OpenIncident:
    """Folds a round into an open incident and lets the blame move.

    In `cells`, what belongs to other open incidents is hushed; `claimed` are their targets.
    past: hits before the round. A round speaks of the place once a later hit shows that the
    fault went on: after its end, clean answers would favour the smallest place.
    """
    hits = [hit for _, cell in sorted(cells.items()) for hit in cell.hits]
    item = _counted(item, cells)
    item = replace(item, pending=attribution.advanced(item.pending, cells, given))
    if _own(item, hits):
        item = moved(settled(item), given.rules, past, claimed)
    item = with_hits(item, hits)
    return _recovered(item, cells, given)


def _own(item: OpenIncident, hits: Iterable[Hit]) -> list[Hit]:
    targets = item.incident.targets
    return [h for h in hits if h.target in targets and family_of(h.channel) in item.tally]


def settled(item: OpenIncident) -> OpenIncident:
    """The incident with its pending evidence entered into the tally."""
    tally = attribution.added(item.tally, item.pending)
    return replace(item, tally=tally, pending=attribution.no_news(tally))


def _counted(item: OpenIncident, cells: Mapping[str, Cell]) -> OpenIncident:
    windows = dict(item.windows)
    # Answers given while it heals would dilute the share of the fault.
    sizing = item.incident.level == "firing"
    for target, cell in cells.items():
        if sizing and target in windows and item.channel in cell.counts:
            n, h = cell.judged(item.channel)
            windows[target] = tuple((a + n, b + h) for a, b in windows[target])
    return with_users(replace(item, windows=windows), cells)


def with_users(item: OpenIncident, cells: Mapping[str, Cell]) -> OpenIncident:
    """Counts the identities that a round asked on the incident's main channel, and the bad.

    Who saw nothing bad is counted with the next bad answer, and nobody while it heals: users
    of a fault that is over would make a complete change look like a partial one.
    """
    if item.incident.level != "firing":
        return replace(item, spared=0)
    mine = [
        cell
        for target, cell in cells.items()
        if target in item.incident.targets and item.channel in cell.counts
    ]
    seen = item.spared + len({who for cell in mine for who in cell.identities})
    bad = len({who for cell in mine for who in _bad_users(item, cell)})
    if not bad:
        return replace(item, spared=seen)
    incident = replace(
        item.incident,
        identities_observed=item.incident.identities_observed + seen,
        identities_bad=item.incident.identities_bad + bad,
    )
    return replace(item, incident=incident, spared=0)


def _bad_users(item: OpenIncident, cell: Cell) -> set[str]:
    """Identities with a hit on the incident's families."""
    found = cell.bad_identities.items()
    return {who for c, users in found if family_of(c) in item.tally for who in users}


def moved(
    item: OpenIncident, rules: FoldRules, past: Sequence[Hit], claimed: Set[str]
) -> OpenIncident:
    """The incident at the place that its tally blames; support and examples move with it."""
    best = _blamed(item, rules, claimed)
    if best == item.incident.scope:
        return item
    incident = replace(
        item.incident,
        scope=best,
        targets=rules.nodes[rules.place[best]].targets,
        examples=(),
    )
    item = replace(item, incident=incident, support=())
    return with_hits(item, [hit for hit in past if hit.due >= min(item.starts)])


def _blamed(item: OpenIncident, rules: FoldRules, claimed: Set[str]) -> str:
    """The best scope, or the present one while it is hardly behind. Places that differ only
    in what other incidents claim say the same; the smallest of them is meant."""
    sums = dict(attribution.ranking(item.tally))
    members = {scope: rules.nodes[rules.place[scope]].targets for scope in sums}
    now = item.incident.scope
    best = max(sums, key=lambda scope: (sums[scope], scope), default=now)
    if sums.get(best, 0.0) < sums.get(now, -math.inf) + attribution.MOVE_LEAD:
        best = now
    own = set(members.get(best, ())) - claimed
    if not own:
        return best
    alike = [scope for scope in sums if set(members[scope]) - claimed == own]
    return min(alike, key=lambda scope: (len(members[scope]), scope), default=best)


def with_hits(item: OpenIncident, hits: Iterable[Hit]) -> OpenIncident:
    """The incident with those of `hits` that are its own as support and examples."""
    mine = _own(item, hits)
    support = dict.fromkeys(item.support)
    support.update(dict.fromkeys((hit.probe, hit.due, hit.proven) for hit in mine))
    examples = dict.fromkeys(item.incident.examples)
    examples.update(dict.fromkeys(hit.observation for hit in mine))
    channels = sorted({*item.incident.channels, *(hit.channel for hit in mine)})
    incident = replace(
        item.incident, examples=tuple(examples)[-MAX_EXAMPLES:], channels=tuple(channels)
    )
    return replace(item, support=tuple(support)[:MAX_SUPPORT], incident=incident)


def _recovered(item: OpenIncident, cells: Mapping[str, Cell], given: Terms) -> OpenIncident:
    counts = [cells[t].judged(item.channel) for t in item.incident.targets if t in cells]
    return replace(
        item,
        recovery=recovery.step(
            item.recovery,
            given.slot.due,
            sum(n for n, _ in counts),
            sum(h for _, h in counts),
            bound=bound_of(item.channel, given.rules),
            share=item.incident.share or item.incident.share_low,
            gap=GAP_INTERVALS * given.slot.every,
            most=RECOVERY_SLACK / given.rules.recovery_alpha,
        ),
    )
