"""Did all sessions move to another state, or only a share of them?

After an alarm on novelty, each fresh session (identity x round) gives `novel` answers among its
`draws`. In the old state an answer is novel at rate OLD_RATE at most; in another state at a rate
of MOVED_RATE or more, which may differ from session to session.

- change: every session moved. Sessions are any mixture of rates in [MOVED_RATE, 1].
- partial: at most ALL_SESSIONS of the sessions moved, the others answer as before.

Shares between ALL_SESSIONS and 1 belong to neither. Two e-processes, each valid at every look, so
that each wrong verdict has probability alpha at most however often one looks:

- for partial, universal inference: a fixed mixture over shares and rates, divided by an upper
  bound on the best likelihood of any complete change (EM over mixtures of rates; Lindsay's
  gradient bounds what EM still lacks, so that stopping it early costs power, never validity).
- for change, mostly a bet on the count of sessions that look moved, valid whatever the rates
  there; for sessions of few draws also universal inference (half single rates, half predictive
  recursion over mixtures, against the best mixture that leaves the required part unmoved).

Only sessions *after* the alarm may enter: those before hold the onset, and the session that raised
the alarm was selected for being novel.

How many sessions: "all" is told from ALL_SESSIONS of them by ln(1/alpha)/ln(1/ALL_SESSIONS) = 11
sessions at alpha .05 at best, 14 as built, if they have 40 draws and nearly every one shows. A
partial change needs about three sessions that hold nothing new. With one draw a session the two
are the same distribution and the verdict stays undecided; with few draws and rare novelty it
takes as long as the overlap demands.

Catches: misrouting of a share of the identities, and tells it from a change of the serving.
Blind to: states whose novelty is below MOVED_RATE; a return of the old state at the alarm's end.
Source: Wasserman, Ramdas, Balakrishnan, "Universal inference", PNAS 117 (2020), with a mixture
numerator; Lindsay, Ann. Statist. 11 (1983), for the gradient bound; Newton, Sankhya 64 (2002),
for predictive recursion.
"""

from __future__ import annotations

import math
from typing import Final, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.special import bdtrc, gammaln, logsumexp, xlog1py, xlogy

from qualmon.errors import StatisticsError
from qualmon.stats.bets.novelty import NOVELTY_BOUND
from qualmon.stats.esr import Floats

Counts = NDArray[np.int64]
Kind = Literal["regression", "partial", "change", "undecided"]

#: Highest rate of novel answers in the old state.
OLD_RATE: Final = NOVELTY_BOUND
#: Lowest rate of novel answers in a state that counts as another one.
MOVED_RATE: Final = 0.05
#: Up to this share of moved sessions a change is partial.
ALL_SESSIONS: Final = 0.75
#: Sessions below which no verdict is given.
MIN_SESSIONS: Final = 4
#: Shares of sessions that look moved after a complete change, and their prior weights.
LEVELS: Final = (0.85, 0.97, 0.999)
LEVEL_WEIGHTS: Final = (0.25, 0.25, 0.5)
#: Exponent of the steps of predictive recursion, within (1/2, 1].
PACE: Final = 0.67
#: EM steps; what they leave is bounded and counted against the verdict.
STEPS: Final = 60

#: Rates of novel answers in the new state, evenly spaced in arcsine of the root.
RATES: Final = np.sin(np.linspace(math.asin(math.sqrt(MOVED_RATE)), math.pi / 2, 24)) ** 2
#: Shares of moved sessions that a partial change is expected to have, a factor apart.
SHARES: Final = np.geomspace(0.01, ALL_SESSIONS, 10)


class Sessions(NamedTuple):
    """Fresh sessions after the alarm: draws and novel answers of each, shape (..., n)."""

    draws: Counts
    novel: Counts


class Verdict(NamedTuple):
    """kind, the probability (prior 1/2) that all sessions moved, and the evidence.

    log10_partial: against "all moved"; log10_change: against "at most ALL_SESSIONS moved".
    """

    kind: Kind
    probability: float
    log10_partial: float
    log10_change: float


def init() -> Sessions:
    """No session yet."""
    return Sessions(np.zeros(0, dtype=np.int64), np.zeros(0, dtype=np.int64))


def step(state: Sessions, draws: int, novel: int) -> Sessions:
    """Appends one session. Raises StatisticsError for impossible counts."""
    fresh = Sessions(np.append(state.draws, draws), np.append(state.novel, novel))
    _check(fresh)
    return fresh


def verdict(state: Sessions, *, worse: bool = False, alpha: float = 0.05) -> Verdict:
    """Verdict on one incident, each wrong one with probability alpha at most, at every look.

    worse: a quality family is worse, which makes it a regression whatever moved. Raises
    StatisticsError for alpha outside (0, 1) or impossible counts.
    """
    if not 0.0 < alpha < 1.0:
        raise StatisticsError(f"alpha {alpha!r} is not in (0, 1)")
    partial, change, odds = (float(value) for value in evidence(state))
    probability = 1.0 / (1.0 + math.exp(min(-odds, 700.0)))
    limit = -math.log(alpha)
    kind: Kind = "undecided"
    if worse:
        kind = "regression"
    elif state.draws.shape[-1] >= MIN_SESSIONS and max(partial, change) >= limit:
        kind = "partial" if partial >= change else "change"
    return Verdict(kind, probability, partial / math.log(10.0), change / math.log(10.0))


