"""Reads of the log for pages, budgets and the fold's configuration; notes by key."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from qualmon.storage import dialect, rows, tables
from qualmon.storage.database import Part
from qualmon.storage.rows import StoredObservation

_observations, _slots = tables.observations.c, tables.slots.c
_WITH_SLOT = tables.observations.join(
    tables.slots,
    sa.and_(
        _observations.suite == _slots.suite,
        _observations.model == _slots.model,
        _observations.idx == _slots.idx,
    ),
)


@dataclass(frozen=True, slots=True)
class Epoch:
    """A configuration in force from `at` on. `digest` is the SHA-256 of `doc`, hex."""

    id: int
    at: float
    digest: str
    doc: bytes


class Journal(Part):
    """Observations, budgets, epochs, notes."""

    def observation(self, observation_id: str) -> StoredObservation | None:
        """One observation with its scores, None when there is none of that id."""
        found = self._observations(_log().where(_observations.id == observation_id))
        return found[0] if found else None

    def observations(
        self, target: str, *, limit: int = 20, failures_only: bool = False
    ) -> list[StoredObservation]:
        """The latest of a target, newest first."""
        query = _log().where(_observations.target == target)
        if failures_only:
            query = query.where(_observations.outcome != "ok")
        return self._observations(query.order_by(_observations.at.desc()).limit(limit))

    def slot_counts(self) -> dict[tuple[str, str], int]:
        """Number of slots by (state, reason); the reason is empty unless missed."""
        query = sa.select(_slots.state, _slots.reason, sa.func.count()).group_by(
            _slots.state, _slots.reason
        )
        with self._database.read() as connection:
            return {(row[0], row[1] or ""): row[2] for row in connection.execute(query)}

    def requests_since(self, target: str, since: float) -> tuple[int, int, int]:
        """(requests, prompt tokens, output tokens) spent on a target since a Unix time.

        Every attempt counts as a request, failed and late ones too; an observation counts
        whole at its own time, so that attempts just before `since` err on the safe side.
        """
        spent = (_observations.requests, _observations.prompt_tokens, _observations.output_tokens)
        query = sa.select(*(sa.func.coalesce(sa.func.sum(column), 0) for column in spent)).where(
            _observations.target == target, _observations.at >= since
        )
        with self._database.read() as connection:
            requests, prompt, output = connection.execute(query).one()
        return int(requests), int(prompt), int(output)

    def current_epoch(self) -> Epoch | None:
        """The latest configuration, None before the first."""
        found = self._epochs(_epochs().order_by(tables.epochs.c.id.desc()).limit(1))
        return found[0] if found else None

    def epochs(self) -> list[Epoch]:
        """All configurations, oldest first."""
        return self._epochs(_epochs().order_by(tables.epochs.c.id))

    def add_epoch(self, at: float, doc: bytes) -> Epoch:
        """Records a configuration; the one in force is returned when nothing changed."""
        digest = hashlib.sha256(doc).hexdigest()
        latest = _epochs().order_by(tables.epochs.c.id.desc()).limit(1)
        with self._database.write() as connection:
            row = connection.execute(latest).first()
            if row is not None and row.digest == digest:
                return Epoch(*row)
            number = 1 if row is None else row.id + 1
            values = {"id": number, "at": at, "digest": digest, "doc": doc}
            connection.execute(sa.insert(tables.epochs).values(values))
        return Epoch(number, at, digest, doc)

    def get_meta(self, key: str) -> str | None:
        """A note of the program, None when there is none."""
        query = sa.select(tables.meta.c.value).where(tables.meta.c.key == key)
        with self._database.read() as connection:
            return connection.execute(query).scalar()

    def set_meta(self, key: str, value: str) -> None:
        """Writes or overwrites a note."""
        with self._database.write() as connection:
            dialect.upsert(connection, tables.meta, [{"key": key, "value": value}])

    def _observations(self, query: sa.Select[Any]) -> list[StoredObservation]:
        with self._database.read() as connection:
            found = connection.execute(query).all()
            scores = tables.scores
            ids = [row.id for row in found]
            judged = connection.execute(
                sa.select(scores)
                .where(scores.c.observation_id.in_(ids))
                .order_by(scores.c.observation_id, scores.c.channel)
            ).all()
        by_id: dict[str, list[Any]] = {key: [] for key in ids}
        for row in judged:
            by_id[row.observation_id].append(rows.score_of(row))
        return [
            StoredObservation(rows.observation_of(row), tuple(by_id[row.id]), row.late)
            for row in found
        ]

    def _epochs(self, query: sa.Select[Any]) -> list[Epoch]:
        with self._database.read() as connection:
            return [Epoch(*row) for row in connection.execute(query)]


def _log() -> sa.Select[Any]:
    return sa.select(tables.observations, _slots.due, _slots.every).select_from(_WITH_SLOT)


def _epochs() -> sa.Select[Any]:
    columns = tables.epochs.c
    return sa.select(columns.id, columns.at, columns.digest, columns.doc)
