"""Starting on any database: empty, current, foreign, newer, half migrated, or no database at all."""

import multiprocessing
import sqlite3

import pytest
from sqlalchemy import inspect, text

from core.domain.errors import Conflict, InvalidInput
from core.store import migrate as migration
from core.store.engine import PRAGMAS, open_engine, reading, writing
from core.store.migrate import current_revision, migrate, newest_revision
from core.store.save import insert_many
from core.store.tables import METADATA, Plan
from tests.conftest import database


@pytest.fixture(params=["sqlite", "postgresql"])
def empty_url(request, tmp_path):
    """The address of an empty database."""
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path / 'new' / 'forbli.db'}"
        return
    with database(request.getfixturevalue("postgres_server")) as url:
        yield url


@pytest.fixture
def empty(empty_url):
    engine = open_engine(empty_url)
    yield engine
    engine.dispose()


def start(url, barrier):
    """What a process does at its start."""
    engine = open_engine(url)
    barrier.wait(30)
    migrate(engine)
    engine.dispose()


def test_an_empty_database_gets_all_tables_and_its_version(empty):
    migrate(empty)
    assert set(inspect(empty).get_table_names()) == {*METADATA.tables, "alembic_version"}
    with empty.connect() as connection:
        assert current_revision(connection) == newest_revision()


def test_migrating_again_changes_nothing(empty):
    migrate(empty)
    with writing(empty) as session:
        insert_many(session, Plan, [{"code": "basic"}])
    migrate(empty)
    migrate(empty)
    with reading(empty) as session:
        assert session.execute(text("SELECT code FROM plan")).scalars().all() == ["basic"]


def test_of_processes_that_start_together_one_migrates_and_the_others_wait(empty_url):
    spawn = multiprocessing.get_context("spawn")
    barrier = spawn.Barrier(3)
    processes = [spawn.Process(target=start, args=(empty_url, barrier)) for _ in range(3)]
    for process in processes:
        process.start()
    for process in processes:
        process.join(120)
    assert [process.exitcode for process in processes] == [0, 0, 0]
    engine = open_engine(empty_url)
    with engine.connect() as connection:
        assert connection.execute(text("SELECT version_num FROM alembic_version")).scalars().all() == [
            newest_revision()
        ]
    engine.dispose()


def test_a_migration_that_breaks_leaves_nothing_and_can_be_run_again(empty, monkeypatch):
    upgrade = migration._upgrade

    def break_at_the_end(connection):
        upgrade(connection)
        raise RuntimeError("power cut")

    monkeypatch.setattr(migration, "_upgrade", break_at_the_end)
    with pytest.raises(RuntimeError, match="power cut"):
        migrate(empty)
    assert inspect(empty).get_table_names() == []
    monkeypatch.undo()
    migrate(empty)
    assert "document" in inspect(empty).get_table_names()


def test_a_database_of_a_newer_version_is_refused_and_left_alone(engine):
    with writing(engine) as session:
        session.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    with pytest.raises(Conflict, match=r"newer version of Forbli \(schema 9999\)") as refusal:
        migrate(engine)
    assert refusal.value.code == "newer_schema"
    with engine.connect() as connection:
        assert current_revision(connection) == "9999"


def test_other_peoples_tables_are_left_alone(empty):
    with empty.begin() as connection:
        connection.execute(text("CREATE TABLE customer (name TEXT)"))
    with pytest.raises(Conflict, match="already holds a table called customer"):
        migrate(empty)
    assert inspect(empty).get_table_names() == ["customer"]


@pytest.mark.parametrize("content", [b"PK\x03\x04 a spreadsheet, say" * 300, b"SQLite format 3\x00" + b"\xff" * 8192])
def test_a_file_that_is_no_database_is_refused_in_one_sentence(tmp_path, content):
    file = tmp_path / "forbli.db"
    file.write_bytes(content)
    with pytest.raises(InvalidInput, match=r"forbli\.db is not a database"):
        migrate(open_engine(f"sqlite:///{file}"))
    assert file.read_bytes() == content


def test_a_folder_instead_of_a_file_is_refused_in_one_sentence(tmp_path):
    with pytest.raises(InvalidInput, match="cannot be opened"):
        migrate(open_engine(f"sqlite:///{tmp_path}"))


def test_a_server_that_does_not_answer_is_named_without_its_password(tmp_path):
    engine = open_engine(f"postgresql://forbli:secret@/forbli?host={tmp_path}")
    with pytest.raises(InvalidInput, match="does not answer") as refusal:
        migrate(engine)
    assert "secret" not in str(refusal.value)


def test_every_pooled_connection_has_the_pragmas(tmp_path):
    engine = open_engine(f"sqlite:///{tmp_path / 'forbli.db'}")
    connections = [engine.connect() for _ in range(8)]
    for connection in connections:
        stored = {name: connection.exec_driver_sql(f"PRAGMA {name}").scalar() for name in PRAGMAS}
        assert stored == PRAGMAS
    for connection in connections:
        connection.close()
    engine.dispose()


def test_a_write_begins_with_the_lock_and_a_read_does_not(sqlite_engine):
    other = sqlite3.connect(sqlite_engine.url.database, timeout=0, isolation_level=None)
    with reading(sqlite_engine) as session:
        session.execute(text("SELECT 1"))
        other.execute("BEGIN IMMEDIATE")
        other.execute("ROLLBACK")
    with writing(sqlite_engine) as session:
        session.execute(text("SELECT 1"))
        with pytest.raises(sqlite3.OperationalError, match="locked"):
            other.execute("BEGIN IMMEDIATE")
    other.close()
