"""Which failures are tried again, and when. Retries never hide anything: each attempt is kept."""

from __future__ import annotations

from qualmon.types import Completion, Failure

#: Attempts per member: one, and two retries.
MAX_ATTEMPTS = 3

#: A Retry-After beyond this many seconds is not waited for.
MAX_RETRY_AFTER = 60.0

_FIRST_DELAY = 0.5
_MAX_DELAY = 8.0


def retryable(failure: Failure) -> bool:
    """Only what says nothing about the answer: no connection, 429, 529.

    503 is not: a server that sheds load is a finding, and its operator asks to be left alone.
    """
    if failure.kind == "overloaded":
        return failure.status == 529
    if failure.kind == "reset":
        return failure.before_first_byte
    return failure.kind in ("connect", "timeout_connect", "rate_limited")


def retry_delay(result: Completion | Failure, attempt: int, key: str) -> float | None:
    """Seconds to wait before the next attempt, or None to let `result` stand.

    attempt: the number, from 1, of the one that gave `result`. key: hex digits that decide the
    jitter (between half the back-off and all of it), so that targets do not retry in step.
    """
    if not isinstance(result, Failure) or attempt >= MAX_ATTEMPTS or not retryable(result):
        return None
    backoff = min(_MAX_DELAY, _FIRST_DELAY * 2.0 ** (attempt - 1))
    jittered = backoff * (0.5 + int(key[:8], 16) / 2**33)
    if result.retry_after is None:
        return jittered
    # Written so that NaN, which a header may hold, gives up.
    if not 0.0 <= result.retry_after <= MAX_RETRY_AFTER:
        return None
    return max(result.retry_after, jittered)
