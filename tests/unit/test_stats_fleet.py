"""The fold in place: the same numbers as the detector's, for any number of streams."""

from __future__ import annotations

import numpy as np
import pytest

from qualmon.errors import StatisticsError
from qualmon.stats import detector, esr
from qualmon.stats.detector import EVENTS, Design, uniform
from qualmon.stats.fleet import BLOCK, Fleet

NINE = uniform(EVENTS.shares[:9])


def _ratios(streams: int, steps: int, largest: float = 100.0) -> np.ndarray:
    rng = np.random.default_rng(streams)
    return (rng.random((steps, streams)) < 0.05) * rng.uniform(0.0, largest, (steps, streams))


@pytest.mark.parametrize("streams", [1, 2, 7, BLOCK, BLOCK + 1])
@pytest.mark.parametrize("design", [NINE, EVENTS], ids=["nine", "ten"])
def test_masses_and_onsets_are_the_detectors_bit_for_bit(streams: int, design: Design) -> None:
    """Over blocks that divide evenly and blocks that do not."""
    fleet, state = Fleet(design, streams, onsets=True), detector.init(design, (streams,))
    for at, ratio in enumerate(_ratios(streams, 30)):
        hours = 0.25 + at % 3
        state = detector.step(design, state, ratio, hours=hours, at=float(at))
        evidence = fleet.step(ratio, hours=hours, at=float(at))
        assert np.array_equal(evidence, detector.evidence(state))
    assert np.array_equal(fleet.masses().mass, state.mass)
    assert np.array_equal(fleet.masses().moment, state.moment)
    assert np.array_equal(fleet.onsets(), esr.total(state.moment) / esr.total(state.mass))


def test_saturation_is_the_detectors_bit_for_bit() -> None:
    """E-values that carry the masses to their limit, and health afterwards."""
    fleet, state = Fleet(EVENTS, 3, onsets=True), detector.init(EVENTS, (3,))
    ratios = np.where(np.arange(80)[:, None] < 60, [1e9, 1e300, 0.0], 0.0)
    for at, ratio in enumerate(ratios):
        state = detector.step(EVENTS, state, ratio, hours=1.0, at=float(at))
        fleet.step(ratio, hours=1.0, at=float(at))
        assert np.array_equal(fleet.masses().mass, state.mass)
        assert np.array_equal(fleet.masses().moment, state.moment)
    assert fleet.evidence.max() > 1e200


def test_reset_starts_only_the_marked_streams_anew() -> None:
    """The others keep every bit."""
    fleet = Fleet(EVENTS, 4, onsets=True)
    fleet.step(np.full(4, 3.0), at=2.0)
    before = fleet.masses()
    fleet.reset(np.array([False, True, False, False]))
    after = fleet.masses()
    assert fleet.evidence[1] == 0.0
    assert not after.mass[1].any()
    assert not after.moment[1].any()
    assert np.array_equal(after.mass[[0, 2, 3]], before.mass[[0, 2, 3]])
    assert np.isnan(fleet.onsets()[1])


def test_loaded_masses_go_on_as_if_never_unloaded() -> None:
    """A state may be taken out and put into another fleet."""
    first, second = Fleet(EVENTS, 5), Fleet(EVENTS, 5)
    ratios = _ratios(5, 6)
    for ratio in ratios[:3]:
        first.step(ratio)
    second.load(first.masses().mass)
    assert np.array_equal(second.evidence, first.evidence)
    for ratio in ratios[3:]:
        assert np.array_equal(first.step(ratio), second.step(ratio))


@pytest.mark.parametrize("bad", [np.nan, np.inf, -0.5])
def test_impossible_e_values_are_refused(bad: float) -> None:
    """NaN, infinities and negative numbers, with the value in the message."""
    with pytest.raises(StatisticsError, match="finite number >= 0"):
        Fleet(EVENTS, 2).step(np.array([1.0, bad]))


@pytest.mark.parametrize("hours", [-1.0, float("nan"), float("inf")])
def test_impossible_hours_are_refused(hours: float) -> None:
    """Time runs forwards."""
    with pytest.raises(StatisticsError, match="hours since the last step"):
        Fleet(EVENTS, 1).step(np.ones(1), hours=hours)


def test_wrong_shapes_and_missing_onsets_are_refused() -> None:
    """Each message says what to give instead."""
    with pytest.raises(StatisticsError, match="give one each"):
        Fleet(EVENTS, 2).step(np.ones(3))
    with pytest.raises(StatisticsError, match="onsets=True"):
        Fleet(EVENTS, 2).onsets()
    with pytest.raises(StatisticsError, match="at least one"):
        Fleet(EVENTS, 0)
