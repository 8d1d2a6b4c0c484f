"""The fleet of the benchmark: 1,000 cells, their nodes by the library, faults and bets."""

from __future__ import annotations

from typing import Final, NamedTuple

import numpy as np
from scipy.special import gammaincinv

from benchmarks.detection.fleet_kernels import METHODS, Bets, Counts, Floats, World
from qualmon.stats import hierarchy
from qualmon.stats.bets.beta_binomial import count_bets
from qualmon.stats.detector import EVENTS

PLATFORMS, MODELS, ROUTES = 5, 10, 20
CELLS: Final = PLATFORMS * MODELS * ROUTES
RATE: Final = 0.02
RUN_LENGTH: Final = 10_000.0
ICCS: Final = (0.0, 0.001, 0.005)
AXES: Final = ((), ("platform",), ("model",), ("platform", "model"), ("platform", "model", "route"))


class Fault(NamedTuple):
    """A place and a share; node: its number as the kernel counts."""

    name: str
    node: int
    hit: Counts
    share: float


def labels() -> dict[str, dict[str, str]]:
    """Cells in the kernel's order: platform, then model, then route."""
    return {
        f"m{m}/p{p}/r{r:02}": {"platform": f"p{p}", "model": f"m{m}", "route": f"r{r:02}"}
        for p in range(PLATFORMS)
        for m in range(MODELS)
        for r in range(ROUTES)
    }


def weights() -> Floats:
    """Weight of one node of each level, as the library gives them to these cells and axes."""
    found = hierarchy.nodes(labels(), AXES)
    by_level = {len(node.members): node.weight for node in found}
    return np.array([by_level[size] for size in (CELLS, 200, 100, 20, 1)])


def bets(icc: float) -> Bets:
    """The shipped design, counting where shocks are shared; icc: the audited upper bound."""
    sizes = (MODELS * ROUTES, ROUTES)
    platform, pair = (count_bets(n, RATE, icc).copy() for n in sizes)
    shares, drift = np.array(EVENTS.shares), np.array(EVENTS.weights)
    return Bets(platform, pair, count_bets(1, RATE, 0.0).copy(), shares, drift, weights())


def world(icc: float, fault: Fault | None, change: int = 0) -> World:
    """The fleet of 1,000 cells with shocks of this ICC; a fault after `change` rounds."""
    hit, share = (np.zeros(0, dtype=np.int64), 0.0) if fault is None else fault[2:]
    return World(PLATFORMS, MODELS, ROUTES, RATE, icc, hit, share, change)


def _cells(chosen: list[int]) -> Counts:
    return np.array(chosen, dtype=np.int64)


def _platform(share: float) -> Fault:
    return Fault(f"platform {share:.1%}", 2, np.arange(200, 400), share)


def _pair(share: float) -> Fault:
    return Fault(f"platform x model {share:.0%}", 16 + 13, np.arange(260, 280), share)


def faults() -> tuple[Fault, ...]:
    """Platform 1, model 3, their crossing, and one cell of it; or everything."""
    size = MODELS * ROUTES
    model = _cells([p * size + 3 * ROUTES + r for p in range(PLATFORMS) for r in range(ROUTES)])
    cell = 16 + PLATFORMS * MODELS + 265
    return (
        *(Fault(f"1 cell {s:.0%}", cell, _cells([265]), s) for s in (0.16, 0.5)),
        *(_platform(s) for s in (0.008, 0.02)),
        *(_pair(s) for s in (0.02, 0.05, 0.16)),
        Fault("model 0.8%", 6 + 3, model, 0.008),
        *(Fault(f"global {s:.1%}", 0, np.arange(CELLS), s) for s in (0.002, 0.008)),
    )


PLATFORM_FAULT: Final = _platform(0.008)


def thresholds(*parts: float) -> Floats:
    """The same thresholds for every method: parts of the run length, ascending."""
    return np.tile(RUN_LENGTH * np.array(parts), (METHODS, 1))


class Estimate(NamedTuple):
    """A figure with its 95 % interval."""

    value: float
    low: float
    high: float


def mean_of(values: Floats | Counts) -> Estimate:
    """Mean with its 95 % interval by the normal law."""
    half = 1.96 * float(np.std(values, ddof=1)) / len(values) ** 0.5
    value = float(np.mean(values))
    return Estimate(value, value - half, value + half)


def run_length(times: Counts, limit: int) -> Estimate:
    """Mean of exponential times, those that reached `limit` censored (its exact interval).

    Without an alarm the value is the time watched, as if one had come at the end.
    """
    alarms = int((times < limit).sum())
    total = float(times.sum())
    high = total / float(gammaincinv(alarms, 0.025)) if alarms else np.inf
    value = total / max(alarms, 1)
    return Estimate(value, total / float(gammaincinv(alarms + 1.0, 0.975)), high)
