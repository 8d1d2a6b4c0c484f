"""Counts of the past at growing resolution."""

from __future__ import annotations

from collections import Counter

from qualmon.stats import blocks
from qualmon.stats.blocks import Block, Blocks


def _pushed(rounds: int) -> Blocks:
    history: Blocks = ()
    for index in range(rounds):
        history = blocks.push(history, float(index), n=index % 5, hits=index % 2)
    return history


def test_nothing_is_lost() -> None:
    """Blocks hold every answer and hit, in order, without a gap."""
    history = _pushed(1000)
    assert sum(block.rounds for block in history) == 1000
    assert sum(block.n for block in history) == sum(i % 5 for i in range(1000))
    assert sum(block.hits for block in history) == 500
    starts = [0.0]
    for block in history[:-1]:
        starts.append(starts[-1] + block.rounds)
    assert [block.start for block in history] == starts


def test_at_most_two_blocks_of_each_size() -> None:
    """Memory is logarithmic, and sizes never rise towards the present."""
    for rounds in (1, 2, 3, 7, 100, 4096, 5000):
        sizes = [block.rounds for block in _pushed(rounds)]
        assert sizes == sorted(sizes, reverse=True)
        assert all(count <= 2 for count in Counter(sizes).values())
        assert all(size & (size - 1) == 0 for size in sizes)


def test_the_last_rounds_are_apart() -> None:
    """Recent onsets are resolved to the round."""
    assert _pushed(64)[-1] == Block(63.0, 1, 63 % 5, 1)


def test_since_counts_whole_blocks_from_a_start_on() -> None:
    """A block that begins before the onset is left out whole."""
    history = (Block(0.0, 4, 40, 4), Block(4.0, 2, 20, 2), Block(6.0, 1, 10, 1))
    assert blocks.since(history, 0.0) == (70, 7)
    assert blocks.since(history, 4.0) == (30, 3)
    assert blocks.since(history, 5.0) == (10, 1)
    assert blocks.since(history, 7.0) == (0, 0)


def test_the_oldest_block_is_dropped_beyond_ten_years() -> None:
    """A full history forgets its oldest block rather than grow for ever."""
    size = 2**20
    full = (Block(0.0, size, 5, 0), Block(1.0, size, 6, 0))
    late = blocks.push((*full, Block(2.0, size // 2, 7, 0)), 3.0, 1, 0)
    assert [block.n for block in late] == [5, 6, 7, 1]
    chain = tuple(Block(float(k), 2 ** (20 - k // 2), 1, 0) for k in range(42))
    merged = blocks.push(chain, 99.0, 1, 0)
    assert all(block.rounds <= size for block in merged)
    assert sum(block.n for block in merged) == 41
