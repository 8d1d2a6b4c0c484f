"""Connections to one endpoint: verified TLS, no redirects, cookies or environment proxies.

httpx gives the seam (any httpx transport can stand in), aiohttp the connections: the stock
httpx pool would be slower than the models it measures (encode/httpx #3215).
"""

from __future__ import annotations

import functools
import ipaddress
import ssl
from pathlib import Path
from urllib.parse import urlsplit

import aiohttp
import httpx
from httpx_aiohttp import AiohttpTransport

from qualmon.errors import UsageError
from qualmon.types import Endpoint

# Below the 5 s after which uvicorn, and with it most inference servers, drops an idle
# connection: a request sent into a closing connection would count as a reset.
_KEEPALIVE_SECONDS = 4.0


class EndpointError(UsageError):
    """The endpoint cannot be asked safely."""


def check_endpoint(endpoint: Endpoint) -> None:
    """Raises EndpointError for an address or key that must not be used as it stands."""
    key, place = endpoint.target.key, endpoint.url
    parts = urlsplit(place)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise EndpointError(f"{key}: the url is not an http(s) address", remedy="Correct url")
    if parts.username or parts.password:
        raise EndpointError(f"{key}: the url holds a user name", remedy="Use api_key instead")
    secrets = [*endpoint.secret_headers.values()]
    secrets += [endpoint.api_key] if endpoint.api_key else []
    if not all(_fits_header(secret.reveal) for secret in secrets):
        raise EndpointError(
            f"{key}: a credential holds a character that no header can carry",
            remedy="Look for a line break or a blank in its file or variable",
        )
    in_clear = parts.scheme == "http" and not is_loopback(parts.hostname)
    if secrets and in_clear and not endpoint.allow_insecure:
        raise EndpointError(
            f"{key}: a credential would cross the network unencrypted to {parts.hostname}",
            remedy="Use https, or set allow_insecure: true",
        )


def _fits_header(value: str) -> bool:
    return value.isascii() and value.isprintable()


def is_loopback(host: str) -> bool:
    """Whether `host` names this machine only."""
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def open_transport(endpoint: Endpoint) -> httpx.AsyncBaseTransport:
    """A transport with its own connections. Raises EndpointError for an unusable CA file."""
    context = _context(endpoint)

    def session() -> aiohttp.ClientSession:
        connector = aiohttp.TCPConnector(
            ssl=context,
            limit=endpoint.limits.concurrency or 0,
            keepalive_timeout=_KEEPALIVE_SECONDS,
        )
        return aiohttp.ClientSession(
            connector=connector, cookie_jar=aiohttp.DummyCookieJar(), trust_env=False
        )

    return AiohttpTransport(verify=context, client=session)


def _context(endpoint: Endpoint) -> ssl.SSLContext:
    if urlsplit(endpoint.url).scheme == "http":
        return ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)  # never used: cheap to make
    if endpoint.ca_file is None:
        return _public_context()
    try:
        return _own_context(endpoint.ca_file, Path(endpoint.ca_file).stat().st_mtime_ns)
    except OSError as error:
        raise EndpointError(
            f"{endpoint.target.key}: ca_file {endpoint.ca_file}: {error}",
            remedy="Name a readable PEM file",
        ) from error


# Reading a bundle of certificates takes tens of milliseconds; a thousand targets share it.
@functools.lru_cache(maxsize=1)
def _public_context() -> ssl.SSLContext:
    return httpx.create_ssl_context(trust_env=True)


@functools.lru_cache(maxsize=16)
def _own_context(path: str, changed: int) -> ssl.SSLContext:  # noqa: ARG001 (part of the key)
    return ssl.create_default_context(cafile=path)
