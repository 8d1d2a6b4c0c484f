"""`qualmon incidents`: list, show, acknowledge and end incidents, from the store alone."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

from qualmon.cli.db import StoreOption, store_url
from qualmon.cli.options import DEFAULT_CONFIG, ConfigOption, JsonOption
from qualmon.errors import UnknownNameError

if TYPE_CHECKING:
    from qualmon.storage.store import SqlStore
    from qualmon.types import Incident

app = typer.Typer(no_args_is_help=True, help="Incidents in the store.")

IncidentArgument = Annotated[str, typer.Argument(help="The incident's id.")]
WhoOption = Annotated[str, typer.Option("--by", help="Who says so.")]
NoteOption = Annotated[str, typer.Option("--note", help="What to remember.")]


def opened(config: ConfigOption, store: StoreOption) -> SqlStore:
    """The store of the configuration, which must exist."""
    from qualmon.storage.open import open_store

    return open_store(store_url(config, store), create=False)


def known(store: SqlStore, incident_id: str) -> Incident:
    """The incident. Raises UnknownNameError."""
    incident = store.incident(incident_id)
    if incident is None:
        raise UnknownNameError(
            f"incident {incident_id!r}",
            remedy="`qualmon incidents list --all` shows those there are",
        )
    return incident


@app.command("list")
def list_(
    config: ConfigOption = DEFAULT_CONFIG,
    store: StoreOption = None,
    everything: Annotated[bool, typer.Option("--all", help="Also those that ended.")] = False,
    as_json: JsonOption = False,
) -> None:
    """List open incidents, latest first."""
    from qualmon.cli.words import share_text, utc

    incidents = opened(config, store).incidents(open_only=not everything, limit=1000)
    if as_json:
        typer.echo(json.dumps({"incidents": [asdict(incident) for incident in incidents]}))
        return
    for i in incidents:
        share = share_text(i.share, i.share_low, i.share_high)
        state = "resolved" if i.resolved_at is not None else i.level
        typer.echo(f"{i.id}  {i.severity:6}  {state:10}  {utc(i.opened_at)}  {i.scope}  {share}")
    if not incidents:
        typer.echo("no incidents" if everything else "no open incidents")


@app.command()
def show(
    incident_id: IncidentArgument,
    config: ConfigOption = DEFAULT_CONFIG,
    store: StoreOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show one incident."""
    incident = known(opened(config, store), incident_id)
    if as_json:
        typer.echo(json.dumps({"incident": asdict(incident)}))
        return
    from qualmon.cli.words import incident_lines

    typer.echo("\n".join(incident_lines(incident)))


@app.command()
def ack(
    incident_id: IncidentArgument,
    config: ConfigOption = DEFAULT_CONFIG,
    store: StoreOption = None,
    who: WhoOption = "",
    note: NoteOption = "",
    as_json: JsonOption = False,
) -> None:
    """Say that somebody is on it. Changes no threshold and no baseline."""
    _say(incident_id, config, store, who, note, "ack", as_json)


@app.command()
def resolve(
    incident_id: IncidentArgument,
    config: ConfigOption = DEFAULT_CONFIG,
    store: StoreOption = None,
    who: WhoOption = "",
    note: NoteOption = "",
    as_json: JsonOption = False,
) -> None:
    """End an incident by hand: the next folded round closes it and starts its evidence anew."""
    _say(incident_id, config, store, who, note, "resolve", as_json)


def _say(
    incident_id: str,
    config: ConfigOption,
    store: StoreOption,
    who: str,
    note: str,
    action: str,
    as_json: bool,
) -> None:
    import getpass
    import time

    opened_store = opened(config, store)
    known(opened_store, incident_id)
    name = who or getpass.getuser()
    opened_store.add_ack(incident_id, time.time(), name, note, action)
    if as_json:
        typer.echo(json.dumps({"incident": incident_id, "action": action, "by": name}))
    else:
        typer.echo(f"{incident_id}: {action} by {name}")
