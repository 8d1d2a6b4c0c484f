"""Choice prompts asked of the small fleet as many users: their answers, references, faults."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from fold_kit import FLEET, PROMPTS, make_rules, proven, slot

from qualmon.folding.novelty import Reference, key_of
from qualmon.folding.rules import FoldRules
from qualmon.folding.state import FoldState
from qualmon.types import ClosedRound, Member, Score, ScoredMember, Slot, Target

CHOICE_BOUNDS = {"code.fail": 1e-2, "novelty.token": 1e-3, "script.char": 1e-3}
WORDS = ("heads", "tails")
STRANGE = "edge"

#: (member, rng) -> the answer, None where there is none.
Answer = Callable[[Member, random.Random], str | None]
#: Members whose answers come from another serving state.
Moved = Callable[[Member], bool]


def choice_rules(targets: Sequence[Target] = FLEET, **changes: Any) -> FoldRules:
    """Rules of a fleet that is asked choice prompts, which feed quality channels too."""
    fields = {"events": tuple(sorted(CHOICE_BOUNDS)), "bounds": CHOICE_BOUNDS}
    return make_rules(targets, **{**fields, **changes})


def settled(version: str = "", words: Iterable[str] = WORDS) -> Reference:
    """A frozen reference that holds `words`."""
    counts = dict.fromkeys(words, 20)
    return Reference(version, counts, 20 * len(counts), 10, ready=True)


def referred(rules: FoldRules, prompts: int = PROMPTS, suite: str = "core") -> FoldState:
    """Every bound proven and every reference of the fleet frozen."""
    names = [key_of(suite, f"p{i}", "draw.token") for i in range(prompts)]
    versions = {name: rules.versions.get(name.rsplit("/", 1)[0], "") for name in names}
    known = {name: settled(version) for name, version in versions.items()}
    return replace(proven(rules), references=dict.fromkeys(sorted(rules.platforms), known))


def drew(member: Member, answer: str | None, wrong: Iterable[str] = ()) -> ScoredMember:
    """A member that chose `answer`; `wrong` names quality channels on which it is bad."""
    if answer is None:
        return ScoredMember(member, "missing", {})
    bad = set(wrong)
    events = {c: Score(c, "event", float(c in bad)) for c in CHOICE_BOUNDS if c != "novelty.token"}
    return ScoredMember(
        member, "ok", {"draw.token": Score("draw.token", "category", answer), **events}
    )


def normal(_member: Member, rng: random.Random) -> str:
    """Either word."""
    return rng.choice(WORDS)


@dataclass
class Choices:
    """Rounds of choice prompts. per_round: prompts a round, rotating; users are new each round."""

    seed: int
    targets: Sequence[Target] = FLEET
    per_round: int = 4
    users: int = 4
    prompts: int = PROMPTS
    wrong: Mapping[str, float] = field(default_factory=dict)
    rng: random.Random = field(init=False)

    def __post_init__(self) -> None:
        self.rng = random.Random(self.seed)

    def members(self, of: Slot) -> list[Member]:
        """Whom a slot asks what."""
        first = of.index * self.per_round
        prompts = [f"p{(first + k) % self.prompts}" for k in range(self.per_round)]
        return [
            Member(of, target.key, prompt, f"u{of.index}-{who}")
            for target in self.targets
            if target.model == of.model
            for prompt in prompts
            for who in range(self.users)
        ]

    def round(self, of: Slot, answer: Answer) -> ClosedRound:
        """A round in which each member answers as told."""
        return ClosedRound(of, tuple(self._drawn(member, answer) for member in self.members(of)))

    def _drawn(self, member: Member, answer: Answer) -> ScoredMember:
        said = answer(member, self.rng)
        wrong = [c for c, rate in self.wrong.items() if self.rng.random() < rate]
        return drew(member, said, wrong)

    def rounds(self, count: int, answer: Answer, since: int = 0) -> Iterable[ClosedRound]:
        """`count` rounds of every model, in fold order."""
        models = sorted({target.model for target in self.targets})
        for index in range(since, since + count):
            for model in models:
                yield self.round(slot(index, model), answer)


def sticky(seed: int, share: float, platform: str) -> Moved:
    """`share` of the users of a platform, each with all that it asks there."""

    def moved(member: Member) -> bool:
        _, place, _ = member.target.split("/")
        lot = random.Random(f"{seed}/{place}/{member.slot.model}/{member.identity}").random()
        return place == platform and lot < share

    return moved


def everyone(*targets: str) -> Moved:
    """All users of some targets."""
    return lambda member: member.target in targets


def elsewhere(moved: Moved, onset: int, until: int | None = None, odd: int = 2) -> Answer:
    """From round `onset` on, members that are `moved` choose a new word on one prompt in `odd`."""

    def answer(member: Member, rng: random.Random) -> str:
        index = member.slot.index
        active = index >= onset and (until is None or index < until)
        strange = active and int(member.probe[1:]) % odd == 0 and moved(member)
        return STRANGE if strange else normal(member, rng)

    return answer
