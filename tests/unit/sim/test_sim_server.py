"""The served fleet over real HTTP: determinism, order, places, keys, errors, control plane."""

import asyncio
import json
from collections.abc import Callable, Mapping
from typing import Any

import pytest

from qualmon.cli.sim import _greet
from qualmon.errors import PortInUseError, UnknownNameError
from qualmon.sim.backend import Settings
from qualmon.sim.fleet import base_url, demo_fleet
from qualmon.sim.serving import start

LOGPROBS = {"logprobs": True, "top_logprobs": 5}
BABBLE: dict[str, Any] = {"messages": [{"role": "user", "content": "Why?"}], "max_tokens": 30}
CORRUPT = {"id": "f1", "kind": "corruption", "node": "platform=aws", "rate": 0.2}
Serve = Callable[..., Any]


def _text(body: bytes) -> str:
    return str(json.loads(body)["choices"][0]["message"]["content"])


def _chunks(body: bytes) -> list[Mapping[str, Any]]:
    lines = body.decode().split("\n\n")
    assert lines[-2:] == ["data: [DONE]", ""]
    return [json.loads(line.removeprefix("data: ")) for line in lines[:-2]]


def _streamed(chunks: list[Mapping[str, Any]], key: str) -> list[Any]:
    return [c["choices"][0]["delta"][key] for c in chunks if key in c["choices"][0]["delta"]]


async def test_a_canary_gets_its_reference(serve_fleet: Serve) -> None:
    """A healthy fleet answers a known prompt rightly, with usage and names."""
    client = await serve_fleet()
    status, headers, body = await client.post("r1")
    answer = json.loads(body)
    assert status == 200
    assert headers["x-request-id"].startswith("req_")
    assert _text(body) == "The quick brown fox jumps over the lazy dog."
    assert (answer["model"], answer["choices"][0]["finish_reason"]) == ("m-large", "stop")
    assert answer["usage"]["completion_tokens"] == 10
    assert answer["choices"][0]["logprobs"] is None
    assert answer["system_fingerprint"].startswith("fp_")


async def test_answers_do_not_hang_on_the_order_of_arrival(serve_fleet: Serve) -> None:
    """The same named requests, in reverse and at once, on a new server: the same answers."""
    first, second = await serve_fleet(), await serve_fleet()
    forward = [await first.post(f"r{n}", **BABBLE) for n in range(6)]
    backward = await asyncio.gather(*(second.post(f"r{n}", **BABBLE) for n in reversed(range(6))))
    texts = [_text(body) for _, _, body in forward]
    assert [_text(body) for _, _, body in backward] == texts[::-1]
    assert len(set(texts)) == 6


async def test_the_seed_and_the_target_change_the_draws(serve_fleet: Serve) -> None:
    """Another seed, or another target, is another sample."""
    one, other = await serve_fleet(), await serve_fleet(settings=Settings(seed=12))
    bodies = [
        await one.post("r", **BABBLE),
        await other.post("r", **BABBLE),
        await one.post("r", place="gcp/default", **BABBLE),
        await one.post("r", **BABBLE, model="m-small"),
    ]
    assert len({_text(body) for _, _, body in bodies}) == 4


async def test_without_a_name_a_repeated_body_is_a_new_draw(serve_fleet: Serve) -> None:
    """Bodies are counted, so that repeats differ, and a new server repeats them all."""
    first, second = await serve_fleet(), await serve_fleet()
    texts = [
        [_text((await client.post(**BABBLE))[2]) for _ in range(3)] for client in (first, second)
    ]
    assert texts[0] == texts[1]
    assert len(set(texts[0])) == 3


