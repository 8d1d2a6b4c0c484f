"""What a score in [0, 1] of a stream is worth: against a declared mean, or a frozen reference.

For the counts behind onset and share a score is a hit when it lies beyond a cut: one that few
healthy scores exceed, or the middle of the range where only the mean is known (Markov: at most
twice the mean of healthy scores lies there). The share is therefore that of answers whose
scores are visibly bad.

Prompts share one reference: scores must come from the same mix of prompts as in health.
Catches, blind to: as `bets.bounded`.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from typing import Final

import numpy as np

from qualmon.errors import StatisticsError
from qualmon.stats.bets import bounded
from qualmon.stats.detector import EVENTS
from qualmon.stats.scalar import Factor
from qualmon.stats.stream import Health, Worth, worth
from qualmon.stats.valuation import Counts, even, null_rate

#: A hit exceeds what about this share of healthy scores exceed.
_USUAL_EXCEEDANCE: Final = 0.05
#: Where only a mean is known, a score is a hit from here on.
_MIDDLE: Final = 0.5


class DeclaredMean:
    """Scores against a declared healthy mean: the e-value is score / mean."""

    def __init__(self, mean: float) -> None:
        """Raises StatisticsError for a mean outside (0, 1)."""
        self._mean = null_rate(mean)
        self.health = Health(min(mean / _MIDDLE, 0.99), "declared")
        self.weights: Sequence[float] = EVENTS.weights

    def worth(self, _prompt: str | None, value: float) -> Worth:
        """The bet on one score; raises StatisticsError for one outside [0, 1]."""
        score = float(bounded.scores(value))
        return worth(score / self._mean, float(score >= _MIDDLE))


class Scores:
    """Scores against a reference: `bets.bounded`, one bet for each of its finitely many bins."""

    def __init__(self, reference: Sequence[float], days: Sequence[int]) -> None:
        """reference: healthy scores; days: the block of time of each, for the dispersion check.

        Raises StatisticsError for an empty reference, impossible scores, or the worst only.
        """
        bets = bounded.fit(reference)
        self._cuts = bets.thresholds.tolist()
        self.weights: Sequence[float] = bets.weights.tolist()
        # Beyond the first bin, which every score reaches.
        usual = 1 + int(np.argmin(np.abs(np.log(bets.tails[1:] / _USUAL_EXCEEDANCE))))
        self._bets = [
            Worth(Factor(tuple(row), max(row)), float(bin_ >= usual))
            for bin_, row in enumerate(bets.dictionary.factors.tolist())
        ]
        bad = bounded.outcome(bets, reference) >= usual
        calm = even(_by_day(bad, days))
        self.health = Health(float(bets.tails[usual]), "proven" if calm else "refused")

    def worth(self, _prompt: str | None, value: float) -> Worth:
        """The bet on one score; raises StatisticsError for one outside [0, 1]."""
        if not 0.0 <= value <= 1.0:
            raise StatisticsError(f"score {value!r} is not in [0, 1]")
        return self._bets[bisect_left(self._cuts, value)]


def _by_day(bad: np.ndarray, days: Sequence[int]) -> list[Counts]:
    _, day = np.unique(np.asarray(days), return_inverse=True)
    pairs = zip(np.bincount(day), np.bincount(day, weights=bad), strict=True)
    return [Counts(int(n), float(hits)) for n, hits in pairs]
