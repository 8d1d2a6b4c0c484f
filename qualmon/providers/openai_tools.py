"""Tool calls of OpenAI's chat wire, gathered from whole messages or stream pieces; pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from qualmon.providers.tools import MAX_CALLS, arguments_text, tool_call
from qualmon.providers.wire import WireError, mapping, name, optional_text


class ToolCalls:
    """The calls of one answer by their index on the wire."""

    def __init__(self) -> None:
        self._calls: dict[int, dict[str, Any]] = {}

    def __bool__(self) -> bool:
        return bool(self._calls)

    def add(self, value: Any) -> None:
        """Takes ``tool_calls`` of a message or a delta. Raises WireError(protocol)."""
        if not isinstance(value, list):
            raise WireError("protocol", "tool_calls is not a list")
        for place, piece in enumerate(value):
            self._add(place, mapping(piece, "a tool call"))

    def _add(self, place: int, piece: Mapping[str, Any]) -> None:
        index = piece.get("index", place)
        if type(index) is not int or not 0 <= index < MAX_CALLS:
            raise WireError("protocol", f"a tool call's index is outside 0..{MAX_CALLS - 1}")
        call = self._calls.setdefault(index, {"id": None, "name": [], "arguments": []})
        call["id"] = call["id"] or name(piece.get("id"))
        function = piece.get("function")
        if function is not None:
            function = mapping(function, "function")
            call["name"].append(optional_text(function.get("name"), "function.name") or "")
            call["arguments"].append(arguments_text(function.get("arguments")))

    def result(self) -> tuple[Mapping[str, Any], ...]:
        """Calls in wire order, in the common form."""
        return tuple(
            tool_call(call["id"], "".join(call["name"]), "".join(call["arguments"]))
            for _, call in sorted(self._calls.items())
        )
