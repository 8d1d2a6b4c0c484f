"""Nodes above the budget's line: which is loudest, what it rests on, and whose it is."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from qualmon.folding import joining, nodes, tracking
from qualmon.folding.rules import FoldRules
from qualmon.folding.state import FoldState, Hit, OpenIncident
from qualmon.folding.tracking import Alarm
from qualmon.types import Slot


def muted(
    incidents: Mapping[str, OpenIncident], rules: FoldRules, besides: str = ""
) -> dict[str, set[str]]:
    """Targets by channel whose answers belong to an open incident other than `besides`.

    An incident that rests on doubtful bounds takes only those channels to itself, so that a
    proven one can still raise it to a page.
    """
    mute: dict[str, set[str]] = {}
    for key, item in incidents.items():
        if key == besides:
            continue
        for channel in _taken(item, rules):
            mute.setdefault(channel, set()).update(item.incident.targets)
    return mute


def _taken(item: OpenIncident, rules: FoldRules) -> tuple[str, ...]:
    if not item.provable:
        return item.doubtful
    return tuple(channel for family in item.tally for channel in rules.channels_of(family))


def claims(incidents: Mapping[str, OpenIncident], rules: FoldRules, key: str) -> set[str]:
    """Targets whose answers on the families of incident `key` belong to another one."""
    mute = muted(incidents, rules, besides=key)
    return {
        target
        for family in incidents[key].tally
        for channel in rules.channels_of(family)
        for target in mute.get(channel, ())
    }


def raised(state: FoldState, rules: FoldRules, slot: Slot) -> FoldState:
    """Opens or joins incidents until no node stands above the budget's line."""
    while True:
        found = _loudest(state, rules)
        if found is None:
            return state
        state = _placed(state, rules, _alarm(state, rules, *found, slot), slot)


def _loudest(state: FoldState, rules: FoldRules) -> tuple[float, int, str] | None:
    best: tuple[float, int, str] | None = None
    for family, mass in nodes.family_masses(state, rules).items():
        index = int(mass.argmax()) if mass.size else -1
        loud = index >= 0 and mass[index] >= rules.budget_hours
        if loud and (best is None or mass[index] > best[0]):
            best = (float(mass[index]), index, family)
    return best


def _alarm(
    state: FoldState, rules: FoldRules, mass: float, index: int, family: str, slot: Slot
) -> Alarm:
    """What the alarm rests on. Masses rise by hits alone, so a channel whose hits here were
    all under proven bounds is proven evidence."""
    onset = tracking.onset(state, rules, index, family)
    hits = _unclaimed(state, rules, index, family, onset - tracking.reach(slot))
    doubtful = {hit.channel for hit in hits if not hit.proven}
    return Alarm(
        index=index,
        family=family,
        mass=mass,
        guilty=frozenset(hit.target for hit in hits),
        onset=onset,
        doubtful=tuple(sorted(doubtful)),
        provable=not doubtful
        or _mass_without(state, rules, index, family, doubtful) >= rules.budget_hours,
    )


def _unclaimed(
    state: FoldState, rules: FoldRules, index: int, family: str, since: float
) -> list[Hit]:
    """Hits at a node that no open incident has taken to itself."""
    targets, mute = set(rules.nodes[index].targets), muted(state.incidents, rules)
    channels = rules.channels_of(family)
    return [
        hit
        for hit in state.hits
        if hit.target in targets
        and hit.channel in channels
        and hit.due >= since
        and hit.target not in mute.get(hit.channel, ())
    ]


def _mass_without(
    state: FoldState, rules: FoldRules, index: int, family: str, doubtful: set[str]
) -> float:
    events, tokens = nodes.channel_masses(state)
    rows = rules.rows[family]
    parts = [float(events[index, r]) for r in rows.events if rules.events[r] not in doubtful]
    return sum(parts) + sum(float(tokens[index, r]) for r in rows.tokens)


def _placed(state: FoldState, rules: FoldRules, alarm: Alarm, slot: Slot) -> FoldState:
    """The alarm joins the open incident that explains it, or opens one of its own."""
    node = rules.nodes[alarm.index]
    for key, item in sorted(state.incidents.items()):
        if joining.same_fault(item, alarm, state, rules, slot):
            claimed = claims(state.incidents, rules, key)
            joined = joining.joined(item, alarm, state, rules, slot, claimed)
            state = replace(state, incidents={**state.incidents, key: joined})
            affected = {*node.targets, *joined.incident.targets}
            return nodes.cleared(state, rules, alarm.family, affected)
    item = tracking.opened(state, rules, _narrowed(state, rules, alarm), slot)
    state = replace(state, incidents={**state.incidents, item.incident.id: item})
    return nodes.cleared(state, rules, alarm.family, node.targets)


def _narrowed(state: FoldState, rules: FoldRules, alarm: Alarm) -> Alarm:
    """The alarm at the loudest place inside it that no open incident of the family covers:
    what made it rise cannot have come from there."""
    covered = set(muted(state.incidents, rules).get(rules.channels_of(alarm.family)[0], ()))
    targets = set(rules.nodes[alarm.index].targets)
    if not targets & covered:
        return alarm
    mass = nodes.family_masses(state, rules)[alarm.family]
    inside = [
        i
        for i, node in enumerate(rules.nodes)
        if alarm.guilty <= set(node.targets) <= targets - covered
    ]
    best = max(inside, key=lambda i: (float(mass[i]), -i), default=alarm.index)
    return replace(alarm, index=best)
