"""Compiled event streams that jump over runs of good answers.

Between two bad answers a mass follows (M + w) * (1 - eps), which is linear: after j of them it is
F + (M - F) * (1 - eps)^j with F = w * (1 - eps) / eps. While the evidence is below a threshold
A >= (1 - eps_min) / eps_min a good answer cannot carry it there, since the total becomes at most
(total + 1) * (1 - eps_min) < A. So an alarm falls on a bad answer, and only those are visited: the
alarm times are those of the step by step recursion, up to rounding at a threshold.
"""

from __future__ import annotations

import math

import numpy as np
from numba import njit
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Counts = NDArray[np.int64]


@njit(cache=True)
def _gap(chance: float) -> int:
    """Good answers before the next bad one."""
    return int(math.log(1.0 - np.random.random()) / math.log1p(-chance))


@njit(cache=True)
def _rest(mass: Floats, level: Floats, powers: Floats, count: int) -> None:
    """`count` good answers; powers: (J, K) of (1 - eps)^j."""
    left = count
    while left > 0:
        jump = min(left, powers.shape[0] - 1)
        for k in range(mass.shape[0]):
            mass[k] = level[k] + (mass[k] - level[k]) * powers[jump, k]
        left -= jump


@njit(cache=True)
def _hit(mass: Floats, weights: Floats, factors: Floats) -> float:
    """One bad answer; returns the evidence."""
    total = 0.0
    for k in range(mass.shape[0]):
        mass[k] = (mass[k] + weights[k]) * factors[k]
        total += mass[k]
    return total


@njit(cache=True)
def path(weights: Floats, level: Floats, powers: Floats, factors: Floats, gaps: Counts) -> Floats:
    """Evidence at each bad answer, `gaps` good ones before it: for the test against the library."""
    mass = np.zeros(weights.shape[0])
    evidence = np.zeros(gaps.shape[0])
    for i in range(gaps.shape[0]):
        _rest(mass, level, powers, gaps[i])
        evidence[i] = _hit(mass, weights, factors)
    return evidence


@njit(cache=True)
def passages(
    weights: Floats,
    level: Floats,
    powers: Floats,
    factors: Floats,
    chance: float,
    thresholds: Floats,
    runs: int,
    seed: int,
) -> tuple[Floats, Floats]:
    """(time, evidence) of the first passage over each ascending threshold, (runs, J) each."""
    np.random.seed(seed)
    time = np.zeros((runs, thresholds.shape[0]))
    evidence = np.zeros((runs, thresholds.shape[0]))
    for run in range(runs):
        mass = np.zeros(weights.shape[0])
        t = 0
        reached = 0
        while reached < thresholds.shape[0]:
            gap = _gap(chance)
            _rest(mass, level, powers, gap)
            total = _hit(mass, weights, factors)
            t += gap + 1
            while reached < thresholds.shape[0] and total >= thresholds[reached]:
                time[run, reached] = t
                evidence[run, reached] = total
                reached += 1
    return time, evidence


@njit(cache=True)
def delays(
    weights: Floats,
    level: Floats,
    powers: Floats,
    factors: Floats,
    before: float,
    after: float,
    change: int,
    threshold: float,
    runs: int,
    seed: int,
) -> Counts:
    """Delay in answers after `change` healthy ones, given no earlier alarm, shape (runs,)."""
    np.random.seed(seed)
    found = np.zeros(runs, dtype=np.int64)
    for run in range(runs):
        mass = np.zeros(weights.shape[0])
        t = 0
        while t < change:
            gap = _gap(before)
            if t + gap >= change:
                _rest(mass, level, powers, change - t)
                t = change
                break
            _rest(mass, level, powers, gap)
            t += gap + 1
            if _hit(mass, weights, factors) >= threshold:
                mass[:] = 0.0
                t = 0
        late = 0
        while True:
            gap = _gap(after)
            _rest(mass, level, powers, gap)
            late += gap + 1
            if _hit(mass, weights, factors) >= threshold:
                break
        found[run] = late
    return found
