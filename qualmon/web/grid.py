"""The status page's grid: targets by channels, with what is stale and what is bad."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from qualmon.types import ChannelStatus, FleetSnapshot, Incident, Target
from qualmon.web.words import percent

#: Mean scores at which a cell's colour changes.
_SHADES = ((0.0, "none"), (0.01, "low"), (0.05, "mid"))


@dataclass(frozen=True, slots=True)
class Cell:
    """One channel on one target. `shade`: none, low, mid, high; or flat where it is no share."""

    text: str
    n: int
    shade: str
    stale: bool
    proven: bool


@dataclass(frozen=True, slots=True)
class Row:
    """One target. `silence`: seconds since its last judged answer, None if there never was one;
    `incident`: the worst open incident that covers it."""

    target: Target
    cells: tuple[Cell | None, ...]
    silence: float | None
    stale: bool
    incident: Incident | None


@dataclass(frozen=True, slots=True)
class Grid:
    """Channels across, targets down."""

    channels: tuple[str, ...]
    rows: tuple[Row, ...]


def grid(snapshot: FleetSnapshot, now: float, stale_after: float) -> Grid:
    """The grid at time `now`; a cell is stale when its last answer is older than `stale_after`."""
    channels = tuple(sorted({status.channel for status in snapshot.channels}))
    by_place = {(status.target, status.channel): status for status in snapshot.channels}
    covering = _covering(snapshot)

    def row(target: Target) -> Row:
        found = [by_place.get((target.key, channel)) for channel in channels]
        last = max((s.last_at for s in found if s and s.last_at > 0), default=None)
        silence = None if last is None else max(0.0, now - last)
        return Row(
            target,
            tuple(cell(s, now, stale_after) if s and s.n else None for s in found),
            silence,
            silence is None or silence > stale_after,
            covering.get(target.key),
        )

    return Grid(channels, tuple(row(target) for target in snapshot.targets))


def cell(status: ChannelStatus, now: float, stale_after: float) -> Cell:
    """What one channel shows at `now`; a dash without an answer, which is not 0 %."""
    share = status.kind in ("event", "bounded")
    return Cell(
        text="–" if not status.n else percent(status.mean) if share else f"{status.mean:.3g}",
        n=status.n,
        shade=_shade(status.mean) if share and status.n else "flat",
        stale=now - status.last_at > stale_after,
        proven=status.proven,
    )


def _shade(mean: float) -> str:
    return next((name for limit, name in _SHADES if mean <= limit), "high")


@dataclass(frozen=True, slots=True)
class Bounds:
    """Which channels of a model may page alone, on every target, and which only open tickets."""

    model: str
    proven: tuple[str, ...]
    unproven: tuple[str, ...]


def bounds(snapshot: FleetSnapshot) -> list[Bounds]:
    """One entry per model whose answers were judged, models and channels sorted."""
    found = sorted(snapshot.proven_bounds().items())

    def those(model: str, proven: bool) -> tuple[str, ...]:
        return tuple(channel for (name, channel), ok in found if name == model and ok is proven)

    models = dict.fromkeys(model for (model, _), _ in found)
    return [Bounds(model, those(model, True), those(model, False)) for model in models]


def open_incidents(snapshot: FleetSnapshot) -> list[Incident]:
    """Open incidents, pages first, then the newest."""
    found = [incident for incident in snapshot.incidents if incident.resolved_at is None]
    return sorted(found, key=lambda i: (i.severity != "page", -i.opened_at, i.id))


def resolved_incidents(snapshot: FleetSnapshot) -> list[Incident]:
    """Resolved incidents of the snapshot, the latest first."""
    found = [incident for incident in snapshot.incidents if incident.resolved_at is not None]
    return sorted(found, key=lambda i: (-(i.resolved_at or 0.0), i.id))


def _covering(snapshot: FleetSnapshot) -> Mapping[str, Incident]:
    covering: dict[str, Incident] = {}
    for incident in open_incidents(snapshot):
        for key in incident.targets:
            covering.setdefault(key, incident)
    return covering
