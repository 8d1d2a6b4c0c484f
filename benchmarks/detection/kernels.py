"""Compiled loops for streams with finitely many outcomes.

The recursion is the library's, in its order of operations (mass = (mass + drift) * factor, the
total in index order), so a path through a kernel equals one through `qualmon.stats` bit for bit;
tests/statistical/test_benchmark_kernels.py holds them to that.
"""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Counts = NDArray[np.int64]


@njit(cache=True)
def _draw(cumulative: Floats) -> int:
    u = np.random.random()
    for c in range(cumulative.shape[0] - 1):
        if u < cumulative[c]:
            return c
    return int(cumulative.shape[0] - 1)


@njit(cache=True)
def _advance(mass: Floats, drift: Floats, factor: Floats) -> float:
    total = 0.0
    for k in range(mass.shape[0]):
        mass[k] = (mass[k] + drift[k]) * factor[k]
        total = total + mass[k]
    return total


@njit(cache=True)
def passages(
    factors: Floats,
    weights: Floats,
    cumulative: Floats,
    thresholds: Floats,
    runs: int,
    limit: int,
    seed: int,
) -> Counts:
    """First passage over each of the ascending thresholds, shape (runs, J); `limit` if none.

    factors: (C, K), of outcome c for share k; cumulative: (C,), of the outcomes' probabilities.
    One observation an hour. Gives run lengths at all thresholds from one simulation.
    """
    np.random.seed(seed)
    found = np.full((runs, thresholds.shape[0]), limit, dtype=np.int64)
    for run in range(runs):
        mass = np.zeros(weights.shape[0])
        reached = 0
        for t in range(1, limit + 1):
            total = _advance(mass, weights, factors[_draw(cumulative)])
            while reached < thresholds.shape[0] and total >= thresholds[reached]:
                found[run, reached] = t
                reached += 1
            if reached == thresholds.shape[0]:
                break
    return found


@njit(cache=True)
def delays(
    factors: Floats,
    weights: Floats,
    before: Floats,
    after: Floats,
    change: int,
    threshold: float,
    runs: int,
    limit: int,
    seed: int,
) -> Counts:
    """Detection delay in observations after `change` healthy ones, shape (runs,).

    Paths that alarm before the change are drawn again: delay given no earlier alarm.
    """
    np.random.seed(seed)
    found = np.full(runs, limit, dtype=np.int64)
    for run in range(runs):
        mass = np.zeros(weights.shape[0])
        t = 0
        while t < change:
            t += 1
            if _advance(mass, weights, factors[_draw(before)]) >= threshold:
                mass[:] = 0.0
                t = 0
        for t in range(1, limit + 1):
            if _advance(mass, weights, factors[_draw(after)]) >= threshold:
                found[run] = t
                break
    return found
