"""`db check` names what is wrong with a store, and is silent about a sound one."""

from __future__ import annotations

import sqlite3
from dataclasses import asdict
from pathlib import Path

import pytest
from storage_kit import closed, incident, new_store, slot, transition, url_of

from qualmon.errors import StoreCorruptError, StoreError
from qualmon.storage.integrity import check


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Three closed slots, the first two folded, one open."""
    store = new_store(tmp_path)
    for number in (1, 2, 3):
        closed(store, slot(number))
    store.materialise(
        [slot(4), slot(0, suite="probe", every=0.0), slot(9, suite="probe", every=0.0)]
    )
    store.miss(slot(0, suite="probe", every=0.0), "lag", 1.0)
    bad = incident()
    store.commit_fold(slot(1), {}, [asdict(bad)], [transition(bad)])
    store.commit_fold(slot(2), {}, [], [])
    store.add_epoch(1.0, b"doc")
    store.dispose()
    return tmp_path


def _break(folder: Path, *statements: str) -> list[str]:
    connection = sqlite3.connect(folder / "qualmon.db")
    connection.execute("PRAGMA ignore_check_constraints=ON")
    for statement in statements:
        connection.execute(statement)
    connection.commit()
    connection.close()
    return check(url_of(folder))


def test_a_sound_store(folder: Path) -> None:
    """Nothing to say; slots outside any schedule may skip numbers."""
    assert check(url_of(folder)) == []


@pytest.mark.parametrize(
    ("statement", "part"),
    [
        ("DELETE FROM slots WHERE idx = 4", None),
        ("UPDATE slots SET idx = 7 WHERE idx = 4", "core/m jumps from 3 to 7"),
        ("UPDATE slots SET members = NULL WHERE idx = 3", "CHECK constraint failed in slots"),
        ("UPDATE slots SET members = x'5b5d' WHERE idx = 3", "is no member of its slot core/m/3"),
        ("DELETE FROM observations", "refers to a missing row of observations"),
        ("DELETE FROM incidents", "transitions: row 1 refers to a missing row of incidents"),
        ("UPDATE cursor SET due = 1e9", "cursor: core/m/2 is not in the ledger"),
        ("UPDATE slots SET state = 'claimed' WHERE idx = 1", "past the open core/m/1"),
        ("UPDATE epochs SET doc = x'00'", "epochs: 1 does not match its digest"),
        ("DROP INDEX ix_slots_state_reason", None),
    ],
)
def test_what_is_wrong_is_named(folder: Path, statement: str, part: str | None) -> None:
    """One tampering each; losing only open work or an index is no damage."""
    problems = _break(folder, statement)
    if part is None:
        assert problems == []
    else:
        assert any(part in problem for problem in problems), problems


def test_a_value_that_nobody_wrote(folder: Path) -> None:
    """Sound for the database, unreadable for qualmon: damage, not a crash."""
    with pytest.raises(StoreCorruptError, match="a stored value cannot be read"):
        _break(folder, "UPDATE slots SET members = x'ff00' WHERE idx = 3")


def test_long_lists_are_cut(folder: Path) -> None:
    """A store with a million problems is told in a few lines."""
    store = new_store(folder)
    for number in range(10, 70, 2):
        store.materialise([slot(number)])
    store.dispose()
    problems = check(url_of(folder))
    assert len(problems) == 21
    assert problems[-1] == "... and more of the same"


def test_damage_inside_the_file(folder: Path) -> None:
    """A page overwritten in the middle is found though the store opens."""
    new_store(folder).dispose()
    file = folder / "qualmon.db"
    data = bytearray(file.read_bytes())
    connection = sqlite3.connect(file)
    root = connection.execute(
        "SELECT rootpage FROM sqlite_master WHERE name = 'observations'"
    ).fetchone()[0]
    connection.close()
    start = (root - 1) * 4096
    data[start : start + 4096] = b"\xa5" * 4096
    file.write_bytes(data)
    try:
        problems = check(url_of(folder))
    except StoreCorruptError:
        return
    assert any(problem.startswith("file: ") for problem in problems)


def test_no_store(tmp_path: Path) -> None:
    """There is nothing to check, and checking creates nothing."""
    with pytest.raises(StoreError, match="does not exist"):
        check(url_of(tmp_path))
    assert list(tmp_path.iterdir()) == []
