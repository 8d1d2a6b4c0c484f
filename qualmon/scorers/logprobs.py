"""Channels logprob.*: what any honest list of log-probabilities fulfils."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import numpy as np

from qualmon.scorers.case import Case, event, unjudged
from qualmon.scorers.channels import channels_of
from qualmon.scorers.positions import DISPLACED, SLACK, UNKNOWN, Bools, Floats, Positions
from qualmon.types import ChannelInfo, Completion, Score

#: Nats between a token's two reports, and the log-probability below which all count as equal.
OWN_SLACK: Final = 0.02
NEGLIGIBLE: Final = -20.0
_CHANNELS: Final = channels_of("logprob")
_ORDER, _MASS, _OWN, _SIGN = _CHANNELS


def judge(case: Case) -> Iterator[Score]:
    """logprob.order, mass, own and sign; each is 1 when one position breaks the rule.

    Input: Completion.logprobs, nats; -inf means very unlikely.
    Catches: adapters and servers that report something else than log-probabilities.
    Blind to: a distribution that is wrong and well formed.
    Source: the sampled token against its own reported log-probabilities.
    """
    reason = missing(case.completion)
    if reason:
        return (unjudged(info, reason) for info in _CHANNELS)
    return _scores(case.positions)


def missing(completion: Completion) -> str | None:
    """Why there is no token position to judge, or None where there is one."""
    if completion.logprobs is None:
        return f"no logprobs ({completion.logprobs_state})"
    return None if completion.logprobs else "logprobs without a token"


def _scores(found: Positions) -> Iterator[Score]:
    listed = found.listed > 0
    yield _verdict(_ORDER, unordered(found), listed & (found.doubled | (found.place != UNKNOWN)))
    yield _verdict(_MASS, found.overweight, listed)
    yield _verdict(_OWN, _contradicted(found), listed)
    yield _verdict(_SIGN, found.unsigned, np.ones_like(listed))


def _verdict(info: ChannelInfo, broken: Bools, judged: Bools) -> Score:
    if not judged.any():
        return unjudged(info, "no position lists alternatives that can be told apart")
    at = np.flatnonzero(broken & judged)
    if not len(at):
        return event(info, False)
    detail = {"first": int(at[0]), "violations": len(at), "positions": int(judged.sum())}
    return event(info, True, detail)


@np.errstate(invalid="ignore")  # -inf less -inf
def unordered(found: Positions) -> Bools:
    """(T,) positions whose alternatives rise, or list one token twice.

    vLLM puts the sampled token before the sorted others; a list of three or more that is
    sorted after its first entry, the sampled one, is in order.
    """
    top = found.top
    if top.shape[1] < 2:
        return found.doubled
    rises = top[:, 1:] > top[:, :-1] + SLACK
    in_front = (found.listed >= 3) & (np.abs(top[:, 0] - found.sampled) <= SLACK)
    rises[in_front, 0] = False
    broken: Bools = np.asarray(rises.any(axis=1))
    for row in np.flatnonzero(broken & _may_be_merged(found)):
        broken[row] = not _sorted_but_for_one(top[row])
    return broken | found.doubled


def _may_be_merged(found: Positions) -> Bools:
    """(T,) lists by text in which two tokens of one text may have become one entry.

    llama-cpp-python keeps alternatives in a dictionary by text: the less probable of two
    takes the place of the other. That shortens the list, unless the sampled token did it.
    """
    shorter = found.textual & (found.listed < found.listed.max(initial=0))
    return np.asarray((found.listed >= 3) & (shorter | (found.place == DISPLACED)))


def _sorted_but_for_one(values: Floats) -> bool:
    """Whether the list is sorted without the first entry that is less than the next one."""
    first = int(np.argmax(values[1:] > values[:-1] + SLACK))
    return not (np.diff(np.delete(values, first)) > SLACK).any()


@np.errstate(invalid="ignore")  # inf less inf
def _contradicted(found: Positions) -> Bools:
    broken = np.zeros(len(found.sampled), bool)
    rows = np.flatnonzero(found.place >= 0)
    listed = np.maximum(found.top[rows, found.place[rows]], NEGLIGIBLE)
    reported = np.maximum(found.sampled[rows], NEGLIGIBLE)
    broken[rows] = np.abs(listed - reported) > OWN_SLACK
    return broken
