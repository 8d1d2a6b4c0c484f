"""The nodes' step: each node's masses take the product of its targets' evidence."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from qualmon.folding.evidence import Cell, event_factor, token_factor
from qualmon.folding.rules import FoldRules
from qualmon.folding.state import FoldState
from qualmon.stats import bets, esr
from qualmon.stats.esr import Floats, Masses
from qualmon.stats.grids import DROP_GRID, EPS_GRID
from qualmon.types import Node, Slot, family_of

#: A gap earns no evidence: monitored hours per update are capped at this many intervals.
GAP_INTERVALS = 2


def factors(
    node: Node,
    cells: Mapping[str, Cell],
    rules: FoldRules,
    proven: set[str],
    mute: Mapping[str, set[str]],
) -> tuple[Floats, Floats]:
    """Bets of a round on one node: shapes (event channels, 10) and (token channels, 13).

    mute: per family, targets under an open incident; they count as factor 1.
    """
    events = np.ones((len(rules.events), len(EPS_GRID)))
    tokens = np.ones((len(rules.tokens), len(DROP_GRID)))
    present = [cells[target] for target in node.targets if target in cells]
    for c, channel in enumerate(rules.events):
        quiet = mute.get(family_of(channel), set())
        parts = [cell for cell in present if cell.target not in quiet and channel in cell.ratios]
        if parts:
            events[c] = _by_platform(channel, parts, rules, proven=channel in proven)
    for c, channel in enumerate(rules.tokens):
        quiet = mute.get(family_of(channel), set())
        tokens[c] = token_factor(
            [cell.grids.get(channel, []) for cell in present if cell.target not in quiet]
        )
    return events, tokens


def _by_platform(channel: str, parts: Sequence[Cell], rules: FoldRules, *, proven: bool) -> Floats:
    groups: dict[str, list[Sequence[float]]] = {}
    for cell in parts:
        groups.setdefault(rules.platforms[cell.target], []).append(cell.ratios[channel])
    each = (event_factor(group, proven=proven) for _, group in sorted(groups.items()))
    return bets.product(each, len(EPS_GRID))


def stepped(
    state: FoldState,
    slot: Slot,
    rules: FoldRules,
    touched: Mapping[int, tuple[Floats, Floats]],
) -> FoldState:
    """All touched nodes after the round; `touched` maps node index to its factors."""
    at = (slot.due - rules.started) / 3600.0
    interval = slot.every / 3600.0
    events = Masses(state.events.mass.copy(), state.events.moment.copy())
    tokens = Masses(state.tokens.mass.copy(), state.tokens.moment.copy())
    updated = state.updated.copy()
    weight = rules.channel_weight()
    per_event = np.array([[weight[c] / len(EPS_GRID)] for c in rules.events]).reshape(-1, 1)
    per_token = np.array([[weight[c] / len(DROP_GRID)] for c in rules.tokens]).reshape(-1, 1)
    for i, (event_bets, token_bets) in sorted(touched.items()):
        last = updated[i]
        hours = interval if np.isnan(last) else at - float(last)
        drift = rules.nodes[i].weight * max(0.0, min(hours, GAP_INTERVALS * interval))
        for bank, part, factor in (
            (events, per_event, event_bets),
            (tokens, per_token, token_bets),
        ):
            row = esr.step(Masses(bank.mass[i], bank.moment[i]), drift * part, at, factor)
            bank.mass[i], bank.moment[i] = row
        updated[i] = at
    return replace(state, events=events, tokens=tokens, updated=updated)


def family_rows(rules: FoldRules, family: str) -> tuple[list[int], list[int]]:
    """Indices of a family's event channels and token channels."""
    events = [i for i, channel in enumerate(rules.events) if family_of(channel) == family]
    tokens = [i for i, channel in enumerate(rules.tokens) if family_of(channel) == family]
    return events, tokens


def family_mass(state: FoldState, rules: FoldRules, family: str) -> Floats:
    """Mass of each node for one family, shape (nodes,), in budget hours."""
    event_rows, token_rows = family_rows(rules, family)
    result = np.zeros(len(rules.nodes))
    for row in event_rows:
        result = result + esr.total(state.events.mass[:, row, :])
    for row in token_rows:
        result = result + esr.total(state.tokens.mass[:, row, :])
    return result


def cleared(state: FoldState, rules: FoldRules, family: str, targets: set[str]) -> FoldState:
    """Zeroes a family's masses at every node that shares a target with `targets`."""
    rows = [i for i, node in enumerate(rules.nodes) if targets.intersection(node.targets)]
    event_rows, token_rows = family_rows(rules, family)
    return replace(
        state,
        events=_zeroed(state.events, rows, event_rows),
        tokens=_zeroed(state.tokens, rows, token_rows),
    )


def _zeroed(bank: Masses, nodes: Sequence[int], channels: Sequence[int]) -> Masses:
    mass, moment = bank.mass.copy(), bank.moment.copy()
    for i in nodes:
        mass[i, channels, :] = 0.0
        moment[i, channels, :] = 0.0
    return Masses(mass, moment)
