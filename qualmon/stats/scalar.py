"""The fold of one stream in plain Python floats, for one line after the other.

For ten bets, a list is four times as fast as an array. The operations are `esr.step`'s in its
order, so the masses are the same bit for bit. An upper bound of the evidence is carried along,
and the sum over the bets is formed only when that bound has reached the budget.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, NamedTuple

from qualmon.errors import StatisticsError
from qualmon.stats.detector import Design
from qualmon.stats.grids import SATURATION

#: Covers the rounding of one update, so that the bound never falls below the evidence.
_ROUNDING: Final = 1.0 + 1e-12


class Factor(NamedTuple):
    """What one observation does to each mass, with the largest of these factors."""

    values: tuple[float, ...]
    largest: float


def factor(design: Design, ratio: float) -> Factor:
    """1 - eps + eps * r for each share. Raises StatisticsError for r not finite or below 0."""
    if not 0.0 <= ratio < float("inf"):
        raise StatisticsError(f"e-value {ratio!r} is not a finite number >= 0")
    values = tuple([(1.0 - eps) + eps * ratio for eps in design.shares])
    return Factor(values, max(values))


class Scalar:
    """Masses of one stream, changed in place. Alarm where the evidence reaches `budget`."""

    __slots__ = ("_bound", "_drift", "_hours", "_weights", "budget", "mass")

    def __init__(self, weights: Sequence[float], budget: float) -> None:
        """weights: of the bets, sum 1. budget: hours, > 0."""
        self.budget = budget
        self._weights = list(weights)
        self._hours, self._drift = 1.0, self._weights
        self.reset()

    def reset(self) -> None:
        """No evidence."""
        self.mass = [0.0] * len(self._weights)
        self._bound = 0.0

    def step(self, given: Factor, hours: float) -> bool:
        """Folds one observation; True when the evidence reaches the budget.

        hours: monitored hours since the last one, >= 0, fixed before the outcome.
        """
        if hours != self._hours:
            self._hours, self._drift = hours, [weight * hours for weight in self._weights]
        self._bound = (self._bound + hours) * given.largest * _ROUNDING
        pairs = zip(self.mass, self._drift, given.values, strict=True)
        if self._bound < 0.5 * SATURATION:
            self.mass = [(mass + drift) * by for mass, drift, by in pairs]
        else:
            self.mass = [_limited(mass + drift, by) for mass, drift, by in pairs]
        if self._bound < self.budget:
            return False
        self._bound = self.evidence()
        return self._bound >= self.budget

    def scale(self, by: float) -> None:
        """Multiplies all masses: the drift so far was counted in another unit of time."""
        self.mass = [mass * by for mass in self.mass]
        self._bound *= by * _ROUNDING

    def evidence(self) -> float:
        """Evidence in hours, summed in index order as `esr.total`."""
        total = self.mass[0]
        for mass in self.mass[1:]:
            total += mass
        return total


def _limited(mass: float, by: float) -> float:
    """As esr.step where masses saturate."""
    return min(mass * min(by, SATURATION / max(mass, 1.0)), SATURATION)
