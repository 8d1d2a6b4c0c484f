"""Values that cross module borders: frozen dataclasses, standard library only.

Units: times are Unix seconds (float), durations seconds, log-probabilities nats.
A score's value is 1 when the answer is bad, throughout.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

ScoreKind = Literal["event", "bounded", "category", "e_value"]
NullKind = Literal["invariant", "self", "baselined", "controlled", "covariate"]
IncidentKind = Literal["regression", "partial", "change"]
Level = Literal["ok", "suspect", "firing", "recovering"]
Severity = Literal["page", "ticket"]
SlotState = Literal["due", "claimed", "closed", "missed"]
#: fresh: new identities in every round; fixed: the same ones for ever.
IdentityMode = Literal["fresh", "fixed"]

#: Everything a request can come to. Only "ok" is scored.
OUTCOMES = (
    "ok", "connect", "tls", "timeout_connect", "timeout_first_byte", "timeout_total", "reset",
    "redirect", "auth", "rate_limited", "overloaded", "client_error", "server_error",
    "error_body", "too_large", "malformed", "protocol", "truncated_stream", "cancelled",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Target:
    """One model on one platform by one route, with free labels such as hardware."""

    model: str
    platform: str
    route: str
    provider: str = "openai_chat"
    labels: Mapping[str, str] = field(default_factory=dict)

    @property
    def key(self) -> str:
        """``model/platform/route``, the target's name everywhere."""
        return f"{self.model}/{self.platform}/{self.route}"

    def axis(self, name: str) -> str | None:
        """Value on a node axis: model, platform, route, target or any label; None if absent."""
        if name in ("model", "platform", "route"):
            return str(getattr(self, name))
        return self.key if name == "target" else self.labels.get(name)


@dataclass(frozen=True, slots=True)
class Secret:
    """A credential. Its text shows in no repr, log or error."""

    reveal: str = field(repr=False)

    def __str__(self) -> str:
        return "***"


@dataclass(frozen=True, slots=True)
class Timeouts:
    """Seconds allowed to connect, to the first byte, and in all."""

    connect: float = 10.0
    first_byte: float = 30.0
    total: float = 60.0


@dataclass(frozen=True, slots=True)
class Limits:
    """What may be asked of one target; None is unlimited. `rate` is requests per second."""

    rate: float | None = None
    concurrency: int | None = None
    requests_per_day: int | None = None
    usd_per_day: float | None = None


@dataclass(frozen=True, slots=True)
class Price:
    """USD per million tokens."""

    input: float
    output: float


@dataclass(frozen=True, slots=True)
class Endpoint:
    """A target with everything needed to reach it. `url` is the SDK's base address.

    `neutral_sampler` is the operator's word that sampler settings that are not sent are
    neutral on that server; without it token.drop refuses to judge (scorers/tokens.py).
    `secret_headers` are sent like `extra_headers`; their values are credentials.
    """

    target: Target
    url: str
    api_key: Secret | None = None
    api_model: str | None = None
    timeouts: Timeouts = Timeouts()
    limits: Limits = Limits()
    price: Price | None = None
    max_body: int = 16 * 1024 * 1024
    stream: bool = True
    ca_file: str | None = None
    allow_insecure: bool = False
    neutral_sampler: bool = False
    extra_body: Mapping[str, Any] = field(default_factory=dict)
    extra_headers: Mapping[str, str] = field(default_factory=dict)
    secret_headers: Mapping[str, Secret] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Message:
    """One turn of a conversation."""

    role: Literal["system", "user", "assistant", "tool"]
    content: str


@dataclass(frozen=True, slots=True)
class Expect:
    """What a right answer looks like. None means: not stated, that scorer stays silent.

    scripts: ISO 15924 codes or long names. code: language name. answer: string, number or a
    mapping with one of text, number, regex, any. copy_of: the exact text.
    """

    scripts: tuple[str, ...] | None = None
    code: str | None = None
    answer: Any = None
    copy_of: str | None = None
    json_schema: Mapping[str, Any] | None = None
    tools: Sequence[Mapping[str, Any]] | None = None


