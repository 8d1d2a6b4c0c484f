"""Keeps configured secrets out of everything that an answer leaves behind.

A server may echo a credential in an error, in an answer or in a header. Any run of eight or
more characters of a secret is masked wherever it stands, plainly or in a usual encoding.
"""

from __future__ import annotations

import base64
import html
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from typing import Any
from urllib.parse import parse_qsl, quote, urlsplit

from qualmon.types import Completion, Endpoint, Failure, TokenLogprob

#: Shortest piece of a secret that counts as a leak.
PIECE = 8
#: What stands in the place of a secret.
MASK = "***"
#: Bytes of a raw answer that a failure keeps.
HEAD_BYTES = 2048
#: Characters of a failure's detail.
DETAIL_CHARS = 500

# A run of PIECE characters always covers one block of _BLOCK characters that starts at a
# multiple of _STRIDE, so a clean text is recognised by looking at every fifth place only.
_BLOCK = 4
_STRIDE = PIECE - _BLOCK + 1
_SENSITIVE = ("auth", "key", "token", "secret", "cookie", "password", "credential", "signature")


def _is_sensitive(name: str) -> bool:
    return any(word in name.lower() for word in _SENSITIVE)


def secrets_of(endpoint: Endpoint) -> tuple[str, ...]:
    """Every credential sent to `endpoint`, and header and query values that sound like one."""
    found = [endpoint.api_key.reveal] if endpoint.api_key else []
    found += [secret.reveal for secret in endpoint.secret_headers.values()]
    found += [value for name, value in endpoint.extra_headers.items() if _is_sensitive(name)]
    query = parse_qsl(urlsplit(endpoint.url).query)
    found += [value for name, value in query if _is_sensitive(name)]
    return tuple(value for value in found if value)


class Redactor:
    """Masks `secrets` (plain texts) in texts, failures and completions. Immutable."""

    def __init__(self, secrets: Iterable[str]) -> None:
        secrets = tuple(secrets)
        forms = {form.lower() for secret in secrets for form in _forms(secret)}
        self._pieces = frozenset(piece for form in forms for piece in _grams(form, PIECE))
        self._blocks = frozenset(block for piece in self._pieces for block in _grams(piece, _BLOCK))
        self._short = tuple(secret for secret in secrets if len(secret) < PIECE)

    def text(self, text: str) -> str:
        """`text` without any piece of a secret."""
        if not self._suspicious(text):
            return text
        return _masked(text, _hits(_lower(text), self._pieces))

    def failure(self, failure: Failure) -> Failure:
        """`failure` with head and detail masked and cut to their limits, detail on one line.

        Secrets shorter than a piece are masked here too, but not in answers: a key that
        short is a placeholder such as EMPTY, and an answer may hold that word lawfully.
        """
        head, detail = self._strict(failure.head), self._strict(failure.detail)
        kept = head.encode("utf-8", "replace")[:HEAD_BYTES].decode("utf-8", "ignore")
        return replace(failure, head=kept, detail=" ".join(detail.split())[:DETAIL_CHARS])

    def completion(self, answer: Completion) -> Completion:
        """`answer` without secrets; token logprobs go when they or the text held one."""
        if not self._pieces:
            return answer
        fields = {name: getattr(answer, name) for name in _TEXT_FIELDS}
        changed: dict[str, Any] = {
            name: clean
            for name, value in fields.items()
            if value is not None and (clean := self.text(value)) != value
        }
        if "text" in changed or self._in_tokens(answer.logprobs or ()):
            changed.update(logprobs=None, logprobs_state="malformed")
        if answer.tool_calls:
            changed["tool_calls"] = tuple(self._tree(call) for call in answer.tool_calls)
        if answer.headers:
            changed["headers"] = self._tree(answer.headers)
        return replace(answer, **changed) if changed else answer

    def _strict(self, text: str) -> str:
        for secret in self._short:
            text = text.replace(secret, MASK)
        return self.text(text)

    def _suspicious(self, text: str) -> bool:
        blocks = self._blocks
        if not blocks or len(text) < PIECE:
            return False
        folded = _lower(text)
        stops = range(0, len(folded) - _BLOCK + 1, _STRIDE)
        return any(folded[at : at + _BLOCK] in blocks for at in stops)

    def _in_tokens(self, tokens: Iterable[TokenLogprob]) -> bool:
        return any(
            self._in_token(token.token, token.bytes)
            or any(self._in_token(other.token, other.bytes) for other in token.top)
            for token in tokens
        )

    def _in_token(self, text: str, raw: bytes | None) -> bool:
        # Hardly any token is as long as a piece: two comparisons decide.
        if len(text) >= PIECE and self.text(text) != text:
            return True
        if raw is None or len(raw) < PIECE:
            return False
        plain = raw.decode("latin-1")
        return self.text(plain) != plain

    def _tree(self, value: Any) -> Any:
        if isinstance(value, str):
            return self.text(value)
        if isinstance(value, Mapping):
            return {self.text(str(key)): self._tree(item) for key, item in value.items()}
        return value


_TEXT_FIELDS = (
    "text", "finish_reason", "response_model", "response_id", "fingerprint", "refusal",
)  # fmt: skip


def _forms(secret: str) -> Iterator[str]:
    """The secret and what usual encodings make of it."""
    raw = secret.encode("utf-8", "surrogatepass")
    yield secret
    yield quote(raw, safe="")
    yield "".join(f"%{byte:02x}" for byte in raw)
    yield json.dumps(secret)[1:-1]
    yield json.dumps(secret)[1:-1].replace("/", "\\/")
    yield "".join(f"\\u{ord(char):04x}" for char in secret)
    yield html.escape(secret)
    yield raw.hex()
    for shift in range(3):
        # Inside a longer text the secret starts at any of three places in a base64 group.
        coded = base64.b64encode(bytes(shift) + raw).decode("ascii")
        inner = coded[(0, 2, 3)[shift] : (shift + len(raw)) * 8 // 6]
        yield inner
        yield inner.replace("+", "-").replace("/", "_")


def _grams(text: str, size: int) -> Iterator[str]:
    return (text[at : at + size] for at in range(len(text) - size + 1))


def _lower(text: str) -> str:
    """Lower case of the same length: a few capitals grow when lowered, those stay."""
    lowered = text.lower()
    if len(lowered) == len(text):
        return lowered
    return "".join(low if len(low := char.lower()) == 1 else char for char in text)


def _hits(folded: str, pieces: frozenset[str]) -> list[int]:
    stops = range(len(folded) - PIECE + 1)
    return [at for at in stops if folded[at : at + PIECE] in pieces]


def _masked(text: str, hits: list[int]) -> str:
    parts, end = [], 0
    for at in hits:
        if at > end or (at == end and end == 0):
            parts += [text[end:at], MASK]
        end = at + PIECE
    return "".join([*parts, text[end:]])
