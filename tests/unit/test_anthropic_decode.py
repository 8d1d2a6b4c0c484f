"""Messages are read leniently where they are lawful and refused by kind where not."""

import json
from collections.abc import Mapping
from typing import Any

import pytest

from qualmon.providers.anthropic_decode import ERROR_KINDS, FINISH_REASONS, decode
from qualmon.scorers.finish import CUT_OFF
from qualmon.testing.wires import sse
from qualmon.types import OUTCOMES, Completion, Failure, Usage

END = {"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": {"output_tokens": 9}}
STOP = {"type": "message_stop"}
START = {"type": "message_start", "message": {"id": "msg_1", "model": "claude", "content": []}}


def text(value: Any) -> dict[str, Any]:
    return {"type": "text", "text": value}


def message(*blocks: Any, **more: Any) -> dict[str, Any]:
    return {"type": "message", "content": [*blocks], "stop_reason": "end_turn", **more}


def begin(index: Any, block: Any) -> dict[str, Any]:
    return {"type": "content_block_start", "index": index, "content_block": block}


def delta(index: Any, kind: str, **more: Any) -> dict[str, Any]:
    return {"type": "content_block_delta", "index": index, "delta": {"type": kind, **more}}


def answer_of(document: Any, *, asked: bool = False) -> Completion:
    result = decode(json.dumps(document).encode(), stream=False, asked_logprobs=asked)
    assert isinstance(result, Completion), result
    return result


def streamed(*documents: Any) -> Completion | Failure:
    return decode(b"".join(map(sse, documents)), stream=True)


def answer_to(*documents: Any) -> Completion:
    result = streamed(*documents)
    assert isinstance(result, Completion), result
    return result


def kind_of(raw: bytes, *, stream: bool = False) -> str:
    result = decode(raw, stream=stream)
    return result.kind if isinstance(result, Failure) else "ok"


def test_text_is_all_text_blocks_and_nothing_else() -> None:
    """Thinking and blocks of other types are counted beside the answer, never read into it."""
    blocks = [
        {"type": "thinking", "thinking": "secret plan", "signature": "s"},
        {"type": "redacted_thinking", "data": "xx"},
        text("a"),
        {"type": "server_tool_use", "id": "s1", "name": "web_search", "input": {"query": "q"}},
        {"type": "a_type_to_come", "text": "no"},
        text("b"),
    ]
    answer = answer_of(message(*blocks))
    assert (answer.text, answer.tool_calls) == ("ab", ())
    assert answer.headers == {
        "stop_reason": "end_turn", "thinking_blocks": "2", "other_blocks": "2",
    }  # fmt: skip
    assert answer_of(message(text("a"))).headers == {"stop_reason": "end_turn"}


def test_streamed_thinking_stays_out_of_the_text() -> None:
    """Deltas of thinking, signatures, citations and types to come add nothing to the answer."""
    answer = answer_to(
        START,
        begin(0, {"type": "thinking", "thinking": "", "signature": ""}),
        delta(0, "thinking_delta", thinking="hm"),
        delta(0, "signature_delta", signature="s"),
        begin(1, text("")),
        delta(1, "text_delta", text="a"),
        delta(1, "citations_delta", citation={}),
        delta(1, "delta_to_come", text="no"),
        {"type": "event_to_come", "text": "no"},
        END, STOP,
    )  # fmt: skip
    assert (answer.text, answer.headers["thinking_blocks"]) == ("a", "1")
    assert (answer.response_id, answer.response_model) == ("msg_1", "claude")


@pytest.mark.parametrize(
    ("wire", "common"),
    [*FINISH_REASONS.items(), ("pause_turn", "pause_turn"), ("reason_to_come", "reason_to_come")],
)
def test_stop_reasons(wire: str, common: str) -> None:
    """Finish reasons are the common ones, the wire's own word is kept beside them."""
    answer = answer_of(message(text("a"), stop_reason=wire))
    assert (answer.finish_reason, answer.headers["stop_reason"]) == (common, wire)
    assert (common in CUT_OFF) == (wire in ("max_tokens", "model_context_window_exceeded"))


@pytest.mark.parametrize(
    ("details", "refusal"),
    [
        ({"type": "refusal", "category": "bio", "explanation": "not this"}, "not this"),
        ({"type": "refusal", "category": "bio", "explanation": None}, "bio"),
        ({"category": 5, "explanation": []}, "refusal"),
        (None, "refusal"),
        ("x", "refusal"),
    ],
)
def test_refusals_say_what_is_known(details: Any, refusal: str) -> None:
    """A refusal without text is no empty answer: it says so, in the wire's words if there are."""
    more = {"stop_reason": "refusal", "stop_details": details}
    assert answer_of(message(**more)).refusal == refusal
    assert answer_to(START, {"type": "message_delta", "delta": more}).refusal == refusal
    assert answer_of(message(stop_details=details)).refusal is None


