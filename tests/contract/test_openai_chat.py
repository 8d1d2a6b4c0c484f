"""The OpenAI chat provider keeps the provider contract, and asks as its wire wants."""

from qualmon.providers.openai_chat import OpenAIChat
from qualmon.testing.providers import OpenAIChatWire, ProviderContract
from qualmon.types import Endpoint


class TestOpenAIChat(ProviderContract):
    """Plays the whole contract."""

    wire = OpenAIChatWire()

    def make(self, endpoint: Endpoint) -> OpenAIChat:
        return OpenAIChat(endpoint)
