"""Statuses, waiting times, compression, endpoints and names are judged by rule."""

import gzip
import zlib
from dataclasses import replace

import httpx
import pytest

from qualmon.errors import UnknownNameError
from qualmon.providers import PROVIDERS, make_provider
from qualmon.providers.anthropic import Anthropic
from qualmon.providers.failures import retry_after, status_kind
from qualmon.providers.inflate import decoder_for
from qualmon.providers.openai_chat import OpenAIChat, request_body
from qualmon.providers.provenance import provenance
from qualmon.providers.transport import EndpointError, check_endpoint
from qualmon.providers.wire import WireError
from qualmon.types import OUTCOMES, Endpoint, Message, Request, Secret, Target

ENDPOINT = Endpoint(Target("m", "p", "r"), "https://models.example/v1", api_key=Secret("k" * 20))
REQUEST = Request((Message("user", "hi"),), {"temperature": 0, "top_k": 5}, "id-1")


def test_every_status_has_an_outcome() -> None:
    """No status is left without a name from the list of outcomes."""
    kinds = {status: status_kind(status) for status in range(100, 1000)}
    assert {kind for kind in kinds.values() if kind} <= set(OUTCOMES)
    assert [s for s, kind in kinds.items() if kind is None] == list(range(200, 300))
    assert {kinds[429], kinds[529], kinds[404], kinds[302]} == {
        "rate_limited", "overloaded", "client_error", "redirect",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({}, None),
        ({"retry-after": "7"}, 7.0),
        ({"retry-after": "0.5"}, 0.5),
        ({"retry-after": "-3"}, 0.0),
        ({"retry-after": "soon"}, None),
        ({"retry-after": "nan"}, None),
        ({"retry-after": "1e999"}, None),
        ({"retry-after-ms": "1500", "retry-after": "9"}, 1.5),
        ({"retry-after": "Thu, 01 Jan 1970 00:01:50 GMT"}, 10.0),
        ({"retry-after": "Thu, 01 Jan 1970 00:00:00 GMT"}, 0.0),
        ({"retry-after": "Thu, 99 Jan 1970 00:00:00 GMT"}, None),
        (
            {
                "retry-after": "Tue, 02 Sep 2025 10:00:05 GMT",
                "date": "Tue, 02 Sep 2025 10:00:00 GMT",
            },
            5.0,
        ),
    ],
)
def test_retry_after(headers: dict[str, str], seconds: float | None) -> None:
    """Seconds, milliseconds and dates are read; nonsense is not."""
    assert retry_after(headers, now=100.0) == seconds


@pytest.mark.parametrize("size", [1, 7, 65536, 300_000])
def test_inflate(size: int) -> None:
    """gzip (several members) and deflate come out whole, in pieces, at any cut."""
    text = bytes(range(256)) * 2000
    for packed, name in (
        (gzip.compress(text[:9]) + gzip.compress(text[9:]), "gzip"),
        (zlib.compress(text), "deflate"),
        (text, "identity"),
    ):
        decoder = decoder_for(name)
        cuts = range(0, len(packed), size)
        pieces = [piece for at in cuts for piece in decoder.feed(packed[at : at + size])]
        decoder.finish()
        assert b"".join(pieces) == text
        assert name == "identity" or max(map(len, pieces)) <= 65536


@pytest.mark.parametrize("raw", [b"not gzip", gzip.compress(b"x" * 999, mtime=0)[:-5]])
def test_broken_compression(raw: bytes) -> None:
    """Broken and cut streams are malformed; so is an encoding that nobody asked for."""
    decoder = decoder_for("gzip")

    def read() -> None:
        list(decoder.feed(raw))
        decoder.finish()

    with pytest.raises(WireError):
        read()
    with pytest.raises(WireError, match="br"):
        decoder_for("br")


