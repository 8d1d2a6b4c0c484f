"""Opening a store: every way in which that fails is one clear line."""

from __future__ import annotations

from qualmon.errors import StoreError, StoreSchemaError
from qualmon.storage.database import Database
from qualmon.storage.migrate import prove_writable, revision_of
from qualmon.storage.migrate import upgrade as upgrade_schema
from qualmon.storage.place import NAME_THE_STORE, check_place
from qualmon.storage.store import SqlStore
from qualmon.storage.tables import REVISIONS


def open_store(
    url: str, *, upgrade: bool = False, create: bool = True, busy_timeout: float = 5.0
) -> SqlStore:
    """The store at `url` (``sqlite:///FILE``), ready to read and write.

    A missing or empty file gets the schema (create=False: refused); an older schema is
    refused unless `upgrade`. busy_timeout: seconds to wait for another writer.
    Raises StoreCorruptError (not a database), StoreSchemaError (older, newer, another
    program's), StoreError (unreachable, unwritable, locked).
    """
    check_place(url, create=create)
    database = Database(url, busy_timeout=busy_timeout)
    try:
        with database.write() as connection:
            found = revision_of(connection)
            prove_writable(connection, found)
        if found != REVISIONS[-1]:
            _bring_up(url, found, upgrade=upgrade, create=create)
    except StoreError:
        database.dispose()
        raise
    return SqlStore(database)


def _bring_up(url: str, found: str | None, *, upgrade: bool, create: bool) -> None:
    if found is None and not create:
        raise StoreSchemaError(f"{url} is empty", remedy=NAME_THE_STORE)
    if found is not None and not upgrade:
        raise StoreSchemaError(
            f"{url} has revision {found}, this program needs {REVISIONS[-1]}",
            remedy="Run `qualmon db upgrade`",
        )
    upgrade_schema(url)
