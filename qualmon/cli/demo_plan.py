"""What the demo does, as data: fleet, configuration, fault, hours."""

from __future__ import annotations

import random
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import yaml

from qualmon.errors import UnknownNameError
from qualmon.sim.faults import KINDS, parse_faults
from qualmon.sim.fleet import base_url, demo_fleet
from qualmon.types import Target

#: Monday 2026-01-05 00:00 UTC, when every demo begins on its virtual clock.
START = 1767571200.0
EVERY = 900.0
PROBES_PER_ROUND = 4
#: Virtual seconds after the onset in which the fault must be found.
HORIZON = 96 * 3600.0
#: After the alarm the demo goes on until this many bad answers fix place and share ...
SETTLE_HITS = 14
#: ... or this many virtual seconds passed.
SETTLE = 12 * 3600.0

#: The cause that each kind of fault should be given first.
CAUSES: Mapping[str, str] = {"corruption": "output_corruption"}


@dataclass(frozen=True, slots=True)
class DemoPlan:
    """One demo. onset: virtual seconds after START. targets: keys that the fault strikes."""

    kind: str
    onset: float
    node: str
    rate: float
    seed: int
    targets: frozenset[str]

    @classmethod
    def of(cls, *, fault: str, onset: float, node: str | None, rate: float, seed: int) -> DemoPlan:
        """Checks the arguments. Raises UnknownNameError and UsageError naming what exists."""
        if fault not in KINDS:
            raise UnknownNameError(f"fault {fault!r}", remedy=f"Faults: {', '.join(KINDS)}")
        fleet = demo_fleet()
        place = node or f"platform={random.Random(seed).choice(fleet.platforms)}"
        planted = {"id": "demo", "kind": fault, "node": place, "rate": rate}
        parsed = parse_faults([planted], fleet.targets, 0.0)[0]
        return cls(fault, onset, place, rate, seed, parsed.targets)

    @property
    def fault(self) -> dict[str, Any]:
        """The fault as the simulator takes it."""
        return {"id": "demo", "kind": self.kind, "node": self.node, "rate": self.rate}

    @property
    def fleet(self) -> tuple[Target, ...]:
        """The simulated targets."""
        return demo_fleet().targets

    def config_yaml(self, origin: str) -> str:
        """The demo's qualmon.yaml: what a user would write for this fleet."""
        targets = [
            {
                "model": target.model,
                "platform": target.platform,
                "route": target.route,
                "provider": "openai_chat",
                "url": base_url(origin, target),
                "labels": dict(target.labels),
                # Half of the fleet streams, so that both wire shapes are exercised.
                "stream": target.route == "batch",
                "neutral_sampler": True,
            }
            for target in self.fleet
        ]
        suite = {
            "name": "core",
            "every": f"{EVERY:.0f}s",
            "probes_per_round": PROBES_PER_ROUND,
            "identities": 1,
        }
        return yaml.safe_dump(
            {
                "store": "sqlite:///demo.db",
                "false_pages": {"max": 1, "per": "90d"},
                "burn_in": "0s",
                "targets": targets,
                "suites": [suite],
            },
            sort_keys=False,
        )
