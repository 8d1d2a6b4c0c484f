"""Healthy and faulty laws of a score as finely cut outcomes, exact in both tails."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.special import betainc

from benchmarks.detection.kernels import Floats
from benchmarks.detection.scores_kernels import alias_table
from qualmon.stats.bets.bounded import ScoreBets, known

SHARES: Final = (0.008, 0.02, 0.05, 0.16)
#: Fine outcomes of a score: cells of [0, 1], and the point 1 as the last.
CELLS: Final = 2_000
EDGES: Final[Floats] = np.linspace(0.0, 1.0, CELLS + 1)
#: The score that stands for each fine outcome: the middle of its cell.
VALUES: Final[Floats] = np.append(0.5 * (EDGES[1:] + EDGES[:-1]), 1.0)
#: The known healthy law is cut at these tails: two an octave, down to 2^-20, about 1e-6.
DEPTH: Final = 20


class Case(NamedTuple):
    """What becomes of the answers: `share` of them follow `fault`, shape (outcomes,), sum 1."""

    fault: Floats
    share: float


class Sampler(NamedTuple):
    """Alias table of the outcomes' probabilities; of several laws, stacked."""

    keep: Floats
    other: NDArray[np.int64]


def beta(a: float, b: float) -> Floats:
    """Probabilities of the fine outcomes, exact in both tails."""
    below = np.diff(betainc(a, b, EDGES))
    above = -np.diff(betainc(b, a, 1.0 - EDGES))
    return np.append(np.where(EDGES[:-1] > a / (a + b), above, below), 0.0)


def sampler(probabilities: Floats) -> Sampler:
    """Draws outcomes with these probabilities."""
    return Sampler(*alias_table(probabilities))


def contaminated(health: Floats, cases: Sequence[Case]) -> Sampler:
    """One law per case, stacked."""
    each = [sampler((1.0 - case.share) * health + case.share * case.fault) for case in cases]
    return Sampler(np.stack([s.keep for s in each]), np.stack([s.other for s in each]))


def cases(fault: Floats, shares: Sequence[float] = SHARES) -> list[Case]:
    """One case per share."""
    return [Case(fault, share) for share in shares]


def log_ratio(health: Floats, case: Case) -> Floats:
    """log likelihood ratio per outcome, at most 50: what no healthy answer can give."""
    fault, share = case
    ratio = np.divide(fault, health, out=np.full(health.size, math.inf), where=health > 0.0)
    return np.asarray(np.minimum(np.log((1.0 - share) + share * ratio), 50.0))


def known_bets(health: Floats) -> ScoreBets:
    """The shipped dictionary where the healthy law is known."""
    above = np.cumsum(health[::-1])[::-1]
    wanted = 2.0 ** -(np.arange(1, 2 * DEPTH + 1) / 2.0)
    logs = np.log(np.maximum(above[:CELLS], 1e-300))
    cuts = np.unique([int(np.argmin(np.abs(logs - np.log(q)))) for q in wanted])
    cuts = cuts[cuts > 0]
    return known(EDGES[cuts], above[cuts])
