"""The shape of a suite file, for validation only."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field, PlainValidator

from qualmon.config import values
from qualmon.config.models import Strict


class MessageModel(Strict):
    """One turn."""

    role: Literal["system", "user", "assistant"] = Field(description="Who speaks.")
    content: str = Field(min_length=1, description="What is said.")


class ParamsModel(Strict):
    """What is asked of the sampler; only what stands here is sent."""

    temperature: float = Field(ge=0, le=2, description="0 for the most probable token.")
    max_tokens: int = Field(ge=1, description="Longest answer in tokens.")
    top_p: float | None = Field(None, gt=0, le=1, description="Nucleus; 1 is neutral.")
    top_k: int | None = Field(None, ge=0, description="Most probable tokens kept.")
    min_p: float | None = Field(None, ge=0, le=1, description="Least relative probability.")
    frequency_penalty: float | None = Field(None, ge=-2, le=2, description="0 is neutral.")
    presence_penalty: float | None = Field(None, ge=-2, le=2, description="0 is neutral.")
    seed: int | None = Field(None, description="Seed for servers that take one.")
    stop: list[str] | None = Field(None, min_length=1, description="Texts that end the answer.")
    logprobs: bool | None = Field(None, description="Ask for log-probabilities.")
    top_logprobs: int | None = Field(None, ge=0, le=20, description="Alternatives per token.")


class ExpectModel(Strict):
    """What a right answer looks like; what is absent is not judged."""

    scripts: list[str] | None = Field(None, min_length=1, description="ISO 15924 codes or names.")
    code: str | None = Field(None, min_length=1, description="Programming language.")
    answer: Any = Field(None, description="Text, number, or {text|number|regex|any: ..}.")
    copy_of: str | None = Field(None, min_length=1, description="The text to be repeated.")
    json_schema: dict[str, Any] | None = Field(None, description="JSON Schema of the answer.")
    tools: list[dict[str, Any]] | None = Field(None, description="Tools that may be called.")


class TokensModel(Strict):
    """Rough size of one exchange, for budgets."""

    input: int = Field(ge=1, description="Tokens of the prompt.")
    output: int = Field(ge=1, description="Tokens of the answer.")


class ProbeModel(Strict):
    """One fixed question."""

    id: Annotated[str, PlainValidator(values.segment)] = Field(description="Unique in the suite.")
    why: str = Field(min_length=1, description="Why this probe exists.")
    catches: str = Field(min_length=1, description="Which faults it shows.")
    source: str = Field(min_length=1, description="Where it comes from.")
    messages: list[MessageModel] = Field(min_length=1, description="What is sent.")
    params: ParamsModel = Field(description="Sampler settings.")
    expect: ExpectModel = Field(ExpectModel(), description="What a right answer looks like.")
    channels: list[str] = Field(min_length=1, description="Channels that it feeds.")
    bounds: dict[str, float] = Field(default_factory=dict, description="Healthy rate by channel.")
    expected_tokens: TokensModel = Field(description="Rough size of one exchange.")
    freshness: Literal["fixed", "salted"] = Field("fixed", description="Whether a salt is added.")
    reference: str | None = Field(None, min_length=1, description="One right answer.")
    choices: dict[str, float] = Field(
        default_factory=dict, description="Rough probability of each one-token answer."
    )


class SuiteFileModel(Strict):
    """A suite file; its probes are checked one by one."""

    suite: Annotated[str, PlainValidator(values.segment)] = Field(description="The suite's name.")
    version: str = Field(min_length=1, description="The author's mark for this edition.")
    probes: list[Any] = Field(min_length=1, description="The questions.")
