"""The running service as its pages see it (web.view.ServiceView)."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any

from qualmon.ports import Clock
from qualmon.sinks.probe_metrics import ProbeMetrics
from qualmon.storage.rows import StoredObservation
from qualmon.storage.store import SqlStore
from qualmon.types import (
    Completion,
    Example,
    FleetSnapshot,
    Incident,
    IncidentDetail,
    Score,
    Transition,
    family_of,
)

#: Characters of an answer kept on either side of the first place that a page marks.
CONTEXT = 600


class LiveView:
    """What pages and health checks read: kept in memory, but for single incidents."""

    def __init__(
        self, clock: Clock, metrics: ProbeMetrics, store: SqlStore, first: FleetSnapshot
    ) -> None:
        self._clock, self._metrics, self._store = clock, metrics, store
        self._snapshot = first
        self.problems: dict[str, str] = {"starting": "the service is starting"}
        self._beat: float | None = None

    def beat(self) -> None:
        """The event loop is alive."""
        self._beat = asyncio.get_running_loop().time()

    def started(self) -> None:
        """Rounds are being run now."""
        self.problems.pop("starting", None)
        self.beat()

    def now(self) -> float:
        """Unix seconds on the service's clock."""
        return self._clock.now()

    def metrics(self) -> bytes:
        """The exposition, text format."""
        return self._metrics.exposition()

    def heartbeat_age(self) -> float:
        """Seconds since the loop's last heartbeat; 0 before the first."""
        if self._beat is None:
            return 0.0
        return asyncio.get_running_loop().time() - self._beat

    def ready(self) -> list[str]:
        """What keeps the service from working."""
        return [text for _, text in sorted(self.problems.items())]

    def snapshot(self) -> FleetSnapshot:
        """The fleet after the last fold."""
        return self._snapshot

    def publish(self, snapshot: FleetSnapshot) -> None:
        """A fold changed something."""
        self._snapshot = snapshot
        self._metrics.publish(snapshot)

    async def incident(self, incident_id: str) -> IncidentDetail | None:
        """One incident with its history, read beside the event loop."""
        return await asyncio.to_thread(incident_detail, self._store, incident_id)

    def recent_incidents(self) -> list[Incident]:
        """All open incidents and the latest others; reads the store."""
        return recent_incidents(self._store)


def recent_incidents(store: SqlStore, limit: int = 50) -> list[Incident]:
    """All open incidents and the latest others, latest opened first."""
    known = {i.id: i for i in store.incidents(open_only=True, limit=1000)}
    known |= {i.id: i for i in store.incidents(limit=limit)}
    return sorted(known.values(), key=lambda i: (-i.opened_at, i.id))


def incident_detail(store: SqlStore, incident_id: str) -> IncidentDetail | None:
    """An incident, its transitions and its examples from the store; None when unknown."""
    incident = store.incident(incident_id)
    if incident is None:
        return None
    steps = tuple(_step(doc) for doc in store.transitions(incident_id))
    found = (store.observation(key) for key in incident.examples)
    proofs = [_proof(stored, incident) for stored in found if stored is not None]
    return IncidentDetail(incident, steps, tuple(proof for proof in proofs if proof is not None))


def _step(doc: Mapping[str, Any]) -> Transition:
    told = doc["doc"]
    families = ", ".join(told["families"])
    note = f"{told['severity']} at {told['scope']} ({families})"
    return Transition(doc["at"], doc["from_level"], doc["to_level"], note)


def _proof(stored: StoredObservation, incident: Incident) -> Example | None:
    score = _bad_score(stored.scores, incident.channels)
    result = stored.observation.result
    if score is None or not isinstance(result, Completion):
        return None
    text, marks = excerpt(result.text, _spans(score))
    member = stored.observation.member
    return Example(
        observation=stored.observation.id,
        at=stored.observation.at,
        target=member.target,
        probe=member.probe,
        channel=score.channel,
        text=text,
        marks=marks,
        note=", ".join(f"{k}={v}" for k, v in sorted(score.detail.items()))[:300],
    )


def _bad_score(scores: Sequence[Score], channels: Sequence[str]) -> Score | None:
    for score in scores:
        if score.channel in channels and isinstance(score.value, int | float) and score.value >= 1:
            return score
    return None


def _spans(score: Score) -> list[tuple[int, int]]:
    """Spans of characters that a script score points at; token scores count tokens instead."""
    first, longest = score.detail.get("first"), score.detail.get("longest", 1)
    if family_of(score.channel) != "script" or not isinstance(first, int):
        return []
    return [(first, first + (longest if isinstance(longest, int) else 1))]


def excerpt(text: str, spans: Sequence[tuple[int, int]]) -> tuple[str, tuple[tuple[int, int], ...]]:
    """The text around its first marked place, at most twice CONTEXT, and the marks in it."""
    first = spans[0][0] if spans else 0
    begin, end = max(0, first - CONTEXT), min(len(text), first + CONTEXT)
    marks = tuple(
        (max(a, begin) - begin, min(b, end) - begin) for a, b in spans if b > begin and a < end
    )
    return text[begin:end], marks
