"""Evidence that a fault ended: a test of "the share is still at least half of what it was".

R <- max(R, 1) * L with L the likelihood ratio of the healthy bound against half the share.
A single hit at the healthy rate costs evidence but does not start over. The caller also
demands that the run of evidence spans a day, because faults follow load; time in which
nothing was judged counts towards no span, for absent is never healthy.
"""

from __future__ import annotations

from typing import NamedTuple

from qualmon.errors import StatisticsError


class Recovery(NamedTuple):
    """evidence: >= 1. since: slot time at which the present run of evidence began, moved on
    by the gaps in it. last: slot time of the last judged answers."""

    evidence: float
    since: float
    last: float


def start(at: float) -> Recovery:
    """No evidence of recovery at slot time `at`."""
    return Recovery(1.0, at, at)


def step(
    state: Recovery,
    at: float,
    n: int,
    hits: int,
    *,
    bound: float,
    share: float,
    gap: float,
    most: float,
) -> Recovery:
    """Folds one round: `hits` of `n` answers judged at slot time `at`.

    share: the fault's share (its lower end if unsure). gap: seconds without answers that are
    usual between rounds. most: evidence is kept below this, so that a relapse shows soon.
    A round without answers changes nothing. Raises StatisticsError for impossible counts.
    """
    if not 0 <= hits <= n:
        raise StatisticsError(f"{hits} hits among {n} answers")
    if n == 0:
        return state
    still = bound + (1.0 - bound) * max(share, 2.0 * bound) / 2.0
    ratio = ((1.0 - bound) / (1.0 - still)) ** (n - hits) * (bound / still) ** hits
    evidence = state.evidence * ratio
    if evidence <= 1.0:
        return start(at)
    unseen = max(0.0, at - state.last - gap)
    return Recovery(min(evidence, most), state.since + unseen, at)
