"""Where a store may lie: checked before the database driver answers in its own words."""

from __future__ import annotations

import os
from pathlib import Path

from qualmon.errors import StoreError
from qualmon.storage import dialect

NAME_THE_STORE = "Name the store that `qualmon run` uses"


def check_place(url: str, *, create: bool) -> None:
    """Raises StoreError unless the file is there, or may be created where its folder is."""
    path = dialect.file_of(dialect.parse_url(url))
    if path is None:
        return
    if not path.exists():
        if not create:
            raise StoreError(f"{path} does not exist", remedy=NAME_THE_STORE)
        _check_folder(path.parent)
    elif not path.is_file():
        raise StoreError(f"{path} is not a file", remedy="Name a file")


def _check_folder(folder: Path) -> None:
    if not folder.is_dir():
        raise StoreError(f"{folder} is not a folder", remedy="Create it or name another file")
    if not os.access(folder, os.W_OK | os.X_OK):
        raise StoreError(f"{folder} is not writable", remedy="Change its owner or name another")
