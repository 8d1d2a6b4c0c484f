"""The fold's state and its rows in the store.

Rows are small and keyed by what they describe, so that a round rewrites only what it touched:
``node/SCOPE``, ``target/KEY``, ``pool/SUITE/MODEL``, ``incident/ID``, ``reference/KEY``,
``fleet``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any, NamedTuple

import numpy as np
import orjson

from qualmon.folding.novelty import Reference, References
from qualmon.folding.rules import FoldRules
from qualmon.stats import esr
from qualmon.stats.blocks import Block, Blocks
from qualmon.stats.grids import DROP_GRID, EPS_GRID
from qualmon.stats.recovery import Recovery
from qualmon.stats.share import Window
from qualmon.types import Incident


class Hit(NamedTuple):
    """One bad answer on one channel. proven: its bound was proven for this target then."""

    due: float
    target: str
    probe: str
    channel: str
    observation: str
    proven: bool


@dataclass(frozen=True, slots=True)
class TargetState:
    """What is remembered of one target, by channel.

    silent: rounds that asked for the channel since it last judged an answer; a channel absent
    here never did.
    """

    blocks: Mapping[str, Blocks] = field(default_factory=dict)
    silent: Mapping[str, int] = field(default_factory=dict)
    last_at: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Pool:
    """Audit of one channel's declared bound over one suite and model.

    probes, targets: (answers, hits) of each; those of targets that stand out are in no probe's.
    rounds: those that taught it something. burst: the last of them in which the bad answers
    of one platform came together. status: unproven, proven or refuted. trusted: targets for
    which a proven bound holds, sorted.
    """

    n: int = 0
    hits: int = 0
    probes: Mapping[str, tuple[int, int]] = field(default_factory=dict)
    targets: Mapping[str, tuple[int, int]] = field(default_factory=dict)
    rounds: int = 0
    burst: int = 0
    status: str = "unproven"
    trusted: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class OpenIncident:
    """An incident in progress and what is needed to move, size and end it.

    tally: per family and candidate scope, log masses of every bet since the opening, the
    basis of attribution. pending: log factors since the last hit at the incident's own place,
    which enter the tally with the next one. windows: counts of the main channel per target
    and candidate onset. support: distinct (probe, slot time, proven) with a hit, the first 64.
    provable: an alarm rested on proven bounds alone; else doubtful names the channels whose
    bounds are not. spared: identities asked since the last bad one.
    """

    incident: Incident
    channel: str
    provable: bool
    doubtful: tuple[str, ...]
    tally: Mapping[str, Mapping[str, tuple[float, ...]]]
    pending: Mapping[str, Mapping[str, tuple[float, ...]]]
    starts: tuple[float, ...]
    windows: Mapping[str, tuple[tuple[int, int], ...]]
    support: tuple[tuple[str, float, bool], ...]
    recovery: Recovery
    spared: int = 0

    def windows_of(self, targets: tuple[str, ...]) -> tuple[Window, ...]:
        """Counts since each candidate onset, summed over `targets`."""
        rows = [self.windows[target] for target in targets if target in self.windows]
        return tuple(
            Window(start, sum(row[i][0] for row in rows), sum(row[i][1] for row in rows))
            for i, start in enumerate(self.starts)
        )


@dataclass(frozen=True, slots=True)
class FoldState:
    """Everything between two rounds. Arrays are indexed like `FoldRules.nodes`.

    events: shape (nodes, channels, 10). tokens: (nodes, channels, 13). updated: hours since
    the epoch began, nan before a node's first round.
    """

    events: esr.Masses
    tokens: esr.Masses
    updated: esr.Floats
    targets: Mapping[str, TargetState] = field(default_factory=dict)
    pools: Mapping[str, Mapping[str, Pool]] = field(default_factory=dict)
    incidents: Mapping[str, OpenIncident] = field(default_factory=dict)
    references: References = field(default_factory=dict)
    hits: tuple[Hit, ...] = ()
    slots: int = 0


def initial(rules: FoldRules) -> FoldState:
    """No evidence anywhere."""
    n = len(rules.nodes)
    return FoldState(
        events=esr.init((n, len(rules.events), len(EPS_GRID))),
        tokens=esr.init((n, len(rules.tokens), len(DROP_GRID))),
        updated=np.full(n, np.nan),
    )


def dump(state: FoldState, rules: FoldRules, keys: set[str] | None = None) -> dict[str, bytes]:
    """Rows by key; only those of `keys` when given, empty for what is gone.

    Equal states give equal bytes.
    """
    rows: dict[str, Callable[[], Any]] = {
        f"node/{node.scope}": partial(_node_row, state, i) for i, node in enumerate(rules.nodes)
    }
    for prefix, items in (
        ("target", state.targets),
        ("pool", state.pools),
        ("incident", state.incidents),
        ("reference", state.references),
    ):
        rows |= {f"{prefix}/{key}": partial(_itself, item) for key, item in items.items()}
    rows["fleet"] = lambda: {"hits": state.hits, "slots": state.slots}
    wanted = rows.keys() if keys is None else keys
    return {key: _encode(rows[key]()) if key in rows else b"" for key in sorted(wanted)}


def _encode(value: Any) -> bytes:
    options = orjson.OPT_SORT_KEYS | orjson.OPT_SERIALIZE_NUMPY
    return orjson.dumps(value, default=list, option=options)  # list: named tuples


def _itself(item: object) -> object:
    return item


def _node_row(state: FoldState, i: int) -> dict[str, Any]:
    updated = float(state.updated[i])
    return {
        "events": [state.events.mass[i], state.events.moment[i]],
        "tokens": [state.tokens.mass[i], state.tokens.moment[i]],
        "updated": None if np.isnan(updated) else updated,
    }


def load(rows: Mapping[str, bytes], rules: FoldRules) -> FoldState:
    """Inverse of dump; a node without a row starts without evidence. Empty rows are gone."""
    state = initial(rules)
    values = {key: orjson.loads(row) for key, row in rows.items() if row}
    for i, node in enumerate(rules.nodes):
        row = values.get(f"node/{node.scope}")
        if row is not None:
            _fill(state, i, row)
    fleet = values.get("fleet", {"hits": [], "slots": 0})
    return replace(
        state,
        targets={k[7:]: _target(v) for k, v in values.items() if k.startswith("target/")},
        pools={
            k[5:]: {c: _pool(p) for c, p in v.items()}
            for k, v in values.items()
            if k.startswith("pool/")
        },
        incidents={k[9:]: _open(v) for k, v in values.items() if k.startswith("incident/")},
        references={
            k[10:]: {name: Reference(**found) for name, found in v.items()}
            for k, v in values.items()
            if k.startswith("reference/")
        },
        hits=tuple(Hit(*hit) for hit in fleet["hits"]),
        slots=fleet["slots"],
    )


def _fill(state: FoldState, i: int, row: Mapping[str, Any]) -> None:
    for bank, name in ((state.events, "events"), (state.tokens, "tokens")):
        if bank.mass[i].size:
            bank.mass[i], bank.moment[i] = row[name]
    state.updated[i] = np.nan if row["updated"] is None else row["updated"]


def _target(row: Mapping[str, Any]) -> TargetState:
    blocks = {c: tuple(Block(*block) for block in items) for c, items in row["blocks"].items()}
    return TargetState(blocks, row["silent"], row["last_at"])


def _pool(row: Mapping[str, Any]) -> Pool:
    counts = {
        name: {key: (n, hits) for key, (n, hits) in row[name].items()}
        for name in ("probes", "targets")
    }
    return Pool(**{**row, **counts, "trusted": tuple(row["trusted"])})


def incident_from(row: Mapping[str, Any]) -> Incident:
    """An Incident from its JSON form."""
    tuples = ("families", "targets", "channels", "examples", "reasons")
    fixed = {name: tuple(row[name]) for name in tuples}
    causes = tuple((cause, probability) for cause, probability in row["causes"])
    return Incident(**{**row, **fixed, "causes": causes})


def _tally(row: Mapping[str, Any]) -> dict[str, dict[str, tuple[float, ...]]]:
    return {f: {scope: tuple(v) for scope, v in logs.items()} for f, logs in row.items()}


def _open(row: Mapping[str, Any]) -> OpenIncident:
    return OpenIncident(
        incident=incident_from(row["incident"]),
        channel=row["channel"],
        provable=row["provable"],
        doubtful=tuple(row["doubtful"]),
        tally=_tally(row["tally"]),
        pending=_tally(row["pending"]),
        starts=tuple(row["starts"]),
        windows={t: tuple((n, h) for n, h in pairs) for t, pairs in row["windows"].items()},
        support=tuple((probe, due, proven) for probe, due, proven in row["support"]),
        recovery=Recovery(*row["recovery"]),
        spared=row.get("spared", 0),  # rows of before it was counted have none
    )
