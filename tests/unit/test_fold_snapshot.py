"""What pages and metrics are told, and the rows that the state is kept in."""

from __future__ import annotations

import math

import numpy as np
import pytest
from fold_kit import DAY, FLEET, START, Run, Traffic, faulty, healthy, make_rules, proven

from qualmon.folding.snapshot import snapshot
from qualmon.folding.state import dump, initial, load

AWS = tuple(sorted(target.key for target in FLEET if target.platform == "aws"))
RULES = make_rules()


def test_evidence_of_every_node_and_family_against_the_line() -> None:
    """One entry a node and family; the line is the budget in hours."""
    run = Run(RULES, proven(RULES)).feed(Traffic(1).rounds(4, healthy))
    shown = snapshot(run.state, RULES, FLEET, (), START)
    assert len(shown.evidence) == 33 * 3
    assert {entry.family for entry in shown.evidence} == {"code", "script", "token"}
    assert {entry.threshold_log10 for entry in shown.evidence} == {math.log10(2160.0)}
    assert all(-12.0 <= entry.log10_e < 0.0 for entry in shown.evidence)
    assert (shown.at, shown.budget_hours, shown.targets) == (START, 2160.0, FLEET)


def test_channels_show_the_bad_share_of_the_last_day() -> None:
    """Half of one channel's answers bad: the mean says so, on that target alone."""
    run = Run(RULES, proven(RULES))
    run.feed(
        Traffic(1).rounds(
            2, lambda m, c: m.target == AWS[0] and c == "code.fail" and m.probe < "p12"
        )
    )
    shown = snapshot(run.state, RULES, FLEET, (), START + 7200)
    means = {(s.target, s.channel): s.mean for s in shown.channels}
    assert means[AWS[0], "code.fail"] > 0.1
    assert sum(mean > 0 for mean in means.values()) == 1
    assert all(status.proven and status.n == 32 for status in shown.channels)
    late = snapshot(run.state, RULES, FLEET, (), START + 10 * DAY)
    assert all((s.n, s.mean) == (0, 0.0) for s in late.channels)


def test_a_bound_is_shown_as_proven_only_where_it_is() -> None:
    """Unproven at first; token values carry their own null."""
    run = Run(RULES, initial(RULES)).feed(Traffic(1).rounds(1, healthy))
    shown = snapshot(run.state, RULES, FLEET, (), START)
    assert not any(status.proven for status in shown.channels)


def test_incidents_are_passed_on() -> None:
    """Pages show the incidents that the store remembers, ended ones included."""
    run = Run(RULES, proven(RULES)).feed(Traffic(1).rounds(12, faulty(AWS, 0.1, onset=2)))
    assert snapshot(run.state, RULES, FLEET, run.open, START).incidents == tuple(run.open)


def test_rows_are_keyed_by_what_they_describe() -> None:
    """One row for each node, target, pool, incident, and one for the fleet."""
    run = Run(RULES, proven(RULES)).feed(Traffic(1).rounds(12, faulty(AWS, 0.1, onset=2)))
    rows = dump(run.state, RULES)
    kinds = [key.split("/", 1)[0] for key in rows]
    assert {kind: kinds.count(kind) for kind in set(kinds) - {"reference"}} == {
        "node": 33,
        "target": 12,
        "pool": 2,
        "incident": 1,
        "fleet": 1,
    }


def test_only_asked_rows_are_written_and_gone_ones_are_empty() -> None:
    """A row that no longer exists is written as empty bytes, and read as nothing."""
    state = proven(RULES)
    rows = dump(state, RULES, {"node/fleet", "incident/gone"})
    assert set(rows) == {"node/fleet", "incident/gone"}
    assert rows["incident/gone"] == b""
    assert load({**dump(state, RULES), **rows}, RULES).incidents == {}


def test_a_node_without_a_row_starts_without_evidence() -> None:
    """A state is never refused for what it lacks."""
    state = load({}, RULES)
    assert float(state.events.mass.sum()) == 0.0
    assert np.isnan(state.updated).all()
    assert state.slots == 0


@pytest.mark.parametrize("value", [1e250, 5e-324, 0.1 + 0.2, 1e-5, 12345678.9])
def test_masses_are_kept_to_the_last_bit(value: float) -> None:
    """What is written is what is read, for large, tiny and crooked numbers."""
    state = proven(RULES)
    state.events.mass[0, 0, 0] = value
    state.events.moment[3, 1, 9] = -value
    back = load(dump(state, RULES), RULES)
    assert back.events.mass.tobytes() == state.events.mass.tobytes()
    assert back.events.moment.tobytes() == state.events.moment.tobytes()
