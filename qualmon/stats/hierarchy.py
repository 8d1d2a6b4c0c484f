"""Nodes of a fleet, and their weights: the false-alarm budget, divided before anything is seen.

Cells are what is asked (a target: platform, model, route). A level is a set of configured axes;
its nodes are the combinations of values found on them, from the fleet as a whole (no axes) to the
single cell (all axes). A fault may strike any node; each runs its own detector on the answers of
all its cells, and the alarmed node is the attribution.

Every level of axes gets an equal part of the budget, divided equally among its nodes: a node of
weight w pays ln(1/w) nats of evidence, and where nothing is known about which kind of fault will
come, equal parts make the sum of these costs over levels smallest. A tenth is kept in reserve for
later additions, so that weights of existing nodes never have to change for them.

An alarm wherever a node's mass reaches A hours comes falsely once in A hours at most, however the
nodes depend on one another: the masses' sum grows by the sum of weights an hour on average.

Source: Shin, Ramdas, Rinaldo, "E-detectors" (NEJSDS 2023): a weighted mean of e-detectors is one.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple

from qualmon.errors import StatisticsError

RESERVE: Final = 0.1

#: Name of the node of all cells.
EVERYTHING: Final = "fleet"


class Node(NamedTuple):
    """Cells that one fault could strike together.

    scope: ``axis=value`` pairs joined by commas, or EVERYTHING. axes: the same as pairs.
    members: cells, sorted. weight: its part of the budget, in (0, 1).
    """

    scope: str
    axes: tuple[tuple[str, str], ...]
    members: tuple[str, ...]
    weight: float


_Group = tuple[tuple[tuple[str, str], ...], tuple[str, ...]]


def nodes(
    cells: Mapping[str, Mapping[str, str]], levels: Sequence[Sequence[str]]
) -> tuple[Node, ...]:
    """Nodes level by level in the order given, by scope within one.

    cells: label values by axis, of each cell. levels: axes of each; () is the whole fleet. A cell
    without one of a level's axes is in no node there. Nodes with the same members say the same
    thing: only that of the last level listed stays, by convention the most specific.
    Weights sum to 1 - RESERVE. Raises StatisticsError without cells, for an axis named twice in a
    level, for a level listed twice, and when no level holds a node.
    """
    if not cells:
        raise StatisticsError("no cells: name at least one with its labels")
    _check_levels(levels)
    groups = _distinct([_level(cells, axes) for axes in levels])
    weights = node_weights([len(level) for level in groups])
    if not any(weights):
        raise StatisticsError(f"no cell has the axes of any level in {list(levels)!r}")
    return tuple(
        Node(scope_of(axes), axes, members, weight)
        for level, weight in zip(groups, weights, strict=True)
        for axes, members in sorted(level, key=lambda group: scope_of(group[0]))
    )


def scope_of(axes: Sequence[tuple[str, str]]) -> str:
    """A node's name from its axes and values, in configured order."""
    return ",".join(f"{axis}={value}" for axis, value in axes) or EVERYTHING


def _check_levels(levels: Sequence[Sequence[str]]) -> None:
    seen: set[frozenset[str]] = set()
    for axes in levels:
        if len(set(axes)) < len(axes):
            raise StatisticsError(f"level {list(axes)!r} names an axis twice")
        if frozenset(axes) in seen:
            raise StatisticsError(f"level {list(axes)!r} is listed twice: keep one")
        seen.add(frozenset(axes))


def _level(cells: Mapping[str, Mapping[str, str]], axes: Sequence[str]) -> list[_Group]:
    found: dict[tuple[tuple[str, str], ...], list[str]] = {}
    for cell, labels in cells.items():
        if all(axis in labels for axis in axes):
            found.setdefault(tuple((axis, labels[axis]) for axis in axes), []).append(cell)
    return [(values, tuple(sorted(members))) for values, members in found.items()]


def _distinct(levels: Sequence[list[_Group]]) -> list[list[_Group]]:
    """Each set of members once, at the last level that has it (in a level: first by scope)."""
    seen: set[tuple[str, ...]] = set()
    kept: list[list[_Group]] = []
    for level in reversed(levels):
        chosen = []
        for axes, members in sorted(level, key=lambda group: scope_of(group[0])):
            if members not in seen:
                seen.add(members)
                chosen.append((axes, members))
        kept.append(chosen)
    return kept[::-1]


def node_weights(level_sizes: Sequence[int]) -> list[float]:
    """Weight of one node of each level; sizes are counts of nodes, zero for an empty level.

    The weights times sizes sum to at most 1 - RESERVE.
    """
    levels = sum(1 for size in level_sizes if size)
    return [(1.0 - RESERVE) / levels / size if size else 0.0 for size in level_sizes]


def channel_weights(families: Sequence[str]) -> list[float]:
    """Weight of each channel, given its family: families share equally, then their channels."""
    kinds = sorted(set(families))
    return [1.0 / len(kinds) / families.count(family) for family in families]
