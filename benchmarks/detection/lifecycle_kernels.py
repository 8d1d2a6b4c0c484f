"""Compiled loops of one node's stream of rounds: alarm, block history and onset.

The arithmetic is that of `qualmon.stats.esr` and `qualmon.stats.blocks`; the section replays a
path through both and requires the same alarm, windows and mean start.
"""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Counts = NDArray[np.int64]

#: More blocks than 2**30 rounds need.
BLOCKS = 64


@njit(cache=True)
def _push(starts: Counts, sizes: Counts, hits: Counts, used: int, at: int, h: int) -> int:
    """An exponential histogram of rounds; returns the number of blocks."""
    starts[used], sizes[used], hits[used] = at, 1, h
    used += 1
    last = used - 1
    while last >= 2 and sizes[last] == sizes[last - 2]:
        sizes[last - 2] += sizes[last - 1]
        hits[last - 2] += hits[last - 1]
        for i in range(last, used):
            starts[i - 1], sizes[i - 1], hits[i - 1] = starts[i], sizes[i], hits[i]
        used -= 1
        last -= 2
    return used


@njit(cache=True)
def _geometric(rate: float) -> int:
    """Answers before the next bad one."""
    return int(np.log(1.0 - np.random.random()) / np.log1p(-rate))


@njit(cache=True)
def detections(
    table: Floats,
    drift: Floats,
    before: float,
    after: float,
    changes: Counts,
    threshold: float,
    limit: int,
    seed: int,
) -> tuple[Counts, Floats, Counts, Counts, Counts]:
    """Alarms of faults that begin after `changes` healthy rounds, given no earlier alarm.

    table: (most hits + 1, K), factor of a round by its hits; drift: (K,) a round. Returns the
    round of the alarm (-1 if none by `limit`), the mean start in rounds, and per block its
    start and the hits since, padded with -1: shapes (runs,), (runs,), (runs, BLOCKS) twice; and
    the hits by round of the last run, (limit,), to replay it.
    """
    np.random.seed(seed)
    runs = changes.shape[0]
    answers = table.shape[0] - 1
    alarm = np.full(runs, -1, dtype=np.int64)
    onset = np.full(runs, np.nan)
    first = np.full((runs, BLOCKS), -1, dtype=np.int64)
    since = np.full((runs, BLOCKS), -1, dtype=np.int64)
    path = np.zeros(limit, dtype=np.int64)
    starts = np.zeros(BLOCKS + 2, dtype=np.int64)
    sizes = np.zeros(BLOCKS + 2, dtype=np.int64)
    hits = np.zeros(BLOCKS + 2, dtype=np.int64)
    for run in range(runs):
        change = changes[run]
        mass, moment = np.zeros(drift.shape[0]), np.zeros(drift.shape[0])
        used, t, wait = 0, 0, _geometric(before)
        while t < limit:
            if t == change:
                wait = _geometric(after)
            h = 0
            while wait < answers:
                h += 1
                wait += 1 + _geometric(after if t >= change else before)
            wait -= answers
            path[t] = h
            total = 0.0
            for k in range(drift.shape[0]):
                moment[k] = (moment[k] + drift[k] * t) * table[h, k]
                mass[k] = (mass[k] + drift[k]) * table[h, k]
                total = total + mass[k]
            used = _push(starts, sizes, hits, used, t, h)
            if total >= threshold:
                if t >= change:
                    break
                mass[:], moment[:] = 0.0, 0.0
                used, t, wait = 0, -1, _geometric(before)
            t += 1
        if t < limit:
            alarm[run], onset[run] = t, moment.sum() / mass.sum()
            sum_hits = 0
            for i in range(used - 1, -1, -1):
                sum_hits += hits[i]
                first[run, i], since[run, i] = starts[i], sum_hits
    return alarm, onset, first, since, path


@njit(cache=True)
def first_alarm(table: Floats, drift: Floats, hits: Counts, threshold: float) -> int:
    """Index of the round at which the mass reaches the threshold, or -1."""
    mass = np.zeros(drift.shape[0])
    for t in range(hits.shape[0]):
        total = 0.0
        for k in range(drift.shape[0]):
            mass[k] = (mass[k] + drift[k]) * table[hits[t], k]
            total = total + mass[k]
        if total >= threshold:
            return t
    return -1
