"""The served fleet apart from HTTP: who is admitted, what is answered, what is broken."""

from __future__ import annotations

import hashlib
import hmac
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Protocol

from qualmon.sim.faults import Fault, infect, parse_faults, pool_of
from qualmon.sim.fleet import FleetSpec
from qualmon.sim.pool import Pool
from qualmon.sim.reply import Reply
from qualmon.sim.sampler import Asked, sampler
from qualmon.sim.speaker import Speaker
from qualmon.sim.step import Sampling
from qualmon.sim.vocabulary import split
from qualmon.sim.wire_request import RejectedError
from qualmon.types import Target

_BODIES_KEPT = 65536


@dataclass(frozen=True, slots=True)
class Settings:
    """How the fleet behaves. seconds_per_token: pace of answers; api_keys: empty lets all in."""

    seed: int = 0
    seconds_per_token: float = 0.0
    api_keys: tuple[str, ...] = ()


class Question(Protocol):
    """What every wire's request says, whatever its fields are called."""

    @property
    def model(self) -> str:
        """The model that is asked."""
        ...

    @property
    def texts(self) -> tuple[str, ...]:
        """The text of every turn, the system's first."""
        ...

    @property
    def sampling(self) -> Sampling:
        """Sampler settings."""
        ...

    @property
    def limit(self) -> int:
        """Most tokens to answer with."""
        ...

    @property
    def tops(self) -> int | None:
        """Alternatives to list per token; None for no log-probabilities."""
        ...

    @property
    def identity(self) -> str | None:
        """Whom the request is sent for, where it says so."""
        ...


@dataclass(frozen=True, slots=True)
class Envelope:
    """What came around a question: the request's name and the key, where given; its bytes."""

    name: str | None
    key: str | None
    body: bytes


class _Counter:
    """How often each body came, for requests without an id; forgets the oldest bodies."""

    def __init__(self) -> None:
        self._seen: OrderedDict[bytes, int] = OrderedDict()

    def name(self, body: bytes) -> str:
        digest = hashlib.blake2b(body, digest_size=16).digest()
        count = self._seen[digest] = self._seen.pop(digest, -1) + 1
        if len(self._seen) > _BODIES_KEPT:
            self._seen.popitem(last=False)
        return f"{digest.hex()}/{count}"


@dataclass(slots=True)
class Fleet:
    """All targets, what they say, and what is wrong with them at the moment.

    answers: drawn so far, whether or not the client waited for them.
    """

    spec: FleetSpec
    speakers: Mapping[str, Speaker]
    settings: Settings
    clock: Callable[[], float]
    faults: tuple[Fault, ...] = ()
    answers: int = 0
    _targets: dict[tuple[str, str, str], Target] = field(init=False)
    _bodies: _Counter = field(init=False, default_factory=_Counter)
    _moved: dict[tuple[str, Pool], Speaker] = field(init=False, default_factory=dict)

    def __post_init__(self) -> None:
        self._targets = {(t.platform, t.route, t.model): t for t in self.spec.targets}

    def plant(self, items: object) -> None:
        """Replaces all faults. Raises UsageError and changes nothing when one is wrong."""
        self.faults = parse_faults(items, self.spec.targets, self.clock())
        self._moved.clear()

    def models(self, platform: str, route: str) -> list[str]:
        """Models served at a place. Raises RejectedError 404 where there are none."""
        found = [model for p, r, model in self._targets if (p, r) == (platform, route)]
        if not found:
            raise RejectedError(404, f"Nothing is served at /{platform}/{route}.")
        return found

    def admit(self, key: str | None, remedy: str) -> None:
        """Raises RejectedError 401 unless `key` is one of the keys, if there are any."""
        keys = self.settings.api_keys
        given = (key or "").encode("utf-8", "surrogateescape")
        if keys and not any(hmac.compare_digest(given, known.encode()) for known in keys):
            message = f"Incorrect or missing API key: send '{remedy}'."
            raise RejectedError(401, message, code="invalid_api_key")

    def answer(self, place: tuple[str, str], asks: Question, envelope: Envelope) -> Reply:
        """Draws the answer of the model at (platform, route)."""
        target, now = self._target(place, asks.model), self.clock()
        self.answers += 1
        asked = Asked(
            self.settings.seed,
            target,
            envelope.name or self._bodies.name(envelope.body),
            asks.identity or envelope.key or "anonymous",
        )
        draw = infect(sampler(asks.sampling, asked.random("tokens")), self.faults, asked, now)
        pool = pool_of(self.faults, asked, now)
        texts = asks.texts
        choices, finish = self._speaker(target.model, pool).answer(texts, draw, asks.limit)
        return Reply(
            id=asked.digest("answer").hex(),
            created=int(now),
            model=target.model,
            fingerprint=f"fp_{hashlib.blake2b(target.key.encode(), digest_size=5).hexdigest()}",
            prompt_tokens=3 + sum(3 + len(split(text)) for text in texts),
            choices=choices,
            finish=finish,
            tops=asks.tops,
            delay=pool.delay if pool else 0.0,
        )

    def _speaker(self, model: str, pool: Pool | None) -> Speaker:
        if pool is None:
            return self.speakers[model]
        moved = self._moved.get((model, pool))
        if moved is None:
            moved = self._moved[model, pool] = self.speakers[model].moved(pool)
        return moved

    def _target(self, place: tuple[str, str], model: str) -> Target:
        target = self._targets.get((*place, model))
        if target is None:
            known = ", ".join(self.models(*place))
            message = f"The model '{model}' does not exist at /{'/'.join(place)}: {known} do."
            raise RejectedError(404, message, "model", "model_not_found")
        return target
