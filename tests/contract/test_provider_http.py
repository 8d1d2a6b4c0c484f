"""What the HTTP client does on the wire beyond the contract: reuse, TLS, odd framing, bounds."""

import asyncio
import json
import shutil
import ssl
import subprocess
import tracemalloc
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from qualmon.providers.openai_chat import OpenAIChat
from qualmon.testing.hostile import (
    Conversation,
    HostileServer,
    Script,
    bomb,
    chunk,
    head,
    reply,
    reset_after,
    silence,
    stream,
)
from qualmon.testing.providers import ANSWER, KEY, OpenAIChatWire
from qualmon.testing.wires import sse
from qualmon.types import Completion, Endpoint, Failure, Message, Request, Secret, Target, Timeouts

WIRE = OpenAIChatWire()
BODY = WIRE.body(ANSWER)
EVENTS = WIRE.events(ANSWER)
LIMITS = Timeouts(connect=1.0, first_byte=0.3, total=0.6)
REQUEST = Request((Message("user", "hi"),), {"temperature": 0, "logprobs": True}, "id-1", "user-1")


def endpoint(root: str, **fields: Any) -> Endpoint:
    target = Target("m", "p", "r")
    return Endpoint(target, f"{root}/v1", **{"timeouts": LIMITS, "stream": False, **fields})


async def ask(server: HostileServer, **fields: Any) -> Completion | Failure:
    provider = OpenAIChat(endpoint(server.root, **fields))
    try:
        return await provider.complete(REQUEST)
    finally:
        await provider.aclose()


async def failure_of(script: Script, **fields: Any) -> Failure:
    async with HostileServer(script) as server:
        result = await ask(server, **fields)
    assert isinstance(result, Failure)
    return result


def raw(data: bytes) -> Script:
    """Sends bytes and closes."""

    async def play(conversation: Conversation) -> None:
        await conversation.send(data)

    return play


@pytest.mark.parametrize(
    ("data", "kind", "before"),
    [
        (b"", "reset", True),
        (b"HTTP/1.1 200 OK\r\nConte", "reset", False),
        (b"HTTP/1.1 200 OK\r\nX: " + b"a" * 100_000, "malformed", False),
        (b"HTTP/1.1 200 OK\r\n" + b"X: a\r\n" * 10_000, "malformed", False),
        (head(headers={"Content-Length": "5", "content-length": "6"}), "malformed", False),
        (b"HTTP/1.1 101 Switching Protocols\r\n\r\n", "protocol", False),
        (head(204), "malformed", False),
        (head(headers={"Content-Encoding": "br"}) + b"x", "malformed", False),
        (head(headers={"Content-Encoding": "gzip"}) + b"no gzip", "malformed", False),
        (head(200, "text/event-stream") + b"".join(EVENTS)[:900], "truncated_stream", False),
    ],
)
async def test_raw_answers(data: bytes, kind: str, before: bool) -> None:
    """Broken and oversized framing has its kind, and tells whether any byte had come."""
    failure = await failure_of(raw(data))
    assert (failure.kind, failure.before_first_byte) == (kind, before)


@pytest.mark.parametrize("data", [head() + BODY, head(200, "text/event-stream") + b"".join(EVENTS)])
async def test_bodies_that_end_with_the_connection(data: bytes) -> None:
    """Neither a length nor chunks: the end of the connection is the end of the answer."""
    async with HostileServer(raw(data)) as server:
        result = await ask(server)
    assert isinstance(result, Completion)
    assert result.text == ANSWER.text


async def test_reset_after_the_finish_reason() -> None:
    """An answer that is whole is not lost to a connection that breaks after it."""
    pieces = b"".join(chunk(event) for event in EVENTS[:-2])
    start = head(200, "text/event-stream", {"Transfer-Encoding": "chunked"})
    async with HostileServer(reset_after(start + pieces)) as server:
        result = await ask(server, stream=True)
    assert isinstance(result, Completion)
    assert result.finish_reason == "stop"


