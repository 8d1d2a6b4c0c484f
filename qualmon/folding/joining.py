"""One fault or two: whether an alarm belongs to an open incident, and how it joins it."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Set
from dataclasses import replace

from qualmon import incidents as rulebook
from qualmon.folding import attribution, tracking
from qualmon.folding.rules import FoldRules
from qualmon.folding.state import FoldState, OpenIncident
from qualmon.stats import recovery
from qualmon.types import Slot


def same_fault(
    item: OpenIncident, alarm: tracking.Alarm, state: FoldState, rules: FoldRules, slot: Slot
) -> bool:
    """True when one fault at one place explains the incident and the alarm about as well as
    two faults do, each at its own place, the second paying for its own false-alarm budget."""
    if abs(alarm.onset - item.incident.onset) > tracking.reach(slot):
        return False
    here = set(item.incident.targets)
    first = tracking.settled(item).tally
    both = _with_family(first, alarm, state, rules, here | alarm.guilty)
    one = max(
        (
            evidence
            for scope, evidence in attribution.ranking(both)
            for targets in [set(rules.nodes[rules.place[scope]].targets)]
            if targets & here and alarm.guilty <= targets
        ),
        default=-math.inf,
    )
    apart = dict(attribution.ranking(first))[item.incident.scope]
    second = math.log(alarm.mass / rules.budget_hours)
    return one >= apart + second - attribution.SAME_FAULT


def _with_family(
    tally: Mapping[str, attribution.Tally],
    alarm: tracking.Alarm,
    state: FoldState,
    rules: FoldRules,
    targets: Iterable[str],
) -> dict[str, attribution.Tally]:
    if alarm.family in tally:
        return dict(tally)
    return {**tally, alarm.family: attribution.opened(state, rules, alarm.family, targets)}


def joined(
    item: OpenIncident,
    alarm: tracking.Alarm,
    state: FoldState,
    rules: FoldRules,
    slot: Slot,
    claimed: Set[str],
) -> OpenIncident:
    """The alarm becomes a further symptom of the incident, which burns again if it healed."""
    targets = {*item.incident.targets, *alarm.guilty}
    tally = _with_family(tracking.settled(item).tally, alarm, state, rules, targets)
    provable = item.provable or alarm.provable
    item = replace(
        item,
        tally=tally,
        pending=attribution.no_news(tally),
        provable=provable,
        doubtful=() if provable else tuple(sorted({*item.doubtful, *alarm.doubtful})),
        incident=replace(
            item.incident,
            level=rulebook.advance(item.incident.level, "alarm"),
            families=tuple(sorted({*item.incident.families, alarm.family})),
        ),
        recovery=recovery.start(slot.due),
    )
    item = tracking.moved(item, rules, state.hits, claimed)
    return tracking.with_hits(item, tracking.hits_since_onset(item, state))
