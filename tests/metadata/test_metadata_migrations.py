# SPDX-License-Identifier: Apache-2.0
import multiprocessing
from concurrent.futures import ThreadPoolExecutor

import pytest
from alembic.config import Config
from alembic.script import ScriptDirectory
from sqlalchemy import CheckConstraint, create_engine, inspect, text
from sqlalchemy.exc import IntegrityError

from tests.metadata.rows import NOW, REGISTRY, every, make_repository
from wharfinger.metadata import migrations, postgresql, schema, sqlite
from wharfinger.metadata.schema import registries, repositories, tags

ID = r"""INSERT INTO accounts (kind, name, created_at) VALUES ('user', 'a', 0) RETURNING id"""


def test_the_newest_revision_is_that_of_the_newest_script():
    config = Config()
    config.set_main_option("script_location", str(migrations.__path__[0]))
    assert ScriptDirectory.from_config(config).get_current_head() == migrations.HEAD


def test_a_database_without_tables_has_no_revision(empty_place):
    assert migrations.revision(empty_place.engine()) is None


def test_migrating_leads_from_nothing_to_the_newest_revision(empty_place):
    engine = empty_place.engine()
    migrations.upgrade(engine)
    assert migrations.revision(engine) == migrations.HEAD


def test_migrating_brings_the_default_registry(empty_place):
    engine = empty_place.engine()
    migrations.upgrade(engine)
    with engine.connect() as connection:
        assert [row["name"] for row in every(connection, registries)] == ["default"]


def test_migrating_again_changes_nothing(empty_place):
    engine = empty_place.engine()
    migrations.upgrade(engine)
    with engine.begin() as connection:
        make_repository(connection)
    migrations.upgrade(engine)
    with engine.connect() as connection:
        assert len(every(connection, repositories)) == 1


def test_threads_that_migrate_at_once_wait_for_each_other(empty_place):
    def migrate(_number):
        engine = empty_place.engine()
        migrations.upgrade(engine)
        return migrations.revision(engine)

    with ThreadPoolExecutor(4) as threads:
        assert set(threads.map(migrate, range(4))) == {migrations.HEAD}


def test_processes_that_migrate_at_once_wait_for_each_other(empty_place):
    context = multiprocessing.get_context("spawn")
    with context.Pool(3) as processes:
        found = processes.starmap(_migrate, [(empty_place.kind, empty_place.where)] * 3, chunksize=1)
    assert found == [migrations.HEAD] * 3


def _migrate(kind, where):
    engine = sqlite.open_engine(where, pooled=False) if kind == "sqlite" else postgresql.open_engine(where)
    try:
        migrations.upgrade(engine)
        return migrations.revision(engine)
    finally:
        engine.dispose()


def test_the_migrated_schema_is_the_one_in_the_code(place, templates, tmp_path_factory):
    """`create_all` and the scripts must build the same tables: names, types, nullability, keys, indexes, checks."""
    other = templates.empty(place.kind, tmp_path_factory.mktemp("declared"))
    engine = other.engine()
    schema.metadata.create_all(engine)
    migrated, declared = _described(place.engine()), _described(engine)
    engine.dispose()
    templates.drop(other)
    assert set(migrated) == set(declared)
    for name, table in declared.items():
        assert migrated[name] == table, name


def _described(engine):
    """What the inspector says of every table, in an order of its own."""
    found = {}
    inspector = inspect(engine)
    for name in inspector.get_table_names():
        if name == "alembic_version":
            continue
        found[name] = {
            "columns": {
                column["name"]: (
                    str(column["type"]),
                    getattr(column["type"], "collation", None),
                    column["nullable"],
                    column["default"],
                    column.get("identity"),
                )
                for column in inspector.get_columns(name)
            },
            "primary key": _primary_key(inspector, name),
            "foreign keys": sorted(
                (
                    key["name"],
                    key["constrained_columns"],
                    key["referred_table"],
                    key["referred_columns"],
                    key["options"],
                )
                for key in inspector.get_foreign_keys(name)
            ),
            "unique": sorted((key["name"], key["column_names"]) for key in inspector.get_unique_constraints(name)),
            "checks": sorted((key["name"], key["sqltext"]) for key in inspector.get_check_constraints(name)),
            "indexes": sorted(
                (
                    index["name"],
                    index["column_names"],
                    bool(index["unique"]),
                    str(sorted((key, str(value)) for key, value in index["dialect_options"].items())),
                )
                for index in inspector.get_indexes(name)
            ),
        }
    return found


def _primary_key(inspector, name):
    key = inspector.get_pk_constraint(name)
    return key["name"], key["constrained_columns"]


def test_the_migrated_sql_of_sqlite_is_the_one_in_the_code(sqlite_place, tmp_path):
    """The inspector sees neither STRICT nor AUTOINCREMENT; the text of the tables has both."""
    engine = create_engine(f"sqlite:///{tmp_path / 'declared.db'}")
    schema.metadata.create_all(engine)
    declared = _flags(engine)
    engine.dispose()
    assert _flags(sqlite_place.engine()) == declared


def _flags(engine):
    with engine.connect() as connection:
        rows = connection.execute(
            text("SELECT name, sql FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%'")
        ).all()
    return {
        name: (sql.rstrip().upper().endswith("STRICT"), "AUTOINCREMENT" in sql)
        for name, sql in rows
        if name != "alembic_version"
    }


def test_every_table_of_sqlite_is_strict(sqlite_place):
    assert all(strict for strict, _ in _flags(sqlite_place.engine()).values())


def test_every_constraint_has_a_name():
    for table in schema.metadata.tables.values():
        for constraint in table.constraints:
            if isinstance(constraint, CheckConstraint) or constraint.name is not None:
                assert constraint.name, (table.name, constraint)
        assert table.primary_key.columns


def test_the_id_of_a_deleted_row_is_never_given_again(connection):
    first = connection.execute(text(ID)).scalar()
    connection.execute(text("DELETE FROM accounts"))
    assert connection.execute(text(ID)).scalar() > first


def test_a_number_column_takes_no_text(sqlite_place):
    with sqlite_place.engine().connect() as connection, pytest.raises(IntegrityError, match="cannot store TEXT"):
        connection.execute(text("INSERT INTO accounts (kind, name, created_at) VALUES ('user', 'a', 'soon')"))


def test_foreign_keys_are_enforced(connection):
    missing = {"repository_id": 4711, "name": "v1", "manifest_id": 4712, "moved_at": NOW}
    with pytest.raises(IntegrityError), connection.begin_nested():
        connection.execute(tags.insert().values(missing))


def test_a_value_outside_its_list_is_refused(connection):
    row = {"registry_id": REGISTRY, "name": "x", "visibility": "secret", "created_at": 0, "changed_at": 0}
    with pytest.raises(IntegrityError), connection.begin_nested():
        connection.execute(repositories.insert().values(row))


def test_a_live_name_is_unique_and_a_deleted_one_is_free(connection):
    row = {"registry_id": REGISTRY, "name": "x", "visibility": "private", "created_at": 0, "changed_at": 0}
    connection.execute(repositories.insert().values(**row, deleted_at=1))
    connection.execute(repositories.insert().values(**row, deleted_at=2))
    connection.execute(repositories.insert().values(**row))
    with pytest.raises(IntegrityError), connection.begin_nested():
        connection.execute(repositories.insert().values(**row))