@pytest.mark.parametrize("asked", [LOGPROBS, {}])
@pytest.mark.parametrize("prompt", [{}, BABBLE])
async def test_a_stream_says_the_same(
    serve_fleet: Serve, asked: dict[str, Any], prompt: dict[str, Any]
) -> None:
    """One request name: the same text, log-probabilities, finish and usage in both forms."""
    client = await serve_fleet(faults=[CORRUPT])
    whole = json.loads((await client.post("r", **asked, **prompt))[2])
    _, headers, body = await client.post(
        "r", **asked, **prompt, stream=True, stream_options={"include_usage": True}
    )
    *chunks, usage = _chunks(body)
    choice = whole["choices"][0]
    assert headers["Content-Type"] == "text/event-stream"
    assert chunks[0]["choices"][0]["delta"]["role"] == "assistant"
    assert "".join(_streamed(chunks, "content")) == choice["message"]["content"]
    assert chunks[-1]["choices"][0]["finish_reason"] == choice["finish_reason"]
    assert (usage["choices"], usage["usage"]) == ([], whole["usage"])
    assert {chunk["id"] for chunk in (*chunks, usage)} == {whole["id"]}
    listed = [c["choices"][0]["logprobs"] for c in chunks[1:-1]]
    if asked:
        entries = [entry for item in listed for entry in item["content"]]
        assert entries == choice["logprobs"]["content"]
    else:
        assert listed == [None] * whole["usage"]["completion_tokens"]


async def test_no_usage_chunk_unless_asked(serve_fleet: Serve) -> None:
    """Without stream_options the stream ends with the finish chunk."""
    client = await serve_fleet()
    chunks = _chunks((await client.post("r", stream=True))[2])
    assert chunks[-1]["choices"][0]["finish_reason"] == "stop"
    assert not any("usage" in chunk for chunk in chunks)


@pytest.mark.parametrize("tops", [0, 1, 5, 20])
async def test_log_probabilities_keep_every_invariant(serve_fleet: Serve, tops: int) -> None:
    """As many as asked, sorted, at most one in sum, the sampled token's own entry equal, bytes
    that make up the text; and a corrupt token reported as the healthy model sees it."""
    client = await serve_fleet(faults=[CORRUPT])
    body = json.loads((await client.post("r", logprobs=True, top_logprobs=tops, **BABBLE))[2])
    choice = body["choices"][0]
    entries = choice["logprobs"]["content"]
    joined = b"".join(bytes(entry["bytes"]) for entry in entries).decode()
    assert joined == choice["message"]["content"]
    for entry in entries:
        listed = [top["logprob"] for top in entry["top_logprobs"]]
        own = [t["logprob"] for t in entry["top_logprobs"] if t["bytes"] == entry["bytes"]]
        assert len(listed) == tops
        assert listed == sorted(listed, reverse=True)
        assert own in ([], [entry["logprob"]])
        assert bytes(entry["bytes"]).decode() == entry["token"]
    foreign = [entry for entry in entries if not entry["token"].isascii()]
    assert foreign
    assert all(entry["logprob"] < -20.0 for entry in foreign)


async def test_faults_strike_where_and_when_they_were_planted(serve_fleet: Serve) -> None:
    """Planted over HTTP, relative to now, replaced by the next list."""
    now = [1000.0]
    client = await serve_fleet(clock=lambda: now[0])
    status, shown = await client.control("/-/faults", [{**CORRUPT, "start": 10, "end": 20}])
    assert (status, shown[0]["start"], len(shown[0]["targets"])) == (200, 10.0, 4)

    async def dirty(place: str = "aws/default") -> bool:
        return not _text((await client.post("r", place=place, **BABBLE))[2]).isascii()

    seen = []
    for now[0] in (1005.0, 1015.0, 1025.0):
        seen.append((await dirty(), await dirty("gcp/default")))
    assert seen == [(False, False), (True, False), (False, False)]
    now[0] = 1015.0
    assert await client.control("/-/faults", []) == (200, [])
    assert not await dirty()
    assert await client.control("/-/faults") == (200, [])


async def test_a_wrong_fault_changes_nothing(serve_fleet: Serve) -> None:
    """The list is taken whole or not at all, and the error says what there is."""
    client = await serve_fleet(faults=[CORRUPT])
    status, said = await client.control("/-/faults", [{**CORRUPT, "kind": "gremlin"}])
    assert (status, "corruption" in said["error"]["message"]) == (400, True)
    assert len((await client.control("/-/faults"))[1]) == 1
    assert (await client.control("/-/faults", {}))[0] == 400


async def test_health(serve_fleet: Serve) -> None:
    """The fleet says how many targets it serves, and how many answers it has drawn."""
    client = await serve_fleet()
    assert await client.control("/-/healthy") == (200, {"targets": 12, "answers": 0})
    await client.post("r1")
    assert await client.control("/-/healthy") == (200, {"targets": 12, "answers": 1})


