"""Content blocks of Anthropic's Messages wire, whole or in stream pieces; pure.

Source: https://platform.claude.com/docs/en/api/messages (content), and .../streaming for deltas.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from qualmon.providers.tools import MAX_CALLS, arguments_text, tool_call
from qualmon.providers.wire import WireError, joined, mapping, name, optional_text

_THINKING = ("thinking", "redacted_thinking")


@dataclass(slots=True)
class _ToolUse:
    id: str | None
    name: str
    input: Any
    pieces: list[str] = field(default_factory=list)


class Blocks:
    """What the blocks of one message hold, in the order of their arrival.

    Text blocks make the text and tool_use blocks the calls. Thinking is counted, never read:
    it is no part of the answer. So are blocks of any other type (server tools and such).
    """

    def __init__(self) -> None:
        self._text: list[str] = []
        self._uses: list[_ToolUse] = []
        self._begun: dict[int, _ToolUse | None] = {}  # by index; None for what takes no input
        self.thinking = self.others = 0

    @property
    def started(self) -> bool:
        """Whether any text or any call has come."""
        return bool(self._text or self._uses)

    @property
    def text(self) -> str:
        """The text blocks, joined."""
        return joined(self._text)

    def begin(self, index: Any, value: Any) -> None:
        """Takes a whole block, or the start of a streamed one. Raises WireError(protocol)."""
        if type(index) is not int or index < 0:
            raise WireError("protocol", "a content block's index is no count")
        block = mapping(value, "a content block")
        kind, use = block.get("type"), None
        if kind == "text":
            self._add_text(block.get("text"))
        elif kind == "tool_use":
            use = self._use(block)
        elif kind in _THINKING:
            self.thinking += 1
        elif isinstance(kind, str):
            self.others += 1
        else:
            raise WireError("protocol", "a content block has no type")
        self._begun[index] = use

    def extend(self, index: Any, delta: Mapping[str, Any]) -> None:
        """Takes a delta of a block that has begun. Raises WireError(protocol)."""
        kind = delta.get("type")
        if kind == "text_delta":
            self._add_text(delta.get("text"))
        elif kind == "input_json_delta":
            if type(index) is not int or index not in self._begun:
                raise WireError("protocol", "tool input came for a block that has not begun")
            if (use := self._begun[index]) is not None:
                use.pieces.append(optional_text(delta.get("partial_json"), "partial_json") or "")

    def tool_calls(self) -> tuple[Mapping[str, Any], ...]:
        """The calls in the common form. Raises WireError(protocol)."""
        return tuple(
            tool_call(use.id, use.name, "".join(use.pieces) or arguments_text(use.input))
            for use in self._uses
        )

    def _add_text(self, value: Any) -> None:
        if text := optional_text(value, "text"):
            self._text.append(text)

    def _use(self, block: Mapping[str, Any]) -> _ToolUse:
        if len(self._uses) == MAX_CALLS:
            raise WireError("protocol", f"there are more than {MAX_CALLS} tool calls")
        called = optional_text(block.get("name"), "a tool's name") or ""
        self._uses.append(_ToolUse(name(block.get("id")), called, block.get("input")))
        return self._uses[-1]
