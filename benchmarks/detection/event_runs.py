"""Run lengths and delays of event designs, by jumping simulation.

Run lengths use E[T] = E[evidence at the alarm], which holds for any such design (evidence minus
time is a martingale at the exact healthy rate) and varies far less than T itself.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from benchmarks.detection import cells_kernels as kernels
from qualmon.stats.detector import Design
from qualmon.stats.esr import Floats


class Null(NamedTuple):
    """Healthy rate, nominal run length, healthy answers before the change."""

    rate: float
    arl: float
    healthy: int


class Mean(NamedTuple):
    """A simulated mean and its relative standard error."""

    value: float
    error: float


def arrays(design: Design, rate: float) -> tuple[Floats, Floats, Floats, Floats]:
    """What the kernels take of a design: weights, levels, powers, factors of a bad answer."""
    eps, weights = np.asarray(design.shares), np.asarray(design.weights)
    span = int(min(8.0 / rate, 4096))
    powers = (1.0 - eps) ** np.arange(span)[:, None]
    return weights, weights * (1.0 - eps) / eps, powers, 1.0 - eps + eps / rate


def least_threshold(design: Design) -> float:
    """From here on an alarm can fall on a bad answer only (see cells_kernels)."""
    return (1.0 - min(design.shares)) / min(design.shares)


def run_lengths(
    design: Design, null: Null, thresholds: Floats, events: float, seed: int
) -> list[Mean]:
    """Mean run length at each ascending threshold. Needs thresholds >= least_threshold."""
    if thresholds[0] < least_threshold(design):
        raise ValueError(f"threshold {thresholds[0]} lets good answers alarm; step instead")
    runs = int(events / (null.rate * null.arl))
    _, evidence = kernels.passages(*arrays(design, null.rate), null.rate, thresholds, runs, seed)
    return [_mean(column) for column in evidence.T]


def calibrated(design: Design, null: Null, events: float, seed: int) -> float:
    """The threshold whose mean run length is `null.arl`, by interpolation on one simulation."""
    low = max(0.3 * null.arl, least_threshold(design))
    thresholds = np.geomspace(low, null.arl, 40)
    found = [mean.value for mean in run_lengths(design, null, thresholds, events, seed)]
    at = np.interp(math.log(null.arl), np.log(found), np.log(thresholds))
    return float(np.exp(at))


def delay(design: Design, null: Null, share: float, threshold: float, runs: int, seed: int) -> Mean:
    """Mean delay given no alarm in `null.healthy` answers."""
    faulty = null.rate + share * (1.0 - null.rate)
    found = kernels.delays(
        *arrays(design, null.rate), null.rate, faulty, null.healthy, threshold, runs, seed
    )
    return _mean(found.astype(np.float64))


def _mean(values: Floats) -> Mean:
    value = float(values.mean())
    return Mean(value, float(values.std()) / value / math.sqrt(values.size))


class Ours(NamedTuple):
    """A calibrated design: its threshold and the run length found with other seeds."""

    design: Design
    threshold: float
    achieved: Mean


def with_achieved(design: Design, null: Null, events: float, seed: int) -> Ours:
    """The design with its calibrated threshold, and the run length that it achieves."""
    threshold = calibrated(design, null, events / 2.0, seed)
    [achieved] = run_lengths(design, null, np.array([threshold]), events, seed + 1)
    return Ours(design, threshold, achieved)
