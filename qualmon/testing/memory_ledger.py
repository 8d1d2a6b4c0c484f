"""The slot ledger in memory: the contract of ports.SlotLedger in its plainest form."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from qualmon.errors import StaleFenceError, StoreError
from qualmon.types import Member, Observation, Score, Slot, SlotState


@dataclass(slots=True)
class Entry:
    """One slot on record."""

    slot: Slot
    state: SlotState = "due"
    fence: int = 0
    owner: str | None = None
    lease_until: float = 0.0
    members: tuple[Member, ...] | None = None
    reason: str | None = None


@dataclass(frozen=True, slots=True)
class Row:
    """One observation on record; `late` when its slot was no longer open."""

    observation: Observation
    scores: tuple[Score, ...]
    late: bool


class MemoryLedger:
    """Implements ports.SlotLedger and keeps notes.

    `entries` (by slot key), `rows` (by id) and `notes` show its record.
    """

    def __init__(self) -> None:
        self.entries: dict[str, Entry] = {}
        self.rows: dict[str, Row] = {}
        self.notes: dict[str, str] = {}

    def materialise(self, slots: Iterable[Slot]) -> None:
        """Adds slots as due; those known stay as they are."""
        for slot in slots:
            self.entries.setdefault(slot.key, Entry(slot))

    def last_index(self, suite: str, model: str) -> int | None:
        """Highest slot index of the stream."""
        slots = (entry.slot for entry in self.entries.values())
        return max((s.index for s in slots if (s.suite, s.model) == (suite, model)), default=None)

    def claim(self, slot: Slot, owner: str, lease_until: float, now: float) -> int | None:
        """A new fence when the slot is due or its lease ran out by `now`."""
        entry = self.entries[slot.key]
        expired = entry.state == "claimed" and entry.lease_until <= now
        if entry.state != "due" and not expired:
            return None
        entry.state, entry.owner, entry.lease_until = "claimed", owner, lease_until
        entry.fence += 1
        return entry.fence

    def open_slots(self) -> list[Slot]:
        """Slots due or claimed, oldest first."""
        return sorted(e.slot for e in self.entries.values() if e.state in ("due", "claimed"))

    def set_members(self, slot: Slot, fence: int, members: Sequence[Member]) -> Sequence[Member]:
        """Records members once; returns those on record. Raises StaleFenceError."""
        entry = self.entries[slot.key]
        if entry.state != "claimed" or entry.fence != fence:
            raise StaleFenceError(f"slot {slot.key}, fence {fence}")
        if entry.members is None:
            entry.members = tuple(members)
        return entry.members

    def present(self, slot: Slot) -> set[str]:
        """Ids of the slot's observations."""
        return {key for key, row in self.rows.items() if row.observation.member.slot == slot}

    def append(self, items: Sequence[tuple[Observation, Sequence[Score]]]) -> int:
        """Stores what is not known yet; late when the slot is no longer open."""
        before = len(self.rows)
        for observation, scores in items:
            entry = self.entries.get(observation.member.slot.key)
            if entry is None:
                raise StoreError(f"slot {observation.member.slot.key} is not in the ledger")
            late = entry.state in ("closed", "missed")
            self.rows.setdefault(observation.id, Row(observation, tuple(scores), late))
        return len(self.rows) - before

    def close(self, slot: Slot, fence: int, now: float) -> bool:  # noqa: ARG002  # the port's form
        """Closes the slot; False when the fence is stale. Closing again is harmless."""
        entry = self.entries[slot.key]
        if entry.state not in ("claimed", "closed") or entry.fence != fence:
            return False
        entry.state = "closed"
        return True

    def miss(self, slot: Slot, reason: str, now: float) -> None:  # noqa: ARG002  # the port's form
        """Marks an open slot as missed."""
        entry = self.entries[slot.key]
        if entry.state in ("due", "claimed"):
            entry.state, entry.reason = "missed", reason

    def get_meta(self, key: str) -> str | None:
        """A note, None when there is none."""
        return self.notes.get(key)

    def set_meta(self, key: str, value: str) -> None:
        """Writes or overwrites a note."""
        self.notes[key] = value
