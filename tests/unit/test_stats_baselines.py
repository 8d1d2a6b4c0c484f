"""Empirical Bayes priors: closed forms, degenerate references, inflation, bad input."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.special import betaln

from qualmon.errors import StatisticsError
from qualmon.stats.baselines.empirical_bayes import (
    FLOOR,
    Prior,
    fit,
    inflated,
    leave_one_out,
    rate,
)


def _penalised(a: float, b: float, hits: np.ndarray, n: np.ndarray) -> float:
    """The documented objective, written out."""
    mean, total = a / (a + b), a + b
    likelihood = float((betaln(hits + a, n - hits + b) - betaln(a, b)).sum())
    half = 0.5 * (math.log(mean) + math.log(1.0 - mean))
    return likelihood + half - 0.5 * ((math.log(total) - math.log(10.0)) / 2.0) ** 2


def test_the_fit_is_the_maximum_and_its_errors_are_its_curvature() -> None:
    """No neighbour is better, and the standard error of a is that of the numerical Hessian."""
    rng = np.random.default_rng(1)
    n = np.full(200, 10.0)
    hits = rng.binomial(10, rng.beta(0.3, 5.7, 200)).astype(float)
    found = fit(hits, n)
    best = _penalised(found.a, found.b, hits, n)
    for i, j in ((1.02, 1.0), (0.98, 1.0), (1.0, 1.02), (1.0, 0.98), (1.02, 1.02), (0.98, 0.98)):
        assert _penalised(found.a * i, found.b * j, hits, n) < best
    e = 1e-3

    def at(i: float, j: float) -> float:
        return _penalised(found.a * math.exp(i * e), found.b * math.exp(j * e), hits, n)

    aa, bb = at(1, 0) - 2 * best + at(-1, 0), at(0, 1) - 2 * best + at(0, -1)
    ab = (at(1, 1) - at(1, -1) - at(-1, 1) + at(-1, -1)) / 4
    error = math.sqrt(-bb / (aa * bb - ab * ab)) * e
    assert found.a_error == pytest.approx(found.a * error, rel=1e-3)


def test_many_prompts_give_back_the_population() -> None:
    """20,000 prompts: a and b within five standard errors, which are small."""
    rng = np.random.default_rng(4)
    hits = rng.binomial(10, rng.beta(0.3, 5.7, 20_000)).astype(float)
    found = fit(hits, np.full(20_000, 10.0))
    assert abs(found.a - 0.3) < 5 * found.a_error < 0.1
    assert abs(found.b - 5.7) < 5 * found.b_error < 2.0


@pytest.mark.parametrize(
    ("hits", "n"),
    [
        (np.zeros(200), np.full(200, 10.0)),
        (np.ones(200), np.full(200, 10.0)),
        (np.full(50, 10.0), np.full(50, 10.0)),
        (np.tile([0.0, 10.0], 50), np.full(100, 10.0)),
        (np.array([3.0]), np.array([10.0])),
        (np.array([0.0]), np.array([1.0])),
        (np.array([1e6, 2e6, 0.0]), np.full(3, 1e9)),
        (np.zeros(3), np.zeros(3)),
        (np.array([0.25, 1.5]), np.array([2.5, 4.0])),
    ],
    ids=["none", "equal", "all", "none or all", "one prompt", "one answer", "huge", "no", "parts"],
)
def test_degenerate_references_give_finite_priors(hits: np.ndarray, n: np.ndarray) -> None:
    """Every reference has a finite prior, and rates in [FLOOR, 1]."""
    found = fit(hits, n)
    assert 0.0 < found.a < 1e6
    assert 0.0 < found.b < 1e6
    predicted = rate(found, hits, n)
    assert ((predicted >= FLOOR) & (predicted <= 1.0)).all()
    if n.sum() > 0:
        high = inflated(found, hits, n)
        assert high.a >= found.a
        assert (rate(high, hits, n) >= predicted).all()


def test_rates_are_posterior_means_and_an_unknown_prompt_gets_the_priors() -> None:
    """(s + a)/(n + a + b); with n = 0 the prior's mean; never below the floor."""
    prior = Prior(0.5, 9.5)
    found = rate(prior, np.array([0.0, 2.0, 0.0]), np.array([0.0, 10.0, 1e9]))
    assert found == pytest.approx([0.05, 0.125, FLOOR])
    assert float(rate(prior, 0.0, 0.0)) == 0.05


