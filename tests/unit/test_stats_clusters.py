"""Clusters of answers: components, averages, counts, seasons, dispersion."""

from __future__ import annotations

import math

import numpy as np
import pytest

from qualmon.errors import StatisticsError
from qualmon.stats import bets
from qualmon.stats.baselines import season
from qualmon.stats.baselines.dispersion import dispersion, independent
from qualmon.stats.grids import EPS_GRID


def test_crossed_relations_join_through_chains() -> None:
    """Answers 0-1 share an identity, 1-2 a replica: one component; equal names of two relations
    and None join nothing."""
    labels = [("a", "x"), ("a", "y"), ("b", "y"), ("c", "a"), (None, None)]
    assert bets.components(labels) == ((0, 1, 2), (3,), (4,))
    assert bets.components([]) == ()


def test_components_refuse_uneven_labels() -> None:
    """Every answer names every relation."""
    with pytest.raises(StatisticsError, match="relations"):
        bets.components([("a",), ("a", "b")])


def test_average_keeps_the_weight_of_a_missing_answer() -> None:
    """A missing answer counts 0 at the weight it was asked with."""
    assert bets.average([10.0, None], bets.equal_weights(2)) == 5.0
    assert bets.average([10.0, 2.0], [0.25, 0.75]) == 4.0


@pytest.mark.parametrize("weights", [[0.5, 0.6], [1.5, -0.5], [math.nan, 1.0], [1.0]])
def test_average_refuses_weights_that_are_no_weights(weights: list[float]) -> None:
    """Weights are one per answer, >= 0, with sum 1."""
    with pytest.raises(StatisticsError, match="weights"):
        bets.average([1.0, 1.0], weights)


def test_average_refuses_what_is_no_e_value_and_empty_clusters() -> None:
    """Infinite and negative ratios and clusters of nothing are errors."""
    for ratio in (math.inf, -1.0, math.nan):
        with pytest.raises(StatisticsError, match="e-value"):
            bets.average([ratio], [1.0])
    with pytest.raises(StatisticsError, match="cluster of 0"):
        bets.equal_weights(0)


def test_stopping_at_the_first_bad_answer_breaks_the_plain_average() -> None:
    """Why sizes are fixed: p0 = 1/2, two answers at most, stopped at the first bad one: E = 1.25
    for the average over those seen, 1 for the weights of those asked (exact sums)."""
    outcomes = {(1,): 0.5, (0, 1): 0.25, (0, 0): 0.25}
    seen = sum(p * 2.0 * sum(x) / len(x) for x, p in outcomes.items())
    asked = sum(p * bets.average([2.0 * b for b in (*x, 0, 0)[:2]], (0.5, 0.5))
                for x, p in outcomes.items())  # fmt: skip
    assert seen == 1.25
    assert asked == 0.75


def test_without_correlation_the_count_is_the_product_of_answers() -> None:
    """At icc 0 three bad of ten are worth what their ten bets are together."""
    bad, good = bets.contamination(50.0, EPS_GRID), bets.contamination(0.0, EPS_GRID)
    expected = bad**3 * good**7
    np.testing.assert_allclose(bets.count_bet(3, 10, 0.02, 0.0), expected, rtol=1e-12)


def test_correlation_makes_a_bad_cluster_worth_less() -> None:
    """Ten bad of ten at correlation .3 weigh far less than ten independent bad answers."""
    free, bound = (bets.count_bet(10, 10, 0.02, icc) for icc in (0.0, 0.3))
    assert (bound < free).all()
    assert (bound < free / 100.0)[6:].all()
    assert (bound > 1.0).all()


def test_largest_cluster_stays_finite() -> None:
    """20,000 answers: every factor of every count is finite and above 0, with and without icc."""
    for icc in (0.0, 0.03):
        table = bets.count_bets(20_000, 1e-3, icc)
        assert table.shape == (20_001, len(EPS_GRID))
        assert np.isfinite(table).all()
        assert (table[:, 0] > 0.0).all()
    assert not table.flags.writeable


