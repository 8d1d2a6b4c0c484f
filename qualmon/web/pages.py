"""The HTML pages: status, incident, target, runbook."""

from __future__ import annotations

from typing import Any

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from qualmon.types import FleetSnapshot, NodeEvidence
from qualmon.web.grid import bounds, cell, grid, open_incidents, resolved_incidents
from qualmon.web.html import page
from qualmon.web.runbooks import runbook
from qualmon.web.view import ServiceView

#: Nodes shown as nearest to an alarm, and resolved incidents shown.
_NEAREST, _RESOLVED = 5, 20


class Pages:
    """Handlers over one view. `stale_after` and `refresh` are seconds."""

    def __init__(self, view: ServiceView, *, stale_after: float, refresh: int) -> None:
        self._view = view
        self._stale_after = stale_after
        self._refresh = refresh

    def routes(self) -> list[Route]:
        """The pages' routes."""
        return [
            Route("/", self.status),
            Route("/incidents/{incident_id}", self.incident),
            Route("/targets/{key:path}", self.target),
            Route("/runbooks/{name}", self.runbook),
        ]

    async def status(self, _request: Request) -> Response:
        """Is anything wrong, where, and can qualmon see it."""
        snapshot, now = self._view.snapshot(), self._view.now()
        return self._page(
            "status.html",
            problems=self._view.ready(),
            snapshot=snapshot,
            incidents=open_incidents(snapshot),
            resolved=resolved_incidents(snapshot)[:_RESOLVED],
            grid=grid(snapshot, now, self._stale_after),
            nearest=_nearest(snapshot),
            bounds=bounds(snapshot),
            stale_after=self._stale_after,
        )

    async def incident(self, request: Request) -> Response:
        """What was seen, where, since when, how sure, and the answers that prove it."""
        detail = await self._view.incident(request.path_params["incident_id"])
        if detail is None:
            raise HTTPException(404, "There is no incident of that id.")
        return self._page("incident.html", detail=detail, incident=detail.incident)

    async def target(self, request: Request) -> Response:
        """All channels and incidents of one target."""
        snapshot, key = self._view.snapshot(), request.path_params["key"]
        target = next((t for t in snapshot.targets if t.key == key), None)
        if target is None:
            raise HTTPException(404, "There is no target of that key.")
        channels = sorted(
            (s for s in snapshot.channels if s.target == key), key=lambda s: s.channel
        )
        now = self._view.now()
        return self._page(
            "target.html",
            target=target,
            channels=[(s, cell(s, now, self._stale_after)) for s in channels],
            capabilities=[c for c in snapshot.capabilities if c.target == key],
            unjudged=sorted(
                (u for u in snapshot.unjudged if u.target == key), key=lambda u: u.channel
            ),
            evidence=[e for e in snapshot.evidence if e.scope == f"target={key}"],
            incidents=[i for i in snapshot.incidents if key in i.targets],
        )

    async def runbook(self, request: Request) -> Response:
        """What to do about an alert."""
        found = runbook(request.path_params["name"])
        if found is None:
            raise HTTPException(404, "There is no runbook of that name.")
        return self._page("runbook.html", name=request.path_params["name"], blocks=found)

    def _page(self, template: str, **values: Any) -> Response:
        body = page(template, now=self._view.now(), refresh=self._refresh, **values)
        return Response(body, media_type="text/html; charset=utf-8")


def _nearest(snapshot: FleetSnapshot) -> list[NodeEvidence]:
    """The nodes whose evidence is nearest to its threshold."""
    ranked = sorted(snapshot.evidence, key=lambda e: (e.threshold_log10 - e.log10_e, e.scope))
    return ranked[:_NEAREST]
