"""Which slots fall due, and who is asked what in each: pure functions of the configuration.

Nothing here remembers or draws anything. Every choice is a digest of names and indices, so a
restart, another worker or a replay comes to the same round, and a change to one suite leaves
the rounds of every other as they were.
"""

from __future__ import annotations

import hashlib
import math
from dataclasses import dataclass

from qualmon.types import IdentityMode, Member, Probe, Slot

#: Seconds that a round may outlast the slowest time-out of its targets.
GRACE = 10.0


@dataclass(frozen=True, slots=True)
class Stream:
    """The slots of one (suite, model), one every `every` seconds (> 0).

    A round asks at most `probes_per_round` of `probes` (>= 1), each as `identities` (>= 1)
    users, of every key in `targets`. identity_mode: whether these users are new in every round
    or the same for ever.
    """

    suite: str
    model: str
    every: float
    probes: tuple[Probe, ...]
    targets: tuple[str, ...]
    probes_per_round: int = 4
    identities: int = 1
    identity_mode: IdentityMode = "fresh"

    @property
    def key(self) -> str:
        """``suite/model``."""
        return f"{self.suite}/{self.model}"


def phase(stream: Stream) -> float:
    """Offset of the stream's slots, in [0, every) seconds: spreads streams over the period."""
    digest = hashlib.sha256(stream.key.encode()).digest()
    fraction = int.from_bytes(digest[:6], "big") / 2**48
    return stream.every * fraction


def due(stream: Stream, index: int) -> float:
    """Unix time at which slot `index` falls due."""
    return index * stream.every + phase(stream)


def index_at(stream: Stream, t: float) -> int:
    """Index of the newest slot with due <= t (negative before the first of 1970)."""
    guess = math.floor((t - phase(stream)) / stream.every)
    # The division may round over a slot's edge; due() is what the ledger holds.
    while due(stream, guess) > t:
        guess -= 1
    while due(stream, guess + 1) <= t:
        guess += 1
    return guess


def slot_at(stream: Stream, index: int) -> Slot:
    """The slot with that index."""
    return Slot(
        due=due(stream, index),
        suite=stream.suite,
        model=stream.model,
        index=index,
        every=stream.every,
    )


def due_slots(stream: Stream, after_index: int | None, now: float) -> list[Slot]:
    """Slots after `after_index` with due <= now, oldest first.

    Without an `after_index` (a stream that never ran) the newest due slot alone: a new service
    asks at once, and owes nothing for the time before it existed.
    """
    newest = index_at(stream, now)
    first = newest if after_index is None else after_index + 1
    return [slot_at(stream, index) for index in range(first, newest + 1)]


def deadline(slot: Slot, total_timeout: float) -> float:
    """Unix time at which the slot closes, complete or not.

    total_timeout: the longest total time-out among the round's targets, seconds.
    """
    return slot.due + max(slot.every, total_timeout + GRACE)


def rounds_per_cycle(stream: Stream) -> int:
    """Rounds in which every probe is asked once."""
    return math.ceil(len(stream.probes) / stream.probes_per_round)


def chosen(stream: Stream, index: int) -> tuple[Probe, ...]:
    """Probes of round `index`: every probe once per cycle, in an order drawn per cycle.

    Where the number of probes is no multiple of `probes_per_round`, sizes differ by at most
    one inside a cycle, and none exceeds `probes_per_round`.
    """
    rounds = rounds_per_cycle(stream)
    cycle, position = divmod(index, rounds)
    order = sorted(stream.probes, key=lambda probe: _draw(stream.key, str(cycle), probe.id))
    size = len(order)
    return tuple(order[position * size // rounds : (position + 1) * size // rounds])


def identity_names(stream: Stream, index: int) -> tuple[str, ...]:
    """Names of the round's identities, 12 hex digits each.

    fresh: new in every round, because a fault that sticks to a user shows 0 % or 100 % to any
    one of them. fixed: the same in every round, the first ones staying when more are added, so
    that a user's state over time can be followed; rare sticky faults pass them by. All targets
    and probes of a round share them: one identity's answers in a round are one session on each
    route, hence one cluster.
    """
    drawn_for = "fixed" if stream.identity_mode == "fixed" else str(index)
    return tuple(
        _draw(stream.key, "identity", drawn_for, str(i))[:12] for i in range(stream.identities)
    )


def members(stream: Stream, slot: Slot) -> tuple[Member, ...]:
    """Everything to be asked in one round, in the order of asking.

    All targets get a prompt before the next prompt starts, so that each reaches them together.
    """
    names = identity_names(stream, slot.index)
    return tuple(
        Member(slot=slot, target=target, probe=probe.id, identity=name)
        for probe in chosen(stream, slot.index)
        for name in names
        for target in stream.targets
    )


def _draw(*parts: str) -> str:
    return hashlib.sha256("\x1f".join(parts).encode("utf-8", "surrogatepass")).hexdigest()
