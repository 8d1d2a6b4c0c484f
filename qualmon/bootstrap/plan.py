"""From a configuration to what runs: streams for the scheduler, rules for the fold. Pure."""

from __future__ import annotations

from collections.abc import Mapping

from qualmon.config import Config
from qualmon.folding.rules import FoldRules, build_nodes, pageable
from qualmon.prober.rounds import Stream
from qualmon.scorers import derived
from qualmon.scorers.channels import CHANNELS
from qualmon.types import Endpoint, Probe


def endpoints_by_key(config: Config) -> dict[str, Endpoint]:
    """Endpoints by target key."""
    return {endpoint.target.key: endpoint for endpoint in config.endpoints}


def streams(config: Config) -> tuple[Stream, ...]:
    """One stream per suite and model that has targets."""
    by_model: dict[str, list[str]] = {}
    for endpoint in config.endpoints:
        by_model.setdefault(endpoint.target.model, []).append(endpoint.target.key)
    return tuple(
        Stream(
            suite=plan.name,
            model=model,
            every=plan.every,
            probes=plan.probes,
            targets=tuple(sorted(keys)),
            probes_per_round=plan.probes_per_round,
            identities=plan.identities,
            identity_mode=plan.identity_mode,
        )
        for plan in config.suites
        for model, keys in sorted(by_model.items())
        if plan.asks(model)
    )


def fold_rules(config: Config, now: float) -> FoldRules:
    """The fold's rules as of `now`; the first epoch's start is put in by the caller."""
    probes = {f"{plan.name}/{probe.id}": probe for plan in config.suites for probe in plan.probes}
    feeds = {name: _feeds(probe) for name, probe in sorted(probes.items())}
    used = {channel for channels in feeds.values() for channel in channels}
    events, tokens = pageable(CHANNELS[name] for name in sorted(used) if name in CHANNELS)
    targets = [endpoint.target for endpoint in config.endpoints]
    return FoldRules(
        started=now,
        nodes=build_nodes(targets, config.nodes),
        events=events,
        tokens=tokens,
        bounds={channel: _bound(channel, probes) for channel in events},
        feeds=feeds,
        versions={name: probe.version for name, probe in sorted(probes.items())},
        platforms={target.key: target.platform for target in targets},
        budget_hours=config.budget_hours,
        min_share=config.min_share,
        burn_in=config.burn_in,
        clean_for=config.recovery.clean_for,
        recovery_alpha=config.recovery.alpha,
        page_on_change=config.page_on_change,
    )


def _feeds(probe: Probe) -> tuple[str, ...]:
    """A probe's channels and those that come by themselves with them, sorted."""
    return tuple(sorted({*probe.channels, *derived(probe.channels)}))


def _bound(channel: str, probes: Mapping[str, Probe]) -> float:
    """The channel's declared healthy rate: the largest that a probe of the suites declares."""
    declared = CHANNELS[channel].bound
    own = [p.bounds[channel] for p in probes.values() if channel in p.bounds]
    return max([*own, declared or 0.0])