@dataclass(frozen=True, slots=True)
class Probe:
    """One fixed question. `version` is the digest of all that matters to the answer.

    params: temperature, top_p, top_k, max_tokens, logprobs (bool), top_logprobs (int), ...
    channels: the channels that this probe feeds. bounds: declared healthy rate by channel,
    where it differs from the channel's own. reference: one right answer (documentation and
    simulator; never compared by a scorer). choices: rough probability of each one-token answer
    where there are several (the same use).
    """

    id: str
    suite: str
    version: str
    messages: tuple[Message, ...]
    channels: tuple[str, ...]
    params: Mapping[str, Any] = field(default_factory=dict)
    expect: Expect = Expect()
    bounds: Mapping[str, float] = field(default_factory=dict)
    expected_input_tokens: int = 0
    expected_output_tokens: int = 0
    freshness: Literal["fixed", "salted"] = "fixed"
    why: str = ""
    catches: str = ""
    source: str = ""
    reference: str | None = None
    choices: Mapping[str, float] = field(default_factory=dict)

    @property
    def prompt(self) -> str:
        """All text that is sent, turns joined by a newline."""
        return "\n".join(message.content for message in self.messages)


@dataclass(frozen=True, slots=True, order=True)
class Slot:
    """One due time of a (suite, model). Orders as the folder folds: due, suite, model."""

    due: float
    suite: str
    model: str
    index: int
    every: float = field(compare=False)

    @property
    def key(self) -> str:
        """``suite/model/index``."""
        return f"{self.suite}/{self.model}/{self.index}"


@dataclass(frozen=True, slots=True)
class Member:
    """One question of a round: who is asked what, as whom. Its id is deterministic.

    identity: the cluster key. Routing that sticks to a user treats one identity's requests
    alike, so a round's answers to one identity are one draw of that fault and not several.
    The session, one identity asked in one slot by one route, is the unit of sampling.
    """

    slot: Slot
    target: str
    probe: str
    identity: str = "0"
    rung: int = 0

    @property
    def id(self) -> str:
        """32 hex digits of SHA-256 over (suite, model, index, target, probe, identity, rung)."""
        parts = (self.slot.key, self.target, self.probe, self.identity, str(self.rung))
        return hashlib.sha256("\x1f".join(parts).encode("utf-8", "surrogatepass")).hexdigest()[:32]

    @property
    def sort_key(self) -> tuple[str, str, str, int]:
        """Fold order inside a round."""
        return (self.target, self.probe, self.identity, self.rung)


@dataclass(frozen=True, slots=True)
class Request:
    """What a provider is asked to send. `request_id` travels as X-Client-Request-Id."""

    messages: tuple[Message, ...]
    params: Mapping[str, Any]
    request_id: str
    user: str | None = None


@dataclass(frozen=True, slots=True)
class TopToken:
    """One alternative at a position. `logprob` may be -inf."""

    token: str
    logprob: float
    bytes: bytes | None = None
    id: int | None = None


@dataclass(frozen=True, slots=True)
class TokenLogprob:
    """The sampled token at a position and the alternatives as the wire listed them."""

    token: str
    logprob: float
    bytes: bytes | None = None
    id: int | None = None
    top: tuple[TopToken, ...] = ()


@dataclass(frozen=True, slots=True)
class Usage:
    """Token counts; None where the wire gave none or an absurd one."""

    prompt_tokens: int | None = None
    output_tokens: int | None = None
    reasoning_tokens: int | None = None
    cached_tokens: int | None = None


#: States of an optional wire feature on one route, as discovered from answers.
Capability = Literal["present", "absent_ignored", "rejected", "null", "malformed", "not_asked"]


