"""Lines of a byte stream, as they arrive, in bounded memory."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final, Protocol

#: The longest line that is read.
MAX_LINE: Final = 16 * 2**20
_BLOCK: Final = 2**16
_BOM: Final = b"\xef\xbb\xbf"


class Readable(Protocol):
    """A buffered binary file."""

    def read1(self, size: int, /) -> bytes:
        """What is there, at most `size` bytes; empty at the end."""
        ...


def blocks(source: Readable, limit: int = MAX_LINE) -> Iterator[list[bytes | None]]:
    """Lists of lines without their newline; None stands for one longer than `limit` bytes.

    A list ends where the input paused, so that answers need not wait for more. A byte order
    mark at the start is dropped, and so is what follows the last newline if it is empty.
    """
    held, size, first = [b""], 0, True
    while chunk := source.read1(_BLOCK):
        if b"\n" not in chunk:
            size += len(chunk)
            # Of a line that is too long only its length is kept.
            held = [*held, chunk] if size <= limit + len(_BOM) else []
            continue
        head, *rest = chunk.split(b"\n")
        tail = rest.pop()
        size += len(head)
        lines: list[bytes | None] = [b"".join([*held, head]) if held else None, *rest]
        if first:
            lines[0], first = _without_mark(lines[0]), False
        yield [None if line is None or len(line) > limit else line for line in lines]
        held, size = [tail], len(tail)
    last = b"".join(held) if held else None
    if first:
        last = _without_mark(last)
    if last != b"":
        yield [None if last is None or len(last) > limit else last]


def _without_mark(line: bytes | None) -> bytes | None:
    return line if line is None else line.removeprefix(_BOM)
