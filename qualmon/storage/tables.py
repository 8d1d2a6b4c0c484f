"""The schema: log (epochs, slots, observations, scores), fold (state, incidents, ...), notes.

Times are Unix seconds in float64. Columns that a server, a scorer or a person may have filled
with any text are bytes (codec.py). alembic/versions must build exactly this; a test compares.
"""

from __future__ import annotations

import sqlalchemy as sa

from qualmon.storage.codec import AnyText, Doubles, JsonBytes, PackedLogprobs
from qualmon.storage.dialect import KeyText

#: Schema revisions from the oldest to the one this program needs (tested against alembic/).
REVISIONS = ("0001",)

metadata = sa.MetaData(
    naming_convention={
        "pk": "pk_%(table_name)s",
        "fk": "fk_%(table_name)s_%(referred_table_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    }
)

meta = sa.Table(
    "meta",
    metadata,
    sa.Column("key", sa.Text, primary_key=True),
    sa.Column("value", AnyText, nullable=False),
)

#: Configurations as the fold saw them; a new row whenever the digest changes.
epochs = sa.Table(
    "epochs",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("at", sa.Double, nullable=False),
    sa.Column("digest", sa.Text, nullable=False),
    sa.Column("doc", sa.LargeBinary, nullable=False),
)

#: The ledger. `fence` grows with each claim; `members` and `epoch_id` are set once, by the
#: first claim that plans the round.
slots = sa.Table(
    "slots",
    metadata,
    sa.Column("suite", KeyText, primary_key=True),
    sa.Column("model", KeyText, primary_key=True),
    sa.Column("idx", sa.BigInteger, primary_key=True),
    sa.Column("due", sa.Double, nullable=False),
    sa.Column("every", sa.Double, nullable=False),
    sa.Column("state", sa.Text, nullable=False),
    sa.Column("owner", AnyText),
    sa.Column("lease_until", sa.Double),
    sa.Column("fence", sa.BigInteger, nullable=False, server_default="0"),
    sa.Column("members", JsonBytes),
    sa.Column("reason", sa.Text),
    sa.Column("closed_at", sa.Double),
    sa.Column("epoch_id", sa.Integer, sa.ForeignKey("epochs.id")),
    sa.CheckConstraint("state IN ('due', 'claimed', 'closed', 'missed')", name="state"),
    sa.CheckConstraint("state <> 'closed' OR members IS NOT NULL", name="closed_has_members"),
    sa.CheckConstraint("state <> 'missed' OR reason IS NOT NULL", name="missed_has_reason"),
    sa.Index(None, "due", "suite", "model", "idx", unique=True),
    sa.Index(None, "state", "reason"),
)

#: `outcome` is "ok" (the columns of a completion are filled) or a failure's kind.
observations = sa.Table(
    "observations",
    metadata,
    sa.Column("id", sa.Text, primary_key=True),
    sa.Column("suite", KeyText, nullable=False),
    sa.Column("model", KeyText, nullable=False),
    sa.Column("idx", sa.BigInteger, nullable=False),
    sa.Column("target", KeyText, nullable=False),
    sa.Column("probe", KeyText, nullable=False),
    sa.Column("probe_version", sa.Text, nullable=False),
    sa.Column("identity", KeyText, nullable=False),
    sa.Column("rung", sa.Integer, nullable=False),
    sa.Column("at", sa.Double, nullable=False),
    sa.Column("outcome", sa.Text, nullable=False),
    sa.Column("late", sa.Boolean, nullable=False),
    sa.Column("lagged", sa.Boolean, nullable=False),
    sa.Column("requests", sa.Integer, nullable=False),
    sa.Column("attempts", JsonBytes, nullable=False),
    sa.Column("total_seconds", sa.Double, nullable=False),
    sa.Column("text", AnyText),
    sa.Column("finish_reason", AnyText),
    sa.Column("refusal", AnyText),
    sa.Column("prompt_tokens", sa.BigInteger),
    sa.Column("output_tokens", sa.BigInteger),
    sa.Column("reasoning_tokens", sa.BigInteger),
    sa.Column("cached_tokens", sa.BigInteger),
    sa.Column("ttft_seconds", sa.Double),
    sa.Column("response_model", AnyText),
    sa.Column("response_id", AnyText),
    sa.Column("headers", JsonBytes),
    sa.Column("tool_calls", JsonBytes),
    sa.Column("logprobs_state", sa.Text),
    sa.Column("logprobs", PackedLogprobs),
    sa.Column("failure_detail", AnyText),
    sa.Column("failure_head", AnyText),
    sa.Column("failure_status", sa.BigInteger),
    sa.Column("failure_retry_after", sa.Double),
    sa.Column("failure_before_first_byte", sa.Boolean),
    sa.ForeignKeyConstraint(["suite", "model", "idx"], ["slots.suite", "slots.model", "slots.idx"]),
    sa.Index(None, "suite", "model", "idx"),
    sa.Index(None, "target", "at"),
)

#: Judgements only: a channel that could not judge an answer has no row.
scores = sa.Table(
    "scores",
    metadata,
    sa.Column("observation_id", sa.Text, sa.ForeignKey("observations.id"), primary_key=True),
    sa.Column("channel", sa.Text, primary_key=True),
    sa.Column("kind", sa.Text, nullable=False),
    sa.Column("value", sa.Double),
    sa.Column("category", AnyText),
    sa.Column("grid", Doubles),
    sa.Column("detail", JsonBytes),
    sa.CheckConstraint("(value IS NULL) <> (category IS NULL)", name="one_value"),
    sqlite_with_rowid=False,
)

state = sa.Table(
    "state",
    metadata,
    sa.Column("key", sa.Text, primary_key=True),
    sa.Column("value", sa.LargeBinary, nullable=False),
)

#: The last folded slot; one row, none before the first fold.
cursor = sa.Table(
    "cursor",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("suite", KeyText, nullable=False),
    sa.Column("model", KeyText, nullable=False),
    sa.Column("idx", sa.BigInteger, nullable=False),
    sa.Column("due", sa.Double, nullable=False),
    sa.Column("every", sa.Double, nullable=False),
    sa.CheckConstraint("id = 1", name="one_row"),
)

incidents = sa.Table(
    "incidents",
    metadata,
    sa.Column("id", sa.Text, primary_key=True),
    sa.Column("opened_at", sa.Double, nullable=False),
    sa.Column("updated_at", sa.Double, nullable=False),
    sa.Column("resolved_at", sa.Double),
    sa.Column("scope", sa.Text, nullable=False),
    sa.Column("family", sa.Text, nullable=False),
    sa.Column("kind", sa.Text, nullable=False),
    sa.Column("level", sa.Text, nullable=False),
    sa.Column("severity", sa.Text, nullable=False),
    sa.Column("doc", JsonBytes, nullable=False),
    sa.Index(None, "resolved_at", "opened_at"),
)

transitions = sa.Table(
    "transitions",
    metadata,
    sa.Column("id", sa.Text, primary_key=True),
    sa.Column("incident_id", sa.Text, sa.ForeignKey("incidents.id"), nullable=False),
    sa.Column("at", sa.Double, nullable=False),
    sa.Column("from_level", sa.Text, nullable=False),
    sa.Column("to_level", sa.Text, nullable=False),
    sa.Column("doc", JsonBytes, nullable=False),
    sa.Index(None, "incident_id", "at"),
)

#: Words of people; they outlive a rebuild of the fold, hence no reference to incidents.
acknowledgements = sa.Table(
    "acknowledgements",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("incident_id", sa.Text, nullable=False),
    sa.Column("at", sa.Double, nullable=False),
    sa.Column("who", AnyText, nullable=False),
    sa.Column("note", AnyText, nullable=False),
    sa.Column("action", sa.Text, nullable=False),
    sa.Index(None, "incident_id", "at"),
)
