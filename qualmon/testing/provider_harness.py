"""Asks a provider about one scripted answer: the machinery below the provider contract."""

from __future__ import annotations

import asyncio
import math
from abc import abstractmethod

from qualmon.ports import Provider
from qualmon.testing.checks import check, check_equal, fail
from qualmon.testing.hostile import HostileServer, Script, reply, stream
from qualmon.testing.wires import Wire
from qualmon.types import (
    OUTCOMES,
    Completion,
    Endpoint,
    Failure,
    Message,
    Request,
    Secret,
    Target,
    Timeouts,
    TokenLogprob,
    TopToken,
    Usage,
)

#: The credential that must never come back.
KEY = 'sk-Contract/7f3A+"9bQz\\mN0pL2'
_SUN = "日".encode()
_TOP = (TopToken("x", -0.25, b"x"), TopToken("y", -2.5, b"y"), TopToken("z", -math.inf, b"z"))

#: What the good server answers: several scripts, a character split over two tokens.
ANSWER = Completion(
    text="x = naïve 日 😀\n",
    finish_reason="stop",
    logprobs=(
        TokenLogprob("x", -0.25, b"x", top=_TOP),
        TokenLogprob(" = naïve ", -0.5, " = naïve ".encode()),
        TokenLogprob("", -1.0, _SUN[:2]),
        TokenLogprob("日", 0.0, _SUN[2:]),
        TokenLogprob(" 😀\n", -math.inf, " 😀\n".encode()),
    ),
    usage=Usage(11, 5, 2, 3),
    response_model="model-2025",
    response_id="answer-1",
    fingerprint="fp_1",
)
#: What is asked.
REQUEST = Request(
    messages=(Message("user", "Say it."),),
    params={"temperature": 0, "max_tokens": 16, "logprobs": True, "top_logprobs": 3},
    request_id="request-1",
    user="canary-1",
)
#: max_body of the endpoints that are asked.
LIMIT = 256 * 1024
PATIENT = Timeouts(connect=10.0, first_byte=20.0, total=30.0)
#: For answers that are meant to run into a limit.
HASTY = Timeouts(connect=2.0, first_byte=0.25, total=0.5)


class ProviderHarness:
    """Plays scripts to the provider that `make` returns."""

    wire: Wire

    @abstractmethod
    def make(self, endpoint: Endpoint) -> Provider:
        """The provider under test."""

    def good(self, streamed: bool, answer: Completion = ANSWER) -> Script:
        """Serves `answer` as a proper server would."""
        return stream(self.wire.events(answer)) if streamed else reply(self.wire.body(answer))

    def played(
        self,
        script: Script,
        streamed: bool,
        *,
        timeouts: Timeouts = PATIENT,
        scheme: str = "http",
    ) -> tuple[Completion | Failure, HostileServer]:
        """What came of asking a server that plays `script`, and that server."""

        async def play() -> tuple[Completion | Failure, HostileServer]:
            async with HostileServer(script) as server:
                root = server.root.replace("http", scheme)
                return await self.ask(self.endpoint(root, streamed, timeouts)), server

        return asyncio.run(play())

    async def ask(self, endpoint: Endpoint) -> Completion | Failure:
        """One request to `endpoint` by a provider of its own."""
        provider = self.make(endpoint)
        try:
            return await provider.complete(REQUEST)
        finally:
            await provider.aclose()

    def endpoint(self, root: str, streamed: bool = True, timeouts: Timeouts = PATIENT) -> Endpoint:
        """An endpoint below `root` whose key is KEY."""
        return Endpoint(
            target=Target("m", "p", "r"),
            url=root + self.wire.base_path,
            api_key=Secret(KEY),
            timeouts=timeouts,
            max_body=LIMIT,
            stream=streamed,
        )

    def answers(
        self, script: Script, streamed: bool, *, timeouts: Timeouts = PATIENT
    ) -> Completion:
        """The answer that `script` must come to."""
        result = self.played(script, streamed, timeouts=timeouts)[0]
        if isinstance(result, Failure):
            fail(f"an answer was expected, found {result!r}")
        return result

    def fails(
        self,
        script: Script,
        kind: str,
        *,
        before_first_byte: bool | None = None,
        timeouts: Timeouts = PATIENT,
    ) -> Failure:
        """The failure that `script` must come to, whether a stream is asked for or not."""
        for streamed in (False, True):
            result = self.played(script, streamed, timeouts=timeouts)[0]
            failure = check_failure(result, kind, before_first_byte)
        return failure

    def same(self, found: Completion, wanted: Completion) -> None:
        """Compares all that the wire carries."""
        names = ["text", "finish_reason", "usage", "response_model", "response_id", "tool_calls"]
        names += ["fingerprint"] * self.wire.has_fingerprint + ["logprobs"] * self.wire.has_logprobs
        state = "present" if self.wire.has_logprobs else "absent_ignored"
        check_equal(found.logprobs_state, state, "logprobs_state")
        for name in names:
            check_equal(getattr(found, name), getattr(wanted, name), name)


def check_failure(
    result: Completion | Failure, kind: str, before_first_byte: bool | None = None
) -> Failure:
    """`result` if it is a failure of this kind with a lawful head."""
    if isinstance(result, Completion):
        fail(f"{kind} was expected, found an answer: {result!r}")
    check(result.kind in OUTCOMES, f"{result.kind} is no outcome")
    check_equal(result.kind, kind, f"kind of {result!r}")
    check(len(result.head.encode("utf-8", "replace")) <= 2048, "the head is over 2 KiB")
    if before_first_byte is not None:
        check_equal(result.before_first_byte, before_first_byte, "before_first_byte")
    return result
