"""What the prober and the scheduler tell whoever counts: a Protocol and its silent default.

An adapter to Prometheus implements the same methods; so does a test that wants to see them.
Implementations return at once and never raise: they are called between two requests.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from qualmon.types import Capability, Observation, Score, Slot


class ProbeEvents(Protocol):
    """Counts, durations and lags as they happen. Targets are keys, times are seconds."""

    def observed(self, observation: Observation) -> None:
        """A member was asked; its attempts say what each request came to. Called once a member,
        with the answer in hand and before it is judged and stored."""
        ...

    def member_missed(self, target: str, reason: str) -> None:
        """A question was not asked: `budget`, `deadline` or `removed`."""
        ...

    def capability(self, target: str, feature: str, state: Capability) -> None:
        """A target was found to offer an optional wire feature in another state than before."""
        ...

    def judged(self, observation: Observation, scores: Sequence[Score]) -> None:
        """An answer has its scores, those with value None and a reason among them."""
        ...

    def judging_failed(self, target: str) -> None:
        """An answer arrived and could not be scored because a scorer or compiler raised."""
        ...

    def round_closed(self, slot: Slot, members: int, missing: int, seconds: float) -> None:
        """A slot closed after `seconds` with `missing` of `members` unanswered."""
        ...

    def slot_missed(self, slot: Slot, reason: str) -> None:
        """A slot will never run: `not_running`, `overrun` or `removed`."""
        ...

    def slots_skipped(self, stream: str, count: int) -> None:
        """`count` slots of a long stand-still are too old even to be listed as missed."""
        ...

    def queue_lag(self, seconds: float) -> None:
        """Age of the oldest open slot beyond its deadline; 0 when none is late."""
        ...

    def loop_lag(self, seconds: float) -> None:
        """The event loop's worst lateness since the last call."""
        ...

    def budget(self, target: str, resource: str, remaining_ratio: float) -> None:
        """`requests` or `usd`: share of the day's budget that is left, in [0, 1]."""
        ...

    def round_failed(self, slot: Slot, error: str) -> None:
        """A round ended in an exception of type `error`; the slot stays for a later run."""
        ...

    def timer_trouble(self, kind: str) -> None:
        """The timer reported `missed`, `max_instances` or `error`."""
        ...


class NoEvents:
    """Nobody counts."""

    def observed(self, observation: Observation) -> None:
        """Ignored."""

    def member_missed(self, target: str, reason: str) -> None:
        """Ignored."""

    def capability(self, target: str, feature: str, state: Capability) -> None:
        """Ignored."""

    def judged(self, observation: Observation, scores: Sequence[Score]) -> None:
        """Ignored."""

    def judging_failed(self, target: str) -> None:
        """Ignored."""

    def round_closed(self, slot: Slot, members: int, missing: int, seconds: float) -> None:
        """Ignored."""

    def slot_missed(self, slot: Slot, reason: str) -> None:
        """Ignored."""

    def slots_skipped(self, stream: str, count: int) -> None:
        """Ignored."""

    def queue_lag(self, seconds: float) -> None:
        """Ignored."""

    def loop_lag(self, seconds: float) -> None:
        """Ignored."""

    def budget(self, target: str, resource: str, remaining_ratio: float) -> None:
        """Ignored."""

    def round_failed(self, slot: Slot, error: str) -> None:
        """Ignored."""

    def timer_trouble(self, kind: str) -> None:
        """Ignored."""
