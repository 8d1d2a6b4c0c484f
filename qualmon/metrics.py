"""Every Prometheus name of qualmon: exporter, rules and docs read this one table.

``python -m qualmon.metrics`` prints docs/metrics.md; a test holds the file equal to it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal

MetricType = Literal["counter", "gauge", "histogram"]

#: Labels of every per-target metric.
TARGET = ("model", "platform", "route")
#: Axes that a node's scope is spread over, empty where the node does not fix them.
AXES = ("platform", "hardware", "model", "route")
#: Labels of an incident's numbers. None of them changes while the incident lasts.
INCIDENT = ("incident", "family", "scope", *AXES)
#: Labels of an incident's description; a change of one replaces the series.
INCIDENT_INFO = ("incident", "kind", "cause", "severity", "scope", "family", "onset")
#: Value of qualmon_incident_level by level.
LEVEL_VALUES: Mapping[str, int] = MappingProxyType(
    {"ok": 0, "suspect": 1, "firing": 2, "recovering": 3}
)
#: `channel` of the last observation on any channel; 0 says that there never was one.
ANY_CHANNEL = "any"


@dataclass(frozen=True, slots=True)
class MetricSpec:
    """One metric family. `unit` is the base unit of its values, "" for counts and states."""

    name: str
    type: MetricType
    unit: str
    help: str
    labels: tuple[str, ...] = ()


_G: MetricType = "gauge"
_C: MetricType = "counter"
_H: MetricType = "histogram"

#: The table, in the order of the exposition.
METRICS: tuple[MetricSpec, ...] = (
    # What the tests say of the fleet; rendered when a fold changed it.
    MetricSpec("qualmon_false_alarm_budget_hours", _G, "hours",
               "Mean hours between false pages of the whole fleet that the thresholds allow."),
    MetricSpec("qualmon_burn_in_remaining_seconds", _G, "seconds",
               "Time for which nothing pages yet, as of the last fold; 0 when burn-in is over."),
    MetricSpec("qualmon_incident_level", _G, "",
               "Level of an incident: 0 ok, 1 suspect, 2 firing, 3 recovering. scope is where it "
               "opened. A resolved incident stays at 0 for some hours.", INCIDENT),
    MetricSpec("qualmon_incident_info", _G, "",
               "What is known of an incident now, always 1. onset is UTC. When a label changes, "
               "the new series replaces the old one.", INCIDENT_INFO),
    MetricSpec("qualmon_bad_share_ratio", _G, "ratio",
               "Estimated share of bad answers of an incident; absent while hits are too few.",
               INCIDENT),
    MetricSpec("qualmon_bad_share_low_ratio", _G, "ratio",
               "Lower end of the 95 % interval of an incident's share of bad answers.", INCIDENT),
    MetricSpec("qualmon_bad_share_high_ratio", _G, "ratio",
               "Upper end of the 95 % interval of an incident's share of bad answers.", INCIDENT),
    MetricSpec("qualmon_identities_bad", _G, "",
               "Identities with a bad answer in an incident.", INCIDENT),
    MetricSpec("qualmon_identities_observed", _G, "",
               "Identities asked in an incident.", INCIDENT),
    MetricSpec("qualmon_last_observation_timestamp_seconds", _G, "seconds",
               "Unix time of the last answer that a channel judged; channel=any: that any channel "
               "judged, 0 if none ever did.", (*TARGET, "channel")),
    MetricSpec("qualmon_evidence_log10", _G, "log10",
               "Evidence that a node is worse in a family, on the scale of its threshold.",
               ("scope", "family", *AXES)),
    MetricSpec("qualmon_evidence_threshold_log10", _G, "log10",
               "Evidence at which a node alarms.", ("scope", "family", *AXES)),
    MetricSpec("qualmon_bound_proven", _G, "",
               "1 when a channel may page alone on every target of a model: its declared healthy "
               "rate is proven there, or it needs none. At 0 it opens tickets.",
               ("model", "channel")),
    MetricSpec("qualmon_badness_ratio", _G, "ratio",
               "Mean recent score of a channel, 1 = every answer bad.", (*TARGET, "channel")),
    # What the program counts while it probes.
    MetricSpec("qualmon_probe_requests_total", _C, "",
               "Requests sent, every attempt under its own outcome.", (*TARGET, "outcome")),
    MetricSpec("qualmon_probe_duration_seconds", _H, "seconds",
               "Time from sending a probe to the end of its answer.", TARGET),
    MetricSpec("qualmon_probe_ttft_seconds", _H, "seconds",
               "Time from sending a probe to the first token of its answer.", TARGET),
    MetricSpec("qualmon_capability", _G, "",
               "1 for the state in which a target offers an optional wire feature: present, "
               "absent_ignored, null, malformed, rejected, not_asked.",
               (*TARGET, "feature", "state")),
    MetricSpec("qualmon_budget_remaining_ratio", _G, "ratio",
               "Share of a target's daily budget that is left.", (*TARGET, "resource")),
    MetricSpec("qualmon_slots_missed_total", _C, "",
               "Slots that fell due and were never probed.", ("reason",)),
    MetricSpec("qualmon_queue_lag_seconds", _G, "seconds",
               "Age of the oldest slot that is due and not closed beyond its deadline."),
    MetricSpec("qualmon_event_loop_lag_seconds", _H, "seconds",
               "How late the probing loop came to its heartbeat."),
    MetricSpec("qualmon_sandbox_available", _G, "",
               "1 when code can be compiled apart from this process."),
    MetricSpec("qualmon_sink_failures_total", _C, "",
               "Deliveries to a sink that failed.", ("sink",)),
    MetricSpec("qualmon_series_dropped_total", _C, "",
               "Series left out of a rendering because of its bound or as a duplicate."),
    MetricSpec("qualmon_config_last_reload_successful", _G, "",
               "1 when the configuration on disk is the one in use."),
    MetricSpec("qualmon_build_info", _G, "",
               "Version of the running program, always 1.", ("version", "python")),
)  # fmt: skip

#: The table by name.
SPECS: Mapping[str, MetricSpec] = MappingProxyType({spec.name: spec for spec in METRICS})

_HEAD = """# Metrics

Generated from `qualmon/metrics.py` by `python -m qualmon.metrics`; a test keeps it equal.

Prompts, identities and observation ids are never labels. `scope` is `fleet`, `axis=value` pairs
joined by commas, or `target=model/platform/route`. Besides these, `/metrics` has the usual
`process_*` and `python_*` families of prometheus-client.

| metric | type | unit | labels | meaning |
|---|---|---|---|---|
"""


def as_markdown() -> str:
    """docs/metrics.md."""
    rows = (
        f"| `{m.name}` | {m.type} | {m.unit or '-'} | {', '.join(m.labels) or '-'} | {m.help} |\n"
        for m in METRICS
    )
    return _HEAD + "".join(rows)


if __name__ == "__main__":
    print(as_markdown(), end="")
