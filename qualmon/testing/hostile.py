"""A real HTTP/1.1 server on loopback that answers by script, lawfully or not.

It writes bytes as they are given, so it can break every rule that a proper server keeps:
lying lengths, cut bodies, resets, endless streams, compressed bombs.
"""

from __future__ import annotations

import asyncio
import gzip
import itertools
import socket
import ssl
import struct
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from types import TracebackType
from typing import Self

_MEBIBYTE = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Received:
    """A request as it arrived; header names in lower case."""

    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes


class Conversation:
    """One request and the connection to answer it on."""

    def __init__(
        self, request: Received, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        self.request = request
        self._reader, self._writer = reader, writer

    async def send(self, data: bytes) -> None:
        """Writes bytes as they are. Raises ConnectionError when the client has gone."""
        self._writer.write(data)
        await self._writer.drain()

    async def gone(self) -> None:
        """Returns when the client has closed its side."""
        with suppress(ConnectionError):
            while await self._reader.read(4096):
                pass

    def reset(self) -> None:
        """Ends the connection with a TCP reset."""
        raw = self._writer.get_extra_info("socket")
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self._writer.transport.abort()


#: Plays one answer; the connection is closed when it returns.
Script = Callable[[Conversation], Awaitable[None]]


class HostileServer:
    """Plays `script` to every request. An async context manager.

    `received` lists the requests; `asked` is set with the first one, `hung_up` once a client
    left before its answer ended. `tls` makes it an https server.
    """

    def __init__(self, script: Script, *, tls: ssl.SSLContext | None = None) -> None:
        self._script, self._tls = script, tls
        self._server: asyncio.Server | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self.received: list[Received] = []
        self.asked, self.hung_up = asyncio.Event(), asyncio.Event()

    @property
    def root(self) -> str:
        """``http(s)://127.0.0.1:port``, without a slash at the end."""
        if self._server is None:
            raise RuntimeError("the server runs only inside its async with block")
        scheme = "https" if self._tls else "http"
        return f"{scheme}://127.0.0.1:{self._server.sockets[0].getsockname()[1]}"

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(
            self._connected, "127.0.0.1", 0, limit=_MEBIBYTE, ssl=self._tls
        )
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._server is not None:
            self._server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.ensure_future(self._serve(reader, writer))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            request = await _request(reader)
            self.received.append(request)
            self.asked.set()
            await self._play(Conversation(request, reader, writer))
        except (asyncio.IncompleteReadError, ConnectionError):
            pass  # a client that leaves is part of the play
        except _NotHttpError:
            writer.write(head(400, headers={"Content-Length": "0"}))
        finally:
            writer.close()

    async def _play(self, conversation: Conversation) -> None:
        playing = asyncio.ensure_future(self._script(conversation))
        leaving = asyncio.ensure_future(conversation.gone())
        try:
            await asyncio.wait((playing, leaving), return_when=asyncio.FIRST_COMPLETED)
            if leaving.done():
                self.hung_up.set()
        finally:
            for task in (playing, leaving):
                task.cancel()
            await asyncio.gather(playing, leaving, return_exceptions=True)


class _NotHttpError(Exception):
    """Somebody speaks another protocol, such as TLS."""


async def _request(reader: asyncio.StreamReader) -> Received:
    first = await reader.readexactly(1)
    if not first.isalpha():
        raise _NotHttpError
    text = (first + await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
    line, *lines = text.rstrip("\r\n").split("\r\n")
    method, path, _ = line.split(" ", 2)
    pairs = (line.partition(":") for line in lines)
    headers = {name.strip().lower(): value.strip() for name, _, value in pairs}
    body = await reader.readexactly(int(headers.get("content-length", "0")))
    return Received(method, path, headers, body)


def head(
    status: int = 200,
    content_type: str = "application/json",
    headers: Mapping[str, str] | None = None,
) -> bytes:
    """Status line and headers up to and with the blank line."""
    lines = [f"HTTP/1.1 {status} Status", f"Content-Type: {content_type}", "Connection: close"]
    lines += [f"{name}: {value}" for name, value in (headers or {}).items()]
    return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")


def chunk(data: bytes) -> bytes:
    """`data` as one chunk of the chunked transfer coding."""
    return b"%x\r\n%b\r\n" % (len(data), data)


def reply(
    body: bytes,
    *,
    status: int = 200,
    content_type: str = "application/json",
    headers: Mapping[str, str] | None = None,
    announced: int | None = None,
) -> Script:
    """A whole body with Content-Length; `announced` is the length it claims (default: true)."""
    length = len(body) if announced is None else announced
    start = head(status, content_type, {"Content-Length": str(length), **(headers or {})})

    async def play(conversation: Conversation) -> None:
        await conversation.send(start + body)

    return play


def stream(
    pieces: Sequence[bytes],
    *,
    content_type: str = "text/event-stream",
    headers: Mapping[str, str] | None = None,
    pause: float = 0.0,
    held_open: bool = False,
) -> Script:
    """A chunked body, one chunk per piece; `held_open` never sends its end."""
    start = head(200, content_type, {"Transfer-Encoding": "chunked", **(headers or {})})

    async def play(conversation: Conversation) -> None:
        await conversation.send(start)
        for piece in pieces:
            await conversation.send(chunk(piece))
            await asyncio.sleep(pause)
        await (asyncio.sleep(3600) if held_open else conversation.send(b"0\r\n\r\n"))

    return play


def silence(first: bytes = b"") -> Script:
    """Sends `first` and then nothing more, with the connection open."""

    async def play(conversation: Conversation) -> None:
        if first:
            await conversation.send(first)
        await asyncio.sleep(3600)

    return play


def drip(first: bytes, piece: bytes, every: float = 0.02) -> Script:
    """Sends `first`, then `piece` every `every` seconds for ever."""

    async def play(conversation: Conversation) -> None:
        await conversation.send(first)
        for _ in itertools.count():
            await conversation.send(piece)
            await asyncio.sleep(every)

    return play


def reset_after(data: bytes) -> Script:
    """Sends `data`, then a TCP reset."""

    async def play(conversation: Conversation) -> None:
        await conversation.send(data)
        await asyncio.sleep(0.02)  # lets the client read what came before the reset
        conversation.reset()

    return play


def bomb(mebibytes: int) -> bytes:
    """gzip of that many mebibytes of spaces: about a thousandth of it in bytes."""
    return gzip.compress(b" " * (mebibytes * _MEBIBYTE))


def cut_everywhere(data: bytes, size: int = 1) -> Iterable[bytes]:
    """`data` in pieces of `size` bytes, through the middle of characters."""
    return (data[at : at + size] for at in range(0, len(data), size))
