"""Channels script.*: code points that an answer to this probe should not hold."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from itertools import islice
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from qualmon.errors import UnknownNameError
from qualmon.scorers.case import Case, event, unjudged
from qualmon.scorers.channels import CHANNELS, channels_of
from qualmon.scorers.homoglyphs import mixed_words
from qualmon.scorers.unicode_scripts import (
    CJK_EMOJI,
    UNKNOWN,
    CodePoints,
    code_points,
    resolve_scripts,
    table,
)
from qualmon.types import Score

Offsets = NDArray[np.int64]

_CJK: Final = frozenset({"Hani", "Hira", "Kana", "Hang", "Bopo", "Yiii"})
_ANY: Final = frozenset({"Zyyy"})
#: Classes of a code point; the first is lawful.
_LAWFUL, _UNEXPECTED, _GREEK, _INHERITED, _CORRUPT = range(5)
_CHUNK: Final = 1 << 16
#: First and last code point of each block of CJK punctuation and full-width forms.
_WIDE: Final = (
    (0x3000, 0x303F),
    (0xFE10, 0xFE1F),
    (0xFE30, 0xFE4F),
    (0xFE50, 0xFE6F),
    (0xFF00, 0xFFEF),
)
_CONTROLS: Final = bytes(c for c in (*range(0x20), 0x7F) if not 0x09 <= c <= 0x0D)
_NO_CONTROLS: Final = bytes(c for c in range(256) if c not in _CONTROLS)
_CJK_EXPECTED: Final = "the probe expects a CJK script"
_CHANNELS: Final = channels_of("script")
_RUN, _CHAR, _WORD, _WIDTH, _BROKEN = (
    CHANNELS[f"script.{what}"] for what in ("run", "char", "word", "width", "corrupt")
)


@dataclass(frozen=True, slots=True)
class Expectation:
    """What a probe allows: the class of every script set, and code points of the prompt."""

    classes: NDArray[np.uint8]
    quoted: CodePoints
    latin: bool
    cjk: bool


def judge(case: Case) -> Iterator[Score]:
    """All five script channels; each is 1 when the answer holds what its row names.

    Expected are the probe's ``expect.scripts``, every script and every code point of the
    prompt, Common and Inherited. Without ``expect.scripts`` nothing is judged.
    Catches: output corruption, homoglyphs, broken decoding. Blind to: wrong words.
    Source: UAX #24, UTS #39. A clean ASCII answer of 2,000 characters takes microseconds.
    """
    names = case.probe.expect.scripts
    if names is None:
        return _silent("the probe states no expect.scripts")
    try:
        expected = expectation(tuple(names), case.probe.prompt)
    except UnknownNameError as error:
        return _silent(str(error))
    return _scores(case, expected)


def _silent(reason: str) -> Iterator[Score]:
    return (unjudged(info, reason) for info in _CHANNELS)


def _scores(case: Case, expected: Expectation) -> Iterator[Score]:
    text = case.completion.text
    if expected.latin and text.isascii() and not text.encode().translate(None, _NO_CONTROLS):
        return (
            unjudged(info, _CJK_EXPECTED) if info is _WIDTH and expected.cjk else event(info, False)
            for info in _CHANNELS
        )
    return _examined(text, case.probe.prompt, expected)


def _examined(text: str, prompt: str, expected: Expectation) -> Iterator[Score]:
    points = code_points(text)
    found = _classified(points, expected)
    offsets, longest = _unexpected(found)
    evidence = _evidence(points, offsets, longest)
    yield event(_RUN, longest >= 2, evidence)
    yield event(_CHAR, len(offsets) > 0, evidence)
    yield _word(text, prompt, expected, points)
    yield unjudged(_WIDTH, _CJK_EXPECTED) if expected.cjk else _width(points, expected)
    broken = np.flatnonzero(found == _CORRUPT)
    yield event(_BROKEN, len(broken) > 0, _evidence(points, broken))


@lru_cache(maxsize=256)
def expectation(names: tuple[str, ...], prompt: str) -> Expectation:
    """What these expected scripts and this prompt allow.

    Raises: UnknownNameError for a name that is no script.
    """
    scripts = resolve_scripts(names)
    quoted = np.unique(code_points(prompt))
    sets = table().sets
    for number in np.unique(table().numbers[quoted]):
        if len(sets[number]) == 1:
            scripts |= sets[number]
    classes = np.array([_class_of(found, scripts) for found in sets], np.uint8)
    return Expectation(classes, quoted, "Latn" in scripts, bool(scripts & _CJK))


def _class_of(found: frozenset[str], expected: frozenset[str]) -> int:
    if found == {UNKNOWN}:
        return _CORRUPT
    if found == {"Zinh"}:
        return _INHERITED
    if found & (expected | _ANY):
        return _LAWFUL
    return _GREEK if found == {"Grek"} else _UNEXPECTED


def _classified(points: CodePoints, expected: Expectation) -> NDArray[np.uint8]:
    """Class of each code point; in chunks, which bounds the memory for a huge answer."""
    numbers = table().numbers
    found = np.empty(len(points), np.uint8)
    for start in range(0, len(points), _CHUNK):
        chunk = slice(start, start + _CHUNK)
        np.take(expected.classes, numbers[points[chunk]], out=found[chunk])
        odd = start + np.flatnonzero(found[chunk])
        if len(odd):
            found[odd[np.isin(points[odd], expected.quoted)]] = _LAWFUL
    return found


def _unexpected(found: NDArray[np.uint8]) -> tuple[Offsets, int]:
    """Offsets of unexpected code points, and the length of their longest run.

    A mark without a script of its own belongs to the letter before it; a run that holds one
    Greek letter and nothing else is mathematics.
    """
    at = np.flatnonzero((found != _LAWFUL) & (found != _CORRUPT))
    kind = found[at]
    if not len(at) or not (kind != _INHERITED).any():
        return at[:0], 0
    run = np.cumsum(np.diff(at, prepend=at[0] - 2) > 1) - 1
    letters = np.cumsum(kind != _INHERITED)
    first = np.flatnonzero(np.diff(run, prepend=-1))
    before_run = (letters - (kind != _INHERITED))[first]
    belongs = letters > before_run[run]
    foreign = np.bincount(run, kind == _UNEXPECTED)
    greek = np.bincount(run, kind == _GREEK)
    kept = belongs & ((foreign > 0) | (greek > 1))[run]
    return at[kept], int(np.bincount(run, kept).max())


def _word(text: str, prompt: str, expected: Expectation, points: CodePoints) -> Score:
    if not _may_mix(points):
        return event(_WORD, False)
    mixed = (hit for hit in mixed_words(text, cjk_expected=expected.cjk) if hit[1] not in prompt)
    offset, word = next(mixed, (0, ""))
    if not word:
        return event(_WORD, False)
    detail = {"first": offset, "count": 1 + sum(1 for _ in mixed), "word": _names(word)}
    return event(_WORD, True, detail)


def _may_mix(points: CodePoints) -> bool:
    """Whether letters of more than one script are there at all."""
    present = np.zeros(len(table().sets), bool)
    present[table().numbers[points]] = True
    sets = [table().sets[number] for number in np.flatnonzero(present)]
    named = [found for found in sets if not found & {"Zyyy", "Zinh", UNKNOWN}]
    return len(named) > 1 and not frozenset.intersection(*named)


def _width(points: CodePoints, expected: Expectation) -> Score:
    at = np.flatnonzero(points >= _WIDE[0][0])
    wide = [(points[at] >= first) & (points[at] <= last) for first, last in _WIDE]
    at = at[np.logical_or.reduce(wide)]
    at = at[~np.isin(points[at], expected.quoted) & ~np.isin(points[at], CJK_EMOJI)]
    return event(_WIDTH, len(at) > 0, _evidence(points, at))


def _evidence(points: CodePoints, at: Offsets, longest: int | None = None) -> dict[str, Any]:
    """First offset, counts, scripts and the first code points; far below 2 KiB."""
    if not len(at):
        return {}
    counts = np.bincount(table().numbers[points[at]])
    common = [n for n in np.argsort(-counts, kind="stable")[:8].tolist() if counts[n]]
    scripts = {"+".join(sorted(table().sets[n])[:4]): int(counts[n]) for n in common}
    detail = {"first": int(at[0]), "count": len(at), "scripts": scripts}
    if longest is not None:
        detail["longest"] = longest
    return {**detail, "code_points": [f"U+{point:04X}" for point in points[at[:8]].tolist()]}


def _names(word: str) -> str:
    """A word as code points, so that a homoglyph shows."""
    return " ".join(f"U+{ord(letter):04X}" for letter in islice(word, 24))
