"""Offsets between targets: closed forms, what is conditioned out, coverage, bad input."""

from __future__ import annotations

import math

import numpy as np
import pytest

from qualmon.errors import StatisticsError
from qualmon.stats.baselines.offsets import dispersion, fit, offsets


def test_two_targets_give_the_odds_of_the_discordant_pairs() -> None:
    """With one answer each, the offset is the log odds of who failed alone, halves added."""
    bad = np.zeros((10, 10, 2))
    bad[:3, :, 0] = 1  # 30 pairs: only the first fails
    bad[3, :6, 1] = 1  # 6 pairs: only the second fails
    bad[4:6] = 1  # both fail: says nothing
    found = offsets(bad, np.ones_like(bad))
    assert found.offset[0] - found.offset[1] == pytest.approx(math.log(30.5 / 6.5), abs=1e-8)
    assert found.offset.sum() == pytest.approx(0.0, abs=1e-9)


def test_hard_prompts_and_bad_rounds_are_conditioned_out() -> None:
    """Known offsets come back although prompts and rounds differ by several log odds."""
    rng = np.random.default_rng(7)
    true = np.array([0.6, -0.4, 0.2, -0.3, -0.1])
    common = rng.normal(-2, 2, (1, 60, 1)) + rng.normal(0, 1, (200, 1, 1))
    n = rng.integers(0, 4, (200, 60, 5))
    bad = rng.binomial(n, 1.0 / (1.0 + np.exp(-(common + true))))
    assert offsets(bad, n).offset == pytest.approx(true, abs=0.1)


def test_a_target_without_failures_keeps_a_finite_limit_above_the_exact_one() -> None:
    """0 of 100 discordant pairs: its exact 95 % limit is log(3/97) relative to the other."""
    bad = np.zeros((10, 10, 2))
    bad[:, :, 0] = 1
    found = offsets(bad, np.ones_like(bad))
    assert found.upper[1] - found.offset[0] > math.log(3 / 97)
    assert np.isfinite(found.upper).all()


def test_sessions_that_differ_between_targets_widen_the_limit() -> None:
    """A target's own session effects of sd 1 raise its dispersion above that of the healthy."""
    rng = np.random.default_rng(3)
    shock = np.zeros((30, 1, 3))
    shock[:, :, 0] = rng.normal(0, 1, (30, 1))
    n = np.ones((30, 100, 3))
    wild = rng.binomial(1, 1.0 / (1.0 + np.exp(2 - shock)) * n)
    calm = rng.binomial(1, 0.12 * n)
    assert dispersion(fit(wild, n))[0] > 3.0
    assert dispersion(fit(calm, n)).max() < 2.5
    spans = [(o.upper - o.offset)[0] for o in (offsets(wild, n), offsets(calm, n))]
    assert spans[0] > 1.5 * spans[1]


def test_upper_limits_cover_at_the_stated_confidence() -> None:
    """400 references of 20 sessions: coverage of a 90 % limit below .86 has probability .006
    if it is .90 (binomial, one of the five targets)."""
    rng = np.random.default_rng(11)
    true = np.array([0.4, 0.0, 0.0, -0.2, -0.2])
    n = np.ones((20, 15, 5))
    covered = 0
    for _ in range(400):
        common = rng.normal(-2, 1, (1, 15, 1))
        own = rng.normal(0, 0.4, (20, 1, 5))
        bad = rng.binomial(1, 1.0 / (1.0 + np.exp(-(common + true + own))))
        found = offsets(bad, n, confidence=0.9)
        others = np.delete(found.offset, 0).mean() - np.delete(true, 0).mean()
        covered += int(found.upper[0] - others >= true[0])
    assert covered >= 344


def test_without_a_failure_nothing_is_known() -> None:
    """No informative stratum: offsets 0, limits far away."""
    found = offsets(np.zeros((5, 4, 3)), np.ones((5, 4, 3)))
    assert found.offset == pytest.approx(np.zeros(3), abs=1e-9)
    assert (found.upper > 2.0).all()


@pytest.mark.parametrize(
    ("bad", "n", "words"),
    [
        (np.zeros((5, 4)), np.ones((5, 4)), "shapes"),
        (np.zeros((5, 4, 1)), np.ones((5, 4, 1)), "two targets"),
        (np.zeros((1, 4, 2)), np.ones((1, 4, 2)), "two sessions"),
        (np.full((2, 2, 2), 2), np.ones((2, 2, 2)), "between 0"),
        (np.full((2, 2, 2), -1), np.ones((2, 2, 2)), "between 0"),
        (np.full((2, 2, 2), math.nan), np.ones((2, 2, 2)), "whole"),
        (np.full((2, 2, 2), 0.5), np.ones((2, 2, 2)), "whole"),
    ],
)
def test_impossible_counts_are_refused(bad: np.ndarray, n: np.ndarray, words: str) -> None:
    """What no reference can hold is an error that says what to give."""
    with pytest.raises(StatisticsError, match=words):
        offsets(bad, n)


@pytest.mark.parametrize("confidence", [0.0, 0.4, 1.0, math.nan])
def test_confidence_outside_its_range_is_refused(confidence: float) -> None:
    """A limit needs a confidence of at least one half."""
    with pytest.raises(StatisticsError, match="confidence"):
        offsets(np.zeros((2, 2, 2)), np.ones((2, 2, 2)), confidence)