@dataclass(frozen=True, slots=True)
class Completion:
    """An answer that arrived whole. Text may hold anything, lone surrogates included."""

    text: str
    finish_reason: str | None
    logprobs: tuple[TokenLogprob, ...] | None = None
    logprobs_state: Capability = "not_asked"
    usage: Usage = Usage()
    ttft_seconds: float | None = None
    total_seconds: float = 0.0
    response_model: str | None = None
    response_id: str | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    tool_calls: tuple[Mapping[str, Any], ...] = ()
    refusal: str | None = None
    fingerprint: str | None = None  # the server's own word for its configuration


@dataclass(frozen=True, slots=True)
class Failure:
    """A request without an answer. `kind` is an outcome other than ok; `head` is <= 2 KiB."""

    kind: str
    detail: str
    head: str = ""
    status: int | None = None
    retry_after: float | None = None
    before_first_byte: bool = False
    total_seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class Attempt:
    """One try on the wire, counted under its own outcome."""

    number: int
    at: float
    outcome: str
    seconds: float


@dataclass(frozen=True, slots=True)
class CompileVerdict:
    """What a compiler said of an answer's code: recorded data, attached before scoring."""

    language: str
    outcome: Literal["ok", "fail", "resource_limit", "unavailable"]
    tier: Literal["grammar", "compiler"] = "compiler"
    message: str = ""
    line: int | None = None


@dataclass(frozen=True, slots=True)
class Score:
    """One judgement. value: 0/1 (event), [0, 1] (bounded), text (category), >= 0 (e_value).

    `value` None means that the channel cannot judge this answer; detail["reason"] says why.
    `grid`, for e_value channels, holds one e-value per entry of the channel's grid.
    """

    channel: str
    kind: ScoreKind
    value: float | str | None
    detail: Mapping[str, Any] = field(default_factory=dict)
    grid: tuple[float, ...] | None = None


@dataclass(frozen=True, slots=True)
class Observation:
    """What came of one member of a round: the last attempt's result, and every attempt."""

    member: Member
    at: float
    result: Completion | Failure
    attempts: tuple[Attempt, ...]
    probe_version: str
    lagged: bool = False  # the event loop was late by > 50 ms while this was timed

    @property
    def id(self) -> str:
        """The member's id."""
        return self.member.id

    @property
    def outcome(self) -> str:
        """The failure's kind, else ``ok``."""
        return self.result.kind if isinstance(self.result, Failure) else "ok"


@dataclass(frozen=True, slots=True)
class ChannelInfo:
    """What a channel is, what it catches, what it is blind to, and how it may speak.

    bound: declared healthy rate of an `invariant` event channel. grid: contamination shares
    (or per-token drop rates for e_value channels) over which the detector bets. derived_from:
    the channel whose history the fold judges this one by; no scorer gives it, no probe lists it.
    """

    name: str
    kind: ScoreKind
    null: NullKind
    catches: str
    blind_to: str
    source: str
    bound: float | None = None
    derived_from: str | None = None

    @property
    def family(self) -> str:
        """The part before the dot."""
        return self.name.split(".", 1)[0]


@dataclass(frozen=True, slots=True)
class ScoredMember:
    """A round's member as the log has it: its outcome and scores by channel.

    outcome "missing" stands for a member without an accepted observation.
    """

    member: Member
    outcome: str
    scores: Mapping[str, Score]


@dataclass(frozen=True, slots=True)
class ClosedRound:
    """Everything that the fold sees of one slot; members in fold order."""

    slot: Slot
    members: tuple[ScoredMember, ...]


@dataclass(frozen=True, slots=True)
class Node:
    """A place that evidence can blame: fixed values on some axes, and its member targets."""

    scope: str
    axes: tuple[tuple[str, str], ...]
    targets: tuple[str, ...]
    weight: float


@dataclass(frozen=True, slots=True)
class Change:
    """A deploy, flag or config change from outside, shown next to onsets."""

    at: float
    kind: str
    text: str


