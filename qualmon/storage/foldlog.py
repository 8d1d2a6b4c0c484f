"""What the folder reads and writes (ports.FoldLog), and the tools to compare and rebuild it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import sqlalchemy as sa

from qualmon.errors import FoldMovedError, StoreError
from qualmon.storage import rows, tables
from qualmon.storage.codec import to_json
from qualmon.storage.database import Database, Part
from qualmon.storage.dialect import insert_new, upsert
from qualmon.storage.ledger import BEHIND_FOLD, read_cursor
from qualmon.types import ClosedRound, Score, ScoredMember, Slot

_slots, _observations, _scores = tables.slots.c, tables.observations.c, tables.scores.c
_FOLDED = (tables.cursor, tables.state, tables.incidents, tables.transitions)
_ORDER = (_slots.due, _slots.suite, _slots.model, _slots.idx)


class FoldLog(Part):
    """Implements ports.FoldLog. One folder at a time: commits are compare-and-set."""

    def __init__(self, database: Database) -> None:
        super().__init__(database)
        self._cursor: Slot | None = None  # what this folder last read or wrote

    def next_closed(self, after: Slot | None) -> ClosedRound | Slot | None:
        """The round after `after` in fold order: closed (with members), missed (a bare Slot),
        or None when there is none yet or it is still open."""
        with self._database.read() as connection:
            row = connection.execute(_next(after)).first()
            if row is None or row.state in ("due", "claimed"):
                return None
            slot = rows.slot_of(row)
            if row.state == "missed":
                return slot
            return _round(connection, slot, row.members)

    def load_state(self) -> tuple[Mapping[str, bytes], Slot | None]:
        """All state rows by key, and the cursor."""
        with self._database.read() as connection:
            state = connection.execute(sa.select(tables.state)).all()
            self._cursor = read_cursor(connection)
        return {row.key: row.value for row in state}, self._cursor

    def commit_fold(
        self,
        cursor: Slot,
        state: Mapping[str, bytes],
        incidents: Sequence[Mapping[str, Any]],
        transitions: Sequence[Mapping[str, Any]],
    ) -> None:
        """Writes changed state rows, incidents, transitions and the cursor in one transaction.

        An incident needs the keys id, opened_at, updated_at, resolved_at, scope, family, kind,
        level, severity; a transition id, incident_id, at, from_level, to_level. All other keys
        are kept too. Raises FoldMovedError unless the stored cursor is the one that this object
        loaded or wrote last, and ValueError when `cursor` does not come after it.
        """
        with self._database.write() as connection:
            stored = read_cursor(connection)
            if stored != self._cursor:
                raise FoldMovedError(f"at {_key(stored)}, expected {_key(self._cursor)}")
            if stored is not None and cursor <= stored:
                raise ValueError(f"cursor {cursor.key} does not come after {stored.key}")
            changed = [{"key": key, "value": state[key]} for key in sorted(state)]
            upsert(connection, tables.state, changed)
            upsert(connection, tables.incidents, [_row(tables.incidents, i) for i in incidents])
            insert_new(
                connection, tables.transitions, [_row(tables.transitions, t) for t in transitions]
            )
            position = {"id": 1, **rows.slot_key(cursor), "due": cursor.due, "every": cursor.every}
            upsert(connection, tables.cursor, [position])
        self._cursor = cursor

    def epoch_of(self, slot: Slot) -> int | None:
        """Id of the config epoch in force when the slot was planned or missed."""
        query = sa.select(_slots.epoch_id).where(
            _slots.suite == slot.suite, _slots.model == slot.model, _slots.idx == slot.index
        )
        with self._database.read() as connection:
            return connection.execute(query).scalar()

    def clear_fold(self) -> None:
        """Forgets state, incidents, transitions and cursor, so that the log can be folded anew."""
        with self._database.write() as connection:
            for table in reversed(_FOLDED):
                connection.execute(sa.delete(table))
        self._cursor = None

    def dump_state(self) -> bytes:
        """All that the fold wrote, sorted and canonical: equal bytes mean equal folds.

        One JSON array a line: the table's name, then the row's columns (BLOBs in hex).
        """
        with self._database.read() as connection:
            return b"".join(_dump(connection, table) for table in _FOLDED)


def _next(after: Slot | None) -> sa.Select[Any]:
    query = (
        sa.select(*_ORDER, _slots.every, _slots.state, _slots.members)
        .where(sa.func.coalesce(_slots.reason, "") != BEHIND_FOLD)
        .order_by(*_ORDER)
        .limit(1)
    )
    if after is None:
        return query
    return query.where(sa.tuple_(*_ORDER) > (after.due, after.suite, after.model, after.index))


def _round(connection: sa.Connection, slot: Slot, members: Sequence[Any]) -> ClosedRound:
    on_time = sa.and_(
        _observations.suite == slot.suite,
        _observations.model == slot.model,
        _observations.idx == slot.index,
        _observations.late.is_(False),
    )
    outcomes = connection.execute(sa.select(_observations.id, _observations.outcome).where(on_time))
    outcome = {row.id: row.outcome for row in outcomes}
    scores: dict[str, dict[str, Score]] = {key: {} for key in outcome}
    joined = tables.scores.join(tables.observations, _scores.observation_id == _observations.id)
    for row in connection.execute(sa.select(tables.scores).select_from(joined).where(on_time)):
        scores[row.observation_id][row.channel] = rows.score_of(row)
    ordered = sorted(rows.members_of(slot, members), key=lambda member: member.sort_key)
    return ClosedRound(
        slot,
        tuple(
            ScoredMember(member, outcome.get(key, "missing"), scores.get(key, {}))
            for member in ordered
            for key in (member.id,)
        ),
    )


def _row(table: sa.Table, doc: Mapping[str, Any]) -> dict[str, Any]:
    try:
        columns = {column.name: doc[column.name] for column in table.c if column.name != "doc"}
    except KeyError as error:
        raise StoreError(f"{table.name}: the key {error} is missing in {sorted(doc)}") from error
    return {**columns, "doc": dict(doc)}


def _dump(connection: sa.Connection, table: sa.Table) -> bytes:
    rows_ = connection.execute(sa.select(table).order_by(*table.primary_key))
    return b"".join(to_json([table.name, *map(_plain, row)]) + b"\n" for row in rows_)


def _plain(value: object) -> object:
    return value.hex() if isinstance(value, bytes) else value


def _key(slot: Slot | None) -> str:
    return "the start" if slot is None else slot.key
