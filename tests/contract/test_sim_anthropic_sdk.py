"""The official Anthropic SDK reads what the simulator writes, and its types validate it."""

import json
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import anthropic
import pytest
from anthropic.types import Message, RawMessageStreamEvent
from anthropic.types.shared import ErrorResponse
from pydantic import TypeAdapter

from qualmon.sim.backend import Settings
from qualmon.sim.language import Language
from qualmon.sim.serving import Running, start

TEXT = "One two three four five."
ASKED: dict[str, Any] = {
    "model": "m-small",
    "max_tokens": 50,
    "messages": [{"role": "user", "content": "Count."}],
}
#: The real API's sequence for an answer of six tokens.
SEQUENCE = [
    "message_start", "content_block_start", "ping", *["content_block_delta"] * 6,
    "content_block_stop", "message_delta", "message_stop",
]  # fmt: skip


@pytest.fixture
async def running() -> AsyncIterator[Running]:
    """A fleet that knows one prompt and lets one key in."""
    language = Language(["one two three four five six seven eight nine ten. " * 3])
    settings = Settings(api_keys=("sk-right",))
    served = await start({"Count.": TEXT}, language=language, settings=settings)
    yield served
    await served.aclose()


@pytest.fixture
async def client(running: Running) -> AsyncIterator[anthropic.AsyncAnthropic]:
    """The official asynchronous client of one place in the fleet."""
    url = f"{running.origin}/aws/batch"
    async with anthropic.AsyncAnthropic(base_url=url, api_key="sk-right", max_retries=0) as made:
        yield made


async def raw(running: Running, **change: Any) -> bytes:
    """The bytes of one answer, as no SDK has touched them."""
    headers = {"x-api-key": "sk-right", "anthropic-version": "2023-06-01"}
    url = f"{running.origin}/aws/batch/v1/messages"
    async with (
        aiohttp.ClientSession(headers=headers) as session,
        session.post(url, json={**ASKED, **change}) as response,
    ):
        return await response.read()


async def test_a_whole_answer_validates(client: anthropic.AsyncAnthropic) -> None:
    """Strict validation, not the SDK's own lenient construction; no unknown fields."""
    answered = await client.messages.with_raw_response.create(**ASKED)
    found = TypeAdapter(Message).validate_json(await answered.http_response.aread(), strict=True)
    assert [block.text for block in found.content] == [TEXT]
    assert (found.model, found.role, found.stop_reason) == ("m-small", "assistant", "end_turn")
    assert (found.usage.input_tokens, found.usage.output_tokens) == (8, 6)
    assert found.usage.cache_read_input_tokens == found.usage.cache_creation_input_tokens == 0
    parts = (found, found.usage, found.usage.cache_creation, *found.content)
    assert not any(part.model_extra for part in parts)
    assert found.id.startswith("msg_")
    assert answered.request_id.startswith("req_")


async def test_a_stream_validates(running: Running) -> None:
    """Each event by itself, in the sequence of the real API, every data line naming its event."""
    blocks = (await raw(running, stream=True)).decode().split("\n\n")
    assert blocks.pop() == ""
    events = [tuple(line.split(": ", 1)[1] for line in block.split("\n")) for block in blocks]
    assert [name for name, _ in events] == SEQUENCE
    assert [json.loads(data)["type"] for _, data in events] == SEQUENCE
    adapter = TypeAdapter(RawMessageStreamEvent)
    for name, data in events:
        if name != "ping":
            assert not adapter.validate_json(data, strict=True).model_extra
    assert adapter.validate_json(events[0][1]).message.content == []
    end = adapter.validate_json(events[-2][1])
    assert (end.delta.stop_reason, end.usage.output_tokens) == ("end_turn", 6)


async def test_the_sdk_puts_the_stream_together(client: anthropic.AsyncAnthropic) -> None:
    """Its own helper sees the text come in and ends with the message of the other form."""
    async with client.messages.stream(**ASKED) as stream:
        pieces = [piece async for piece in stream.text_stream]
        found = await stream.get_final_message()
    assert "".join(pieces) == TEXT == found.content[0].text
    assert len(pieces) == found.usage.output_tokens == 6
    assert found.stop_reason == "end_turn"
    assert stream.request_id.startswith("req_")


async def test_the_sdk_raises_its_own_errors(client: anthropic.AsyncAnthropic) -> None:
    """Error objects carry what the SDK shows to people."""
    with pytest.raises(anthropic.NotFoundError, match="gpt") as missing:
        await client.messages.create(**{**ASKED, "model": "gpt"})
    assert missing.value.body["error"]["type"] == "not_found_error"
    with pytest.raises(anthropic.BadRequestError, match="temperature: Extra inputs") as wrong:
        await client.messages.create(**ASKED, extra_body={"temperature": 1.0})
    assert TypeAdapter(ErrorResponse).validate_python(wrong.value.body).request_id
    with pytest.raises(anthropic.AuthenticationError, match="x-api-key"):
        await client.with_options(api_key="sk-wrong").messages.create(**ASKED)


async def test_the_older_edition_takes_sampler_settings(client: anthropic.AsyncAnthropic) -> None:
    """What newer SDKs no longer offer is sent as they advise."""
    found = await client.messages.create(
        **ASKED,
        extra_body={"temperature": 0, "top_k": 1},
        extra_headers={"anthropic-version": "2023-06-01"},
    )
    assert found.content[0].text == TEXT


async def test_the_edition_of_the_protocol_is_asked_for(client: anthropic.AsyncAnthropic) -> None:
    """A header that is missing or unknown is refused, as the real API does."""
    for given in (anthropic.omit, "1999-01-01"):
        headers = {"anthropic-version": given}
        with pytest.raises(anthropic.BadRequestError, match="anthropic-version"):
            await client.messages.create(**ASKED, extra_headers=headers)
