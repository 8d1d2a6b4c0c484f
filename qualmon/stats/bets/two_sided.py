"""Two-sided bets: the one-sided dictionary and its mirror image, each with half the weight.

A mirrored bet has masses of its own, so the price of watching both sides is log 2 in evidence,
once. Catches: scores or categories that become worse or better (a judge that praises all, a
cached answer). Blind to: a change that moves answers from both ends to the middle.

Source: an average of e-detectors is one (Shin, Ramdas, Rinaldo, NEJSDS 2023).
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from qualmon.errors import StatisticsError
from qualmon.stats.bets import bounded, category, tail_bounds
from qualmon.stats.bets.bounded import ScoreBets
from qualmon.stats.bets.dictionary import Dictionary
from qualmon.stats.detector import EVENTS, Design
from qualmon.stats.esr import Floats


class TwoSided(NamedTuple):
    """Bets on a score in [0, 1]: `high` on the score, `low` on 1 - score."""

    high: ScoreBets
    low: ScoreBets

    @property
    def weights(self) -> Floats:
        """Prior weights, those of `high` first, sum 1."""
        return np.concatenate([self.high.weights, self.low.weights]) / 2.0


def fit(
    reference: ArrayLike,
    *,
    confidence: float | None = tail_bounds.CONFIDENCE,
    design: Design = EVENTS,
) -> TwoSided:
    """Bets on both sides of healthy `reference` scores; as `bounded.fit`, whose errors it raises.

    The risk 1 - confidence is split between the sides, so that both are valid together.
    Raises StatisticsError too for a reference of zeros alone, below which nothing lies.
    """
    found = bounded.scores(reference)
    if found.size and not found.any():
        raise StatisticsError("every reference score is 0, so there is one side; use `bounded`")
    each = _each(confidence)
    return TwoSided(
        bounded.fit(found, confidence=each, design=design),
        bounded.fit(1.0 - found, confidence=each, design=design),
    )


def factors(bets: TwoSided, score: ArrayLike) -> Floats:
    """Factors of scores of any shape (...,): shape (..., M of high + M of low)."""
    found = bounded.scores(score)
    sides = bounded.factors(bets.high, found), bounded.factors(bets.low, 1.0 - found)
    return np.concatenate(sides, axis=-1)


def known_categories(probabilities: ArrayLike, *, design: Design = EVENTS) -> Dictionary:
    """Both sides of `category.known`: worse and better categories. Raises as that does."""
    given = np.asarray(probabilities, dtype=np.float64)
    return _both(category.known(given, design=design), category.known(given[::-1], design=design))


def fit_categories(
    counts: ArrayLike,
    *,
    confidence: float | None = tail_bounds.CONFIDENCE,
    design: Design = EVENTS,
) -> Dictionary:
    """Both sides of `category.fit`, the risk split between them. Raises as that does."""
    given, each = np.asarray(counts, dtype=np.float64), _each(confidence)
    return _both(
        category.fit(given, confidence=each, design=design),
        category.fit(given[::-1], confidence=each, design=design),
    )


def _each(confidence: float | None) -> float | None:
    return None if confidence is None else (1.0 + confidence) / 2.0


def _both(worse: Dictionary, better: Dictionary) -> Dictionary:
    return Dictionary(
        np.concatenate([worse.factors, better.factors[::-1]], axis=1),
        np.concatenate([worse.weights, better.weights]) / 2.0,
        (*worse.templates, *(f"mirrored {name}" for name in better.templates)),
        worse.shares,
    )
