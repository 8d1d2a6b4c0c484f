"""The web application: pages, machine endpoints, and headers that keep hostile text harmless."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from importlib.resources import files

from starlette.applications import Starlette
from starlette.datastructures import MutableHeaders
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from qualmon.web.api import Api, json_response
from qualmon.web.html import page
from qualmon.web.pages import Pages
from qualmon.web.view import ServiceView

_LOG = logging.getLogger(__name__)
_HEADERS = {
    "content-security-policy": "default-src 'none'; style-src 'self'; base-uri 'none'; "
    "form-action 'none'; frame-ancestors 'none'",
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cache-control": "no-store",
}


def make_app(view: ServiceView, *, stale_after: float = 1800.0, refresh: int = 15) -> Starlette:
    """The application over `view`.

    stale_after: seconds without a judged answer at which a target is marked. refresh: seconds
    after which the status and incident pages load themselves anew.
    """
    pages = Pages(view, stale_after=stale_after, refresh=refresh)
    app = Starlette(
        routes=[*Api(view).routes(), *pages.routes(), Route("/static/qualmon.css", _stylesheet)],
        exception_handlers={HTTPException: _refused, Exception: _failed},
    )
    app.add_middleware(_SafeHeaders)
    return app


async def _stylesheet(_request: Request) -> Response:
    css = files("qualmon.web").joinpath("static/qualmon.css").read_bytes()
    return Response(css, media_type="text/css; charset=utf-8")


async def _refused(request: Request, error: Exception) -> Response:
    status = error.status_code if isinstance(error, HTTPException) else 500
    headers = error.headers if isinstance(error, HTTPException) else None
    return _problem(request, status, str(getattr(error, "detail", "")), headers)


async def _failed(request: Request, error: Exception) -> Response:
    _LOG.error("page failed", extra={"path": request.url.path}, exc_info=error)
    return _problem(request, 500, "This page failed. The log says why.")


def _problem(
    request: Request, status: int, reason: str, headers: Mapping[str, str] | None = None
) -> Response:
    if request.url.path.startswith("/api/"):
        response = json_response({"error": reason}, status)
    else:
        body = page("problem.html", status=status, reason=reason)
        response = Response(body, status, media_type="text/html; charset=utf-8")
    response.headers.update(headers or {})
    response.headers.update(_HEADERS)
    return response


class _SafeHeaders:
    """Adds the headers to every response."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message).update(_HEADERS)
            await send(message)

        await self._app(scope, receive, send_with_headers)
