"""The benchmark's peers compute what the originals compute."""

from __future__ import annotations

import numpy as np
import pytest
from river import drift
from scipy.special import xlogy

from benchmarks.detection import peers_kernels as peer
from benchmarks.detection import practice


@pytest.fixture(scope="module")
def events() -> np.ndarray:
    """A stream of 3,000 events whose rate rises from 2 % to 6 %."""
    rates = np.where(np.arange(3000) < 2000, 0.02, 0.06)
    return (np.random.default_rng(5).random(3000) < rates).astype(np.int8)


def test_page_hinkley_is_river_s(events: np.ndarray) -> None:
    """The statistic equals the installed river's along a path."""
    original = drift.PageHinkley(mode="up", threshold=1e9)
    expected = []
    for x in events.tolist():
        original.update(x)
        expected.append(original._sum_increase - original._min_increase)
    found = peer.path(peer.PAGE_HINKLEY, np.array([0.0, 0.005, 1.0 - 1e-4, 30.0]), events)
    np.testing.assert_allclose(found[29:], expected[29:], atol=1e-12)


def test_glr_is_the_maximum_over_all_starts(events: np.ndarray) -> None:
    """The pruned statistic equals the maximum over every start and every raised rate."""
    p0 = 0.02
    found = peer.path(peer.GLR, np.array([p0]), events)
    hits = np.concatenate([[0], np.cumsum(events)])
    for t in np.flatnonzero(events) + 1:
        n, k = t - np.arange(t), hits[t] - hits[:t]
        value = xlogy(k, k / (n * p0)) + xlogy(n - k, (n - k) / (n * (1 - p0)))
        assert found[t - 1] == pytest.approx(np.where(k > p0 * n, value, 0.0).max(), abs=1e-9)


def test_window_counts_its_last_events(events: np.ndarray) -> None:
    """The window's statistic is the count of the last 200 events."""
    found = peer.path(peer.WINDOW, np.array([0.0, 200.0]), events)
    sums = np.concatenate([[0], np.cumsum(events)])
    np.testing.assert_array_equal(found[199:], sums[200:] - sums[:-200])


def test_bocpd_is_bayes_rule() -> None:
    """Two events: the odds of a change after the first, from all run lengths by hand."""
    p0, hazard, a, b = 0.1, 0.01, 1.0, 9.0
    found = peer.path(peer.BOCPD, np.array([p0, hazard, a, b]), np.array([0, 1], np.int8))
    changed, healthy = hazard * a / (a + b), (1.0 - hazard) * p0
    assert found[0] < -600
    assert found[1] == pytest.approx(np.log(changed / healthy))


def test_kayenta_s_judge_gives_the_verdicts_its_users_reported() -> None:
    """7 of 10 points 100 times as high pass and 8 fail (#6278); sparse errors pass (#426)."""
    ones = np.ones(10)
    assert not practice.kayenta_high(ones, np.array([100.0] * 7 + [1.0] * 3))
    assert practice.kayenta_high(ones, np.array([100.0] * 8 + [1.0] * 2))
    assert not practice.kayenta_high(np.zeros(6), np.array([0.0, 1.0, 2.0, 1.0, 0.0, 0.0]))


def test_batch_delay_agrees_with_its_simulation() -> None:
    """The exact mean equals that of 20,000 simulated changes within four standard errors."""
    size, p0, p1, arl = 50, 0.05, 0.2, 5_000
    rng = np.random.default_rng(3)
    # At level .01: more than 6 hits of 50 at rate .05 have probability .0118, more than 7 .0032.
    above = 1.0 - practice.binomial_pmf(size, p0)[:8].sum()
    tie = (size / arl - above) / practice.binomial_pmf(size, p0)[7]
    phase = (rng.integers(0, 20, 20_000) + 0.5) * size / 20
    waits = np.zeros(20_000)
    pending = np.ones(20_000, dtype=bool)
    healthy = phase.astype(int)
    while pending.any():
        hits = rng.binomial(healthy, p0) + rng.binomial(size - healthy, p1)
        waits += np.where(pending, size - healthy, 0)
        pending &= ~((hits > 7) | ((hits == 7) & (rng.random(20_000) < tie)))
        healthy = np.zeros_like(healthy)
    error = waits.std() / np.sqrt(waits.size)
    assert practice.batch_delay(size, p0, p1, arl) == pytest.approx(waits.mean(), abs=4 * error)
