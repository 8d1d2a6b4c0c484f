"""Writing chat completions: whole answers, and streams of server-sent events.

Bytes are put together from fragments, most of which a step has encoded once for all answers.
"""

from __future__ import annotations

from collections.abc import Iterator

import orjson

from qualmon.sim.reply import Reply

DONE = b"data: [DONE]\n\n"


def completion(reply: Reply) -> bytes:
    """The ``chat.completion`` object."""
    tokens = reply.tokens()
    logprobs = b"null"
    if reply.tops is not None:
        logprobs = (
            b'{"content":[' + b",".join([entry for _, entry in tokens]) + b'],"refusal":null}'
        )
    return b"".join(
        (
            _head(reply, "chat.completion"),
            b'"choices":[{"index":0,"message":{"role":"assistant","content":"',
            *[text for text, _ in tokens],
            b'","refusal":null,"annotations":[]},"logprobs":',
            logprobs,
            b',"finish_reason":"' + reply.finish.encode() + b'"}],"usage":',
            _usage(reply),
            b"}",
        )
    )


def events(reply: Reply, *, include_usage: bool) -> Iterator[bytes]:
    """The stream's events: role, one per token, finish, usage where asked for, [DONE]."""
    head = b"data: " + _head(reply, "chat.completion.chunk")
    start = head + b'"choices":[{"index":0,"delta":'
    end = b',"usage":null}\n\n' if include_usage else b"}\n\n"
    yield (
        start
        + b'{"role":"assistant","content":"","refusal":null},"logprobs":null,"finish_reason":null}]'
        + end
    )
    yield from _token_events(reply, start + b'{"content":"', b',"finish_reason":null}]' + end)
    yield (start + b'{},"logprobs":null,"finish_reason":"' + reply.finish.encode() + b'"}]' + end)
    if include_usage:
        yield head + b'"choices":[],"usage":' + _usage(reply) + b"}\n\n"
    yield DONE


def _token_events(reply: Reply, start: bytes, end: bytes) -> list[bytes]:
    if reply.tops is None:
        end = b'"},"logprobs":null' + end
        return [start + text + end for text, _ in reply.tokens()]
    middle, end = b'"},"logprobs":{"content":[', b'],"refusal":null}' + end
    return [start + text + middle + entry + end for text, entry in reply.tokens()]


def _head(reply: Reply, kind: str) -> bytes:
    """The fields before ``choices``, up to and with the comma."""
    fields = {
        "id": f"chatcmpl-{reply.id}",
        "object": kind,
        "created": reply.created,
        "model": reply.model,
        "service_tier": "default",
        "system_fingerprint": reply.fingerprint,
    }
    return orjson.dumps(fields)[:-1] + b","


def _usage(reply: Reply) -> bytes:
    output = len(reply.choices)
    counts = {
        "prompt_tokens": reply.prompt_tokens,
        "completion_tokens": output,
        "total_tokens": reply.prompt_tokens + output,
        "prompt_tokens_details": {"cached_tokens": 0, "audio_tokens": 0},
        "completion_tokens_details": {"reasoning_tokens": 0, "audio_tokens": 0},
    }
    return orjson.dumps(counts)
