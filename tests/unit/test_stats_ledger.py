"""The ledger of the false-alarm budget: what it sums up, carries over and refuses."""

from __future__ import annotations

import json
from typing import Any

import pytest

from qualmon.errors import StatisticsError
from qualmon.stats import ledger as books
from qualmon.stats.ledger import Ledger
from qualmon.stats.ledger_document import document, restored
from qualmon.stats.ledger_entries import (
    Added,
    Entry,
    Epoch,
    Headstart,
    Key,
    Lowered,
    Monitored,
    Paged,
    Part,
    Started,
)

ALL: Key = ("fleet", "script")
AWS: Key = ("platform=aws", "script")
PARTS = {ALL: Part(0.4, "script 1e-3 of a,b"), AWS: Part(0.5, "script 1e-3 of a")}


def _ledger(*entries: Entry) -> Ledger:
    return books.folded(2160.0, (Started(PARTS), *entries))


def test_weighted_hours_and_headstarts_are_the_expected_pages() -> None:
    """(.9 x 1000 + .5 x 200 h after a weight fell by .4, + 43.2 h of headstart) / 2160."""
    ledger = _ledger(
        Headstart(ALL, 43.2), Monitored(1000.0), Lowered(AWS, 0.1), Monitored(200.0), Paged(ALL)
    )
    assert ledger.hours == 1200.0
    assert ledger.pages == 1
    assert books.expected_pages(ledger) == pytest.approx((900.0 + 100.0 + 43.2) / 2160.0)
    assert books.expected_pages(ledger) <= (ledger.hours + ledger.headstarts) / ledger.budget


def test_a_restart_restores_the_ledger_to_the_bit() -> None:
    """Through JSON and back nothing is earned and nothing lost, the credit of a page included."""
    ledger = _ledger(Headstart(ALL, 43.2), Monitored(1.0 / 3.0), Paged(ALL))
    again = restored(json.loads(json.dumps(document(ledger))))
    assert again == ledger
    assert books.survivors(ledger, again) == set(PARTS)
    assert books.step(again, Headstart(ALL, 1.0)) == books.step(ledger, Headstart(ALL, 1.0))


def test_a_version_carries_evidence_where_the_null_is_unchanged() -> None:
    """The same declaration keeps every part, however often; another null starts its part at 0."""
    before = _ledger(Monitored(500.0))
    same = books.step(before, Epoch(PARTS))
    assert books.survivors(before, same) == {ALL, AWS}
    other = books.step(same, Epoch({**PARTS, AWS: Part(0.5, "script 2e-3 of a")}))
    assert books.survivors(same, other) == {ALL}
    assert books.survivors(before, books.step(other, Epoch({ALL: PARTS[ALL]}))) == {ALL}
    back = books.step(books.step(same, Epoch({ALL: PARTS[ALL]})), Epoch(PARTS))
    assert books.survivors(same, back) == {ALL}


def test_a_page_ends_the_evidence_of_its_own_part_only() -> None:
    """The paged part starts again, the others go on."""
    before = _ledger(Monitored(10.0))
    assert books.survivors(before, books.step(before, Paged(AWS))) == {ALL}


def test_a_headstart_is_had_once_and_at_once() -> None:
    """After the first start and after each page, before the next monitored hour, one time."""
    ledger = _ledger(Headstart(ALL, 10.0))
    for late in (ledger, books.step(_ledger(), Monitored(1.0))):
        with pytest.raises(StatisticsError, match="has just earned"):
            books.step(late, Headstart(ALL, 10.0))
    paged = books.step(books.step(ledger, Monitored(5.0)), Paged(ALL))
    assert books.step(paged, Headstart(ALL, 10.0)).headstarts == 20.0
    with pytest.raises(StatisticsError, match="has just earned"):
        books.step(paged, Headstart(AWS, 10.0))


def test_an_epoch_earns_no_headstart() -> None:
    """New parts and parts with another null begin with nothing."""
    new = books.step(_ledger(Monitored(1.0)), Epoch({ALL: Part(0.4, "other"), AWS: PARTS[AWS]}))
    with pytest.raises(StatisticsError, match="has just earned"):
        books.step(new, Headstart(ALL, 1.0))
    added = books.step(_ledger(), Added(("model=m", "script"), Part(0.1, "x")))
    with pytest.raises(StatisticsError, match="has just earned"):
        books.step(added, Headstart(("model=m", "script"), 1.0))


@pytest.mark.parametrize(
    ("entry", "reason"),
    [
        (Started(PARTS), "a first start of a ledger that is in use"),
        (Epoch({ALL: Part(0.95, "x")}), "weights sum to 0.95"),
        (Epoch({ALL: Part(0.0, "x")}), "weight 0.0"),
        (Epoch({ALL: Part(float("nan"), "x")}), "weight nan"),
        (Added(("model=m", "script"), Part(0.11, "x")), "weights sum to 1.01"),
        (Added(ALL, Part(0.01, "x")), "is there already"),
        (Lowered(ALL, 0.41), "weights only fall"),
        (Lowered(("nowhere", "script"), 0.1), "no part"),
        (Monitored(-1.0), "monitored hours"),
        (Monitored(float("inf")), "monitored hours"),
        (Paged(("nowhere", "script")), "no part"),
        (Headstart(ALL, 2160.0), "a headstart of 2160.0 hours"),
        (Headstart(ALL, float("nan")), "a headstart of nan hours"),
    ],
)
def test_impossible_entries_are_refused(entry: Entry, reason: str) -> None:
    """Each names the value, and the ledger stays as it was."""
    ledger = _ledger()
    with pytest.raises(StatisticsError, match=reason):
        books.step(ledger, entry)
    assert ledger == _ledger()


def test_additions_use_the_reserve_and_what_others_gave_up() -> None:
    """.1 is left at the start; a weight that falls makes room."""
    key: Key = ("model=m", "script")
    assert books.total_weight(_ledger(Added(key, Part(0.1, "x")))) == pytest.approx(1.0)
    roomy = _ledger(Lowered(AWS, 0.2), Added(key, Part(0.4, "x")))
    assert books.total_weight(roomy) == pytest.approx(1.0)


def test_nothing_comes_before_the_first_start() -> None:
    """No hours, no epoch and no part without a declaration; no budget without hours."""
    for entry in (Monitored(1.0), Epoch(PARTS), Added(ALL, PARTS[ALL])):
        with pytest.raises(StatisticsError, match="before its first start"):
            books.folded(2160.0, [entry])
    with pytest.raises(StatisticsError, match="budget"):
        books.init(0.0)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"weighted": 99.0}, "more weighted than monitored"),
        ({"pages": 0}, "pages that do not add up"),
        ({"epochs": 0}, "an epoch not yet declared"),
        ({"hours": float("nan")}, "negative or infinite"),
        ({"budget": -1.0}, "not positive"),
        ({"parts": [["fleet", "script", 1.5, "x", 1, 0, None]]}, "weights above 1"),
        ({"parts": [["fleet", "script"]]}, "Account"),
        ({"hours": "ten"}, "real number"),
    ],
)
def test_a_stored_ledger_that_cannot_be_is_refused(change: dict[str, Any], reason: str) -> None:
    """Damage is named, not repaired."""
    stored = document(_ledger(Monitored(10.0), Paged(ALL)))
    with pytest.raises(StatisticsError, match=reason):
        restored(stored | change)
