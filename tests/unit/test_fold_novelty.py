"""References of answers: when they settle, what they hear, what they judge, how they are kept."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

import numpy as np
import orjson
import pytest
from fold_kit import FLEET, Run, make_rules, proven, slot
from novelty_kit import (
    STRANGE,
    WORDS,
    Choices,
    choice_rules,
    drew,
    elsewhere,
    everyone,
    normal,
    referred,
    settled,
)

from qualmon.folding import nodes, novelty
from qualmon.folding.epochs import migrated
from qualmon.folding.evidence import cells, terms
from qualmon.folding.novelty import (
    MAX_ANSWERS,
    MAX_SESSIONS,
    MIN_ROUNDS,
    MIN_SESSIONS,
    Reference,
    References,
    is_settled,
    judged,
    key_of,
    learned,
    unready,
)
from qualmon.folding.rules import FoldRules
from qualmon.folding.state import FoldState, dump, load
from qualmon.stats.grids import EPS_GRID
from qualmon.types import ClosedRound, Member, Score, ScoredMember

RULES = choice_rules()
HERE = FLEET[0].key
THERE = FLEET[2].key
KEY = key_of("core", "p0", "draw.token")
EPS = np.asarray(EPS_GRID)
AWS = tuple(target.key for target in FLEET if target.platform == "aws")
ROW = RULES.events.index("novelty.token")


def _round(index: int, answers: Iterable[str], target: str = HERE) -> ClosedRound:
    of = slot(index)
    members = [Member(of, target, "p0", f"u{i}") for i, _ in enumerate(answers)]
    return ClosedRound(of, tuple(map(drew, members, answers)))


def _taught(rounds: Sequence[Sequence[str]], known: References | None = None) -> References:
    for index, answers in enumerate(rounds):
        known = learned(_round(index, answers), known or {}, {}, ())
    return known or {}


def _reference(rounds: Sequence[Sequence[str]]) -> Reference:
    return _taught(rounds)[HERE][KEY]


# ---- when a reference is ready -------------------------------------------------------------


def test_a_reference_settles_at_thirty_sessions_and_not_before() -> None:
    """29 sessions of two answers are too few, the thirtieth freezes the reference."""
    rounds = [["a", "b"] * 2] * 7
    assert not _reference([*rounds, ["a"]]).ready
    assert _reference([*rounds, ["a", "b"]]) == Reference(
        "", {"a": 15, "b": 15}, MIN_SESSIONS, 8, ready=True
    )


def test_it_takes_five_rounds_however_many_sessions_they_hold() -> None:
    """Sessions of one round share their hour: 400 of them in four rounds prove nothing."""
    assert not _reference([["a", "b"] * 40] * (MIN_ROUNDS - 1)).ready
    assert _reference([["a", "b"] * 40] * MIN_ROUNDS).ready


def test_an_answer_seen_once_keeps_it_open_until_it_comes_back() -> None:
    """One singleton among forty sessions: more answers like it may be unseen."""
    rounds = [["a"] * 8] * 5
    once = [["c", *["a"] * 7], *rounds]
    assert not _reference(once).ready
    assert _reference([*once, ["c"]]).ready


@pytest.mark.parametrize("distinct", [MAX_ANSWERS + 1, 50])
def test_a_free_tail_never_becomes_ready_and_stays_small(distinct: int) -> None:
    """More distinct answers than a choice has: silent for ever, and no more than nine kept."""
    words = [f"w{i}" for i in range(distinct)]
    reference = _reference([words] * 100)
    assert not reference.ready
    assert len(reference.answers) == MAX_ANSWERS + 1
    assert MAX_SESSIONS <= reference.sessions < MAX_SESSIONS + distinct


def test_as_many_answers_as_a_choice_may_have_settle() -> None:
    """Eight answers, each seen again, are a choice and no tail."""
    assert _reference([[f"w{i}" for i in range(MAX_ANSWERS)]] * 5).ready


def test_an_unsettled_reference_is_given_up() -> None:
    """After 400 sessions with a singleton it is left as it is, even if the answer comes back."""
    tired = _taught([["once", *["a"] * 99], *[["a"] * 100] * 3])
    after = learned(_round(9, ["once"] * 50), tired, {}, ())
    assert after[HERE][KEY] == tired[HERE][KEY]
    assert not after[HERE][KEY].ready


def test_nothing_at_all_is_not_settled() -> None:
    """No answers are no reference, whatever the counters say."""
    assert not is_settled(Reference(sessions=100, rounds=100))


# ---- what it hears -------------------------------------------------------------------------


def test_a_frozen_reference_never_changes() -> None:
    """New answers, however many, leave it alone."""
    frozen = {HERE: {KEY: settled()}}
    assert _taught([[STRANGE] * 50] * 20, frozen) == frozen


def test_suspect_targets_teach_nothing_and_the_others_go_on() -> None:
    """Answers of a target under suspicion open no reference, those of its peers do."""
    of = slot(0)
    both = [drew(Member(of, target, "p0", "u"), "a") for target in (HERE, THERE)]
    found = learned(ClosedRound(of, tuple(both)), {}, {}, {HERE})
    assert sorted(found) == [THERE]


def test_missing_and_unjudged_answers_are_no_sessions() -> None:
    """Only an answer in words counts: no outage, no refusal to judge, no number."""
    of = slot(0)
    odd = [
        ScoredMember(Member(of, HERE, "p0", str(i)), "ok", {"draw.token": score})
        for i, score in enumerate(
            (Score("draw.token", "category", None), Score("draw.token", "category", 1.0))
        )
    ]
    members = (drew(Member(of, HERE, "p0", "x"), None), *odd)
    assert learned(ClosedRound(of, members), {}, {}, ()) == {}


def test_references_are_apart_by_target_suite_and_prompt() -> None:
    """What one place, suite or prompt answers says nothing of another."""
    known = {HERE: {KEY: settled()}}
    assert unready(known, "core", HERE, "p0") == frozenset()
    waiting = frozenset({"novelty.token"})
    assert unready(known, "core", THERE, "p0") == waiting
    assert unready(known, "other", HERE, "p0") == waiting
    assert unready(known, "core", HERE, "p1") == waiting


def test_the_input_is_left_alone() -> None:
    """Learning gives new references and does not touch the old ones."""
    known = _taught([["a", "b"]])
    before = {target: dict(found) for target, found in known.items()}
    learned(_round(1, ["c"]), known, {}, ())
    assert known == before


def test_rising_evidence_of_new_answers_keeps_them_out_too() -> None:
    """A target with a hundredth of the budget's line against it teaches nothing, before any
    incident; its peers go on."""
    state = proven(RULES)
    state.events.mass[RULES.place[f"target={HERE}"], ROW] = 0.02 * RULES.budget_hours / len(EPS)
    run = Run(RULES, state)
    of = slot(0)
    both = [drew(Member(of, target, "p0", "u"), "a") for target in (HERE, THERE)]
    run.step(ClosedRound(of, tuple(both)))
    assert sorted(run.state.references) == [THERE]
    assert run.transitions == []


def test_an_open_incident_keeps_answers_out_of_references_that_wait() -> None:
    """While other prompts show a change, an unsettled one there does not learn it: at most the
    answers of its first round, which nothing can be suspected of beforehand."""
    state = referred(RULES, prompts=4)
    run = Run(RULES, state).feed(
        Choices(1, per_round=5, prompts=5).rounds(24, elsewhere(everyone(*AWS), 2))
    )
    assert [incident.scope for incident in run.open] == ["platform=aws"]
    late = key_of("core", "p4", "draw.token")
    assert all(run.state.references[t][late].answers.get(STRANGE, 0) <= 4 for t in AWS)
    assert not any(run.state.references[target][late].ready for target in AWS)
    other = {t.key for t in FLEET} - set(AWS)
    assert all(run.state.references[target][late].ready for target in other)


# ---- what it judges ------------------------------------------------------------------------


def _novelty(answer: str | None, known: References) -> float | str | None:
    of = slot(0)
    member = drew(Member(of, HERE, "p0", "u"), answer)
    score = judged(ClosedRound(of, (member,)), known).members[0].scores.get("novelty.token")
    return None if score is None else score.value


def test_only_a_frozen_reference_judges() -> None:
    """Known answers are good, unseen ones bad, and before that there is no judgement."""
    frozen = {HERE: {KEY: settled()}}
    assert _novelty(WORDS[0], frozen) == 0.0
    assert _novelty(STRANGE, frozen) == 1.0
    assert _novelty(None, frozen) is None
    assert _novelty(STRANGE, {}) is None
    assert _novelty(STRANGE, {HERE: {KEY: replace(settled(), ready=False)}}) is None


def test_the_answer_that_settles_is_not_judged_by_itself() -> None:
    """A round is judged by what was known before it: its own answers join afterwards."""
    run = Run(RULES, proven(RULES))
    for index in range(10):
        run.step(_round(index, ["a", "b"] * 2))
    assert run.state.references[HERE][KEY].ready
    judged_so_far = run.state.targets[HERE].blocks["novelty.token"]
    assert sum(block.n for block in judged_so_far) == 4 * (10 - 8)
    assert sum(block.hits for block in judged_so_far) == 0


def _factor(members: Iterable[ScoredMember], state: FoldState, scope: str) -> np.ndarray:
    rnd = judged(ClosedRound(slot(0), tuple(members)), state.references)
    given = terms(rnd, state, RULES)
    bets = nodes.factors(RULES.nodes[RULES.place[scope]], cells(rnd, state, given), given)
    assert bets is not None
    return np.asarray(bets.events[ROW])


def _ask(target: str, probe: str, user: str, answer: str | None) -> ScoredMember:
    return drew(Member(slot(0), target, probe, user), answer)


def test_prompts_that_wait_do_not_thin_a_users_bet() -> None:
    """One ready prompt with a new answer bets the same beside three prompts that wait: they
    are no good answers. Beside three ready ones it is a quarter of that user's answers."""
    alone = [_ask(HERE, "p0", "u", STRANGE)]
    more = [*alone, *(_ask(HERE, f"p{i}", "u", WORDS[0]) for i in (1, 2, 3))]
    whole = 1.0 - EPS + EPS * 1.0 / 1e-3
    for members in (alone, more):
        assert np.allclose(_factor(members, referred(RULES, prompts=1), f"target={HERE}"), whole)
    quarter = 1.0 - EPS + EPS * 0.25 / 1e-3
    assert np.allclose(_factor(more, referred(RULES), f"target={HERE}"), quarter)


