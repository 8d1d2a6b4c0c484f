"""What the demo does, as data: fleet, configuration, fault, hours."""

from __future__ import annotations

import random
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import yaml

from qualmon.config import DEFAULT_NODES
from qualmon.errors import UnknownNameError, UsageError
from qualmon.folding.rules import build_nodes
from qualmon.sim.faults import parse_faults
from qualmon.sim.fleet import base_url, demo_fleet
from qualmon.types import Target

#: Monday 2026-01-05 00:00 UTC, when every demo begins on its virtual clock.
START = 1767571200.0
#: Virtual seconds after the onset in which the fault must be found.
HORIZON = 96 * 3600.0
#: After the alarm the demo goes on until this many bad answers fix place and share ...
SETTLE_HITS = 14
#: ... from this many users ...
SETTLE_USERS = 8
#: ... or this many virtual seconds passed.
SETTLE = 12 * 3600.0

HEALTHY = "none"


@dataclass(frozen=True, slots=True)
class Kind:
    """What the demo expects of a kind of fault. amount: the fault's key for how much of it."""

    amount: str
    default: float
    of: str
    cause: str
    incident: str


#: Kinds of fault that the demo plants.
KIND_TABLE: Mapping[str, Kind] = {
    "corruption": Kind("rate", 0.001, "of tokens", "output_corruption", "regression"),
    "topk-drop": Kind(
        "rate", 0.01, "of tokens in the affected batches", "sampler_drops_top_token", "regression"
    ),
    "misroute": Kind("share", 0.16, "of users", "misrouting", "partial"),
}


#: Kinds whose demo also runs the suite `border`, which takes three times the requests of
#: `core`: a fault of single users, and the healthy fleet, which must bear everything.
MANY_USERS = frozenset({"misroute", HEALTHY})


@dataclass(frozen=True, slots=True)
class DemoPlan:
    """One demo. kind: of fault, or HEALTHY. onset: virtual seconds after START. amount: how
    much of the fault, in [0, 1]. targets: keys that it strikes. logprobs: whether the routes
    offer any (they speak Anthropic's protocol if not); logprobs_after: whether those offered
    are computed after the fault.
    """

    kind: str
    onset: float
    node: str
    amount: float
    seed: int
    targets: frozenset[str]
    logprobs: bool = True
    logprobs_after: bool = False

    @classmethod
    def of(
        cls,
        *,
        fault: str,
        onset: float,
        node: str | None,
        rate: float | None,
        seed: int,
        logprobs: bool = True,
        logprobs_after: bool = False,
    ) -> DemoPlan:
        """Checks the arguments. Raises UnknownNameError and UsageError naming what exists."""
        if fault == HEALTHY:
            return cls(HEALTHY, onset, "", 0.0, seed, frozenset(), logprobs)
        if fault not in KIND_TABLE:
            known = ", ".join([*KIND_TABLE, HEALTHY])
            raise UnknownNameError(f"fault {fault!r}", remedy=f"Faults: {known}")
        if logprobs_after and fault != "topk-drop":
            raise UsageError("--logprobs-after", remedy="Use it with --fault topk-drop")
        fleet = demo_fleet()
        place = node or f"platform={random.Random(seed).choice(fleet.platforms)}"
        amount = KIND_TABLE[fault].default if rate is None else rate
        plan = cls(fault, onset, place, amount, seed, frozenset(), logprobs, logprobs_after)
        plan = replace(plan, targets=parse_faults([plan.fault], fleet.targets, 0.0)[0].targets)
        places = {frozenset(n.targets): n.scope for n in build_nodes(fleet.targets, DEFAULT_NODES)}
        if plan.targets not in places:
            raise UnknownNameError(
                f"node {place!r} is no place that the demo's configuration can blame",
                remedy=f"Places: {', '.join(sorted(places.values()))}",
            )
        return plan

    @property
    def fault(self) -> dict[str, Any]:
        """The fault as the simulator takes it."""
        known = KIND_TABLE[self.kind]
        fault = {"id": "demo", "kind": self.kind, "node": self.node, known.amount: self.amount}
        return {**fault, "logprobs_after": True} if self.logprobs_after else fault

    @property
    def horizon(self) -> float:
        """Virtual seconds after the onset in which the fault must be found; a healthy fleet is
        watched for half a day more, about as long as a fault takes to be found and to settle."""
        return SETTLE if self.kind == HEALTHY else HORIZON

    @property
    def fleet(self) -> tuple[Target, ...]:
        """The simulated targets."""
        return demo_fleet().targets

    def config_yaml(self, origin: str) -> str:
        """The demo's qualmon.yaml: what a user would write for this fleet."""
        provider = "openai_chat" if self.logprobs else "anthropic"
        targets = [
            {
                "model": target.model,
                "platform": target.platform,
                "route": target.route,
                "provider": provider,
                "url": base_url(origin, target, provider),
                "labels": dict(target.labels),
                # Half of the fleet streams, so that both wire shapes are exercised.
                "stream": target.route == "batch",
                "neutral_sampler": True,
            }
            for target in self.fleet
        ]
        suites = [{"name": "core", "every": "15m", "probes_per_round": 4, "identities": 1}]
        if self.kind in MANY_USERS:
            # Many users and few tokens: sees a share of the users on another pool.
            border = {"name": "border", "every": "30m", "probes_per_round": 5, "identities": 4}
            suites.append(border)
        return yaml.safe_dump(
            {
                "store": "sqlite:///demo.db",
                "false_pages": {"max": 1, "per": "90d"},
                "burn_in": "0s",
                "targets": targets,
                "suites": suites,
            },
            sort_keys=False,
        )
