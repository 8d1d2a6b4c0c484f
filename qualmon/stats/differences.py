"""Confidence sequence for a mean difference in [-1, 1]: valid at every pair, at any stopping.

For each candidate value on a grid two bettors stake against it, one from above and one from
below; what either has refuted is out for good. Source: Waudby-Smith, Ramdas (JRSS B 86, 2024),
the hedged capital process with predictable stakes.
"""

from __future__ import annotations

import math
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from qualmon.errors import StatisticsError
from qualmon.stats.esr import Floats

_STEPS: Final = 800
#: Candidate means, closer together near 0 where differences are small.
GRID: Final[Floats] = np.sign(np.linspace(-1, 1, _STEPS + 1)) * np.linspace(-1, 1, _STEPS + 1) ** 2
_CAP: Final = 0.5


class Interval(NamedTuple):
    """n: pairs; total, square: sums of d and of squared deviations; high, low: wealth of the
    bets that the mean is above or below each value of GRID; alive: not yet refuted."""

    n: int
    total: float
    square: float
    high: Floats
    low: Floats
    alive: NDArray[np.bool_]


def init() -> Interval:
    """No pair seen: every value from -1 to 1 is possible."""
    one = np.ones(len(GRID))
    return Interval(0, 0.0, 0.0, one, one, one.astype(bool))


def step(state: Interval, difference: float, alpha: float = 0.05) -> Interval:
    """Folds one pair. Raises StatisticsError for a difference outside [-1, 1] or alpha outside
    (0, 1)."""
    if not -1.0 <= difference <= 1.0:
        raise StatisticsError(f"difference {difference!r} is not in [-1, 1]")
    if not 0.0 < alpha < 1.0:
        raise StatisticsError(f"alpha {alpha!r} is not in (0, 1)")
    variance = (0.25 + state.square) / (state.n + 1.0)
    pace = (state.n + 1.0) * math.log(state.n + 2.0)
    stake = math.sqrt(2.0 * math.log(2.0 / alpha) / max(variance * pace, 1e-12))
    move = difference - GRID
    high = state.high * (1.0 + np.minimum(stake, _CAP / (1.0 + GRID + 1e-12)) * move)
    low = state.low * (1.0 - np.minimum(stake, _CAP / (1.0 - GRID + 1e-12)) * move)
    alive = state.alive & (np.maximum(high, low) < 2.0 / alpha)
    n, total = state.n + 1, state.total + difference
    mean = total / (n + 1.0)
    return Interval(n, total, state.square + (difference - mean) ** 2, high, low, alive)


def limits(state: Interval) -> tuple[float, float, float]:
    """(mean, low, high); the mean is nan without pairs. Where every grid value is refuted the
    interval is the grid cell of the mean."""
    mean = state.total / state.n if state.n else math.nan
    where = np.flatnonzero(state.alive)
    if not where.size:
        return mean, mean, mean
    first, last = max(int(where[0]) - 1, 0), min(int(where[-1]) + 1, len(GRID) - 1)
    return mean, float(GRID[first]), float(GRID[last])
