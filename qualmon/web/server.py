"""Serving the application inside a running event loop."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import socket
from collections.abc import AsyncIterator, Coroutine, Iterator

import uvicorn
from starlette.types import ASGIApp

from qualmon.errors import DependencyError, PortInUseError

#: Connections served at once; above it the answer is 503.
MAX_CONNECTIONS = 256
#: Seconds that open requests get when the server stops.
GRACE = 2


class ListenError(DependencyError):
    """The address cannot be listened on."""

    remedy = "Change `listen` to an address of this machine and a port that this user may open"


class _EmbeddedServer(uvicorn.Server):
    """uvicorn without its signal handlers: the service decides when to stop."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.up = asyncio.Event()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets=sockets)
        self.up.set()

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


def bind(host: str, port: int) -> socket.socket:
    """A listening socket; port 0 takes a free one.

    Raises PortInUseError, or ListenError for an address that cannot be had.
    """
    try:
        family, kind, proto, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        sock = socket.socket(family, kind, proto)
    except (OSError, UnicodeError, OverflowError) as error:
        raise ListenError(f"{host}:{port}: {error}") from error
    try:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.bind(address)
        sock.listen(MAX_CONNECTIONS)
        sock.setblocking(False)
    except (OSError, OverflowError) as error:
        sock.close()
        if getattr(error, "errno", None) == errno.EADDRINUSE:
            raise PortInUseError(f"{host}:{port}") from error
        raise ListenError(f"{host}:{port}: {error}") from error
    return sock


@contextlib.asynccontextmanager
async def serve(app: ASGIApp, host: str, port: int) -> AsyncIterator[str]:
    """Serves `app` while the context is open; gives its base address, ``http://host:port``.

    Raises PortInUseError and ListenError before anything is served.
    """
    with bind(host, port) as sock:
        server = _EmbeddedServer(_config(app))
        task = asyncio.create_task(server.serve(sockets=[sock]), name="web")
        try:
            await _first(task, server.up.wait())
            yield _address(sock)
        finally:
            server.should_exit = True
            await task


async def _first(task: asyncio.Task[None], event: Coroutine[None, None, bool]) -> None:
    """Returns when `event` is there or `task` has ended, whose error shows where it is awaited."""
    waiting = asyncio.create_task(event)
    await asyncio.wait({task, waiting}, return_when=asyncio.FIRST_COMPLETED)
    waiting.cancel()


def _config(app: ASGIApp) -> uvicorn.Config:
    return uvicorn.Config(
        app,
        lifespan="off",
        log_config=None,
        access_log=False,
        server_header=False,
        limit_concurrency=MAX_CONNECTIONS,
        timeout_graceful_shutdown=GRACE,
    )


def _address(sock: socket.socket) -> str:
    host, port = sock.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
