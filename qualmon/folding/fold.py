"""The fold: (state, closed round) -> (state, what changed, transitions). Pure.

Order inside a round: evidence under the bounds known before it; open incidents take their
part and may move; all other nodes step; the audit learns; alarms open or join incidents;
every open incident is assessed. Replaying the same rounds gives the same bytes.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any

from qualmon import incidents as rulebook
from qualmon.folding import audit, nodes, tracking
from qualmon.folding.evidence import Cell, cells, pool_key
from qualmon.folding.rules import FoldRules
from qualmon.folding.state import FoldState, Hit, OpenIncident, TargetState
from qualmon.stats import blocks
from qualmon.types import ClosedRound, Incident, Slot, family_of

MAX_HITS = 512
FREEZE_PART = 0.01


@dataclass(frozen=True, slots=True)
class Folded:
    """Result of one round: the state, its changed row keys, and what the world should hear."""

    state: FoldState
    changed: set[str]
    incidents: tuple[Incident, ...]
    transitions: tuple[Mapping[str, Any], ...]


def fold(
    state: FoldState,
    rnd: ClosedRound,
    rules: FoldRules,
    *,
    resolved: frozenset[str] = frozenset(),
) -> Folded:
    """Folds one closed round. Rounds come in slot order; members of unknown targets are
    ignored (they belong to an epoch that is over). resolved: incidents that a person ended."""
    before = state
    known = {target for node in rules.nodes for target in node.targets}
    rnd = ClosedRound(rnd.slot, tuple(m for m in rnd.members if m.member.target in known))
    evidence = cells(rnd, state, rules)
    proven = _proven(state, rnd, rules)
    frozen = _frozen(state, rules)
    state = _advance_incidents(state, evidence, rules, proven, rnd.slot)
    state = _step_nodes(state, evidence, rules, proven, rnd.slot)
    pools = audit.updated(
        state.pools.get(pool_key(rnd), {}),
        rnd,
        {channel: rules.bounds[channel] for channel in rules.events},
        frozen,
    )
    state = replace(state, pools={**state.pools, pool_key(rnd): pools}, slots=state.slots + 1)
    state = _remember(state, evidence, rnd.slot)
    state = _raise_alarms(state, rules, rnd.slot)
    state = _assess(state, rules, rnd, resolved)
    return _result(before, state, evidence, rnd, rules)


def _proven(state: FoldState, rnd: ClosedRound, rules: FoldRules) -> set[str]:
    pools = state.pools.get(pool_key(rnd), {})
    return {c for c in rules.events if c in pools and pools[c].status == "proven"}


def _frozen(state: FoldState, rules: FoldRules) -> dict[str, set[str]]:
    """Targets per channel that are suspect: under an incident, or with rising evidence."""
    by_family: dict[str, set[str]] = {}
    for family in rules.families:
        mass = nodes.family_mass(state, rules, family)
        by_family[family] = {
            target
            for i, node in enumerate(rules.nodes)
            if mass[i] > FREEZE_PART * rules.budget_hours
            for target in node.targets
        }
        for item in state.incidents.values():
            if family in item.tally:
                by_family[family].update(item.incident.targets)
    return {channel: by_family[family_of(channel)] for channel in rules.channels}


def _muted(state: FoldState) -> dict[str, set[str]]:
    mute: dict[str, set[str]] = {}
    for item in state.incidents.values():
        for family in item.tally:
            mute.setdefault(family, set()).update(item.incident.targets)
    return mute


def _advance_incidents(
    state: FoldState, evidence: Mapping[str, Cell], rules: FoldRules, proven: set[str], slot: Slot
) -> FoldState:
    moved = dict(state.incidents)
    for key, item in sorted(state.incidents.items()):
        moved[key] = tracking.advanced(item, evidence, rules, proven, slot)
        if moved[key].incident.scope != item.incident.scope:
            for family in item.tally:
                targets = set(moved[key].incident.targets)
                state = nodes.cleared(state, rules, family, targets)
    return replace(state, incidents=moved)


def _step_nodes(
    state: FoldState, evidence: Mapping[str, Cell], rules: FoldRules, proven: set[str], slot: Slot
) -> FoldState:
    mute = _muted(state)
    touched = {
        i: nodes.factors(node, evidence, rules, proven, mute)
        for i, node in enumerate(rules.nodes)
        if any(target in evidence for target in node.targets)
    }
    return nodes.stepped(state, slot, rules, touched)


def _remember(state: FoldState, evidence: Mapping[str, Cell], slot: Slot) -> FoldState:
    targets = dict(state.targets)
    fresh: list[Hit] = []
    for key, cell in sorted(evidence.items()):
        targets[key] = _seen(targets.get(key, TargetState()), cell, slot)
        fresh.extend(cell.hits)
    return replace(state, targets=targets, hits=(*state.hits, *fresh)[-MAX_HITS:])


def _seen(target: TargetState, cell: Cell, slot: Slot) -> TargetState:
    history = dict(target.blocks)
    for channel in sorted(history.keys() | cell.counts.keys()):
        n, hits = cell.counts.get(channel, (0, 0))
        history[channel] = blocks.push(history.get(channel, ()), slot.due, n, hits)
    silent = {channel: rounds + 1 for channel, rounds in target.silent.items()}
    silent.update(dict.fromkeys(cell.counts, 0))
    last_at = {**target.last_at, **dict.fromkeys(cell.counts, slot.due)}
    return TargetState(history, silent, last_at)


def _raise_alarms(state: FoldState, rules: FoldRules, slot: Slot) -> FoldState:
    """Opens or joins incidents until no node stands above the budget's line."""
    while True:
        alarm = _loudest(state, rules)
        if alarm is None:
            return state
        index, family = alarm
        state = _place(state, rules, index, family, slot)