@pytest.mark.parametrize(
    ("usage", "counts"),
    [
        ({"input_tokens": 3, "output_tokens": 4}, Usage(3, 4)),
        (
            {
                "input_tokens": 3, "output_tokens": 4, "cache_creation_input_tokens": 10,
                "cache_read_input_tokens": 100,
                "output_tokens_details": {"thinking_tokens": 2},
            },
            Usage(113, 4, 2, 100),
        ),
        (
            {"input_tokens": 3, "cache_creation_input_tokens": None, "output_tokens_details": None},
            Usage(3),
        ),
        ({"input_tokens": 3, "cache_read_input_tokens": 0}, Usage(3, cached_tokens=0)),
        ({"cache_read_input_tokens": 7}, Usage(cached_tokens=7)),
        ({"input_tokens": 3, "cache_read_input_tokens": -7}, Usage()),
        ({"input_tokens": -3, "output_tokens": 10**12}, Usage()),
        ({"input_tokens": 10**8, "cache_read_input_tokens": 10**8}, Usage(cached_tokens=10**8)),
        ({"input_tokens": True, "output_tokens": 1.5}, Usage()),
        ({"output_tokens_details": 5}, Usage()),
        ("x", Usage()),
        (None, Usage()),
    ],
)  # fmt: skip
def test_usage(usage: Any, counts: Usage) -> None:
    """The prompt counts in full, cached or not; absurd counts are missing counts."""
    assert answer_of(message(usage=usage)).usage == counts


def test_usage_of_a_stream_is_the_last_word() -> None:
    """Cumulative counts replace the first ones; a placeholder is no count of the answer."""
    first = {"input_tokens": 3, "output_tokens": 1, "cache_read_input_tokens": 5}
    start = {"type": "message_start", "message": {"usage": first}}
    end = {"type": "message_delta", "delta": {"stop_reason": "end_turn"}}
    assert answer_to(start, end).usage == Usage(8, None, None, 5)
    more = {"output_tokens": 40, "input_tokens": 4, "cache_read_input_tokens": None}
    assert answer_to(start, end | {"usage": {"output_tokens": 9}}, STOP).usage == Usage(
        8, 9, None, 5
    )
    assert answer_to(start, end | {"usage": more}).usage == Usage(9, 40, None, 5)


def tool(block_id: Any = "t1", given: Any = None, called: Any = "f") -> dict[str, Any]:
    return {"type": "tool_use", "id": block_id, "name": called, "input": given}


def call(block_id: Any, arguments: str, called: str = "f") -> Mapping[str, Any]:
    function = {"name": called, "arguments": arguments}
    return {"id": block_id, "type": "function", "function": function}


@pytest.mark.parametrize(
    ("given", "arguments"),
    [({"a": "日"}, '{"a": "日"}'), ({}, "{}"), (None, ""), ("raw", "raw"), ([1], "[1]")],
)
def test_tool_input_becomes_text(given: Any, arguments: str) -> None:
    """Whole input is written as JSON text, as the other wire has it."""
    answer = answer_of(message(tool(given=given), stop_reason="tool_use"))
    assert answer.tool_calls == (call("t1", arguments),)


def test_streamed_tools_are_put_together_by_index() -> None:
    """Pieces go to the block that they name; server tools are no calls of the model's client."""
    answer = answer_to(
        START,
        begin(0, {"type": "server_tool_use", "id": "s", "name": "web_search", "input": {}}),
        begin(1, tool("t1", {})),
        begin(2, tool("t2", {})),
        delta(0, "input_json_delta", partial_json='{"query": "q"}'),
        delta(2, "input_json_delta", partial_json='{"a"'),
        delta(1, "input_json_delta", partial_json=""),
        delta(2, "input_json_delta", partial_json=": 1}"),
        {"type": "message_delta", "delta": {"stop_reason": "tool_use"}},
    )
    assert answer.tool_calls == (call("t1", "{}"), call("t2", '{"a": 1}'))
    assert answer.finish_reason == "tool_calls"
    assert answer.ttft_seconds is not None


def test_calls_are_bounded() -> None:
    """More than 128 calls are refused, whole or streamed."""
    assert kind_of(json.dumps(message(*[tool()] * 128)).encode()) == "ok"
    assert kind_of(json.dumps(message(*[tool()] * 129)).encode()) == "protocol"
    again = b"".join(sse(begin(0, tool())) for _ in range(129))
    assert kind_of(again, stream=True) == "protocol"


@pytest.mark.parametrize(
    ("raw", "kind"),
    [
        (b'{"type": "error", "error": {"type": "api_error", "message": "no"}}', "error_body"),
        (b'{"type": "error", "error": null}', "error_body"),
        (b'{"error": "no"}', "error_body"),
        (b'{"content": null, "stop_reason": "end_turn"}', "ok"),
        (b'{"content": [{"type": "text", "text": "a"}]}', "ok"),
        (b'{"content": [{"type": "text", "text": null}], "stop_reason": "end_turn"}', "ok"),
        (b'{"content": {}, "stop_reason": "end_turn"}', "protocol"),
        (b'{"content": null}', "protocol"),
        (b'{"choices": [{"message": {"content": "a"}}]}', "protocol"),
        (b"null", "protocol"),
        (b'{"content": NaN}', "malformed"),
        (b"  <html>", "malformed"),
        (b"", "malformed"),
    ],
)
def test_kinds(raw: bytes, kind: str) -> None:
    """Undecodable is malformed, decodable but strange is protocol, errors are error_body."""
    assert kind_of(raw) == kind


