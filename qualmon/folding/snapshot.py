"""What the world sees of the state, built when it changed and not when somebody looks."""

from __future__ import annotations

from collections.abc import Sequence

from qualmon.folding.nodes import family_masses
from qualmon.folding.rules import FoldRules
from qualmon.folding.state import FoldState, TargetState
from qualmon.stats import esr
from qualmon.types import ChannelStatus, FleetSnapshot, Incident, NodeEvidence, Target

#: Means on pages and in metrics cover this many seconds of slot time.
RECENT_SECONDS = 86400.0


def snapshot(
    state: FoldState,
    rules: FoldRules,
    targets: Sequence[Target],
    incidents: Sequence[Incident],
    at: float,
) -> FleetSnapshot:
    """State as shown at slot time `at`; incidents: open ones and those ended lately."""
    line = esr.log10(rules.budget_hours)
    evidence = tuple(
        NodeEvidence(node.scope, family, esr.log10(float(mass[i])), line)
        for family, mass in family_masses(state, rules).items()
        for i, node in enumerate(rules.nodes)
    )
    channels = tuple(status for target in targets for status in _channels(target, state, rules, at))
    return FleetSnapshot(
        at=at,
        targets=tuple(targets),
        incidents=tuple(incidents),
        evidence=evidence,
        channels=channels,
        budget_hours=rules.budget_hours,
        burn_in_until=rules.started + rules.burn_in,
    )


def _channels(target: Target, state: FoldState, rules: FoldRules, at: float) -> list[ChannelStatus]:
    seen = state.targets.get(target.key, TargetState())
    result = []
    for channel, history in sorted(seen.blocks.items()):
        recent = [block for block in history if block.start >= at - RECENT_SECONDS]
        n, hits = sum(b.n for b in recent), sum(b.hits for b in recent)
        result.append(
            ChannelStatus(
                target=target.key,
                channel=channel,
                mean=hits / n if n else 0.0,
                n=n,
                last_at=seen.last_at.get(channel, 0.0),
                proven=channel in rules.tokens or _proven(state, target, channel),
                kind="e_value" if channel in rules.tokens else "event",
                alarms=channel in rules.channels,
            )
        )
    return result


def _proven(state: FoldState, target: Target, channel: str) -> bool:
    """True where the channel's bound is proven for the target in every suite that asks it."""
    pools = [
        channels[channel]
        for key, channels in state.pools.items()
        if channel in channels and key.split("/", 1)[1] == target.model
    ]
    return bool(pools) and all(target.key in pool.trusted for pool in pools)
