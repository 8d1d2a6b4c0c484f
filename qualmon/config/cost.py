"""What a schedule asks for in a day: requests, tokens, USD. Exact arithmetic, no estimate of luck.

A suite asks 86400/every * probes_per_round * identities requests a day of each target it covers;
tokens are the mean over the suite's probes. Retries (at most two, after failures) come on top.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import chain, product
from math import ceil
from statistics import fmean
from typing import Any, Final

from qualmon.config.report import Report
from qualmon.config.settings import Config, SuitePlan
from qualmon.types import Endpoint, Limits

_DAY: Final = 86400.0


@dataclass(frozen=True, slots=True)
class Volume:
    """Requests, tokens and USD in a day. usd is None when a price is missing."""

    requests: float
    input_tokens: float
    output_tokens: float
    usd: float | None


@dataclass(frozen=True, slots=True)
class PerDay:
    """A day's volume in all, by target key and by suite.

    unpriced: targets without a price. unlimited: targets without any limit.
    """

    total: Volume
    targets: Mapping[str, Volume]
    suites: Mapping[str, Volume]
    unpriced: tuple[str, ...]
    unlimited: tuple[str, ...]

    def as_dict(self) -> dict[str, Any]:
        """JSON-ready: the total's fields at the top, then ``targets``, ``suites`` and the rest."""
        return {
            **_rounded(self.total),
            "targets": {key: _rounded(volume) for key, volume in self.targets.items()},
            "suites": {name: _rounded(volume) for name, volume in self.suites.items()},
            "unpriced": list(self.unpriced),
            "unlimited": list(self.unlimited),
        }


def per_day(config: Config) -> PerDay:
    """What `config` asks for in a day."""
    targets: dict[str, list[Volume]] = {end.target.key: [] for end in config.endpoints}
    suites: dict[str, list[Volume]] = {plan.name: [] for plan in config.suites}
    for end, plan in product(config.endpoints, config.suites):
        if plan.asks(end.target.model):
            cell = volume(end, plan)
            targets[end.target.key].append(cell)
            suites[plan.name].append(cell)
    return PerDay(
        total=_sum(chain.from_iterable(suites.values())),
        targets={key: _sum(cells) for key, cells in targets.items()},
        suites={name: _sum(cells) for name, cells in suites.items()},
        unpriced=tuple(end.target.key for end in config.endpoints if end.price is None),
        unlimited=tuple(end.target.key for end in config.endpoints if end.limits == Limits()),
    )


def volume(endpoint: Endpoint, plan: SuitePlan) -> Volume:
    """What one suite asks of one target in a day."""
    requests = _DAY / plan.every * plan.probes_per_round * plan.identities
    tokens_in = requests * fmean(probe.expected_input_tokens for probe in plan.probes)
    tokens_out = requests * fmean(probe.expected_output_tokens for probe in plan.probes)
    price = endpoint.price
    usd = (tokens_in * price.input + tokens_out * price.output) / 1e6 if price else None
    return Volume(requests, tokens_in, tokens_out, usd)


def check_limits(endpoint: Endpoint, plans: Sequence[SuitePlan], report: Report, at: int) -> None:
    """Notes where the schedule asks more of target number `at` than its limits allow."""
    mine = [plan for plan in plans if plan.asks(endpoint.target.model)]
    day, limits = _sum(volume(endpoint, plan) for plan in mine), endpoint.limits
    where = ("targets", at, "limits")
    if limits.requests_per_day is not None and day.requests > limits.requests_per_day:
        report.add(
            (*where, "requests_per_day"),
            f"{limits.requests_per_day} is less than the {day.requests:.0f} requests a day that "
            f"the suites ask for; {_remedy(mine, day.requests / limits.requests_per_day)}",
        )
    if limits.usd_per_day is not None and day.usd is not None and day.usd > limits.usd_per_day:
        report.add(
            (*where, "usd_per_day"),
            f"{limits.usd_per_day:g} is less than the {day.usd:.2f} USD a day that the suites "
            f"cost; {_remedy(mine, day.usd / limits.usd_per_day)}",
        )
    if limits.rate is not None and day.requests / _DAY > limits.rate:
        report.add(
            (*where, "rate"),
            f"{limits.rate:.4g} a second is less than the {day.requests / _DAY:.4g} that the "
            f"suites need; {_remedy(mine, day.requests / _DAY / limits.rate)}",
        )


def _remedy(plans: Sequence[SuitePlan], factor: float) -> str:
    """What brings the schedule back under its limit: a longer period, by `factor`."""
    if len(plans) == 1:
        (plan,) = plans
        return (
            f"raise the limit, or set every of suite {plan.name!r} to {_up(plan.every * factor)}s"
        )
    return f"raise the limit, or make every of the suites {_up(factor * 100) / 100:g} times as long"


def _up(value: float) -> int:
    """The next whole number, forgiving the last bits of a quotient."""
    return ceil(value - 1e-9)


def _sum(volumes: Iterable[Volume]) -> Volume:
    parts = list(volumes)
    usd = [part.usd for part in parts]
    return Volume(
        sum(part.requests for part in parts),
        sum(part.input_tokens for part in parts),
        sum(part.output_tokens for part in parts),
        None if None in usd else sum(part for part in usd if part is not None),
    )


def _rounded(volume: Volume) -> dict[str, float | None]:
    return {
        key: None if value is None else round(value, 4) for key, value in asdict(volume).items()
    }
