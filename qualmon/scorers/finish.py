"""Channels finish.length and finish.empty: how the answer ended."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from qualmon.scorers.case import Case, event, unjudged
from qualmon.scorers.channels import CHANNELS
from qualmon.types import Completion, Score

#: Finish reasons that mean the token limit, over the wire protocols.
CUT_OFF: Final = frozenset({"length", "max_tokens", "max_output_tokens", "model_length"})


def judge(case: Case) -> Iterator[Score]:
    """finish.length: the token limit ended the answer. finish.empty: it holds nothing.

    Catches: a changed token limit, endless answers, empty answers.
    Blind to: text that is there and useless.
    Source: the wire protocol's finish reason.
    """
    length = CHANNELS["finish.length"]
    if case.completion.finish_reason is None:
        yield unjudged(length, "the answer carries no finish reason")
    else:
        yield event(length, is_cut_off(case.completion))
    yield event(CHANNELS["finish.empty"], _is_empty(case.completion))


def is_cut_off(completion: Completion) -> bool:
    """Whether the token limit ended this answer."""
    return (completion.finish_reason or "").lower() in CUT_OFF


def _is_empty(completion: Completion) -> bool:
    said_something = completion.tool_calls or completion.refusal
    return not said_something and (not completion.text or completion.text.isspace())
