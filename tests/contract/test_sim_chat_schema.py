"""Chat answers and stream chunks hold every field of OpenAI's reference and no other."""

import copy
import json
from collections.abc import AsyncIterator
from functools import reduce
from typing import Any

import aiohttp
import pytest
from chat_schema import CHUNK, COMPLETION
from jsonschema import Draft202012Validator, ValidationError

from qualmon.sim.language import Language
from qualmon.sim.serving import Running, start

FAULTS = [
    {"id": "c", "kind": "corruption", "node": "fleet", "rate": 0.3},
    {"id": "t", "kind": "topk-drop", "node": "fleet", "rate": 0.05, "share": 1},
    {"id": "m", "kind": "misroute", "node": "fleet", "share": 1},
]
LOGPROBS = {"logprobs": True, "top_logprobs": 5}


@pytest.fixture
async def running() -> AsyncIterator[Running]:
    """A fleet that knows a text and a choice."""
    language = Language(["one two three four five six seven eight nine ten. " * 3])
    answers = {"Count.": "One two three.", "Toss.": {"heads": 0.5, "tails": 0.4}}
    served = await start(answers, language=language)
    yield served
    await served.aclose()


async def asked(running: Running, **body: Any) -> str:
    """The body of one answer."""
    url = f"{running.origin}/aws/batch/v1/chat/completions"
    body = {"model": "m-small", **body}
    async with aiohttp.ClientSession() as session, session.post(url, json=body) as response:
        return await response.text()


def chunks(body: str) -> list[Any]:
    """The stream's JSON objects."""
    *events, done, end = body.split("\n\n")
    assert (done, end) == ("data: [DONE]", "")
    return [json.loads(event.removeprefix("data: ")) for event in events]


@pytest.mark.parametrize("faults", [[], FAULTS], ids=["healthy", "faulty"])
@pytest.mark.parametrize("wanted", [{}, LOGPROBS], ids=["text", "logprobs"])
@pytest.mark.parametrize("prompt", ["Count.", "Toss.", "Why?"])
async def test_answers_are_of_the_schema(
    running: Running, prompt: str, wanted: dict[str, Any], faults: list[Any]
) -> None:
    """Known, chosen and babbled answers, with and without log-probabilities, sick or not."""
    running.fleet.plant(faults)
    body = {"messages": [{"role": "user", "content": prompt}], "max_tokens": 30, **wanted}
    Draft202012Validator(COMPLETION).validate(json.loads(await asked(running, **body)))
    for options in ({}, {"stream_options": {"include_usage": True}}):
        found = chunks(await asked(running, **body, stream=True, **options))
        assert len(found) > 2
        for chunk in found:
            Draft202012Validator(CHUNK).validate(chunk)


async def test_the_schema_is_strict(running: Running) -> None:
    """A field more, or one less, is refused wherever it stands."""
    messages = [{"role": "user", "content": "Count."}]
    good = json.loads(await asked(running, messages=messages, **LOGPROBS))
    Draft202012Validator.check_schema(COMPLETION)
    for path, first in (
        ((), "id"),
        (("choices", 0), "index"),
        (("choices", 0, "message"), "role"),
        (("choices", 0, "logprobs", "content", 0), "token"),
        (("usage",), "prompt_tokens"),
    ):
        for spoil in (lambda part: part.update(more=1), lambda part, name=first: part.pop(name)):
            bad = copy.deepcopy(good)
            spoil(reduce(lambda part, step: part[step], path, bad))
            with pytest.raises(ValidationError):
                Draft202012Validator(COMPLETION).validate(bad)
