"""Change-in-odds bets when each day moves a node's odds a little: the day is the cluster.

A node's offset on day d is b + u_d, u_d normal with standard deviation at most `sd`, drawn anew
each day and shared by all its answers. Within the day the healthy law is the mixture over u of the
conditional laws of `odds`; the bet is the likelihood ratio of that mixture moved up by theta
against itself. It is as sharp as independent answers while sd is 0, and however many answers a
day brings, a day is worth no more than one draw of u moved by theta.

A known margin (every offset raised by 3 sd, answers multiplied) is the simpler alternative; it
bets at once but can never see a rise below the margin, and holds only while |u| stays below it.

At the end of a day its mean is 1 at sd itself and less at smaller ones. Within the day it may be
read, to give the alarm early, divided by EARLY: stopping where it stands high would else gain up to
9 % when the true deviation is 0. Both were found by exact backward recursion over all ways to stop,
for sd .1 to 1 and 20 to 150 informative answers (tests repeat it at some of them).

Catches and is blind as `odds`; shares whose rise is small against sd take many days, and within
a budget of few days are missed. Source: Robbins 1970, the mixture martingale; Cox 1958.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Final, NamedTuple

import numpy as np
from scipy.special import logsumexp

from qualmon.errors import StatisticsError
from qualmon.stats.bets.odds import ODDS_GRID, bets_on, checked_offsets, log_normaliser
from qualmon.stats.esr import Floats
from qualmon.stats.grids import SATURATION

#: Points of u every quarter of a deviation, from 4 below 0 to 4 above the largest rise.
_STEPS: Final = 4
_REACH: Final = 4.0
#: Smaller deviations are bet on as this one (they are within its bound).
_LEAST: Final = 0.05
#: What a reading before the end of the day is divided by.
EARLY: Final = 1.2


class DayLaw(NamedTuple):
    """Frozen: u, (U,), points of the day effect; healthy, (U,), their log probabilities;
    raised, (K, U), those under each rise of the grid."""

    u: Floats
    healthy: Floats
    raised: Floats


def day_law(sd: float, grid: Sequence[float] = ODDS_GRID) -> DayLaw:
    """Points for day effects of standard deviation at most `sd` (log odds, in [0, 3]).

    Raises StatisticsError for another sd or rises not finite and > 0.
    """
    if not 0.0 <= sd <= 3.0:
        raise StatisticsError(f"day deviation {sd!r} is not in [0, 3] of log odds")
    rises = np.asarray(grid, dtype=np.float64)
    if not (np.isfinite(rises).all() and (rises > 0.0).all()):
        raise StatisticsError(f"rises {tuple(grid)!r} are not finite and > 0")
    centres = np.concatenate([[0.0], rises])
    if sd == 0.0:
        logs = np.where(np.eye(len(centres), dtype=bool), 0.0, -np.inf)
        return DayLaw(centres, logs[0], logs[1:])
    deviation = max(sd, _LEAST)
    step = deviation / _STEPS
    u = np.arange(-_REACH * deviation, rises.max() + (_REACH + 0.5) * deviation, step)
    logs = -0.5 * ((u - centres[:, None]) / deviation) ** 2
    logs -= np.log(np.exp(logs).sum(axis=1, keepdims=True))
    return DayLaw(u, logs[0], logs[1:])


def day_start(law: DayLaw) -> Floats:
    """Log likelihood of no answers, shape (U,)."""
    return np.zeros(len(law.u))


def day_step(
    law: DayLaw,
    logs: Floats,
    failed: Sequence[bool],
    offsets: Sequence[float],
    node: Sequence[int],
) -> Floats:
    """Adds one prompt in one round, arguments and errors as in `odds_bet`; shape (U,)."""
    b = checked_offsets(offsets)
    if len(failed) != len(b):
        raise StatisticsError(f"{len(failed)} outcomes, {len(b)} offsets")
    normaliser = log_normaliser(b, node, law.u)
    s = int(sum(failed))
    if not bets_on(s, len(b)):
        return logs
    hits = sum(bool(failed[j]) for j in node)
    return np.asarray(logs + law.u * hits - normaliser[:, s])


def day_factors(law: DayLaw, logs: Floats, *, complete: bool) -> Floats:
    """The day's factor per rise so far, shape (K,), upon the masses at the day's start.

    complete: the day is over, so that the factors may enter the masses; before, they are divided
    by EARLY and only tell whether the alarm is reached. Raises StatisticsError for logs that
    are not finite.
    """
    if not np.isfinite(logs).all():
        raise StatisticsError(f"log likelihoods {logs!r} are not finite")
    ratio = logsumexp(law.raised + logs, axis=1) - logsumexp(law.healthy + logs)
    factors = np.exp(np.minimum(ratio, math.log(SATURATION)))
    return np.asarray(factors if complete else factors / EARLY)
