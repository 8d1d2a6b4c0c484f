"""A sink that posts transitions as JSON to an address."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import httpx
import orjson

from qualmon.errors import DependencyError

TIMEOUT = 10.0


class SinkError(DependencyError):
    """A sink did not take the message."""

    remedy = "It is sent again; see the sink's own log"


class Webhook:
    """Posts ``{"version": 1, "transitions": [...]}``; any 2xx answer means taken.

    The address may hold a token and therefore stands in no error.
    """

    name = "webhook"

    def __init__(self, url: str, *, timeout: float = TIMEOUT) -> None:
        self._url = url
        self._client = httpx.AsyncClient(timeout=timeout, follow_redirects=False, trust_env=False)

    async def publish(self, transitions: Sequence[Mapping[str, Any]]) -> None:
        """Delivers transitions once. Raises SinkError."""
        body = orjson.dumps({"version": 1, "transitions": list(transitions)})
        await post(self._client, self._url, body, self.name)

    async def aclose(self) -> None:
        """Closes connections."""
        await self._client.aclose()


async def post(client: httpx.AsyncClient, url: str, body: bytes, sink: str) -> None:
    """Posts JSON. Raises SinkError naming the sink and what happened, never the address."""
    try:
        answer = await client.post(url, content=body, headers={"Content-Type": "application/json"})
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        raise SinkError(f"{sink}: {type(error).__name__}") from error
    if not answer.is_success:
        raise SinkError(f"{sink}: status {answer.status_code}")
