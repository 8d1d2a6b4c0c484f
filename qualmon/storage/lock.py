"""One service per store: a lock that the kernel takes back however its holder ends."""

from __future__ import annotations

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager

from qualmon.errors import StoreError
from qualmon.storage import dialect


@contextmanager
def sole_service(url: str) -> Iterator[None]:
    """Holds the store at `url` against other services while the context is open.

    Two services would take each other's slots and folds for leftovers of a crash. Readers and
    `qualmon probe` need no lock. Raises StoreError when another process has it.
    """
    path = dialect.file_of(dialect.parse_url(url))
    if path is None:
        yield
        return
    # Beside the store and never deleted: a lock on a file that is gone holds nobody off.
    place = path.with_name(f"{path.name}.lock")
    try:
        stream = place.open("ab")
    except OSError as error:
        raise StoreError(
            f"{place}: {error.strerror}", remedy="Make its folder writable for this user"
        ) from error
    with stream:
        try:
            fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise StoreError(
                f"another qualmon runs on {path}", remedy="Stop that one, or name another store"
            ) from None
        yield
