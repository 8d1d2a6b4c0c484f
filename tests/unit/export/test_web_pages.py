"""The pages: what an on-call must find on them, and hostile text that stays text."""

from __future__ import annotations

from dataclasses import replace
from html.parser import HTMLParser
from urllib.parse import quote

import httpx
import pytest
from export_samples import (
    AT,
    HOSTILE,
    INCIDENT,
    RESOLVED,
    TARGETS,
    TICKET,
    fleet,
    hostile_example,
    hostile_fleet,
    status,
    view,
)

from qualmon.sinks.rules import alert_names
from qualmon.types import RouteCapability, UnjudgedChannel
from qualmon.web.app import make_app
from qualmon.web.fixed_view import FixedView
from qualmon.web.view import IncidentDetail, Transition


class Page(HTMLParser):
    """Tags, attributes and text of a page."""

    def __init__(self, body: str) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.attributes: list[tuple[str, str]] = []
        self.words = ""
        self.feed(body)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.attributes += [(name, value or "") for name, value in attrs]

    def handle_data(self, data: str) -> None:
        self.words += f" {data}"

    @property
    def text(self) -> str:
        """All text, white space folded."""
        return " ".join(self.words.split())


def client(shown: FixedView) -> httpx.AsyncClient:
    """A client of the pages over a view."""
    transport = httpx.ASGITransport(make_app(shown), raise_app_exceptions=False)
    return httpx.AsyncClient(transport=transport, base_url="http://q")


async def get(shown: FixedView, path: str, code: int = 200) -> Page:
    """A page, whose status and headers are checked."""
    async with client(shown) as http:
        answer = await http.get(path)
    assert answer.status_code == code, answer.text
    assert "default-src 'none'" in answer.headers["content-security-policy"]
    assert answer.headers["x-content-type-options"] == "nosniff"
    return Page(answer.text)


@pytest.fixture
def hostile() -> FixedView:
    """A view whose every text is hostile."""
    shown = FixedView(time=AT + 12, problems=[HOSTILE])
    snapshot = hostile_fleet()
    shown.show(snapshot)
    detail = IncidentDetail(
        snapshot.incidents[0],
        (Transition(float("inf"), "ok", "firing", HOSTILE),),
        (hostile_example(), hostile_example("x" * 100_000), hostile_example("\u202e" * 5000)),
    )
    shown.details["hostile"] = detail
    return shown


async def test_status_page_says_what_where_and_how_sure() -> None:
    """Node, share with interval, onset, cause, evidence, identities; why a ticket is no page."""
    page = await get(view(INCIDENT, TICKET, RESOLVED), "/")
    for words in (
        "2 open incidents", "1 page, 1 ticket", "platform=aws", "3.1 % (1.9 % to 4.8 %)",
        "2026-09-21 13:33:20 UTC", "output corruption 82 %", "19 of 612 answers",
        "3 of 4 identities", "recovering", "bound of token.argmax is not proven",
        "not yet known (0 % to 9.0 %)", "model=m-large", "at most one per 90 d",
    ):  # fmt: skip
        assert words in page.text, words


async def test_grid_shows_every_target_and_marks_what_is_stale() -> None:
    """Twelve targets; one is stale, one never answered: neither looks healthy."""
    page = await get(view(), "/")
    for target in TARGETS:
        assert target.key in page.text
    assert "stale 2.2 h" in page.text
    assert "never" in page.text
    assert "2 without a judged answer for 30 min" in page.text
    assert "0.98" in page.text


async def test_no_data_is_not_shown_as_health() -> None:
    """An empty fleet, and a fleet gone stale, are not fine."""
    assert "Nothing is being watched" in (await get(FixedView(), "/")).text
    late = view()
    late.time = AT + 90_000
    assert "Nothing is being watched" in (await get(late, "/")).text


async def test_channel_without_recent_answers_is_a_dash() -> None:
    """Not 0 %, which would look like health."""
    shown = view()
    shown.show(replace(fleet(), channels=(status(TARGETS[0].key, "script.run", n=0),)))
    for path in ("/", f"/targets/{TARGETS[0].key}"):
        text = (await get(shown, path)).text
        assert "–" in text
        assert "0 % 0" not in text


async def test_incident_page_marks_the_offending_characters() -> None:
    """The examples, their marks and names, the course, and the way to the runbook."""
    page = await get(view(INCIDENT), "/incidents/i-7f3a9c")
    for words in ("U+0E2A THAI CHARACTER SO SUA", "copy-weather", "<U+202E>", "suspect → firing",
                  "crossed 10^4.1", "What to do"):  # fmt: skip
        assert words in page.text, words
    assert "mark" in page.tags
    assert ("href", "/runbooks/QualmonRegressionPage") in page.attributes


async def test_moved_incident_says_where_it_opened() -> None:
    """Blame that moved is told."""
    shown = view(replace(INCIDENT, id="i-9", opened_scope="hardware=gpu"))
    assert "Opened on hardware=gpu" in (await get(shown, "/incidents/i-9")).text


@pytest.mark.parametrize("index", [0, 7])
async def test_target_page_by_its_percent_encoded_key(index: int) -> None:
    """Channels, labels, incidents."""
    key = TARGETS[index].key
    page = await get(view(INCIDENT), f"/targets/{quote(key, safe='')}")
    assert f"{key} provider openai_chat hardware" in page.text
    assert "token.drop" in page.text


