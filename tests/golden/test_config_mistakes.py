"""Every mistake in a configuration is told with file, line, path, value and remedy."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from qualmon.config import load
from qualmon.errors import ConfigError

FOLDER = Path(__file__).parent / "config"
CASES = sorted(path.stem for path in FOLDER.glob("*.yaml"))
ENVIRON = {"KEY": "sk-abcdefgh12345678", "EMPTY_KEY": "", "TWO_LINES": "sk-one\nsk-two"}
SUITE_FOLDER = str(FOLDER.resolve())


def told(case: str) -> str:
    """What `load` says about one file, one problem per line."""
    with pytest.raises(ConfigError) as caught:
        load(Path(f"{case}.yaml"), ENVIRON)
    lines = [str(problem) for problem in caught.value.problems]
    return "".join(f"{line.replace(SUITE_FOLDER + os.sep, '')}\n" for line in lines)


@pytest.mark.parametrize("case", CASES)
def test_the_mistake_is_told_exactly_so(case: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The lines for this file are those of its golden twin."""
    monkeypatch.chdir(FOLDER)
    assert told(case) == (FOLDER / f"{case}.txt").read_text("utf-8")


def test_there_are_golden_files_for_many_kinds_of_mistakes() -> None:
    """At least twenty-five distinct mistakes stand here, each with its expected output."""
    assert len(CASES) >= 25
    assert sorted(path.stem for path in FOLDER.glob("*.txt")) == CASES


@pytest.mark.parametrize("case", CASES)
def test_no_secret_is_ever_told(case: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither keys from the environment nor keys written into the file show in a message."""
    monkeypatch.chdir(FOLDER)
    text = told(case)
    for secret in (*filter(None, ENVIRON.values()), "sk-0123456789abcdef", "hunter2", "Bearer x"):
        assert secret not in text
        assert json.dumps(secret)[1:-1] not in text
