"""The store under kill -9 and under several processes at once: nothing lost, nothing doubled."""

from __future__ import annotations

import random
import subprocess
import sys
import time
from pathlib import Path

import storage_worker

from qualmon.storage.integrity import check
from qualmon.storage.open import open_store
from qualmon.types import ClosedRound

WORKER = Path(storage_worker.__file__)


def _start(folder: Path, slots: int, owner: str, lease: float) -> subprocess.Popen[bytes]:
    arguments = (f"sqlite:///{folder}/qualmon.db", str(folder / "calls"), str(slots), owner)
    return subprocess.Popen([sys.executable, str(WORKER), *arguments, str(lease)])


def _lines(folder: Path) -> list[str]:
    calls = folder / "calls"
    return calls.read_text().split("\n")[:-1] if calls.exists() else []


def _wait_for_lines(folder: Path, count: int, process: subprocess.Popen[bytes]) -> None:
    """Until the worker has got somewhere, so that each kill hits it at work."""
    until = time.monotonic() + 30
    while len(_lines(folder)) < count and process.poll() is None:
        assert time.monotonic() < until, "the worker makes no progress"
        time.sleep(0.01)


def _agrees(folder: Path, slots: int) -> None:
    """Each slot closed once with all its members; the fold sees them in order."""
    url = f"sqlite:///{folder}/qualmon.db"
    assert check(url) == []
    store = open_store(url)
    assert store.slot_counts() == {("closed", ""): slots}
    after, seen = None, 0
    while (found := store.next_closed(after)) is not None:
        assert isinstance(found, ClosedRound)
        after = found.slot
        assert [scored.outcome for scored in found.members] == ["ok"] * 6
        assert {len(scored.scores) for scored in found.members} == {1}
        seen += 1
    assert seen == slots
    store.dispose()


def test_five_kills(tmp_path: Path) -> None:
    """A killed worker costs one repeated call at most, never an observation or a slot."""
    slots, kills, draw = 400, 5, random.Random(5)
    for kill in range(kills):
        process = _start(tmp_path, slots, f"w{kill}", lease=0.1)
        _wait_for_lines(tmp_path, len(_lines(tmp_path)) + draw.randint(20, 200), process)
        process.kill()
        assert process.wait() == -9, "the worker ended before it was killed; give it more slots"
        assert check(f"sqlite:///{tmp_path}/qualmon.db") == []
    assert _start(tmp_path, slots, "last", lease=0.1).wait(60) == 0
    _agrees(tmp_path, slots)
    calls = [line for line in _lines(tmp_path) if not line.startswith("closed")]
    assert len(set(calls)) == slots * 6
    assert len(calls) <= slots * 6 + kills


def test_processes_share_the_work(tmp_path: Path) -> None:
    """Three start on a missing file; with leases longer than the work nothing is done twice."""
    slots = 60
    workers = [_start(tmp_path, slots, f"w{number}", lease=60.0) for number in range(3)]
    assert [worker.wait(60) for worker in workers] == [0, 0, 0]
    _agrees(tmp_path, slots)
    lines = _lines(tmp_path)
    assert len(lines) == len(set(lines)) == slots * 7
