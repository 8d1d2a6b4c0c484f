"""Everything that the fold needs besides the rounds: one epoch's rules, as data.

An epoch is written to the log before its first round is folded; rebuilding the state reads
it from there and fits, compiles and configures nothing.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from qualmon.incidents import DIFFERENCE_FAMILIES
from qualmon.stats.detector import EVENTS, TOKENS
from qualmon.stats.esr import Floats
from qualmon.stats.hierarchy import channel_weights, node_weights
from qualmon.types import ChannelInfo, Node, Target, family_of

#: An answer whose own e-value reaches this counts as a hit; by Markov at most 1 in 100 while
#: healthy, which is then the channel's bound for the share.
EVENT_LEVEL = 100.0
#: From here on an answer's e-value supports an alarm.
SUPPORT_LEVEL = 10.0
#: Per-token bets treat a missing answer as this many tokens without evidence.
MISSING_TOKENS = 128


Flags = NDArray[np.bool_]


class Rows(NamedTuple):
    """Where a family's channels stand in the state's two arrays."""

    events: tuple[int, ...]
    tokens: tuple[int, ...]


@dataclass(frozen=True)
class FoldRules:
    """One epoch. Times in seconds, budget in hours, shares in [0, 1].

    events / tokens: channels bet on the share grid and on the token-drop grid, sorted.
    bounds: healthy rate per channel. feeds: channels of each probe, by ``suite/probe``;
    versions: the probe's version likewise.
    platforms: shared-shock component of each target; its keys are the targets of the epoch.
    """

    started: float
    nodes: tuple[Node, ...]
    events: tuple[str, ...]
    tokens: tuple[str, ...]
    bounds: Mapping[str, float]
    feeds: Mapping[str, Sequence[str]]
    versions: Mapping[str, str]
    platforms: Mapping[str, str]
    budget_hours: float
    min_share: float
    burn_in: float
    clean_for: float
    recovery_alpha: float
    page_on_change: bool = False

    @cached_property
    def channels(self) -> tuple[str, ...]:
        """All channels that can open an incident."""
        return self.events + self.tokens

    @cached_property
    def rows(self) -> Mapping[str, Rows]:
        """Rows of each family, families sorted."""
        return {
            family: Rows(
                tuple(i for i, c in enumerate(self.events) if family_of(c) == family),
                tuple(i for i, c in enumerate(self.tokens) if family_of(c) == family),
            )
            for family in sorted({family_of(channel) for channel in self.channels})
        }

    @property
    def families(self) -> tuple[str, ...]:
        """Families of those channels, sorted."""
        return tuple(self.rows)

    def channels_of(self, family: str) -> tuple[str, ...]:
        """A family's channels in the order of its rows, events first; none if unknown."""
        rows = self.rows.get(family, Rows((), ()))
        return (*(self.events[i] for i in rows.events), *(self.tokens[i] for i in rows.tokens))

    @cached_property
    def by_user(self) -> Flags:
        """Event channels on which a user's answers of a round are one bet, shape (events,):
        where a fault serves some users differently, their answers go bad together."""
        return np.array([family_of(c) in DIFFERENCE_FAMILIES for c in self.events], dtype=np.bool_)

    @cached_property
    def place(self) -> Mapping[str, int]:
        """Index of each node by its scope."""
        return {node.scope: i for i, node in enumerate(self.nodes)}

    @cached_property
    def around(self) -> Mapping[str, tuple[int, ...]]:
        """Indices of the nodes that each target belongs to, rising."""
        found: dict[str, list[int]] = {}
        for i, node in enumerate(self.nodes):
            for target in node.targets:
                found.setdefault(target, []).append(i)
        return {target: tuple(indices) for target, indices in found.items()}

    def touching(self, targets: Iterable[str]) -> list[int]:
        """Indices of the nodes that hold any of `targets`, rising."""
        return sorted({i for target in targets for i in self.around.get(target, ())})

    @cached_property
    def drift_parts(self) -> tuple[Floats, Floats]:
        """Part of a node's weight that each bet gets: shapes (events, 10) and (tokens, 13)."""
        weights = channel_weights([family_of(channel) for channel in self.channels])
        split = len(self.events)
        return (
            np.outer(weights[:split], EVENTS.weights),
            np.outer(weights[split:], TOKENS.weights),
        )

    def dump(self) -> bytes:
        """Canonical JSON; equal rules give equal bytes."""
        return json.dumps(asdict(self), sort_keys=True, separators=(",", ":")).encode()

    @classmethod
    def load(cls, doc: bytes) -> FoldRules:
        """Inverse of dump."""
        raw: dict[str, Any] = json.loads(doc)
        nodes = tuple(
            Node(n["scope"], tuple((a, v) for a, v in n["axes"]), tuple(n["targets"]), n["weight"])
            for n in raw.pop("nodes")
        )
        events, tokens = tuple(raw.pop("events")), tuple(raw.pop("tokens"))
        return cls(nodes=nodes, events=events, tokens=tokens, **raw)


def build_nodes(targets: Sequence[Target], axes: Iterable[Sequence[str]]) -> tuple[Node, ...]:
    """One node per combination of values on each level of axes, with its weight.

    Nodes with the same members say the same thing; the one of the last level listed stays,
    the most specific by convention. A target without one of the labels is in no node there.
    """
    levels = [_level(targets, level) for level in axes]
    seen: set[tuple[str, ...]] = set()
    for level in reversed(levels):
        for scope in sorted(level):
            members = level[scope][1]
            if members in seen:
                del level[scope]
            seen.add(members)
    weights = node_weights([len(level) for level in levels])
    return tuple(
        Node(scope, values, members, weight)
        for level, weight in zip(levels, weights, strict=True)
        for scope, (values, members) in sorted(level.items())
    )


_Level = dict[str, tuple[tuple[tuple[str, str], ...], tuple[str, ...]]]


def _level(targets: Sequence[Target], axes: Sequence[str]) -> _Level:
    groups: dict[tuple[str, ...], list[str]] = {}
    for target in targets:
        values = [target.axis(axis) for axis in axes]
        if None not in values:
            groups.setdefault(tuple(str(v) for v in values), []).append(target.key)
    return {
        scope_of(pairs): (pairs, tuple(sorted(keys)))
        for values, keys in groups.items()
        for pairs in [tuple(zip(axes, values, strict=True))]
    }


def scope_of(axes: Sequence[tuple[str, str]]) -> str:
    """``fleet``, or ``axis=value`` pairs joined by a comma in configured order."""
    return ",".join(f"{axis}={value}" for axis, value in axes) or "fleet"


def pageable(channels: Iterable[ChannelInfo]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """(event channels with a declared bound, self-normalised channels), each sorted."""
    infos = sorted(channels, key=lambda info: info.name)
    events = tuple(i.name for i in infos if i.null == "invariant" and i.kind == "event")
    return events, tuple(i.name for i in infos if i.null == "self" and i.kind == "e_value")
