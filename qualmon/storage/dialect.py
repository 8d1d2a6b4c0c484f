"""Everything that differs between databases; no other file names one.

SQLite (today's only one): WAL with synchronous=NORMAL survives `kill -9` without loss, writes
start with BEGIN IMMEDIATE because a deferred read-then-write fails with SQLITE_BUSY_SNAPSHOT.
Row locks (`with_for_update`) are written where PostgreSQL will need them; SQLite ignores them.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from qualmon.errors import StoreCorruptError, StoreError

#: What a driver may raise; SQLAlchemy does not wrap errors of connect listeners.
DRIVER_ERRORS = (sa.exc.DBAPIError, sqlite3.Error)

#: Names that order the fold: compared by code point, as Python compares them.
KeyText = sa.Text().with_variant(postgresql.TEXT(collation="C"), "postgresql")

_REMEDIES = (
    ("not a database", StoreCorruptError, None),
    ("malformed", StoreCorruptError, None),
    ("locked", StoreError, "Another process holds it; stop that one or try again"),
    ("readonly", StoreError, "Make the file and its folder writable for this user"),
    ("unable to open", StoreError, "Check that the folder exists and is writable"),
    ("full", StoreError, "Free some space"),
    ("disk I/O error", StoreError, "Check the disk"),
)


def parse_url(text: str) -> sa.URL:
    """The URL of a store on a file. Raises StoreError on any other."""
    try:
        url = sa.make_url(text)
    except sa.exc.ArgumentError as error:
        raise StoreError(repr(text), remedy="Write it as sqlite:///FILE") from error
    if url.get_backend_name() != "sqlite" or url.database in (None, "", ":memory:"):
        shown = url.render_as_string(hide_password=True)
        raise StoreError(f"{shown} is no file store", remedy="Write it as sqlite:///FILE")
    return url


def file_of(url: sa.URL) -> Path | None:
    """The file of a SQLite URL, None for a URI-style one (``file:...``)."""
    name = url.database or ""
    return None if name.startswith("file:") else Path(name)


def make_engine(url: sa.URL, *, busy_timeout: float, foreign_keys: bool) -> sa.Engine:
    """An engine whose connections are set up for a log; touches no file yet.

    busy_timeout: seconds to wait for another writer. foreign_keys: off for migrations, where
    a table is rebuilt under a temporary name.
    """
    engine = sa.create_engine(url)

    def set_up(connection: sqlite3.Connection, _record: object) -> None:
        connection.isolation_level = None  # the driver must not begin transactions by itself
        connection.execute(f"PRAGMA busy_timeout={int(busy_timeout * 1000)}")
        mode = connection.execute("PRAGMA journal_mode").fetchone()[0]
        # The mode is written into the file: another program's stays as it is.
        if mode != "wal" and _may_be_ours(connection):
            connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("PRAGMA synchronous=NORMAL")
        connection.execute(f"PRAGMA foreign_keys={int(foreign_keys)}")

    def begin(connection: sa.Connection) -> None:
        writes = connection.get_execution_options().get("qualmon_writes", False)
        connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")

    sa.event.listen(engine, "connect", set_up)
    sa.event.listen(engine, "begin", begin)
    return engine


def _may_be_ours(connection: sqlite3.Connection) -> bool:
    tables = connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall()
    return not tables or ("alembic_version",) in tables


def copy_file(path: Path, goal: Path) -> None:
    """Copies a store as of one moment, also while others write to it. Raises sqlite3.Error."""
    with closing(sqlite3.connect(path)) as source, closing(sqlite3.connect(goal)) as copy:
        source.backup(copy)


def insert_new(connection: sa.Connection, table: sa.Table, rows: Sequence[dict[str, Any]]) -> None:
    """Inserts rows; those whose key is known stay as they are."""
    if rows:
        connection.execute(_insert(connection, table).on_conflict_do_nothing(), rows)


def upsert(connection: sa.Connection, table: sa.Table, rows: Sequence[dict[str, Any]]) -> None:
    """Inserts rows; those whose primary key is known are overwritten. All rows: same columns."""
    if not rows:
        return
    statement = _insert(connection, table)
    keys = [column.name for column in table.primary_key]
    changed = {name: statement.excluded[name] for name in rows[0] if name not in keys}
    statement = statement.on_conflict_do_update(index_elements=keys, set_=changed)
    connection.execute(statement, rows)


def _insert(connection: sa.Connection, table: sa.Table) -> sqlite.Insert | postgresql.Insert:
    if connection.dialect.name == "sqlite":
        return sqlite.insert(table)
    return postgresql.insert(table)


def damage(connection: sa.Connection) -> list[str]:
    """What the database itself finds wrong with its file; empty when sound."""
    found = [str(row[0]) for row in connection.exec_driver_sql("PRAGMA integrity_check(20)")]
    return [f"file: {line}" for line in found if line != "ok"]


def broken_references(connection: sa.Connection) -> list[str]:
    """Rows that refer to rows which are not there."""
    rows = connection.exec_driver_sql("PRAGMA foreign_key_check").fetchall()
    return [f"{row[0]}: row {row[1]} refers to a missing row of {row[2]}" for row in rows[:20]]


def translate(error: Exception, url: sa.URL) -> StoreError:
    """The driver's error as one of qualmon's, naming the file and the remedy."""
    reason = str(getattr(error, "orig", None) or error)
    place = url.render_as_string(hide_password=True)
    for fragment, kind, remedy in _REMEDIES:
        if fragment in reason:
            return kind(f"{place}: {reason}", remedy=remedy)
    return StoreError(f"{place}: {reason}")
