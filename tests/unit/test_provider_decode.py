"""Chat answers are read leniently where they are lawful and refused by kind where not."""

import json
import math
from typing import Any

import pytest

from qualmon.providers.openai_decode import decode
from qualmon.testing.wires import sse
from qualmon.types import Completion, Failure, TokenLogprob, TopToken, Usage

DONE = b"data: [DONE]\n\n"


def answer_of(document: Any, *, asked: bool = True) -> Completion:
    result = decode(json.dumps(document).encode(), stream=False, asked_logprobs=asked)
    assert isinstance(result, Completion), result
    return result


def choice(content: Any = "a", **more: Any) -> dict[str, Any]:
    return {"choices": [{"message": {"content": content}, "finish_reason": "stop", **more}]}


def delta(content: Any = None, finish: str | None = None, **more: Any) -> bytes:
    body = {"index": 0, "delta": {"content": content, **more}, "finish_reason": finish}
    return sse({"choices": [body]})


def streamed(*events: bytes) -> Completion | Failure:
    return decode(b"".join(events), stream=True, asked_logprobs=True)


def kind_of(raw: bytes, *, stream: bool = False) -> str:
    result = decode(raw, stream=stream)
    return result.kind if isinstance(result, Failure) else "ok"


def logprobs(*entries: Any) -> dict[str, Any]:
    return {"logprobs": {"content": list(entries)}}


@pytest.mark.parametrize(
    ("value", "state"),
    [
        ({}, "absent_ignored"),
        ({"logprobs": None}, "null"),
        ({"logprobs": {"content": None}}, "null"),
        ({"logprobs": {}}, "null"),
        ({"logprobs": {"content": []}}, "null"),
        ({"logprobs": "x"}, "malformed"),
        ({"logprobs": {"content": 5}}, "malformed"),
        ({"logprobs": {"tokens": ["a"], "token_logprobs": [-1]}}, "malformed"),
        (logprobs("a"), "malformed"),
        (logprobs({"token": 5, "logprob": -1}), "malformed"),
        (logprobs({"token": "a", "logprob": "x"}), "malformed"),
        (logprobs({"token": "a", "logprob": True}), "malformed"),
        (logprobs({"token": "a", "logprob": -1, "top_logprobs": 5}), "malformed"),
        (logprobs({"token": "a", "logprob": -1, "top_logprobs": [5]}), "malformed"),
        (logprobs({"token": "a", "logprob": -1}), "present"),
    ],
)
def test_logprobs_states(value: dict[str, Any], state: str) -> None:
    """What a route does with logprobs is a state, never a reason to drop the answer."""
    answer = answer_of(choice(**value))
    assert answer.logprobs_state == state
    assert (answer.logprobs is not None) == (state == "present")
    assert answer_of(choice(**value), asked=False).logprobs_state == "not_asked"


@pytest.mark.parametrize(
    ("wire", "nats"),
    [
        (-9999, -math.inf), (-9999.0, -math.inf), (-1e5, -math.inf), (None, -math.inf),
        ("-inf", -math.inf), (0, 0.0), (-1, -1.0), (0.5, 0.5), (-0.25, -0.25), (10**400, math.inf),
        (-(10**400), -math.inf),
    ],
)  # fmt: skip
def test_logprob_values(wire: Any, nats: float) -> None:
    """All ways to say "very unlikely" are -inf; positive values stay for a scorer to judge."""
    raw = json.dumps(choice("\ud800", **logprobs({"token": "a", "logprob": wire})))
    answer = decode(raw.encode(), stream=False, asked_logprobs=True)
    assert isinstance(answer, Completion)
    assert answer.logprobs is not None
    assert answer.logprobs[0].logprob == nats


