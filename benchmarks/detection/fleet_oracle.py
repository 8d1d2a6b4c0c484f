"""The best that can be done for a platform: a CUSUM that knows share, shocks and (or) the place.

The count of a platform's bad answers is sufficient where its cells share a healthy rate and a
shock of the round; other platforms' shocks are independent and say nothing. So the CUSUM of the
count's exact log likelihood ratio minimises the worst delay at its run length (Moustakides 1986).
The statistic is continuous; its transitions are split over the two nearest points of a grid so
that means are kept.
"""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

import numpy as np
from scipy.special import gammaln, xlog1py, xlogy

from qualmon.stats.bets.beta_binomial import beta_binomial_pmf
from qualmon.stats.esr import Floats

_GRID = 250
_ATOM = 1e-14


class Delay(NamedTuple):
    """Mean rounds: from a restart at the change, and in steady state of health."""

    restart: float
    steady: float


def faulty_pmf(healthy: Floats, share: float) -> Floats:
    """Counts when each answer is also bad with probability `share`, shape of `healthy`."""
    n = len(healthy) - 1
    found = np.zeros(n + 1)
    for bad, mass in enumerate(healthy):
        more = np.arange(n - bad + 1.0)
        choose = gammaln(n - bad + 1.0) - gammaln(more + 1.0) - gammaln(n - bad - more + 1.0)
        found[bad:] += mass * np.exp(choose + xlogy(more, share) + xlog1py(n - bad - more, -share))
    return found


@lru_cache
def delay(n: int, rate: float, icc: float, share: float, run_length: float) -> Delay:
    """Of the CUSUM that knows all, at this mean run length in rounds of n answers."""
    healthy = beta_binomial_pmf(n, rate, icc)
    faulty = faulty_pmf(healthy, share)
    kept = (healthy > _ATOM) | (faulty > _ATOM)
    steps = np.log(faulty[kept]) - np.log(healthy[kept])
    low, high = 0.1, 30.0
    for _ in range(30):
        height = 0.5 * (low + high)
        long = _run_length(_transitions(steps, healthy[kept], height))[0] >= run_length
        low, high = (low, height) if long else (height, high)
    moves = _transitions(steps, healthy[kept], high)
    times = _run_length(_transitions(steps, faulty[kept], high))
    start = _quasi_stationary(moves)
    return Delay(float(times[0]), float(start @ times))


def _transitions(steps: Floats, mass: Floats, height: float) -> Floats:
    """(G, G) moves of W <- max(0, W + step) among points of [0, height); the rest alarms."""
    unit = height / _GRID
    target = np.maximum(0.0, np.arange(_GRID)[:, None] + steps / unit)
    below = np.floor(target).astype(np.int64)
    moves = np.zeros((_GRID, _GRID + 1))
    rows = np.broadcast_to(np.arange(_GRID)[:, None], target.shape)
    for column, part in ((below, 1.0 - (target - below)), (below + 1, target - below)):
        # A point past the height is an alarm, whichever side of it the split falls.
        kept = np.where(target >= _GRID, _GRID, np.minimum(column, _GRID))
        np.add.at(moves, (rows, kept), mass * part)
    return moves[:, :_GRID]


def _run_length(moves: Floats) -> Floats:
    return np.asarray(np.linalg.solve(np.eye(len(moves)) - moves, np.ones(len(moves))))


def _quasi_stationary(moves: Floats) -> Floats:
    """Where a healthy statistic is, long after the start and given no alarm."""
    now = np.full(len(moves), 1.0 / len(moves))
    settled = False
    while not settled:
        then, now = now, now @ moves
        now /= now.sum()
        settled = float(np.abs(now - then).max()) < 1e-12
    return np.asarray(now)
