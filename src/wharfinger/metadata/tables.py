# SPDX-License-Identifier: Apache-2.0
"""How tables are declared: the types of columns, the names of constraints, and the one `metadata` that holds them."""

from typing import Final

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Column,
    ForeignKey,
    Identity,
    Index,
    Integer,
    MetaData,
    Table,
    Text,
    text,
)
from sqlalchemy.schema import SchemaItem

NAMING: Final = {
    "pk": "pk_%(table_name)s",
    "fk": "fk_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
}
metadata: Final = MetaData(naming_convention=NAMING)

INTEGER: Final = BigInteger().with_variant(Integer(), "sqlite")
TEXT: Final = Text().with_variant(Text(collation="C"), "postgresql")


def identifier() -> Column[int]:
    """Return the column `id`, which the database fills."""
    return Column("id", INTEGER, Identity(), primary_key=True)


def number(name: str, *, nullable: bool = False, default: int | None = None) -> Column[int]:
    """Return a column of integers; times, sizes and switches (0 or 1) are integers."""
    return Column(name, INTEGER, nullable=nullable, server_default=None if default is None else text(str(default)))


def words(name: str, *, nullable: bool = False, default: str | None = None) -> Column[str]:
    """Return a column of text, compared by bytes."""
    return Column(name, TEXT, nullable=nullable, server_default=default)


def key(name: str, target: str, *, nullable: bool = False, ondelete: str = "RESTRICT") -> Column[int]:
    """Return a column that refers to a row of another table."""
    return Column(name, INTEGER, ForeignKey(target, ondelete=ondelete), nullable=nullable)


def one_of(column: str, *values: str) -> CheckConstraint:
    """Return the check that a column has one of some values."""
    listed = ", ".join(f"'{value}'" for value in values)
    return CheckConstraint(f"{column} IN ({listed})", name=column)


def index(name: str, *columns: str, unique: bool = False, where: str | None = None) -> Index:
    """Return an index, of all rows or of those for which a condition holds."""
    condition = None if where is None else text(where)
    return Index(name, *columns, unique=unique, sqlite_where=condition, postgresql_where=condition)


def table(name: str, *parts: SchemaItem, numbered: bool = True) -> Table:
    """Return a strict table; one that is numbered never gives the id of a deleted row to another (`AUTOINCREMENT`)."""
    return Table(name, metadata, *parts, sqlite_strict=True, sqlite_autoincrement=numbered)
