"""OpenAI chat completions, streamed and not, and every server that speaks them."""

from __future__ import annotations

from typing import Any

import httpx

from qualmon.providers.json_post import JsonPost
from qualmon.providers.openai_decode import ChatAssembly
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
        key = endpoint.api_key
        own = {} if key is None else {"authorization": f"Bearer {key.reveal}"}
        self._post = JsonPost(endpoint, "/chat/completions", own, transport=transport)

    async def complete(self, request: Request) -> Completion | Failure:
        """One attempt. Never raises but CancelledError, which closes the socket."""
        body = request_body(self._endpoint, request)
        asked_logprobs = body.get("logprobs") is True
        return await self._post.ask(
            body, request.request_id, lambda headers: ChatAssembly(asked_logprobs, headers)
        )

    async def aclose(self) -> None:
        """Closes all connections."""
        await self._post.aclose()


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
