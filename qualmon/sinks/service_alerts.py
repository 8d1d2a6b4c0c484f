"""The alerts on qualmon itself: absent is never healthy."""

from __future__ import annotations

from qualmon.sinks.alert_table import Alert, RuleOptions, duration_seconds


def service_alerts(options: RuleOptions) -> tuple[Alert, ...]:
    """What tells that qualmon sees less than it should, or nothing."""
    last = "qualmon_last_observation_timestamp_seconds"
    age = f"{duration_seconds(options.stale_after):g}"
    target = "{{ $labels.model }}/{{ $labels.platform }}/{{ $labels.route }}"
    return (
        Alert(
            "QualmonDown", "page",
            f'up{{job="{options.job}"}} == 0\n'
            f'or (absent(qualmon_build_info) unless on () (up{{job="{options.job}"}} == 0))',
            summary="qualmon is not being scraped",
            description="Nobody watches the quality of the fleet. Open incidents keep firing for "
            f"{options.hold} and then go quiet without having recovered.",
            wait=options.down_for,
        ),
        Alert(
            "QualmonNoData", "page",
            f"time() - max({last}) > {age}\n"
            f"or (absent({last}) and on () (count(qualmon_build_info) > 0))",
            summary="qualmon runs, but has judged no answer of any target",
            description=f"No answer was judged within {options.stale_after}. Until one is, no "
            "fault can be seen; silence is not health.",
            wait=options.down_for,
        ),
        Alert(
            "QualmonTargetStale", "ticket",
            f'time() - max by (model, platform, route) ({last}{{channel="any"}}) > {age}',
            summary=f"No answer of {target} was judged within {options.stale_after}",
            description=f"{target} is not being watched: its requests fail, its budget is spent or "
            "its slots are missed.",
            wait=options.down_for,
        ),
        Alert(
            "QualmonSlotsMissed", "ticket",
            "sum by (reason) (increase(qualmon_slots_missed_total[1h])) > 0",
            summary="Probe slots were missed ({{ $labels.reason }})",
            description="{{ $value | humanize }} slots of the last hour were never probed. Missed "
            "slots earn no evidence: detection takes longer.",
        ),
        Alert(
            "QualmonBudgetExhausted", "ticket",
            "min by (model, platform, route, resource) (qualmon_budget_remaining_ratio) <= 0",
            summary=f"The daily budget of {target} is spent ({{{{ $labels.resource }}}})",
            description=f"{target} is not probed again before the day (UTC) ends.",
        ),
        Alert(
            "QualmonSinkFailing", "ticket",
            "sum by (sink) (increase(qualmon_sink_failures_total[15m])) > 0",
            summary="Deliveries to {{ $labels.sink }} fail",
            description="{{ $value | humanize }} deliveries of the last 15 minutes failed. They "
            "are tried again; these rules do not depend on that sink.",
            wait=options.down_for,
        ),
        Alert(
            "QualmonWatchdog", "none", "vector(1)",
            summary="Alerting works",
            description="Always firing. Route it to a dead man's switch: when it stops, "
            "Prometheus, Alertmanager or the way between them is broken.",
        ),
    )  # fmt: skip
