"""Asks one target: a member goes in, an observation comes out, within limits and budget."""

from __future__ import annotations

import asyncio
import logging
import traceback
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from qualmon.ports import Clock, Provider
from qualmon.prober.budget import Budget, Spend, actual_usd, worst_usd
from qualmon.prober.events import NoEvents, ProbeEvents
from qualmon.prober.lag import LoopLag
from qualmon.prober.limits import Gate, fair_cap
from qualmon.prober.requests import request_id, request_of
from qualmon.prober.retries import MAX_ATTEMPTS, retry_delay
from qualmon.types import (
    OUTCOMES,
    Attempt,
    Completion,
    Endpoint,
    Failure,
    Member,
    Observation,
    Probe,
    Request,
)

logger = logging.getLogger(__name__)

#: Requests in flight over all targets, unless told otherwise.
MAX_IN_FLIGHT = 512

#: Seconds after the total time-out at which a provider that ignores it is cut off.
_BACKSTOP = 5.0


@dataclass(slots=True)
class Flight:
    """One member on its way: what was tried, and what is on the wire now.

    deadline: loop time after which no retry starts. sent_at: Unix time of the newest attempt,
    None before the first; started: its loop time. result: of the newest attempt, None while it
    runs. observation: what came of it in the end. stored: the log has that. settled: nothing
    more is to be done.
    """

    member: Member
    probe: Probe
    deadline: float
    id: str
    attempts: list[Attempt] = field(default_factory=list)
    sent_at: float | None = None
    started: float = 0.0
    result: Completion | Failure | None = None
    observation: Observation | None = None
    stored: bool = False
    settled: bool = False


class Asker:
    """Everything needed to question one target; shared by all rounds of the process."""

    def __init__(
        self,
        endpoint: Endpoint,
        provider: Provider,
        gate: Gate,
        budget: Budget,
        clock: Clock,
        lag: LoopLag,
        events: ProbeEvents,
    ) -> None:
        self.endpoint = endpoint
        self.budget = budget
        self._provider, self._gate = provider, gate
        self._clock, self._lag, self._events = clock, lag, events
        self._key = endpoint.target.key

    async def ask(self, flight: Flight) -> Observation | None:
        """The member's observation; None when the day's budget leaves nothing to ask with."""
        loop = asyncio.get_running_loop()
        for number in range(1, MAX_ATTEMPTS + 1):
            if not await self._attempt(flight, number):
                break
            assert flight.result is not None  # noqa: S101  # set by an attempt that was made
            delay = retry_delay(flight.result, number, request_id(flight.id, number))
            if delay is None or loop.time() + delay >= flight.deadline:
                break
            await asyncio.sleep(delay)
        if flight.result is None:
            self._events.member_missed(self._key, "budget")
            return None
        return self._observation(flight, flight.result)

    def abandon(self, flight: Flight) -> Observation | None:
        """What the log keeps of a member whose round closed first; None if it was never sent.

        What is in hand stands: an answer that is still being judged, a failure that waits for
        its retry. A request on the wire is cancelled.
        """
        if flight.observation is not None:
            return flight.observation
        if flight.sent_at is None:
            self._events.member_missed(self._key, "deadline")
            return None
        if flight.result is not None:
            return self._observation(flight, flight.result)
        waited = asyncio.get_running_loop().time() - flight.started
        cancelled = Failure("cancelled", "the round closed first", total_seconds=waited)
        self._record(flight, len(flight.attempts) + 1, cancelled)
        return self._observation(flight, cancelled)

    def worst_usd(self, probe: Probe) -> float:
        """The most that one request of this probe can cost here; 0 without a price."""
        if self.endpoint.price is None:
            return 0.0
        return worst_usd(self.endpoint.price, probe, {**probe.params, **self.endpoint.extra_body})

    async def _attempt(self, flight: Flight, number: int) -> bool:
        worst = self.worst_usd(flight.probe)
        async with self._gate:
            receipt = self.budget.take(worst)
            if receipt is None:
                return False
            flight.sent_at, flight.result = self._clock.now(), None
            flight.started = asyncio.get_running_loop().time()
            request = request_of(flight.member, flight.id, flight.probe, number)
            result = await self._send(request)
        flight.result = result
        self.budget.settle(receipt, actual_usd(self.endpoint.price, result, worst))
        for resource, left in self.budget.remaining().items():
            self._events.budget(self._key, resource, left)
        self._record(flight, number, result)
        return True

    async def _send(self, request: Request) -> Completion | Failure:
        try:
            async with asyncio.timeout(self.endpoint.timeouts.total + _BACKSTOP):
                return _lawful(await self._provider.complete(request))
        except TimeoutError:
            return Failure("timeout_total", "the provider ignored its own time-out")
        except asyncio.CancelledError:
            task = asyncio.current_task()
            if task is not None and task.cancelling():
                raise
            return Failure("cancelled", "the provider cancelled itself")
        except Exception as error:  # noqa: BLE001  # one broken plug-in must not end the round
            return self._broken(error)

    def _broken(self, error: Exception) -> Failure:
        # The message may quote headers, and with them a key: type and place are enough.
        frame = traceback.extract_tb(error.__traceback__)[-1]
        what = f"provider raised {type(error).__name__}"
        logger.error("%s: %s at %s:%s", self._key, what, frame.filename, frame.lineno)
        return Failure("protocol", what)

    def _record(self, flight: Flight, number: int, result: Completion | Failure) -> None:
        assert flight.sent_at is not None  # noqa: S101  # set before anything is sent
        elapsed = asyncio.get_running_loop().time() - flight.started
        # The provider's own figure is taken next to the socket, free of our queueing.
        seconds = result.total_seconds or elapsed
        outcome = result.kind if isinstance(result, Failure) else "ok"
        flight.attempts.append(Attempt(number, flight.sent_at, outcome, seconds))

    def _observation(self, flight: Flight, result: Completion | Failure) -> Observation:
        assert flight.sent_at is not None  # noqa: S101  # there is a result, so it was sent
        flight.observation = Observation(
            member=flight.member,
            at=flight.sent_at,
            result=result,
            attempts=tuple(flight.attempts),
            probe_version=flight.probe.version,
            lagged=self._lag.late_since(flight.started),
        )
        self._events.observed(flight.observation)
        return flight.observation


def build_askers(
    endpoints: Mapping[str, Endpoint],
    providers: Mapping[str, Provider],
    *,
    clock: Clock,
    lag: LoopLag,
    events: ProbeEvents | None = None,
    spent: Mapping[str, Spend] | None = None,
    max_in_flight: int = MAX_IN_FLIGHT,
) -> dict[str, Asker]:
    """One Asker per target key of `endpoints`; `providers` has the same keys.

    spent: what each target has used up today, from the store. Raises UsageError for a target
    with usd_per_day and no price.
    """
    cap = fair_cap(max_in_flight, len(endpoints))
    return {
        key: Asker(
            endpoint,
            providers[key],
            Gate(endpoint.limits, cap=cap),
            Budget(endpoint.limits, endpoint.price, clock.now, (spent or {}).get(key)),
            clock,
            lag,
            events or NoEvents(),
        )
        for key, endpoint in endpoints.items()
    }


def _lawful(result: object) -> Completion | Failure:
    """The result itself, or a failure that says how a plug-in broke the port's contract."""
    if isinstance(result, Completion):
        return result
    if not isinstance(result, Failure):
        return Failure("protocol", f"provider returned {type(result).__name__}")
    if result.kind not in OUTCOMES or result.kind == "ok":
        return replace(result, kind="protocol", detail=f"unknown failure kind; {result.detail}")
    return result
