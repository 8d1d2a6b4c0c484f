"""The slot clock: monitored hours between rounds, fixed before any of their outcomes.

The drift of the detector must not depend on outcomes. Completion times do where bad answers
come late, so hours are differences of *slot* times. A gap earns two intervals at most: the
guarantee counts monitored hours, and silence is not monitoring.
"""

from __future__ import annotations

import math
from typing import Final, NamedTuple

import numpy as np

from qualmon.errors import StatisticsError
from qualmon.stats.esr import Floats

#: Monitored hours per update are capped at this many intervals.
GAP_INTERVALS: Final = 2.0

_HOUR: Final = 3600.0


class Clock(NamedTuple):
    """last: slot time of each stream's last round, seconds, any shape; nan before the first."""

    last: Floats


def init(shape: tuple[int, ...] = ()) -> Clock:
    """No round yet, for one stream or an array of streams."""
    return Clock(np.full(shape, np.nan))


def step(
    clock: Clock, slot: float, every: float, asked: Floats | bool = True
) -> tuple[Clock, Floats]:
    """The clock after a round at `slot`, and the hours that it earns each stream.

    slot: seconds, the time at which the round was due. every: interval of the schedule,
    seconds. asked: which streams the plan of the round feeds, broadcast to the clock; the
    others earn nothing now. A stream's first round earns one interval. Raises StatisticsError
    for times that are not finite, an interval that is not positive, and time that goes back.
    """
    if not (math.isfinite(slot) and math.isfinite(every) and every > 0.0):
        raise StatisticsError(
            f"slot {slot!r} every {every!r} s", remedy="Give finite seconds, every > 0"
        )
    fed = np.broadcast_to(np.asarray(asked, dtype=np.bool_), np.shape(clock.last))
    since = np.where(np.isnan(clock.last), every, slot - clock.last)
    if (since[fed] < 0.0).any():
        raise StatisticsError(
            f"slot {slot!r} lies before the last one, {float(np.nanmax(clock.last))!r}",
            remedy="Fold rounds in the order of their slots",
        )
    earned = np.where(fed, np.minimum(since, GAP_INTERVALS * every), 0.0) / _HOUR
    return Clock(np.where(fed, slot, clock.last)), np.asarray(earned)