@pytest.mark.parametrize(
    ("n", "bound", "icc", "named"),
    [
        (0, 0.1, 0.0, "cluster of 0"),
        (20_001, 0.1, 0.0, "20001"),
        (5, 0.0, 0.0, "rate"),
        (5, 1.0, 0.0, "rate"),
        (5, math.nan, 0.0, "rate"),
        (5, 0.1, 1.0, "correlation"),
        (5, 0.1, -0.1, "correlation"),
        (5, 0.1, math.nan, "correlation"),
    ],
)
def test_count_bets_refuse_values_outside_their_domain(
    n: int, bound: float, icc: float, named: str
) -> None:
    """The error names the value."""
    with pytest.raises(StatisticsError, match=named):
        bets.count_bets(n, bound, icc)


def test_count_bets_refuse_impossible_counts_and_shares() -> None:
    """More bad answers than answers, or a share of 0, is an error."""
    with pytest.raises(StatisticsError, match="6 bad answers among 5"):
        bets.count_bet(6, 5, 0.1, 0.1)
    with pytest.raises(StatisticsError, match="share grid"):
        bets.count_bets(5, 0.1, 0.1, (0.0, 0.5))


def test_season_gives_the_rate_of_the_hour_and_the_peak() -> None:
    """Strata of equal length repeat with the period, also before its first start."""
    known = season.season([0.1, 0.2, 0.3], period=24.0)
    assert [season.rate(known, hour) for hour in (0.0, 7.9, 8.0, 23.9, 24.0, -0.1)] == [
        0.1, 0.1, 0.2, 0.3, 0.1, 0.3,
    ]  # fmt: skip
    assert season.peak(known) == 0.3


def test_fitted_season_is_an_upper_limit_and_1_without_answers() -> None:
    """0 of 299 at 95 % is about 1 %; an empty stratum has no bound."""
    known = season.fitted([299, 0], [0, 0], period=24.0)
    assert known.rates[0] == pytest.approx(0.01, rel=0.01)
    assert known.rates[1] == 1.0


@pytest.mark.parametrize("rates", [[], [0.0], [1.1], [math.nan]])
def test_season_refuses_rates_that_are_none(rates: list[float]) -> None:
    """Rates are in (0, 1]."""
    with pytest.raises(StatisticsError, match="seasonal rates"):
        season.season(rates)


def test_season_refuses_impossible_times_and_counts() -> None:
    """Periods and times are finite, counts possible."""
    with pytest.raises(StatisticsError, match="period"):
        season.season([0.1], period=0.0)
    with pytest.raises(StatisticsError, match="time"):
        season.rate(season.season([0.1]), math.inf)
    with pytest.raises(StatisticsError, match="strata"):
        season.fitted([1], [0, 0])
    with pytest.raises(StatisticsError, match="hits"):
        season.fitted([1], [2])


def test_dispersion_of_equal_counts_is_small_and_of_one_bad_day_large() -> None:
    """Equal counts: no excess, icc 0. One day of fifteen with all the failures: refused."""
    calm = dispersion([200] * 15, [4] * 15)
    assert calm.excess == 0.0
    assert calm.icc == 0.0
    assert 0.0 < calm.limit < 0.01
    assert independent(calm)
    wild = dispersion([200] * 15, [60] + [0] * 14)
    assert wild.excess > 10.0
    assert wild.icc > 0.1
    assert not independent(wild)


def test_dispersion_knows_nothing_without_failures() -> None:
    """No failure at all leaves any correlation possible."""
    found = dispersion([10, 10], [0, 0])
    assert math.isnan(found.excess)
    assert found.limit == 1.0
    assert independent(found)


@pytest.mark.parametrize(
    ("answers", "bad"), [([10], [1]), ([10, 0], [1, 0]), ([10, 10], [11, 0]), ([10, 10], [1, -1])]
)
def test_dispersion_refuses_impossible_counts(answers: list[int], bad: list[int]) -> None:
    """Two blocks at least, and counts that can be."""
    with pytest.raises(StatisticsError):
        dispersion(answers, bad)
