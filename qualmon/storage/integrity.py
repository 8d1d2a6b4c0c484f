"""What may be wrong with a store, in words. Reads only."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator

import sqlalchemy as sa

from qualmon.storage import dialect, rows, tables
from qualmon.storage.database import Database
from qualmon.storage.open import open_store
from qualmon.types import Slot

_slots, _observations, _scores = tables.slots.c, tables.observations.c, tables.scores.c

#: Problems listed of each kind; a damaged store may have millions.
_LISTED = 20


def check(url: str) -> list[str]:
    """Every problem found, empty when the store is sound.

    Raises StoreError (its subclasses) when the store cannot be opened or is too damaged to read.
    """
    open_store(url, create=False).dispose()
    database = Database(url)
    try:
        with database.read() as connection:
            # What a damaged file answers to the other questions would only confuse.
            return dialect.damage(connection) or _problems(connection)
    finally:
        database.dispose()


def _problems(connection: sa.Connection) -> list[str]:
    found = dialect.broken_references(connection)
    for question in _QUESTIONS:
        for number, problem in enumerate(question(connection)):
            if number == _LISTED:
                found.append("... and more of the same")
                break
            found.append(problem)
    return found


def _gaps(connection: sa.Connection) -> Iterator[str]:
    """Streams have consecutive slots; an interval of 0 marks slots outside any schedule."""
    before = sa.func.lag(_slots.idx).over(
        partition_by=(_slots.suite, _slots.model), order_by=_slots.idx
    )
    pairs = sa.select(
        _slots.suite, _slots.model, _slots.idx, _slots.every, before.label("before")
    ).subquery()
    query = sa.select(pairs).where(pairs.c.idx > pairs.c.before + 1, pairs.c.every > 0)
    for row in connection.execute(query):
        yield f"slots: {row.suite}/{row.model} jumps from {row.before} to {row.idx}"


def _unplanned(connection: sa.Connection) -> Iterator[str]:
    query = sa.select(_slots.suite, _slots.model, _slots.idx).where(
        _slots.state == "closed", _slots.members.is_(None)
    )
    for row in connection.execute(query):
        yield f"slots: {row.suite}/{row.model}/{row.idx} is closed without members"


def _strangers(connection: sa.Connection) -> Iterator[str]:
    """On-time observations of a closed slot are among its members; ids are the members'."""
    closed = sa.select(
        _slots.due, _slots.suite, _slots.model, _slots.idx, _slots.every, _slots.members
    ).where(_slots.state == "closed", _slots.members.is_not(None))
    for row in connection.execute(closed):
        slot = rows.slot_of(row)
        planned = {member.id for member in rows.members_of(slot, row.members)}
        for key in sorted(_on_time(connection, slot) - planned):
            yield f"observations: {key} is no member of its slot {slot.key}"


def _on_time(connection: sa.Connection, slot: Slot) -> set[str]:
    query = sa.select(_observations.id).where(
        _observations.suite == slot.suite,
        _observations.model == slot.model,
        _observations.idx == slot.index,
        _observations.late.is_(False),
    )
    return set(connection.execute(query).scalars())


def _orphans(connection: sa.Connection) -> Iterator[str]:
    known = sa.select(_observations.id)
    query = sa.select(_scores.observation_id).distinct().where(_scores.observation_id.not_in(known))
    for key in connection.execute(query).scalars():
        yield f"scores: {key} has scores and no observation"


def _ahead(connection: sa.Connection) -> Iterator[str]:
    """The fold stands at a finished slot, and all before it are finished too."""
    cursor = connection.execute(sa.select(tables.cursor)).first()
    if cursor is None:
        return
    slot = rows.slot_of(cursor)
    order = (_slots.due, _slots.suite, _slots.model, _slots.idx)
    here = (slot.due, slot.suite, slot.model, slot.index)
    if connection.execute(sa.select(_slots.idx).where(sa.tuple_(*order) == here)).first() is None:
        yield f"cursor: {slot.key} is not in the ledger"
    open_ones = sa.select(_slots.suite, _slots.model, _slots.idx).where(
        _slots.state.in_(("due", "claimed")), sa.tuple_(*order) <= here
    )
    for row in connection.execute(open_ones):
        yield f"cursor: stands at {slot.key}, past the open {row.suite}/{row.model}/{row.idx}"


def _forged(connection: sa.Connection) -> Iterator[str]:
    columns = tables.epochs.c
    for row in connection.execute(sa.select(columns.id, columns.digest, columns.doc)):
        if hashlib.sha256(row.doc).hexdigest() != row.digest:
            yield f"epochs: {row.id} does not match its digest"


_QUESTIONS: tuple[Callable[[sa.Connection], Iterator[str]], ...] = (
    _gaps,
    _unplanned,
    _strangers,
    _orphans,
    _ahead,
    _forged,
)
