"""What the cells of the benchmark rest on: kernels equal to the library, oracle to simulation."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks.detection import cells_kernels, event_runs
from benchmarks.detection.cells import NULLS
from qualmon.stats import detector
from qualmon.stats.detector import EVENTS
from qualmon.stats.oracle import bernoulli

RATE = 0.01


def test_jumping_over_good_answers_equals_stepping() -> None:
    """Evidence at each bad answer is the library's fold, answer by answer."""
    gaps = np.random.default_rng(1).geometric(RATE, 60) - 1
    gaps[7] = 5_000  # longer than the table of powers
    state, stepped = detector.init(EVENTS), []
    for t, bad in enumerate(np.concatenate([[*[0.0] * gap, 1.0] for gap in gaps])):
        state = detector.step(EVENTS, state, bad / RATE, hours=1.0, at=float(t))
        if bad:
            stepped.append(float(detector.evidence(state)))
    jumped = cells_kernels.path(*event_runs.arrays(EVENTS, RATE), gaps)
    assert jumped == pytest.approx(stepped, rel=1e-10)


def test_good_answers_never_carry_evidence_over_a_threshold() -> None:
    """From `least_threshold` on, all mass in the smallest share, the slowest to fall."""
    threshold = event_runs.least_threshold(EVENTS)
    state = detector.init(EVENTS)
    state.mass[0] = threshold * (1.0 - 1e-12)
    for t in range(5):
        state = detector.step(EVENTS, state, 0.0, hours=1.0, at=float(t))
        assert float(detector.evidence(state)) < threshold


def test_thresholds_that_need_stepping_are_refused() -> None:
    """The jump is not used where it would not be exact."""
    with pytest.raises(ValueError, match="step instead"):
        event_runs.run_lengths(EVENTS, NULLS[1], np.array([100.0]), 1e4, 1)


def test_run_length_is_the_mean_evidence_at_the_alarm() -> None:
    """E[T] = E[evidence at T]: 4 standard errors apart with probability < 1e-4."""
    time, evidence = cells_kernels.passages(
        *event_runs.arrays(EVENTS, RATE), RATE, np.array([3_000.0]), 20_000, 3
    )
    difference = (time - evidence)[:, 0]
    error = difference.std() / np.sqrt(difference.size)
    assert abs(difference.mean()) < 4.0 * error
    assert evidence.mean() > 3_000.0


def test_oracle_equals_simulation() -> None:
    """Delay in steady state of the exact rule, simulated: within 4 standard errors (p < 1e-4)."""
    share, healthy, runs = 0.05, 200, 20_000
    found = bernoulli.rule(bernoulli.lattice(RATE, share), RATE, 2_000.0)
    rng = np.random.default_rng(5)
    height = found.height + (rng.random(runs) >= found.chance)
    state, late = np.zeros(runs, dtype=np.int64), np.zeros(runs)
    alive = np.ones(runs, dtype=bool)
    for t in range(healthy + 1_500):
        chance = RATE if t < healthy else RATE + share * (1.0 - RATE)
        bad = rng.random(runs) < chance
        state = np.where(bad, state + found.lattice.up, np.maximum(state - found.lattice.down, 0))
        alarm = alive & (state >= height)
        late[alarm] = t + 1 - healthy
        alive &= ~alarm
    assert not alive.any()
    delays = late[late > 0]
    exact = bernoulli.delay(found, RATE, share, healthy=healthy)
    assert abs(delays.mean() - exact) < 4.0 * delays.std() / np.sqrt(delays.size)
