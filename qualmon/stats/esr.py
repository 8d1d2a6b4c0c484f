"""Mixture e-Shiryaev-Roberts as a fold over explicit state.

One mass per bet: ``M <- (M + drift) * factor``, where `drift` is weight x monitored hours
since the last update and `factor` is a bet with conditional mean <= 1 while healthy. Then
``sum(M) - weight * hours`` is a supermartingale, so the mean time until ``sum(M)`` reaches A
is at least ``A / weight`` hours whatever the probe rate, gaps or bursts, provided that
`drift` is fixed before the outcome (the caller takes it from slot times).

Only + and x in a fixed order (and one division, where masses saturate), float64: one stream,
a batch of nodes and a replay agree bit for bit. Logarithms appear on output only.

Source: Shin, Ramdas, Rinaldo, "E-detectors" (NEJSDS 2023, 10.51387/23-NEJSDS51);
Pollak 1985 for the mixture Shiryaev-Roberts rule.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from qualmon.stats.grids import SATURATION

Floats = NDArray[np.float64]


class Masses(NamedTuple):
    """Detector state of any batch shape (..., K): K bets of a frozen grid.

    mass: budget-weighted evidence, >= 0. moment: sum of start time x mass (hours), for onset.
    """

    mass: Floats
    moment: Floats


def init(shape: tuple[int, ...]) -> Masses:
    """Masses of no evidence; the last axis is the bet grid."""
    return Masses(np.zeros(shape), np.zeros(shape))


def step(state: Masses, drift: Floats | float, at: float, factor: Floats) -> Masses:
    """One update. drift: hours x weight, >= 0, broadcast to the state; at: hours since epoch.

    A change may have begun at any moment since the last update; the moment counts the new
    drift at `at`, so onsets are late by at most one interval.
    """
    mass = state.mass + drift
    # One limit for both, so that the mean start, their ratio, survives saturation.
    limited = np.minimum(factor, SATURATION / np.maximum(mass, 1.0))
    moment = (state.moment + drift * at) * limited
    return Masses(np.minimum(mass * limited, SATURATION), moment)


def total(values: Floats) -> Floats:
    """Sum over the last axis in index order (np.sum's pairwise order depends on layout)."""
    result = values[..., 0].copy()
    for k in range(1, values.shape[-1]):
        result = result + values[..., k]
    return result


def onset(state: Masses) -> float:
    """SR-weighted mean start in hours since epoch, over all entries; nan without mass."""
    mass = float(total(state.mass.reshape(1, -1))[0])
    return float(total(state.moment.reshape(1, -1))[0]) / mass if mass > 0 else math.nan


def log10(mass: float) -> float:
    """Evidence as shown: log10 of a mass, floored at -12 so that zero stays plottable."""
    return math.log10(mass) if mass > 1e-12 else -12.0
