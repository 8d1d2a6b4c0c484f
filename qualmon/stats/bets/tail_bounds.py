"""Healthy tail probabilities from a finite reference: what may be claimed from n answers.

Of n exchangeable references, P(next > the (k+1)-th largest) is at most a Beta(k+1, n-k)
variable U (equal to it without ties). Two readings:

- with a confidence c: bounds that hold *simultaneously* for all ranks of a fixed grid with
  probability c over references. Then E[r | past] <= 1 for every bet at every time, and the run
  length is >= nominal *given the reference*. Nothing rarer than about 3.5 / n can be claimed.
- None: the mean (k+1)/(n+1). Then E[r] = 1 for one answer on average over references, but not
  along a stream, whose answers share the reference's luck: about half of the references give
  run lengths below nominal.

Source: order statistics of uniforms are Beta; Clopper, Pearson, Biometrika 26 (1934) for counts.
"""

from __future__ import annotations

import math
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy.special import betainccinv

from qualmon.errors import StatisticsError
from qualmon.stats.esr import Floats

#: Default probability, over references, that all bounds hold.
CONFIDENCE: Final = 0.95


def ranks(n: int) -> NDArray[np.int64]:
    """The grid 0, 1, 2, 3, 4, 6, 8, 11, ... < n, two ranks an octave, and n - 1, the lowest."""
    steps = np.arange(2 * max(math.ceil(math.log2(max(n, 2))), 1) + 1)
    grid = np.append([0, n - 1], np.rint(2.0 ** (steps / 2))).astype(np.int64)
    return np.unique(grid[grid < n])


def levels(size: int, confidence: float) -> Floats:
    """Chance of failure of each of `size` bounds, in sum at most 1 - confidence.

    Most goes to the deepest tails, where few references leave the widest margin.
    Raises StatisticsError for a confidence outside (0, 1).
    """
    if not 0.0 < confidence < 1.0:
        raise StatisticsError(f"confidence {confidence!r} is not in (0, 1)")
    return np.asarray((1.0 - confidence) * 6.0 / (math.pi * np.arange(1, size + 1)) ** 2)


def of_hits(n: int, hits: NDArray[np.int64], confidence: float | None) -> Floats:
    """Upper bounds of the probabilities of which `hits` (rising) of `n` references showed one.

    A bound may be 1, where it claims nothing.
    """
    if confidence is None:
        return np.asarray((hits + 1.0) / (n + 1.0))
    risk = levels(hits.size, confidence)
    # All n hit: Beta(n + 1, 0) does not exist, and the bound is 1.
    found = betainccinv(hits + 1.0, np.maximum(n - hits, 1.0), risk)
    return np.asarray(np.where(hits < n, found, 1.0))
