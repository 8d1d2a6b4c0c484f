"""E-values of predicted rates have mean 1 under their prior, by exact sums over all answers."""

from __future__ import annotations

import itertools
import math

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import betaln

from qualmon.stats.baselines.empirical_bayes import Prior, inflated, rate
from qualmon.stats.baselines.sessions import log_clustering
from qualmon.stats.bets.reference import learn, observe, ratios, reference

SHAPES = st.floats(0.05, 20.0)
SHARES = st.floats(0.01, 0.9)


@settings(max_examples=40, deadline=None)
@given(SHAPES, SHAPES, st.integers(0, 6), st.integers(0, 6), SHARES)
def test_a_learning_reference_bets_fairly_under_its_prior(
    a: float, b: float, hits: int, more: int, share: float
) -> None:
    """Product of contamination bets over four answers of a prompt: mean 1 (the floor aside)."""
    prior, n = Prior(a, b), hits + more
    total = 0.0
    for bad in itertools.product((0.0, 1.0), repeat=4):
        state, capital = reference([float(hits)], [float(n)]), 1.0
        for at, x in enumerate(bad):
            state = learn(state, at, lag=1.0, evidence=0.0, most=1.0)
            capital *= 1.0 - share + share * float(ratios(prior, state, [0], [x])[0])
            state = observe(state, at, [0], [x])
        k = sum(bad)
        posterior = betaln(hits + a + k, more + b + 4 - k) - betaln(hits + a, more + b)
        total += math.exp(posterior) * capital
    assert total <= 1.0 + 1e-9
    assert total >= 1.0 - 1e-9 or float(rate(prior, hits, n + 4)) <= 1e-3


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.tuples(st.integers(0, 5), st.integers(0, 5)), min_size=1, max_size=12).filter(
        lambda cells: sum(map(sum, cells)) > 0
    ),
    SHAPES,
    SHAPES,
    st.floats(0.0, 3.0),
)
def test_inflation_only_ever_raises_rates(
    cells: list[tuple[int, int]], a: float, b: float, margin: float
) -> None:
    """At any reference and prior, every e-value becomes smaller or stays."""
    hits = np.array([float(cell[0]) for cell in cells])
    n = hits + np.array([float(cell[1]) for cell in cells])
    high = inflated(Prior(a, b), hits, n, margin)
    assert (rate(high, hits, n) >= rate(Prior(a, b), hits, n)).all()
    assert np.isfinite(high.a)


@settings(max_examples=30, deadline=None)
@given(st.lists(st.integers(1, 4), min_size=2, max_size=4), st.floats(0.05, 0.95))
def test_the_clustering_e_value_has_mean_one_at_every_rate(sizes: list[int], p: float) -> None:
    """Exact sum over all counts by session of independent answers."""
    n = np.array(sizes, dtype=float)
    total = 0.0
    for bad in itertools.product(*(range(size + 1) for size in sizes)):
        x = np.array(bad, dtype=float)
        chance = math.prod(
            math.comb(m, k) * p**k * (1 - p) ** (m - k) for m, k in zip(sizes, bad, strict=True)
        )
        total += chance * math.exp(log_clustering(x, n))
    assert abs(total - 1.0) < 1e-9
