"""Counters of a running program: right series, own registry, starts at zero."""

from __future__ import annotations

from export_samples import INCIDENT, fleet
from prometheus_client import REGISTRY
from prometheus_client.parser import text_string_to_metric_families

from qualmon.metrics import METRICS, SPECS
from qualmon.sinks.probe_metrics import ProbeMetrics
from qualmon.types import Attempt, Completion, Failure, Member, Observation, Slot, Target

TARGET = Target("m", "aws", "default")
MEMBER = Member(Slot(0.0, "core", "m", 0, 300.0), TARGET.key, "p")
OK = Completion("hi", "stop", ttft_seconds=0.2, total_seconds=1.3, logprobs_state="null")


def observation(result: Completion | Failure, *outcomes: str, lagged: bool = False) -> Observation:
    """An observation after these attempts."""
    attempts = tuple(Attempt(i, 0.0, outcome, 0.1) for i, outcome in enumerate(outcomes))
    return Observation(MEMBER, 0.0, result, attempts, "v", lagged=lagged)


def values(metrics: ProbeMetrics) -> dict[str, float]:
    """Every sample of the exposition, as ``name{label=value,...}`` in label order."""
    return {
        f"{s.name}{{{','.join(f'{k}={v}' for k, v in sorted(s.labels.items()))}}}": s.value
        for family in text_string_to_metric_families(metrics.exposition().decode())
        for s in family.samples
    }


PLACE = "model=m,platform=aws,route=default"


def test_every_attempt_counts_under_its_outcome() -> None:
    """Two failed tries and an answer are three requests and one duration."""
    metrics = ProbeMetrics("1")
    metrics.observe(TARGET, observation(OK, "connect", "rate_limited", "ok"))
    found = values(metrics)
    for outcome in ("connect", "rate_limited", "ok"):
        assert (
            found[
                f"qualmon_probe_requests_total{{model=m,outcome={outcome},platform=aws,route=default}}"
            ]
            == 1
        )
    assert found[f"qualmon_probe_duration_seconds_count{{{PLACE}}}"] == 1
    assert found[f"qualmon_probe_duration_seconds_bucket{{le=1.28,{PLACE}}}"] == 0
    assert found[f"qualmon_probe_ttft_seconds_sum{{{PLACE}}}"] == 0.2


def test_failures_and_lagged_answers_are_not_timed() -> None:
    """A time-out is no duration, and a late loop does not measure the model."""
    metrics = ProbeMetrics("1")
    metrics.observe(TARGET, observation(Failure("timeout_total", ""), "timeout_total"))
    metrics.observe(TARGET, observation(OK, "ok", lagged=True))
    assert f"qualmon_probe_duration_seconds_count{{{PLACE}}}" not in values(metrics)


def test_capability_moves_from_state_to_state() -> None:
    """Only the present state has a series."""
    metrics = ProbeMetrics("1")
    metrics.capability(TARGET, "logprobs", "null")
    assert values(metrics)[f"qualmon_capability{{feature=logprobs,{PLACE},state=null}}"] == 1
    metrics.capability(TARGET, "logprobs", "present")
    metrics.capability(TARGET, "logprobs", "present")
    states = [name for name in values(metrics) if name.startswith("qualmon_capability{")]
    assert states == [f"qualmon_capability{{feature=logprobs,{PLACE},state=present}}"]


def test_known_counters_start_at_zero() -> None:
    """So that the first missed slot or failed delivery is an increase."""
    found = values(ProbeMetrics("1", missed_reasons=["down"], sinks=["webhook"]))
    assert found["qualmon_slots_missed_total{reason=down}"] == 0
    assert found["qualmon_sink_failures_total{sink=webhook}"] == 0


def test_states_of_the_program() -> None:
    """Gauges and counters follow their calls."""
    metrics = ProbeMetrics("0.1.0")
    metrics.reloaded(ok=True)
    metrics.sandbox(available=False)
    metrics.budget(TARGET, "usd", 0.25)
    metrics.slot_missed("down")
    metrics.queue_lag(12.5)
    metrics.loop_lag(0.07)
    metrics.sink_failed("webhook")
    found = values(metrics)
    assert found["qualmon_config_last_reload_successful{}"] == 1
    assert found["qualmon_sandbox_available{}"] == 0
    assert (
        found["qualmon_budget_remaining_ratio{model=m,platform=aws,resource=usd,route=default}"]
        == 0.25
    )
    assert found["qualmon_slots_missed_total{reason=down}"] == 1
    assert found["qualmon_queue_lag_seconds{}"] == 12.5
    assert found["qualmon_event_loop_lag_seconds_bucket{le=0.05}"] == 0
    assert found["qualmon_sink_failures_total{sink=webhook}"] == 1
    assert any(n.startswith("qualmon_build_info{python=3.") for n in found)


def test_exposition_has_the_whole_table_and_nothing_else() -> None:
    """Every name of the table, process metrics, and no name of qualmon's beside them."""
    metrics = ProbeMetrics("1")
    metrics.publish(fleet(INCIDENT))
    lines = metrics.exposition().decode().splitlines()
    named = [line.split()[2:] for line in lines if line.startswith("# TYPE")]
    types = {name: kind for name, kind in named if name.startswith("qualmon_")}
    assert types == {spec.name: spec.type for spec in METRICS}
    assert "process_cpu_seconds_total" in dict(named)
    assert not [line for line in lines if "_created" in line]


def test_dropped_series_are_counted() -> None:
    """Each rendering adds what it left out."""
    metrics = ProbeMetrics("1", max_series=10)
    metrics.publish(fleet())
    first = values(metrics)["qualmon_series_dropped_total{}"]
    metrics.publish(fleet())
    assert first > 0
    assert values(metrics)["qualmon_series_dropped_total{}"] == 2 * first


def test_registry_is_its_own() -> None:
    """Two programs in one process do not meet, and the global registry stays untouched."""
    ProbeMetrics("1")
    ProbeMetrics("2")
    names = {metric.name for metric in REGISTRY.collect()}
    assert not any(name in SPECS or f"{name}_total" in SPECS for name in names)
