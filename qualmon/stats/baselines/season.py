"""Healthy rates that follow the clock: strata of the day or week, or their peak.

A mean baseline is no bound while the rate swings: bets made at the peak have mean above 1, and
their product grows on every afternoon. Each stratum's own bound is one (the bet of an answer
at hour h is bad / rate(h)); so is the peak, at a longer delay. Strata are fixed before the data
and in the clock of the season's cause (the provider's local time, mostly).
Blind to: a fault that is itself seasonal and was in the reference.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

from qualmon.errors import StatisticsError
from qualmon.stats.bounds import upper_limit


class Season(NamedTuple):
    """Upper bounds of the healthy rate by stratum, in (0, 1]; equal parts of `period` hours."""

    rates: tuple[float, ...]
    period: float


def season(rates: Sequence[float], period: float = 168.0) -> Season:
    """Known rates of equal parts of `period` hours (24: hour of day, 168: hour of week).

    Raises StatisticsError for no rates, rates outside (0, 1] or a period that is not > 0.
    """
    if not (math.isfinite(period) and period > 0.0):
        raise StatisticsError(f"period {period!r} is not a finite number of hours > 0")
    if not rates or not all(0.0 < rate <= 1.0 for rate in rates):
        raise StatisticsError(f"seasonal rates {tuple(rates)!r} are not all in (0, 1]")
    return Season(tuple(rates), period)


def fitted(
    answers: Sequence[int], bad: Sequence[int], period: float = 168.0, confidence: float = 0.95
) -> Season:
    """Upper confidence limits by stratum from a reference; a stratum without answers gets 1.

    Each limit holds with probability `confidence` on its own, so most strata are overstated
    and a few understated. Raises StatisticsError for impossible counts.
    """
    if len(answers) != len(bad):
        raise StatisticsError(f"{len(answers)} strata of answers, {len(bad)} of bad answers")
    limits = [upper_limit(n, hits, confidence) for n, hits in zip(answers, bad, strict=True)]
    return season(limits, period)


def stratum(known: Season, hours: float) -> int:
    """Index of the stratum at `hours` since the start of any period."""
    if not math.isfinite(hours):
        raise StatisticsError(f"time {hours!r} is not a finite number of hours")
    return int((hours % known.period) / known.period * len(known.rates)) % len(known.rates)


def rate(known: Season, hours: float) -> float:
    """Bound of the healthy rate at `hours`."""
    return known.rates[stratum(known, hours)]


def peak(known: Season) -> float:
    """The largest rate: a bound for all hours where the phase is not known."""
    return max(known.rates)
