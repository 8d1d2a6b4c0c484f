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
    size = 1
    while size <= _MAX_ROUNDS:
        same = [i for i, block in enumerate(merged) if block.rounds == size]
        if len(same) <= 2:
            break
        i, j = same[0], same[1]
        old, new = merged[i], merged[j]
        merged[i : j + 1] = [Block(old.start, 2 * size, old.n + new.n, old.hits + new.hits)]
        size *= 2
    return tuple(block for block in merged if block.rounds <= _MAX_ROUNDS)


def since(blocks: Blocks, start: float) -> tuple[int, int]:
    """(answers, hits) of the blocks that begin at or after `start`."""
    chosen = [block for block in blocks if block.start >= start]
    return sum(block.n for block in chosen), sum(block.hits for block in chosen)
