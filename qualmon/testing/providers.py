"""The contract of a provider, played against it by a real server on loopback.

    class TestMine(ProviderContract):
        wire = MyWire()

        def make(self, endpoint):
            return MyProvider(endpoint)

Each method is one test; pytest finds them by name, and no plug-in is needed to run them.
"""

from __future__ import annotations

import asyncio
import gzip
from dataclasses import replace

from qualmon.testing.anthropic_wire import AnthropicWire
from qualmon.testing.checks import check, check_equal
from qualmon.testing.hostile import (
    Conversation,
    HostileServer,
    Received,
    Script,
    bomb,
    chunk,
    cut_everywhere,
    drip,
    head,
    reply,
    reset_after,
    silence,
    stream,
)
from qualmon.testing.provider_harness import (
    ANSWER,
    HASTY,
    KEY,
    LIMIT,
    REQUEST,
    ProviderHarness,
    check_failure,
)
from qualmon.testing.wires import OpenAIChatWire, Wire
from qualmon.types import Usage

__all__ = [
    "ANSWER", "KEY", "AnthropicWire", "Conversation", "HostileServer", "OpenAIChatWire",
    "ProviderContract", "Received", "Script", "Wire",
]  # fmt: skip

_BUSY = {429: "rate_limited", 500: "server_error", 503: "overloaded", 529: "overloaded"}


