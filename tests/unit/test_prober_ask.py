"""One member, one target: retries, limits, budget, and providers that misbehave."""

import asyncio
import itertools

import pytest
from prober_kit import START, bench, endpoint, first_slot, fleet, stream_of

from qualmon.errors import UsageError
from qualmon.prober.budget import Budget, Spend, actual_usd, day_of, worst_usd
from qualmon.testing.fakes import ANSWER, HangingProvider, ScriptedProvider
from qualmon.testing.virtual_time import run_virtual
from qualmon.types import Completion, Failure, Limits, Message, Price, Probe, Usage

KEY = "m/aws/default"


def ask_all(provider, *, probes=1, endpoints=None, **more):
    """Runs one round of one target and returns (rows in order of id, bench)."""

    async def main():
        places = endpoints or fleet("aws")
        async with bench(places, {KEY: provider}, **more) as b:
            stream = stream_of(places, probes=probes)
            result = await b.runner.run(first_slot(stream, b.ledger), stream)
            return b, result, [row.observation for row in b.ledger.rows.values()]

    return run_virtual(main())


def test_a_retry_is_kept_and_the_answer_stands():
    """Every attempt is on record under its own outcome, the last one decides."""
    limited = Failure("rate_limited", "slow down", status=429, retry_after=7.0)
    provider = ScriptedProvider([limited, Failure("connect", "refused"), ANSWER])
    b, _, (seen,) = ask_all(provider)
    assert seen.outcome == "ok"
    assert [a.outcome for a in seen.attempts] == ["rate_limited", "connect", "ok"]
    assert seen.attempts[1].at - seen.attempts[0].at >= 7.0
    assert len({r.request_id for r in provider.requests}) == 3
    assert len({r.user for r in provider.requests}) == 1
    assert b.events.outcomes == {(KEY, "rate_limited"): 1, (KEY, "connect"): 1, (KEY, "ok"): 1}


def test_three_attempts_are_the_end():
    """A server that always refuses is asked three times and no more."""
    provider = ScriptedProvider([Failure("overloaded", "", status=529)])
    _, _, (seen,) = ask_all(provider)
    assert seen.outcome == "overloaded"
    assert len(seen.attempts) == len(provider.requests) == 3


def test_no_retry_starts_after_the_deadline():
    """A Retry-After that ends beyond the round is not waited for; the failure stands."""
    provider = ScriptedProvider([Failure("rate_limited", "", retry_after=60.0), ANSWER])
    _, result, (seen,) = ask_all(provider)
    assert seen.outcome == "rate_limited"
    assert len(seen.attempts) == 1
    assert (result.status, result.seconds < 1.0) == ("closed", True)


@pytest.mark.parametrize(
    ("wrong", "kind"),
    [
        (ValueError("key sk-123 in message"), "protocol"),
        (asyncio.CancelledError(), "cancelled"),
        ("not a result", "protocol"),
        (None, "protocol"),
        (Failure("invented", "x"), "protocol"),
        (Failure("ok", "x"), "protocol"),
    ],
)
def test_a_broken_provider_costs_its_member_only(wrong, kind, caplog):
    """Whatever a plug-in raises or returns ends as a failure; its words are not repeated."""
    _, result, seen = ask_all(ScriptedProvider([wrong, ANSWER]), probes=3)
    assert sorted(o.outcome for o in seen) == sorted([kind, "ok", "ok"])
    assert result.missing == 0
    assert "sk-123" not in caplog.text + "".join(str(o) for o in seen)


def test_a_provider_deaf_to_its_time_out_is_cut_off():
    """The total time-out plus five seconds ends a request, long before the round does."""
    provider = HangingProvider()
    _, result, (seen,) = ask_all(provider)
    assert seen.outcome == "timeout_total"
    assert result.seconds == pytest.approx(10.0, abs=0.1)
    assert provider.cancelled == 1