def family_of(channel: str) -> str:
    """``script`` of ``script.run``."""
    return channel.split(".", 1)[0]


@dataclass(frozen=True, slots=True)
class Incident:
    """One fault as qualmon sees it; its id never changes while scope and causes may move.

    share is the visible share of bad answers (interval 95 %), None while hits are too few.
    log10_e is the evidence now, threshold_log10 the budget's line. Times are slot times.
    """

    id: str
    kind: IncidentKind
    scope: str
    family: str
    families: tuple[str, ...]
    level: Level
    severity: Severity
    opened_at: float
    updated_at: float
    onset: float
    log10_e: float
    threshold_log10: float
    answers: int
    hits: int
    share: float | None
    share_low: float
    share_high: float
    targets: tuple[str, ...]
    channels: tuple[str, ...]
    causes: tuple[tuple[str, float], ...]
    examples: tuple[str, ...]
    identities_bad: int
    identities_observed: int
    reasons: tuple[str, ...] = ()  # why this is a ticket and not a page
    resolved_at: float | None = None
    acknowledged_by: str | None = None
    opened_scope: str = ""  # scope at opening: labels that must not change use it


@dataclass(frozen=True, slots=True)
class NodeEvidence:
    """Evidence of one node and family: log10 of the mass over the threshold's scale."""

    scope: str
    family: str
    log10_e: float
    threshold_log10: float


@dataclass(frozen=True, slots=True)
class ChannelStatus:
    """Recent judgement of one channel on one target: mean value (1 = bad) over `n` answers."""

    target: str
    channel: str
    mean: float
    n: int
    last_at: float
    proven: bool
    kind: ScoreKind = "event"
    alarms: bool = True  # whether the channel can open an incident at all


@dataclass(frozen=True, slots=True)
class RouteCapability:
    """What one target was found to offer of an optional wire feature, and since when."""

    target: str
    feature: str
    state: Capability
    since: float


@dataclass(frozen=True, slots=True)
class UnjudgedChannel:
    """A channel that could not judge a target's newest answer: why, and `answers` in a row."""

    target: str
    channel: str
    reason: str
    answers: int


@dataclass(frozen=True, slots=True)
class FleetSnapshot:
    """What pages and exposition show after a fold; built when state changes, not on scrape.

    burn_in_until: Unix time before which nothing pages. capabilities, unjudged: what the
    running process has learnt of its routes.
    """

    at: float
    targets: tuple[Target, ...]
    incidents: tuple[Incident, ...]
    evidence: tuple[NodeEvidence, ...]
    channels: tuple[ChannelStatus, ...]
    budget_hours: float
    burn_in_until: float = 0.0
    capabilities: tuple[RouteCapability, ...] = ()
    unjudged: tuple[UnjudgedChannel, ...] = ()

    def proven_bounds(self) -> dict[tuple[str, str], bool]:
        """By (model, channel): may the channel page alone on every target it was seen on?"""
        models = {target.key: target.model for target in self.targets}
        found: dict[tuple[str, str], bool] = {}
        for status in self.channels:
            if status.target in models and status.alarms:
                key = (models[status.target], status.channel)
                found[key] = found.get(key, True) and status.proven
        return found


@dataclass(frozen=True, slots=True)
class Transition:
    """An incident went from one level to another. `at` is slot time."""

    at: float
    before: Level
    after: Level
    note: str = ""


@dataclass(frozen=True, slots=True)
class Example:
    """One bad answer that an incident rests on. `marks` are (start, end) spans of characters."""

    observation: str
    at: float
    target: str
    probe: str
    channel: str
    text: str
    marks: tuple[tuple[int, int], ...] = ()
    note: str = ""


@dataclass(frozen=True, slots=True)
class IncidentDetail:
    """An incident with its history and its proof."""

    incident: Incident
    transitions: tuple[Transition, ...] = ()
    examples: tuple[Example, ...] = ()
