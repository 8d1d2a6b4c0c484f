"""A fault in a served model pages a person: real processes all the way, and back."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
from processes import (
    Fleet,
    fleet,
    incidents,
    live_through,
    proven,
    qualmon,
    service,
    targets,
    wait_until,
    write_config,
)
from servers import AlertingStack, free_port, need

pytestmark = pytest.mark.integration

PAGE = "QualmonRegressionPage"
RATE = 0.03
FAULT = {"id": "f", "kind": "corruption", "node": "platform=aws", "rate": RATE}
#: Answers with a corrupt token, of twelve tokens each.
SHARE = 1 - (1 - RATE) ** 12
#: The budget is a number of hours because people set and read it in hours.
KNOWN_LINT = 'qualmon_false_alarm_budget_hours use base unit "seconds" instead of "hours"'


@dataclass
class Watched:
    """A simulated fleet, the configuration of its watcher, and the way of an alert."""

    fleet: Fleet
    config: Path
    url: str
    start_alerting: Callable[[str, str], AlertingStack]

    def alerting(self) -> AlertingStack:
        """Prometheus and Alertmanager on the rules that `qualmon rules` prints."""
        return self.start_alerting(self.url, rules(self.url))

    def break_when_proven(self) -> None:
        """Plants the fault once every declared healthy rate is proven."""
        wait_until(lambda: proven(self.url), "all bounds proven")
        self.fleet.plant(FAULT)


@pytest.fixture
def watched(
    tmp_path: Path, start_alerting: Callable[[str, str], AlertingStack]
) -> Iterator[Watched]:
    """A healthy fleet; the service is not yet running."""
    need("prometheus", "prometheus-alertmanager", "promtool")
    with fleet(tmp_path, "--seed", "5") as sim:
        listen = f"127.0.0.1:{free_port()}"
        config = write_config(tmp_path, targets(sim.origin), listen=listen)
        yield Watched(sim, config, f"http://{listen}", start_alerting)


def rules(url: str) -> str:
    """The rules of a service, as impatient as the test."""
    options = ("--hold", "60s", "--keep-firing-for", "1s", "--down-for", "2s")
    done = qualmon("rules", "--external-url", url, "--stale-after", "20s", *options)
    assert done.returncode == 0, done.stderr
    return done.stdout


def promtool(*words: str, text: bytes = b"") -> list[str]:
    """What promtool complains about."""
    done = subprocess.run(["promtool", *words], input=text, capture_output=True)
    return (done.stdout + done.stderr).decode().splitlines()


def is_alert(name: str, status: str) -> Callable[[dict[str, Any]], bool]:
    """Matches one alert of the webhook."""
    return lambda alert: alert["labels"]["alertname"] == name and alert["status"] == status


def pages(stack: AlertingStack) -> list[tuple[str, str]]:
    """(status, fingerprint) of every delivered page about an incident."""
    delivered = (a for a in stack.webhook.alerts if a["labels"]["alertname"] == PAGE)
    return [(alert["status"], alert["fingerprint"]) for alert in delivered]


def ratio(percent: str) -> float:
    """``46.7%`` as a number."""
    assert percent.endswith("%"), percent
    return float(percent[:-1]) / 100


def test_a_fault_pages_with_its_place_and_resolves(watched: Watched, tmp_path: Path) -> None:
    """Node, share with interval and links that open arrive under one fingerprint; its end too."""
    with service(watched.config) as (running, url):
        stack = watched.alerting()
        assert "SUCCESS" in " ".join(promtool("check", "rules", str(tmp_path / "rules.yaml")))
        watched.break_when_proven()
        fired = stack.webhook.wait(is_alert(PAGE, "firing"), 40)
        words = fired["annotations"]
        assert words["node"] == "platform=aws"
        assert words["kind"] == "regression"
        assert words["cause"].startswith("output")
        # Few bad answers carry an interval alone.
        assert 0.001 < ratio(words["share_low"]) < SHARE < ratio(words["share_high"])
        assert words["runbook_url"] == f"{url}/runbooks/{PAGE}"
        assert "First five minutes" in page(words["runbook_url"])
        incident = fired["labels"]["incident"]
        assert incident in page(words["dashboard_url"])
        assert incident in page(f"{url}/")
        exposed = httpx.get(f"{url}/metrics").content
        assert promtool("check", "metrics", text=exposed) == [KNOWN_LINT]
        wait_until(lambda: incidents(watched.url)[0]["hits"] >= 20, "twenty bad answers")

        watched.fleet.plant()
        ended = stack.webhook.wait(is_alert(PAGE, "resolved"), 60)
        assert ended["annotations"]["node"] == "platform=aws"
        known = [ratio(ended["annotations"][name]) for name in ("share_low", "share", "share_high")]
        assert known == sorted(known)
        assert pages(stack) == [(s, fired["fingerprint"]) for s in ("firing", "resolved")]
        assert [found["id"] for found in incidents(watched.url)] == [incident]
        assert running.stop() == 0


def page(url: str) -> str:
    """A page of the running service, which must open."""
    answer = httpx.get(url, timeout=10)
    assert answer.status_code == 200, (url, answer.text)
    return answer.text


def test_a_killed_service_keeps_its_page(watched: Watched) -> None:
    """kill -9 while firing resolves nothing; the restart goes on with the same page."""
    live_through(watched.config)
    with service(watched.config) as (running, _):
        stack = watched.alerting()
        watched.break_when_proven()
        fired = stack.webhook.wait(is_alert(PAGE, "firing"), 40)
        running.kill()
        stack.webhook.wait(is_alert("QualmonDown", "firing"), 30)
    held = stack.query("qualmon:incident_level:held")
    assert [sample["value"][1] for sample in held] == ["2"]
    with service(watched.config):
        stack.webhook.wait(is_alert("QualmonDown", "resolved"), 30)
        known = incidents(watched.url)
        assert [(found["id"], found["level"]) for found in known] == [
            (fired["labels"]["incident"], "firing")
        ]
        assert pages(stack) == [("firing", fired["fingerprint"])]
        watched.fleet.plant()
        stack.webhook.wait(is_alert(PAGE, "resolved"), 60)
        assert len(pages(stack)) == 2
