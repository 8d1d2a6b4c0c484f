"""What the core asks of the outside world: Protocols only, no implementation."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Protocol

from qualmon.types import (
    ClosedRound,
    CompileVerdict,
    Completion,
    Failure,
    Member,
    Observation,
    Request,
    Score,
    Slot,
)


class Clock(Protocol):
    """Time as the service sees it; virtual in replays."""

    def now(self) -> float:
        """Unix seconds."""
        ...

    async def sleep_until(self, when: float) -> None:
        """Returns at or after Unix time `when`."""
        ...


class Provider(Protocol):
    """One wire protocol spoken to one endpoint."""

    async def complete(self, request: Request) -> Completion | Failure:
        """One attempt. Never raises but CancelledError; cancellation closes the socket."""
        ...

    async def aclose(self) -> None:
        """Closes connections."""
        ...


class Compiler(Protocol):
    """Checks code apart from this process."""

    async def check(self, language: str, source: str) -> CompileVerdict:
        """Never raises on source text; bounded in time and memory."""
        ...

    async def aclose(self) -> None:
        """Ends the child processes."""
        ...


class Sink(Protocol):
    """Somebody who wants to know about incidents."""

    name: str

    async def publish(self, transitions: Sequence[Mapping[str, Any]]) -> None:
        """Delivers transitions; raises on failure, which the caller counts and retries."""
        ...


class SlotLedger(Protocol):
    """The idempotency ledger of slots. All methods may be called again after a crash."""

    def materialise(self, slots: Iterable[Slot]) -> None:
        """Adds slots as due, in one transaction; those known already stay as they are."""
        ...

    def last_index(self, suite: str, model: str) -> int | None:
        """Highest slot index in the ledger for this stream."""
        ...

    def claim(self, slot: Slot, owner: str, lease_until: float, now: float) -> int | None:
        """Fencing token when the slot is due or its lease ran out, else None."""
        ...

    def open_slots(self) -> list[Slot]:
        """Slots neither closed nor missed, oldest first."""
        ...

    def set_members(self, slot: Slot, fence: int, members: Sequence[Member]) -> Sequence[Member]:
        """Records the planned members once; returns those on record (a re-run gets the first)."""
        ...

    def present(self, slot: Slot) -> set[str]:
        """Ids of observations already stored for the slot."""
        ...

    def append(self, items: Sequence[tuple[Observation, Sequence[Score]]]) -> int:
        """Stores observations with scores; known ids are ignored, late ones marked.

        Returns the number of new rows.
        """
        ...

    def close(self, slot: Slot, fence: int, now: float) -> bool:
        """Closes the slot; False when the fence is stale."""
        ...

    def miss(self, slot: Slot, reason: str, now: float) -> None:
        """Marks a slot as missed with a reason."""
        ...


class FoldLog(Protocol):
    """What the folder reads and writes."""

    def next_closed(self, after: Slot | None) -> ClosedRound | Slot | None:
        """The round after `after` in fold order: closed (with members), missed (a bare Slot),
        or None when there is none yet or an earlier slot is still open."""
        ...

    def load_state(self) -> tuple[Mapping[str, bytes], Slot | None]:
        """All state rows by key, and the cursor."""
        ...

    def commit_fold(
        self,
        cursor: Slot,
        state: Mapping[str, bytes],
        incidents: Sequence[Mapping[str, Any]],
        transitions: Sequence[Mapping[str, Any]],
    ) -> None:
        """Writes changed state rows, incidents, transitions and the cursor in one transaction."""
        ...
