"""Contamination bets on events: 1 - eps + eps * r, with E[r | past] <= 1 while healthy."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np

from qualmon.errors import StatisticsError
from qualmon.stats.esr import Floats
from qualmon.stats.grids import SATURATION


def event_ratio(bad: float, bound: float) -> float:
    """r = bad / bound: an e-value for an event whose healthy rate is at most `bound`.

    bad: 0 or 1 (or the share of bad answers of a cluster, in [0, 1]). A missing answer is
    r = 0, which is always valid. Raises StatisticsError for a bound outside (0, 1] or `bad`
    outside [0, 1].
    """
    if not 0.0 < bound <= 1.0:
        raise StatisticsError(f"bound {bound!r} is not in (0, 1]")
    if not 0.0 <= bad <= 1.0:
        raise StatisticsError(f"event {bad!r} is not in [0, 1]")
    return bad / bound


def contamination(ratio: float, grid: Sequence[float]) -> Floats:
    """Factor per share eps of `grid`, shape (K,): 1 - eps + eps * ratio.

    Catches a share of answers drawn from a faulty state. Blind to faults that leave the
    ratio at or below 1. Raises StatisticsError for a negative or non-finite ratio.
    """
    if not (np.isfinite(ratio) and ratio >= 0.0):
        raise StatisticsError(f"e-value {ratio!r} is not a finite number >= 0")
    eps = np.asarray(grid)
    return (1.0 - eps) + eps * ratio


def good_answers(most: int, grid: Sequence[float]) -> Floats:
    """Factors of 0, 1, ..., `most` good answers (r = 0), shape (most + 1, K)."""
    rows = np.ones((most + 1, len(grid)))
    rows[1:] = 1.0 - np.asarray(grid)
    return np.asarray(np.cumprod(rows, axis=0))


def product(factors: Iterable[Floats], size: int) -> Floats:
    """Product in the given order, saturated after each step; ones when there are none."""
    result = np.ones(size)
    with np.errstate(over="ignore"):
        for factor in factors:
            result = np.minimum(result * factor, SATURATION)
    return result


def missing_answer(grid: Sequence[float], tokens: int) -> Floats:
    """Factor of an answer that never came, for a per-token bet: r = 0 at each of `tokens`."""
    return np.asarray(good_answers(tokens, grid)[tokens])
