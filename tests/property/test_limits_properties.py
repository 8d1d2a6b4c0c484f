"""Rates, places and budgets are never exceeded, whatever arrives and whatever is cancelled."""

import asyncio
import itertools

from hypothesis import given, settings
from hypothesis import strategies as st

from qualmon.prober.budget import DAY, Budget, Spend
from qualmon.prober.limits import Gate, Rate, fair_cap
from qualmon.testing.virtual_time import run_virtual
from qualmon.types import Limits, Price


@settings(max_examples=50)
@given(
    st.floats(0.1, 50.0),
    st.lists(st.tuples(st.floats(0, 5), st.booleans()), min_size=1, max_size=30),
)
def test_a_rate_is_never_exceeded(per_second, arrivals):
    """Starts keep their distance, in order of arrival, and a waiter that gives up costs none."""
    starts = []

    async def one(number, rate, at, impatient):
        await asyncio.sleep(at)
        try:
            async with asyncio.timeout(0.5 / per_second if impatient else None):
                await rate.wait()
        except TimeoutError:
            return
        starts.append((asyncio.get_running_loop().time(), number))

    async def main():
        rate = Rate(per_second)
        await asyncio.gather(*(one(i, rate, *a) for i, a in enumerate(arrivals)))

    run_virtual(main())
    times = [t for t, _ in starts]
    gaps = [b - a for a, b in itertools.pairwise(times)]
    assert all(gap >= 1 / per_second - 1e-9 for gap in gaps)
    assert len(starts) >= sum(not impatient for _, impatient in arrivals)


@settings(max_examples=50)
@given(
    st.integers(1, 6),
    st.integers(1, 6),
    st.lists(st.tuples(st.floats(0, 2), st.floats(0, 2), st.booleans()), max_size=25),
)
def test_places_are_never_exceeded_nor_lost(concurrency, cap, jobs):
    """At most min(concurrency, cap) are inside; cancelled ones give their place back."""
    inside, most = 0, 0

    async def one(gate, at, takes, cancelled):
        nonlocal inside, most
        await asyncio.sleep(at)
        try:
            async with asyncio.timeout(takes / 2 if cancelled else None), gate:
                inside += 1
                most = max(most, inside)
                try:
                    await asyncio.sleep(takes)
                finally:
                    inside -= 1
        except TimeoutError:
            pass

    async def main():
        gate = Gate(Limits(rate=20.0, concurrency=concurrency), cap=cap)
        await asyncio.gather(*(one(gate, *job) for job in jobs))
        places = [asyncio.create_task(gate.__aenter__()) for _ in range(min(concurrency, cap))]
        await asyncio.wait_for(asyncio.gather(*places), timeout=60)

    run_virtual(main())
    assert most <= min(concurrency, cap)


@given(st.integers(1, 1000), st.integers(1, 1000))
def test_fair_caps_stay_below_the_bound(bound, targets):
    """All targets at their caps together stay within the process's bound, one each at least."""
    cap = fair_cap(bound, targets)
    assert cap >= 1
    assert cap * targets <= max(bound, targets)


steps = st.lists(
    st.tuples(
        st.floats(0, 0.4 * DAY),  # time passes
        st.floats(0, 3),  # worst cost
        st.floats(0, 1),  # share of it that it really cost
        st.booleans(),  # the process is killed before the answer
    ),
    max_size=60,
)


@given(st.integers(0, 20), st.floats(0, 10), steps)
def test_budgets_hold_over_restarts(requests, usd, script):
    """What was really sent and spent on a UTC day never exceeds its budget."""
    now = 1.7e9

    def clock():
        return now

    limits = Limits(requests_per_day=requests, usd_per_day=usd)
    sent: dict[int, int] = {}
    cost: dict[int, float] = {}
    budget = Budget(limits, Price(1, 1), clock)
    for wait, worst, share, killed in script:
        now += wait
        day = int(now // DAY)
        budget.plan(1, worst)
        page = budget.most  # written down before anything is sent
        receipt = budget.take(worst)
        budget.plan(-1, -worst)
        if receipt is not None:
            sent[day] = sent.get(day, 0) + 1
            cost[day] = cost.get(day, 0.0) + worst * share
            if not killed:
                budget.settle(receipt, worst * share)
        if killed:
            budget = Budget(limits, Price(1, 1), clock)
            budget.restore(page)
    assert all(n <= requests for n in sent.values())
    assert all(c <= usd + 1e-9 for c in cost.values())


@given(st.floats(0, 3 * DAY))
def test_a_clock_set_back_gives_no_second_budget(back):
    """Midnight passes once."""
    now = 1.7e9
    budget = Budget(Limits(requests_per_day=1), None, lambda: now, Spend(int(now // DAY)))
    assert budget.take(0.0) is not None
    now -= back
    assert budget.take(0.0) is None
