"""A small fleet for tests of the fold: its rules, its traffic, its faults."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from qualmon.folding.fold import Folded, fold
from qualmon.folding.rules import FoldRules, build_nodes
from qualmon.folding.state import FoldState, Pool, TargetState, initial
from qualmon.types import ClosedRound, Incident, Member, Score, ScoredMember, Slot, Target

HARDWARE = {
    ("first-party", "default"): "tpu",
    ("first-party", "batch"): "gpu",
    ("aws", "default"): "trainium",
    ("aws", "batch"): "gpu",
    ("gcp", "default"): "tpu",
    ("gcp", "batch"): "trainium",
}
MODELS = ("m-large", "m-small")
FLEET = tuple(
    Target(model, platform, route, labels={"hardware": hardware})
    for model in MODELS
    for (platform, route), hardware in HARDWARE.items()
)
AXES = ((), ("platform",), ("hardware",), ("model",), ("platform", "model"),
        ("hardware", "model"), ("target",))  # fmt: skip
START = 1.7e9
EVERY = 900.0
BOUNDS = {"code.fail": 1e-2, "script.char": 1e-3, "script.run": 1e-3, "token.argmax": 1e-3}
PROMPTS = 24
DAY = 86400.0

#: (member, channel) -> probability that the answer is bad there.
Rate = Callable[[Member, str], float]


def make_rules(targets: Sequence[Target] = FLEET, **changes: Any) -> FoldRules:
    """Rules of the fleet; keywords replace fields. By default everything may page at once."""
    fields: dict[str, Any] = {
        "started": START,
        "nodes": build_nodes(targets, AXES),
        "events": tuple(sorted(BOUNDS)),
        "tokens": (),
        "bounds": BOUNDS,
        "feeds": {},
        "versions": {},
        "platforms": {target.key: target.platform for target in targets},
        "budget_hours": 2160.0,
        "min_share": 0.001,
        "burn_in": 0.0,
        "clean_for": DAY,
        "recovery_alpha": 1e-3,
    }
    return FoldRules(**{**fields, **changes})


def slot(index: int, model: str = "m-large", suite: str = "core", every: float = EVERY) -> Slot:
    """The slot of that index; models fall due 400 s apart."""
    return Slot(START + index * every + 400.0 * (model == "m-small"), suite, model, index, every)


def good(channel: str) -> Score:
    """A score of an answer that is right."""
    return Score(channel, "event", 0.0)


def bad(channel: str) -> Score:
    """A score of an answer that is wrong."""
    return Score(channel, "event", 1.0)


def answered(member: Member, channels: Iterable[str], wrong: Iterable[str] = ()) -> ScoredMember:
    """An answer that every channel judged; `wrong` names those on which it is bad."""
    hits = set(wrong)
    return ScoredMember(member, "ok", {c: bad(c) if c in hits else good(c) for c in channels})


def missing(member: Member) -> ScoredMember:
    """A member without an answer."""
    return ScoredMember(member, "missing", {})


@dataclass
class Traffic:
    """Rounds of a fleet. per_round: prompts a round, rotating. identities: of each prompt."""

    seed: int
    channels: Sequence[str] = tuple(sorted(BOUNDS))
    targets: Sequence[Target] = FLEET
    per_round: int = 4
    identities: int = 1
    rng: random.Random = field(init=False)

    def __post_init__(self) -> None:
        self.rng = random.Random(self.seed)
        self._scores = {c: (good(c), bad(c)) for c in self.channels}

    def members(self, of: Slot) -> list[Member]:
        """Whom a slot asks what."""
        prompts = [f"p{(of.index * self.per_round + k) % PROMPTS}" for k in range(self.per_round)]
        return [
            Member(of, target.key, prompt, str(who))
            for target in self.targets
            if target.model == of.model
            for prompt in prompts
            for who in range(self.identities)
        ]

    def round(self, of: Slot, rate: Rate) -> ClosedRound:
        """All members answered, each channel bad with its own probability."""
        draw, scores = self.rng.random, self._scores
        return ClosedRound(
            of,
            tuple(
                ScoredMember(m, "ok", {c: scores[c][draw() < rate(m, c)] for c in self.channels})
                for m in self.members(of)
            ),
        )

    def rounds(self, hours: float, rate: Rate, since: int = 0) -> Iterable[ClosedRound]:
        """Rounds of all models, in fold order."""
        models = sorted({target.model for target in self.targets})
        for index in range(since, since + round(hours * 3600.0 / EVERY)):
            for model in models:
                yield self.round(slot(index, model), rate)


def healthy(_member: Member, _channel: str) -> float:
    """No answer is bad."""
    return 0.0


def faulty(targets: Iterable[str], share: float, onset: float, until: float = float("inf")) -> Rate:
    """`share` of the answers of `targets` is bad on every channel; times in hours from START."""
    places = set(targets)

    def rate(member: Member, _channel: str) -> float:
        active = onset <= (member.slot.due - START) / 3600.0 < until
        return share if active and member.target in places else 0.0

    return rate


def proven(rules: FoldRules, suites: Sequence[str] = ("core",)) -> FoldState:
    """No evidence yet, every channel known to every target, every bound long proven."""
    keys = sorted(rules.platforms)
    models = sorted({key.rsplit("/", 2)[0] for key in keys})
    pools = {
        f"{suite}/{model}": dict.fromkeys(
            rules.events, _long_proven([key for key in keys if key.startswith(f"{model}/")])
        )
        for suite in suites
        for model in models
    }
    known = TargetState(silent=dict.fromkeys(rules.channels, 0))
    return replace(initial(rules), pools=pools, targets=dict.fromkeys(keys, known))


def _long_proven(targets: Sequence[str]) -> Pool:
    each = PROMPTS * 1000
    return Pool(
        n=each * len(targets),
        probes={f"p{i}": (1000 * len(targets), 0) for i in range(PROMPTS)},
        targets=dict.fromkeys(targets, (each, 0)),
        rounds=1000,
        status="proven",
        trusted=tuple(targets),
    )


@dataclass
class Run:
    """The fold of a sequence of rounds, and what it told the world."""

    rules: FoldRules
    state: FoldState
    transitions: list[Any] = field(default_factory=list)

    def feed(self, rounds: Iterable[ClosedRound]) -> Run:
        """Folds more rounds."""
        for rnd in rounds:
            self.step(rnd)
        return self

    def step(self, rnd: ClosedRound) -> Folded:
        """Folds one round."""
        folded = fold(self.state, rnd, self.rules)
        self.state = folded.state
        self.transitions.extend(folded.transitions)
        return folded

    @property
    def ids(self) -> list[str]:
        """Incidents ever opened, in order."""
        return list(dict.fromkeys(t["incident_id"] for t in self.transitions))

    @property
    def open(self) -> list[Incident]:
        """Incidents now open."""
        return [item.incident for item in self.state.incidents.values()]

    @property
    def paged(self) -> list[str]:
        """Incidents that were ever a page."""
        loud = (t for t in self.transitions if t["doc"]["severity"] == "page")
        return sorted({t["incident_id"] for t in loud})
