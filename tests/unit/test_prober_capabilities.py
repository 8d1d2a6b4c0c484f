"""Log-probabilities: refused once per member, left out after, asked for again once a day."""

import asyncio
import itertools
from dataclasses import replace

import pytest
from prober_kit import START, bench, first_slot, fleet, stream_of

from qualmon.prober.capabilities import (
    RECHECK_SECONDS,
    Offer,
    asked,
    learnt,
    refuses_logprobs,
    should_ask,
    shown_by,
    without_logprobs,
)
from qualmon.prober.rounds import slot_at
from qualmon.testing.fakes import ANSWER
from qualmon.testing.virtual_time import LoopClock, run_virtual
from qualmon.types import Completion, Failure, Limits, TokenLogprob

KEY = "m/aws/default"
REFUSAL = Failure("client_error", "HTTP 400", 'Unsupported parameter: "Top_LogProbs"', 400)
WITH = Completion("ok", "stop", (TokenLogprob("ok", -0.1),), "present", total_seconds=0.01)


class Route:
    """A server that refuses log-probabilities or not; lists what it was asked."""

    def __init__(self, refusal=REFUSAL, plain=(ANSWER,), delay=0.0):
        self.refusal, self.delay = refusal, delay
        self.plain = list(plain)
        self.requests = []

    async def complete(self, request):
        self.requests.append(request)
        await asyncio.sleep(self.delay)
        if "logprobs" in request.params:
            return self.refusal or WITH
        return self.plain[0] if len(self.plain) == 1 else self.plain.pop(0)

    async def aclose(self):
        pass

    @property
    def asks(self):
        """Requests with log-probabilities so far."""
        return sum("logprobs" in r.params for r in self.requests)


class Jumps(LoopClock):
    """The loop's time and an offset: days pass without the loop's heartbeats in between."""

    offset = 0.0

    def now(self):
        return super().now() + self.offset

    def jump_to(self, when):
        self.offset += when - self.now()


def asking(probes=4, every=60.0):
    """A stream whose probes want log-probabilities."""
    stream = stream_of([KEY], probes=probes, every=every)
    params = {"max_tokens": 10, "temperature": 0, "logprobs": True, "top_logprobs": 5}
    return replace(stream, probes=tuple(replace(p, params=params) for p in stream.probes))


def rounds(route, *, count=1, every=60.0, probes=4, places=None, between=None):
    """Runs rounds one after the other; returns (bench, observations per round)."""

    async def main():
        async with bench(places or fleet("aws"), {KEY: route}, clock=Jumps(START)) as b:
            stream, found = asking(probes, every), []
            first = first_slot(stream, b.ledger)
            for number in range(count):
                slot = slot_at(stream, first.index + number)
                b.ledger.materialise([slot])
                b.clock.jump_to(slot.due)
                if between:
                    between(number, route)
                before = set(b.ledger.rows)
                await b.runner.run(slot, stream)
                found.append([r.observation for k, r in b.ledger.rows.items() if k not in before])
            return b, found

    return run_virtual(main())


def test_a_refused_member_is_asked_again_at_once_without():
    """Both requests are on record; the answer stands and says why it has no logprobs."""
    route = Route()
    b, ((seen,),) = rounds(route, probes=1)
    assert [a.outcome for a in seen.attempts] == ["client_error", "ok"]
    assert seen.attempts[1].at == seen.attempts[0].at
    assert seen.result.logprobs_state == "rejected"
    assert "top_logprobs" not in route.requests[1].params
    assert route.requests[1].params["max_tokens"] == 10
    assert len({r.request_id for r in route.requests}) == 2
    assert b.events.capabilities == [(KEY, "logprobs", "rejected")]


def test_later_members_leave_them_out():
    """One refusal for each request in flight at the start, then none for a day."""
    route = Route()
    b, found = rounds(route, count=5)
    assert route.asks == 4
    assert len(route.requests) == 4 + 5 * 4
    assert {o.result.logprobs_state for o in itertools.chain(*found)} == {"rejected"}
    assert b.events.outcomes == {(KEY, "client_error"): 4, (KEY, "ok"): 20}


def test_one_member_a_day_asks_again():
    """Of the round that comes a day later one member is refused, and no other."""
    route = Route()
    rounds(route, count=1 + 3 * 24, every=3600.0)
    assert route.asks == 4 + 3


def test_a_route_that_learns_them_is_believed_the_next_day():
    """The daily request is answered with them, and everybody asks from then on."""

    def mend(number, route):
        if number == 3:
            route.refusal = None

    b, found = rounds(Route(), count=30, every=3600.0, between=mend)
    states = [{o.result.logprobs_state for o in members} for members in found]
    assert states[:24] == [{"rejected"}] * 24
    assert states[24] == {"rejected", "present"}
    assert states[25:] == [{"present"}] * 5
    assert [state for _, _, state in b.events.capabilities] == ["rejected", "present"]


def test_a_route_that_loses_them_is_noticed_at_once():
    """Present, then refused: the state follows."""

    def break_it(number, route):
        if number == 2:
            route.refusal = REFUSAL

    b, _ = rounds(Route(refusal=None), count=4, between=break_it)
    assert [state for _, _, state in b.events.capabilities] == ["present", "rejected"]


