"""Server-sent events are parsed as the standard says, in bounded memory."""

import pytest

from qualmon.providers.sse import Event, SSEParser
from qualmon.providers.wire import WireError


def parsed(*chunks: bytes) -> list[Event]:
    parser = SSEParser()
    return [event for chunk in chunks for event in parser.feed(chunk)] + parser.flush()


@pytest.mark.parametrize(
    ("raw", "data"),
    [
        (b"data: a\n\n", [b"a"]),
        (b"data:a\r\n\r\n", [b"a"]),
        (b"data: a\r\rdata: b\r\r", [b"a", b"b"]),
        (b"data:  a\n\n", [b" a"]),
        (b"data: a\ndata: b\n\n", [b"a\nb"]),
        (b"\xef\xbb\xbfdata: a\n\n", [b"a"]),
        (b": comment\n\nid: 7\nretry: 5\ndata: a\n\n\n\n", [b"a"]),
        (b"data\n\n", [b""]),
        (b"data: a: b\n\n", [b"a: b"]),
        (b"data: a", [b"a"]),
        (b"nonsense\n\n", []),
        (b"", []),
    ],
)
def test_forms(raw: bytes, data: list[bytes]) -> None:
    """Line ends, missing blanks, comments, several data lines, a missing last blank line."""
    assert [event.data for event in parsed(raw)] == data


def test_event_names_do_not_leak() -> None:
    """An event's name belongs to that event only."""
    assert parsed(b"event: error\ndata: a\n\ndata: b\n\n") == [
        Event("error", b"a"),
        Event("", b"b"),
    ]


def test_cr_lf_cut_in_two_is_one_line_end() -> None:
    """CR at the end of one read and LF at the start of the next end one line."""
    assert parsed(b"data: a\r", b"\ndata: b\r", b"\n", b"\r\n") == [Event("", b"a\nb")]


@pytest.mark.parametrize("chunk", [b"x" * 100, b"data: 0123456789\n"])
def test_limits(chunk: bytes) -> None:
    """A line without end and an event without end stop at the limit."""
    parser = SSEParser(max_event=1000)

    def feed_for_ever() -> None:
        for _ in range(200):
            parser.feed(chunk)

    with pytest.raises(WireError, match="longer than 1000"):
        feed_for_ever()
