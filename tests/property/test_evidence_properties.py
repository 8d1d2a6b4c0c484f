"""Evidence under any bounds, clusters and outcomes."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest
from fold_kit import FLEET, answered, make_rules, missing, proven, slot
from hypothesis import given, settings
from hypothesis import strategies as st

from qualmon.folding import nodes
from qualmon.folding.evidence import cells, terms
from qualmon.folding.rules import FoldRules
from qualmon.folding.state import FoldState, Pool, dump, load
from qualmon.stats import bets, esr
from qualmon.stats.bounds import confidence_sequence, refuted, upper_limit
from qualmon.stats.esr import Masses
from qualmon.stats.grids import DROP_GRID, EPS_GRID, SATURATION
from qualmon.stats.share import Window, plausible, share
from qualmon.types import ClosedRound, Member

FIXED = settings(derandomize=True, deadline=None)
BOUNDS = st.floats(1e-6, 1.0)
RATES = st.floats(0.0, 1.0)
COUNTS = st.tuples(st.integers(0, 3000), st.integers(0, 3000)).map(lambda pair: sorted(pair)[::-1])
CHANNEL = "script.run"
TWO = (FLEET[0].key, FLEET[1].key, "m-large/aws/default")


@FIXED
@given(bound=BOUNDS, rate=RATES)
def test_the_mean_of_a_bet_is_at_most_one_while_the_rate_is_within_the_bound(
    bound: float, rate: float
) -> None:
    """E[1 - eps + eps * r] <= 1 for any healthy rate up to the bound, at every share."""
    p = rate * bound
    good = bets.contamination(bets.event_ratio(0.0, bound), EPS_GRID)
    bad = bets.contamination(bets.event_ratio(1.0, bound), EPS_GRID)
    assert ((1.0 - p) * good + p * bad <= 1.0 + 1e-12).all()


@FIXED
@given(p=st.lists(st.floats(0.0, 1.0), min_size=1, max_size=8), q=st.floats(1e-4, 0.5))
def test_a_token_bet_is_fair_for_any_reported_distribution(p: list[float], q: float) -> None:
    """r = 1{not the first}/(1 - p1) has mean one given the context, so 1 - q + q r has too."""
    for p1 in p:
        if p1 < 1.0:
            mean = p1 * (1.0 - q) + (1.0 - p1) * (1.0 - q + q / (1.0 - p1))
            assert mean == pytest.approx(1.0)


def _mean_factor(
    state: FoldState, rules: FoldRules, shape: Sequence[tuple[str, int]], shocks: dict[str, float]
) -> np.ndarray:
    """E of the fleet's bet over all outcomes: each platform's answers share its shock, or with
    one minus it are all good."""
    members = [Member(slot(0), target, f"p{k}") for target, size in shape for k in range(size)]
    platforms = sorted(shocks)
    mean = np.zeros(len(EPS_GRID))
    for shocked in itertools.product((True, False), repeat=len(platforms)):
        hit = dict(zip(platforms, shocked, strict=True))
        weight = float(np.prod([shocks[p] if hit[p] else 1.0 - shocks[p] for p in platforms]))
        results = [
            answered(m, (CHANNEL,), (CHANNEL,) if hit[m.target.split("/")[1]] else ())
            for m in members
        ]
        rnd = ClosedRound(slot(0), tuple(results))
        terms_ = terms(rnd, state, rules)
        bet = nodes.factors(rules.nodes[rules.place["fleet"]], cells(rnd, state, terms_), terms_)
        assert bet is not None
        mean = mean + weight * bet.events[0]
    return mean


@settings(FIXED, max_examples=40)
@given(
    sizes=st.lists(st.integers(1, 4), min_size=3, max_size=3),
    seen=st.integers(0, 5000),
    parts=st.lists(RATES, min_size=2, max_size=2),
)
def test_shared_shocks_keep_the_mean_of_unproven_bets_at_one(
    sizes: list[int], seen: int, parts: list[float]
) -> None:
    """Unproven answers of a platform that go bad all together, at any rate up to the working
    bound and in clusters of any size, leave the mean of the node's bet at one or below."""
    rules = make_rules(events=(CHANNEL,), bounds={CHANNEL: 1e-3})
    state = proven(rules)
    pool = Pool(n=seen)
    state = replace(state, pools={"core/m-large": {CHANNEL: pool}})
    bound = max(1e-3, upper_limit(seen, 0))
    shocks = {"first-party": parts[0] * bound, "aws": parts[1] * bound}
    mean = _mean_factor(state, rules, list(zip(TWO, sizes, strict=True)), shocks)
    assert (mean <= 1.0 + 1e-9).all()


