"""`qualmon rules`: the Prometheus rules that turn incidents into pages."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from qualmon.errors import DependencyError, UnknownNameError

if TYPE_CHECKING:
    from qualmon.sinks.rules import RuleFormat

_FILES: dict[RuleFormat, str] = {
    "prometheus": "qualmon.rules.yaml",
    "operator": "qualmon.prometheusrule.yaml",
}


class OutputError(DependencyError):
    """A file cannot be written."""


def rules(
    formats: Annotated[
        str, typer.Option("--format", help="prometheus, operator, or both with a comma.")
    ] = "prometheus",
    output: Annotated[
        Path | None,
        typer.Option("-o", "--output", help="File; a folder for two formats. Default: stdout."),
    ] = None,
    external_url: Annotated[
        str, typer.Option(help="Where people reach qualmon's pages.")
    ] = "http://127.0.0.1:9464",
    runbook_url: Annotated[
        str | None, typer.Option(help="Where the runbooks stand. Default: qualmon's own pages.")
    ] = None,
    job: Annotated[str, typer.Option(help="Name of the scrape job.")] = "qualmon",
    hold: Annotated[
        str, typer.Option(help="How long a dead exporter keeps its incidents firing; at most 2h.")
    ] = "2h",
    keep_firing_for: Annotated[str, typer.Option(help="Against flapping.")] = "5m",
    stale_after: Annotated[
        str, typer.Option(help="Three times the interval of the slowest suite.")
    ] = "30m",
    down_for: Annotated[
        str, typer.Option(help="How long qualmon may be gone before it alerts.")
    ] = "5m",
    interval: Annotated[
        str | None, typer.Option(help="Of evaluation. Default: Prometheus's own.")
    ] = None,
) -> None:
    """Print the alerting rules for Prometheus.

    Raises UnknownNameError for another format, BadDurationError, OutputError.
    """
    from qualmon.sinks.alert_table import RuleOptions
    from qualmon.sinks.rules import render_rules

    options = RuleOptions(
        external_url=external_url,
        runbook_url=runbook_url,
        job=job,
        hold=hold,
        keep_firing_for=keep_firing_for,
        stale_after=stale_after,
        down_for=down_for,
        interval=interval,
    )
    texts = {name: render_rules(options, name) for name in _chosen(formats)}
    if output is None:
        typer.echo("---\n".join(texts.values()), nl=False)
    else:
        _write(output, texts)


def _chosen(formats: str) -> list[RuleFormat]:
    asked = [name.strip() for name in formats.split(",")]
    for name in asked:
        if name not in _FILES:
            raise UnknownNameError(repr(name), remedy=f"Choose from {', '.join(_FILES)}")
    return [name for name in _FILES if name in asked]


def _write(output: Path, texts: dict[RuleFormat, str]) -> None:
    many = len(texts) > 1 or output.is_dir()
    try:
        if many:
            output.mkdir(parents=True, exist_ok=True)
        for name, text in texts.items():
            path = output / _FILES[name] if many else output
            path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise OutputError(f"{output}: {error.strerror}", remedy="Choose another -o") from error
