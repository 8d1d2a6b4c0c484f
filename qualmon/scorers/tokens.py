"""Channels token.*: the sampled token against its own reported distribution."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Final

import numpy as np

from qualmon.scorers.case import Case, event, unjudged
from qualmon.scorers.channels import CHANNELS, channels_of
from qualmon.scorers.drops import judge_drop
from qualmon.scorers.logprobs import missing
from qualmon.scorers.positions import SENTINEL, Bools, Floats, Positions
from qualmon.scorers.samplers import (
    PENALTIES,
    TRUNCATIONS,
    Sampler,
    active_settings,
    stated_number,
    unknown_settings,
)
from qualmon.types import ChannelInfo, Score

#: Benign noise between two computations of one log-probability, nats.
TIE: Final = 0.05
#: Beyond this gap no rounding of a sound server turns the argmax, nats.
CLEAR_GAP: Final = 1.0
_RANK: Final = CHANNELS["token.rank"]
_ARGMAX: Final = CHANNELS["token.argmax"]
_ORDER_KEEPING: Final = ("temperature", *TRUNCATIONS)
_UNTOLD: Final = "no position lists alternatives that can be told apart"


def judge(case: Case) -> Iterator[Score]:
    """token.rank, token.argmax and token.drop.

    Input: Completion.logprobs, nats, and the effective sampler settings; a setting that is
    absent is unknown and never assumed.
    Catches: samplers that take what they may not take. Blind to: faults before the logits.
    Source: postmortem of 2025-09, bug 3; scorers 3.2.
    """
    reason = missing(case.completion)
    if reason:
        return (unjudged(info, reason) for info in channels_of("token"))
    return (judged(case) for judged in (_rank, _argmax, judge_drop))


def _rank(case: Case) -> Score:
    found, sampler = case.positions, case.sampler
    altered = [name for name in active_settings(sampler) if name not in _ORDER_KEEPING]
    if altered:
        return unjudged(_RANK, f"sampler settings that change the order: {', '.join(altered)}")
    forbidden = _forbidden(found, sampler)
    if forbidden is None:
        return unjudged(_RANK, "neither temperature 0 nor top_k nor top_p is stated")
    return _verdict(_RANK, found, forbidden)


def _forbidden(found: Positions, sampler: Sampler) -> Bools | None:
    """(T,) sampled tokens that a stated limit excludes; None where none is stated.

    top_p is held against the distribution at temperature 1. Below 1 the nucleus only
    shrinks, so that the test stays sound; above 1 it says nothing.
    """
    temperature, top_k, top_p = (
        stated_number(sampler, name) for name in ("temperature", "top_k", "top_p")
    )
    above = found.top > (found.own + TIE)[:, None]
    ahead = above.sum(axis=1)
    rules = []
    if temperature == 0:
        rules.append(ahead >= 1)
    if top_k is not None and top_k >= 1:
        rules.append(ahead >= top_k)
    if top_p is not None and top_p < 1 and (temperature is None or temperature <= 1):
        mass = np.where(above, np.exp(np.minimum(found.top, 0.0)), 0.0).sum(axis=1)
        rules.append((ahead >= 1) & (mass >= 1 - (1 - top_p) * math.exp(-TIE)))
    return np.logical_or.reduce(rules) if rules else None


def _argmax(case: Case) -> Score:
    sampler = case.sampler
    if stated_number(sampler, "temperature") != 0:
        return unjudged(_ARGMAX, "temperature 0 is not stated")
    altered = [name for name in active_settings(sampler) if name not in _ORDER_KEEPING]
    unsure = [*altered, *unknown_settings(sampler, PENALTIES)]
    if unsure:
        return unjudged(_ARGMAX, f"not known to be neutral: {', '.join(unsure)}")
    return _verdict(_ARGMAX, case.positions, _gap(case.positions) >= CLEAR_GAP)


def _gap(found: Positions) -> Floats:
    """(T,) nats by which the sampled token falls short of the most probable one, >= 0."""
    own = np.clip(np.nan_to_num(found.own, nan=0.0), SENTINEL, 0.0)
    return np.asarray(np.maximum(np.clip(found.rival, SENTINEL, 0.0) - own, 0.0))


def _verdict(info: ChannelInfo, found: Positions, wrong: Bools) -> Score:
    judged = found.judged
    if not judged.any():
        return unjudged(info, _UNTOLD, skipped=len(judged))
    at = np.flatnonzero(wrong & judged)
    detail: dict[str, float] = {"tokens": int(judged.sum()), "skipped": int((~judged).sum())}
    if len(at):
        worst = float(_gap(found)[at].max())
        detail |= {"violations": len(at), "first": int(at[0]), "worst_gap": round(worst, 3)}
    return event(info, len(at) > 0, detail)
