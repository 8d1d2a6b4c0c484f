"""One worker process at the end of a pipe."""

from __future__ import annotations

import asyncio
import json
import sys
from pathlib import Path
from typing import Any

_WORKER = Path(__file__).with_name("python_child.py")


class ChildDiedError(Exception):
    """The worker process ended, or replied with something that is no reply."""


class Child:
    """A running worker; ask it one thing at a time, and kill it after any exception."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process
        self.served = 0

    @classmethod
    async def start(cls, cpu_seconds: int, memory_bytes: int) -> Child:
        """Starts a worker with an empty environment, no inherited files, in its own session.

        Raises: OSError when no process can be started.
        """
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-I", "-S", "-E", str(_WORKER), str(cpu_seconds), str(memory_bytes),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.DEVNULL,
            env={},
            cwd="/",
            close_fds=True,
            start_new_session=True,
        )  # fmt: skip
        return cls(process)

    @property
    def alive(self) -> bool:
        """False once the process is known to have ended."""
        return self._process.returncode is None

    async def ask(self, source: str) -> dict[str, Any]:
        """The worker's reply. Raises: ChildDiedError."""
        stdin, stdout = self._process.stdin, self._process.stdout
        if stdin is None or stdout is None:
            raise ChildDiedError("the worker has no pipes")
        self.served += 1
        request = json.dumps({"id": self.served, "source": source}) + "\n"
        try:
            stdin.write(request.encode())
            await stdin.drain()
            reply = json.loads(await stdout.readline())
        except (ConnectionError, ValueError) as error:  # ValueError: end of file, over-long line
            raise ChildDiedError(str(error)) from error
        if not isinstance(reply, dict) or reply.get("id") != self.served:
            raise ChildDiedError("the worker replied to another request")
        return reply

    async def kill(self) -> None:
        """Ends the process and waits for it; safe to call twice."""
        if self.alive:
            self._process.kill()
        if self._process.stdin is not None:
            self._process.stdin.close()
        await self._process.wait()
