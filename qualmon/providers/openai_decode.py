"""Readers of OpenAI's chat wire, streamed and not: bytes to answer, no I/O.

Lenient in what is accepted, exact in what is recorded (design: lawful but odd). Source:
https://platform.openai.com/docs/api-reference/chat
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from qualmon.providers.openai_answer import (
    AnswerParts,
    checked_document,
    choices_of,
    error_text,
)
from qualmon.providers.openai_logprobs import LogprobsCollector
from qualmon.providers.sse import Event, SSEParser
from qualmon.providers.wire import WireError, loads, mapping
from qualmon.types import Completion, Failure

_DONE = b"[DONE]"
_HEAD = 4096
# How a stream may begin that has no event yet: a comment or a field.
_FIELDS = (b":", b"data", b"event", b"id", b"retry")


def decode(
    raw: bytes, *, stream: bool, asked_logprobs: bool = False, seconds: float = 0.0
) -> Completion | Failure:
    """The answer in a whole response body; total: any bytes come to one or the other."""
    reader = (StreamReader if stream else BodyReader)(asked_logprobs, {})
    try:
        reader.feed(raw, seconds)
        return reader.finish(seconds)
    except WireError as error:
        return Failure(error.kind, error.detail)


class BodyReader:
    """Reads one ``chat.completion`` object. `headers` are kept with the answer."""

    whole = False

    def __init__(self, asked_logprobs: bool, headers: Mapping[str, str]) -> None:
        self._chunks: list[bytes] = []
        self._parts = AnswerParts(LogprobsCollector(asked=asked_logprobs), headers)

    def feed(self, data: bytes, seconds: float) -> bool:  # noqa: ARG002 (the protocol's)
        """Keeps the bytes: JSON is read when it is whole."""
        self._chunks.append(data)
        return False

    def finish(self, seconds: float) -> Completion:
        """The answer. Raises WireError."""
        parts = self._parts
        document = checked_document(loads(b"".join(self._chunks)), "the body")
        choices = choices_of(document)
        if not choices:
            raise WireError("protocol", "choices is empty or missing")
        message = mapping(choices[0].get("message"), "message")
        parts.take_document(document)
        parts.take_choice(choices[0], message)
        if parts.finish_reason is None and message.get("content") is None and not parts.started:
            raise WireError("protocol", "neither content nor a finish reason")
        return parts.completion(seconds)


class StreamReader:
    """Reads ``chat.completion.chunk`` events. `headers` are kept with the answer."""

    def __init__(self, asked_logprobs: bool, headers: Mapping[str, str]) -> None:
        self._parser = SSEParser()
        self._parts = AnswerParts(LogprobsCollector(asked=asked_logprobs), headers)
        self._head = b""
        self._any_event = False
        self._whole_at: float | None = None

    @property
    def whole(self) -> bool:
        """A finish reason has come; what may follow is usage and the end mark."""
        return self._whole_at is not None

    def feed(self, data: bytes, seconds: float) -> bool:
        """Takes bytes; True at the end mark. Raises WireError."""
        if not self._any_event and len(self._head) < _HEAD:
            self._head += data[:_HEAD]
        return any(self._ends(event, seconds) for event in self._parser.feed(data))

    def finish(self, seconds: float) -> Completion:
        """The answer, timed when its finish reason came. Raises WireError."""
        if self._whole_at is None:
            self._flush(seconds)
        if self._whole_at is None:
            raise WireError("truncated_stream", "the stream ended without a finish reason")
        return self._parts.completion(self._whole_at)

    def _flush(self, seconds: float) -> None:
        for event in self._parser.flush():
            try:
                self._ends(event, seconds)
            except WireError as error:
                if error.kind != "malformed":
                    raise
                raise WireError("truncated_stream", "the last event was cut") from error
        if not self._any_event and not _begins_a_stream(self._head.lstrip()):
            # A page or an error object that only claims to be a stream.
            checked_document(loads(self._head), "the body")
            raise WireError("protocol", "the body holds no event")

    def _ends(self, event: Event, seconds: float) -> bool:
        """Takes one event; whether it is the end mark."""
        self._any_event = True
        if event.data.strip() == _DONE:
            return True
        document = loads(event.data)
        if event.name == "error":
            raise WireError("error_body", error_text(document))
        self._take(checked_document(document, "an event"), seconds)
        return False

    def _take(self, document: dict[str, Any], seconds: float) -> None:
        parts = self._parts
        parts.take_document(document)
        choices = choices_of(document)
        if not choices and "choices" not in document and "usage" not in document:
            raise WireError("protocol", "an event without choices")
        for choice in choices:
            if choice.get("index") in (0, None):
                delta = choice.get("delta")
                parts.take_choice(choice, {} if delta is None else mapping(delta, "delta"))
        if parts.ttft is None and parts.started:
            parts.ttft = seconds
        if self._whole_at is None and parts.finish_reason is not None:
            self._whole_at = seconds


def _begins_a_stream(start: bytes) -> bool:
    return any(field.startswith(start[: len(field)]) for field in _FIELDS)
