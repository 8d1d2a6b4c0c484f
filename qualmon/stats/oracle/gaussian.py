"""Run lengths of Gaussian CUSUM and Shiryaev-Roberts rules, by their integral equations.

Observations are N(mean, 1). Each run length solves a Fredholm equation of the second kind with a
smooth kernel, so Gauss-Legendre nodes converge faster than any power of their number: what is
left is rounding. These are the yardsticks that published tables are checked against.

Source: Vance, "Average run lengths of cumulative sum control charts", J. Quality Technology 18
(1986), for the CUSUM (Brook and Evans, Biometrika 59 (1972), have the same by a Markov chain);
Moustakides, Polunchenko, Tartakovsky, Comm. Statistics 38 (2009), arXiv:0908.4119, for
Shiryaev-Roberts.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from scipy.special import ndtr

from qualmon.errors import StatisticsError
from qualmon.stats.esr import Floats

#: Nodes per standard deviation of the kernel; twice as many change no printed digit.
DENSITY = 6.0


class Performance(NamedTuple):
    """Means in observations. run_length: from a restart to the false alarm; delay: from a change
    at the restart to the alarm; second: from a change just before the second observation, given
    no alarm at the first; stationary: delay in the long run of repeated false alarms, the change
    falling at a far and random time."""

    run_length: float
    delay: float
    second: float
    stationary: float


def cusum(reference: float, height: float, mean: float) -> float:
    """Mean run length of W <- max(0, W + x - reference), alarm at W >= height, from W = 0.

    Raises StatisticsError unless height > 0 and all are finite.
    """
    _require_finite(reference=reference, mean=mean)
    _require_positive(height=height)
    nodes, weights = _quadrature(0.0, height, 1.0 / DENSITY)
    starts = np.append(nodes, 0.0)
    # Zero has an atom: every step that would fall below it lands there.
    inner = _density(nodes + reference - mean - starts[:, None]) * weights
    atom = ndtr(reference - mean - starts)[:, None]
    kernel = np.hstack((inner, atom))
    return float(np.linalg.solve(np.eye(starts.size) - kernel, np.ones(starts.size))[-1])


def shiryaev_roberts(shift: float, threshold: float, *, density: float = DENSITY) -> Performance:
    """R <- (1 + R) * exp(shift * x - shift^2 / 2) from R = 0, alarm at R >= threshold; healthy
    mean 0, faulty mean `shift`; `density` nodes per standard deviation. Raises StatisticsError
    unless all are finite and > 0."""
    _require_positive(shift=shift, threshold=threshold, density=density)
    # In log R. From R >= 0 a step below the lower limit has probability < 1e-18.
    lowest = min(-(shift**2) / 2.0 - 9.0 * shift, math.log(threshold) - shift)
    nodes, weights = _quadrature(lowest, math.log(threshold), shift / density)
    starts = np.append(np.log1p(np.exp(nodes)), 0.0)
    healthy, faulty = (
        _density((nodes - starts[:, None] - (mean - shift / 2.0) * shift) / shift) * weights / shift
        for mean in (0.0, shift)
    )
    ones = np.ones(starts.size)
    run_length, delay = _expected(healthy, ones), _expected(faulty, ones)
    stationary = _expected(healthy, delay)[-1] / run_length[-1]
    second = healthy[-1] @ delay[:-1] / healthy[-1].sum()
    return Performance(float(run_length[-1]), float(delay[-1]), float(second), float(stationary))


def shiryaev_roberts_threshold(shift: float, target: float) -> float:
    """The threshold of mean run length `target`. Raises StatisticsError for a target below 2."""
    from scipy.optimize import brentq

    _require_positive(shift=shift)
    if not (math.isfinite(target) and target >= 2.0):
        raise StatisticsError(f"run length {target!r} is not a finite number >= 2")

    def excess(threshold: float) -> float:
        return shiryaev_roberts(shift, threshold).run_length - target

    # The run length is the mean of R at the alarm, so at least the threshold.
    return float(brentq(excess, 1e-3, target, rtol=1e-12))


def _expected(kernel: Floats, reward: Floats) -> Floats:
    """x = reward + kernel x at the nodes, and at the start, which is the last row and no node."""
    size = kernel.shape[1]
    inner = np.linalg.solve(np.eye(size) - kernel[:size], reward[:size])
    return np.append(inner, reward[size] + kernel[size] @ inner)


def _quadrature(low: float, high: float, spacing: float) -> tuple[Floats, Floats]:
    count = max(32, math.ceil((high - low) / spacing))
    nodes, weights = np.polynomial.legendre.leggauss(count)
    half = (high - low) / 2.0
    return low + half * (nodes + 1.0), half * weights


def _density(z: Floats) -> Floats:
    return np.asarray(np.exp(-0.5 * z * z) / math.sqrt(2.0 * math.pi))


def _require_finite(**values: float) -> None:
    for name, value in values.items():
        if not math.isfinite(value):
            raise StatisticsError(f"{name} {value!r} is not a finite number")


def _require_positive(**values: float) -> None:
    for name, value in values.items():
        if not (math.isfinite(value) and value > 0.0):
            raise StatisticsError(f"{name} {value!r} is not a finite number > 0")
