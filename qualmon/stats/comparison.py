"""Anytime-valid comparison of two targets asked the same prompts: worse, not worse, or open.

Each pair gives d = badness(candidate) - badness(reference) in [-1, 1], events or bounded scores.
Two wealth processes bet on it, so one may look after every pair and stop at will:

- against "the mean difference is <= 0": 1 + lam * d. At 1/alpha: a regression.
- against "the mean difference is >= min_effect": 1 + lam * (min_effect - d). At 1/alpha: a pass.

Each is an e-process for *means*, whatever the law and the prompts' difficulties, as long as every
null holds conditionally on the past; answers that share a cause enter as one mean of their d. The
stakes lam come from the past alone: the one that is best for `min_effect`, and the one for the
difference seen so far, half of the wealth each.

Catches: a mean difference. Blind to: the same mean with another spread (see `exchange`), and a
difference between 0 and min_effect, which ends as either verdict or in neither.
Source: Waudby-Smith, Ramdas, "Estimating means of bounded random variables by betting" (JRSS B
86, 2024); Wald 1945 for the two-sided stopping.
"""

from __future__ import annotations

from typing import Final, Literal, NamedTuple

import numpy as np

from qualmon.errors import StatisticsError
from qualmon.stats.esr import Floats

Verdict = Literal["pass", "regression", "inconclusive"]

#: Stakes stay below this part of what could lose all.
_CAP: Final = 0.9
#: The past is thought to begin with this many pairs, of this mean square.
_PRIOR: Final = (10.0, 0.05)


class Question(NamedTuple):
    """What is asked. min_effect: smallest difference that matters, in (0, 1); alpha: chance of
    each wrong verdict, in (0, 1)."""

    min_effect: float = 0.02
    alpha: float = 0.05


class State(NamedTuple):
    """Any batch of comparisons (...,). n: pairs; total, square: sums of d and d**2; worse,
    sound: wealth (..., 2) of the bets against "not worse" and against "worse by min_effect"."""

    n: Floats
    total: Floats
    square: Floats
    worse: Floats
    sound: Floats


def init(shape: tuple[int, ...] = ()) -> State:
    """No pair seen."""
    zero, half = np.zeros(shape), np.full((*shape, 2), 0.5)
    return State(zero, zero, zero, half, half)


def step(question: Question, state: State, difference: Floats | float) -> State:
    """Folds one pair (or one cluster's mean) of each comparison.

    Raises StatisticsError for a difference that is not in [-1, 1].
    """
    _check(question)
    d = np.asarray(difference, dtype=np.float64)
    if not ((d >= -1.0) & (d <= 1.0)).all():
        raise StatisticsError(f"difference {difference!r} is not in [-1, 1]")
    m = question.min_effect
    mean, square = _past(state)
    worse = _stakes(np.stack([np.full_like(mean, m), np.maximum(mean, 0.0)], -1), square, 1.0)
    gap = np.stack([np.full_like(mean, m), np.clip(m - mean, 0.0, 2.0)], -1)
    sound = _stakes(gap, square + m * m - 2.0 * m * mean, 1.0 - m)
    return State(
        state.n + 1.0,
        state.total + d,
        state.square + d * d,
        state.worse * (1.0 + worse * d[..., None]),
        state.sound * (1.0 + sound * (m - d[..., None])),
    )


def skipped(state: State, keep: Floats, new: State) -> State:
    """`new` where `keep` is true, else `state`: comparisons of a batch that have ended."""
    rows = np.asarray(keep, dtype=bool)
    return State(
        *(
            np.where(rows[..., None] if now.ndim > rows.ndim else rows, now, old)
            for old, now in zip(state, new, strict=True)
        )
    )


def verdict(question: Question, state: State) -> Verdict:
    """Of one comparison. Where both nulls are refuted, the difference lies between them and the
    stronger evidence decides."""
    worse, sound = float(evidence_worse(state)), float(evidence_sound(state))
    if max(worse, sound) < 1.0 / question.alpha:
        return "inconclusive"
    return "regression" if worse >= sound else "pass"


def evidence_worse(state: State) -> Floats:
    """E-value against "the candidate is not worse", shape (...,)."""
    return np.asarray(state.worse.sum(axis=-1))


def evidence_sound(state: State) -> Floats:
    """E-value against "the candidate is worse by min_effect or more", shape (...,)."""
    return np.asarray(state.sound.sum(axis=-1))


def futile(question: Question, state: State, remaining: int) -> bool:
    """Whether `remaining` pairs at the pace of the past reach no verdict (of one comparison).

    Stopping for it raises no error rate: it only ever gives up a verdict. Not before 30 pairs.
    """
    if state.n < 30:
        return False
    needed = -np.log(question.alpha)
    for wealth in (evidence_worse(state), evidence_sound(state)):
        pace = max(0.0, float(np.log(wealth)) / float(state.n))
        if float(np.log(wealth)) + 1.5 * pace * remaining >= needed:
            return False
    return True


def _past(state: State) -> tuple[Floats, Floats]:
    """Mean and mean square of d so far, shrunk to a prior of few pairs."""
    weight, guess = _PRIOR
    n = state.n + weight
    return np.asarray(state.total / n), np.asarray((state.square + weight * guess) / n)


def _stakes(gain: Floats, square: Floats, loss: float) -> Floats:
    """Stakes (..., 2) near the best for a mean `gain` and mean square `square`: gain / square,
    at most what leaves a tenth of the wealth when the worst comes (a loss of `loss`)."""
    return np.asarray(np.minimum(gain / np.maximum(square[..., None], gain**2), _CAP / loss))


def _check(question: Question) -> None:
    if not (0.0 < question.min_effect < 1.0 and 0.0 < question.alpha < 1.0):
        raise StatisticsError(f"{question!r}: min_effect and alpha must be in (0, 1)")
