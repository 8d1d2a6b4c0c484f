"""Two faults at different nodes, the second while the first is open."""

from __future__ import annotations

import math
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from benchmarks.detection.lifecycle_share import BUDGET, EVERY, Counts, Floats
from qualmon.stats import blame, detector, escalation, esr
from qualmon.stats.detector import EVENTS
from qualmon.stats.hierarchy import node_weights

PLATFORMS: Final = 3
MODELS: Final = 4
CELLS: Final = PLATFORMS * MODELS
#: Answers of one cell in a round.
ANSWERS: Final = 3
BOUND: Final = 1e-3
#: A day of health; the second fault begins up to a day after the first one's alarm, and both
#: are watched for a day and a half more.
HEALTHY: Final = 288
GAP: Final = 288
AFTER: Final = 432

Flags = NDArray[np.bool_]


class Node(NamedTuple):
    """A place: name, the cells that it holds, its part of the budget."""

    name: str
    cells: frozenset[int]
    weight: float


def nodes() -> list[Node]:
    """All cells; platforms; models; single cells."""
    platform = [frozenset(range(p * MODELS, (p + 1) * MODELS)) for p in range(PLATFORMS)]
    model = [frozenset(range(m, CELLS, MODELS)) for m in range(MODELS)]
    levels = [[frozenset(range(CELLS))], platform, model, [frozenset([c]) for c in range(CELLS)]]
    names = ("all", "platform", "model", "cell")
    weights = node_weights([len(level) for level in levels])
    return [
        Node(f"{name} {i}", cells, weight)
        for name, level, weight in zip(names, levels, weights, strict=True)
        for i, cells in enumerate(level)
    ]


NODES: Final = nodes()


class Incident(NamedTuple):
    """An open incident. at: round of the alarm. place: index of the node blamed now. tally:
    the library's, over nodes that share a cell with the alarm; -inf elsewhere."""

    at: int
    place: int
    tally: Floats


MEMBER: Final[Flags] = np.array([[c in node.cells for c in range(CELLS)] for node in NODES])
DRIFT: Final[Floats] = np.outer([node.weight * EVERY for node in NODES], EVENTS.weights)
#: The blame moves to a place that is ten times likelier.
LEAD: Final = 10.0


def monitored(hits: Counts, *, muting: bool, most: int = 10_000) -> list[tuple[int, Node]]:
    """(round of the alarm, place blamed at last) of the first `most` incidents.

    hits: (rounds, CELLS). muting: cells of open incidents count L = 1 in other nodes and the
    blame follows the evidence; else an alarm clears its node and that is all.
    """
    rows = escalation.product(EVENTS, ANSWERS, np.arange(ANSWERS + 1), BOUND)
    state, opened = detector.init(EVENTS, (len(NODES),)), list[Incident]()
    for t in range(len(hits)):
        factors, claims = rows[hits[t]], [MEMBER[i.place] & muting for i in opened]
        if muting:
            opened = [_followed(i, factors, _except(claims, k)) for k, i in enumerate(opened)]
        grown = _products(escalation.muted(factors, _except(claims)))
        state = esr.step(state, DRIFT, t * EVERY, grown)
        mass = detector.evidence(state)
        loud = int(np.argmax(mass))
        if mass[loud] >= BUDGET:
            touching: Flags = np.asarray(MEMBER[:, MEMBER[loud]].any(axis=1))
            tally = np.where(touching[:, None], blame.opened(state.mass), -np.inf)
            opened.append(Incident(t, loud, tally))
            clear: Flags = touching if muting else np.arange(len(NODES)) == loud
            state = esr.Masses(*(np.where(clear[:, None], 0.0, part) for part in state))
            if len(opened) == most:
                break
    return [(incident.at, NODES[incident.place]) for incident in opened]


def _except(claims: list[Flags], mine: int = -1) -> Flags:
    """Cells of all incidents but one."""
    others = [claim for k, claim in enumerate(claims) if k != mine]
    return np.asarray([False] * CELLS if not others else np.any(others, axis=0))


def _products(factors: Floats) -> Floats:
    """By node, from those by cell."""
    return np.asarray(np.where(MEMBER[:, :, None], factors[None], 1.0).prod(axis=1))


def _followed(incident: Incident, factors: Floats, others: Flags) -> Incident:
    """The incident after a round, blamed where the evidence is now."""
    tally = blame.step(incident.tally, _products(escalation.muted(factors, others)))
    logs = np.logaddexp.reduce(tally, axis=1)
    best = int(np.argmax(logs))
    ahead = logs[best] > logs[incident.place] + math.log(LEAD)
    return Incident(incident.at, best if ahead else incident.place, tally)


class Pair(NamedTuple):
    """Two faults. gap: rounds from the alarm of the first to the second, None: they begin at
    once."""

    first: Node
    second: Node
    gap: int | None


def pair(rng: np.random.Generator, *, crossing: bool, at_once: bool) -> Pair:
    """Places without common cells, or a platform and a model that share one."""
    while True:
        chosen = [NODES[k] for k in rng.choice(np.arange(1, len(NODES)), 2, replace=False)]
        kinds = {node.name.split()[0] for node in chosen}
        common = chosen[0].cells & chosen[1].cells
        if (kinds == {"platform", "model"} and common) if crossing else not common:
            return Pair(chosen[0], chosen[1], None if at_once else int(rng.integers(GAP)))


def drawn(chosen: Pair, size: float, rng: np.random.Generator) -> Counts:
    """Hits by round and cell, a day of health first."""
    first = np.array([c in chosen.first.cells for c in range(CELLS)])
    second = np.array([c in chosen.second.cells for c in range(CELLS)])
    hits = rng.binomial(ANSWERS, BOUND, (HEALTHY + GAP + 2 * AFTER, CELLS))
    bad = rng.binomial(ANSWERS, BOUND + size * (1.0 - BOUND), hits.shape)
    hits[HEALTHY:, first] = bad[HEALTHY:, first]
    begin = HEALTHY
    if chosen.gap is not None:
        alarms = monitored(hits[: HEALTHY + AFTER], muting=True, most=1)
        begin = (alarms[0][0] if alarms else HEALTHY) + chosen.gap
    hits[begin:, second] = bad[begin:, second]
    return np.asarray(hits[: begin + AFTER])


class Told(NamedTuple):
    """Of the pairs: kept apart, each fault with incidents of its own and none elsewhere; just
    one incident each at the very place; in the mean, incidents opened."""

    apart: int
    right: int
    opened: float


def told(
    size: float, runs: int, seed: int, *, crossing: bool, muting: bool, at_once: bool = False
) -> Told:
    """Incidents of `runs` pairs of faults that strike a share `size` of the answers."""
    rng = np.random.default_rng(seed)
    apart = right = opened = 0
    for _ in range(runs):
        chosen = pair(rng, crossing=crossing, at_once=at_once)
        found = [node for _, node in monitored(drawn(chosen, size, rng), muting=muting)]
        names = sorted(node.name for node in found)
        apart += _apart(chosen, found)
        right += names == sorted([chosen.first.name, chosen.second.name])
        opened += len(found)
    return Told(apart, right, opened / runs)


def _apart(chosen: Pair, found: list[Node]) -> bool:
    one, other = chosen.first.cells, chosen.second.cells
    return (
        all((node.cells <= one) or (node.cells <= other) for node in found)
        and any(node.cells <= one for node in found)
        and any(node.cells <= other for node in found)
    )
