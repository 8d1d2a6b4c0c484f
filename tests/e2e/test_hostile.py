"""Servers that break every rule, under the running service: bounded, told, and no secret leaks."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import closing
from pathlib import Path

import httpx
import pytest
from processes import service, wait_until, write_config
from prometheus_client.parser import text_string_to_metric_families

from qualmon.testing.hostile import (
    Conversation,
    HostileServer,
    Script,
    bomb,
    chunk,
    drip,
    head,
    reply,
    reset_after,
    silence,
    stream,
)

pytestmark = pytest.mark.e2e

KEY = "sk-e2e-7d0f3b9a1c5e8642-hostile"
ECHO = f"your key {KEY} is bad, Bearer {KEY[:14]}".encode()
EVENTS = head(200, "text/event-stream", {"Transfer-Encoding": "chunked"})
NOW = {"Retry-After": "0"}
#: By platform: what it does to every request, and the outcome that is told of it.
PLAYS: Mapping[str, tuple[Script, str]] = {
    "page": (reply(b"<html>" + ECHO, content_type="text/html"), "malformed"),
    "cut-json": (reply(b'{"choices": [{"message": "' + ECHO), "malformed"),
    "not-utf8": (reply(b'{"choices": "\xff\xfe"}'), "malformed"),
    "deep": (reply(b"[" * 200_000), "malformed"),
    "shape": (reply(b'{"choices": "' + ECHO + b'"}'), "protocol"),
    "error-200": (reply(b'{"error": {"message": "' + ECHO + b'"}}'), "error_body"),
    "auth": (reply(ECHO, status=401, headers={"X-Request-Id": KEY}), "auth"),
    "busy": (reply(ECHO, status=429, headers=NOW), "rate_limited"),
    "overload": (reply(ECHO, status=503), "overloaded"),
    "broken": (reply(ECHO, status=500), "server_error"),
    "refuses": (reply(ECHO, status=400), "client_error"),
    "redirect": (reply(b"", status=307, headers={"Location": f"/?k={KEY}"}), "redirect"),
    "reset": (reset_after(EVENTS + chunk(b": soon\n\n")), "reset"),
    "silent": (silence(), "timeout_first_byte"),
    "dripping": (drip(EVENTS, chunk(b": wait\n\n")), "timeout_total"),
    "endless": (drip(EVENTS, chunk(b"data: " + b"x" * 65536), 0.0), "too_large"),
    "bomb": (reply(bomb(64), headers={"Content-Encoding": "gzip"}), "too_large"),
    "stops": (
        stream([b'data: {"choices": [{"delta": {"content": "hi"}}]}\n\n']),
        "truncated_stream",
    ),
    "echoes": (
        reply(
            b'{"choices": [{"message": {"content": "' + ECHO + b'"}, "finish_reason": "stop"}],'
            b' "model": "' + KEY.encode() + b'"}'
        ),
        "ok",
    ),
}


async def by_platform(conversation: Conversation) -> None:
    """Plays what the request's path asks for."""
    await PLAYS[conversation.request.path.split("/")[1]][0](conversation)


async def test_stopping_does_not_wait_for_a_hung_server(tmp_path: Path) -> None:
    """SIGTERM gives rounds `drain` seconds, then gives their slots back: the next start asks
    the same questions again."""
    async with HostileServer(silence()) as server:
        watched = [{"model": "m", "platform": "hung", "url": f"{server.root}/v1"}]
        suites = [{"name": "./canary.yaml", "every": "1h", "probes_per_round": 1}]
        config = write_config(tmp_path, watched, suites=suites, drain="3s")
        for _ in range(2):
            with service(config) as (running, url):
                await asyncio.wait_for(server.asked.wait(), 40)
                server.asked.clear()
                running.process.terminate()
                await asyncio.to_thread(running.wait_said, "stopping")
                ready = await asyncio.to_thread(httpx.get, f"{url}/-/ready")
                assert (ready.status_code, ready.text) == (503, "the service is stopping\n")
                assert await asyncio.to_thread(running.process.wait, 20) == 0
    ids = {request.headers["x-client-request-id"] for request in server.received}
    assert len(server.received) == 2
    assert len(ids) == 1
    with closing(sqlite3.connect(tmp_path / "qualmon.db")) as connection:
        (slot,) = connection.execute("SELECT state, lease_until < unixepoch() + 1 FROM slots")
        assert slot == ("claimed", 1)
        assert connection.execute("SELECT count(*) FROM observations").fetchone() == (0,)


