"""Oracles against published run lengths, their own definitions and what they must refuse."""

from __future__ import annotations

import math

import pytest

from qualmon.errors import StatisticsError
from qualmon.stats.detector import EVENTS
from qualmon.stats.grids import EPS_GRID
from qualmon.stats.oracle import bernoulli, gaussian
from qualmon.stats.oracle.bernoulli import Lattice

RATE = 0.01


@pytest.mark.parametrize(
    ("share", "steps", "height", "run_length", "delay"),
    [
        (0.024094, Lattice(1, 50, 0.0), 175, 8457.04, 210.10),
        (0.119934, Lattice(1, 20, 0.0), 70, 168702.0, 41.06),
    ],
)
def test_exact_lattices_give_published_values(
    share: float, steps: Lattice, height: int, run_length: float, delay: float
) -> None:
    """Bernoulli CUSUMs on 1:m lattices, to the printed digits."""
    faulty = RATE + share * (1.0 - RATE)
    assert bernoulli.run_lengths(steps, height, RATE)[0] == pytest.approx(run_length, rel=5e-6)
    assert bernoulli.run_lengths(steps, height, faulty)[0] == pytest.approx(delay, abs=0.005)


@pytest.mark.parametrize(("share", "up"), [(0.024094, 50), (0.119934, 20)])
def test_lattice_finds_the_exact_ratio(share: float, up: int) -> None:
    """Shares chosen for a 1:m lattice get that lattice."""
    found = bernoulli.lattice(RATE, share)
    assert (found.down, found.up) == (1, up)
    assert found.error < 1e-4


def test_run_lengths_solve_their_equations() -> None:
    """Every state: one answer, then the mean of where it leads."""
    steps, height, p = Lattice(3, 7, 0.0), 19, 0.2
    found = bernoulli.run_lengths(steps, height, p)
    for i, value in enumerate(found):
        bad = found[i + steps.up] if i + steps.up < height else 0.0
        assert value == pytest.approx(1.0 + p * bad + (1.0 - p) * found[max(i - steps.down, 0)])


def test_survival_sums_to_the_run_length() -> None:
    """E[T] is the sum over t of P(no alarm in t answers)."""
    steps, height, p = Lattice(2, 5, 0.0), 9, 0.3
    alive = sum(bernoulli.after(steps, height, p, t).sum() for t in range(400))
    assert bernoulli.run_lengths(steps, height, p)[0] == pytest.approx(alive, rel=1e-9)


def test_rule_has_exactly_the_run_length_asked() -> None:
    """Randomising between two heights meets the target."""
    found = bernoulli.rule(bernoulli.lattice(RATE, 0.02), RATE, 5000.0)
    low, high = (
        bernoulli.run_lengths(found.lattice, found.height + more, RATE)[0] for more in (0, 1)
    )
    assert low <= 5000.0 < high
    assert found.chance * low + (1.0 - found.chance) * high == pytest.approx(5000.0)


def test_delay_is_shorter_in_steady_state() -> None:
    """A CUSUM that has run for a while is above zero; the zero state is Lorden's worst case."""
    found = bernoulli.rule(bernoulli.lattice(RATE, 0.02), RATE, 5000.0)
    steady = bernoulli.delay(found, RATE, 0.02, healthy=1000)
    assert steady < bernoulli.delay(found, RATE, 0.02)
    assert steady == pytest.approx(bernoulli.delay(found, RATE, 0.02, healthy=1400), rel=1e-4)


def test_finer_lattices_change_little() -> None:
    """The default lattice is within .3 % of one seven times finer."""
    steady = [
        bernoulli.delay(bernoulli.rule(steps, 0.05, 5000.0), 0.05, 0.02, healthy=1000)
        for steps in (bernoulli.lattice(0.05, 0.02), bernoulli.lattice(0.05, 0.02, error=3e-4))
    ]
    assert steady[0] == pytest.approx(steady[1], rel=3e-3)


@pytest.mark.parametrize(
    ("reference", "height", "mean", "printed"),
    [
        (0.5, 3.0, 0.0, 117.59),
        (0.5, 5.0, 0.0, 930.9),
        (0.5, 5.0, 1.0, 10.38),
        (0.0, 10.0, -0.25, 2071.51),
        (0.25, 8.0, 2.5, 4.1500836225),
    ],
)
def test_gaussian_cusum_gives_published_values(
    reference: float, height: float, mean: float, printed: float
) -> None:
    """Brook-Evans, standard tables, Vance, SAS/QC: within .05 %, the rounding of the shortest."""
    assert gaussian.cusum(reference, height, mean) == pytest.approx(printed, rel=5e-4)


