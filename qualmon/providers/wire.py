"""Strict JSON and typed access to it, shared by the decoders of all wire formats.

Whatever the bytes are, reading them ends in a value or in a WireError, within a known
depth and number of values.
"""

from __future__ import annotations

import json
import re
from typing import Any, NoReturn

import orjson

#: A count above this is absurd and recorded as missing.
MAX_COUNT = 100_000_000
#: Longest name (model, id, finish reason) that is kept.
NAME_CHARS = 200

_ERROR_CHARS = 300
_FEW_VALUES = 250_000
_BYTES_PER_VALUE = 8
_LONE_SURROGATE = re.compile(rb"\\u[dD][89a-fA-F]")
_BOM = b"\xef\xbb\xbf"


class WireError(Exception):
    """An answer cannot be read. `kind` is one of types.OUTCOMES."""

    def __init__(self, kind: str, detail: str) -> None:
        super().__init__(detail)
        self.kind, self.detail = kind, detail


def loads(raw: bytes) -> Any:
    """The JSON value in `raw`. Raises WireError(malformed).

    Refused: NaN and Infinity, bytes that are not UTF-8, nesting deeper than about 1,000, and
    bodies that are almost all punctuation, whose values would take many times their bytes.
    Lone surrogates written as escapes are lawful JSON and kept.
    """
    raw = raw.removeprefix(_BOM)
    if len(raw) > _FEW_VALUES and (values := _punctuation(raw)) > _most_values(raw):
        raise WireError("malformed", f"{values} values in {len(raw)} bytes of JSON are too many")
    try:
        return orjson.loads(raw)
    except orjson.JSONDecodeError as error:
        if _LONE_SURROGATE.search(raw):
            return _loads_with_surrogates(raw)
        raise WireError("malformed", _describe(raw, error)) from error


def _punctuation(raw: bytes) -> int:
    return raw.count(b",") + raw.count(b"[") + raw.count(b"{")


def _most_values(raw: bytes) -> int:
    return max(_FEW_VALUES, len(raw) // _BYTES_PER_VALUE)


def _loads_with_surrogates(raw: bytes) -> Any:
    # orjson refuses lone surrogates, the standard library keeps them.
    try:
        return json.loads(raw.decode("utf-8"), parse_constant=_no_constant)
    except (ValueError, RecursionError) as error:
        raise WireError("malformed", f"not JSON: {error}") from error


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not a JSON number")


def _describe(raw: bytes, error: Exception) -> str:
    start = raw[:256].lstrip()
    if not start:
        return "the body is empty"
    return "an HTML page, not JSON" if start.startswith(b"<") else f"not JSON: {error}"


def mapping(value: Any, what: str) -> dict[str, Any]:
    """`value` if it is an object. Raises WireError(protocol)."""
    if not isinstance(value, dict):
        raise WireError("protocol", f"{what} is {_kind(value)}, an object was expected")
    return value


def optional_text(value: Any, what: str) -> str | None:
    """`value` if it is a string or null. Raises WireError(protocol)."""
    if value is None or isinstance(value, str):
        return value
    raise WireError("protocol", f"{what} is {_kind(value)}, a string or null was expected")


def name(value: Any) -> str | None:
    """A short name as provenance: a string cut to NAME_CHARS, None for anything else."""
    return value[:NAME_CHARS] if isinstance(value, str) else None


def count(value: Any) -> int | None:
    """A token count; None for what is missing, of another type, negative or absurd."""
    lawful = type(value) is int and 0 <= value <= MAX_COUNT
    return value if lawful else None


def _kind(value: Any) -> str:
    names = {dict: "an object", list: "a list", str: "a string", bool: "a boolean"}
    return "null" if value is None else names.get(type(value), "a number")


def checked_document(value: Any, what: str) -> dict[str, Any]:
    """`value` if it is an object that reports no error. Raises WireError."""
    document = mapping(value, what)
    if document.get("error") or "error" in (document.get("object"), document.get("type")):
        raise WireError("error_body", error_text(document))
    return document


def error_text(value: Any) -> str:
    """What an error object says, in one short line."""
    error = value.get("error", value) if isinstance(value, dict) else value
    message = error.get("message") if isinstance(error, dict) else error
    said = message if isinstance(message, str) else "no readable message"
    return f"the server reported: {said[:_ERROR_CHARS]}"


def joined(parts: list[str]) -> str:
    """Concatenation in which a surrogate pair that was cut in two becomes one character."""
    text = "".join(parts)
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        coded = text.encode("utf-16-le", "surrogatepass")
        return coded.decode("utf-16-le", "surrogatepass")
    return text
