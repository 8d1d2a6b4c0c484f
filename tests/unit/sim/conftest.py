"""A language model, canary answers and a served fleet for the simulator's tests."""

import io
import json
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import aiohttp
import pytest

from qualmon.sim.backend import Settings
from qualmon.sim.language import Language
from qualmon.sim.serving import Running, start

ANSWERS = {
    "Say the pangram.": "The quick brown fox jumps over the lazy dog.",
    "Write a function.": "```python\ndef add(a, b):\n    return a + b\n```\n",
}


#: Status, headers and body.
Answer = tuple[int, Mapping[str, str], bytes]


@pytest.fixture(scope="session")
def language() -> Language:
    """The model that the simulator builds at start; built once for all tests."""
    return Language()


@dataclass
class Client:
    """Asks targets of a running fleet over HTTP."""

    running: Running
    session: aiohttp.ClientSession
    defaults: Mapping[str, Any] = field(
        default_factory=lambda: {
            "model": "m-large",
            "messages": [{"role": "user", "content": "Say the pangram."}],
        }
    )

    async def post(self, name: str | None = None, **options: Any) -> Answer:
        """Status, headers, body of one chat request called `name`; `...` leaves a default out."""
        return await self.ask("chat/completions", name, {**self.defaults, **options})

    async def message(self, name: str | None = None, **options: Any) -> Answer:
        """The same in Anthropic's protocol."""
        return await self.ask("messages", name, {**self.defaults, "max_tokens": 100, **options})

    async def ask(
        self,
        path: str,
        name: str | None,
        options: Mapping[str, Any],
    ) -> Answer:
        """One POST; `place` and `headers` among the options are not part of the body."""
        body = {key: value for key, value in options.items() if value is not ...}
        place = body.pop("place", "aws/default")
        headers = dict(body.pop("headers", {}))
        if name is not None:
            headers["X-Client-Request-Id"] = name
        url = f"{self.running.origin}/{place}/v1/{path}"
        data = io.BytesIO(json.dumps(body).encode())
        async with self.session.post(url, data=data, headers=headers) as response:
            return response.status, response.headers, await response.read()

    async def control(self, path: str, items: object = None) -> tuple[int, Any]:
        """Status and JSON of a GET, or of a POST of `items`, on the control plane."""
        method = "GET" if items is None else "POST"
        url = f"{self.running.origin}{path}"
        async with self.session.request(method, url, json=items) as response:
            return response.status, await response.json()


@pytest.fixture
async def serve_fleet(
    language: Language,
) -> AsyncIterator[Callable[..., Any]]:
    """Starts fleets on free ports with a client each, and stops them after the test."""
    open_now: list[Any] = []

    async def begin(**options: Any) -> Client:
        options.setdefault("settings", Settings(seed=11))
        running = await start(ANSWERS, language=language, **options)
        session = aiohttp.ClientSession()
        open_now.extend((session.close, running.aclose))
        return Client(running, session)

    yield begin
    for close in open_now:
        await close()