def test_limits_of_a_target_hold_within_a_round():
    """Concurrency and rate are kept when a round asks many things at once."""
    provider = ScriptedProvider(delay=1.0)
    places = {KEY: endpoint("aws", limits=Limits(rate=4.0, concurrency=3))}
    _, _, seen = ask_all(provider, probes=12, endpoints=places)
    starts = sorted(o.at for o in seen)
    assert provider.most_in_flight == 3
    assert all(b - a >= 0.25 - 1e-6 for a, b in itertools.pairwise(starts))


def test_an_exhausted_budget_leaves_members_missing():
    """What the day's requests do not allow is not asked, and that is visible."""
    provider = ScriptedProvider()
    places = {KEY: endpoint("aws", limits=Limits(requests_per_day=5))}
    spent = {KEY: Spend(day_of(START), requests=3)}
    b, result, seen = ask_all(provider, probes=4, endpoints=places, spent=spent)
    assert len(seen) == len(provider.requests) == 2
    assert (result.status, result.missing) == ("closed", 2)
    assert b.events.missed == {(KEY, "budget"): 2}
    assert b.events.budgets[KEY, "requests"] == 0.0


def test_retries_count_against_the_budget():
    """A refused request is a request; the budget ends its retries and the failure stands."""
    provider = ScriptedProvider([Failure("rate_limited", "", status=429)])
    places = {KEY: endpoint("aws", limits=Limits(requests_per_day=2))}
    _, _, (seen,) = ask_all(provider, endpoints=places)
    assert [a.outcome for a in seen.attempts] == ["rate_limited"] * 2


def test_money_is_held_at_the_worst_case_and_corrected():
    """With max_tokens of 10 at 1 USD a token only one request fits until its usage is known."""
    answer = Completion("x", "stop", usage=Usage(1, 1), total_seconds=0.5)
    provider = ScriptedProvider([answer], delay=0.5)
    price = Price(input=0.0, output=1e6)
    places = {KEY: endpoint("aws", price=price, limits=Limits(concurrency=1, usd_per_day=13.0))}
    b, _, seen = ask_all(provider, probes=6, endpoints=places)
    # 10 held, 1 spent: the fourth request fits (3 + 10 <= 13), the fifth does not.
    assert len(seen) == 4
    assert b.events.budgets[KEY, "usd"] == pytest.approx(1 - 4 / 13)


def test_costs_without_usage_stay_at_the_worst_case():
    """What was not reported is not assumed to be cheap; what never ran is free."""
    price, p = Price(1e6, 1e6), Probe("p", "s", "v", (Message("user", "abcd"),), ())
    worst = worst_usd(price, p, {"max_tokens": 5})
    assert worst == 4 + 16 + 5
    assert worst_usd(price, p, {}) > 4096
    assert worst_usd(None, p, {}) == 0.0
    assert actual_usd(price, Completion("x", "stop"), worst) == worst
    assert actual_usd(price, Failure("timeout_total", ""), worst) == worst
    assert actual_usd(price, Failure("rate_limited", ""), worst) == 0.0
    assert actual_usd(price, Completion("x", "stop", usage=Usage(2, 3)), worst) == 5


def test_a_money_limit_without_a_price_is_refused():
    """A budget that cannot be kept is said at the start."""
    with pytest.raises(UsageError, match="price"):
        Budget(Limits(usd_per_day=1.0), None, lambda: START)


def test_a_late_loop_marks_the_sample():
    """A request during which the event loop stood still is marked."""

    class Blocking(ScriptedProvider):
        async def complete(self, request):
            loop = asyncio.get_running_loop()
            loop._jumping.now += 0.2  # what a callback that computes for 200 ms looks like
            await asyncio.sleep(0.1)
            return ANSWER

    _, _, (slow,) = ask_all(Blocking())
    _, _, (quick,) = ask_all(ScriptedProvider(delay=0.1))
    assert slow.lagged
    assert not quick.lagged


def test_loop_lag_is_reported_once_a_second():
    """The gauge gets the worst lateness of each second."""

    async def main():
        async with bench() as b:
            await asyncio.sleep(3.05)
            return b.events.lags

    assert 2 <= len(run_virtual(main())) <= 4
