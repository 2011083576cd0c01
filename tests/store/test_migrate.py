from __future__ import annotations

import importlib
import multiprocessing
import pkgutil

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import inspect, text

import nightlamp
from nightlamp.errors import StoreError, UnavailableError
from nightlamp.store import connect, metadata, schema, upgrade
from nightlamp.store.migrate import _config


def _import_all_tables() -> None:
    for module in pkgutil.walk_packages(nightlamp.__path__, "nightlamp."):
        if module.name.endswith(".tables"):
            importlib.import_module(module.name)


@pytest.fixture(params=["sqlite", "postgresql"])
def empty_url(request, tmp_path):
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'new' / 'empty.db'}"
    url = request.getfixturevalue("postgres_url")
    engine = connect(url)
    with engine.begin() as connection:
        connection.execute(text("DROP SCHEMA public CASCADE"))
        connection.execute(text("CREATE SCHEMA public"))
    engine.dispose()
    return url


def test_the_migrations_make_the_schema_that_the_tables_declare(engine):
    _import_all_tables()
    with engine.begin() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(context, metadata) == []
        for table in metadata.tables.values():  # what compare_metadata does not look at
            found = {c["name"] for c in inspect(connection).get_check_constraints(table.name)}
            wanted = {c.name for c in table.constraints if type(c).__name__ == "CheckConstraint"}
            assert found == wanted


def test_the_history_is_one_line():
    assert len(ScriptDirectory.from_config(_config()).get_heads()) == 1


def test_an_empty_database_is_brought_up_to_date_once(empty_url):
    engine = connect(empty_url)
    assert not schema(engine).current
    assert upgrade(engine).found == ""
    assert upgrade(engine).current
    assert schema(engine).current
    engine.dispose()


def _upgrade(url: str) -> str:
    engine = connect(url)
    return upgrade(engine).found


def test_many_nodes_that_start_at_once_upgrade_once(empty_url):
    # given a new database and several processes, when all upgrade it at the same time
    with multiprocessing.get_context("spawn").Pool(4) as pool:
        found = pool.map(_upgrade, [empty_url] * 4)
    # then one did the work and nobody failed
    assert sorted(found)[:2] == ["", schema(connect(empty_url)).wanted]


def test_a_newer_schema_is_refused(engine):
    with engine.begin() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    for step in (schema, upgrade):
        with pytest.raises(StoreError, match="newer than this version"):
            step(engine)


def test_a_migration_that_fails_leaves_the_schema_as_it_was(empty_url):
    # given a table that is in the way of the last statements of the first migration
    engine = connect(empty_url)
    with engine.begin() as connection:
        connection.execute(text("CREATE TABLE vault_hold (id integer)"))
    # when it is run
    with pytest.raises(StoreError, match="refused"):
        upgrade(engine)
    # then nothing of it is there
    assert inspect(engine).get_table_names() == ["vault_hold"]
    engine.dispose()


def test_a_database_that_is_away_is_said(tmp_path):
    engine = connect(f"postgresql://user:pa55word@/x?host={tmp_path}")
    with pytest.raises(UnavailableError) as caught:
        schema(engine)
    assert "pa55word" not in repr(caught.value)
    assert "config check" in str(caught.value)
