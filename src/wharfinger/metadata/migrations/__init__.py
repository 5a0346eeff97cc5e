# SPDX-License-Identifier: Apache-2.0
"""One linear history of the schema, the same for both databases.

`upgrade` brings a database to the newest revision under a lock, so that several nodes may start at once; `revision`
reads where it stands without loading the migration tool, because every start asks and almost none has to migrate.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from sqlalchemy import Connection, Engine, inspect, text
from sqlalchemy.exc import DBAPIError

from wharfinger.domain.errors import DatabaseUnavailable
from wharfinger.domain.sentences import Sentence

HEAD: Final = "0001"
"""The newest revision; a test compares it with the scripts."""
_LOCK: Final = 0x77_68_61_72_66
"""The number of the advisory lock that migrating nodes take on PostgreSQL."""


def revision(engine: Engine) -> str | None:
    """Return the revision of the database, or nothing for an empty one.

    Raises:
        DatabaseUnavailable: it does not answer; the message says where it was looked for.
    """
    with _reached(engine) as connection:
        if not inspect(connection).has_table("alembic_version"):
            return None
        found: str | None = connection.execute(text("SELECT version_num FROM alembic_version")).scalar()
        return found


def upgrade(engine: Engine, to: str = HEAD) -> None:
    """Bring the database to a revision in one transaction; concurrent callers wait for each other.

    Raises:
        DatabaseUnavailable: as `revision`.
    """
    from alembic import command  # noqa: PLC0415 - takes a third of a second to load, and almost no start needs it
    from alembic.config import Config  # noqa: PLC0415 - as above

    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent))
    with _reached(engine) as connection:
        _lock(connection)
        config.attributes["connection"] = connection
        command.upgrade(config, to)
        connection.commit()


@contextmanager
def _reached(engine: Engine) -> Iterator[Connection]:
    """Open a connection for somebody who reads the command's output: what is wrong, and nothing secret."""
    try:
        with engine.connect() as connection:
            yield connection
    except DBAPIError as error:
        where = engine.url.render_as_string(hide_password=True)
        message = Sentence(
            "The database %(where)s cannot be used: %(why)s", where=where, why=str(error.orig).partition(chr(10))[0]
        )
        raise DatabaseUnavailable(message) from error


def _lock(connection: Connection) -> None:
    if connection.dialect.name == "postgresql":
        connection.execute(text("SELECT pg_advisory_xact_lock(:number)"), {"number": _LOCK})
    else:
        connection.exec_driver_sql("BEGIN IMMEDIATE")
