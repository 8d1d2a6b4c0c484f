"""Which targets the simulator serves, and under which addresses."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from urllib.parse import quote

from qualmon.errors import UnknownNameError
from qualmon.types import Endpoint, Secret, Target

#: What follows platform and route in a base address, by protocol.
_SUFFIXES: Mapping[str, str] = {"openai_chat": "/v1", "anthropic": ""}


@dataclass(frozen=True, slots=True)
class FleetSpec:
    """Every model on every platform by every route.

    labels: per (platform, route), such as {"hardware": "tpu"}.
    """

    models: tuple[str, ...]
    platforms: tuple[str, ...]
    routes: tuple[str, ...]
    labels: Mapping[tuple[str, str], Mapping[str, str]] = field(default_factory=dict)

    @property
    def targets(self) -> tuple[Target, ...]:
        """All targets; models outermost, routes innermost."""
        return tuple(
            Target(model, platform, route, labels=self.labels.get((platform, route), {}))
            for model in self.models
            for platform in self.platforms
            for route in self.routes
        )

    def endpoints(
        self, origin: str, api_key: Secret | None = None, *, provider: str = "openai_chat"
    ) -> tuple[Endpoint, ...]:
        """How to reach each target at `origin` (``http://127.0.0.1:8000``) in one protocol.

        Every target speaks both, ``openai_chat`` and ``anthropic``. The simulator's sampler is
        neutral unless asked otherwise, so the endpoints say so.
        """
        return tuple(
            Endpoint(
                target=replace(target, provider=provider),
                url=base_url(origin, target, provider),
                api_key=api_key,
                neutral_sampler=True,
            )
            for target in self.targets
        )


def base_url(origin: str, target: Target, provider: str = "openai_chat") -> str:
    """The base address that the protocol's official client takes.

    ``ORIGIN/{platform}/{route}/v1`` for OpenAI's, without ``/v1`` for Anthropic's.
    Raises UnknownNameError for a protocol that the fleet does not speak.
    """
    if provider not in _SUFFIXES:
        raise UnknownNameError(
            f"provider {provider!r}", remedy=f"The simulator speaks {', '.join(_SUFFIXES)}"
        )
    platform, route = (quote(part, safe="") for part in (target.platform, target.route))
    return f"{origin}/{platform}/{route}{_SUFFIXES[provider]}"


def demo_fleet() -> FleetSpec:
    """Two models on three platforms by two routes, on three kinds of hardware."""
    hardware = {
        ("first-party", "default"): "tpu",
        ("first-party", "batch"): "gpu",
        ("aws", "default"): "trainium",
        ("aws", "batch"): "gpu",
        ("gcp", "default"): "tpu",
        ("gcp", "batch"): "trainium",
    }
    return FleetSpec(
        models=("m-large", "m-small"),
        platforms=("first-party", "aws", "gcp"),
        routes=("default", "batch"),
        labels={place: {"hardware": name} for place, name in hardware.items()},
    )
