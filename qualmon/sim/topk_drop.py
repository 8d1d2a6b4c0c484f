"""The fault `topk-drop`: a binned approximate top-k that sometimes loses the best token.

Approximate top-k splits the vocabulary into bins and keeps each bin's maximum. Here the maxima
are stored as bfloat16 while candidates are compared with them in float32: where rounding went
up, the bin's own winner lies below its "maximum" and is lost. The kernel with this mismatch
runs only for the rows of a partly filled last tile; full tiles take the exact path. So the
fault depends on the batch size, on the logit, and moves with the row from step to step.

Rate: a batch of B rows in tiles of T has p = B mod T rows in the partly filled tile. Rows are
equally likely, and float32 values lie above and below their bfloat16 neighbours equally often,
so the best token is lost with probability p / B / 2: 1/45/2 = 1.1 % at 45 = 44 + 1,
5/49/2 = 5.1 % at 49 = 44 + 5, 1/265/2 = 0.19 % at 265 = 6 * 44 + 1.

Source: Chern et al. 2022, TPU-KNN (recall of a binned top-k); postmortem of 2025-09, bug 3.
"""

from __future__ import annotations

import hashlib
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from qualmon.errors import UsageError
from qualmon.sim.behaviour import count, share, switch
from qualmon.sim.language import WIDTH
from qualmon.sim.pool import Pool
from qualmon.sim.sampler import Asked, Choice, Draw
from qualmon.sim.step import Step

#: Rows in a tile, and the width of the vector unit that bins come in multiples of.
TILE = 44
LANES = 128

#: How near the geometry comes to the rate that was asked, as a share of it.
TOLERANCE = 0.12

_RATE = 0.01
_SHARE = 0.5
_RECALL = 0.95
_LARGEST_BATCH = 65536
_FULL_TILES = 4
#: Raw logits carry a free offset; the best one lies between these.
_LOWEST, _SPAN = 12.0, 16.0

_Floats = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class TopKDrop:
    """An approximate top-k whose bins lose winners, in batches of the sizes `batches`.

    rate: chance per token, in those batches, that the most probable token is dropped. share: of
    requests that run in them; the others run in full tiles and are healthy. recall_target: of
    the top-k, from which `bins` follow. logprobs_after: whether log-probabilities are reported
    from what the fault left, which hides it from them.
    """

    keys: ClassVar[tuple[str, ...]] = (
        "rate", "share", "tile", "batches", "bins", "recall_target", "logprobs_after",
    )  # fmt: skip
    rate: float
    share: float
    tile: int
    batches: tuple[int, ...]
    bins: int
    recall_target: float
    logprobs_after: bool

    @classmethod
    def parse(cls, values: Mapping[str, Any], where: str) -> Self:
        """Reads the geometry: the nearest one to `rate`, or that of `batches`."""
        tile = count(values, "tile", where, TILE)
        if values.get("batches") is None:
            rate = share(values, "rate", where, _RATE, of="a probability per token")
            batches: tuple[int, ...] = (_batch_of(rate, tile, where),)
        else:
            batches = _sizes(values, tile, where)
        recall = share(values, "recall_target", where, _RECALL, of="a recall")
        return cls(
            rate=drop_rate(batches, tile),
            share=share(values, "share", where, _SHARE, of="a share of requests"),
            tile=tile,
            batches=batches,
            bins=count(values, "bins", where, bins_for(recall)),
            recall_target=recall,
            logprobs_after=switch(values, "logprobs_after", where),
        )

    def pool(self, asked: Asked, name: str) -> Pool | None:
        """None: the usual pool answers."""
        del asked, name
        return None

    def batch(self, uniform: float) -> int:
        """The size of the batch that a request runs in: the load, by a number in [0, 1)."""
        if uniform < self.share:
            return self.batches[int(uniform / self.share * len(self.batches))]
        spread = (uniform - self.share) / (1.0 - self.share)
        return self.tile * (1 + int(spread * _FULL_TILES))

    def wrap(self, draw: Draw, asked: Asked, name: str) -> Draw:
        """Draws among the survivors where the step's row lies in the partly filled tile."""
        uniform = asked.random(f"fault {name}").random
        batch = self.batch(uniform())
        full = batch - batch % self.tile
        if full == batch:
            return draw
        deployment, bins, after = f"{asked.seed}\x1f{name}".encode(), self.bins, self.logprobs_after

        def dropping(step: Step) -> Choice:
            if int(uniform() * batch) < full:
                return draw(step)
            reported, index = draw(step.only(survivors(step, bins, deployment)))
            if after:
                return reported, index
            return step, step.pieces.index(reported.pieces[index])

        return dropping


