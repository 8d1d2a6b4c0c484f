"""Channel token.drop: the answer's e-value against a sampler that drops the top token.

At a position with distribution p, the token x is not the most probable one with probability
1 - p1, so r = 1{x is not top} / (1 - p1) has mean 1, whatever the other positions did. A
sampler that drops the top token with probability q has the likelihood ratio 1 - q + q*r, and
the product over an answer's positions is an e-value: its mean under a sound sampler is at
most 1. Everything below that is not exact errs towards a smaller r.

The token that ended an answer was sampled too, and few servers report it. A position where
the end is most probable would then show only its misses; so it counts as one with r = 0.
"""

from __future__ import annotations

import math
from typing import Final

import numpy as np

from qualmon.scorers.case import Case, unjudged
from qualmon.scorers.channels import CHANNELS
from qualmon.scorers.positions import Bools, Floats, Positions
from qualmon.scorers.samplers import Truncation, truncation_of
from qualmon.stats.grids import DROP_GRID, SATURATION
from qualmon.types import Score

#: Smallest 1 - p1 that is believed. Float32 logits of size 30 carry 4e-6 of rounding, which
#: is 4 % of this floor and so inside the deflation; a larger r would rest on rounding alone.
TAIL_FLOOR: Final = 1e-4
#: r is divided by this. Noise between the logits reported and those sampled from raises the
#: mean of r by 0.4 % at 0.1 nat and 3.8 % at 0.3 nat.
DEFLATION: Final = 1.05
#: Reports rounded to this many decimals or fewer are recognised as rounded.
_DECIMALS: Final = 5
_INFO: Final = CHANNELS["token.drop"]


def judge_drop(case: Case) -> Score:
    """token.drop: mean over DROP_GRID of prod_t (1 - q + q*r_t); `grid` holds each product.

    Input: logprobs of an answer sampled at temperature 1, the other settings known neutral
    but for at most one truncation, which is undone where the listed alternatives allow it.
    Output: e-value >= 0, saturated at 1e250.
    Catches: a dropped top token (approximate top-k). Blind to: logprobs after the fault.
    Source: docs/statistics.md, "Bets"; postmortem of 2025-09, bug 3.
    """
    truncation, found = truncation_of(case.sampler), case.positions
    if isinstance(truncation, str):
        return unjudged(_INFO, truncation)
    if case.sampler.get("stop"):
        return unjudged(_INFO, "stop texts hide an unknown number of sampled tokens")
    if truncation.name == "top_k" and truncation.limit > found.listed.max(initial=0):
        return unjudged(_INFO, f"fewer alternatives are listed than {truncation}")
    if (found.overweight | found.unsigned).any():
        return unjudged(_INFO, "the reported logprobs are no distribution")
    if not found.judged.any():
        return unjudged(_INFO, "no position lists alternatives that can be told apart")
    return _evidence(found, truncation, ended=case.completion.finish_reason != "length")


def _evidence(found: Positions, truncation: Truncation, *, ended: bool) -> Score:
    tail, allowed = _tail(found, truncation)
    step = rounding(found.top)
    hits = found.judged & allowed & (found.own < found.rival)
    r = 1.0 / (DEFLATION * np.maximum(tail[hits] + step, TAIL_FLOOR))
    tokens = int(found.judged.sum())
    grid = _products(r, tokens + ended)
    detail = {
        "tokens": tokens,
        "skipped": len(found.judged) - tokens,
        "hits": len(r),
        "truncation": str(truncation),
        "rounding": step,
    }
    return Score(_INFO.name, _INFO.kind, math.fsum(grid) / len(grid), detail, grid)


def _products(r: Floats, positions: int) -> tuple[float, ...]:
    """prod_t (1 - q + q*r_t) for each q; by logarithms, as a product may overflow midway."""
    q = np.array(DROP_GRID)
    logs = (positions - len(r)) * np.log1p(-q)
    logs += np.log(1.0 - q[:, None] + q[:, None] * r).sum(axis=1)
    return tuple(np.minimum(np.exp(np.minimum(logs, math.log(SATURATION))), SATURATION).tolist())


def _tail(found: Positions, truncation: Truncation) -> tuple[Floats, Bools]:
    """(T,) probability that a sound sampler picks another than the top token, and whether
    the truncation admits the sampled token.

    Truncation leaves the top token and cuts others, so the tail before it bounds the tail
    after it: where the list does not reach the cut, the former stands in. A sampled token
    beyond the cut counts as r = 0, as only noise at the cut explains it.
    """
    raw = -np.expm1(found.rival)
    if truncation.name is None:
        return raw, np.ones(len(raw), bool)
    chance = -np.sort(-np.exp(found.top), axis=1)
    kept, covered = _kept(chance, found, truncation)
    rest = np.where(kept, chance, 0.0)[:, 1:].sum(axis=1)
    least = np.where(kept, chance, np.inf).min(axis=1)
    renormalised = rest / np.maximum(rest + chance[:, 0], np.finfo(float).tiny)
    allowed = ~covered | (np.exp(found.own) >= least)
    return np.where(covered, renormalised, raw), allowed


def _kept(chance: Floats, found: Positions, cut: Truncation) -> tuple[Bools, Bools]:
    """(T, K) alternatives within the cut, (T,) whether the list reaches it."""
    if cut.name == "top_k":
        columns = np.arange(chance.shape[1]) < cut.limit
        return np.broadcast_to(columns, chance.shape), found.listed >= cut.limit
    if cut.name == "top_p":
        reached = np.cumsum(chance, axis=1)
        return reached - chance < cut.limit, reached[:, -1] >= cut.limit
    line = cut.limit * chance[:, :1]
    least = np.where(np.isinf(found.top), np.inf, np.exp(found.top)).min(axis=1)
    return chance >= line, least < line[:, 0]


def rounding(logprobs: Floats) -> float:
    """Largest error by rounding, nats: half a step where all values have few decimals, else 0."""
    values = logprobs[np.isfinite(logprobs)]
    values = values[values != 0.0]
    step = 0.0
    for decimals in range(_DECIMALS, -1, -1):
        if not len(values) or not np.array_equal(np.round(values, decimals), values):
            break
        step = 0.5 * 10.0**-decimals
    return step
