"""One file per wire protocol; this table is all there is to registering one."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType

from qualmon.ports import Provider
from qualmon.registry import find
from qualmon.types import Endpoint

#: Makes a provider for one endpoint; raises UsageError when the endpoint cannot be used.
ProviderFactory = Callable[[Endpoint], Provider]


def _openai_chat(endpoint: Endpoint) -> Provider:
    # Imported on use: the HTTP client is heavy and the command line must start fast.
    from qualmon.providers.openai_chat import OpenAIChat

    return OpenAIChat(endpoint)


def _anthropic(endpoint: Endpoint) -> Provider:
    from qualmon.providers.anthropic import Anthropic

    return Anthropic(endpoint)


PROVIDERS: Mapping[str, ProviderFactory] = MappingProxyType(
    {"openai_chat": _openai_chat, "anthropic": _anthropic}
)


def make_provider(endpoint: Endpoint) -> Provider:
    """The provider that the endpoint's target names, built in or from an entry point.

    Raises UnknownNameError, PluginError, and UsageError for an endpoint that cannot be used.
    """
    return find("provider", endpoint.target.provider, PROVIDERS)(endpoint)
