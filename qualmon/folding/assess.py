"""An open incident's public face after a round: share, evidence, causes, severity, level."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace

from qualmon import incidents as rulebook
from qualmon.folding import attribution
from qualmon.folding.nodes import family_masses
from qualmon.folding.rules import FoldRules
from qualmon.folding.state import FoldState, OpenIncident
from qualmon.folding.tracking import bound_of
from qualmon.stats.blocks import since
from qualmon.stats.esr import Floats
from qualmon.stats.share import likeliest, plausible, share
from qualmon.types import Incident, Slot

#: A family is a symptom from this part of the budget's line on, or with two bad answers that
#: are this many times what its bound allows. It counts as quiet after so many answers.
SYMPTOM_PART = 0.01
SYMPTOM_EXCESS = 5.0
SYMPTOM_ANSWERS = 30


def assessed(
    state: FoldState, rules: FoldRules, slot: Slot, ended: frozenset[str]
) -> dict[str, OpenIncident]:
    """All open incidents after a round; `ended` names those that a person resolved."""
    masses = family_masses(state, rules) if state.incidents else {}
    result = {}
    for key, item in sorted(state.incidents.items()):
        shown = _shown(item, state, rules, masses, slot)
        signal = "recovered" if key in ended else _signal(item, rules)
        level = rulebook.advance(shown.level, signal)
        over = slot.due if level == "ok" else None
        result[key] = replace(item, incident=replace(shown, level=level, resolved_at=over))
    return result


def _signal(item: OpenIncident, rules: FoldRules) -> rulebook.Signal:
    enough = item.recovery.evidence >= 1.0 / rules.recovery_alpha
    # Up to the last answers, not to now: silence is no health.
    if enough and item.recovery.last - item.recovery.since >= rules.clean_for:
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
        hits=int(best.hits) if best else 0,
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
    # A bet on tokens has no share of answers; its evidence speaks for itself.
    low = 1.0 if item.channel in rules.tokens else low
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
    """Every family that had its say where the incident is, and whether it speaks there.

    A family that was asked too little since the onset to have shown a fault is left out.
    """
    index, start = rules.place[item.incident.scope], min(item.starts)
    line = SYMPTOM_PART * rules.budget_hours
    found = {}
    for family in rules.families:
        counts = [_counts(item, state, channel, start) for channel in rules.channels_of(family)]
        loud = family in item.tally or bool(masses[family][index] >= line)
        spoke = any(
            hits > max(1.0, SYMPTOM_EXCESS * n * bound_of(channel, rules))
            for (n, hits), channel in zip(counts, rules.channels_of(family), strict=True)
        )
        if loud or spoke or max((n for n, _ in counts), default=0) >= SYMPTOM_ANSWERS:
            found[family] = loud or spoke
    return found


def _counts(item: OpenIncident, state: FoldState, channel: str, start: float) -> tuple[int, int]:
    """(answers, hits) of a channel where the incident is, since the likely onset."""
    parts = [
        since(state.targets[target].blocks.get(channel, ()), start)
        for target in item.incident.targets
        if target in state.targets
    ]
    return sum(n for n, _ in parts), sum(hits for _, hits in parts)
