"""The fold: (state, closed round) -> (state, what changed, transitions). Pure.

Order inside a round: evidence under the bounds and incidents known before it; nodes step; the
audit learns; open incidents take their part and may move; alarms open or join incidents;
every open incident is assessed. Replaying the same rounds gives the same bytes.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np

from qualmon.folding import alarms, audit, nodes, novelty, tracking
from qualmon.folding.assess import assessed
from qualmon.folding.evidence import Cell, Terms, cells, hushed, pool_key, terms
from qualmon.folding.rules import Flags, FoldRules
from qualmon.folding.state import FoldState, Hit, OpenIncident, TargetState
from qualmon.stats import blocks
from qualmon.stats.esr import Masses
from qualmon.types import ClosedRound, Incident, Slot, family_of

MAX_HITS = 512
#: Answers of targets in a node with this part of the budget's line teach the audit nothing.
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
    known = tuple(m for m in rnd.members if m.member.target in rules.platforms)
    rnd = novelty.judged(ClosedRound(rnd.slot, known), state.references)
    given = terms(rnd, state, rules)
    found = cells(rnd, state, given)
    frozen = _frozen(state, rules)
    state = _step_nodes(state, found, given)
    state = _learn(state, found, given, frozen)
    state = _refer(state, rnd, rules, frozen)
    state = _feed_incidents(state, found, given)
    state = _remember(state, found, rnd.slot)
    state = _count_users(before, alarms.raised(state, rules, rnd.slot), found)
    state = replace(state, incidents=assessed(state, rules, rnd.slot, resolved))
    return _result(before, state, found, given)


def _frozen(state: FoldState, rules: FoldRules) -> dict[str, set[str]]:
    """Targets per channel that are suspect: under an incident, or with rising evidence."""
    by_family: dict[str, set[str]] = {}
    for family, mass in nodes.family_masses(state, rules).items():
        suspect = np.flatnonzero(mass > FREEZE_PART * rules.budget_hours)
        by_family[family] = {t for i in suspect for t in rules.nodes[i].targets}
        for item in state.incidents.values():
            if family in item.tally:
                by_family[family].update(item.incident.targets)
    return {channel: by_family[family_of(channel)] for channel in rules.channels}


def _step_nodes(state: FoldState, found: Mapping[str, Cell], given: Terms) -> FoldState:
    # What is muted was decided by earlier rounds: a bet must not depend on its own outcome.
    heard = hushed(found, alarms.muted(state.incidents, given.rules), given.rules)
    touched = {
        i: bets
        for i in given.rules.touching(heard)
        for bets in [nodes.factors(given.rules.nodes[i], heard, given)]
        if bets is not None
    }
    return nodes.stepped(state, touched, given)


def _learn(
    state: FoldState, found: Mapping[str, Cell], given: Terms, frozen: Mapping[str, set[str]]
) -> FoldState:
    key = pool_key(given.slot)
    pools = audit.updated(state.pools.get(key, {}), found, given.rules, frozen)
    return replace(state, pools={**state.pools, key: pools}, slots=state.slots + 1)


def _refer(
    state: FoldState, rnd: ClosedRound, rules: FoldRules, frozen: Mapping[str, set[str]]
) -> FoldState:
    """Answers join the references, unless they come from where an incident is open or where
    answers never seen before are gathering."""
    suspect = {t for item in state.incidents.values() for t in item.incident.targets}
    suspect.update(t for channel in novelty.DERIVED.values() for t in frozen.get(channel, ()))
    grown = novelty.learned(rnd, state.references, rules.versions, suspect)
    return replace(state, references=grown)


def _count_users(before: FoldState, state: FoldState, found: Mapping[str, Cell]) -> FoldState:
    """The round that raised an alarm is the first whose users the incident counts."""
    fresh = {
        key: tracking.with_users(item, found)
        for key, item in state.incidents.items()
        if key not in before.incidents
    }
    return replace(state, incidents={**state.incidents, **fresh}) if fresh else state


def _feed_incidents(state: FoldState, found: Mapping[str, Cell], given: Terms) -> FoldState:
    rules = given.rules
    before = state.incidents
    for key, item in sorted(before.items()):
        heard = hushed(found, alarms.muted(before, rules, besides=key), rules)
        claimed = alarms.claims(before, rules, key)
        fed = tracking.advanced(item, heard, given, state.hits, claimed)
        state = replace(state, incidents={**state.incidents, key: fed})
        if fed.incident.scope != item.incident.scope:
            for family in fed.tally:
                state = nodes.cleared(state, rules, family, fed.incident.targets)
    return state


def _remember(state: FoldState, found: Mapping[str, Cell], slot: Slot) -> FoldState:
    targets = dict(state.targets)
    fresh: list[Hit] = []
    for key, cell in sorted(found.items()):
        targets[key] = _seen(targets.get(key, TargetState()), cell, slot)
        fresh.extend(cell.hits)
    return replace(state, targets=targets, hits=(*state.hits, *fresh)[-MAX_HITS:])


def _seen(target: TargetState, cell: Cell, slot: Slot) -> TargetState:
    history = dict(target.blocks)
    for channel in history.keys() | cell.counts.keys():
        n, hits = cell.judged(channel)
        history[channel] = blocks.push(history.get(channel, ()), slot.due, n, hits)
    silent = {c: rounds + (c in cell.asked) for c, rounds in target.silent.items()}
    silent.update(dict.fromkeys(cell.counts, 0))
    last_at = {**target.last_at, **dict.fromkeys(cell.counts, slot.due)}
    return TargetState(history, silent, last_at)


def _result(before: FoldState, state: FoldState, found: Mapping[str, Cell], given: Terms) -> Folded:
    changed = {"fleet", f"pool/{pool_key(given.slot)}"}
    changed.update(f"target/{key}" for key in found)
    changed.update(
        f"reference/{key}"
        for key in found
        if state.references.get(key) != before.references.get(key)
    )
    changed.update(f"node/{given.rules.nodes[i].scope}" for i in _differing(before, state))
    changed.update(f"incident/{key}" for key in {*before.incidents, *state.incidents})
    incidents = tuple(item.incident for _, item in sorted(state.incidents.items()))
    still = {k: item for k, item in state.incidents.items() if item.incident.level != "ok"}
    return Folded(
        state=replace(state, incidents=still),
        changed=changed,
        incidents=incidents,
        transitions=transitions(before.incidents, incidents, given.slot),
    )


def _differing(before: FoldState, after: FoldState) -> list[int]:
    changed = ~((before.updated == after.updated) | np.isnan(after.updated))
    for old, new in ((before.events, after.events), (before.tokens, after.tokens)):
        changed = changed | _unequal(old, new)
    return [int(i) for i in np.flatnonzero(changed)]


def _unequal(old: Masses, new: Masses) -> Flags:
    differs = (old.mass != new.mass) | (old.moment != new.moment)
    return np.asarray(differs.any(axis=(1, 2)))


def transitions(
    before: Mapping[str, OpenIncident], incidents: Iterable[Incident], slot: Slot
) -> tuple[Mapping[str, Any], ...]:
    """One record for each incident that opened or changed level, place, severity, families."""
    return tuple(
        {
            "id": f"{new.id}/{slot.key}",
            "incident_id": new.id,
            "at": slot.due,
            "from_level": before[new.id].incident.level if new.id in before else "ok",
            "to_level": new.level,
            "doc": asdict(new),
        }
        for new in incidents
        if new.id not in before or _differs(before[new.id].incident, new)
    )


def _differs(old: Incident, new: Incident) -> bool:
    watched = ("level", "scope", "severity", "families")
    return any(getattr(old, name) != getattr(new, name) for name in watched)
