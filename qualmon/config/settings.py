"""What the rest of qualmon sees of a configuration: frozen dataclasses, units in the names' docs.

Times are seconds. Nothing here knows YAML; secrets show in no repr.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from qualmon.config.dump import public
from qualmon.config.values import Address
from qualmon.types import Endpoint, IdentityMode, Price, Probe


@dataclass(frozen=True, slots=True)
class Suite:
    """A set of probes. `version` is the author's own mark; each probe has its digest."""

    name: str
    version: str
    probes: tuple[Probe, ...]


@dataclass(frozen=True, slots=True)
class SuitePlan:
    """One suite as scheduled: every `every` seconds, per model, `probes_per_round` of `probes`
    to every target of the model as each of `identities` users. identity_mode: whether these
    are new in every round. models None: all of them."""

    name: str
    every: float
    probes_per_round: int
    identities: int
    probes: tuple[Probe, ...]
    models: tuple[str, ...] | None = None
    identity_mode: IdentityMode = "fresh"

    def asks(self, model: str) -> bool:
        """Whether this plan covers `model`."""
        return self.models is None or model in self.models


@dataclass(frozen=True, slots=True)
class Recovery:
    """An incident closes after `clean_for` seconds and a test at level `alpha`."""

    clean_for: float = 86400.0
    alpha: float = 0.001


@dataclass(frozen=True, slots=True)
class AlertmanagerSink:
    """Base address of an Alertmanager."""

    url: str


@dataclass(frozen=True, slots=True)
class WebhookSink:
    """An address that takes JSON. It may hold a token, so it shows in no repr."""

    url: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Sinks:
    """Who is told about incidents besides Prometheus; None: nobody."""

    alertmanager: AlertmanagerSink | None = None
    webhook: WebhookSink | None = None


@dataclass(frozen=True, slots=True)
class Config:
    """A configuration that passed every check.

    store: SQLAlchemy URL, sqlite paths absolute. budget_hours: monitored hours per false page
    of the whole fleet. nodes: axes of each kind of place that may be blamed, () the fleet.
    prices: USD per million tokens by model or target key. min_share: share of bad answers that
    is tolerated. drain: seconds to finish requests after SIGTERM.
    """

    path: Path
    store: str
    listen: Address
    external_url: str | None
    budget_hours: float
    burn_in: float
    nodes: tuple[tuple[str, ...], ...]
    endpoints: tuple[Endpoint, ...]
    suites: tuple[SuitePlan, ...]
    prices: Mapping[str, Price]
    min_share: float
    page_on_change: bool
    recovery: Recovery
    drain: float
    sinks: Sinks

    def public_dump(self) -> dict[str, Any]:
        """Everything as JSON-ready values, defaults filled in and every secret as ``***``."""
        dumped: dict[str, Any] = public(self)
        return dumped
