"""The rule file: formats, options, one fingerprint, and its refusal of bad durations."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import typer
import yaml
from typer.testing import CliRunner

from qualmon.cli.rules import rules
from qualmon.errors import UnknownNameError
from qualmon.sinks.alert_table import BadDurationError, RuleOptions, duration_seconds
from qualmon.sinks.prometheus import RESOLVED_SECONDS
from qualmon.sinks.rules import alert_names, render_rules, rule_groups

APP = typer.Typer()
APP.command()(rules)


def run(*words: str) -> str:
    """Output of the command."""
    result = CliRunner().invoke(APP, words, catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.stdout


def test_operator_format_wraps_the_same_groups() -> None:
    """A PrometheusRule holds what the plain file holds."""
    plain = yaml.safe_load(render_rules(RuleOptions()))
    wrapped = yaml.safe_load(render_rules(RuleOptions(), "operator"))
    assert wrapped["kind"] == "PrometheusRule"
    assert wrapped["spec"] == plain


def test_alert_labels_are_the_severity_alone() -> None:
    """What may move during an incident must not be a label."""
    for group in rule_groups(RuleOptions()):
        for rule in group["rules"]:
            assert set(rule.get("labels", {"severity": ""})) == {"severity"}


def test_every_alert_says_what_and_links_its_runbook() -> None:
    """Summary, description, and a runbook under the chosen address."""
    options = RuleOptions(runbook_url="https://wiki.example/rb/")
    found = [r for g in rule_groups(options) for r in g["rules"] if "alert" in r]
    assert tuple(r["alert"] for r in found) == alert_names()
    for rule in found:
        assert rule["annotations"]["runbook_url"] == f"https://wiki.example/rb/{rule['alert']}"
        assert rule["annotations"]["summary"]
        assert rule["annotations"]["description"]


def test_options_reach_the_rules() -> None:
    """Hold, job, staleness, waits and the interval."""
    text = render_rules(
        RuleOptions(job="llm", hold="90m", stale_after="2h", down_for="1m", interval="15s")
    )
    for part in ("[90m]", 'up{job="llm"}', "> 7200", "for: 1m", "interval: 15s"):
        assert part in text


def test_held_level_never_outlives_its_recovery() -> None:
    """The longest hold is shorter than a resolved incident's export."""
    assert duration_seconds("2h") < RESOLVED_SECONDS
    with pytest.raises(BadDurationError, match="2h or less"):
        RuleOptions(hold="3h")


@pytest.mark.parametrize("text", ["", "5", "m", "1h30m", "-1m", "5 m", "1w", "٣m"])
def test_bad_durations_are_refused(text: str) -> None:
    """The message shows the value and the remedy."""
    with pytest.raises(BadDurationError, match="such as 30m"):
        RuleOptions(stale_after=text)


def test_command_prints_and_writes(tmp_path: Path) -> None:
    """To stdout, to a file, and two formats into a folder."""
    printed = run("--external-url", "https://q.example")
    assert "https://q.example/runbooks/QualmonRegressionPage" in printed
    run("-o", str(tmp_path / "one.yaml"))
    assert (tmp_path / "one.yaml").read_text() == render_rules(RuleOptions())
    run("--format", "prometheus,operator", "-o", str(tmp_path / "all"))
    assert sorted(p.name for p in (tmp_path / "all").iterdir()) == [
        "qualmon.prometheusrule.yaml", "qualmon.rules.yaml"
    ]  # fmt: skip
    both = run("--format", "prometheus,operator")
    assert len(list(yaml.safe_load_all(both))) == 2


def test_command_refuses_unknown_formats() -> None:
    """The message lists what there is."""
    with pytest.raises(UnknownNameError, match="prometheus, operator"):
        CliRunner().invoke(APP, ["--format", "nagios"], catch_exceptions=False)


def test_rules_are_plain_data() -> None:
    """Nothing in them that JSON could not carry."""
    assert json.loads(json.dumps(rule_groups(RuleOptions()))) == rule_groups(RuleOptions())
