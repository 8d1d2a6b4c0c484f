"""Runs migrations on the connection that qualmon.storage.migrate hands over.

There is no alembic.ini: the caller opens the store, so that a migration runs inside one
transaction of the store's own kind and under its lock.
"""

from __future__ import annotations

from alembic import context
from qualmon.storage.tables import metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    render_as_batch=True,
    compare_type=True,
)
with context.begin_transaction():
    context.run_migrations()
