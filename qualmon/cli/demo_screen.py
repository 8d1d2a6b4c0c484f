"""How the demo looks: a live view on a terminal, plain lines elsewhere, nothing for --json."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from rich.console import Console, Group
from rich.live import Live
from rich.progress import BarColumn, Progress, TextColumn
from rich.table import Table
from rich.text import Text

from qualmon.cli.demo_plan import KIND_TABLE, DemoPlan
from qualmon.cli.demo_run import Screen
from qualmon.cli.words import share_text
from qualmon.types import Incident


class Silent:
    """Shows nothing."""

    def stage(self, text: str) -> None:
        """Ignored."""

    def serving(self, address: str) -> None:
        """Ignored."""

    def progress(self, hours: float, requests: int, incidents: Sequence[Incident]) -> None:
        """Ignored."""

    def done(self) -> None:
        """Nothing was shown."""


class Plain:
    """One line whenever something changes."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._open: dict[str, str] = {}

    def stage(self, text: str) -> None:
        """Prints the stage."""
        self._console.print(f"- {text}", markup=False, highlight=False)

    def serving(self, address: str) -> None:
        """Prints the address."""
        self.stage(f"pages and metrics at {address}")

    def progress(self, hours: float, requests: int, incidents: Sequence[Incident]) -> None:
        """Prints incidents as they open and move."""
        for incident in incidents:
            said = f"{incident.severity} at {incident.scope}"
            if self._open.get(incident.id) != said:
                self._open[incident.id] = said
                self.stage(f"hour {hours:.2f}, {requests} requests: {incident.id} {said}")

    def done(self) -> None:
        """What was printed stays."""


class Terminal:
    """A progress bar on the virtual clock and the open incidents, redrawn in place."""

    def __init__(self, console: Console, plan: DemoPlan) -> None:
        self._bar = Progress(
            TextColumn("{task.description}"),
            BarColumn(bar_width=40),
            TextColumn("hour {task.completed:6.2f}  {task.fields[requests]} requests"),
            console=console,
        )
        self._task = self._bar.add_task("starting", total=plan.onset / 3600.0 + 4, requests=0)
        self._address = ""
        self._incidents: Sequence[Incident] = ()
        self.live = Live(
            self._draw(), console=console, refresh_per_second=8, get_renderable=self._draw
        )

    def stage(self, text: str) -> None:
        """Names the stage beside the bar, or in a line of its own when the bar is gone."""
        if not self.live.is_started:
            self.live.console.print(text, markup=False)
        self._bar.update(self._task, description=text)

    def serving(self, address: str) -> None:
        """Shows the address above the bar."""
        self._address = address

    def progress(self, hours: float, requests: int, incidents: Sequence[Incident]) -> None:
        """Moves the bar."""
        self._incidents = incidents
        self._bar.update(self._task, completed=hours, requests=requests)

    def done(self) -> None:
        """Leaves the last picture where it is."""
        self.live.stop()

    def _draw(self) -> Group:
        head = Text(f"qualmon demo   pages and metrics: {self._address or '...'}", style="bold")
        return Group(head, self._bar, _incident_table(self._incidents))


def _incident_table(incidents: Sequence[Incident]) -> Table | Text:
    if not incidents:
        return Text("no incident", style="green")
    table = Table("incident", "severity", "where", "share of bad answers", "log10 evidence")
    for incident in incidents:
        table.add_row(
            incident.id,
            Text(incident.severity, style="red" if incident.severity == "page" else "yellow"),
            incident.scope,
            share_text(incident.share, incident.share_low, incident.share_high),
            f"{incident.log10_e:.1f} (line {incident.threshold_log10:.1f})",
        )
    return table


@contextlib.contextmanager
def make_screen(plan: DemoPlan, *, quiet: bool) -> Iterator[Screen]:
    """The screen that fits where the output goes."""
    console = Console()
    if quiet:
        yield Silent()
    elif console.is_terminal:
        terminal = Terminal(console, plan)
        with terminal.live:
            yield terminal
    else:
        yield Plain(console)


def print_json(result: Mapping[str, Any]) -> None:
    """The result for programs."""
    print(json.dumps(result, indent=2), flush=True)


def report(plan: DemoPlan, result: Mapping[str, Any]) -> None:
    """The last word of a demo for people."""
    console = Console(highlight=False, soft_wrap=True)
    console.print()
    for line in _lines(result, plan):
        console.print(line, markup=False)


def _lines(result: Mapping[str, Any], plan: DemoPlan) -> list[str]:
    false = f"{result['false_pages']} false pages, {result['false_tickets']} false tickets"
    return [
        *(line for fault in result["faults"] for line in _fault_lines(fault, plan)),
        f"besides   {false} in {result['hours']:.1f} hours on the virtual clock",
        f"spent     {result['requests']} requests, {result['wall_seconds']:.0f} s",
    ]


def _fault_lines(fault: Mapping[str, Any], plan: DemoPlan) -> list[str]:
    known = KIND_TABLE[plan.kind]
    planted = f"planted   {plan.kind}, {plan.amount:.2%} {known.of}, at {plan.node}"
    return [planted, *(_found_lines(fault) if fault["detected_at"] is not None else ["NOT FOUND"])]


def _found_lines(fault: Mapping[str, Any]) -> list[str]:
    right = "right" if fault["node_correct"] else "WRONG"
    share = share_text(fault["share"], fault["share_low"], fault["share_high"])
    cause = fault["causes"][0]
    onset = (fault["onset_estimate"] - fault["onset"]) / 60.0
    users = f"{fault['identities_bad']} of {fault['identities_observed']}"
    lines = [
        f"incident  {fault['incident']} ({fault['incident_kind']}, {fault['severity']})",
        f"where     {fault['node']} ({right})",
        f"share     {share} of answers visibly bad, from {fault['bad_answers']} of them",
        f"users     {users} identities with a bad answer since the alarm",
        f"cause     {cause['cause']} (p = {cause['probability']:.2f})",
        f"channels  {', '.join(fault['channels'])}",
        f"onset     estimated {abs(onset):.0f} min {'after' if onset >= 0 else 'before'} the truth",
        f"delay     {fault['delay_seconds'] / 3600.0:.2f} h, {fault['requests']} requests",
    ]
    return lines + [f"ticket    {reason}" for reason in fault["reasons"]]
