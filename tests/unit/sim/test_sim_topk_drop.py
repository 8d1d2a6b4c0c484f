"""The binned top-k: its arithmetic, its rate, where it strikes, and what hides it."""

import math
import struct
from collections import Counter
from collections.abc import Iterator
from random import Random
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from qualmon.errors import QualmonError, UnknownNameError, UsageError
from qualmon.sim.faults import infect, parse_faults
from qualmon.sim.fleet import demo_fleet
from qualmon.sim.language import WIDTH, Language
from qualmon.sim.sampler import Asked, Choice, sampler
from qualmon.sim.speaker import Speaker
from qualmon.sim.step import FOREIGN_MASS, Sampling, Step
from qualmon.sim.topk_drop import TopKDrop, bfloat16, bins_for, drop_rate, survivors

TARGETS = demo_fleet().targets
AWS = next(target for target in TARGETS if target.platform == "aws")
GOOD: dict[str, Any] = {"id": "f1", "kind": "topk-drop", "node": "platform=aws"}
GREEDY, NEUTRAL = Sampling(0.0), Sampling()


def parsed(**values: Any) -> TopKDrop:
    """The fault's settings as they are understood."""
    return TopKDrop.parse(values, "fault 'f1'")


def peaked(delta: float, words: int = 30) -> Step:
    """A step with 1 - delta on one token and the rest spread over words, falling."""
    rest = delta - FOREIGN_MASS
    weights = [0.8**n for n in range(words)]
    return Step(
        [("yes", 1.0 - delta)]
        + [(f" w{n}", rest * weight / sum(weights)) for n, weight in enumerate(weights)]
    )


def steps(count: int, seed: int = 5) -> list[Step]:
    """Steps of many prompts: what is lost differs from one to the next."""
    random = Random(seed)
    return [peaked(10 ** random.uniform(-6, -1)) for _ in range(count)]


def drawn(
    some: list[Step], requests: int, sampling: Sampling = GREEDY, **settings: Any
) -> Iterator[tuple[Step, Choice]]:
    """Each step and the choice at it, for seeded requests with the fault."""
    faults = parse_faults([{**GOOD, "share": 1, **settings}], TARGETS, 0.0)
    for request in range(requests):
        asked = Asked(7, AWS, str(request))
        draw = infect(sampler(sampling, asked.random("tokens")), faults, asked, 1.0)
        for step in some:
            yield step, draw(step)


@pytest.mark.parametrize(
    ("rate", "batch"), [(0.002, 265), (0.01, 45), (0.05, 49), (0.5, 1), (0.0001, 4489)]
)
def test_the_rate_chooses_the_geometry(rate: float, batch: int) -> None:
    """The smallest batch in tiles of 44 whose arithmetic comes within 12 % of the rate."""
    fault = parsed(rate=rate)
    assert fault.batches == (batch,)
    assert fault.rate == batch % 44 / batch / 2 == drop_rate((batch,), 44)
    assert abs(fault.rate - rate) <= 0.12 * rate


def test_the_default_is_one_row_of_45() -> None:
    """44 + 1 rows: 1.1 % of tokens in half of the requests, bins for a recall of 95 %."""
    fault = parsed()
    assert (fault.batches, fault.tile, fault.bins, fault.share) == ((45,), 44, 768, 0.5)
    assert fault.rate == pytest.approx(1 / 90)
    assert not fault.logprobs_after


def test_sizes_may_be_stated() -> None:
    """Then the rate follows from them."""
    fault = parsed(batches=[9, 10], tile=8)
    assert fault.rate == (1 / 9 + 2 / 10) / 4
    assert [fault.batch(u) for u in (0.0, 0.2, 0.3, 0.49)] == [9, 9, 10, 10]
    assert all(fault.batch(u / 100) % 8 == 0 for u in range(50, 100))


def test_bins_reach_the_recall() -> None:
    """Whole lanes, and one lane less would miss the target."""
    for recall in (0.5, 0.8, 0.9, 0.95, 0.99):
        bins = bins_for(recall)
        assert bins % 128 == 0
        assert (1 - 1 / bins) ** (WIDTH - 1) >= recall
        assert bins == 128 or (1 - 1 / (bins - 128)) ** (WIDTH - 1) < recall


