"""OpenAI chat completions, streamed and not, and every server that speaks them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import httpx
import orjson

from qualmon.providers.http import HttpClient, Reader
from qualmon.providers.openai_decode import BodyReader, StreamReader
from qualmon.providers.provenance import provenance
from qualmon.types import Completion, Endpoint, Failure, Request

#: Probe parameters that are part of this wire; others reach a server by `extra_body` only,
#: because a strict server refuses keys that it does not know.
WIRE_PARAMS = (
    "temperature", "top_p", "max_tokens", "seed", "stop", "frequency_penalty", "presence_penalty",
    "response_format", "tools", "tool_choice", "reasoning_effort",
)  # fmt: skip


class OpenAIChat:
    """Asks ``POST {url}/chat/completions``.

    `extra_body` is merged last; a key that it sets to null is not sent (``max_tokens: null``
    beside ``max_completion_tokens: 64`` serves models that know only the newer name).
    `transport` replaces the connections, for tests.
    """

    def __init__(
        self, endpoint: Endpoint, *, transport: httpx.AsyncBaseTransport | None = None
    ) -> None:
        """Raises EndpointError when the endpoint must not be asked as it stands."""
        self._endpoint = endpoint
        self._http = HttpClient(endpoint, transport=transport)
        base = httpx.URL(endpoint.url)
        self._url = base.copy_with(path=base.path.rstrip("/") + "/chat/completions")
        self._headers = _headers(endpoint)

    async def complete(self, request: Request) -> Completion | Failure:
        """One attempt. Never raises but CancelledError, which closes the socket."""
        body = request_body(self._endpoint, request)
        wants_logprobs = body.get("logprobs") is True
        headers = {**self._headers, "x-client-request-id": request.request_id}

        def open_reader(received: httpx.Headers) -> Reader:
            streams = _streams(received, asked=body.get("stream") is True)
            return (StreamReader if streams else BodyReader)(wants_logprobs, provenance(received))

        return await self._http.post(self._url, _encoded(body), headers, open_reader)

    async def aclose(self) -> None:
        """Closes all connections."""
        await self._http.aclose()


def request_body(endpoint: Endpoint, request: Request) -> dict[str, Any]:
    """The JSON object that is sent for `request`."""
    params = request.params
    body: dict[str, Any] = {
        "model": endpoint.api_model or endpoint.target.model,
        "messages": [{"role": turn.role, "content": turn.content} for turn in request.messages],
    }
    body.update({key: params[key] for key in WIRE_PARAMS if params.get(key) is not None})
    if params.get("logprobs"):
        body["logprobs"] = True
        if params.get("top_logprobs") is not None:
            body["top_logprobs"] = params["top_logprobs"]
    if request.user is not None:
        body["user"] = request.user
    if endpoint.stream:
        body.update(stream=True, stream_options={"include_usage": True})
    body.update(endpoint.extra_body)
    return {key: value for key, value in body.items() if value is not None}


def _headers(endpoint: Endpoint) -> Mapping[str, str]:
    headers = {
        "content-type": "application/json",
        "accept": "text/event-stream, application/json" if endpoint.stream else "application/json",
        # Compression would only add work, and a bomb something to unpack.
        "accept-encoding": "identity",
        "user-agent": "qualmon",
    }
    if endpoint.api_key is not None:
        headers["authorization"] = f"Bearer {endpoint.api_key.reveal}"
    headers |= {name.lower(): value for name, value in endpoint.extra_headers.items()}
    return headers | {
        name.lower(): secret.reveal for name, secret in endpoint.secret_headers.items()
    }


def _streams(headers: httpx.Headers, *, asked: bool) -> bool:
    """What the server says it sends counts before what was asked: some ignore `stream`."""
    kind = headers.get("content-type", "").lower()
    return "event-stream" in kind or (asked and "json" not in kind and "html" not in kind)


def _encoded(body: Mapping[str, Any]) -> bytes:
    try:
        return orjson.dumps(body)
    except TypeError:  # a lone surrogate in a probe, or an integer beyond 64 bits
        return json.dumps(body).encode("ascii")
