"""The detector: a mixture e-Shiryaev-Roberts over shares, one frozen design for all streams.

Catches a share of answers from a faulty state, from 0.05 % to 25 % of them, without knowing
the share. Blind to faults whose e-values stay at or below 1, and to what no bet looks at.

Source: Shin, Ramdas, Rinaldo, "E-detectors" (NEJSDS 2023, 10.51387/23-NEJSDS51).
"""

from __future__ import annotations

from typing import Final, NamedTuple

import numpy as np

from qualmon.errors import StatisticsError
from qualmon.stats import esr
from qualmon.stats.esr import Floats, Masses
from qualmon.stats.grids import DROP_GRID, EPS_GRID


class Design(NamedTuple):
    """A frozen mixture: contamination shares in (0, 1) and their weights, which sum to 1.

    To change it after looking at data is to start a new epoch.
    """

    shares: tuple[float, ...]
    weights: tuple[float, ...]


def uniform(shares: tuple[float, ...]) -> Design:
    """Equal weights over `shares`."""
    return Design(shares, (1.0 / len(shares),) * len(shares))


#: The shipped design for events and scores. At equal run length it needs 2-13 % fewer answers than
#: equal weights for shares of .4 % and more. A mass of a smaller share grows too slowly to help
#: there, while its slow wandering in health raises the threshold for all, so those three octaves
#: hold 5 %: that costs *them* ln(.1/w) nats, 6-15 % of the delay at .18 %. Above, weight falls with
#: the share: ln(1/w) nats are soon earned by a large one. Any weights that sum to 1 keep the
#: guarantee. Measured by `python -m benchmarks detection --only cells`, equal weights beside it.
EVENTS: Final = Design(EPS_GRID, (0.01, 0.02, 0.02, 0.06, 0.22, 0.19, 0.15, 0.12, 0.13, 0.08))

#: The shipped design for tokens: per-token probabilities that the top token is dropped. Against
#: equal weights drops of .1 to 1 % are found with 3 to 7 % fewer tokens, one of .01 % or 5 % with
#: up to 5 % more. Measured by `python -m benchmarks detection --only tokens`.
TOKENS: Final = Design(
    DROP_GRID, (0.03, 0.03, 0.05, 0.09, 0.15, 0.12, 0.09, 0.24, 0.08, 0.05, 0.04, 0.02, 0.01)
)


def init(design: Design, shape: tuple[int, ...] = ()) -> Masses:
    """No evidence, for one stream (shape ()) or an array of streams."""
    return esr.init((*shape, len(design.shares)))


def factors(design: Design, ratio: Floats | float) -> Floats:
    """1 - eps + eps * r for e-values of any shape (...,): shape (..., K).

    Raises StatisticsError for a negative or non-finite e-value.
    """
    r = np.asarray(ratio, dtype=np.float64)
    if not (np.isfinite(r).all() and (r >= 0.0).all()):
        raise StatisticsError(f"e-value {ratio!r} is not a finite number >= 0")
    eps = np.asarray(design.shares)
    return np.asarray((1.0 - eps) + eps * r[..., None])


def step(
    design: Design, state: Masses, ratio: Floats | float, *, hours: float, at: float
) -> Masses:
    """Folds one e-value per stream. hours: monitored hours since the last update, fixed before
    the outcome; at: hours since the epoch. Evidence A is reached falsely once in A hours at most.
    """
    drift = np.asarray(design.weights) * hours
    return esr.step(state, drift, at, factors(design, ratio))


def evidence(state: Masses) -> Floats:
    """Evidence of each stream in hours: alarm where it reaches the budget; shape (...,)."""
    return esr.total(state.mass)
