"""Compiled loop of the fleet whose cells ask unequal prompts and partly report log-probabilities.

Two families of masses per node, events and tokens, each with half of the node's weight. Token
evidence holds answer by answer given everything else and multiplies; events multiply where no
shock is shared, and are counted per platform and round by a table where one is.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numba import njit

from benchmarks.detection.fleet_kernels import Bets, Counts, Flags, Floats

#: Every so many cells one reports log-probabilities.
TOKEN_EVERY = 5


class Answers(NamedTuple):
    """Laws and beliefs. rates, bounds: (prompts,), true and believed healthy rates of events.
    ratios: (B,) e-values of an answer's tokens; healthy, faulty: (B,) cumulative laws of them.
    icc: of shocks by platform and round, at the mean rate; counted: events enter by tables."""

    rates: Floats
    bounds: Floats
    ratios: Floats
    healthy: Floats
    faulty: Floats
    icc: float
    counted: bool


class Place(NamedTuple):
    """The crossing, and the fault: the cells of one platform, after `change` rounds."""

    platforms: int
    models: int
    routes: int
    platform: int
    share: float
    change: int


class Rule(NamedTuple):
    """weights: (nodes,), cells last. families: (2,), the parts of events and tokens, which sum to
    1 at most. threshold: of a node's mass in one family."""

    bets: Bets
    weights: Floats
    families: Floats
    threshold: float


@njit(cache=True)
def _shock(answers: Answers, mean: float) -> float:
    """What a platform's rates are multiplied by this round, of mean 1."""
    if answers.icc == 0.0:
        return 1.0
    scale = 1.0 / answers.icc - 1.0
    return np.random.beta(mean * scale, (1.0 - mean) * scale) / mean


