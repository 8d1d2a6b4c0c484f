"""Tail bets and their mixtures: every bet that grows with an ordered outcome.

Outcomes 0 .. C-1 are ordered, the last is the worst. A tail bet is 1{outcome >= j} / t_j with
t_j >= P(outcome >= j). A density ratio that grows with the outcome is a convex mixture of tail
bets, so upper bounds of the healthy tails make *all* of them valid at once: templates need no
bounds of their own, and E[r] <= sum_j a_j P(outcome >= j) / t_j <= 1.

Catches: outcomes that are worse. Blind to: outcomes that are better, or odd in the middle (a
peak at medium scores is seen as "at least as bad as this").
"""

from __future__ import annotations

import numpy as np

from qualmon.errors import StatisticsError
from qualmon.stats.esr import Floats


def checked(tails: Floats) -> Floats:
    """`tails`, shape (C,), if t_0 = 1 and they fall into (0, 1). Raises StatisticsError."""
    falls = tails.size >= 2 and tails[0] == 1.0 and bool((np.diff(tails) <= 0.0).all())
    if not (falls and 0.0 < tails[-1] < 1.0):
        raise StatisticsError(
            f"tail probabilities {tails.tolist()!r} do not fall from 1 into (0, 1); "
            "give two outcomes at least, and a floor to the rarest"
        )
    return tails


def mixture(tails: Floats, amounts: Floats) -> Floats:
    """E-value per outcome, shape (C,): sum over j <= outcome of a_j / t_j, a normalised.

    amounts: shape (C,), >= 0, how much is put on each tail; the sum must be positive.
    """
    return np.asarray(np.cumsum(amounts / amounts.sum() / tails))


def log_uniform(tails: Floats, floor: float = 0.0) -> Floats:
    """Amounts spread evenly over log p from 1 down to max(floor, the deepest tail).

    The bet that is indifferent to the scale of the p-value: density 1 / (p log(1/floor)), so it
    is within a factor of the unknown density's height per decade of any fault in its range.
    """
    depth = np.log(np.maximum(tails, floor))
    return np.asarray(np.append(0.0, -np.diff(depth)))


def single(tails: Floats, probability: float) -> Floats:
    """All on the tail nearest to `probability` (in log p), the whole line excepted."""
    nearest = 1 + int(np.argmin(np.abs(np.log(tails[1:] / probability))))
    return np.asarray(np.eye(tails.size)[nearest])


def mean(tails: Floats, values: Floats) -> Floats:
    """Amounts of the bet on the mean, r = v(outcome) / m with m = E[v] under `tails`.

    values: shape (C,), each outcome's lowest score, rising from 0; with share eps it is the
    bounded-mean bet 1 + lambda (v - m), lambda = eps / m.
    """
    return np.asarray(np.append(0.0, np.diff(values)) * tails)
