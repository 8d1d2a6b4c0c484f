"""Words that mix scripts: UTS #39's mixed-script test, applied to one word."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Final

from qualmon.scorers.unicode_scripts import UNKNOWN, table

#: Characters of a text that are searched: words are read one by one, in plain Python.
MAX_TEXT: Final = 1 << 17
_WORD: Final = re.compile(r"[^\W_]+")
_ANY: Final = frozenset({"Zyyy", "Zinh", UNKNOWN})
#: What UTS #39 adds to a character's scripts, so that Japanese is one script and not three.
_AUGMENTED: Final[Mapping[str, frozenset[str]]] = {
    "Hani": frozenset({"Hanb", "Jpan", "Kore"}),
    "Hira": frozenset({"Jpan"}),
    "Kana": frozenset({"Jpan"}),
    "Hang": frozenset({"Kore"}),
    "Bopo": frozenset({"Hanb"}),
}
_CJK_SYSTEMS: Final = frozenset({"Hanb", "Jpan", "Kore"})
_LATIN: Final = frozenset({"Latn"})
_GREEK: Final = frozenset({"Grek"})
#: Greek letters that look like Latin ones anywhere; those that do inside a word.
_TWINS: Final = frozenset("ΑΒΕΖΗΙΚΜΝΟΡΤΥΧο")
_INNER_TWINS: Final = frozenset("ανυικρ")


def mixed_words(text: str, *, cjk_expected: bool) -> Iterator[tuple[int, str]]:
    """Offsets and words of `text` that mix scripts.

    A lone Greek letter beside Latin ones is mathematics unless it looks like a Latin letter.
    Latin and CJK letters share a word, as there is no space between them, where the probe
    expects CJK text. Only the first MAX_TEXT characters are searched.
    """
    for match in _WORD.finditer(text, 0, MAX_TEXT):
        word = match.group()
        if not word.isascii() and _is_mixed(word, cjk_expected):
            yield match.start(), word


def _is_mixed(word: str, cjk_expected: bool) -> bool:
    scripts = {letter: _augmented(letter) for letter in set(word)}
    sets = {found for found in scripts.values() if not found & _ANY}
    if len(sets) < 2 or frozenset.intersection(*sets):
        return False
    if cjk_expected and frozenset.intersection(*(sets - {_LATIN})) & _CJK_SYSTEMS:
        return False
    greek = [letter for letter, found in scripts.items() if found == _GREEK]
    if sets == {_LATIN, _GREEK} and len(greek) == 1 and word.count(greek[0]) == 1:
        return _is_twin(word, greek[0])
    return True


def _augmented(letter: str) -> frozenset[str]:
    found = table().of(letter)
    return found.union(*(_AUGMENTED[code] for code in found if code in _AUGMENTED))


def _is_twin(word: str, greek: str) -> bool:
    """Whether one Greek letter in a Latin word passes for a Latin one."""
    at = word.index(greek)
    if greek in _TWINS:
        return len(word) > 3
    return greek in _INNER_TWINS and word[:at][-1:].isalpha() and word[at + 1 :][:1].isalpha()
