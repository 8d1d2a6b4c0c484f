"""The run length of the shipped design, and the interval that the simulation states for it."""

from __future__ import annotations

import numpy as np

from qualmon.stats.detector import EVENTS
from qualmon.stats.runlength import events, mean_time, run_length


def test_provable_threshold_keeps_its_run_length() -> None:
    """Events at their bound of 2 %, threshold 300: the mean run length is 300 at least. Seen
    475 (sd of the mean 10): with other seeds the lower limit would fall below 300 with
    probability below 1e-9."""
    found = run_length(EVENTS, events(0.02, 0.02), 300.0, runs=2000, limit=3000, seed=1)
    assert found.low >= 300.0


def test_interval_covers_the_mean_of_cut_exponential_times() -> None:
    """Delay 20 + exponential with mean 100, cut at 150: 95 % intervals of 400 samples of 300
    runs cover 120 in at least 90 % (true coverage .95: error probability 2e-5)."""
    rng = np.random.default_rng(11)
    covered = 0
    for _ in range(400):
        times = 20.0 + rng.exponential(100.0, 300)
        found = mean_time(np.where(times <= 150.0, times, np.inf), 150.0)
        covered += found.low <= 120.0 <= found.high
    assert covered >= 360
