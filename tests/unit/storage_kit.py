"""Small builders for the storage tests."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from qualmon.storage.open import open_store
from qualmon.storage.store import SqlStore
from qualmon.types import (
    Attempt,
    Completion,
    Failure,
    Incident,
    Member,
    Observation,
    Score,
    Slot,
    Usage,
)

EVENT = Score("script.run", "event", 0.0)


def url_of(folder: Path) -> str:
    """A store in the test's folder."""
    return f"sqlite:///{folder}/qualmon.db"


def new_store(folder: Path) -> SqlStore:
    """An empty store; close it with dispose()."""
    return open_store(url_of(folder))


def slot(index: int, suite: str = "core", model: str = "m", every: float = 60.0) -> Slot:
    """Slot `index` of a stream, due at index * 60 s."""
    return Slot(index * 60.0, suite, model, index, every)


def members(of: Slot, targets: Sequence[str] = ("m/b/r", "m/a/r")) -> list[Member]:
    """One member a target, not in fold order."""
    return [Member(of, target, "p1") for target in targets]


def answer(
    member: Member, result: Completion | Failure | None = None, at: float = 1.0
) -> Observation:
    """An observation after one attempt."""
    outcome = result.kind if isinstance(result, Failure) else "ok"
    completion = Completion("hello", "stop", usage=Usage(10, 20))
    attempts = (Attempt(1, at, outcome, 0.5),)
    return Observation(member, at, result or completion, attempts, "v1")


def closed(store: SqlStore, of: Slot, scores: Sequence[Score] = (EVENT,)) -> None:
    """Takes a slot from nothing to closed, all members answered."""
    store.materialise([of])
    fence = store.claim(of, "w", of.due + 100, of.due)
    assert fence is not None
    planned = store.set_members(of, fence, members(of))
    store.append([(answer(member, at=of.due), scores) for member in planned])
    assert store.close(of, fence, of.due + 1)


def incident(key: str = "i1", **changes: Any) -> Incident:
    """An incident with something in each kind of field."""
    base: dict[str, Any] = {
        "id": key, "kind": "regression", "scope": "platform=aws", "family": "script",
        "families": ("script", "token"), "level": "firing", "severity": "page",
        "opened_at": 60.0, "updated_at": 120.0, "onset": 1 / 3, "log10_e": 4.5,
        "threshold_log10": 3.3, "answers": 100, "hits": 7, "share": 0.07, "share_low": 0.03,
        "share_high": 0.14, "targets": ("m/aws/r",), "channels": ("script.run",),
        "causes": (("corruption", 0.9), ("quantisation", 0.1)), "examples": ("ab" * 16,),
        "identities_bad": 1, "identities_observed": 4, "reasons": ("bound unproven",),
    }  # fmt: skip
    return Incident(**{**base, **changes})


def transition(of: Incident, number: int = 1, at: float = 60.0) -> dict[str, Any]:
    """A transition as the fold writes it."""
    return {
        "id": f"{of.id}/{number}", "incident_id": of.id, "at": at, "from_level": "ok",
        "to_level": of.level, "doc": asdict(of),
    }  # fmt: skip
