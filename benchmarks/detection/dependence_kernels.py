"""Compiled loops for streams whose healthy rate follows the clock or the day.

The masses advance as in benchmarks.detection.kernels; a path is held to the library by
tests/statistical/test_benchmark_dependence.py.
"""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray

from benchmarks.detection.kernels import Counts, Floats, _advance

Flags = NDArray[np.bool_]


@njit(cache=True)
def seasonal(
    rates: Floats,
    good: Floats,
    bad: Floats,
    weights: Floats,
    share: float,
    change: int,
    threshold: float,
    runs: int,
    limit: int,
    seed: int,
) -> Counts:
    """Observations from `change` to the alarm, `limit` at most, shape (runs,).

    rates: (P,), true healthy rate at each observation of a period; good, bad: (P, K), factors.
    Before `change` alarms start the path again; each run begins at a random phase.
    """
    np.random.seed(seed)
    period, size = rates.shape[0], weights.shape[0]
    found = np.full(runs, limit, dtype=np.int64)
    for run in range(runs):
        mass = np.zeros(size)
        phase = np.random.randint(0, period)
        t = 0
        while t < change:
            t += 1
            at = (phase + t) % period
            factor = bad[at] if np.random.random() < rates[at] else good[at]
            if _advance(mass, weights, factor) >= threshold:
                mass[:] = 0.0
                t = 0
        for t in range(1, limit + 1):
            at = (phase + change + t) % period
            rate = share + (1.0 - share) * rates[at]
            factor = bad[at] if np.random.random() < rate else good[at]
            if _advance(mass, weights, factor) >= threshold:
                found[run] = t
                break
    return found


@njit(cache=True)
def _reading(mass: Floats, factor: Floats) -> float:
    total = 0.0
    for k in range(mass.shape[0]):
        total = total + mass[k] * factor[k]
    return total


@njit(cache=True)
def blocks(
    table: Floats,
    hourly: Counts,
    rate: float,
    icc: float,
    share: float,
    change: int,
    threshold: float,
    weights: Floats,
    runs: int,
    limit: int,
    seed: int,
) -> Counts:
    """Hours from the change to the alarm of a bet per day, `limit` at most, shape (runs,).

    table: (n + 1, K), factors of the day's count; hourly: (24,), answers of each hour, sum n.
    The day's healthy rate is beta(rate, icc). The change comes after `change` days, at a random
    hour. The day is read every hour, answers to come counted as good; masses move at its end,
    with the drift of 24 hours before it.
    """
    np.random.seed(seed)
    size = weights.shape[0]
    found = np.full(runs, limit, dtype=np.int64)
    for run in range(runs):
        start = 24 * change + np.random.randint(0, 24)
        mass = np.zeros(size)
        hour = 0
        done = False
        while not done and hour < start + limit:
            today = rate
            if icc > 0.0:
                today = np.random.beta(rate * (1.0 / icc - 1.0), (1.0 - rate) * (1.0 / icc - 1.0))
            count = 0
            for h in range(24):
                eps = share if hour + h >= start else 0.0
                count += np.random.binomial(hourly[h], eps + (1.0 - eps) * today)
                if _reading(mass, table[count]) >= threshold:
                    if hour + h >= start:
                        found[run] = min(hour + h + 1 - start, limit)
                        done = True
                    else:
                        mass[:] = 0.0
                    break
            _advance(mass, np.zeros(size), table[count])
            for k in range(size):
                mass[k] += 24.0 * weights[k]
            hour += 24
    return found


@njit(cache=True)
def answers_by_hour(
    logs: Floats,
    hourly: Counts,
    rate: float,
    icc: float,
    share: float,
    change: int,
    threshold: float,
    weights: Floats,
    runs: int,
    limit: int,
    seed: int,
) -> Counts:
    """As `blocks` for the product over answers, at the end of each hour.

    logs: (2, K), log factor of a good and of a bad answer.
    """
    np.random.seed(seed)
    size = weights.shape[0]
    found = np.full(runs, limit, dtype=np.int64)
    for run in range(runs):
        start = 24 * change + np.random.randint(0, 24)
        mass = np.zeros(size)
        factor = np.empty(size)
        today = rate
        hour = 0
        while hour < start + limit:
            if icc > 0.0 and hour % 24 == 0:
                today = np.random.beta(rate * (1.0 / icc - 1.0), (1.0 - rate) * (1.0 / icc - 1.0))
            n = hourly[hour % 24]
            eps = share if hour >= start else 0.0
            count = np.random.binomial(n, eps + (1.0 - eps) * today)
            for k in range(size):
                factor[k] = np.exp(min((n - count) * logs[0, k] + count * logs[1, k], 500.0))
            total = _advance(mass, weights, factor)
            hour += 1
            if total >= threshold:
                if hour > start:
                    found[run] = hour - start
                    break
                mass[:] = 0.0
    return found
