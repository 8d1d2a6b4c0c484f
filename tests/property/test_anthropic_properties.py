"""The reader of Messages is total: any bytes and any JSON come to an answer or a named failure."""

import json
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from qualmon.providers.anthropic_decode import decode
from qualmon.testing.providers import ANSWER, AnthropicWire
from qualmon.testing.wires import sse
from qualmon.types import OUTCOMES, Completion, Failure

KEYS = [
    "type", "content", "text", "stop_reason", "stop_details", "usage", "input_tokens", "index",
    "output_tokens", "cache_read_input_tokens", "output_tokens_details", "thinking_tokens",
    "delta", "content_block", "message", "partial_json", "input", "name", "id", "model", "error",
    "explanation",
]  # fmt: skip
TYPES = [
    "message", "message_start", "message_delta", "message_stop", "content_block_start",
    "content_block_delta", "content_block_stop", "ping", "error", "text", "tool_use", "thinking",
    "redacted_thinking", "text_delta", "input_json_delta", "thinking_delta", "end_turn",
    "refusal", "max_tokens", "overloaded_error",
]  # fmt: skip
SCALARS = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=5), st.just("\ud800"),
    st.sampled_from(TYPES), st.integers(0, 2),
)  # fmt: skip
VALUES: st.SearchStrategy[Any] = st.recursive(
    SCALARS,
    lambda inner: st.one_of(
        st.lists(inner, max_size=3), st.dictionaries(st.sampled_from(KEYS), inner, max_size=4)
    ),
    max_leaves=12,
)
BLOCKS = st.one_of(VALUES, st.builds(lambda kind, rest: {**rest, "type": kind},
    st.sampled_from(["text", "tool_use", "thinking"]),
    st.dictionaries(st.sampled_from(KEYS), VALUES, max_size=3),
))  # fmt: skip
#: Bodies that are right down to a level and arbitrary below it.
BODIES = st.one_of(
    VALUES,
    st.builds(
        lambda blocks, reason, usage: {"content": blocks, "stop_reason": reason, "usage": usage},
        st.lists(BLOCKS, max_size=3), VALUES, VALUES,
    ),
)  # fmt: skip
EVENTS = st.one_of(
    VALUES,
    st.builds(lambda value: {"type": "message_start", "message": value}, VALUES),
    st.builds(
        lambda index, block: {
            "type": "content_block_start", "index": index, "content_block": block,
        },
        SCALARS, BLOCKS,
    ),
    st.builds(
        lambda index, kind, value: {
            "type": "content_block_delta", "index": index,
            "delta": {"type": kind, "text": value, "partial_json": value},
        },
        SCALARS, st.sampled_from(["text_delta", "input_json_delta"]), SCALARS,
    ),
    st.builds(
        lambda reason, usage: {
            "type": "message_delta", "delta": {"stop_reason": reason}, "usage": usage,
        },
        VALUES, VALUES,
    ),
)  # fmt: skip
WIRE = AnthropicWire()


def assert_total(raw: bytes) -> None:
    for stream in (False, True):
        result = decode(raw, stream=stream, asked_logprobs=True)
        if isinstance(result, Failure):
            assert result.kind in OUTCOMES
        else:
            assert isinstance(result, Completion)
            assert result.logprobs is None
            assert all(isinstance(value, str) for value in result.headers.values())


@given(st.binary(max_size=300))
def test_any_bytes(raw: bytes) -> None:
    """Random bytes never raise."""
    assert_total(raw)
    assert_total(b"data: " + raw + b"\n\n")


@settings(max_examples=300)
@given(BODIES)
def test_any_body(document: Any) -> None:
    """Random JSON, shaped like a message down to some level, never raises."""
    assert_total(json.dumps(document).encode())


@settings(max_examples=300)
@given(st.lists(EVENTS, max_size=5))
def test_any_events(documents: list[Any]) -> None:
    """Random events, shaped like a stream down to some level, never raise."""
    assert_total(b"".join(map(sse, documents)))


@given(st.data())
def test_any_damage_to_a_good_answer(data: st.DataObject) -> None:
    """A good answer with a few bytes changed or cut never raises."""
    good = data.draw(st.sampled_from([WIRE.body(ANSWER), b"".join(WIRE.events(ANSWER))]))
    damaged = bytearray(good)
    for _ in range(data.draw(st.integers(0, 3))):
        damaged[data.draw(st.integers(0, len(damaged) - 1))] = data.draw(st.integers(0, 255))
    assert_total(bytes(damaged[: data.draw(st.integers(0, len(damaged)))]))


@given(st.data())
def test_a_stream_cut_anywhere_is_no_answer_before_its_stop_reason(data: st.DataObject) -> None:
    """A prefix of a good stream is the whole answer or truncated_stream, never something else."""
    raw = b"".join(WIRE.events(ANSWER))
    result = decode(raw[: data.draw(st.integers(0, len(raw)))], stream=True)
    found = result.kind if isinstance(result, Failure) else result.text
    assert found in ("truncated_stream", ANSWER.text)
