"""The day's accounts, kept where a kill cannot erase them.

Before a round sends anything, the most that each limited target can have used up when the round
ends is written down. A process that starts believes that figure: requests of which a killed
predecessor left no trace are in it, however often it was killed.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Protocol

from qualmon.prober.ask import Asker
from qualmon.prober.budget import Spend
from qualmon.prober.capabilities import wants_logprobs
from qualmon.prober.retries import MAX_ATTEMPTS
from qualmon.types import Member, Probe

#: (key, text) of one note.
Page = tuple[str, str]


class Notes(Protocol):
    """Small texts that outlive the process; the store has these two methods."""

    def get_meta(self, key: str) -> str | None:
        """The text under a key, None when there is none."""
        ...

    def set_meta(self, key: str, value: str) -> None:
        """Writes or overwrites it, durably."""
        ...


class Accounts:
    """One page per model with the accounts of its limited targets.

    `planned` and `page` belong to the event loop; `write` and `restore` run beside the store.
    Without notes nothing is kept, and a kill may cost the budgets what was on the wire.
    """

    def __init__(self, askers: Mapping[str, Asker], notes: Notes | None) -> None:
        self._limited = {key: asker for key, asker in askers.items() if asker.budget.limited}
        self._notes = notes

    @contextmanager
    def planned(self, members: Sequence[Member], probes: Mapping[str, Probe]) -> Iterator[None]:
        """While it lasts, pages count every attempt that these members may take."""
        asked = Counter((m.target, m.probe) for m in members if m.target in self._limited)
        plans = [
            (self._limited[target], count * _most_attempts(probes[probe]), probes[probe])
            for (target, probe), count in asked.items()
        ]
        for asker, attempts, probe in plans:
            asker.budget.plan(attempts, attempts * asker.worst_usd(probe))
        try:
            yield
        finally:
            for asker, attempts, probe in plans:
                asker.budget.plan(-attempts, -attempts * asker.worst_usd(probe))

    def page(self, model: str) -> Page | None:
        """What is to be written of a model now; None when none of its targets is limited."""
        accounts = {
            key: (most.day, most.requests, most.usd)
            for key, asker in sorted(self._limited.items())
            if asker.endpoint.target.model == model
            for most in (asker.budget.most,)
        }
        return (_key(model), json.dumps(accounts)) if accounts else None

    def write(self, page: Page | None) -> None:
        """Makes a page durable. Raises what the store raises."""
        if self._notes is not None and page is not None:
            self._notes.set_meta(*page)

    def write_all(self, pages: Sequence[Page | None]) -> None:
        """Makes several pages durable."""
        for page in pages:
            self.write(page)

    def restore(self) -> None:
        """Raises every account to what its page says. Raises what the store raises."""
        for model in self.models:
            text = self._notes.get_meta(_key(model)) if self._notes is not None else None
            for key, spent in json.loads(text or "{}").items():
                if key in self._limited:
                    self._limited[key].budget.restore(Spend(*spent))

    @property
    def models(self) -> tuple[str, ...]:
        """Models with limited targets."""
        return tuple(sorted({a.endpoint.target.model for a in self._limited.values()}))


def _most_attempts(probe: Probe) -> int:
    """Requests that one member may take: its tries, and one more where logprobs are refused."""
    return MAX_ATTEMPTS + int(wants_logprobs(probe.params))


def _key(model: str) -> str:
    return f"budget/{model}"
