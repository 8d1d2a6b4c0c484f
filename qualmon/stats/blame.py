"""Which node explains an alarm: candidates ranked by their posterior probability.

A node's masses at the alarm are weight x likelihood ratio, summed over possible onsets and mixed
over shares: the posterior odds of "one fault, at this node, begun at an unknown time", with the
weights as prior. Afterwards the tally goes on with every round's bets, onsets no longer: a
superset pays for the healthy answers that it takes in, a subset for the bad ones that it leaves
out. The scores are probabilities within this family of explanations; two faults at once, or one
that is no node, are outside of it.

Catches: the place of one fault among nested and crossed nodes. Blind to: nodes that are none of
the candidates; and it is as sure as its bets are right (shocks that no bet allows for look
like faults of their platform).
Source: Bayes' rule on likelihood ratios; Shiryaev 1963 for the sum over onsets.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Final, NamedTuple

import numpy as np

from qualmon.errors import StatisticsError
from qualmon.stats.esr import Floats

_TINY: Final = 1e-300


class Candidate(NamedTuple):
    """A node as explanation. score: in [0, 1], of all candidates summing to 1. log_evidence:
    natural logarithm of its mass."""

    scope: str
    score: float
    log_evidence: float


def opened(mass: Floats) -> Floats:
    """The tally at the alarm: logarithms of the candidates' masses, shape (nodes, K).

    Raises StatisticsError for negative or non-finite masses, or another number of axes.
    """
    if mass.ndim != 2 or not (np.isfinite(mass).all() and (mass >= 0.0).all()):
        raise StatisticsError(f"masses of shape {mass.shape}: give (nodes, K), finite and >= 0")
    return np.asarray(np.log(np.maximum(mass, _TINY)))


def step(tally: Floats, factor: Floats) -> Floats:
    """The tally after a round's bets, of the same shape; ones where a node saw nothing.

    Raises StatisticsError for another shape, negative or non-finite bets.
    """
    if factor.shape != tally.shape:
        raise StatisticsError(f"bets of shape {factor.shape} for a tally of {tally.shape}")
    return np.asarray(tally + opened(factor))


def ranking(scopes: Sequence[str], tally: Floats) -> tuple[Candidate, ...]:
    """Candidates, likeliest first (ties by scope); scores sum to 1.

    Raises StatisticsError without candidates or when names and tally differ in number.
    """
    if not scopes or len(scopes) != len(tally):
        raise StatisticsError(f"{len(scopes)} names for {len(tally)} candidates")
    logs = [_log_sum(row.tolist()) for row in tally]
    whole = _log_sum(logs)
    found = [Candidate(s, math.exp(v - whole), v) for s, v in zip(scopes, logs, strict=True)]
    return tuple(sorted(found, key=lambda candidate: (-candidate.log_evidence, candidate.scope)))


def _log_sum(logs: Sequence[float]) -> float:
    top = max(logs)
    return top + math.log(math.fsum(math.exp(value - top) for value in logs))
