"""Text made fit to be looked at, numbers in words, runbook Markdown."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qualmon.web.runbooks import Block, blocks
from qualmon.web.text import CONTEXT, MAX_MARKS, Segment, character_names, excerpt, visible
from qualmon.web.words import fill, percent, place, span

ANY_TEXT = st.text(alphabet=st.characters(categories=None), max_size=2000)
MARKS = st.lists(st.tuples(st.integers(-50, 3000), st.integers(-50, 3000)), max_size=40)


def test_invisible_characters_are_named() -> None:
    """Controls, bidi overrides, zero width, surrogates, private use; letters of any script stay."""
    assert visible("a\u202eb\x00\ud800\u200b\ue000") == "a<U+202E>b<U+0000><U+D800><U+200B><U+E000>"
    assert visible("né สวัสดี 排序 🙂") == "né สวัสดี 排序 🙂"
    assert visible("a\n\tb", keep="\n\t") == "a\n\tb"


def test_excerpt_shows_marks_with_context() -> None:
    """Long healthy stretches are left out and counted."""
    text = "a" * 500 + "BAD" + "b" * 500
    assert excerpt(text, [(500, 503)]) == [
        Segment(f"… {500 - CONTEXT} characters …", "gap"),
        Segment("a" * CONTEXT),
        Segment("BAD", "bad"),
        Segment("b" * CONTEXT),
        Segment(f"… {500 - CONTEXT} characters …", "gap"),
    ]


def test_excerpt_joins_overlapping_marks_and_keeps_neighbours_apart() -> None:
    """Unsorted spans; context is not repeated."""
    found = excerpt("0123456789", [(6, 8), (2, 4), (3, 5)])
    assert found == [
        Segment("01"), Segment("234", "bad"), Segment("5"), Segment("67", "bad"), Segment("89")
    ]  # fmt: skip


def test_excerpt_without_marks_is_the_beginning() -> None:
    """An empty answer is empty."""
    assert excerpt("short", []) == [Segment("short")]
    assert excerpt("", [(0, 5)]) == []
    assert excerpt("x" * 1000, [])[-1] == Segment("… 600 characters …", "gap")


@given(ANY_TEXT, MARKS)
def test_excerpt_is_bounded_and_visible(text: str, marks: list[tuple[int, int]]) -> None:
    """Whatever the answer and the spans: limited, encodable, and marks stay within bounds."""
    segments = excerpt(text, marks)
    "".join(s.text for s in segments).encode()
    assert sum(s.kind == "bad" for s in segments) <= MAX_MARKS
    assert len(character_names(text, marks)) <= 8


@given(st.text(alphabet="ab", max_size=400), MARKS)
def test_excerpt_loses_nothing_but_what_it_says(text: str, marks: list[tuple[int, int]]) -> None:
    """Shown characters and counted gaps add up to the answer."""
    total = sum(
        int(s.text.split()[1]) if s.kind == "gap" else len(s.text) for s in excerpt(text, marks)
    )
    inside = {(max(0, a), min(len(text), b)) for a, b in marks}
    if len([1 for a, b in inside if a < b]) <= MAX_MARKS:
        assert total == len(text)


@pytest.mark.parametrize(
    ("share", "words"),
    [(None, "unknown"), (0.0, "0 %"), (0.5, "50 %"), (0.031, "3.1 %"), (0.0018, "0.18 %"),
     (0.000012, "0.0012 %"), (1e-9, "< 0.001 %"), (float("nan"), "unknown")],
)  # fmt: skip
def test_percent(share: float | None, words: str) -> None:
    """A small share is never shown as none."""
    assert percent(share).replace("\u00a0", " ") == words


def test_spans_places_and_fills() -> None:
    """Units of time, the fleet by name, bars that never overflow."""
    assert [span(s) for s in (-3, 12, 90, 9000, 90_000, float("inf"))] == [
        "0 s", "12 s", "1.5 min", "2.5 h", "1 d", "unknown"
    ]  # fmt: skip
    assert place("fleet") == "the whole fleet"
    assert [fill(v, 4.0) for v in (float("-inf"), -1, 2, 9, float("inf"), float("nan"))] == [
        0.0, 0.0, 50.0, 100.0, 100.0, 0.0
    ]  # fmt: skip


def test_markdown_of_runbooks() -> None:
    """Headings, joined lines, both lists, and code that is left alone."""
    text = "# A\n\ntwo\nlines\n\n- one\n  more\n- two\n\n1. first\n2. second\n"
    text += "\n```\n# not\n\nme\n```\n"
    assert list(blocks(text)) == [
        Block("h1", ("A",)),
        Block("p", ("two lines",)),
        Block("ul", ("one more", "two")),
        Block("ol", ("first", "second")),
        Block("pre", ("# not\n\nme",)),
    ]
