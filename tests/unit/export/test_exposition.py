"""Rendering of a snapshot: right names and values, hostile text, bounds."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest
from export_samples import (
    AT,
    CHANNELS,
    HOSTILE,
    INCIDENT,
    RESOLVED,
    TARGETS,
    TICKET,
    fleet,
    hostile_fleet,
    status,
)
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client.parser import text_string_to_metric_families
from prometheus_client.samples import Sample

from qualmon.metrics import INCIDENT as INCIDENT_LABELS
from qualmon.metrics import SPECS
from qualmon.sinks.exposition_text import MAX_LABEL, ExpositionWriter, label_set, number
from qualmon.sinks.prometheus import RESOLVED_SECONDS, render, scope_axes, utc_minute
from qualmon.types import FleetSnapshot


def samples(snapshot: FleetSnapshot, name: str, **bounds: int) -> list[Sample]:
    """What Prometheus's own parser reads of one family."""
    return [s for s in parsed(render(snapshot, **bounds).text) if s.name == name]


def parsed(text: bytes) -> Iterator[Sample]:
    """All samples of an exposition."""
    for family in text_string_to_metric_families(text.decode()):
        yield from family.samples


def test_every_sample_is_of_the_table_with_its_labels() -> None:
    """No name and no label beside the metrics table."""
    for sample in parsed(render(fleet(INCIDENT, TICKET, RESOLVED)).text):
        assert set(sample.labels) <= set(SPECS[sample.name].labels), sample


def test_incident_level_carries_scope_and_axes() -> None:
    """Level 2 on the platform, with empty axes left out."""
    (level,) = samples(fleet(INCIDENT), "qualmon_incident_level")
    assert level.value == 2
    assert level.labels == {
        "incident": "i-7f3a9c", "family": "script", "scope": "platform=aws", "platform": "aws"
    }  # fmt: skip


def test_share_and_identities_follow_the_incident() -> None:
    """Share and its interval; no share while it is unknown."""
    snapshot = fleet(INCIDENT, TICKET)
    values = {
        name: {s.labels["incident"]: s.value for s in samples(snapshot, name)}
        for name in SPECS
        if name.startswith(("qualmon_bad_share", "qualmon_identities"))
    }
    assert values == {
        "qualmon_bad_share_ratio": {"i-7f3a9c": 0.031},
        "qualmon_bad_share_low_ratio": {"i-7f3a9c": 0.019, "i-22": 0.0},
        "qualmon_bad_share_high_ratio": {"i-7f3a9c": 0.048, "i-22": 0.09},
        "qualmon_identities_bad": {"i-7f3a9c": 3, "i-22": 1},
        "qualmon_identities_observed": {"i-7f3a9c": 4, "i-22": 1},
    }


def test_moving_blame_changes_only_the_description() -> None:
    """Labels of an incident's numbers stay while node, cause, severity and level move."""
    moved = replace(
        INCIDENT, scope="target=m-large/aws/default", causes=(), severity="ticket", share=0.2
    )
    before, after = fleet(INCIDENT), fleet(moved)
    for name, spec in SPECS.items():
        if spec.labels == INCIDENT_LABELS:
            assert [s.labels for s in samples(before, name)] == [
                s.labels for s in samples(after, name)
            ]
    (description,) = samples(after, "qualmon_incident_info")
    assert description.labels["scope"] == "target=m-large/aws/default"
    assert description.labels["cause"] == "unknown"
    assert description.labels["severity"] == "ticket"


def test_resolved_incident_stays_at_zero_for_a_while() -> None:
    """Level 0 until RESOLVED_SECONDS after the end, whatever its level field says."""
    ended = replace(INCIDENT, resolved_at=AT - 60)
    assert [s.value for s in samples(fleet(ended), "qualmon_incident_level")] == [0]
    long_ago = replace(INCIDENT, resolved_at=AT - RESOLVED_SECONDS - 1)
    assert samples(fleet(long_ago), "qualmon_incident_level") == []


def test_last_observation_has_every_target_and_zero_for_never() -> None:
    """channel=any is there for each target, so that a target without data can alert."""
    found = samples(fleet(), "qualmon_last_observation_timestamp_seconds")
    latest = [s for s in found if s.labels["channel"] == "any"]
    assert len(latest) == len(TARGETS)
    assert {s.value for s in latest} == {0.0, AT - 90, AT - 8000}


def test_badness_is_for_shares_only() -> None:
    """A mean e-value is no ratio."""
    channels = {s.labels["channel"] for s in samples(fleet(), "qualmon_badness_ratio")}
    assert "token.drop" not in channels
    assert "script.run" in channels


def test_no_answers_are_no_badness_of_zero() -> None:
    """A channel without recent answers has no mean."""
    empty = replace(fleet(), channels=(status(TARGETS[0].key, "script.run", n=0),))
    assert samples(empty, "qualmon_badness_ratio") == []
    assert len(samples(empty, "qualmon_last_observation_timestamp_seconds")) == len(TARGETS) + 1


