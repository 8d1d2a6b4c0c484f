"""False alarms a year of channels on healthy endpoints: one evidence value a day, reset at alarms.

Every channel is the shipped mixture over shares with the shipped recursion; they differ in what
they take for the null. Nominal: one alarm in 365 days.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import numpy as np
from numpy.random import Generator
from scipy.special import betaln

from benchmarks.detection.endpoint_models import Draws
from qualmon.stats import detector, esr
from qualmon.stats.detector import EVENTS
from qualmon.stats.esr import Floats
from qualmon.stats.grids import SATURATION

#: From a day to the factors of every endpoint, (E, K).
Factors = Callable[[int], Floats]

YEAR: Final = 365.0
EPS: Final = np.asarray(EVENTS.shares)


def alarms(factors: Factors, days: range, endpoints: int) -> Floats:
    """Alarms per endpoint; factors(day): (E, K)."""
    state = detector.init(EVENTS, (endpoints,))
    found = np.zeros(endpoints)
    drift = np.asarray(EVENTS.weights)
    for day in days:
        state = esr.step(state, drift, float(day), factors(day))
        fired = detector.evidence(state) >= YEAR
        found += fired
        state.mass[fired] = 0.0
        state.moment[fired] = 0.0
    return found


def _exp(log_factors: Floats) -> Floats:
    return np.asarray(np.exp(np.minimum(log_factors, np.log(SATURATION))))


def averaged(hits: Floats, null: Floats) -> Factors:
    """One e-value per session, its share of hits over the null rate; sessions multiply.

    hits: shares, shape (E, D, S); null: (E,).
    """

    def factors(day: int) -> Floats:
        ratio = hits[:, day] / null[:, None]
        return np.asarray(detector.factors(EVENTS, ratio).prod(axis=1))

    return factors


def multiplied(hits: Floats, draws: int, null: Floats) -> Factors:
    """Every draw multiplies, as if draws of a session were independent. hits: counts (E, D)."""
    good = np.log1p(-EPS)
    bad = np.log1p(-EPS + EPS / null[:, None])

    def factors(day: int) -> Floats:
        x = hits[:, day, None]
        return _exp(x * bad + (draws - x) * good)

    return factors


def discordant(target: Draws, partner: Draws, draws: int, rng: Generator) -> tuple[Floats, Floats]:
    """Matched pairs of a day in which one alone is an event: (target's, partner's), each (E, D)."""
    x, y = target.events[..., 0], partner.events[..., 0]
    both = rng.hypergeometric(x, draws - x, y)
    return (x - both).astype(float), (y - both).astype(float)


def plug_in(ours: Floats, theirs: Floats, reference: int) -> Floats:
    """Chance that a discordant pair is the target's, as the first `reference` days had it."""
    one, other = ours[:, :reference].sum(axis=1), theirs[:, :reference].sum(axis=1)
    return np.asarray((one + 0.5) / (one + other + 1.0))


def paired(ours: Floats, theirs: Floats, chance: Floats) -> Factors:
    """Sign bets on discordant pairs against a fixed offset, every pair multiplying."""
    good = np.log1p(-EPS)
    bad = np.log1p(-EPS + EPS / chance[:, None])

    def factors(day: int) -> Floats:
        return _exp(ours[:, day, None] * bad + theirs[:, day, None] * good)

    return factors


def random_effect(ours: Floats, theirs: Floats, chance: Floats, rho: float) -> Factors:
    """Beta-binomial likelihood ratio of a day's discordant pairs at intra-day correlation rho."""
    size = 1.0 / rho - 1.0
    null = chance[:, None]
    worse = null + EPS * (1.0 - null)

    def log_likelihood(x: Floats, y: Floats, mean: Floats) -> Floats:
        a, b = mean * size, (1.0 - mean) * size
        return np.asarray(betaln(x + a, y + b) - betaln(a, b))

    def factors(day: int) -> Floats:
        x, y = ours[:, day, None], theirs[:, day, None]
        return _exp(log_likelihood(x, y, worse) - log_likelihood(x, y, null))

    return factors


def novel_share(found: Draws, draws: int, reference: int) -> Floats:
    """Share of each session's draws that the first `reference` sessions never held, (E, D, S)."""
    flat = found.own.reshape(len(found.own), -1)[:, :reference]
    unknown = (flat > 0).sum(axis=1) == 0
    return np.asarray((found.strays + unknown[:, None, None] * found.own) / draws)
