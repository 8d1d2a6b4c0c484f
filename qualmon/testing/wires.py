"""What one wire format looks like, so that the provider contract can be played in any of them."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from qualmon.types import Completion, TokenLogprob, TopToken, Usage


class Wire(Protocol):
    """Writes answers in one format, from a Completion taken literally, lies included."""

    #: Whether the format can carry log-probabilities.
    has_logprobs: bool
    #: Whether the format can carry a fingerprint of the server's configuration.
    has_fingerprint: bool
    #: What the object that `error` writes comes to inside a stream.
    error_in_stream: str
    #: What the SDK's base address has behind the host.
    base_path: str

    def body(self, answer: Completion) -> bytes:
        """A whole, unstreamed answer; usage counts of None are left out."""
        ...

    def events(self, answer: Completion) -> Sequence[bytes]:
        """The streamed answer, one server-sent event each, the end mark last."""
        ...

    def error(self, message: str) -> bytes:
        """An error object."""
        ...

    def null_content(self) -> bytes:
        """A whole answer with a finish reason and nothing else."""
        ...

    def wrong_types(self) -> Mapping[str, bytes]:
        """By name: JSON bodies that are not an answer."""
        ...


def sse(document: Any, name: str = "") -> bytes:
    """`document` as one event, of that type if there is a `name`."""
    start = f"event: {name}\n".encode() if name else b""
    return start + b"data: " + json.dumps(document).encode() + b"\n\n"


class OpenAIChatWire:
    """chat.completion and chat.completion.chunk objects."""

    has_logprobs = has_fingerprint = True
    error_in_stream = "error_body"
    base_path = "/v1"

    def body(self, answer: Completion) -> bytes:
        """See Wire."""
        message: dict[str, Any] = {"role": "assistant", "content": answer.text, "refusal": None}
        if answer.tool_calls:
            message["tool_calls"] = list(answer.tool_calls)
        choice = {
            "index": 0,
            "message": message,
            "logprobs": self._logprobs(answer.logprobs),
            "finish_reason": answer.finish_reason,
        }
        document = self._frame(answer, "chat.completion", [choice])
        return json.dumps(document | {"usage": self._usage(answer.usage)}).encode()

    def events(self, answer: Completion) -> Sequence[bytes]:
        """See Wire."""
        chunks = [self._chunk(answer, {"role": "assistant", "content": ""})]
        for token in answer.logprobs or [None] * bool(answer.text):
            text = answer.text if token is None else token.token
            tokens = None if token is None else (token,)
            chunks.append(self._chunk(answer, {"content": text}, tokens))
        for place, call in enumerate(answer.tool_calls):
            chunks.append(self._chunk(answer, {"tool_calls": [{"index": place, **call}]}))
        chunks.append(self._chunk(answer, {}, finish_reason=answer.finish_reason))
        usage = {"usage": self._usage(answer.usage)}
        chunks.append(self._frame(answer, "chat.completion.chunk", []) | usage)
        return [*(sse(document) for document in chunks), b"data: [DONE]\n\n"]

    def error(self, message: str) -> bytes:
        """See Wire."""
        return json.dumps({"error": {"message": message, "type": "server_error"}}).encode()

    def null_content(self) -> bytes:
        """See Wire."""
        choice = {"index": 0, "message": {"content": None}, "finish_reason": "stop"}
        return json.dumps({"choices": [choice]}).encode()

    def wrong_types(self) -> Mapping[str, bytes]:
        """See Wire."""
        good = {"message": {"content": "x"}, "finish_reason": "stop"}
        documents: dict[str, Any] = {
            "a list": [],
            "a number": 5,
            "no choices": {},
            "empty choices": {"choices": []},
            "choices as text": {"choices": "x"},
            "a choice as number": {"choices": [7]},
            "no message": {"choices": [{"finish_reason": "stop"}]},
            "content as number": {"choices": [good | {"message": {"content": 5}}]},
            "finish reason as list": {"choices": [good | {"finish_reason": []}]},
            "tool calls as text": {"choices": [good | {"message": {"tool_calls": "x"}}]},
        }
        return {name: json.dumps(document).encode() for name, document in documents.items()}

    def _chunk(
        self,
        answer: Completion,
        delta: Mapping[str, Any],
        tokens: Sequence[TokenLogprob] | None = None,
        finish_reason: str | None = None,
    ) -> dict[str, Any]:
        logprobs = self._logprobs(tokens)
        choice = {"index": 0, "delta": delta, "logprobs": logprobs, "finish_reason": finish_reason}
        return self._frame(answer, "chat.completion.chunk", [choice])

    def _frame(self, answer: Completion, kind: str, choices: Sequence[Any]) -> dict[str, Any]:
        return {
            "id": answer.response_id,
            "object": kind,
            "created": 0,
            "model": answer.response_model,
            "system_fingerprint": answer.fingerprint,
            "choices": choices,
        }

    def _logprobs(self, tokens: Sequence[TokenLogprob] | None) -> dict[str, Any] | None:
        if tokens is None:
            return None
        listed = ({**_entry(token), "top_logprobs": [*map(_entry, token.top)]} for token in tokens)
        return {"content": list(listed), "refusal": None}

    def _usage(self, usage: Usage) -> dict[str, Any]:
        counts = {"prompt_tokens": usage.prompt_tokens, "completion_tokens": usage.output_tokens}
        document: dict[str, Any] = {key: n for key, n in counts.items() if n is not None}
        if usage.cached_tokens is not None:
            document["prompt_tokens_details"] = {"cached_tokens": usage.cached_tokens}
        if usage.reasoning_tokens is not None:
            document["completion_tokens_details"] = {"reasoning_tokens": usage.reasoning_tokens}
        return document


def _entry(token: TokenLogprob | TopToken) -> dict[str, Any]:
    logprob = None if token.logprob == -math.inf else token.logprob
    raw = None if token.bytes is None else list(token.bytes)
    return {"token": token.token, "logprob": logprob, "bytes": raw}
