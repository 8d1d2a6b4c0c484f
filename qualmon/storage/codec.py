"""Column types for what SQL text cannot hold: any str, JSON, float tuples, logprobs.

PostgreSQL's TEXT refuses NUL and both databases refuse lone surrogates, and answers hold both;
so everything that a server may have written is stored as bytes. All types round-trip exactly,
infinities and NaN inside JSON included.
"""

from __future__ import annotations

import base64
import json
import struct
import zlib
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from sqlalchemy import Dialect, LargeBinary
from sqlalchemy.types import TypeDecorator

from qualmon.errors import StoreCorruptError
from qualmon.types import TokenLogprob, TopToken

T = TypeVar("T")


def _plain(value: object) -> object:
    if isinstance(value, Mapping):
        return dict(value)
    raise TypeError(f"{type(value).__name__} cannot be stored as JSON; use str, numbers, lists")


_ENCODE = json.JSONEncoder(
    ensure_ascii=False, separators=(",", ":"), sort_keys=True, default=_plain
).encode


def to_json(value: object) -> bytes:
    """Canonical JSON: sorted keys, no spaces; lone surrogates kept (not valid UTF-8 then)."""
    return _ENCODE(value).encode("utf-8", "surrogatepass")


def from_json(data: bytes) -> Any:
    """What `to_json` wrote; tuples come back as lists."""
    return json.loads(data.decode("utf-8", "surrogatepass"))


def _read(decode: Callable[[Any], T], value: object) -> T | None:
    """The decoded value. Raises StoreCorruptError for one that this module did not write."""
    if value is None:
        return None
    try:
        return decode(value)
    except (ValueError, TypeError, AttributeError, LookupError, zlib.error, struct.error) as error:
        raise StoreCorruptError(f"a stored value cannot be read ({error})") from error


class AnyText(TypeDecorator[str]):
    """Text from outside, as UTF-8 bytes with surrogates passed through."""

    impl = LargeBinary
    cache_ok = True

    def process_bind_param(self, value: str | None, dialect: Dialect) -> bytes | None:  # noqa: ARG002
        """To bytes."""
        return None if value is None else value.encode("utf-8", "surrogatepass")

    def process_result_value(self, value: bytes | None, dialect: Dialect) -> str | None:  # noqa: ARG002
        """From bytes."""
        return _read(lambda data: str(data.decode("utf-8", "surrogatepass")), value)


class JsonBytes(TypeDecorator[Any]):
    """Any JSON value as canonical bytes; None is SQL NULL."""

    impl = LargeBinary
    cache_ok = True

    def process_bind_param(self, value: Any, dialect: Dialect) -> bytes | None:  # noqa: ARG002
        """To bytes."""
        return None if value is None else to_json(value)

    def process_result_value(self, value: bytes | None, dialect: Dialect) -> Any:  # noqa: ARG002
        """From bytes."""
        return _read(from_json, value)


class Doubles(TypeDecorator[tuple[float, ...]]):
    """A tuple of float64, little-endian, eight bytes each."""

    impl = LargeBinary
    cache_ok = True

    def process_bind_param(
        self,
        value: tuple[float, ...] | None,
        dialect: Dialect,  # noqa: ARG002
    ) -> bytes | None:
        """To bytes."""
        return None if value is None else struct.pack(f"<{len(value)}d", *value)

    def process_result_value(
        self,
        value: bytes | None,
        dialect: Dialect,  # noqa: ARG002
    ) -> tuple[float, ...] | None:
        """From bytes."""
        return _read(_unpack_doubles, value)


class PackedLogprobs(TypeDecorator[tuple[TokenLogprob, ...]]):
    """Logprobs of an answer as deflated JSON arrays: token, logprob, bytes, id, alternatives."""

    impl = LargeBinary
    cache_ok = True

    def process_bind_param(
        self,
        value: tuple[TokenLogprob, ...] | None,
        dialect: Dialect,  # noqa: ARG002
    ) -> bytes | None:
        """To bytes."""
        if value is None:
            return None
        rows = [[*_pack(token), [_pack(top) for top in token.top]] for token in value]
        return zlib.compress(to_json(rows), 1)

    def process_result_value(
        self,
        value: bytes | None,
        dialect: Dialect,  # noqa: ARG002
    ) -> tuple[TokenLogprob, ...] | None:
        """From bytes."""
        return _read(_unpack_logprobs, value)


def _unpack_doubles(data: bytes) -> tuple[float, ...]:
    return struct.unpack(f"<{len(data) // 8}d", data)


def _unpack_logprobs(data: bytes) -> tuple[TokenLogprob, ...]:
    return tuple(
        TokenLogprob(*_unpack(row[:4]), top=tuple(TopToken(*_unpack(top)) for top in row[4]))
        for row in from_json(zlib.decompress(data))
    )


def _pack(token: TokenLogprob | TopToken) -> list[Any]:
    raw = None if token.bytes is None else base64.b64encode(token.bytes).decode("ascii")
    return [token.token, token.logprob, raw, token.id]


def _unpack(row: list[Any]) -> tuple[str, float, bytes | None, int | None]:
    token, logprob, raw, number = row
    return token, logprob, None if raw is None else base64.b64decode(raw), number