def test_evidence_and_threshold_have_the_same_labels() -> None:
    """They can be compared without a join."""
    evidence, threshold = (
        [s.labels for s in samples(fleet(), f"qualmon_evidence{end}_log10")]
        for end in ("", "_threshold")
    )
    assert evidence == threshold
    assert {"scope": "hardware=tpu,model=m-small", "family": "token", "hardware": "tpu",
            "model": "m-small"} in evidence  # fmt: skip


def test_hostile_text_is_escaped_shortened_and_kept_apart() -> None:
    """Quotes, newlines, surrogates and 5,000 characters come back from the parser harmless."""
    text = render(hostile_fleet()).text
    assert max(map(len, text.splitlines())) < 4000
    (level,) = (s for s in parsed(text) if s.name == "qualmon_incident_level")
    assert level.labels["incident"] == HOSTILE.replace("\udc80", "\ufffd")
    assert len(level.labels["route"]) == MAX_LABEL
    (evidence,) = (s for s in parsed(text) if s.name == "qualmon_evidence_log10")
    assert evidence.value == float("-inf")


def test_bound_keeps_incidents_and_counts_the_rest() -> None:
    """Incidents come first; what does not fit is counted."""
    snapshot = fleet(INCIDENT, TICKET)
    whole, cut = render(snapshot), render(snapshot, max_series=20)
    lines = [line for line in cut.text.splitlines() if not line.startswith(b"#")]
    assert len(lines) == 20
    assert whole.dropped == 0
    total = sum(not line.startswith(b"#") for line in whole.text.splitlines())
    assert cut.dropped == total - 20
    assert len(samples(snapshot, "qualmon_incident_level", max_series=20)) == 2


def test_duplicate_series_are_dropped() -> None:
    """Two names that become one after repair must not spoil the whole scrape."""
    twice = replace(fleet(), targets=(*TARGETS, TARGETS[0]), channels=())
    assert len(samples(twice, "qualmon_last_observation_timestamp_seconds")) == len(TARGETS)
    writer = ExpositionWriter(10)
    rows = [(label_set(("reason",), (text,)), 1.0) for text in ("a\udc80", "a\udc81")]
    writer.family("qualmon_slots_missed_total", rows)
    assert writer.dropped == 1


@pytest.mark.parametrize(
    ("scope", "axes"),
    [
        ("fleet", {}),
        ("platform=aws,model=m", {"platform": "aws", "model": "m"}),
        ("hardware=a,b,model=c=d", {"hardware": "a,b", "model": "c=d"}),
        ("target=m-large/aws/batch",
         {"platform": "aws", "hardware": "gpu", "model": "m-large", "route": "batch"}),
        ("target=gone/x/y", {}),
    ],
)  # fmt: skip
def test_scope_axes(scope: str, axes: dict[str, str]) -> None:
    """A scope's pairs, with commas inside values, and the axes of a target."""
    assert scope_axes(scope, {t.key: t for t in TARGETS}) == axes


def test_numbers_and_times() -> None:
    """The spellings of Prometheus; a time outside every calendar is unknown."""
    assert [number(x) for x in (float("inf"), float("-inf"), float("nan"), 1e250, 0)] == [
        "+Inf", "-Inf", "NaN", "1e+250", "0.0"
    ]  # fmt: skip
    assert utc_minute(0) == "1970-01-01T00:00Z"
    assert {utc_minute(x) for x in (float("nan"), float("inf"), 1e300)} == {"unknown"}


@given(st.text(alphabet=st.characters(categories=None), max_size=300))
def test_any_label_survives_the_parser(value: str) -> None:
    """What is parsed is the value with surrogates replaced, cut at the limit."""
    line = f"qualmon_x{label_set(('a',), (value,))} 1\n"
    line.encode()
    (sample,) = parsed(line.encode())
    got = sample.labels.get("a", "")
    assert len(got) <= MAX_LABEL
    if len(value) <= MAX_LABEL:
        assert got == value.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def test_bounds_are_proven_where_every_target_of_a_model_says_so() -> None:
    """One series per model and channel; one doubtful target is enough for 0."""
    doubtful = status(TARGETS[1].key, "script.run", proven=False)
    channels = (doubtful, *fleet().channels, status("x/y/z", "code.unknown"))
    found = samples(replace(fleet(), channels=channels), "qualmon_bound_proven")
    unproven = {("m-large", "script.run"), ("m-large", "finish.length"),
                ("m-small", "finish.length")}  # fmt: skip
    assert {(s.labels["model"], s.labels["channel"]): s.value for s in found} == {
        (model, channel): float((model, channel) not in unproven)
        for model in ("m-large", "m-small")
        for channel in CHANNELS
    }


@pytest.mark.parametrize(("until", "left"), [(AT + 90.0, 90.0), (AT - 1.0, 0.0), (0.0, 0.0)])
def test_burn_in_runs_down_to_zero(until: float, left: float) -> None:
    """Seconds as of the fold, never negative."""
    snapshot = replace(fleet(), burn_in_until=until)
    (found,) = samples(snapshot, "qualmon_burn_in_remaining_seconds")
    assert (found.value, found.labels) == (left, {})
