"""Which node explains an open incident best.

The tally holds, per family and candidate node, the log mass of every bet since the alarm,
started from the node's masses at the alarm: the node with the largest total is blamed
(argmax of weight x evidence). A superset pays for the healthy answers it takes in, a subset
for the bad ones it leaves out, so the answer settles within about ten bad answers. Drift is
left out: only what was seen counts.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence

import numpy as np

from qualmon.folding.evidence import Cell, Terms
from qualmon.folding.nodes import Bets, factors
from qualmon.folding.rules import FoldRules, Rows
from qualmon.folding.state import FoldState
from qualmon.stats.esr import Floats
from qualmon.stats.grids import DROP_GRID, EPS_GRID

#: Candidates kept per incident; the others are behind by far more than they can make up.
MAX_CANDIDATES = 64
#: One fault is believed until two explain the evidence this much better.
SAME_FAULT = math.log(1000.0)
#: The blame moves when another place explains the evidence this much better.
MOVE_LEAD = math.log(10.0)
_TINY = 1e-300

Tally = Mapping[str, tuple[float, ...]]
Tallies = Mapping[str, Tally]


def opened(state: FoldState, rules: FoldRules, family: str, targets: Iterable[str]) -> Tally:
    """Log masses now of every node that shares a target with `targets`, best 64."""
    rows = {
        rules.nodes[i].scope: _log_masses(state, rules, family, i) for i in rules.touching(targets)
    }
    best = sorted(rows, key=lambda scope: (-log_total(rows[scope]), scope))[:MAX_CANDIDATES]
    return {scope: rows[scope] for scope in sorted(best)}


def _log_masses(state: FoldState, rules: FoldRules, family: str, i: int) -> tuple[float, ...]:
    rows = rules.rows[family]
    parts = [state.events.mass[i, list(rows.events)], state.tokens.mass[i, list(rows.tokens)]]
    return tuple(_logs(np.concatenate([part.ravel() for part in parts])).tolist())


def _logs(values: Floats) -> Floats:
    return np.asarray(np.log(np.maximum(values, _TINY)))


def log_total(logs: Sequence[float]) -> float:
    """log of the sum of exponentials."""
    top = max(logs)
    return top + math.log(sum(math.exp(value - top) for value in logs))


def no_news(tallies: Tallies) -> dict[str, Tally]:
    """Zeros in the shape of `tallies`."""
    return {
        family: {scope: (0.0,) * len(logs) for scope, logs in tally.items()}
        for family, tally in tallies.items()
    }


def added(tallies: Tallies, news: Tallies) -> dict[str, Tally]:
    """Entry by entry sum; `news` has the shape of `tallies`."""
    return {
        family: {
            scope: tuple(a + b for a, b in zip(logs, news[family][scope], strict=True))
            for scope, logs in tally.items()
        }
        for family, tally in tallies.items()
    }


def advanced(tallies: Tallies, cells: Mapping[str, Cell], given: Terms) -> dict[str, Tally]:
    """The tallies after a round: the logs of its bets on each candidate are added."""
    rules = given.rules
    scopes = sorted({scope for tally in tallies.values() for scope in tally})
    bets = {scope: factors(rules.nodes[rules.place[scope]], cells, given) for scope in scopes}
    result: dict[str, Tally] = {}
    for family, tally in tallies.items():
        rows = rules.rows[family]
        result[family] = {s: _with_bets(logs, bets[s], rows) for s, logs in tally.items()}
    return result


def _with_bets(logs: tuple[float, ...], bets: Bets | None, rows: Rows) -> tuple[float, ...]:
    if bets is None:
        return logs
    parts = [bets.events[list(rows.events)], bets.tokens[list(rows.tokens)]]
    gains = _logs(np.concatenate([part.ravel() for part in parts]))
    return tuple((np.asarray(logs) + gains).tolist())


def ranking(tallies: Tallies) -> list[tuple[str, float]]:
    """(scope, log evidence) best first, evidence summed over the families of the incident."""
    scopes = {scope for tally in tallies.values() for scope in tally}
    sums = dict.fromkeys(scopes, 0.0)
    for _, tally in sorted(tallies.items()):
        totals = {scope: log_total(logs) for scope, logs in tally.items()}
        worst = min(totals.values(), default=0.0)
        for scope in scopes:
            sums[scope] += totals.get(scope, worst)
    return sorted(sums.items(), key=lambda item: (-item[1], item[0]))


def evidence(tallies: Tallies, scope: str) -> float:
    """Log mass behind `scope` in the family that speaks loudest there; 0 where none does."""
    return max((log_total(t[scope]) for t in tallies.values() if scope in t), default=0.0)


def migrated(tallies: Tallies, old: FoldRules, new: FoldRules) -> dict[str, Tally]:
    """The tallies under new rules: places and channels that are gone leave, new channels of
    a family start with no evidence."""
    result: dict[str, Tally] = {}
    for family, tally in tallies.items():
        if family in new.rows:
            result[family] = {
                scope: _realigned(logs, old, new, family)
                for scope, logs in tally.items()
                if scope in new.place
            }
    return result


def _realigned(
    logs: Sequence[float], old: FoldRules, new: FoldRules, family: str
) -> tuple[float, ...]:
    parts: dict[str, Sequence[float]] = {}
    at = 0
    for channel in old.channels_of(family):
        size = _size(channel, old)
        parts[channel], at = logs[at : at + size], at + size
    fresh = math.log(_TINY)
    return tuple(
        value
        for channel in new.channels_of(family)
        for value in parts.get(channel, (fresh,) * _size(channel, new))
    )


def _size(channel: str, rules: FoldRules) -> int:
    return len(EPS_GRID) if channel in rules.events else len(DROP_GRID)
