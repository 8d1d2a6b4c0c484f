"""What an incident may do next, how loud it is, and what may have caused it: all as data.

Everything that can change an incident's level is in LEVELS; an unknown pair is an error.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from types import MappingProxyType
from typing import Final, Literal

from qualmon.errors import QualmonError
from qualmon.types import IncidentKind, Level, Severity

Signal = Literal["evidence", "alarm", "recovering", "relapse", "recovered", "quiet"]

#: level -> signal -> next level.
LEVELS: Final[Mapping[Level, Mapping[Signal, Level]]] = MappingProxyType(
    {
        "ok": {"evidence": "suspect", "alarm": "firing", "quiet": "ok"},
        "suspect": {"alarm": "firing", "quiet": "ok", "evidence": "suspect"},
        "firing": {
            "alarm": "firing",
            "evidence": "firing",
            "recovering": "recovering",
            "quiet": "firing",
            "recovered": "ok",
        },
        "recovering": {
            "recovering": "recovering",
            "relapse": "firing",
            "alarm": "firing",
            "recovered": "ok",
        },
    }
)

#: Beside the families: bad answers come from a share of the users, always the same ones.
CLUSTERED: Final = "clustered"

#: P(family fires | cause) on a route where the family can be judged. From the published
#: accounts of each fault; families that are not named fire with probability QUIET.
SIGNATURES: Final[Mapping[str, Mapping[str, float]]] = MappingProxyType(
    {
        "output_corruption": {
            "script": 0.97,
            "token": 0.8,
            "code": 0.5,
            "copy": 0.8,
            "novelty": 0.3,
            "answer": 0.3,
        },
        "sampler_drops_top_token": {
            "token": 0.97,
            "code": 0.7,
            "copy": 0.9,
            "answer": 0.5,
            "novelty": 0.5,
        },
        "misrouting": {"novelty": 0.95, "copy": 0.1, "code": 0.1, CLUSTERED: 0.97},
        "serving_change": {"novelty": 0.95, CLUSTERED: 0.03},
        "broken_code_answers": {"code": 0.95},
        "logprob_reporting": {"logprob": 0.97},
        "repetition_loop": {"repetition": 0.95, "finish": 0.5},
        "unknown": {},
    }
)
QUIET: Final = 0.03
UNKNOWN: Final = 0.3
_PRIOR: Final = MappingProxyType({"unknown": 0.1})

#: Families that tell a different answer, not a worse one.
DIFFERENCE_FAMILIES: Final = frozenset({"novelty", "draw", "constant"})
#: Users to be seen before a part is told from the whole, and the share that counts as all.
MIN_USERS: Final = 8
ALL_USERS: Final = 0.75
CHANGE_REASON: Final = (
    "all users there get different answers and no quality family is worse: a change to accept"
)

#: A page needs hits at this many distinct (prompt, round) and prompts (docs/statistics.md,
#: "From alarm to page").
MIN_SUPPORT: Final = 3
MIN_PROMPTS: Final = 2


def advance(level: Level, signal: Signal) -> Level:
    """Next level. Raises QualmonError for a pair that the table does not hold."""
    try:
        return LEVELS[level][signal]
    except KeyError:
        raise QualmonError(f"no transition from level {level!r} on {signal!r}") from None


def kind_of(families: Iterable[str], bad: int, observed: int) -> IncidentKind:
    """What kind of incident the families and the users speak for.

    Any quality family: a regression. Else answers are only different: `partial` when some of
    at least MIN_USERS `observed` users are not touched, `change` when all are or too few of
    them are known.
    """
    if any(family not in DIFFERENCE_FAMILIES for family in families):
        return "regression"
    return "partial" if observed >= MIN_USERS and bad < ALL_USERS * observed else "change"


def causes(fired: Mapping[str, bool], *, clustered: bool = False) -> tuple[tuple[str, float], ...]:
    """Causes ranked by posterior probability; `fired` holds every family that was judged.

    clustered: only a share of the users is touched; it counts where answers are different.
    A naive Bayes rule over families: a first guess for the on-call, not a verdict.
    """
    if any(fired.get(family) for family in DIFFERENCE_FAMILIES):
        fired = {**fired, CLUSTERED: clustered}
    logs = {}
    for cause, pattern in SIGNATURES.items():
        logs[cause] = math.log(_PRIOR.get(cause, 1.0))
        for family, is_bad in sorted(fired.items()):
            rate = UNKNOWN if cause == "unknown" else pattern.get(family, QUIET)
            logs[cause] += math.log(rate if is_bad else 1.0 - rate)
    top = max(logs.values())
    weights = {cause: math.exp(value - top) for cause, value in logs.items()}
    scale = sum(weights.values())
    ranked = sorted(weights.items(), key=lambda item: (-item[1], item[0]))
    return tuple((cause, round(weight / scale, 4)) for cause, weight in ranked)


def ticket_reasons(
    *,
    burning_in: bool,
    unproven: Sequence[str],
    refuted: Sequence[str] = (),
    support: int,
    prompts: int,
    share_low: float,
    min_share: float,
) -> tuple[str, ...]:
    """Why this incident must not page; empty when it may.

    unproven, refuted: channels whose declared healthy rate is not proven, or proven wrong.
    """
    reasons = []
    if burning_in:
        reasons.append("burn-in: qualmon only observes until it ends")
    if unproven:
        names = ", ".join(unproven)
        reasons.append(f"the healthy rate of {names} is declared but not yet proven here")
    if refuted:
        names = ", ".join(refuted)
        reasons.append(f"the declared healthy rate of {names} is too low here: bound refuted")
    if support < MIN_SUPPORT or prompts < MIN_PROMPTS:
        reasons.append(
            f"bad answers at {support} prompt-rounds of {prompts} prompts; "
            f"a page needs {MIN_SUPPORT} of {MIN_PROMPTS}"
        )
    if share_low <= min_share:
        reasons.append(
            f"the share's lower end {share_low:.4%} is not above the tolerated {min_share:.4%}"
        )
    return tuple(reasons)


def severity(reasons: Sequence[str]) -> Severity:
    """A ticket when anything speaks against a page."""
    return "ticket" if reasons else "page"


def incident_id(scope: str, family: str, opened_at: float) -> str:
    """``inc-YYYYMMDD-xxxxxxxx``, the same for the same fold wherever it runs."""
    day = datetime.fromtimestamp(opened_at, UTC).strftime("%Y%m%d")
    digest = hashlib.sha256(f"{scope}\x1f{family}\x1f{opened_at!r}".encode()).hexdigest()
    return f"inc-{day}-{digest[:8]}"