def test_shiryaev_roberts_gives_published_values() -> None:
    """Moustakides, Polunchenko, Tartakovsky 2009: a row of table 2 and one of table 4."""
    weak = gaussian.shiryaev_roberts(0.1, 943.41)
    assert weak.run_length == pytest.approx(1000.28, abs=0.01)
    assert weak.delay == pytest.approx(298.50, abs=0.01)
    strong = gaussian.shiryaev_roberts(1.0, 560.37)
    assert strong.run_length - 1.0 == pytest.approx(999.79, abs=0.01)
    assert strong.second == pytest.approx(10.66, abs=0.005)
    assert strong.stationary == pytest.approx(9.64, abs=0.005)


def test_shiryaev_roberts_threshold_inverts() -> None:
    """The threshold found has the run length asked, and does not exceed it."""
    threshold = gaussian.shiryaev_roberts_threshold(1.0, 200.0)
    assert threshold < 200.0
    assert gaussian.shiryaev_roberts(1.0, threshold).run_length == pytest.approx(200.0)


def test_more_nodes_change_nothing() -> None:
    """The quadrature has converged: twice the nodes agree to nine digits."""
    once = gaussian.shiryaev_roberts(0.5, 100.0)
    twice = gaussian.shiryaev_roberts(0.5, 100.0, density=2.0 * gaussian.DENSITY)
    assert twice == pytest.approx(once, rel=1e-9)


def test_shipped_design_keeps_the_grid_and_spends_its_budget_once() -> None:
    """EVENTS: the ten octaves, positive weights that sum to 1, none above a quarter."""
    assert EVENTS.shares == EPS_GRID
    assert math.fsum(EVENTS.weights) == pytest.approx(1.0, abs=1e-15)
    assert 0.0 < min(EVENTS.weights) <= max(EVENTS.weights) < 0.25


@pytest.mark.parametrize("value", [0.0, 1.0, -0.1, math.nan, math.inf])
def test_impossible_rates_are_refused(value: float) -> None:
    """Rates and shares lie strictly between 0 and 1."""
    with pytest.raises(StatisticsError, match="is not in"):
        bernoulli.lattice(value, 0.02)
    with pytest.raises(StatisticsError, match="is not in"):
        bernoulli.lattice(RATE, value)
    with pytest.raises(StatisticsError, match="is not in"):
        bernoulli.run_lengths(Lattice(1, 5, 0.0), 9, value)


@pytest.mark.parametrize("target", [1.0, math.nan, math.inf])
def test_impossible_run_lengths_are_refused(target: float) -> None:
    """No rule that waits for a bad answer alarms sooner than the first one."""
    with pytest.raises(StatisticsError, match="run length"):
        bernoulli.rule(bernoulli.lattice(RATE, 0.02), RATE, target)
    with pytest.raises(StatisticsError, match="run length"):
        gaussian.shiryaev_roberts_threshold(1.0, target)


@pytest.mark.parametrize("value", [0.0, -1.0, math.nan, math.inf])
def test_impossible_thresholds_are_refused(value: float) -> None:
    """Heights, shifts and thresholds are finite and positive."""
    with pytest.raises(StatisticsError, match="> 0"):
        gaussian.cusum(0.5, value, 0.0)
    with pytest.raises(StatisticsError, match="> 0"):
        gaussian.shiryaev_roberts(value, 10.0)
    with pytest.raises(StatisticsError, match="> 0"):
        gaussian.shiryaev_roberts(1.0, value)


def test_impossible_states_are_refused() -> None:
    """No lattice below one unit, no negative history, no mean that is not a number."""
    with pytest.raises(StatisticsError, match="height 0"):
        bernoulli.run_lengths(Lattice(1, 5, 0.0), 0, RATE)
    with pytest.raises(StatisticsError, match="negative"):
        bernoulli.after(Lattice(1, 5, 0.0), 9, RATE, -1)
    with pytest.raises(StatisticsError, match="mean nan"):
        gaussian.cusum(0.5, 4.0, math.nan)
