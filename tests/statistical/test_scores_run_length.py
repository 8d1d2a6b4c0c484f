"""Score bets from a finite reference: how often they are valid, and the run length they keep."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.special import betainc

from qualmon.stats import detector
from qualmon.stats.bets import bounded, dictionary
from qualmon.stats.bets.bounded import ScoreBets
from qualmon.stats.esr import Floats

NOMINAL = 300.0
STREAMS = 8
REFERENCES = 40


def _beta_law(bets: ScoreBets) -> Floats:
    above = betainc(18, 2, 1.0 - bets.thresholds)
    return np.asarray(-np.diff(np.concatenate([[1.0], above, [0.0]])))


def _tied_law(bets: ScoreBets) -> Floats:
    """Scores 0, .1, ..., .9 with halving probabilities: an atom at each."""
    chances = 0.5 ** np.minimum(np.arange(1, 11), 9)
    outcomes = bounded.outcome(bets, np.arange(10) / 10)
    return np.bincount(outcomes, chances, minlength=bets.tails.size).astype(np.float64)


def _tied(rng: np.random.Generator, n: int) -> Floats:
    return np.minimum(rng.geometric(0.5, n) - 1, 9) / 10


@pytest.mark.parametrize("n", [200, 2_000])
@pytest.mark.parametrize("tied", [False, True])
def test_all_bets_are_valid_for_95_percent_of_references(n: int, tied: bool) -> None:
    """Every E[r] <= 1 given the reference, in >= .95 of 400; fails by chance with p < .005."""
    rng = np.random.default_rng(n + tied)
    valid = 0
    for _ in range(400):
        bets = bounded.fit(_tied(rng, n) if tied else rng.beta(2, 18, n))
        law = _tied_law(bets) if tied else _beta_law(bets)
        valid += bool((law @ bets.dictionary.factors <= 1.0 + 1e-12).all())
    # P(Binomial(400, .95) < 368) = .004.
    assert valid >= 368


@pytest.mark.parametrize("n", [200, 2_000])
def test_the_run_length_given_a_reference_is_at_least_nominal(n: int) -> None:
    """At the provable threshold, 40 references x 8 streams, runs cut at 6 x nominal.

    A run length exactly nominal would fail at two standard errors: p < .03; ours are longer.
    """
    rng = np.random.default_rng(n)
    means = [_run_lengths(bounded.fit(rng.beta(2, 18, n)), rng).mean() for _ in range(REFERENCES)]
    error = np.std(means) / np.sqrt(REFERENCES)
    assert np.mean(means) - 2.0 * error >= NOMINAL
    assert np.quantile(means, 0.1) >= NOMINAL


def _run_lengths(bets: ScoreBets, rng: np.random.Generator) -> Floats:
    state = dictionary.init(bets.weights, (STREAMS,))
    limit = int(6 * NOMINAL)
    lengths = np.full(STREAMS, float(limit))
    scores = rng.beta(2, 18, (limit, STREAMS))
    for t in range(limit):
        factors = bounded.factors(bets, scores[t])
        state = dictionary.step(bets.weights, state, factors, hours=1.0, at=float(t))
        over = detector.evidence(state) >= NOMINAL
        lengths = np.where(over, np.minimum(lengths, t + 1.0), lengths)
    return lengths
