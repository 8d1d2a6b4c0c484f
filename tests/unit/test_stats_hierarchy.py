"""Nodes from axes, blame and listing: values and refusals."""

from __future__ import annotations

import math

import numpy as np
import pytest

from qualmon.errors import StatisticsError
from qualmon.folding.rules import build_nodes
from qualmon.stats import blame, hierarchy
from qualmon.stats.listing import listed
from qualmon.types import Target

LEVELS = [(), ("platform",), ("model",), ("platform", "model"), ("platform", "model", "route")]


def _cells() -> dict[str, dict[str, str]]:
    return {
        f"{m}/{p}/{r}": {"platform": p, "model": m, "route": r}
        for p in ("tpu", "gpu")
        for m in ("a", "b", "c")
        for r in ("x", "y")
    }


def test_nodes_are_the_combinations_found_on_each_level() -> None:
    """1 + 2 + 3 + 6 + 12 nodes; members are those with the values; weights keep the reserve."""
    found = hierarchy.nodes(_cells(), LEVELS)
    assert len(found) == 24
    by_scope = {node.scope: node for node in found}
    assert len(by_scope["fleet"].members) == 12
    assert by_scope["platform=tpu,model=b"].members == ("b/tpu/x", "b/tpu/y")
    assert by_scope["platform=tpu,model=b"].axes == (("platform", "tpu"), ("model", "b"))
    assert math.fsum(node.weight for node in found) == pytest.approx(0.9)
    assert by_scope["model=a"].weight == pytest.approx(0.9 / 5 / 3)


def test_of_nodes_with_the_same_members_the_most_specific_stays() -> None:
    """With one platform, the fleet and the platform say the same: the platform stays."""
    cells = {"a": {"platform": "tpu", "model": "a"}, "b": {"platform": "tpu", "model": "b"}}
    scopes = [n.scope for n in hierarchy.nodes(cells, [(), ("platform",), ("model",)])]
    assert scopes == ["platform=tpu", "model=a", "model=b"]


def test_a_cell_without_an_axis_is_in_no_node_of_that_level() -> None:
    """A target of unknown hardware belongs to the fleet alone."""
    cells = {"a": {"hardware": "tpu"}, "b": {}, "c": {"hardware": "tpu"}}
    found = hierarchy.nodes(cells, [(), ("hardware",)])
    assert [(n.scope, n.members) for n in found] == [
        ("fleet", ("a", "b", "c")),
        ("hardware=tpu", ("a", "c")),
    ]


def test_nodes_are_those_of_the_product() -> None:
    """The fold's nodes and the library's agree in names, members and weights."""
    targets = [Target(m, p, r, "sim", {}) for m in "ab" for p in ("t", "g", "w") for r in "xy"]
    axes = [[], ["platform"], ["model"], ["platform", "model"]]
    cells = {t.key: {"platform": t.platform, "model": t.model} for t in targets}
    assert [tuple(node) for node in hierarchy.nodes(cells, axes)] == [
        (n.scope, n.axes, n.targets, n.weight) for n in build_nodes(targets, axes)
    ]


@pytest.mark.parametrize(
    ("cells", "levels", "message"),
    [
        ({}, [()], "no cells"),
        ({"a": {}}, [("model", "model")], "twice"),
        ({"a": {}}, [("x", "y"), ("y", "x")], "listed twice"),
        ({"a": {}}, [("model",)], "no cell has"),
    ],
)
def test_impossible_hierarchies_are_refused(
    cells: dict[str, dict[str, str]], levels: list[tuple[str, ...]], message: str
) -> None:
    """Each refusal says what is wrong."""
    with pytest.raises(StatisticsError, match=message):
        hierarchy.nodes(cells, levels)


def test_ranking_is_bayes_rule_on_masses() -> None:
    """Scores are masses over their sum, best first, ties by name; later bets multiply in."""
    tally = blame.opened(np.array([[1.0, 2.0], [6.0, 0.0], [0.5, 0.5]]))
    scores = [(c.scope, round(c.score, 12)) for c in blame.ranking(["a", "b", "c"], tally)]
    assert scores == [("b", 0.6), ("a", 0.3), ("c", 0.1)]
    later = blame.step(tally, np.array([[1.0, 10.0], [0.5, 1.0], [1.0, 1.0]]))
    first, *_ = blame.ranking(["a", "b", "c"], later)
    assert first.scope == "a"
    assert first.score == pytest.approx(21.0 / 25.0)
    assert first.log_evidence == pytest.approx(math.log(21.0))


def test_ranking_survives_saturated_masses() -> None:
    """Evidence far beyond float range is compared in logarithms."""
    tally = blame.opened(np.array([[1e250], [1e240]]))
    for _ in range(3):
        tally = blame.step(tally, np.array([[1e250], [1e250]]))
    first, second = blame.ranking(["a", "b"], tally)
    assert first.scope == "a"
    assert first.score == pytest.approx(1.0)
    assert second.score == pytest.approx(1e-10)


def test_blame_refuses_what_is_no_evidence() -> None:
    """Negative or non-finite masses, bets of another shape, names that do not match."""
    for mass in (np.array([[-1.0]]), np.array([[math.nan]]), np.array([1.0])):
        with pytest.raises(StatisticsError, match="masses of shape"):
            blame.opened(mass)
    tally = blame.opened(np.ones((2, 3)))
    with pytest.raises(StatisticsError, match="bets of shape"):
        blame.step(tally, np.ones((3, 2)))
    for scopes in ([], ["a"]):
        with pytest.raises(StatisticsError, match="names for"):
            blame.ranking(scopes, tally)


def test_listing_takes_the_most_streams_that_still_pass() -> None:
    """The k-th largest needs N / (alpha k): a second stream helps the first one in."""
    assert listed(np.array([1.0, 39.0, 0.0, 2.0]), 0.1).tolist() == []
    assert listed(np.array([1.0, 40.0, 0.0, 2.0]), 0.1).tolist() == [1]
    assert listed(np.array([20.0, 21.0, 0.0, 2.0]), 0.1).tolist() == [0, 1]
    assert listed(np.array([10.0, 10.0, 10.0, 10.0]), 0.1).tolist() == [0, 1, 2, 3]


@pytest.mark.parametrize(
    ("evidence", "alpha"),
    [([-1.0], 0.1), ([math.inf], 0.1), ([[1.0]], 0.1), ([1.0], 0.0), ([1.0], math.nan)],
)
def test_listing_refuses_what_is_no_evidence(evidence: list[float], alpha: float) -> None:
    """Bad shapes, signs and error rates are named."""
    with pytest.raises(StatisticsError, match=r"evidence|alpha"):
        listed(np.array(evidence), alpha)
