"""A small fleet with incidents, once plain and once with hostile text everywhere."""

from __future__ import annotations

from dataclasses import replace

from qualmon.types import (
    ChannelStatus,
    FleetSnapshot,
    Incident,
    NodeEvidence,
    RouteCapability,
    Target,
    UnjudgedChannel,
)
from qualmon.web.fixed_view import FixedView
from qualmon.web.view import Example, IncidentDetail, Transition

AT = 1_790_000_000.0
HOSTILE = 'x"\n\\</script><script>alert(1)</script>\udc80\u202e\x00{{7*7}}'
HARDWARE = {
    ("first-party", "default"): "tpu", ("first-party", "batch"): "gpu",
    ("aws", "default"): "trainium", ("aws", "batch"): "gpu",
    ("gcp", "default"): "tpu", ("gcp", "batch"): "trainium",
}  # fmt: skip
CHANNELS = ("code.fail", "finish.length", "logprob.order", "script.char", "script.run",
            "script.word", "token.argmax", "token.drop")  # fmt: skip

TARGETS = tuple(
    Target(model, platform, route, labels={"hardware": hardware})
    for model in ("m-large", "m-small")
    for (platform, route), hardware in HARDWARE.items()
)

INCIDENT = Incident(
    id="i-7f3a9c", kind="regression", scope="platform=aws", family="script",
    families=("script", "code"), level="firing", severity="page", opened_at=AT - 1500,
    updated_at=AT - 60, onset=AT - 2400, log10_e=5.2, threshold_log10=4.1, answers=612, hits=19,
    share=0.031, share_low=0.019, share_high=0.048,
    targets=tuple(t.key for t in TARGETS if t.platform == "aws"),
    channels=("script.run", "script.char"),
    causes=(("output corruption", 0.82), ("misrouting", 0.11)),
    examples=("ab" * 16,), identities_bad=3, identities_observed=4, opened_scope="platform=aws",
)  # fmt: skip


def status(target: str, channel: str, **changes: object) -> ChannelStatus:
    """A quiet channel."""
    base = ChannelStatus(target, channel, 0.0, 240, AT - 90, proven=True)
    return replace(base, **changes)  # type: ignore[arg-type]


def _statuses() -> tuple[ChannelStatus, ...]:
    rows = []
    for target in TARGETS[:-1]:
        for channel in CHANNELS:
            changes: dict[str, object] = {}
            if channel == "token.drop":
                changes = {"kind": "e_value", "mean": 0.98}
            elif channel == "finish.length":
                changes = {"mean": 0.12, "proven": False}
            elif channel.startswith("script") and target.platform == "aws":
                changes = {"mean": 0.031 if channel == "script.run" else 0.004}
            rows.append(status(target.key, channel, **changes))
    stale = TARGETS[2].key
    return tuple(replace(r, last_at=AT - 8000) if r.target == stale else r for r in rows)


def fleet(*incidents: Incident) -> FleetSnapshot:
    """Twelve targets: one never judged, one stale, AWS with foreign scripts."""
    evidence = tuple(
        NodeEvidence(scope, family, e, 4.1)
        for scope, family, e in (
            ("fleet", "script", 0.3), ("platform=aws", "script", 5.2),
            ("platform=gcp", "script", -1.2), ("target=m-large/aws/default", "code", 1.7),
            ("hardware=tpu,model=m-small", "token", -3.0),
        )
    )  # fmt: skip
    return FleetSnapshot(AT, TARGETS, incidents, evidence, _statuses(), 2160.0)


TICKET = replace(
    INCIDENT, id="i-22", scope="target=m-small/gcp/default", family="token", families=("token",),
    opened_scope="target=m-small/gcp/default", severity="ticket", level="recovering", share=None,
    share_low=0.0, share_high=0.09, hits=2, answers=88, log10_e=4.3, causes=(),
    targets=("m-small/gcp/default",), identities_bad=1, identities_observed=1,
    reasons=("bound of token.argmax is not proven (n=88 of 2995)",), kind="partial",
)  # fmt: skip
RESOLVED = replace(
    INCIDENT, id="i-1", level="ok", resolved_at=AT - 1800, onset=AT - 90_000, opened_at=AT - 86_000,
    scope="model=m-large", opened_scope="model=m-large", share=0.16, share_low=0.12, share_high=0.2,
)  # fmt: skip


def hostile_fleet() -> FleetSnapshot:
    """The fleet with hostile text in every field that can hold text."""
    target = Target(HOSTILE, "aws", "r" * 5000, labels={"hardware": HOSTILE})
    incident = replace(
        INCIDENT, id=HOSTILE, scope=f"target={target.key}", opened_scope="", targets=(target.key,),
        causes=((HOSTILE, 0.5),), family=HOSTILE, families=(HOSTILE,), onset=float("nan"),
        channels=(HOSTILE,), reasons=(HOSTILE,), severity="ticket", acknowledged_by=HOSTILE,
        log10_e=float("inf"),
    )  # fmt: skip
    return replace(
        fleet(incident),
        targets=(target, *TARGETS),
        evidence=(NodeEvidence(HOSTILE, HOSTILE, float("-inf"), 4.0),),
        channels=(status(target.key, HOSTILE), status("unknown/x/y", "script.run")),
        capabilities=(RouteCapability(target.key, HOSTILE, "null", float("inf")),),
        unjudged=(UnjudgedChannel(target.key, HOSTILE, HOSTILE * 100, 3),),
    )


def hostile_example(text: str = HOSTILE) -> Example:
    """An example whose every field is hostile and whose marks lie partly outside."""
    return Example(
        HOSTILE, AT, HOSTILE, HOSTILE, HOSTILE, text, ((-5, 3), (2, 6), (90, 10**9)), HOSTILE
    )


EXAMPLES = (
    Example("ab" * 16, AT - 2000, "m-large/aws/default", "copy-weather", "script.run",
            "The forecast for Tuesday is mostly cloudy with a high of สวัสดี nineteen degrees, and "
            "light wind from the west. " * 6, ((57, 63),), "run of 6 Thai characters"),
    Example("cd" * 16, AT - 1700, "m-small/aws/batch", "code-sort", "script.char",
            "def sort(items):\n    return sorted(it\u202eems)  # 排序\n", ((37, 38), (48, 50)), ""),
    hostile_example(),
)  # fmt: skip
TRANSITIONS = (
    Transition(AT - 1900, "ok", "suspect", "platform=aws/script at 10^2.1"),
    Transition(AT - 1500, "suspect", "firing", "platform=aws/script at 10^4.3 crossed 10^4.1"),
)


def view(*incidents: Incident) -> FixedView:
    """A view over the plain fleet, 12 s after the fold."""
    made = FixedView(time=AT + 12)
    made.show(fleet(*incidents))
    made.details[INCIDENT.id] = IncidentDetail(INCIDENT, TRANSITIONS, EXAMPLES)
    return made
