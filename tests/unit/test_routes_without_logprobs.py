"""A route that refuses log-probabilities, over HTTP: the service and `qualmon probe` say so."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from aiohttp import web

from qualmon.bootstrap.once import Asked, ask_once
from qualmon.bootstrap.routes import MAX_REASON, RouteNotes
from qualmon.bootstrap.service import Service
from qualmon.cli.probe import _plain, _table
from qualmon.config import Config, load
from qualmon.prober.rounds import index_at, slot_at
from qualmon.schedule.clock import SystemClock
from qualmon.storage.integrity import check
from qualmon.types import Attempt, Completion, Member, Observation, Score, Slot
from qualmon.web.app import make_app

SUITE = """
suite: mine
version: "1"
probes:
  - id: pangram
    why: small
    catches: little
    source: written here
    messages: [{role: user, content: Say the pangram.}]
    params: {temperature: 0, max_tokens: 20, logprobs: true, top_logprobs: 5}
    expect: {scripts: [Latn]}
    channels: [script.run, token.rank, logprob.order]
    expected_tokens: {input: 5, output: 10}
"""
CONFIG = """
burn_in: 0s
targets:
  - {{model: m, platform: strict, url: "{origin}/strict/v1", stream: false}}
  - {{model: m, platform: deaf, url: "{origin}/deaf/v1", stream: false}}
suites: [{{name: ./mine.yaml, every: 1h, identities: {{count: 2, mode: fixed}}}}]
"""
ANSWER = {
    "id": "c-1", "object": "chat.completion", "created": 1, "model": "m",
    "choices": [{"index": 0, "finish_reason": "stop",
                 "message": {"role": "assistant", "content": "The quick brown fox."}}],
    "usage": {"prompt_tokens": 5, "completion_tokens": 5, "total_tokens": 10},
}  # fmt: skip
REFUSAL = {"error": {"message": "'logprobs' is not supported with this model", "code": 400}}


@pytest.fixture
async def config(tmp_path: Path) -> AsyncIterator[Config]:
    """A configuration of two routes: `strict` refuses log-probabilities, `deaf` ignores them."""

    async def answer(request: web.Request) -> web.Response:
        body: dict[str, Any] = await request.json()
        if request.match_info["platform"] == "strict" and "logprobs" in body:
            return web.json_response(REFUSAL, status=400)
        return web.json_response(ANSWER)

    application = web.Application()
    application.router.add_post("/{platform}/v1/chat/completions", answer)
    runner = web.AppRunner(application)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    host, port = runner.addresses[0]
    (tmp_path / "mine.yaml").write_text(SUITE)
    (tmp_path / "qualmon.yaml").write_text(CONFIG.format(origin=f"http://{host}:{port}"))
    yield load(tmp_path / "qualmon.yaml", {})
    await runner.cleanup()


async def test_a_round_shows_what_each_route_offers(config: Config) -> None:
    """In metrics, on the target's page and in the API: the state, and the channels it costs."""
    clock = SystemClock()
    async with Service.opened(config, clock) as service:
        (stream,) = service.book.streams.values()
        slot = slot_at(stream, index_at(stream, clock.now()))
        service.store.materialise([slot])
        await service.runner.run(slot, stream)
        await service.fold_ready()
        metrics = service.view.metrics().decode()
        transport = httpx.ASGITransport(make_app(service.view))
        async with httpx.AsyncClient(transport=transport, base_url="http://q") as http:
            page = (await http.get("/targets/m%2Fstrict%2Fdefault")).text
            api = (await http.get("/api/v1/targets")).json()["targets"]
        stored = [service.store.observation(key) for key in service.store.present(slot)]
    for platform, state in (("strict", "rejected"), ("deaf", "absent_ignored")):
        place = f'model="m",platform="{platform}",route="default"'
        assert f'qualmon_capability{{feature="logprobs",{place},state="{state}"}} 1' in metrics
    refused = 'model="m",outcome="client_error",platform="strict",route="default"'
    assert f"qualmon_probe_requests_total{{{refused}}} 2.0" in metrics
    assert "What cannot be judged here" in page
    assert "no logprobs (rejected)" in page
    assert "refused; left out of requests, asked for again once a day" in page
    strict = next(t for t in api if t["platform"] == "strict")
    assert strict["capabilities"] == {"logprobs": "rejected"}
    assert {u["channel"] for u in strict["unjudged"]} == {"token.rank", "logprob.order"}
    assert {u["answers"] for u in strict["unjudged"]} == {2}
    states = {o.observation.member.target: o.observation.result.logprobs_state for o in stored}
    assert states == {"m/strict/default": "rejected", "m/deaf/default": "absent_ignored"}


async def test_probe_names_the_channels_it_could_not_judge(config: Config) -> None:
    """`--json` has each with value null and its reason, the table a line for each reason."""
    asked = await ask_once(config, "*", "*", keep=False)
    plain = {item["target"]: item for item in map(_plain, asked)}
    strict = plain["m/strict/default"]
    assert (strict["failure"], strict["logprobs"]) == (None, "rejected")
    assert plain["m/deaf/default"]["logprobs"] == "absent_ignored"
    scores = {s["channel"]: s for s in strict["scores"]}
    assert scores["script.run"]["value"] == 0
    for channel in ("token.rank", "logprob.order"):
        assert scores[channel]["value"] is None
        assert scores[channel]["detail"]["reason"] == "no logprobs (rejected)"
    assert json.dumps(plain)
    lines = _table(asked)
    assert "    not judged: token.rank, logprob.order: no logprobs (rejected)" in lines
    assert any("clean (1 channels judged)" in line for line in lines)


async def test_rounds_by_hand_leave_the_store_sound(config: Config) -> None:
    """Their slots belong to no schedule, so that the numbers between them are no gap."""
    for _ in range(2):
        assert all(isinstance(item, Asked) for item in await ask_once(config, "*", "*", keep=True))
    assert check(config.store) == []


def observation() -> Observation:
    """An answer of some target."""
    member = Member(Slot(0.0, "core", "m", 1, 60.0), "m/a/r", "p")
    return Observation(member, 0.0, Completion("x", "stop"), (Attempt(1, 0.0, "ok", 0.1),), "v")


def test_notes_count_answers_in_a_row_and_forget_what_is_judged_again() -> None:
    """The newest reason stands, cut to its bound; one judged answer ends it."""
    notes = RouteNotes(lambda: 7.0)
    for reason in ("first", "x" * 1000):
        silent = Score("token.rank", "event", None, {"reason": reason})
        notes.judged(observation(), [silent, Score("code.fail", "event", None)])
    rank = next(u for u in notes.unjudged() if u.channel == "token.rank")
    assert (rank.target, rank.answers, rank.reason) == ("m/a/r", 2, "x" * MAX_REASON)
    assert "no reason given" in {u.reason for u in notes.unjudged()}
    notes.judged(observation(), [Score("token.rank", "event", 0.0)])
    assert [u.channel for u in notes.unjudged()] == ["code.fail"]


def test_notes_keep_the_newest_state_and_its_time() -> None:
    """One entry per target and feature."""
    times = iter((1.0, 2.0))
    notes = RouteNotes(lambda: next(times))
    notes.capability("m/a/r", "logprobs", "present")
    notes.capability("m/a/r", "logprobs", "null")
    (found,) = notes.capabilities()
    assert (found.state, found.since) == ("null", 2.0)
