"""Compiled token streams: contexts by their tail 1 - p1, a sampler that drops the top token."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numba import njit

from benchmarks.detection.kernels import Counts, Floats


class Route(NamedTuple):
    """How tokens arise and are reported. peaked: share of contexts whose tail is log-uniform on
    1e-6..1e-2, the others on 1e-2..0.9; sigma: sd of the log odds sampled from around those
    reported; floor, deflation: of the bet."""

    peaked: float
    sigma: float
    floor: float
    deflation: float


@njit(cache=True)
def token(route: Route, drop: float) -> tuple[float, bool]:
    """One context's reported tail, and whether another than the top token was sampled."""
    if np.random.random() < route.peaked:
        tail = 10.0 ** (-6.0 + 4.0 * np.random.random())
    else:
        tail = 0.01 * 90.0 ** np.random.random()
    chance = tail
    if route.sigma > 0.0:
        odds = tail / (1.0 - tail) * math.exp(route.sigma * np.random.standard_normal())
        chance = odds / (1.0 + odds)
    return tail, np.random.random() < chance + drop * (1.0 - chance)


@njit(cache=True)
def ratio(route: Route, tail: float, hit: bool) -> float:
    """As qualmon.stats.bets.tokens.drop_ratio, for one token."""
    return 1.0 / (route.deflation * max(tail, route.floor)) if hit else 0.0


@njit(cache=True)
def passages(
    route: Route, drop: float, grid: Floats, weights: Floats, thresholds: Floats,
    runs: int, limit: int, seed: int,
) -> Counts:  # fmt: skip
    """Tokens to each ascending threshold from zero state, shape (runs, J); `limit` if none."""
    np.random.seed(seed)
    found = np.full((runs, thresholds.shape[0]), limit, dtype=np.int64)
    for run in range(runs):
        mass = np.zeros(grid.shape[0])
        reached = 0
        for t in range(1, limit + 1):
            tail, hit = token(route, drop)
            r = ratio(route, tail, hit)
            total = 0.0
            for k in range(grid.shape[0]):
                mass[k] = (mass[k] + weights[k]) * ((1.0 - grid[k]) + grid[k] * r)
                total = total + mass[k]
            while reached < thresholds.shape[0] and total >= thresholds[reached]:
                found[run, reached] = t
                reached += 1
            if reached == thresholds.shape[0]:
                break
    return found


@njit(cache=True)
def oracle_passages(
    route: Route, drop: float, known: float, thresholds: Floats, runs: int, limit: int, seed: int
) -> Counts:
    """As `passages`, of the CUSUM that knows the drop rate; thresholds in nats."""
    np.random.seed(seed)
    found = np.full((runs, thresholds.shape[0]), limit, dtype=np.int64)
    for run in range(runs):
        total, reached = 0.0, 0
        for t in range(1, limit + 1):
            tail, hit = token(route, drop)
            r = ratio(route, tail, hit)
            total = max(0.0, total + math.log(1.0 - known + known * r))
            while reached < thresholds.shape[0] and total >= thresholds[reached]:
                found[run, reached] = t
                reached += 1
            if reached == thresholds.shape[0]:
                break
    return found


@njit(cache=True)
def sample(route: Route, drop: float, count: int, seed: int) -> tuple[Floats, Counts, Floats]:
    """Tails, hits (0, 1) and ratios of `count` tokens, to compare with the library."""
    np.random.seed(seed)
    tails, hits, ratios = np.empty(count), np.empty(count, dtype=np.int64), np.empty(count)
    for t in range(count):
        tail, hit = token(route, drop)
        tails[t], hits[t], ratios[t] = tail, hit, ratio(route, tail, hit)
    return tails, hits, ratios
