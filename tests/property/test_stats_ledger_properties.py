"""Whatever is entered: weights within 1, hours weighted by them, nothing granted twice."""

from __future__ import annotations

import json

import numpy as np
from hypothesis import assume, given
from hypothesis import strategies as st

from qualmon.errors import StatisticsError
from qualmon.stats import ledger as books
from qualmon.stats.ledger import Ledger
from qualmon.stats.ledger_document import document, restored
from qualmon.stats.ledger_entries import (
    Added,
    Entry,
    Epoch,
    Headstart,
    Lowered,
    Monitored,
    Paged,
    Part,
    Started,
)
from qualmon.stats.recovery_by_hour import Plan, start, step

KEYS = st.sampled_from([("fleet", "a"), ("fleet", "b"), ("x", "a")])
PARTS = st.builds(Part, st.floats(-0.1, 1.1), st.sampled_from(["n1", "n2"]))
SETS = st.dictionaries(KEYS, PARTS, max_size=3)
ENTRIES = st.one_of(
    st.builds(Started, SETS),
    st.builds(Epoch, SETS),
    st.builds(Added, KEYS, PARTS),
    st.builds(Lowered, KEYS, st.floats(-0.1, 1.1)),
    st.builds(Monitored, st.floats(-1.0, 1000.0)),
    st.builds(Paged, KEYS),
    st.builds(Headstart, KEYS, st.floats(-1.0, 150.0)),
)


def _folded(entries: list[Entry]) -> tuple[Ledger, list[Entry]]:
    """The ledger, and the entries that it took."""
    ledger, taken = books.init(100.0), []
    for entry in entries:
        try:
            ledger = books.step(ledger, entry)
        except StatisticsError:
            continue
        taken.append(entry)
    return ledger, taken


@given(st.lists(ENTRIES, max_size=30))
def test_whatever_is_entered_the_budget_is_kept(entries: list[Entry]) -> None:
    """Weights sum to 1 at most, and expected pages to (T + sum of headstarts) / A; a headstart
    stands behind a first start of a part or a page of its own."""
    ledger, taken = _folded(entries)
    assert books.total_weight(ledger) <= 1.0 + 1e-9
    most = (ledger.hours + ledger.headstarts) / ledger.budget
    assert books.expected_pages(ledger) <= most * (1.0 + 1e-9)
    starts = sum(len(entry.parts) for entry in taken if isinstance(entry, Started))
    assert sum(isinstance(entry, Headstart) for entry in taken) <= starts + ledger.pages


@given(st.lists(ENTRIES, max_size=30))
def test_the_log_and_the_document_rebuild_the_ledger(entries: list[Entry]) -> None:
    """The taken entries alone give the same ledger, and so does JSON, to the last bit."""
    ledger, taken = _folded(entries)
    assert books.folded(100.0, taken) == ledger
    assert restored(json.loads(json.dumps(document(ledger)))) == ledger


@given(st.lists(st.tuples(ENTRIES, st.booleans()), max_size=20))
def test_survivors_never_include_a_part_with_another_null(
    entries: list[tuple[Entry, bool]],
) -> None:
    """Evidence is carried only under the null that it was gathered under."""
    before, _ = _folded([entry for entry, early in entries if early])
    after = before
    for entry, early in entries:
        if not early:
            after = books.step(after, entry) if _taken(after, entry) else after
    for key in books.survivors(before, after):
        assert before.accounts[key].null == after.accounts[key].null
        assert before.accounts[key].pages == after.accounts[key].pages


def _taken(ledger: Ledger, entry: Entry) -> bool:
    try:
        books.step(ledger, entry)
    except StatisticsError:
        return False
    return True


@given(
    st.lists(st.floats(0.0, 0.3), min_size=1, max_size=6),
    st.floats(0.01, 0.2),
    st.integers(1, 8),
)
def test_recovery_is_valid_for_any_course_of_a_fault_within_a_block(
    rates: list[float], share: float, draws: int
) -> None:
    """E[L of a whole block] <= 1 by exact sums, if only the mean rate of its draws is at least
    half the fault's: with L(hit) = b/s, L(clean) = (1-b)/(1-s) the mean is a product of terms
    1 - c (q - s), and by the means' inequality at most (1 - c (mean q - s))^n."""
    bound = 1e-3
    plan = Plan(bound, blocks=1)
    state = step(plan, start(plan, 0.0, [[[1000, round(1000 * share)]]]), 1.0, 1, 0)
    state = step(plan, state, 86400.0, 0, 0)
    still = float(state.still[-1, 0])
    course = np.array(rates * draws)
    course = np.minimum(course + max(0.0, still - float(course.mean())), 1.0)
    assume(course.mean() >= still)
    mean = np.prod((1 - course) * (1 - bound) / (1 - still) + course * bound / still)
    assert mean <= 1.0 + 1e-9
