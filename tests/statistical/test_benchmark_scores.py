"""The compiled loops of section `scores` against the library and river: one path each."""

from __future__ import annotations

import numpy as np
from river.drift import PageHinkley

from benchmarks.detection import scores_kernels as compiled
from benchmarks.detection.scores_peers import both_sides
from benchmarks.detection.scores_world import VALUES, beta, known_bets, sampler
from qualmon.stats import detector
from qualmon.stats.bets import bounded, dictionary


def test_the_simulated_mixture_is_the_librarys() -> None:
    """The same scores give the same evidence to 1e-12, from bins to masses."""
    bets = known_bets(beta(2, 18))
    rng = np.random.default_rng(1)
    outcomes = rng.choice(VALUES.size, 400, p=0.95 * beta(2, 18) + 0.05 * beta(6, 6))
    table = bounded.outcome(bets, VALUES)
    path = compiled.mixture_path(bets.dictionary.factors, bets.weights, table, outcomes)
    state = dictionary.init(bets.weights)
    for t, score in enumerate(VALUES[outcomes]):
        factors = bounded.factors(bets, score)
        state = dictionary.step(bets.weights, state, factors, hours=1.0, at=float(t))
        assert abs(path[t] / float(detector.evidence(state)) - 1.0) < 1e-12


def test_draws_follow_their_law() -> None:
    """Alias tables hold the exact probabilities: each cell's parts add up to its law."""
    law = 0.9 * beta(2, 18) + 0.1 * np.eye(VALUES.size)[-1]
    table = sampler(law)
    found = np.bincount(table.other, 1.0 - np.minimum(table.keep, 1.0), minlength=law.size)
    found += np.minimum(table.keep, 1.0)
    np.testing.assert_allclose(found / law.size, law / law.sum(), atol=1e-14)


def test_page_hinkley_is_rivers() -> None:
    """The statistic crosses a threshold at the observation where river's does."""
    scores = np.random.default_rng(2).beta(2, 18, 3_000)
    scores[2_000:] += 0.05
    path = compiled.scalar_path(compiled.PAGE_HINKLEY, 1, scores)
    peer = PageHinkley(threshold=5.0, mode="up")
    for t, score in enumerate(scores):
        peer.update(float(score))  # type: ignore[no-untyped-call]
        assert peer.drift_detected == bool(path[t] > 5.0)
        if peer.drift_detected:
            return
    raise AssertionError("the shift was never found")


def test_the_two_sided_method_is_fair_in_health() -> None:
    """Its joint table has mean at most 1 for every bet, so it is the two-sided dictionary."""
    health = beta(2, 18)
    method = both_sides(health, known_bets(health))
    lengths = method.passages(sampler(health), np.array([50.0]), 400, 5_000, 3)
    assert lengths.mean() >= 50.0
