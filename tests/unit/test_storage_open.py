"""A store that cannot be opened is one clear line with a remedy and exit code 4."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest
from storage_kit import closed, new_store, slot, url_of

from qualmon.errors import StoreCorruptError, StoreError, StoreSchemaError
from qualmon.storage.migrate import upgrade as upgrade_schema
from qualmon.storage.open import _bring_up, open_store


def _fails(url: str, kind: type[StoreError], **how: bool) -> str:
    with pytest.raises(kind) as caught:
        open_store(url, busy_timeout=0.05, **how)
    assert caught.value.exit_code == 4
    assert "\n" not in str(caught.value)
    return str(caught.value)


def _sql(folder: Path, *statements: str) -> None:
    connection = sqlite3.connect(folder / "qualmon.db")
    for statement in statements:
        connection.execute(statement)
    connection.commit()
    connection.close()


def test_a_new_file_gets_the_schema(tmp_path: Path) -> None:
    """Missing, or there and empty."""
    (tmp_path / "qualmon.db").touch()
    for url in (url_of(tmp_path), f"sqlite:///{tmp_path}/other.db"):
        store = open_store(url)
        assert store.slot_counts() == {}
        store.dispose()


def test_it_may_be_opened_again(tmp_path: Path) -> None:
    """With what was written before."""
    store = new_store(tmp_path)
    closed(store, slot(1))
    store.dispose()
    again = open_store(url_of(tmp_path), create=False)
    assert again.slot_counts() == {("closed", ""): 1}
    again.dispose()


def test_connections_are_set_up_for_a_log(tmp_path: Path) -> None:
    """WAL with NORMAL: no loss by kill -9, and readers beside the writer."""
    store = new_store(tmp_path)
    with store._database.read() as connection:
        pragmas = [
            connection.exec_driver_sql(f"PRAGMA {name}").scalar()
            for name in ("journal_mode", "synchronous", "foreign_keys", "busy_timeout")
        ]
    assert pragmas == ["wal", 1, 1, 5000]
    store.dispose()


def test_create_false_makes_no_file(tmp_path: Path) -> None:
    """Commands that only look must not leave an empty store behind."""
    message = _fails(url_of(tmp_path), StoreError, create=False)
    assert "does not exist" in message
    assert not (tmp_path / "qualmon.db").exists()
    (tmp_path / "qualmon.db").touch()
    assert "is empty" in _fails(url_of(tmp_path), StoreSchemaError, create=False)


@pytest.mark.parametrize(
    ("url", "part"),
    [
        ("postgresql://me:secret@db/x", "is no file store"),
        ("sqlite://", "is no file store"),
        ("sqlite:///:memory:", "is no file store"),
        ("qualmon.db", "'qualmon.db'"),
    ],
)
def test_other_addresses(url: str, part: str) -> None:
    """Refused with the form that works; a password in them is not shown."""
    message = _fails(url, StoreError)
    assert part in message
    assert "Write it as sqlite:///FILE" in message
    assert "secret" not in message


def test_no_folder(tmp_path: Path) -> None:
    """A path through nothing, or through a regular file."""
    (tmp_path / "file").touch()
    for middle in ("file", "nowhere"):
        message = _fails(f"sqlite:///{tmp_path}/{middle}/a.db", StoreError)
        assert f"{tmp_path}/{middle} is not a folder" in message
        with pytest.raises(StoreError, match="is not a folder"):
            upgrade_schema(f"sqlite:///{tmp_path}/{middle}/a.db")


def test_a_folder_as_file(tmp_path: Path) -> None:
    """The store's path names a folder."""
    assert "is not a file" in _fails(f"sqlite:///{tmp_path}", StoreError)


def test_read_only(tmp_path: Path) -> None:
    """A store that can be read and not written is refused at once, not at the first answer."""
    new_store(tmp_path).dispose()
    url = f"sqlite:///file:{tmp_path}/qualmon.db?mode=ro&uri=true"
    message = _fails(url, StoreError)
    assert "readonly" in message
    assert "Make the file and its folder writable" in message


def _garbage(file: Path) -> None:
    file.write_bytes(b"not a database at all, but long enough to have a header" * 40)


def _truncated(file: Path) -> None:
    file.write_bytes(file.read_bytes()[:5000])


def _scribbled(file: Path) -> None:
    data = bytearray(file.read_bytes())
    data[100:4000] = b"\xa5" * 3900
    file.write_bytes(data)


@pytest.mark.parametrize("damage", [_garbage, _truncated, _scribbled])
def test_a_damaged_file(tmp_path: Path, damage: Callable[[Path], None]) -> None:
    """Not a database, cut short, or overwritten in its first page."""
    new_store(tmp_path).dispose()
    damage(tmp_path / "qualmon.db")
    message = _fails(url_of(tmp_path), StoreCorruptError)
    assert f"{tmp_path}/qualmon.db" in message
    assert "Restore it from a backup" in message


def test_locked_by_another_process(tmp_path: Path) -> None:
    """Who holds the write lock for longer than the time-out is named as the cause."""
    new_store(tmp_path).dispose()
    other = sqlite3.connect(tmp_path / "qualmon.db", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    message = _fails(url_of(tmp_path), StoreError)
    assert "locked" in message
    assert "Another process holds it" in message
    other.close()


def test_a_newer_schema(tmp_path: Path) -> None:
    """Refused with both revisions, upgrade or not."""
    new_store(tmp_path).dispose()
    _sql(tmp_path, "UPDATE alembic_version SET version_num = '9999'")
    for upgrade in (False, True):
        message = _fails(url_of(tmp_path), StoreSchemaError, upgrade=upgrade)
        assert "revision 9999" in message
        assert "0001" in message
        assert "Install the newer qualmon" in message


def test_another_programs_tables(tmp_path: Path) -> None:
    """Its file is left alone."""
    _sql(tmp_path, "CREATE TABLE recipes (x)")
    message = _fails(url_of(tmp_path), StoreSchemaError)
    assert "another program (recipes)" in message


def test_an_older_schema_waits_for_the_command(tmp_path: Path) -> None:
    """`qualmon run` does not migrate by itself; it names the command that does."""
    with pytest.raises(StoreSchemaError, match=r"revision 0000.*needs 0001.*`qualmon db upgrade`"):
        _bring_up(url_of(tmp_path), "0000", upgrade=False, create=True)
    assert list(tmp_path.iterdir()) == []


def test_a_store_migrated_down_to_nothing(tmp_path: Path) -> None:
    """A version table without a row is as good as an empty file."""
    _sql(tmp_path, "CREATE TABLE alembic_version (version_num VARCHAR(32) NOT NULL)")
    store = open_store(url_of(tmp_path))
    assert store.slot_counts() == {}
    store.dispose()
