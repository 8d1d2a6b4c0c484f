"""What a healthy model would say: the known answer to a canary prompt, else babble.

On a known prompt every step holds 1 - delta on the next token of the reference answer, and
delta, log-uniform in DELTA by a hash, on Latin words that the language model finds likely
there. Whatever was sent, the next step goes on with the reference: the model recovers.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from functools import lru_cache
from typing import Literal

from qualmon.sim.language import WIDTH, Language
from qualmon.sim.sampler import Choice, Draw
from qualmon.sim.step import FOREIGN_MASS, Step
from qualmon.sim.vocabulary import is_word, split

#: Lowest and highest probability of leaving the reference at a step.
DELTA = (1e-7, 1e-4)

_STEPS_KEPT = 2048
_SCRIPTS_KEPT = 1024

Finish = Literal["stop", "length"]


class Speaker:
    """One model's voice. `answers` maps prompt text to reference answer."""

    def __init__(self, name: str, language: Language, answers: Mapping[str, str]) -> None:
        self._name = name
        self._language = language
        self._answers = {prompt.strip(): answer for prompt, answer in answers.items()}
        self._script = lru_cache(_SCRIPTS_KEPT)(self._build_script)
        self._babble_step = lru_cache(_STEPS_KEPT)(self._build_babble_step)

    def answer(self, turns: tuple[str, ...], draw: Draw, limit: int) -> tuple[list[Choice], Finish]:
        """At most `limit` choices in answer to the texts of a conversation, last one last."""
        prompt = self._known(turns)
        if prompt is None:
            return self._babble(turns[-1], draw, limit), "length"
        script = self._script(prompt)
        taken = [draw(step) for step in script[:limit]]
        return taken, "stop" if len(script) <= limit else "length"

    def _known(self, turns: tuple[str, ...]) -> str | None:
        """The canary prompt that was asked: all turns or the last one, perhaps below a salt."""
        for text in ("\n".join(turns).strip(), turns[-1].strip()):
            for prompt in (text, text.partition("\n")[2].strip()):
                if prompt in self._answers:
                    return prompt
        return None

    def _build_script(self, prompt: str) -> tuple[Step, ...]:
        tokens = split(self._answers[prompt])
        return tuple(
            self._reference_step(token, tokens[max(at - 2, 0) : at], self._delta(prompt, at))
            for at, token in enumerate(tokens)
        )

    def _delta(self, prompt: str, position: int) -> float:
        name = f"{self._name}\x1f{prompt}\x1f{position}".encode("utf-8", "surrogatepass")
        digest = hashlib.blake2b(name, digest_size=8).digest()
        low, high = DELTA
        return float(low * (high / low) ** (int.from_bytes(digest) / 2**64))

    def _reference_step(self, token: str, context: list[str], delta: float) -> Step:
        likely = self._language.after(context)
        others = [item for item in likely if is_word(item[0]) and item[0] != token]
        return Step([(token, 1.0 - delta), *_scaled(others, delta - FOREIGN_MASS)])

    def _babble(self, prompt: str, draw: Draw, limit: int) -> list[Choice]:
        context = tuple(split(prompt)[-2:])
        taken: list[Choice] = []
        for _ in range(limit):
            choice = draw(self._babble_step(context))
            taken.append(choice)
            context = (*context[-1:], choice[0].pieces[choice[1]])
        return taken

    def _build_babble_step(self, context: tuple[str, ...]) -> Step:
        return Step(_scaled(self._language.after(context), 1.0 - FOREIGN_MASS))


def _scaled(ranked: list[tuple[str, float]], mass: float) -> list[tuple[str, float]]:
    """The first WIDTH continuations, their weights scaled to sum to `mass`."""
    kept = ranked[:WIDTH]
    scale = mass / sum(weight for _, weight in kept)
    return [(piece, weight * scale) for piece, weight in kept]
