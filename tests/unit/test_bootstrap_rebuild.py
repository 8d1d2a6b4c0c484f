"""The state is computed anew from the log, whatever has become of its rows."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from storage_kit import closed as close_round
from storage_kit import new_store, slot, url_of

from qualmon.bootstrap.plan import fold_rules
from qualmon.bootstrap.rebuild import rebuild
from qualmon.config import load
from qualmon.errors import StateUnreadableError, StoreError
from qualmon.schedule.folder import Folder, drain
from qualmon.storage.lock import sole_service

CONFIG = """
targets:
  - {model: m, platform: a, route: r, url: 'http://127.0.0.1:9/v1'}
  - {model: m, platform: b, route: r, url: 'http://127.0.0.1:9/v1'}
suites: [{name: core, every: 60s}]
"""
ROUNDS = 5


@pytest.fixture
def url(tmp_path: Path) -> str:
    """A store with rounds that are closed and folded, and one that is not folded yet."""
    path = tmp_path / "qualmon.yaml"
    path.write_text(CONFIG)
    store = new_store(tmp_path)
    store.add_epoch(0.0, fold_rules(load(path, {}), 0.0).dump())
    for index in range(ROUNDS - 1):
        close_round(store, slot(index))
    drain(Folder(store))
    close_round(store, slot(ROUNDS - 1))
    store.dispose()
    return url_of(tmp_path)


def spoil(tmp_path: Path, value: bytes) -> None:
    """Overwrites the state's rows."""
    with closing(sqlite3.connect(tmp_path / "qualmon.db")) as connection:
        connection.execute("UPDATE state SET value = ? WHERE key LIKE 'target/%'", (value,))
        connection.commit()


def test_equal_to_what_was_stored(url: str) -> None:
    """In place and as a copy; a round that nobody folded yet counts."""
    assert rebuild(url, keep=False) == {"rounds": ROUNDS, "equal": True}
    assert rebuild(url) == {"rounds": ROUNDS, "equal": True}


def test_a_copy_changes_nothing(url: str, tmp_path: Path) -> None:
    """The fold's cursor stays where it was."""
    before = new_store(tmp_path).dump_state()
    rebuild(url, keep=False)
    assert new_store(tmp_path).dump_state() == before


@pytest.mark.parametrize("value", [b'{"blocks": {}}', b"\xff", b"[]", b'{"blocks": 5}'])
def test_rows_that_cannot_be_read(url: str, tmp_path: Path, value: bytes) -> None:
    """The service is told to rebuild; the rebuild says that they differed, and mends them."""
    spoil(tmp_path, value)
    with pytest.raises(StateUnreadableError, match="qualmon db rebuild"):
        Folder(new_store(tmp_path)).start()
    assert rebuild(url, keep=False)["equal"] is False
    assert rebuild(url) == {"rounds": ROUNDS, "equal": False}
    assert rebuild(url) == {"rounds": ROUNDS, "equal": True}


def test_not_under_a_running_service(url: str) -> None:
    """A copy may be taken from it, the store itself is its own."""
    with sole_service(url):
        assert rebuild(url, keep=False)["equal"] is True
        with pytest.raises(StoreError, match="another qualmon"):
            rebuild(url)
