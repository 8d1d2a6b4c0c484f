"""From a member of a round to the request on the wire: pure, so that every byte sent is known."""

from __future__ import annotations

import hashlib
from dataclasses import replace

from qualmon.types import Member, Message, Probe, Request


def request_of(member: Member, member_id: str, probe: Probe, attempt: int) -> Request:
    """The request for one attempt (from 1). `member_id` is member.id, computed once a member."""
    return Request(
        messages=messages_of(probe, member_id),
        params=probe.params,
        request_id=request_id(member_id, attempt),
        user=user_of(member.identity),
    )


def request_id(member_id: str, attempt: int) -> str:
    """32 hex digits; a member asked again after a crash sends the same one for that attempt."""
    return _digest(member_id, str(attempt))[:32]


def user_of(identity: str) -> str:
    """``qm-`` and 12 hex digits: opaque to the far side, equal for equal identities."""
    return f"qm-{_digest('user', identity)[:12]}"


def salt_of(member_id: str) -> str:
    """The salt line of a `salted` probe. It follows from the id, so the log holds it."""
    return f"(ref {member_id[:12]})"


def messages_of(probe: Probe, member_id: str) -> tuple[Message, ...]:
    """The probe's messages; for a `salted` probe the salt line comes before everything else.

    A prefix cache compares from the first token, so only a salt at the very start defeats it.
    """
    if probe.freshness == "fixed" or not probe.messages:
        return probe.messages
    first, *rest = probe.messages
    return (replace(first, content=f"{salt_of(member_id)}\n{first.content}"), *rest)


def _digest(*parts: str) -> str:
    return hashlib.sha256("\x1f".join(parts).encode("utf-8", "surrogatepass")).hexdigest()