async def test_target_page_says_what_cannot_be_judged_and_why() -> None:
    """What the route offers, since when, and each silent channel with its reason."""
    key, other = TARGETS[0].key, TARGETS[1].key
    shown = view()
    shown.show(
        replace(
            fleet(),
            capabilities=(
                RouteCapability(key, "logprobs", "rejected", AT - 3600),
                RouteCapability(other, "logprobs", "present", AT - 3600),
            ),
            unjudged=(
                UnjudgedChannel(key, "token.rank", "no logprobs (rejected)", 41),
                UnjudgedChannel(other, "code.fail", "an open fence", 1),
            ),
        )
    )
    page = await get(shown, f"/targets/{key}")
    for words in (
        "logprobs refused; left out of requests, asked for again once a day since 2026-09-21",
        "What cannot be judged here", "token.rank no logprobs (rejected) 41",
    ):  # fmt: skip
        assert words in page.text, words
    assert "an open fence" not in page.text
    assert "offered" not in page.text
    assert "logprobs offered since" in (await get(shown, f"/targets/{other}")).text
    assert "What cannot be judged here" not in (await get(shown, f"/targets/{TARGETS[2].key}")).text


async def test_status_page_says_what_may_page() -> None:
    """Proven and unproven channels of each model; burn-in while it lasts and not after."""
    page = await get(view(), "/")
    proven = "code.fail, logprob.order, script.char, script.run, script.word"
    assert "What may page" in page.text
    assert f"m-large {proven}, token.argmax, token.drop finish.length m-small {proven}" in page.text
    assert "Burn-in" not in page.text
    shown = view()
    shown.show(replace(fleet(), burn_in_until=AT + 12 + 2 * 86400))
    words = "Burn-in until 2026-09-23 14:13:32 UTC, 2 d from now: nothing pages before"
    assert words in (await get(shown, "/")).text
    shown.time = AT + 3 * 86400
    assert "Burn-in" not in (await get(shown, "/")).text


async def test_target_without_data_is_not_health() -> None:
    """Says so."""
    page = await get(view(), f"/targets/{TARGETS[-1].key}")
    assert "That is not health" in page.text


@pytest.mark.parametrize("name", alert_names())
async def test_every_alert_has_its_runbook_page(name: str) -> None:
    """Laid out, not raw Markdown."""
    page = await get(FixedView(), f"/runbooks/{name}")
    assert {"h1", "h2", "pre", "ol"} <= page.tags
    assert "First five minutes" in page.text
    assert "```" not in page.text
    assert "## " not in page.text


@pytest.mark.parametrize(
    "path",
    ["/incidents/none", "/targets/none", "/runbooks/none", "/runbooks/..%2F..%2FREADME", "/none",
     f"/incidents/{quote(HOSTILE, errors='replace')}"],
)  # fmt: skip
async def test_unknown_things_are_a_plain_404(path: str) -> None:
    """A page with a way back."""
    page = await get(view(), path, 404)
    assert "Status page" in page.text


async def test_hostile_text_stays_text(hostile: FixedView) -> None:
    """No tag, no attribute and no invisible character of it reaches a page; nothing is endless."""
    target = quote(hostile.state.targets[0].key, errors="replace", safe="")
    for path in ("/", "/incidents/hostile", f"/targets/{target}"):
        async with client(hostile) as http:
            answer = await http.get(path)
        page = Page(answer.text)
        assert not page.tags & {"script", "style", "iframe", "img"}, path
        assert not [name for name, _ in page.attributes if name.startswith(("on", "style"))]
        assert not set(answer.text) & {"\u202e", "\x00", "\udc80"}
        assert len(answer.content) < 60_000, path
        if answer.status_code == 200:
            assert "<script>alert(1)</script><U+" in page.text
            assert "{{7*7}}" in page.text


async def test_a_failing_view_is_a_500_without_details() -> None:
    """The log says why; the page does not."""
    shown = view()
    shown.details = None  # type: ignore[assignment]
    page = await get(shown, "/incidents/x", 500)
    assert "The log says why" in page.text
    assert "Traceback" not in page.text


async def test_only_reading_is_served() -> None:
    """Other methods are refused."""
    async with client(view()) as http:
        assert (await http.post("/")).status_code == 405
        assert (await http.head("/")).status_code == 200
        css = await http.get("/static/qualmon.css")
        assert css.headers["content-type"].startswith("text/css")


async def test_open_pages_load_themselves_anew() -> None:
    """By a meta element, as there is no script."""
    for path in ("/", "/incidents/i-7f3a9c"):
        assert ("http-equiv", "refresh") in (await get(view(INCIDENT), path)).attributes
    resolved = view(RESOLVED)
    assert ("http-equiv", "refresh") not in (await get(resolved, "/incidents/i-1")).attributes


async def test_status_page_of_a_large_fleet_is_bounded_by_its_size() -> None:
    """A thousand targets render; every row is there."""
    many = tuple(replace(TARGETS[0], route=f"r{k}") for k in range(1000))
    shown = view()
    shown.show(replace(fleet(INCIDENT), targets=many, channels=()))
    assert (await get(shown, "/")).text.count("never") >= 1000
