"""The official OpenAI SDK reads what the simulator writes, and its types validate it."""

from collections.abc import AsyncIterator

import openai
import pytest
from openai.types import Model
from openai.types.chat import ChatCompletion, ChatCompletionChunk
from pydantic import TypeAdapter

from qualmon.sim.language import Language
from qualmon.sim.serving import Running, start

PROMPT = [{"role": "user", "content": "Count."}]
ASKED = {"model": "m-small", "messages": PROMPT, "logprobs": True, "top_logprobs": 5}


@pytest.fixture
async def running() -> AsyncIterator[Running]:
    """A fleet that knows one prompt."""
    language = Language(["one two three four five six seven eight nine ten. " * 3])
    served = await start({"Count.": "One two three four five."}, language=language)
    yield served
    await served.aclose()


@pytest.fixture
async def client(running: Running) -> AsyncIterator[openai.AsyncOpenAI]:
    """The official asynchronous client of one place in the fleet."""
    url = f"{running.origin}/aws/batch/v1"
    async with openai.AsyncOpenAI(base_url=url, api_key="sk-any", max_retries=0) as made:
        yield made


async def test_a_whole_answer_validates(client: openai.AsyncOpenAI) -> None:
    """Strict validation, not the SDK's own lenient construction; no unknown fields."""
    raw = await client.chat.completions.with_raw_response.create(**ASKED)
    answer = TypeAdapter(ChatCompletion).validate_json(raw.content)
    assert answer.choices[0].message.content == "One two three four five."
    assert len(answer.choices[0].logprobs.content) == answer.usage.completion_tokens
    assert not answer.model_extra
    assert not answer.choices[0].model_extra
    assert not answer.choices[0].logprobs.content[0].model_extra
    assert raw.request_id.startswith("req_")


async def test_a_stream_validates(client: openai.AsyncOpenAI) -> None:
    """Each chunk by itself, and the text they make."""
    options = {"include_usage": True}
    stream = await client.chat.completions.create(**ASKED, stream=True, stream_options=options)
    chunks = [TypeAdapter(ChatCompletionChunk).validate_python(c.to_dict()) async for c in stream]
    text = "".join(c.choices[0].delta.content or "" for c in chunks if c.choices)
    assert text == "One two three four five."
    assert chunks[-1].usage.completion_tokens == 6
    assert not any(chunk.model_extra for chunk in chunks)


async def test_models_validate(client: openai.AsyncOpenAI) -> None:
    """The list of models is one that the SDK can page through."""
    models = [model async for model in client.models.list()]
    assert [TypeAdapter(Model).validate_python(m.to_dict()).id for m in models] == [
        "m-large",
        "m-small",
    ]


async def test_the_sdk_raises_its_own_errors(client: openai.AsyncOpenAI) -> None:
    """Error objects carry what the SDK shows to people."""
    with pytest.raises(openai.NotFoundError, match="gpt") as missing:
        await client.chat.completions.create(model="gpt", messages=PROMPT)
    assert missing.value.code == "model_not_found"
    with pytest.raises(openai.BadRequestError) as wrong:
        await client.chat.completions.create(**{**ASKED, "temperature": 3})
    assert wrong.value.param == "temperature"
