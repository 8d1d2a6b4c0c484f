"""The endpoints that machines ask: metrics, health, readiness, JSON."""

from __future__ import annotations

from typing import Any

import httpx
from export_samples import AT, HOSTILE, INCIDENT, RESOLVED, TARGETS, TICKET, hostile_fleet, view

from qualmon.web.api import MAX_HEARTBEAT_AGE
from qualmon.web.app import make_app
from qualmon.web.fixed_view import FixedView


async def get(shown: FixedView, path: str) -> httpx.Response:
    """The answer to a GET."""
    transport = httpx.ASGITransport(make_app(shown))
    async with httpx.AsyncClient(transport=transport, base_url="http://q") as http:
        return await http.get(path)


async def get_json(shown: FixedView, path: str) -> Any:
    """The JSON of a GET."""
    answer = await get(shown, path)
    assert answer.headers["content-type"] == "application/json"
    return answer.json()


async def test_metrics_is_the_exposition_with_its_content_type() -> None:
    """Version 0.0.4 of the text format."""
    shown = view(INCIDENT)
    answer = await get(shown, "/metrics")
    assert answer.headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8"
    assert b'qualmon_incident_level{incident="i-7f3a9c"' in answer.content
    assert b"qualmon_build_info" in answer.content


async def test_health_is_the_heartbeat_alone() -> None:
    """A service that is not ready is still alive; one whose loop hangs is not."""
    shown = FixedView(problems=["store: disk full"])
    assert (await get(shown, "/-/healthy")).status_code == 200
    shown.beat_age = MAX_HEARTBEAT_AGE + 1
    answer = await get(shown, "/-/healthy")
    assert answer.status_code == 503
    assert "no heartbeat for 31.0 s" in answer.text


async def test_readiness_gives_its_reasons() -> None:
    """One line each, harmless on a terminal."""
    shown = FixedView()
    assert (await get(shown, "/-/ready")).text == "ok\n"
    shown.problems = ["store: disk full", HOSTILE]
    answer = await get(shown, "/-/ready")
    assert answer.status_code == 503
    assert answer.text.splitlines()[0] == "store: disk full"
    assert len(answer.text.splitlines()) == 2


async def test_targets_with_channels_and_open_incidents() -> None:
    """Resolved incidents are not listed on a target; one without data has no last observation."""
    found = (await get_json(view(INCIDENT, RESOLVED), "/api/v1/targets"))["targets"]
    by_key = {t["key"]: t for t in found}
    aws = by_key["m-large/aws/batch"]
    assert aws["labels"] == {"hardware": "gpu"}
    assert aws["incidents"] == ["i-7f3a9c"]
    assert aws["last_observation"] == AT - 90
    assert {c["channel"]: c["mean"] for c in aws["channels"]}["script.run"] == 0.031
    assert by_key[TARGETS[-1].key]["last_observation"] is None


async def test_incidents_and_one_incident_with_its_proof() -> None:
    """All fields of an incident; examples and transitions beside them."""
    shown = view(INCIDENT, TICKET)
    found = (await get_json(shown, "/api/v1/incidents"))["incidents"]
    assert [i["id"] for i in found] == ["i-7f3a9c", "i-22"]
    one = await get_json(shown, "/api/v1/incidents/i-7f3a9c")
    assert one["share"] == 0.031
    assert one["causes"][0] == ["output corruption", 0.82]
    assert one["transitions"][1]["after"] == "firing"
    assert one["examples"][0]["marks"] == [[57, 63]]


async def test_unknown_is_a_json_404() -> None:
    """With a reason."""
    shown = view()
    for path in ("/api/v1/incidents/none", "/api/v1/none"):
        answer = await get(shown, path)
        assert answer.status_code == 404
        assert answer.json()["error"]


async def test_hostile_values_are_valid_json() -> None:
    """Surrogates are escaped, NaN and infinity are null."""
    shown = FixedView()
    shown.show(hostile_fleet())
    (incident,) = (await get_json(shown, "/api/v1/incidents"))["incidents"]
    assert incident["id"] == HOSTILE
    assert incident["onset"] is None
    assert incident["log10_e"] is None
    assert (await get_json(shown, "/api/v1/targets"))["targets"][0]["model"] == HOSTILE
