"""Runs one round: claim, ask what is missing, store each answer as it comes, close."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, ParamSpec, Protocol, TypeVar

from qualmon.ports import Clock, SlotLedger
from qualmon.prober.accounts import Accounts, Notes, Page
from qualmon.prober.ask import Asker
from qualmon.prober.events import NoEvents, ProbeEvents
from qualmon.prober.flight import Flight
from qualmon.prober.judge import Judge
from qualmon.prober.rounds import Stream, deadline, members
from qualmon.types import Completion, Member, Observation, Score, Slot

logger = logging.getLogger(__name__)

P = ParamSpec("P")
T = TypeVar("T")

#: Seconds beyond its deadline for which a round's owner keeps the lease, to close it.
LEASE_GRACE = 30.0

#: Seconds given to providers to obey a cancellation.
_CANCEL_GRACE = 2.0

#: Later than any lease: what `now` must be for a lease of an earlier life to have run out.
_ANY_LEASE = 1e9


class RoundLog(Protocol):
    """The store, seen from the event loop. Calls take effect in the order they were made."""

    async def append(self, observation: Observation, scores: Sequence[Score]) -> None:
        """Stores one observation; a known id is ignored."""
        ...

    async def call(self, fn: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Runs fn where the store lives, after everything appended before."""
        ...


@dataclass(frozen=True, slots=True)
class RoundResult:
    """What became of a slot. `taken`: another owner holds it; `fenced`: it took it meanwhile.

    members: how many the round has; missing: those without an observation when it ended.
    """

    slot: Slot
    status: Literal["closed", "taken", "fenced"]
    members: int = 0
    missing: int = 0
    seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class _Opened:
    fence: int
    members: tuple[Member, ...]
    present: frozenset[str]


