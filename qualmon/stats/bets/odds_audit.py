"""Audit of parallel trends, the condition of change-in-odds bets.

Two things break it: a target whose difference to the others depends on how hard the prompt is
(its slope), and differences that move from day to day (their dispersion). Both are measured on a
reference. Where either fails, controlled evidence opens tickets and confirms nothing; the limit
of the day deviation goes into `odds_days`.

Source: Higgins, Thompson, "Quantifying heterogeneity in a meta-analysis" (Statistics in Medicine
21, 2002), for Q; the deviation by profile likelihood of the usual random-effects model.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, NamedTuple

import numpy as np
from scipy.special import chdtrc, ndtr

from qualmon.errors import StatisticsError
from qualmon.stats.esr import Floats

#: Deviations at which the likelihood is evaluated, log odds.
_GRID: Final = np.concatenate([[0.0], np.geomspace(0.01, 3.0, 80)])
#: As in baselines.dispersion: half the .95 quantile of chi-square with one degree.
_DROP: Final = 1.9207


class Slope(NamedTuple):
    """Rise of a target's offset per unit of difficulty, its standard error, p of no slope."""

    slope: float
    error: float
    p_value: float


class DayDeviation(NamedTuple):
    """sd: estimate, log odds; limit: upper 97.5 % profile-likelihood limit; p_value of sd 0."""

    sd: float
    limit: float
    p_value: float


def slope(difficulty: Sequence[float], offset: Sequence[float], variance: Sequence[float]) -> Slope:
    """Weighted regression of one target's offsets on the difficulty of their prompts.

    difficulty: log odds of failure of each class of prompts, at least two different ones;
    variance: of the offsets, > 0. Raises StatisticsError otherwise.
    """
    x, y, v = (np.asarray(values, dtype=np.float64) for values in (difficulty, offset, variance))
    if not (x.ndim == 1 and x.shape == y.shape == v.shape and np.ptp(x) > 0.0):
        raise StatisticsError(f"difficulties {tuple(difficulty)!r}: two different ones or more")
    if not (np.isfinite([x, y, v]).all() and (v > 0.0).all()):
        raise StatisticsError(f"offsets {tuple(offset)!r} with variances {tuple(variance)!r}")
    weight = 1.0 / v
    centred = x - (weight @ x) / weight.sum()
    spread = float(weight @ centred**2)
    found, error = float(weight @ (centred * y)) / spread, spread**-0.5
    return Slope(found, error, float(2.0 * ndtr(-abs(found) / error)))


def day_deviation(
    hits: Sequence[float], expected: Sequence[float], variance: Sequence[float]
) -> DayDeviation:
    """Of a node's failures by day, against their conditional means and variances.

    expected, variance: sums over the day's informative strata of the mean and the variance
    (> 0) of the node's failures given the stratum's count. A day effect u moves the sum by
    about u x variance. Raises StatisticsError for fewer than two days or other values.
    """
    k, mean, v = (np.asarray(values, dtype=np.float64) for values in (hits, expected, variance))
    if not (k.ndim == 1 and k.shape == mean.shape == v.shape and len(k) >= 2):
        raise StatisticsError(f"{len(k)} days: give two or more, all three of one length")
    if not (np.isfinite([k, mean, v]).all() and (v > 0.0).all()):
        raise StatisticsError("hits, expected and variance are finite, and variances > 0")
    shift, within = (k - mean) / v, 1.0 / v
    logs = np.array([_log_likelihood(shift, within, sd) for sd in _GRID])
    inside = np.flatnonzero(logs >= logs.max() - _DROP)
    centre = (shift / within).sum() / (1.0 / within).sum()
    q = float(((shift - centre) ** 2 / within).sum())
    return DayDeviation(
        float(_GRID[int(logs.argmax())]),
        float(_GRID[min(int(inside[-1]) + 1, len(_GRID) - 1)]),
        float(chdtrc(len(k) - 1, q)),
    )


def parallel(slopes: Sequence[Slope], days: DayDeviation, alpha: float = 0.01) -> bool:
    """True when neither slopes nor day effects are seen, by a test of size `alpha` in all."""
    level = alpha / (len(slopes) + 1)
    return days.p_value >= level and all(found.p_value >= level for found in slopes)


def _log_likelihood(shift: Floats, within: Floats, sd: float) -> float:
    """Restricted normal likelihood of the days' shifts about their common mean."""
    weight = 1.0 / (within + sd**2)
    centre = (weight @ shift) / weight.sum()
    squares = float(weight @ (shift - centre) ** 2)
    return 0.5 * float(np.log(weight).sum() - np.log(weight.sum()) - squares)
