"""The fleet as a child process: ready line, faults, taken port, end with its parent."""

import asyncio
import signal
import socket
import sys
import time
from typing import Any

import aiohttp
import pytest

from qualmon.errors import DependencyError, PortInUseError, UnknownNameError
from qualmon.sim.child import spawn

pytestmark = pytest.mark.integration

CORRUPT = {"id": "f", "kind": "corruption", "node": "fleet", "rate": 1.0}
ORPHAN = """
import asyncio
from qualmon.sim.child import spawn
async def main():
    child = await spawn(answers={})
    print(child.process.pid, flush=True)
    await asyncio.sleep(60)
asyncio.run(main())
"""


async def _ask(origin: str, prompt: str = "Say yes.") -> Any:
    url = f"{origin}/gcp/default/v1/chat/completions"
    body = {"model": "m-large", "messages": [{"role": "user", "content": prompt}]}
    async with aiohttp.ClientSession() as session, session.post(url, json=body) as response:
        return (await response.json())["choices"][0]["message"]["content"]


async def test_a_child_serves_until_it_is_closed() -> None:
    """It answers from its own process, with the answers and faults it was given."""
    child = await spawn(answers={"Say yes.": "Yes."}, seed=3)
    try:
        assert await _ask(child.origin) == "Yes."
    finally:
        await child.aclose()
    assert child.process.returncode == 0
    await child.aclose()


async def test_a_child_takes_faults() -> None:
    """Faults given at the start are there before the first answer, and can be replaced."""
    child = await spawn(answers={"Say yes.": "Yes."}, faults=[CORRUPT])
    try:
        assert not (await _ask(child.origin)).isascii()
        await child.plant([])
        assert await _ask(child.origin) == "Yes."
        with pytest.raises(UnknownNameError, match="nowhere"):
            await child.plant([{**CORRUPT, "node": "nowhere"}])
    finally:
        await child.aclose()


async def test_two_processes_say_the_same() -> None:
    """Babble hangs on seed and request alone, not on the process that says it."""
    children = [await spawn(answers={}, seed=5) for _ in range(2)]
    try:
        texts = [await _ask(child.origin, "Why?") for child in children]
    finally:
        for child in children:
            await child.aclose()
    assert texts[0] == texts[1]


async def test_wrong_faults_never_start_a_child() -> None:
    """The mistake is told before a process is made."""
    with pytest.raises(UnknownNameError, match="nowhere"):
        await spawn(faults=[{**CORRUPT, "node": "nowhere"}])


async def test_a_taken_port_is_reported_by_the_parent() -> None:
    """The child's failure comes back as the same error, with the address."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(PortInUseError, match=f"127.0.0.1:{port}"):
            await spawn(port=port, answers={})


async def test_an_address_that_is_not_ours_is_reported() -> None:
    """Other failures say what the system said."""
    with pytest.raises(DependencyError, match=r"192\.0\.2\.1"):
        await spawn(host="192.0.2.1", answers={})


async def test_a_child_ends_with_a_killed_parent() -> None:
    """SIGKILL leaves the parent no time to clean up; the child notices all the same."""
    parent = await asyncio.create_subprocess_exec(
        sys.executable, "-c", ORPHAN, stdout=asyncio.subprocess.PIPE
    )
    child = int(await parent.stdout.readline())
    parent.kill()
    await parent.wait()
    assert await asyncio.to_thread(_ends, child)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_a_signal_ends_it_cleanly(number: signal.Signals) -> None:
    """Exit code 0 for both signals."""
    child = await spawn(answers={})
    child.process.send_signal(number)
    assert await child.process.wait() == 0
    await child.aclose()


def _ends(pid: int) -> bool:
    deadline = time.monotonic() + 20.0
    while time.monotonic() < deadline and _alive(pid):
        time.sleep(0.05)
    return not _alive(pid)


def _alive(pid: int) -> bool:
    """Whether the process runs; one that has ended but was not reaped does not."""
    try:
        with open(f"/proc/{pid}/stat") as stat:
            return stat.read().rsplit(")", 1)[1].split()[0] != "Z"
    except FileNotFoundError:
        return False