@pytest.mark.parametrize(
    ("wire", "kept"),
    [([228, 184], b"\xe4\xb8"), ([], b""), (None, None), ([256], None), ([-1], None), (5, None),
     (["a"], None), ("ab", None), ([1.5], None)],
)  # fmt: skip
def test_token_bytes(wire: Any, kept: bytes | None) -> None:
    """Token bytes are kept where they are bytes."""
    tops = [{"token": "b", "logprob": -2, "bytes": wire}]
    entry = {"token": "a", "logprob": -1, "bytes": wire, "top_logprobs": tops}
    wanted = TokenLogprob("a", -1.0, kept, None, (TopToken("b", -2.0, kept),))
    assert answer_of(choice(**logprobs(entry))).logprobs == (wanted,)


@pytest.mark.parametrize(
    ("entry", "number"),
    [({"token": "a", "id": 7}, 7), ({"token": "token_id:42"}, 42), ({"token": "token_id:x"}, None),
     ({"token": "a", "id": -1}, None), ({"token": "a", "id": "7"}, None), ({"token": "7"}, None)],
)  # fmt: skip
def test_token_ids(entry: dict[str, Any], number: int | None) -> None:
    """Ids come from llama.cpp's field or vLLM's notation, and from nothing else."""
    answer = answer_of(choice(**logprobs({"logprob": -1, **entry})))
    assert answer.logprobs is not None
    assert answer.logprobs[0].id == number


@pytest.mark.parametrize(
    ("content", "text"),
    [("a", "a"), (None, ""), ("", ""), ("\ud800\x00", "\ud800\x00"),
     ([{"type": "text", "text": "a"}, {"type": "text", "text": "b"}], "ab"), ([], "")],
)  # fmt: skip
def test_contents(content: Any, text: str) -> None:
    """Null, empty, surrogates and lists of parts are content."""
    assert answer_of(choice(content)).text == text


@pytest.mark.parametrize(
    ("usage", "counts"),
    [
        ({"prompt_tokens": 3, "completion_tokens": 4}, Usage(3, 4)),
        ({"prompt_tokens": -3, "completion_tokens": 10**12}, Usage()),
        ({"prompt_tokens": True, "completion_tokens": 1.5}, Usage()),
        ({"prompt_tokens_details": {"cached_tokens": 2}}, Usage(cached_tokens=2)),
        ({"completion_tokens_details": {"reasoning_tokens": 9}}, Usage(reasoning_tokens=9)),
        ({"completion_tokens_details": 5, "prompt_tokens_details": []}, Usage()),
        ("x", Usage()),
        (None, Usage()),
    ],
)
def test_usage(usage: Any, counts: Usage) -> None:
    """Absurd counts are missing counts."""
    assert answer_of(choice() | {"usage": usage}).usage == counts


@pytest.mark.parametrize(
    ("raw", "kind"),
    [
        (b'{"error": {"message": "no"}}', "error_body"),
        (b'{"error": "no"}', "error_body"),
        (b'{"object": "error", "message": "no"}', "error_body"),
        (b'{"error": null, "choices": [{"message": {"content": "a"}}]}', "ok"),
        (b'\xef\xbb\xbf{"choices": [{"message": {"content": "a"}}]}', "ok"),
        (b'{"choices": [{"message": {}, "finish_reason": "stop"}]}', "ok"),
        (b'{"choices": [{"message": {}}]}', "protocol"),
        (b"null", "protocol"),
        (b'{"a": NaN}', "malformed"),
        (b'{"a": "\\ud800", "b": NaN}', "malformed"),
        (b'{"a": "\\ud800", "b": -Infinity}', "malformed"),
        (b'{"a": "\\ud800"' + b"[" * 9999, "malformed"),
        (b'{"a": "\\ud800", "b": ' + b"[" * 9999 + b"]" * 9999 + b"}", "malformed"),
        (b'{"a": "\\ud800", "b": "\xff"}', "malformed"),
        (b'{"a": "\\ud800", "b": ' + b"1" * 9999 + b"}", "malformed"),
        (b"[" + b"[]," * 300_000 + b"[]]", "malformed"),
        (b"  <html>", "malformed"),
        (b"", "malformed"),
    ],
)
def test_kinds(raw: bytes, kind: str) -> None:
    """Undecodable is malformed, decodable but strange is protocol, errors are error_body."""
    assert kind_of(raw) == kind


