"""Requests are read strictly: each mistake is refused with the parameter at fault."""

import json
import math
from typing import Any

import pytest

from qualmon.sim.step import Sampling
from qualmon.sim.wire_request import DEFAULT_TOKENS, MAX_TOKENS, RejectedError, read_request

GOOD: dict[str, Any] = {"model": "m", "messages": [{"role": "user", "content": "Hi"}]}


def _read(**change: Any) -> Any:
    return read_request(json.dumps({**GOOD, **change}).encode())


def _turn(**change: Any) -> dict[str, Any]:
    return {"messages": [{"role": "user", "content": "Hi", **change}]}


@pytest.mark.parametrize(
    ("change", "param", "code"),
    [
        ({"model": 7}, "model", "invalid_value"),
        ({"messages": []}, "messages", "invalid_value"),
        ({"messages": "Hi"}, "messages", "invalid_value"),
        ({"messages": ["Hi"]}, "messages[0]", "invalid_value"),
        (_turn(role="robot"), "messages[0].role", "invalid_value"),
        (_turn(content=None), "messages[0].content", "invalid_value"),
        (_turn(content=[{"type": "image_url"}]), "messages[0].content", "invalid_value"),
        (_turn(colour="red"), "messages[0].colour", "unknown_parameter"),
        ({"temperature": "1"}, "temperature", "invalid_value"),
        ({"temperature": True}, "temperature", "invalid_value"),
        ({"temperature": -0.1}, "temperature", "invalid_value"),
        ({"temperature": 2.1}, "temperature", "invalid_value"),
        ({"top_p": 0}, "top_p", "invalid_value"),
        ({"top_p": 1.1}, "top_p", "invalid_value"),
        ({"top_k": 1.5}, "top_k", "invalid_value"),
        ({"top_k": -2}, "top_k", "invalid_value"),
        ({"max_tokens": 0}, "max_tokens", "invalid_value"),
        ({"max_tokens": 1.0}, "max_tokens", "invalid_value"),
        ({"max_completion_tokens": MAX_TOKENS + 1}, "max_completion_tokens", "invalid_value"),
        ({"logprobs": 5}, "logprobs", "invalid_value"),
        ({"logprobs": True, "top_logprobs": 21}, "top_logprobs", "invalid_value"),
        ({"logprobs": True, "top_logprobs": -1}, "top_logprobs", "invalid_value"),
        ({"top_logprobs": 5}, "top_logprobs", None),
        ({"stream": "yes"}, "stream", "invalid_value"),
        ({"stream_options": {"include_usage": True}}, "stream_options", None),
        ({"n": 2}, "n", "unsupported_value"),
        ({"n": True}, "n", "unsupported_value"),
        ({"seed": 1}, "seed", "unsupported_value"),
        ({"stop": "\n"}, "stop", "unsupported_value"),
        ({"frequency_penalty": 0.5}, "frequency_penalty", "unsupported_value"),
        ({"repetition_penalty": 1.1}, "repetition_penalty", "unsupported_value"),
        ({"tools": [{"type": "function"}]}, "tools", "unsupported_value"),
        ({"best_of": 2}, "best_of", "unknown_parameter"),
    ],
)
def test_a_wrong_parameter_is_named(change: dict[str, Any], param: str, code: str | None) -> None:
    """Status 400 and an error object that names the parameter."""
    with pytest.raises(RejectedError) as caught:
        _read(**change)
    error = json.loads(caught.value.body())["error"]
    assert caught.value.status == 400
    assert error["type"] == "invalid_request_error"
    assert (error["param"], error["code"]) == (param, code)
    assert param in error["message"]


@pytest.mark.parametrize("name", ["model", "messages"])
def test_a_missing_parameter_is_named(name: str) -> None:
    """What is required is required."""
    body = {key: value for key, value in GOOD.items() if key != name}
    with pytest.raises(RejectedError, match=f"Missing required parameter: '{name}'"):
        read_request(json.dumps(body).encode())


@pytest.mark.parametrize(
    "body",
    [b"", b"{", b"[]", b"7", b"null", b"\xff", b'{"model": NaN}', b'"\\ud800"', b"[" * 100_000],
)
def test_a_body_that_is_no_json_object_is_refused(body: bytes) -> None:
    """Also when it is no JSON at all, or nested without end."""
    with pytest.raises(RejectedError, match="body"):
        read_request(body)


def test_nulls_and_neutral_values_are_lawful() -> None:
    """Clients send explicit neutral settings; T=0 is the argmax."""
    request = _read(
        temperature=None, n=1, frequency_penalty=0.0, presence_penalty=0, repetition_penalty=1.0,
        min_p=0.0, logit_bias={}, seed=None, stop=None, tools=None, top_k=-1, top_p=1,
        user="u1", metadata={"a": "b"}, response_format={"type": "text"},
    )  # fmt: skip
    assert request.sampling == Sampling()
    assert request.sampling.neutral
    assert (request.tops, request.limit, request.include_usage) == (None, DEFAULT_TOKENS, False)


def test_settings_arrive() -> None:
    """Every setting that is understood has its effect."""
    request = _read(
        temperature=0.5, top_k=3, top_p=0.9, max_tokens=9, max_completion_tokens=8, logprobs=True,
        top_logprobs=4, stream=True, stream_options={"include_usage": True},
    )  # fmt: skip
    assert request.sampling == Sampling(0.5, 3, 0.9)
    assert (request.limit, request.tops, request.include_usage) == (8, 4, True)
    assert _read(logprobs=True).tops == 0
    assert math.isclose(_read(temperature=1).sampling.temperature, 1.0)


def test_text_parts_are_joined() -> None:
    """Content may come in parts."""
    parts = [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]
    assert _read(**_turn(content=parts)).texts == ("ab",)
