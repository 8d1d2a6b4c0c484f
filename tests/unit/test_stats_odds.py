"""Change-in-odds bets: formulas, refusals, day effects, audit."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest

from qualmon.errors import StatisticsError
from qualmon.stats import bets
from qualmon.stats.bets import odds
from qualmon.stats.bets.odds_audit import Slope, day_deviation, parallel, slope
from qualmon.stats.bets.odds_days import EARLY

_GRID = odds.ODDS_GRID


def test_elementary_polynomials_equal_their_definition() -> None:
    """e_s is the sum over sets of s weights of their products."""
    w = np.array([0.5, 2.0, 3.0, 0.1])
    expected = [sum(math.prod(part) for part in itertools.combinations(w, s)) for s in range(5)]
    np.testing.assert_allclose(np.exp(odds.log_elementary(np.log(w))), expected, rtol=1e-13)


def test_elementary_polynomials_are_stable_for_twenty_targets() -> None:
    """Equal weights e^b give binomial coefficients, at b = 50 and -50 alike."""
    for b in (-50.0, 0.0, 50.0):
        found = odds.log_elementary(np.full(20, b))
        expected = [math.log(math.comb(20, s)) + b * s for s in range(21)]
        np.testing.assert_allclose(found, expected, rtol=1e-12, atol=1e-10)


def test_one_failure_among_equal_targets_is_worth_its_odds() -> None:
    """k = 5, s = 1, equal offsets: e^theta over 1 + (e^theta - 1)/5."""
    factors = bets.odds_bet([True, False, False, False, False], [0.0] * 5, [0])
    rise = np.exp(np.array(_GRID))
    np.testing.assert_allclose(factors, rise / (1.0 + (rise - 1.0) / 5.0), rtol=1e-13)


def test_no_bet_without_failures_or_when_most_failed() -> None:
    """s = 0, s = k and more than half: ones, so that the healthy rest is never blamed."""
    for failures in (0, 3, 4, 5):
        failed = [j < failures for j in range(5)]
        assert (bets.odds_bet(failed, [0.0] * 5, [0]) == 1.0).all()


@pytest.mark.parametrize("node", [[], [5], [-1], [0, 0], [0, 1, 2]])
def test_nodes_need_controls(node: list[int]) -> None:
    """Empty, unknown, repeated or too large nodes are errors."""
    with pytest.raises(StatisticsError, match="node"):
        bets.odds_bet([True] + [False] * 4, [0.0] * 5, node)


@pytest.mark.parametrize("offsets", [[0.0], [0.0] * 21, [0.0, math.nan], [0.0, 51.0]])
def test_offsets_outside_the_domain_are_refused(offsets: list[float]) -> None:
    """2 to 20 targets, log odds within 50."""
    with pytest.raises(StatisticsError, match="offsets"):
        bets.odds_bet([False] * len(offsets), offsets, [0])


def test_lengths_and_rises_are_checked() -> None:
    """One outcome per target, rises above 0."""
    with pytest.raises(StatisticsError, match="outcomes"):
        bets.odds_bet([True], [0.0, 0.0], [0])
    with pytest.raises(StatisticsError, match="rises"):
        bets.odds_bet([True, False], [0.0, 0.0], [0], (0.0,))


def test_least_favourable_takes_upper_limits_within_the_node_only() -> None:
    """Crossing limits are an error."""
    found = bets.least_favourable([0.0, -1.0, 0.5], [0.2, 1.0, 0.9], [1])
    assert found.tolist() == [0.0, 1.0, 0.5]
    with pytest.raises(StatisticsError, match="above upper"):
        bets.least_favourable([0.0, 1.0], [0.0, 0.5], [0])


def test_node_moments_equal_sums_over_sets() -> None:
    """Mean and variance of the node's failures, by enumeration."""
    b, node = np.array([0.4, -1.0, 0.0, 0.7, 2.0]), [0, 3]
    mean, variance = odds.node_moments(b.tolist(), node)
    for s in range(6):
        sets = list(itertools.combinations(range(5), s))
        p = np.exp([b[list(part)].sum() for part in sets])
        n = np.array([len(set(part) & set(node)) for part in sets])
        expected = (p @ n) / p.sum()
        assert mean[s] == pytest.approx(expected, abs=1e-12)
        assert variance[s] == pytest.approx((p @ (n - expected) ** 2) / p.sum(), abs=1e-12)


