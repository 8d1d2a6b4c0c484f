"""A sink that pushes incidents to Alertmanager directly, for set-ups without Prometheus rules.

Alertmanager forgets an alert five minutes after its last push, so the caller repeats every
minute while an incident is open, and for a while after it ended. Labels never change during
an incident; what moves (place, share, cause) is in the annotations.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import httpx
import orjson

from qualmon.sinks.webhook import TIMEOUT, post
from qualmon.types import Incident

#: Seconds for which an ended incident is still pushed, with its end.
AFTER_END = 300.0


class Alertmanager:
    """Pushes to ``URL/api/v2/alerts``."""

    name = "alertmanager"

    def __init__(self, url: str, *, external_url: str = "", timeout: float = TIMEOUT) -> None:
        self._url = f"{url.rstrip('/')}/api/v2/alerts"
        self._external = external_url.rstrip("/")
        self._client = httpx.AsyncClient(timeout=timeout, follow_redirects=False, trust_env=False)

    async def push(self, incidents: Sequence[Incident], now: float) -> None:
        """Pushes the incidents that concern Alertmanager at wall time `now`. Raises SinkError."""
        alerts = [alert(i, now, self._external) for i in incidents if _concerns(i, now)]
        if alerts:
            await post(self._client, self._url, orjson.dumps(alerts), self.name)

    async def aclose(self) -> None:
        """Closes connections."""
        await self._client.aclose()


def _concerns(incident: Incident, now: float) -> bool:
    return incident.resolved_at is None or now - incident.resolved_at <= AFTER_END


def alert(incident: Incident, now: float, external_url: str) -> Mapping[str, Any]:
    """One alert in Alertmanager's v2 form; named as the Prometheus rules name it."""
    name = "QualmonRegressionPage" if incident.severity == "page" else "QualmonRegressionTicket"
    ends = incident.resolved_at if incident.resolved_at is not None else now + AFTER_END
    share = f"{incident.share_low:.1%} to {incident.share_high:.1%}"
    annotations = {
        "summary": f"{incident.family} regression at {incident.scope}",
        "description": f"{share} of answers visibly bad since {_utc(incident.onset)}",
        "node": incident.scope,
        "cause": incident.causes[0][0] if incident.causes else "unknown",
    }
    if external_url:
        annotations["dashboard_url"] = f"{external_url}/incidents/{incident.id}"
        annotations["runbook_url"] = f"{external_url}/runbooks/{name}"
    return {
        "labels": {
            "alertname": name,
            "incident": incident.id,
            "family": incident.family,
            "severity": incident.severity,
        },
        "annotations": annotations,
        "startsAt": _utc(incident.opened_at),
        "endsAt": _utc(ends),
    }


def _utc(when: float) -> str:
    return datetime.fromtimestamp(when, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
