"""Planted faults: what goes wrong, where, and from when to when.

A kind of fault is one class (qualmon.sim.behaviour) and one line in KINDS.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from qualmon.errors import UnknownNameError, UsageError
from qualmon.sim.behaviour import Behaviour, number
from qualmon.sim.corruption import Corruption
from qualmon.sim.misroute import Misroute
from qualmon.sim.pool import Pool
from qualmon.sim.sampler import Asked, Draw
from qualmon.sim.scope import targets_of
from qualmon.sim.topk_drop import TopKDrop
from qualmon.types import Target

#: In the order in which they act: who serves, how it samples, what is sent in the end.
KINDS: Mapping[str, type[Behaviour]] = {
    "misroute": Misroute,
    "topk-drop": TopKDrop,
    "corruption": Corruption,
}

_COMMON_KEYS = ("id", "kind", "node", "start", "end")


@dataclass(frozen=True, slots=True)
class Fault:
    """A behaviour at a place for a time. start and end are Unix seconds; None is unbounded."""

    id: str
    kind: str
    node: str
    targets: frozenset[str]
    behaviour: Behaviour
    start: float | None
    end: float | None

    def strikes(self, target: Target, now: float) -> bool:
        """Whether an answer of `target` drawn at `now` has this fault."""
        begun = self.start is None or self.start <= now
        over = self.end is not None and self.end <= now
        return begun and not over and target.key in self.targets

    def as_dict(self, now: float) -> dict[str, Any]:
        """The fault for people and tools; start and end relative to `now`."""
        return {
            "id": self.id,
            "kind": self.kind,
            "node": self.node,
            **{name: getattr(self.behaviour, name) for name in self.behaviour.keys},
            "start": None if self.start is None else self.start - now,
            "end": None if self.end is None else self.end - now,
            "targets": sorted(self.targets),
        }


def pool_of(faults: Sequence[Fault], asked: Asked, now: float) -> Pool | None:
    """The pool that a fault sends this request to at `now`; None for the usual one."""
    for fault in faults:
        if fault.strikes(asked.target, now):
            pool = fault.behaviour.pool(asked, fault.id)
            if pool is not None:
                return pool
    return None


def infect(draw: Draw, faults: Sequence[Fault], asked: Asked, now: float) -> Draw:
    """`draw` with every fault that strikes this request at `now`, in the order of KINDS."""
    for fault in faults:
        if fault.strikes(asked.target, now):
            draw = fault.behaviour.wrap(draw, asked, fault.id)
    return draw


def parse_faults(items: object, targets: Sequence[Target], now: float) -> tuple[Fault, ...]:
    """Faults from a list of mappings {id, kind, node, start, end} and the kind's own keys.

    They come back in the order in which they act. start and end are seconds relative to
    `now`; absent means always on, and never over. Raises UnknownNameError for a kind, axis or
    place that does not exist (the message lists those that do), UsageError for everything else
    that is wrong.
    """
    if not isinstance(items, list | tuple):
        raise UsageError(f"faults: {_kind(items)}", remedy="Give a list of mappings")
    faults = tuple(_parse(item, f"fault {at + 1}", targets, now) for at, item in enumerate(items))
    names = [fault.id for fault in faults]
    for name in names:
        if names.count(name) > 1:
            raise UsageError(f"faults: id {name!r} twice", remedy="Give each fault its own id")
    order = list(KINDS)
    return tuple(sorted(faults, key=lambda fault: order.index(fault.kind)))


def _parse(item: object, where: str, targets: Sequence[Target], now: float) -> Fault:
    if not isinstance(item, Mapping):
        raise UsageError(f"{where}: {_kind(item)}", remedy="Give a mapping with id, kind and node")
    name, kind, node = (_text(item, key, where) for key in ("id", "kind", "node"))
    where = f"fault {name!r}"
    if kind not in KINDS:
        raise UnknownNameError(f"{where}: kind {kind!r}", remedy=f"Kinds: {', '.join(KINDS)}")
    _refuse_unknown(item, (*_COMMON_KEYS, *KINDS[kind].keys), where)
    start, end = _window(item, where)
    return Fault(
        id=name,
        kind=kind,
        node=node,
        targets=frozenset(target.key for target in targets_of(node, targets)),
        behaviour=KINDS[kind].parse(item, where),
        start=None if start is None else now + start,
        end=None if end is None else now + end,
    )


def _window(item: Mapping[Any, Any], where: str) -> tuple[float | None, float | None]:
    start, end = (number(item, key, where) for key in ("start", "end"))
    if end is not None and end <= (start or 0.0):
        raise UsageError(f"{where}: end {end!r}", remedy=f"Give a time after {start or 0.0!r}")
    return start, end


def _refuse_unknown(item: Mapping[Any, Any], known: Sequence[str], where: str) -> None:
    for key in item:
        if key not in known:
            raise UnknownNameError(f"{where}: key {key!r}", remedy=f"Keys: {', '.join(known)}")


def _text(item: Mapping[Any, Any], key: str, where: str) -> str:
    value = item.get(key)
    if not isinstance(value, str) or not value:
        raise UsageError(f"{where}: {key} {value!r}", remedy=f"Give {key} as a non-empty text")
    return value


def _kind(value: object) -> str:
    return f"{type(value).__name__} {str(value)[:80]!r}"
