"""The shape of qualmon.yaml, for validation and for the published JSON Schema.

These models stay inside the package: what leaves it is made of plain dataclasses.
"""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, PlainValidator, WithJsonSchema

from qualmon.config import values
from qualmon.types import IdentityMode

_DURATION_SCHEMA = {
    "oneOf": [
        {"type": "string", "pattern": r"^([0-9]+(\.[0-9]+)?(ms|s|m|h|d|w))+$"},
        {"type": "number", "exclusiveMinimum": 0},
    ]
}
_SECRET_SCHEMA = {
    "type": "object",
    "properties": {"env": {"type": "string"}, "file": {"type": "string"}},
    "additionalProperties": False,
    "minProperties": 1,
    "maxProperties": 1,
}
_TEXT_OR_SECRET = {"oneOf": [{"type": "string"}, _SECRET_SCHEMA]}

Duration = Annotated[float, PlainValidator(values.duration), WithJsonSchema(_DURATION_SCHEMA)]
Wait = Annotated[float, PlainValidator(values.wait), WithJsonSchema(_DURATION_SCHEMA)]
Every = Annotated[float, PlainValidator(values.every), WithJsonSchema(_DURATION_SCHEMA)]
Size = Annotated[
    int,
    PlainValidator(values.size),
    WithJsonSchema({"oneOf": [{"type": "string"}, {"type": "integer", "minimum": 1024}]}),
]
Rate = Annotated[
    float,
    PlainValidator(values.rate),
    WithJsonSchema({"type": "string", "pattern": r"^[0-9]+(\.[0-9]+)?/(s|m|h|d)$"}),
]
Address = Annotated[
    values.Address, PlainValidator(values.address), WithJsonSchema({"type": "string"})
]
WebUrl = Annotated[
    str, PlainValidator(values.web_url), WithJsonSchema({"type": "string", "format": "uri"})
]
Store = Annotated[
    str,
    PlainValidator(values.store),
    WithJsonSchema({"type": "string", "pattern": "^sqlite:///.+$"}),
]
Label = Annotated[
    str,
    PlainValidator(values.label),
    WithJsonSchema({"type": "string", "pattern": "^[a-z][a-z0-9_]{0,63}$"}),
]
Hook = Annotated[
    str | values.SecretRef, PlainValidator(values.hook), WithJsonSchema(_TEXT_OR_SECRET)
]
Name = Annotated[str, PlainValidator(values.name), WithJsonSchema({"type": "string"})]
Segment = Annotated[
    str, PlainValidator(values.segment), WithJsonSchema({"type": "string", "pattern": "^[^/]+$"})
]
Secret = Annotated[
    values.SecretRef, PlainValidator(values.secret_ref), WithJsonSchema(_SECRET_SCHEMA)
]
TextOrSecret = Annotated[
    str | values.SecretRef, PlainValidator(values.text_or_secret), WithJsonSchema(_TEXT_OR_SECRET)
]


_COUNT_SCHEMA = {"type": "integer", "minimum": 1, "maximum": 1000}


def _total(value: Any) -> Any:
    return value if isinstance(value, dict) else {"total": value}


def _count(value: Any) -> Any:
    return value if isinstance(value, dict) else {"count": value}


