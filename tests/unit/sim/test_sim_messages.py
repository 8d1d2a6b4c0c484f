"""Anthropic's protocol on the fleet: strict requests, stop sequences, the same answers."""

import json
from collections.abc import Callable
from typing import Any

import pytest

from qualmon.errors import UnknownNameError
from qualmon.sim.backend import Settings
from qualmon.sim.fleet import base_url, demo_fleet
from qualmon.sim.step import Sampling
from qualmon.sim.wire_messages_request import EDITIONS, edition_of, read_messages
from qualmon.sim.wire_request import MAX_TOKENS, RejectedError

Serve = Callable[..., Any]
GOOD: dict[str, Any] = {
    "model": "m",
    "max_tokens": 9,
    "messages": [{"role": "user", "content": "Hi"}],
}
CORRUPT = {"id": "f1", "kind": "corruption", "node": "platform=aws", "rate": 0.2}
BABBLE: dict[str, Any] = {"messages": [{"role": "user", "content": "Why?"}], "max_tokens": 30}


def read(edition: str = EDITIONS[0], **change: Any) -> Any:
    """The request after `change`."""
    return read_messages(json.dumps({**GOOD, **change}).encode(), edition)


def turn(**change: Any) -> dict[str, Any]:
    """A request of one turn."""
    return {"messages": [{"role": "user", "content": "Hi", **change}]}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"model": 7}, "model: Input should be a valid string"),
        ({"model": ""}, "model: String should have at least 1 character"),
        ({"max_tokens": 0}, "max_tokens: Input should be greater than or equal to 1"),
        ({"max_tokens": MAX_TOKENS + 1}, "max_tokens: Input should be less than"),
        ({"max_tokens": 9.5}, "max_tokens: Input should be a valid integer"),
        ({"max_tokens": None}, "max_tokens: Input should be a valid integer"),
        ({"messages": []}, "messages: List should have at least 1 item"),
        ({"messages": "Hi"}, "messages: Input should be a valid list"),
        ({"messages": ["Hi"]}, "messages.0: Input should be"),
        (turn(role="system"), "messages.0.role: Input should be 'user' or 'assistant'"),
        (turn(role="assistant"), 'messages: first message must use the "user" role'),
        (turn(content=""), "messages.0.content: String should have at least 1 character"),
        (turn(content=[]), "messages.0.content: "),
        (turn(content=None), "messages.0.content: "),
        (turn(content=[{"type": "image"}]), "messages.0.content"),
        (turn(content=[{"type": "text", "text": ""}]), "messages.0.content"),
        (turn(name="Init"), "messages.0.name: Extra inputs are not permitted"),
        ({"system": 3}, "system: Input should be a valid string"),
        ({"temperature": 1.1}, "temperature: Input should be less than or equal to 1"),
        ({"temperature": -0.1}, "temperature: Input should be greater than or equal to 0"),
        ({"temperature": "0"}, "temperature: Input should be a valid number"),
        ({"temperature": True}, "temperature: Input should be a valid number"),
        ({"temperature": None}, "temperature: Input should be a valid number"),
        ({"top_p": 1.1}, "top_p: Input should be less than or equal to 1"),
        ({"top_k": -1}, "top_k: Input should be greater than or equal to 0"),
        ({"top_k": 1.5}, "top_k: Input should be a valid integer"),
        ({"stop_sequences": "x"}, "stop_sequences: Input should be a valid list"),
        ({"stop_sequences": [""]}, "stop_sequences.0: String should have at least 1"),
        ({"metadata": {"user": "x"}}, "metadata.user: Extra inputs are not permitted"),
        ({"metadata": {"user_id": 3}}, "metadata.user_id: Input should be a valid string"),
        ({"stream": "yes"}, "stream: Input should be a valid boolean"),
        ({"logprobs": True}, "logprobs: Extra inputs are not permitted"),
        ({"frequency_penalty": 0}, "frequency_penalty: Extra inputs are not permitted"),
        ({"tools": [{"name": "f"}]}, "tools: Not supported here"),
        ({"thinking": {"type": "enabled", "budget_tokens": 1024}}, "thinking: Not supported"),
    ],
)
def test_a_wrong_field_is_named(change: dict[str, Any], message: str) -> None:
    """Status 400, and a message that starts with the field's path."""
    with pytest.raises(RejectedError) as caught:
        read(**change)
    assert caught.value.status == 400
    assert str(caught.value).startswith(message)


