"""What documents and events of OpenAI's chat wire mean; pure.

Lenient in what is accepted, exact in what is recorded. Source:
https://platform.openai.com/docs/api-reference/chat
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from qualmon.providers import readers
from qualmon.providers.openai_answer import AnswerParts, choices_of
from qualmon.providers.openai_logprobs import LogprobsCollector
from qualmon.providers.sse import Event
from qualmon.providers.wire import WireError, checked_document, error_text, loads, mapping
from qualmon.types import Completion, Failure

_DONE = b"[DONE]"


def decode(
    raw: bytes, *, stream: bool, asked_logprobs: bool = False, seconds: float = 0.0
) -> Completion | Failure:
    """The answer in a whole response body; total: any bytes come to one or the other."""
    return readers.decode(ChatAssembly(asked_logprobs, {}), raw, stream=stream, seconds=seconds)


class ChatAssembly:
    """Puts together ``chat.completion`` objects. `headers` are kept with the answer."""

    def __init__(self, asked_logprobs: bool, headers: Mapping[str, str]) -> None:
        self._parts = AnswerParts(LogprobsCollector(asked=asked_logprobs), headers)

    @property
    def started(self) -> bool:
        """See Assembly."""
        return self._parts.started

    @property
    def finished(self) -> bool:
        """See Assembly."""
        return self._parts.finish_reason is not None

    def take_body(self, document: Mapping[str, Any]) -> None:
        """See Assembly."""
        parts = self._parts
        choices = choices_of(document)
        if not choices:
            raise WireError("protocol", "choices is empty or missing")
        message = mapping(choices[0].get("message"), "message")
        parts.take_document(document)
        parts.take_choice(choices[0], message)
        if parts.finish_reason is None and message.get("content") is None and not parts.started:
            raise WireError("protocol", "neither content nor a finish reason")

    def take_event(self, event: Event) -> bool:
        """See Assembly; the end mark is the word [DONE]."""
        if event.data.strip() == _DONE:
            return True
        document = loads(event.data)
        if event.name == "error":
            raise WireError("error_body", error_text(document))
        self._take_chunk(checked_document(document, "an event"))
        return False

    def completion(self, seconds: float, ttft: float | None) -> Completion:
        """See Assembly."""
        return self._parts.completion(seconds, ttft)

    def _take_chunk(self, document: Mapping[str, Any]) -> None:
        parts = self._parts
        parts.take_document(document)
        choices = choices_of(document)
        if not choices and "choices" not in document and "usage" not in document:
            raise WireError("protocol", "an event without choices")
        for choice in choices:
            if choice.get("index") in (0, None):
                delta = choice.get("delta")
                parts.take_choice(choice, {} if delta is None else mapping(delta, "delta"))
