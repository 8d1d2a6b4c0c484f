"""One handle on the database: short read and write transactions, driver errors translated."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import sqlalchemy as sa

from qualmon.storage import dialect


class Database:
    """An engine with two kinds of transaction. Safe to use from several threads."""

    def __init__(self, url: str, *, busy_timeout: float = 5.0, foreign_keys: bool = True) -> None:
        """url: ``sqlite:///FILE``. busy_timeout: seconds to wait for another writer."""
        self.url = dialect.parse_url(url)
        self._readers = dialect.make_engine(
            self.url, busy_timeout=busy_timeout, foreign_keys=foreign_keys
        )
        self._writers = self._readers.execution_options(qualmon_writes=True)

    @contextmanager
    def read(self) -> Iterator[sa.Connection]:
        """A consistent snapshot. Raises StoreError."""
        try:
            with self._readers.connect() as connection:
                yield connection
        except dialect.DRIVER_ERRORS as error:
            raise dialect.translate(error, self.url) from error

    @contextmanager
    def write(self) -> Iterator[sa.Connection]:
        """A transaction that holds the write lock from its start, committed on leaving.

        Raises StoreError; nothing of the transaction is kept then.
        """
        try:
            with self._writers.begin() as connection:
                yield connection
        except dialect.DRIVER_ERRORS as error:
            raise dialect.translate(error, self.url) from error

    def dispose(self) -> None:
        """Closes all connections; the handle may be used again."""
        self._readers.dispose()


class Part:
    """A piece of the store: methods on one shared `Database`."""

    def __init__(self, database: Database) -> None:
        self._database = database
