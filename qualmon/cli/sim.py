"""`qualmon sim`: the simulated fleet alone."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from qualmon.errors import UsageError

if TYPE_CHECKING:
    from qualmon.sim.serving import Running


def sim(
    port: Annotated[int, typer.Option(help="0 takes a free one.")] = 8081,
    faults: Annotated[
        Path | None,
        typer.Option(
            help="JSON list of faults {id, kind, node, start, end} and the kind's own keys: "
            "corruption {rate}, topk-drop {rate, share, ..}, misroute {share, ..}; times in "
            "seconds from now. node: fleet, axis=value[,axis=value], target=model/platform/route."
        ),
    ] = None,
    seed: Annotated[int, typer.Option(help="Of all draws.")] = 0,
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    seconds_per_token: Annotated[float, typer.Option(min=0.0, help="Pace of answers.")] = 0.0,
) -> None:
    """Serve the simulated fleet over HTTP until Ctrl-C."""
    from qualmon.sim.serving import serve

    planted, pace = _faults(faults), seconds_per_token
    serve(port, planted, seed, host, seconds_per_token=pace, on_ready=_greet)


def _faults(path: Path | None) -> list[dict[str, Any]]:
    if path is None:
        return []
    import json

    try:
        items = json.loads(path.read_bytes())
    except (OSError, ValueError) as error:
        raise UsageError(f"{path}: {error}", remedy="Give a readable JSON file") from error
    if not isinstance(items, list):
        raise UsageError(f"{path}: holds no list", remedy="Give a JSON list of faults")
    return items


def _greet(running: Running) -> None:
    from qualmon.sim.fleet import base_url, demo_fleet

    for target in demo_fleet().targets:
        labels = ", ".join(f"{k}={v}" for k, v in sorted(target.labels.items()))
        typer.echo(f"{target.key}  {labels}")
        for provider in ("openai_chat", "anthropic"):
            typer.echo(f"  {provider}  {base_url(running.origin, target, provider)}")
    typer.echo(f"ready: {running.origin}")
