"""From one epoch's rules to the next: what keeps its evidence and what starts at zero.

A node keeps its masses while its members stay the same, and a channel while it stays; new
weights act on new drift only, so no mass rises by configuration. A probe whose version
changed takes its answers out of the audit of bounds, and nothing else: dropping evidence at
every version bump would hide small faults for ever (statistics A.12).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from qualmon.folding.rules import FoldRules
from qualmon.folding.state import FoldState, OpenIncident, Pool, initial
from qualmon.stats.bounds import upper_limit
from qualmon.stats.esr import Masses


def migrated(state: FoldState, old: FoldRules, new: FoldRules) -> FoldState:
    """The state under new rules. Incidents at places that are gone end unresolved."""
    fresh = initial(new)
    places = {(n.scope, n.targets): i for i, n in enumerate(old.nodes)}
    for i, node in enumerate(new.nodes):
        was = places.get((node.scope, node.targets))
        if was is not None:
            _carry(state.events, fresh.events, was, i, old.events, new.events)
            _carry(state.tokens, fresh.tokens, was, i, old.tokens, new.tokens)
            fresh.updated[i] = state.updated[was]
    known = {target for node in new.nodes for target in node.targets}
    return replace(
        fresh,
        targets={key: value for key, value in state.targets.items() if key in known},
        pools={key: _pools(key, pools, old, new) for key, pools in state.pools.items()},
        incidents=_kept(state.incidents, new),
        hits=tuple(hit for hit in state.hits if hit.target in known),
        slots=state.slots,
    )


def _carry(
    source: Masses, goal: Masses, was: int, now: int, old: Sequence[str], new: Sequence[str]
) -> None:
    for channel in set(old).intersection(new):
        goal.mass[now, new.index(channel)] = source.mass[was, old.index(channel)]
        goal.moment[now, new.index(channel)] = source.moment[was, old.index(channel)]


def _pools(key: str, pools: Mapping[str, Pool], old: FoldRules, new: FoldRules) -> dict[str, Pool]:
    suite = key.split("/", 1)[0]
    kept = {}
    for channel, pool in pools.items():
        if channel in new.bounds and old.bounds.get(channel) == new.bounds[channel]:
            kept[channel] = _without_changed(pool, suite, channel, old, new)
    return kept


def _without_changed(pool: Pool, suite: str, channel: str, old: FoldRules, new: FoldRules) -> Pool:
    def same(probe: str) -> bool:
        name = f"{suite}/{probe}"
        return name in new.versions and old.versions.get(name) == new.versions[name]

    probes = {probe: counts for probe, counts in pool.probes.items() if same(probe)}
    if len(probes) == len(pool.probes):
        return pool
    n, hits = sum(n for n, _ in probes.values()), sum(h for _, h in probes.values())
    still = pool.status == "proven" and upper_limit(n, hits) > new.bounds[channel]
    return Pool(n, hits, probes, "unproven" if still else pool.status)


def _kept(incidents: Mapping[str, OpenIncident], new: FoldRules) -> dict[str, OpenIncident]:
    places = {node.scope: node.targets for node in new.nodes}
    channels = set(new.channels)
    return {
        key: item
        for key, item in incidents.items()
        if places.get(item.incident.scope) == item.incident.targets and item.channel in channels
    }
