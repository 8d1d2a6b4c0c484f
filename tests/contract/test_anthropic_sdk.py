"""The official Anthropic SDK agrees on both ends of the wire: what is sent, and what it means."""

import json
from dataclasses import replace
from typing import Any

import anthropic
import pytest
from anthropic.types import Message as SDKMessage
from anthropic.types import RawMessageStreamEvent
from anthropic.types.shared import ErrorResponse
from pydantic import TypeAdapter

from qualmon.providers.anthropic import Anthropic
from qualmon.providers.anthropic_decode import ERROR_KINDS, FINISH_REASONS, decode
from qualmon.testing.hostile import HostileServer, Script, reply, stream
from qualmon.testing.providers import ANSWER, AnthropicWire
from qualmon.types import Completion, Endpoint, Message, Request, Secret, Target

WIRE = AnthropicWire()
FUNCTION = {"name": "weather", "arguments": '{"place": "日本", "days": 2}'}
CALLED = replace(
    ANSWER,
    finish_reason="tool_calls",
    tool_calls=({"id": "toolu_1", "type": "function", "function": FUNCTION},),
)
ASKED: dict[str, Any] = {
    "model": "m", "max_tokens": 16, "system": "Be brief.", "stop_sequences": ["END"],
    "messages": [{"role": "user", "content": "hi"}], "metadata": {"user_id": "canary-1"},
}  # fmt: skip


def sdk(server: HostileServer) -> anthropic.AsyncAnthropic:
    return anthropic.AsyncAnthropic(base_url=server.root, api_key="sk-any", max_retries=0)


def unstrict(document: Any) -> list[str]:
    """Fields that the SDK's types do not know."""
    found = TypeAdapter(SDKMessage).validate_python(document, strict=True)
    parts = [found, found.usage, *found.content]
    return [name for part in parts for name in part.model_extra or ()]


@pytest.mark.parametrize("answer", [ANSWER, CALLED])
def test_the_contract_plays_lawful_messages(answer: Completion) -> None:
    """What the contract's wire writes validates strictly against the SDK's types."""
    assert unstrict(json.loads(WIRE.body(answer))) == []
    adapter: TypeAdapter[Any] = TypeAdapter(RawMessageStreamEvent)
    for raw in WIRE.events(answer):
        name, data = raw.decode().strip().split("\n")
        document = json.loads(data.removeprefix("data: "))
        assert name == f"event: {document['type']}"
        if document["type"] != "ping":
            assert not adapter.validate_python(document, strict=True).model_extra
    TypeAdapter(ErrorResponse).validate_json(WIRE.error("x"), strict=True)


@pytest.mark.parametrize("answer", [ANSWER, CALLED])
async def test_a_stream_means_the_same_to_the_sdk(answer: Completion) -> None:
    """Text, calls, usage, stop reason and ids of a stream are those that the SDK gathers."""
    events = WIRE.events(answer)
    async with (
        HostileServer(stream(events)) as server,
        sdk(server) as client,
        client.messages.stream(**ASKED) as streaming,
    ):
        theirs = await streaming.get_final_message()
    ours = decode(b"".join(events), stream=True)
    assert isinstance(ours, Completion)
    texts = [block.text for block in theirs.content if block.type == "text"]
    uses = [block for block in theirs.content if block.type == "tool_use"]
    assert ours.text == "".join(texts) == answer.text
    assert [call["id"] for call in ours.tool_calls] == [use.id for use in uses]
    arguments = [json.loads(call["function"]["arguments"]) for call in ours.tool_calls]
    assert arguments == [use.input for use in uses]
    assert ours.headers["stop_reason"] == theirs.stop_reason
    assert (ours.response_id, ours.response_model) == (theirs.id, theirs.model)
    usage = theirs.usage
    assert ours.usage.prompt_tokens == usage.input_tokens + (usage.cache_read_input_tokens or 0)
    assert ours.usage.output_tokens == usage.output_tokens
    assert ours.usage.cached_tokens == usage.cache_read_input_tokens


def script(streamed: bool) -> Script:
    return stream(WIRE.events(ANSWER)) if streamed else reply(WIRE.body(ANSWER))


@pytest.mark.parametrize("streamed", [False, True])
async def test_the_request_is_the_one_that_the_sdk_sends(streamed: bool) -> None:
    """Same method, path and body; the SDK's own fields apart, the same headers."""
    async with HostileServer(script(streamed)) as server:
        target = Target("m", "p", "r", "anthropic")
        key = Secret("sk-ant-0123456789")
        provider = Anthropic(Endpoint(target, server.root + "/", api_key=key, stream=streamed))
        turns = (Message("system", "Be brief."), Message("user", "hi"))
        params = {"max_tokens": 16, "stop": "END", "logprobs": True}
        result = await provider.complete(Request(turns, params, "id-1", "canary-1"))
        await provider.aclose()
        async with sdk(server) as client:
            await client.messages.create(**ASKED, stream=streamed)
    assert isinstance(result, Completion)
    ours, theirs = server.received
    assert (ours.method, ours.path) == (theirs.method, theirs.path) == ("POST", "/v1/messages")
    # The SDK states the default `stream: false`, too.
    assert {"stream": False} | json.loads(ours.body) == json.loads(theirs.body)
    assert ours.headers["content-type"] == theirs.headers["content-type"]
    assert ours.headers["x-api-key"] == "sk-ant-0123456789"
    assert ours.headers["anthropic-version"] == "2023-06-01"
    assert ours.headers["x-client-request-id"] == "id-1"
    assert "authorization" not in ours.headers


async def test_headers_may_be_replaced() -> None:
    """A newer version of the wire and another way to show the key are the operator's to choose."""
    headers = {"extra_headers": {"Anthropic-Version": "2026-10-21"}}
    secret = {"secret_headers": {"Authorization": Secret("Bearer sk-ant-0123456789")}}
    async with HostileServer(script(False)) as server:
        target = Target("m", "p", "r", "anthropic")
        provider = Anthropic(Endpoint(target, server.root, stream=False, **headers, **secret))
        await provider.complete(Request((Message("user", "hi"),), {}, "id-1"))
        await provider.aclose()
    sent = server.received[0].headers
    assert sent["anthropic-version"] == "2026-10-21"
    assert sent["authorization"] == "Bearer sk-ant-0123456789"
    assert "x-api-key" not in sent


def test_every_reason_and_error_of_the_sdk_has_its_place() -> None:
    """The lists are whole: what the SDK's types name is mapped, or kept on purpose."""
    reasons = set(anthropic.types.StopReason.__args__)
    assert reasons - FINISH_REASONS.keys() == {"pause_turn"}
    errors = {name for name in anthropic.types.shared.ErrorType.__args__ if "memory" not in name}
    assert errors <= ERROR_KINDS.keys()
