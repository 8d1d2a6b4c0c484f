"""The fleet's evidence and incidents as Prometheus text, rendered once per fold.

Order is rank: when the bound on series is reached, incidents are already written.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from qualmon.metrics import ANY_CHANNEL, AXES, INCIDENT, INCIDENT_INFO, LEVEL_VALUES, TARGET
from qualmon.sinks.exposition_text import ExpositionWriter, label_set
from qualmon.types import ChannelStatus, FleetSnapshot, Incident, Target

#: Series in one rendering.
MAX_SERIES = 200_000
#: How long a resolved incident is exported at level 0, in slot time. Longer than the rules hold
#: a level while the exporter is down, so that an old level never outlives its recovery.
RESOLVED_SECONDS = 3 * 3600.0


@dataclass(frozen=True, slots=True)
class Rendered:
    """Text of all snapshot families, and the number of series that did not fit."""

    text: bytes
    dropped: int


def render(snapshot: FleetSnapshot, *, max_series: int = MAX_SERIES) -> Rendered:
    """The snapshot's families in text format 0.0.4, at most `max_series` series."""
    writer = ExpositionWriter(max_series)
    targets = {target.key: target for target in snapshot.targets}
    writer.family("qualmon_false_alarm_budget_hours", [("", snapshot.budget_hours)])
    left = max(0.0, snapshot.burn_in_until - snapshot.at)
    writer.family("qualmon_burn_in_remaining_seconds", [("", left)])
    _incidents(writer, exported_incidents(snapshot), targets)
    writer.family("qualmon_last_observation_timestamp_seconds", _last_observations(snapshot))
    _evidence(writer, snapshot, targets)
    writer.family("qualmon_bound_proven", _bounds(snapshot))
    writer.family("qualmon_badness_ratio", _badness(snapshot))
    return Rendered(writer.text(), writer.dropped)


def exported_incidents(snapshot: FleetSnapshot) -> list[Incident]:
    """Open incidents, then those resolved within RESOLVED_SECONDS, newest first in each."""
    recent = [
        incident
        for incident in snapshot.incidents
        if incident.resolved_at is None or snapshot.at - incident.resolved_at <= RESOLVED_SECONDS
    ]
    return sorted(recent, key=lambda i: (i.resolved_at is not None, -i.opened_at, i.id))


def scope_axes(scope: str, targets: Mapping[str, Target]) -> dict[str, str]:
    """Values that a scope fixes, by axis: ``platform=aws,model=m`` or ``target=m/aws/default``.

    A value may itself hold a comma: a piece without "=" belongs to the piece before it.
    """
    if scope.startswith("target="):
        target = targets.get(scope.removeprefix("target="))
        return {axis: target.axis(axis) or "" for axis in AXES} if target else {}
    axes: dict[str, str] = {}
    name = ""
    for piece in scope.split(","):
        head, equals, value = piece.partition("=")
        if equals:
            name, axes[head] = head, value
        elif name:
            axes[name] += f",{piece}"
    return axes


def _axis_values(scope: str, targets: Mapping[str, Target]) -> list[str]:
    axes = scope_axes(scope, targets)
    return [axes.get(axis, "") for axis in AXES]


def _incidents(
    writer: ExpositionWriter, incidents: list[Incident], targets: Mapping[str, Target]
) -> None:
    stable = {incident.id: _stable_labels(incident, targets) for incident in incidents}

    def rows(values: Iterable[tuple[Incident, float | None]]) -> Iterator[tuple[str, float]]:
        return ((stable[i.id], value) for i, value in values if value is not None)

    writer.family("qualmon_incident_level", rows((i, _level(i)) for i in incidents))
    writer.family("qualmon_incident_info", ((_info_labels(i), 1) for i in incidents))
    writer.family("qualmon_bad_share_ratio", rows((i, i.share) for i in incidents))
    writer.family("qualmon_bad_share_low_ratio", rows((i, i.share_low) for i in incidents))
    writer.family("qualmon_bad_share_high_ratio", rows((i, i.share_high) for i in incidents))
    writer.family("qualmon_identities_bad", rows((i, i.identities_bad) for i in incidents))
    observed = rows((i, i.identities_observed) for i in incidents)
    writer.family("qualmon_identities_observed", observed)


def _level(incident: Incident) -> int:
    return 0 if incident.resolved_at is not None else LEVEL_VALUES[incident.level]


def _stable_labels(incident: Incident, targets: Mapping[str, Target]) -> str:
    scope = incident.opened_scope or incident.scope
    values = (incident.id, incident.family, scope, *_axis_values(scope, targets))
    return label_set(INCIDENT, values)


def _info_labels(incident: Incident) -> str:
    cause = incident.causes[0][0] if incident.causes else "unknown"
    values = (incident.id, incident.kind, cause, incident.severity, incident.scope,
              incident.family, utc_minute(incident.onset))  # fmt: skip
    return label_set(INCIDENT_INFO, values)


def utc_minute(when: float) -> str:
    """``2026-03-01T04:05Z``; "unknown" for a time that no calendar holds."""
    try:
        return datetime.fromtimestamp(when, UTC).strftime("%Y-%m-%dT%H:%MZ")
    except (ValueError, OverflowError, OSError):
        return "unknown"


def _by_channel(snapshot: FleetSnapshot) -> Iterator[tuple[str, ChannelStatus]]:
    """Labels and status of every channel on a target of the snapshot.

    A target's labels are written once and not once a channel: these are the largest families.
    """
    places = {target.key: _place(target) for target in snapshot.targets}
    for status in snapshot.channels:
        if status.target in places:
            yield _with_channel(places[status.target], status.channel), status


def _place(target: Target) -> str:
    return label_set(TARGET, (target.model, target.platform, target.route))


def _with_channel(place: str, channel: str) -> str:
    return f"{place[:-1]},{label_set(('channel',), (channel,))[1:]}"


def _last_observations(snapshot: FleetSnapshot) -> Iterator[tuple[str, float]]:
    latest = dict.fromkeys((target.key for target in snapshot.targets), 0.0)
    for status in snapshot.channels:
        latest[status.target] = max(latest.get(status.target, 0.0), status.last_at)
    for target in snapshot.targets:
        yield _with_channel(_place(target), ANY_CHANNEL), latest[target.key]
    for labels, status in _by_channel(snapshot):
        yield labels, status.last_at


def _evidence(
    writer: ExpositionWriter, snapshot: FleetSnapshot, targets: Mapping[str, Target]
) -> None:
    names = ("scope", "family", *AXES)
    labelled = [
        (label_set(names, (e.scope, e.family, *_axis_values(e.scope, targets))), e)
        for e in snapshot.evidence
    ]
    writer.family("qualmon_evidence_log10", ((text, e.log10_e) for text, e in labelled))
    writer.family(
        "qualmon_evidence_threshold_log10", ((text, e.threshold_log10) for text, e in labelled)
    )


def _bounds(snapshot: FleetSnapshot) -> Iterator[tuple[str, float]]:
    for names, proven in sorted(snapshot.proven_bounds().items()):
        yield label_set(("model", "channel"), names), float(proven)


def _badness(snapshot: FleetSnapshot) -> Iterator[tuple[str, float]]:
    """Only where the mean is a share of answers: an e-value is none, and no answer is no health."""
    for labels, status in _by_channel(snapshot):
        if status.n and status.kind in ("event", "bounded"):
            yield labels, status.mean
