"""The slot ledger (ports.SlotLedger): due -> claimed (lease, fence) -> closed | missed.

Every method is one transaction that takes the slot's lock first, so that appending and closing
cannot interleave, and every method may be repeated after a crash.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import groupby
from typing import Any

import sqlalchemy as sa

from qualmon.errors import StaleFenceError, StoreError
from qualmon.storage import rows, tables
from qualmon.storage.database import Part
from qualmon.storage.dialect import insert_new
from qualmon.storage.keep import SAMPLE_ONE_IN, keeps_logprobs
from qualmon.types import Member, Observation, Score, Slot

_slots = tables.slots.c
_OPEN = ("due", "claimed")

#: Reason of slots that were added after the fold had passed their time. They keep the ledger
#: without gaps and are never folded: neither live nor in a rebuild.
BEHIND_FOLD = "behind_fold"

Items = Sequence[tuple[Observation, Sequence[Score]]]


class Ledger(Part):
    """Implements ports.SlotLedger."""

    def materialise(self, slots: Iterable[Slot]) -> None:
        """Adds slots as due, in one transaction; those known already stay as they are.

        A slot at or before the fold's cursor is added as missed with reason `behind_fold`.
        """
        with self._database.write() as connection:
            cursor = read_cursor(connection)
            insert_new(connection, tables.slots, [_new_slot(slot, cursor) for slot in slots])

    def last_index(self, suite: str, model: str) -> int | None:
        """Highest slot index in the ledger for this stream."""
        query = sa.select(sa.func.max(_slots.idx)).where(
            _slots.suite == suite, _slots.model == model
        )
        with self._database.read() as connection:
            return connection.execute(query).scalar()

    def claim(self, slot: Slot, owner: str, lease_until: float, now: float) -> int | None:
        """Fencing token when the slot is due or its lease ran out by `now`, else None."""
        free = sa.or_(
            _slots.state == "due",
            sa.and_(_slots.state == "claimed", _slots.lease_until <= now),
        )
        values = {
            "state": "claimed",
            "owner": owner,
            "lease_until": lease_until,
            "fence": _slots.fence + 1,
        }
        with self._database.write() as connection:
            if not _update(connection, slot, free, values):
                return None
            return int(connection.execute(_select(slot, _slots.fence)).scalar_one())

    def open_slots(self) -> list[Slot]:
        """Slots neither closed nor missed, oldest first."""
        query = (
            sa.select(_slots.due, _slots.suite, _slots.model, _slots.idx, _slots.every)
            .where(_slots.state.in_(_OPEN))
            .order_by(_slots.due, _slots.suite, _slots.model, _slots.idx)
        )
        with self._database.read() as connection:
            return [rows.slot_of(row) for row in connection.execute(query)]

    def set_members(self, slot: Slot, fence: int, members: Sequence[Member]) -> Sequence[Member]:
        """Records the planned members once; returns those on record (a re-run gets the first).

        The first record also notes the config epoch in force. Raises StaleFenceError.
        """
        if any(member.slot != slot for member in members):
            raise ValueError(f"members of another slot given for {slot.key}")
        with self._database.write() as connection:
            found = connection.execute(_select(slot, _slots.members).where(_held(fence))).first()
            if found is None:
                raise StaleFenceError(f"slot {slot.key}, fence {fence}")
            if found.members is not None:
                return rows.members_of(slot, found.members)
            values = {"members": rows.members_doc(members), "epoch_id": _current_epoch()}
            _update(connection, slot, sa.true(), values)
            return tuple(members)

    def present(self, slot: Slot) -> set[str]:
        """Ids of observations already stored for the slot, late ones included."""
        with self._database.read() as connection:
            return _present(connection, slot)

    def append(self, items: Items, *, keep_one_in: int = SAMPLE_ONE_IN) -> int:
        """Stores observations with scores; known ids are ignored, late ones marked.

        keep_one_in: of the answers without a bad score, one in so many keeps its logprobs.
        Returns the number of new observations. Raises StoreError for an unknown slot.
        """
        ordered = sorted(items, key=lambda item: item[0].member.slot)
        added = 0
        with self._database.write() as connection:
            for slot, group in groupby(ordered, key=lambda item: item[0].member.slot):
                added += _append(connection, slot, list(group), keep_one_in)
        return added

    def close(self, slot: Slot, fence: int, now: float) -> bool:
        """Closes the slot; False when the fence is stale. Closing again is harmless."""
        values = {"state": "closed", "closed_at": now, "lease_until": None}
        with self._database.write() as connection:
            if _update(connection, slot, _held(fence), values):
                return True
            done = _select(slot, _slots.idx).where(_slots.state == "closed", _slots.fence == fence)
            return connection.execute(done).first() is not None

    def miss(self, slot: Slot, reason: str, now: float) -> None:
        """Marks a slot as missed with a reason; one that is closed or missed stays so."""
        values = {
            "state": "missed",
            "reason": reason,
            "closed_at": now,
            "lease_until": None,
            "epoch_id": sa.func.coalesce(_slots.epoch_id, _current_epoch()),
        }
        with self._database.write() as connection:
            _update(connection, slot, _slots.state.in_(_OPEN), values)


def read_cursor(connection: sa.Connection) -> Slot | None:
    """The last folded slot; locks it where the transaction writes."""
    row = connection.execute(sa.select(tables.cursor).with_for_update()).first()
    return None if row is None else rows.slot_of(row)


def _new_slot(slot: Slot, cursor: Slot | None) -> dict[str, Any]:
    passed = cursor is not None and slot <= cursor
    return {
        **rows.slot_key(slot),
        "due": slot.due,
        "every": slot.every,
        "state": "missed" if passed else "due",
        "reason": BEHIND_FOLD if passed else None,
    }


def _is(slot: Slot) -> sa.ColumnElement[bool]:
    return sa.and_(_slots.suite == slot.suite, _slots.model == slot.model, _slots.idx == slot.index)


def _held(fence: int) -> sa.ColumnElement[bool]:
    return sa.and_(_slots.state == "claimed", _slots.fence == fence)


def _select(slot: Slot, column: sa.Column[Any]) -> sa.Select[Any]:
    return sa.select(column).where(_is(slot)).with_for_update()


def _update(
    connection: sa.Connection,
    slot: Slot,
    condition: sa.ColumnElement[bool],
    values: dict[str, Any],
) -> bool:
    statement = sa.update(tables.slots).where(_is(slot), condition).values(values)
    return connection.execute(statement).rowcount == 1


def _current_epoch() -> sa.ScalarSelect[Any]:
    return sa.select(sa.func.max(tables.epochs.c.id)).scalar_subquery()


def _present(connection: sa.Connection, slot: Slot) -> set[str]:
    columns = tables.observations.c
    query = sa.select(columns.id).where(
        columns.suite == slot.suite, columns.model == slot.model, columns.idx == slot.index
    )
    return set(connection.execute(query).scalars())


def _append(connection: sa.Connection, slot: Slot, items: Items, keep_one_in: int) -> int:
    state = connection.execute(_select(slot, _slots.state)).scalar()
    if state is None:
        raise StoreError(f"slot {slot.key} is not in the ledger", remedy="Materialise it first")
    known = _present(connection, slot)
    fresh = {item[0].id: item for item in reversed(items) if item[0].id not in known}
    observations, scores = [], []
    for key, (observation, judged) in fresh.items():
        keep = keeps_logprobs(key, judged, keep_one_in)
        late = state not in _OPEN
        observations.append(rows.observation_row(observation, late=late, logprobs=keep))
        scores.extend(rows.score_rows(key, judged))
    insert_new(connection, tables.observations, observations)
    insert_new(connection, tables.scores, scores)
    return len(fresh)
