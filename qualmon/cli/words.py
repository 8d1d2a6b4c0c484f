"""How incidents read in plain text."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from qualmon.types import Incident


def utc(when: float) -> str:
    """``2026-01-05 12:30 UTC``."""
    return datetime.fromtimestamp(when, UTC).strftime("%Y-%m-%d %H:%M UTC")


def share_text(share: float | None, low: float, high: float) -> str:
    """``7.1 % (2.0 % to 12.3 %)``; the interval alone while bad answers are few."""
    interval = f"{low:.1%} to {high:.1%}"
    return f"{share:.1%} ({interval})" if share is not None else interval


def incident_lines(incident: Incident) -> list[str]:
    """An incident for people, one fact a line."""
    lines = [
        f"{incident.id}  {incident.kind}, {incident.severity}, {incident.level}",
        f"  where     {incident.scope} ({len(incident.targets)} targets)",
        f"  share     {share_text(incident.share, incident.share_low, incident.share_high)} "
        f"of answers visibly bad, interval 95 %, {incident.hits} of {incident.answers}",
        f"  since     {utc(incident.onset)} (estimated), alarm {utc(incident.opened_at)}",
        f"  evidence  10^{incident.log10_e:.1f} hours, the budget's line is "
        f"10^{incident.threshold_log10:.1f}",
        f"  channels  {', '.join(incident.channels)}",
        f"  users     {incident.identities_bad} of {incident.identities_observed} identities bad",
    ]
    lines += [f"  cause     {cause} (p = {p:.2f})" for cause, p in incident.causes[:3]]
    lines += [f"  ticket    {reason}" for reason in incident.reasons]
    if incident.acknowledged_by:
        lines.append(f"  acked by  {incident.acknowledged_by}")
    if incident.resolved_at is not None:
        lines.append(f"  ended     {utc(incident.resolved_at)}")
    return lines
