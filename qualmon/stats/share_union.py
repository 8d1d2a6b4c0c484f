"""The share of bad answers where an alarm rests on few hits: an interval that covers always.

A union of confidence sequences over the plausible onsets, each at its part of alpha. It holds for
onsets chosen at hits, too, if the chosen hit is left out of the counts; the price is width. Where
onsets are chosen by the clock and alarms rest on more, `share.share` is three times as narrow.

Source: Robbins 1970 for the sequences; the union over onsets is Bonferroni's.
"""

from __future__ import annotations

from collections.abc import Sequence

from qualmon.stats.bounds import confidence_sequence
from qualmon.stats.share import MIN_HITS_FOR_POINT, Share, Window, likeliest


def united(windows: Sequence[Window], bound: float, alpha: float = 0.05) -> Share:
    """Interval at level 1 - alpha for the contaminated share; (0, 1) without answers."""
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
