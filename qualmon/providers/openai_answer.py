"""An answer of OpenAI's chat wire while it is put together, and the rules of its fields; pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from qualmon.providers.openai_logprobs import LogprobsCollector
from qualmon.providers.openai_tools import ToolCalls
from qualmon.providers.wire import WireError, count, joined, mapping, name, optional_text
from qualmon.types import Completion, Usage


@dataclass(slots=True)
class AnswerParts:
    """What is known of an answer so far; `headers` are the provenance kept with it."""

    logprobs: LogprobsCollector
    headers: Mapping[str, str]
    text: list[str] = field(default_factory=list)
    refusal: list[str] = field(default_factory=list)
    tools: ToolCalls = field(default_factory=ToolCalls)
    finish_reason: str | None = None
    usage: Usage = field(default_factory=Usage)
    model: str | None = None
    id: str | None = None
    fingerprint: str | None = None

    @property
    def started(self) -> bool:
        """Whether anything of the answer itself has come."""
        return bool(self.text or self.refusal or self.tools)

    def take_document(self, document: Mapping[str, Any]) -> None:
        """Takes provenance where it stands first, and the last usage."""
        self.model = self.model or name(document.get("model"))
        self.id = self.id or name(document.get("id"))
        self.fingerprint = self.fingerprint or name(document.get("system_fingerprint"))
        usage = document.get("usage")
        if isinstance(usage, dict):
            self.usage = _usage(usage)

    def take_choice(self, choice: dict[str, Any], message: Mapping[str, Any]) -> None:
        """Takes a choice, or a chunk of one, with its message or delta. Raises WireError."""
        if text := _content(message.get("content")):
            self.text.append(text)
        if refusal := optional_text(message.get("refusal"), "refusal"):
            self.refusal.append(refusal)
        if (calls := message.get("tool_calls")) is not None:
            self.tools.add(calls)
        self.logprobs.add(choice)
        reason = optional_text(choice.get("finish_reason"), "finish_reason")
        self.finish_reason = self.finish_reason or name(reason)

    def completion(self, seconds: float, ttft: float | None) -> Completion:
        """The answer, whole after `seconds`, its first token after `ttft`."""
        tokens, state = self.logprobs.result()
        return Completion(
            text=joined(self.text),
            finish_reason=self.finish_reason,
            logprobs=tokens,
            logprobs_state=state,
            usage=self.usage,
            ttft_seconds=ttft,
            total_seconds=seconds,
            response_model=self.model,
            response_id=self.id,
            headers=self.headers,
            tool_calls=self.tools.result(),
            refusal=joined(self.refusal) if self.refusal else None,
            fingerprint=self.fingerprint,
        )


def choices_of(document: Mapping[str, Any]) -> list[dict[str, Any]]:
    """All choices, [] where the key is missing or null. Raises WireError(protocol)."""
    choices = document.get("choices")
    if choices is None:
        return []
    if not isinstance(choices, list):
        raise WireError("protocol", "choices is not a list")
    return [mapping(choice, "a choice") for choice in choices]


def _content(value: Any) -> str | None:
    """Text of a message's content: a string, null, or a list of typed parts."""
    if value is None or type(value) is str:
        return value
    if not isinstance(value, list):
        raise WireError("protocol", "content is neither text nor null")
    parts = [mapping(part, "a part of the content") for part in value]
    return "".join(optional_text(part.get("text"), "a part's text") or "" for part in parts)


def _usage(value: dict[str, Any]) -> Usage:
    prompt = value.get("prompt_tokens_details")
    output = value.get("completion_tokens_details")
    return Usage(
        prompt_tokens=count(value.get("prompt_tokens")),
        output_tokens=count(value.get("completion_tokens")),
        reasoning_tokens=_detail(output, "reasoning_tokens"),
        cached_tokens=_detail(prompt, "cached_tokens"),
    )


def _detail(details: Any, key: str) -> int | None:
    return count(details.get(key)) if isinstance(details, dict) else None
