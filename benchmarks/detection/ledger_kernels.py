"""Compiled loops of a healthy fleet between two entries of its ledger, and of a small fault
under weekly versions."""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Counts = NDArray[np.int64]


@njit(cache=True)
def seeded(seed: int) -> None:
    """Seeds the generator of the compiled code."""
    np.random.seed(seed)


@njit(cache=True)
def _hits(cells: int, answers: int, rate: float) -> Counts:
    """Hits by cell of a round that has some."""
    hits = np.zeros(cells, dtype=np.int64)
    while hits.sum() == 0:
        for c in range(cells):
            hits[c] = np.random.binomial(answers, rate)
    return hits


@njit(cache=True)
def _struck(
    mass: Floats,
    drift: Floats,
    good: Floats,
    bad: Floats,
    member: NDArray[np.bool_],
    hits: Counts,
    threshold: float,
) -> int:
    """Folds a round with hits in place; the loudest node above the threshold, or -1."""
    loud, most = -1, threshold
    for v in range(mass.shape[0]):
        h = (hits * member[v]).sum()
        total = 0.0
        for k in range(mass.shape[1]):
            mass[v, k] = (mass[v, k] + drift[v, k]) * (good[v, k] * bad[k] ** h)
            total = total + mass[v, k]
        if total >= most:
            loud, most = v, total
    return loud


@njit(cache=True)
def until(
    mass: Floats,
    drift: Floats,
    good: Floats,
    bad: Floats,
    member: NDArray[np.bool_],
    answers: int,
    rate: float,
    threshold: float,
    rounds: int,
) -> tuple[int, int]:
    """Folds up to `rounds` healthy rounds into `mass` (V, K), in place.

    drift: (V, K) a round. good: (V, K), factor of a round without hits; bad: (K,), ratio of a
    hit's factor to a good answer's. member: (V, cells), each asked `answers` times a round.
    Returns the rounds folded and the node that alarmed, -1 if none. Rounds without a hit are
    folded together: after g of them a mass is f^g M + d (f + ... + f^g), where M and d are no
    alarm, since masses above their rest fall.
    """
    cells = member.shape[1]
    clean = (1.0 - rate) ** (cells * answers)
    t = 0
    while True:
        gap = int(np.log(1.0 - np.random.random()) / np.log(clean))
        quiet = min(gap, rounds - t)
        for v in range(mass.shape[0]):
            for k in range(mass.shape[1]):
                f = good[v, k]
                power = f**quiet
                mass[v, k] = mass[v, k] * power + drift[v, k] * f * (1.0 - power) / (1.0 - f)
        t += quiet
        if t >= rounds:
            return t, -1
        loud = _struck(mass, drift, good, bad, member, _hits(cells, answers, rate), threshold)
        t += 1
        if loud >= 0:
            return t, loud


@njit(cache=True)
def delays(
    table: Floats,
    part: Floats,
    drift: Floats,
    before: float,
    after: float,
    threshold: float,
    week: int,
    day: int,
    kept: bool,
    runs: int,
    limit: int,
    seed: int,
) -> Counts:
    """Rounds from a fault's onset to its alarm, `limit` if none, given no earlier alarm.

    table: factor of a round by its hits; part: the same while new prompts are silent, for
    `day` rounds after each version. week: rounds between versions, 0 for none. kept: whether
    the mass survives a version. The onset comes two to three weeks after the start.
    """
    np.random.seed(seed)
    found = np.full(runs, limit, dtype=np.int64)
    for run in range(runs):
        change = int(4032 + np.random.randint(0, 2016))
        mass, t = np.zeros(drift.shape[0]), 0
        while t < change + limit:
            rows = table
            if week > 0 and t >= week and t % week < day:
                rows = part
            if week > 0 and t % week == 0 and not kept:
                mass[:] = 0.0
            h = np.random.binomial(rows.shape[0] - 1, after if t >= change else before)
            total = 0.0
            for k in range(drift.shape[0]):
                mass[k] = (mass[k] + drift[k]) * rows[h, k]
                total = total + mass[k]
            t += 1
            if total >= threshold:
                if t > change:
                    found[run] = t - change
                    break
                mass[:], t = 0.0, 0
    return found
