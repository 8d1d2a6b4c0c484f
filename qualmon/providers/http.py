"""One request and its answer, bounded in time and bytes, with every failure named."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import suppress
from typing import NoReturn, Protocol, cast

import httpx

from qualmon.providers.failures import (
    TRANSPORT_ERRORS,
    before_first_byte,
    describe,
    retry_after,
    status_kind,
    transport_kind,
)
from qualmon.providers.inflate import Identity, Inflate, decoder_for
from qualmon.providers.redaction import HEAD_BYTES, Redactor, secrets_of
from qualmon.providers.transport import check_endpoint, open_transport
from qualmon.providers.wire import WireError
from qualmon.types import Completion, Endpoint, Failure, Timeouts

# Once the answer is whole, a server that keeps the stream open is not waited for.
_AFTER_WHOLE = 5.0
# What may still come after the end mark, read so that the connection can be used again.
_DRAIN_SECONDS = 0.1
_DRAIN_BYTES = 64 * 1024
# Redaction needs to see past the cut, or a secret could straddle it.
_RAW_HEAD = 2 * HEAD_BYTES


class Reader(Protocol):
    """Makes an answer out of the bytes of one successful response, without I/O.

    `seconds` is the time from the start of the request to the arrival of the bytes. Both
    methods raise WireError when there is no answer to be had.
    """

    @property
    def whole(self) -> bool:
        """Whether the answer is complete should the connection end now."""
        ...

    def feed(self, data: bytes, seconds: float) -> bool:
        """Takes bytes; True when nothing more is needed."""
        ...

    def finish(self, seconds: float) -> Completion:
        """The answer, after the last byte."""
        ...


#: Opens a reader for a response with these headers (names in any case).
OpenReader = Callable[[httpx.Headers], Reader]


class HttpClient:
    """Posts to one endpoint."""

    def __init__(
        self, endpoint: Endpoint, *, transport: httpx.AsyncBaseTransport | None = None
    ) -> None:
        """Raises EndpointError when the endpoint must not be asked as it stands."""
        check_endpoint(endpoint)
        self._timeouts, self._max_body = endpoint.timeouts, endpoint.max_body
        self._redactor = Redactor(secrets_of(endpoint))
        self._transport = transport or open_transport(endpoint)
        self._closed = False

    async def post(
        self, url: httpx.URL, content: bytes, headers: Mapping[str, str], open_reader: OpenReader
    ) -> Completion | Failure:
        """One attempt: sends `content`, reads the answer with what `open_reader` returns.

        Raises nothing but CancelledError, and then the socket is closed.
        """
        if self._closed:
            return Failure("cancelled", "the provider is closed", before_first_byte=True)
        exchange = _Exchange(self._timeouts, self._max_body, open_reader)
        try:
            answer = await exchange.run(self._transport, url, content, headers)
        except WireError as error:
            return self._redactor.failure(exchange.failure(error))
        return self._redactor.completion(answer)

    async def aclose(self) -> None:
        """Closes all connections; later requests come to `cancelled`."""
        self._closed = True
        await self._transport.aclose()


class _Exchange:
    """One request on its way."""

    def __init__(self, timeouts: Timeouts, max_body: int, open_reader: OpenReader) -> None:
        self._timeouts, self._max_body, self._open_reader = timeouts, max_body, open_reader
        self._clock = asyncio.get_running_loop().time
        self._start = self._clock()
        self._deadline = asyncio.timeout_at(self._start + min(timeouts.first_byte, timeouts.total))
        self._response: httpx.Response | None = None
        self._reader: Reader | None = None
        self._head = bytearray()
        self._raw_size = self._size = 0
        self._seconds = 0.0
        self._silent = True  # nothing of an answer has come, not even of its headers
        self._closing = False

    async def run(
        self,
        transport: httpx.AsyncBaseTransport,
        url: httpx.URL,
        content: bytes,
        headers: Mapping[str, str],
    ) -> Completion:
        """The answer. Raises WireError."""
        try:
            async with self._deadline:
                response = self._response = await self._send(transport, url, content, headers)
                self._silent = False
                try:
                    await self._read(response)
                finally:
                    await response.aclose()
        except TRANSPORT_ERRORS as error:
            if self._reader is None or not self._reader.whole:
                self._give_up(error)
        # Past this point a response was read to its end, or as far as its reader needs.
        return cast("Reader", self._reader).finish(self._seconds)

    async def _send(
        self,
        transport: httpx.AsyncBaseTransport,
        url: httpx.URL,
        content: bytes,
        headers: Mapping[str, str],
    ) -> httpx.Response:
        # connect alone covers the TCP and TLS handshakes, pool also the name lookup.
        limit = self._timeouts.connect
        extensions = {"timeout": {"connect": limit, "pool": limit}}
        try:
            request = httpx.Request(
                "POST", url, headers=headers, content=content, extensions=extensions
            )
            return await transport.handle_async_request(request)
        except (ValueError, httpx.InvalidURL) as error:
            raise WireError("connect", f"the request cannot be sent: {error}") from error

    async def _read(self, response: httpx.Response) -> None:
        kind = status_kind(response.status_code)
        decoder: Identity | Inflate = Identity()
        if kind is None:
            decoder = decoder_for(response.headers.get("content-encoding", ""))
            reader = self._open_reader(response.headers)
        else:
            reader = _ErrorReader(kind, _status_line(response))
        self._reader = reader
        chunks = aiter(cast("AsyncIterator[bytes]", response.stream))
        async for chunk in chunks:
            self._arrived(chunk)
            if self._feed(reader, decoder, chunk):
                await _drain(chunks)
                return
        decoder.finish()

    def _arrived(self, chunk: bytes) -> None:
        """Notes time and size of bytes from the socket; the first ones extend the deadline."""
        self._seconds = self._clock() - self._start
        if not self._raw_size:
            self._deadline.reschedule(self._start + self._timeouts.total)
        self._raw_size += len(chunk)
        if self._raw_size > self._max_body:
            raise WireError("too_large", f"more than {self._max_body} bytes were sent")

    def _feed(self, reader: Reader, decoder: Identity | Inflate, chunk: bytes) -> bool:
        for piece in decoder.feed(chunk):
            self._size += len(piece)
            if self._size > self._max_body:
                limit = f"{self._max_body} bytes after decompression"
                raise WireError("too_large", f"the body is larger than {limit}")
            if (room := _RAW_HEAD - len(self._head)) > 0:
                self._head += piece[:room]
            if reader.feed(piece, self._seconds):
                return True
        if reader.whole and not self._closing:
            self._closing = True
            end = self._start + self._timeouts.total
            self._deadline.reschedule(min(end, self._clock() + _AFTER_WHOLE))
        return False

    def _give_up(self, error: BaseException) -> NoReturn:
        if not self._deadline.expired():
            self._silent = self._silent and before_first_byte(error)
            raise WireError(transport_kind(error), describe(error)) from error
        first, total = self._timeouts.first_byte, self._timeouts.total
        if not self._raw_size and first < total:
            raise WireError("timeout_first_byte", f"no byte of an answer within {first:g} s")
        raise WireError("timeout_total", f"no whole answer within {total:g} s")

    def failure(self, error: WireError) -> Failure:
        """The record of an exchange that came to `error`."""
        response = self._response
        return Failure(
            error.kind,
            error.detail,
            head=self._head.decode("utf-8", "replace"),
            status=None if response is None else response.status_code,
            retry_after=None if response is None else _patience(response),
            before_first_byte=self._silent,
            total_seconds=self._clock() - self._start,
        )


class _ErrorReader:
    """Reads the head of the body of an unsuccessful response."""

    whole = True

    def __init__(self, kind: str, detail: str) -> None:
        self._error, self._room = WireError(kind, detail), _RAW_HEAD

    def feed(self, data: bytes, seconds: float) -> bool:  # noqa: ARG002 (the protocol's)
        self._room -= len(data)
        return self._room <= 0

    def finish(self, seconds: float) -> NoReturn:  # noqa: ARG002 (the protocol's)
        raise self._error


def _status_line(response: httpx.Response) -> str:
    place = response.headers.get("location")
    return f"HTTP {response.status_code}" + (f" to {place}, not followed" if place else "")


def _patience(response: httpx.Response) -> float | None:
    return None if response.is_success else retry_after(response.headers, time.time())


async def _drain(chunks: AsyncIterator[bytes]) -> None:
    """Reads the rest of a response if it is short and at hand; else the socket is closed."""
    left = _DRAIN_BYTES
    with suppress(*TRANSPORT_ERRORS):
        async with asyncio.timeout(_DRAIN_SECONDS):
            async for chunk in chunks:
                left -= len(chunk)
                if left < 0:
                    return