def test_unicode_pair_cut_over_events() -> None:
    """A character whose surrogates came in two events is one character again."""
    result = streamed(delta("\ud83d"), delta("\ude00"), delta("", "stop"), DONE)
    assert isinstance(result, Completion)
    assert result.text == "\U0001f600"


def test_reasons_for_the_end() -> None:
    """A finish reason decides; the end mark is optional, what follows it is ignored."""
    finished = (delta("a"), delta(None, "stop"))
    results = [
        streamed(*finished),
        streamed(*finished, DONE),
        streamed(*finished, DONE, b"data: {"),
    ]
    assert {r.text if isinstance(r, Completion) else r.kind for r in results} == {"a"}
    for events in ((delta("a"),), (delta("a"), DONE), (DONE,), ()):
        result = streamed(*events)
        assert isinstance(result, Failure)
        assert result.kind == "truncated_stream"


@pytest.mark.parametrize(
    ("raw", "kind"),
    [
        (delta("a") + b'data: {"choices": [{"de', "truncated_stream"),
        (delta("a") + b"data: {broken}\n\n", "malformed"),
        (delta("a") + b'event: error\ndata: "overloaded"\n\n', "error_body"),
        (delta("a") + sse({"error": {"message": "x"}}), "error_body"),
        (sse({}), "protocol"),
        (sse([]), "protocol"),
        (sse({"choices": [{"index": 0, "delta": {"content": 5}}]}), "protocol"),
        (sse({"choices": [{"index": 0, "delta": "x"}]}), "protocol"),
        (b'{"error": {"message": "x"}}', "error_body"),
        (b"<html>", "malformed"),
        (b'{"choices": []}', "protocol"),
        (b": only comments\n\n", "truncated_stream"),
        (b"data: " + b"x" * (5 * 1024 * 1024), "too_large"),
    ],
)
def test_broken_streams(raw: bytes, kind: str) -> None:
    """Each way to break a stream has its kind."""
    assert kind_of(raw, stream=True) == kind


def test_tool_calls_are_put_together() -> None:
    """Pieces of a call's arguments are joined by index, and the answer counts as started."""

    def piece(**function: Any) -> bytes:
        return delta(None, tool_calls=[{"index": 0, "id": "c1", "function": function}])

    result = streamed(
        piece(name="add", arguments='{"a"'), piece(arguments=": 1}"), delta(None, "tool_calls")
    )
    assert isinstance(result, Completion)
    function = {"name": "add", "arguments": '{"a": 1}'}
    assert result.tool_calls == ({"id": "c1", "type": "function", "function": function},)
    assert result.ttft_seconds is not None


@pytest.mark.parametrize("index", [-1, 128, "0", True, None])
def test_tool_call_indices_are_bounded(index: Any) -> None:
    """A hostile index cannot grow the table of calls."""
    raw = delta(None, tool_calls=[{"index": index}]) + delta(None, "stop")
    assert kind_of(raw, stream=True) == "protocol"


def test_arguments_as_an_object_become_text() -> None:
    """Servers that send arguments as an object are understood."""
    call = {"id": "c", "function": {"name": "f", "arguments": {"a": 1}}}
    answer = answer_of({"choices": [{"message": {"tool_calls": [call]}, "finish_reason": "x"}]})
    assert answer.tool_calls[0]["function"]["arguments"] == '{"a": 1}'


def test_names_are_short() -> None:
    """Provenance cannot be used to store megabytes."""
    answer = answer_of(choice() | {"model": "m" * 10_000, "id": 5, "system_fingerprint": None})
    assert (len(answer.response_model or ""), answer.response_id, answer.fingerprint) == (
        200, None, None,
    )  # fmt: skip
