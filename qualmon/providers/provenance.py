"""Response headers that say who answered: a fixed list, kept small."""

from __future__ import annotations

from collections.abc import Mapping

import httpx

_NAMES = frozenset({
    "x-request-id", "request-id", "x-client-request-id", "server", "via", "cf-ray", "x-served-by",
    "x-cache", "age", "x-amzn-requestid", "x-inference-provider",
})  # fmt: skip
# Whose account asked says nothing about who answered, and is nobody's business.
_ACCOUNTS = frozenset({"openai-organization", "openai-project"})
_PREFIXES = ("openai-", "x-ratelimit-", "anthropic-ratelimit-")
_VALUE_CHARS = 200
_TOTAL_CHARS = 2048


def provenance(headers: httpx.Headers) -> Mapping[str, str]:
    """Listed headers by lower-case name; values cut to 200 characters, 2 KiB in all."""
    kept: dict[str, str] = {}
    room = _TOTAL_CHARS
    for name, value in headers.items():
        if name in _NAMES or (name.startswith(_PREFIXES) and name not in _ACCOUNTS):
            cut = value[:_VALUE_CHARS]
            room -= len(name) + len(cut)
            if room < 0:
                break
            kept[name] = cut
    return kept
