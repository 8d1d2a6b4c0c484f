"""Clusters of 10 and platform rounds of 200 cells: counts that share a shock."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from scipy.special import betaincinv

from benchmarks.detection import kernels
from benchmarks.detection.dependence_report import Figure, mean_of
from benchmarks.detection.kernels import Floats
from benchmarks.report import Setting
from qualmon.stats.bets import beta_binomial_pmf, contamination, count_bets, event_ratio
from qualmon.stats.detector import EVENTS

RATE = 0.02
NOMINAL = 10_000
_WEIGHTS = np.asarray(EVENTS.weights)
#: Equally likely values that stand for the beta law of the healthy rate under a fault.
_POINTS = (np.arange(2000) + 0.5) / 2000


class Bet(NamedTuple):
    """A way to bet on the count of a cluster: factors, shape (n + 1, K)."""

    name: str
    factors: Floats


def product(n: int) -> Bet:
    """Every answer its own bet."""
    return Bet("product over answers", count_bets(n, RATE, 0.0))


def averaged(n: int) -> Bet:
    """The mean of the answers' e-values, one bet per cluster."""
    ratios = [event_ratio(bad / n, RATE) for bad in range(n + 1)]
    return Bet("average in clusters", np.stack([contamination(r, EVENTS.shares) for r in ratios]))


def random_effect(n: int, icc: float) -> Bet:
    """The beta-binomial bet with an upper bound on the correlation."""
    return Bet(f"beta-binomial, ICC <= {icc:g}", count_bets(n, RATE, icc))


def any_shape(n: int, icc: float) -> Bet:
    """The bet on the shocks' mean and correlation alone."""
    return Bet(f"moments, ICC <= {icc:g}", count_bets(n, RATE, icc, any_shape=True))


def run_length(bet: Bet, pmf: Floats, nominal: int, setting: Setting, runs: int) -> Figure:
    """Clusters to a false alarm at evidence `nominal` clusters."""
    # Ten times the nominal, where nearly every path has ended; counting less is conservative.
    found = kernels.passages(
        bet.factors, _WEIGHTS, np.cumsum(pmf), np.array([float(nominal)]), runs, 10 * nominal,
        setting.seed,
    )  # fmt: skip
    return mean_of(found[:, 0].astype(np.float64))


def delay(bet: Bet, icc: float, share: float, nominal: int, setting: Setting, runs: int) -> Figure:
    """Clusters from a change after a fifth of the nominal to the alarm."""
    n = len(bet.factors) - 1
    found = kernels.delays(
        bet.factors, _WEIGHTS, np.cumsum(beta_binomial_pmf(n, RATE, icc)),
        np.cumsum(faulty(n, icc, share)), nominal // 5, float(nominal), runs, 10 * nominal,
        setting.seed + 1,
    )  # fmt: skip
    return mean_of(found.astype(np.float64))


def faulty(n: int, icc: float, share: float) -> Floats:
    """Law of the count when a share of answers is bad and the rest share a beta rate."""
    if icc == 0.0:
        return beta_binomial_pmf(n, share + (1.0 - share) * RATE, 0.0)
    size = 1.0 / icc - 1.0
    return mixture(n, share + (1.0 - share) * betaincinv(RATE * size, (1.0 - RATE) * size, _POINTS))


def mixture(n: int, rates: Floats) -> Floats:
    """Law of a binomial count whose rate is each of `rates` with equal probability."""
    values, times = np.unique(np.round(rates, 6), return_counts=True)
    laws = np.stack([beta_binomial_pmf(n, max(float(value), 1e-9), 0.0) for value in values])
    return np.asarray(times @ laws / times.sum())


def two_states(icc: float, chance: float = 0.01) -> Floats:
    """Rates of a healthy platform that is in a bad state in one round of a hundred."""
    gap = (icc * RATE * (1.0 - RATE) / (chance * (1.0 - chance))) ** 0.5
    low = RATE - chance * gap
    return np.asarray(np.where(np.arange(2000) < 2000 * chance, low + gap, low))


def logit_normal(icc: float) -> Floats:
    """Rates with normal log odds, of mean RATE and intraclass correlation `icc` (bisection)."""
    from scipy.optimize import brentq
    from scipy.special import expit, ndtri

    normal = ndtri(_POINTS)

    def centre(sd: float) -> float:
        return float(brentq(lambda m: expit(m + sd * normal).mean() - RATE, -30.0, 5.0))

    def excess(sd: float) -> float:
        return float(expit(centre(sd) + sd * normal).var() - icc * RATE * (1.0 - RATE))

    sd = float(brentq(excess, 1e-4, 6.0))
    return np.asarray(expit(centre(sd) + sd * normal))