class Strict(BaseModel):
    """Refuses unknown keys and converts nothing silently."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, allow_inf_nan=False)


class FalsePagesModel(Strict):
    """The false-alarm budget of the whole fleet."""

    max: float = Field(1.0, gt=0, description="False pages allowed in the time `per`.")
    per: Duration = Field(90 * 86400.0, description="The time that `max` refers to.")


class RecoveryModel(Strict):
    """When an incident counts as over."""

    clean_for: Wait = Field(86400.0, description="Least time without a bad answer.")
    alpha: float = Field(0.001, gt=0, lt=1, description="Chance of closing a lasting fault.")


class TimeoutModel(Strict):
    """How long one request may take."""

    connect: Duration | None = Field(None, description="To connect; 10s, at most the total.")
    first_byte: Duration | None = Field(None, description="To the first byte of the answer.")
    total: Duration = Field(60.0, description="In all.")


class LimitsModel(Strict):
    """What may be asked of one target; a key that is absent means unlimited."""

    rate: Rate | None = Field(None, description="Most requests per time, such as 5/s.")
    concurrency: int | None = Field(None, ge=1, description="Most requests at one time.")
    requests_per_day: int | None = Field(None, ge=1, description="Most requests in a day.")
    usd_per_day: float | None = Field(None, gt=0, description="Most USD in a day; needs a price.")


class TargetModel(Strict):
    """One model on one platform by one route."""

    model: Name = Field(description="The model, as targets share it.")
    platform: Segment = Field(description="Who serves it.")
    route: Segment = Field("default", description="How it is reached on that platform.")
    provider: str = Field("openai_chat", description="The wire protocol.")
    url: WebUrl = Field(description="The base address that the protocol's own SDK takes.")
    api_key: Secret | None = Field(None, description="Where the key is found.")
    api_model: str | None = Field(None, min_length=1, description="The model's name on the wire.")
    labels: dict[Label, Name] = Field(default_factory=dict, description="Further axes and marks.")
    timeout: Annotated[
        TimeoutModel,
        BeforeValidator(
            _total,
            json_schema_input_type=TimeoutModel | Annotated[Any, WithJsonSchema(_DURATION_SCHEMA)],
        ),
    ] = Field(TimeoutModel(), description="A duration for the whole, or a mapping.")
    limits: LimitsModel = Field(LimitsModel(), description="What may be asked of this target.")
    stream: bool = Field(True, description="Ask for the answer as a stream.")
    max_body: Size = Field(16 * 2**20, description="Largest answer, after decompression.")
    ca_file: str | None = Field(None, min_length=1, description="Certificates of an own CA.")
    allow_insecure: bool = Field(False, description="Let the key travel over plain http.")
    neutral_sampler: bool = Field(
        False, description="Sampler settings that are not sent are neutral on this server."
    )
    extra_body: dict[str, Any] = Field(default_factory=dict, description="Sent in every request.")
    extra_headers: dict[str, TextOrSecret] = Field(
        default_factory=dict, description="Sent with every request."
    )


class IdentitiesModel(Strict):
    """As whom a suite's probes are sent."""

    count: int = Field(ge=1, le=1000, description="How many users each probe is sent as.")
    mode: IdentityMode = Field("fresh", description="New users in every round, or the same.")


class SuiteModel(Strict):
    """One suite of probes and how often it is asked."""

    name: str = Field(min_length=1, description="A shipped suite, or the path of a YAML file.")
    every: Every = Field(300.0, description="Time between two rounds of a model.")
    probes_per_round: int | None = Field(
        None, ge=1, description="Probes drawn for one round; 4, or all when there are fewer."
    )
    identities: Annotated[
        IdentitiesModel,
        BeforeValidator(
            _count,
            json_schema_input_type=IdentitiesModel | Annotated[Any, WithJsonSchema(_COUNT_SCHEMA)],
        ),
    ] = Field(IdentitiesModel(count=1), description="A number of fresh users, or a mapping.")
    models: list[Name] | None = Field(None, min_length=1, description="Only these models.")


class PriceModel(Strict):
    """USD per million tokens."""

    input: float = Field(ge=0, description="USD per million tokens of the prompt.")
    output: float = Field(ge=0, description="USD per million tokens of the answer.")


class AlertmanagerModel(Strict):
    """Alertmanager, for those who want no Prometheus rules."""

    url: WebUrl = Field(description="Base address of Alertmanager.")


class WebhookModel(Strict):
    """Any HTTP address that takes incidents as JSON."""

    url: Hook = Field(description="The address; {env: NAME} when it holds a token.")


class SinksModel(Strict):
    """Who is told about incidents, besides Prometheus."""

    alertmanager: AlertmanagerModel | None = Field(None, description="Push to Alertmanager.")
    webhook: WebhookModel | None = Field(None, description="POST to an address.")


class SectionsModel(Strict):
    """The whole file, with targets, suites and prices still to be checked one by one."""

    store: Store = Field("sqlite:///qualmon.db", description="Where evidence is kept.")
    listen: Address = Field(values.Address("127.0.0.1", 9464), description="Own address.")
    external_url: WebUrl | None = Field(None, description="How people reach the pages.")
    false_pages: FalsePagesModel = Field(FalsePagesModel(), description="False-alarm budget.")
    burn_in: Wait = Field(7 * 86400.0, description="Observe only, for this long.")
    nodes: list[list[str]] | None = Field(None, min_length=1, description="What may be blamed.")
    targets: list[Any] = Field(min_length=1, description="What is watched.")
    suites: list[Any] = Field(min_length=1, description="What is asked, and how often.")
    prices: dict[str, Any] = Field(default_factory=dict, description="By model or target key.")
    min_share: float = Field(0.001, ge=0, lt=1, description="Share of bad answers tolerated.")
    page_on_change: bool = Field(False, description="Complete changes page too.")
    recovery: RecoveryModel = Field(RecoveryModel(), description="When an incident is over.")
    drain: Wait = Field(30.0, description="Time to finish requests at SIGTERM.")
    sinks: SinksModel = Field(SinksModel(), description="Who is told.")


class FileModel(SectionsModel):
    """Configuration of qualmon."""

    targets: list[TargetModel] = Field(min_length=1, description="What is watched.")
    suites: list[SuiteModel] = Field(min_length=1, description="What is asked, and how often.")
    prices: dict[str, PriceModel] = Field(
        default_factory=dict, description="By model or target key."
    )
