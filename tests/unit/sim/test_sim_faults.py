"""Faults: read strictly, confined to their place and time, of the rate that was asked."""

import math
from typing import Any

import pytest

from qualmon.errors import QualmonError, UnknownNameError, UsageError
from qualmon.sim.faults import infect, parse_faults
from qualmon.sim.fleet import demo_fleet
from qualmon.sim.sampler import Asked, sampler
from qualmon.sim.scope import targets_of
from qualmon.sim.step import FOREIGN_MASS, Sampling, Step

TARGETS = demo_fleet().targets
GOOD: dict[str, Any] = {"id": "f1", "kind": "corruption", "node": "platform=aws", "rate": 0.01}
STEP = Step([("a", 0.9), ("b", 0.1 - FOREIGN_MASS)])


@pytest.mark.parametrize(
    ("scope", "count"),
    [
        ("fleet", 12),
        ("platform=aws", 4),
        ("model=m-large", 6),
        ("hardware=tpu", 4),
        ("hardware=tpu,model=m-small", 2),
        ("platform=aws,route=batch,model=m-large", 1),
        ("target=m-large/aws/batch", 1),
        ("m-large/aws/batch", 1),
    ],
)
def test_a_scope_names_its_targets(scope: str, count: int) -> None:
    """Scopes are read as metrics and incidents write them."""
    assert len(targets_of(scope, TARGETS)) == count


@pytest.mark.parametrize(
    ("change", "kind", "message"),
    [
        (
            {"kind": "gremlin"},
            UnknownNameError,
            r"'gremlin'.*Kinds: misroute, topk-drop, corruption",
        ),
        ({"node": "platform=azure"}, UnknownNameError, r"'azure'.*first-party, aws, gcp"),
        ({"node": "planet=mars"}, UnknownNameError, r"'planet'.*model, .*, target, hardware"),
        ({"node": "m-large/aws"}, UnknownNameError, r"'m-large/aws'.*m-large/aws/default"),
        ({"node": "hardware=cpu"}, UnknownNameError, r"'cpu'.*tpu, gpu, trainium"),
        ({"node": "platform=aws,batch"}, UsageError, r"'batch' has no '='.*axis=value"),
        ({"node": "platform=aws,hardware=tpu"}, UsageError, r"names no target"),
        ({"node": ""}, UsageError, r"node ''.*non-empty"),
        ({"rate": 0}, UsageError, r"'f1': rate 0\..*above 0"),
        ({"rate": 1.5}, UsageError, r"rate 1\.5"),
        ({"rate": "0.1"}, UsageError, r"rate '0\.1'.*number"),
        ({"rate": math.nan}, UsageError, r"rate nan"),
        ({"rate": True}, UsageError, r"rate True"),
        ({"rate": None}, UsageError, r"rate None"),
        ({"start": "soon"}, UsageError, r"start 'soon'"),
        ({"start": 10, "end": 10}, UsageError, r"end 10\.0.*after 10\.0"),
        ({"end": -1}, UsageError, r"end -1\.0"),
        ({"rats": 1}, UnknownNameError, r"'rats'.*Keys: id, kind, node, start, end, rate"),
        ({"id": 7}, UsageError, r"fault 1: id 7"),
    ],
)
def test_a_wrong_fault_is_refused_with_what_is_right(
    change: dict[str, Any], kind: type[QualmonError], message: str
) -> None:
    """Each message names the fault, the value and what there is to choose from."""
    with pytest.raises(kind, match=message):
        parse_faults([{**GOOD, **change}], TARGETS, 0.0)


@pytest.mark.parametrize("items", [{}, "x", None, [1], [[]]])
def test_anything_but_a_list_of_mappings_is_refused(items: object) -> None:
    """Shapes are checked before keys."""
    with pytest.raises(UsageError, match=r"list of mappings|mapping with"):
        parse_faults(items, TARGETS, 0.0)


