"""Reading lines: limits, byte order mark, ends, pauses."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qualmon.cli.jsonl import blocks


class Pieces:
    """A source that yields what it was given, piece by piece."""

    def __init__(self, pieces: list[bytes]) -> None:
        self._pieces = [piece for piece in pieces if piece][::-1]

    def read1(self, size: int, /) -> bytes:
        """The next piece."""
        return self._pieces.pop() if self._pieces else b""


def read(*pieces: bytes, limit: int = 8) -> list[bytes | None]:
    """All lines."""
    return [line for block in blocks(Pieces(list(pieces)), limit) for line in block]


@pytest.mark.parametrize(
    ("text", "lines"),
    [
        (b"", []),
        (b"a", [b"a"]),
        (b"a\n", [b"a"]),
        (b"a\n\nb", [b"a", b"", b"b"]),
        (b"\n", [b""]),
        (b"\xef\xbb\xbfa\nb", [b"a", b"b"]),
        (b"a\r\nb\r\n", [b"a\r", b"b\r"]),
        (b"12345678\n123456789\nx", [b"12345678", None, b"x"]),
        (b"123456789", [None]),
        (b"\xef\xbb\xbf12345678\n", [b"12345678"]),
    ],
)
def test_lines(text: bytes, lines: list[bytes | None]) -> None:
    """Whole, and byte by byte."""
    assert read(text) == lines
    assert read(*[bytes([byte]) for byte in text]) == lines


@given(st.lists(st.sampled_from([b"\xef\xbb\xbf", b"\n", b"a", b"bc", b"12345678", b"\r\n"])))
def test_pieces_do_not_matter(pieces: list[bytes]) -> None:
    """However the input arrives, the lines are those of the whole."""
    assert read(*pieces) == read(b"".join(pieces))


def test_a_block_ends_where_the_input_pauses() -> None:
    """Complete lines are handed on at once."""
    found = blocks(Pieces([b"a\nb", b"c\nd\n", b"e"]))
    assert list(found) == [[b"a"], [b"bc", b"d"], [b"e"]]


def test_a_line_without_end_is_not_kept() -> None:
    """Beyond the limit only its length is remembered."""
    assert read(*[b"x" * 5] * 1000, b"\nok", limit=8) == [None, b"ok"]
