"""`qualmon detect` as a program: pipes, exit codes, waiting for input."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest
from processes import PROGRAM, qualmon

pytestmark = pytest.mark.e2e

RATE = ("detect", "--arl", "50", "--null-rate", "0.01")


def piped(text: bytes, *words: str) -> subprocess.CompletedProcess[bytes]:
    """The command with `text` on standard input."""
    return subprocess.run([PROGRAM, *words], input=text, capture_output=True, timeout=60)


@pytest.mark.parametrize(
    ("text", "code"),
    [
        (b"", 0),
        (b'{"value": 0}\n', 0),
        (b'{"value": 1}\n' * 9, 1),
        (b'{"value": 1}\n' * 9 + b'{"value": NaN}', 2),
    ],
)
def test_exit_codes(text: bytes, code: int) -> None:
    """Nothing, health, an alarm, a bad line; the summary is always last."""
    done = piped(text, *RATE)
    assert done.returncode == code, done.stderr
    assert list(json.loads(done.stdout.splitlines()[-1])) == ["summary"]
    assert bool(done.stderr) is (code == 2)


@pytest.mark.parametrize(
    "words",
    [
        ("detect", "--arl", "50"),
        ("detect", "--arl", "50", "--null-rate", "nan"),
        ("detect", "--arl", "0", "--null-rate", "0.1"),
        ("detect", "--null-rate", "0.1"),
        ("detect", "--arl", "x", "--null-rate", "0.1"),
        ("detect", "--arl", "50", "--null-rate", "0.1", "--score-kind", "rank"),
        ("detect", "--arl", "50", "--baseline", "/nonexistent"),
    ],
)
def test_wrong_commands(words: tuple[str, ...]) -> None:
    """Exit 2, a line on stderr, nothing on stdout, no traceback."""
    done = qualmon(*words)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr
    assert "Traceback" not in done.stderr


def test_alarms_are_written_while_the_input_goes_on(tmp_path: Path) -> None:
    """A pipe that stays open: the alarm comes before its end."""
    with subprocess.Popen([PROGRAM, *RATE], stdin=-1, stdout=-1) as running:
        assert running.stdin
        assert running.stdout
        running.stdin.write(b'{"value": 1}\n' * 9)
        running.stdin.flush()
        assert json.loads(running.stdout.readline())["line"] <= 9
        running.stdin.close()
        assert b"summary" in running.stdout.read()
        assert running.wait(timeout=30) == 1


def test_a_reader_that_leaves_ends_it_quietly() -> None:
    """As with `| head -1`: no traceback, and not the exit code of a bad line or a bug."""
    with subprocess.Popen([PROGRAM, *RATE], stdin=-1, stdout=-1, stderr=-1) as running:
        assert running.stdin
        assert running.stdout
        assert running.stderr
        running.stdout.close()
        try:
            running.stdin.write(b'{"value": 1}\n' * 200_000)
            running.stdin.close()
        except BrokenPipeError:
            pass
        assert running.stderr.read() == b""
        assert running.wait(timeout=30) in (0, 1)
