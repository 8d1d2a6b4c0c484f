"""The detector's arithmetic: grids, steps, saturation, order of sums."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest

from qualmon.stats import esr
from qualmon.stats.esr import Masses
from qualmon.stats.grids import DROP_GRID, EPS_GRID, SATURATION


def test_grids_are_octaves_of_the_stated_length_and_range() -> None:
    """Ten contamination shares .0005-.256 and thirteen drop rates 1e-4-.4096, each the double."""
    assert len(EPS_GRID) == 10
    assert EPS_GRID[0] == 0.0005
    assert EPS_GRID[-1] == 0.256
    assert len(DROP_GRID) == 13
    assert DROP_GRID[-1] == pytest.approx(0.4096)
    for grid in (EPS_GRID, DROP_GRID):
        assert all(b == 2.0 * a for a, b in itertools.pairwise(grid))


def test_two_steps_by_hand() -> None:
    """M <- (M + drift) * factor, and the moment takes the drift's start time with it."""
    state = esr.step(esr.init((2,)), 0.5, at=10.0, factor=np.array([0.5, 4.0]))
    assert state.mass.tolist() == [0.25, 2.0]
    assert state.moment.tolist() == [2.5, 20.0]
    state = esr.step(state, 0.5, at=12.0, factor=np.array([1.0, 2.0]))
    assert state.mass.tolist() == [0.75, 5.0]
    assert state.moment.tolist() == [8.5, 52.0]
    assert esr.onset(state) == (8.5 + 52.0) / 5.75


def test_without_evidence_masses_are_the_weighted_hours() -> None:
    """With factors of one nothing but drift accumulates."""
    state = esr.init((3,))
    for hour in range(8):
        state = esr.step(state, 0.25, at=float(hour), factor=np.ones(3))
    assert state.mass.tolist() == [2.0, 2.0, 2.0]
    assert esr.onset(state) == 3.5


def test_a_saturated_mass_stays_finite_and_keeps_its_onset() -> None:
    """Mass and moment are limited together, so that an overwhelming round does not lose when
    the fault began."""
    state = esr.step(esr.init((2,)), 1.0, at=100.0, factor=np.array([2.0, 3.0]))
    for at in (101.0, 102.0):
        state = esr.step(state, 1e-9, at=at, factor=np.full(2, 1e250))
        assert np.isfinite(state.mass).all()
        assert (state.mass <= SATURATION).all()
    assert esr.onset(state) == pytest.approx(100.0)


def test_total_adds_in_index_order_whatever_the_layout() -> None:
    """The sum is the left-to-right one for contiguous and strided arrays alike."""
    rng = np.random.default_rng(1)
    values = 10.0 ** rng.uniform(-12, 12, (7, 13))
    by_hand = []
    for row in values.tolist():
        total = row[0]
        for value in row[1:]:
            total += value
        by_hand.append(total)
    assert esr.total(values).tolist() == by_hand
    assert esr.total(np.asfortranarray(values)).tolist() == by_hand
    assert esr.total(np.repeat(values, 2, axis=1)[:, ::2]).tolist() == by_hand


def test_onset_without_mass_is_not_a_number() -> None:
    """No evidence has no start."""
    assert math.isnan(esr.onset(esr.init((4,))))


def test_log10_is_floored() -> None:
    """Zero mass stays plottable."""
    assert esr.log10(0.0) == -12.0
    assert esr.log10(1000.0) == pytest.approx(3.0)


def test_step_leaves_its_input_alone() -> None:
    """States are values: a replay may hold on to any of them."""
    before = Masses(np.ones(2), np.ones(2))
    esr.step(before, 1.0, at=1.0, factor=np.full(2, 2.0))
    assert before.mass.tolist() == [1.0, 1.0]
    assert before.moment.tolist() == [1.0, 1.0]
