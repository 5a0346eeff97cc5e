# SPDX-License-Identifier: Apache-2.0
"""Real databases for tests: migrated once, copied for each test, opened as often as a test wants."""

import shutil
from dataclasses import dataclass, field
from pathlib import Path

from sqlalchemy import Engine

from wharfinger.metadata import migrations, postgresql, sqlite
from wharfinger.metadata.database import Database

KINDS = ("sqlite", "postgresql")


@dataclass
class Place:
    """One database. Each `open()` is a further instance over it, as another process of the deployment would be.

    Args:
        kind: `sqlite` or `postgresql`.
        where: the path of the file, or the URL.
    """

    kind: str
    where: str
    _instances: list[Database] = field(default_factory=list)
    _engines: list[Engine] = field(default_factory=list)

    @property
    def path(self) -> Path:
        """The file of the embedded database."""
        return Path(self.where)

    def open(self) -> Database:
        """Open one more instance; all are closed with the place."""
        made = sqlite.SqliteDatabase(self.path) if self.kind == "sqlite" else postgresql.PostgresDatabase(self.where)
        self._instances.append(made)
        return made

    def engine(self) -> Engine:
        """Return an engine for connections that a test moves by hand."""
        if self.kind == "sqlite":
            made = sqlite.open_engine(self.path, pooled=False)
        else:
            made = postgresql.open_engine(self.where)
        self._engines.append(made)
        return made

    async def aclose(self) -> None:
        """Close everything that was opened."""
        for instance in self._instances:
            await instance.aclose()
        for engine in self._engines:
            engine.dispose()


class Templates:
    """Migrated databases that nobody uses, to be copied: a copy takes less time than a migration.

    Args:
        folder: for the file of the embedded one.
        postgres: the cluster.
    """

    def __init__(self, folder, postgres):
        self._folder = folder
        self._postgres = postgres
        self._made = {}

    def empty(self, kind, folder) -> Place:
        """Return a database without any table."""
        return Place(kind, str(folder / "wharfinger.db") if kind == "sqlite" else self._postgres.database())

    def migrated(self, kind, folder) -> Place:
        """Return a database of its own with this version's schema."""
        template = self._made.get(kind)
        if template is None:
            template = self._made[kind] = self._make(kind)
        if kind == "sqlite":
            return Place(kind, str(shutil.copy(template.where, folder / "wharfinger.db")))
        return Place(kind, self._postgres.database(template.where))

    def drop(self, place) -> None:
        """Give the room back."""
        if place.kind == "postgresql":
            self._postgres.drop(place.where)

    def _make(self, kind):
        template = self.empty(kind, self._folder)
        engine = template.engine()
        migrations.upgrade(engine)
        engine.dispose()
        return template