def test_with_many_answers_the_prior_no_longer_matters() -> None:
    """Rates under two different priors agree to a thousandth at a million answers."""
    rates = [float(rate(prior, 5e4, 1e6)) for prior in (Prior(0.1, 9.0), Prior(8.0, 2.0))]
    assert rates == pytest.approx([0.05, 0.05], rel=1e-3)


def test_leave_one_out_by_hand() -> None:
    """Two prompts of 4 answers, one with 2 hits: each hit is predicted from 1 in 3."""
    prior = Prior(1.0, 3.0)
    hits, n = np.array([2.0, 0.0]), np.array([4.0, 4.0])
    unseen = (1.0 - 2.0 / 8.0) / (1.0 / 8.0)
    assert leave_one_out(prior, hits, n) == pytest.approx((2.0 / (2.0 / 7.0) + unseen) / 8.0)


def test_sessions_of_one_answer_are_independent_answers() -> None:
    """Leaving out a session of one answer per prompt is leaving out that answer."""
    rng = np.random.default_rng(6)
    hits = rng.binomial(1, rng.beta(0.3, 5.7, (1, 50)), (10, 50)).astype(float)
    n, prior = np.ones((10, 50)), Prior(0.3, 5.7)
    whole = leave_one_out(prior, hits.sum(axis=0), n.sum(axis=0))
    assert leave_one_out(prior, hits, n) == pytest.approx(whole)


def test_a_wrong_prior_is_corrected_and_a_high_one_left_alone() -> None:
    """Two thirds of the mean: a rises by a third or more; four thirds: a stays."""
    rng = np.random.default_rng(9)
    n = np.full(1000, 10.0)
    hits = rng.binomial(10, rng.beta(0.3, 5.7, 1000)).astype(float)
    low, high = Prior(0.2, 5.8), Prior(0.4, 5.6)
    assert inflated(low, hits, n).a > 1.33 * low.a
    assert inflated(high, hits, n) == high
    assert leave_one_out(inflated(low, hits, n, 0.1), hits, n, 0.1) == pytest.approx(1.0, abs=1e-6)
    assert inflated(low, hits, n, 2.0).a > inflated(low, hits, n).a


def test_sessions_that_differ_widen_the_margin() -> None:
    """The same counts, but all hits in one of ten sessions: a larger a at margin 1."""
    even, odd, n = np.zeros((10, 100)), np.zeros((10, 100)), np.ones((10, 100))
    for prompt in range(50):
        even[prompt % 10, prompt] = odd[0, prompt] = 1.0
    prior = Prior(0.3, 5.7)
    assert inflated(prior, odd, n, 1.0).a > 1.2 * inflated(prior, even, n, 1.0).a


@pytest.mark.parametrize(
    ("hits", "n"),
    [(2.0, 1.0), (-1.0, 1.0), (math.nan, 1.0), (0.0, math.nan), (0.0, math.inf), (0.0, -1.0)],
)
def test_impossible_counts_are_refused(hits: float, n: float) -> None:
    """Counts that cannot be are an error with the counts in it, in every function."""
    pair = np.array([0.0, hits]), np.array([5.0, n])
    for call in (
        lambda: fit(*pair),
        lambda: rate(Prior(1.0, 1.0), *pair),
        lambda: inflated(Prior(1.0, 1.0), *pair),
    ):
        with pytest.raises(StatisticsError, match="hits among"):
            call()


def test_other_bad_input_is_refused() -> None:
    """Empty references, shapes that differ, impossible priors and margins."""
    one = np.ones(1)
    with pytest.raises(StatisticsError, match="empty"):
        fit(np.zeros(0), np.zeros(0))
    with pytest.raises(StatisticsError, match="empty"):
        leave_one_out(Prior(1.0, 1.0), np.zeros(2), np.zeros(2))
    with pytest.raises(StatisticsError, match="shapes"):
        fit(one, np.ones(2))
    for prior in (Prior(0.0, 1.0), Prior(1.0, math.nan), Prior(math.inf, 1.0), Prior(1.0, -1.0)):
        with pytest.raises(StatisticsError, match="prior"):
            rate(prior, one, one)
    for margin in (-0.1, math.nan, math.inf):
        with pytest.raises(StatisticsError, match="margin"):
            inflated(Prior(1.0, 1.0), one, one, margin)
