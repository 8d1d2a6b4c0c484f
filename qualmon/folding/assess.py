"""An open incident's public face after a round: share, evidence, causes, severity, level."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace

from qualmon import incidents as rulebook
from qualmon.folding import attribution
from qualmon.folding.nodes import family_masses
from qualmon.folding.rules import FoldRules
from qualmon.folding.state import FoldState, OpenIncident, TargetState
from qualmon.folding.tracking import bound_of
from qualmon.stats.esr import Floats
from qualmon.stats.share import likeliest, plausible, share
from qualmon.types import Incident, Slot, family_of

#: A family counts as a symptom from this part of the budget's line on.
SYMPTOM_PART = 0.01


def assessed(
    state: FoldState, rules: FoldRules, slot: Slot, ended: frozenset[str]
) -> dict[str, OpenIncident]:
    """All open incidents after a round; `ended` names those that a person resolved."""
    masses = family_masses(state, rules) if state.incidents else {}
    result = {}
    for key, item in sorted(state.incidents.items()):
        shown = _shown(item, state, rules, masses, slot)
        signal = "recovered" if key in ended else _signal(item, rules, slot)
        level = rulebook.advance(shown.level, signal)
        over = slot.due if level == "ok" else None
        result[key] = replace(item, incident=replace(shown, level=level, resolved_at=over))
    return result


def _signal(item: OpenIncident, rules: FoldRules, slot: Slot) -> rulebook.Signal:
    enough = item.recovery.evidence >= 1.0 / rules.recovery_alpha
    if enough and slot.due - item.recovery.since >= rules.clean_for:
        return "recovered"
    if enough:
        return "recovering"
    if item.incident.level == "recovering":
        return "relapse" if item.recovery.evidence <= 1.0 else "recovering"
    return "evidence"


def _shown(
    item: OpenIncident,
    state: FoldState,
    rules: FoldRules,
    masses: Mapping[str, Floats],
    slot: Slot,
) -> Incident:
    incident = item.incident
    kind = rulebook.kind_of(
        incident.families, incident.identities_bad, incident.identities_observed
    )
    bound = bound_of(item.channel, rules)
    windows = plausible(item.windows_of(incident.targets), bound)
    sized = share(windows, bound)
    best = likeliest(windows, bound) if windows else None
    reasons = _reasons(item, state, rules, sized.low, slot)
    if kind == "change" and not rules.page_on_change:
        reasons = (*reasons, rulebook.CHANGE_REASON)
    # A page stays a page until it ends: a severity that flaps is two alerts.
    paged = incident.severity == "page"
    return replace(
        incident,
        kind=kind,
        updated_at=slot.due,
        answers=best.n if best else 0,
        hits=best.hits if best else 0,
        share=sized.point,
        share_low=sized.low,
        share_high=sized.high,
        log10_e=round(attribution.evidence(item.tally, incident.scope) / math.log(10.0), 3),
        reasons=() if paged else reasons,
        severity="page" if paged else rulebook.severity(reasons),
        causes=rulebook.causes(_fired(item, state, rules, masses), clustered=kind == "partial"),
    )


def _reasons(
    item: OpenIncident, state: FoldState, rules: FoldRules, low: float, slot: Slot
) -> tuple[str, ...]:
    support = {(probe, due) for probe, due, proven in item.support if proven or not item.provable}
    doubtful = () if item.provable else item.doubtful
    refuted = [channel for channel in doubtful if _is_refuted(state, item, channel)]
    return rulebook.ticket_reasons(
        burning_in=slot.due - rules.started < rules.burn_in,
        unproven=[channel for channel in doubtful if channel not in refuted],
        refuted=refuted,
        support=len(support),
        prompts=len({probe for probe, _ in support}),
        share_low=low,
        min_share=rules.min_share,
    )


def _is_refuted(state: FoldState, item: OpenIncident, channel: str) -> bool:
    models = {target.rsplit("/", 2)[0] for target in item.incident.targets}
    return any(
        channels[channel].status == "refuted"
        for key, channels in state.pools.items()
        if channel in channels and key.split("/", 1)[1] in models
    )


def _fired(
    item: OpenIncident, state: FoldState, rules: FoldRules, masses: Mapping[str, Floats]
) -> dict[str, bool]:
    """Every family that can be judged where the incident is, and whether it speaks there."""
    index = rules.place[item.incident.scope]
    judged = {
        family_of(channel)
        for target in item.incident.targets
        for channel in state.targets.get(target, TargetState()).silent
    }
    line = SYMPTOM_PART * rules.budget_hours
    return {
        family: family in item.tally or bool(masses[family][index] >= line)
        for family in rules.families
        if family in judged or family in item.tally
    }
