"""The visible share of bad answers since a fault began, with an interval.

The onset is estimated, so the interval is a union of confidence sequences over the onsets
that remain plausible, each at its part of alpha (statistics: conditional on true detection).
It is a lower bound on bad answers: what no scorer sees is not in it.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

from qualmon.stats.bounds import confidence_sequence
from qualmon.stats.grids import EPS_GRID

#: Below this many hits a point estimate misleads (2.7 x too high in the median).
MIN_HITS_FOR_POINT = 10


class Window(NamedTuple):
    """Answers and hits since one candidate onset (slot time). Hits may be fractions: a cluster
    counts as one answer with its mean."""

    start: float
    n: int
    hits: float


class Share(NamedTuple):
    """Share in [0, 1]; point is None below ten hits."""

    point: float | None
    low: float
    high: float


def log_likelihood_ratio(n: int, hits: float, bound: float) -> float:
    """log of the mean over EPS_GRID of the contamination likelihood ratio at rate `bound`."""
    gain = 1.0 / bound - 1.0
    logs = [hits * math.log1p(eps * gain) + (n - hits) * math.log1p(-eps) for eps in EPS_GRID]
    top = max(logs)
    return top + math.log(sum(math.exp(value - top) for value in logs) / len(logs))


def plausible(windows: Sequence[Window], bound: float, keep: int = 8) -> tuple[Window, ...]:
    """The likeliest onsets: windows within a factor 40 of the best, `keep` at most."""
    rated = [(log_likelihood_ratio(w.n, w.hits, bound), w) for w in windows if w.n]
    if not rated:
        return ()
    best = max(value for value, _ in rated)
    near = sorted((item for item in rated if item[0] >= best - math.log(40.0)), reverse=True)
    return tuple(sorted(window for _, window in near[:keep]))


def likeliest(windows: Sequence[Window], bound: float) -> Window:
    """The window since the likeliest onset; `windows` must not be empty."""
    return max(windows, key=lambda w: log_likelihood_ratio(w.n, w.hits, bound))


def share(windows: Sequence[Window], bound: float, alpha: float = 0.05) -> Share:
    """Interval at level 1 - alpha for the contaminated share, given the plausible onsets."""
    windows = [window for window in windows if window.n]
    if not windows:
        return Share(None, 0.0, 1.0)
    level = alpha / len(windows)
    limits = [confidence_sequence(w.n, w.hits, level) for w in windows]
    best = likeliest(windows, bound)
    enough = best.hits >= MIN_HITS_FOR_POINT
    return Share(
        _contaminated(best.hits / best.n, bound) if enough else None,
        _contaminated(min(low for low, _ in limits), bound),
        _contaminated(max(high for _, high in limits), bound),
    )


def _contaminated(rate: float, bound: float) -> float:
    """Share eps with rate = bound + eps * (1 - bound); 0 at or below the bound."""
    return max(0.0, (rate - bound) / (1.0 - bound))
