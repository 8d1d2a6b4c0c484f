"""JSON Schema of chat completions and of their stream chunks, with no other field allowed.

Written by hand after OpenAI's API reference ("The chat completion object", "The chat
completion chunk object"); what the reference calls optional is optional here.
"""

from typing import Any

DRAFT = "https://json-schema.org/draft/2020-12/schema"
FINISH = ["stop", "length", "tool_calls", "content_filter", "function_call"]


def closed(required: dict[str, Any], **optional: Any) -> dict[str, Any]:
    """An object of exactly these fields."""
    return {
        "type": "object",
        "properties": {**required, **optional},
        "required": list(required),
        "additionalProperties": False,
    }


def nullable(schema: dict[str, Any]) -> dict[str, Any]:
    """The schema, or null."""
    return {"anyOf": [schema, {"type": "null"}]}


def listed(schema: dict[str, Any]) -> dict[str, Any]:
    """A list of the schema's values."""
    return {"type": "array", "items": schema}


TEXT = {"type": "string"}
COUNT = {"type": "integer", "minimum": 0}
ENTRY = {
    "token": TEXT,
    "logprob": {"type": "number", "maximum": 0},
    "bytes": nullable(listed({"type": "integer", "minimum": 0, "maximum": 255})),
}
ENTRIES = nullable(listed(closed({**ENTRY, "top_logprobs": listed(closed(ENTRY))})))
LOGPROBS = nullable(closed({"content": ENTRIES, "refusal": ENTRIES}))
USAGE = closed(
    {"prompt_tokens": COUNT, "completion_tokens": COUNT, "total_tokens": COUNT},
    prompt_tokens_details=closed({}, cached_tokens=COUNT, audio_tokens=COUNT),
    completion_tokens_details=closed(
        {},
        reasoning_tokens=COUNT,
        audio_tokens=COUNT,
        accepted_prediction_tokens=COUNT,
        rejected_prediction_tokens=COUNT,
    ),
)
HEAD = {"id": TEXT, "created": COUNT, "model": TEXT}
EXTRA = {
    "system_fingerprint": nullable(TEXT),
    "service_tier": nullable({"enum": ["auto", "default", "flex", "scale", "priority"]}),
}
COMPLETION = {
    "$schema": DRAFT,
    **closed(
        {
            **HEAD,
            "object": {"const": "chat.completion"},
            "choices": listed(
                closed(
                    {
                        "index": COUNT,
                        "message": closed(
                            {
                                "role": {"const": "assistant"},
                                "content": nullable(TEXT),
                                "refusal": nullable(TEXT),
                            },
                            annotations=listed({"type": "object"}),
                        ),
                        "finish_reason": {"enum": FINISH},
                        "logprobs": LOGPROBS,
                    }
                )
            ),
        },
        **EXTRA,
        usage=USAGE,
    ),
}
CHUNK = {
    "$schema": DRAFT,
    **closed(
        {
            **HEAD,
            "object": {"const": "chat.completion.chunk"},
            "choices": listed(
                closed(
                    {
                        "index": COUNT,
                        "delta": closed(
                            {},
                            role={"const": "assistant"},
                            content=nullable(TEXT),
                            refusal=nullable(TEXT),
                        ),
                        "finish_reason": nullable({"enum": FINISH}),
                    },
                    logprobs=LOGPROBS,
                )
            ),
        },
        **EXTRA,
        usage=nullable(USAGE),
    ),
}
