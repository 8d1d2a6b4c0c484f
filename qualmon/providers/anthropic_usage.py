"""Token counts of Anthropic's Messages wire as the common ones; pure.

Source: https://platform.claude.com/docs/en/api/messages (usage). In streams the counts of
``message_delta`` are cumulative and replace those of ``message_start``.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from qualmon.providers.wire import count
from qualmon.types import Usage

_CREATED: Final = "cache_creation_input_tokens"
_READ: Final = "cache_read_input_tokens"
_FIELDS: Final = ("input_tokens", "output_tokens", "output_tokens_details", _CREATED, _READ)


def merged(before: Mapping[str, Any], value: Any) -> Mapping[str, Any]:
    """What is known after another ``usage`` object, which speaks only of what it names."""
    if not isinstance(value, dict):
        return before
    named = {key: value[key] for key in _FIELDS if value.get(key) is not None}
    return {**before, **named}


def usage_of(counts: Mapping[str, Any]) -> Usage:
    """The common counts; the prompt is what was sent, written to a cache and read from one.

    Absurd parts are missing, and with a part of it the sum is missing too.
    """
    details = counts.get("output_tokens_details")
    return Usage(
        prompt_tokens=_prompt(counts),
        output_tokens=count(counts.get("output_tokens")),
        reasoning_tokens=count(details.get("thinking_tokens"))
        if isinstance(details, dict)
        else None,
        cached_tokens=count(counts.get(_READ)),
    )


def _prompt(counts: Mapping[str, Any]) -> int | None:
    parts = [count(counts.get("input_tokens"))]
    parts += [count(counts[key]) for key in (_CREATED, _READ) if key in counts]
    known = [part for part in parts if part is not None]
    return count(sum(known)) if len(known) == len(parts) else None
