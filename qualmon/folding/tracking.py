"""An incident's life inside the fold: opened, moved, sized, made louder, ended."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace

from qualmon import incidents as rulebook
from qualmon.folding import attribution
from qualmon.folding.evidence import Cell
from qualmon.folding.nodes import family_mass, family_rows
from qualmon.folding.rules import EVENT_LEVEL, FoldRules
from qualmon.folding.state import FoldState, Hit, OpenIncident, TargetState
from qualmon.stats import esr, recovery
from qualmon.stats.blocks import since
from qualmon.stats.share import Window, plausible, share
from qualmon.types import Incident, Node, Slot, family_of

MAX_SUPPORT = 64
MAX_EXAMPLES = 8
#: Two alarms at one place count as one fault when their onsets are this close.
MERGE_INTERVALS = 24
MERGE_SECONDS = 86400.0


def bound_of(channel: str, rules: FoldRules) -> float:
    """Healthy rate of hits on a channel."""
    return rules.bounds.get(channel, 1.0 / EVENT_LEVEL)


def opened(state: FoldState, rules: FoldRules, index: int, family: str, slot: Slot) -> OpenIncident:
    """A new incident at node `index`; `state` is the state after the round that alarmed."""
    node = rules.nodes[index]
    channel = _main_channel(state, rules, index, family)
    tally = attribution.opened(state, rules, family, set(node.targets))
    starts = _starts(state, node.targets, channel, bound_of(channel, rules), slot)
    involved = sorted({t for n in rules.nodes if n.scope in tally for t in n.targets})
    empty = TargetState()
    windows = {
        t: tuple(since(state.targets.get(t, empty).blocks.get(channel, ()), s) for s in starts)
        for t in involved
    }
    onset = _onset(state, rules, index, family)
    incident = Incident(
        id=rulebook.incident_id(node.scope, family, slot.due),
        kind="regression",
        scope=node.scope,
        opened_scope=node.scope,
        family=family,
        families=(family,),
        level="firing",
        severity="ticket",
        opened_at=slot.due,
        updated_at=slot.due,
        onset=min(onset, slot.due),
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
    first = OpenIncident(
        incident, channel, {family: tally}, starts, windows, (), recovery.start(slot.due)
    )
    recent = [hit for hit in state.hits if hit.due >= min(starts)]
    return _with_hits(first, recent)


def _main_channel(state: FoldState, rules: FoldRules, index: int, family: str) -> str:
    events, tokens = family_rows(rules, family)
    masses = {rules.events[r]: float(esr.total(state.events.mass[index, r])) for r in events}
    masses |= {rules.tokens[r]: float(esr.total(state.tokens.mass[index, r])) for r in tokens}
    return max(sorted(masses), key=masses.__getitem__)


def _starts(
    state: FoldState, targets: Sequence[str], channel: str, bound: float, slot: Slot
) -> tuple[float, ...]:
    histories = [
        state.targets[target].blocks.get(channel, ())
        for target in targets
        if target in state.targets
    ]
    starts = sorted({block.start for blocks in histories for block in blocks})
    windows = []
    for start in starts:
        counts = [since(blocks, start) for blocks in histories]
        windows.append(Window(start, sum(n for n, _ in counts), sum(h for _, h in counts)))
    return tuple(window.start for window in plausible(windows, bound)) or (slot.due,)


def _onset(state: FoldState, rules: FoldRules, index: int, family: str) -> float:
    events, tokens = family_rows(rules, family)
    mass = moment = 0.0
    for bank, rows in ((state.events, events), (state.tokens, tokens)):
        for row in rows:
            mass += float(esr.total(bank.mass[index, row]))
            moment += float(esr.total(bank.moment[index, row]))
    return rules.started + 3600.0 * moment / mass


def advanced(
    item: OpenIncident,
    cells: Mapping[str, Cell],
    rules: FoldRules,
    proven: set[str],
    slot: Slot,
) -> OpenIncident:
    """Folds a round into an open incident and lets the blame move."""
    hits = [hit for _, cell in sorted(cells.items()) for hit in cell.hits]
    involved = [hit for hit in hits if hit.target in item.windows]
    item = _counted(item, cells)
    if any(family_of(hit.channel) in item.tally for hit in involved):
        item = replace(
            item,
            tally={
                family: attribution.advanced(tally, family, cells, rules, proven)
                for family, tally in item.tally.items()
            },
            steps=item.steps + 1,
        )
        item = _moved(item, rules)
    item = _with_hits(item, hits)
    return _recovered(item, cells, rules, slot)


def _counted(item: OpenIncident, cells: Mapping[str, Cell]) -> OpenIncident:
    windows = dict(item.windows)
    # Answers given while it heals would dilute the share of the fault.
    sizing = item.incident.level == "firing"
    for target, cell in cells.items():
        if sizing and target in windows and item.channel in cell.counts:
            n, h = cell.counts[item.channel]
            windows[target] = tuple((a + n, b + h) for a, b in windows[target])
    mine = [cell for target, cell in cells.items() if target in item.incident.targets]
    incident = replace(
        item.incident,
        identities_observed=item.incident.identities_observed
        + len({who for cell in mine for who in cell.identities}),
        identities_bad=item.incident.identities_bad
        + len({who for cell in mine for who in cell.bad_identities}),
    )
    return replace(item, windows=windows, incident=incident)


def _moved(item: OpenIncident, rules: FoldRules) -> OpenIncident:
    ranked = attribution.ranking(item.tally)
    best = ranked[0][0] if ranked else item.incident.scope
    if best == item.incident.scope:
        return item
    node = next(node for node in rules.nodes if node.scope == best)
    return replace(item, incident=replace(item.incident, scope=best, targets=node.targets))


def _with_hits(item: OpenIncident, hits: Sequence[Hit]) -> OpenIncident:
    mine = [
        hit
        for hit in hits
        if hit.target in item.incident.targets and family_of(hit.channel) in item.tally
    ]
    support = dict.fromkeys(item.support)
    support.update(dict.fromkeys((hit.probe, hit.due) for hit in mine))
    examples = dict.fromkeys(item.incident.examples)
    examples.update(dict.fromkeys(hit.observation for hit in mine))
    channels = sorted({*item.incident.channels, *(hit.channel for hit in mine)})
    incident = replace(
        item.incident, examples=tuple(examples)[-MAX_EXAMPLES:], channels=tuple(channels)
    )
    return replace(item, support=tuple(support)[:MAX_SUPPORT], incident=incident)


def _recovered(
    item: OpenIncident, cells: Mapping[str, Cell], rules: FoldRules, slot: Slot
) -> OpenIncident:
    counts = [
        cells[target].counts.get(item.channel, (0, 0))
        for target in item.incident.targets
        if target in cells
    ]
    n, hits = sum(n for n, _ in counts), sum(h for _, h in counts)
    bound = bound_of(item.channel, rules)
    estimate = item.incident.share or item.incident.share_low
    return replace(item, recovery=recovery.step(item.recovery, slot.due, n, hits, bound, estimate))


def same_fault(
    item: OpenIncident, node: Node, family: str, state: FoldState, rules: FoldRules, slot: Slot
) -> bool:
    """True when an alarm at `node` is the open incident seen again, not a second fault."""
    if not set(node.targets).intersection(item.incident.targets):
        return False
    if family in item.tally:
        return attribution.explains(item.tally[family], item.incident.scope, node.scope)
    index = [n.scope for n in rules.nodes].index(node.scope)
    onset = _onset(state, rules, index, family)
    window = max(MERGE_SECONDS, MERGE_INTERVALS * slot.every)
    if abs(onset - item.incident.onset) > window:
        return False
    tally = attribution.opened(state, rules, family, set(item.incident.targets))
    return attribution.explains(tally, item.incident.scope, node.scope)


def joined(item: OpenIncident, state: FoldState, rules: FoldRules, family: str) -> OpenIncident:
    """Another family's alarm becomes a further symptom of the incident."""
    if family in item.tally:
        return item
    tally = attribution.opened(state, rules, family, set(item.incident.targets))
    families = tuple(sorted({*item.incident.families, family}))
    item = replace(
        item,
        tally={**item.tally, family: tally},
        incident=replace(item.incident, families=families),
    )
    return _with_hits(item, [h for h in state.hits if h.due >= min(item.starts)])