def test_a_round_of_prompts_that_all_wait_bets_nothing() -> None:
    """No reference is ready: every factor is one and no target counts as asked in vain."""
    state = proven(RULES)
    members = [_ask(HERE, f"p{i}", "u", WORDS[0]) for i in range(4)]
    assert np.all(_factor(members, state, f"target={HERE}") == 1.0)
    run = Run(RULES, state)
    for index in range(20):
        run.step(ClosedRound(slot(index), (drew(Member(slot(index), HERE, "p0", "u"), None),)))
    assert run.state.targets[HERE].silent["novelty.token"] == 0


def test_users_multiply_and_one_users_answers_are_averaged() -> None:
    """Two users with one new answer each are two bets; one user with both is one bet."""
    state, scope = referred(RULES), f"target={HERE}"
    two = [_ask(HERE, "p0", "u", STRANGE), _ask(HERE, "p0", "v", STRANGE)]
    one = [_ask(HERE, "p0", "u", STRANGE), _ask(HERE, "p1", "u", STRANGE)]
    single = 1.0 - EPS + EPS / 1e-3
    assert np.allclose(_factor(two, state, scope), single**2)
    assert np.allclose(_factor(one, state, scope), single)


def test_a_users_answers_on_two_routes_of_a_platform_are_one_bet() -> None:
    """The routes of a platform may share what they do to a user; two platforms do not."""
    first, second = AWS[0], AWS[1]
    state, single = referred(RULES), 1.0 - EPS + EPS / 1e-3
    routes = [_ask(first, "p0", "u", STRANGE), _ask(second, "p0", "u", STRANGE)]
    assert np.allclose(_factor(routes, state, "platform=aws"), single)
    platforms = [_ask(HERE, "p0", "u", STRANGE), _ask(first, "p0", "u", STRANGE)]
    assert np.allclose(_factor(platforms, state, "fleet"), single**2)


