"""``qualmon check``: every mistake of a configuration at once, or what it asks for in a day."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from qualmon.config import PerDay, Volume


def check(
    config: Annotated[
        Path, typer.Option("-c", "--config", help="The configuration to check.")
    ] = Path("qualmon.yaml"),
    json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> int:
    """Check configuration and suites; print requests, tokens and cost per day.

    Returns 0, or 2 with every mistake as ``file:line: path: what, allowed, remedy``.
    """
    from qualmon.config import load, per_day
    from qualmon.errors import ConfigError

    try:
        day = per_day(load(config, os.environ))
    except ConfigError as error:
        _print_mistakes(error, json)
        return error.exit_code
    if json:
        _print_json({"errors": [], "per_day": day.as_dict()})
    else:
        _print_day(day)
    return 0


def _print_mistakes(error: Any, json: bool) -> None:
    if json:
        fields = ("file", "line", "path", "message")
        found = [{key: getattr(problem, key) for key in fields} for problem in error.problems]
        _print_json({"errors": found, "per_day": {}})
        return
    for problem in error.problems:
        typer.echo(str(problem), err=True)


def _print_json(value: dict[str, Any]) -> None:
    from json import dumps

    typer.echo(dumps(value))


def _print_day(day: PerDay) -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table(title="per day", box=None, title_justify="left", pad_edge=False)
    table.add_column("target or suite", overflow="fold")
    for column in ("requests", "tokens in", "tokens out", "USD"):
        table.add_column(column, justify="right", no_wrap=True)
    for key, volume in day.targets.items():
        table.add_row(key, *_cells(volume))
    for name, volume in day.suites.items():
        table.add_row(f"suite {name}", *_cells(volume))
    table.add_row("total", *_cells(day.total), style="bold")
    Console(highlight=False, markup=False).print(table)
    for note in _notes(day):
        typer.echo(note)


def _cells(volume: Volume) -> tuple[str, ...]:
    usd = "no price" if volume.usd is None else f"{volume.usd:,.2f}"
    counts = (volume.requests, volume.input_tokens, volume.output_tokens)
    return (*(f"{count:,.0f}" for count in counts), usd)


def _notes(day: PerDay) -> list[str]:
    notes = ["Retries after failures, at most two per request, come on top."]
    if day.unpriced:
        notes.append(
            f"{len(day.unpriced)} target(s) without a price, first {day.unpriced[0]}: their cost "
            "is unknown; add them under prices."
        )
    if day.unlimited:
        notes.append(
            f"{len(day.unlimited)} target(s) without limits, first {day.unlimited[0]}: only the "
            "schedule bounds what they are asked."
        )
    return notes
