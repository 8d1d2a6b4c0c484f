"""Compiled loops of two published rules for many sensors, on Gaussian and on Bernoulli streams.

Xie and Siegmund 2013: T2(p), the maximum over starts of sum_n log(1 - p + p exp(l_n)), with l_n
the log generalised likelihood ratio of stream n since the start. Mei 2010: the sum of the streams'
CUSUM statistics, each tuned to one stated change.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from benchmarks.detection.fleet_kernels import Counts, Floats, World, draw_round

#: Scores are tabulated over U in [0, _U_MAX], linear between points (error < 1e-5).
_U_MAX, _POINTS = 12.0, 6001


@njit(cache=True)
def _note(found: Counts, thresholds: Floats, reached: int, value: float, t: int) -> int:
    while reached < thresholds.shape[0] and value >= thresholds[reached]:
        found[reached] = t
        reached += 1
    return reached


@njit(cache=True)
def score_table(p: float) -> Floats:
    """log(1 - p + p exp(u^2 / 2)) for u on the grid."""
    table = np.zeros(_POINTS)
    for i in range(_POINTS):
        u = _U_MAX * i / (_POINTS - 1)
        table[i] = 0.5 * u * u + np.log(p + (1.0 - p) * np.exp(-0.5 * u * u))
    return table


@njit(cache=True)
def _mixture(sums: Floats, t: int, window: int, table: Floats, need: float) -> float:
    """Largest score over the starts of the last `window` observations; sums: ring of sums."""
    ring, streams = sums.shape
    scale = (_POINTS - 1) / _U_MAX
    best = 0.0
    for back in range(1, min(t, window) + 1):
        root = scale / np.sqrt(float(back))
        now, then = sums[t % ring], sums[(t - back) % ring]
        value = 0.0
        for n in range(streams):
            x = (now[n] - then[n]) * root
            if x > 0.0:
                i = min(int(x), _POINTS - 2)
                value += table[i] + (x - i) * (table[i + 1] - table[i])
        best = max(best, value)
        if best >= need:
            break
    return best


@njit(cache=True)
def gaussian_mixture(
    p: float,
    window: int,
    streams: int,
    hit: int,
    shift: float,
    thresholds: Floats,
    runs: int,
    limit: int,
    seed: int,
) -> Counts:
    """Times to the ascending thresholds, (runs, J); `hit` streams have mean `shift` from 0 on."""
    np.random.seed(seed)
    table = score_table(p)
    found = np.full((runs, thresholds.shape[0]), limit, dtype=np.int64)
    for run in range(runs):
        sums = np.zeros((window + 1, streams))
        reached = 0
        for t in range(1, limit + 1):
            for n in range(streams):
                x = np.random.standard_normal() + (shift if n < hit else 0.0)
                sums[t % (window + 1), n] = sums[(t - 1) % (window + 1), n] + x
            value = _mixture(sums, t, window, table, thresholds[-1])
            reached = _note(found[run], thresholds, reached, value, t)
            if reached == thresholds.shape[0]:
                break
    return found


@njit(cache=True)
def gaussian_cusum_sum(
    design: float,
    streams: int,
    hit: int,
    shift: float,
    thresholds: Floats,
    runs: int,
    limit: int,
    seed: int,
) -> Counts:
    """Mei's rule for unit-variance streams; design: the mean that each CUSUM is tuned to."""
    np.random.seed(seed)
    found = np.full((runs, thresholds.shape[0]), limit, dtype=np.int64)
    for run in range(runs):
        w = np.zeros(streams)
        reached = 0
        for t in range(1, limit + 1):
            total = 0.0
            for n in range(streams):
                x = np.random.standard_normal() + (shift if n < hit else 0.0)
                w[n] = max(0.0, w[n] + design * x - 0.5 * design * design)
                total += w[n]
            reached = _note(found[run], thresholds, reached, total, t)
            if reached == thresholds.shape[0]:
                break
    return found


@njit(cache=True)
def gaussian_nodes(
    means: Floats,
    parts: Floats,
    weight: float,
    streams: int,
    hit: int,
    shift: float,
    thresholds: Floats,
    runs: int,
    limit: int,
    seed: int,
) -> Counts:
    """Our rule with two levels, all streams and each alone: mixture e-SR over mean shifts.

    parts: shares of streams that the node of all bets on. weight: of a level.
    """
    np.random.seed(seed)
    shifts, sizes = means.shape[0], parts.shape[0]
    found = np.full((runs, thresholds.shape[0]), limit, dtype=np.int64)
    for run in range(runs):
        whole, single = np.zeros((shifts, sizes)), np.zeros((streams, shifts))
        reached = 0
        for t in range(1, limit + 1):
            best = 0.0
            factor = np.ones((shifts, sizes))
            for n in range(streams):
                x = np.random.standard_normal() + (shift if n < hit else 0.0)
                alone = 0.0
                for i in range(shifts):
                    ratio = np.exp(means[i] * x - 0.5 * means[i] * means[i])
                    single[n, i] = (single[n, i] + 1.0 / shifts) * ratio
                    alone += single[n, i]
                    for j in range(sizes):
                        factor[i, j] *= 1.0 - parts[j] + parts[j] * ratio
                best = max(best, alone * weight / streams)
            whole = (whole + 1.0 / (shifts * sizes)) * factor
            best = max(best, weight * whole.sum())
            reached = _note(found[run], thresholds, reached, best, t)
            if reached == thresholds.shape[0]:
                break
    return found


