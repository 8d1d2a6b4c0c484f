"""State from the log alone: folds every round again and compares with what was stored."""

from __future__ import annotations

import contextlib
import tempfile
from pathlib import Path
from typing import Any

from qualmon.errors import StateUnreadableError, UsageError
from qualmon.schedule.folder import Folder, drain
from qualmon.storage import dialect
from qualmon.storage.lock import sole_service
from qualmon.storage.open import open_store
from qualmon.storage.store import SqlStore


def rebuild(url: str, *, keep: bool = True) -> dict[str, Any]:
    """Rebuilds the store at `url`; with keep=False a copy of it, leaving it untouched.

    Returns {"rounds", "equal"}: equal means byte for byte. Keeping needs the store for itself,
    a copy may be taken from under a running service. Raises StoreError, and UsageError for a
    store that is not a file.
    """
    store = open_store(url, create=False)
    try:
        if not keep:
            return _rebuilt_copy(url)
        with sole_service(url):
            return _rebuilt(store)
    finally:
        store.dispose()


def _rebuilt_copy(url: str) -> dict[str, Any]:
    parsed = dialect.parse_url(url)
    path = dialect.file_of(parsed)
    if path is None:
        raise UsageError(f"{url} is no file", remedy="--verify works on SQLite files")
    with tempfile.TemporaryDirectory(prefix="qualmon-rebuild-") as folder:
        copy = Path(folder) / path.name
        try:
            dialect.copy_file(path, copy)
        except dialect.DRIVER_ERRORS as error:
            raise dialect.translate(error, parsed) from error
        return rebuild(f"sqlite:///{copy}")


def _rebuilt(store: SqlStore) -> dict[str, Any]:
    # What a crash left closed but unfolded belongs to the log: fold it before comparing. A
    # state that cannot be read is compared as it is, and replaced.
    with contextlib.suppress(StateUnreadableError):
        drain(Folder(store))
    before = store.dump_state()
    store.clear_fold()
    rounds = len(drain(Folder(store)))
    return {"rounds": rounds, "equal": store.dump_state() == before}
