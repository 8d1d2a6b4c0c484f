"""An incident goes through real Prometheus and Alertmanager to a webhook, and resolves."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from servers import AlertingStack

from qualmon.sinks.alert_table import RuleOptions
from qualmon.sinks.rules import render_rules
from qualmon.types import ChannelStatus, FleetSnapshot, Incident, Target
from qualmon.web.app import make_app
from qualmon.web.fixed_view import FixedView
from qualmon.web.server import serve

pytestmark = pytest.mark.integration

TARGET = Target("m-large", "aws", "default", labels={"hardware": "trainium"})


def incident(now: float) -> Incident:
    """A page on one platform."""
    return Incident(
        id="i-1", kind="regression", scope="platform=aws", opened_scope="platform=aws",
        family="script", families=("script",), level="firing", severity="page", opened_at=now - 60,
        updated_at=now, onset=now - 600, log10_e=5.0, threshold_log10=4.0, answers=900, hits=28,
        share=0.031, share_low=0.019, share_high=0.048, targets=(TARGET.key,),
        channels=("script.run",), causes=(("output corruption", 0.8),), examples=(),
        identities_bad=1, identities_observed=1,
    )  # fmt: skip


def fleet(now: float, *incidents: Incident) -> FleetSnapshot:
    """One target that was judged just now."""
    seen = ChannelStatus(TARGET.key, "script.run", 0.031, 900, now, proven=True)
    return FleetSnapshot(now, (TARGET,), incidents, (), (seen,), 2160.0)


def is_alert(name: str, status: str) -> Callable[[dict[str, Any]], bool]:
    """Matches one alert of the webhook."""
    return lambda alert: alert["labels"]["alertname"] == name and alert["status"] == status


async def test_firing_incident_pages_moves_under_one_fingerprint_and_resolves(
    start_alerting: Callable[[str, str], AlertingStack],
) -> None:
    """Node, share and runbook reach the webhook; moved blame is the same alert; level 0 ends it."""
    now = time.time()
    view = FixedView(time=now)
    view.show(fleet(now, incident(now)))
    async with serve(make_app(view), "127.0.0.1", 0) as url:
        options = RuleOptions(external_url=url, hold="20s", keep_firing_for="1s", down_for="1s")
        stack = await asyncio.to_thread(start_alerting, url, render_rules(options))
        fired = await stack.webhook.wait_async(is_alert("QualmonRegressionPage", "firing"))
        assert fired["labels"] == {
            "alertname": "QualmonRegressionPage", "incident": "i-1", "severity": "page"
        }  # fmt: skip
        assert fired["annotations"]["node"] == "platform=aws"
        assert fired["annotations"]["share"] == "3.1%"
        assert fired["annotations"]["share_low"] == "1.9%"
        assert fired["annotations"]["runbook_url"] == f"{url}/runbooks/QualmonRegressionPage"
        assert fired["annotations"]["dashboard_url"] == f"{url}/incidents/i-1"

        moved = replace(incident(now), scope="target=m-large/aws/default", causes=())
        view.show(fleet(now, moved))
        node = 'qualmon:incident_info:seen{scope="target=m-large/aws/default"}'
        await stack.query_until(node, bool)
        names = {(a["fingerprint"], a["labels"]["alertname"]) for a in stack.alerts()}
        assert (fired["fingerprint"], "QualmonRegressionPage") in names
        assert sum(name == "QualmonRegressionPage" for _, name in names) == 1

        view.show(fleet(now, replace(moved, level="ok", resolved_at=now)))
        ended = await stack.webhook.wait_async(is_alert("QualmonRegressionPage", "resolved"))
        assert ended["fingerprint"] == fired["fingerprint"]
        await stack.webhook.wait_async(is_alert("QualmonWatchdog", "firing"))


async def test_dead_exporter_keeps_the_page_and_says_that_it_is_dead(
    start_alerting: Callable[[str, str], AlertingStack],
) -> None:
    """The page goes on while the exporter is gone; QualmonDown comes beside it."""
    now = time.time()
    view = FixedView(time=now)
    view.show(fleet(now, incident(now)))
    async with serve(make_app(view), "127.0.0.1", 0) as url:
        options = RuleOptions(external_url=url, hold="60s", keep_firing_for="1s", down_for="2s")
        stack = await asyncio.to_thread(start_alerting, url, render_rules(options))
        await stack.webhook.wait_async(is_alert("QualmonRegressionPage", "firing"))
    await stack.webhook.wait_async(is_alert("QualmonDown", "firing"))
    held = await asyncio.to_thread(stack.query, "qualmon:incident_level:held")
    assert [sample["value"][1] for sample in held] == ["2"]
    ended = is_alert("QualmonRegressionPage", "resolved")
    assert not any(map(ended, stack.webhook.alerts))
