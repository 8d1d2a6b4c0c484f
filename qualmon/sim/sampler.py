"""The sampling loop's inside: a uniform number and a step become a token.

A `Draw` turns a step into a choice. Faults wrap it (qualmon.sim.faults), so that what they do
happens where it happens in a real server: after the distribution is known, before the token
is sent. The choice names the step that was reported, which a fault may replace too.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from random import Random

from qualmon.sim.step import Sampling, Step
from qualmon.types import Target

#: The step whose log-probabilities are reported, and the index of the token that is sent.
Choice = tuple[Step, int]
Draw = Callable[[Step], Choice]


@dataclass(frozen=True, slots=True)
class Asked:
    """Whom a request asks, and the name of the request: all that its randomness hangs on.

    identity: who asks; it decides the way through the fleet, never a draw.
    """

    seed: int
    target: Target
    request: str
    identity: str = "anonymous"

    def random(self, purpose: str) -> Random:
        """A generator of its own for each purpose, the same in whatever order requests come."""
        return Random(int.from_bytes(self.digest(purpose)))

    def digest(self, purpose: str) -> bytes:
        """16 bytes over seed, target, request and purpose."""
        name = "\x1f".join((str(self.seed), self.target.key, self.request, purpose))
        return hashlib.blake2b(name.encode("utf-8", "surrogatepass"), digest_size=16).digest()


def sampler(sampling: Sampling, random: Random) -> Draw:
    """A healthy sampler: temperature, then top_k, then top_p, then one uniform draw."""
    if sampling.temperature == 0.0:
        return _argmax
    uniform = random.random
    if sampling.neutral:

        def draw(step: Step) -> Choice:
            u = uniform()
            return (step, 0) if u < step.first else (step, step.locate(u))

        return draw
    return lambda step: (step, step.locate_cut(uniform(), sampling))


def _argmax(step: Step) -> Choice:
    return step, 0
