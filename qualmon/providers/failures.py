"""Which outcome an HTTP status or a transport error stands for; pure."""

from __future__ import annotations

import math
import ssl
from collections.abc import Iterator, Mapping
from email.utils import parsedate_to_datetime

import aiohttp
import httpx
from aiohttp.http_exceptions import (
    ContentLengthError,
    HttpProcessingError,
    TransferEncodingError,
)

#: Everything that a transport may raise once a request is lawful.
TRANSPORT_ERRORS = (httpx.HTTPError, aiohttp.ClientError, OSError)

# First match wins; aiohttp's own classes, because the mapping of the httpx transport turns
# most of them into ConnectTimeout.
_KINDS: tuple[tuple[type[BaseException], str], ...] = (
    (aiohttp.ClientSSLError, "tls"),
    (aiohttp.ServerFingerprintMismatch, "tls"),
    (aiohttp.ConnectionTimeoutError, "timeout_connect"),
    (aiohttp.ClientConnectorError, "connect"),
    (aiohttp.ClientConnectionError, "reset"),
    (aiohttp.ClientResponseError, "malformed"),
    (aiohttp.ClientPayloadError, "malformed"),
    (aiohttp.ClientError, "connect"),
    (httpx.TimeoutException, "timeout_connect"),
    (httpx.ConnectError, "connect"),
    (httpx.NetworkError, "reset"),
    (httpx.RemoteProtocolError, "malformed"),
)
_STATUS_KINDS = {
    401: "auth", 403: "auth", 429: "rate_limited", 503: "overloaded", 529: "overloaded",
}  # fmt: skip


def status_kind(status: int) -> str | None:
    """Outcome of an HTTP status; None for success, whose body decides."""
    if 200 <= status < 300:
        return None
    by_class = {3: "redirect", 4: "client_error", 5: "server_error"}
    return _STATUS_KINDS.get(status) or by_class.get(status // 100, "protocol")


def transport_kind(error: BaseException) -> str:
    """Outcome of an error raised below us.

    A body that ends before its announced length is `reset` however politely the connection
    was closed; a body whose framing makes no sense is `malformed`.
    """
    chain = list(_chain(error))
    if any(isinstance(link, aiohttp.ClientPayloadError) for link in chain):
        return "reset" if any(_cut_short(link) for link in chain) else "malformed"
    if any(isinstance(link, ssl.SSLError) for link in chain):
        return "tls"
    for link in reversed(chain):
        for kind_of_error, kind in _KINDS:
            if isinstance(link, kind_of_error):
                return kind
    return "connect"


def describe(error: BaseException) -> str:
    """Class and text of the innermost error."""
    innermost = list(_chain(error))[-1]
    if before_first_byte(error):
        return f"{type(innermost).__name__}: {innermost}"
    return f"{type(innermost).__name__} while reading the answer: {innermost}"


def before_first_byte(error: BaseException) -> bool:
    """Whether `error`, raised before headers were whole, came before any byte of an answer."""
    for link in _chain(error):
        if isinstance(link, aiohttp.ClientResponseError | HttpProcessingError):
            return False
        if isinstance(link, aiohttp.ServerDisconnectedError):
            return isinstance(link.message, str)  # else it is what had come of the headers
    return True


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__


def _cut_short(link: BaseException) -> bool:
    if isinstance(link, ContentLengthError | OSError | aiohttp.ClientConnectionError):
        return True
    return isinstance(link, TransferEncodingError) and "Not enough data" in str(link)


def retry_after(headers: Mapping[str, str], now: float) -> float | None:
    """Seconds to wait by `retry-after-ms` or `Retry-After` (seconds or HTTP date); >= 0.

    `now` (Unix seconds) serves where the answer carries no Date of its own. None: not stated
    or not readable.
    """
    millis = _number(headers.get("retry-after-ms", ""))
    if millis is not None:
        return millis / 1000
    text = headers.get("retry-after", "").strip()
    seconds = _number(text)
    if seconds is not None:
        return seconds
    until, base = _unix(text), _unix(headers.get("date", ""))
    return None if until is None else max(0.0, until - (now if base is None else base))


def _number(text: str) -> float | None:
    try:
        value = float(text)
    except ValueError:
        return None
    return max(0.0, value) if math.isfinite(value) else None


def _unix(text: str) -> float | None:
    try:
        return parsedate_to_datetime(text).timestamp()
    except (TypeError, ValueError, OverflowError):
        return None
