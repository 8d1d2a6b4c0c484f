"""The read-only JSON API and the endpoints that machines ask."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from qualmon.types import FleetSnapshot, Target
from qualmon.web.text import visible
from qualmon.web.view import ServiceView

#: Age of the last heartbeat, in seconds, at which the loop counts as hung.
MAX_HEARTBEAT_AGE = 30.0
_TEXT_FORMAT = "text/plain; version=0.0.4; charset=utf-8"


def json_response(value: Any, status: int = 200) -> Response:
    """`value` as JSON that every reader accepts: non-finite numbers are null, ASCII only."""
    body = json.dumps(_finite(value), allow_nan=False, separators=(",", ":"))
    return Response(body, status, media_type="application/json")


def _finite(value: Any) -> Any:
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {str(key): _finite(item) for key, item in value.items()}
    return [_finite(item) for item in value] if isinstance(value, list | tuple) else value


class Api:
    """Handlers over one view."""

    def __init__(self, view: ServiceView) -> None:
        self._view = view

    def routes(self) -> list[Route]:
        """The API's routes."""
        return [
            Route("/metrics", self.metrics),
            Route("/-/healthy", self.healthy),
            Route("/-/ready", self.ready),
            Route("/api/v1/targets", self.targets),
            Route("/api/v1/incidents", self.incidents),
            Route("/api/v1/incidents/{incident_id}", self.incident),
        ]

    async def metrics(self, _request: Request) -> Response:
        """The exposition."""
        return Response(self._view.metrics(), headers={"content-type": _TEXT_FORMAT})

    async def healthy(self, _request: Request) -> Response:
        """Liveness: the event loop's heartbeat and nothing else.

        A check of the store here would restart every prober when the store is down.
        """
        age = self._view.heartbeat_age()
        if age > MAX_HEARTBEAT_AGE:
            return PlainTextResponse(f"no heartbeat for {age:.1f} s\n", 503)
        return PlainTextResponse("ok\n")

    async def ready(self, _request: Request) -> Response:
        """Readiness: configuration, store and scheduler; the reasons when something is amiss."""
        problems = self._view.ready()
        text = "".join(f"{visible(problem)}\n" for problem in problems)
        return PlainTextResponse(text or "ok\n", 503 if problems else 200)

    async def targets(self, _request: Request) -> Response:
        """All targets with their channels and open incidents."""
        snapshot = self._view.snapshot()
        return json_response({"targets": [_target(snapshot, t) for t in snapshot.targets]})

    async def incidents(self, _request: Request) -> Response:
        """Open incidents and those resolved of late."""
        found = self._view.snapshot().incidents
        return json_response({"incidents": [asdict(incident) for incident in found]})

    async def incident(self, request: Request) -> Response:
        """One incident with its transitions and examples."""
        detail = await self._view.incident(request.path_params["incident_id"])
        if detail is None:
            raise HTTPException(404, "There is no incident of that id.")
        found = asdict(detail)
        return json_response(found.pop("incident") | found)


def _target(snapshot: FleetSnapshot, target: Target) -> dict[str, Any]:
    key = target.key
    channels = [asdict(s) for s in snapshot.channels if s.target == key]
    open_now = [i for i in snapshot.incidents if i.resolved_at is None]
    return {
        "key": key,
        "model": target.model,
        "platform": target.platform,
        "route": target.route,
        "labels": dict(target.labels),
        "last_observation": max((c["last_at"] for c in channels), default=None),
        "channels": channels,
        "capabilities": {c.feature: c.state for c in snapshot.capabilities if c.target == key},
        "unjudged": [asdict(u) for u in snapshot.unjudged if u.target == key],
        "incidents": [i.id for i in open_now if key in i.targets],
    }
