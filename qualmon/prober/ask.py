"""Asks one target: a member goes in, an observation comes out, within limits and budget."""

from __future__ import annotations

import asyncio
import logging
import traceback
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from qualmon.ports import Clock, Provider
from qualmon.prober import capabilities
from qualmon.prober.budget import Budget, Spend, actual_usd, worst_usd
from qualmon.prober.events import NoEvents, ProbeEvents
from qualmon.prober.flight import Flight
from qualmon.prober.lag import LoopLag
from qualmon.prober.limits import Gate, fair_cap
from qualmon.prober.requests import request_of
from qualmon.types import (
    OUTCOMES,
    Attempt,
    Completion,
    Endpoint,
    Failure,
    Observation,
    Probe,
    Request,
)

logger = logging.getLogger(__name__)

#: Requests in flight over all targets, unless told otherwise.
MAX_IN_FLIGHT = 512

#: Seconds after the total time-out at which a provider that ignores it is cut off.
_BACKSTOP = 5.0


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
        self._offer = capabilities.Offer()

    async def ask(self, flight: Flight) -> Observation | None:
        """The member's observation; None when the day's budget leaves nothing to ask with."""
        loop = asyncio.get_running_loop()
        while await self._attempt(flight, len(flight.attempts) + 1):
            if flight.gives_way():
                continue
            delay = flight.pause()
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
            result = await self._send(replace(request, params=self._params(flight)))
        if isinstance(result, Completion):
            result = self._learnt(flight, result)
        flight.result = result
        self.budget.settle(receipt, actual_usd(self.endpoint.price, result, worst))
        for resource, left in self.budget.remaining().items():
            self._events.budget(self._key, resource, left)
        self._record(flight, number, result)
        return True

    def _params(self, flight: Flight) -> Mapping[str, Any]:
        """The probe's parameters, without log-probabilities where they are known to be refused."""
        params = flight.probe.params
        if not capabilities.wants_logprobs(params):
            return params
        if flight.asks is None:
            now = self._clock.now()
            flight.asks = capabilities.should_ask(self._offer, now)
            if flight.asks:
                self._offer = capabilities.asked(self._offer, now)
        return params if flight.asks else capabilities.without_logprobs(params)

    def _learnt(self, flight: Flight, answer: Completion) -> Completion:
        """Notes what an answer shows of the route; one that was not asked for them says why."""
        if flight.asks is None:
            return answer
        state = capabilities.shown_by(answer) if flight.asks else None
        if flight.refused:
            state = "rejected"
        if state is not None and state != self._offer.state:
            self._offer = capabilities.learnt(self._offer, state, self._clock.now())
            self._events.capability(self._key, capabilities.FEATURE, state)
        if flight.asks or answer.logprobs_state != "not_asked":
            return answer
        return replace(answer, logprobs_state="rejected")

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