def test_ids_are_unique() -> None:
    """Two faults of one id could not be told apart."""
    with pytest.raises(UsageError, match="'f1' twice"):
        parse_faults([GOOD, GOOD], TARGETS, 0.0)


def test_a_fault_keeps_to_its_place_and_time() -> None:
    """start is inside, end is outside, other targets never."""
    (fault,) = parse_faults([{**GOOD, "start": 10, "end": 20}], TARGETS, 1000.0)
    aws = next(target for target in TARGETS if target.platform == "aws")
    gcp = next(target for target in TARGETS if target.platform == "gcp")
    times = (1009.9, 1010.0, 1019.9, 1020.0)
    assert [fault.strikes(aws, now) for now in times] == [False, True, True, False]
    assert not any(fault.strikes(gcp, now) for now in times)
    assert fault.as_dict(1005.0)["start"] == 5.0


def test_a_fault_without_times_is_always_on() -> None:
    """Absent start and end mean from ever, for ever."""
    (fault,) = parse_faults([GOOD], TARGETS, 1000.0)
    assert fault.strikes(next(t for t in TARGETS if t.platform == "aws"), 0.0)
    assert fault.as_dict(5.0)["start"] is fault.as_dict(5.0)["end"] is None


def _sent(rate: float, request: str, tokens: int, faulty: bool = True) -> list[int]:
    faults = parse_faults([{**GOOD, "rate": rate}], TARGETS, 0.0) if faulty else ()
    asked = Asked(7, next(t for t in TARGETS if t.platform == "aws"), request)
    draw = infect(sampler(Sampling(), asked.random("tokens")), faults, asked, 1.0)
    return [draw(STEP)[1] for _ in range(tokens)]


@pytest.mark.parametrize("rate", [0.001, 0.02, 0.5, 1.0])
def test_corruption_has_the_rate_that_was_asked(rate: float) -> None:
    """60,000 seeded tokens lie within four standard errors of the rate."""
    sent = [index for request in range(60) for index in _sent(rate, str(request), 1000)]
    hits = sum(index >= STEP.healthy for index in sent)
    sd = math.sqrt(len(sent) * rate * (1 - rate))
    assert abs(hits - rate * len(sent)) <= 4 * sd


def test_corruption_uses_all_foreign_pieces() -> None:
    """Every script of the table turns up."""
    assert len(set(_sent(1.0, "x", 1000))) == len(STEP.pieces) - STEP.healthy


def test_a_corrupt_answer_differs_only_where_the_fault_struck() -> None:
    """The healthy draws stay as they were, so that one seed can be compared with and without."""
    clean, struck = _sent(0.1, "x", 500, faulty=False), _sent(0.1, "x", 500)
    changed = [b for a, b in zip(clean, struck, strict=True) if a != b]
    assert changed
    assert all(index >= STEP.healthy for index in changed)


def test_two_faults_strike_apart() -> None:
    """Faults of one place draw independently of each other."""
    both = parse_faults([GOOD | {"rate": 0.3}, GOOD | {"rate": 0.3, "id": "f2"}], TARGETS, 0.0)
    asked = Asked(7, next(t for t in TARGETS if t.platform == "aws"), "x")
    draw = infect(sampler(Sampling(0.0), asked.random("tokens")), both, asked, 1.0)
    share = sum(draw(STEP)[1] >= STEP.healthy for _ in range(10_000)) / 10_000
    assert share == pytest.approx(1 - 0.7**2, abs=0.02)


def test_temperature_zero_is_corrupted_too() -> None:
    """The fault lies behind the sampler, whatever its settings."""
    faults = parse_faults([{**GOOD, "rate": 1.0}], TARGETS, 0.0)
    asked = Asked(7, next(t for t in TARGETS if t.platform == "aws"), "x")
    draw = infect(sampler(Sampling(0.0), asked.random("tokens")), faults, asked, 1.0)
    assert draw(STEP)[1] >= STEP.healthy
