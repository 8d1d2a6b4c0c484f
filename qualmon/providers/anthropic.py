"""Anthropic's Messages, streamed and not, and every server that speaks them."""

from __future__ import annotations

from typing import Any

import httpx

from qualmon.providers.anthropic_decode import MessageAssembly
from qualmon.providers.json_post import JsonPost
from qualmon.types import Completion, Endpoint, Failure, Message, Request

#: The wire's version; the last one that takes sampler settings.
VERSION = "2023-06-01"
#: Longest answer in tokens where the probe states none: the wire has no default of its own.
MAX_TOKENS = 1024
#: Probe parameters that this wire has under the same name; it knows no log-probabilities, no
#: penalties and no seed.
WIRE_PARAMS = ("temperature", "top_p", "top_k")


class Anthropic:
    """Asks ``POST {url}/v1/messages``.

    `extra_body` is merged last; a key that it sets to null is not sent (``temperature: null``
    serves models that take no sampler settings). `extra_headers` may name another
    ``anthropic-version``. `transport` replaces the connections, for tests.
    """

    def __init__(
        self, endpoint: Endpoint, *, transport: httpx.AsyncBaseTransport | None = None
    ) -> None:
        """Raises EndpointError when the endpoint must not be asked as it stands."""
        self._endpoint = endpoint
        own = {"anthropic-version": VERSION}
        if endpoint.api_key is not None:
            own["x-api-key"] = endpoint.api_key.reveal
        self._post = JsonPost(endpoint, "/v1/messages", own, transport=transport)

    async def complete(self, request: Request) -> Completion | Failure:
        """One attempt. Never raises but CancelledError, which closes the socket."""
        body = request_body(self._endpoint, request)
        asked_logprobs = bool(request.params.get("logprobs"))
        return await self._post.ask(
            body, request.request_id, lambda headers: MessageAssembly(asked_logprobs, headers)
        )

    async def aclose(self) -> None:
        """Closes all connections."""
        await self._post.aclose()


def request_body(endpoint: Endpoint, request: Request) -> dict[str, Any]:
    """The JSON object that is sent for `request`."""
    params = request.params
    turns = [turn for turn in request.messages if turn.role != "system"]
    body: dict[str, Any] = {
        "model": endpoint.api_model or endpoint.target.model,
        "max_tokens": params.get("max_tokens") or MAX_TOKENS,
        "system": _system(request.messages),
        "messages": [{"role": turn.role, "content": turn.content} for turn in turns],
        "stop_sequences": _stops(params.get("stop")),
    }
    body.update({key: params.get(key) for key in WIRE_PARAMS})
    if request.user is not None:
        body["metadata"] = {"user_id": request.user}
    if endpoint.stream:
        body["stream"] = True
    body.update(endpoint.extra_body)
    return {key: value for key, value in body.items() if value is not None}


def _system(messages: tuple[Message, ...]) -> str | None:
    """The system turns as the one text that this wire has for them, wherever they stood."""
    texts = [turn.content for turn in messages if turn.role == "system"]
    return "\n\n".join(texts) if texts else None


def _stops(value: Any) -> list[str] | None:
    """Stop texts, which a probe may state as one text or as a list."""
    return [value] if isinstance(value, str) else value
