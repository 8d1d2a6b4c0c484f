"""`qualmon explain`: what was tested, how the evidence rose, examples, sources."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import typer

from qualmon.cli.db import StoreOption
from qualmon.cli.incidents import IncidentArgument, known, opened
from qualmon.cli.options import DEFAULT_CONFIG, ConfigOption, JsonOption

if TYPE_CHECKING:
    from qualmon.storage.store import SqlStore

SHOWN = 300


def explain(
    incident_id: IncidentArgument,
    config: ConfigOption = DEFAULT_CONFIG,
    store: StoreOption = None,
    as_json: JsonOption = False,
) -> None:
    """Explain an incident: tests and their sources, evidence over time, bad answers."""
    opened_store = opened(config, store)
    known(opened_store, incident_id)
    told = explanation(opened_store, incident_id)
    if as_json:
        typer.echo(json.dumps(told))
    else:
        typer.echo("\n".join(_lines(opened_store, told, incident_id)))


def explanation(store: SqlStore, incident_id: str) -> dict[str, Any]:
    """Everything that `explain` says, as JSON-ready values."""
    from dataclasses import asdict

    from qualmon.bootstrap.view import incident_detail
    from qualmon.scorers.channels import CHANNELS

    detail = incident_detail(store, incident_id)
    assert detail is not None  # noqa: S101 - the caller looked it up
    tests = [CHANNELS[name] for name in detail.incident.channels if name in CHANNELS]
    return {
        "incident": asdict(detail.incident),
        "tests": [asdict(info) for info in tests],
        "history": [asdict(step) for step in detail.transitions],
        "examples": [asdict(example) for example in detail.examples],
        "method": (
            "mixture e-Shiryaev-Roberts over contamination bets; an alarm when a node's mass "
            "reaches the budget in monitored hours (Shin, Ramdas, Rinaldo, NEJSDS 2023)"
        ),
    }


def _lines(store: SqlStore, told: dict[str, Any], incident_id: str) -> list[str]:
    from qualmon.cli.words import incident_lines, utc

    lines = [*incident_lines(known(store, incident_id)), "", f"method: {told['method']}", ""]
    for info in told["tests"]:
        bound = "" if info["bound"] is None else f", declared healthy rate {info['bound']:g}"
        lines.append(f"tested: {info['name']} ({info['kind']}, null {info['null']}{bound})")
        lines.append(f"  catches   {info['catches']}")
        lines.append(f"  blind to  {info['blind_to']}")
        lines.append(f"  source    {info['source']}")
    lines.append("")
    lines += [
        f"{utc(step['at'])}  {step['before']} -> {step['after']}  {step['note']}"
        for step in told["history"]
    ]
    lines.append("")
    for example in told["examples"]:
        lines.append(f"{example['observation']}  {example['target']}  {example['probe']}")
        lines.append(f"  {example['channel']}: {_quoted(example)}")
    return lines


def _quoted(example: dict[str, Any]) -> str:
    """The answer around its first mark; repr, because a terminal must not obey an answer."""
    first = example["marks"][0][0] if example["marks"] else 0
    start = max(0, first - SHOWN // 2)
    return repr(example["text"][start : start + SHOWN])
