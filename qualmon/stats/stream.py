"""One stream watched line by line: slot clock, clusters, evidence, alarm, onset, share.

A slot earns the hours since the last slot (`spacing`), the first one as many as the second;
until that is known its evidence is counted in slots and raises no alarm. Observations of one
slot multiply; those of one cluster are averaged and count as one observation, at the slot time
of its first line, once the stream names another. Memory is bounded whatever the length.

Catches a share of faulty answers from the grid of the design. Blind to clusters' inner counts
beyond their mean, and to what was there in the reference.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, Generic, Literal, NamedTuple, TypeVar

from qualmon.stats.bounds import upper_limit
from qualmon.stats.detector import EVENTS
from qualmon.stats.onsets import Onsets, median
from qualmon.stats.scalar import Factor, Scalar, factor
from qualmon.stats.share import Share, plausible
from qualmon.stats.share_union import united
from qualmon.stats.spacing import Spacing

Mark = TypeVar("Mark")

_HOUR: Final = 3600.0
#: The first spacing, which nothing yet calls usual, earns this part of the budget at most: one
#: long pause must not look like evidence. An hour is always earned.
_FIRST_PART: Final = 0.1


class Worth(NamedTuple):
    """What an observation says: the factors of the masses, and whether it is a hit, in [0, 1],
    for the counts behind share and onset."""

    factor: Factor
    hit: float


def worth(ratio: float, hit: float) -> Worth:
    """For one e-value under the shipped design. Raises StatisticsError if not finite or < 0."""
    return Worth(factor(EVENTS, ratio), hit)


class Health(NamedTuple):
    """What is known of a healthy stream.

    bound: rate of hits, in (0, 1). status: "proven" by a reference, "refused" where it scatters
    too much to page, "declared" when the stream's own answers have to prove it.
    """

    bound: float
    status: Literal["proven", "refused", "declared"]


class Alarm(NamedTuple, Generic[Mark]):
    """evidence: hours; at: mark of the line that raised it; onset: mark of the likeliest first
    hit; page: False where the healthy rate is not proven."""

    at: Mark
    onset: Mark
    evidence: float
    share: Share
    page: bool


class _Members(NamedTuple):
    """Lines of the open cluster: sums of their factors and hits."""

    factors: list[float]
    size: int
    hits: float


class Stream(Generic[Mark]):
    """A fold in place. `watch` takes the lines in order, `close` ends the last cluster."""

    __slots__ = (
        "_clean",
        "_cluster",
        "_health",
        "_last",
        "_lines",
        "_members",
        "_onsets",
        "_scalar",
        "_slot",
        "_spacing",
        "_tail",
        "_unit",
    )

    def __init__(
        self, health: Health, budget: float, weights: Sequence[float] = EVENTS.weights
    ) -> None:
        """budget: hours, > 0, which the mean time to a false alarm does not fall below.
        weights: of the bets behind each factor, sum 1."""
        self._health = health
        self._scalar = Scalar(weights, budget)
        self._spacing = Spacing(max(1.0, _FIRST_PART * budget))
        self._onsets: Onsets[Mark] = Onsets()
        self._last: float | None = None
        self._unit = False
        self._lines = 0
        self._clean = (0, 0.0)
        self._cluster: str | None = None
        self._members = _Members([], 0, 0.0)
        self._slot = 0.0
        self._tail: Mark

    def watch(
        self, at: float | None, given: Worth, cluster: str | None, mark: Mark
    ) -> list[Alarm[Mark]]:
        """Alarms at this line, oldest first: of the cluster that it ends, and its own.

        at: slot time in seconds, not before the last one; None: one hour after the last line.
        Either all lines of a stream have a time or none has.
        """
        if not self._lines:
            self._unit = at is not None
        slot = at if at is not None else self._lines * _HOUR
        self._lines += 1
        if cluster is None and self._cluster is None:
            return self._fold(slot, given.factor, given.hit, mark)
        if cluster is not None and cluster == self._cluster:
            self._join(given, mark)
            return []
        found = self.close()
        if cluster is None:
            return found + self._fold(slot, given.factor, given.hit, mark)
        self._cluster, self._slot = cluster, slot
        self._members = _Members([0.0] * len(given.factor.values), 0, 0.0)
        self._join(given, mark)
        return found

    def close(self) -> list[Alarm[Mark]]:
        """Ends the open cluster, if any; its alarm carries the cluster's last line."""
        if self._cluster is None:
            return []
        self._cluster = None
        summed, size, hits = self._members
        mean = tuple([value / size for value in summed])
        return self._fold(self._slot, Factor(mean, max(mean)), hits / size, self._tail)

    def _join(self, given: Worth, mark: Mark) -> None:
        summed, size, hits = self._members
        both = zip(summed, given.factor.values, strict=True)
        self._members = _Members([a + b for a, b in both], size + 1, hits + given.hit)
        self._tail = mark

    def _fold(self, slot: float, by: Factor, hit: float, mark: Mark) -> list[Alarm[Mark]]:
        hours = 0.0 if slot == self._last else self._hours(slot)
        self._onsets.n += 1
        if hit:
            self._onsets.hit(mark, hit)
        if not self._scalar.step(by, hours) or self._unit:
            return []
        return [self._alarm(mark)]

    def _hours(self, slot: float) -> float:
        """Hours earned by a new slot; 1 by the first, in hours or in a spacing yet unknown."""
        last, self._last = self._last, slot
        if last is None:
            return 1.0
        hours = self._spacing.earned((slot - last) / _HOUR)
        if self._unit:
            self._scalar.scale(hours)
            self._unit = False
        return hours

    def _alarm(self, mark: Mark) -> Alarm[Mark]:
        """The alarm of the evidence so far, and a new start from none."""
        bound, evidence = self._health.bound, self._scalar.evidence()
        found = {item.since: item for item in self._onsets.candidates()}
        onset, earlier, hits = mark, self._onsets.n - 1, 0.0
        if found:
            best = median(tuple(found.values()), bound)
            onset, earlier, hits = best.mark, best.earlier, best.earlier_hits
        chosen = [found[window].after for window in plausible(tuple(found), bound)]
        self._clean = (self._clean[0] + earlier, self._clean[1] + hits)
        self._onsets = Onsets()
        self._scalar.reset()
        return Alarm(mark, onset, evidence, united(chosen, bound), self._proven())

    def _proven(self) -> bool:
        """Whether what came before the onsets of this stream puts its rate below the bound."""
        if self._health.status != "declared":
            return self._health.status == "proven"
        n, hits = self._clean
        return upper_limit(n, hits) <= self._health.bound
