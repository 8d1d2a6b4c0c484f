"""The slot clock of a stream whose schedule is not declared: it is learned from the past.

`clock` needs the interval of the schedule, because a gap earns two intervals at most. Here the
interval is the running mean of the spacings so far (each as capped, the last 50 or so), which
is fixed before the next outcome. A lower cap only slows the detector: any predictable one
keeps the guarantee in monitored hours, and so in hours.
"""

from __future__ import annotations

from typing import Final

from qualmon.stats.clock import GAP_INTERVALS

#: Spacings that the running mean remembers: a slower schedule doubles the mean after about 35.
REMEMBERED: Final = 50


class Spacing:
    """usual: hours between two slots, meaningless before the first spacing was seen."""

    __slots__ = ("_first_cap", "_seen", "usual")

    def __init__(self, first_cap: float) -> None:
        """first_cap: hours that the first spacing earns at most, when nothing is known."""
        self._first_cap = first_cap
        self._seen = 0
        self.usual = 0.0

    def earned(self, since: float) -> float:
        """Monitored hours of a slot `since` hours (> 0) after the last one; learns from it."""
        if self._seen < REMEMBERED:
            self._seen += 1
        if since == self.usual:
            return since
        hours = min(since, GAP_INTERVALS * self.usual if self._seen > 1 else self._first_cap)
        self.usual += (hours - self.usual) / self._seen
        return hours
