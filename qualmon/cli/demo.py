"""`qualmon demo`: a simulated fleet, a planted fault, the real service around it."""

from __future__ import annotations

from typing import Annotated

import typer

from qualmon.cli.options import JsonOption
from qualmon.cli.tuning import tune_collector
from qualmon.errors import UsageError

DEFAULT_ONSET = 36 * 3600.0


def demo(
    fault: Annotated[
        str, typer.Option(help="corruption, topk-drop, misroute, or none for a healthy fleet.")
    ] = "corruption",
    onset: Annotated[
        float, typer.Option(help="Seconds of healthy probing before the fault begins.")
    ] = DEFAULT_ONSET,
    node: Annotated[
        str | None,
        typer.Option(
            help="Where: fleet, axis=value[,axis=value] (platform, hardware, model) or "
            "model/platform/route. Default: a platform chosen by the seed."
        ),
    ] = None,
    rate: Annotated[
        float | None,
        typer.Option(
            help="How much of the fault: share of tokens (corruption, 0.001), of tokens in the "
            "affected batches (topk-drop, 0.01), of users (misroute, 0.16)."
        ),
    ] = None,
    logprobs: Annotated[
        bool,
        typer.Option(
            "--logprobs/--no-logprobs",
            help="Whether the routes offer log-probabilities; without, they speak Anthropic's "
            "protocol.",
        ),
    ] = True,
    logprobs_after: Annotated[
        bool,
        typer.Option(
            "--logprobs-after", help="Log-probabilities are computed after the fault (topk-drop)."
        ),
    ] = False,
    seed: Annotated[int, typer.Option(help="Of the simulated fleet's draws.")] = 1,
    port: Annotated[int, typer.Option(help="Of the pages; 0 takes a free one.")] = 8080,
    keep: Annotated[
        bool, typer.Option("--keep", help="Go on serving the pages until Ctrl-C.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Watch qualmon catch a fault in a simulated fleet: about a minute, nothing to configure."""
    import asyncio
    from functools import partial

    from qualmon.cli.demo_plan import DemoPlan
    from qualmon.cli.demo_run import run_demo
    from qualmon.cli.demo_screen import make_screen, print_json, report

    if not 0 <= onset <= 365 * 86400.0:
        raise UsageError(f"onset {onset!r}", remedy="Give seconds from 0 to 31536000 (a year)")
    plan = DemoPlan.of(
        fault=fault,
        onset=onset,
        node=node,
        rate=rate,
        seed=seed,
        logprobs=logprobs,
        logprobs_after=logprobs_after,
    )
    tune_collector()
    with make_screen(plan, quiet=as_json) as screen:
        told = print_json if as_json else partial(report, plan)
        result = asyncio.run(run_demo(plan, screen, told, port=port, keep=keep))
    caught = all(f["detected_at"] is not None and f["node_correct"] for f in result["faults"])
    if not caught or result["false_pages"] or result["false_tickets"]:
        raise typer.Exit(1)
