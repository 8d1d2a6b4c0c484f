"""Bets: their values and what they refuse."""

from __future__ import annotations

import math

import numpy as np
import pytest

from qualmon.errors import StatisticsError
from qualmon.stats import bets
from qualmon.stats.grids import DROP_GRID, EPS_GRID, SATURATION


def test_event_ratio_is_bad_over_bound() -> None:
    """A bad answer is worth 1/bound, a good or missing one nothing."""
    assert bets.event_ratio(1.0, 0.01) == 100.0
    assert bets.event_ratio(0.25, 0.01) == 25.0
    assert bets.event_ratio(0.0, 0.01) == 0.0


@pytest.mark.parametrize("bound", [0.0, -0.1, 1.1, math.nan, math.inf])
def test_event_ratio_refuses_bounds_that_are_no_rates(bound: float) -> None:
    """A bound outside (0, 1] is an error that names it."""
    with pytest.raises(StatisticsError, match="bound"):
        bets.event_ratio(1.0, bound)


@pytest.mark.parametrize("bad", [-0.1, 1.1, math.nan])
def test_event_ratio_refuses_values_that_are_no_events(bad: float) -> None:
    """An event outside [0, 1] is an error that names it."""
    with pytest.raises(StatisticsError, match="event"):
        bets.event_ratio(bad, 0.5)


@pytest.mark.parametrize("ratio", [-1e-9, math.nan, math.inf])
def test_contamination_refuses_what_is_no_e_value(ratio: float) -> None:
    """Negative and non-finite ratios never enter the product."""
    with pytest.raises(StatisticsError, match="e-value"):
        bets.contamination(ratio, EPS_GRID)


def test_contamination_mixes_one_and_the_ratio() -> None:
    """1 - eps + eps * r at every share of the grid; r = 1 says nothing."""
    assert bets.contamination(1.0, EPS_GRID) == pytest.approx(np.ones(10))
    assert bets.contamination(0.0, EPS_GRID).tolist() == [1.0 - eps for eps in EPS_GRID]
    assert bets.contamination(101.0, (0.01,)).tolist() == [0.99 + 1.01]


def test_good_answers_are_repeated_bets() -> None:
    """Row k equals k bets on good answers, multiplied one by one, bit for bit."""
    rows = bets.good_answers(5, EPS_GRID)
    assert rows.shape == (6, 10)
    for k, row in enumerate(rows):
        assert row.tolist() == bets.product([bets.contamination(0.0, EPS_GRID)] * k, 10).tolist()


def test_product_saturates_without_a_warning() -> None:
    """Two overwhelming answers stay at the limit; warnings are errors in this suite."""
    assert bets.product([np.full(2, SATURATION)] * 3, 2).tolist() == [SATURATION] * 2
    assert bets.product([], 2).tolist() == [1.0, 1.0]


def test_a_missing_answer_lowers_every_token_bet() -> None:
    """r = 0 at each of its tokens."""
    factor = bets.missing_answer(DROP_GRID, 3)
    assert factor == pytest.approx([(1.0 - q) ** 3 for q in DROP_GRID])
    assert (factor < 1.0).all()
