"""Bets on a score in [0, 1] (bad is high) against healthy scores: `fit`, then `factors`.

The scores are cut at quantiles of the reference; the dictionary holds generic templates over
these bins and knows no fault: half of the prior is on the log-uniform template, which loses
little on any fault that reaches into the tail, the other half on templates that end at a
given depth, single tails and the mean.

Catches: a share of answers with worse scores, whether a little (the mean) or a lot (the tails),
and a complete but small worsening. Blind to: scores that fall (see `two_sided`), a share whose
bad answers are fewer than the reference's resolution of about 3.5 / n.

Source: quantile tails as e-values are indicator bets 1{x > Q}/q; the bet on a bounded mean is
Waudby-Smith, Ramdas, "Estimating means of bounded random variables by betting" (JRSS-B 2024).
"""

from __future__ import annotations

from typing import Final, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from qualmon.errors import StatisticsError
from qualmon.stats.bets import tail_bounds, tails
from qualmon.stats.bets.dictionary import Dictionary, Template, build
from qualmon.stats.detector import EVENTS, Design
from qualmon.stats.esr import Floats

#: Prior of the log-uniform template; the other templates share the rest equally.
LOG_UNIFORM_PRIOR: Final = 0.5
#: Tail probabilities where shorter log-uniform templates end.
FLOORS: Final = (1e-1, 1e-2, 1e-4)
#: Tail probabilities of the single tail bets, beside the deepest one.
SINGLES: Final = (1e-1, 1e-2, 1e-3)


class ScoreBets(NamedTuple):
    """Frozen bets on one score. thresholds: shape (C - 1,), rising: outcome c is the number of
    thresholds below the score; tails: shape (C,), the bounds P(outcome >= c) used."""

    thresholds: Floats
    tails: Floats
    dictionary: Dictionary

    @property
    def weights(self) -> Floats:
        """Prior weights of the bets, shape (M,), sum 1."""
        return self.dictionary.weights


def fit(
    reference: ArrayLike,
    *,
    confidence: float | None = tail_bounds.CONFIDENCE,
    design: Design = EVENTS,
) -> ScoreBets:
    """Bets against healthy `reference` scores in [0, 1], shape (n,), independent draws.

    confidence: probability over references that all bets are valid, hence that the run length
    given the reference is >= nominal; None for bounds right on average only (`tail_bounds`).
    Ties and point masses are met by strict inequalities: a tail is always {x > Q}.
    Raises StatisticsError for an empty reference, for values that are no scores, for a
    confidence outside (0, 1), and for one that consists of the worst score alone.
    """
    worst_first = -np.sort(-scores(reference).ravel())
    if worst_first.size == 0:
        raise StatisticsError("an empty reference; gather healthy scores first")
    ranks = tail_bounds.ranks(worst_first.size)
    values = worst_first[ranks]
    bounds = tail_bounds.of_hits(worst_first.size, ranks, confidence)
    # Of tied ranks the first has the tightest bound of the same event; nothing exceeds 1.
    first = np.append(True, np.diff(values) < 0.0) & (values < 1.0)
    if not first.any():
        raise StatisticsError(
            "every reference score is 1, so nothing can be worse; are high scores bad here?"
        )
    return known(values[first][::-1], bounds[first][::-1], design=design)


def known(thresholds: ArrayLike, exceedance: ArrayLike, *, design: Design = EVENTS) -> ScoreBets:
    """Bets where P(score > threshold) <= exceedance is known; both shape (C - 1,).

    Raises StatisticsError unless thresholds rise in [0, 1] and exceedances fall in (0, 1), one of
    them each.
    """
    cuts, above = scores(thresholds), np.asarray(exceedance, dtype=np.float64)
    if cuts.shape != above.shape or cuts.ndim != 1 or not (np.diff(cuts) > 0.0).all():
        raise StatisticsError(f"thresholds {cuts.tolist()!r} do not rise, one per exceedance")
    bounds = tails.checked(np.append(1.0, above))
    return ScoreBets(cuts, bounds, build(_templates(bounds, np.append(0.0, cuts)), design))


def scores(values: ArrayLike) -> Floats:
    """`values` as an array; StatisticsError where one is not a number in [0, 1]."""
    found = np.asarray(values, dtype=np.float64)
    wrong = ~((found >= 0.0) & (found <= 1.0))
    if wrong.any():
        raise StatisticsError(f"score {float(found[wrong].flat[0])!r} is not in [0, 1]")
    return found


def outcome(bets: ScoreBets, score: ArrayLike) -> NDArray[np.int64]:
    """Bin of each score, 0 .. C-1, the last the worst. Raises StatisticsError like `scores`."""
    return np.searchsorted(bets.thresholds, scores(score), side="left")


def factors(bets: ScoreBets, score: ArrayLike) -> Floats:
    """Factors of scores of any shape (...,): shape (..., M), each with E <= 1 while healthy."""
    return np.asarray(bets.dictionary.factors[outcome(bets, score)])


def _templates(bounds: Floats, values: Floats) -> list[Template]:
    """The generic faults that a reference of this depth can tell apart."""
    deepest = float(bounds[-1])
    amounts = {f"to {p:g}": tails.log_uniform(bounds, p) for p in FLOORS if p > deepest}
    amounts |= {f"tail {p:g}": tails.single(bounds, p) for p in SINGLES if p > deepest}
    amounts["deepest tail"] = tails.single(bounds, deepest)
    if values[-1] > 0.0:
        amounts["mean"] = tails.mean(bounds, values)
    prior = (1.0 - LOG_UNIFORM_PRIOR) / len(amounts)
    every = Template(
        "log-uniform", tails.mixture(bounds, tails.log_uniform(bounds)), LOG_UNIFORM_PRIOR
    )
    rest = [Template(name, tails.mixture(bounds, a), prior) for name, a in amounts.items()]
    return [every, *rest]
