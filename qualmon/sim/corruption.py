"""The fault `corruption`: foreign tokens in the place of drawn ones."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Self

from qualmon.sim.behaviour import share
from qualmon.sim.pool import Pool
from qualmon.sim.sampler import Asked, Choice, Draw
from qualmon.sim.step import Step
from qualmon.sim.vocabulary import FOREIGN


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
        return cls(share(values, "rate", where, of="a probability per token"))

    def pool(self, asked: Asked, name: str) -> Pool | None:
        """None: the usual pool answers."""
        del asked, name
        return None

    def wrap(self, draw: Draw, asked: Asked, name: str) -> Draw:
        """Draws as before, then replaces: answers differ only where the fault struck."""
        uniform, rate = asked.random(f"fault {name}").random, self.rate

        def corrupted(step: Step) -> Choice:
            choice = draw(step)
            if uniform() >= rate:
                return choice
            return step, step.healthy + int(uniform() * len(FOREIGN))

        return corrupted
