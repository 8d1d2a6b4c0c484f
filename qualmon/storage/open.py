"""Opening a store: every way in which that fails is one clear line."""

from __future__ import annotations

import os
from pathlib import Path

from qualmon.errors import StoreError, StoreSchemaError
from qualmon.storage import dialect
from qualmon.storage.database import Database
from qualmon.storage.migrate import revision_of
from qualmon.storage.migrate import upgrade as upgrade_schema
from qualmon.storage.store import SqlStore
from qualmon.storage.tables import REVISIONS

_NAME_IT = "Name the store that `qualmon run` uses"


def open_store(
    url: str, *, upgrade: bool = False, create: bool = True, busy_timeout: float = 5.0
) -> SqlStore:
    """The store at `url` (``sqlite:///FILE``), ready to read and write.

    A missing or empty file gets the schema (create=False: refused); an older schema is
    refused unless `upgrade`. busy_timeout: seconds to wait for another writer.
    Raises StoreCorruptError (not a database), StoreSchemaError (older, newer, another
    program's), StoreError (unreachable, unwritable, locked).
    """
    _check_place(url, create)
    database = Database(url, busy_timeout=busy_timeout)
    with database.write() as connection:  # the lock is taken, so the file can be written
        found = revision_of(connection)
    if found != REVISIONS[-1]:
        database.dispose()
        _bring_up(url, found, upgrade=upgrade, create=create)
    return SqlStore(database)


def _check_place(text: str, create: bool) -> None:
    path = dialect.file_of(dialect.parse_url(text))
    if path is None:
        return
    if not path.exists():
        if not create:
            raise StoreError(f"{path} does not exist", remedy=_NAME_IT)
        _check_folder(path.parent)
    elif not path.is_file():
        raise StoreError(f"{path} is not a file", remedy="Name a file")


def _check_folder(folder: Path) -> None:
    if not folder.is_dir():
        raise StoreError(f"{folder} is not a folder", remedy="Create it or name another file")
    if not os.access(folder, os.W_OK | os.X_OK):
        raise StoreError(f"{folder} is not writable", remedy="Change its owner or name another")


def _bring_up(url: str, found: str | None, *, upgrade: bool, create: bool) -> None:
    if found is None and not create:
        raise StoreSchemaError(f"{url} is empty", remedy=_NAME_IT)
    if found is not None and not upgrade:
        raise StoreSchemaError(
            f"{url} has revision {found}, this program needs {REVISIONS[-1]}",
            remedy="Run `qualmon db upgrade`",
        )
    upgrade_schema(url)
