"""One round's evidence: which answers bet how much, per target and channel.

A missing, late or failed answer enters as r = 0, which can only lower evidence. A channel
that a target has never been judged on (logprobs not offered, say) does not enter at all;
that is decided by earlier rounds, never by the present one.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import groupby
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from qualmon.folding.novelty import DERIVED, unready
from qualmon.folding.rules import EVENT_LEVEL, MISSING_TOKENS, SUPPORT_LEVEL, Flags, FoldRules
from qualmon.folding.state import FoldState, Hit, Pool, TargetState
from qualmon.stats import bets
from qualmon.stats.bounds import upper_limit
from qualmon.stats.esr import Floats
from qualmon.stats.grids import DROP_GRID, EPS_GRID, SATURATION
from qualmon.types import ClosedRound, Score, ScoredMember, Slot

#: Rounds asked in vain after which a channel counts as not offered by a target.
SILENT_ROUNDS = 12
#: Bounds below this are never used unless proven (docs/statistics.md, "What multiplies and
#: what is averaged").
BOUND_FLOOR = 1e-4

Counts = dict[str, dict[str, tuple[int, int]]]


@dataclass(frozen=True, slots=True)
class Cell:
    """One target in one round. Arrays have one row per event channel or token channel.

    offered: channels that the target is known to judge. trusted: event channels whose bound
    is proven for it. answers, bad: what enters bets on event channels. factor: product of the
    bets of trusted event channels, shape (events, 10), ones elsewhere and where bets are by
    user; token_factor likewise, (tokens, 13). users: (answers, bad) by identity for the bets
    by user. asked: channels that its probes feed. counts: (answers judged, hits) by channel,
    then by probe. bad_identities: those with a hit, by channel.
    """

    target: str
    platform: str
    offered: Flags
    token_offered: Flags
    trusted: Flags
    answers: Floats
    bad: Floats
    factor: Floats
    token_factor: Floats
    asked: frozenset[str]
    counts: Counts
    hits: tuple[Hit, ...]
    users: Mapping[str, tuple[Floats, Floats]]
    identities: frozenset[str]
    bad_identities: Mapping[str, frozenset[str]]

    def judged(self, channel: str) -> tuple[int, int]:
        """(answers, hits) of one channel over all probes."""
        parts = self.counts.get(channel, {}).values()
        return sum(n for n, _ in parts), sum(hits for _, hits in parts)


def is_hit(score: Score) -> bool:
    """True for a bad event, or an e-value that 1 in 100 healthy answers reach at most."""
    if not isinstance(score.value, int | float):
        return False
    return score.value >= (EVENT_LEVEL if score.kind == "e_value" else 1.0)


def is_support(score: Score) -> bool:
    """True for an e-value that speaks against the null at all: many of them make an alarm,
    though few or none alone is a hit."""
    leans = isinstance(score.value, int | float) and score.value >= SUPPORT_LEVEL
    return score.kind == "e_value" and leans


def pool_key(slot: Slot) -> str:
    """Bounds are audited over the probes of one suite and model."""
    return f"{slot.suite}/{slot.model}"


def working_bound(pool: Pool, declared: float) -> float:
    """The rate that r is taken against where the declared one is not proven: no less than
    the upper confidence limit of what was seen before this round."""
    return max(declared, BOUND_FLOOR, upper_limit(pool.n, pool.hits))


@dataclass(frozen=True, slots=True)
class Terms:
    """What is fixed for a round before any of its outcomes is looked at.

    proven: declared bounds, working: the cautious ones, both shape (events,). good: factors
    of 0, 1, 2, ... good answers. feeds: flags of event and token channels by probe; unfed:
    the channels that it must not speak on. unready: event channels that wait for a reference,
    by (target, probe).
    """

    rules: FoldRules
    slot: Slot
    trust: Mapping[str, frozenset[str]]
    proven: Floats
    working: Floats
    good: Floats
    feeds: Mapping[str, tuple[Flags, Flags]]
    unfed: Mapping[str, frozenset[str]]
    unready: Mapping[tuple[str, str], Flags]


def terms(rnd: ClosedRound, state: FoldState, rules: FoldRules) -> Terms:
    """The terms of a round, from the state before it and the plan of whom to ask what."""
    pools = state.pools.get(pool_key(rnd.slot), {})
    known = [pools.get(channel, Pool()) for channel in rules.events]
    declared = [rules.bounds[channel] for channel in rules.events]
    asked = {member.member.probe for member in rnd.members}
    fed = {p: set(rules.feeds.get(f"{rnd.slot.suite}/{p}", rules.channels)) for p in asked}
    return Terms(
        rules=rules,
        slot=rnd.slot,
        trust={c: frozenset(pool.trusted) for c, pool in zip(rules.events, known, strict=True)},
        proven=np.array(declared),
        working=np.array([working_bound(p, d) for p, d in zip(known, declared, strict=True)]),
        good=bets.good_answers(len(rnd.members), EPS_GRID),
        feeds={p: (_flags(rules.events, c), _flags(rules.tokens, c)) for p, c in fed.items()},
        unfed={probe: frozenset(rules.channels) - channels for probe, channels in fed.items()},
        unready=_unready(rnd, state, rules),
    )


def _unready(rnd: ClosedRound, state: FoldState, rules: FoldRules) -> dict[tuple[str, str], Flags]:
    """Empty unless an event channel of the epoch is derived from a reference."""
    if not set(DERIVED.values()).intersection(rules.events):
        return {}
    asked = {(member.member.target, member.member.probe) for member in rnd.members}
    return {
        (target, probe): _flags(rules.events, waiting)
        for target, probe in asked
        if (waiting := unready(state.references, rnd.slot.suite, target, probe))
    }


def _flags(channels: Sequence[str], chosen: Iterable[str]) -> Flags:
    wanted = frozenset(chosen)
    return np.array([channel in wanted for channel in channels], dtype=np.bool_)


def cells(rnd: ClosedRound, state: FoldState, given: Terms) -> dict[str, Cell]:
    """The round's cells by target, members in fold order."""
    members = sorted(rnd.members, key=lambda member: member.member.sort_key)
    empty = TargetState()
    return {
        target: _cell(target, list(group), state.targets.get(target, empty), given)
        for target, group in groupby(members, key=lambda member: member.member.target)
    }


