"""The simulated fleet as an HTTP server, with a control plane for planting faults.

POST /{platform}/{route}/v1/chat/completions   GET /{platform}/{route}/v1/models
POST /{platform}/{route}/v1/messages
POST, GET /-/faults                            GET /-/healthy
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Iterator, Mapping
from hashlib import blake2b

import orjson
from aiohttp import web

from qualmon.errors import UsageError
from qualmon.sim.backend import Envelope, Fleet
from qualmon.sim.reply import Reply
from qualmon.sim.wire_chat import completion, events
from qualmon.sim.wire_messages import message, message_events, refusal
from qualmon.sim.wire_messages_request import edition_of, read_messages
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
    app.router.add_post("/{platform}/{route}/v1/messages", handlers.messages)
    app.router.add_get("/{platform}/{route}/v1/models", handlers.models)
    return app


@web.middleware
async def _errors_as_objects(
    request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
) -> web.StreamResponse:
    """Whatever is refused, by us or by the framework, is refused as the wire's API does it."""
    try:
        return await handler(request)
    except RejectedError as error:
        rejected = error
    except web.HTTPException as error:
        said = f"{error.reason}: {request.method} {request.path}."
        rejected = RejectedError(error.status, said)
    name = f"req_{blake2b(str(rejected).encode('utf-8', 'replace'), digest_size=12).hexdigest()}"
    if request.path.endswith("/messages"):
        body, headers = refusal(rejected, name), {"request-id": name}
    else:
        body, headers = rejected.body(), {"x-request-id": name}
    return _json_bytes(body, headers, rejected.status)


def _place(request: web.Request) -> tuple[str, str]:
    return request.match_info["platform"], request.match_info["route"]


def _bearer(request: web.Request) -> str | None:
    scheme, _, key = request.headers.get("Authorization", "").partition(" ")
    return key if scheme == "Bearer" else None


def _envelope(request: web.Request, key: str | None, body: bytes) -> Envelope:
    return Envelope(request.headers.get(_REQUEST_ID), key, body)


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
        self._admit_bearer(request)
        names = self._fleet.models(*_place(request))
        listed = [
            {"id": name, "object": "model", "created": 0, "owned_by": "qualmon-sim"}
            for name in names
        ]
        return _json({"object": "list", "data": listed})

    async def chat(self, request: web.Request) -> web.StreamResponse:
        key = self._admit_bearer(request)
        body = await request.read()
        asks = read_request(body)
        reply = self._fleet.answer(_place(request), asks, _envelope(request, key, body))
        headers = {"x-request-id": f"req_{reply.id}"}
        if asks.stream:
            parts = events(reply, include_usage=asks.include_usage)
            return await self._stream(request, reply, parts, headers)
        return await self._whole(reply, completion(reply), headers)

    async def messages(self, request: web.Request) -> web.StreamResponse:
        # The reference asks for x-api-key; newer SDKs send the same key as a bearer token.
        key = request.headers.get("x-api-key") or _bearer(request)
        self._fleet.admit(key, "x-api-key: KEY")
        header = request.headers.get("anthropic-version")
        edition = edition_of(header, required=bool(self._fleet.settings.api_keys))
        body = await request.read()
        asks = read_messages(body, edition)
        reply = self._fleet.answer(_place(request), asks, _envelope(request, key, body))
        headers = {"request-id": f"req_{reply.id}"}
        if asks.stream:
            parts = message_events(reply, asks.stop_sequences)
            return await self._stream(request, reply, parts, headers)
        return await self._whole(reply, message(reply, asks.stop_sequences), headers)

    def _admit_bearer(self, request: web.Request) -> str | None:
        key = _bearer(request)
        self._fleet.admit(key, "Authorization: Bearer KEY")
        return key

    async def _whole(self, reply: Reply, body: bytes, headers: Mapping[str, str]) -> web.Response:
        pace = self._fleet.settings.seconds_per_token
        await asyncio.sleep(pace * len(reply.choices) + (reply.delay if pace else 0.0))
        return _json_bytes(body, headers)

    async def _stream(
        self,
        request: web.Request,
        reply: Reply,
        parts: Iterator[bytes],
        headers: Mapping[str, str],
    ) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream", **headers})
        response.headers["Cache-Control"] = "no-cache"
        pace = self._fleet.settings.seconds_per_token
        if pace:
            await asyncio.sleep(reply.delay)
        else:
            # Nothing to wait for between events: one write carries them all.
            parts = iter((b"".join(parts),))
        # A client that leaves before its answer ends is no trouble of the server's.
        with contextlib.suppress(ConnectionResetError):
            await response.prepare(request)
            for part in parts:
                await asyncio.sleep(pace)
                await response.write(part)
            await response.write_eof()
        return response


def _json(value: object) -> web.Response:
    return _json_bytes(orjson.dumps(value))


def _json_bytes(
    body: bytes, headers: Mapping[str, str] | None = None, status: int = 200
) -> web.Response:
    return web.Response(body=body, status=status, content_type="application/json", headers=headers)
