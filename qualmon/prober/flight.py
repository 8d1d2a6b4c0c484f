"""One member of a round on its way: what was tried, and what may be tried next."""

from __future__ import annotations

from dataclasses import dataclass, field

from qualmon.prober.capabilities import refuses_logprobs
from qualmon.prober.requests import request_id
from qualmon.prober.retries import retry_delay
from qualmon.types import Attempt, Completion, Failure, Member, Observation, Probe


@dataclass(slots=True)
class Flight:
    """One member on its way: what was tried, and what is on the wire now.

    deadline: loop time after which no retry starts. sent_at: Unix time of the newest attempt,
    None before the first; started: its loop time. result: of the newest attempt, None while it
    runs. observation: what came of it in the end. stored: the log has that. settled: nothing
    more is to be done. asks: whether log-probabilities are asked for, decided when the first
    request leaves; refused: a request was refused for asking.
    """

    member: Member
    probe: Probe
    deadline: float
    id: str
    attempts: list[Attempt] = field(default_factory=list)
    sent_at: float | None = None
    started: float = 0.0
    result: Completion | Failure | None = None
    observation: Observation | None = None
    stored: bool = False
    settled: bool = False
    asks: bool | None = None
    refused: bool = False

    def gives_way(self) -> bool:
        """Whether to ask again at once without log-probabilities; true once, and no retry."""
        if not self.asks or self.result is None or not refuses_logprobs(self.result):
            return False
        self.asks, self.refused = False, True
        return True

    def pause(self) -> float | None:
        """Seconds until the next try; None when the newest result stands."""
        if self.result is None:
            return None
        number = len(self.attempts)
        return retry_delay(self.result, number - self.refused, request_id(self.id, number))
