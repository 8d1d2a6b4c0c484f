"""Every alert on promtool's clock: fires, does not fire, no data, qualmon down, recovery."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml
from servers import need

from qualmon.sinks.alert_table import RuleOptions
from qualmon.sinks.rules import rule_groups

pytestmark = pytest.mark.integration

UP = 'up{job="qualmon",instance="a"}'
BUILD = 'qualmon_build_info{job="qualmon",instance="a",version="1"}'
LEVEL = 'qualmon_incident_level{job="qualmon",instance="a",incident="i-1",scope="fleet"}'
HERE = 'job="qualmon",instance="a",incident="i-1"'
Expected = tuple[str, str, list[dict[str, str]]]
Promtool = Callable[[Mapping[str, str], list[Expected]], None]


def info(severity: str = "page", scope: str = "platform=aws") -> str:
    """The series of an incident's description."""
    return (
        f'qualmon_incident_info{{{HERE},severity="{severity}",scope="{scope}",'
        'kind="regression",cause="corruption",family="script",onset="2026-01-01T00:00Z"}'
    )


@pytest.fixture
def promtool(tmp_path: Path) -> Promtool:
    """Runs series (promtool's notation, a value a minute) against the rules and expects alerts,
    as (time, alert, list of labels); annotations are tested by themselves."""
    need("promtool")
    groups = rule_groups(RuleOptions())
    for group in groups:
        for rule in group["rules"]:
            rule.pop("annotations", None)
    (tmp_path / "rules.yaml").write_text(yaml.safe_dump({"groups": groups}))

    def run(series: Mapping[str, str], expected: list[Expected]) -> None:
        test = {
            "interval": "1m",
            "input_series": [{"series": k, "values": v} for k, v in series.items()],
            "alert_rule_test": [
                {
                    "eval_time": at,
                    "alertname": name,
                    "exp_alerts": [{"exp_labels": x} for x in found],
                }
                for at, name, found in expected
            ],
        }
        check(tmp_path, test)

    return run