class RoundRunner:
    """Runs rounds, any number at a time. The ledger decides what is left to do.

    askers: by target key. exclusive: this process alone works on the ledger, so that a lease
    which it did not give itself is a dead process's and void. notes: where budgets' accounts
    outlive a kill.
    """

    def __init__(
        self,
        *,
        askers: Mapping[str, Asker],
        judge: Judge,
        ledger: SlotLedger,
        log: RoundLog,
        clock: Clock,
        events: ProbeEvents | None = None,
        owner: str = "embedded",
        exclusive: bool = True,
        notes: Notes | None = None,
    ) -> None:
        self._askers, self._judge = askers, judge
        self._ledger, self._log, self._clock = ledger, log, clock
        self._events = events or NoEvents()
        self._owner, self._exclusive = owner, exclusive
        self._accounts = Accounts(askers, notes)
        self._slowest = _slowest(askers)
        self._leases: dict[str, float] = {}  # held by this process, by slot key

    def deadline(self, slot: Slot) -> float:
        """Unix time at which the slot closes, complete or not."""
        return deadline(slot, self._slowest.get(slot.model, 0.0))

    async def run(self, slot: Slot, stream: Stream) -> RoundResult:
        """Asks the members that have no observation yet and closes the slot.

        Closes early when all are settled, else at the deadline, where those on the wire end
        as `cancelled` and those never sent are missing. Cancelled from outside it gives the
        slot back and stores nothing for the unfinished, so that a later run asks them again.
        Raises whatever the store raises, leaving the slot to a later run.
        """
        planned = members(stream, slot)
        try:
            with self._accounts.planned(planned, {probe.id: probe for probe in stream.probes}):
                return await self._run(slot, stream, planned)
        except asyncio.CancelledError:
            await self._log.call(self._release, slot)
            raise

    async def settle(self, slot: Slot) -> RoundResult:
        """Closes a slot with the observations it has, asking nobody."""
        opened = await self._log.call(self._open, slot, (), None)
        if opened is None:
            return RoundResult(slot, "taken")
        missing = len(opened.members) - len(opened.present)
        return await self._close(slot, opened, missing, 0.0)

    async def restore_accounts(self) -> None:
        """Reads the budgets' accounts that earlier processes wrote; once, before any round."""
        await self._log.call(self._accounts.restore)

    async def save_accounts(self) -> None:
        """Writes the exact accounts; after the last round, so that a clean stop costs nothing."""
        pages = [self._accounts.page(model) for model in self._accounts.models]
        await self._log.call(self._accounts.write_all, pages)

    async def _run(self, slot: Slot, stream: Stream, planned: Sequence[Member]) -> RoundResult:
        loop = asyncio.get_running_loop()
        started = loop.time()
        opened = await self._log.call(self._open, slot, planned, self._accounts.page(slot.model))
        if opened is None:
            return RoundResult(slot, "taken")
        left = self.deadline(slot) - self._clock.now()
        flights = self._flights(opened, stream, loop.time() + left)
        await self._fly(flights)
        stored = len(opened.present) + sum(flight.stored for flight in flights)
        missing = len(opened.members) - stored
        return await self._close(slot, opened, missing, loop.time() - started)

    def _open(self, slot: Slot, planned: Sequence[Member], page: Page | None) -> _Opened | None:
        """Runs beside the store: claim, record members and accounts, see what is answered."""
        now, lease = self._clock.now(), self.deadline(slot) + LEASE_GRACE
        asked_at = lease + _ANY_LEASE if self._exclusive else now
        fence = self._ledger.claim(slot, self._owner, lease, asked_at)
        if fence is None:
            return None
        self._leases[slot.key] = lease
        self._accounts.write(page)
        recorded = self._ledger.set_members(slot, fence, planned)
        return _Opened(fence, tuple(recorded), frozenset(self._ledger.present(slot)))

    def _release(self, slot: Slot) -> None:
        """Ends our lease now: claimed anew, as of its end, with one that is already over."""
        now, lease = self._clock.now(), self._leases.pop(slot.key, None)
        if lease is not None and now < lease:  # a lease that ran out may be another's by now
            self._ledger.claim(slot, self._owner, now, lease)

    def _flights(self, opened: _Opened, stream: Stream, until: float) -> list[Flight]:
        probes = {probe.id: probe for probe in stream.probes}
        flights = []
        for member in opened.members:
            identifier = member.id
            if identifier in opened.present:
                continue
            # The plan on record may be older than the configuration.
            if member.target not in self._askers or member.probe not in probes:
                self._events.member_missed(member.target, "removed")
                continue
            flights.append(Flight(member, probes[member.probe], until, identifier))
        return flights

    async def _fly(self, flights: Sequence[Flight]) -> None:
        loop = asyncio.get_running_loop()
        left = flights[0].deadline - loop.time() if flights else 0.0
        if left > 0:
            tasks = [loop.create_task(self._one(flight)) for flight in flights]
            try:
                await asyncio.wait(tasks, timeout=left)
            finally:
                await _end(tasks)
            _raise_first(tasks)
        # Side by side: each append waits for a batch, and the deadline is now.
        await asyncio.gather(*(self._abandon(flight) for flight in flights if not flight.settled))

    async def _one(self, flight: Flight) -> None:
        asker = self._askers[flight.member.target]
        observation = await asker.ask(flight)
        if observation is not None:
            scores = await self._scores(asker, flight, observation)
            self._events.judged(observation, scores)
            await self._store(flight, observation, scores)
        flight.settled = True

    async def _scores(
        self, asker: Asker, flight: Flight, observation: Observation
    ) -> tuple[Score, ...]:
        if not isinstance(observation.result, Completion):
            return ()
        return await self._judge.scores(flight.probe, asker.endpoint, observation.result)

    async def _abandon(self, flight: Flight) -> None:
        observation = self._askers[flight.member.target].abandon(flight)
        if observation is not None:
            await self._store(flight, observation, ())

    async def _store(
        self, flight: Flight, observation: Observation, scores: Sequence[Score]
    ) -> None:
        await self._log.append(observation, scores)
        flight.stored = True

    async def _close(
        self, slot: Slot, opened: _Opened, missing: int, seconds: float
    ) -> RoundResult:
        now = self._clock.now()
        self._leases.pop(slot.key, None)
        if not await self._log.call(self._ledger.close, slot, opened.fence, now):
            return RoundResult(slot, "fenced", len(opened.members), missing, seconds)
        self._events.round_closed(slot, len(opened.members), missing, seconds)
        return RoundResult(slot, "closed", len(opened.members), missing, seconds)


def _slowest(askers: Mapping[str, Asker]) -> dict[str, float]:
    slowest: dict[str, float] = {}
    for asker in askers.values():
        model, total = asker.endpoint.target.model, asker.endpoint.timeouts.total
        slowest[model] = max(total, slowest.get(model, 0.0))
    return slowest


async def _end(tasks: Sequence[asyncio.Task[None]]) -> None:
    """Cancels what is left and waits for it, though not for ever on a provider that resists."""
    left = [task for task in tasks if not task.done()]
    for task in left:
        task.cancel()
    if left:
        _, deaf = await asyncio.wait(left, timeout=_CANCEL_GRACE)
        if deaf:
            logger.error("%d requests ignore their cancellation", len(deaf))


def _raise_first(tasks: Sequence[asyncio.Task[None]]) -> None:
    for task in tasks:
        if task.done() and not task.cancelled() and (error := task.exception()) is not None:
            raise error
