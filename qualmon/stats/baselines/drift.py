"""Slow drift of a target against the others: seven-day blocks of log-odds offsets.

A detector with a self-starting reference follows slow change; this watches for it. Each block of
days gives each target's offset relative to the others (`offsets`), compared with a frozen anchor
that is never updated. Means of the last 1, 2, 4, ... blocks share the error rate, so that both a
step and a slope are found. The unit is the day; a block's error is taken from its own days and
from the anchor's, whichever is larger, for seven days alone show too little spread too often.

Catches: a target that becomes steadily worse or better than the others, over weeks; both sides.
Blind to: drift common to all targets, and drift that lies in the anchor already.
Source: Liang and Zeger, Biometrika 73 (1986), the errors; Welch, Biometrika 34 (1947), degrees.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.special import stdtr

from qualmon.errors import StatisticsError
from qualmon.stats.baselines.offsets import fit
from qualmon.stats.esr import Floats

#: Lengths of the windows, in blocks.
WINDOWS: Final = (1, 2, 4, 8)


class Block(NamedTuple):
    """Offsets of the targets over some days. offset, variance: (k,); days: at least 2."""

    offset: Floats
    variance: Floats
    days: int


class Drift(NamedTuple):
    """change: (k,), log odds against the anchor in the window with the smallest p-value, whose
    length in blocks is `blocks`. p_value: (k,), two-sided, corrected for the windows. ticket:
    (k,), whether it is at most the stated rate."""

    change: Floats
    blocks: NDArray[np.int64]
    p_value: Floats
    ticket: NDArray[np.bool_]


def block(bad: Floats, n: Floats) -> Block:
    """A block, or the anchor, from counts (days, strata, targets) as in `offsets`.

    Raises StatisticsError as `offsets` does; an anchor needs thirty days or so.
    """
    found = fit(bad, n)
    return Block(found.offset, np.maximum(found.model, found.between), found.sessions)


def drift(anchor: Block, blocks: Sequence[Block], rate: float = 0.01) -> Drift:
    """Whether the latest blocks (oldest first) differ from the anchor.

    rate: expected false tickets per target and block, in (0, 1); .01 is one in two years. Once
    reported, the ticket stays open until the anchor is accepted anew. Raises StatisticsError
    for no block, blocks of other targets than the anchor's, or an impossible rate.
    """
    if not 0.0 < rate < 1.0:
        raise StatisticsError(f"rate {rate!r} is not in (0, 1)")
    if not blocks or any(b.offset.shape != anchor.offset.shape for b in blocks):
        raise StatisticsError("give at least one block, each of the anchor's targets")
    lengths = [length for length in WINDOWS if length <= len(blocks)]
    tried = [_compared(anchor, blocks[-length:]) for length in lengths]
    changes = np.stack([change for change, _ in tried])
    p_values = np.minimum(np.stack([p for _, p in tried]) * len(lengths), 1.0)
    best, targets = p_values.argmin(axis=0), np.arange(anchor.offset.size)
    p_value = p_values[best, targets]
    return Drift(
        changes[best, targets], np.asarray(lengths, dtype=np.int64)[best], p_value, p_value <= rate
    )


def _compared(anchor: Block, window: Sequence[Block]) -> tuple[Floats, Floats]:
    """Change of the window's mean against the anchor, and its two-sided p-value, (k,) each."""
    change = np.mean([b.offset for b in window], axis=0) - anchor.offset
    per_day = anchor.variance * anchor.days
    own = np.stack([np.maximum(b.variance, per_day / b.days) for b in window])
    recent = own.sum(axis=0) / len(window) ** 2
    degrees = _welch([recent, anchor.variance], [sum(b.days - 1 for b in window), anchor.days - 1])
    score = np.abs(change) / np.sqrt(recent + anchor.variance)
    return change, 2.0 * np.asarray(stdtr(degrees, -score))


def _welch(variances: list[Floats], degrees: list[int]) -> Floats:
    """Degrees of freedom of a sum of independent variances, each with its own."""
    parts = [v**2 / d for v, d in zip(variances, degrees, strict=True)]
    return np.asarray(sum(variances) ** 2 / sum(parts))
