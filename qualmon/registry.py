"""Finds a plug-in by name: the built-in table of its kind first, then entry points.

The table of a kind stands beside the kind. Providers are found so: the built-in ones stand in
``qualmon.providers.PROVIDERS``, and a package adds one by an entry point of the group
``qualmon.providers``. What cannot be loaded is an error: a monitor must not start without what
its configuration names.
"""

from __future__ import annotations

from collections.abc import Mapping
from difflib import get_close_matches
from importlib.metadata import EntryPoint, entry_points
from typing import TypeVar, cast

from qualmon.errors import PluginError, UnknownNameError

T = TypeVar("T")


def find(kind: str, name: str, builtin: Mapping[str, T]) -> T:
    """The plug-in called `name` of this kind (``provider``).

    A built-in wins over an entry point of the same name.
    Raises: UnknownNameError where neither has the name; PluginError where the entry point
    fails to load or two packages claim the name.
    """
    if name in builtin:
        return builtin[name]
    claims = [point for point in _points(kind) if point.name == name]
    if not claims:
        raise UnknownNameError(f"{kind} {name!r}", remedy=_remedy(kind, name, builtin))
    if len({point.value for point in claims}) > 1:
        values = ", ".join(sorted(point.value for point in claims))
        raise PluginError(f"{kind} {name!r} is claimed by {values}")
    return cast("T", _load(kind, claims[0]))


def names(kind: str, builtin: Mapping[str, object]) -> tuple[str, ...]:
    """Every known name of this kind, sorted; loads nothing."""
    return tuple(sorted({*builtin, *(point.name for point in _points(kind))}))


def _points(kind: str) -> tuple[EntryPoint, ...]:
    return tuple(entry_points(group=f"qualmon.{kind}s"))


def _load(kind: str, point: EntryPoint) -> object:
    try:
        return point.load()
    except Exception as error:
        cause = f"{type(error).__name__}: {error}"
        raise PluginError(f"{kind} {point.name!r} at {point.value} ({cause})") from error


def _remedy(kind: str, name: str, builtin: Mapping[str, object]) -> str:
    known = names(kind, builtin)
    near = get_close_matches(name, known, n=3) or known
    return f"Use one of: {', '.join(near)}; or install the package that provides it"
