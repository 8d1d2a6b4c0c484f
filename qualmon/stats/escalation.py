"""Detection while an incident is open: does its fault get worse, and what is new elsewhere?

Inside the incident the null is "the share is at most the top of its interval", so that the
known fault is no evidence and a second one is. In every other node the incident's cells count
L = 1: otherwise the nodes above blame the healthy partners of a faulty cell, and a second
fault elsewhere is lost in the first.

Catches: a fault that grows, or a second one inside the open node, once the two exceed the top
of the first's interval; faults elsewhere as if the first were not there. Blind to: a second
fault inside the open node below that top.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from qualmon.errors import StatisticsError
from qualmon.stats import detector
from qualmon.stats.detector import Design
from qualmon.stats.esr import Floats
from qualmon.stats.grids import SATURATION
from qualmon.stats.share import Share
from qualmon.stats.tolerated import tolerated_rate


def ceiling(bound: float, *intervals: Share) -> float:
    """Rate of bad answers at the lowest top of the incident's intervals: the bound of the bets
    on its own cells while it is open.

    intervals: at the alarm, where little is known, and on fresh data after it, which at a low
    top serves far better. Their errors add. It must not rise with evidence of escalation: take
    fresh data from a time fixed at the alarm, its first day say; masses gathered under the
    higher ceiling stay valid. In (bound, 1]. Raises StatisticsError for a bound outside (0, 1)
    or no interval.
    """
    if not intervals:
        raise StatisticsError("no interval of the share", remedy="Give the one at the alarm")
    top = min(interval.high for interval in intervals)
    return 1.0 if top >= 1.0 else tolerated_rate(bound, top)


def product(design: Design, answers: ArrayLike, hits: ArrayLike, rate: ArrayLike) -> Floats:
    """Product of contamination bets over cells' answers, for any shape (...,): (..., K).

    answers, hits: counts of one cell in one round, multiplied only where the bound holds
    answer by answer. rate: bound of each cell, in (0, 1]: the healthy one, or the ceiling of
    the open incident. Saturates at 1e250. Raises StatisticsError for impossible counts.
    """
    n, h, p = np.broadcast_arrays(answers, hits, rate)
    if not ((h >= 0) & (h <= n)).all():
        raise StatisticsError(f"{hits!r} hits among {answers!r} answers")
    if not ((p > 0.0) & (p <= 1.0)).all():
        raise StatisticsError(f"rate {rate!r} is not in (0, 1]")
    bad = detector.factors(design, 1.0 / p)
    good = 1.0 - np.asarray(design.shares)
    with np.errstate(over="ignore"):
        grown = good ** (n - h)[..., None] * bad ** h[..., None]
    return np.asarray(np.minimum(grown, SATURATION))


def muted(factors: Floats, claimed: NDArray[np.bool_]) -> Floats:
    """The cells' factors (..., cells, K) with L = 1 where an open incident has claimed a cell.

    claimed: shape (cells,) or (..., cells). Raises StatisticsError when the shapes differ.
    """
    if np.shape(claimed)[-1:] != np.shape(factors)[-2:-1]:
        raise StatisticsError(
            f"{np.shape(claimed)} claims of factors {np.shape(factors)}",
            remedy="Give one flag per cell",
        )
    return np.where(np.asarray(claimed)[..., None], 1.0, factors)
