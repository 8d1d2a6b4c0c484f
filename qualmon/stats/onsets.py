"""Where a fault may have begun: counts since chosen hits, in memory logarithmic in their number.

The likelihood of an onset is highest right at a hit, so only hits are candidates, and what lies
between them costs nothing. They are kept as an exponential histogram: at most two groups of
each size (1, 2, 4, ... hits), each beginning at one hit.
Source: Datar, Gionis, Indyk, Motwani, SIAM J. Comput. 31 (2002).
"""

from __future__ import annotations

from typing import Final, Generic, NamedTuple, TypeVar

from qualmon.stats.share import Window

Mark = TypeVar("Mark")

#: Groups kept: 2 of each size up to 2**31 hits. Older ones are no candidates any more.
_GROUPS: Final = 64


class _Group(NamedTuple, Generic[Mark]):
    """Hits from the one at observation `begins` on. size: of the group; amount: sum of hits;
    first: amount of its first one."""

    mark: Mark
    begins: int
    size: int
    amount: float
    first: float


class Candidate(NamedTuple, Generic[Mark]):
    """A possible onset: the mark of its hit, what was seen after it, observations and hits
    before it."""

    mark: Mark
    window: Window
    earlier: int
    earlier_hits: float


class Onsets(Generic[Mark]):
    """Counts of one stream since it was last reset. n: observations; hits: their sum."""

    __slots__ = ("_groups", "hits", "n")

    def __init__(self) -> None:
        self.n = 0
        self.hits = 0.0
        self._groups: list[_Group[Mark]] = []

    def hit(self, mark: Mark, amount: float) -> None:
        """The latest of the `n` observations was a hit of `amount` in (0, 1]."""
        groups = self._groups
        self.hits += amount
        groups.append(_Group(mark, self.n, 1, amount, amount))
        last = len(groups) - 1
        while last >= 2 and groups[last].size == groups[last - 2].size:
            old, new = groups[last - 2], groups[last - 1]
            joined = old._replace(size=old.size + new.size, amount=old.amount + new.amount)
            groups[last - 2 : last] = [joined]
            last -= 2
        if len(groups) > _GROUPS:
            del groups[0]

    def candidates(self) -> list[Candidate[Mark]]:
        """Oldest first. Each window excludes the hit that chose it, which would bias it."""
        found, hits = [], 0.0
        for group in reversed(self._groups):
            hits += group.amount
            window = Window(float(group.begins), self.n - group.begins, hits - group.first)
            earlier_hits = max(0.0, self.hits - hits)
            found.append(Candidate(group.mark, window, group.begins - 1, earlier_hits))
        return found[::-1]
