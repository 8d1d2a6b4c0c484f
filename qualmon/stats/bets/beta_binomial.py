"""Bets on the count of a cluster whose answers share a random rate (a beta-binomial null).

A round of a platform, a session, a day: its n answers share a shock, so their bets must not
multiply. The null of the count K: given a random rate P, K is binomial(n, P), with P at most
Beta(mean `bound`, intraclass correlation `icc`) in the increasing convex order: neither a larger
mean nor heavier upper tails. The plain likelihood ratio at the bounds is no bet against that
null, nor against a smaller icc: it falls short of convex, and at 5,760 answers its mean under
icc 0 exceeds 1. A bet that rises with the count and is convex in it is one:

- E[h(K) | P] is a Bernstein polynomial of h, hence rising and convex in P where h is, so its
  mean over P is largest at the bounds: smaller rates, smaller icc and no shock at all included.
- Answers with unequal healthy rates of mean `bound` give counts smaller in convex order
  (Hoeffding), and an answer that never came counts as good: h only falls.
- h read before the cluster is complete, what is to come counted as good, is at most its end
  value: an alarm that stands at noon stands at midnight, and may be given at noon.

Such bets are mixtures of 1 and hinges (K - j)+ / E0(K - j)+; the weights against a share eps
(largest mean logarithm: the growth-rate optimal e-value) are found by multiplicative ascent. At
icc 0 the bet is the product of the answers' own.

`any_shape`: with only the mean and the correlation of P bounded, mixtures of 1, K and K (K - 1)
over their healthy means are bets too (E K (K - 1) = n (n - 1) E P^2), rising and convex. They
hold where a rare serving state is bad, and are slower at large shares.

Catches: more bad answers than bound and shared shocks explain, in one cluster or over many.
Blind to: shares below the shocks' spread, within a budget; a wrong answer that replaces a bad one.
Not covered by the beta: shocks with a heavier upper tail; a rare bad state needs `any_shape`.

Sources: Hoeffding, Ann. Math. Stat. 27 (1956), for unequal rates; Gruenwald, de Heide, Koolen,
"Safe testing" (JRSS B 86, 2024), for growth-rate optimality; Cover, IEEE Trans. IT 30 (1984).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Final

import numpy as np
from scipy.special import betaln, gammaln, xlog1py, xlogy

from qualmon.errors import StatisticsError
from qualmon.stats.esr import Floats
from qualmon.stats.grids import EPS_GRID, SATURATION

#: Bets with healthy mean <= 1, 1 first: counts (m,) to values (J, m).
Basis = Callable[[Floats], Floats]

#: Largest cluster: a day of one answer every four seconds.
MAX_CLUSTER: Final = 20_000

#: Hinges stand where the healthy count is exceeded with probability 1 down to this.
_RAREST: Final = 1e-12
_KNOTS: Final = 48
_POINTS: Final = 256
_ROUNDS: Final = 400
#: Weight of "no bet" that every mixture keeps: one good cluster never wipes out what was seen.
_KEPT: Final = 0.01


def beta_binomial_pmf(n: int, rate: float, icc: float) -> Floats:
    """P(K = k) for k = 0..n, shape (n + 1,): n answers that share a Beta rate.

    rate: mean of the rate, in (0, 1); icc: intraclass correlation in [0, 1), 0 = binomial.
    Raises StatisticsError outside these, or for n outside 1..MAX_CLUSTER.
    """
    _check(n, rate, icc)
    k = np.arange(n + 1.0)
    choose = gammaln(n + 1.0) - gammaln(k + 1.0) - gammaln(n - k + 1.0)
    if icc == 0.0:
        logs = choose + xlogy(k, rate) + xlog1py(n - k, -rate)
    else:
        size = 1.0 / icc - 1.0
        a, b = rate * size, (1.0 - rate) * size
        logs = choose + betaln(k + a, n - k + b) - betaln(a, b)
    weights = np.exp(logs - logs.max())
    return np.asarray(weights / weights.sum())


def count_bets(
    n: int,
    bound: float,
    icc: float,
    grid: Sequence[float] = EPS_GRID,
    *,
    any_shape: bool = False,
) -> Floats:
    """Factors of k = 0..n bad answers of n, shape (n + 1, K), one column per share of `grid`.

    n: answers asked for, fixed before the outcomes; bound: upper bound of the healthy rate in
    (0, 1); icc: upper bound of the intraclass correlation in [0, 1). Each column has mean <= 1
    under the null of this module, rises and is convex in k. Read-only and kept: take rows.
    any_shape: the shocks' law has this mean and correlation at most, and any shape.
    Raises StatisticsError outside these ranges, or for shares outside (0, 1).
    """
    _check(n, bound, icc)
    if not all(0.0 < share < 1.0 for share in grid):
        raise StatisticsError(f"share grid {tuple(grid)!r} is not within (0, 1)")
    return _table(n, bound, icc, tuple(grid), any_shape)


def count_bet(
    bad: int, n: int, bound: float, icc: float, grid: Sequence[float] = EPS_GRID
) -> Floats:
    """Factors of `bad` bad answers among the n asked for, shape (K,); see count_bets.

    Raises StatisticsError also for a count outside 0..n.
    """
    if not 0 <= bad <= n:
        raise StatisticsError(f"{bad} bad answers among {n}")
    return np.asarray(count_bets(n, bound, icc, grid)[bad])


def _check(n: int, rate: float, icc: float) -> None:
    if not 1 <= n <= MAX_CLUSTER:
        raise StatisticsError(f"cluster of {n} answers: 1 to {MAX_CLUSTER} can be bet on")
    if not 0.0 < rate < 1.0:
        raise StatisticsError(f"rate {rate!r} is not in (0, 1)")
    if not 0.0 <= icc < 1.0:
        raise StatisticsError(f"intraclass correlation {icc!r} is not in [0, 1)")


@lru_cache(maxsize=64)
def _table(n: int, bound: float, icc: float, grid: tuple[float, ...], any_shape: bool) -> Floats:
    if icc == 0.0:
        columns = [_independent(n, bound, share) for share in grid]
    else:
        basis = _moments(n, bound, icc) if any_shape else _hinges(n, bound, icc)
        columns = [_dependent(n, bound, icc, share, basis) for share in grid]
    table = np.stack(columns, axis=1)
    table.flags.writeable = False
    return table


def _independent(n: int, bound: float, share: float) -> Floats:
    """Product of the answers' contamination bets."""
    k = np.arange(n + 1.0)
    logs = k * np.log1p(share * (1.0 / bound - 1.0)) + (n - k) * np.log1p(-share)
    return np.asarray(np.exp(np.minimum(logs, np.log(SATURATION))))