def test_a_missing_answer_to_a_ready_prompt_counts_as_good() -> None:
    """An answer that did not come can only lower a user's evidence."""
    members = [_ask(HERE, "p0", "u", STRANGE), _ask(HERE, "p1", "u", None)]
    half = 1.0 - EPS + EPS * 0.5 / 1e-3
    assert np.allclose(_factor(members, referred(RULES), f"target={HERE}"), half)


# ---- how it is kept ------------------------------------------------------------------------


def _versioned(**changes: str) -> FoldRules:
    versions = {f"core/p{i}": "1" for i in range(24)}
    return choice_rules(versions={**versions, **changes})


def test_a_new_version_drops_its_reference_before_the_next_round_is_judged() -> None:
    """The edited prompt's answers are all new: none of them is news, and they are learned."""
    old, new = _versioned(), _versioned(**{"core/p0": "2"})
    state = migrated(referred(old), old, new)
    assert KEY not in state.references[HERE]
    assert state.references[HERE][key_of("core", "p1", "draw.token")] == settled("1")
    run = Run(new, state)
    for index in range(12):
        run.step(_round(index, ["new", "words"] * 2))
    assert run.transitions == []
    assert not run.state.hits
    assert run.state.references[HERE][KEY].version == "2"
    assert run.state.references[HERE][KEY].ready


