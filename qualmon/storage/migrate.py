"""Schema migrations, run by alembic inside one transaction under the store's write lock."""

from __future__ import annotations

from typing import TYPE_CHECKING

import sqlalchemy as sa

from qualmon.errors import StoreError, StoreSchemaError
from qualmon.resources import data_path
from qualmon.storage import dialect
from qualmon.storage.database import Database
from qualmon.storage.place import check_place
from qualmon.storage.tables import REVISIONS

if TYPE_CHECKING:
    from alembic.config import Config

_VERSION = sa.table("alembic_version", sa.column("version_num", sa.Text))


def revision_of(connection: sa.Connection) -> str | None:
    """The schema's revision; None for an empty database.

    Raises StoreSchemaError when the database belongs to another program or a newer qualmon.
    """
    names = sa.inspect(connection).get_table_names()
    if not names:
        return None
    if _VERSION.name not in names:
        raise StoreSchemaError(
            f"{_place(connection)} holds the tables of another program ({', '.join(names[:3])})",
            remedy="Choose another file",
        )
    revision = connection.execute(sa.select(_VERSION)).scalar()
    if revision is not None and revision not in REVISIONS:
        raise StoreSchemaError(
            f"{_place(connection)} has revision {revision}; this program knows {REVISIONS[-1]}",
            remedy="Install the newer qualmon that wrote it, or use another store",
        )
    return revision


def prove_writable(connection: sa.Connection, revision: str | None) -> None:
    """Writes the revision that is there: a lock alone is granted on read-only files too."""
    if revision is not None:
        connection.execute(sa.update(_VERSION).values(version_num=revision))


def upgrade(url: str) -> tuple[str | None, str]:
    """Brings a store to this program's schema, creating the file if need be.

    Returns the revisions before and after. All or nothing; a second process waits for the
    first and finds nothing to do. Raises StoreError.
    """
    from alembic import command  # 0.2 s of import that an up-to-date store never needs

    check_place(url, create=True)
    database = Database(url, foreign_keys=False)
    try:
        with database.write() as connection:
            before = revision_of(connection)
            if before != REVISIONS[-1]:
                command.upgrade(alembic_config(connection), REVISIONS[-1])
            broken = dialect.broken_references(connection)
            if broken:
                raise StoreError(f"{_place(connection)}: {broken[0]}", remedy="Restore a backup")
        return before, REVISIONS[-1]
    finally:
        database.dispose()


def alembic_config(connection: sa.Connection) -> Config:
    """alembic's settings for the transaction given; there is no alembic.ini."""
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(data_path("alembic")).replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    config.attributes["connection"] = connection
    return config


def _place(connection: sa.Connection) -> str:
    return connection.engine.url.render_as_string(hide_password=True)
