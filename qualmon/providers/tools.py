"""The one form in which tool calls are kept, whatever the wire they came by; pure."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from qualmon.providers.wire import WireError

#: More calls than this in one answer are refused.
MAX_CALLS = 128


def tool_call(call_id: str | None, function: str, arguments: str) -> Mapping[str, Any]:
    """One call: id, type, function {name, arguments as text}, as OpenAI writes them."""
    return {
        "id": call_id,
        "type": "function",
        "function": {"name": function, "arguments": arguments},
    }


def arguments_text(value: Any) -> str:
    """Arguments as text where a wire or a server gives the object itself; "" for null.

    Raises WireError(protocol) for nesting that cannot be written.
    """
    if value is None or isinstance(value, str):
        return value or ""
    try:
        return json.dumps(value, ensure_ascii=False)
    except RecursionError as error:
        raise WireError("protocol", "tool arguments are nested too deeply") from error
