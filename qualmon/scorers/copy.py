"""Channels copy.exact and copy.edit: is the answer the text that was to be repeated?

In a verbatim copy every token is nearly certain, so one answer checks the sampler at some
hundred positions on a route that reports no log-probabilities.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from qualmon.scorers.case import Case, event, unjudged
from qualmon.scorers.channels import CHANNELS, channels_of
from qualmon.scorers.finish import is_cut_off
from qualmon.types import Score

_EXACT: Final = CHANNELS["copy.exact"]
_EDIT: Final = CHANNELS["copy.edit"]
_CHANNELS: Final = channels_of("copy")
#: Longest differing parts whose edits are counted; for longer ones a lower bound is given.
MAX_COMPARED: Final = 1 << 13


@dataclass(frozen=True, slots=True)
class Difference:
    """Where and how much two texts differ.

    first: offset of the first difference, in code points. edits: single insertions, deletions
    and replacements that make one of the other; `at_least` marks a lower bound.
    """

    first: int
    edits: int
    at_least: bool = False


def judge(case: Case) -> Iterator[Score]:
    """copy.exact: the answer differs from expect.copy_of. copy.edit: edits per character.

    One final newline of either is ignored; everything else counts, a preamble too. An answer
    that was cut off is not judged: a lowered token limit would look like a wrong copy. A refusal
    and an empty answer are wrong copies.
    Catches: foreign, dropped and replaced tokens; a lost place in the prompt; preambles.
    Blind to: texts that the model cannot copy; cut-off answers.
    Source: postmortem of 2025-09, bugs 2 and 3; Myers, J. ACM 46 (1999), for the distance.
    """
    if case.probe.expect.copy_of is None:
        return _silent("the probe states no expect.copy_of")
    if is_cut_off(case.completion):
        return _silent("the token limit cut the answer off")
    return _compared(_ended(case.completion.text), _ended(case.probe.expect.copy_of))


def _silent(reason: str) -> Iterator[Score]:
    return (unjudged(info, reason) for info in _CHANNELS)


def _compared(text: str, wanted: str) -> Iterator[Score]:
    if text == wanted:
        yield event(_EXACT, False)
        yield Score(_EDIT.name, _EDIT.kind, 0.0)
        return
    found = difference(text, wanted)
    detail = {
        "first": found.first,
        "edits": found.edits,
        "length": len(text),
        "expected_length": len(wanted),
        **({"at_least": True} if found.at_least else {}),
    }
    yield event(_EXACT, True, detail)
    yield Score(_EDIT.name, _EDIT.kind, found.edits / max(len(text), len(wanted)), detail)


def _ended(text: str) -> str:
    """The text without one final newline."""
    return text[:-2] if text.endswith("\r\n") else text.removesuffix("\n")


def difference(text: str, wanted: str) -> Difference:
    """Where `text` leaves `wanted`, and the Levenshtein distance between them.

    The common start and end are cut off first. What is left is counted exactly up to
    MAX_COMPARED characters on either side; beyond, `edits` is the difference of lengths, at
    least 1, so that an endless answer costs no more than reading it.
    """
    first = _common_start(text, wanted)
    text, wanted = text[first:], wanted[first:]
    last = _common_end(text, wanted)
    text, wanted = text[: len(text) - last], wanted[: len(wanted) - last]
    if max(len(text), len(wanted)) > MAX_COMPARED:
        gap = abs(len(text) - len(wanted))
        return Difference(first, max(1, gap), at_least=True)
    return Difference(first, _distance(text, wanted))


def _common_end(one: str, other: str) -> int:
    shorter = min(len(one), len(other))
    return _common_start(one[len(one) - shorter :][::-1], other[len(other) - shorter :][::-1])


def _common_start(one: str, other: str) -> int:
    """Length of the longest common prefix, by bisection: slices compare at memory speed."""
    low, high = 0, min(len(one), len(other))
    while low < high:
        middle = (low + high + 1) // 2
        if one[low:middle] == other[low:middle]:
            low = middle
        else:
            high = middle - 1
    return low


def _distance(one: str, other: str) -> int:
    """Levenshtein distance; one column of the table per step, held as bits of two integers.

    Source: Myers 1999 in the form of Hyyro 2003: a bit of `up` (`down`) says that the
    distance rises (falls) from one row to the next.
    """
    short, long = sorted((one, other), key=len)
    if not short:
        return len(long)
    places: dict[str, int] = {}
    for at, letter in enumerate(short):
        places[letter] = places.get(letter, 0) | 1 << at
    rows, last = (1 << len(short)) - 1, 1 << (len(short) - 1)
    up, down, distance = rows, 0, len(short)
    for letter in long:
        same = places.get(letter, 0)
        kept = same | down
        across = (((same & up) + up) ^ up) | same
        right_up, right_down = down | (rows & ~(across | up)), up & across
        distance += bool(right_up & last) - bool(right_down & last)
        right_up, right_down = (right_up << 1) | 1, right_down << 1
        up, down = rows & (right_down | ~(kept | right_up)), rows & right_up & kept
    return distance
