"""What a kind of fault is, and how its settings are read."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, ClassVar, Protocol, Self

from qualmon.errors import UsageError
from qualmon.sim.pool import Pool
from qualmon.sim.sampler import Asked, Draw


class Behaviour(Protocol):
    """What a kind of fault does to a request. `name` is the fault's id, unique in the fleet."""

    #: Keys that this kind reads besides the common ones; attributes of the same names show them.
    keys: ClassVar[tuple[str, ...]]

    @classmethod
    def parse(cls, values: Mapping[str, Any], where: str) -> Self:
        """Reads the kind's own keys. Raises UsageError naming `where` and the value."""
        ...

    def pool(self, asked: Asked, name: str) -> Pool | None:
        """The other pool of servers that answers the request, None for the usual one."""
        ...

    def wrap(self, draw: Draw, asked: Asked, name: str) -> Draw:
        """The sampler with the fault in it."""
        ...


def number(values: Mapping[Any, Any], key: str, where: str) -> float | None:
    """The finite number at `key`, None where there is none. Raises UsageError."""
    value = values.get(key)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise UsageError(f"{where}: {key} {value!r}", remedy=f"Give {key} as a finite number")
    return float(value)


def share(
    values: Mapping[Any, Any], key: str, where: str, default: float | None = None, *, of: str
) -> float:
    """The number in (0, 1] at `key`, the default where there is none. Raises UsageError.

    `of`: what the share is one of, for the message.
    """
    value = number(values, key, where)
    value = default if value is None else value
    if value is None or not 0.0 < value <= 1.0:
        raise UsageError(
            f"{where}: {key} {values.get(key)!r}",
            remedy=f"Give {of} above 0, at most 1, such as {default or 0.001!r}",
        )
    return value


def amount(values: Mapping[Any, Any], key: str, where: str, default: float) -> float:
    """The number >= 0 at `key`, the default where there is none. Raises UsageError."""
    value = number(values, key, where)
    value = default if value is None else value
    if value < 0.0:
        raise UsageError(f"{where}: {key} {value!r}", remedy="Give a number of 0 or more")
    return value


def count(values: Mapping[Any, Any], key: str, where: str, default: int) -> int:
    """The whole number >= 1 at `key`, the default where there is none. Raises UsageError."""
    value = values.get(key)
    if value is None:
        return default
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        raise UsageError(f"{where}: {key} {value!r}", remedy="Give a whole number of 1 or more")
    return value


def switch(values: Mapping[Any, Any], key: str, where: str) -> bool:
    """True or false at `key`, false where there is nothing. Raises UsageError."""
    value = values.get(key)
    if value is not None and not isinstance(value, bool):
        raise UsageError(f"{where}: {key} {value!r}", remedy="Give true or false")
    return bool(value)
