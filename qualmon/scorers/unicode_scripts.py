"""Scripts of code points: the generated table as NumPy arrays, and names to codes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from functools import cache
from typing import Final

import numpy as np
from numpy.typing import NDArray

from qualmon.errors import UnknownNameError

CodePoints = NDArray[np.uint32]

#: ISO 15924 codes of writing systems that Unicode sees as several scripts.
COMPOSITES: Final[Mapping[str, frozenset[str]]] = {
    "Hanb": frozenset({"Hani", "Bopo"}),
    "Hans": frozenset({"Hani"}),
    "Hant": frozenset({"Hani"}),
    "Hrkt": frozenset({"Hira", "Kana"}),
    "Jpan": frozenset({"Hani", "Hira", "Kana"}),
    "Kore": frozenset({"Hang", "Hani"}),
}
UNKNOWN: Final = "Zzzz"
_REPLACEMENT: Final = 0xFFFD
#: Emoji of Japanese origin, which are at home in any text.
CJK_EMOJI: Final = (0x3030, 0x303D, 0x3297, 0x3299)
_LAWFUL_CONTROLS: Final = frozenset({*range(0x09, 0x0E), 0x85})


@dataclass(frozen=True, slots=True)
class ScriptTable:
    """Script sets and the number of each code point's set.

    sets: distinct Script_Extensions values. numbers: shape (0x110000,), uint16, index into
    sets. Two departures: control characters other than white space and U+FFFD count as
    unknown, as lone surrogates, private use and unassigned code points do; and CJK_EMOJI
    count as common.
    """

    sets: tuple[frozenset[str], ...]
    numbers: NDArray[np.uint16]

    def of(self, character: str) -> frozenset[str]:
        """Script_Extensions of one character."""
        return self.sets[int(self.numbers[ord(character)])]


@cache
def table() -> ScriptTable:
    """The table, unpacked on first use: some milliseconds, 2.2 MB."""
    from qualmon.scorers.script_table import RANGES

    fields = RANGES.split()
    starts = np.array([int(start, 16) for start in fields[::2]] + [0x110000])
    values = fields[1::2]
    order = {value: number for number, value in enumerate(dict.fromkeys(values))}
    numbers = np.repeat(np.array([order[v] for v in values], np.uint16), np.diff(starts))
    numbers[_unlawful_controls()] = order[UNKNOWN]
    numbers[_REPLACEMENT] = order[UNKNOWN]
    numbers[list(CJK_EMOJI)] = order["Zyyy"]
    return ScriptTable(tuple(frozenset(value.split("+")) for value in order), numbers)


def _unlawful_controls() -> list[int]:
    controls = (*range(0x20), *range(0x7F, 0xA0))
    return [point for point in controls if point not in _LAWFUL_CONTROLS]


@cache
def _codes() -> Mapping[str, frozenset[str]]:
    from qualmon.scorers.script_table import NAMES

    fields = NAMES.split()
    named = {}
    for code, name in zip(fields[::2], fields[1::2], strict=True):
        value = COMPOSITES.get(code, frozenset({code}))
        named[code.lower()] = named[name.lower()] = value
    named |= {code.lower(): value for code, value in COMPOSITES.items()}
    del named["zzzz"], named["unknown"]
    return named


def resolve_scripts(names: Iterable[str]) -> frozenset[str]:
    """ISO 15924 codes of the named scripts.

    Takes codes (``Latn``), long names (``Latin``, ``Old_Italic`` or ``Old Italic``) and the
    composites Jpan, Kore, Hanb, Hans, Hant and Hrkt, in any case.
    Raises: UnknownNameError for the first name that is none of these.
    """
    found: frozenset[str] = frozenset()
    for name in names:
        key = name.strip().replace(" ", "_").lower()
        if key not in _codes():
            raise UnknownNameError(f"script {name!r}", remedy=_remedy(key))
        found |= _codes()[key]
    return found


def _remedy(key: str) -> str:
    near = get_close_matches(key, _codes(), n=3)
    hint = f" (near: {', '.join(near)})" if near else ""
    return f"Use an ISO 15924 code such as Latn, or a long name such as Latin{hint}"


def code_points(text: str) -> CodePoints:
    """Code points of a text that may hold lone surrogates."""
    return np.frombuffer(text.encode("utf-32-le", "surrogatepass"), dtype="<u4")