@pytest.mark.parametrize(
    ("change", "kind", "message"),
    [
        ({"rate": 0}, UsageError, r"rate 0\..*above 0"),
        ({"rate": 0.9}, UsageError, r"rate 0\.9.*0\.5"),
        ({"rate": 0.01, "tile": 1}, UsageError, r"tiles of 1 "),
        ({"rate": 0.01, "batches": [45]}, UsageError, r"rate 0\.01 and batches.*one of them"),
        ({"batches": []}, UsageError, r"batches \[\].*such as"),
        ({"batches": 45}, UsageError, r"batches 45.*list"),
        ({"batches": [88]}, UsageError, r"batches 88.*multiples of the tile, 44"),
        ({"batches": [45, True]}, UsageError, r"batches True"),
        ({"tile": 0}, UsageError, r"tile 0.*1 or more"),
        ({"bins": 1.5}, UsageError, r"bins 1\.5"),
        ({"share": 2}, UsageError, r"share 2.*at most 1"),
        ({"recall_target": 0}, UsageError, r"recall_target 0"),
        ({"logprobs_after": "yes"}, UsageError, r"logprobs_after 'yes'.*true or false"),
        ({"rats": 1}, UnknownNameError, r"'rats'.*logprobs_after"),
    ],
)
def test_a_wrong_setting_is_refused(
    change: dict[str, Any], kind: type[QualmonError], message: str
) -> None:
    """Each message names the fault, the value and the remedy."""
    with pytest.raises(kind, match=message):
        parse_faults([{**GOOD, **change}], TARGETS, 0.0)


@given(st.floats(-(2.0**99), 2.0**99, width=32).filter(lambda x: x == 0 or abs(x) > 1e-30))
def test_bfloat16_is_the_nearest_with_ties_to_even(value: float) -> None:
    """Against the definition: the two neighbours with 16 zero bits, the nearer one wins."""
    (bits,) = struct.unpack("<I", struct.pack("<f", value))
    below = bits & 0xFFFF0000
    near = [struct.unpack("<f", struct.pack("<I", b))[0] for b in (below, below + 0x10000)]
    distance = [abs(candidate - value) for candidate in near]
    even = near[(below >> 16) & 1]
    wanted = even if distance[0] == distance[1] else near[distance.index(min(distance))]
    assert bfloat16(np.array([value], dtype=np.float32))[0] == wanted


def test_a_winner_is_lost_exactly_where_rounding_went_up() -> None:
    """With more bins than tokens each is alone: about half of them survive, all rounded down."""
    kept = Counter[bool]()
    for step in steps(300):
        left = survivors(step, 1 << 20)
        kept[True] += len(left)
        kept[False] += step.healthy - len(left)
    assert kept[True] / kept.total() == pytest.approx(0.5, abs=0.02)


def test_one_bin_keeps_only_what_reaches_its_maximum() -> None:
    """The best token, or nothing; where nothing is left, everything is."""
    lengths = Counter(len(survivors(step, 1)) for step in steps(200))
    assert set(lengths) == {1, 31}
    assert lengths[1] == pytest.approx(100, abs=30)


def test_what_survives_hangs_on_the_deployment() -> None:
    """The same step in another build of the program loses other tokens."""
    step = peaked(0.01)
    assert survivors(step, 768, b"a") == survivors(step, 768, b"a")
    assert len({tuple(survivors(step, 768, str(n).encode())) for n in range(20)}) > 10


@pytest.mark.parametrize("rate", [0.002, 0.01, 0.05])
def test_the_best_token_is_dropped_at_the_rate(rate: float) -> None:
    """Temperature 0, 200,000 tokens of 2,000 steps: within four standard errors of the
    arithmetic, whose variance counts that a step loses its best token always or never."""
    expected, prompts, requests = parsed(rate=rate).rate, 2000, 100
    dropped = sum(choice[1] != 0 for _, choice in drawn(steps(prompts), requests, rate=rate))
    tokens = prompts * requests
    sd = math.sqrt(tokens * expected + prompts * (requests * expected) ** 2)
    assert abs(dropped - tokens * expected) <= 4 * sd
    assert abs(dropped / tokens - rate) <= 0.25 * rate


def test_only_the_stated_share_of_requests_is_struck() -> None:
    """Requests in full batches answer as the healthy fleet does, token for token."""
    some, struck = steps(400), 0
    faults = parse_faults([{**GOOD, "share": 0.3, "rate": 0.05}], TARGETS, 0.0)
    for request in range(200):
        asked = Asked(7, AWS, str(request))
        draw = infect(sampler(GREEDY, Random(0)), faults, asked, 1.0)
        struck += any(draw(step)[1] for step in some)
    assert struck == pytest.approx(60, abs=4 * math.sqrt(200 * 0.3 * 0.7))


