"""The fault `misroute`: some identities are served by a second pool of the same target.

Sticky: whether an identity is struck hangs on the seed, the fault, the identity and the
platform alone, so that one identity sees the fault always or never, and a single one sees
nothing of a rare fault at all. Source: postmortem of 2025-09, bug 1 (context window routing).
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Self

from qualmon.sim.behaviour import amount, count, share
from qualmon.sim.pool import Pool
from qualmon.sim.sampler import Asked, Draw

_SHARE = 0.16
_SD = 0.3
_WINDOW = 256
_DELAY = 0.2


@dataclass(frozen=True, slots=True)
class Misroute:
    """A `share` of identities meets a pool that differs by `sd`, `window` and `delay`.

    Units are those of qualmon.sim.pool.Pool: nats, prompt tokens kept, seconds.
    """

    keys: ClassVar[tuple[str, ...]] = ("share", "sd", "window", "delay")
    share: float
    sd: float
    window: int
    delay: float

    @classmethod
    def parse(cls, values: Mapping[str, Any], where: str) -> Self:
        """Reads the share of identities and what the pool differs in."""
        return cls(
            share(values, "share", where, _SHARE, of="a share of identities"),
            amount(values, "sd", where, _SD),
            count(values, "window", where, _WINDOW),
            amount(values, "delay", where, _DELAY),
        )

    def strikes(self, asked: Asked, name: str) -> bool:
        """Whether the fault `name` sends this identity, at this platform, to the other pool."""
        parts = (str(asked.seed), name, asked.identity, asked.target.platform)
        text = "\x1f".join(parts).encode("utf-8", "surrogatepass")
        digest = hashlib.blake2b(text, digest_size=8).digest()
        return int.from_bytes(digest) < self.share * 2.0**64

    def pool(self, asked: Asked, name: str) -> Pool | None:
        """The second pool for identities that are struck, which differs from seed to seed."""
        if not self.strikes(asked, name):
            return None
        return Pool(f"{asked.seed}\x1f{name}", self.sd, self.window, self.delay)

    def wrap(self, draw: Draw, asked: Asked, name: str) -> Draw:
        """The same sampler: what differs is what it draws from."""
        del asked, name
        return draw
