"""Counts over the recent past at geometrically growing resolution.

An exponential histogram: at most two blocks of each size (1, 2, 4, ... rounds), so a long
history costs a logarithmic number of blocks, and every block start is a candidate onset.
Source: Datar, Gionis, Indyk, Motwani, SIAM J. Comput. 31 (2002).
"""

from __future__ import annotations

from typing import NamedTuple


class Block(NamedTuple):
    """Answers and hits of `rounds` consecutive rounds, the first at slot time `start`."""

    start: float
    rounds: int
    n: int
    hits: int


Blocks = tuple[Block, ...]

#: 2**20 rounds are ten years at five minutes; the oldest block beyond that is dropped.
_MAX_ROUNDS = 2**20


def push(blocks: Blocks, start: float, n: int, hits: int) -> Blocks:
    """Adds one round at the end (newest last) and merges what became too many."""
    merged = [*blocks, Block(start, 1, n, hits)]
    # Sizes never rise towards the end, so three of a kind are the last three of their size.
    last = len(merged) - 1
    while last >= 2 and merged[last].rounds == merged[last - 2].rounds:
        merged[last - 2 : last] = [_joined(merged[last - 2], merged[last - 1])]
        last -= 2
    if merged[0].rounds > _MAX_ROUNDS:
        del merged[0]
    return tuple(merged)


def _joined(old: Block, new: Block) -> Block:
    return Block(old.start, old.rounds + new.rounds, old.n + new.n, old.hits + new.hits)


def since(blocks: Blocks, start: float) -> tuple[int, int]:
    """(answers, hits) of the blocks that begin at or after `start`."""
    n = hits = 0
    for block in reversed(blocks):
        if block.start < start:
            break
        n, hits = n + block.n, hits + block.hits
    return n, hits