def assessed(
    item: OpenIncident, state: FoldState, rules: FoldRules, unproven: Sequence[str], slot: Slot
) -> OpenIncident:
    """The incident's public face after a round: share, evidence, causes, severity."""
    incident = item.incident
    bound = bound_of(item.channel, rules)
    windows = plausible(item.windows_of(incident.targets), bound)
    sized = share(windows, bound)
    best = max(windows, key=lambda w: w.hits / max(w.n, 1), default=Window(slot.due, 0, 0))
    reasons = rulebook.ticket_reasons(
        burning_in=slot.due - rules.started < rules.burn_in,
        unproven=unproven,
        support=len(item.support),
        prompts=len({probe for probe, _ in item.support}),
        share_low=sized.low,
        min_share=rules.min_share,
    )
    # A page stays a page until it ends: a severity that flaps is two alerts.
    paged = incident.severity == "page"
    ranked = attribution.ranking(item.tally)
    return replace(
        item,
        incident=replace(
            incident,
            updated_at=slot.due,
            answers=best.n,
            hits=best.hits,
            share=sized.point,
            share_low=sized.low,
            share_high=sized.high,
            log10_e=round(ranked[0][1] / math.log(10.0), 3) if ranked else 0.0,
            reasons=() if paged else reasons,
            severity="page" if paged else rulebook.severity(reasons),
            causes=rulebook.causes(_fired(item, state, rules)),
        ),
    )


def _fired(item: OpenIncident, state: FoldState, rules: FoldRules) -> dict[str, bool]:
    index = [node.scope for node in rules.nodes].index(item.incident.scope)
    fired = {}
    for family in rules.families:
        judged = any(
            family_of(channel) == family and channel in rules.channels
            for target in item.incident.targets
            if target in state.targets
            for channel in state.targets[target].silent
        )
        if judged or family in item.tally:
            mass = float(family_mass(state, rules, family)[index])
            fired[family] = family in item.tally or mass >= 0.01 * rules.budget_hours
    return fired