async def test_what_is_sent() -> None:
    """Address, headers and body are as the wire wants; no cookies, no compression asked for."""
    script = reply(BODY, headers={"Set-Cookie": "id=1; Path=/"})
    headers = {"extra_headers": {"X-Region": "eu"}, "secret_headers": {"X-Pass": Secret("word")}}
    async with HostileServer(script) as server:
        provider = OpenAIChat(endpoint(server.root + "/base", api_key=Secret(KEY), **headers))
        await provider.complete(REQUEST)
        await provider.complete(REQUEST)
        await provider.aclose()
    sent = server.received[1]
    assert (sent.method, sent.path) == ("POST", "/base/v1/chat/completions")
    assert sent.headers["authorization"] == f"Bearer {KEY}"
    assert (sent.headers["x-region"], sent.headers["x-pass"]) == ("eu", "word")
    assert sent.headers["accept-encoding"] == "identity"
    assert "cookie" not in sent.headers
    body = json.loads(sent.body)
    assert (body["model"], body["user"], body["logprobs"]) == ("m", "user-1", True)


async def test_environment_proxies_are_ignored(monkeypatch: pytest.MonkeyPatch) -> None:
    """A proxy in the environment does not come between a probe and its target."""
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    async with HostileServer(reply(BODY)) as server:
        assert isinstance(await ask(server), Completion)


async def test_time_to_first_token_is_the_first_content() -> None:
    """A role, a comment or an empty delta is no token; the first text is."""

    async def play(conversation: Conversation) -> None:
        await conversation.send(head(200, "text/event-stream") + EVENTS[0] + b": wait\n\n")
        await asyncio.sleep(0.1)
        await conversation.send(EVENTS[1])
        await asyncio.sleep(0.1)
        await conversation.send(b"".join(EVENTS[2:]))

    async with HostileServer(play) as server:
        result = await ask(server, stream=True)
    assert isinstance(result, Completion)
    assert result.ttft_seconds is not None
    assert 0.09 < result.ttft_seconds < result.total_seconds - 0.09


async def test_stream_asked_body_sent_and_the_reverse() -> None:
    """What the server says it sends counts, whatever was asked."""
    for script, streamed in ((reply(BODY), True), (stream(EVENTS), False)):
        async with HostileServer(script) as server:
            result = await ask(server, stream=streamed)
        assert isinstance(result, Completion)
        assert result.text == ANSWER.text


async def test_error_bodies_are_read_in_part() -> None:
    """The head of an endless or hanging error body is kept, its status decides."""
    start = head(503, "text/plain", {"Retry-After": "3"})
    for script in (raw(start + b"e" * 10**6), silence(start + b"e" * 100)):
        failure = await failure_of(script)
        assert (failure.kind, failure.retry_after) == ("overloaded", 3.0)
        assert set(failure.head) == {"e"}
        assert len(failure.head) <= 2048


async def test_bomb_stays_small_in_memory() -> None:
    """A gzip bomb of 64 MiB costs about max_body and no more."""
    packed, limit = bomb(64), 1024 * 1024
    tracemalloc.start()
    failure = await failure_of(reply(packed, headers={"Content-Encoding": "gzip"}), max_body=limit)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert failure.kind == "too_large"
    assert peak < 4 * limit


async def test_closed_provider_answers_cancelled() -> None:
    """A request after aclose is a failure, not an exception."""
    provider = OpenAIChat(endpoint("http://127.0.0.1:1"))
    await provider.aclose()
    await provider.aclose()
    result = await provider.complete(REQUEST)
    assert isinstance(result, Failure)
    assert result.kind == "cancelled"


async def test_surrogates_and_bad_ids_can_be_sent() -> None:
    """A lone surrogate in a prompt is sent as an escape; a broken request id is a failure."""
    odd = replace(REQUEST, messages=(Message("user", "\ud800"),))
    async with HostileServer(reply(BODY)) as server:
        provider = OpenAIChat(endpoint(server.root))
        assert isinstance(await provider.complete(odd), Completion)
        broken = await provider.complete(replace(REQUEST, request_id="a\r\nX-Evil: 1"))
        await provider.aclose()
    assert json.loads(server.received[0].body)["messages"][0]["content"] == "\ud800"
    assert isinstance(broken, Failure)
    assert len(server.received) == 1


