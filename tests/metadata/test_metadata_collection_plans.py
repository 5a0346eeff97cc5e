# SPDX-License-Identifier: Apache-2.0
"""Collection asks by keys: no statement of it walks over a table, on either database, however small that is now."""

import pytest
from sqlalchemy import text

from wharfinger.metadata import collection, queues
from wharfinger.metadata.database import Statement

MAY_BE_WALKED = ("ix_repositories_purged_at", "SCAN anon_1")
"""An index of nothing but what is to be taken apart; the few rows that the statement itself has chosen."""


def statements(module):
    for name, value in vars(module).items():
        inside = value.values() if isinstance(value, dict) else value if isinstance(value, tuple) else [value]
        found = [one for one in inside if isinstance(one, Statement)]
        yield from ((f"{name}{number or ''}", one) for number, one in enumerate(found))


STATEMENTS = {
    f"{module.__name__.rpartition('.')[2]}.{name}": statement
    for module in (collection, queues)
    for name, statement in statements(module)
}


def test_there_are_statements_to_look_at():
    assert {"collection._MANIFEST", "collection._BLOB", "queues._DUE_BLOBS", "collection._PARTS3"} <= set(STATEMENTS)


@pytest.mark.parametrize("name", STATEMENTS)
def test_it_asks_by_a_key(connection, name):
    statement = STATEMENTS[name]
    plan = on_postgresql if connection.dialect.name == "postgresql" else on_sqlite
    walks = [line for line in plan(connection, statement) if not any(one in line for one in MAY_BE_WALKED)]
    assert walks == []


def on_sqlite(connection, statement):
    sql, names, constants = statement.for_sqlite
    values = [constants.get(name, 1) for name in names]
    rows = connection.connection.driver_connection.execute(f"EXPLAIN QUERY PLAN {sql}", values)
    return [row[3] for row in rows if row[3].startswith("SCAN")]


def on_postgresql(connection, statement):
    """Return what cannot be had but by a walk: with walks forbidden, the planner takes one only if it must."""
    connection.execute(text("SET LOCAL enable_seqscan = off"))
    compiled = statement.for_postgresql.compile(dialect=connection.dialect, column_keys=statement._columns)
    values = {name: 1 if value is None else value for name, value in compiled.params.items()}
    rows = connection.exec_driver_sql(f"EXPLAIN {compiled}", values)
    return [row[0] for row in rows if "Seq Scan" in row[0]]