@pytest.mark.parametrize("name", list(GOOD))
def test_a_missing_field_is_named(name: str) -> None:
    """What is required is required; max_tokens is."""
    body = {key: value for key, value in GOOD.items() if key != name}
    with pytest.raises(RejectedError, match=f"^{name}: Field required"):
        read_messages(json.dumps(body).encode())


@pytest.mark.parametrize("body", [b"", b"[]", b"null", b"\xff", b'{"model": NaN}', b"[" * 99_999])
def test_a_body_that_is_no_json_object_is_refused(body: bytes) -> None:
    """Also when it is no JSON at all, or nested without end."""
    with pytest.raises(RejectedError, match="body"):
        read_messages(body)


def test_settings_arrive() -> None:
    """Every setting that is understood has its effect; blocks of text are joined."""
    blocks = [{"type": "text", "text": "a", "cache_control": {"type": "ephemeral"}},
              {"type": "text", "text": "b"}]  # fmt: skip
    request = read(
        temperature=0.5, top_k=3, top_p=0.9, system=blocks, stream=True, stop_sequences=["x"],
        metadata={"user_id": "u1"}, tools=[], tool_choice={"type": "none"},
        thinking={"type": "disabled"}, service_tier="auto", **turn(content=blocks),
    )  # fmt: skip
    assert request.sampling == Sampling(0.5, 3, 0.9)
    assert request.texts == ("ab", "ab")
    assert (request.limit, request.tops, request.identity) == (9, None, "u1")
    assert (request.stream, request.stop_sequences) == (True, ["x"])
    plain = read()
    assert plain.sampling.neutral
    assert (plain.texts, plain.identity, plain.stream) == (("Hi",), None, False)


@pytest.mark.parametrize("name", ["temperature", "top_p", "top_k"])
def test_the_newer_edition_has_no_sampler_settings(name: str) -> None:
    """Not even at their defaults (API version 2026-10-21)."""
    with pytest.raises(RejectedError, match=f"^{name}: Extra inputs are not permitted"):
        read(EDITIONS[1], **{name: 1})
    assert read(EDITIONS[1]).sampling.neutral


def test_editions_are_asked_for_only_where_required() -> None:
    """A wrong one is always refused, a missing one where keys are asked for."""
    assert edition_of(None, required=False) == "2023-06-01"
    assert edition_of("2026-10-21", required=True) == "2026-10-21"
    for header, required in ((None, True), ("1999-01-01", False)):
        with pytest.raises(RejectedError, match="anthropic-version: "):
            edition_of(header, required=required)


def _events(body: bytes) -> list[dict[str, Any]]:
    blocks = body.decode().split("\n\n")
    assert blocks.pop() == ""
    return [json.loads(block.split("\ndata: ")[1]) for block in blocks]


@pytest.mark.parametrize("prompt", [{}, BABBLE, {**BABBLE, "temperature": 0}])
@pytest.mark.parametrize("faults", [[], [CORRUPT]])
async def test_both_protocols_say_the_same(
    serve_fleet: Serve, prompt: dict[str, Any], faults: list[Any]
) -> None:
    """One request name is one draw: text, token counts and end agree, streamed or not."""
    client = await serve_fleet(faults=faults)
    chat = json.loads((await client.post("r", **prompt))[2])
    whole = json.loads((await client.message("r", **prompt))[2])
    events = _events((await client.message("r", **prompt, stream=True))[2])
    text = chat["choices"][0]["message"]["content"]
    assert [block["text"] for block in whole["content"]] == [text]
    streamed = [e["delta"]["text"] for e in events if e["type"] == "content_block_delta"]
    assert "".join(streamed) == text
    assert len(streamed) == chat["usage"]["completion_tokens"] == whole["usage"]["output_tokens"]
    assert whole["usage"]["input_tokens"] == chat["usage"]["prompt_tokens"]
    reasons = {"stop": "end_turn", "length": "max_tokens"}
    assert whole["stop_reason"] == reasons[chat["choices"][0]["finish_reason"]]
    start, end = events[0]["message"], events[-2]
    assert end["delta"] == {"stop_reason": whole["stop_reason"], "stop_sequence": None}
    assert end["usage"]["output_tokens"] == whole["usage"]["output_tokens"]
    assert (start["id"], start["model"], start["content"]) == (whole["id"], whole["model"], [])
    assert chat["id"].removeprefix("chatcmpl-") == whole["id"].removeprefix("msg_")


