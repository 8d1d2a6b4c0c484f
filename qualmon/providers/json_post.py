"""Asks one address with a JSON body: the headers, the encoding and the choice of reader."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

import httpx
import orjson

from qualmon.providers.http import HttpClient, Reader
from qualmon.providers.provenance import provenance
from qualmon.providers.readers import Assembly, BodyReader, StreamReader
from qualmon.types import Completion, Endpoint, Failure

#: Makes the assembly of one answer that keeps these headers.
NewAssembly = Callable[[Mapping[str, str]], Assembly]


class JsonPost:
    """Posts to `path` below the endpoint's address.

    `own` are headers of the wire format, credentials included; the endpoint's extra and secret
    headers go before them. `transport` replaces the connections, for tests.
    """

    def __init__(
        self,
        endpoint: Endpoint,
        path: str,
        own: Mapping[str, str],
        *,
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        """Raises EndpointError when the endpoint must not be asked as it stands."""
        self._http = HttpClient(endpoint, transport=transport)
        base = httpx.URL(endpoint.url)
        self._url = base.copy_with(path=base.path.rstrip("/") + path)
        self._headers = _headers(endpoint, own)

    async def ask(
        self, body: Mapping[str, Any], request_id: str, new_assembly: NewAssembly
    ) -> Completion | Failure:
        """One attempt. Never raises but CancelledError, which closes the socket."""
        headers = {**self._headers, "x-client-request-id": request_id}

        def open_reader(received: httpx.Headers) -> Reader:
            streams = _streams(received, asked=body.get("stream") is True)
            return (StreamReader if streams else BodyReader)(new_assembly(provenance(received)))

        return await self._http.post(self._url, _encoded(body), headers, open_reader)

    async def aclose(self) -> None:
        """Closes all connections."""
        await self._http.aclose()


def _headers(endpoint: Endpoint, own: Mapping[str, str]) -> Mapping[str, str]:
    headers = {
        "content-type": "application/json",
        "accept": "text/event-stream, application/json" if endpoint.stream else "application/json",
        # Compression would only add work, and a bomb something to unpack.
        "accept-encoding": "identity",
        "user-agent": "qualmon",
        **own,
    }
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
