"""Reads of what the fold wrote about incidents, and the words of people about them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

import sqlalchemy as sa

from qualmon.storage import tables
from qualmon.storage.database import Part
from qualmon.types import Incident

_FIELDS = tuple(field.name for field in fields(Incident))


@dataclass(frozen=True, slots=True)
class Acknowledgement:
    """What a person said of an incident. action: ack, resolve, ..."""

    incident_id: str
    at: float
    who: str
    note: str
    action: str


class Incidents(Part):
    """Incidents, transitions and acknowledgements."""

    def incidents(self, open_only: bool = False, limit: int = 100) -> list[Incident]:
        """Latest opened first."""
        columns = tables.incidents.c
        query = sa.select(columns.doc).order_by(columns.opened_at.desc(), columns.id).limit(limit)
        if open_only:
            query = query.where(columns.resolved_at.is_(None))
        return self._incidents(query)

    def incident(self, incident_id: str) -> Incident | None:
        """One incident, None when there is none of that id."""
        columns = tables.incidents.c
        found = self._incidents(sa.select(columns.doc).where(columns.id == incident_id))
        return found[0] if found else None

    def transitions(self, incident_id: str | None = None, limit: int = 1000) -> list[Any]:
        """Transition documents as the fold wrote them, oldest first; all incidents if None."""
        columns = tables.transitions.c
        query = sa.select(columns.doc).order_by(columns.at, columns.id).limit(limit)
        if incident_id is not None:
            query = query.where(columns.incident_id == incident_id)
        with self._database.read() as connection:
            return list(connection.execute(query).scalars())

    def transitions_after(self, place: str | None, limit: int) -> list[tuple[str, Any]]:
        """(place, document) of the transitions after `place` in order of (at, id).

        A place is what an earlier call returned; None begins with the first transition.
        """
        columns = tables.transitions.c
        query = sa.select(columns.at, columns.id, columns.doc).order_by(columns.at, columns.id)
        if place is not None:
            at, _, key = place.partition(" ")
            query = query.where(sa.tuple_(columns.at, columns.id) > (float(at), key))
        with self._database.read() as connection:
            return [(f"{r.at!r} {r.id}", r.doc) for r in connection.execute(query.limit(limit))]

    def add_ack(
        self, incident_id: str, at: float, who: str, note: str = "", action: str = "ack"
    ) -> None:
        """Records what a person said; kept when the fold is rebuilt."""
        values = {"incident_id": incident_id, "at": at, "who": who, "note": note, "action": action}
        with self._database.write() as connection:
            connection.execute(sa.insert(tables.acknowledgements).values(values))

    def acks(self, incident_id: str) -> list[Acknowledgement]:
        """Oldest first."""
        columns = tables.acknowledgements.c
        query = (
            sa.select(columns.incident_id, columns.at, columns.who, columns.note, columns.action)
            .where(columns.incident_id == incident_id)
            .order_by(columns.id)
        )
        with self._database.read() as connection:
            return [Acknowledgement(*row) for row in connection.execute(query)]

    def _incidents(self, query: sa.Select[Any]) -> list[Incident]:
        columns = tables.acknowledgements.c
        with self._database.read() as connection:
            docs = list(connection.execute(query).scalars())
            spoken = connection.execute(
                sa.select(columns.incident_id, columns.who)
                .where(columns.action == "ack", columns.incident_id.in_([d["id"] for d in docs]))
                .order_by(columns.id)
            )
            who = {row.incident_id: row.who for row in spoken}
        return [_incident(doc, who.get(doc["id"])) for doc in docs]


def _incident(doc: Mapping[str, Any], acknowledged_by: str | None) -> Incident:
    known = {name: _frozen(doc[name]) for name in _FIELDS if name in doc}
    if acknowledged_by is not None:
        known["acknowledged_by"] = acknowledged_by
    return Incident(**known)


def _frozen(value: object) -> Any:
    return tuple(_frozen(item) for item in value) if isinstance(value, list) else value
