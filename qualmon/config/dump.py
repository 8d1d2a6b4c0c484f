"""A configuration as JSON-ready values that anybody may see."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from qualmon.types import Probe, Secret

MASK = "***"


def public(value: Any) -> Any:
    """`value` as plain JSON types, with secrets and hook paths masked."""
    if isinstance(value, Probe):
        return {"id": value.id, "version": value.version}
    if dataclasses.is_dataclass(value) and not isinstance(value, type | Secret):
        names = [field.name for field in dataclasses.fields(value)]
        return {name: _named(type(value).__name__, name, getattr(value, name)) for name in names}
    if isinstance(value, Mapping):
        return {str(key): public(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [public(item) for item in value]
    return str(value) if isinstance(value, Secret | Path) else value


def _named(owner: str, name: str, value: Any) -> Any:
    if (owner, name) == ("Config", "listen"):
        return ":".join(map(str, value))
    if (owner, name) == ("WebhookSink", "url"):
        return f"{urlsplit(value).scheme}://{urlsplit(value).hostname}/{MASK}"
    return public(value)
