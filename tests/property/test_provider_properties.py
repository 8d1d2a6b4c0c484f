"""Readers are total: any bytes and any JSON come to an answer or to a named failure."""

import json
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from qualmon.providers.openai_decode import decode
from qualmon.providers.redaction import PIECE, Redactor
from qualmon.providers.sse import Event, SSEParser
from qualmon.testing.providers import ANSWER, OpenAIChatWire
from qualmon.testing.wires import sse
from qualmon.types import OUTCOMES, Completion, Failure

KEYS = [
    "choices", "message", "delta", "content", "finish_reason", "logprobs", "token", "logprob",
    "bytes", "top_logprobs", "usage", "prompt_tokens", "error", "tool_calls", "function", "index",
    "arguments", "id", "model", "prompt_tokens_details", "cached_tokens", "text", "refusal",
]  # fmt: skip
SCALARS = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=5), st.just("\ud800")
)
VALUES: st.SearchStrategy[Any] = st.recursive(
    SCALARS,
    lambda inner: st.one_of(
        st.lists(inner, max_size=3), st.dictionaries(st.sampled_from(KEYS), inner, max_size=4)
    ),
    max_leaves=12,
)
#: Documents that are right down to a level and arbitrary below it.
NEARLY = st.one_of(
    VALUES,
    VALUES.map(lambda value: {"choices": [value]}),
    st.builds(
        lambda key, value, reason: {"choices": [{key: value, "finish_reason": reason}]},
        st.sampled_from(["message", "delta"]), VALUES, st.sampled_from(["stop", None]),
    ),
    st.builds(
        lambda value, other: {
            "choices": [{"message": {"content": "a"}, "delta": {}, "logprobs": value}],
            "usage": other,
        },
        VALUES, VALUES,
    ),
    st.builds(
        lambda value, other: {
            "choices": [{
                "message": {"content": "a", "tool_calls": [value]},
                "logprobs": {"content": [other]},
            }],
        },
        VALUES, VALUES,
    ),
)  # fmt: skip


def assert_total(raw: bytes) -> None:
    for stream in (False, True):
        result = decode(raw, stream=stream, asked_logprobs=True)
        if isinstance(result, Failure):
            assert result.kind in OUTCOMES
        else:
            assert isinstance(result, Completion)
            assert result.logprobs is None or result.logprobs_state == "present"


@given(st.binary(max_size=300))
def test_any_bytes(raw: bytes) -> None:
    """Random bytes never raise."""
    assert_total(raw)
    assert_total(b"data: " + raw + b"\n\n")


@settings(max_examples=400)
@given(NEARLY)
def test_any_json(document: Any) -> None:
    """Random JSON, shaped like an answer down to some level, never raises."""
    assert_total(json.dumps(document).encode())
    assert_total(sse(document))


@given(st.data())
def test_any_damage_to_a_good_answer(data: st.DataObject) -> None:
    """A good answer with a few bytes changed or cut never raises."""
    wire = OpenAIChatWire()
    good = data.draw(st.sampled_from([wire.body(ANSWER), b"".join(wire.events(ANSWER))]))
    damaged = bytearray(good)
    for _ in range(data.draw(st.integers(0, 3))):
        damaged[data.draw(st.integers(0, len(damaged) - 1))] = data.draw(st.integers(0, 255))
    assert_total(bytes(damaged[: data.draw(st.integers(0, len(damaged)))]))


@given(
    st.lists(
        st.sampled_from(
            [b"data: a", b"data:b", b"\n", b"\r", b"\r\n", b": c", b"event: e", b"\xc3"]
        )
    ),
    st.lists(st.integers(1, 4), min_size=1),
)
def test_chunk_borders_do_not_matter(parts: list[bytes], sizes: list[int]) -> None:
    """Events are the same however the bytes are cut."""
    raw = b"".join(parts)
    assert cut_and_parsed(raw, sizes) == cut_and_parsed(raw, [len(raw) + 1])


def cut_and_parsed(raw: bytes, sizes: list[int]) -> list[Event]:
    parser, events, at, turn = SSEParser(), [], 0, 0
    while at < len(raw):
        size = sizes[turn % len(sizes)]
        events += parser.feed(raw[at : at + size])
        at, turn = at + size, turn + 1
    return events + parser.flush()


@given(st.data())
def test_a_stream_cut_anywhere_is_no_answer_before_its_finish_reason(data: st.DataObject) -> None:
    """A prefix of a good stream is the whole answer or truncated_stream, never something else."""
    raw = b"".join(OpenAIChatWire().events(ANSWER))
    result = decode(raw[: data.draw(st.integers(0, len(raw)))], stream=True, asked_logprobs=True)
    found = result.kind if isinstance(result, Failure) else result.text
    assert found in ("truncated_stream", ANSWER.text)


@given(st.text(min_size=PIECE, max_size=30), st.text(max_size=30), st.text(max_size=30), st.data())
def test_no_piece_of_a_secret_survives(
    secret: str, before: str, after: str, data: st.DataObject
) -> None:
    """Whatever the secret and the text around it, masking leaves no piece of eight."""
    start = data.draw(st.integers(0, len(secret) - PIECE))
    end = data.draw(st.integers(start + PIECE, len(secret)))
    masked = Redactor([secret]).text(before + secret[start:end] + after)
    grams = {secret[at : at + PIECE] for at in range(len(secret) - PIECE + 1)}
    assert not any(gram in masked for gram in grams if "*" not in gram)
