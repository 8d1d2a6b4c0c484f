"""What the running process has learnt of its routes: what they offer, what cannot be judged."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from qualmon.types import Capability, Observation, RouteCapability, Score, UnjudgedChannel

#: Characters of a reason that are kept.
MAX_REASON = 200


class RouteNotes:
    """Newest capability states and unjudged channels, one entry per target and name.

    `now` gives Unix seconds. Kept in memory: a start learns it anew from the first answers.
    """

    def __init__(self, now: Callable[[], float]) -> None:
        self._now = now
        self._capabilities: dict[tuple[str, str], RouteCapability] = {}
        self._unjudged: dict[tuple[str, str], UnjudgedChannel] = {}

    def capability(self, target: str, feature: str, state: Capability) -> None:
        """A target offers a feature in this state from now on."""
        self._capabilities[target, feature] = RouteCapability(target, feature, state, self._now())

    def judged(self, observation: Observation, scores: Sequence[Score]) -> None:
        """Notes which channels could not judge an answer, and forgets those that could."""
        target = observation.member.target
        for score in scores:
            if score.value is None:
                self._silent(target, score)
            else:
                self._unjudged.pop((target, score.channel), None)

    def capabilities(self) -> tuple[RouteCapability, ...]:
        """All capabilities, in no order."""
        return tuple(self._capabilities.values())

    def unjudged(self) -> tuple[UnjudgedChannel, ...]:
        """Channels that could not judge their target's newest answer, in no order."""
        return tuple(self._unjudged.values())

    def _silent(self, target: str, score: Score) -> None:
        before = self._unjudged.get((target, score.channel))
        reason = reason_of(score)[:MAX_REASON]
        answers = 1 + (before.answers if before else 0)
        self._unjudged[target, score.channel] = UnjudgedChannel(
            target, score.channel, reason, answers
        )


def reason_of(score: Score) -> str:
    """Why a score has no value, in the scorer's words."""
    return str(score.detail.get("reason") or "no reason given")
