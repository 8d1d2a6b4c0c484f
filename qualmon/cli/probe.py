"""`qualmon probe`: one round now, and a table of its scores."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Annotated, Any

import typer

from qualmon.cli.options import DEFAULT_CONFIG, ConfigOption, JsonOption
from qualmon.errors import UnknownNameError

if TYPE_CHECKING:
    from qualmon.bootstrap.once import Asked
    from qualmon.config import Config


def probe(
    config: ConfigOption = DEFAULT_CONFIG,
    target: Annotated[str, typer.Option(help="Targets to ask: a glob on their keys.")] = "*",
    probe: Annotated[str, typer.Option(help="Probes to ask: a glob on their ids.")] = "*",
    store: Annotated[
        bool, typer.Option("--store/--no-store", help="Keep the observations in the store.")
    ] = True,
    as_json: JsonOption = False,
) -> None:
    """Ask every chosen probe of every chosen target once, now.

    Exit 0 when a target answered and nothing regressed, 1 when an invariant was broken,
    4 when no target answered.
    """
    import asyncio
    import os

    from qualmon.bootstrap.once import ask_once
    from qualmon.config import load

    loaded = load(config, os.environ)
    _check_globs(loaded, target, probe)
    asked = asyncio.run(ask_once(loaded, target, probe, keep=store))
    if as_json:
        typer.echo(json.dumps({"observations": [_plain(item) for item in asked]}))
    else:
        for line in _table(asked):
            typer.echo(line)
    if not any(item.observation.outcome == "ok" for item in asked):
        raise typer.Exit(4)
    if any(item.broken for item in asked):
        raise typer.Exit(1)


def _check_globs(config: Config, target: str, probe: str) -> None:
    from fnmatch import fnmatchcase

    keys = [endpoint.target.key for endpoint in config.endpoints]
    if not any(fnmatchcase(key, target) for key in keys):
        raise UnknownNameError(f"target {target!r}", remedy=f"Targets: {', '.join(keys)}")
    ids = [p.id for plan in config.suites for p in plan.probes]
    if not any(fnmatchcase(name, probe) for name in ids):
        raise UnknownNameError(f"probe {probe!r}", remedy=f"Probes: {', '.join(ids)}")


def _plain(item: Asked) -> dict[str, Any]:
    member = item.observation.member
    return {
        "id": item.observation.id,
        "target": member.target,
        "probe": member.probe,
        "identity": member.identity,
        "failure": item.failure,
        "logprobs": item.logprobs,
        "scores": [
            {"channel": s.channel, "score_kind": s.kind, "value": s.value, "detail": dict(s.detail)}
            for s in item.scores
        ],
    }


def _table(asked: list[Asked]) -> list[str]:
    from qualmon.web.text import visible

    lines = []
    for item in asked:
        member = item.observation.member
        judged = len(item.scores) - sum(map(len, item.unjudged.values()))
        bad = ", ".join(score.channel for score in item.broken) or "clean"
        told = item.failure["kind"] if item.failure else f"{bad} ({judged} channels judged)"
        lines.append(f"{member.target:40}  {member.probe:24}  {told}")
        lines += [
            f"    not judged: {', '.join(channels)}: {visible(reason)}"
            for reason, channels in item.unjudged.items()
        ]
    return lines
