"""Healthy means of bets on dependent answers, by exact sums."""

from __future__ import annotations

import itertools

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import expit

from qualmon.stats import bets
from qualmon.stats.bets.beta_binomial import beta_binomial_pmf

#: Rounding of sums of up to 20,001 terms.
_SLACK = 1e-9


@settings(max_examples=40, deadline=None)
@given(
    n=st.sampled_from([1, 2, 10, 60, 200, 1000]),
    bound=st.sampled_from([1e-4, 1e-3, 0.02, 0.2, 0.7]),
    icc=st.sampled_from([1e-4, 1e-3, 0.005, 0.02, 0.03, 0.3, 0.9]),
    rate=st.floats(1e-3, 1.0),
    part=st.floats(0.0, 1.0),
)
def test_count_bets_hold_at_smaller_rates_and_correlations(
    n: int, bound: float, icc: float, rate: float, part: float
) -> None:
    """E <= 1 for every rate <= bound and every correlation <= icc; factors rise, convexly."""
    table = bets.count_bets(n, bound, icc)
    law = beta_binomial_pmf(n, bound * rate, icc * part if icc * part > 1e-9 else 0.0)
    assert (law @ table <= 1.0 + _SLACK).all()
    rises = np.diff(table, axis=0)
    # Hinges are sums of large numbers: their differences round at the table's size.
    rounding = 1e-9 * table.max(axis=0)
    assert (rises >= -rounding).all()
    assert (np.diff(rises, axis=0) >= -rounding).all()


@settings(max_examples=40, deadline=None)
@given(
    rates=st.lists(st.floats(0.0, 0.5), min_size=2, max_size=8),
    icc=st.sampled_from([0.01, 0.1, 0.5]),
)
def test_count_bets_hold_for_unequal_rates(rates: list[float], icc: float) -> None:
    """E <= 1 when answers have different healthy rates with the bound as their mean (Hoeffding)."""
    bound = max(sum(rates) / len(rates), 1e-3)
    law = np.ones(1)
    for rate in rates:
        law = np.convolve(law, [1.0 - rate, rate])
    assert (law @ bets.count_bets(len(rates), bound, icc) <= 1.0 + _SLACK).all()


@settings(max_examples=40, deadline=None)
@given(
    n=st.sampled_from([1, 2, 10, 200, 2000]),
    icc=st.sampled_from([1e-3, 0.02, 0.3]),
    low=st.floats(0.0, 0.02),
    high=st.floats(0.02, 1.0),
)
def test_moment_bets_hold_for_shocks_of_any_shape(
    n: int, icc: float, low: float, high: float
) -> None:
    """E <= 1 when a platform has two states, at the mean and at most the correlation allowed."""
    bound = 0.02
    chance = (bound - low) / max(high - low, 1e-12)
    variance = chance * (1.0 - chance) * (high - low) ** 2
    # Shrunk towards the mean until the correlation is kept.
    scale = min(1.0, (icc * bound * (1.0 - bound) / max(variance, 1e-300)) ** 0.5)
    rates = [max(bound + scale * (rate - bound), 1e-12) for rate in (high, low)]
    laws = [beta_binomial_pmf(n, min(rate, 1.0 - 1e-12), 0.0) for rate in rates]
    table = bets.count_bets(n, bound, icc, any_shape=True)
    assert ((chance * laws[0] + (1.0 - chance) * laws[1]) @ table <= 1.0 + 1e-6).all()
    assert (np.diff(table, axis=0) >= 0.0).all()


@settings(max_examples=60, deadline=None)
@given(data=st.data(), k=st.integers(2, 6))
def test_odds_bets_hold_below_their_upper_limits(data: st.DataObject, k: int) -> None:
    """Given s failures, E <= 1 when the node's offsets are at most, the others' at least, those
    bet with; the node is a set."""
    value = st.floats(-4.0, 4.0)
    gap = st.floats(0.0, 2.0)
    node = list(range(data.draw(st.integers(1, k // 2))))
    used = np.array(data.draw(st.lists(value, min_size=k, max_size=k)))
    gaps = np.array(data.draw(st.lists(gap, min_size=k, max_size=k)))
    true = used + np.where(np.arange(k) < len(node), -gaps, gaps)
    for s in range(1, k):
        sets = list(itertools.combinations(range(k), s))
        law = np.exp([true[list(part)].sum() for part in sets])
        factors = [bets.odds_bet([j in part for j in range(k)], used, node) for part in sets]
        assert (law @ np.array(factors) / law.sum() <= 1.0 + _SLACK).all()


@settings(max_examples=15, deadline=None)
@given(sd=st.floats(0.05, 1.0), part=st.floats(0.0, 1.0), n=st.integers(1, 40))
def test_day_bets_hold_at_the_end_of_the_day(sd: float, part: float, n: int) -> None:
    """E <= 1 over normal day effects of any smaller deviation, n prompts with one failure in 5.

    The grid of u and the sum over day effects round at 1e-3 of the mean.
    """
    law = bets.day_law(sd)
    z = np.linspace(-6.0, 6.0, 121)
    weight = np.exp(-0.5 * z**2) / np.exp(-0.5 * z**2).sum()
    chance = expit(np.log(0.25) + sd * part * z)
    mean = np.zeros(law.raised.shape[0])
    hit, miss = (
        bets.day_step(law, bets.day_start(law), failed, [0.0] * 5, [0])
        for failed in ([True] + [False] * 4, [False, True] + [False] * 3)
    )
    for hits in range(n + 1):
        logs = hits * hit + (n - hits) * miss
        ways = float(np.prod([(n - i) / (i + 1) for i in range(hits)]))
        chances = ways * (chance**hits * (1.0 - chance) ** (n - hits)) @ weight
        mean += chances * bets.day_factors(law, logs, complete=True)
    assert (mean <= 1.0 + 1e-3).all()


@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 3)), max_size=12))
def test_components_partition_the_answers(labels: list[tuple[int, int]]) -> None:
    """Every answer is in one component, and no label crosses two of them."""
    found = bets.components(labels)
    assert sorted(i for part in found for i in part) == list(range(len(labels)))
    for relation in (0, 1):
        seen = [{labels[i][relation] for i in part} for part in found]
        assert all(a.isdisjoint(b) for a, b in itertools.combinations(seen, 2))
