"""``check`` and ``init`` print and return what the command line contract says."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
import typer

from qualmon.cli.check import check
from qualmon.cli.init import init


def refused(command: Callable[..., None], *args: object) -> bool:
    """Whether a command ends with exit code 2."""
    with pytest.raises(typer.Exit) as caught:
        command(*args)
    return caught.value.exit_code == 2


@pytest.fixture
def path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A fresh configuration whose key is set."""
    monkeypatch.setenv("OPENAI_API_KEY", "sk-1")
    init(tmp_path / "new/folder")
    return tmp_path / "new/folder/qualmon.yaml"


def test_init_says_what_to_do_next(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The file is there, and the next command is named."""
    init(tmp_path)
    assert f"qualmon check -c {tmp_path / 'qualmon.yaml'}" in capsys.readouterr().out


def test_init_never_replaces_unasked(path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Exit 2 and the file untouched; --force replaces it."""
    path.write_text("mine")
    assert refused(init, path.parent)
    assert path.read_text() == "mine"
    assert "--force" in capsys.readouterr().err
    init(path.parent, force=True)
    assert path.read_text() != "mine"


def test_init_into_a_file_is_one_clear_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A folder that cannot be made is no traceback."""
    (tmp_path / "file").write_text("")
    assert refused(init, tmp_path / "file/sub")
    assert len(capsys.readouterr().err.splitlines()) == 1


def test_check_prints_the_day(path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Requests, tokens and cost, per target, per suite and in total."""
    check(path)
    out = capsys.readouterr().out
    for piece in ("my-model/first-party/default", "suite core", "total", "1,152", "0.25"):
        assert piece in out


def test_check_json(path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """One object with no errors and the day's figures."""
    capsys.readouterr()
    check(path, as_json=True)
    found = json.loads(capsys.readouterr().out)
    assert found["errors"] == []
    assert found["per_day"]["requests"] == 1152
    assert found["per_day"]["targets"]["my-model/first-party/default"]["usd"] > 0


def test_check_tells_what_is_unknown(path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A missing price and missing limits are said, not hidden."""
    lines = path.read_text().splitlines()
    kept = [
        line for line in lines if not line.lstrip().startswith(("prices", "my-model", "limits"))
    ]
    path.write_text("\n".join(kept))
    check(path)
    out = capsys.readouterr().out
    assert "no price" in out
    assert "without a price" in out
    assert "without limits" in out


def test_check_prints_every_mistake(path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Exit 2, nothing on stdout, one line per mistake on stderr."""
    path.write_text(path.read_text().replace("5m", "soon").replace("drain", "drian"))
    capsys.readouterr()
    assert refused(check, path)
    captured = capsys.readouterr()
    assert captured.out == ""
    assert [line.split(": ")[1] for line in captured.err.splitlines()] == [
        "drian", "suites[0].every",
    ]  # fmt: skip


def test_check_json_locates_mistakes(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Errors are objects with file, line, path and message."""
    assert refused(check, tmp_path / "absent.yaml", True)
    found = json.loads(capsys.readouterr().out)
    assert found["per_day"] == {}
    (error,) = found["errors"]
    assert set(error) == {"file", "line", "path", "message"}
    assert error["file"].endswith("absent.yaml")
