"""The first schema.

Revision: 0001
"""

from __future__ import annotations

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql

from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

#: Compared by code point, as Python compares the names that order the fold.
_KEY_TEXT = sa.Text().with_variant(postgresql.TEXT(collation="C"), "postgresql")


def upgrade() -> None:
    """Creates everything."""
    op.create_table(
        "acknowledgements",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("incident_id", sa.Text(), nullable=False),
        sa.Column("at", sa.Double(), nullable=False),
        sa.Column("who", sa.LargeBinary(), nullable=False),
        sa.Column("note", sa.LargeBinary(), nullable=False),
        sa.Column("action", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_acknowledgements")),
    )
    op.create_index(
        op.f("ix_acknowledgements_incident_id_at"),
        "acknowledgements",
        ["incident_id", "at"],
        unique=False,
    )
    op.create_table(
        "cursor",
        sa.Column("id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("suite", _KEY_TEXT, nullable=False),
        sa.Column("model", _KEY_TEXT, nullable=False),
        sa.Column("idx", sa.BigInteger(), nullable=False),
        sa.Column("due", sa.Double(), nullable=False),
        sa.Column("every", sa.Double(), nullable=False),
        sa.CheckConstraint("id = 1", name=op.f("ck_cursor_one_row")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_cursor")),
    )
    op.create_table(
        "epochs",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("at", sa.Double(), nullable=False),
        sa.Column("digest", sa.Text(), nullable=False),
        sa.Column("doc", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_epochs")),
    )
    op.create_table(
        "incidents",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("opened_at", sa.Double(), nullable=False),
        sa.Column("updated_at", sa.Double(), nullable=False),
        sa.Column("resolved_at", sa.Double(), nullable=True),
        sa.Column("scope", sa.Text(), nullable=False),
        sa.Column("family", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("level", sa.Text(), nullable=False),
        sa.Column("severity", sa.Text(), nullable=False),
        sa.Column("doc", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_incidents")),
    )
    op.create_index(
        op.f("ix_incidents_resolved_at_opened_at"),
        "incidents",
        ["resolved_at", "opened_at"],
        unique=False,
    )
    op.create_table(
        "meta",
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("value", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("key", name=op.f("pk_meta")),
    )
    op.create_table(
        "state",
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("value", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("key", name=op.f("pk_state")),
    )
    op.create_table(
        "slots",
        sa.Column("suite", _KEY_TEXT, nullable=False),
        sa.Column("model", _KEY_TEXT, nullable=False),
        sa.Column("idx", sa.BigInteger(), nullable=False),
        sa.Column("due", sa.Double(), nullable=False),
        sa.Column("every", sa.Double(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("owner", sa.LargeBinary(), nullable=True),
        sa.Column("lease_until", sa.Double(), nullable=True),
        sa.Column("fence", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("members", sa.LargeBinary(), nullable=True),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.Column("closed_at", sa.Double(), nullable=True),
        sa.Column("epoch_id", sa.Integer(), nullable=True),
        sa.CheckConstraint(
            "state IN ('due', 'claimed', 'closed', 'missed')", name=op.f("ck_slots_state")
        ),
        sa.CheckConstraint(
            "state <> 'closed' OR members IS NOT NULL", name=op.f("ck_slots_closed_has_members")
        ),
        sa.CheckConstraint(
            "state <> 'missed' OR reason IS NOT NULL", name=op.f("ck_slots_missed_has_reason")
        ),
        sa.ForeignKeyConstraint(["epoch_id"], ["epochs.id"], name=op.f("fk_slots_epochs")),
        sa.PrimaryKeyConstraint("suite", "model", "idx", name=op.f("pk_slots")),
    )
    op.create_index(
        op.f("ix_slots_due_suite_model_idx"), "slots", ["due", "suite", "model", "idx"], unique=True
    )
    op.create_index(op.f("ix_slots_state_reason"), "slots", ["state", "reason"], unique=False)
    op.create_table(
        "transitions",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("incident_id", sa.Text(), nullable=False),
        sa.Column("at", sa.Double(), nullable=False),
        sa.Column("from_level", sa.Text(), nullable=False),
        sa.Column("to_level", sa.Text(), nullable=False),
        sa.Column("doc", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(
            ["incident_id"], ["incidents.id"], name=op.f("fk_transitions_incidents")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_transitions")),
    )
    op.create_index(
        op.f("ix_transitions_incident_id_at"), "transitions", ["incident_id", "at"], unique=False
    )
    op.create_table(
        "observations",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("suite", _KEY_TEXT, nullable=False),
        sa.Column("model", _KEY_TEXT, nullable=False),
        sa.Column("idx", sa.BigInteger(), nullable=False),
        sa.Column("target", _KEY_TEXT, nullable=False),
        sa.Column("probe", _KEY_TEXT, nullable=False),
        sa.Column("probe_version", sa.Text(), nullable=False),
        sa.Column("identity", _KEY_TEXT, nullable=False),
        sa.Column("rung", sa.Integer(), nullable=False),
        sa.Column("at", sa.Double(), nullable=False),
        sa.Column("outcome", sa.Text(), nullable=False),
        sa.Column("late", sa.Boolean(), nullable=False),
        sa.Column("lagged", sa.Boolean(), nullable=False),
        sa.Column("requests", sa.Integer(), nullable=False),
        sa.Column("attempts", sa.LargeBinary(), nullable=False),
        sa.Column("total_seconds", sa.Double(), nullable=False),
        sa.Column("text", sa.LargeBinary(), nullable=True),
        sa.Column("finish_reason", sa.LargeBinary(), nullable=True),
        sa.Column("refusal", sa.LargeBinary(), nullable=True),
        sa.Column("prompt_tokens", sa.BigInteger(), nullable=True),
        sa.Column("output_tokens", sa.BigInteger(), nullable=True),
        sa.Column("reasoning_tokens", sa.BigInteger(), nullable=True),
        sa.Column("cached_tokens", sa.BigInteger(), nullable=True),
        sa.Column("ttft_seconds", sa.Double(), nullable=True),
        sa.Column("response_model", sa.LargeBinary(), nullable=True),
        sa.Column("response_id", sa.LargeBinary(), nullable=True),
        sa.Column("headers", sa.LargeBinary(), nullable=True),
        sa.Column("tool_calls", sa.LargeBinary(), nullable=True),
        sa.Column("logprobs_state", sa.Text(), nullable=True),
        sa.Column("logprobs", sa.LargeBinary(), nullable=True),
        sa.Column("failure_detail", sa.LargeBinary(), nullable=True),
        sa.Column("failure_head", sa.LargeBinary(), nullable=True),
        sa.Column("failure_status", sa.BigInteger(), nullable=True),
        sa.Column("failure_retry_after", sa.Double(), nullable=True),
        sa.Column("failure_before_first_byte", sa.Boolean(), nullable=True),
        sa.ForeignKeyConstraint(
            ["suite", "model", "idx"],
            ["slots.suite", "slots.model", "slots.idx"],
            name=op.f("fk_observations_slots"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_observations")),
    )
    op.create_index(
        op.f("ix_observations_suite_model_idx"),
        "observations",
        ["suite", "model", "idx"],
        unique=False,
    )
    op.create_index(
        op.f("ix_observations_target_at"), "observations", ["target", "at"], unique=False
    )
    op.create_table(
        "scores",
        sa.Column("observation_id", sa.Text(), nullable=False),
        sa.Column("channel", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("value", sa.Double(), nullable=True),
        sa.Column("category", sa.LargeBinary(), nullable=True),
        sa.Column("grid", sa.LargeBinary(), nullable=True),
        sa.Column("detail", sa.LargeBinary(), nullable=True),
        sa.CheckConstraint(
            "(value IS NULL) <> (category IS NULL)", name=op.f("ck_scores_one_value")
        ),
        sa.ForeignKeyConstraint(
            ["observation_id"], ["observations.id"], name=op.f("fk_scores_observations")
        ),
        sa.PrimaryKeyConstraint("observation_id", "channel", name=op.f("pk_scores")),
        sqlite_with_rowid=False,
    )


def downgrade() -> None:
    """Drops everything."""
    op.drop_table("scores")
    op.drop_index(op.f("ix_observations_target_at"), table_name="observations")
    op.drop_index(op.f("ix_observations_suite_model_idx"), table_name="observations")
    op.drop_table("observations")
    op.drop_index(op.f("ix_transitions_incident_id_at"), table_name="transitions")
    op.drop_table("transitions")
    op.drop_index(op.f("ix_slots_state_reason"), table_name="slots")
    op.drop_index(op.f("ix_slots_due_suite_model_idx"), table_name="slots")
    op.drop_table("slots")
    op.drop_table("state")
    op.drop_table("meta")
    op.drop_index(op.f("ix_incidents_resolved_at_opened_at"), table_name="incidents")
    op.drop_table("incidents")
    op.drop_table("epochs")
    op.drop_table("cursor")
    op.drop_index(op.f("ix_acknowledgements_incident_id_at"), table_name="acknowledgements")
    op.drop_table("acknowledgements")
