"""Reading a place in the fleet: the targets that a scope string names."""

from __future__ import annotations

from collections.abc import Sequence

from qualmon.errors import UnknownNameError, UsageError
from qualmon.types import Target

_FIXED_AXES = ("model", "platform", "route", "target")


def targets_of(scope: str, targets: Sequence[Target]) -> tuple[Target, ...]:
    """Targets in `scope`: ``fleet``, ``axis=value,axis=value`` or a bare target key.

    Raises UnknownNameError for an axis or value that no target has, naming those there are;
    UsageError for a scope without meaning or without targets.
    """
    if scope == "fleet":
        return tuple(targets)
    if "=" not in scope:
        return _narrow(tuple(targets), "target", scope)
    found = tuple(targets)
    for pair in scope.split(","):
        axis, equals, value = pair.partition("=")
        if not equals:
            raise UsageError(
                f"scope {scope!r}: {pair!r} has no '='",
                remedy="Write 'fleet', a target key, or axis=value pairs joined by ','",
            )
        _require(axis, targets)
        _narrow(tuple(targets), axis, value)
        found = tuple(target for target in found if target.axis(axis) == value)
    if not found:
        raise UsageError(
            f"scope {scope!r} names no target: its values never meet",
            remedy=f"Targets: {', '.join(target.key for target in targets)}",
        )
    return found


def _require(axis: str, targets: Sequence[Target]) -> None:
    labels = {label for target in targets for label in target.labels}
    known = (*_FIXED_AXES, *sorted(labels))
    if axis not in known:
        raise UnknownNameError(f"axis {axis!r}", remedy=f"Axes: {', '.join(known)}")


def _narrow(targets: tuple[Target, ...], axis: str, value: str) -> tuple[Target, ...]:
    found = tuple(target for target in targets if target.axis(axis) == value)
    if not found:
        known = dict.fromkeys(target.axis(axis) for target in targets)
        names = ", ".join(name for name in known if name is not None)
        raise UnknownNameError(f"{axis} {value!r}", remedy=f"Values of {axis}: {names}")
    return found