def _cell(target: str, members: Sequence[ScoredMember], past: TargetState, given: Terms) -> Cell:
    rules = given.rules
    offered = {c for c in rules.channels if past.silent.get(c, SILENT_ROUNDS) < SILENT_ROUNDS}
    trusted = _flags(rules.events, (c for c in rules.events if target in given.trust[c]))
    live, token_live = _flags(rules.events, offered), _flags(rules.tokens, offered)
    asked = np.array([_fed(member, given) for member in members]).sum(axis=0)
    token_asked = np.array([given.feeds[m.member.probe][1] for m in members]).sum(axis=0)
    judged = _judged(members, given)
    wrong = Counter(hit.channel for hit in judged.hits)
    answers, bad = asked * live, np.array([wrong[c] for c in rules.events], dtype=int) * live
    return Cell(
        target=target,
        platform=rules.platforms[target],
        offered=live,
        token_offered=token_live,
        trusted=trusted,
        answers=answers.astype(np.float64),
        bad=bad.astype(np.float64),
        factor=_event_factor(answers, bad, trusted & ~rules.by_user, given),
        token_factor=_token_factor(members, token_live, given),
        asked=_chosen(rules.events, asked) | _chosen(rules.tokens, token_asked),
        counts=judged.counts,
        hits=tuple(sorted(judged.hits)),
        users=_users(members, judged.hits, live & rules.by_user, given),
        identities=frozenset(member.member.identity for member in members),
        bad_identities={c: frozenset(who) for c, who in judged.guilty.items()},
    )


def _users(
    members: Sequence[ScoredMember], hits: Sequence[Hit], rows: Flags, given: Terms
) -> dict[str, tuple[Floats, Floats]]:
    """(answers, bad) by identity on the event channels `rows`, for bets by user."""
    if not rows.any():
        return {}
    bad = Counter((hit.observation, hit.channel) for hit in hits)
    users: dict[str, tuple[Floats, Floats]] = {}
    nothing = np.zeros(len(rows))
    for member in members:
        who = member.member
        n, wrong = users.get(who.identity, (nothing, nothing))
        missed = [bad[who.id, channel] for channel in given.rules.events]
        users[who.identity] = (n + _fed(member, given) * rows, wrong + np.array(missed) * rows)
    return users


