"""The command line. Each command is a file; heavy parts are imported when a command runs."""

from __future__ import annotations

import sys
import traceback
from typing import Annotated

import typer

from qualmon import __version__
from qualmon.cli import db
from qualmon.cli.check import check
from qualmon.cli.demo import demo
from qualmon.cli.detect import detect
from qualmon.cli.explain import explain
from qualmon.cli.incidents import app as incidents_app
from qualmon.cli.init import init
from qualmon.cli.probe import probe
from qualmon.cli.rules import rules
from qualmon.cli.run import run
from qualmon.cli.sim import sim
from qualmon.errors import ConfigError, QualmonError

app = typer.Typer(
    name="qualmon",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
    help="Says that a served LLM got worse, where, and how sure it is.",
)
app.command()(demo)
app.command()(init)
app.command()(check)
app.command()(run)
app.command()(probe)
app.command()(explain)
app.command()(detect)
app.command()(sim)
app.command()(rules)
app.add_typer(incidents_app, name="incidents")

_db = typer.Typer(no_args_is_help=True, help="The store: schema, integrity, rebuild.")
_db.command()(db.upgrade)
_db.command()(db.check)
_db.command()(db.rebuild)
app.add_typer(_db, name="db")


def _version(asked: bool) -> None:
    if asked:
        typer.echo(f"qualmon {__version__}")
        raise typer.Exit


@app.callback()
def _options(
    _: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print and exit.")
    ] = False,
) -> None:
    """Says that a served LLM got worse, where, and how sure it is."""


def main() -> None:
    """Entry point: an error of ours is one clear line on stderr and its own exit code."""
    try:
        app()
    except ConfigError as error:
        for problem in error.problems:
            print(problem, file=sys.stderr)
        sys.exit(error.exit_code)
    except QualmonError as error:
        print(f"qualmon: {error}", file=sys.stderr)
        sys.exit(error.exit_code)
    except KeyboardInterrupt:
        print("qualmon: interrupted", file=sys.stderr)
        sys.exit(130)
    except BrokenPipeError:
        # The reader of our output went away; there is nobody left to tell.
        sys.stderr.close()
        sys.exit(0)
    except Exception:  # noqa: BLE001 - exit 1 would say that a regression was found
        traceback.print_exc()
        sys.exit(QualmonError.exit_code)
