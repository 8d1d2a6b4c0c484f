"""A service that cannot start says why in one clear line, with the right exit code."""

from __future__ import annotations

import os
import socket
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest
from processes import child, one_line, qualmon, targets, write_config

pytestmark = pytest.mark.e2e

NOBODY = "http://127.0.0.1:9"


@pytest.fixture
def config(tmp_path: Path) -> Path:
    """A sound configuration of targets that do not answer."""
    return write_config(tmp_path, targets(NOBODY))


def test_port_in_use(tmp_path: Path) -> None:
    """Whoever serves is told the address that is taken."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        config = write_config(tmp_path, targets(NOBODY), listen=f"127.0.0.1:{port}")
        for words in (("run", "-c", config), ("sim", "--port", port), ("demo", "--port", port)):
            assert f"127.0.0.1:{port}" in one_line(qualmon(*words), 4)


def test_address_of_another_machine(tmp_path: Path) -> None:
    """An address that cannot be listened on is told with the key to change."""
    config = write_config(tmp_path, targets(NOBODY), listen="192.0.2.1:9464")
    assert "`listen`" in one_line(qualmon("run", "-c", config), 4)


def test_no_place_for_the_store(tmp_path: Path) -> None:
    """A folder that is missing, a folder in the file's place, a place that takes no files."""
    (tmp_path / "folder").mkdir()
    for place in (tmp_path / "missing/q.db", tmp_path / "folder", Path("/proc/q.db")):
        config = write_config(tmp_path, targets(NOBODY), store=f"sqlite:///{place}")
        assert str(place.parent) in one_line(qualmon("run", "-c", config), 4)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_read_only_store(config: Path) -> None:
    """A file that may only be read is no store."""
    qualmon("db", "upgrade", "-c", config)
    (config.parent / "qualmon.db").chmod(0o444)
    assert "writable" in one_line(qualmon("run", "-c", config), 4)


def newer(store: Path) -> None:
    """Marks a store as written by a later program."""
    with closing(sqlite3.connect(store)) as connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")
        connection.commit()


def garbage(store: Path) -> None:
    """Puts something else in its place."""
    store.write_bytes(b"This is no database. " * 500)


def damaged(store: Path) -> None:
    """Overwrites all pages but the first."""
    raw = store.read_bytes()
    store.write_bytes(raw[:4096] + b"\xa5" * (len(raw) - 4096))


def foreign(store: Path) -> None:
    """A database of another program."""
    store.unlink()
    with closing(sqlite3.connect(store)) as connection:
        connection.execute("CREATE TABLE songs (name TEXT)")


@pytest.mark.parametrize(
    ("harm", "hint"),
    [(newer, "9999"), (garbage, "backup"), (damaged, "backup"), (foreign, "songs")],
)
def test_unusable_store(config: Path, harm: Callable[[Path], None], hint: str) -> None:
    """Refused with the file and what is wrong with it, and left as it is."""
    assert qualmon("db", "upgrade", "-c", config).returncode == 0
    store = config.parent / "qualmon.db"
    harm(store)
    before = store.read_bytes()
    for words in (("run",), ("db", "check")):
        line = one_line(qualmon(*words, "-c", config), 4)
        assert str(store) in line
        assert hint in line
    assert store.read_bytes() == before


def test_every_command_refuses_a_newer_store(config: Path) -> None:
    """Whatever it was going to do."""
    assert qualmon("db", "upgrade", "-c", config).returncode == 0
    newer(config.parent / "qualmon.db")
    for words in ("incidents list", "explain x", "db upgrade", "db rebuild", "probe"):
        assert "9999" in one_line(qualmon(*words.split(), "-c", config), 4)


def test_missing_store(config: Path) -> None:
    """Commands that only read create no store."""
    for words in (("incidents", "list"), ("explain", "x"), ("db", "check"), ("db", "rebuild")):
        assert "does not exist" in one_line(qualmon(*words, "-c", config), 4)
    assert not (config.parent / "qualmon.db").exists()


@pytest.mark.parametrize("words", [("run",), ("check",), ("probe",), ("incidents", "list")])
def test_missing_config(tmp_path: Path, words: tuple[str, ...]) -> None:
    """The file that is not there is named, and how to make one."""
    line = one_line(qualmon(*words, "-c", tmp_path / "none.yaml"), 2)
    assert str(tmp_path / "none.yaml") in line
    assert "qualmon init" in line


def test_bad_config_on_run(config: Path) -> None:
    """All mistakes at once; nothing is started and no store made."""
    text = config.read_text().replace("drain", "drian").replace("every: 1s", "every: 1ms")
    config.write_text(text)
    done = qualmon("run", "-c", config)
    assert done.returncode == 2
    assert len(done.stderr.splitlines()) == 2
    assert not (config.parent / "qualmon.db").exists()


def test_unknown_words(config: Path) -> None:
    """Roles and levels that there are not."""
    assert "all" in one_line(qualmon("run", "-c", config, "--role", "cook"), 2)
    assert "debug" in one_line(qualmon("run", "-c", config, "--log-level", "loud"), 2)
    assert qualmon("dance").returncode == 2


def test_second_service_on_one_store(config: Path) -> None:
    """Two services would void each other's leases: the second is refused."""
    with child(config.parent / "run.log", "run", "-c", config) as first:
        first.wait_said("pages and metrics at")
        for words in (("run",), ("db", "rebuild")):
            assert "another qualmon" in one_line(qualmon(*words, "-c", config), 4)
        assert qualmon("incidents", "list", "-c", config).returncode == 0
        assert first.stop() == 0
