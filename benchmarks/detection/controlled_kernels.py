"""Compiled simulation of targets that answer the same prompts, and of the bet on the first.

The day's likelihood and the masses are those of qualmon.stats.bets.odds_days; held to it by
tests/statistical/test_benchmark_dependence.py.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from benchmarks.detection.kernels import Counts, Floats

ROUNDS_A_DAY = 288
#: The evidence is read every twelve rounds.
READ = 12


@njit(cache=True)
def _day_chances(logits: Floats, deviation: float, share: float, chances: Floats) -> None:
    """chances (L, C, k) from logits (L, C, k) and fresh day effects; `share` hits target 0."""
    levels, classes, k = logits.shape
    for j in range(k):
        shift = deviation * np.random.normal()
        eps = share if j == 0 else 0.0
        for v in range(levels):
            for c in range(classes):
                chances[v, c, j] = eps + (1.0 - eps) / (1.0 + np.exp(-logits[v, c, j] - shift))


@njit(cache=True)
def _round(chances: Floats, prompts: int, u: Floats, normaliser: Floats, logs: Floats) -> None:
    """Adds one round to the day's log likelihoods; normaliser: (C, k + 1, U)."""
    levels, classes, k = chances.shape
    level = np.random.randint(0, levels)
    for _ in range(prompts):
        c = np.random.randint(0, classes)
        s = 0
        hit = 0.0
        for j in range(k):
            if np.random.random() < chances[level, c, j]:
                s += 1
                if j == 0:
                    hit = 1.0
        if 0 < s <= k // 2:
            for i in range(u.shape[0]):
                logs[i] += u[i] * hit - normaliser[c, s, i]


@njit(cache=True)
def day_ratios(logs: Floats, healthy: Floats, raised: Floats, ratios: Floats) -> None:
    """Likelihood ratios (K,) from log likelihoods (U,) and the laws' probabilities."""
    top = logs.max()
    below = 0.0
    for i in range(logs.shape[0]):
        below += healthy[i] * np.exp(logs[i] - top)
    for k in range(raised.shape[0]):
        above = 0.0
        for i in range(logs.shape[0]):
            if raised[k, i] > 0.0:
                above += raised[k, i] * np.exp(logs[i] - top)
        # Where the healthy law underflows the evidence is beyond any budget.
        ratios[k] = min(above / max(below, 1e-290), 1e250)


@njit(cache=True)
def alarms(
    logits: Floats,
    deviation: float,
    share: float,
    u: Floats,
    healthy: Floats,
    raised: Floats,
    normaliser: Floats,
    early: float,
    prompts: int,
    change: int,
    threshold: float,
    runs: int,
    limit: int,
    seed: int,
) -> Counts:
    """Rounds from the change, after `change` days, to the alarm; `limit` if none, (runs,).

    Masses move at the end of a day, with the drift of its rounds; within it they are read
    with the day's ratios over `early`. Alarms before the change start the evidence again.
    """
    np.random.seed(seed)
    size = raised.shape[0]
    found = np.full(runs, limit, dtype=np.int64)
    chances = np.empty(logits.shape)
    ratios = np.empty(size)
    for run in range(runs):
        mass = np.zeros(size)
        done = False
        day = 0
        while not done and (day - change) * ROUNDS_A_DAY < limit:
            _day_chances(logits, deviation, share if day >= change else 0.0, chances)
            logs = np.zeros(u.shape[0])
            for t in range(1, ROUNDS_A_DAY + 1):
                _round(chances, prompts, u, normaliser, logs)
                if t % READ:
                    continue
                day_ratios(logs, healthy, raised, ratios)
                evidence = 0.0
                for k in range(size):
                    evidence += mass[k] * ratios[k]
                if evidence / (1.0 if t == ROUNDS_A_DAY else early) >= threshold:
                    if day >= change:
                        found[run] = min((day - change) * ROUNDS_A_DAY + t, limit)
                        done = True
                        break
                    mass[:] = 0.0
            for k in range(size):
                mass[k] = mass[k] * ratios[k] + ROUNDS_A_DAY / size
            day += 1
    return found
