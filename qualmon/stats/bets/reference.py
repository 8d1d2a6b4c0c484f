"""Bets on events against counts of a reference: r = bad / predicted healthy rate.

A frozen reference never changes. A self-starting one learns from the stream, with a lag and not
while evidence is high, so that a fault does not become the baseline; by the same token it may
follow slow drift, and so it opens tickets and never pages.

For answers exchangeable within a prompt and a right prior, the predicted rate of a self-starting
reference without freeze is E[bad | past], so E[r | past] = 1 over references; for a frozen one
it is so for the first answer of a prompt only, and run lengths are measured instead
(`python -m benchmarks detection --only baselines`).

Catches: prompts that fail where they did not, each weighed by its own rate.
Blind to: faults on prompts that already fail (r near 1), and faults present in the reference.
Source: statistics of exchangeable sequences: de Finetti 1937; the beta-binomial predictive rule.
"""

from __future__ import annotations

from typing import Final, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from qualmon.errors import StatisticsError
from qualmon.stats.baselines.checks import checked
from qualmon.stats.baselines.empirical_bayes import Prior, rate
from qualmon.stats.esr import Floats

#: Part of the false-alarm budget above which a self-starting reference stops learning. In
#: health the mean evidence is the time since the start, so a small part would freeze it nearly
#: always: at a hundredth the delay at a .8 % share is 1.6 times as long, at a tenth the same.
FREEZE: Final = 0.5


class Batch(NamedTuple):
    """Answers folded at slot time `at` (hours), not yet in the reference."""

    at: float
    prompts: NDArray[np.int64]
    bad: Floats


class Reference(NamedTuple):
    """hits, n: (prompts,), counts that predict. waiting: answers younger than the lag, oldest
    first; always empty for a frozen reference."""

    hits: Floats
    n: Floats
    waiting: tuple[Batch, ...] = ()


def reference(hits: ArrayLike, n: ArrayLike) -> Reference:
    """A frozen reference of counts per prompt, (prompts,); n = 0 for a prompt never asked.

    Raises StatisticsError for impossible counts.
    """
    found = checked(hits, n)
    if found[0].ndim != 1:
        raise StatisticsError(f"counts of shape {found[0].shape}; sum them to (prompts,)")
    return Reference(*found)


def ratios(prior: Prior, state: Reference, prompts: ArrayLike, bad: ArrayLike) -> Floats:
    """e-values of answers to `prompts` (indices into the reference), shape of `prompts`.

    prior: an inflated one. bad: 0 or 1. Answers of one call are predicted from the same counts.
    Raises StatisticsError for other values, or prompts the reference has no place for.
    """
    index, values = _answers(state, prompts, bad)
    return np.asarray(values / rate(prior, state.hits[index], state.n[index]))


def observe(state: Reference, at: float, prompts: ArrayLike, bad: ArrayLike) -> Reference:
    """Puts answers of slot time `at` (hours) on the waiting list of a self-starting reference.

    Raises StatisticsError like `ratios`, or when time goes backwards.
    """
    if state.waiting and not at >= state.waiting[-1].at:
        raise StatisticsError(f"slot time {at!r} lies before {state.waiting[-1].at!r}")
    return state._replace(waiting=(*state.waiting, Batch(at, *_answers(state, prompts, bad))))


def learn(state: Reference, now: float, *, lag: float, evidence: float, most: float) -> Reference:
    """Takes answers of at least `lag` hours ago into the counts, unless evidence exceeds `most`.

    To be called before the answers of slot time `now` are judged; evidence: of the stream
    before `now`; most: FREEZE times the budget. What waits out a freeze is learnt after it:
    leaving it out for good would keep only quiet times and predict too low a rate.
    """
    old = next((k for k, b in enumerate(state.waiting) if b.at > now - lag), len(state.waiting))
    if old == 0 or evidence > most:
        return state
    hits, n = state.hits.copy(), state.n.copy()
    for batch in state.waiting[:old]:
        np.add.at(hits, batch.prompts, batch.bad)
        np.add.at(n, batch.prompts, 1.0)
    return Reference(hits, n, state.waiting[old:])


def _answers(
    state: Reference, prompts: ArrayLike, bad: ArrayLike
) -> tuple[NDArray[np.int64], Floats]:
    index, values = np.asarray(prompts), np.asarray(bad, dtype=np.float64)
    if index.dtype.kind not in "iu" or index.shape != values.shape:
        raise StatisticsError("prompts are whole numbers, one for each answer")
    if index.size and not (index.min() >= 0 and index.max() < state.n.size):
        raise StatisticsError(f"prompts {prompts!r}: the reference has 0 to {state.n.size - 1}")
    if not np.isin(values, (0.0, 1.0)).all():
        raise StatisticsError(f"answers {bad!r} are not 0 or 1")
    return index.astype(np.int64), values
