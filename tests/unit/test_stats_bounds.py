"""Confidence limits against scipy, and the sequence under optional stopping."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.stats import binomtest

from qualmon.errors import StatisticsError
from qualmon.stats.bounds import confidence_sequence, refuted, stands_out, upper_limit


@pytest.mark.parametrize(("n", "hits"), [(1, 0), (10, 3), (300, 0), (3000, 2), (50, 49), (7, 7)])
def test_upper_limit_is_clopper_pearson(n: int, hits: int) -> None:
    """A one-sided 95 % limit is the upper end of scipy's exact 90 % interval."""
    expected = binomtest(hits, n).proportion_ci(0.9, method="exact").high
    assert upper_limit(n, hits) == pytest.approx(expected, rel=1e-9)


def test_upper_limit_knows_nothing_at_first_and_three_over_n_later() -> None:
    """No answers: 1. No hit in n: the rule of three, so 3,000 clean answers prove 1e-3."""
    assert upper_limit(0, 0) == 1.0
    assert upper_limit(2_900, 0) > 1e-3
    assert upper_limit(3_000, 0) <= 1e-3


@pytest.mark.parametrize(("n", "hits"), [(3, 4), (3, -1), (-1, 0)])
def test_impossible_counts_are_refused(n: int, hits: int) -> None:
    """More hits than answers is a mistake of the caller, told as such."""
    for call in (
        lambda: upper_limit(n, hits),
        lambda: stands_out(n, hits, 0.1, 1),
        lambda: confidence_sequence(n, hits, 0.05),
        lambda: refuted(n, hits, 0.1, 0.05),
    ):
        with pytest.raises(StatisticsError, match="hits among"):
            call()


@pytest.mark.parametrize("alpha", [0.0, 1.0, -0.1, math.nan])
def test_levels_outside_the_unit_interval_are_refused(alpha: float) -> None:
    """alpha must lie in (0, 1)."""
    with pytest.raises(StatisticsError, match="alpha"):
        confidence_sequence(10, 1, alpha)
    with pytest.raises(StatisticsError, match="alpha"):
        refuted(10, 1, 0.1, alpha)


def test_stands_out_corrects_for_the_number_of_alternatives() -> None:
    """Exact binomial tail against alpha / alternatives."""
    tail = binomtest(3, 100, 0.005, alternative="greater").pvalue
    assert tail < 0.02
    assert stands_out(100, 3, 0.005, 1, alpha=tail * 1.01)
    assert not stands_out(100, 3, 0.005, 2, alpha=tail * 1.01)
    assert not stands_out(100, 0, 0.005, 1)


def test_sequence_is_everything_without_answers_and_one_sided_at_the_edges() -> None:
    """n = 0 says nothing; no hit leaves the low end at 0, all hits the high end at 1."""
    assert confidence_sequence(0, 0, 0.05) == (0.0, 1.0)
    low, high = confidence_sequence(20, 0, 0.05)
    assert (low, high < 0.5) == (0.0, True)
    low, high = confidence_sequence(20, 20, 0.05)
    assert (low > 0.5, high) == (True, 1.0)


def test_sequence_ends_are_where_the_mixture_martingale_crosses() -> None:
    """At both ends the e-process equals 1/alpha, recomputed here from its definition."""
    n, hits, alpha = 400, 9, 0.05
    for rate in confidence_sequence(n, hits, alpha):
        log_mixture = (
            math.lgamma(hits + 0.5) + math.lgamma(n - hits + 0.5) - math.lgamma(n + 1.0)
        ) - 2.0 * math.lgamma(0.5)
        log_null = hits * math.log(rate) + (n - hits) * math.log1p(-rate)
        assert log_mixture - log_null == pytest.approx(-math.log(alpha), abs=1e-9)


def test_refuted_agrees_with_the_sequence() -> None:
    """A bound is refuted exactly when the interval lies above it."""
    for n in (5, 40, 700):
        for hits in range(0, n, max(1, n // 20)):
            for bound in (0.001, 0.02, 0.3):
                low, _ = confidence_sequence(n, hits, 0.01)
                assert refuted(n, hits, bound, 0.01) == (low > bound)


def test_sequence_covers_under_optional_stopping() -> None:
    """Stopped where it looks worst, it misses in at most alpha of streams.

    400 streams of up to 3,000 answers at alpha = .05; were the true rate of misses .05, more
    than 36 would come with probability 3e-4.
    """
    rng = np.random.default_rng(5)
    misses = 0
    for rate in (0.02, 0.2):
        hits = np.cumsum(rng.random((200, 3000)) < rate, axis=1)
        looks = [*range(10, 100, 10), *range(100, 3001, 100)]
        for stream in hits:
            misses += any(not _covers(int(stream[n - 1]), n, rate) for n in looks)
    assert misses <= 36


def _covers(hits: int, n: int, rate: float) -> bool:
    low, high = confidence_sequence(n, hits, 0.05)
    return low <= rate <= high
