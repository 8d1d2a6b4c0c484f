"""Checks Python source in worker processes that compile it and never run it."""

from __future__ import annotations

import asyncio
from typing import Any, Final

from qualmon.sandbox.child import Child, ChildDiedError
from qualmon.types import CompileVerdict

LANGUAGE: Final = "python"
#: Longest source that is looked at, bytes of UTF-8.
MAX_SOURCE: Final = 1 << 20


class PythonCompiler:
    """A `qualmon.ports.Compiler` for Python: long-lived workers under resource limits.

    workers: processes, started on first use. wall_seconds: per check; beyond it the worker
    is killed. memory_bytes: address space of a worker. restart_after: checks until a worker
    is replaced, which bounds whatever it may leak.
    """

    def __init__(
        self,
        *,
        workers: int = 1,
        wall_seconds: float = 5.0,
        memory_bytes: int = 512 << 20,
        restart_after: int = 20_000,
    ) -> None:
        self._wall = wall_seconds
        self._memory = memory_bytes
        self._restart_after = restart_after
        self._free = asyncio.Semaphore(workers)
        self._idle: list[Child] = []
        self._closed = False

    async def check(self, language: str, source: str) -> CompileVerdict:
        """What the compiler says of `source`; never raises on source text.

        ``resource_limit`` for source above 1 MiB, a time-out, a crash, or nesting and size
        that the compiler refuses; ``unavailable`` for another language, after `aclose`, or
        when no process can be started.
        """
        if language != LANGUAGE:
            return _verdict(language, "unavailable", f"no compiler for {language}")
        if len(source.encode("utf-8", "surrogatepass")) > MAX_SOURCE:
            return _verdict(language, "resource_limit", f"source above {MAX_SOURCE} bytes")
        async with self._free:
            if self._closed:
                return _verdict(language, "unavailable", "the compiler is closed")
            return await self._check(source)

    async def _check(self, source: str) -> CompileVerdict:
        try:
            child = await self._take()
        except OSError as error:
            return _verdict(LANGUAGE, "unavailable", f"no worker process: {error}")
        try:
            async with asyncio.timeout(self._wall):
                reply = await child.ask(source)
        except TimeoutError:
            await child.kill()
            return _verdict(LANGUAGE, "resource_limit", f"no reply in {self._wall:g} s")
        except ChildDiedError:
            await child.kill()
            return _verdict(LANGUAGE, "resource_limit", "the worker process died")
        except BaseException:  # cancellation leaves a reply in the pipe: the worker is useless
            await child.kill()
            raise
        await self._put_back(child)
        return _from_reply(reply)

    async def _put_back(self, child: Child) -> None:
        if self._closed:
            await child.kill()
        else:
            self._idle.append(child)

    async def _take(self) -> Child:
        while self._idle:
            child = self._idle.pop()
            if child.alive and child.served < self._restart_after:
                return child
            await child.kill()
        return await Child.start(max(1, round(self._wall)), self._memory)

    async def aclose(self) -> None:
        """Ends the idle workers now, and each busy one after its check."""
        self._closed = True
        while self._idle:
            await self._idle.pop().kill()


def _from_reply(reply: dict[str, Any]) -> CompileVerdict:
    return CompileVerdict(
        LANGUAGE, reply["outcome"], message=str(reply["message"]), line=reply["line"]
    )


def _verdict(language: str, outcome: Any, message: str) -> CompileVerdict:
    return CompileVerdict(language, outcome, message=message)
