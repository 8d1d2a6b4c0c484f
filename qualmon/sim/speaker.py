"""What a model would say: the known answer to a canary prompt, else babble.

On a prompt with a reference answer every step holds 1 - delta on the next token of it, and
delta, log-uniform in DELTA by a hash, on Latin words that the language model finds likely
there. Whatever was sent, the next step goes on with the reference: the model recovers.
On a prompt with a choice of answers one step holds them all (qualmon.sim.border).
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Literal

from qualmon.sim.border import fraction, weighed
from qualmon.sim.language import WIDTH, Language
from qualmon.sim.pool import Pool
from qualmon.sim.sampler import Choice, Draw
from qualmon.sim.step import FOREIGN_MASS, Step
from qualmon.sim.vocabulary import is_word, split

#: Lowest and highest probability of leaving the reference at a step.
DELTA = (1e-7, 1e-4)

#: A reference text, or the probability of each one-token answer.
Answer = str | Mapping[str, float]

_STEPS_KEPT = 2048
_SCRIPTS_KEPT = 1024

Finish = Literal["stop", "length"]


class Speaker:
    """One model's voice in one pool of servers. `answers` maps prompt text to its answer."""

    def __init__(
        self,
        name: str,
        language: Language,
        answers: Mapping[str, Answer],
        pool: Pool | None = None,
    ) -> None:
        """`pool` None is the usual pool, which serves the model as it is."""
        self._name = name
        self._language = language
        self._answers = {prompt.strip(): answer for prompt, answer in answers.items()}
        self._pool = pool
        self._script = lru_cache(_SCRIPTS_KEPT)(self._build_script)
        self._babble_step = lru_cache(_STEPS_KEPT)(self._build_babble_step)

    def moved(self, pool: Pool) -> Speaker:
        """The same model in another pool."""
        return Speaker(self._name, self._language, self._answers, pool)

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
        """The steps of an answer; a pool that forgot a share of the prompt starts it late."""
        answer = self._answers[prompt]
        if not isinstance(answer, str):
            step = self._choice_step(prompt, answer)
            return (self._served(step, f"{prompt}\x1f0"),)
        tokens = split(answer)
        lost = self._pool.lost(len(split(prompt))) if self._pool else 0.0
        return tuple(
            self._served(
                self._reference_step(token, tokens[max(at - 2, 0) : at], self._delta(prompt, at)),
                f"{prompt}\x1f{at}",
            )
            for at, token in enumerate(tokens)
            if at >= int(lost * len(tokens))
        )

    def _served(self, step: Step, place: str) -> Step:
        return self._pool.served(step, f"{self._name}\x1f{place}") if self._pool else step

    def _delta(self, prompt: str, position: int) -> float:
        low, high = DELTA
        return float(low * (high / low) ** fraction(self._name, prompt, str(position)))

    def _reference_step(self, token: str, context: list[str], delta: float) -> Step:
        words = self._words(context, (token,))
        return Step([(token, 1.0 - delta), *_scaled(words, delta - FOREIGN_MASS)])

    def _choice_step(self, prompt: str, choices: Mapping[str, float]) -> Step:
        """The answers as this model weighs them; what they leave goes to likely words."""
        rest = max(1.0 - sum(choices.values()), self._delta(prompt, 0))
        answers = weighed(choices, self._name, prompt)
        ranked = _scaled(answers, 1.0 - rest)
        ranked += _scaled(self._words([], tuple(choices)), rest - FOREIGN_MASS)
        return Step(sorted(ranked, key=lambda item: -item[1]))

    def _words(self, context: list[str], but: tuple[str, ...]) -> list[tuple[str, float]]:
        likely = self._language.after(context)
        return [item for item in likely if is_word(item[0]) and item[0] not in but]

    def _babble(self, prompt: str, draw: Draw, limit: int) -> list[Choice]:
        context = tuple(split(prompt)[-2:])
        taken: list[Choice] = []
        for _ in range(limit):
            choice = draw(self._babble_step(context))
            taken.append(choice)
            context = (*context[-1:], choice[0].pieces[choice[1]])
        return taken

    def _build_babble_step(self, context: tuple[str, ...]) -> Step:
        step = Step(_scaled(self._language.after(context), 1.0 - FOREIGN_MASS))
        return self._served(step, "\x1f".join(context))


def _scaled(ranked: list[tuple[str, float]], mass: float) -> list[tuple[str, float]]:
    """The first WIDTH continuations, their weights scaled to sum to `mass`."""
    kept = ranked[:WIDTH]
    scale = mass / sum(weight for _, weight in kept)
    return [(piece, weight * scale) for piece, weight in kept]
