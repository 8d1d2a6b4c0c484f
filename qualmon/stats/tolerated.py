"""The tolerated share: harm below it never pages.

With enough probes a harmless .05 % is always significant, so the null of a page is not "the
healthy rate" but "the healthy rate and a share of `min_share` at most".
"""

from __future__ import annotations

from qualmon.errors import StatisticsError
from qualmon.stats.share import Share


def exceeds(share: Share, min_share: float) -> bool:
    """True when the whole interval lies above `min_share`: an alarm may page, else it opens a
    ticket. Raises StatisticsError for `min_share` outside [0, 1).

    False for a tolerated share with the error of the interval, once the fault is real.
    """
    _check(min_share)
    return share.low > min_share


def tolerated_rate(bound: float, min_share: float) -> float:
    """Rate of bad answers at the edge of the tolerated null: bound + min_share * (1 - bound).

    As the bound of a bet it makes the alarm itself blind to `min_share`, at some delay for
    shares above it. Raises StatisticsError for a bound outside (0, 1) or `min_share` outside
    [0, 1).
    """
    _check(min_share)
    if not 0.0 < bound < 1.0:
        raise StatisticsError(f"bound {bound!r} is not in (0, 1)")
    return bound + min_share * (1.0 - bound)


def _check(min_share: float) -> None:
    if not 0.0 <= min_share < 1.0:
        raise StatisticsError(f"min_share {min_share!r} is not in [0, 1)")
