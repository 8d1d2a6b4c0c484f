"""What a route offers beyond text, as its answers show it: log-probabilities today. Pure.

Any answer to a request that asked for them shows a state: present, absent_ignored, null,
malformed, or not_asked where the wire has no such field. A request that is refused with them
and answered without them shows `rejected`; then they are left out, but for one request in
RECHECK_SECONDS, whose outcome decides anew. Nothing of this outlives the process, on purpose:
a start asks every route again, which costs one refusal for each request in flight at most.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

from qualmon.types import Capability, Completion, Failure

#: The feature's name in metrics and on pages.
FEATURE: Final = "logprobs"
#: Seconds after which a route that refuses log-probabilities is asked for them again. Short of a
#: day, because two rounds of a daily suite may be a little less than a day apart.
RECHECK_SECONDS: Final = 86_400.0 - 1_800.0

_PARAMS = frozenset({"logprobs", "top_logprobs"})
#: logprobs, top_logprobs, responseLogprobs, "log probabilities".
_NAMED = re.compile(r"log[\s_-]?prob", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Offer:
    """`state`: None before anything is learnt; `since`: Unix time of its first sign.

    asked_at: Unix time of the newest request that was let through to ask.
    """

    state: Capability | None = None
    since: float = 0.0
    asked_at: float = 0.0


def wants_logprobs(params: Mapping[str, Any]) -> bool:
    """Whether a probe with these parameters asks for log-probabilities."""
    return bool(params.get("logprobs"))


def without_logprobs(params: Mapping[str, Any]) -> dict[str, Any]:
    """The parameters of the same question without them."""
    return {name: value for name, value in params.items() if name not in _PARAMS}


def should_ask(offer: Offer, now: float) -> bool:
    """Whether a request at Unix time `now` is to ask; a clock set back counts as a day gone."""
    return offer.state != "rejected" or not 0 <= now - offer.asked_at < RECHECK_SECONDS


def asked(offer: Offer, now: float) -> Offer:
    """The offer once a request has been let through: the next to ask waits for a day."""
    return replace(offer, asked_at=now)


def refuses_logprobs(result: Completion | Failure) -> bool:
    """Whether a refusal names log-probabilities.

    It may only have echoed the request: `rejected` is believed when the question is then
    answered without them. Besides 4xx with 403 among them, an error object with 200 counts:
    gateways pass refusals on like that.
    """
    return (
        isinstance(result, Failure)
        and result.kind in ("client_error", "auth", "error_body")
        and _NAMED.search(f"{result.head}\n{result.detail}") is not None
    )


def shown_by(answer: Completion) -> Capability | None:
    """The state that an answer to a request with log-probabilities shows, if any.

    An answer without text has no token to report on, so that its silence shows nothing.
    """
    silent = answer.logprobs_state in ("null", "absent_ignored") and not answer.text
    return None if silent else answer.logprobs_state


def learnt(offer: Offer, state: Capability, now: float) -> Offer:
    """The offer after a sign of `state` at Unix time `now`."""
    return offer if state == offer.state else replace(offer, state=state, since=now)
