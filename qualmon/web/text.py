"""Hostile text made fit to be looked at: nothing invisible, nothing endless.

Escaping for HTML is the template engine's work. This is about what survives escaping: controls,
lone surrogates, and the characters that hide or turn the text around them.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

#: Longest piece of any text on a page, in characters.
MAX_TEXT = 400
#: Characters of an answer shown on either side of a marked span.
CONTEXT = 120
#: Longest marked span that is shown in full.
MAX_SPAN = 200
#: Marked spans shown of one answer.
MAX_MARKS = 20
#: Marked characters that are named.
MAX_NAMES = 8
# Controls, format characters (bidi overrides, zero width), surrogates, private use, unassigned,
# line and paragraph separators.
_HIDDEN = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})


@dataclass(frozen=True, slots=True)
class Segment:
    """A piece of an answer. kind: plain, bad (a marked span), gap (left out; text says what)."""

    text: str
    kind: str = "plain"


def visible(text: str, *, keep: str = "") -> str:
    """`text` with every character that would not show as ``<U+XXXX>``, save those in `keep`."""
    if text.isascii() and text.isprintable():
        return text
    return "".join(
        c if c in keep or unicodedata.category(c) not in _HIDDEN else f"<U+{ord(c):04X}>"
        for c in text
    )


def short(text: str, limit: int = MAX_TEXT) -> str:
    """The visible form of at most `limit` characters of `text`."""
    return visible(text) if len(text) <= limit else f"{visible(text[:limit])}…"


def excerpt(text: str, marks: Sequence[tuple[int, int]]) -> list[Segment]:
    """The marked spans of `text` with some context; its beginning when there are none.

    Bounded whatever `text` and `marks` are; spans may be unsorted, overlap or lie outside.
    """
    spans = _merged(marks, len(text))[:MAX_MARKS]
    if not spans:
        return _plain_run(text, 0, min(len(text), MAX_TEXT)) + _gap(len(text) - MAX_TEXT)
    segments: list[Segment] = []
    position = 0
    for index, (start, end) in enumerate(spans):
        left = max(position, start - CONTEXT)
        segments += _gap(left - position)
        segments += _plain_run(text, left, start)
        shown = min(end, start + MAX_SPAN)
        segments.append(Segment(visible(text[start:shown]), "bad"))
        segments += _gap(end - shown)
        limit = spans[index + 1][0] if index + 1 < len(spans) else len(text)
        position = min(limit, end + CONTEXT)
        segments += _plain_run(text, end, position)
    return segments + _gap(len(text) - position)


def character_names(text: str, marks: Sequence[tuple[int, int]]) -> list[str]:
    """The first marked characters, each once, as ``U+0430 CYRILLIC SMALL LETTER A``.

    A homoglyph looks like what it stands for, and a font may lack the rest.
    """
    spans = _merged(marks, len(text))[:MAX_MARKS]
    marked = "".join(text[start : min(end, start + MAX_SPAN)] for start, end in spans)
    return [
        f"U+{ord(c):04X} {unicodedata.name(c, 'unnamed')}"
        for c in list(dict.fromkeys(marked))[:MAX_NAMES]
    ]


def _plain_run(text: str, start: int, end: int) -> list[Segment]:
    return [Segment(visible(text[start:end], keep="\n\t"))] if end > start else []


def _gap(characters: int) -> list[Segment]:
    return [Segment(f"… {characters} characters …", "gap")] if characters > 0 else []


def _merged(marks: Iterable[tuple[int, int]], length: int) -> list[tuple[int, int]]:
    inside = sorted((max(0, start), min(length, end)) for start, end in marks)
    return list(_joined((start, end) for start, end in inside if start < end))


def _joined(spans: Iterable[tuple[int, int]]) -> Iterator[tuple[int, int]]:
    held: tuple[int, int] | None = None
    for start, end in spans:
        if held is not None and start <= held[1]:
            held = (held[0], max(held[1], end))
            continue
        if held is not None:
            yield held
        held = (start, end)
    if held is not None:
        yield held