class ProviderContract(ProviderHarness):
    """Everything that a provider owes to the prober. Subclasses set `wire` and `make`."""

    # -- lawful answers ---------------------------------------------------------------------

    def test_answer_arrives_whole(self) -> None:
        """Text, tokens with bytes, usage, ids and finish reason come through, in both modes."""
        for streamed in (False, True):
            answer = self.answers(self.good(streamed), streamed)
            self.same(answer, ANSWER)
            check(answer.total_seconds > 0, "total_seconds is not measured")
            check_equal(answer.ttft_seconds is not None, streamed, "time to first token is known")

    def test_pieces_of_any_size(self) -> None:
        """A stream cut anywhere, through characters and line ends, reads the same."""
        whole = b"".join(self.wire.events(ANSWER))
        for size in (1, 7):
            pieces = list(cut_everywhere(whole, size))
            self.same(self.answers(stream(pieces), streamed=True), ANSWER)

    def test_line_ends_of_any_kind(self) -> None:
        """CR LF and CR end lines of a stream as LF does."""
        for line_end in (b"\r\n", b"\r"):
            events = [event.replace(b"\n", line_end) for event in self.wire.events(ANSWER)]
            self.same(self.answers(stream(events), streamed=True), ANSWER)

    def test_lawful_compression(self) -> None:
        """A server that compresses unasked is still understood."""
        body = gzip.compress(self.wire.body(ANSWER))
        script = reply(body, headers={"Content-Encoding": "gzip"})
        self.same(self.answers(script, streamed=False), ANSWER)

    def test_request_carries_its_id(self) -> None:
        """The request id travels as X-Client-Request-Id."""
        server = self.played(self.good(streamed=False), streamed=False)[1]
        check_equal(server.received[0].headers.get("x-client-request-id"), "request-1", "id")

    def test_tool_calls(self) -> None:
        """Calls come through in the common form, their arguments as text, in both modes."""
        function = {"name": "weather", "arguments": '{"place": "日本", "days": 2}'}
        calls = tuple({"id": f"c{n}", "type": "function", "function": function} for n in (1, 2))
        asked = replace(ANSWER, tool_calls=calls, finish_reason="tool_calls")
        for streamed in (False, True):
            self.same(self.answers(self.good(streamed, asked), streamed), asked)

    def test_null_content_is_an_answer(self) -> None:
        """No text but a finish reason is an empty answer."""
        answer = self.answers(reply(self.wire.null_content()), streamed=False)
        check_equal(answer.text, "", "text")

    def test_lone_surrogates_are_kept(self) -> None:
        """Half a surrogate pair and NUL are content, to be judged by a scorer."""
        odd = replace(ANSWER, text="a\ud800b\x00", logprobs=None)
        for streamed in (False, True):
            check_equal(self.answers(self.good(streamed, odd), streamed).text, odd.text, "text")

    def test_absurd_usage_is_missing(self) -> None:
        """Negative or missing counts are recorded as missing."""
        for lie in (Usage(-5, -1), Usage()):
            for streamed in (False, True):
                script = self.good(streamed, replace(ANSWER, usage=lie))
                check_equal(self.answers(script, streamed).usage, Usage(), "usage")

    def test_no_end_mark_after_finish_reason(self) -> None:
        """A stream without its end mark is an answer once the finish reason has come."""
        events = self.wire.events(ANSWER)[:-1]
        for held_open in (False, True):
            script = stream(events, held_open=held_open)
            self.same(self.answers(script, streamed=True, timeouts=HASTY), ANSWER)

    def test_data_after_end_mark(self) -> None:
        """What follows the end mark is ignored."""
        events = [*self.wire.events(ANSWER), b"data: {broken\n\n"]
        self.same(self.answers(stream(events), streamed=True), ANSWER)

    def test_cancellation_closes_the_socket(self) -> None:
        """Cancelling raises CancelledError and hangs up, before and within the answer."""
        for script in (silence(), drip(head(200, "text/event-stream"), b": wait\n\n")):
            asyncio.run(self._cancelled(script))

    # -- time and size ----------------------------------------------------------------------

    def test_no_connection(self) -> None:
        """A closed port is `connect`, before the first byte; no TLS is `tls`."""
        failure = asyncio.run(self.ask(self.endpoint("http://127.0.0.1:1")))
        check_failure(failure, "connect", before_first_byte=True)
        failure = self.played(silence(b"plain"), True, scheme="https")[0]
        check_failure(failure, "tls", before_first_byte=True)

    def test_silence(self) -> None:
        """No answer, or headers only, ends at the first-byte limit."""
        for first in (b"", head()):
            self.fails(
                silence(first), "timeout_first_byte", before_first_byte=not first, timeouts=HASTY
            )

    def test_slow_drip(self) -> None:
        """An answer that never ends slowly is cut at the total limit."""
        for script in (
            drip(head(), b" "),
            drip(head(200, "text/event-stream"), b": still here\n\n"),
        ):
            self.fails(script, "timeout_total", before_first_byte=False, timeouts=HASTY)

    def test_stream_without_end(self) -> None:
        """Events for ever without a finish reason end at the total limit."""
        script = stream(self.wire.events(ANSWER)[:3], held_open=True)
        self.fails(script, "timeout_total", timeouts=HASTY)

    def test_too_much(self) -> None:
        """Endless streams and giant bodies stop at max_body."""
        event = self.wire.events(ANSWER)[2]
        self.fails(drip(head(200, "text/event-stream"), event * 500, 0), "too_large")
        self.fails(reply(b" " * (4 * LIMIT)), "too_large")
        self.fails(drip(head(200, "text/event-stream"), b"x" * 65536, 0), "too_large")

    def test_compressed_bomb(self) -> None:
        """A small body that inflates without end stops at max_body, also as a stream."""
        packed = bomb(64)
        for kind in ("application/json", "text/event-stream"):
            script = reply(packed, content_type=kind, headers={"Content-Encoding": "gzip"})
            self.fails(script, "too_large")

    # -- broken answers ---------------------------------------------------------------------

    def test_undecodable(self) -> None:
        """Cut or invalid JSON, NaN, bytes that are not UTF-8, deep nesting: `malformed`."""
        body = self.wire.body(ANSWER)
        deep = b"[" * 100_000 + b"]" * 100_000
        odd = [b'{"odd":' + value + b"," + body[1:] for value in (b"NaN", b'"\xff"', deep)]
        for raw in (b"", b"{", b"not json", body[:-9], body + b"}", *odd):
            self.fails(reply(raw), "malformed")
            if raw:
                self.fails(stream([b"data: " + raw + b"\n\n"]), "malformed")

    def test_wrong_shape(self) -> None:
        """JSON that is no answer is `protocol`."""
        for raw in self.wire.wrong_types().values():
            self.fails(reply(raw), "protocol")

    def test_pages_and_error_objects(self) -> None:
        """A page with 200 is `malformed`, an error object with 200 `error_body`; in a stream it
        may have a kind of its own."""
        page = b"<!doctype html><title>Bad gateway</title>"
        self.fails(reply(page, content_type="text/html"), "malformed")
        self.fails(reply(page, content_type="text/html", status=502), "server_error")
        error = self.wire.error("no such thing")
        self.fails(reply(error), "error_body")
        events = [*self.wire.events(ANSWER)[:3], b"data: " + error + b"\n\n"]
        self.fails(stream(events), self.wire.error_in_stream)

    def test_cut_connections(self) -> None:
        """A reset in mid-body, or a length that promises more, is `reset`."""
        start = head(200, "text/event-stream", {"Transfer-Encoding": "chunked"})
        self.fails(reset_after(b""), "reset", before_first_byte=True)
        self.fails(reset_after(start + chunk(self.wire.events(ANSWER)[1])), "reset")
        body = self.wire.body(ANSWER)
        self.fails(reset_after(head(headers={"Content-Length": "9999"}) + body), "reset")
        self.fails(reply(body, announced=len(body) + 10), "reset")

    def test_lying_frames(self) -> None:
        """A length that cuts the body, or senseless framing, is `malformed`."""
        body = self.wire.body(ANSWER)
        self.fails(reply(body, announced=len(body) - 10), "malformed")
        broken = head(headers={"Transfer-Encoding": "chunked"}) + b"zz\r\n" + body
        self.fails(silence(broken), "malformed")
        self.fails(silence(b"SSH-2.0-OpenSSH_9\r\n"), "malformed")

    def test_truncated_stream(self) -> None:
        """A stream that ends properly but without a finish reason is `truncated_stream`."""
        self.fails(stream(self.wire.events(ANSWER)[:3]), "truncated_stream")
        self.fails(stream([]), "truncated_stream")

    # -- statuses ---------------------------------------------------------------------------

    def test_statuses(self) -> None:
        """Each HTTP status has its outcome; status and head are kept."""
        wanted = {
            400: "client_error", 401: "auth", 403: "auth", 404: "client_error",
            429: "rate_limited", 500: "server_error", 503: "overloaded", 529: "overloaded",
        }  # fmt: skip
        for status, kind in wanted.items():
            failure = self.fails(reply(self.wire.error("because"), status=status), kind)
            check_equal(failure.status, status, "status")
            check("because" in failure.head, f"the head is lost: {failure.head!r}")

    def test_retry_after(self) -> None:
        """Retry-After is read as seconds and as a date, whatever the error."""
        date, later = "Tue, 02 Sep 2025 10:00:00 GMT", "Tue, 02 Sep 2025 10:00:07 GMT"
        for value in ("7", later):
            headers = {"Retry-After": value, "Date": date}
            for status, kind in _BUSY.items():
                failure = self.fails(reply(b"", status=status, headers=headers), kind)
                check_equal(failure.retry_after, 7.0, "retry_after")

    def test_redirects_are_not_followed(self) -> None:
        """A redirect is a failure, and no credential goes to the other place."""
        asyncio.run(self._redirected())

    # -- secrets ----------------------------------------------------------------------------

    def test_echoed_key_is_masked(self) -> None:
        """A server that echoes the key finds it in no failure and no answer."""
        echo = f"you sent {KEY} and {KEY[:12]}..."
        call = {"id": KEY, "type": "function", "function": {"name": KEY, "arguments": "{}"}}
        leaky = replace(ANSWER, text=echo, finish_reason=KEY, logprobs=None, tool_calls=(call,))
        leaky = replace(leaky, response_model=KEY, response_id=KEY, fingerprint=KEY)
        error = self.wire.error(echo)
        scripts = [
            reply(error, status=401, headers={"X-Request-Id": KEY}),
            reply(b"." * 2040 + error, status=500),
            reply(error),
            reply(echo.encode(), content_type="text/html"),
            reply(b"", status=302, headers={"Location": f"http://127.0.0.1:1/?key={KEY}"}),
            reply(self.wire.body(leaky), headers={"X-Request-Id": KEY}),
            stream(self.wire.events(leaky), headers={"X-Request-Id": KEY}),
        ]
        for script in scripts:
            for streamed in (False, True):
                self._free_of_key(repr(self.played(script, streamed)[0]))

    async def _cancelled(self, script: Script) -> None:
        async with HostileServer(script) as server:
            provider = self.make(self.endpoint(server.root))
            asking = asyncio.ensure_future(provider.complete(REQUEST))
            await server.asked.wait()
            await asyncio.sleep(0.05)
            asking.cancel()
            (ended,) = await asyncio.gather(asking, return_exceptions=True)
            check(isinstance(ended, asyncio.CancelledError), f"cancelled, found {ended!r}")
            await asyncio.wait_for(server.hung_up.wait(), 5)
            await provider.aclose()

    async def _redirected(self) -> None:
        async with HostileServer(self.good(streamed=False)) as other:
            for status in (301, 302, 307, 308):
                script = reply(b"", status=status, headers={"Location": f"{other.root}/v1/steal"})
                async with HostileServer(script) as server:
                    result = await self.ask(self.endpoint(server.root))
                check_failure(result, "redirect")
            check_equal(other.received, [], "requests that followed a redirect")

    def _free_of_key(self, text: str) -> None:
        pieces = [KEY[at : at + 8] for at in range(len(KEY) - 7)]
        found = [piece for piece in pieces if piece in text]
        check_equal(found, [], f"pieces of the key in {text}")
