"""Regular expressions whose time is bounded: work is (states of the pattern) x (characters).

`re` backtracks, so a pattern such as ``(a+)+$`` or ``.*.*.*=`` never ends on an answer made
for it. Here all readings of a pattern advance together, one character at a time. The price:
no back-references and no look-around. What is accepted means what it means to `re`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from qualmon.scorers.pattern_syntax import Alternatives, Anchor, Letter, Node, Repeat, parse

#: States of the largest pattern; a counted repetition takes its count times what it repeats.
MAX_STATES: Final = 512
#: Characters at the end of a text in which a pattern is looked for.
MAX_SEARCHED: Final = 4096
_MAX_STEPS: Final = 8 * MAX_STATES

#: What an anchor may look at: the place is the start, the end, before a final newline; the
#: characters before and after it are of a word; they are newlines.
Place = tuple[bool, bool, bool, bool, bool, bool, bool]
_States = frozenset[int]


@dataclass(frozen=True, slots=True)
class Pattern:
    """A compiled pattern: a graph of states, where 0 is the goal.

    letters: by state, the class that a character has to be of and the state after it.
    anchors: by state, what has to hold at a place and the state after it. ways: by state,
    the states that it stands for. classes: single-character patterns.
    """

    start: int
    letters: dict[int, tuple[int, int]]
    anchors: dict[int, tuple[str, int]]
    ways: dict[int, tuple[int, ...]]
    classes: tuple[re.Pattern[str], ...]

    def found_in(self, text: str) -> bool:
        """Whether the pattern matches somewhere in the last MAX_SEARCHED characters.

        ``^`` is the start of the whole text (with ``(?m)``, of a line).
        """
        closures: dict[tuple[_States, Place], _States] = {}
        moves: dict[tuple[_States, str], _States] = {}
        reached: _States = frozenset()
        for at in range(max(0, len(text) - MAX_SEARCHED), len(text) + 1):
            entry = reached, _place(text, at)
            if entry not in closures:
                closures[entry] = self._closure(*entry)
            here = closures[entry]
            if 0 in here:
                return True
            move = here, text[at : at + 1]
            if move not in moves:
                moves[move] = self._after(*move)
            reached = moves[move]
        return False

    def _closure(self, reached: _States, place: Place) -> _States:
        """All states that are the same as `reached` or the start, at this place."""
        waiting, seen = [self.start, *reached], set[int]()
        while waiting:
            state = waiting.pop()
            if state not in seen:
                seen.add(state)
                waiting += self.ways.get(state, ())
                kind, after = self.anchors.get(state, ("", 0))
                if kind and _holds(kind, place):
                    waiting.append(after)
        return frozenset(state for state in seen if state == 0 or state in self.letters)

    def _after(self, here: _States, letter: str) -> _States:
        fits = [bool(one.match(letter)) for one in self.classes]
        steps = (self.letters[state] for state in here)
        return frozenset(after for number, after in steps if fits[number])


def _place(text: str, at: int) -> Place:
    before, after = text[at - 1 : at] if at else "", text[at : at + 1]
    return (
        not before,
        not after,
        after == "\n" and at == len(text) - 1,
        _is_word(before),
        _is_word(after),
        before == "\n",
        after == "\n",
    )


def _is_word(letter: str) -> bool:
    return letter.isalnum() or letter == "_"


def _holds(kind: str, place: Place) -> bool:
    start, end, final, word_before, word_after, line_before, line_after = place
    return {
        "start": start,
        "end": end,
        "last": end or final,
        "line": start or line_before,
        "line_end": end or line_after,
        "edge": word_before != word_after,
    }[kind]


@lru_cache(maxsize=256)
def compiled(pattern: str) -> Pattern:
    """The pattern, ready for use.

    Raises ValueError, naming what is wrong and what to do, for one that `re` would refuse,
    one that uses what cannot be bounded, and one with more than MAX_STATES states.
    """
    return _Builder().build(parse(pattern))


class _Builder:
    """Turns a parsed pattern into states, from its end to its start."""

    def __init__(self) -> None:
        self._count = self._steps = 0
        self._letters: dict[int, tuple[int, int]] = {}
        self._anchors: dict[int, tuple[str, int]] = {}
        self._ways: dict[int, tuple[int, ...]] = {}
        self._classes: dict[re.Pattern[str], int] = {}

    def build(self, nodes: Iterable[Node]) -> Pattern:
        """The whole pattern."""
        start = self._sequence(nodes, 0)
        return Pattern(start, self._letters, self._anchors, self._ways, tuple(self._classes))

    def _new(self) -> int:
        self._count += 1
        return self._count

    def _sequence(self, nodes: Iterable[Node], after: int) -> int:
        for node in reversed(tuple(nodes)):
            after = self._node(node, after)
        return after

    def _node(self, node: Node, after: int) -> int:
        """The state from which `node` leads to `after`."""
        self._steps += 1
        if self._count >= MAX_STATES or self._steps > _MAX_STEPS:
            raise ValueError(f"it has more than {MAX_STATES} states; repeat fewer times")
        match node:
            case Letter(form):
                state = self._new()
                number = self._classes.setdefault(form, len(self._classes))
                self._letters[state] = number, after
            case Anchor(kind):
                state = self._new()
                self._anchors[state] = kind, after
            case Alternatives((only,)):
                state = self._sequence(only, after)
            case Alternatives(parts):
                state = self._new()
                self._ways[state] = tuple(self._sequence(part, after) for part in parts)
            case Repeat(repeated, least, most):
                state = self._repeated(repeated, least, most, after)
        return state

    def _repeated(self, node: Node, least: int, most: int | None, after: int) -> int:
        state = after
        if most is None:
            state = self._new()
            self._ways[state] = self._node(node, state), after
        for _ in range((most or least) - least):
            optional = self._new()
            self._ways[optional] = self._node(node, state), after
            state = optional
        for _ in range(least):
            state = self._node(node, state)
        return state
