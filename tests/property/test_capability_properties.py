"""Whatever a route does with log-probabilities, asking for them stays within its bounds."""

import asyncio
from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from qualmon.prober.ask import build_askers
from qualmon.prober.capabilities import RECHECK_SECONDS, Offer, asked, learnt, should_ask
from qualmon.prober.flight import Flight
from qualmon.prober.lag import LoopLag
from qualmon.prober.retries import MAX_ATTEMPTS
from qualmon.testing.virtual_time import LoopClock, run_virtual
from qualmon.types import (
    Completion,
    Endpoint,
    Failure,
    Member,
    Message,
    Probe,
    Slot,
    Target,
    TokenLogprob,
)

TARGET = Target("m", "aws", "default")
PROBE = Probe(
    "p", "core", "v", (Message("user", "say"),), ("token.rank",),
    params={"max_tokens": 4, "logprobs": True, "top_logprobs": 5},
)  # fmt: skip
TOKENS = (TokenLogprob("ok", -0.1),)
REFUSAL = Failure("client_error", "HTTP 400", "logprobs is not supported", 400)

results = st.sampled_from(
    [
        REFUSAL,
        Completion("ok", "stop", TOKENS, "present"),
        Completion("ok", "stop", None, "null"),
        Completion("", "stop", None, "absent_ignored"),
        Completion("ok", "stop", None, "malformed"),
        Failure("client_error", "HTTP 400", "no", 400),
        Failure("rate_limited", "HTTP 429", "", 429),
        Failure("timeout_total", ""),
    ]
)


class Whims:
    """Answers with whatever comes next, whether or not it was asked for log-probabilities."""

    def __init__(self, script):
        self.script, self.asked = list(script), []

    async def complete(self, request):
        wanted = "logprobs" in request.params
        self.asked.append(wanted)
        result = self.script.pop(0) if self.script else REFUSAL
        if isinstance(result, Completion) and not wanted:
            return replace(result, logprobs=None, logprobs_state="not_asked")
        return result

    async def aclose(self):
        pass


@given(st.lists(results, max_size=30), st.integers(1, 6))
def test_a_member_gives_way_once_and_takes_four_requests_at_most(script, members):
    """Each member: with, then at most once over to without, never back; the log has them all."""

    async def main():
        provider = Whims(script)
        endpoint = {TARGET.key: Endpoint(TARGET, "http://x/v1")}
        async with LoopLag() as lag:
            askers = build_askers(endpoint, {TARGET.key: provider}, clock=LoopClock(1e9), lag=lag)
            for number in range(members):
                slot = Slot(0.0, "core", "m", number, 60.0)
                member = Member(slot, TARGET.key, "p")
                deadline = asyncio.get_running_loop().time() + 1000.0
                before = len(provider.asked)
                flight = Flight(member, PROBE, deadline, member.id)
                seen = await askers[TARGET.key].ask(flight)
                wanted = provider.asked[before:]
                assert len(seen.attempts) == len(wanted) <= MAX_ATTEMPTS + 1
                assert wanted == sorted(wanted, reverse=True)
                if isinstance(seen.result, Completion) and not wanted[-1]:
                    assert seen.result.logprobs_state == "rejected"

    run_virtual(main())


steps = st.tuples(
    st.floats(0, 3 * RECHECK_SECONDS),
    st.sampled_from(["rejected", "present", "null", "absent_ignored", "malformed", None]),
)


@given(st.lists(steps, max_size=40))
def test_while_refused_no_two_requests_ask_within_a_day(steps):
    """Unless a sign of another state came in between."""
    offer, now, last = Offer(), 1e9, None
    for wait, sign in steps:
        now += wait
        if should_ask(offer, now):
            if last is not None and offer.state == "rejected":
                assert now - last >= RECHECK_SECONDS - 1e-3
            offer, last = asked(offer, now), now
        if sign is not None:
            offer = learnt(offer, sign, now)
            last = last if sign == "rejected" else None
        assert offer.since <= now
