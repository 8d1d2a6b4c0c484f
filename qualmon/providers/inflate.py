"""Decompression that stops in time: a few bytes on the wire may stand for gigabytes."""

from __future__ import annotations

import zlib
from collections.abc import Iterator

from qualmon.providers.wire import WireError

_STEP = 64 * 1024
_AUTO = 47  # zlib: detect gzip or zlib framing by its header


class Identity:
    """Passes bytes on."""

    def feed(self, data: bytes) -> Iterator[bytes]:
        """`data` itself."""
        yield data

    def finish(self) -> None:
        """Nothing can be missing."""


class Inflate:
    """gzip or deflate, in pieces of at most 64 KiB, so that the reader can stop at its limit."""

    def __init__(self) -> None:
        self._stream = zlib.decompressobj(_AUTO)
        self._started = False

    def feed(self, data: bytes) -> Iterator[bytes]:
        """Decompressed pieces, made lazily. Raises WireError on a broken stream."""
        more = bool(data)
        while more:
            if self._stream.eof:
                self._stream = zlib.decompressobj(_AUTO)  # gzip allows several members in a row
            self._started = True
            try:
                piece = self._stream.decompress(data, _STEP)
            except zlib.error as error:
                raise WireError("malformed", f"broken compression: {error}") from error
            data = self._stream.unconsumed_tail or self._stream.unused_data
            # A full piece may leave output inside zlib although all input was taken.
            more = bool(data) or (len(piece) == _STEP and not self._stream.eof)
            if piece:
                yield piece

    def finish(self) -> None:
        """Raises WireError when the stream ended before its own end mark."""
        if self._started and not self._stream.eof:
            raise WireError("malformed", "the compressed body ended early")


def decoder_for(encoding: str) -> Identity | Inflate:
    """Decoder of a Content-Encoding. Raises WireError for one that was never asked for."""
    name = encoding.strip().lower()
    if name in ("", "identity", "none", "utf-8"):
        return Identity()
    if name in ("gzip", "x-gzip", "deflate"):
        return Inflate()
    raise WireError("malformed", f"Content-Encoding {name[:40]!r} was not asked for")