def _moments(n: int, bound: float, icc: float) -> Basis:
    """1, K and K (K - 1) over their means at the bounds; a cluster of one has no pairs."""
    square = bound**2 + icc * bound * (1.0 - bound)

    def bets(k: Floats) -> Floats:
        # Between 0 and 1, where the compressed counts may fall, pairs count none.
        pairs = np.maximum(k * (k - 1.0), 0.0) / (max(n * (n - 1.0), 1.0) * square)
        return np.stack([np.ones_like(k), k / (n * bound), pairs])

    return bets


def _hinges(n: int, bound: float, icc: float) -> Basis:
    """1 and hinges over their means at the bounds; knots even in the logarithm of P(K > j)."""
    healthy = beta_binomial_pmf(n, bound, icc)
    above = np.cumsum(healthy[:0:-1])[::-1]  # P(K > j), j = 0..n-1, summed from the tail
    levels = np.logspace(0.0, np.log10(_RAREST), _KNOTS)
    knots = np.unique(np.searchsorted(-above, -levels).clip(max=n - 1))
    means = np.cumsum(above[::-1])[::-1][knots]

    def bets(k: Floats) -> Floats:
        hinges = np.maximum(k - knots[:, None], 0.0) / means[:, None]
        return np.concatenate([np.ones((1, len(k))), hinges])

    return bets


def _dependent(n: int, bound: float, icc: float, share: float, basis: Basis) -> Floats:
    """The growth-rate optimal mixture of a basis of bets against one share."""
    where, mass = _compressed(_faulty(n, bound, icc, share))
    found = (1.0 - _KEPT) * _ascend(basis(where), mass)
    found[0] += _KEPT
    return np.asarray(found @ basis(np.arange(n + 1.0)))


def _faulty(n: int, bound: float, icc: float, share: float) -> Floats:
    """Counts with a share of faulty answers: half with the shocks at their bound, half without.

    The rate share + (1 - share) P has mean `rate` and its variance gives the correlation.
    """
    rate = bound + share * (1.0 - bound)
    shaken = beta_binomial_pmf(n, rate, icc * (1.0 - share) * bound / rate)
    return 0.5 * (shaken + beta_binomial_pmf(n, rate, 0.0))


def _compressed(pmf: Floats) -> tuple[Floats, Floats]:
    """At most _POINTS mean counts and their probabilities, of about equal probability."""
    k = np.arange(float(len(pmf)))
    cells = np.minimum(np.cumsum(pmf) * _POINTS, _POINTS - 1.0).astype(np.int64)
    mass = np.bincount(cells, pmf)
    kept = mass > 0.0
    means = np.bincount(cells, pmf * k)[kept] / mass[kept]
    return np.asarray(means, dtype=np.float64), np.asarray(mass[kept], dtype=np.float64)


def _ascend(bets: Floats, mass: Floats) -> Floats:
    """Weights that maximise the mean logarithm of the mixed bet; any weights are valid."""
    weights = np.full(len(bets), 1.0 / len(bets))
    for _ in range(_ROUNDS):
        # Each mixture's gradient is 1 on average, so the weights keep their sum.
        weights *= bets @ (mass / (weights @ bets))
    return np.asarray(weights / weights.sum())