def test_a_refusal_that_only_echoes_them_proves_nothing():
    """Refused with and without them: the failure stands and the next member asks again."""
    echo = Failure("client_error", "HTTP 422", '{"input": {"logprobs": true, "user": 1}}', 422)
    route = Route(refusal=echo, plain=[echo])
    b, found = rounds(route, count=2, probes=1)
    assert [o.outcome for o in itertools.chain(*found)] == ["client_error"] * 2
    assert [len(o.attempts) for o in itertools.chain(*found)] == [2, 2]
    assert route.asks == 2
    assert b.events.capabilities == []


def test_the_question_without_them_has_its_own_retries():
    """Giving way is no retry: three tries are left to the second question, and no fourth."""
    limited = Failure("rate_limited", "", status=429)
    _, ((seen,),) = rounds(Route(plain=[limited, limited, ANSWER]), probes=1)
    assert [a.outcome for a in seen.attempts] == [
        "client_error", "rate_limited", "rate_limited", "ok",
    ]  # fmt: skip
    _, ((seen,),) = rounds(Route(plain=[limited]), probes=1)
    assert [a.outcome for a in seen.attempts] == ["client_error"] + ["rate_limited"] * 3


def test_a_retried_request_keeps_asking():
    """A 429 before the daily check's answer does not use the check up."""

    class Busy(Route):
        async def complete(self, request):
            if len(self.requests) == 2:  # the first request of the next day
                self.requests.append(request)
                return Failure("rate_limited", "", status=429)
            return await super().complete(request)

    route = Busy()
    rounds(route, count=2, probes=1, every=RECHECK_SECONDS)
    assert route.asks == 3
    assert len(route.requests) == 5


def test_the_budget_counts_the_second_question():
    """With one request left for the day the refusal stands."""
    places = fleet("aws", limits=Limits(requests_per_day=1))
    _, ((seen,),) = rounds(Route(), probes=1, places=places)
    assert [a.outcome for a in seen.attempts] == ["client_error"]


def test_accounts_hold_room_for_the_second_question():
    """What is written down before a round covers three tries and one refusal a member."""
    written = []

    class Slow(Route):
        async def complete(self, request):
            written.append(self.ledger.get_meta("budget/m"))
            return await super().complete(request)

    async def main():
        route = Slow()
        async with bench(fleet("aws", limits=Limits(requests_per_day=100)), {KEY: route}) as b:
            route.ledger, stream = b.ledger, asking(2)
            await b.runner.run(first_slot(stream, b.ledger), stream)

    run_virtual(main())
    assert f"[{int(START // 86400)}, 8, 0.0]" in written[0]


def test_probes_that_want_none_teach_nothing():
    """Their answers are left as they are."""

    async def main():
        route = Route()
        async with bench(fleet("aws"), {KEY: route}) as b:
            stream = stream_of(b.endpoints, probes=2)
            await b.runner.run(first_slot(stream, b.ledger), stream)
            states = {r.observation.result.logprobs_state for r in b.ledger.rows.values()}
            assert (states, b.events.capabilities) == ({"not_asked"}, [])

    run_virtual(main())


@pytest.mark.parametrize(
    ("result", "refuses"),
    [
        (REFUSAL, True),
        (Failure("client_error", "LOGPROBS is not supported", status=404), True),
        (Failure("auth", "", "You are not allowed to request logprobs from this model", 403), True),
        (Failure("error_body", "", "responseLogprobs is not enabled", 200), True),
        (Failure("client_error", "", "log probabilities are unavailable", 400), True),
        (Failure("client_error", "", "max_tokens is too large", 400), False),
        (Failure("server_error", "", "logprobs: NaN is not JSON", 500), False),
        (Failure("rate_limited", "", "logprobs", 429), False),
        (WITH, False),
    ],
)
def test_what_counts_as_a_refusal(result, refuses):
    """The server said no, and named them in any spelling."""
    assert refuses_logprobs(result) is refuses


def test_an_answer_without_text_shows_nothing():
    """No token, nothing to report on: its silence is no lost capability."""
    assert shown_by(Completion("", "stop", logprobs_state="null")) is None
    assert shown_by(Completion("", "stop", logprobs_state="absent_ignored")) is None
    assert shown_by(Completion("x", "stop", logprobs_state="null")) == "null"
    assert shown_by(Completion("", "stop", logprobs_state="malformed")) == "malformed"
    assert shown_by(Completion("x", "stop")) == "not_asked"


def test_the_day_is_counted_from_the_newest_request_that_asked():
    """Inside it nobody asks; a clock set back does not stretch it."""
    offer = asked(learnt(Offer(), "rejected", START), START)
    assert not should_ask(offer, START)
    assert not should_ask(offer, START + RECHECK_SECONDS - 1)
    assert should_ask(offer, START + RECHECK_SECONDS)
    assert should_ask(offer, START - 1)
    assert not should_ask(asked(offer, START - 1), START)
    assert should_ask(learnt(offer, "null", START), START)


def test_since_is_the_first_sign_of_a_state():
    """Further signs of the same state do not move it."""
    offer = learnt(learnt(Offer(), "null", 1.0), "null", 2.0)
    assert (offer.state, offer.since) == ("null", 1.0)
    assert learnt(offer, "present", 3.0).since == 3.0


def test_only_the_two_members_are_left_out():
    """Everything else of the question stays."""
    params = {"logprobs": True, "top_logprobs": 5, "temperature": 0, "max_tokens": 3}
    assert without_logprobs(params) == {"temperature": 0, "max_tokens": 3}