@njit(cache=True)
def count_scores(p: float, rate: float, windows: Counts, most: int) -> Floats:
    """Score of one cell by window and bad answers in it, (W, most + 1); the last stands for more.

    The same mixture with the log generalised likelihood ratio of a rate above `rate`.
    """
    table = np.zeros((windows.shape[0], most + 1))
    for w in range(windows.shape[0]):
        size = windows[w]
        for bad in range(min(most, size) + 1):
            share = bad / size
            ratio = 0.0
            if share > rate:
                ratio = bad * np.log(share / rate)
                if bad < size:
                    ratio += (size - bad) * np.log((1.0 - share) / (1.0 - rate))
            table[w, bad] = ratio + np.log(p + (1.0 - p) * np.exp(-ratio))
    return table


@njit(cache=True)
def _slide(
    scores: Floats,
    windows: Counts,
    counts: Counts,
    values: Floats,
    ring: Counts,
    sizes: Counts,
    t: int,
) -> float:
    """Takes round t's bad cells into every window and the round that leaves it out of it."""
    length, top = ring.shape[0], scores.shape[1] - 1
    best = 0.0
    for w in range(windows.shape[0]):
        now = t % length
        for i in range(sizes[now]):
            c = ring[now, i]
            before = counts[w, c]
            counts[w, c] = before + 1
            values[w] += scores[w, min(before + 1, top)] - scores[w, min(before, top)]
        old = t - windows[w]
        if old >= 1:
            gone = old % length
            for i in range(sizes[gone]):
                c = ring[gone, i]
                before = counts[w, c]
                counts[w, c] = before - 1
                values[w] += scores[w, min(before - 1, top)] - scores[w, min(before, top)]
        if t >= windows[w]:
            best = max(best, values[w])
    return best


@njit(cache=True)
def fleet_mixture(
    world: World, p: float, windows: Counts, thresholds: Floats, runs: int, limit: int, seed: int
) -> Counts:
    """T2(p) on the fleet's cells, starts at the given ages in rounds; times from the change, given
    no alarm before it."""
    np.random.seed(seed)
    cells = world.platforms * world.models * world.routes
    scores = count_scores(p, world.rate, windows, 400)
    length = int(windows[-1]) + 1
    bad, which = np.zeros(cells, dtype=np.bool_), np.zeros(cells, dtype=np.int64)
    found = np.full((runs, thresholds.shape[0]), limit, dtype=np.int64)
    run = 0
    while run < runs:
        early = False
        counts = np.zeros((windows.shape[0], cells), dtype=np.int64)
        values = np.zeros(windows.shape[0])
        ring = np.zeros((length, cells // 2), dtype=np.int64)
        sizes = np.zeros(length, dtype=np.int64)
        reached = 0
        for at in range(1, world.change + limit + 1):
            n = draw_round(world, at > world.change, bad, which)
            ring[at % length, :n] = which[:n]
            sizes[at % length] = n
            bad[which[:n]] = False
            best = _slide(scores, windows, counts, values, ring, sizes, at)
            if at <= world.change:
                early = best >= thresholds[-1]
                if early:
                    break
                continue
            reached = _note(found[run], thresholds, reached, best, at - world.change)
            if reached == thresholds.shape[0]:
                break
        run += not early
    return found


@njit(cache=True)
def fleet_cusum_sum(
    world: World, share: float, thresholds: Floats, runs: int, limit: int, seed: int
) -> Counts:
    """Mei's rule on the fleet's cells, each CUSUM tuned to a contamination of `share`; times from
    the change, given no alarm before it."""
    np.random.seed(seed)
    cells = world.platforms * world.models * world.routes
    up = np.log1p(share * (1.0 / world.rate - 1.0))
    down = -np.log1p(-share)
    bad, which = np.zeros(cells, dtype=np.bool_), np.zeros(cells, dtype=np.int64)
    found = np.full((runs, thresholds.shape[0]), limit, dtype=np.int64)
    run = 0
    while run < runs:
        early = False
        w = np.zeros(cells)
        reached = 0
        for at in range(1, world.change + limit + 1):
            n = draw_round(world, at > world.change, bad, which)
            # A bad answer moves by up; -down for every cell, so up + down for the bad ones first.
            for i in range(n):
                w[which[i]] += up + down
                bad[which[i]] = False
            total = 0.0
            for c in range(cells):
                w[c] = max(0.0, w[c] - down)
                total += w[c]
            if at <= world.change:
                early = total >= thresholds[-1]
                if early:
                    break
                continue
            reached = _note(found[run], thresholds, reached, total, at - world.change)
            if reached == thresholds.shape[0]:
                break
        run += not early
    return found
