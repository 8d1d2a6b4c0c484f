"""Reads a regular expression into a tree, as far as its time can be bounded."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, TypeAlias

#: Longest pattern in characters, and deepest nesting of groups.
MAX_LENGTH: Final = 512
MAX_DEPTH: Final = 32

_FLAGS: Final = re.compile(r"\(\?([ims]+)\)")
_GROUP: Final = re.compile(r"\((?:\?:|\?P<\w+>|(?!\?))")
_CLASS: Final = re.compile(r"\[\^?\]?(?:\\.|[^\\\]])*\]", re.DOTALL)
#: Single characters; an escaped letter or digit only where it stands for a character.
_LETTER: Final = re.compile(
    r"\\(?:[dDwWsStnrfva]|x[0-9a-fA-F]{2}|u[0-9a-fA-F]{4}|[^A-Za-z0-9])|[^\\^$|()\[*+?{]",
    re.DOTALL,
)
_COUNT: Final = re.compile(r"\*|\+|\?|\{([0-9]*)(?:(,)([0-9]*))?\}")
#: What a coming `re` will read as set operations.
_SETS: Final = re.compile(r"--|&&|~~|\|\||(?<!\\)\[")
_ANCHORS: Final[Mapping[str, str]] = {
    "^": "start", "$": "last", r"\A": "start", r"\Z": "end", r"\b": "edge",
}  # fmt: skip
_LINES: Final[Mapping[str, str]] = {"^": "line", "$": "line_end"}


@dataclass(frozen=True, slots=True)
class Letter:
    """One character that `form` matches."""

    form: re.Pattern[str]


@dataclass(frozen=True, slots=True)
class Anchor:
    """A condition on a place: start, end, last, line, line_end or edge (of a word)."""

    kind: str


@dataclass(frozen=True, slots=True)
class Alternatives:
    """Any one of several sequences; a group is one alternative."""

    parts: tuple[tuple[Node, ...], ...]


@dataclass(frozen=True, slots=True)
class Repeat:
    """`node`, `least` to `most` times; without end where `most` is None."""

    node: Node
    least: int
    most: int | None


Node: TypeAlias = Letter | Anchor | Alternatives | Repeat


def parse(pattern: str) -> tuple[Node, ...]:
    """The sequence of nodes that a pattern stands for.

    Known are: characters, classes and their escapes, ``.``, groups, ``|``, ``* + ? {m,n}``
    (greedy or lazy: both find the same), ``^ $ \\A \\Z \\b``, and the flags i, m, s at the start.
    Raises ValueError for anything else.
    """
    if len(pattern) > MAX_LENGTH:
        raise ValueError(f"it has {len(pattern)} characters; write at most {MAX_LENGTH}")
    nodes = _Parser(pattern).parse()
    try:
        re.compile(pattern)
    except (re.error, OverflowError) as error:
        raise ValueError(f"it is no regular expression ({error}); correct it") from error
    return nodes


class _Parser:
    """One pass over a pattern."""

    def __init__(self, pattern: str) -> None:
        self._pattern = pattern
        stated = _FLAGS.match(pattern)
        self._at = stated.end() if stated else 0
        self._flags = re.RegexFlag(0)
        for letter in stated[1] if stated else "":
            self._flags |= re.RegexFlag[letter.upper()]

    def parse(self) -> tuple[Node, ...]:
        """The whole pattern."""
        found = self._alternatives(0)
        if self._at < len(self._pattern):
            raise self._unknown()
        return (found,)

    def _alternatives(self, depth: int) -> Alternatives:
        if depth > MAX_DEPTH:
            raise ValueError(f"groups are nested more than {MAX_DEPTH} deep; nest fewer")
        parts = [self._sequence(depth)]
        while self._takes("|"):
            parts.append(self._sequence(depth))
        return Alternatives(tuple(parts))

    def _sequence(self, depth: int) -> tuple[Node, ...]:
        nodes = []
        while self._at < len(self._pattern) and self._pattern[self._at] not in "|)":
            nodes.append(self._counted(self._atom(depth)))
        return tuple(nodes)

    def _atom(self, depth: int) -> Node:
        for sign, kind in _ANCHORS.items():
            if self._takes(sign):
                lines = self._flags & re.MULTILINE
                return Anchor(_LINES.get(sign, kind) if lines else kind)
        if self._match(_GROUP):
            group = self._alternatives(depth + 1)
            if not self._takes(")"):
                raise ValueError("a group is not closed; add ')'")
            return group
        token = self._match(_CLASS) or self._match(_LETTER)
        if token is None or _SETS.search(token[0], 1):
            raise self._unknown()
        return Letter(self._compiled(token[0]))

    def _compiled(self, token: str) -> re.Pattern[str]:
        try:
            return re.compile(token, self._flags & ~re.MULTILINE)
        except re.error as error:
            raise ValueError(f"{token!r} is no character class ({error}); correct it") from error

    def _counted(self, node: Node) -> Node:
        count = self._match(_COUNT)
        if count is None:
            return node
        if count[0] == "{}":
            raise self._unknown()
        self._takes("?")
        if self._takes("+"):
            raise ValueError("possessive repetition cannot be used; drop the last '+'")
        return Repeat(node, *_range(count))

    def _takes(self, sign: str) -> bool:
        taken = self._pattern.startswith(sign, self._at)
        self._at += len(sign) if taken else 0
        return taken

    def _match(self, form: re.Pattern[str]) -> re.Match[str] | None:
        found = form.match(self._pattern, self._at)
        self._at = found.end() if found else self._at
        return found

    def _unknown(self) -> ValueError:
        rest = self._pattern[self._at :][:12]
        return ValueError(
            f"it cannot be read from {rest!r} on; use characters, classes, groups, |, "
            r"* + ? {m,n} ^ $ \b only, and escape other signs"
        )


def _range(count: re.Match[str]) -> tuple[int, int | None]:
    simple: dict[str, tuple[int, int | None]] = {"*": (0, None), "+": (1, None), "?": (0, 1)}
    if count[0] in simple:
        return simple[count[0]]
    least = int(count[1] or 0)
    if not count[2]:
        return least, least
    return least, int(count[3]) if count[3] else None
