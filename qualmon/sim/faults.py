"""Planted faults: what goes wrong, where, and from when to when.

A kind of fault is one class with `parse` and `wrap`, and one line in KINDS. `wrap` stands
between the healthy sampler and the answer: it sees each step, and says which step is
reported and which token is sent.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Protocol, Self

from qualmon.errors import UnknownNameError, UsageError
from qualmon.sim.sampler import Asked, Choice, Draw
from qualmon.sim.scope import targets_of
from qualmon.sim.step import Step
from qualmon.sim.vocabulary import FOREIGN
from qualmon.types import Target

_COMMON_KEYS = ("id", "kind", "node", "start", "end")


class Behaviour(Protocol):
    """What a kind of fault does to the sampling loop."""

    #: Keys that this kind reads besides the common ones.
    keys: ClassVar[tuple[str, ...]]

    @classmethod
    def parse(cls, values: Mapping[str, Any], where: str) -> Self:
        """Reads the kind's own keys. Raises UsageError naming `where` and the value."""
        ...

    def wrap(self, draw: Draw, asked: Asked, name: str) -> Draw:
        """The sampler with the fault `name` in it, for the request `asked`."""
        ...


@dataclass(frozen=True, slots=True)
class Corruption:
    """With probability `rate` per token, a foreign piece is sent in place of the drawn one.

    The reported log-probabilities stay those of the healthy model.
    """

    keys: ClassVar[tuple[str, ...]] = ("rate",)
    rate: float

    @classmethod
    def parse(cls, values: Mapping[str, Any], where: str) -> Self:
        """Reads `rate`, in (0, 1]."""
        rate = _number(values, "rate", where)
        if rate is None or not 0.0 < rate <= 1.0:
            raise UsageError(
                f"{where}: rate {values.get('rate')!r}",
                remedy="Give a probability per token above 0, at most 1, such as 0.001",
            )
        return cls(rate)

    def wrap(self, draw: Draw, asked: Asked, name: str) -> Draw:
        """Draws as before, then replaces: answers differ only where the fault struck."""
        uniform, rate = asked.random(f"fault {name}").random, self.rate

        def corrupted(step: Step) -> Choice:
            choice = draw(step)
            if uniform() >= rate:
                return choice
            return step, step.healthy + int(uniform() * len(FOREIGN))

        return corrupted


KINDS: Mapping[str, type[Behaviour]] = {"corruption": Corruption}


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


def infect(draw: Draw, faults: Sequence[Fault], asked: Asked, now: float) -> Draw:
    """`draw` with every fault that strikes this request at `now`, in the order given."""
    for fault in faults:
        if fault.strikes(asked.target, now):
            draw = fault.behaviour.wrap(draw, asked, fault.id)
    return draw


def parse_faults(items: object, targets: Sequence[Target], now: float) -> tuple[Fault, ...]:
    """Faults from a list of mappings {id, kind, node, rate, start, end}.

    start and end are seconds relative to `now`; absent means always on, and never over.
    Raises UnknownNameError for a kind, axis or place that does not exist (the message lists
    those that do), UsageError for everything else that is wrong.
    """
    if not isinstance(items, list | tuple):
        raise UsageError(f"faults: {_kind(items)}", remedy="Give a list of mappings")
    faults = tuple(_parse(item, f"fault {at + 1}", targets, now) for at, item in enumerate(items))
    names = [fault.id for fault in faults]
    for name in names:
        if names.count(name) > 1:
            raise UsageError(f"faults: id {name!r} twice", remedy="Give each fault its own id")
    return faults


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
    start, end = (_number(item, key, where) for key in ("start", "end"))
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


def _number(item: Mapping[Any, Any], key: str, where: str) -> float | None:
    value = item.get(key)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise UsageError(f"{where}: {key} {value!r}", remedy=f"Give {key} as a finite number")
    return float(value)


def _kind(value: object) -> str:
    return f"{type(value).__name__} {str(value)[:80]!r}"
