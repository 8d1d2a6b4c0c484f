"""One round's evidence: which answers bet how much, per target and channel.

A missing, late or failed answer enters as r = 0, which can only lower evidence. A channel
that a target has never been judged on (logprobs not offered, say) does not enter at all;
that is decided by earlier rounds, never by the present one.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from qualmon.folding.rules import EVENT_LEVEL, MISSING_TOKENS, FoldRules
from qualmon.folding.state import FoldState, Hit, Pool, TargetState
from qualmon.stats import bets
from qualmon.stats.bounds import upper_limit
from qualmon.stats.esr import Floats
from qualmon.stats.grids import DROP_GRID, EPS_GRID, SATURATION
from qualmon.types import ClosedRound, Score, ScoredMember

#: Rounds of silence after which a channel counts as not offered by a target.
SILENT_ROUNDS = 12
#: Bounds below this are never used unless proven (statistics A.6).
BOUND_FLOOR = 1e-4


@dataclass(slots=True)
class Cell:
    """One target in one round.

    ratios: per event channel, r of each member that enters. grids: per token channel, the
    factor of each member that enters. counts: (answers judged, hits) per channel.
    """

    target: str
    ratios: dict[str, list[float]] = field(default_factory=dict)
    grids: dict[str, list[Floats]] = field(default_factory=dict)
    counts: dict[str, tuple[int, int]] = field(default_factory=dict)
    hits: list[Hit] = field(default_factory=list)
    bad_identities: set[str] = field(default_factory=set)
    identities: set[str] = field(default_factory=set)


def is_hit(score: Score) -> bool:
    """True for a bad event, or an e-value that 1 in 100 healthy answers reach at most."""
    if not isinstance(score.value, int | float):
        return False
    return score.value >= (EVENT_LEVEL if score.kind == "e_value" else 1.0)


def pool_key(rnd: ClosedRound) -> str:
    """Bounds are audited over the probes of one suite and model."""
    return f"{rnd.slot.suite}/{rnd.slot.model}"


def working_bound(pool: Pool, declared: float) -> float:
    """The rate that r is taken against: the declared one once proven, else no less than the
    upper confidence limit of what was seen before this round."""
    if pool.status == "proven":
        return declared
    return max(declared, BOUND_FLOOR, upper_limit(pool.n, pool.hits))


def cells(rnd: ClosedRound, state: FoldState, rules: FoldRules) -> dict[str, Cell]:
    """The round's cells by target, members in fold order."""
    pools = state.pools.get(pool_key(rnd), {})
    bounds = {c: working_bound(pools.get(c, Pool()), rules.bounds[c]) for c in rules.events}
    result: dict[str, Cell] = {}
    empty = TargetState()
    for member in sorted(rnd.members, key=lambda m: m.member.sort_key):
        key = member.member.target
        cell = result.setdefault(key, Cell(key))
        offered = _offered(state.targets.get(key, empty), rules.channels)
        fed = set(rules.feeds.get(f"{rnd.slot.suite}/{member.member.probe}", rules.channels))
        _bet(cell, member, offered & fed, bounds, rules)
        _count(cell, member)
    return result


def _offered(target: TargetState, channels: Sequence[str]) -> set[str]:
    return {c for c in channels if target.silent.get(c, SILENT_ROUNDS) < SILENT_ROUNDS}


def _bet(
    cell: Cell,
    member: ScoredMember,
    offered: set[str],
    bounds: Mapping[str, float],
    rules: FoldRules,
) -> None:
    for channel in rules.events:
        if channel in offered:
            score = member.scores.get(channel)
            bad = 1.0 if score is not None and is_hit(score) else 0.0
            cell.ratios.setdefault(channel, []).append(bets.event_ratio(bad, bounds[channel]))
    for channel in rules.tokens:
        if channel in offered:
            score = member.scores.get(channel)
            cell.grids.setdefault(channel, []).append(_grid(score))


def _grid(score: Score | None) -> Floats:
    if score is None or score.grid is None:
        return bets.missing_answer(DROP_GRID, MISSING_TOKENS)
    return np.minimum(np.asarray(score.grid, dtype=np.float64), SATURATION)


def _count(cell: Cell, member: ScoredMember) -> None:
    who = member.member
    cell.identities.add(who.identity)
    for channel in sorted(member.scores):
        score = member.scores[channel]
        if score.kind not in ("event", "e_value") or score.value is None:
            continue
        n, hits = cell.counts.get(channel, (0, 0))
        bad = is_hit(score)
        cell.counts[channel] = (n + 1, hits + bad)
        if bad:
            cell.bad_identities.add(who.identity)
            cell.hits.append(Hit(who.slot.due, who.target, who.probe, channel, who.id))


def event_factor(parts: Sequence[Sequence[float]], *, proven: bool) -> Floats:
    """Factor of one channel from the r's of several targets of one platform, shape (10,).

    A proven bound holds answer by answer, so its bets multiply. Otherwise answers of one
    platform and round may share a shock: their r's are averaged into one bet.
    """
    ratios = [r for part in parts for r in part]
    if not ratios:
        return np.ones(len(EPS_GRID))
    if not proven:
        return bets.contamination(sum(ratios) / len(ratios), EPS_GRID)
    return bets.product((bets.contamination(r, EPS_GRID) for r in ratios), len(EPS_GRID))


def token_factor(parts: Sequence[Sequence[Floats]]) -> Floats:
    """Product over answers of a self-normalised bet, shape (13,): exact under any dependence."""
    return bets.product((grid for part in parts for grid in part), len(DROP_GRID))
