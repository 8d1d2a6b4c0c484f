"""Where in the day and in which context a fault may live, and how large it is there.

A place is an arc of blocks of hours, in one context (a load rung, a group of identities) or in
all of them: what follows load follows the clock, so that its hours hang together.
"""

from __future__ import annotations

import math
from functools import lru_cache
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy.special import betaincinv, xlog1py, xlogy

from qualmon.stats.esr import Floats

Flags = NDArray[np.bool_]

#: A place is dropped when the faulty draws are this much (nats) likelier at another.
_IMPLAUSIBLE: Final = math.log(1000.0)


@lru_cache(maxsize=16)
def places(blocks: int, contexts: int) -> Flags:
    """Every place as flags of its cells, shape (P, contexts, blocks)."""
    day = range(blocks)
    arcs = [[(b - a) % blocks < size for b in day] for size in range(1, blocks) for a in day]
    arcs.append([True] * blocks)
    rows = [[True] * contexts]
    if contexts > 1:
        rows += [[c == k for c in range(contexts)] for k in range(contexts)]
    return np.asarray([np.outer(row, arc) for row in rows for arc in arcs], dtype=np.bool_)


def still(bound: float, seen: Floats) -> Floats:
    """Rate by place that a fault which goes on has at least, shape (P,).

    seen: draws and hits since its onset, (contexts, blocks, 2). Half its share or, if unsure,
    the lower 95 % limit; twice the bound at least, for nothing below can be told from health.
    """
    n, h = _sums(seen)
    rate = np.divide(h, n, out=np.zeros_like(n), where=n > 0.0)
    low = np.where(h > 0.0, betaincinv(np.maximum(h, 1.0), n - h + 1.0, 0.05), 0.0)
    half = 0.5 * (rate + bound)
    return np.asarray(np.maximum(np.minimum(half, low), 2.0 * bound))


def plausible(bound: float, seen: Floats) -> Flags:
    """Places at which a fault explains the draws nearly as well as at the best one, (P,)."""
    n, h = _sums(seen)
    total_n, total_h = seen[..., 0].sum(), seen[..., 1].sum()
    logs = _best(n, h, bound, 1.0) + _best(total_n - n, total_h - h, 0.0, bound)
    return np.asarray(logs >= logs.max() - _IMPLAUSIBLE)


def _best(n: Floats, h: Floats, least: float, most: float) -> Floats:
    """Largest log likelihood of the counts at a rate within [least, most]."""
    rate = np.clip(np.divide(h, n, out=np.zeros_like(n), where=n > 0.0), least, most)
    return np.asarray(xlogy(h, rate) + xlog1py(n - h, -rate))


def _sums(seen: Floats) -> tuple[Floats, Floats]:
    contexts, blocks, _ = seen.shape
    sums = np.einsum("pcb,cbk->pk", places(blocks, contexts), seen)
    return sums[:, 0], sums[:, 1]
