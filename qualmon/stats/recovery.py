"""Evidence that a fault ended: a test of "the share is still at least half of what it was".

R <- max(R, 1) * L with L the likelihood ratio of the healthy bound against half the share.
A single hit at the healthy rate costs evidence but does not start over. The caller also
demands that the run of evidence spans a day, because faults follow load.
"""

from __future__ import annotations

from typing import NamedTuple

from qualmon.errors import StatisticsError

_CAP = 1e12


class Recovery(NamedTuple):
    """evidence: >= 1. since: slot time at which the present run of evidence began."""

    evidence: float
    since: float


def start(at: float) -> Recovery:
    """No evidence of recovery at slot time `at`."""
    return Recovery(1.0, at)


def step(state: Recovery, at: float, n: int, hits: int, bound: float, share: float) -> Recovery:
    """Folds one round: `hits` of `n`; share: the fault's share (its lower end if unsure).

    Raises StatisticsError when counts are impossible.
    """
    if not 0 <= hits <= n:
        raise StatisticsError(f"{hits} hits among {n} answers")
    still = bound + (1.0 - bound) * max(share, 2.0 * bound) / 2.0
    ratio = ((1.0 - bound) / (1.0 - still)) ** (n - hits) * (bound / still) ** hits
    if state.evidence * ratio <= 1.0:
        return Recovery(1.0, at)
    return Recovery(min(state.evidence * ratio, _CAP), state.since)
