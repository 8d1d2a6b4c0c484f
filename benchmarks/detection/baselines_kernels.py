"""Compiled loops for prompts with reference counts, asked in turn.

The arithmetic is that of `qualmon.stats.bets.reference` and `qualmon.stats.detector`;
tests/statistical/test_baseline_runs.py holds a path through both to the same alarm.
"""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Counts = NDArray[np.int64]


@njit(cache=True)
def times(
    rates: Floats,
    hits: Floats,
    n: Floats,
    priors: Floats,
    floor: float,
    lag: int,
    freeze: float,
    shares: Floats,
    weights: Floats,
    threshold: float,
    fault: float,
    change: int,
    runs: int,
    limit: int,
    seed: int,
) -> Counts:
    """Answers from `change` on until the alarm, shape (references, runs); `limit` if none.

    rates, hits, n: (references, prompts); priors: (references, 2). From `change` on a share
    `fault` of the answers is bad. Answers older than `lag` enter the counts while the evidence
    is at most `freeze`; below 0 they never do. A path that alarms before is drawn again.
    """
    np.random.seed(seed)
    references, prompts = rates.shape
    found = np.full((references, runs), limit, dtype=np.int64)
    bad = np.zeros(limit + change)
    for r in range(references):
        a, b = priors[r, 0], priors[r, 1]
        for run in range(runs):
            mass = np.zeros(shares.shape[0])
            s, m = hits[r].copy(), n[r].copy()
            t, learnt, total = 0, 0, 0.0
            while t < limit + change:
                while learnt <= t - lag and learnt < t and total <= freeze:
                    s[learnt % prompts] += bad[learnt]
                    m[learnt % prompts] += 1.0
                    learnt += 1
                i = t % prompts
                x = 0.0
                if np.random.random() < rates[r, i]:
                    x = 1.0
                if t >= change and fault > 0.0 and np.random.random() < fault:
                    x = 1.0
                bad[t] = x
                t += 1
                ratio = x / max((s[i] + a) / (m[i] + a + b), floor)
                total = 0.0
                for k in range(shares.shape[0]):
                    factor = (1.0 - shares[k]) + shares[k] * ratio
                    mass[k] = (mass[k] + weights[k]) * factor
                    total = total + mass[k]
                if total >= threshold:
                    if t > change:
                        found[r, run] = t - change
                        break
                    mass[:] = 0.0
                    s[:], m[:] = hits[r], n[r]
                    t, learnt, total = 0, 0, 0.0
    return found
