"""The smallest share of faulty answers a stream can show, given its reference and budget.

Against a frozen reference of n0 answers the evidence for a share eps never exceeds about
n0 * KL(p0 || p1), p1 = p0 + eps (1 - p0), however long one watches: more answers sharpen the
present, not the past. With a known rate the only limit is the horizon.

Source: Lai, IEEE Trans. Inf. Theory 44 (1998) for log(budget)/KL; the cap by the reference is
the generalised likelihood ratio of two samples as the second grows.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import rel_entr

from qualmon.errors import StatisticsError


def information(share: float, rates: ArrayLike, n: ArrayLike) -> float:
    """Nats by which n reference answers per prompt, healthy rates `rates`, deny a share.

    sum of n_i KL(p_i || p_i + share (1 - p_i)), infinite for share = 1; arrays of one shape, or
    a scalar for all prompts. Raises StatisticsError for rates outside (0, 1), a share outside
    [0, 1], an n that is negative or not finite, or a reference without answers.
    """
    p, m = np.broadcast_arrays(
        np.asarray(rates, dtype=np.float64), np.atleast_1d(np.asarray(n, dtype=np.float64))
    )
    if not (p.size and ((p > 0.0) & (p < 1.0)).all()):
        raise StatisticsError(f"healthy rates {rates!r} must lie between 0 and 1")
    if not (np.isfinite(m).all() and (m >= 0.0).all() and m.sum() > 0.0):
        raise StatisticsError(f"reference answers {n!r}: give finite numbers, not all 0")
    if not 0.0 <= share <= 1.0:
        raise StatisticsError(f"share {share!r} is not in [0, 1]")
    faulty = p + share * (1.0 - p)
    with np.errstate(divide="ignore"):
        divergence = rel_entr(p, faulty) + rel_entr(1.0 - p, (1.0 - p) * (1.0 - share))
    asked = m > 0.0  # a prompt never asked tells nothing, not 0 times infinity
    return float((m[asked] * divergence[asked]).sum())


def smallest_share(rates: ArrayLike, n: ArrayLike, budget: float) -> float:
    """Smallest share whose evidence can reach `budget` (answers or hours, > 1), in (0, 1].

    Arguments and errors as in `information`.
    """
    need = _nats(budget)
    low, high = 0.0, 1.0
    for _ in range(60):
        middle = 0.5 * (low + high)
        low, high = (low, middle) if information(middle, rates, n) >= need else (middle, high)
    return high


def answers_needed(share: float, rate: float, budget: float) -> float:
    """Reference answers at one healthy rate for `share` to be detectable within `budget`.

    Raises StatisticsError as `information`, or for a share of 0.
    """
    if share == 0.0:
        raise StatisticsError("share 0.0 is no fault; give one above 0")
    return _nats(budget) / information(share, rate, 1.0)


def _nats(budget: float) -> float:
    if not 1.0 < budget < math.inf:
        raise StatisticsError(f"budget {budget!r} is not a finite number above 1")
    return math.log(budget)