async def test_name_that_does_not_exist() -> None:
    """A host without an address is `connect`."""
    provider = OpenAIChat(endpoint("http://no-such-host.invalid"))
    result = await provider.complete(REQUEST)
    await provider.aclose()
    assert isinstance(result, Failure)
    assert result.kind in ("connect", "timeout_connect", "timeout_first_byte")
    assert result.before_first_byte


@pytest.mark.parametrize("late", [False, True])
async def test_connections_are_used_again(late: bool) -> None:
    """Streams are read to their end, so that the next request needs no new connection."""
    connections, answers = 0, b"".join(chunk(event) for event in EVENTS)

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal connections
        connections += 1
        while request := (await reader.read(65536)):
            if b"\r\n\r\n" not in request or request.endswith(b"\r\n\r\n"):
                continue  # the body comes apart from its headers
            start = head(200, "text/event-stream", {"Transfer-Encoding": "chunked"})
            writer.write(start.replace(b"Connection: close\r\n", b"") + answers)
            await asyncio.sleep(0.02 if late else 0)
            writer.write(b"0\r\n\r\n")
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    provider = OpenAIChat(endpoint(f"http://127.0.0.1:{port}", stream=True))
    results = [await provider.complete(REQUEST) for _ in range(3)]
    await provider.aclose()
    server.close()
    assert [isinstance(result, Completion) for result in results] == [True] * 3
    assert connections == 1


async def test_damaged_answers_always_end_in_a_record() -> None:
    """Random damage to headers and bodies never raises and never hangs."""
    good = head(headers={"Content-Length": str(len(BODY))}) + BODY
    framed = head(200, "text/event-stream", {"Transfer-Encoding": "chunked"})
    framed += b"".join(chunk(event) for event in EVENTS) + b"0\r\n\r\n"
    for turn in range(80):
        damaged = bytearray((good, framed)[turn % 2])
        for step in range(1 + turn % 5):
            place = (turn * 7919 + step * 104729) % min(len(damaged), 600)
            damaged[place] = (turn * 31 + step * 17) % 256
        async with HostileServer(raw(bytes(damaged))) as server:
            result = await ask(server)
        assert isinstance(result, Completion | Failure)


def self_signed(folder: Path) -> tuple[ssl.SSLContext, Path]:
    """A server's context for 127.0.0.1, and its certificate."""
    key, cert = folder / "key.pem", folder / "cert.pem"
    command = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"]
    command += ["-nodes", "-days", "2", "-subj", "/CN=none", "-keyout", str(key)]
    command += ["-addext", "subjectAltName=IP:127.0.0.1", "-out", str(cert)]
    subprocess.run(command, check=True, capture_output=True)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(cert, key)
    return context, cert


@pytest.mark.skipif(shutil.which("openssl") is None, reason="makes its certificate with openssl")
async def test_tls_is_verified(tmp_path: Path) -> None:
    """An unknown certificate is `tls` and sends nothing; the operator's own CA is accepted."""
    context, cert = self_signed(tmp_path)
    async with HostileServer(reply(BODY), tls=context) as server:
        refused = await ask(server, api_key=Secret(KEY))
        assert isinstance(refused, Failure)
        assert (refused.kind, refused.before_first_byte) == ("tls", True)
        assert server.received == []
        assert isinstance(await ask(server, ca_file=str(cert)), Completion)
        other_name = server.root.replace("127.0.0.1", "localhost")
        provider = OpenAIChat(endpoint(other_name, ca_file=str(cert)))
        wrong_name = await provider.complete(REQUEST)
        await provider.aclose()
    assert isinstance(wrong_name, Failure)
    assert wrong_name.kind == "tls"


async def test_positive_and_unsorted_logprobs_are_kept() -> None:
    """Odd numbers are for a scorer to judge."""
    entry = {"token": "a", "logprob": 0.7, "top_logprobs": [{"token": "b", "logprob": -9999.0}]}
    choice = {"index": 0, "delta": {"content": "a"}, "logprobs": {"content": [entry]}}
    events = [sse({"choices": [choice | {"finish_reason": "stop"}]})]
    async with HostileServer(stream(events)) as server:
        result = await ask(server)
    assert isinstance(result, Completion)
    assert result.logprobs is not None
    assert result.logprobs[0].logprob == 0.7
    assert result.logprobs[0].top[0].logprob == float("-inf")
