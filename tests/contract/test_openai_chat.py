"""The OpenAI chat provider keeps the provider contract, and the contract has teeth."""

import pytest

from qualmon.providers.openai_chat import OpenAIChat
from qualmon.testing.providers import ANSWER, OpenAIChatWire, ProviderContract
from qualmon.types import Completion, Endpoint, Request


class TestOpenAIChat(ProviderContract):
    """Plays the whole contract."""

    wire = OpenAIChatWire()

    def make(self, endpoint: Endpoint) -> OpenAIChat:
        return OpenAIChat(endpoint)


class Careless:
    """Takes every answer for a good one."""

    async def complete(self, request: Request) -> Completion:
        return ANSWER

    async def aclose(self) -> None:
        pass


class CarelessContract(ProviderContract):
    """Not collected: its name does not start with Test."""

    wire = OpenAIChatWire()

    def make(self, endpoint: Endpoint) -> Careless:
        return Careless()


@pytest.mark.parametrize(
    "name", ["silence", "too_much", "statuses", "undecodable", "request_carries_its_id"]
)
def test_contract_is_not_vacuous(name: str) -> None:
    """A provider that never looks at the wire does not pass."""
    with pytest.raises((AssertionError, IndexError)):
        getattr(CarelessContract(), f"test_{name}")()
