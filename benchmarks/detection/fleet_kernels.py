"""Compiled loop of a fleet of crossed cells: platforms x models x routes, one answer a round.

Where the cells of a node share one healthy rate, a node's factor of a round depends on its count
of bad answers alone: a row of a table. Cells answer well in most rounds; their masses are brought
up to date by the closed form of repeated good answers when they answer badly. Otherwise this is
the library's recursion; tests/statistical/test_fleet_kernels.py holds a path to `qualmon.stats`.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Counts = NDArray[np.int64]
Flags = NDArray[np.bool_]

#: Statistics followed on the same answers, in this order.
OURS, CELL_AVERAGE, CELL_BONFERRONI, GLOBAL_ONLY = range(4)
METHODS = 4

#: The closed form of good answers is tabulated up to this many rounds.
_TABLE = 2048


class Bets(NamedTuple):
    """What the detectors assume. platform: (cells of it + 1, K), factor by bad answers of a round;
    pair: the same of a platform x model; cell: (2, K); shares: (K,); drift: (K,), of the shares,
    sum 1; weights: (5,), of one node: global, platform, model, pair, cell."""

    platform: Floats
    pair: Floats
    cell: Floats
    shares: Floats
    drift: Floats
    weights: Floats


class World(NamedTuple):
    """What happens. rate, icc: of healthy answers, the correlation by shocks of platform and
    round; hit: cells that a fault strikes with probability `share` after `change` rounds."""

    platforms: int
    models: int
    routes: int
    rate: float
    icc: float
    hit: Counts
    share: float
    change: int


class _Masses(NamedTuple):
    """Unit-weight masses; cell_sum: of all cells; cell_at: round that a cell's masses are of."""

    globe: Floats
    platform: Floats
    model: Floats
    pair: Floats
    cell: Floats
    cell_sum: Floats
    cell_at: Counts


class _Good(NamedTuple):
    """g good answers at once: powers[g, k] = (1 - eps)^g; sums[g, k]: of powers 1..g."""

    powers: Floats
    sums: Floats


@njit(cache=True)
def _good_answers(shares: Floats) -> _Good:
    powers = np.ones((_TABLE, shares.shape[0]))
    sums = np.zeros((_TABLE, shares.shape[0]))
    for g in range(1, _TABLE):
        for k in range(shares.shape[0]):
            powers[g, k] = powers[g - 1, k] * (1.0 - shares[k])
            sums[g, k] = sums[g - 1, k] + powers[g, k]
    return _Good(powers, sums)


@njit(cache=True)
def _no_evidence(world: World, bets: int) -> _Masses:
    pairs = world.platforms * world.models
    cells = pairs * world.routes
    return _Masses(
        np.zeros(bets),
        np.zeros((world.platforms, bets)),
        np.zeros((world.models, bets)),
        np.zeros((pairs, bets)),
        np.zeros((cells, bets)),
        np.zeros(bets),
        np.zeros(cells, dtype=np.int64),
    )


@njit(cache=True)
def _gap(log_good: float) -> int:
    """Good answers before the next bad one."""
    return int(np.log(1.0 - np.random.random()) / log_good)


@njit(cache=True)
def _healthy_round(world: World, bad: Flags, which: Counts) -> int:
    """Bad answers of health: a platform's rate of the round is Beta(mean rate, icc)."""
    size = world.models * world.routes
    n = 0
    for p in range(world.platforms):
        theta = world.rate
        if world.icc > 0.0:
            scale = 1.0 / world.icc - 1.0
            theta = np.random.beta(world.rate * scale, (1.0 - world.rate) * scale)
        if theta > 1e-12:
            log_good = np.log1p(-theta)
            c = _gap(log_good)
            while c < size:
                which[n] = p * size + c
                bad[p * size + c] = True
                n += 1
                c += 1 + _gap(log_good)
    return n