async def test_a_system_prompt_is_the_first_turn(serve_fleet: Serve) -> None:
    """As it is in the other protocol, tokens included."""
    client = await serve_fleet()
    turns = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Why?"}]
    chat = json.loads((await client.post("r", messages=turns, max_tokens=20))[2])
    said = await client.message("r", system="Be brief.", messages=turns[1:], max_tokens=20)
    whole = json.loads(said[2])
    assert whole["content"][0]["text"] == chat["choices"][0]["message"]["content"]
    assert whole["usage"]["input_tokens"] == chat["usage"]["prompt_tokens"]


@pytest.mark.parametrize(
    ("stops", "text", "stop"),
    [
        ([" fox"], "The quick brown", " fox"),
        (["row"], "The quick b", "row"),
        (["jumps", "quick", "quick brown"], "The ", "quick brown"),
        (["cat"], "The quick brown fox jumps over the lazy dog.", None),
        (["The"], "", "The"),
    ],
)
async def test_stop_sequences_end_the_answer(
    serve_fleet: Serve, stops: list[str], text: str, stop: str | None
) -> None:
    """Before the first one, wherever tokens begin; the longest of those that begin there."""
    client = await serve_fleet()
    whole = json.loads((await client.message("r", stop_sequences=stops))[2])
    events = _events((await client.message("r", stop_sequences=stops, stream=True))[2])
    streamed = "".join(e["delta"]["text"] for e in events if e["type"] == "content_block_delta")
    assert "".join(block["text"] for block in whole["content"]) == streamed == text
    assert whole["stop_sequence"] == events[-2]["delta"]["stop_sequence"] == stop
    assert whole["stop_reason"] == ("stop_sequence" if stop else "end_turn")
    assert ("content_block_start" in {e["type"] for e in events}) is bool(text)


@pytest.mark.parametrize(
    ("change", "status", "kind"),
    [
        ({"model": "gpt"}, 404, "not_found_error"),
        ({"place": "moon/default"}, 404, "not_found_error"),
        ({"max_tokens": ...}, 400, "invalid_request_error"),
        ({"system": "x" * 1_100_000}, 413, "request_too_large"),
    ],
)
async def test_errors_have_the_shape_of_the_protocol(
    serve_fleet: Serve, change: dict[str, Any], status: int, kind: str
) -> None:
    """An error object of the right type, with the request id of the header."""
    got, headers, body = await (await serve_fleet()).message("r", **change)
    said = json.loads(body)
    assert (got, said["type"], said["error"]["type"]) == (status, "error", kind)
    assert said["request_id"] == headers["request-id"]
    assert set(said["error"]) == {"type", "message"}


async def test_keys_are_asked_for_where_configured(serve_fleet: Serve) -> None:
    """As x-api-key or as a bearer token, the former first; and then the edition too."""
    client = await serve_fleet(settings=Settings(api_keys=("sk-right",)))
    edition = {"anthropic-version": "2023-06-01"}
    cases: list[tuple[dict[str, str], int]] = [
        ({}, 401),
        ({**edition, "x-api-key": "sk-wrong"}, 401),
        ({"x-api-key": "sk-right"}, 400),
        ({**edition, "x-api-key": "sk-right"}, 200),
        ({**edition, "Authorization": "Bearer sk-right"}, 200),
        ({**edition, "Authorization": "Bearer sk-right", "x-api-key": "sk-wrong"}, 401),
    ]
    for headers, status in cases:
        assert (await client.message("r", headers=headers))[0] == status


def test_every_target_has_an_address_in_both_protocols() -> None:
    """The SDK's base address ends in /v1 for OpenAI, and at the route for Anthropic."""
    fleet = demo_fleet()
    chat = fleet.endpoints("http://h:1")
    other = fleet.endpoints("http://h:1", provider="anthropic")
    assert [endpoint.url for endpoint in chat] == [f"{endpoint.url}/v1" for endpoint in other]
    assert other[0].url == "http://h:1/first-party/default"
    assert {endpoint.target.provider for endpoint in other} == {"anthropic"}
    assert [e.target.key for e in chat] == [e.target.key for e in other]
    with pytest.raises(UnknownNameError, match=r"'gemini'.*openai_chat, anthropic"):
        base_url("http://h:1", fleet.targets[0], "gemini")
