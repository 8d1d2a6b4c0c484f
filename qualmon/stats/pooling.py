"""What a node may multiply, and what it must count or average: the answers of one round.

The product of the answers' bets is a bet only if each holds given the round's shared state. Where
a platform's answers share a shock of the round, a platform of 200 answers at a healthy rate of
2 % and a nominal run length of 10,000 rounds has one of 7,800 at an intraclass correlation of
.001, 336 at .005 and 32 at .02. So a channel declares how its null holds:

- CONDITIONAL: answer by answer, given everything else (a self-normalised channel, or a bound that
  passed a conditional audit): multiply everywhere.
- RANDOM_EFFECT: answers of a component share a random rate of bounded correlation: one bet on the
  component's count; components are independent given the past, so they multiply.
- MARGINAL: each answer's bound holds, nothing is known of their dependence within a component:
  average there, multiply across.

Components are those of `bets.clusters.components` on the crossed relations of the answers asked
(platform and round, identity, replica, batch, retry), fixed before the outcomes. A node sees the
part of each component that lies in it: a part of exchangeable answers has the same correlation.

Catches: faults common to a node's cells. Blind to: a shift that a component's shock explains.
Source: Vovk, Wang, AoS 49 (2021) for averages; `bets.beta_binomial` for counts.
"""

from __future__ import annotations

import enum
from collections.abc import Sequence

import numpy as np

from qualmon.errors import StatisticsError
from qualmon.stats import bets
from qualmon.stats.bets.beta_binomial import count_bet
from qualmon.stats.bets.clusters import average, equal_weights
from qualmon.stats.esr import Floats
from qualmon.stats.grids import EPS_GRID


class Null(enum.Enum):
    """How a channel's healthy bound holds for answers of one component."""

    CONDITIONAL = "conditional"
    RANDOM_EFFECT = "random effect"
    MARGINAL = "marginal"


def node_factor(
    components: Sequence[Sequence[float | None]],
    null: Null,
    bound: float,
    icc: float | None = None,
    grid: Sequence[float] = EPS_GRID,
) -> Floats:
    """A node's factor of one round and channel, shape (K,), mean <= 1 under the stated null.

    components: the node's answers asked this round by component, each 0 good, 1 bad, None
    missing (counts as good: r = 0). bound: upper bound of the healthy rate, in (0, 1). icc: upper
    bound of the correlation in [0, 1), for RANDOM_EFFECT and only there.
    Raises StatisticsError outside these, and for an empty component.
    """
    for answers in components:
        _check(answers)
    return bets.product(_parts(components, null, bound, icc, grid), len(grid))


def _parts(
    components: Sequence[Sequence[float | None]],
    null: Null,
    bound: float,
    icc: float | None,
    grid: Sequence[float],
) -> list[Floats]:
    if null is Null.RANDOM_EFFECT:
        if icc is None:
            raise StatisticsError("a random effect without the upper bound of its icc")
        return [_counted(answers, bound, icc, grid) for answers in components]
    if icc is not None:
        raise StatisticsError(f"icc {icc!r} with a {null.value} null: it is of random effects")
    if null is Null.MARGINAL:
        return [_averaged(answers, bound, grid) for answers in components]
    return [_answer(answer, bound, grid) for answers in components for answer in answers]


def _check(answers: Sequence[float | None]) -> None:
    if not answers:
        raise StatisticsError("a component without answers: leave it out")
    for answer in answers:
        if answer not in (None, 0, 1):
            raise StatisticsError(f"answer {answer!r} is not 0 (good), 1 (bad) or None (missing)")


def _answer(answer: float | None, bound: float, grid: Sequence[float]) -> Floats:
    return bets.contamination(bets.event_ratio(answer or 0.0, bound), grid)


def _counted(
    answers: Sequence[float | None], bound: float, icc: float, grid: Sequence[float]
) -> Floats:
    bad = int(np.sum([answer or 0.0 for answer in answers]))
    return count_bet(bad, len(answers), bound, icc, grid)


def _averaged(answers: Sequence[float | None], bound: float, grid: Sequence[float]) -> Floats:
    ratios = [bets.event_ratio(answer or 0.0, bound) for answer in answers]
    return bets.contamination(average(ratios, equal_weights(len(ratios))), grid)
