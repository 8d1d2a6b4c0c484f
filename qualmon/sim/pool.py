"""A second pool of servers behind one target: the same model, served a little differently."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from random import Random

from qualmon.sim.step import Step


@dataclass(frozen=True, slots=True)
class Pool:
    """How a pool differs from the usual one; model, headers and template are the same.

    name: of the pool, from which its deviations follow. sd: standard deviation of the shift of
    each logit, nats. window: prompt tokens that it keeps, the last ones. delay: seconds that
    its answers come later.
    """

    name: str
    sd: float
    window: int
    delay: float

    def served(self, step: Step, place: str) -> Step:
        """The step as this pool computes it at `place`: model, prompt and position."""
        name = f"{self.name}\x1f{place}".encode("utf-8", "surrogatepass")
        digest = hashlib.blake2b(name, digest_size=16).digest()
        gauss, sd = Random(int.from_bytes(digest)).gauss, self.sd
        return step.shifted(lambda: gauss(0.0, sd))

    def lost(self, prompt_tokens: int) -> float:
        """Share of a prompt that falls out of the window, in [0, 1)."""
        return max(0.0, 1.0 - self.window / max(prompt_tokens, 1))
