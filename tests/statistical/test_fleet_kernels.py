"""The fleet benchmark's compiled loops are the library's arithmetic."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks.detection import fleet_joint_kernels as joint
from benchmarks.detection import fleet_kernels as kernels
from benchmarks.detection import fleet_oracle
from benchmarks.detection.fleet_model import RATE, bets, labels, weights
from qualmon.stats import detector, esr, hierarchy
from qualmon.stats.bets import contamination, product
from qualmon.stats.esr import Floats, Masses
from qualmon.stats.grids import EPS_GRID
from qualmon.stats.pooling import Null, node_factor

ICC = 0.005
AXES = ((), ("platform",), ("model",), ("platform", "model"), ("platform", "model", "route"))


def _library_nodes(answers: np.ndarray) -> tuple[tuple[hierarchy.Node, ...], Masses]:
    """Every node folded by the library, unit weight, from bad answers (rounds, cells)."""
    names = list(labels())
    nodes = hierarchy.nodes(labels(), AXES)
    place = {name: i for i, name in enumerate(names)}
    state = detector.init(detector.EVENTS, (len(nodes),))
    drift = np.asarray(detector.EVENTS.weights)
    for t, bad in enumerate(answers):
        factor = np.array([_factor([place[m] for m in node.members], bad) for node in nodes])
        state = esr.step(state, drift, t + 1.0, factor)
    return nodes, state


def _factor(members: list[int], bad: np.ndarray) -> Floats:
    by_platform: dict[int, list[float | None]] = {}
    for c in members:
        by_platform.setdefault(c // 200, []).append(float(bad[c]))
    if len(members) == 1:
        return node_factor(list(by_platform.values()), Null.CONDITIONAL, RATE)
    return node_factor(list(by_platform.values()), Null.RANDOM_EFFECT, RATE, ICC)


def test_a_path_through_the_fleet_equals_the_library() -> None:
    """40 rounds, 1,066 nodes, shocks and counts: values to 1e-9, weights and blame alike."""
    there = kernels.World(5, 10, 20, RATE, ICC, np.arange(200, 400), 0.1, 25)
    answers, values, best = kernels.sample_path(there, bets(ICC), 40, 7)
    nodes, state = _library_nodes(answers)
    unit = detector.evidence(state)
    weighted = unit * np.array([node.weight for node in nodes])
    sizes = np.array([len(node.members) for node in nodes])
    assert values[-1, kernels.OURS] == pytest.approx(weighted.max(), rel=1e-9)
    assert values[-1, kernels.GLOBAL_ONLY] == pytest.approx(unit[0], rel=1e-9)
    assert values[-1, kernels.CELL_AVERAGE] == pytest.approx(unit[sizes == 1].mean(), rel=1e-9)
    assert best[7] == pytest.approx(weighted.sum(), rel=1e-9)
    assert nodes[int(weighted.argmax())].scope == "platform=p1"
    assert int(best[1]) == 2
    tops = [weighted[sizes == size].max() for size in (1000, 200, 100, 20)]
    assert best[2:6] == pytest.approx(np.array(tops), rel=1e-9)


def test_weights_are_the_librarys() -> None:
    """Equal parts by level, a tenth in reserve."""
    assert (weights() * np.array([1, 5, 10, 50, 1000])).sum() == pytest.approx(0.9)
    assert weights()[1] == pytest.approx(0.036)


def test_joint_factors_are_products_of_the_library_bets() -> None:
    """One round: events by prompt, token e-values, and counts, at every node above the cells."""
    rng = np.random.default_rng(3)
    place = joint.Place(2, 3, 5, 1, 0.01, 10)
    ratios = np.array([0.5, 0.9, 30.0])
    bounds = rng.uniform(0.001, 0.3, 15)
    answers = joint.Answers(bounds, bounds, ratios, ratios, ratios, 0.0, False)
    assumed = bets(ICC)._replace(pair=bets(ICC).pair[:6], platform=bets(ICC).platform[:16])
    bad, bins = rng.random(30) < 0.2, rng.integers(0, 3, 6)
    pairs, events, tokens = np.ones((6, 10)), np.ones((12, 10)), np.ones((12, 10))
    joint._events(place, answers, 4, bad, assumed, pairs)
    joint._multiplied(place, pairs, events)
    table = np.array([contamination(r, EPS_GRID) for r in ratios])
    joint._tokens(place, bins, table, pairs)
    joint._multiplied(place, pairs, tokens)
    counts = np.ones((12, 10))
    joint._counted(place, bad, assumed, counts)
    cells = np.arange(30)
    groups = [
        cells,
        *(cells[cells // 15 == p] for p in range(2)),
        *(cells[cells // 5 % 3 == m] for m in range(3)),
        *(cells[cells // 5 == q] for q in range(6)),
    ]
    for v, members in enumerate(groups):
        by_prompt = [bad[c] / bounds[joint.prompt_of(int(c) % 15, 4, 15)] for c in members]
        expected = product([contamination(float(r), EPS_GRID) for r in by_prompt], 10)
        assert events[v] == pytest.approx(expected, rel=1e-12)
        expected = product([table[bins[c // 5]] for c in members if c % 5 == 0], 10)
        assert tokens[v] == pytest.approx(expected, rel=1e-12)
        rows = assumed.platform if v < 3 else assumed.pair
        parts = [rows[bad[members[members // 15 == p]].sum()] for p in set(members // 15)]
        assert counts[v] == pytest.approx(product(parts, 10), rel=1e-12)


def test_the_count_oracle_agrees_with_the_exact_bernoulli_one() -> None:
    """One answer a round: the published lattice value, 210.10 at run length 8,457.04."""
    found = fleet_oracle.delay(1, 0.01, 0.0, 0.024094, 8457.04)
    assert found.restart == pytest.approx(210.10, rel=5e-3)
