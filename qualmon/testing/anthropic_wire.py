"""Anthropic's Messages as the provider contract plays them."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from qualmon.testing.wires import sse
from qualmon.types import Completion, Usage

_STOP_REASONS = {
    "stop": "end_turn", "length": "max_tokens", "tool_calls": "tool_use",
    "content_filter": "refusal",
}  # fmt: skip


class AnthropicWire:
    """message objects, and the named events that build one. There are no log-probabilities.

    In a stream the text comes in the pieces of the answer's tokens, if it has any.
    """

    has_logprobs = has_fingerprint = False
    error_in_stream = "server_error"
    base_path = ""

    def body(self, answer: Completion) -> bytes:
        """See Wire."""
        blocks = [_text_block(answer.text)] * bool(answer.text)
        blocks += [_tool_block(call) for call in answer.tool_calls]
        message = self._message(answer, _stop_reason(answer), self._usage(answer.usage))
        return json.dumps(message | {"content": blocks}).encode()

    def events(self, answer: Completion) -> Sequence[bytes]:
        """See Wire."""
        counts = self._usage(answer.usage)
        # As the real server has it: a placeholder of the count that comes with the end.
        begun = counts | {"output_tokens": 1} if "output_tokens" in counts else counts
        delta = {"stop_reason": _stop_reason(answer), "stop_sequence": None}
        documents = [
            {"type": "message_start", "message": self._message(answer, None, begun)},
            *self._block_events(answer),
            {"type": "message_delta", "delta": delta, "usage": counts},
            {"type": "message_stop"},
        ]
        return [sse(document, document["type"]) for document in documents]

    def error(self, message: str) -> bytes:
        """See Wire."""
        error = {"type": "api_error", "message": message}
        return json.dumps({"type": "error", "error": error, "request_id": "req_1"}).encode()

    def null_content(self) -> bytes:
        """See Wire."""
        message = {"type": "message", "role": "assistant", "content": []}
        return json.dumps(message | {"stop_reason": "end_turn"}).encode()

    def wrong_types(self) -> Mapping[str, bytes]:
        """See Wire."""
        good = {"type": "message", "content": [_text_block("x")], "stop_reason": "end_turn"}
        documents: dict[str, Any] = {
            "a list": [],
            "a number": 5,
            "nothing": {},
            "neither content nor end": {"type": "message", "stop_reason": None},
            "content as text": good | {"content": "x"},
            "a block as number": good | {"content": [7]},
            "a block without type": good | {"content": [{"text": "x"}]},
            "text as number": good | {"content": [_text_block(5)]},
            "a tool's name as number": good | {"content": [{"type": "tool_use", "name": 5}]},
            "stop reason as list": good | {"stop_reason": []},
            "another format": {"choices": [{"message": {"content": "x"}}]},
        }
        return {name: json.dumps(document).encode() for name, document in documents.items()}

    def _block_events(self, answer: Completion) -> Iterator[dict[str, Any]]:
        index = 0
        if answer.text:
            pieces = [token.token for token in answer.logprobs or ()] or [answer.text]
            deltas = [{"type": "text_delta", "text": piece} for piece in pieces]
            yield from _block(index, _text_block(""), deltas)
            yield {"type": "ping"}
            index = 1
        for call in answer.tool_calls:
            text = call["function"]["arguments"]
            pieces = [text[:3], text[3:]]
            deltas = [{"type": "input_json_delta", "partial_json": piece} for piece in pieces]
            yield from _block(index, _tool_block(call) | {"input": {}}, deltas)
            index += 1

    def _message(
        self, answer: Completion, stop_reason: str | None, usage: Mapping[str, Any]
    ) -> dict[str, Any]:
        return {
            "id": answer.response_id,
            "type": "message",
            "role": "assistant",
            "model": answer.response_model,
            "content": [],
            "stop_reason": stop_reason,
            "stop_sequence": None,
            "usage": usage,
        }

    def _usage(self, usage: Usage) -> dict[str, Any]:
        """What was read from a cache is no part of ``input_tokens`` here."""
        cached, prompt = usage.cached_tokens, usage.prompt_tokens
        document = {} if cached is None else {"cache_read_input_tokens": cached}
        if prompt is not None:
            document["input_tokens"] = prompt - (cached or 0)
        if usage.output_tokens is not None:
            document["output_tokens"] = usage.output_tokens
        if usage.reasoning_tokens is None:
            return document
        return {
            **document,
            "output_tokens_details": {"thinking_tokens": usage.reasoning_tokens},
        }


def _stop_reason(answer: Completion) -> str | None:
    reason = answer.finish_reason
    return None if reason is None else _STOP_REASONS.get(reason, reason)


def _text_block(text: Any) -> dict[str, Any]:
    return {"type": "text", "text": text}


def _tool_block(call: Mapping[str, Any]) -> dict[str, Any]:
    function = call["function"]
    given = json.loads(function["arguments"])
    return {"type": "tool_use", "id": call["id"], "name": function["name"], "input": given}


def _block(
    index: int, start: Mapping[str, Any], deltas: Sequence[Mapping[str, Any]]
) -> Iterator[dict[str, Any]]:
    yield {"type": "content_block_start", "index": index, "content_block": start}
    for delta in deltas:
        yield {"type": "content_block_delta", "index": index, "delta": delta}
    yield {"type": "content_block_stop", "index": index}
