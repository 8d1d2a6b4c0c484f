"""The simulated fleet as an HTTP server, with a control plane for planting faults.

POST /{platform}/{route}/v1/chat/completions   GET /{platform}/{route}/v1/models
POST, GET /-/faults                            GET /-/healthy
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping

import orjson
from aiohttp import web

from qualmon.errors import UsageError
from qualmon.sim.backend import Fleet
from qualmon.sim.wire_chat import Reply, completion, events
from qualmon.sim.wire_request import RejectedError, read_request

#: Largest request body, bytes.
MAX_BODY = 1024 * 1024

_REQUEST_ID = "X-Client-Request-Id"


def application(fleet: Fleet) -> web.Application:
    """The web application that serves `fleet`."""
    app = web.Application(client_max_size=MAX_BODY, middlewares=[_errors_as_objects])
    handlers = _Handlers(fleet)
    app.router.add_get("/-/healthy", handlers.healthy)
    app.router.add_get("/-/faults", handlers.faults)
    app.router.add_post("/-/faults", handlers.plant)
    app.router.add_post("/{platform}/{route}/v1/chat/completions", handlers.chat)
    app.router.add_get("/{platform}/{route}/v1/models", handlers.models)
    return app


@web.middleware
async def _errors_as_objects(
    request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
) -> web.StreamResponse:
    """Whatever is refused, by us or by the framework, is refused as OpenAI's API does it."""
    try:
        return await handler(request)
    except RejectedError as error:
        rejected = error
    except web.HTTPException as error:
        message = f"{error.reason}: {request.method} {request.path}."
        rejected = RejectedError(error.status, message)
    body = rejected.body()
    return web.Response(body=body, status=rejected.status, content_type="application/json")


def _place(request: web.Request) -> tuple[str, str]:
    return request.match_info["platform"], request.match_info["route"]


class _Handlers:
    """HTTP in, HTTP out; everything else is the fleet's."""

    def __init__(self, fleet: Fleet) -> None:
        self._fleet = fleet

    async def healthy(self, _request: web.Request) -> web.Response:
        return web.json_response(
            {"targets": len(self._fleet.spec.targets), "answers": self._fleet.answers}
        )

    async def faults(self, _request: web.Request) -> web.Response:
        now = self._fleet.clock()
        return _json([fault.as_dict(now) for fault in self._fleet.faults])

    async def plant(self, request: web.Request) -> web.Response:
        try:
            self._fleet.plant(orjson.loads(await request.read()))
        except (UsageError, orjson.JSONDecodeError) as error:
            raise RejectedError(400, str(error)) from error
        return await self.faults(request)

    async def models(self, request: web.Request) -> web.Response:
        self._fleet.admit(request.headers.get("Authorization"))
        names = self._fleet.models(*_place(request))
        listed = [
            {"id": name, "object": "model", "created": 0, "owned_by": "qualmon-sim"}
            for name in names
        ]
        return _json({"object": "list", "data": listed})

    async def chat(self, request: web.Request) -> web.StreamResponse:
        fleet = self._fleet
        fleet.admit(request.headers.get("Authorization"))
        body = await request.read()
        asked = read_request(body)
        reply = fleet.answer(_place(request), asked, request.headers.get(_REQUEST_ID), body)
        headers = {"x-request-id": reply.id.replace("chatcmpl-", "req_")}
        if asked.stream:
            return await self._stream(request, reply, asked.include_usage, headers)
        await asyncio.sleep(fleet.settings.seconds_per_token * len(reply.choices))
        return _json_bytes(completion(reply), headers)

    async def _stream(
        self, request: web.Request, reply: Reply, include_usage: bool, headers: dict[str, str]
    ) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream", **headers})
        response.headers["Cache-Control"] = "no-cache"
        await response.prepare(request)
        pace = self._fleet.settings.seconds_per_token
        parts = events(reply, include_usage=include_usage)
        if pace == 0.0:
            # Nothing to wait for between events: one write carries them all.
            parts = iter((b"".join(parts),))
        for part in parts:
            await asyncio.sleep(pace)
            await response.write(part)
        await response.write_eof()
        return response


def _json(value: object) -> web.Response:
    return _json_bytes(orjson.dumps(value))


def _json_bytes(body: bytes, headers: Mapping[str, str] | None = None) -> web.Response:
    return web.Response(body=body, content_type="application/json", headers=headers)
