"""Several known serving states of one target, and which of them a session is in.

An endpoint may serve from two builds, each session wholly from one of them: neither is a fault.
An accepted state is a named table of answer counts per prompt; a session is matched to it by
its predictive likelihood (Dirichlet-multinomial, prompts and draws independent within a state).

Catches: the return of a known state, by name; a session that fits none of them.
Blind to: a fault that changes no answer's frequency, and states closer than a session can tell.
Source: Good, The Estimation of Probabilities (1965), for the symmetric Dirichlet prior.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import gammaln, logsumexp

from qualmon.errors import StatisticsError
from qualmon.stats.esr import Floats

#: Prior answers of a prompt, spread evenly over its categories: a category never seen in m
#: answers keeps the rate 1 / (categories (m + 1)).
_PRIOR: Final = 1.0


class State(NamedTuple):
    """An accepted state. counts: (prompts, categories), reference answers, the same order of
    categories in every state (the last one may stand for "other")."""

    name: str
    counts: Floats


class Match(NamedTuple):
    """name: the state the session is in, None if none of them or not told apart. posterior: by
    state, equal prior weights. log_novelty: log e-value against "one of the known states"."""

    name: str | None
    posterior: tuple[float, ...]
    log_novelty: float


def match(
    session: ArrayLike, states: Sequence[State], *, sure: float = 0.99, alpha: float = 1e-3
) -> Match:
    """Names the state of a session; session: (prompts, categories), its answers.

    A state is named when its posterior among the known ones is at least `sure` and "none of
    them" is not shown: the likelihood of answers with frequencies of their own, over that of the
    best known state, stays below 1/alpha. That ratio is an e-value of each known state, so a
    session of a known state is called unknown with probability alpha at most. Raises
    StatisticsError for no state, impossible counts, shapes that differ, or `sure` or `alpha`
    outside (0, 1).
    """
    if not (0.0 < sure < 1.0 and 0.0 < alpha < 1.0):
        raise StatisticsError(f"sure {sure!r} and alpha {alpha!r} must lie between 0 and 1")
    if not states:
        raise StatisticsError("no known state; accept a reference first")
    x = _counts(session)
    logs = [log_predictive(x, _counts(state.counts)) for state in states]
    log_novelty = log_predictive(x, np.zeros_like(x)) - max(logs)
    posterior = tuple(float(math.exp(value - logsumexp(logs))) for value in logs)
    best = int(np.argmax(logs))
    known = posterior[best] >= sure and log_novelty < -math.log(alpha)
    return Match(states[best].name if known else None, posterior, log_novelty)


def accept(states: Sequence[State], name: str, session: ArrayLike) -> tuple[State, ...]:
    """The library with a session added to the state `name`, which is new if it has no entry."""
    x = _counts(session)
    if any(_counts(state.counts).shape != x.shape for state in states):
        raise StatisticsError(f"a session of shape {x.shape} differs from the known states")
    if all(state.name != name for state in states):
        return (*states, State(name, x))
    return tuple(State(name, state.counts + x) if state.name == name else state for state in states)


def log_predictive(session: Floats, reference: Floats) -> float:
    """log probability of a session's draws in their order, given a state's reference counts."""
    if session.shape != reference.shape:
        raise StatisticsError(f"shapes {session.shape} and {reference.shape} differ")
    prior = reference + _PRIOR / reference.shape[1]
    whole, asked = prior.sum(axis=1), session.sum(axis=1)
    cells = gammaln(session + prior) - gammaln(prior)
    return float(cells.sum() - (gammaln(whole + asked) - gammaln(whole)).sum())


def _counts(values: ArrayLike) -> Floats:
    counts = np.asarray(values, dtype=np.float64)
    if counts.ndim != 2 or counts.shape[1] < 2:
        raise StatisticsError(f"counts of shape {counts.shape}; give (prompts, categories)")
    if not (np.isfinite(counts).all() and (counts >= 0.0).all()):
        raise StatisticsError("counts of answers must be finite and not negative")
    return counts
