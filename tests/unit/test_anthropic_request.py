"""What the Anthropic provider sends is what the wire takes, and nothing else."""

from dataclasses import replace
from typing import Any

import pytest

from qualmon.providers.anthropic import request_body
from qualmon.types import Endpoint, Message, Request, Target

ENDPOINT = Endpoint(Target("m", "p", "r", "anthropic"), "https://models.example", stream=False)
REQUEST = Request((Message("user", "hi"),), {}, "id-1")


def sent(**params: Any) -> dict[str, Any]:
    """The body for these parameters, less what every body has."""
    body = request_body(ENDPOINT, replace(REQUEST, params=params))
    return {key: body[key] for key in body if key not in ("model", "messages")}


def test_the_smallest_body() -> None:
    """The wire asks for a length; everything else is left to the server."""
    assert request_body(ENDPOINT, REQUEST) == {
        "model": "m", "max_tokens": 1024, "messages": [{"role": "user", "content": "hi"}],
    }  # fmt: skip


def test_all_that_the_wire_has() -> None:
    """System turns are lifted out, identities travel as metadata, extra_body comes last."""
    turns = (
        Message("system", "Be brief."), Message("user", "hi"), Message("assistant", "yes?"),
        Message("system", "Be kind."), Message("user", "go"),
    )  # fmt: skip
    params = {"temperature": 0, "top_p": 0.5, "top_k": 5, "max_tokens": 9, "stop": ["\n"]}
    extra = {"top_k": None, "thinking": {"type": "disabled"}}
    endpoint = replace(ENDPOINT, api_model="claude", stream=True, extra_body=extra)
    body = request_body(endpoint, Request(turns, params, "id-1", "canary-1"))
    assert body == {
        "model": "claude", "max_tokens": 9, "system": "Be brief.\n\nBe kind.",
        "messages": [
            {"role": "user", "content": "hi"}, {"role": "assistant", "content": "yes?"},
            {"role": "user", "content": "go"},
        ],
        "temperature": 0, "top_p": 0.5, "stop_sequences": ["\n"],
        "metadata": {"user_id": "canary-1"}, "stream": True, "thinking": {"type": "disabled"},
    }  # fmt: skip


@pytest.mark.parametrize(
    "name",
    ["logprobs", "top_logprobs", "frequency_penalty", "presence_penalty", "seed", "min_p",
     "neutral", "response_format"],
)  # fmt: skip
def test_what_the_wire_does_not_know_is_not_sent(name: str) -> None:
    """A strict server would refuse the whole request."""
    assert sent(**{name: 1}) == {"max_tokens": 1024}


@pytest.mark.parametrize(("stated", "stops"), [("x", ["x"]), (["x", "y"], ["x", "y"])])
def test_stop_texts(stated: Any, stops: list[str]) -> None:
    """One text or several become a list."""
    assert sent(stop=stated)["stop_sequences"] == stops
