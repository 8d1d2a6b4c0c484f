"""A worker process for the storage tests: takes slots, answers members, closes; until killed.

Usage: storage_worker.py URL CALLS SLOTS OWNER LEASE. Appends to CALLS one line for each
"provider call" (member id) before it is stored and one ("closed INDEX") for each close granted.
"""

from __future__ import annotations

import os
import random
import sys
import time

from qualmon.storage.open import open_store
from qualmon.types import Attempt, Completion, Member, Observation, Score, Slot

TARGETS = tuple(f"m/p{number}/r" for number in range(6))


def all_slots(count: int) -> list[Slot]:
    """The schedule of the test."""
    return [Slot(index * 1.0, "core", "m", index, 1.0) for index in range(count)]


def planned(slot: Slot) -> list[Member]:
    """All that must be asked in a slot."""
    return [Member(slot, target, "p") for target in TARGETS]


def main(url: str, calls: str, count: str, owner: str, lease: str) -> None:
    """Works until every slot is over."""
    store = open_store(url)
    store.materialise(all_slots(int(count)))
    log = os.open(calls, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    while open_slots := store.open_slots():
        for slot in random.Random(owner).sample(open_slots[:8], k=min(8, len(open_slots))):
            now = time.time()
            fence = store.claim(slot, owner, now + float(lease), now)
            if fence is None:
                continue
            members = store.set_members(slot, fence, planned(slot))
            present = store.present(slot)
            for member in members:
                if member.id not in present:
                    os.write(log, f"{member.id}\n".encode())
                    store.append([(_answer(member), [Score("a.b", "event", 0.0)])])
            if store.close(slot, fence, time.time()):
                os.write(log, f"closed {slot.index}\n".encode())


def _answer(member: Member) -> Observation:
    attempts = (Attempt(1, 1.0, "ok", 0.1),)
    return Observation(member, 1.0, Completion("hello", "stop"), attempts, "v")


if __name__ == "__main__":
    main(*sys.argv[1:])
