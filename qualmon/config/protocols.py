"""What a configuration must know of each wire protocol, to tell mistakes before anything runs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

_FIELDS: Final = frozenset({"model", "messages", "stream", "stream_options", "n", "user", "prompt"})
_CALLS: Final = ("/chat/completions", "/completions", "/messages")


@dataclass(frozen=True, slots=True)
class WireProtocol:
    """Where a protocol's base address ends and what qualmon itself puts into its requests.

    base: an example of an address. calls: endings of what is no base address. fields: of the
    body. key_header: where api_key goes, in lower case.
    """

    base: str = "https://api.example.com/v1"
    calls: tuple[str, ...] = _CALLS
    fields: frozenset[str] = _FIELDS
    key_header: str = "authorization"


#: The protocols that this program speaks, by the name of their provider.
PROTOCOLS: Final[Mapping[str, WireProtocol]] = MappingProxyType({
    "openai_chat": WireProtocol(),
    "anthropic": WireProtocol(
        base="https://api.example.com",
        calls=("/v1", *_CALLS),
        fields=_FIELDS | {"system", "metadata"},
        key_header="x-api-key",
    ),
})  # fmt: skip


def protocol_of(provider: str) -> WireProtocol:
    """The protocol of that provider; the commonest one for a plug-in's or a mistaken name."""
    return PROTOCOLS.get(provider) or WireProtocol()
