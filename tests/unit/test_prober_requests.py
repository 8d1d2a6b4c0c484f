"""What goes on the wire is known beforehand; what is retried follows a written rule."""

import math
import re

import pytest
from prober_kit import probe

from qualmon.prober.requests import request_id, request_of, salt_of, user_of
from qualmon.prober.retries import retry_delay, retryable
from qualmon.testing.fakes import ANSWER
from qualmon.types import Failure, Member, Message, Slot

MEMBER = Member(Slot(0.0, "core", "m", 7, 60.0), "m/aws/default", "p0", "alice")


def test_request_ids_are_hex_and_differ_by_attempt():
    """The far side sees 32 hex digits that name one attempt of one member."""
    ids = [request_id(MEMBER.id, n) for n in (1, 2, 3)]
    assert len(set(ids)) == 3
    assert all(re.fullmatch("[0-9a-f]{32}", i) for i in ids)
    assert ids[0] == request_id(MEMBER.id, 1)


def test_a_fixed_probe_is_sent_as_it_is():
    """No byte is added to a prompt whose token count is a constant."""
    p = probe()
    request = request_of(MEMBER, MEMBER.id, p, 1)
    assert request.messages == p.messages
    assert request.params == p.params


def test_a_salted_probe_begins_with_its_salt():
    """The salt stands before the first byte that a prefix cache could know, and can be told."""
    p = probe(freshness="salted")
    (message,) = request_of(MEMBER, MEMBER.id, p, 1).messages
    assert message == Message("user", f"{salt_of(MEMBER.id)}\nsay p0")
    assert MEMBER.id[:12] in message.content


def test_users_are_opaque_and_sticky():
    """One identity is one token, and the token does not show the identity."""
    assert user_of("alice") == user_of("alice") != user_of("bob")
    assert re.fullmatch("qm-[0-9a-f]{12}", user_of("alice"))


@pytest.mark.parametrize(
    ("failure", "again"),
    [
        (Failure("connect", ""), True),
        (Failure("timeout_connect", ""), True),
        (Failure("reset", "", before_first_byte=True), True),
        (Failure("reset", ""), False),
        (Failure("rate_limited", "", status=429), True),
        (Failure("overloaded", "", status=529), True),
        (Failure("overloaded", "", status=503), False),
        (Failure("tls", ""), False),
        (Failure("server_error", "", status=500), False),
        (Failure("timeout_first_byte", "", before_first_byte=True), False),
        (Failure("malformed", ""), False),
    ],
)
def test_only_transport_errors_are_retried(failure, again):
    """What the server answered, or refused for good, is a finding and stands."""
    assert retryable(failure) is again


@pytest.mark.parametrize("wait", [61.0, 1e300, math.inf, math.nan, -1.0])
def test_an_absurd_retry_after_is_not_waited_for(wait):
    """A header cannot make us wait longer than a minute."""
    assert retry_delay(Failure("rate_limited", "", retry_after=wait), 1, "00" * 16) is None


def test_delays_grow_are_capped_and_spread():
    """Back-off doubles, jitter is by key, and Retry-After is a lower bound."""
    limited = Failure("rate_limited", "")
    low, high = "00" * 16, "ff" * 16
    assert retry_delay(limited, 1, low) == pytest.approx(0.25)
    assert retry_delay(limited, 1, high) == pytest.approx(0.5)
    assert retry_delay(limited, 2, low) == pytest.approx(0.5)
    assert retry_delay(limited, 3, low) is None
    assert retry_delay(Failure("rate_limited", "", retry_after=60.0), 1, low) == 60.0
    assert retry_delay(Failure("rate_limited", "", retry_after=0.0), 1, low) == pytest.approx(0.25)
    assert retry_delay(ANSWER, 1, low) is None
