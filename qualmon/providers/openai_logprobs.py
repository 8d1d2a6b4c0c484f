"""Token log-probabilities as OpenAI's chat wire lists them; pure.

Source: https://platform.openai.com/docs/api-reference/chat/object (choices[].logprobs).
"""

from __future__ import annotations

import math
from typing import Any

from qualmon.types import Capability, TokenLogprob, TopToken

# vLLM clamps -inf to -9999 and OpenAI documents that value as "very unlikely".
_UNLIKELY = -9999.0
_ID_PREFIX = "token_id:"


class LogprobsError(ValueError):
    """Log-probabilities of the wrong shape: the feature is unusable, the answer is not."""


class LogprobsCollector:
    """Gathers the log-probabilities of one answer, whole or in pieces."""

    def __init__(self, *, asked: bool) -> None:
        self._asked = asked
        self._tokens: list[TokenLogprob] = []
        self._seen_key = self._malformed = False

    def add(self, choice: dict[str, Any]) -> None:
        """Takes what a choice, or a chunk of one, says under ``logprobs``."""
        if not self._asked or "logprobs" not in choice:
            return
        self._seen_key = True
        value = choice["logprobs"]
        if value is None or self._malformed:
            return
        try:
            self._tokens += _tokens(value)
        except LogprobsError:
            self._malformed = True

    def result(self) -> tuple[tuple[TokenLogprob, ...] | None, Capability]:
        """The tokens, None without any, and the state of the feature."""
        if not self._asked:
            return None, "not_asked"
        if self._malformed:
            return None, "malformed"
        if self._tokens:
            return tuple(self._tokens), "present"
        return None, "null" if self._seen_key else "absent_ignored"


def _tokens(value: Any) -> list[TokenLogprob]:
    if not isinstance(value, dict):
        raise LogprobsError
    content = value.get("content")
    if content is None and "tokens" not in value:
        return []
    return [_token(entry) for entry in _list(content)]


def _list(value: Any) -> list[Any]:
    if not isinstance(value, list):
        raise LogprobsError
    return value


def _token(entry: Any) -> TokenLogprob:
    token, logprob, raw, number = _fields(entry)
    listed = entry.get("top_logprobs")
    top = () if listed is None else tuple([TopToken(*_fields(item)) for item in _list(listed)])
    return TokenLogprob(token, logprob, raw, number, top)


def _fields(entry: Any) -> tuple[str, float, bytes | None, int | None]:
    # A request of 80 tokens comes here 480 times: exact types first, oddities in helpers.
    if type(entry) is not dict:
        raise LogprobsError
    token = entry.get("token")
    if type(token) is not str:
        raise LogprobsError
    value = entry.get("logprob")
    logprob = value if type(value) is float and value > _UNLIKELY else _nats(value)
    number = entry.get("id")
    if number is not None or token.startswith(_ID_PREFIX):
        number = _id(number, token)
    return token, logprob, _bytes(entry.get("bytes")), number


def _nats(value: Any) -> float:
    """null, -9999 and below all mean: too unlikely to have a number."""
    if value is None or value in ("-inf", "-Infinity"):
        return -math.inf
    if type(value) not in (int, float):
        raise LogprobsError
    if value <= _UNLIKELY:
        return -math.inf
    return float(value) if value < 1e300 else math.inf


def _bytes(value: Any) -> bytes | None:
    if type(value) is not list:
        return None
    try:
        return bytes(value)
    except (TypeError, ValueError):
        return None


def _id(value: Any, token: str) -> int | None:
    """llama.cpp's ``id``; vLLM writes the id in place of the text when asked to."""
    digits = token.removeprefix(_ID_PREFIX)
    if value is None and digits.isascii() and digits.isdecimal():
        return int(digits[:18])
    return value if type(value) is int and value >= 0 else None
