"""What documents and events of Anthropic's Messages wire mean; pure.

Lenient in what is accepted, exact in what is recorded. Source:
https://platform.claude.com/docs/en/api/messages and .../build-with-claude/streaming
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Final

from qualmon.providers import readers
from qualmon.providers.anthropic_blocks import Blocks
from qualmon.providers.anthropic_usage import merged, usage_of
from qualmon.providers.sse import Event
from qualmon.providers.wire import WireError, error_text, loads, mapping, name, optional_text
from qualmon.types import Completion, Failure

#: Stop reasons by the common finish reasons, which are OpenAI's; others are kept as they are.
FINISH_REASONS: Final[Mapping[str, str]] = MappingProxyType({
    "end_turn": "stop",
    "stop_sequence": "stop",
    "max_tokens": "length",
    "model_context_window_exceeded": "length",
    "tool_use": "tool_calls",
    "refusal": "content_filter",
})  # fmt: skip

#: Outcomes of the errors that a stream may report, as their HTTP statuses would have them.
ERROR_KINDS: Final[Mapping[str, str]] = MappingProxyType({
    "overloaded_error": "overloaded",
    "rate_limit_error": "rate_limited",
    "api_error": "server_error",
    "timeout_error": "server_error",
    "authentication_error": "auth",
    "permission_error": "auth",
    "invalid_request_error": "client_error",
    "billing_error": "client_error",
    "not_found_error": "client_error",
    "conflict_error": "client_error",
    "request_too_large": "client_error",
})  # fmt: skip


def decode(
    raw: bytes, *, stream: bool, asked_logprobs: bool = False, seconds: float = 0.0
) -> Completion | Failure:
    """The answer in a whole response body; total: any bytes come to one or the other."""
    assembly = MessageAssembly(asked_logprobs, {})
    return readers.decode(assembly, raw, stream=stream, seconds=seconds)


class MessageAssembly:
    """Puts together a ``message``.

    `headers` are kept with the answer, and beside them what has no common field: `stop_reason`
    as the wire has it, and how many blocks were not read (`thinking_blocks`, `other_blocks`).
    """

    def __init__(self, asked_logprobs: bool, headers: Mapping[str, str]) -> None:
        self._asked_logprobs, self._headers = asked_logprobs, headers
        self._blocks = Blocks()
        self._counts: Mapping[str, Any] = {}
        self._model: str | None = None
        self._id: str | None = None
        self._stop: str | None = None
        self._stop_details: Any = None

    @property
    def started(self) -> bool:
        """See Assembly."""
        return self._blocks.started

    @property
    def finished(self) -> bool:
        """See Assembly."""
        return self._stop is not None

    def take_body(self, document: Mapping[str, Any]) -> None:
        """See Assembly."""
        self._take_head(document)
        self._take_end(document)
        self._counts = merged(self._counts, document.get("usage"))
        content = document.get("content")
        if content is None and not self.finished:
            raise WireError("protocol", "neither content nor a stop reason")
        if not isinstance(content, list | None):
            raise WireError("protocol", "content is not a list")
        for place, block in enumerate(content or ()):
            self._blocks.begin(place, block)

    def take_event(self, event: Event) -> bool:
        """See Assembly; pings, block ends and types to come are passed over."""
        value = loads(event.data)
        if event.name == "error":
            raise _reported(value)
        document = mapping(value, "an event")
        kind = document.get("type") or event.name
        if kind == "content_block_delta":
            self._blocks.extend(document.get("index"), mapping(document.get("delta"), "delta"))
        elif kind == "content_block_start":
            self._blocks.begin(document.get("index"), document.get("content_block"))
        elif kind == "message_start":
            self._take_start(mapping(document.get("message"), "message"))
        elif kind == "message_delta":
            self._take_end(mapping(document.get("delta"), "delta"))
            self._counts = merged(self._counts, document.get("usage"))
        elif kind == "error" or document.get("error"):
            raise _reported(document)
        elif not kind:
            raise WireError("protocol", "an event without a type")
        return kind == "message_stop"

    def completion(self, seconds: float, ttft: float | None) -> Completion:
        """See Assembly."""
        stop = self._stop
        return Completion(
            text=self._blocks.text,
            finish_reason=None if stop is None else FINISH_REASONS.get(stop, stop),
            logprobs_state="absent_ignored" if self._asked_logprobs else "not_asked",
            usage=usage_of(self._counts),
            ttft_seconds=ttft,
            total_seconds=seconds,
            response_model=self._model,
            response_id=self._id,
            headers={**self._headers, **self._particulars()},
            tool_calls=self._blocks.tool_calls(),
            refusal=_refusal(self._stop_details) if stop == "refusal" else None,
        )

    def _take_head(self, message: Mapping[str, Any]) -> None:
        self._model = self._model or name(message.get("model"))
        self._id = self._id or name(message.get("id"))

    def _take_start(self, message: Mapping[str, Any]) -> None:
        self._take_head(message)
        counts = merged(self._counts, message.get("usage"))
        # Nothing has been written yet: what stands here is no count of the answer.
        self._counts = {key: value for key, value in counts.items() if key != "output_tokens"}

    def _take_end(self, part: Mapping[str, Any]) -> None:
        reason = optional_text(part.get("stop_reason"), "stop_reason")
        self._stop = self._stop or name(reason)
        self._stop_details = part.get("stop_details") or self._stop_details

    def _particulars(self) -> dict[str, str]:
        found = {"stop_reason": self._stop or ""}
        found["thinking_blocks"] = str(self._blocks.thinking or "")
        found["other_blocks"] = str(self._blocks.others or "")
        return {key: value for key, value in found.items() if value}


def _reported(value: Any) -> WireError:
    """What an error event stands for; its status came as 200, before the error happened."""
    error = value.get("error") if isinstance(value, dict) else None
    kind = error.get("type") if isinstance(error, dict) else None
    outcome = ERROR_KINDS.get(kind, "error_body") if isinstance(kind, str) else "error_body"
    return WireError(outcome, error_text(value))


def _refusal(details: Any) -> str:
    """What the wire says of a refusal: an explanation, a category, or only that it is one."""
    said = details if isinstance(details, dict) else {}
    texts = (said.get("explanation"), said.get("category"))
    return next((text for text in texts if isinstance(text, str) and text), "refusal")
