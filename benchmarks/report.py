"""What a section of a benchmark reports: targets with verdicts, and tables to read."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class Row:
    """One figure. item: the requirement's number; low, high: 95 % interval of the figure where
    it was simulated; target: as text, empty for a figure without one; met: None without one."""

    item: str
    case: str
    value: float
    target: str = ""
    met: bool | None = None
    low: float | None = None
    high: float | None = None
    unit: str = ""
    note: str = ""


@dataclass(frozen=True, slots=True)
class Table:
    """Figures side by side; cells are numbers, short texts or None."""

    title: str
    header: tuple[str, ...]
    rows: tuple[tuple[float | str | None, ...], ...]
    note: str = ""


@dataclass(frozen=True, slots=True)
class Part:
    """Rows and tables of a piece of a section."""

    rows: tuple[Row, ...]
    tables: tuple[Table, ...]


@dataclass(frozen=True, slots=True)
class Section:
    """One part of a benchmark, as run."""

    name: str
    rows: tuple[Row, ...]
    tables: tuple[Table, ...] = ()
    seconds: float = 0.0

    def document(self) -> dict[str, Any]:
        """JSON-ready: non-finite numbers become None."""
        found = _plain(asdict(self))
        assert isinstance(found, dict)
        return found


@dataclass(frozen=True, slots=True)
class Setting:
    """How to run. full: tighter figures, minutes rather than seconds; seed: of everything."""

    full: bool = False
    seed: int = 1
    extra: dict[str, str] = field(default_factory=dict)


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _plain(part) for key, part in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(part) for part in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value


def show(section: Section) -> str:
    """The section as text for a terminal."""
    lines = [f"== {section.name} ({section.seconds:.0f} s)"]
    for table in section.tables:
        lines += ["", table.title, *_grid(table.header, table.rows)]
        lines += [table.note] if table.note else []
    if section.rows:
        lines += ["", *_targets(section.rows)]
    return "\n".join(lines)


def _targets(rows: tuple[Row, ...]) -> list[str]:
    header = ("item", "case", "value", "95 % interval", "target", "met", "note")
    verdict = {True: "yes", False: "NO", None: ""}
    body = tuple(
        (
            row.item,
            row.case,
            f"{_text(row.value)} {row.unit}".strip(),
            "" if row.low is None else f"{_text(row.low)} - {_text(row.high)}",
            row.target,
            verdict[row.met],
            row.note,
        )
        for row in rows
    )
    return _grid(header, body)


def _grid(header: tuple[str, ...], rows: tuple[tuple[float | str | None, ...], ...]) -> list[str]:
    cells = [header, *[tuple(_text(cell) for cell in row) for row in rows]]
    widths = [max(len(row[i]) for row in cells) for i in range(len(header))]
    return [
        "  ".join(c.ljust(w) for c, w in zip(row, widths, strict=True)).rstrip() for row in cells
    ]


def _text(value: float | str | None) -> str:
    if value is None:
        return "-"
    if isinstance(value, str):
        return value
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    if value == int(value) and abs(value) < 1e7:
        return f"{int(value):,}"
    return (
        f"{value:,.0f}"
        if abs(value) >= 1000
        else f"{value:.3g}"
        if abs(value) >= 1e-4
        else f"{value:.1e}"
    )