def evidence(state: Sessions) -> tuple[Floats, Floats, Floats]:
    """Log e-values for "partial" and for "change", and log odds of change, each of shape (...).

    Sessions without draws count for nothing (so batches of unequal length may be padded).
    Raises StatisticsError for impossible counts.
    """
    _check(state)
    if state.draws.shape[-1] == 0:
        nothing = np.zeros(state.draws.shape[:-1])
        return nothing, nothing, nothing
    moved = _log_binomial(state, RATES)
    old = _log_binomial(state, np.asarray([OLD_RATE]))
    single = logsumexp(moved.sum(axis=-2), axis=-1) - math.log(len(RATES))
    as_change = np.logaddexp(single, _log_recursive(moved)) - math.log(2.0)
    as_partial = _log_partial(moved, old)
    # The old state's rate may be anything up to OLD_RATE: its best likelihood, session by session.
    best_old = _log_best_old(state)
    kept = np.logaddexp(
        math.log(1.0 - ALL_SESSIONS) + best_old,
        math.log(ALL_SESSIONS) + np.concatenate((best_old, moved), axis=-1),
    )
    mixed = as_change - _log_best(kept)
    return (
        np.asarray(as_partial - _log_best(moved)),
        np.logaddexp(math.log(0.8) + _log_counted(state), math.log(0.2) + mixed),
        np.asarray(as_change - as_partial),
    )


def _check(state: Sessions) -> None:
    wrong = np.flatnonzero((state.novel < 0) | (state.novel > state.draws))
    if len(wrong):
        novel, draws = np.ravel(state.novel)[wrong[0]], np.ravel(state.draws)[wrong[0]]
        raise StatisticsError(f"{novel} novel answers among {draws} draws of a session")


def _log_binomial(state: Sessions, rates: Floats) -> Floats:
    """Log likelihood of each session at each rate, shape (..., n, len(rates))."""
    n = np.asarray(state.draws, dtype=np.float64)[..., None]
    x = np.asarray(state.novel, dtype=np.float64)[..., None]
    ways = gammaln(n + 1.0) - gammaln(x + 1.0) - gammaln(n - x + 1.0)
    return np.asarray(ways + xlogy(x, rates) + xlog1py(n - x, -rates))


def _log_best_old(state: Sessions) -> Floats:
    rate = np.minimum(OLD_RATE, state.novel / np.maximum(state.draws, 1))
    return _log_binomial(state, rate[..., None])


def _log_partial(moved: Floats, old: Floats) -> Floats:
    """Log of the likelihood averaged over SHARES and RATES."""
    parts = [
        np.logaddexp(math.log1p(-share) + old, math.log(share) + moved).sum(axis=-2)
        for share in SHARES
    ]
    size = moved.shape[-1] * len(parts)
    return np.asarray(logsumexp(np.stack(parts), axis=(0, -1)) - math.log(size))


def _log_counted(state: Sessions) -> Floats:
    """Log e-value of "more than ALL_SESSIONS moved" from how many sessions look moved.

    Whatever the rates in the new state: under the null a session looks moved with probability
    `limit` at most, so a bet on `level` above that has mean 1 at most. Sessions in which it is
    above the level bet nothing.
    """
    needed = np.maximum(1.0, np.ceil(state.draws * MOVED_RATE / 2.0))
    stray = np.where(state.draws >= needed, bdtrc(needed - 1.0, state.draws, OLD_RATE), 0.0)
    limit = (ALL_SESSIONS + (1.0 - ALL_SESSIONS) * stray)[..., None]
    level = np.maximum(np.asarray(LEVELS), limit)
    looks_moved = (state.novel >= needed)[..., None]
    factor = np.where(looks_moved, level / limit, (1.0 - level) / (1.0 - limit))
    factor = np.where(state.draws[..., None] > 0, factor, 1.0)
    return np.asarray(logsumexp(np.log(factor).sum(axis=-2) + np.log(LEVEL_WEIGHTS), axis=-1))


def _log_recursive(moved: Floats) -> Floats:
    """Log likelihood of predictive recursion: each session under weights from those before it."""
    weights = np.full((*moved.shape[:-2], moved.shape[-1]), 1.0 / moved.shape[-1])
    total = np.zeros(moved.shape[:-2])
    for i in range(moved.shape[-2]):
        joint = moved[..., i, :] + np.log(weights)
        mixed = logsumexp(joint, axis=-1)
        total = total + mixed
        pace = (i + 2.0) ** -PACE
        weights = (1.0 - pace) * weights + pace * np.exp(joint - mixed[..., None])
    return np.asarray(total)


def _log_best(components: Floats) -> Floats:
    """Upper bound on the best log likelihood of any mixture of the components (last axis)."""
    top = components.max(axis=-1, keepdims=True)
    density = np.exp(components - top)
    number = density.shape[-2]
    weights = np.full((*density.shape[:-2], density.shape[-1]), 1.0 / density.shape[-1])
    for _ in range(STEPS):
        mixed = np.einsum("...nk,...k->...n", density, weights)
        slope = np.einsum("...nk,...n->...k", density, 1.0 / mixed) / number
        weights = weights * slope
    mixed = np.einsum("...nk,...k->...n", density, weights)
    slope = np.einsum("...nk,...n->...k", density, 1.0 / mixed) / number
    fitted = np.log(mixed).sum(axis=-1) + top[..., 0].sum(axis=-1)
    return np.asarray(fitted + number * np.log(slope.max(axis=-1)))