@settings(FIXED, max_examples=30)
@given(rate=RATES, sizes=st.lists(st.integers(1, 3), min_size=2, max_size=2))
def test_independent_answers_keep_the_mean_of_proven_bets_at_one(
    rate: float, sizes: list[int]
) -> None:
    """Enumerated over every outcome: the product over answers at a proven bound is fair."""
    bound = 0.05
    rules = make_rules(events=(CHANNEL,), bounds={CHANNEL: bound})
    state, p = proven(rules), rate * bound
    shape = [(target, size) for target, size in zip(TWO, sizes, strict=False)]
    members = [Member(slot(0), t, f"p{k}") for t, size in shape for k in range(size)]
    mean = np.zeros(len(EPS_GRID))
    for outcome in itertools.product((True, False), repeat=len(members)):
        rnd = ClosedRound(
            slot(0),
            tuple(
                answered(m, (CHANNEL,), (CHANNEL,) if bad else ())
                for m, bad in zip(members, outcome, strict=True)
            ),
        )
        terms_ = terms(rnd, state, rules)
        bet = nodes.factors(rules.nodes[rules.place["fleet"]], cells(rnd, state, terms_), terms_)
        assert bet is not None
        mean = mean + float(np.prod([p if bad else 1.0 - p for bad in outcome])) * bet.events[0]
    assert (mean <= 1.0 + 1e-9).all()


@FIXED
@given(
    outcomes=st.lists(st.sampled_from(["good", "bad", "missing"]), min_size=1, max_size=12),
    lose=st.integers(0, 11),
    trusted=st.booleans(),
)
def test_a_missing_answer_never_raises_a_nodes_mass(
    outcomes: list[str], lose: int, trusted: bool
) -> None:
    """Losing any one answer of a round leaves every bet as it is or lower."""
    rules = make_rules(events=(CHANNEL,), bounds={CHANNEL: 1e-3})
    state = proven(rules)
    if not trusted:
        state = replace(state, pools={"core/m-large": {CHANNEL: Pool(n=500, hits=1)}})

    def bet(results: list[str]) -> np.ndarray:
        members = [Member(slot(0), TWO[k % 3], f"p{k}") for k in range(len(results))]
        rnd = ClosedRound(
            slot(0),
            tuple(
                missing(m)
                if result == "missing"
                else answered(m, (CHANNEL,), (CHANNEL,) if result == "bad" else ())
                for m, result in zip(members, results, strict=True)
            ),
        )
        terms_ = terms(rnd, state, rules)
        found = nodes.factors(rules.nodes[rules.place["fleet"]], cells(rnd, state, terms_), terms_)
        assert found is not None
        return found.events

    lost = [*outcomes]
    lost[lose % len(lost)] = "missing"
    assert (bet(lost) <= bet(outcomes) * (1.0 + 1e-12)).all()


FACTORS = st.lists(
    st.floats(0.0, 1e12, allow_nan=False) | st.sampled_from([0.0, 1.0, 1e250]),
    min_size=10,
    max_size=10,
)


@FIXED
@given(
    steps=st.lists(st.tuples(st.floats(0.0, 10.0), FACTORS), min_size=1, max_size=20),
    others=st.integers(0, 5),
    place=st.integers(0, 5),
)
def test_one_node_alone_and_among_many_agree_to_the_last_bit(
    steps: list[tuple[float, list[float]]], others: int, place: int
) -> None:
    """Scalar equals batch: the same stream as an array of its own, as a row among other rows,
    and number by number in plain floats."""
    place %= others + 1
    alone = esr.init((10,))
    many = esr.init((others + 1, 1, 10))
    mass, moment = [0.0] * 10, [0.0] * 10
    for at, (drift, factor) in enumerate(steps):
        alone = esr.step(alone, drift, float(at), np.array(factor))
        wide = np.full((others + 1, 1, 10), 2.0)
        wide[place, 0] = factor
        drifts = np.full((others + 1, 1, 1), 0.5)
        drifts[place] = drift
        many = esr.step(many, drifts, float(at), wide)
        for k in range(10):
            start, begun = mass[k] + drift, moment[k] + drift * float(at)
            limited = min(factor[k], SATURATION / max(start, 1.0))
            mass[k], moment[k] = min(start * limited, SATURATION), begun * limited
    assert alone.mass.tolist() == many.mass[place, 0].tolist() == mass
    assert alone.moment.tolist() == many.moment[place, 0].tolist() == moment
    assert float(esr.total(alone.mass)) == esr.total(many.mass)[place, 0]