def survivors(step: Step, bins: int, deployment: bytes = b"") -> list[int]:
    """Indices of the candidates that the faulty top-k keeps; all of them if it kept none.

    Candidates are the healthy pieces; foreign ones lie far below the last of the top k.
    `deployment` names the compiled program, on which the logits' offset depends.
    """
    logits = _logits(step, deployment)
    lanes = np.array(
        [zlib.crc32(piece.encode("utf-8")) % bins for piece in step.pieces[: step.healthy]]
    )
    maxima = np.full(bins, -np.inf, dtype=np.float32)
    np.maximum.at(maxima, lanes, logits)
    kept = np.flatnonzero(logits >= bfloat16(maxima[lanes]))
    return [int(index) for index in kept] or list(range(step.healthy))


def bfloat16(values: _Floats) -> _Floats:
    """Finite float32 values rounded to bfloat16, to nearest, ties to even; float32 again."""
    bits = values.view(np.uint32)
    half = np.uint32(0x7FFF) + ((bits >> np.uint32(16)) & np.uint32(1))
    return ((bits + half) & np.uint32(0xFFFF0000)).view(np.float32)


def drop_rate(batches: tuple[int, ...], tile: int) -> float:
    """Chance per token that the best one is dropped, over batches of these sizes alike."""
    return sum(batch % tile / batch for batch in batches) / len(batches) / 2.0


def bins_for(recall: float) -> int:
    """Fewest bins, in whole lanes, whose expected recall of WIDTH candidates is `recall`.

    With L bins a candidate shares its bin with a better one with probability
    1 - (1 - 1/L)^(WIDTH - 1) at most.
    """
    bins = LANES
    while (1.0 - 1.0 / bins) ** (WIDTH - 1) < min(recall, 0.999):
        bins += LANES
    return bins


def _logits(step: Step, deployment: bytes) -> _Floats:
    """Float32 logits: log-probabilities and the offset that softmax does not see."""
    logprobs = step.logprobs[: step.healthy]
    digest = hashlib.blake2b(deployment + logprobs.tobytes(), digest_size=8).digest()
    offset = _LOWEST + _SPAN * int.from_bytes(digest) / 2.0**64
    return (np.array(logprobs) + offset).astype(np.float32)


def _batch_of(rate: float, tile: int, where: str) -> int:
    """The smallest batch whose drop rate is `rate` within TOLERANCE. Raises UsageError."""
    for batch in range(1, _LARGEST_BATCH + 1):
        if abs(drop_rate((batch,), tile) - rate) <= TOLERANCE * rate:
            return batch
    raise UsageError(
        f"{where}: rate {rate!r}",
        remedy=f"No batch up to {_LARGEST_BATCH} in tiles of {tile} has this rate: take one of "
        "at most 0.5 or another tile",
    )


def _sizes(values: Mapping[str, Any], tile: int, where: str) -> tuple[int, ...]:
    sizes = values["batches"]
    if values.get("rate") is not None:
        raise UsageError(
            f"{where}: rate {values['rate']!r} and batches",
            remedy="Give one of them: the sizes and the tile make the rate",
        )
    if not isinstance(sizes, list | tuple) or not sizes:
        raise UsageError(f"{where}: batches {sizes!r}", remedy="Give a list of sizes such as [45]")
    for size in sizes:
        if isinstance(size, bool) or not isinstance(size, int) or size < 1 or size % tile == 0:
            raise UsageError(
                f"{where}: batches {size!r}",
                remedy=f"Give whole numbers that are no multiples of the tile, {tile}",
            )
    return tuple(sizes)
