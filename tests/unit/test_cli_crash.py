"""A bug of qualmon's own does not look like a finding."""

from __future__ import annotations

import pytest

import qualmon.cli


def test_a_crash_exits_70_with_its_traceback(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """1 would say that a regression was found."""

    def broken() -> None:
        raise ZeroDivisionError("of our own")

    monkeypatch.setattr(qualmon.cli, "app", broken)
    with pytest.raises(SystemExit) as ended:
        qualmon.cli.main()
    assert ended.value.code == 70
    assert "ZeroDivisionError: of our own" in capsys.readouterr().err