def test_above_zero_the_draw_is_of_the_survivors() -> None:
    """At temperature 1 and in every step of a batch of one, what is sent is a survivor, with
    the survivors' own shares."""
    step, deployment = peaked(0.5), b"7\x1ff1"
    left = survivors(step, 768, deployment)
    counts = Counter(
        choice[1] for _, choice in drawn([step] * 200, 200, NEUTRAL, batches=[1], tile=44)
    )
    assert set(counts) <= set(left)
    mass = sum(math.exp(step.logprobs[index]) for index in left)
    for index in left:
        share = math.exp(step.logprobs[index]) / mass
        assert counts[index] / 40_000 == pytest.approx(share, abs=4 * math.sqrt(share / 40_000))


def test_sampler_settings_apply_to_the_survivors() -> None:
    """top_k 1 of the survivors is their best; so is temperature 0."""
    for step in steps(50):
        best = survivors(step, 768, b"7\x1ff1")[0]
        for sampling in (GREEDY, Sampling(1.0, top_k=1), Sampling(1.0, top_p=1e-9)):
            for _, choice in drawn([step], 3, sampling, batches=[1]):
                assert choice == (step, best)


def test_reports_come_from_before_the_fault() -> None:
    """The reported step is the healthy one, so that a dropped favourite shows as rank 2 or more."""
    ranks = [choice[1] for step, choice in drawn(steps(200), 5, batches=[1]) if choice[0] is step]
    assert len(ranks) == 1000
    assert sum(rank > 0 for rank in ranks) > 350


def test_reports_from_after_the_fault_show_nothing() -> None:
    """logprobs_after: at temperature 0 the sampled token always is the reported favourite, and
    the reported probabilities still sum to one: log-probabilities are blind to the fault."""
    changed = 0
    for step, (reported, index) in drawn(steps(300), 3, batches=[1], logprobs_after=True):
        assert index == 0
        assert math.fsum(map(math.exp, reported.logprobs)) == pytest.approx(1.0, abs=1e-9)
        assert list(reported.logprobs) == sorted(reported.logprobs, reverse=True)
        changed += reported.pieces[0] != step.pieces[0]
    assert changed > 300


def test_both_reports_say_the_same_text() -> None:
    """The switch changes what is reported, not what is sent."""
    some = steps(200)
    texts = [
        [reported.pieces[index] for _, (reported, index) in found]
        for found in (
            drawn(some, 20, NEUTRAL, rate=0.05, logprobs_after=after) for after in (False, True)
        )
    ]
    assert texts[0] == texts[1]


def test_answers_and_babble_are_struck(language: Language) -> None:
    """Known texts, choices and babble alike lose favourites; corruption still finds its pieces."""
    answers = {
        "Count.": "One two three four five six seven.",
        "Toss.": {"heads": 0.5, "tails": 0.4},
    }
    speaker = Speaker("m", language, answers)
    both = [{**GOOD, "batches": [1], "share": 1},
            {**GOOD, "id": "f2", "kind": "corruption", "rate": 0.2}]  # fmt: skip
    faults = parse_faults(both[::-1], TARGETS, 0.0)
    for prompt in ("Count.", "Toss.", "Why?"):
        dropped = foreign = 0
        for request in range(60):
            asked = Asked(request, AWS, "r")
            draw = infect(sampler(GREEDY, Random(0)), faults, asked, 1.0)
            choices, _ = speaker.answer((prompt,), draw, 10)
            dropped += sum(0 < index < step.healthy for step, index in choices)
            foreign += sum(index >= step.healthy for step, index in choices)
        assert dropped
        assert foreign


def test_requests_in_any_order_draw_the_same() -> None:
    """Batch size and rows hang on the request's name alone."""
    some = steps(50)
    faults = parse_faults([{**GOOD, "rate": 0.05}], TARGETS, 0.0)

    def answer(name: int) -> list[int]:
        asked = Asked(7, AWS, str(name))
        draw = infect(sampler(NEUTRAL, asked.random("tokens")), faults, asked, 1.0)
        return [draw(step)[1] for step in some]

    forward = [answer(name) for name in range(20)]
    assert [answer(name) for name in reversed(range(20))] == forward[::-1]
