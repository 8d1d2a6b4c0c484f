"""``qualmon init``: a first configuration to edit."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

_NAME = "qualmon.yaml"


def init(
    directory: Annotated[Path, typer.Argument(metavar="[DIR]", help="Where to write it.")] = Path(),
    force: Annotated[
        bool, typer.Option("--force", help="Replace a file that is there already.")
    ] = False,
) -> None:
    """Write a commented qualmon.yaml. Exit 2 when it is there already or cannot be written."""
    from qualmon.config import template

    path = directory / _NAME
    try:
        directory.mkdir(parents=True, exist_ok=True)
        with path.open("w" if force else "x", encoding="utf-8") as stream:
            stream.write(template())
    except FileExistsError:
        typer.echo(f"{path}: it exists already; use --force to replace it", err=True)
        raise typer.Exit(2) from None
    except OSError as error:
        typer.echo(f"{path}: it cannot be written: {error.strerror}; choose another DIR", err=True)
        raise typer.Exit(2) from None
    typer.echo(f"wrote {path}; edit it, then run: qualmon check -c {path}")
