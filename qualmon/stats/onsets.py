"""Where a fault may have begun: counts since chosen hits, in memory logarithmic in their number.

The likelihood of an onset is highest right at a hit, so only hits are candidates, and what lies
between them costs nothing. They are kept as an exponential histogram: at most two groups of
each size (1, 2, 4, ... hits), each beginning at one hit.
Source: Datar, Gionis, Indyk, Motwani, SIAM J. Comput. 31 (2002).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Final, Generic, NamedTuple, TypeVar

from qualmon.stats.grids import EPS_GRID
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
    """A possible onset: the mark of its hit, what was seen since and after it (with it and
    without), observations and hits before it."""

    mark: Mark
    since: Window
    after: Window
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
        """Oldest first. `since` is for its likelihood; the hit that chose it would bias a rate,
        which `after` is for."""
        found, hits = [], 0.0
        for group in reversed(self._groups):
            hits += group.amount
            start, later = float(group.begins), self.n - group.begins
            since = Window(start, later + 1, hits)
            after = Window(start, later, hits - group.first)
            earlier = max(0.0, self.hits - hits)
            found.append(Candidate(group.mark, since, after, group.begins - 1, earlier))
        return found[::-1]


def median(candidates: Sequence[Candidate[Mark]], bound: float) -> Candidate[Mark]:
    """The candidate before which half of the evidence began; there must be one.

    A start anywhere since the candidate before is worth (1 - eps)^gap as much as at the hit,
    so a candidate stands for a geometric sum of starts. The likeliest single start would
    follow bursts, and be late. bound: healthy rate of hits, in (0, 1).
    """
    logs, before = [], 0.0
    for item in candidates:
        gap, before = item.since.start - before, item.since.start
        logs.append([_log_mass(item.since, gap, eps, bound) for eps in EPS_GRID])
    top = max(max(row) for row in logs)
    masses = [sum(math.exp(value - top) for value in row) for row in logs]
    half, seen = 0.5 * math.fsum(masses), 0.0
    for item, mass in zip(candidates, masses, strict=True):
        seen += mass
        if seen >= half:
            return item
    return candidates[-1]


def _log_mass(since: Window, gap: float, eps: float, bound: float) -> float:
    """log of the evidence for a share eps that began within `gap` answers before the hit."""
    starts = -math.expm1(gap * math.log1p(-eps)) / eps
    hits = since.hits * math.log1p(eps * (1.0 / bound - 1.0))
    return math.log(starts) + hits + (since.n - since.hits) * math.log1p(-eps)
