"""Writing chat completions: whole answers, and streams of server-sent events.

Bytes are put together from fragments: what a step's favourite token needs is encoded once
per step and used by every answer that goes through it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import orjson

from qualmon.sim.sampler import Choice
from qualmon.sim.speaker import Finish
from qualmon.sim.step import Step

DONE = b"data: [DONE]\n\n"


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer with all that surrounds it on the wire. tops: alternatives per token, or None."""

    id: str
    created: int
    model: str
    fingerprint: str
    prompt_tokens: int
    choices: Sequence[Choice]
    finish: Finish
    tops: int | None

    def head(self, kind: str) -> bytes:
        """The fields before ``choices``, up to and with the comma."""
        fields = {
            "id": self.id,
            "object": kind,
            "created": self.created,
            "model": self.model,
            "service_tier": "default",
            "system_fingerprint": self.fingerprint,
        }
        return orjson.dumps(fields)[:-1] + b","

    def usage(self) -> bytes:
        """The usage object."""
        output = len(self.choices)
        counts = {
            "prompt_tokens": self.prompt_tokens,
            "completion_tokens": output,
            "total_tokens": self.prompt_tokens + output,
            "prompt_tokens_details": {"cached_tokens": 0, "audio_tokens": 0},
            "completion_tokens_details": {"reasoning_tokens": 0, "audio_tokens": 0},
        }
        return orjson.dumps(counts)

    def tokens(self) -> list[tuple[bytes, bytes]]:
        """Per token: its text, escaped and without quotes, and its log-probability entry."""
        tops = -1 if self.tops is None else self.tops
        return [
            (index == 0 and step.wire.get(tops)) or _token(step, index, tops)
            for step, index in self.choices
        ]


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
            reply.head("chat.completion"),
            b'"choices":[{"index":0,"message":{"role":"assistant","content":"',
            *[text for text, _ in tokens],
            b'","refusal":null,"annotations":[]},"logprobs":',
            logprobs,
            b',"finish_reason":"' + reply.finish.encode() + b'"}],"usage":',
            reply.usage(),
            b"}",
        )
    )


def events(reply: Reply, *, include_usage: bool) -> Iterator[bytes]:
    """The stream's events: role, one per token, finish, usage where asked for, [DONE]."""
    head = b"data: " + reply.head("chat.completion.chunk")
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
        yield head + b'"choices":[],"usage":' + reply.usage() + b"}\n\n"
    yield DONE


def _token_events(reply: Reply, start: bytes, end: bytes) -> list[bytes]:
    if reply.tops is None:
        end = b'"},"logprobs":null' + end
        return [start + text + end for text, _ in reply.tokens()]
    middle, end = b'"},"logprobs":{"content":[', b'],"refusal":null}' + end
    return [start + text + middle + entry + end for text, entry in reply.tokens()]


def _token(step: Step, index: int, tops: int) -> tuple[bytes, bytes]:
    """Text and entry of one piece of a step; `tops` -1 means that no entry is needed."""
    entry = b"" if tops < 0 else b"{" + _fields(step, index) + _listed(step, tops)
    made = orjson.dumps(step.pieces[index])[1:-1], entry
    if index == 0:
        step.wire[tops] = made
    return made


def _listed(step: Step, tops: int) -> bytes:
    others = range(min(tops, len(step.pieces)))
    listed = b",".join([b"{" + _fields(step, other) + b"}" for other in others])
    return b',"top_logprobs":[' + listed + b"]}"


def _fields(step: Step, index: int) -> bytes:
    piece = step.pieces[index]
    fields = {
        "token": piece,
        "logprob": step.logprobs[index],
        "bytes": list(piece.encode("utf-8")),
    }
    return orjson.dumps(fields)[1:-1]
