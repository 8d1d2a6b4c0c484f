"""``qualmon check``: every mistake of a configuration at once, or what it asks for in a day."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING, Any

import typer

from qualmon.cli.options import DEFAULT_CONFIG, ConfigOption, JsonOption
from qualmon.errors import ConfigError

if TYPE_CHECKING:
    from qualmon.config import PerDay, Volume


def check(config: ConfigOption = DEFAULT_CONFIG, as_json: JsonOption = False) -> None:
    """Check configuration and suites; print requests, tokens and cost per day.

    Exit 2 with every mistake as `file:line: path: what, allowed, remedy`.
    """
    from qualmon.config import load, per_day

    try:
        day = per_day(load(config, os.environ))
    except ConfigError as error:
        _print_mistakes(error, as_json)
        raise typer.Exit(error.exit_code) from None
    if as_json:
        _print_json({"errors": [], "per_day": day.as_dict()})
    else:
        _print_day(day)


def _print_mistakes(error: ConfigError, as_json: bool) -> None:
    if as_json:
        fields = ("file", "line", "path", "message")
        found = [{key: getattr(problem, key) for key in fields} for problem in error.problems]
        _print_json({"errors": found, "per_day": {}})
        return
    for problem in error.problems:
        typer.echo(str(problem), err=True)


def _print_json(value: dict[str, Any]) -> None:
    typer.echo(json.dumps(value))


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