@FIXED
@given(drift=st.floats(0.0, 5.0), rows=st.lists(FACTORS, min_size=1, max_size=10))
def test_masses_never_leave_their_range(drift: float, rows: list[list[float]]) -> None:
    """Non-negative, finite, at most the limit, whatever comes."""
    state = esr.init((10,))
    for at, row in enumerate(rows):
        state = esr.step(state, drift, float(at), np.array(row))
        assert (state.mass >= 0.0).all()
        assert (state.mass <= SATURATION).all()
        assert np.isfinite(state.moment).all()


@settings(FIXED, max_examples=25)
@given(values=st.lists(FACTORS, min_size=33, max_size=33), moments=FACTORS)
def test_states_survive_their_rows(values: list[list[float]], moments: list[float]) -> None:
    """Any masses are read back from JSON to the last bit."""
    rules = make_rules(events=(CHANNEL,), tokens=("token.drop",), bounds={CHANNEL: 1e-3})
    state = proven(rules)
    mass = np.array(values)[:, None, :]
    tokens = np.broadcast_to(np.array(moments + [0.1] * 3), (33, 1, 13)).copy()
    state = replace(
        state,
        events=Masses(mass, mass * 0.5),
        tokens=Masses(tokens, tokens),
        updated=np.arange(33.0),
    )
    rows = dump(state, rules)
    back = load(rows, rules)
    assert back.events.mass.tobytes() == state.events.mass.tobytes()
    assert back.events.moment.tobytes() == state.events.moment.tobytes()
    assert back.tokens.mass.tobytes() == state.tokens.mass.tobytes()
    assert dump(back, rules) == rows


@FIXED
@given(counts=COUNTS, alpha=st.floats(1e-6, 0.5), bound=st.floats(1e-5, 0.5))
def test_limits_are_ordered_and_consistent(counts: list[int], alpha: float, bound: float) -> None:
    """low <= rate <= high, the exact limit lies above the rate, and refuting is the sequence's
    own verdict."""
    n, hits = counts
    low, high = confidence_sequence(n, hits, alpha)
    assert 0.0 <= low <= high <= 1.0
    if n:
        assert low <= hits / n <= high
        assert upper_limit(n, hits) >= hits / n
    assert refuted(n, hits, bound, alpha) == (low > bound) or low == pytest.approx(bound)


@FIXED
@given(
    windows=st.lists(st.tuples(st.integers(0, 500), st.integers(0, 500)), min_size=0, max_size=12),
    bound=st.floats(1e-5, 0.2),
)
def test_shares_are_shares(windows: list[tuple[int, int]], bound: float) -> None:
    """0 <= low <= high <= 1 with the point between, for any counts."""
    counted = [Window(float(k), max(pair), min(pair)) for k, pair in enumerate(windows)]
    sized = share(plausible(counted, bound), bound)
    assert 0.0 <= sized.low <= sized.high <= 1.0
    if sized.point is not None:
        assert sized.low <= sized.point <= sized.high


@FIXED
@given(most=st.integers(0, 200), hits=st.integers(0, 40))
def test_grouped_answers_multiply_like_single_ones(most: int, hits: int) -> None:
    """Good answers first, then the bad: the grouped product is the product one by one."""
    good = bets.contamination(0.0, EPS_GRID)
    bad = bets.contamination(1000.0, EPS_GRID)
    grouped = bets.product([bets.good_answers(most, EPS_GRID)[most], *[bad] * hits], 10)
    assert grouped.tolist() == bets.product([*[good] * most, *[bad] * hits], 10).tolist()


@FIXED
@given(grid=st.lists(st.floats(0.0, 1e300), min_size=13, max_size=13), times=st.integers(0, 5))
def test_products_stay_within_the_limit(grid: list[float], times: int) -> None:
    """No e-value, however large, makes the product overflow or not a number."""
    factor = np.minimum(np.array(grid), SATURATION)
    result = bets.product([factor] * times, len(DROP_GRID))
    assert (result >= 0.0).all()
    assert (result <= SATURATION).all()
