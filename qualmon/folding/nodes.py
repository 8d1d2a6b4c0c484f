"""The nodes' step: each node's masses take the product of its targets' evidence."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

import numpy as np

from qualmon.folding.evidence import Cell, Terms
from qualmon.folding.rules import Flags, FoldRules
from qualmon.folding.state import FoldState
from qualmon.stats import esr
from qualmon.stats.esr import Floats, Masses
from qualmon.stats.grids import EPS_GRID, SATURATION
from qualmon.types import Node

#: A gap earns no evidence: monitored hours per update are capped at this many intervals.
GAP_INTERVALS = 2


@dataclass(frozen=True, slots=True)
class Bets:
    """A round's bets on one node, shapes (events, 10) and (tokens, 13), and which channels
    were watched there at all: the others earn no hours."""

    events: Floats
    tokens: Floats
    watched: Flags
    token_watched: Flags


def factors(node: Node, cells: Mapping[str, Cell], given: Terms) -> Bets | None:
    """Bets of a round on one node; None when the round asked none of its targets.

    A proven bound holds answer by answer, so its bets multiply; on channels that tell one
    serving state from another, user by user. Otherwise the answers of one platform and round
    may share a shock: they are averaged into one bet.
    """
    present = [cells[target] for target in node.targets if target in cells]
    if not present:
        return None
    events, tokens = present[0].factor, present[0].token_factor
    watched, token_watched = present[0].offered, present[0].token_offered
    with np.errstate(over="ignore"):
        for cell in present[1:]:
            events = np.minimum(events * cell.factor, SATURATION)
            tokens = np.minimum(tokens * cell.token_factor, SATURATION)
            watched = watched | cell.offered
            token_watched = token_watched | cell.token_offered
        for shared in _shared(present, given):
            events = np.minimum(events * shared, SATURATION)
    return Bets(events, tokens, watched, token_watched)


_Parts = dict[tuple[str, ...], tuple[Floats, Floats]]


def _shared(present: Iterable[Cell], given: Terms) -> list[Floats]:
    """One bet a channel on the mean of answers that may share a state: those of a platform
    where the bound is not proven, and those of a user where bets are by user."""
    platforms: _Parts = {}
    users: _Parts = {}
    for cell in present:
        _add(platforms, (cell.platform,), cell.answers, cell.bad, ~cell.trusted)
        for who, (answers, bad) in cell.users.items():
            _add(users, (cell.platform, who), answers, bad, cell.trusted)
    return [*_means(platforms, given.working), *_means(users, given.proven)]


def _add(parts: _Parts, key: tuple[str, ...], answers: Floats, bad: Floats, rows: Flags) -> None:
    if (rows & (answers > 0)).any():
        n, wrong = parts.get(key, (np.zeros(len(rows)), np.zeros(len(rows))))
        parts[key] = (n + answers * rows, wrong + bad * rows)


def _means(parts: _Parts, bound: Floats) -> list[Floats]:
    eps = np.asarray(EPS_GRID)
    result = []
    for _, (n, bad) in sorted(parts.items(), key=lambda item: item[0]):
        ratio = np.where(n > 0, bad / np.maximum(n, 1.0) / bound, 1.0)
        result.append((1.0 - eps) + eps * ratio[:, None])
    return result


def stepped(state: FoldState, touched: Mapping[int, Bets], given: Terms) -> FoldState:
    """All touched nodes after the round; `touched` maps a node's index to its bets."""
    if not touched:
        return state
    chosen = sorted(touched)
    at = (given.slot.due - given.rules.started) / 3600.0
    drift = _weighted_hours(state, chosen, at, given)
    event_part, token_part = given.rules.drift_parts
    found = [touched[i] for i in chosen]
    updated = state.updated.copy()
    updated[chosen] = at
    return replace(
        state,
        events=_step(
            state.events,
            chosen,
            drift * event_part * np.array([b.watched for b in found])[:, :, None],
            at,
            np.array([b.events for b in found]),
        ),
        tokens=_step(
            state.tokens,
            chosen,
            drift * token_part * np.array([b.token_watched for b in found])[:, :, None],
            at,
            np.array([b.tokens for b in found]),
        ),
        updated=updated,
    )


def _weighted_hours(state: FoldState, chosen: list[int], at: float, given: Terms) -> Floats:
    """Weight x hours since each node's last update, shape (nodes, 1, 1): slot times only."""
    interval = given.slot.every / 3600.0
    since = at - state.updated[chosen]
    hours = np.where(np.isnan(since), interval, np.clip(since, 0.0, GAP_INTERVALS * interval))
    weights = np.array([given.rules.nodes[i].weight for i in chosen])
    return np.asarray((weights * hours)[:, None, None])


def _step(bank: Masses, chosen: list[int], drift: Floats, at: float, factor: Floats) -> Masses:
    now = esr.step(Masses(bank.mass[chosen], bank.moment[chosen]), drift, at, factor)
    mass, moment = bank.mass.copy(), bank.moment.copy()
    mass[chosen], moment[chosen] = now
    return Masses(mass, moment)


def channel_masses(state: FoldState) -> tuple[Floats, Floats]:
    """Mass of each node and channel, shapes (nodes, events) and (nodes, tokens)."""
    return esr.total(state.events.mass), esr.total(state.tokens.mass)


def family_masses(state: FoldState, rules: FoldRules) -> dict[str, Floats]:
    """Mass of each node, shape (nodes,), in budget hours, by family."""
    events, tokens = channel_masses(state)
    result = {}
    for family, rows in rules.rows.items():
        mass = np.zeros(len(rules.nodes))
        for row in rows.events:
            mass = mass + events[:, row]
        for row in rows.tokens:
            mass = mass + tokens[:, row]
        result[family] = mass
    return result


def cleared(state: FoldState, rules: FoldRules, family: str, targets: Iterable[str]) -> FoldState:
    """Zeroes a family's masses at every node that shares a target with `targets`."""
    chosen, rows = rules.touching(targets), rules.rows[family]
    return replace(
        state,
        events=_zeroed(state.events, chosen, rows.events),
        tokens=_zeroed(state.tokens, chosen, rows.tokens),
    )


def _zeroed(bank: Masses, nodes: Iterable[int], channels: Iterable[int]) -> Masses:
    mass, moment = bank.mass.copy(), bank.moment.copy()
    where = np.ix_(list(nodes), list(channels))
    mass[where] = 0.0
    moment[where] = 0.0
    return Masses(mass, moment)
