"""The list of changed streams keeps its error rate per hour."""

from __future__ import annotations

import numpy as np

from qualmon.stats import detector
from qualmon.stats.listing import listed

STREAMS, RATE, RUNS, LIMIT = 20, 0.05, 60, 600
ALPHA = 1.0 / 100.0


def test_false_part_of_the_list_is_at_most_alpha_an_hour() -> None:
    """Stopped at the first false entry: mean false part <= alpha x mean hours, 15 of 20 healthy.

    The bound holds in expectation and with room (overshoot); of 60 seeded runs, three standard
    errors are allowed: error probability below .002.
    """
    rng = np.random.default_rng(11)
    state = detector.init(detector.EVENTS, (RUNS, STREAMS))
    faulty = np.arange(STREAMS) < 5
    false, hours = np.zeros(RUNS), np.full(RUNS, float(LIMIT))
    running = np.ones(RUNS, dtype=np.bool_)
    for t in range(1, LIMIT + 1):
        bad = rng.random((RUNS, STREAMS)) < np.where(faulty, 0.15, RATE)
        state = detector.step(detector.EVENTS, state, bad / RATE, hours=1.0, at=float(t))
        evidence = detector.evidence(state)
        for run in np.flatnonzero(running):
            chosen = listed(evidence[run], ALPHA)
            wrong = int((chosen >= 5).sum())
            if wrong:
                false[run], hours[run], running[run] = wrong / len(chosen), t, False
    gap = false - ALPHA * hours
    assert gap.mean() <= 3.0 * gap.std(ddof=1) / RUNS**0.5
    assert hours.mean() < LIMIT
