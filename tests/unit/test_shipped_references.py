"""No channel of any shipped suite finds fault with a right answer, however it was sent."""

from __future__ import annotations

import pytest

from qualmon.config import load_suite, suite_names
from qualmon.pipeline import score
from qualmon.types import Completion, Probe

PROBES = [probe for name in suite_names() for probe in load_suite(name).probes]
WITHOUT_LOGPROBS = ("copy.exact", "answer.wrong", "draw.token")


@pytest.mark.parametrize("probe", PROBES, ids=lambda probe: f"{probe.suite}/{probe.id}")
def test_a_reference_is_right(probe: Probe) -> None:
    """With and without a final newline; every other stated choice too."""
    for answer in {str(probe.reference), *probe.choices}:
        for text in (answer, answer + "\n"):
            scores = score(probe, Completion(text, "stop"), sampler=probe.params)
            assert not any(each.value for each in scores if each.kind in ("event", "bounded"))
            for each in scores:
                assert each.value is not None or each.channel not in WITHOUT_LOGPROBS


@pytest.mark.parametrize("probe", PROBES, ids=lambda probe: f"{probe.suite}/{probe.id}")
def test_expectations_feed_their_channels(probe: Probe) -> None:
    """A stated copy, answer or choice is judged, and nothing else is asked to be."""
    fed = set(probe.channels)
    assert (probe.expect.copy_of is not None) == ({"copy.exact", "copy.edit"} <= fed)
    assert (probe.expect.answer is not None) == ("answer.wrong" in fed)
    assert bool(probe.choices) == ("draw.token" in fed)