def check(folder: Path, test: Mapping[str, Any]) -> None:
    """Runs one promtool unit test over `folder`/rules.yaml."""
    file = {"rule_files": ["rules.yaml"], "evaluation_interval": "1m", "tests": [test]}
    (folder / "test.yaml").write_text(yaml.safe_dump(file))
    done = subprocess.run(
        ["promtool", "test", "rules", "test.yaml"], cwd=folder, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout + done.stderr


def page(name: str = "page") -> list[dict[str, str]]:
    """The one alert of the one incident."""
    return [{"incident": "i-1", "severity": name}]


def test_page_fires_at_level_two_and_a_suspicion_does_not(promtool: Promtool) -> None:
    """Level 1 is silent, level 2 pages; there is no ticket beside the page."""
    promtool(
        {LEVEL: "1x4 2x20", info(): "1x30", UP: "1x30", BUILD: "1x30"},
        [
            ("4m", "QualmonRegressionPage", []),
            ("6m", "QualmonRegressionPage", page()),
            ("6m", "QualmonRegressionTicket", []),
            ("6m", "QualmonDown", []),
            ("6m", "QualmonWatchdog", [{"severity": "none"}]),
        ],
    )


def test_without_incidents_or_data_nothing_about_quality_fires(promtool: Promtool) -> None:
    """No series: no quality alert, but QualmonDown."""
    promtool(
        {},
        [
            ("10m", "QualmonRegressionPage", []),
            ("10m", "QualmonRegressionTicket", []),
            ("10m", "QualmonTargetStale", []),
            ("10m", "QualmonSlotsMissed", []),
            ("10m", "QualmonBudgetExhausted", []),
            ("10m", "QualmonSinkFailing", []),
            ("10m", "QualmonDown", [{"severity": "page"}]),
        ],
    )


def test_recovery_ends_the_page_and_recovering_does_not(promtool: Promtool) -> None:
    """Level 3 still fires; level 0 ends it after keep_firing_for."""
    promtool(
        {LEVEL: "2x5 3x10 0x60", info(): "1x80", UP: "1x80", BUILD: "1x80"},
        [
            ("14m", "QualmonRegressionPage", page()),
            ("18m", "QualmonRegressionPage", page()),
            ("30m", "QualmonRegressionPage", []),
        ],
    )


def test_dead_exporter_keeps_the_page_for_two_hours(promtool: Promtool) -> None:
    """From minute 10 nothing is exported; the page holds to minute 130, QualmonDown beside it."""
    promtool(
        {LEVEL: "2x10 stale", info(): "1x10 stale", UP: "1x10 0x200", BUILD: "1x10 stale"},
        [
            ("11m", "QualmonRegressionPage", page()),
            ("60m", "QualmonRegressionPage", page()),
            ("60m", "QualmonRegressionTicket", []),
            ("60m", "QualmonDown", [{"job": "qualmon", "instance": "a", "severity": "page"}]),
            ("129m", "QualmonRegressionPage", page()),
            ("140m", "QualmonRegressionPage", []),
            ("140m", "QualmonDown", [{"job": "qualmon", "instance": "a", "severity": "page"}]),
        ],
    )


def test_vanished_scrape_target_holds_the_page_too(promtool: Promtool) -> None:
    """Where service discovery drops a dead exporter there is no `up` at all."""
    promtool(
        {LEVEL: "2x10 stale", info(): "1x10 stale", UP: "1x10 stale", BUILD: "1x10 stale"},
        [
            ("100m", "QualmonRegressionPage", page()),
            ("100m", "QualmonDown", [{"severity": "page"}]),
            ("140m", "QualmonRegressionPage", []),
        ],
    )


def test_restart_is_one_uninterrupted_page(promtool: Promtool) -> None:
    """Three minutes without the exporter, then the same level again."""
    promtool(
        {
            LEVEL: "2x10 stale _x2 2x20",
            info(): "1x10 stale _x2 1x20",
            UP: "1x10 0x2 1x20",
            BUILD: "1x10 stale _x2 1x20",
        },
        [(f"{minute}m", "QualmonRegressionPage", page()) for minute in range(1, 25)],
    )


def test_exporter_that_dies_after_the_recovery_wakes_nobody(promtool: Promtool) -> None:
    """The last level told was 0, though higher ones lie within the two hours."""
    promtool(
        {LEVEL: "2x10 0x20 stale", info(): "1x30 stale", UP: "1x30 0x60", BUILD: "1x30 stale"},
        [("31m", "QualmonRegressionPage", []), ("60m", "QualmonRegressionPage", [])],
    )


def test_replaced_exporter_speaks_for_its_predecessor(promtool: Promtool) -> None:
    """A pod with another instance label goes on with the incident and ends it."""
    new = LEVEL.replace('instance="a"', 'instance="b"')
    new_info = info().replace('instance="a"', 'instance="b"')
    promtool(
        {
            LEVEL: "2x10 stale",
            info(): "1x10 stale",
            UP: "1x10 stale",
            new: "_x11 2x10 0x60",
            new_info: "_x11 1x70",
            'up{job="qualmon",instance="b"}': "_x11 1x70",
        },
        [
            ("15m", "QualmonRegressionPage", page()),
            ("35m", "QualmonRegressionPage", []),
            ("60m", "QualmonRegressionPage", []),
        ],
    )


def test_incident_forgotten_by_a_living_exporter_is_not_held(promtool: Promtool) -> None:
    """A level is held for an exporter that is not up, and only for that."""
    promtool(
        {LEVEL: "2x10 stale", info(): "1x10 stale", UP: "1x60", BUILD: "1x60"},
        [("30m", "QualmonRegressionPage", [])],
    )


def test_moved_blame_is_the_same_alert(promtool: Promtool) -> None:
    """A new node or cause replaces the description; labels stay what they were."""
    promtool(
        {
            LEVEL: "2x30",
            info(): "1x10 stale",
            info(scope="target=m/aws/default"): "_x10 1x20",
            UP: "1x30",
        },
        [(f"{minute}m", "QualmonRegressionPage", page()) for minute in range(1, 30)],
    )


def test_ticket_that_grows_into_a_page(promtool: Promtool) -> None:
    """The newest severity counts, also while the exporter is dead."""
    promtool(
        {
            LEVEL: "2x20 stale",
            info("ticket"): "1x10 stale",
            info("page"): "_x10 1x10 stale",
            UP: "1x20 0x60",
        },
        [
            ("5m", "QualmonRegressionTicket", page("ticket")),
            ("5m", "QualmonRegressionPage", []),
            ("12m", "QualmonRegressionPage", page()),
            ("19m", "QualmonRegressionTicket", []),
            ("60m", "QualmonRegressionPage", page()),
            ("60m", "QualmonRegressionTicket", []),
        ],
    )


def test_two_incidents_are_two_alerts(promtool: Promtool) -> None:
    """A page and a ticket at the same time do not disturb each other."""
    other_level = LEVEL.replace("i-1", "i-2")
    other = info("ticket").replace("i-1", "i-2")
    promtool(
        {LEVEL: "2x20", info(): "1x20", other_level: "2x20", other: "1x20", UP: "1x20"},
        [
            ("10m", "QualmonRegressionPage", page()),
            ("10m", "QualmonRegressionTicket", [{"incident": "i-2", "severity": "ticket"}]),
        ],
    )


def last_seen(platform: str) -> str:
    """The series of a target's last judged answer on any channel."""
    name = "qualmon_last_observation_timestamp_seconds"
    labels = f'model="m",platform="{platform}",route="r",channel="any"'
    return f'{name}{{job="qualmon",instance="a",{labels}}}'


def target(platform: str) -> dict[str, str]:
    """Labels of a stale target's alert."""
    return {"model": "m", "platform": platform, "route": "r", "severity": "ticket"}


def test_stale_target_is_told_and_no_data_only_when_all_are(promtool: Promtool) -> None:
    """One target stops at minute 10, the other at minute 60; a third never was judged."""
    promtool(
        {
            last_seen("aws"): "0+60x10 600x120",
            last_seen("gcp"): "0+60x60 3600x70",
            last_seen("new"): "0x130",
            UP: "1x130",
            BUILD: "1x130",
        },
        [
            ("39m", "QualmonTargetStale", [target("new")]),
            ("50m", "QualmonTargetStale", [target("aws"), target("new")]),
            ("50m", "QualmonNoData", []),
            ("100m", "QualmonNoData", [{"severity": "page"}]),
        ],
    )


def test_exporter_without_any_target_has_no_data(promtool: Promtool) -> None:
    """Running, scraped, and nothing to tell: that alerts."""
    promtool(
        {UP: "1x20", BUILD: "1x20"},
        [("3m", "QualmonNoData", []), ("10m", "QualmonNoData", [{"severity": "page"}])],
    )


def test_recovered_target_is_not_stale(promtool: Promtool) -> None:
    """An answer ends the alert."""
    promtool(
        {last_seen("aws"): "0x60 3660+60x20", UP: "1x90"},
        [("50m", "QualmonTargetStale", [target("aws")]), ("70m", "QualmonTargetStale", [])],
    )


def test_missed_slots_sinks_and_budgets(promtool: Promtool) -> None:
    """Each fires on its own series, and not on one that stands still."""
    budget = 'qualmon_budget_remaining_ratio{model="m",platform="aws",route="r",resource="usd"}'
    promtool(
        {
            'qualmon_slots_missed_total{job="qualmon",reason="down"}': "0x9 3x120",
            'qualmon_slots_missed_total{job="qualmon",reason="late"}': "7x120",
            'qualmon_sink_failures_total{job="qualmon",sink="webhook"}': "0+1x60 60x60",
            budget: "1-0.1x10 0x20 1x90",
        },
        [
            ("9m", "QualmonSlotsMissed", []),
            ("20m", "QualmonSlotsMissed", [{"reason": "down", "severity": "ticket"}]),
            ("90m", "QualmonSlotsMissed", []),
            ("20m", "QualmonSinkFailing", [{"sink": "webhook", "severity": "ticket"}]),
            ("90m", "QualmonSinkFailing", []),
            ("5m", "QualmonBudgetExhausted", []),
            ("20m", "QualmonBudgetExhausted", [target("aws") | {"resource": "usd"}]),
            ("60m", "QualmonBudgetExhausted", []),
        ],
    )


def test_annotations_say_where_how_much_and_what_to_do(tmp_path: Path) -> None:
    """Node, share with interval, onset, cause and links, also of the newest description."""
    need("promtool")
    groups = rule_groups(RuleOptions(external_url="https://q.example/"))
    wanted = "QualmonRegressionPage"
    incidents = [r for r in groups[0]["rules"] if r.get("alert", wanted) == wanted]
    file = {"groups": [{"name": "incidents", "rules": incidents}]}
    (tmp_path / "rules.yaml").write_text(yaml.safe_dump(file))
    series = {
        LEVEL: "2x20",
        info(): "1x5 stale",
        info(scope="target=m/aws/default"): "_x5 1x20",
        f"qualmon_bad_share_ratio{{{HERE}}}": "0.031x20",
        f"qualmon_bad_share_low_ratio{{{HERE}}}": "0.019x20",
    }
    annotations = {
        "summary": "LLM answers are worse on target=m/aws/default",
        "description": "target=m/aws/default, family script, since 2026-01-01T00:00Z; likely cause:"
        " corruption. Share of bad answers 3.1%, 95 % interval 1.9% to not yet known."
        " Incident i-1.",
        "node": "target=m/aws/default",
        "share": "3.1%",
        "share_low": "1.9%",
        "share_high": "not yet known",
        "onset": "2026-01-01T00:00Z",
        "cause": "corruption",
        "kind": "regression",
        "family": "script",
        "dashboard_url": "https://q.example/incidents/i-1",
        "runbook_url": "https://q.example/runbooks/QualmonRegressionPage",
    }
    alert = {"exp_labels": page()[0], "exp_annotations": annotations}
    check(
        tmp_path,
        {
            "interval": "1m",
            "input_series": [{"series": k, "values": v} for k, v in series.items()],
            "alert_rule_test": [{"eval_time": "10m", "alertname": wanted, "exp_alerts": [alert]}],
        },
    )
