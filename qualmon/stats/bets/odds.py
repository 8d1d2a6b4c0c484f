"""Conditional change-in-odds bets: did these targets get worse *than the others*?

Given that s of k targets failed one prompt in one round, everything common to the targets
(how hard the prompt is, how bad the round) has cancelled: the healthy law of the set S of
failures is P(S | s) = exp(sum of b_j over S) / e_s(exp b), with b the healthy log-odds offsets of
the targets on that prompt and e_s the elementary symmetric polynomial. Exchangeability is b = 0
and false between platforms. A node J of targets whose odds rose by e^theta is bet on by

    exp(theta N) e_s(w) / e_s(w with w_j e^theta for j in J),   w = exp b, N = |S and J|.

Its healthy mean rises in each offset within J and falls in each outside (the covariances of a
conditional Bernoulli law between targets are negative), so upper limits within J and, where they
matter, lower ones outside are least favourable: with them the mean is <= 1.

No bet is made when s = 0, s = k or more than half of the targets failed: then who is spared
carries the news, and the bet would blame the healthy. A node of more than half of the targets has
no control and is refused.

Catches: a rise of a node's odds of failure against its controls. Blind to: faults common to all;
an improvement of the controls looks the same; small shares where day effects differ between
targets (see odds_days). Condition: parallel trends of log odds; audit it (odds_audit), and where
it fails open tickets only.

Sources: Cox, "The regression analysis of binary sequences" (JRSS B 20, 1958), for the conditional
law; Chen, Liu, "Statistical applications of the Poisson-binomial and conditional Bernoulli
distributions" (Statistica Sinica 7, 1997), for the recursion.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Final

import numpy as np

from qualmon.errors import StatisticsError
from qualmon.stats.esr import Floats

#: Rises of the log odds that are bet on: odds x 1.16 to x 81. At a healthy rate of 2 % these
#: are shares of .3 to 60 %.
ODDS_GRID: Final[tuple[float, ...]] = (0.15, 0.3, 0.5, 0.8, 1.3, 2.0, 3.0, 4.4)

#: The recursion is quadratic; offsets beyond 50 (odds of 1e21) are a mistake in their unit.
MAX_TARGETS: Final = 20
MAX_OFFSET: Final = 50.0


def log_elementary(offsets: Floats) -> Floats:
    """log e_0, ..., log e_k of w = exp(offsets); offsets (..., k), result (..., k + 1).

    Sums of positive terms in the log domain: no cancellation at any offset.
    """
    k = offsets.shape[-1]
    found = np.full((*offsets.shape[:-1], k + 1), -np.inf)
    found[..., 0] = 0.0
    for j in range(k):
        grown = found[..., : j + 1] + offsets[..., j, None]
        found[..., 1 : j + 2] = np.logaddexp(found[..., 1 : j + 2], grown)
    return found


def least_favourable(lower: Sequence[float], upper: Sequence[float], node: Sequence[int]) -> Floats:
    """Offsets for a bet on `node`: upper limits within, lower limits outside; shape (k,).

    Where limits are of contrasts with the controls, pass the estimates as `lower`.
    Raises StatisticsError for limits that cross, are not finite or beyond MAX_OFFSET.
    """
    low, high = checked_offsets(lower), checked_offsets(upper)
    if low.shape != high.shape or not (low <= high).all():
        raise StatisticsError(f"lower limits {tuple(lower)!r} above upper {tuple(upper)!r}")
    members = _members(len(low), node)
    return np.where(members, high, low)


def log_normaliser(offsets: Floats, node: Sequence[int], rises: Floats) -> Floats:
    """log E exp(rise x N) given s failures, shape (rises, k + 1): column s; nan-free.

    What a bet divides by: (rises,) values of the log odds' rise in the targets of `node`.
    """
    members = _members(len(offsets), node)
    raised = offsets + np.asarray(rises)[:, None] * members
    return np.asarray(log_elementary(raised) - log_elementary(offsets))


def node_moments(offsets: Sequence[float], node: Sequence[int]) -> tuple[Floats, Floats]:
    """Healthy mean and variance of the node's failures given s failures, each (k + 1,).

    For the audit of day effects. Raises StatisticsError like odds_bet.
    """
    b = checked_offsets(offsets)
    chosen = _members(len(b), node) > 0.0
    inside, outside = log_elementary(b[chosen]), log_elementary(b[~chosen])
    whole = log_elementary(b)
    mean, square = np.zeros(len(b) + 1), np.zeros(len(b) + 1)
    for hits, ways in enumerate(inside):
        chance = np.exp(ways + outside - whole[hits : hits + len(outside)])
        mean[hits : hits + len(outside)] += hits * chance
        square[hits : hits + len(outside)] += hits**2 * chance
    return mean, square - mean**2


def odds_bet(
    failed: Sequence[bool],
    offsets: Sequence[float],
    node: Sequence[int],
    grid: Sequence[float] = ODDS_GRID,
) -> Floats:
    """Factor per rise of `grid` (> 0), shape (K,); ones where no bet is made.

    failed: one per target, of one prompt in one round; a target without an answer is left out
    of `failed`, `offsets` and the indices of `node` alike. offsets: least favourable ones.
    Raises StatisticsError for offsets not finite or beyond MAX_OFFSET, more than MAX_TARGETS
    targets, a node that is empty, unknown or more than half of the targets, rises not > 0.
    """
    b = checked_offsets(offsets)
    rises = np.asarray(grid, dtype=np.float64)
    if len(failed) != len(b):
        raise StatisticsError(f"{len(failed)} outcomes, {len(b)} offsets")
    if not (np.isfinite(rises).all() and (rises > 0.0).all()):
        raise StatisticsError(f"rises {tuple(grid)!r} are not finite and > 0")
    members = _members(len(b), node)
    s = int(sum(failed))
    if not bets_on(s, len(b)):
        return np.ones(len(rises))
    hits = int(members[np.asarray(failed, dtype=bool)].sum())
    return np.asarray(np.exp(rises * hits - log_normaliser(b, node, rises)[:, s]))


def bets_on(failures: int, targets: int) -> bool:
    """Whether `failures` of `targets` say anything and do not invert the bet."""
    return 0 < failures <= targets // 2


def checked_offsets(offsets: Sequence[float]) -> Floats:
    """As an array. Raises StatisticsError unless 2 to MAX_TARGETS values within MAX_OFFSET."""
    b = np.asarray(offsets, dtype=np.float64)
    if b.ndim != 1 or not 2 <= len(b) <= MAX_TARGETS:
        raise StatisticsError(f"offsets of shape {b.shape}: give 2 to {MAX_TARGETS} targets")
    if not all(math.isfinite(value) and abs(value) <= MAX_OFFSET for value in b):
        raise StatisticsError(f"offsets {tuple(offsets)!r} are not log odds within 50 of 0")
    return b


def _members(targets: int, node: Sequence[int]) -> Floats:
    """Indicator of the node. Two targets have a control each: half is allowed, more is not."""
    chosen = set(node)
    if not chosen or not chosen <= set(range(targets)) or len(chosen) != len(node):
        raise StatisticsError(f"node {tuple(node)!r} is not a set of targets 0..{targets - 1}")
    if 2 * len(chosen) > targets:
        raise StatisticsError(f"node of {len(chosen)} of {targets} targets has too few controls")
    found = np.zeros(targets)
    found[sorted(chosen)] = 1.0
    return found
