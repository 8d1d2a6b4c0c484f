"""Numbers and times as an on-call reads them."""

from __future__ import annotations

import math
from collections.abc import Mapping
from datetime import UTC, datetime
from types import MappingProxyType
from typing import Final

from qualmon.types import Incident

_STEPS = ((86400.0, "d"), (3600.0, "h"), (60.0, "min"))
#: With a space that does not break.
_PERCENT = "\u00a0%"
_CAPABILITIES: Final[Mapping[str, str]] = MappingProxyType(
    {
        "present": "offered",
        "absent_ignored": "asked for; the answers do not hold them",
        "null": "asked for; the answers hold null instead",
        "malformed": "sent in a form that cannot be read",
        "rejected": "refused; left out of requests, asked for again once a day",
        "not_asked": "not part of this wire, or switched off by extra_body",
    }
)


def percent(share: float | None) -> str:
    """``3.1 %``; two digits below 10 %, more than nothing is never shown as 0."""
    if share is None or not math.isfinite(share):
        return "unknown"
    value = 100 * share
    if value == 0 or value >= 10:
        return f"{value:.0f}{_PERCENT}"
    if value >= 1:
        return f"{value:.1f}{_PERCENT}"
    return f"{value:.2g}{_PERCENT}" if value >= 0.001 else f"< 0.001{_PERCENT}"


def clock(when: float | None) -> str:
    """``2026-03-01 04:05:06 UTC``."""
    if when is None:
        return "never"
    try:
        return datetime.fromtimestamp(when, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
    except (ValueError, OverflowError, OSError):
        return "unknown"


def span(seconds: float) -> str:
    """``41 min``, ``2.5 h``."""
    if not math.isfinite(seconds):
        return "unknown"
    for unit, name in _STEPS:
        if seconds >= unit:
            return f"{seconds / unit:.1f}".removesuffix(".0") + f" {name}"
    return f"{max(0.0, seconds):.0f} s"


def share_words(incident: Incident) -> str:
    """``3.1 % (1.9 % to 4.8 %)``."""
    interval = f"{percent(incident.share_low)} to {percent(incident.share_high)}"
    if incident.share is None:
        return f"not yet known ({interval})"
    return f"{percent(incident.share)} ({interval})"


def capability_words(state: str) -> str:
    """What a capability's state means, for people."""
    return _CAPABILITIES.get(state, state)


def place(scope: str) -> str:
    """A scope for people: ``the whole fleet`` instead of ``fleet``."""
    return "the whole fleet" if scope == "fleet" else scope.replace(",", ", ")


def fill(value: float, full: float) -> float:
    """`value` as a part of `full`, in [0, 100]; 0 where that means nothing."""
    if math.isnan(value) or math.isnan(full) or full <= 0 or value <= 0:
        return 0.0
    return min(100.0, 100 * value / full) if math.isfinite(value) else 100.0