def test_references_leave_with_their_prompt_and_their_target() -> None:
    """What is not asked any more is not kept."""
    old = _versioned()
    fewer = {name: version for name, version in old.versions.items() if name != "core/p0"}
    new = make_rules(FLEET[1:], events=old.events, bounds=old.bounds, versions=fewer)
    state = migrated(referred(old), old, new)
    assert HERE not in state.references
    assert all(KEY not in found for found in state.references.values())
    assert len(state.references[THERE]) == 23


def test_a_stale_version_starts_over() -> None:
    """A reference of another version is replaced by the first answer, frozen or not."""
    found = learned(_round(0, ["z"]), {HERE: {KEY: settled("1")}}, {"core/p0": "2"}, ())
    assert found[HERE][KEY] == Reference("2", {"z": 1}, 1, 1)


def _learning(count: int, since: int = 0, run: Run | None = None) -> Run:
    choices = Choices(5, prompts=6)
    list(choices.rounds(since, normal))
    run = run or Run(RULES, proven(RULES))
    return run.feed(choices.rounds(count, elsewhere(everyone(*AWS), 18), since))


def test_rows_round_trip_with_references() -> None:
    """Settled and unsettled references are read back as they were, to the byte."""
    state = _learning(7).state
    kept = [r for found in state.references.values() for r in found.values()]
    assert {reference.ready for reference in kept} == {False}
    state = replace(state, references={**state.references, HERE: {KEY: settled()}})
    rows = dump(state, RULES)
    assert f"reference/{HERE}" in rows
    assert load(rows, RULES).references == state.references
    assert dump(load(rows, RULES), RULES) == rows


def test_answers_of_any_letters_are_kept() -> None:
    """Rows hold what a hostile answer's category may be: quotes, controls' names, scripts."""
    words = ('"', "\\", "odd:00ff00ff", "(empty)", "\u0e41", "\U0001f600", "__proto__", "a/b")
    state = replace(proven(RULES), references={HERE: {KEY: settled(words=words)}})
    rows = dump(state, RULES)
    assert load(rows, RULES).references == state.references
    assert orjson.loads(rows[f"reference/{HERE}"])[KEY]["answers"]["\u0e41"] == 20


@pytest.mark.parametrize("cut", [3, 17, 19])
def test_resumed_while_learning_or_judging_it_is_the_same(cut: int) -> None:
    """Stopped before, at and after readiness, and inside an incident: the same bytes."""
    whole = _learning(24)
    assert whole.ids
    first = _learning(cut)
    second = Run(RULES, load(dump(first.state, RULES), RULES))
    _learning(24 - cut, since=cut, run=second)
    assert dump(second.state, RULES) == dump(whole.state, RULES)
    assert [*first.transitions, *second.transitions] == whole.transitions


def test_changed_rows_alone_rebuild_the_state() -> None:
    """A store that writes only the rows named as changed holds the whole state."""
    rows = dump(proven(RULES), RULES)
    run, choices = Run(RULES, proven(RULES)), Choices(5, prompts=6)
    for rnd in choices.rounds(24, elsewhere(everyone(*AWS), 18)):
        folded = run.step(rnd)
        rows |= dump(folded.state, RULES, folded.changed)
    assert {k: v for k, v in rows.items() if v} == dump(run.state, RULES)


def test_frozen_references_are_not_written_again() -> None:
    """A round that teaches nothing names no reference as changed."""
    run = Run(RULES, referred(RULES))
    changed = run.step(Choices(1).round(slot(0), normal)).changed
    assert not [key for key in changed if key.startswith("reference/")]
    run = Run(RULES, proven(RULES))
    changed = run.step(Choices(1).round(slot(0), normal)).changed
    assert sum(key.startswith("reference/") for key in changed) == 6


def test_derived_channels_are_those_of_the_table() -> None:
    """novelty.token stands on draw.token, and on nothing else."""
    assert dict(novelty.DERIVED) == {"draw.token": "novelty.token"}


def test_rules_without_novelty_bet_on_nothing_new() -> None:
    """Without the channel in the epoch nothing waits and no user bets."""
    rules = make_rules()
    state = proven(rules)
    rnd = _round(0, ["a"])
    given = terms(rnd, state, rules)
    assert given.unready == {}
    assert not cells(rnd, state, given)[HERE].users
