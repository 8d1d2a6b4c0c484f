"""A view driven by hand: previews and tests of the pages need no service."""

from __future__ import annotations

from dataclasses import dataclass, field

from qualmon.sinks.probe_metrics import ProbeMetrics
from qualmon.types import FleetSnapshot
from qualmon.web.view import IncidentDetail

EMPTY = FleetSnapshot(
    at=0.0, targets=(), incidents=(), evidence=(), channels=(), budget_hours=2160.0
)


@dataclass
class FixedView:
    """Implements ServiceView with whatever its fields hold."""

    state: FleetSnapshot = EMPTY
    time: float = 0.0
    problems: list[str] = field(default_factory=list)
    beat_age: float = 0.0
    details: dict[str, IncidentDetail] = field(default_factory=dict)
    probes: ProbeMetrics = field(default_factory=lambda: ProbeMetrics("0"))

    def show(self, snapshot: FleetSnapshot) -> None:
        """Takes over a snapshot, as a fold does."""
        self.state = snapshot
        self.probes.publish(snapshot)

    def now(self) -> float:
        """The hand-set time."""
        return self.time

    def metrics(self) -> bytes:
        """The exposition."""
        return self.probes.exposition()

    def heartbeat_age(self) -> float:
        """The hand-set age."""
        return self.beat_age

    def ready(self) -> list[str]:
        """The hand-set problems."""
        return self.problems

    def snapshot(self) -> FleetSnapshot:
        """The snapshot shown last."""
        return self.state

    async def incident(self, incident_id: str) -> IncidentDetail | None:
        """A stored detail, or the bare incident of the snapshot."""
        found = {i.id: IncidentDetail(i) for i in self.state.incidents}
        return self.details.get(incident_id, found.get(incident_id))
