"""Compiled peers on a stream of events: one statistic per observation, alarm where it is high.

Every peer is a row of `step`: a float state, the event, its constants. Sources: mixture e-CUSUM
(Shin, Ramdas, Rinaldo 2023), GLR-CUSUM by the lower convex minorant of the random walk (Ward et
al., Stat. Comput. 2024), CUSUM (Page 1954), PageHinkley as river 0.26.1 computes it, Bayesian
online change-point detection with a Beta prior (Adams, MacKay, arXiv:0710.3742).
"""

from __future__ import annotations

import math

import numpy as np
from numba import njit
from numpy.typing import NDArray

from benchmarks.detection.kernels import Counts, Floats

E_CUSUM, GLR, CUSUM, WINDOW, PAGE_HINKLEY, BOCPD = range(6)

#: Run lengths that BOCPD keeps; the least likely goes first.
KEPT = 60
_STATE = 4096


@njit(cache=True)
def _e_cusum(state: Floats, x: int, c: Floats) -> float:
    total, k = 0.0, (c.shape[0] - 1) // 2
    for i in range(k):
        state[i] = max(state[i], 1.0 / k) * c[1 + i + x * k]
        total += state[i]
    return total


@njit(cache=True)
def _glr(state: Floats, x: int, c: Floats) -> float:
    """state: time, hits, candidates m, then m pairs (time, hits) of starts with rising means."""
    p0 = c[0]
    t, hits, m = state[0], state[1], int(state[2])
    if x == 0:
        state[0] = t + 1.0
        return 0.0
    while m > 0 and (hits - state[4 + 2 * m - 1]) <= p0 * (t - state[4 + 2 * m - 2]):
        m -= 1
    state[4 + 2 * m], state[5 + 2 * m] = t, hits
    m += 1
    t, hits = t + 1.0, hits + 1.0
    # A start whose first stretch is no denser than the next one's is never the best again.
    while m > 2:
        a, b = 4 + 2 * (m - 3), 4 + 2 * (m - 2)
        last = 4 + 2 * (m - 1)
        first = (state[b + 1] - state[a + 1]) * (state[last] - state[b])
        if first < (state[last + 1] - state[b + 1]) * (state[b] - state[a]):
            break
        state[b], state[b + 1] = state[last], state[last + 1]
        m -= 1
    best = 0.0
    for i in range(m):
        n, k = t - state[4 + 2 * i], hits - state[5 + 2 * i]
        if k > p0 * n:
            value = k * math.log(k / (n * p0))
            if n > k:
                value += (n - k) * math.log((n - k) / (n * (1.0 - p0)))
            best = max(best, value)
    state[0], state[1], state[2] = t, hits, m
    return best


@njit(cache=True)
def _page_hinkley(state: Floats, x: int, c: Floats) -> float:
    """state: n, mean, sum, least sum; c: -, delta, alpha, least n. Mode "up"."""
    state[0] += 1.0
    state[1] += (x - state[1]) / state[0]
    state[2] = c[2] * state[2] + (x - state[1]) - c[1]
    if state[0] == 1.0 or state[2] < state[3]:
        state[3] = state[2]
    return float(state[2] - state[3]) if state[0] >= c[3] else 0.0


@njit(cache=True)
def _bocpd(state: Floats, x: int, c: Floats) -> float:
    """Posterior log odds that the healthy run has ended. c: p0, hazard, prior a, b.

    The healthy rate is known, as to the others. state: runs m, probability of the healthy run,
    then triples (probability, hits, n) of the kept later ones.
    """
    p0, hazard, a, b = c[0], c[1], c[2], c[3]
    m = int(state[0])
    healthy = state[1] if state[2] > 0.0 else 1.0
    state[2] = 1.0
    healthy *= p0 if x == 1 else 1.0 - p0
    total = healthy
    for i in range(m):
        at = 3 + 3 * i
        rate = (state[at + 1] + a) / (state[at + 2] + a + b)
        state[at] *= rate if x == 1 else 1.0 - rate
        total += state[at]
    least, where, changed = 2.0, 0, 0.0
    for i in range(m):
        at = 3 + 3 * i
        changed += state[at]
        state[at] *= (1.0 - hazard) / total
        state[at + 1] += x
        state[at + 2] += 1.0
        if state[at] < least:
            least, where = state[at], at
    if m < KEPT:
        where, m = 3 + 3 * m, m + 1
    state[where], state[where + 1], state[where + 2] = hazard, 0.0, 0.0
    state[0], state[1] = m, healthy / total * (1.0 - hazard)
    return math.log(max(changed, 1e-300)) - math.log(max(healthy, 1e-300))


@njit(cache=True)
def step(kind: int, state: Floats, ring: NDArray[np.int8], t: int, x: int, c: Floats) -> float:
    """The peer's statistic after event x, the t-th observation (from 0)."""
    if kind == E_CUSUM:
        return float(_e_cusum(state, x, c))
    if kind == GLR:
        return float(_glr(state, x, c))
    if kind == CUSUM:
        state[0] = max(0.0, state[0] + c[1 + x])
        return float(state[0])
    if kind == WINDOW:
        size = int(c[1])
        at = t % size
        state[0] += x - ring[at]
        ring[at] = x
        return float(state[0])
    if kind == PAGE_HINKLEY:
        return float(_page_hinkley(state, x, c))
    return float(_bocpd(state, x, c))


@njit(cache=True)
def path(kind: int, c: Floats, events: NDArray[np.int8]) -> Floats:
    """The statistic along given events, shape (n,): for tests against the originals."""
    state, ring = np.zeros(_STATE), np.zeros(1024, dtype=np.int8)
    found = np.empty(events.shape[0])
    for t in range(events.shape[0]):
        found[t] = step(kind, state, ring, t, events[t], c)
    return found


@njit(cache=True)
def passages(
    kind: int, c: Floats, p0: float, thresholds: Floats, runs: int, limit: int, seed: int
) -> Counts:
    """First passage of each ascending threshold in healthy streams, shape (runs, J)."""
    np.random.seed(seed)
    found = np.full((runs, thresholds.shape[0]), limit, dtype=np.int64)
    for run in range(runs):
        state, ring = np.zeros(_STATE), np.zeros(1024, dtype=np.int8)
        reached = 0
        for t in range(limit):
            x = 1 if np.random.random() < p0 else 0
            value = step(kind, state, ring, t, x, c)
            while reached < thresholds.shape[0] and value >= thresholds[reached]:
                found[run, reached] = t + 1
                reached += 1
            if reached == thresholds.shape[0]:
                break
    return found


@njit(cache=True)
def delays(
    kind: int, c: Floats, p0: float, p1: float, change: int, threshold: float,
    runs: int, limit: int, seed: int,
) -> Counts:  # fmt: skip
    """Delay after `change` healthy observations without an alarm, shape (runs,)."""
    np.random.seed(seed)
    found = np.full(runs, limit, dtype=np.int64)
    for run in range(runs):
        state, ring = np.zeros(_STATE), np.zeros(1024, dtype=np.int8)
        t = 0
        while t < change:
            x = 1 if np.random.random() < p0 else 0
            t += 1
            if step(kind, state, ring, t - 1, x, c) >= threshold:
                state[:] = 0.0
                ring[:] = 0
                t = 0
        for late in range(limit):
            x = 1 if np.random.random() < p1 else 0
            if step(kind, state, ring, change + late, x, c) >= threshold:
                found[run] = late + 1
                break
    return found