@njit(cache=True)
def _ask(place: Place, answers: Answers, mean: float, at: int, bad: Flags, bins: Counts) -> None:
    """Bad answers (cells,) and bins of token e-values (token cells,) of one round. Each platform
    asks every prompt once a round, a cell another prompt each time."""
    size = place.models * place.routes
    for p in range(place.platforms):
        shock = _shock(answers, mean)
        strikes = at > place.change and p == place.platform
        for j in range(size):
            c = p * size + j
            faulty = strikes and np.random.random() < place.share
            rate = answers.rates[prompt_of(j, at, answers.rates.shape[0])]
            bad[c] = faulty or np.random.random() < rate * shock
            if c % TOKEN_EVERY == 0:
                law = answers.faulty if faulty else answers.healthy
                b = np.searchsorted(law, np.random.random())
                bins[c // TOKEN_EVERY] = min(b, law.shape[0] - 1)


@njit(cache=True)
def prompt_of(j: int, at: int, prompts: int) -> int:
    """Prompt that a platform's cell j is asked in a round."""
    return (j + 7 * at) % prompts


@njit(cache=True)
def _mass(mass: Floats, drift: Floats, factor: Floats) -> float:
    total = 0.0
    for k in range(mass.shape[0]):
        mass[k] = (mass[k] + drift[k]) * factor[k]
        total = total + mass[k]
    return total


@njit(cache=True)
def _events(place: Place, answers: Answers, at: int, bad: Flags, bets: Bets, out: Floats) -> None:
    """Factors of pairs (pairs, K): products of bets on answers, at their prompts' rates."""
    n_r, n_k = place.routes, bets.shares.shape[0]
    size = place.models * n_r
    for q in range(place.platforms * place.models):
        for k in range(n_k):
            out[q, k] = (1.0 - bets.shares[k]) ** n_r
        for c in range(q * n_r, (q + 1) * n_r):
            if bad[c]:
                bound = answers.bounds[prompt_of(c % size, at, answers.bounds.shape[0])]
                for k in range(n_k):
                    out[q, k] *= 1.0 + bets.shares[k] / (bound * (1.0 - bets.shares[k]))


@njit(cache=True)
def _tokens(place: Place, bins: Counts, table: Floats, out: Floats) -> None:
    """Factors of pairs (pairs, K): products of the bets on their token answers."""
    each = place.routes // TOKEN_EVERY
    out[:] = 1.0
    for i in range(bins.shape[0]):
        for k in range(table.shape[1]):
            out[i // each, k] *= table[bins[i], k]


@njit(cache=True)
def _multiplied(place: Place, pairs: Floats, out: Floats) -> None:
    """Factors of global, platforms, models, pairs from those of pairs, by products."""
    n_p, n_m = place.platforms, place.models
    out[: 1 + n_p + n_m] = 1.0
    for q in range(n_p * n_m):
        for k in range(pairs.shape[1]):
            out[1 + n_p + n_m + q, k] = pairs[q, k]
            out[1 + q // n_m, k] *= pairs[q, k]
            out[1 + n_p + q % n_m, k] *= pairs[q, k]
    for p in range(n_p):
        for k in range(pairs.shape[1]):
            out[0, k] *= out[1 + p, k]


@njit(cache=True)
def _counted(place: Place, bad: Flags, bets: Bets, out: Floats) -> None:
    """The same by counts of bad answers within a platform."""
    n_p, n_m, n_r = place.platforms, place.models, place.routes
    by_platform, by_pair = np.zeros(n_p, dtype=np.int64), np.zeros(n_p * n_m, dtype=np.int64)
    for c in range(n_p * n_m * n_r):
        by_platform[c // (n_m * n_r)] += bad[c]
        by_pair[c // n_r] += bad[c]
    out[: 1 + n_p + n_m] = 1.0
    for p in range(n_p):
        out[1 + p] = bets.platform[by_platform[p]]
        out[0] *= out[1 + p]
    for q in range(n_p * n_m):
        out[1 + n_p + n_m + q] = bets.pair[by_pair[q]]
        out[1 + n_p + q % n_m] *= bets.pair[by_pair[q]]


@njit(cache=True)
def _event_cells(
    place: Place, answers: Answers, at: int, bad: Flags, bets: Bets, mass: Floats, values: Floats
) -> None:
    """Cells' event masses; `values` only of the bad ones, for a good answer raises none."""
    size = place.models * place.routes
    good = 1.0 - bets.shares
    factor = np.ones(bets.shares.shape[0])
    values[:] = 0.0
    for c in range(bad.shape[0]):
        if bad[c]:
            bound = answers.bounds[prompt_of(c % size, at, answers.bounds.shape[0])]
            factor[:] = good + bets.shares / bound
            values[c] = _mass(mass[c], bets.drift, factor)
        else:
            for k in range(good.shape[0]):
                mass[c, k] = (mass[c, k] + bets.drift[k]) * good[k]


class _Work(NamedTuple):
    """Scratch of a round and the masses of both families, nodes above the cells first."""

    bad: Flags
    bins: Counts
    of_pairs: Floats
    of_events: Floats
    of_tokens: Floats
    by_event: Floats
    events: Floats
    tokens: Floats


@njit(cache=True)
def _workplace(place: Place, bets: int) -> _Work:
    pairs = place.platforms * place.models
    cells, upper = pairs * place.routes, 1 + place.platforms + place.models + pairs
    return _Work(
        np.zeros(cells, dtype=np.bool_),
        np.zeros(cells // TOKEN_EVERY, dtype=np.int64),
        np.ones((pairs, bets)),
        np.ones((upper, bets)),
        np.ones((upper, bets)),
        np.zeros(cells),
        np.zeros((upper + cells, bets)),
        np.zeros((upper + cells, bets)),
    )


@njit(cache=True)
def _bet(
    place: Place, answers: Answers, rule: Rule, table: Floats, mean: float, at: int, w: _Work
) -> None:
    """Asks a round; the factors of the nodes above the cells, and the cells' event masses."""
    _ask(place, answers, mean, at, w.bad, w.bins)
    if answers.counted:
        _counted(place, w.bad, rule.bets, w.of_events)
    else:
        _events(place, answers, at, w.bad, rule.bets, w.of_pairs)
        _multiplied(place, w.of_pairs, w.of_events)
    _tokens(place, w.bins, table, w.of_pairs)
    _multiplied(place, w.of_pairs, w.of_tokens)
    cells = w.events[w.of_events.shape[0] :]
    _event_cells(place, answers, at, w.bad, rule.bets, cells, w.by_event)


@njit(cache=True)
def _best_node(rule: Rule, table: Floats, w: _Work) -> tuple[float, int]:
    """Advances the other masses; the largest of any node and family, and its node. A cell that
    reports no log-probabilities has no token mass."""
    upper = w.of_events.shape[0]
    best, node = 0.0, -1
    for v in range(rule.weights.shape[0]):
        token = 0.0
        if v < upper:
            event = _mass(w.events[v], rule.bets.drift, w.of_events[v])
            token = _mass(w.tokens[v], rule.bets.drift, w.of_tokens[v])
        else:
            c = v - upper
            event = w.by_event[c]
            if c % TOKEN_EVERY == 0:
                token = _mass(w.tokens[v], rule.bets.drift, table[w.bins[c // TOKEN_EVERY]])
        value = rule.weights[v] * max(rule.families[0] * event, rule.families[1] * token)
        if value > best:
            best, node = value, v
    return best, node


@njit(cache=True)
def _likeliest(rule: Rule, w: _Work, hours: int) -> int:
    """Node of the largest posterior by both families at once: weight x the mean likelihood ratio
    over onsets of each, 1 where a cell reports no log-probabilities."""
    upper = w.of_events.shape[0]
    best, node = -np.inf, -1
    for v in range(rule.weights.shape[0]):
        score = np.log(rule.weights[v])
        if rule.families[0] > 0.0:
            score += np.log(w.events[v].sum() / hours)
        if rule.families[1] > 0.0 and (v < upper or (v - upper) % TOKEN_EVERY == 0):
            score += np.log(w.tokens[v].sum() / hours)
        if score > best:
            best, node = score, v
    return node


@njit(cache=True)
def joint_passages(
    place: Place, answers: Answers, rule: Rule, after: int, runs: int, limit: int, seed: int
) -> tuple[Counts, Counts, Counts]:
    """Rounds from the change to the alarm, `limit` if none; the node blamed then, and the likeliest
    by both families `after` rounds later, -1 if none; each (runs,). Paths that alarm before the
    change are drawn again."""
    np.random.seed(seed)
    table = 1.0 + (answers.ratios.reshape(-1, 1) - 1.0) * rule.bets.shares
    found, blamed = np.full(runs, limit, dtype=np.int64), np.full((2, runs), -1, dtype=np.int64)
    mean = answers.rates.mean()
    run = 0
    while run < runs:
        work = _workplace(place, rule.bets.shares.shape[0])
        early = False
        at, last = 0, place.change + limit
        while at < last and not early:
            at += 1
            _bet(place, answers, rule, table, mean, at, work)
            best, node = _best_node(rule, table, work)
            if blamed[0, run] < 0 and best >= rule.threshold:
                early = at <= place.change
                if not early:
                    found[run], last = at - place.change, at + after
                    blamed[0, run] = node
        if blamed[0, run] >= 0:
            blamed[1, run] = _likeliest(rule, work, at)
        run += not early
    return found, blamed[0], blamed[1]
