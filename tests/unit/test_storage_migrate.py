"""Migrating from nothing gives exactly the schema of the tables, and back gives nothing."""

from __future__ import annotations

import re
import threading
from pathlib import Path

import pytest
import sqlalchemy as sa
from alembic.script import ScriptDirectory
from storage_kit import url_of

from alembic import command
from qualmon.storage.database import Database
from qualmon.storage.migrate import alembic_config, revision_of, upgrade
from qualmon.storage.tables import REVISIONS, metadata


def _schema(connection: sa.Connection) -> dict[str, str]:
    """Every CREATE statement the database remembers, without alembic's own table."""
    rows = connection.exec_driver_sql(
        "SELECT name, sql FROM sqlite_master WHERE sql IS NOT NULL AND name <> 'alembic_version'"
    )
    return {name: re.sub(r"\s+", " ", sql) for name, sql in rows}


def test_migrations_build_what_the_tables_say(tmp_path: Path) -> None:
    """Columns, types, keys, CHECKs and indexes, word by word."""
    upgrade(url_of(tmp_path))
    migrated = Database(url_of(tmp_path))
    direct = Database(f"sqlite:///{tmp_path}/direct.db")
    with direct.write() as connection:
        metadata.create_all(connection)
    with migrated.read() as left, direct.read() as right:
        assert _schema(left) == _schema(right)
        checks = " ".join(_schema(left).values())
    assert "ck_slots_state CHECK" in checks
    assert "WITHOUT ROWID" in checks
    migrated.dispose()
    direct.dispose()


def test_autogenerate_sees_no_difference(tmp_path: Path) -> None:
    """alembic's own comparison agrees."""
    upgrade(url_of(tmp_path))
    database = Database(url_of(tmp_path))
    with database.write() as connection:
        command.check(alembic_config(connection))
    database.dispose()


def test_down_and_up_again(tmp_path: Path) -> None:
    """The way back leaves no table, and the way up works from there."""
    url = url_of(tmp_path)
    assert upgrade(url) == (None, REVISIONS[-1])
    database = Database(url, foreign_keys=False)
    with database.write() as connection:
        before = _schema(connection)
        command.downgrade(alembic_config(connection), "base")
        assert _schema(connection) == {}
        assert revision_of(connection) is None
    assert upgrade(url) == (None, REVISIONS[-1])
    with database.read() as connection:
        assert _schema(connection) == before
    database.dispose()


def test_upgrading_twice_changes_nothing(tmp_path: Path) -> None:
    """The second time there is nothing to do."""
    upgrade(url_of(tmp_path))
    assert upgrade(url_of(tmp_path)) == (REVISIONS[-1], REVISIONS[-1])


def test_the_known_revisions_are_alembics(tmp_path: Path) -> None:
    """The list in the program, by which newer and older are told apart, is the folder's."""
    database = Database(url_of(tmp_path))
    with database.write() as connection:
        scripts = ScriptDirectory.from_config(alembic_config(connection))
        walked = [script.revision for script in scripts.walk_revisions()]
    database.dispose()
    assert tuple(reversed(walked)) == REVISIONS


def test_a_failing_migration_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All or nothing: here the last step of creation is refused by the database."""
    database = Database(url_of(tmp_path))
    with database.write() as connection:
        connection.exec_driver_sql("CREATE TABLE alembic_version (version_num VARCHAR(32))")
        connection.exec_driver_sql("CREATE TABLE scores (clash)")
    with pytest.raises(Exception, match="scores already exists"):
        upgrade(url_of(tmp_path))
    with database.read() as connection:
        assert set(_schema(connection)) == {"scores"}
    database.dispose()


def test_many_at_once(tmp_path: Path) -> None:
    """Services started together on an empty file all end with the schema."""
    results: list[object] = []

    def work() -> None:
        try:
            results.append(upgrade(url_of(tmp_path)))
        except Exception as error:  # noqa: BLE001 - shown by the assertion
            results.append(error)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(map(str, results)) == sorted(
        [str((None, REVISIONS[-1])), *[str((REVISIONS[-1], REVISIONS[-1]))] * 3]
    )
