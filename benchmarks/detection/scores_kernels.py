"""Compiled loops for scores: the mixture over a dictionary, and detectors of one statistic.

A score is drawn as one of finitely many fine outcomes; `table` maps these to what a detector
sees. Masses are the library's, their total is summed in any order (equal to ~1e-15).
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numba import njit
from numpy.typing import NDArray

from benchmarks.detection.kernels import Counts, Floats

CUSUM: Final = 0
WINDOW: Final = 1
PAGE_HINKLEY: Final = 2
#: PageHinkley of river 0.26.1 by default: delta, forgetting, instances before the first alarm.
DELTA: Final = 0.005
FORGETTING: Final = 1 - 0.0001
INSTANCES: Final = 30


@njit(cache=True)
def alias_table(probabilities: Floats) -> tuple[Floats, NDArray[np.int64]]:
    """Walker's alias method (1977) as Vose fills it (1991): an outcome's own part of its cell,
    and the outcome that takes the rest."""
    size = probabilities.shape[0]
    keep = probabilities * (size / probabilities.sum())
    other = np.arange(size)
    small = [i for i in range(size) if keep[i] < 1.0]
    large = [i for i in range(size) if keep[i] >= 1.0]
    while len(small) > 0 and len(large) > 0:
        short, long = small.pop(), large.pop()
        other[short] = long
        keep[long] -= 1.0 - keep[short]
        if keep[long] < 1.0:
            small.append(long)
        else:
            large.append(long)
    return keep, other


@njit(cache=True, inline="always")
def draw(keep: Floats, other: NDArray[np.int64]) -> np.uint64:
    """One outcome of an alias table; what rounding left over keeps its own cell."""
    u = np.random.random() * keep.shape[0]
    c = np.uint64(u)  # unsigned: no test for negative indices, and no branch
    return c if u - c < keep[c] else np.uint64(other[c])


@njit(cache=True)
def _update(mass: Floats, weights: Floats, factor: Floats) -> None:
    for k in range(mass.shape[0]):
        mass[k] = (mass[k] + weights[k]) * factor[k]


@njit(cache=True, fastmath=True)
def _total(mass: Floats) -> float:
    total = 0.0
    for k in range(mass.shape[0]):
        total += mass[k]
    return total


@njit(cache=True)
def mixture_path(
    factors: Floats, weights: Floats, table: NDArray[np.int64], outcomes: NDArray[np.int64]
) -> Floats:
    """Evidence after each of the fine outcomes, shape (T,)."""
    mass = np.zeros(weights.shape[0])
    found = np.empty(outcomes.shape[0])
    for t in range(outcomes.shape[0]):
        _update(mass, weights, factors[table[outcomes[t]]])
        found[t] = _total(mass)
    return found


@njit(cache=True)
def mixture_passages(
    factors: Floats,
    weights: Floats,
    table: NDArray[np.int64],
    keep: Floats,
    other: NDArray[np.int64],
    thresholds: Floats,
    runs: int,
    limit: int,
    seed: int,
) -> Counts:
    """First passage over each of the ascending thresholds, shape (runs, J); `limit` if none."""
    np.random.seed(seed)
    found = np.full((runs, thresholds.shape[0]), limit, dtype=np.int64)
    for run in range(runs):
        mass = np.zeros(weights.shape[0])
        reached = 0
        for t in range(1, limit + 1):
            _update(mass, weights, factors[table[draw(keep, other)]])
            total = _total(mass)
            while reached < thresholds.shape[0] and total >= thresholds[reached]:
                found[run, reached] = t
                reached += 1
            if reached == thresholds.shape[0]:
                break
    return found


@njit(cache=True)
def mixture_delays(
    factors: Floats,
    weights: Floats,
    table: NDArray[np.int64],
    keep: Floats,
    other: NDArray[np.int64],
    keeps: Floats,
    others: NDArray[np.int64],
    change: int,
    threshold: float,
    runs: int,
    branches: int,
    limit: int,
    seed: int,
) -> Counts:
    """Delays after `change` healthy scores, shape (S, runs, branches); `limit` if none.

    Every one of the S faults begins `branches` times from the same state of a run; paths that
    alarm before the change are drawn again.
    """
    np.random.seed(seed)
    faults = keeps.shape[0]
    found = np.full((faults, runs, branches), limit, dtype=np.int64)
    for run in range(runs):
        mass = np.zeros(weights.shape[0])
        t = 0
        while t < change:
            t += 1
            _update(mass, weights, factors[table[draw(keep, other)]])
            if _total(mass) >= threshold:
                mass[:] = 0.0
                t = 0
        for s in range(faults):
            for branch in range(branches):
                later = mass.copy()
                for t in range(1, limit + 1):
                    _update(later, weights, factors[table[draw(keeps[s], others[s])]])
                    if _total(later) >= threshold:
                        found[s, run, branch] = t
                        break
    return found


@njit(cache=True, inline="always")
def _scalar(kind: int, state: Floats, ring: Floats, v: float) -> float:
    """Advances [count, level, sum, low] and returns the statistic; -inf before it is ready."""
    if kind == CUSUM:
        state[1] = max(state[1], 0.0) + v
        return float(state[1])
    state[0] += 1.0
    n = np.uint64(state[0])
    if kind == WINDOW:
        at = n % ring.shape[0]
        state[1] += v - ring[at]
        ring[at] = v
        return float(state[1]) if n >= ring.shape[0] else -np.inf
    state[1] += (v - state[1]) / n
    state[2] = FORGETTING * state[2] + (v - state[1]) - DELTA
    state[3] = state[2] if n == 1 else min(state[3], state[2])
    return float(state[2] - state[3]) if n >= INSTANCES else -np.inf


@njit(cache=True)
def scalar_path(kind: int, window: int, values: Floats) -> Floats:
    """The statistic after each value, shape (T,)."""
    state, ring = np.zeros(4), np.zeros(window)
    found = np.empty(values.shape[0])
    for t in range(values.shape[0]):
        found[t] = _scalar(kind, state, ring, values[t])
    return found


@njit(cache=True)
def scalar_passages(
    kind: int,
    window: int,
    values: Floats,
    keep: Floats,
    other: NDArray[np.int64],
    thresholds: Floats,
    runs: int,
    limit: int,
    seed: int,
) -> Counts:
    """As mixture_passages; values: of each fine outcome."""
    np.random.seed(seed)
    found = np.full((runs, thresholds.shape[0]), limit, dtype=np.int64)
    for run in range(runs):
        state, ring = np.zeros(4), np.zeros(window)
        reached = 0
        for t in range(1, limit + 1):
            level = _scalar(kind, state, ring, values[draw(keep, other)])
            while reached < thresholds.shape[0] and level >= thresholds[reached]:
                found[run, reached] = t
                reached += 1
            if reached == thresholds.shape[0]:
                break
    return found


@njit(cache=True)
def scalar_delays(
    kind: int,
    window: int,
    values: Floats,
    keep: Floats,
    other: NDArray[np.int64],
    keeps: Floats,
    others: NDArray[np.int64],
    change: int,
    threshold: float,
    runs: int,
    branches: int,
    limit: int,
    seed: int,
) -> Counts:
    """As mixture_delays."""
    np.random.seed(seed)
    faults = keeps.shape[0]
    found = np.full((faults, runs, branches), limit, dtype=np.int64)
    for run in range(runs):
        state, ring = np.zeros(4), np.zeros(window)
        t = 0
        while t < change:
            t += 1
            if _scalar(kind, state, ring, values[draw(keep, other)]) >= threshold:
                state[:] = 0.0
                ring[:] = 0.0
                t = 0
        for s in range(faults):
            for branch in range(branches):
                later, window_later = state.copy(), ring.copy()
                for t in range(1, limit + 1):
                    v = values[draw(keeps[s], others[s])]
                    if _scalar(kind, later, window_later, v) >= threshold:
                        found[s, run, branch] = t
                        break
    return found
