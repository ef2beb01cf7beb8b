"""What the migrations build is what the models and guards say: tables, checks, indexes with predicates, triggers."""

import pytest
from sqlalchemy import text

from core.store import guards
from core.store.engine import open_engine
from core.store.migrations.generate import VERSIONS, ddl, split
from core.store.tables import METADATA
from tests.conftest import database

MARK = "alembic_version"
CATALOGUE = {
    "column": "SELECT table_name || '.' || column_name, concat_ws(' ', data_type, is_nullable, column_default)"
    " FROM information_schema.columns WHERE table_schema = 'public'",
    "constraint": "SELECT conrelid::regclass || '.' || conname, pg_get_constraintdef(oid) || condeferred"
    " FROM pg_constraint WHERE connamespace = 'public'::regnamespace",
    "index": "SELECT indexname, indexdef FROM pg_indexes WHERE schemaname = 'public'",
    "trigger": "SELECT tgname, pg_get_triggerdef(oid) || tgenabled::text FROM pg_trigger WHERE NOT tgisinternal",
    "function": "SELECT proname, pg_get_functiondef(oid) FROM pg_proc WHERE pronamespace = 'public'::regnamespace",
}


def dump(engine):
    """Every object of the schema with its definition, as the database itself tells it."""
    with engine.connect() as connection:
        if engine.dialect.name == "sqlite":
            rows = connection.execute(text("SELECT type || ' ' || name, sql FROM sqlite_master WHERE sql IS NOT NULL"))
            found = {name: " ".join(sql.split()) for name, sql in rows}
        else:
            found = {
                f"{kind} {name}": definition
                for kind, query in CATALOGUE.items()
                for name, definition in connection.execute(text(query))
            }
    return {name: definition for name, definition in found.items() if MARK not in name}


def build_from_models(engine):
    """The schema without any migration."""
    METADATA.create_all(engine)
    with engine.begin() as connection:
        for statement in guards.statements(engine.dialect.name):
            connection.exec_driver_sql(statement, execution_options={"no_parameters": True})


@pytest.fixture
def modelled(engine, tmp_path, request):
    """A second database of the same kind, built from the models."""
    if engine.dialect.name == "sqlite":
        other = open_engine(f"sqlite:///{tmp_path / 'modelled.db'}")
        build_from_models(other)
        yield other
        other.dispose()
        return
    with database(request.getfixturevalue("postgres_server")) as url:
        other = open_engine(url)
        build_from_models(other)
        yield other
        other.dispose()


def test_a_migrated_database_is_what_models_and_guards_say(engine, modelled):
    migrated, said = dump(engine), dump(modelled)
    hint = "run `python -m core.store.migrations.generate` (before the first release) or write a revision"
    assert sorted(migrated) == sorted(said), hint
    for name, definition in said.items():
        assert migrated[name] == definition, hint


def test_the_comparison_sees_triggers_check_texts_and_index_predicates(engine):
    found = dump(engine)
    table = "table document" if engine.dialect.name == "sqlite" else "constraint document.ck_document_total"
    assert "document_line" in found["trigger document_line_refuse_overlap"]
    assert "net_minor + tax_minor" in found[table]
    assert "counts_as_billed" in found["index uq_document_line_billed_once"].split("WHERE")[1]


@pytest.mark.parametrize("dialect", ["sqlite", "postgresql"])
def test_the_scripts_of_the_first_revision_are_the_generated_ones(dialect):
    script = (VERSIONS / f"0001_first.{dialect}.sql").read_text(encoding="utf-8")
    assert [s.strip() for s in split(script)] == [s.strip() for s in ddl(dialect)]


def test_the_guards_join_the_metadata_once_however_often_they_are_loaded():
    before = list(ddl("sqlite"))
    guards.attach()
    assert list(ddl("sqlite")) == before
