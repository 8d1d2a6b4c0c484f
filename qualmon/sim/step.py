"""One position of an answer: the healthy model's whole next-token distribution."""

from __future__ import annotations

from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Sequence
from itertools import accumulate
from math import exp, fsum, log
from typing import NamedTuple

from qualmon.sim.vocabulary import FOREIGN

#: Probability of all foreign pieces together in a healthy step: about one in a thousand
#: million tokens, far below what any run of the simulator draws.
FOREIGN_MASS = 1e-9

_FOREIGN_TAIL = tuple((piece, FOREIGN_MASS / len(FOREIGN)) for piece in FOREIGN)
_MAX_CUTS = 8


class Sampling(NamedTuple):
    """Sampler settings. temperature >= 0 (0: the argmax), top_k 0 is off, top_p in (0, 1]."""

    temperature: float = 1.0
    top_k: int = 0
    top_p: float = 1.0

    @property
    def neutral(self) -> bool:
        """Whether tokens are drawn from the model's own distribution."""
        return self == Sampling()


class Step:
    """A distribution over pieces of text, most probable first, foreign pieces last.

    `pieces`, `logprobs` (nats; they sum to one as probabilities) and `first`, the probability
    of the favourite, never change. `wire` is scratch space for encoders: what they prepare
    for a step lives exactly as long as the step.
    """

    __slots__ = ("_cumulative", "_cuts", "first", "healthy", "logprobs", "pieces", "wire")

    def __init__(
        self,
        ranked: Sequence[tuple[str, float]],
        tail: Sequence[tuple[str, float]] = _FOREIGN_TAIL,
    ) -> None:
        """`ranked`: pieces with probabilities that fall; they and those of `tail` sum to 1."""
        self.pieces = (*(piece for piece, _ in ranked), *(piece for piece, _ in tail))
        weights = [*(weight for _, weight in ranked), *(weight for _, weight in tail)]
        self.healthy = len(ranked)
        self.logprobs = array("d", map(log, weights))
        self.first = weights[0]
        self.wire: dict[int, tuple[bytes, bytes]] = {}
        self._cumulative = array("d", accumulate(weights))
        self._cuts: dict[Sampling, array[float]] = {}

    def only(self, kept: Sequence[int]) -> Step:
        """The step that is left when only the pieces at `kept`, rising indices, may be said."""
        weights = [exp(self.logprobs[index]) for index in kept]
        total = fsum(weights)
        left = zip(kept, weights, strict=True)
        return Step([(self.pieces[index], weight / total) for index, weight in left], tail=())

    def shifted(self, shift: Callable[[], float]) -> Step:
        """The step with one `shift`, in nats, added to each healthy piece's logit.

        `shift` is called once per piece, the most probable first. Foreign pieces keep theirs.
        """
        healthy = range(self.healthy)
        weights = [exp(self.logprobs[index] + shift()) for index in healthy]
        scale = (1.0 - FOREIGN_MASS) / fsum(weights)
        ranked = sorted(healthy, key=lambda index: -weights[index])
        return Step([(self.pieces[index], weights[index] * scale) for index in ranked])

    def locate(self, uniform: float) -> int:
        """Index of the piece that a uniform number in [0, 1) draws."""
        return _locate(self._cumulative, uniform)

    def locate_cut(self, uniform: float, sampling: Sampling) -> int:
        """The same after temperature (> 0), then top_k, then top_p, as inference servers do."""
        cut = self._cuts.get(sampling)
        if cut is None:
            if len(self._cuts) >= _MAX_CUTS:
                self._cuts.clear()
            cut = self._cuts[sampling] = self._cut(sampling)
        return _locate(cut, uniform)

    def _cut(self, sampling: Sampling) -> array[float]:
        """Cumulative weights of the pieces that the settings leave, relative to the first."""
        top = self.logprobs[0]
        kept = self.logprobs[: sampling.top_k or None]
        weights = (exp((logprob - top) / sampling.temperature) for logprob in kept)
        cumulative = array("d", accumulate(weights))
        if sampling.top_p == 1.0:
            return cumulative
        # The nucleus is the smallest set that reaches top_p: the piece that crosses is in.
        return cumulative[: 1 + bisect_left(cumulative, sampling.top_p * cumulative[-1])]


def _locate(cumulative: Sequence[float], uniform: float) -> int:
    """Inverse of a cumulative sum; rounding at its end never leads past the last piece."""
    return min(bisect_right(cumulative, uniform * cumulative[-1]), len(cumulative) - 1)
