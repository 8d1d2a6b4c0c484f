"""What a rule is, and what of the rules depends on the installation."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from qualmon.errors import UsageError

_DURATION = re.compile(r"([0-9]+)(ms|s|m|h|d)")
_UNIT_SECONDS = {"ms": 0.001, "s": 1, "m": 60, "h": 3600, "d": 86400}


class BadDurationError(UsageError):
    """A duration cannot be read."""

    remedy = "Write a whole number and one unit, such as 30m or 2h; units are ms, s, m, h, d"


def duration_seconds(text: str) -> float:
    """Seconds of ``30m``. Raises BadDurationError unless it is one number and one unit."""
    match = _DURATION.fullmatch(text)
    if match is None:
        raise BadDurationError(repr(text))
    return int(match[1]) * _UNIT_SECONDS[match[2]]


@dataclass(frozen=True, slots=True)
class RuleOptions:
    """What depends on the installation. Durations are Prometheus's, of one unit (``30m``).

    external_url: where people reach qualmon's pages. runbook_url: where the runbooks stand,
    default `external_url`/runbooks. job: the scrape job's name, for `up`. hold: how long a dead
    exporter keeps its incidents firing; at most 2h, or an old level may outlive its recovery.
    keep_firing_for: how long an alert outlives its condition, against flapping. stale_after: age
    of the newest judged answer at which a target counts as stale: three times the slowest
    suite's interval. down_for: how long a loss of the program itself may last before it alerts.
    interval: of evaluation, None for Prometheus's own.
    """

    external_url: str = "http://127.0.0.1:9464"
    runbook_url: str | None = None
    job: str = "qualmon"
    hold: str = "2h"
    keep_firing_for: str = "5m"
    stale_after: str = "30m"
    down_for: str = "5m"
    interval: str | None = None

    def __post_init__(self) -> None:
        if duration_seconds(self.hold) > _UNIT_SECONDS["h"] * 2:
            raise BadDurationError(f"hold is {self.hold!r}", remedy="Choose 2h or less")
        for text in (self.keep_firing_for, self.stale_after, self.down_for, self.interval or "1s"):
            duration_seconds(text)

    def runbook(self, alert: str) -> str:
        """Address of an alert's runbook."""
        base = self.runbook_url or f"{self.external_url.rstrip('/')}/runbooks"
        return f"{base.rstrip('/')}/{alert}"


@dataclass(frozen=True, slots=True)
class Recording:
    """A recording rule."""

    name: str
    expr: str


@dataclass(frozen=True, slots=True)
class Alert:
    """An alerting rule. `wait` is its ``for``, `keep` its ``keep_firing_for``."""

    name: str
    severity: Literal["page", "ticket", "none"]
    expr: str
    summary: str
    description: str
    wait: str | None = None
    keep: str | None = None
    annotations: Mapping[str, str] = field(default_factory=dict)