@pytest.mark.parametrize(
    ("url", "allowed"),
    [
        ("https://models.example/v1", True),
        ("http://127.0.0.1:1/v1", True),
        ("http://[::1]:1/v1", True),
        ("http://localhost/v1", True),
        ("http://models.example/v1", False),
        ("http://10.0.0.1/v1", False),
        ("http://127.0.0.1.example/v1", False),
        ("https://user:word@models.example/v1", False),
        ("ftp://models.example", False),
        ("models.example/v1", False),
    ],
)
def test_keys_cross_no_open_network(url: str, allowed: bool) -> None:
    """A credential goes out in clear only to this machine, or where the operator allows it."""
    for endpoint in (
        replace(ENDPOINT, url=url),
        replace(ENDPOINT, url=url, api_key=None, secret_headers={"X-Key": Secret("k" * 20)}),
    ):
        if allowed:
            check_endpoint(endpoint)
            continue
        with pytest.raises(EndpointError) as caught:
            check_endpoint(endpoint)
        assert "k" * 8 not in str(caught.value)
        assert "word" not in str(caught.value)
    if url.startswith("http://"):
        check_endpoint(replace(ENDPOINT, url=url, allow_insecure=True))
        check_endpoint(replace(ENDPOINT, url=url, api_key=None))


@pytest.mark.parametrize("key", ["a\nb", "ключ", "a\x00b"])
def test_keys_fit_a_header(key: str) -> None:
    """A key with a line break is refused before it can break a request."""
    with pytest.raises(EndpointError, match="credential holds"):
        check_endpoint(replace(ENDPOINT, api_key=Secret(key)))


def test_unusable_ca_file() -> None:
    """A missing or broken CA file is a plain error that names it."""
    for path in ("/nonexistent/ca.pem", __file__):
        with pytest.raises(EndpointError, match="ca_file"):
            OpenAIChat(replace(ENDPOINT, ca_file=path))


def test_provenance_is_small() -> None:
    """Only listed headers are kept, cut short and bounded in all; no account is named."""
    listed = {"x-request-id": "r" * 999, "X-RateLimit-Left": "1", "set-cookie": "s", "age": "5"}
    kept = provenance(httpx.Headers(listed))
    assert kept == {"x-request-id": "r" * 200, "x-ratelimit-left": "1", "age": "5"}
    accounts = {"openai-organization": "o", "openai-project": "p", "anthropic-organization-id": "a"}
    named = {"request-id": "r", "anthropic-ratelimit-requests-limit": "5"}
    assert provenance(httpx.Headers(accounts | named)) == named
    many = httpx.Headers({f"openai-{n}": "v" * 100 for n in range(100)})
    assert sum(len(name) + len(value) for name, value in provenance(many).items()) <= 2048


def test_body() -> None:
    """Only the wire's own parameters are sent; extra_body comes last, null removes a key."""
    params = {"temperature": 0, "top_k": 5, "max_tokens": 9, "logprobs": True, "top_logprobs": 5}
    extra = {"top_k": 1, "max_tokens": None, "max_completion_tokens": 9}
    endpoint = replace(ENDPOINT, api_model="wire-name", extra_body=extra)
    body = request_body(endpoint, replace(REQUEST, params=params, user="u"))
    assert body == {
        "model": "wire-name", "messages": [{"role": "user", "content": "hi"}], "temperature": 0,
        "logprobs": True, "top_logprobs": 5, "user": "u", "stream": True,
        "stream_options": {"include_usage": True}, "top_k": 1, "max_completion_tokens": 9,
    }  # fmt: skip
    plain = request_body(replace(ENDPOINT, stream=False), REQUEST)
    assert plain == {"model": "m", "messages": body["messages"], "temperature": 0}


def test_names() -> None:
    """An unknown provider names the known ones."""
    unknown = replace(ENDPOINT, target=replace(ENDPOINT.target, provider="nope"))
    with pytest.raises(UnknownNameError, match="openai_chat"):
        make_provider(unknown)
    assert set(PROVIDERS) == {"openai_chat", "anthropic"}
    assert isinstance(make_provider(ENDPOINT), OpenAIChat)
    other = replace(ENDPOINT, target=replace(ENDPOINT.target, provider="anthropic"))
    assert isinstance(make_provider(other), Anthropic)
