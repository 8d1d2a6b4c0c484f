"""Readers of a response body, whole or streamed, for any wire format: bytes to answer, no I/O.

A format brings an Assembly, which knows what its documents and events mean; when an answer
begins, is whole, is cut or is none at all is decided here, once for all formats.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

from qualmon.providers.sse import Event, SSEParser
from qualmon.providers.wire import WireError, checked_document, loads
from qualmon.types import Completion, Failure

_HEAD = 4096
# How a stream may begin that has no event yet: a comment or a field.
_FIELDS = (b":", b"data", b"event", b"id", b"retry")


class Assembly(Protocol):
    """An answer of one wire format while it is put together."""

    @property
    def started(self) -> bool:
        """Whether anything of the answer itself has come."""
        ...

    @property
    def finished(self) -> bool:
        """Whether the reason for the answer's end has come."""
        ...

    def take_body(self, document: Mapping[str, Any]) -> None:
        """Takes a whole, unstreamed answer that reports no error. Raises WireError."""
        ...

    def take_event(self, event: Event) -> bool:
        """Takes one event of a stream; whether it is the end mark. Raises WireError."""
        ...

    def completion(self, seconds: float, ttft: float | None) -> Completion:
        """The answer, whole after `seconds`, its first token after `ttft`."""
        ...


def decode(
    assembly: Assembly, raw: bytes, *, stream: bool, seconds: float = 0.0
) -> Completion | Failure:
    """The answer in a whole response body; total: any bytes come to one or the other."""
    reader = (StreamReader if stream else BodyReader)(assembly)
    try:
        reader.feed(raw, seconds)
        return reader.finish(seconds)
    except WireError as error:
        return Failure(error.kind, error.detail)


class BodyReader:
    """Reads one JSON object."""

    whole = False

    def __init__(self, assembly: Assembly) -> None:
        self._chunks: list[bytes] = []
        self._assembly = assembly

    def feed(self, data: bytes, seconds: float) -> bool:  # noqa: ARG002 (the protocol's)
        """Keeps the bytes: JSON is read when it is whole."""
        self._chunks.append(data)
        return False

    def finish(self, seconds: float) -> Completion:
        """The answer. Raises WireError."""
        self._assembly.take_body(checked_document(loads(b"".join(self._chunks)), "the body"))
        return self._assembly.completion(seconds, None)


class StreamReader:
    """Reads server-sent events."""

    def __init__(self, assembly: Assembly) -> None:
        self._parser = SSEParser()
        self._assembly = assembly
        self._head = b""
        self._any_event = False
        self._ttft: float | None = None
        self._whole_at: float | None = None

    @property
    def whole(self) -> bool:
        """The answer's end has come; what may follow is usage and the end mark."""
        return self._whole_at is not None

    def feed(self, data: bytes, seconds: float) -> bool:
        """Takes bytes; True at the end mark. Raises WireError."""
        if not self._any_event and len(self._head) < _HEAD:
            self._head += data[:_HEAD]
        return any(self._ends(event, seconds) for event in self._parser.feed(data))

    def finish(self, seconds: float) -> Completion:
        """The answer, timed when its end came. Raises WireError."""
        if self._whole_at is None:
            self._flush(seconds)
        if self._whole_at is None:
            raise WireError("truncated_stream", "the stream ended without a finish reason")
        return self._assembly.completion(self._whole_at, self._ttft)

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
        assembly = self._assembly
        ended = assembly.take_event(event)
        if self._ttft is None and assembly.started:
            self._ttft = seconds
        if self._whole_at is None and assembly.finished:
            self._whole_at = seconds
        return ended


def _begins_a_stream(start: bytes) -> bool:
    return any(field.startswith(start[: len(field)]) for field in _FIELDS)