def _fed(member: ScoredMember, given: Terms) -> Flags:
    """Event channels that the member's answer is bet on."""
    who = member.member
    fed, waiting = given.feeds[who.probe][0], given.unready.get((who.target, who.probe))
    return fed if waiting is None else fed & ~waiting


def _chosen(channels: Sequence[str], counts: NDArray[np.int64]) -> frozenset[str]:
    return frozenset(channel for channel, n in zip(channels, counts, strict=True) if n)


class _Judged(NamedTuple):
    """Judgements by channel and probe, the bad ones, and by channel whom they came from."""

    counts: Counts
    hits: list[Hit]
    guilty: dict[str, set[str]]


def _judged(members: Sequence[ScoredMember], given: Terms) -> _Judged:
    result = _Judged({}, [], {})
    for member in members:
        probe = member.member.probe
        unfed = given.unfed[probe]
        for channel, score in member.scores.items():
            judges = score.value is not None and score.kind in ("event", "e_value")
            if not judges or channel in unfed:
                continue
            bad, by_probe = is_hit(score), result.counts.setdefault(channel, {})
            n, hits = by_probe.get(probe, (0, 0))
            by_probe[probe] = (n + 1, hits + bad)
            if bad or is_support(score):
                result.hits.append(_hit(member, channel, given))
            if bad:
                result.guilty.setdefault(channel, set()).add(member.member.identity)
    return result


def _hit(member: ScoredMember, channel: str, given: Terms) -> Hit:
    who = member.member
    proven = channel in given.rules.tokens or who.target in given.trust.get(channel, ())
    return Hit(who.slot.due, who.target, who.probe, channel, who.id, proven)


def _event_factor(
    answers: NDArray[np.int64], bad: NDArray[np.int64], trusted: Flags, given: Terms
) -> Floats:
    """Product over answers of the bets against proven bounds, good answers first."""
    factor = np.where(trusted[:, None], given.good[answers - bad], 1.0)
    for row in np.flatnonzero(trusted & (bad > 0)):
        bet = bets.contamination(bets.event_ratio(1.0, float(given.proven[row])), EPS_GRID)
        factor[row] = bets.product([factor[row], *[bet] * int(bad[row])], len(EPS_GRID))
    return factor


def _token_factor(members: Sequence[ScoredMember], offered: Flags, given: Terms) -> Floats:
    """Product over answers of self-normalised bets: exact under any dependence."""
    factor = np.ones((len(given.rules.tokens), len(DROP_GRID)))
    for row in np.flatnonzero(offered):
        channel = given.rules.tokens[row]
        grids = (
            _grid(member.scores.get(channel))
            for member in members
            if given.feeds[member.member.probe][1][row]
        )
        factor[row] = bets.product(grids, len(DROP_GRID))
    return factor


def _grid(score: Score | None) -> Floats:
    if score is None or score.grid is None:
        return bets.missing_answer(DROP_GRID, MISSING_TOKENS)
    return np.minimum(np.asarray(score.grid, dtype=np.float64), SATURATION)


def hushed(
    found: Mapping[str, Cell], mute: Mapping[str, set[str]], rules: FoldRules
) -> dict[str, Cell]:
    """The cells with every bet of `mute` (channel -> targets) taken out: factor 1, no hours."""
    silenced: dict[str, set[str]] = {}
    for channel, targets in mute.items():
        for target in targets:
            silenced.setdefault(target, set()).add(channel)
    return {
        target: _hushed(cell, silenced[target], rules) if target in silenced else cell
        for target, cell in found.items()
    }


def _hushed(cell: Cell, channels: set[str], rules: FoldRules) -> Cell:
    events, tokens = _flags(rules.events, channels), _flags(rules.tokens, channels)
    return replace(
        cell,
        offered=cell.offered & ~events,
        token_offered=cell.token_offered & ~tokens,
        answers=np.where(events, 0.0, cell.answers),
        bad=np.where(events, 0.0, cell.bad),
        factor=np.where(events[:, None], 1.0, cell.factor),
        token_factor=np.where(tokens[:, None], 1.0, cell.token_factor),
        users={
            who: (np.where(events, 0.0, n), np.where(events, 0.0, bad))
            for who, (n, bad) in cell.users.items()
        },
    )
