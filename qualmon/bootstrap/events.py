"""What the prober and scheduler report, counted for Prometheus and logged where it is rare."""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from collections.abc import Mapping, Sequence

from qualmon.bootstrap.routes import RouteNotes
from qualmon.sinks.probe_metrics import ProbeMetrics
from qualmon.types import Capability, Observation, Score, Slot, Target

logger = logging.getLogger(__name__)


class CountedEvents:
    """prober.events.ProbeEvents on top of ProbeMetrics; `routes` is what the pages show."""

    def __init__(
        self, metrics: ProbeMetrics, targets: Mapping[str, Target], routes: RouteNotes
    ) -> None:
        self._metrics, self._targets = metrics, targets
        self.routes = routes
        self.outcomes: Counter[str] = Counter()  # attempts by outcome, whole process
        self.closed = asyncio.Event()  # set when there is something to fold

    @property
    def requests(self) -> int:
        """Requests sent so far, every attempt."""
        return self.outcomes.total()

    def observed(self, observation: Observation) -> None:
        """One member came to its end."""
        self.outcomes.update(attempt.outcome for attempt in observation.attempts)
        target = self._targets.get(observation.member.target)
        if target is not None:
            self._metrics.observe(target, observation)

    def member_missed(self, target: str, reason: str) -> None:
        """One question was not asked; it enters the fold as missing."""
        logger.info("%s: a question was not asked (%s)", target, reason)

    def capability(self, target: str, feature: str, state: Capability) -> None:
        """What a route offers has changed, or is known for the first time."""
        logger.info("%s: %s %s", target, feature, state)
        self.routes.capability(target, feature, state)
        if target in self._targets:
            self._metrics.capability(self._targets[target], feature, state)

    def judged(self, observation: Observation, scores: Sequence[Score]) -> None:
        """Which channels could judge an answer."""
        self.routes.judged(observation, scores)

    def judging_failed(self, target: str) -> None:
        """Already logged with its traceback where it happened."""

    def round_closed(self, slot: Slot, members: int, missing: int, seconds: float) -> None:
        """Gaps are worth a line; full rounds are not."""
        self.closed.set()
        if missing:
            told = (slot.key, missing, members, seconds)
            logger.info("%s: %d of %d members are missing after %.1f s", *told)

    def slot_missed(self, slot: Slot, reason: str) -> None:
        """One slot will never run."""
        logger.warning("%s: missed (%s)", slot.key, reason)
        self.closed.set()
        self._metrics.slot_missed(reason)

    def slots_skipped(self, stream: str, count: int) -> None:
        """Slots of a long stand-still, too old to be listed."""
        logger.warning("%s: %d slots too old to be listed as missed", stream, count)
        self._metrics.slot_missed("not_running", count)

    def queue_lag(self, seconds: float) -> None:
        """Age of the oldest open slot beyond its deadline."""
        self._metrics.queue_lag(seconds)

    def loop_lag(self, seconds: float) -> None:
        """The event loop's lateness."""
        self._metrics.loop_lag(seconds)

    def budget(self, target: str, resource: str, remaining_ratio: float) -> None:
        """What is left of a day's budget."""
        if target in self._targets:
            self._metrics.budget(self._targets[target], resource, remaining_ratio)

    def round_failed(self, slot: Slot, error: str) -> None:
        """The round stays open and is tried again."""
        logger.error("%s: round failed with %s, to be tried again", slot.key, error)

    def timer_trouble(self, kind: str) -> None:
        """The ledger makes up for it."""
        logger.warning("timer: %s", kind)