@njit(cache=True)
def draw_round(world: World, faulty: bool, bad: Flags, which: Counts) -> int:
    """Marks the bad cells of a round and lists them; returns how many. `bad` comes in clear."""
    n = _healthy_round(world, bad, which)
    if faulty and world.share > 0.0:
        log_good = np.log1p(-world.share)
        i = _gap(log_good)
        while i < world.hit.shape[0]:
            c = world.hit[i]
            if not bad[c]:
                bad[c] = True
                which[n] = c
                n += 1
            i += 1 + _gap(log_good)
    return n


@njit(cache=True)
def _advance(mass: Floats, drift: Floats, factor: Floats) -> float:
    total = 0.0
    for k in range(mass.shape[0]):
        mass[k] = (mass[k] + drift[k]) * factor[k]
        total = total + mass[k]
    return total


@njit(cache=True)
def _offer(best: Floats, level: int, node: int, value: float) -> None:
    """Keeps the largest mass, its node, each level's largest and the sum of all."""
    if value > best[0]:
        best[0] = value
        best[1] = node
    best[2 + level] = max(best[2 + level], value)
    best[7] += value


@njit(cache=True)
def _advance_nodes(
    world: World, bets: Bets, m: _Masses, which: Counts, n: int, best: Floats
) -> None:
    """All nodes above the cells. Within a platform a node's answers share that platform's shock
    and are counted; platforms are independent given the past and multiply."""
    n_p, n_m, n_r = world.platforms, world.models, world.routes
    by_platform = np.zeros(n_p, dtype=np.int64)
    by_pair = np.zeros(n_p * n_m, dtype=np.int64)
    for i in range(n):
        by_platform[which[i] // (n_m * n_r)] += 1
        by_pair[which[i] // n_r] += 1
    factor = np.ones(bets.drift.shape[0])
    for p in range(n_p):
        factor *= bets.platform[by_platform[p]]
    _offer(best, 0, 0, bets.weights[0] * _advance(m.globe, bets.drift, factor))
    for p in range(n_p):
        value = _advance(m.platform[p], bets.drift, bets.platform[by_platform[p]])
        _offer(best, 1, 1 + p, bets.weights[1] * value)
    for j in range(n_m):
        factor[:] = 1.0
        for p in range(n_p):
            factor *= bets.pair[by_pair[p * n_m + j]]
        value = _advance(m.model[j], bets.drift, factor)
        _offer(best, 2, 1 + n_p + j, bets.weights[2] * value)
    for q in range(n_p * n_m):
        value = _advance(m.pair[q], bets.drift, bets.pair[by_pair[q]])
        _offer(best, 3, 1 + n_p + n_m + q, bets.weights[3] * value)


@njit(cache=True)
def _advance_cells(
    bets: Bets, m: _Masses, good: _Good, at: int, which: Counts, n: int, first: int, best: Floats
) -> float:
    """All cells: as if every answer were good, then what the bad ones gained on top. A cell has
    one answer a round, whose bet holds given the past, shocks or not."""
    n_k = bets.drift.shape[0]
    cells = m.cell.shape[0]
    for k in range(n_k):
        m.cell_sum[k] = (m.cell_sum[k] + cells * bets.drift[k]) * bets.cell[0, k]
    top = 0.0
    for i in range(n):
        c = which[i]
        gap = at - 1 - m.cell_at[c]
        while gap > 0:
            part = min(gap, _TABLE - 1)
            for k in range(n_k):
                m.cell[c, k] = m.cell[c, k] * good.powers[part, k]
                m.cell[c, k] += bets.drift[k] * good.sums[part, k]
            gap -= part
        m.cell_at[c] = at
        for k in range(n_k):
            gained = bets.cell[1, k] - bets.cell[0, k]
            m.cell_sum[k] += (m.cell[c, k] + bets.drift[k]) * gained
        value = _advance(m.cell[c], bets.drift, bets.cell[1])
        top = max(top, value)
        if bets.weights[4] * value > best[0]:
            best[0] = bets.weights[4] * value
            best[1] = first + c
    best[6] = bets.weights[4] * top
    best[7] += bets.weights[4] * m.cell_sum.sum()
    return top


@njit(cache=True)
def _round(
    world: World,
    bets: Bets,
    m: _Masses,
    good: _Good,
    at: int,
    bad: Flags,
    which: Counts,
    best: Floats,
    values: Floats,
) -> None:
    """One round: `values` of the methods, and `best` as _offer keeps it."""
    n = draw_round(world, at > world.change, bad, which)
    best[:] = 0.0
    _advance_nodes(world, bets, m, which, n, best)
    first = 1 + world.platforms + world.models + world.platforms * world.models
    top = _advance_cells(bets, m, good, at, which, n, first, best)
    for i in range(n):
        bad[which[i]] = False
    values[OURS] = best[0]
    values[CELL_AVERAGE] = m.cell_sum.sum() / m.cell.shape[0]
    values[CELL_BONFERRONI] = top / m.cell.shape[0]
    values[GLOBAL_ONLY] = m.globe.sum()


@njit(cache=True)
def passages(
    world: World, bets: Bets, thresholds: Floats, wanted: Flags, runs: int, limit: int, seed: int
) -> tuple[Counts, Counts, Floats, int]:
    """Rounds from the change to each threshold, shape (runs, METHODS, J); `limit` if none.

    thresholds: (METHODS, J), ascending. A run is over once all `wanted` methods passed their last
    one. Paths on which we alarm before the change are drawn again; the last result counts them.
    Also the node blamed at our last threshold (global, platforms, models, pairs, cells counted
    on; -1 if none) and, then, the best mass of each level over the sum of all, shape (runs, 5).
    """
    np.random.seed(seed)
    good = _good_answers(bets.shares)
    last = thresholds.shape[1] - 1
    cells = world.platforms * world.models * world.routes
    found = np.full((runs, METHODS, last + 1), limit, dtype=np.int64)
    blamed = np.full(runs, -1, dtype=np.int64)
    scores = np.zeros((runs, 5))
    bad, which = np.zeros(cells, dtype=np.bool_), np.zeros(cells, dtype=np.int64)
    best, values = np.zeros(8), np.zeros(METHODS)
    run = redrawn = 0
    while run < runs:
        masses = _no_evidence(world, bets.drift.shape[0])
        reached = np.zeros(METHODS, dtype=np.int64)
        early = False
        for at in range(1, world.change + limit + 1):
            _round(world, bets, masses, good, at, bad, which, best, values)
            if at <= world.change:
                early = values[OURS] >= thresholds[OURS, last]
                if early:
                    break
                continue
            if reached[OURS] <= last and values[OURS] >= thresholds[OURS, last]:
                blamed[run] = int(best[1])
                scores[run] = best[2:7] / best[7]
            open_ones = 0
            for method in range(METHODS):
                j = reached[method]
                while j <= last and values[method] >= thresholds[method, j]:
                    found[run, method, j] = at - world.change
                    j += 1
                reached[method] = j
                open_ones += wanted[method] and j <= last
            if open_ones == 0:
                break
        redrawn += early
        run += not early
    return found, blamed, scores, redrawn


@njit(cache=True)
def sample_path(world: World, bets: Bets, rounds: int, seed: int) -> tuple[Flags, Floats, Floats]:
    """One path for comparison: bad answers (rounds, cells), values (rounds, METHODS), and the
    last round's largest masses and their sum as kept for blame, shape (8,)."""
    np.random.seed(seed)
    good = _good_answers(bets.shares)
    cells = world.platforms * world.models * world.routes
    bad, which = np.zeros(cells, dtype=np.bool_), np.zeros(cells, dtype=np.int64)
    best, values = np.zeros(8), np.zeros(METHODS)
    masses = _no_evidence(world, bets.drift.shape[0])
    answers = np.zeros((rounds, cells), dtype=np.bool_)
    path = np.zeros((rounds, METHODS))
    for at in range(1, rounds + 1):
        _round(world, bets, masses, good, at, bad, which, best, values)
        answers[at - 1] = masses.cell_at == at  # a cell is brought up to date when it is bad
        path[at - 1] = values
    return answers, path, best
