"""Values to rows and back; pure."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import astuple, dataclass
from typing import Any

from qualmon.types import (
    Attempt,
    Completion,
    Failure,
    Member,
    Observation,
    Score,
    Slot,
    Usage,
)

_INT64 = 2**63

#: A sqlalchemy.Row, whose type parameters differ between its releases 2.0 and 2.1.
Row = Any


@dataclass(frozen=True, slots=True)
class StoredObservation:
    """An observation as the log has it. `late`: it came after its slot closed; never folded.

    Its logprobs are None where they were not kept (keep.py), whatever `logprobs_state` says.
    """

    observation: Observation
    scores: tuple[Score, ...]
    late: bool


def slot_key(slot: Slot) -> dict[str, Any]:
    """The primary key columns."""
    return {"suite": slot.suite, "model": slot.model, "idx": slot.index}


def slot_of(row: Row) -> Slot:
    """From any row with the columns due, suite, model, idx, every."""
    return Slot(row.due, row.suite, row.model, row.idx, row.every)


def members_doc(members: Iterable[Member]) -> list[list[Any]]:
    """JSON form of a round's plan, in the order given."""
    return [[m.target, m.probe, m.identity, m.rung] for m in members]


def members_of(slot: Slot, doc: Sequence[Sequence[Any]]) -> tuple[Member, ...]:
    """What `members_doc` wrote."""
    return tuple(Member(slot, *fields) for fields in doc)


def observation_row(observation: Observation, *, late: bool, logprobs: bool) -> dict[str, Any]:
    """All columns of `observations`."""
    member, result = observation.member, observation.result
    answer = _failure(result) if isinstance(result, Failure) else _completion(result, logprobs)
    return {
        **_EMPTY,
        **answer,
        **slot_key(member.slot),
        "id": member.id,
        "target": member.target,
        "probe": member.probe,
        "probe_version": observation.probe_version,
        "identity": member.identity,
        "rung": member.rung,
        "at": observation.at,
        "outcome": observation.outcome,
        "late": late,
        "lagged": observation.lagged,
        "requests": len(observation.attempts),
        "attempts": [astuple(attempt) for attempt in observation.attempts],
        "total_seconds": result.total_seconds,
    }


def _completion(answer: Completion, logprobs: bool) -> dict[str, Any]:
    usage = answer.usage
    return {
        "text": answer.text,
        "finish_reason": answer.finish_reason,
        "refusal": answer.refusal,
        "prompt_tokens": _int64(usage.prompt_tokens),
        "output_tokens": _int64(usage.output_tokens),
        "reasoning_tokens": _int64(usage.reasoning_tokens),
        "cached_tokens": _int64(usage.cached_tokens),
        "ttft_seconds": answer.ttft_seconds,
        "response_model": answer.response_model,
        "response_id": answer.response_id,
        "headers": dict(answer.headers),
        "tool_calls": [dict(call) for call in answer.tool_calls],
        "logprobs_state": answer.logprobs_state,
        "logprobs": answer.logprobs if logprobs else None,
    }


def _failure(failure: Failure) -> dict[str, Any]:
    return {
        "failure_detail": failure.detail,
        "failure_head": failure.head,
        "failure_status": _int64(failure.status),
        "failure_retry_after": failure.retry_after,
        "failure_before_first_byte": failure.before_first_byte,
    }


def _int64(value: int | None) -> int | None:
    """A count that the column can hold; an absurd one from a server counts as missing."""
    return value if value is not None and -_INT64 <= value < _INT64 else None


#: executemany needs the same columns in each row.
_EMPTY: dict[str, Any] = dict.fromkeys(
    (*_completion(Completion("", None), logprobs=False), *_failure(Failure("", "")))
)


def observation_of(row: Row) -> Observation:
    """From a row of `observations` joined with the slot's `due` and `every`."""
    member = Member(slot_of(row), row.target, row.probe, row.identity, row.rung)
    attempts = tuple(Attempt(*fields) for fields in row.attempts)
    result = _completion_of(row) if row.outcome == "ok" else _failure_of(row)
    return Observation(member, row.at, result, attempts, row.probe_version, row.lagged)


def _completion_of(row: Row) -> Completion:
    return Completion(
        text=row.text,
        finish_reason=row.finish_reason,
        logprobs=row.logprobs,
        logprobs_state=row.logprobs_state,
        usage=Usage(row.prompt_tokens, row.output_tokens, row.reasoning_tokens, row.cached_tokens),
        ttft_seconds=row.ttft_seconds,
        total_seconds=row.total_seconds,
        response_model=row.response_model,
        response_id=row.response_id,
        headers=row.headers,
        tool_calls=tuple(row.tool_calls),
        refusal=row.refusal,
    )


def _failure_of(row: Row) -> Failure:
    return Failure(
        kind=row.outcome,
        detail=row.failure_detail,
        head=row.failure_head,
        status=row.failure_status,
        retry_after=row.failure_retry_after,
        before_first_byte=row.failure_before_first_byte,
        total_seconds=row.total_seconds,
    )


def score_rows(observation_id: str, scores: Iterable[Score]) -> list[dict[str, Any]]:
    """Rows of `scores`; judgements without a value (None, NaN) are not evidence, hence no row."""
    return [_score_row(observation_id, score) for score in scores if _judged(score)]


def _judged(score: Score) -> bool:
    value = score.value
    return value is not None and not (isinstance(value, float) and math.isnan(value))


def _score_row(observation_id: str, score: Score) -> dict[str, Any]:
    is_text = isinstance(score.value, str)
    return {
        "observation_id": observation_id,
        "channel": score.channel,
        "kind": score.kind,
        "value": None if is_text else score.value,
        "category": score.value if is_text else None,
        "grid": score.grid,
        "detail": score.detail or None,
    }


def score_of(row: Row) -> Score:
    """From a row of `scores`."""
    value = row.category if row.value is None else row.value
    return Score(row.channel, row.kind, value, row.detail or {}, row.grid)
