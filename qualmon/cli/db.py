"""`qualmon db upgrade` and `qualmon db check`: the store's schema and its health."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Annotated

import typer

from qualmon.cli.options import DEFAULT_CONFIG, ConfigOption, JsonOption

StoreOption = Annotated[
    str | None,
    typer.Option(help="The store itself, sqlite:///FILE; the configuration is not read."),
]


def upgrade(
    config: ConfigOption = DEFAULT_CONFIG, store: StoreOption = None, as_json: JsonOption = False
) -> None:
    """Bring the store's schema to this program's; creates an empty store if there is none."""
    from qualmon.storage.migrate import upgrade as upgrade_schema

    url = store_url(config, store)
    before, after = upgrade_schema(url)
    if as_json:
        typer.echo(json.dumps({"store": url, "before": before, "after": after}))
    elif before == after:
        typer.echo(f"{url}: already at {after}")
    else:
        typer.echo(f"{url}: {before or 'empty'} -> {after}")


def check(
    config: ConfigOption = DEFAULT_CONFIG, store: StoreOption = None, as_json: JsonOption = False
) -> None:
    """Look for damage in the store. Exit 0 when sound, 1 with problems, 4 when unreadable."""
    from qualmon.storage.integrity import check as find_problems

    url = store_url(config, store)
    problems = find_problems(url)
    if as_json:
        typer.echo(json.dumps({"store": url, "problems": problems}))
    else:
        typer.echo("\n".join(problems) or f"{url}: sound")
    if problems:
        raise typer.Exit(1)


def store_url(config: Path, store: str | None) -> str:
    """The store named on the command line, else the configuration's."""
    if store is not None:
        return store
    from qualmon.config import load

    return load(config, os.environ).store


def rebuild(
    config: ConfigOption = DEFAULT_CONFIG,
    store: StoreOption = None,
    verify: Annotated[
        bool, typer.Option("--verify", help="Only compare; the store stays as it is.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Fold the whole log anew. Exit 1 when the result differs from what was stored."""
    from qualmon.bootstrap.rebuild import rebuild as fold_anew

    url = store_url(config, store)
    result = fold_anew(url, keep=not verify)
    if as_json:
        typer.echo(json.dumps({"store": url, **result}))
    else:
        same = "equal to" if result["equal"] else "DIFFERENT from"
        typer.echo(f"{url}: {result['rounds']} rounds folded; the state is {same} the stored one")
    if not result["equal"]:
        raise typer.Exit(1)
