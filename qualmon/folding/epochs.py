"""From one epoch's rules to the next: what keeps its evidence and what starts at zero.

A node keeps its masses while its members stay the same, a channel while its bound is not
raised; new weights act on new drift only, so no mass rises by configuration. A probe whose
version changed takes its answers out of the audit of bounds and its references with them, and
nothing else: dropping evidence at every version bump would hide small faults for ever
(docs/statistics.md, "Masses and the budget").
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from qualmon import incidents as rulebook
from qualmon.folding import attribution, audit
from qualmon.folding.novelty import Reference
from qualmon.folding.rules import FoldRules
from qualmon.folding.state import FoldState, OpenIncident, Pool, initial
from qualmon.stats.bounds import upper_limit
from qualmon.stats.esr import Masses
from qualmon.types import Incident, Node, Slot


def migrated(state: FoldState, old: FoldRules, new: FoldRules) -> FoldState:
    """The state under new rules. Incidents without a place or channel there are left out."""
    fresh = initial(new)
    places = {(n.scope, n.targets): i for i, n in enumerate(old.nodes)}
    for i, node in enumerate(new.nodes):
        was = places.get((node.scope, node.targets))
        if was is not None:
            _carry(state.events, fresh.events, was, i, _kept(old, new, old.events, new.events))
            _carry(state.tokens, fresh.tokens, was, i, _kept(old, new, old.tokens, new.tokens))
            fresh.updated[i] = state.updated[was]
    known = new.platforms
    return replace(
        fresh,
        targets={key: value for key, value in state.targets.items() if key in known},
        pools={key: _pools(key, pools, old, new) for key, pools in state.pools.items()},
        incidents=_incidents(state.incidents, old, new),
        hits=tuple(hit for hit in state.hits if hit.target in known),
        references={k: _same(v, new) for k, v in state.references.items() if k in known},
        slots=state.slots,
    )


def closed(before: FoldState, after: FoldState, slot: Slot) -> tuple[Incident, ...]:
    """What becomes of incidents that a new epoch left out: ended, for nothing watches them."""
    reason = "ended by configuration: nothing there is watched any more"
    return tuple(
        replace(
            item.incident,
            level=rulebook.advance(item.incident.level, "recovered"),
            resolved_at=slot.due,
            updated_at=slot.due,
            reasons=(*item.incident.reasons, reason),
        )
        for key, item in sorted(before.incidents.items())
        if key not in after.incidents
    )


def _same(found: Mapping[str, Reference], new: FoldRules) -> dict[str, Reference]:
    """References to probes that are still asked as they were: they go before the next round is
    judged, or every answer to an edited prompt would be news."""
    return {
        name: reference
        for name, reference in found.items()
        if reference.version == new.versions.get(name.rsplit("/", 1)[0], "")
    }


def _kept(
    old: FoldRules, new: FoldRules, was: Sequence[str], now: Sequence[str]
) -> list[tuple[int, int]]:
    """(old row, new row) of channels whose evidence still holds against the new bound."""
    return [
        (was.index(channel), row)
        for row, channel in enumerate(now)
        if channel in was and new.bounds.get(channel, 0.0) <= old.bounds.get(channel, 0.0)
    ]


def _carry(
    source: Masses, goal: Masses, was: int, now: int, rows: Sequence[tuple[int, int]]
) -> None:
    for there, here in rows:
        goal.mass[now, here] = source.mass[was, there]
        goal.moment[now, here] = source.moment[was, there]


def _pools(key: str, pools: Mapping[str, Pool], old: FoldRules, new: FoldRules) -> dict[str, Pool]:
    suite = key.split("/", 1)[0]
    kept = {
        channel: _without_changed(pool, suite, channel, old, new)
        for channel, pool in pools.items()
        if channel in new.bounds and old.bounds.get(channel) == new.bounds[channel]
    }
    return {channel: pool for channel, pool in kept.items() if pool.n}


def _without_changed(pool: Pool, suite: str, channel: str, old: FoldRules, new: FoldRules) -> Pool:
    """The audit without probes that changed and targets that left."""

    def same(probe: str) -> bool:
        name = f"{suite}/{probe}"
        return name in new.versions and old.versions.get(name) == new.versions[name]

    probes = {probe: counts for probe, counts in pool.probes.items() if same(probe)}
    targets = {key: counts for key, counts in pool.targets.items() if key in new.platforms}
    if len(probes) < len(pool.probes):
        targets = _scaled(targets, _sums(probes), _sums(pool.probes))
    elif len(targets) == len(pool.targets):
        return pool
    n, hits = _sums(targets)
    proven = pool.status == "proven" and upper_limit(n, hits) <= new.bounds[channel]
    left = replace(
        pool,
        n=n,
        hits=hits,
        probes=probes,
        targets=targets,
        status="proven" if proven else "unproven",
        trusted=tuple(key for key in pool.trusted if key in targets) if proven else (),
    )
    return audit.judged(left, new.bounds[channel]) if n else left


def _sums(counts: Mapping[str, tuple[int, int]]) -> tuple[int, int]:
    return sum(n for n, _ in counts.values()), sum(hits for _, hits in counts.values())


def _scaled(
    targets: Mapping[str, tuple[int, int]], kept: tuple[int, int], before: tuple[int, int]
) -> dict[str, tuple[int, int]]:
    """Counts by target in proportion to what is kept of the counts by probe, hits rounded up."""
    result = {}
    for key, (n, hits) in targets.items():
        part = n * kept[0] // max(before[0], 1)
        result[key] = part, min(part, -(-hits * kept[1] // max(before[1], 1)))
    return result


def _incidents(
    incidents: Mapping[str, OpenIncident], old: FoldRules, new: FoldRules
) -> dict[str, OpenIncident]:
    kept = {key: _moved(item, old, new) for key, item in incidents.items()}
    return {key: item for key, item in kept.items() if item is not None}


def _moved(item: OpenIncident, old: FoldRules, new: FoldRules) -> OpenIncident | None:
    """The incident at the same scope, or where the same targets are; None where neither is."""
    node = _successor(item.incident, new)
    tally = attribution.migrated(item.tally, old, new)
    if node is None or item.channel not in new.channels:
        return None
    if not any(node.scope in scopes for scopes in tally.values()):
        return None
    incident = replace(
        item.incident,
        scope=node.scope,
        targets=node.targets,
        families=tuple(family for family in item.incident.families if family in tally),
    )
    doubtful = tuple(channel for channel in item.doubtful if channel in new.channels)
    pending = attribution.no_news(tally)
    return replace(item, incident=incident, tally=tally, pending=pending, doubtful=doubtful)


def _successor(incident: Incident, new: FoldRules) -> Node | None:
    for node in new.nodes:
        if node.scope == incident.scope and set(node.targets) & set(incident.targets):
            return node
    return next((node for node in new.nodes if node.targets == incident.targets), None)
