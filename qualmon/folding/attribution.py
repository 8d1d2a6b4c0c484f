"""Which node explains an open incident best.

The tally holds, per family and candidate node, the log mass of every bet since the alarm,
started from the node's masses at the alarm: the node with the largest total is blamed
(argmax of weight x evidence). A superset pays for the healthy answers it takes in, a subset
for the bad ones it leaves out, so the answer settles within about ten bad answers.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np

from qualmon.folding.evidence import Cell
from qualmon.folding.nodes import factors, family_rows
from qualmon.folding.rules import FoldRules
from qualmon.folding.state import FoldState

#: Candidates kept per incident; the others are behind by far more than they can make up.
MAX_CANDIDATES = 64
#: A rival that explains the data this much worse still counts as the same fault.
SAME_FAULT = math.log(1000.0)
_TINY = 1e-300

Tally = dict[str, tuple[float, ...]]


def opened(state: FoldState, rules: FoldRules, family: str, targets: set[str]) -> Tally:
    """Log masses now of every node that shares a target with `targets`, best 64."""
    rows = {
        node.scope: _log_masses(state, rules, family, i)
        for i, node in enumerate(rules.nodes)
        if targets.intersection(node.targets)
    }
    best = sorted(rows, key=lambda scope: (-log_total(rows[scope]), scope))[:MAX_CANDIDATES]
    return {scope: rows[scope] for scope in sorted(best)}


def _log_masses(state: FoldState, rules: FoldRules, family: str, i: int) -> tuple[float, ...]:
    events, tokens = family_rows(rules, family)
    parts = [state.events.mass[i, row] for row in events]
    parts += [state.tokens.mass[i, row] for row in tokens]
    return tuple(np.log(np.maximum(np.concatenate(parts), _TINY)).tolist())


def log_total(logs: Sequence[float]) -> float:
    """log of the sum of exponentials."""
    top = max(logs)
    return top + math.log(sum(math.exp(value - top) for value in logs))


def advanced(
    tally: Mapping[str, Sequence[float]],
    family: str,
    cells: Mapping[str, Cell],
    rules: FoldRules,
    proven: set[str],
) -> Tally:
    """The tally after a round, drift left out: only what was seen since the alarm counts."""
    events, tokens = family_rows(rules, family)
    by_scope = {node.scope: node for node in rules.nodes}
    result: Tally = {}
    for scope, logs in tally.items():
        node = by_scope.get(scope)
        if node is None:
            continue
        event_bets, token_bets = factors(node, cells, rules, proven, {})
        bets = np.concatenate([event_bets[events].ravel(), token_bets[tokens].ravel()])
        result[scope] = tuple((np.asarray(logs) + np.log(np.maximum(bets, _TINY))).tolist())
    return result


def ranking(tallies: Mapping[str, Mapping[str, Sequence[float]]]) -> list[tuple[str, float]]:
    """(scope, log evidence) best first, evidence summed over the families of the incident."""
    sums: dict[str, float] = {}
    for tally in tallies.values():
        worst = min((log_total(logs) for logs in tally.values()), default=0.0)
        for scope in {s for t in tallies.values() for s in t}:
            logs = tally.get(scope)
            sums[scope] = sums.get(scope, 0.0) + (log_total(logs) if logs else worst)
    return sorted(sums.items(), key=lambda item: (-item[1], item[0]))


def explains(tally: Mapping[str, Sequence[float]], scope: str, rival: str) -> bool:
    """True when `scope` explains the evidence of `rival` nearly as well."""
    if rival not in tally or scope not in tally:
        return False
    return log_total(tally[scope]) >= log_total(tally[rival]) - SAME_FAULT