def test_a_day_without_day_effects_is_the_product_of_its_bets() -> None:
    """At sd 0 the day's factors equal the product of odds_bet over its prompts."""
    law = bets.day_law(0.0)
    logs, product = bets.day_start(law), np.ones(len(_GRID))
    b = [0.2, -0.5, 0.0, 0.1, 0.4]
    for failed in ([1, 0, 0, 0, 0], [0, 1, 0, 0, 0], [1, 0, 1, 0, 0], [1, 1, 1, 1, 0]):
        logs = bets.day_step(law, logs, [bool(x) for x in failed], b, [0])
        product *= bets.odds_bet([bool(x) for x in failed], b, [0])
    found = bets.day_factors(law, logs, complete=True)
    np.testing.assert_allclose(found, product, rtol=1e-12)
    np.testing.assert_allclose(bets.day_factors(law, logs, complete=False), product / EARLY)


def test_a_day_is_worth_no_more_than_one_draw_of_its_effect() -> None:
    """1,000 failures all on the target: the small rises gain little, large ones are believed."""
    law = bets.day_law(0.6)
    logs = bets.day_start(law)
    for t in range(1000):
        failed = [t % 5 < 2, t % 5 == 2, t % 5 == 3, t % 5 == 4, False]
        logs = bets.day_step(law, logs, failed, [0.0] * 5, [0])
    factors = bets.day_factors(law, logs, complete=True)
    assert (factors[:2] < 3.0).all()
    assert factors.max() < 20.0


@pytest.mark.parametrize("sd", [-0.1, 3.1, math.nan])
def test_day_law_refuses_impossible_deviations(sd: float) -> None:
    """Deviations are in [0, 3] of log odds; rises above 0; logs finite."""
    with pytest.raises(StatisticsError, match="deviation"):
        bets.day_law(sd)


def test_day_bets_refuse_bad_input() -> None:
    """Rises, outcomes and log likelihoods are checked."""
    law = bets.day_law(0.3)
    with pytest.raises(StatisticsError, match="rises"):
        bets.day_law(0.3, (-1.0,))
    with pytest.raises(StatisticsError, match="outcomes"):
        bets.day_step(law, bets.day_start(law), [True], [0.0, 0.0], [0])
    with pytest.raises(StatisticsError, match="not finite"):
        bets.day_factors(law, np.full(len(law.u), math.nan), complete=True)


def test_slope_of_a_line_is_found() -> None:
    """Offsets on a line of slope .5 with small errors: found, and no trend passes as parallel."""
    found = slope([-1.0, 0.0, 1.0], [-0.4, 0.1, 0.6], [0.01] * 3)
    assert found.slope == pytest.approx(0.5)
    assert found.error == pytest.approx(0.1 / math.sqrt(2.0))
    assert found.p_value < 1e-6


def test_day_deviation_of_calm_and_wild_days() -> None:
    """Hits at their means: 0. Days that swing by log odds 1: seen, limit above, not parallel."""
    calm = day_deviation([10.0, 10.0, 10.0], [10.0] * 3, [8.0] * 3)
    assert calm.sd == 0.0
    assert calm.limit > 0.0
    assert calm.p_value == 1.0
    wild = day_deviation([10.0, 90.0, 10.0, 90.0], [50.0] * 4, [40.0] * 4)
    assert 0.7 < wild.sd < 1.5 < wild.limit
    flat = Slope(0.0, 1.0, 1.0)
    assert parallel([flat], calm)
    assert not parallel([flat], wild)
    assert not parallel([Slope(1.0, 0.1, 1e-9)], calm)


def test_audit_refuses_bad_input() -> None:
    """Two difficulties, positive variances, two days."""
    with pytest.raises(StatisticsError, match="difficulties"):
        slope([1.0, 1.0], [0.0, 0.0], [1.0, 1.0])
    with pytest.raises(StatisticsError, match="variances"):
        slope([0.0, 1.0], [0.0, 0.0], [1.0, 0.0])
    with pytest.raises(StatisticsError, match="days"):
        day_deviation([1.0], [1.0], [1.0])
    with pytest.raises(StatisticsError, match="finite"):
        day_deviation([1.0, math.nan], [1.0, 1.0], [1.0, 1.0])