def test_reasons_for_the_end() -> None:
    """A stop reason decides; the end mark is optional, what follows it is ignored."""
    begun = (START, begin(0, text("")), delta(0, "text_delta", text="a"))
    whole = b"".join(map(sse, (*begun, END)))
    for tail in (b"", sse(STOP), sse(STOP) + b"data: {", b'data: {"type": "ping"}\n\n'):
        result = decode(whole + tail, stream=True)
        assert isinstance(result, Completion)
        assert (result.text, result.finish_reason, result.usage.output_tokens) == ("a", "stop", 9)
    null_end = {"type": "message_delta", "delta": {"stop_reason": None}}
    for events in (begun, (*begun, STOP), (*begun, null_end, STOP), (START,), (STOP,), ()):
        result = streamed(*events)
        assert isinstance(result, Failure)
        assert result.kind == "truncated_stream"


@pytest.mark.parametrize(("wire", "kind"), [*ERROR_KINDS.items(), ("error_to_come", "error_body")])
def test_errors_in_a_stream_have_the_kind_of_their_status(wire: str, kind: str) -> None:
    """An error after 200 counts as it would have before; what it says is kept."""
    error = {"type": "error", "error": {"type": wire, "message": "because"}}
    for event in (sse(error, "error"), sse(error), sse({"error": error["error"]})):
        result = decode(sse(START) + event, stream=True)
        assert isinstance(result, Failure)
        assert result.kind == kind
        assert "because" in result.detail
    assert kind in OUTCOMES


@pytest.mark.parametrize(
    ("raw", "kind"),
    [
        (sse(START) + b'data: {"type": "content_blo', "truncated_stream"),
        (sse(START) + b"data: {broken}\n\n", "malformed"),
        (b'event: error\ndata: "overloaded"\n\n', "error_body"),
        (sse({"type": "error", "error": 5}), "error_body"),
        (sse({"type": "error", "error": {"type": []}}), "error_body"),
        (sse({}), "protocol"),
        (sse([]), "protocol"),
        (sse({"choices": [{"delta": {"content": "a"}}]}), "protocol"),
        (sse({"type": "message_start"}), "protocol"),
        (sse({"type": "message_delta"}), "protocol"),
        (sse({"type": "message_delta", "delta": {"stop_reason": 5}}), "protocol"),
        (sse({"type": "content_block_delta", "index": 0}), "protocol"),
        (sse(delta(0, "text_delta", text=5)), "protocol"),
        (sse(delta(0, "input_json_delta", partial_json="{")), "protocol"),
        (sse(delta([], "input_json_delta", partial_json="{")), "protocol"),
        (sse(begin(0, tool())) + sse(delta(0, "input_json_delta", partial_json=5)), "protocol"),
        (sse(begin(-1, text("a"))), "protocol"),
        (sse(begin(None, text("a"))), "protocol"),
        (sse(begin(True, text("a"))), "protocol"),
        (sse(begin(0, "x")), "protocol"),
        (sse(begin(0, {"text": "a"})), "protocol"),
        (b'{"type": "error", "error": {"message": "x"}}', "error_body"),
        (b": only comments\n\n", "truncated_stream"),
        (b"data: " + b"x" * (5 * 1024 * 1024), "too_large"),
    ],
)
def test_broken_streams(raw: bytes, kind: str) -> None:
    """Each way to break a stream has its kind."""
    assert kind_of(raw, stream=True) == kind


def test_events_may_be_named_outside_only() -> None:
    """A type in the event's name does as well as one in the data, and the data's goes first."""
    raw = sse({"index": 0, "delta": {"type": "text_delta", "text": "a"}}, "content_block_delta")
    raw += sse(END, "ping") + sse({}, "message_stop")
    result = decode(raw, stream=True)
    assert isinstance(result, Completion)
    assert result.text == "a"


def test_unicode_pair_cut_over_events() -> None:
    """A character whose surrogates came in two events is one character again."""
    halves = (delta(0, "text_delta", text="\ud83d"), delta(0, "text_delta", text="\ude00"))
    assert answer_to(START, begin(0, text("")), *halves, END).text == "\U0001f600"


def test_there_are_no_logprobs() -> None:
    """The wire has none: asked for, they were ignored, whatever a server adds."""
    document = message(text("a"), logprobs={"content": []})
    assert answer_of(document, asked=True).logprobs_state == "absent_ignored"
    assert answer_of(document).logprobs_state == "not_asked"
    assert answer_of(document, asked=True).logprobs is None


def test_names_are_short() -> None:
    """Provenance cannot be used to store megabytes."""
    answer = answer_of(message(model="m" * 10_000, id=5, stop_reason="r" * 10_000))
    assert (len(answer.response_model or ""), answer.response_id) == (200, None)
    assert len(answer.finish_reason or "") == len(answer.headers["stop_reason"]) == 200
