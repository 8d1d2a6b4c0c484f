"""The detector for a large fleet, in place: 100,000 streams a step on one core.

The arithmetic is `detector.step`'s, operation by operation, so the masses agree bit for bit;
what differs is where the numbers lie. State is bets x streams and is updated block by block:
a block's masses and factors stay in the cache while one bet after the other passes over them,
and nothing is allocated. A `Fleet` is therefore one of the few objects here that change.

Source: as `detector`; the layout is measured by the benchmark's section `speed`.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from qualmon.errors import StatisticsError
from qualmon.stats.detector import Design
from qualmon.stats.esr import Floats, Masses
from qualmon.stats.grids import SATURATION

#: Streams in a block: bets x block of float64, twice, fit into a core's second-level cache.
BLOCK: Final = 8192


class Fleet:
    """Masses of `streams` streams under one design, changed in place by `step`.

    mass: bets x streams, budget-weighted evidence. moment: the same shape, sum of start time x
    mass in hours, or None when onsets are not asked for (a quarter cheaper). evidence: of each
    stream after the last step, in hours; alarm where it reaches the budget.
    """

    __slots__ = ("_eps", "_factor", "_healthy", "_weights", "design", "evidence", "mass", "moment")

    def __init__(self, design: Design, streams: int, *, onsets: bool = False) -> None:
        if streams < 1:
            raise StatisticsError(f"{streams} streams; a fleet has at least one")
        bets = len(design.shares)
        self.design = design
        self.mass: Floats = np.zeros((bets, streams))
        self.moment: Floats | None = np.zeros((bets, streams)) if onsets else None
        self.evidence: Floats = np.zeros(streams)
        self._eps = np.asarray(design.shares)[:, None]
        self._healthy = 1.0 - self._eps
        self._weights = np.asarray(design.weights)[:, None]
        self._factor = np.empty((bets, min(streams, BLOCK)))

    def step(self, ratio: Floats, *, hours: float = 1.0, at: float = 0.0) -> Floats:
        """Folds one e-value per stream, shape (streams,); returns the evidence, same shape.

        hours: monitored hours since the last step, fixed before the outcome; at: hours since
        the epoch, used for onsets only. The result is overwritten by the next step.
        Raises StatisticsError for a negative or non-finite e-value, another shape, or hours < 0.
        """
        high = self._checked(ratio, hours)
        # Where nothing can saturate, esr.step's two limits leave every number as it is.
        highest = (float(self.evidence.max()) + hours) * max(1.0, high)
        limited = not highest < 0.5 * SATURATION
        drift = self._weights * hours
        for start in range(0, self.evidence.size, BLOCK):
            part = slice(start, min(start + BLOCK, self.evidence.size))
            self._fold(part, ratio[part], drift, at, limited)
        return self.evidence

    def _checked(self, ratio: Floats, hours: float) -> float:
        """The largest e-value."""
        if ratio.shape != self.evidence.shape:
            raise StatisticsError(
                f"e-values of shape {ratio.shape} for {self.evidence.size} streams; give one each"
            )
        if not 0.0 <= hours < np.inf:
            raise StatisticsError(f"{hours!r} hours since the last step; give a finite number >= 0")
        # One minimum and one maximum find NaN, infinities and negative numbers alike.
        low, high = float(ratio.min()), float(ratio.max())
        if not (low >= 0.0 and high < np.inf):
            raise StatisticsError(
                f"e-values between {low!r} and {high!r}; each must be a finite number >= 0"
            )
        return high

    def _fold(self, part: slice, ratio: Floats, drift: Floats, at: float, limited: bool) -> None:
        mass, factor = self.mass[:, part], self._factor[:, : ratio.size]
        np.multiply(self._eps, ratio, out=factor)
        factor += self._healthy
        mass += drift
        if limited:
            np.minimum(factor, SATURATION / np.maximum(mass, 1.0), out=factor)
        mass *= factor
        if limited:
            np.minimum(mass, SATURATION, out=mass)
        if self.moment is not None:
            moment = self.moment[:, part]
            moment += drift * at
            moment *= factor
        _total(mass, self.evidence[part])

    def reset(self, streams: NDArray[np.bool_]) -> None:
        """Starts the marked streams anew from no evidence, as after an alarm."""
        self.mass[:, streams] = 0.0
        self.evidence[streams] = 0.0
        if self.moment is not None:
            self.moment[:, streams] = 0.0

    def onsets(self) -> Floats:
        """SR-weighted mean start of each stream, hours since the epoch; nan without mass."""
        if self.moment is None:
            raise StatisticsError("this fleet keeps no onsets; build it with onsets=True")
        with np.errstate(invalid="ignore"):
            return _total(self.moment, np.empty_like(self.evidence)) / self.evidence

    def load(self, masses: Floats) -> None:
        """Takes over masses as `detector` has them, shape (streams, bets); onsets start anew."""
        np.copyto(self.mass, masses.T)
        _total(self.mass, self.evidence)
        if self.moment is not None:
            self.moment[:] = 0.0

    def masses(self) -> Masses:
        """The state as `detector` has it, shape (streams, bets): a copy."""
        moment = np.zeros_like(self.mass) if self.moment is None else self.moment
        return Masses(self.mass.T.copy(), moment.T.copy())


def _total(values: Floats, out: Floats) -> Floats:
    """Sum over the bets in index order, as esr.total (np.sum's order depends on the shape)."""
    out[:] = values[0]
    for row in values[1:]:
        out += row
    return out
