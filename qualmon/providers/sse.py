"""Server-sent events, from bytes to events, without I/O and in bounded memory.

Source: https://html.spec.whatwg.org/multipage/server-sent-events.html (section 9.2.5).
"""

from __future__ import annotations

from typing import NamedTuple

from qualmon.providers.wire import WireError


class Event(NamedTuple):
    """One event: its type ("" when none was named) and its data lines joined by LF."""

    name: str
    data: bytes


class SSEParser:
    """Incremental parser. `max_event` bounds the bytes of one line and of one event.

    Data stays bytes: a character may be split over chunks, an event never is, so decoding is
    left to whoever reads the event.
    """

    def __init__(self, max_event: int = 4 * 1024 * 1024) -> None:
        self._max = max_event
        self._line: list[bytes] = []  # pieces of the line that has not ended yet
        self._line_size = 0
        self._data: list[bytes] = []
        self._data_size = 0
        self._name = ""
        self._after_cr = False
        self._first = True

    def feed(self, chunk: bytes) -> list[Event]:
        """Events completed by `chunk`. Raises WireError(too_large)."""
        lines = self._lines(chunk)
        events: list[Event] = []
        for line in lines:
            if line:
                self._field(line)
            elif (event := self._dispatch()) is not None:
                events.append(event)
        return events

    def flush(self) -> list[Event]:
        """What an end of input leaves behind: some servers omit the last blank line."""
        if self._line_size:
            self._field(b"".join(self._line))
            self._line, self._line_size = [], 0
        event = self._dispatch()
        return [] if event is None else [event]

    def _lines(self, chunk: bytes) -> list[bytes]:
        if self._after_cr and chunk.startswith(b"\n"):
            chunk, self._after_cr = chunk[1:], False
        if not chunk:
            return []
        self._after_cr = chunk.endswith(b"\r")
        if b"\r" in chunk:
            chunk = chunk.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
        head, *rest = chunk.split(b"\n")
        self._grow(head)
        if not rest:
            return []
        lines = [b"".join(self._line), *rest[:-1]]
        self._line, self._line_size = [], 0
        self._grow(rest[-1])
        return self._without_bom(lines)

    def _grow(self, piece: bytes) -> None:
        """Adds to the open line; pieces are joined once, so a slow drip costs linear time."""
        self._line_size += len(piece)
        if self._line_size > self._max:
            raise WireError("too_large", f"a line of the stream is longer than {self._max} bytes")
        if piece:
            self._line.append(piece)

    def _without_bom(self, lines: list[bytes]) -> list[bytes]:
        if self._first:
            self._first = False
            lines[0] = lines[0].removeprefix(b"\xef\xbb\xbf")
        return lines

    def _field(self, line: bytes) -> None:
        name, _, value = line.partition(b":")
        value = value.removeprefix(b" ")
        if name == b"data":
            self._data_size += len(value) + 1
            if self._data_size > self._max:
                raise WireError("too_large", f"an event is longer than {self._max} bytes")
            self._data.append(value)
        elif name == b"event":
            self._name = value.decode("utf-8", "replace")

    def _dispatch(self) -> Event | None:
        data, name = self._data, self._name
        if name:
            self._name = ""
        if not data:
            return None
        self._data, self._data_size = [], 0
        return Event(name, data[0] if len(data) == 1 else b"\n".join(data))
