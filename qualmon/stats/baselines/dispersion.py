"""How much the healthy rate varies between days, sessions or rounds: intraclass correlation.

A channel whose answers pass as independent may multiply and page; one whose counts scatter more
than binomial counts do may only bet per block, on tickets. With thousands of answers a day the
check sees an intraclass correlation far below what harms, and with few bad answers it sees
nothing: therefore the limit beside the test.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Final, NamedTuple

import numpy as np
from scipy.special import chdtrc, gammaln

from qualmon.errors import StatisticsError
from qualmon.stats.esr import Floats

#: Correlations at which the likelihood is evaluated: 0, and 1e-5 to 0.9.
_GRID: Final = (0.0, *np.logspace(-5.0, np.log10(0.9), 80).tolist())
#: Rates beside the pooled one over which the likelihood is profiled.
_RATES: Final = np.geomspace(0.125, 8.0, 25)
#: Half the .95 quantile of chi-square with one degree. One-sided that is 97.5 % in theory; over
#: 15 to 30 blocks the limit covers 92 to 98 % (simulated at rates of .1 and 2 %).
_DROP: Final = 1.9207


class Dispersion(NamedTuple):
    """excess: variance over binomial variance; p_value of no excess; icc, limit: estimate and
    upper 95 % profile-likelihood limit of the intraclass correlation."""

    excess: float
    p_value: float
    icc: float
    limit: float


def dispersion(answers: Sequence[int], bad: Sequence[int]) -> Dispersion:
    """Of counts by block (at least two blocks, at least one answer each).

    The test is Pearson's, against chi-square with blocks - 1 degrees. Without any bad answer,
    or with bad ones only, nothing is known: excess nan, p_value 1, icc 0, limit 1.
    Raises StatisticsError for fewer blocks or impossible counts.
    """
    n, k = _checked(answers, bad)
    rate = k.sum() / n.sum()
    if rate in (0.0, 1.0):
        return Dispersion(math.nan, 1.0, 0.0, 1.0)
    pearson = float(((k - n * rate) ** 2 / (n * rate * (1.0 - rate))).sum())
    rates = np.minimum(rate * _RATES, 0.5 * (1.0 + rate))
    logs = np.array([_log_likelihood(n, k, rates, icc).max() for icc in _GRID])
    inside = np.flatnonzero(logs >= logs.max() - _DROP)
    degrees = len(n) - 1
    return Dispersion(
        pearson / degrees,
        float(chdtrc(degrees, pearson)),
        _GRID[int(logs.argmax())],
        _GRID[min(int(inside[-1]) + 1, len(_GRID) - 1)],
    )


def independent(found: Dispersion, alpha: float = 0.01) -> bool:
    """True when the counts scatter no more than binomial ones, by a test of size `alpha`."""
    return found.p_value >= alpha


def _checked(answers: Sequence[int], bad: Sequence[int]) -> tuple[Floats, Floats]:
    n, k = np.asarray(answers, dtype=np.float64), np.asarray(bad, dtype=np.float64)
    if n.ndim != 1 or n.shape != k.shape or len(n) < 2:
        raise StatisticsError(f"{n.shape} answers and {k.shape} bad ones: two blocks or more")
    if not ((n >= 1.0).all() and (k >= 0.0).all() and (k <= n).all()):
        raise StatisticsError(f"impossible counts: {tuple(bad)!r} of {tuple(answers)!r}")
    return n, k


def _log_likelihood(n: Floats, k: Floats, rates: Floats, icc: float) -> Floats:
    """Beta-binomial log likelihood at each rate, up to a constant."""
    if icc == 0.0:
        return np.asarray(k.sum() * np.log(rates) + (n - k).sum() * np.log1p(-rates))
    size = 1.0 / icc - 1.0
    a, b = rates[:, None] * size, (1.0 - rates[:, None]) * size
    parts = gammaln(k + a) - gammaln(a) + gammaln(n - k + b) - gammaln(b)
    return np.asarray((parts - gammaln(n + size) + gammaln(size)).sum(axis=1))
