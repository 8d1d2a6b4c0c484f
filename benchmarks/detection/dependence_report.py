"""Figures with intervals, and how this section judges them."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from benchmarks.detection.kernels import Floats
from benchmarks.report import Row


class Figure(NamedTuple):
    """A simulated mean with its 95 % interval."""

    value: float
    low: float
    high: float


def mean_of(found: Floats) -> Figure:
    """Of independent runs. A run cut off at its limit counts the limit: a mean from below."""
    mean, error = float(found.mean()), float(found.std(ddof=1)) / len(found) ** 0.5
    return Figure(mean, mean - 1.96 * error, mean + 1.96 * error)


def at_least(item: str, case: str, figure: Figure, nominal: float, unit: str) -> Row:
    """A run length, met where its interval lies above the nominal one."""
    return Row(
        item, case, figure.value, f">= {nominal:g}", figure.low >= nominal,
        figure.low, figure.high, unit,
    )  # fmt: skip


def shown(item: str, case: str, figure: Figure, unit: str, note: str = "") -> Row:
    """A figure without a target."""
    return Row(item, case, figure.value, "", None, figure.low, figure.high, unit, note)


def ratio(figure: Figure, reference: Figure) -> str:
    """'1.23 x' of two independent means."""
    return f"{figure.value / reference.value:.2f} x"


def quantiles(found: Floats) -> tuple[float, float]:
    """Median and 90th percentile."""
    median, high = np.quantile(found, [0.5, 0.9])
    return float(median), float(high)


def proportion(item: str, case: str, value: float, runs: int, target: str) -> Row:
    """A share of independent runs that is only reported, with Wilson's 95 % interval."""
    z2 = 1.96**2
    middle = (value + z2 / (2 * runs)) / (1 + z2 / runs)
    half = 1.96 * (value * (1 - value) / runs + z2 / (4 * runs**2)) ** 0.5 / (1 + z2 / runs)
    return Row(item, case, value, target, None, max(middle - half, 0.0), min(middle + half, 1.0))