def config_for(folder: Path, root: str) -> Path:
    """One target per play, each with the key."""
    watched = [
        {
            "model": "m",
            "platform": name,
            "url": f"{root}/{name}/v1",
            "api_key": {"env": "E2E_KEY"},
            "timeout": {"connect": "1s", "first_byte": "1s", "total": "2s"},
            "max_body": "1MiB",
        }
        for name in PLAYS
    ]
    suites = [{"name": "./canary.yaml", "every": "5s", "probes_per_round": 1}]
    return write_config(folder, watched, suites=suites)


async def test_hostile_servers(tmp_path: Path) -> None:
    """Each round ends in time with one observation of each; the service stays ready."""
    async with HostileServer(by_platform) as server:
        config = config_for(tmp_path, server.root)
        told, pages = await asyncio.to_thread(watch, config)
    assert all(f"Bearer {KEY}" in request.headers["authorization"] for request in server.received)
    with closing(sqlite3.connect(tmp_path / "qualmon.db")) as connection:
        query = "SELECT target, outcome, max(total_seconds) FROM observations GROUP BY 1, 2"
        rows = connection.execute(query).fetchall()
    kept = {target.split("/")[1]: outcome for target, outcome, _ in rows}
    assert kept == told == {name: outcome for name, (_, outcome) in PLAYS.items()}
    assert max(seconds for *_, seconds in rows) < 4
    for place, text in (*pages.items(), *left_behind(tmp_path)):
        assert not pieces().intersection(windows(text)), f"a piece of the key is in {place}"
    log = (tmp_path / "run.log").read_text()
    assert "Traceback" not in log, log


def watch(config: Path) -> tuple[dict[str, str], dict[str, str]]:
    """Runs the service until each target was asked; outcomes by platform, pages by path."""
    paths = ["/metrics", "/", "/api/v1/targets", *(f"/targets/m/{name}/default" for name in PLAYS)]
    with service(config, E2E_KEY=KEY) as (running, url), httpx.Client(base_url=url) as client:
        wait_until(lambda: len(outcomes(client)) == len(PLAYS), "an attempt at every target")
        ready = client.get("/-/ready")
        assert (ready.status_code, ready.text) == (200, "ok\n")
        told = outcomes(client)
        seen = {path: client.get(path).raise_for_status().text for path in paths}
        assert running.stop() == 0
    return told, seen


def outcomes(client: httpx.Client) -> dict[str, str]:
    """Outcome by platform, as /metrics has it."""
    found = text_string_to_metric_families(client.get("/metrics").text)
    return {
        sample.labels["platform"]: sample.labels["outcome"]
        for family in found
        for sample in family.samples
        if sample.name == "qualmon_probe_requests_total"
    }


def left_behind(folder: Path) -> Iterator[tuple[str, str]]:
    """Every file that the service wrote, byte for byte."""
    for path in sorted(folder.glob("*")):
        if path.name not in ("qualmon.yaml", "canary.yaml"):
            yield path.name, path.read_bytes().decode("latin-1")


def pieces() -> set[str]:
    """Runs of eight characters of the key, without the part that any key begins with."""
    return set(windows(KEY))


def windows(text: str) -> Iterator[str]:
    """All runs of eight characters."""
    return (text[at : at + 8] for at in range(len(text) - 7))


def test_the_check_for_leaks_finds_one() -> None:
    """A piece in the middle of a text is found."""
    assert pieces().intersection(windows(f"...{KEY[5:14]}..."))
