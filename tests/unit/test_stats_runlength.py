"""Run lengths by simulation: estimator, engines, refusals."""

from __future__ import annotations

import math
import sys

import numpy as np
import pytest

from qualmon.errors import StatisticsError
from qualmon.stats import delay, detector, runlength, scan
from qualmon.stats.detector import EVENTS
from qualmon.stats.runlength import events, mean_time, passages

HEALTHY = events(0.02, 0.02)


def test_passages_are_those_of_single_streams() -> None:
    """Each path, folded alone by the detector, reaches each threshold at the same moment."""
    thresholds = (20.0, 60.0)
    found = passages(EVENTS, HEALTHY, thresholds, runs=5, limit=200, seed=3, hours=0.5)
    ratios = HEALTHY(np.random.default_rng(3), (200, 5))
    for path, times in zip(ratios.T, found, strict=True):
        state, seen = detector.init(EVENTS), []
        for at, ratio in enumerate(path):
            state = detector.step(EVENTS, state, float(ratio), hours=0.5, at=float(at))
            seen.append(float(detector.evidence(state)))
        for threshold, time in zip(thresholds, times, strict=True):
            over = [at for at, value in enumerate(seen) if value >= threshold]
            assert time == ((over[0] + 1) * 0.5 if over else math.inf)


def test_numpy_and_jax_agree_within_1e_12_with_the_same_alarms() -> None:
    """On the same e-values, saturation included; and so do whole simulations of one seed."""
    ratios = HEALTHY(np.random.default_rng(5), (400, 37))
    ratios[50:120, 0] = 1e300
    start = np.zeros((37, len(EVENTS.shares)))
    for block in (ratios[:, 1:], ratios):
        mass, evidence = runlength.fold(EVENTS, start[: block.shape[1]], block, 0.7)
        masses, evidences = scan.fold(EVENTS, start[: block.shape[1]], block, 0.7)
        assert evidences.dtype == np.float64
        np.testing.assert_allclose(masses, mass, rtol=1e-12)
        np.testing.assert_allclose(evidences, evidence, rtol=1e-12)
    given = {"runs": 40, "limit": 2000, "seed": 8}
    assert np.array_equal(
        passages(EVENTS, HEALTHY, (50.0, 200.0), engine=scan.fold, **given),
        passages(EVENTS, HEALTHY, (50.0, 200.0), **given),
    )


def test_jax_is_not_imported_before_it_is_used_and_its_absence_is_named(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Without JAX the message names the extra and the way to do without."""
    monkeypatch.setitem(sys.modules, "jax", None)
    with pytest.raises(StatisticsError, match=r"qualmon\[numerics\].*qualmon.stats.fleet"):
        scan.fold(EVENTS, np.zeros((1, 10)), np.ones((1, 1)), 1.0)


def test_jax_refuses_impossible_e_values() -> None:
    """As NumPy does."""
    with pytest.raises(StatisticsError, match="finite number >= 0"):
        scan.fold(EVENTS, np.zeros((1, 10)), np.array([[np.nan]]), 1.0)


def test_mean_of_uncut_runs_is_the_plain_mean() -> None:
    """And all of them count as alarms."""
    found = mean_time(np.array([1.0, 2.0, 6.0]), 10.0)
    assert found.mean == pytest.approx(3.0)
    assert found.low < 3.0 < found.high
    assert (found.runs, found.alarms) == (3, 3)


def test_without_late_alarms_only_a_lower_limit_is_given() -> None:
    """Ten quiet runs of 100 hours: 500 hours late and no alarm, at most 3.69 expected."""
    found = mean_time(np.full(10, math.inf), 100.0)
    assert (found.mean, found.high, found.alarms) == (math.inf, math.inf, 0)
    assert found.low == pytest.approx(100.0 + 500.0 / -math.log(0.025))


def test_calibration_stays_below_the_provable_threshold_and_reaches_the_nominal() -> None:
    """The threshold's run length is the nominal one at least, by its own estimate."""
    found = runlength.calibrated(EVENTS, HEALTHY, 300.0, runs=400, seed=2)
    assert 0.3 * 300.0 < found.threshold < 300.0
    assert 300.0 <= found.achieved.mean < 400.0


def test_delays_shrink_with_the_share_and_hold_no_earlier_alarm() -> None:
    """Three shares; a change after 200 healthy observations."""
    means = []
    for share in (0.05, 0.2, 0.8):
        faulty = events(0.02 + 0.98 * share, 0.02)
        found = delay.delays(
            EVENTS, HEALTHY, faulty, 500.0, change=200, runs=200, limit=5000, seed=4
        )
        assert found.shape == (200,)
        means.append(found.mean())
    assert means == sorted(means, reverse=True)
    assert means[-1] < 10.0


def test_a_change_that_no_path_lives_to_see_is_refused() -> None:
    """With the remedy."""
    with pytest.raises(StatisticsError, match="move the change nearer"):
        delay.delays(EVENTS, HEALTHY, HEALTHY, 1.0, change=300, runs=5, limit=10, seed=1)


@pytest.mark.parametrize("thresholds", [(), (0.0,), (2.0, 1.0), (float("nan"),)])
def test_impossible_thresholds_are_refused(thresholds: tuple[float, ...]) -> None:
    """Empty, not positive, not ascending."""
    with pytest.raises(StatisticsError, match="positive and ascending"):
        passages(EVENTS, HEALTHY, thresholds, runs=1, limit=1, seed=1)


def test_impossible_runs_and_rates_are_refused() -> None:
    """Counts below one, rates and bounds that are none."""
    with pytest.raises(StatisticsError, match="at least one"):
        passages(EVENTS, HEALTHY, (1.0,), runs=0, limit=1, seed=1)
    with pytest.raises(StatisticsError, match="no run"):
        mean_time(np.zeros(0), 1.0)
    for rate, bound in ((1.1, 0.1), (0.1, 0.0), (math.nan, 0.1)):
        with pytest.raises(StatisticsError, match="expected"):
            events(rate, bound)
