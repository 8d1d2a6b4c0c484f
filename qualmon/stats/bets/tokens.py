"""The token bet: a sampled token against the distribution it was reported to come from.

With chance `tail` = 1 - p1 a sound sampler picks another token than the most probable one, so
r = 1{not the top token} / tail has mean 1 whatever came before: the null is exact and needs no
baseline. A sampler that drops the top token with probability q has the likelihood ratio
1 - q + q*r. What is not exact is made to err towards a smaller r: noise of the reported logits
by `deflation`, their rounding and resolution by `rounding` and `floor`.

Catches: a dropped top token (approximate top-k), a temperature too high. Blind to: logprobs
taken after the fault, and a fault that never unseats the top token.
Source: docs/statistics.md "Bets"; Shafer, "Testing by betting", JRSS A 184 (2021).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from qualmon.errors import StatisticsError
from qualmon.stats.esr import Floats
from qualmon.stats.grids import DROP_GRID, SATURATION

#: r is divided by this. Noise of sd sigma between the log odds reported and those sampled from
#: raises the mean of r to at most exp(sigma**2 / 2): 1.046 at 0.3 nat.
DEFLATION: Final = 1.05
#: Smallest 1 - p1 believed of an unknown route: float32 logits of size 30 carry 4e-6 of
#: rounding, 4 % of this and so inside the deflation.
TAIL_FLOOR: Final = 1e-4


def drop_ratio(
    hit: NDArray[np.bool_],
    tail: Floats,
    *,
    floor: float = TAIL_FLOOR,
    rounding: float = 0.0,
    deflation: float = DEFLATION,
) -> Floats:
    """e-values (...,) of tokens: hit / (deflation * max(tail + rounding, floor)).

    hit: whether another than the top token was sampled. tail: 1 - p1 in [0, 1]. floor: smallest
    tail that the route's logprobs resolve, in (0, 1], or 0 where they are exact. rounding: largest
    error of a reported logprob, nats >= 0. A tail of 0 with no floor never yields an infinite
    ratio: such a hit is refused. Raises StatisticsError for values outside these ranges.
    """
    if not (0.0 <= floor <= 1.0 and rounding >= 0.0 and deflation >= 1.0):
        raise StatisticsError(
            f"floor {floor!r}, rounding {rounding!r} or deflation {deflation!r}"
            " is outside [0, 1], [0, inf), [1, inf)"
        )
    if not ((tail >= 0.0) & (tail <= 1.0)).all():
        raise StatisticsError("a tail 1 - p1 is not in [0, 1]")
    least = np.maximum(tail + rounding, floor)
    if (hit & (least == 0.0)).any():
        raise StatisticsError("a token of reported probability 0 was sampled: give a floor")
    return np.where(hit, 1.0 / (deflation * np.maximum(least, np.finfo(float).tiny)), 0.0)


def drop_products(ratios: Floats, positions: int, grid: Sequence[float] = DROP_GRID) -> Floats:
    """prod_t (1 - q + q*r_t) of an answer for each q of `grid`, shape (K,), saturated.

    ratios: (hits,) e-values of the tokens that were hits; positions: all judged tokens, the
    others have r = 0. By logarithms, as a product may overflow midway. Raises StatisticsError
    for more hits than positions.
    """
    if len(ratios) > positions:
        raise StatisticsError(f"{len(ratios)} hits among {positions} positions")
    q = np.asarray(grid)
    logs = (positions - len(ratios)) * np.log1p(-q)
    logs = logs + np.log(1.0 - q[:, None] + q[:, None] * ratios).sum(axis=1)
    return np.asarray(np.minimum(np.exp(np.minimum(logs, math.log(SATURATION))), SATURATION))