def _loudest(state: FoldState, rules: FoldRules) -> tuple[int, str] | None:
    best: tuple[float, int, str] | None = None
    for family in rules.families:
        mass = nodes.family_mass(state, rules, family)
        for i in range(len(rules.nodes)):
            value = float(mass[i])
            if value >= rules.budget_hours and (best is None or value > best[0]):
                best = (value, i, family)
    return None if best is None else best[1:]


def _place(state: FoldState, rules: FoldRules, index: int, family: str, slot: Slot) -> FoldState:
    node = rules.nodes[index]
    for key, item in sorted(state.incidents.items()):
        if tracking.same_fault(item, node, family, state, rules, slot):
            joined = tracking.joined(item, state, rules, family)
            state = replace(state, incidents={**state.incidents, key: joined})
            affected = set(node.targets) | set(item.incident.targets)
            return nodes.cleared(state, rules, family, affected)
    item = tracking.opened(state, rules, index, family, slot)
    state = replace(state, incidents={**state.incidents, item.incident.id: item})
    return nodes.cleared(state, rules, family, set(node.targets))


def _assess(
    state: FoldState, rules: FoldRules, rnd: ClosedRound, resolved: frozenset[str]
) -> FoldState:
    result: dict[str, OpenIncident] = {}
    for key, item in sorted(state.incidents.items()):
        unproven = _unproven(state, rules, item)
        assessed = tracking.assessed(item, state, rules, unproven, rnd.slot)
        signal = "recovered" if key in resolved else _signal(assessed, rules, rnd.slot)
        level = rulebook.advance(assessed.incident.level, signal)
        ended = rnd.slot.due if level == "ok" else None
        incident = replace(assessed.incident, level=level, resolved_at=ended)
        result[key] = replace(assessed, incident=incident)
    return replace(state, incidents=result)


def _unproven(state: FoldState, rules: FoldRules, item: OpenIncident) -> tuple[str, ...]:
    """Channels that carry the incident on a bound that is not proven where it stands.

    One proven or self-normalised channel with hits of its own is enough to page.
    """
    models = {target.rsplit("/", 2)[0] for target in item.incident.targets}
    carrying = [c for c in item.incident.channels if family_of(c) in item.tally]
    if any(channel in rules.tokens for channel in carrying):
        return ()
    lacking = [c for c in carrying if c in rules.events and not _is_proven(state, models, c)]
    proven = [c for c in carrying if c in rules.events and c not in lacking]
    return () if proven else tuple(lacking)


def _is_proven(state: FoldState, models: set[str], channel: str) -> bool:
    pools = [
        channels[channel]
        for key, channels in state.pools.items()
        if channel in channels and key.split("/", 1)[1] in models
    ]
    return bool(pools) and all(pool.status == "proven" for pool in pools)


def _signal(item: OpenIncident, rules: FoldRules, slot: Slot) -> rulebook.Signal:
    enough = item.recovery.evidence >= 1.0 / rules.recovery_alpha
    if enough and slot.due - item.recovery.since >= rules.clean_for:
        return "recovered"
    if enough:
        return "recovering"
    if item.incident.level == "recovering":
        return "relapse" if item.recovery.evidence <= 1.0 else "recovering"
    return "evidence"


def _result(
    before: FoldState,
    state: FoldState,
    evidence: Mapping[str, Cell],
    rnd: ClosedRound,
    rules: FoldRules,
) -> Folded:
    changed = {"fleet", f"pool/{pool_key(rnd)}"}
    changed.update(f"target/{key}" for key in evidence)
    changed.update(
        f"node/{node.scope}" for i, node in enumerate(rules.nodes) if _differs(before, state, i)
    )
    changed.update(f"incident/{key}" for key in {*before.incidents, *state.incidents})
    incidents = tuple(item.incident for _, item in sorted(state.incidents.items()))
    transitions = tuple(
        transition
        for incident in incidents
        for transition in _transitions(before.incidents.get(incident.id), incident, rnd.slot)
    )
    still = {k: item for k, item in state.incidents.items() if item.incident.level != "ok"}
    return Folded(replace(state, incidents=still), changed, incidents, transitions)


def _differs(before: FoldState, after: FoldState, i: int) -> bool:
    def raw(state: FoldState) -> bytes:
        events, tokens = state.events.mass[i].tobytes(), state.tokens.mass[i].tobytes()
        return bytes(state.updated[i : i + 1].tobytes() + events + tokens)

    return raw(before) != raw(after)


def _transitions(
    old: OpenIncident | None, new: Incident, slot: Slot
) -> tuple[Mapping[str, Any], ...]:
    """One record when an incident opened, changed level, place or severity."""
    was = old.incident if old else None
    watched = ("level", "scope", "severity", "families")
    if was is not None and all(getattr(was, name) == getattr(new, name) for name in watched):
        return ()
    return (
        {
            "id": f"{new.id}/{slot.key}",
            "incident_id": new.id,
            "at": slot.due,
            "from_level": was.level if was else "ok",
            "to_level": new.level,
            "doc": asdict(new),
        },
    )
