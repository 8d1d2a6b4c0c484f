"""YAML with line numbers, read from the parser's events under limits.

Scalars follow the YAML 1.2 core schema: only true and false are booleans, and neither
``no``, ``12:30`` nor ``2025-05-14`` turns into something that the writer did not mean.
Aliases share one value and are counted at their full size, so that a small file cannot
describe a huge tree; nothing is ever constructed but text, numbers, lists and mappings.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import yaml

from qualmon.config.report import FILE, Report, Step
from qualmon.errors import ConfigError, Problem

MAX_BYTES: Final = 4 * 1024 * 1024
MAX_VALUES: Final = 200_000
MAX_DEPTH: Final = 32

_LOADER = getattr(yaml, "CBaseLoader", yaml.BaseLoader)
_INT = re.compile(r"[-+]?[0-9]{1,18}")
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?")
_WORDS: Final[Mapping[str, Any]] = {
    "": None, "~": None, "null": None, "Null": None, "NULL": None,
    "true": True, "True": True, "TRUE": True, "false": False, "False": False, "FALSE": False,
}  # fmt: skip
_UNPRINTABLE = re.compile(
    "[^\t\n\r\x20-\x7e\x85\xa0-\ud7ff\ufeff\ue000-\ufffd\U00010000-\U0010ffff]"
)


class _Stop(Exception):  # noqa: N818 - ends the reading of a file, never leaves this module
    def __init__(self, line: int, message: str) -> None:
        self.line, self.message = line, message


@dataclass
class _Builder:
    """Turns events into values; `lines` maps paths to lines, `problems` survive the reading."""

    events: Iterator[Any]
    file: str
    lines: dict[tuple[Step, ...], int] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)
    anchors: dict[str, tuple[Any, int]] = field(default_factory=dict)

    def document(self) -> Any:
        next(self.events)  # stream start
        event = next(self.events)
        if isinstance(event, yaml.StreamEndEvent):
            return None
        value, _ = self.value(next(self.events), ())
        next(self.events)  # document end
        event = next(self.events)
        if not isinstance(event, yaml.StreamEndEvent):
            message = "a second document starts here; keep one document per file"
            self.problems.append(Problem(self.file, _line(event), FILE, message))
        return value

    def value(self, event: Any, path: tuple[Step, ...]) -> tuple[Any, int]:
        """The value that starts with `event`, and how many values it holds in all."""
        self.lines.setdefault(path, _line(event))
        if isinstance(event, yaml.AliasEvent):
            return self.alias(event)
        if event.tag is not None:
            raise _Stop(_line(event), f"the tag {event.tag!r} is not read here; take it out")
        if len(path) > MAX_DEPTH:
            raise _Stop(_line(event), f"nested deeper than {MAX_DEPTH} levels; flatten it")
        value, size = self.untagged(event, path)
        if size > MAX_VALUES:
            raise _Stop(_line(event), f"more than {MAX_VALUES} values, aliases counted in full")
        if event.anchor is not None:
            self.anchors[event.anchor] = value, size
        return value, size

    def untagged(self, event: Any, path: tuple[Step, ...]) -> tuple[Any, int]:
        if isinstance(event, yaml.ScalarEvent):
            return (_resolve(event.value) if event.implicit[0] else event.value), 1
        if isinstance(event, yaml.SequenceStartEvent):
            return self.sequence(path)
        return self.mapping(path)

    def alias(self, event: Any) -> tuple[Any, int]:
        if event.anchor not in self.anchors:
            raise _Stop(
                _line(event), f"the alias *{event.anchor} has no finished anchor above it; add one"
            )
        return self.anchors[event.anchor]

    def sequence(self, path: tuple[Step, ...]) -> tuple[list[Any], int]:
        items: list[Any] = []
        total = 1
        while not isinstance(event := next(self.events), yaml.SequenceEndEvent):
            item, size = self.value(event, (*path, len(items)))
            items.append(item)
            total = self.grown(total, size, event)
        return items, total

    def mapping(self, path: tuple[Step, ...]) -> tuple[dict[str, Any], int]:
        pairs: dict[str, Any] = {}
        total = 1
        while not isinstance(event := next(self.events), yaml.MappingEndEvent):
            key = self.key(event)
            where, known = (*path, key), key in pairs
            if known:
                self.duplicate(where, event)
            self.lines.setdefault(where, _line(event))
            item, size = self.value(next(self.events), where)
            if not known:
                pairs[key] = item
            total = self.grown(total, size, event)
        return pairs, total

    def key(self, event: Any) -> str:
        if not isinstance(event, yaml.ScalarEvent):
            raise _Stop(_line(event), "a key must be plain text; lists and mappings cannot be keys")
        if event.value == "<<":
            raise _Stop(
                _line(event), "merge keys (<<) are not read; repeat the keys or alias their values"
            )
        return event.value

    def grown(self, total: int, size: int, event: Any) -> int:
        if total + size > MAX_VALUES:
            raise _Stop(_line(event), f"more than {MAX_VALUES} values, aliases counted in full")
        return total + size

    def duplicate(self, where: tuple[Step, ...], event: Any) -> None:
        message = f"the key stands twice, first in line {self.lines[where]}; keep one of them"
        report = Report(self.file, self.lines)
        self.problems.append(Problem(self.file, _line(event), report.render(where), message))


def _line(event: Any) -> int:
    return int(event.start_mark.line) + 1


def _resolve(text: str) -> Any:
    if text in _WORDS:
        return _WORDS[text]
    if _INT.fullmatch(text):
        return int(text)
    if _FLOAT.fullmatch(text) and math.isfinite(number := float(text)):
        return number
    return text


def read_yaml(path: Path) -> tuple[dict[str, Any], Report]:
    """The mapping in a YAML file, and a report that knows the line of each path in it.

    Duplicate keys are in the report already. Raises ConfigError when the file cannot be
    read, is larger than 4 MiB, is not UTF-8, not YAML, or not a mapping.
    """
    file = str(path)
    try:
        data, report = _build(_text(path), file)
    except _Stop as stop:
        raise ConfigError((Problem(file, stop.line, FILE, stop.message),)) from None
    if not isinstance(data, dict):
        what = "is empty" if data is None else "does not hold `key: value` lines at its top"
        message = f"the file {what}; write some (`qualmon init` writes a first file)"
        raise ConfigError((*report.problems, Problem(file, 1, FILE, message)))
    return data, report


def _text(path: Path) -> str:
    try:
        with path.open("rb") as stream:
            raw = stream.read(MAX_BYTES + 1)
    except FileNotFoundError:
        raise _Stop(
            1, "there is no such file; correct the path (`qualmon init` writes a first one)"
        ) from None
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else str(error)
        raise _Stop(1, f"the file cannot be read: {reason}; check path and permissions") from None
    if len(raw) > MAX_BYTES:
        raise _Stop(1, f"the file is larger than {MAX_BYTES // 1024**2} MiB; split it up")
    return _decoded(raw)


def _decoded(raw: bytes) -> str:
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        raise _Stop(
            line, f"the byte 0x{raw[error.start]:02x} is not UTF-8; save the file as UTF-8"
        ) from None
    if bad := _UNPRINTABLE.search(text):
        line = text.count("\n", 0, bad.start()) + 1
        raise _Stop(line, f"the control character U+{ord(bad[0]):04X} is not allowed; remove it")
    return text


def _build(text: str, file: str) -> tuple[Any, Report]:
    builder = _Builder(yaml.parse(text, Loader=_LOADER), file)
    try:
        data = builder.document()
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line if error.problem_mark else 0
        raise _Stop(line + 1, _syntax(text, line, error)) from None
    except yaml.YAMLError as error:
        raise _Stop(1, f"not YAML: {' '.join(str(error).split())}") from None
    return data, Report(file, builder.lines, builder.problems)


def _syntax(text: str, line: int, error: yaml.MarkedYAMLError) -> str:
    rows = text.splitlines()
    row = rows[line] if line < len(rows) else ""
    if "\t" in row[: len(row) - len(row.lstrip())]:
        return "the line is indented with a tab; YAML allows only spaces"
    return f"not YAML: {error.problem or error.context}; check quotes, brackets and indentation"
