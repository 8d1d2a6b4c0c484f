"""What a node multiplies, counts or averages."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest

from qualmon.errors import StatisticsError
from qualmon.stats import bets
from qualmon.stats.bets.beta_binomial import beta_binomial_pmf, count_bet
from qualmon.stats.grids import EPS_GRID
from qualmon.stats.pooling import Null, node_factor

ANSWERS: list[list[float | None]] = [[0.0, 1.0, None], [0.0, 0.0]]


def _bet(ratio: float) -> np.ndarray:
    return bets.contamination(ratio, EPS_GRID)


def test_conditional_answers_multiply() -> None:
    """One bet an answer; a missing one is r = 0."""
    expected = _bet(1 / 0.02) * _bet(0.0) ** 4
    assert node_factor(ANSWERS, Null.CONDITIONAL, 0.02) == pytest.approx(expected)


def test_marginal_answers_average_within_a_component() -> None:
    """One bet a component, on the mean of the e-values asked for."""
    expected = _bet(1 / 0.02 / 3) * _bet(0.0)
    assert node_factor(ANSWERS, Null.MARGINAL, 0.02) == pytest.approx(expected)


def test_random_effects_are_counted_within_a_component() -> None:
    """One count bet a component, of its answers asked for."""
    expected = count_bet(1, 3, 0.02, 0.1) * count_bet(0, 2, 0.02, 0.1)
    assert node_factor(ANSWERS, Null.RANDOM_EFFECT, 0.02, 0.1) == pytest.approx(expected)


def test_without_correlation_counting_is_multiplying() -> None:
    """A random effect of icc 0 gives the product of the answers' bets."""
    counted = node_factor([[0, 1, 0, 1]], Null.RANDOM_EFFECT, 0.02, 0.0)
    assert counted == pytest.approx(node_factor([[0, 1, 0, 1]], Null.CONDITIONAL, 0.02))


@pytest.mark.parametrize("null", [Null.RANDOM_EFFECT, Null.MARGINAL])
def test_means_under_a_shared_shock_are_at_most_one(null: Null) -> None:
    """Exact sum over two components of three answers that share a Beta rate of icc .3."""
    icc = 0.3 if null is Null.RANDOM_EFFECT else None
    pmf = beta_binomial_pmf(3, 0.02, 0.3)
    mean = np.zeros(len(EPS_GRID))
    for a, b in product(range(4), repeat=2):
        answers = [[1.0] * k + [0.0] * (3 - k) for k in (a, b)]
        mean += pmf[a] * pmf[b] * node_factor(answers, null, 0.02, icc)
    assert (mean <= 1.0 + 1e-12).all()


def test_multiplying_under_a_shared_shock_is_no_bet() -> None:
    """The same sum with a product of answers exceeds 1: why the null must be declared."""
    pmf = beta_binomial_pmf(3, 0.02, 0.3)
    answers = [[1.0] * k + [0.0] * (3 - k) for k in range(4)]
    factors = [node_factor([a], Null.CONDITIONAL, 0.02) for a in answers]
    assert (np.tensordot(pmf, np.array(factors), 1) > 1.0).all()


@pytest.mark.parametrize(
    ("components", "null", "icc", "message"),
    [
        ([[0]], Null.RANDOM_EFFECT, None, "without the upper bound"),
        ([[0]], Null.CONDITIONAL, 0.1, "of random effects"),
        ([[0]], Null.MARGINAL, 0.0, "of random effects"),
        ([[]], Null.MARGINAL, None, "without answers"),
        ([[0.5]], Null.CONDITIONAL, None, "not 0"),
        ([[float("nan")]], Null.MARGINAL, None, "not 0"),
    ],
)
def test_impossible_rounds_are_refused(
    components: list[list[float | None]], null: Null, icc: float | None, message: str
) -> None:
    """Each refusal says what is wrong."""
    with pytest.raises(StatisticsError, match=message):
        node_factor(components, null, 0.02, icc)


def test_a_round_without_answers_says_nothing() -> None:
    """No component: a factor of 1 at every share."""
    assert node_factor([], Null.CONDITIONAL, 0.02).tolist() == [1.0] * len(EPS_GRID)
