"""The slot clock: what a round earns."""

from __future__ import annotations

import numpy as np
import pytest

from qualmon.errors import StatisticsError
from qualmon.stats import clock


def test_hours_are_differences_of_slots_and_gaps_earn_two_intervals() -> None:
    """First an interval, then the difference, at most two intervals; again nothing at once."""
    state, earned = clock.init(), []
    for slot in (0.0, 300.0, 300.0, 750.0, 86400.0):
        state, hours = clock.step(state, slot, 300.0)
        earned.append(float(hours) * 3600.0)
    assert earned == [300.0, 300.0, 0.0, 450.0, 600.0]


def test_streams_that_a_round_does_not_feed_earn_later() -> None:
    """A stream's hours count from its own last round."""
    state, first = clock.step(clock.init((2,)), 0.0, 300.0)
    state, second = clock.step(state, 300.0, 300.0, np.array([True, False]))
    state, third = clock.step(state, 600.0, 300.0)
    hours = np.array([first, second, third]) * 3600.0
    assert hours.tolist() == [[300.0, 300.0], [300.0, 0.0], [300.0, 600.0]]


def test_time_does_not_go_back() -> None:
    """An earlier slot is an error for a stream that has seen a later one, for no other."""
    state, _ = clock.step(clock.init((2,)), 600.0, 300.0, np.array([True, False]))
    with pytest.raises(StatisticsError, match="before the last one"):
        clock.step(state, 300.0, 300.0)
    clock.step(state, 300.0, 300.0, np.array([False, True]))


@pytest.mark.parametrize(("slot", "every"), [(float("nan"), 1.0), (0.0, 0.0), (0.0, float("inf"))])
def test_impossible_times_are_refused(slot: float, every: float) -> None:
    """Not finite, or no interval."""
    with pytest.raises(StatisticsError, match="slot"):
        clock.step(clock.init(), slot, every)
