"""The Anthropic provider keeps the provider contract."""

from qualmon.providers.anthropic import Anthropic
from qualmon.testing.providers import AnthropicWire, ProviderContract
from qualmon.types import Endpoint


class TestAnthropic(ProviderContract):
    """Plays the whole contract."""

    wire = AnthropicWire()

    def make(self, endpoint: Endpoint) -> Anthropic:
        return Anthropic(endpoint)
