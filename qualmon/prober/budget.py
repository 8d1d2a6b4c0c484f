"""What may still be asked of one target today: requests and USD per UTC day.

Counted before a request leaves, retries included, so that a crash in mid-flight cannot hide
one. Money is reserved at the worst case and corrected by the answer's usage.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from qualmon.errors import UsageError
from qualmon.types import Completion, Failure, Limits, Price, Probe

DAY = 86_400.0

#: Output tokens assumed of a request that states no maximum.
UNSTATED_MAX_TOKENS = 4096

#: Tokens that a chat template may add to one message.
_TEMPLATE_TOKENS = 16

#: Failures for which nothing was generated, hence nothing is owed.
_FREE = frozenset({"connect", "tls", "timeout_connect", "auth", "rate_limited", "redirect"})


@dataclass(frozen=True, slots=True)
class Spend:
    """What one target has used up on the UTC day that began at `day` (days since 1970)."""

    day: int
    requests: int = 0
    usd: float = 0.0


@dataclass(frozen=True, slots=True)
class Receipt:
    """Permission for one request: the day it counts for and the USD held for it."""

    day: int
    usd: float


class Budget:
    """The day's account of one target. `now` gives Unix seconds.

    Raises UsageError when money is limited and no price says what a request costs.
    """

    def __init__(
        self,
        limits: Limits,
        price: Price | None,
        now: Callable[[], float],
        spent: Spend | None = None,
    ) -> None:
        if limits.usd_per_day is not None and price is None:
            raise UsageError(
                f"usd_per_day is {limits.usd_per_day} and the target has no price",
                remedy="State price: {input: ..., output: ...} in USD per million tokens",
            )
        self._limits, self._now = limits, now
        self._spent = spent or Spend(day_of(now()))
        self._planned_requests, self._planned_usd = 0, 0.0

    @property
    def limited(self) -> bool:
        """True when the day has a limit at all."""
        return self._limits.requests_per_day is not None or self._limits.usd_per_day is not None

    @property
    def spent(self) -> Spend:
        """Today's account."""
        # A clock that is set back must not hand out the same day's budget again.
        if (today := day_of(self._now())) > self._spent.day:
            self._spent = Spend(today)
        return self._spent

    def take(self, worst_usd: float) -> Receipt | None:
        """Counts one request of at most `worst_usd`; None when it does not fit the day."""
        spent = self.spent
        if not self._fits(spent.requests + 1, spent.usd + worst_usd):
            return None
        self._add(1, worst_usd)
        return Receipt(spent.day, worst_usd)

    def settle(self, receipt: Receipt, usd: float) -> None:
        """Replaces the USD held by what the request really cost."""
        if receipt.day == self.spent.day:
            self._add(0, usd - receipt.usd)

    def plan(self, requests: int, usd: float) -> None:
        """Announces what may yet be taken; negative values withdraw it. Allows nothing."""
        self._planned_requests += requests
        self._planned_usd += usd

    @property
    def most(self) -> Spend:
        """What today's account can come to: spent and planned, up to the limits."""
        spent, limits = self.spent, self._limits
        requests, usd = spent.requests + self._planned_requests, spent.usd + self._planned_usd
        if limits.requests_per_day is not None:
            requests = min(requests, max(spent.requests, limits.requests_per_day))
        if limits.usd_per_day is not None:
            usd = min(usd, max(spent.usd, limits.usd_per_day))
        return Spend(spent.day, requests, max(0.0, usd))

    def restore(self, found: Spend) -> None:
        """Raises today's account to one on record; one of another day says nothing."""
        spent = self.spent
        if found.day == spent.day:
            requests, usd = max(spent.requests, found.requests), max(spent.usd, found.usd)
            self._spent = Spend(spent.day, requests, usd)

    def remaining(self) -> Mapping[str, float]:
        """Share left, in [0, 1], of each limited resource (`requests`, `usd`)."""
        spent, limits = self.spent, self._limits
        pairs = (
            ("requests", spent.requests, limits.requests_per_day),
            ("usd", spent.usd, limits.usd_per_day),
        )
        return {name: _left(used, allowed) for name, used, allowed in pairs if allowed is not None}

    def _fits(self, requests: int, usd: float) -> bool:
        most_requests, most_usd = self._limits.requests_per_day, self._limits.usd_per_day
        return (most_requests is None or requests <= most_requests) and (
            most_usd is None or usd <= most_usd
        )

    def _add(self, requests: int, usd: float) -> None:
        spent = self.spent
        self._spent = Spend(spent.day, spent.requests + requests, max(0.0, spent.usd + usd))


def day_of(t: float) -> int:
    """UTC day of Unix time `t`, in days since 1970."""
    return int(t // DAY)


def worst_usd(price: Price | None, probe: Probe, params: Mapping[str, Any]) -> float:
    """Upper bound of one request's cost: every byte a token, the whole max_tokens used."""
    if price is None:
        return 0.0
    text = sum(len(m.content.encode("utf-8", "surrogatepass")) for m in probe.messages)
    tokens_in = max(probe.expected_input_tokens, text + _TEMPLATE_TOKENS * len(probe.messages))
    return _usd(price, tokens_in, _max_tokens(params))


def actual_usd(price: Price | None, result: Completion | Failure, worst: float) -> float:
    """What an attempt cost: by its usage, nothing where nothing ran, else the worst case."""
    if price is None:
        return 0.0
    if isinstance(result, Failure):
        return 0.0 if result.kind in _FREE else worst
    usage = result.usage
    if usage.prompt_tokens is None or usage.output_tokens is None:
        return worst
    return _usd(price, usage.prompt_tokens, usage.output_tokens)


def _usd(price: Price, tokens_in: int, tokens_out: int) -> float:
    return (tokens_in * price.input + tokens_out * price.output) / 1e6


def _max_tokens(params: Mapping[str, Any]) -> int:
    for name in ("max_completion_tokens", "max_tokens", "n_predict"):
        if isinstance(params.get(name), int):
            return int(params[name])
    return UNSTATED_MAX_TOKENS


def _left(used: float, allowed: float) -> float:
    return max(0.0, 1.0 - used / allowed) if allowed > 0 else 0.0
