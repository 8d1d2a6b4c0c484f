"""State from the log alone: folds every round again and compares with what was stored."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path
from typing import Any

from qualmon.errors import UsageError
from qualmon.schedule.folder import Folder, drain
from qualmon.storage import dialect
from qualmon.storage.open import open_store
from qualmon.storage.store import SqlStore


def rebuild(url: str, *, keep: bool = True) -> dict[str, Any]:
    """Rebuilds the store at `url`; with keep=False a copy of it, leaving it untouched.

    Returns {"rounds", "equal"}: equal means byte for byte. Stop the service first when
    keeping. Raises StoreError, and UsageError for a store that is not a file.
    """
    if keep:
        store = open_store(url, create=False)
        try:
            return _rebuilt(store)
        finally:
            store.dispose()
    path = dialect.file_of(dialect.parse_url(url))
    if path is None:
        raise UsageError(f"{url} is no file", remedy="--verify works on SQLite files")
    with tempfile.TemporaryDirectory(prefix="qualmon-rebuild-") as folder:
        copy = Path(folder) / path.name
        for suffix in ("", "-wal"):
            source = path.with_name(path.name + suffix)
            if source.exists():
                shutil.copy(source, copy.with_name(copy.name + suffix))
        return rebuild(f"sqlite:///{copy}")


def _rebuilt(store: SqlStore) -> dict[str, Any]:
    # What a crash left closed but unfolded belongs to the log: fold it before comparing.
    drain(Folder(store))
    before = store.dump_state()
    store.clear_fold()
    rounds = len(drain(Folder(store)))
    return {"rounds": rounds, "equal": store.dump_state() == before}
