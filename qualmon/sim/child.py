"""The fleet in a child process that ends with its parent.

Parent and child speak JSON lines: the arguments of `serve` go in, one line comes out when
the server is ready or has failed. The child stops when its standard input ends, which the
kernel sees to however the parent dies.
"""

from __future__ import annotations

import asyncio
import contextlib
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

import aiohttp
import orjson

from qualmon.errors import DependencyError, PortInUseError, QualmonError
from qualmon.sim.faults import parse_faults
from qualmon.sim.fleet import demo_fleet
from qualmon.sim.serving import Running, serve
from qualmon.sim.speaker import Answer

_START_SECONDS = 60.0
_STOP_SECONDS = 5.0


@dataclass(frozen=True, slots=True)
class Spawned:
    """A fleet that is being served by a child process."""

    host: str
    port: int
    process: Process

    @property
    def origin(self) -> str:
        """``http://HOST:PORT``."""
        return f"http://{self.host}:{self.port}"

    async def plant(self, faults: Sequence[Mapping[str, Any]]) -> None:
        """Replaces all faults; start and end count from now. Raises as `parse_faults` does."""
        parse_faults(faults, demo_fleet().targets, 0.0)
        url = f"{self.origin}/-/faults"
        async with aiohttp.ClientSession(raise_for_status=True) as session:
            await session.post(url, json=list(faults))

    async def aclose(self) -> None:
        """Ends the child: asks first, kills after five seconds. May be called twice."""
        await _end(self.process)


async def spawn(
    *,
    port: int = 0,
    faults: Sequence[Mapping[str, Any]] = (),
    seed: int = 0,
    host: str = "127.0.0.1",
    answers: Mapping[str, Answer] | None = None,
    seconds_per_token: float = 0.0,
) -> Spawned:
    """Starts `serve` in a child process and waits until it answers; port 0 takes a free one.

    Raises PortInUseError, UsageError for wrong faults, DependencyError when it cannot start.
    """
    parse_faults(faults, demo_fleet().targets, 0.0)
    words = {
        "port": port,
        "faults": list(faults),
        "seed": seed,
        "host": host,
        "answers": None if answers is None else dict(answers),
        "seconds_per_token": seconds_per_token,
    }
    # In a session of its own: Ctrl-C is for the parent, whose end then closes the pipe.
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "qualmon.sim", stdin=PIPE, stdout=PIPE, start_new_session=True
    )
    try:
        ready = await asyncio.wait_for(_greet(process, words), _START_SECONDS)
    except BaseException:
        await _end(process)
        raise
    return Spawned(host, ready, process)


async def _greet(process: Process, words: Mapping[str, Any]) -> int:
    """Sends the arguments, returns the port from the child's line. Raises what it reports."""
    stdin = cast("asyncio.StreamWriter", process.stdin)
    stdout = cast("asyncio.StreamReader", process.stdout)
    # A child that is dead already shows below, by the line that does not come.
    with contextlib.suppress(ConnectionError):
        stdin.write(orjson.dumps(words) + b"\n")
        await stdin.drain()
    line = await stdout.readline()
    said = orjson.loads(line) if line else {"error": "", "message": "it ended without a word"}
    if "port" in said:
        return int(said["port"])
    if said["error"] == PortInUseError.__name__:
        raise PortInUseError(f"{words['host']}:{words['port']}")
    raise DependencyError(f"the simulator did not start: {said['message']}", remedy="")


async def _end(process: Process) -> None:
    if process.stdin is not None:
        process.stdin.close()
    try:
        await asyncio.wait_for(process.wait(), _STOP_SECONDS)
    except TimeoutError:
        process.kill()
        await process.wait()


def main() -> int:
    """The child's side: reads the arguments, serves, returns the exit code."""
    words = orjson.loads(sys.stdin.buffer.readline())
    try:
        serve(**words, on_ready=_say_ready, until_eof=True)
    except QualmonError as error:
        _say({"error": type(error).__name__, "message": str(error)})
        return error.exit_code
    return 0


def _say_ready(running: Running) -> None:
    _say({"port": running.port})


def _say(line: Mapping[str, Any]) -> None:
    sys.stdout.buffer.write(orjson.dumps(line) + b"\n")
    sys.stdout.buffer.flush()
