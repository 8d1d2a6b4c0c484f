"""The benchmark's compiled loops take the library's path, observation by observation.

numba's generator, seeded, is the Mersenne Twister of numpy's RandomState, so the same draws can be
fed to the library.
"""

from __future__ import annotations

import numpy as np

from benchmarks.detection import kernels, scores_kernels, tokens_kernels
from benchmarks.detection.tokens_kernels import Route
from qualmon.stats import detector, esr
from qualmon.stats.bets import bounded, dictionary
from qualmon.stats.bets.tokens import drop_ratio
from qualmon.stats.detector import EVENTS, TOKENS

P0 = 0.02
TABLE = detector.factors(EVENTS, np.array([0.0, 1.0 / P0]))
WEIGHTS = np.array(EVENTS.weights)


def stepped(draws: np.ndarray, rate: float) -> np.ndarray:
    """The library's evidence after each observation, from uniform draws."""
    state, found = detector.init(EVENTS), []
    for u in draws:
        bad = 0.0 if u < 1.0 - rate else 1.0
        state = detector.step(EVENTS, state, bad / P0, hours=1.0, at=0.0)
        found.append(float(detector.evidence(state)))
    return np.array(found)


def test_passages_are_those_of_the_library() -> None:
    """First passages over three thresholds, from the same draws, are the same observations."""
    thresholds = np.array([100.0, 300.0, 600.0])
    found = kernels.passages(TABLE, WEIGHTS, np.array([1.0 - P0, 1.0]), thresholds, 1, 3000, 11)
    draws = np.random.RandomState(11).random_sample(int(found[0, -1]))
    evidence = stepped(draws, P0)
    assert found[0].tolist() == [int(np.argmax(evidence >= bar)) + 1 for bar in thresholds]


def test_delays_are_those_of_the_library() -> None:
    """A delay after 200 healthy observations, from the same draws, is the same."""
    rate, threshold = 0.1, 2000.0
    cumulative = np.array([1.0 - P0, 1.0]), np.array([1.0 - rate, 1.0])
    found = int(kernels.delays(TABLE, WEIGHTS, *cumulative, 200, threshold, 1, 5000, 4)[0])
    draws = np.random.RandomState(4).random_sample(200 + found)
    state = detector.init(EVENTS)
    for t, u in enumerate(draws):
        bad = 0.0 if u < 1.0 - (P0 if t < 200 else rate) else 1.0
        state = detector.step(EVENTS, state, bad / P0, hours=1.0, at=0.0)
        assert (float(detector.evidence(state)) >= threshold) == (t == len(draws) - 1)


def test_token_paths_are_those_of_the_library() -> None:
    """e-values of tokens equal the library's, and so do the passages of their masses."""
    route = Route(0.6, 0.1, 1e-5, 1.05)
    tails, hits, ratios = tokens_kernels.sample(route, 0.01, 3000, 9)
    expected = drop_ratio(hits.astype(bool), tails, floor=1e-5, deflation=1.05)
    np.testing.assert_array_equal(ratios, expected)
    grid, weights, bar = np.array(TOKENS.shares), np.array(TOKENS.weights), np.array([1e4])
    found = int(tokens_kernels.passages(route, 0.01, grid, weights, bar, 1, 3000, 9)[0, 0])
    state = detector.init(TOKENS)
    for t, r in enumerate(ratios[:found]):
        state = esr.step(state, weights, 0.0, detector.factors(TOKENS, float(r)))
        assert (float(detector.evidence(state)) >= 1e4) == (t == found - 1)


def test_score_paths_are_those_of_the_library() -> None:
    """Evidence of the shipped score dictionary, compiled and folded, agrees to 1e-12."""
    rng = np.random.default_rng(6)
    bets = bounded.fit(rng.beta(2, 18, 2000))
    scores = np.concatenate([rng.beta(2, 18, 300), rng.beta(6, 6, 20)])
    outcomes = bounded.outcome(bets, scores)
    same = np.arange(bets.tails.size)
    found = scores_kernels.mixture_path(bets.dictionary.factors, bets.weights, same, outcomes)
    state, expected = dictionary.init(bets.weights), []
    for score in scores:
        value = bounded.factors(bets, float(score))
        state = dictionary.step(bets.weights, state, value, hours=1.0, at=0.0)
        expected.append(float(detector.evidence(state)))
    np.testing.assert_allclose(found, expected, rtol=1e-12)
