"""What the pages ask of the running service: one Protocol and the values that it answers with."""

from __future__ import annotations

from typing import Protocol

from qualmon.types import Example, FleetSnapshot, IncidentDetail, Transition

__all__ = ["Example", "IncidentDetail", "ServiceView", "Transition"]


class ServiceView(Protocol):
    """The service as its pages see it. All but `incident` answer from memory at once."""

    def now(self) -> float:
        """Unix seconds on the service's clock, which may be virtual."""
        ...

    def metrics(self) -> bytes:
        """The exposition, text format 0.0.4."""
        ...

    def heartbeat_age(self) -> float:
        """Seconds since the event loop's last heartbeat."""
        ...

    def ready(self) -> list[str]:
        """What keeps the service from working, a sentence each; empty when it is ready."""
        ...

    def snapshot(self) -> FleetSnapshot:
        """The fleet after the last fold."""
        ...

    async def incident(self, incident_id: str) -> IncidentDetail | None:
        """One incident with its history, None when there is none of that id."""
        ...
