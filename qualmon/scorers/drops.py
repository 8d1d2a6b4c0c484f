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
from qualmon.stats.bets.sampling import min_p, top_k, top_p, truncated_tail
from qualmon.stats.bets.tokens import drop_products, drop_ratio
from qualmon.types import Score

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
    # A logprob may be above 0 by rounding, its tail then below it.
    r = drop_ratio(np.ones(int(hits.sum()), bool), np.maximum(tail[hits], 0.0), rounding=step)
    tokens = int(found.judged.sum())
    grid = tuple(drop_products(r, tokens + ended).tolist())
    detail = {
        "tokens": tokens,
        "skipped": len(found.judged) - tokens,
        "hits": len(r),
        "truncation": str(truncation),
        "rounding": step,
    }
    return Score(_INFO.name, _INFO.kind, math.fsum(grid) / len(grid), detail, grid)


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
    least = np.where(kept, chance, np.inf).min(axis=1)
    allowed = ~covered | (np.exp(found.own) >= least)
    return truncated_tail(chance, kept, covered, raw), allowed


def _kept(chance: Floats, found: Positions, cut: Truncation) -> tuple[Bools, Bools]:
    """(T, K) alternatives within the cut, (T,) whether the list reaches it."""
    if cut.name == "top_k":
        return top_k(chance, found.listed, int(cut.limit))
    if cut.name == "top_p":
        return top_p(chance, cut.limit)
    least = np.where(np.isinf(found.top), np.inf, np.exp(found.top)).min(axis=1)
    return min_p(chance, least, cut.limit)


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
