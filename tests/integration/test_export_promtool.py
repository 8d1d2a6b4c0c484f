"""promtool accepts what is exported and the rules."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
import yaml
from servers import need

from qualmon.sinks.alert_table import RuleOptions
from qualmon.sinks.probe_metrics import ProbeMetrics
from qualmon.sinks.rules import render_rules
from qualmon.types import (
    Attempt,
    ChannelStatus,
    Completion,
    FleetSnapshot,
    Member,
    NodeEvidence,
    Observation,
    Slot,
    Target,
)

pytestmark = pytest.mark.integration

TARGET = Target('m"\n\\\udc80', "aws", "default", labels={"hardware": "gpu"})
#: The budget is a number of hours because people set and read it in hours.
KNOWN_LINT = 'qualmon_false_alarm_budget_hours use base unit "seconds" instead of "hours"'


def promtool(*words: str, text: bytes = b"") -> subprocess.CompletedProcess[bytes]:
    """Runs promtool."""
    need("promtool")
    return subprocess.run(["promtool", *words], input=text, capture_output=True)


def test_exposition_is_accepted() -> None:
    """No error, and no lint but the one that is known."""
    metrics = ProbeMetrics("1", missed_reasons=["down"])
    slot = Slot(0.0, "core", "m", 0, 300.0)
    answer = Completion("hi", "stop", ttft_seconds=0.1, total_seconds=0.4, logprobs_state="null")
    attempts = (Attempt(0, 0.0, "ok", 0.4),)
    metrics.observe(TARGET, Observation(Member(slot, TARGET.key, "p"), 0.0, answer, attempts, "v"))
    metrics.publish(
        FleetSnapshot(
            1.0,
            (TARGET,),
            (),
            (NodeEvidence("fleet", "script", float("-inf"), 4.0),),
            (ChannelStatus(TARGET.key, "script.run", 0.1, 5, 1.0, proven=True),),
            2160.0,
        )
    )
    done = promtool("check", "metrics", text=metrics.exposition())
    assert (done.stdout + done.stderr).decode().splitlines() == [KNOWN_LINT]


@pytest.mark.parametrize("interval", [None, "15s"])
def test_rules_are_accepted(tmp_path: Path, interval: str | None) -> None:
    """With every lint fatal; the operator's groups too."""
    options = RuleOptions(interval=interval)
    operator = yaml.safe_load(render_rules(options, "operator"))["spec"]
    for text in (render_rules(options), yaml.safe_dump(operator)):
        path = tmp_path / "rules.yaml"
        path.write_text(text)
        done = promtool("check", "rules", "--lint=all", "--lint-fatal", str(path))
        assert done.returncode == 0, done.stdout + done.stderr
