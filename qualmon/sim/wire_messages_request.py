"""Reading an Anthropic messages request, strictly: what is not understood is refused.

Source: Anthropic API reference, "Create a Message"; its errors name a field by its path with
dots (``messages.0.content``) and say what pydantic says.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import Field, ValidationError

from qualmon.sim.step import Sampling
from qualmon.sim.wire_request import MAX_TOKENS, RejectedError, Strict, read_object

#: The protocol's editions that are spoken; the newer one knows no sampler settings.
EDITIONS = ("2023-06-01", "2026-10-21")
_SAMPLER = ("temperature", "top_p", "top_k")

#: Settings that the simulator has no use for, with the values at which that is no loss.
_NEUTRAL: Mapping[str, tuple[Any, ...]] = {
    "tools": ([],),
    "tool_choice": ({"type": "none"}, {"type": "auto"}),
    "thinking": ({"type": "disabled"},),
    "cache_control": (None,),
    "service_tier": ("auto", "standard_only"),
}

_Text = Annotated[str, Field(min_length=1)]


class _CacheControl(Strict):
    type: Literal["ephemeral"]
    ttl: Literal["5m", "1h"] | None = None


class _Block(Strict):
    type: Literal["text"]
    text: _Text
    cache_control: _CacheControl | None = None


def _text(content: str | list[_Block]) -> str:
    return content if isinstance(content, str) else "".join(block.text for block in content)


class _Turn(Strict):
    role: Literal["user", "assistant"]
    content: _Text | Annotated[list[_Block], Field(min_length=1)]


class _Metadata(Strict):
    user_id: Annotated[str, Field(max_length=256)] | None = None


class MessagesRequest(Strict):
    """A messages request whose every field has been checked."""

    model: _Text
    max_tokens: Annotated[int, Field(ge=1, le=MAX_TOKENS)]
    messages: Annotated[list[_Turn], Field(min_length=1)]
    system: str | list[_Block] = ""
    temperature: Annotated[float, Field(ge=0, le=1)] = 1.0
    top_p: Annotated[float, Field(ge=0, le=1)] = 1.0
    top_k: Annotated[int, Field(ge=0)] = 0
    stop_sequences: list[_Text] = Field(default_factory=list)
    metadata: _Metadata | None = None
    stream: bool = False

    @property
    def sampling(self) -> Sampling:
        """Sampler settings, neutral where nothing was asked."""
        return Sampling(self.temperature, self.top_k, self.top_p)

    @property
    def limit(self) -> int:
        """Most tokens to answer with."""
        return self.max_tokens

    @property
    def tops(self) -> None:
        """None: the protocol has no log-probabilities."""
        return

    @property
    def identity(self) -> str | None:
        """Whom the request is sent for, where it says so."""
        return self.metadata.user_id if self.metadata else None

    @property
    def texts(self) -> tuple[str, ...]:
        """The text of the system prompt, if any, and of every turn, in order."""
        turns = tuple(_text(turn.content) for turn in self.messages)
        return (_text(self.system), *turns) if self.system else turns


def read_messages(body: bytes, edition: str = EDITIONS[0]) -> MessagesRequest:
    """The request in `body`. Raises RejectedError, status 400, naming the field at fault."""
    values = read_object(body)
    if edition != EDITIONS[0]:
        for name in [name for name in _SAMPLER if name in values]:
            raise RejectedError(400, f"{name}: Extra inputs are not permitted", name)
    for name in [name for name in _NEUTRAL if name in values]:
        if values.pop(name) not in _NEUTRAL[name]:
            raise RejectedError(400, f"{name}: Not supported here.", name)
    try:
        request = MessagesRequest.model_validate(values)
    except ValidationError as error:
        raise _rejection(error) from error
    if request.messages[0].role != "user":
        raise RejectedError(400, 'messages: first message must use the "user" role', "messages")
    return request


def edition_of(header: str | None, *, required: bool) -> str:
    """The edition that a request asks for; the first one where none is asked for or required.

    Raises RejectedError, status 400, for a missing or unknown one.
    """
    if header is None and not required:
        return EDITIONS[0]
    if header not in EDITIONS:
        said = "header is required" if header is None else f'"{header}" is not a valid version'
        raise RejectedError(400, f"anthropic-version: {said}", "anthropic-version")
    return header


def _rejection(error: ValidationError) -> RejectedError:
    first = error.errors(include_url=False, include_input=False)[0]
    path = ".".join(str(part) for part in first["loc"] if not _is_branch(part))
    return RejectedError(400, f"{path}: {first['msg']}", path)


def _is_branch(part: int | str) -> bool:
    """Whether a part of a location is the name of a union's branch."""
    return isinstance(part, str) and (
        part in ("str", "constrained-str") or part.startswith("list[")
    )
