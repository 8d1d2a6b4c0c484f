"""The visible share of bad answers since a fault began, with an interval.

Onset and share are both unknown, so both are weighed: every plausible onset by the likelihood of
what was seen since, over shares from 1e-5 to 1 whose logarithm is equally likely beforehand. The
interval leaves out a twentieth of alpha below and a fifth above, and not half of it on each side:
an alarm is raised by a cluster of hits, so what it shows is too large rather than too small.

Its coverage, given a true detection, is measured and not proven (`python -m benchmarks detection
--only lifecycle`), for onsets at the starts of blocks of rounds; `share_union` covers always and
is three times as wide. It is a lower bound on bad answers: what no scorer sees is not in it.
Answers are taken as independent; of a cluster give one answer with its mean.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Final, NamedTuple

import numpy as np

from qualmon.stats.esr import Floats
from qualmon.stats.grids import EPS_GRID

#: Below this many hits a point estimate misleads (2.7 x too high in the median).
MIN_HITS_FOR_POINT = 10

#: Parts of alpha that the interval leaves out below and above.
TAILS: Final = (0.05, 0.2)

#: Shares that are weighed, 24 to a decade; below the first one an interval begins at 0.
SHARES: Final[Floats] = np.geomspace(1e-5, 1.0, 121)


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
    """Interval at about level 1 - alpha for the contaminated share, given the plausible onsets.

    The point is the median, between the same onsets and shares. Without answers the interval is
    (0, 1).
    """
    windows = [window for window in windows if window.n]
    if not windows:
        return Share(None, 0.0, 1.0)
    weight = _weights(windows, bound)
    below, above = (part * alpha for part in TAILS)
    low, middle, high = (_quantile(weight, q) for q in (below, 0.5, 1.0 - above))
    enough = likeliest(windows, bound).hits >= MIN_HITS_FOR_POINT
    first = 0.0 if low == 0 else float(SHARES[low - 1])
    last = float(SHARES[min(high + 1, len(SHARES) - 1)])
    return Share(float(SHARES[middle]) if enough else None, first, last)


def _weights(windows: Sequence[Window], bound: float) -> Floats:
    """Weight of each of SHARES, summed over the onsets, in proportion to 1."""
    n = np.array([[window.n] for window in windows], dtype=np.float64)
    hits = np.array([[window.hits] for window in windows], dtype=np.float64)
    # A share of 1 leaves no good answer: 0 * log 0 is 0 where there was none.
    sound = np.log1p(-np.minimum(SHARES, 1.0 - 1e-15))
    logs = hits * np.log1p(SHARES * (1.0 / bound - 1.0)) + (n - hits) * sound
    weight = np.exp(logs - logs.max()).sum(axis=0)
    return np.asarray(weight / weight.sum())


def _quantile(weight: Floats, q: float) -> int:
    """Index of the first share at which the weights reach q."""
    reached = int(np.searchsorted(np.cumsum(weight), q))
    return min(reached, len(weight) - 1)
