"""What the program counts while it probes, and `/metrics` as a whole."""

from __future__ import annotations

import platform
from collections.abc import Iterable, Iterator

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    GCCollector,
    Histogram,
    Metric,
    PlatformCollector,
    ProcessCollector,
    generate_latest,
)

from qualmon.metrics import SPECS
from qualmon.sinks.exposition_text import label_value
from qualmon.sinks.prometheus import MAX_SERIES, render
from qualmon.types import Completion, FleetSnapshot, Observation, Target

#: 10 ms to 164 s in octaves, as the OpenTelemetry conventions for generative AI have it.
DURATION_BUCKETS = tuple(0.01 * 2**k for k in range(15))
#: An observation is marked as lagged above 50 ms, so that is a bucket's edge.
LAG_BUCKETS = (0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0)


class ProbeMetrics:
    """Counters of one running program in a registry of their own.

    `missed_reasons` and `sinks` are the names known at the start: their counters begin at 0, so
    that the first failure is an increase. `version` is shown by qualmon_build_info.
    """

    def __init__(
        self,
        version: str,
        *,
        missed_reasons: Iterable[str] = (),
        sinks: Iterable[str] = (),
        max_series: int = MAX_SERIES,
    ) -> None:
        self._registry = CollectorRegistry()
        self._max_series = max_series
        self._fleet = b""
        self._capabilities: dict[tuple[str, str], tuple[str, ...]] = {}
        self._requests = self._counter("qualmon_probe_requests_total")
        self._duration = self._histogram("qualmon_probe_duration_seconds", DURATION_BUCKETS)
        self._ttft = self._histogram("qualmon_probe_ttft_seconds", DURATION_BUCKETS)
        self._capability = self._gauge("qualmon_capability")
        self._budget = self._gauge("qualmon_budget_remaining_ratio")
        self._missed = self._counter("qualmon_slots_missed_total")
        self._queue_lag = self._gauge("qualmon_queue_lag_seconds")
        self._loop_lag = self._histogram("qualmon_event_loop_lag_seconds", LAG_BUCKETS)
        self._sandbox = self._gauge("qualmon_sandbox_available")
        self._sink_failures = self._counter("qualmon_sink_failures_total")
        self._dropped = self._counter("qualmon_series_dropped_total")
        self._reload = self._gauge("qualmon_config_last_reload_successful")
        self._gauge("qualmon_build_info").labels(version, platform.python_version()).set(1)
        for reason in missed_reasons:
            self._missed.labels(label_value(reason))
        for sink in sinks:
            self._sink_failures.labels(label_value(sink))
        ProcessCollector(registry=self._registry)
        PlatformCollector(registry=self._registry)
        GCCollector(registry=self._registry)

    def _counter(self, name: str) -> Counter:
        return Counter(name, SPECS[name].help, SPECS[name].labels, registry=self._registry)

    def _gauge(self, name: str) -> Gauge:
        return Gauge(name, SPECS[name].help, SPECS[name].labels, registry=self._registry)

    def _histogram(self, name: str, buckets: tuple[float, ...]) -> Histogram:
        spec = SPECS[name]
        return Histogram(name, spec.help, spec.labels, registry=self._registry, buckets=buckets)

    def observe(self, target: Target, observation: Observation) -> None:
        """Counts every attempt; times the answer unless the event loop was late."""
        place = _place(target)
        for attempt in observation.attempts:
            self._requests.labels(*place, attempt.outcome).inc()
        if isinstance(observation.result, Completion):
            self._answered(target, observation.result, lagged=observation.lagged)

    def _answered(self, target: Target, answer: Completion, *, lagged: bool) -> None:
        place = _place(target)
        if lagged:
            return
        self._duration.labels(*place).observe(answer.total_seconds)
        if answer.ttft_seconds is not None:
            self._ttft.labels(*place).observe(answer.ttft_seconds)

    def capability(self, target: Target, feature: str, state: str) -> None:
        """The state in which a target offers a feature; the earlier state's series goes away."""
        labels = (*_place(target), feature, state)
        before = self._capabilities.get((target.key, feature))
        if before == labels:
            return
        if before is not None:
            self._capability.remove(*before)
        self._capabilities[target.key, feature] = labels
        self._capability.labels(*labels).set(1)

    def budget(self, target: Target, resource: str, ratio: float) -> None:
        """Share in [0, 1] of a target's daily `resource` (requests, usd) that is left."""
        self._budget.labels(*_place(target), resource).set(ratio)

    def slot_missed(self, reason: str, count: int = 1) -> None:
        """`count` slots were never probed."""
        self._missed.labels(label_value(reason)).inc(count)

    def queue_lag(self, seconds: float) -> None:
        """Age beyond its deadline of the oldest open slot; 0 when none is late."""
        self._queue_lag.set(seconds)

    def loop_lag(self, seconds: float) -> None:
        """One heartbeat came `seconds` late."""
        self._loop_lag.observe(seconds)

    def sink_failed(self, sink: str) -> None:
        """One delivery failed."""
        self._sink_failures.labels(label_value(sink)).inc()

    def reloaded(self, *, ok: bool) -> None:
        """The configuration was read, at the start or again."""
        self._reload.set(ok)

    def sandbox(self, *, available: bool) -> None:
        """Code can, or can no longer, be compiled apart from this process."""
        self._sandbox.set(available)

    def publish(self, snapshot: FleetSnapshot) -> None:
        """Renders the fleet's families; called when a fold changed them, not on a scrape."""
        rendered = render(snapshot, max_series=self._max_series)
        self._fleet = rendered.text
        self._dropped.inc(rendered.dropped)

    def exposition(self) -> bytes:
        """`/metrics` in text format 0.0.4: the fleet as last published, then the counters."""
        return self._fleet + generate_latest(_WithoutCreated(self._registry))


def _place(target: Target) -> tuple[str, str, str]:
    return label_value(target.model), label_value(target.platform), label_value(target.route)


class _WithoutCreated(CollectorRegistry):
    """A registry's families without the ``_created`` series, which would double the counters."""

    def __init__(self, inner: CollectorRegistry) -> None:
        super().__init__()
        self._inner = inner

    def collect(self) -> Iterator[Metric]:
        for metric in self._inner.collect():
            metric.samples = [s for s in metric.samples if not s.name.endswith("_created")]
            yield metric
