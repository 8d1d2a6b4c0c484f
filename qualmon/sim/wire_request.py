"""Reading a chat-completions request, strictly: what is not understood is refused.

Source: OpenAI API reference, "Create chat completion"; `top_k` as inference servers add it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

import orjson
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from qualmon.sim.step import Sampling

#: Longest answer that may be asked for, in tokens; and the length when none is asked for.
MAX_TOKENS = 4096
DEFAULT_TOKENS = 256

#: Settings that the simulator has no use for, with the one value at which that is no loss.
_NEUTRAL: Mapping[str, Any] = {
    "n": 1,
    "frequency_penalty": 0,
    "presence_penalty": 0,
    "repetition_penalty": 1,
    "min_p": 0,
    "logit_bias": {},
    "response_format": {"type": "text"},
    "tools": [],
    "tool_choice": "none",
    "store": False,
    "seed": None,
    "stop": None,
}


class RejectedError(Exception):
    """A request that the wire refuses. Becomes an error object in the shape of its wire."""

    def __init__(
        self, status: int, message: str, param: str | None = None, code: str | None = None
    ) -> None:
        super().__init__(message)
        self.status = status
        self._error = {
            "message": message,
            "type": "invalid_request_error",
            "param": param,
            "code": code,
        }

    def body(self) -> bytes:
        """The error object in OpenAI's shape."""
        return orjson.dumps({"error": self._error})


class Strict(BaseModel):
    """A model that takes nothing for something else, and nothing that it does not know."""

    model_config = ConfigDict(strict=True, extra="forbid", allow_inf_nan=False)


class _TextPart(Strict):
    type: Literal["text"]
    text: str


class _Turn(Strict):
    role: Literal["system", "developer", "user", "assistant", "tool"]
    content: str | list[_TextPart]
    name: str | None = None
    tool_call_id: str | None = None

    def text(self) -> str:
        if isinstance(self.content, str):
            return self.content
        return "".join(part.text for part in self.content)


class _StreamOptions(Strict):
    include_usage: bool | None = None
    include_obfuscation: bool | None = None


_Tokens = Annotated[int, Field(ge=1, le=MAX_TOKENS)]


class ChatRequest(Strict):
    """A chat-completions request whose every field has been checked."""

    model: str
    messages: Annotated[list[_Turn], Field(min_length=1)]
    temperature: Annotated[float, Field(ge=0, le=2)] | None = None
    top_p: Annotated[float, Field(gt=0, le=1)] | None = None
    top_k: Annotated[int, Field(ge=-1)] | None = None
    max_tokens: _Tokens | None = None
    max_completion_tokens: _Tokens | None = None
    logprobs: bool | None = None
    top_logprobs: Annotated[int, Field(ge=0, le=20)] | None = None
    stream: bool | None = None
    stream_options: _StreamOptions | None = None
    user: str | None = None
    safety_identifier: str | None = None
    prompt_cache_key: str | None = None
    metadata: dict[str, str] | None = None
    service_tier: Literal["auto", "default"] | None = None

    @property
    def sampling(self) -> Sampling:
        """Sampler settings, neutral where nothing was asked."""
        return Sampling(
            1.0 if self.temperature is None else self.temperature,
            max(self.top_k or 0, 0),
            1.0 if self.top_p is None else self.top_p,
        )

    @property
    def limit(self) -> int:
        """Most tokens to answer with."""
        asked = [n for n in (self.max_tokens, self.max_completion_tokens) if n is not None]
        return min(asked, default=DEFAULT_TOKENS)

    @property
    def tops(self) -> int | None:
        """Alternatives to list per token; None when no log-probabilities are wanted."""
        return (self.top_logprobs or 0) if self.logprobs else None

    @property
    def include_usage(self) -> bool:
        """Whether a stream ends with a usage chunk."""
        return bool(self.stream_options and self.stream_options.include_usage)

    @property
    def identity(self) -> str | None:
        """Whom the request is sent for, where it says so."""
        return self.user or self.safety_identifier

    @property
    def texts(self) -> tuple[str, ...]:
        """The text of every turn, in order."""
        return tuple(turn.text() for turn in self.messages)


def read_object(body: bytes) -> dict[str, Any]:
    """The JSON object in `body`. Raises RejectedError, status 400, where there is none."""
    try:
        values = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise RejectedError(400, f"The body is not valid JSON: {error}.") from error
    if not isinstance(values, dict):
        raise RejectedError(400, "The body must be a JSON object.")
    return values


def read_request(body: bytes) -> ChatRequest:
    """The request in `body`. Raises RejectedError, status 400, naming the parameter at fault."""
    values = read_object(body)
    for name in [name for name in _NEUTRAL if name in values]:
        _require_neutral(name, values.pop(name))
    try:
        request = ChatRequest.model_validate(values)
    except ValidationError as error:
        raise _rejection(error) from error
    _check_together(request)
    return request


def _require_neutral(name: str, value: object) -> None:
    neutral = _NEUTRAL[name]
    same = value == neutral and isinstance(value, bool) == isinstance(neutral, bool)
    if value is not None and not same:
        wanted = "null" if neutral is None else orjson.dumps(neutral).decode()
        raise RejectedError(
            400, f"Unsupported value: '{name}' must be {wanted} here.", name, "unsupported_value"
        )


def _check_together(request: ChatRequest) -> None:
    if request.top_logprobs is not None and not request.logprobs:
        raise RejectedError(400, "'top_logprobs' needs 'logprobs' to be true.", "top_logprobs")
    if request.stream_options is not None and not request.stream:
        raise RejectedError(400, "'stream_options' needs 'stream' to be true.", "stream_options")


def _rejection(error: ValidationError) -> RejectedError:
    first = error.errors(include_url=False, include_input=False)[0]
    param = _param(first["loc"])
    if first["type"] == "missing":
        message, code = f"Missing required parameter: '{param}'.", "missing_required_parameter"
    elif first["type"] == "extra_forbidden":
        message, code = f"Unknown parameter: '{param}'.", "unknown_parameter"
    else:
        message, code = f"Invalid value for '{param}': {first['msg']}.", "invalid_value"
    return RejectedError(400, message, param, code)


def _param(location: tuple[int | str, ...]) -> str:
    """``messages[0].content``; the names of a union's branches are left out."""
    path = ""
    for part in location:
        if isinstance(part, int):
            path += f"[{part}]"
        elif part != "str" and not part.startswith("list["):
            path += f".{part}" if path else part
    return path
