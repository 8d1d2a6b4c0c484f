"""docs/howto/detect.md: its example runs as it stands, and its tables name what there is."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from qualmon.cli.detect import AfterAlarm, ScoreKind

PAGE = (Path(__file__).parents[2] / "docs" / "howto" / "detect.md").read_text("utf-8")


#: First block of each language.
BLOCKS: dict[str, str] = {}
for _language, _text in re.findall(r"^```(\w*)\n(.*?)^```$", PAGE, re.DOTALL | re.MULTILINE):
    BLOCKS.setdefault(_language, _text)
KEYS = ("value", "t", "stream", "prompt", "cluster")


def test_the_example_gives_what_the_page_shows(tmp_path: Path) -> None:
    """The program of the page writes the files, the command of the page judges them. Figures
    may differ by a hundredth, so that a finer fit of the baseline rewrites no page."""
    subprocess.run([sys.executable, "-c", BLOCKS["python"]], cwd=tmp_path, check=True)
    command, _, source = BLOCKS[""].strip().partition(" < ")
    with (tmp_path / source).open("rb") as lines:
        done = subprocess.run(
            [sys.executable, "-m", *command.split()],
            cwd=tmp_path, stdin=lines, capture_output=True, text=True,
        )  # fmt: skip
    assert done.stderr == ""
    shown = [json.loads(line) for line in BLOCKS["json"].splitlines()]
    given = [json.loads(line) for line in done.stdout.splitlines()]
    for item, other in zip(given, shown, strict=True):
        assert item == {
            key: pytest.approx(value, rel=0.01) if isinstance(value, float) else value
            for key, value in other.items()
        }
    assert f"The exit code is {done.returncode}" in PAGE
    alarm = given[0]
    hours = (alarm["t"] - (1767225600 + 3600 * 600)) / 3600
    late = (alarm["onset"] - (1767225600 + 3600 * 600)) / 3600
    assert f"It took {hours:.0f} hours, {alarm['line'] - 1800} answers" in PAGE
    assert f"dated {late:.0f} hours late" in PAGE


def test_the_tables_name_every_key_and_choice() -> None:
    """Of the alarm, of the input, and of the options."""
    alarm = json.loads(BLOCKS["json"].splitlines()[0])
    rows = "\n".join(line.split("|")[1] for line in PAGE.splitlines() if line.startswith("| "))
    assert [key for key in (*alarm, *KEYS) if f"`{key}`" not in rows] == []
    assert [kind for kind in ScoreKind if f"`{kind}`: " not in PAGE] == []
    assert f"`--after-alarm {AfterAlarm.stop}`" in PAGE