async def test_models_are_listed_per_place(serve_fleet: Serve) -> None:
    """As the official list endpoint does; nothing is served elsewhere."""
    client = await serve_fleet()
    _, listed = await client.control("/gcp/batch/v1/models")
    assert [model["id"] for model in listed["data"]] == ["m-large", "m-small"]
    status, said = await client.control("/moon/batch/v1/models")
    assert (status, said["error"]["type"]) == (404, "invalid_request_error")


@pytest.mark.parametrize(
    ("change", "status", "code"),
    [
        ({"model": "gpt"}, 404, "model_not_found"),
        ({"place": "moon/default"}, 404, None),
        ({"place": "aws"}, 404, None),
        ({"messages": ...}, 400, "missing_required_parameter"),
        ({"temperature": "hot"}, 400, "invalid_value"),
        ({"user": "x" * 1_100_000}, 413, None),
    ],
)
async def test_errors_are_error_objects(
    serve_fleet: Serve, change: dict[str, Any], status: int, code: str | None
) -> None:
    """Whatever goes wrong, the body is what an OpenAI client expects."""
    got, headers, body = await (await serve_fleet()).post("r", **change)
    error = json.loads(body)["error"]
    assert (got, error["code"]) == (status, code)
    assert set(error) == {"message", "type", "param", "code"}
    assert headers["Content-Type"].startswith("application/json")


async def test_keys_are_asked_for_where_configured(serve_fleet: Serve) -> None:
    """None and a wrong one are 401; a right one is let in, by the official header only."""
    client = await serve_fleet(settings=Settings(api_keys=("sk-right", "sk-other")))
    url = f"{client.running.origin}/aws/default/v1/chat/completions"
    seen = {}
    for given in (None, "Bearer sk-wrong", "Bearer ", "sk-other", "Bearer sk-other"):
        headers = {} if given is None else {"Authorization": given}
        async with client.session.post(url, json=client.defaults, headers=headers) as response:
            seen[given] = response.status
    assert list(seen.values()) == [401, 401, 401, 401, 200]


async def test_an_answer_can_take_its_time(serve_fleet: Serve) -> None:
    """With a pace the stream's events come one by one, and say the same."""
    slow = await serve_fleet(settings=Settings(seed=11, seconds_per_token=0.001))
    fast = await serve_fleet()
    bodies = [(await client.post("r", stream=True))[2] for client in (slow, fast)]
    texts = ["".join(_streamed(_chunks(body), "content")) for body in bodies]
    assert texts[0] == texts[1]


async def test_a_taken_port_is_named(serve_fleet: Serve) -> None:
    """The error carries the address."""
    client = await serve_fleet()
    with pytest.raises(PortInUseError, match=str(client.running.port)):
        await serve_fleet(port=client.running.port)


async def test_a_wrong_fault_stops_the_start() -> None:
    """Nothing is served with a fault that was not understood."""
    with pytest.raises(UnknownNameError, match="gremlin"):
        await start({}, faults=[{**CORRUPT, "kind": "gremlin"}])


def test_the_demo_fleet_is_the_documented_one() -> None:
    """Twelve targets; three kinds of hardware; addresses by platform and route."""
    fleet = demo_fleet()
    hardware = {(t.platform, t.route): t.labels["hardware"] for t in fleet.targets}
    assert len(fleet.targets) == 12
    assert hardware["first-party", "default"] == hardware["gcp", "default"] == "tpu"
    assert hardware["first-party", "batch"] == hardware["aws", "batch"] == "gpu"
    assert hardware["aws", "default"] == hardware["gcp", "batch"] == "trainium"
    endpoint = fleet.endpoints("http://127.0.0.1:1")[0]
    assert endpoint.url == base_url("http://127.0.0.1:1", endpoint.target)
    assert endpoint.url == "http://127.0.0.1:1/first-party/default/v1"
    assert endpoint.neutral_sampler


async def test_the_command_shows_both_addresses(
    serve_fleet: Serve, capsys: pytest.CaptureFixture[str]
) -> None:
    """`qualmon sim` prints, for every target, where each protocol's client has to point."""
    client = await serve_fleet()
    _greet(client.running)
    said = capsys.readouterr().out
    origin = client.running.origin
    assert f"m-large/aws/batch  hardware=gpu\n  openai_chat  {origin}/aws/batch/v1\n" in said
    assert said.count(f"  anthropic  {origin}/aws/batch\n") == 2
    assert said.endswith(f"ready: {origin}\n")
