"""A store has one service at a time."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from storage_kit import new_store, url_of

from qualmon.errors import StoreError
from qualmon.storage.lock import sole_service

HOLDER = """
import sys
from qualmon.storage.lock import sole_service
with sole_service(sys.argv[1]):
    print("held", flush=True)
    sys.stdin.read()
"""


def test_the_second_is_refused_until_the_first_ends(tmp_path: Path) -> None:
    """The error names the store; readers and other stores are free."""
    with sole_service(url_of(tmp_path)):
        refused = pytest.raises(StoreError, match=r"qualmon\.db.*another store")
        with refused, sole_service(url_of(tmp_path)):
            pass
        new_store(tmp_path).dispose()
        with sole_service(f"sqlite:///{tmp_path}/other.db"):
            pass
    with sole_service(url_of(tmp_path)):
        pass


def test_a_killed_holder_leaves_no_lock(tmp_path: Path) -> None:
    """The kernel takes it back, so that a restart needs no hand."""
    words = [sys.executable, "-c", HOLDER, url_of(tmp_path)]
    with subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"held\n"
        with pytest.raises(StoreError), sole_service(url_of(tmp_path)):
            pass
        holder.kill()
        holder.wait()
        with sole_service(url_of(tmp_path)):
            pass


def test_a_folder_that_takes_no_file(tmp_path: Path) -> None:
    """Told with the place."""
    refused = pytest.raises(StoreError, match=r"missing/q\.db\.lock")
    with refused, sole_service(f"sqlite:///{tmp_path}/missing/q.db"):
        pass
