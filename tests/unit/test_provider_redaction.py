"""No piece of a secret of eight or more characters survives, in any usual encoding."""

import base64
import html
import json
from dataclasses import replace
from urllib.parse import quote

import pytest

from qualmon.providers.redaction import MASK, Redactor, secrets_of
from qualmon.types import (
    Completion,
    Endpoint,
    Failure,
    Secret,
    Target,
    TokenLogprob,
    TopToken,
)

SECRET = 'sk-aZ9/qW+e8"r7\\T6y5&U4'
REDACTOR = Redactor([SECRET])
ANSWER = Completion(text="fine", finish_reason="stop", logprobs_state="present")


def pieces(secret: str) -> list[str]:
    return [secret[at : at + 8] for at in range(len(secret) - 7)]


@pytest.mark.parametrize("around", ["{}", "xx{}yy", "Bearer {}", "{}{}", "...{} and {}"])
def test_every_piece_is_masked(around: str) -> None:
    """Any run of the secret, however it is cut and wherever it stands."""
    for size in (8, 11, len(SECRET)):
        for at in range(len(SECRET) - size + 1):
            masked = REDACTOR.text(around.format(SECRET[at : at + size], SECRET))
            assert not any(piece in masked for piece in pieces(SECRET))
            assert MASK in masked


@pytest.mark.parametrize(
    "encoded",
    [
        quote(SECRET, safe=""),
        quote(SECRET, safe="").lower(),
        json.dumps(SECRET),
        html.escape(SECRET),
        SECRET.encode().hex(),
        SECRET.upper(),
        base64.b64encode(SECRET.encode()).decode(),
        base64.b64encode(b"x" + SECRET.encode() + b"y").decode(),
        base64.urlsafe_b64encode(b"xx" + SECRET.encode()).decode(),
    ],
)
def test_encodings(encoded: str) -> None:
    """Usual encodings leave hardly more than their ends."""
    masked = REDACTOR.text(f"[{encoded}]")
    assert len(masked) <= len(MASK) * 2 + 2 + 12


def test_other_text_stays() -> None:
    """What holds no secret is not touched, seven characters of one are no piece."""
    for text in (
        "",
        "short",
        "İ" * 20,
        "a longer text without anything",
        SECRET[:7] + "!" + "x" * 9,
    ):
        assert REDACTOR.text(text) == text
    assert Redactor([]).text(SECRET) == SECRET


def test_growing_capitals_do_not_shift_the_mask() -> None:
    """A capital that grows when lowered does not move the mask off the secret."""
    assert REDACTOR.text("İİ" + SECRET + "İ") == "İİ" + MASK + "İ"


def test_failures_are_cut_after_masking() -> None:
    """A secret over the 2 KiB mark leaves no piece, and short secrets are masked too."""
    failure = REDACTOR.failure(Failure("auth", f"a\nb {SECRET}" * 99, head="é" * 1020 + SECRET))
    assert len(failure.head.encode()) <= 2048
    assert not any(piece in failure.head + failure.detail for piece in pieces(SECRET))
    assert "\n" not in failure.detail
    assert len(failure.detail) <= 500
    short = Redactor(["k3y"])
    assert short.failure(Failure("auth", "bad k3y", head="k3y!")).head == MASK + "!"


@pytest.mark.parametrize(
    "leak",
    [
        {"text": f"the key is {SECRET}"},
        {"refusal": SECRET},
        {"response_model": SECRET},
        {"response_id": SECRET},
        {"fingerprint": SECRET},
        {"finish_reason": SECRET},
        {"headers": {"server": SECRET, SECRET: "x"}},
        {"tool_calls": ({"id": SECRET, "function": {"name": "f", "arguments": SECRET}},)},
        {"logprobs": (TokenLogprob(SECRET, -1.0),)},
        {"logprobs": (TokenLogprob("a", -1.0, SECRET.encode()),)},
        {"logprobs": (TokenLogprob("a", -1.0, top=(TopToken(SECRET, -1.0),)),)},
        {"logprobs": (TokenLogprob("a", -1.0, top=(TopToken("a", -1.0, SECRET.encode()),)),)},
    ],
)
def test_answers_are_masked_everywhere(leak: dict[str, object]) -> None:
    """An echo in any field of an answer is masked; tokens that held it are dropped."""
    shown = repr(REDACTOR.completion(replace(ANSWER, **leak)))
    assert not any(piece in shown for piece in pieces(SECRET))


def test_clean_answers_stay_the_same_object() -> None:
    """The usual answer costs no copy."""
    assert REDACTOR.completion(ANSWER) is ANSWER


def test_secrets_of_an_endpoint() -> None:
    """Key, secret headers, telling headers and telling query values count."""
    endpoint = Endpoint(
        Target("m", "p", "r"),
        "https://h/v1?api-key=from-query&version=3",
        api_key=Secret("the-key"),
        extra_headers={"X-Auth": "from-header", "X-Region": "eu"},
        secret_headers={"X-Any": Secret("from-secret")},
    )
    assert set(secrets_of(endpoint)) == {"the-key", "from-query", "from-header", "from-secret"}
