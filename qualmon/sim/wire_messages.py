"""Writing Anthropic messages: whole answers, streams of server-sent events, and errors.

No log-probabilities: the real protocol has none. Source: Anthropic API reference, "Messages",
"Streaming messages" and "Errors".
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import orjson

from qualmon.sim.reply import Reply
from qualmon.sim.wire_request import RejectedError

_REASONS: Mapping[str, str] = {"stop": "end_turn", "length": "max_tokens"}
_ERRORS: Mapping[int, str] = {
    401: "authentication_error",
    403: "permission_error",
    404: "not_found_error",
    413: "request_too_large",
}
_NO_CACHE = {"cache_creation_input_tokens": 0, "cache_read_input_tokens": 0}
_PING = b'event: ping\ndata: {"type":"ping"}\n\n'
_BLOCK = b'{"type":"content_block_start","index":0,"content_block":{"type":"text","text":""}}'
_DELTA = b'{"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"'


class _Written(NamedTuple):
    """Texts as JSON strings without quotes, one per token, and why there are no more."""

    texts: list[bytes]
    reason: str
    stop: str | None


def message(reply: Reply, stops: Sequence[str] = ()) -> bytes:
    """The ``message`` object, ending before the first of the texts `stops`."""
    written = _write(reply, stops)
    block = b'{"type":"text","text":"' + b"".join(written.texts) + b'"}' if written.texts else b""
    head = orjson.dumps(_message(reply, written.reason, written.stop, len(written.texts)))
    return head[:-1] + b',"content":[' + block + b"]}"


def message_events(reply: Reply, stops: Sequence[str] = ()) -> Iterator[bytes]:
    """The stream's events, from message_start to message_stop; one delta per token."""
    written = _write(reply, stops)
    start = {**_message(reply, None, None, min(1, len(written.texts))), "content": []}
    yield _event("message_start", orjson.dumps({"type": "message_start", "message": start}))
    if written.texts:
        yield _event("content_block_start", _BLOCK)
    yield _PING
    for text in written.texts:
        yield _event("content_block_delta", _DELTA + text + b'"}}')
    if written.texts:
        yield _event("content_block_stop", b'{"type":"content_block_stop","index":0}')
    end = {
        "type": "message_delta",
        "delta": {"stop_reason": written.reason, "stop_sequence": written.stop},
        "usage": _counts(reply, len(written.texts)),
    }
    yield _event("message_delta", orjson.dumps(end))
    yield _event("message_stop", b'{"type":"message_stop"}')


def refusal(rejected: RejectedError, request_id: str) -> bytes:
    """The error object in Anthropic's shape."""
    error = {
        "type": _ERRORS.get(rejected.status, "invalid_request_error"),
        "message": str(rejected),
    }
    return orjson.dumps({"type": "error", "error": error, "request_id": request_id})


def _message(reply: Reply, reason: str | None, stop: str | None, output: int) -> dict[str, Any]:
    """All of the message but its content."""
    return {
        "id": f"msg_{reply.id}",
        "type": "message",
        "role": "assistant",
        "model": reply.model,
        "stop_reason": reason,
        "stop_sequence": stop,
        "usage": {
            **_counts(reply, output),
            "cache_creation": {"ephemeral_5m_input_tokens": 0, "ephemeral_1h_input_tokens": 0},
            "service_tier": "standard",
        },
    }


def _counts(reply: Reply, output: int) -> dict[str, int]:
    return {"input_tokens": reply.prompt_tokens, **_NO_CACHE, "output_tokens": output}


def _write(reply: Reply, stops: Sequence[str]) -> _Written:
    texts = [text for text, _ in reply.tokens()]
    found = _first(reply, stops) if stops else None
    if found is None:
        return _Written(texts, _REASONS[reply.finish], None)
    at, stop = found
    return _Written(_cut(reply, at), "stop_sequence", stop)


def _first(reply: Reply, stops: Sequence[str]) -> tuple[int, str] | None:
    """Where the first stop begins in the text, and which it is: the longest there."""
    text = "".join(step.pieces[index] for step, index in reply.choices)
    found = [(text.find(stop), -len(stop), stop) for stop in stops if stop in text]
    if not found:
        return None
    at, _, stop = min(found)
    return at, stop


def _cut(reply: Reply, end: int) -> list[bytes]:
    """The tokens of the first `end` characters, the last one shortened."""
    texts: list[bytes] = []
    for step, index in reply.choices:
        if end <= 0:
            break
        piece = step.pieces[index][:end]
        end -= len(piece)
        texts.append(orjson.dumps(piece)[1:-1])
    return texts


def _event(name: str, data: bytes) -> bytes:
    return b"event: " + name.encode() + b"\ndata: " + data + b"\n\n"
