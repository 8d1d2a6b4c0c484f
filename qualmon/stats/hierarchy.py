"""Weights of nodes: the false-alarm budget, divided before anything is seen.

Every level of axes gets an equal part, divided equally among its nodes; a tenth is kept in
reserve for later additions, so that weights of existing nodes never have to change for them.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

RESERVE: Final = 0.1


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
