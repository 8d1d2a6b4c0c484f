"""What can be entered into the ledger of the false-alarm budget, and what it keeps of a part."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Final, NamedTuple

from qualmon.errors import StatisticsError
from qualmon.stats.hierarchy import RESERVE

#: Sums of weights are compared to 1 up to the rounding of a long sum.
_ROUNDING: Final = 1e-9

#: (node, family).
Key = tuple[str, str]


class Part(NamedTuple):
    """weight: share of the budget, in (0, 1]. null: what the bets hold to be true in health
    (bound, members, kind), as a text that changes whenever that does."""

    weight: float
    null: str


class Account(NamedTuple):
    """A part in the ledger. epoch: evidence gathered under another number is void. pages: of
    its own so far. credit: monitored hours at its first start or last page, which earned a
    headstart to be taken at once; None where there is none to take."""

    weight: float
    null: str
    epoch: int
    pages: int
    credit: float | None


class Started(NamedTuple):
    """The first start. Weights sum to 1 - RESERVE at most."""

    parts: Mapping[Key, Part]


class Epoch(NamedTuple):
    """Another configuration, probe version or model: all parts as they are from now on."""

    parts: Mapping[Key, Part]


class Added(NamedTuple):
    """A part more inside an epoch, out of the reserve or of what others gave up."""

    key: Key
    part: Part


class Lowered(NamedTuple):
    """A weight that falls; inside an epoch none rises."""

    key: Key
    weight: float


class Monitored(NamedTuple):
    """Hours of monitoring by the slot clock; no part was watched for longer."""

    hours: float


class Paged(NamedTuple):
    """The part's mass reached the budget; it starts again from 0."""

    key: Key


class Headstart(NamedTuple):
    """Hours of budget put into the part's mass; below the budget."""

    key: Key
    hours: float


Entry = Started | Epoch | Added | Lowered | Monitored | Paged | Headstart


def check_parts(parts: Mapping[Key, Part]) -> None:
    """Refuses a declaration whose weights are impossible or leave no reserve."""
    for key, part in parts.items():
        check_weight(key, part.weight)
    check_sum(math.fsum(part.weight for part in parts.values()), 1.0 - RESERVE)


def check_weight(key: Key, weight: float) -> None:
    """Refuses a weight outside (0, 1]."""
    if not 0.0 < weight <= 1.0:
        raise StatisticsError(f"weight {weight!r} of {key!r}", remedy="Weights lie in (0, 1]")


def check_sum(weights: float, most: float) -> None:
    """Refuses a sum of weights above `most`, up to rounding."""
    if weights > most + _ROUNDING:
        raise StatisticsError(
            f"weights sum to {weights!r}", remedy=f"They may sum to {most:g} at most"
        )
