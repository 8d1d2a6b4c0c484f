"""YAML is read as its 1.2 core schema, bounded, and with the line of every path."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from qualmon.config.yamlfile import MAX_BYTES, read_yaml
from qualmon.errors import ConfigError


def read(folder: Path, text: str | bytes) -> dict[str, Any]:
    """The mapping in a file that holds `text`."""
    path = folder / "file.yaml"
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    data, report = read_yaml(path)
    report.raise_if_any()
    return data


@pytest.mark.parametrize(
    ("text", "value"),
    [("yes", "yes"), ("off", "off"), ("no", "no"), ("true", True), ("False", False), ("~", None),
     ("", None), ("12:30", "12:30"), ("2025-05-14", "2025-05-14"), ("010", 10), ("1e-3", 0.001),
     ("1_000", "1_000"), ("0x10", "0x10"), ("'5'", "5"), (".inf", ".inf"), ("1e999", "1e999"),
     ("9" * 30, 1e30), ("-3", -3), ("1.", 1.0), ("[a, 1]", ["a", 1]), ("{a: }", {"a": None})],
)  # fmt: skip
def test_scalars(tmp_path: Path, text: str, value: Any) -> None:
    """Nothing turns into a boolean, a date or a sum of minutes behind the writer's back."""
    found = read(tmp_path, f"key: {text}\n")["key"]
    assert found == value
    assert type(found) is type(value)


def test_aliases_share_a_value(tmp_path: Path) -> None:
    """An anchor's value may be used again."""
    assert read(tmp_path, "a: &x {rate: 5/s}\nb: *x\n")["b"] == {"rate": "5/s"}


def test_a_byte_order_mark_is_accepted(tmp_path: Path) -> None:
    """Editors that add one do no harm."""
    assert read(tmp_path, b"\xef\xbb\xbfa: 1\n") == {"a": 1}


@pytest.mark.parametrize("wrong", [".", "missing.yaml", "x" * 300, "nul\0byte"])
def test_files_that_cannot_be_read(tmp_path: Path, wrong: str) -> None:
    """A folder, a missing file and an impossible name are located mistakes."""
    with pytest.raises(ConfigError) as caught:
        read_yaml(tmp_path / wrong)
    assert caught.value.problems[0].line == 1


def test_a_huge_file_is_refused(tmp_path: Path) -> None:
    """Reading stops at the limit."""
    with pytest.raises(ConfigError, match="4 MiB"):
        read(tmp_path, b"a: 1\n" + b"#" * MAX_BYTES)


@pytest.mark.parametrize("text", ["a: " + "[" * 100_000, "a: " + "{a: " * 50_000, "- " * 50_000])
def test_deep_nesting_is_refused(tmp_path: Path, text: str) -> None:
    """Depth ends in a message, not in a crash."""
    with pytest.raises(ConfigError, match="nested deeper"):
        read(tmp_path, text)


def test_an_anchor_inside_itself_is_refused(tmp_path: Path) -> None:
    """No value may contain itself."""
    with pytest.raises(ConfigError, match="no finished anchor"):
        read(tmp_path, "a: &a [*a]\n")


def test_lines_of_paths(tmp_path: Path) -> None:
    """A path that is not in the file takes the line of its nearest ancestor."""
    path = tmp_path / "f.yaml"
    path.write_text("a:\n  - b: 1\n    c:\n      d: 2\n")
    _, report = read_yaml(path)
    for where in ((), ("a", 0, "b"), ("a", 0, "c", "d"), ("a", 0, "c", "missing")):
        report.add(where, "x")
    assert [problem.line for problem in report.problems] == [1, 2, 4, 3]
    assert report.problems[2].path == "a[0].c.d"
