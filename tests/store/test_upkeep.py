"""Backups are whole while others write, and damage, dropped guards and orphans are found."""

from threading import Event, Thread

import pytest
from sqlalchemy import func, select, text

from core.domain.errors import Conflict, InvalidInput
from core.store.engine import open_engine, reading, writing
from core.store.migrate import migrate
from core.store.save import insert_many
from core.store.tables import Plan, Revision, core_table
from core.store.upkeep import backup, damage, missing_guards, refresh_statistics
from tests.store.books import issue, stage


def test_a_backup_taken_while_others_write_is_one_moment(sqlite_engine, tmp_path):
    stop = Event()

    def write_pairs():
        number = 0
        while not stop.is_set():
            with writing(sqlite_engine) as session:
                insert_many(session, Plan, [{"code": f"a{number}"}])
                insert_many(session, Plan, [{"code": f"b{number}"}])
            number += 1

    writer = Thread(target=write_pairs)
    writer.start()
    try:
        files = [tmp_path / "backups" / f"{number}.db" for number in range(5)]
        for file in files:
            backup(sqlite_engine, file)
    finally:
        stop.set()
        writer.join()
    for file in files:
        copy = open_engine(f"sqlite:///{file}")
        migrate(copy)
        with reading(copy) as session:
            assert session.execute(select(func.count()).select_from(core_table(Plan))).scalar() % 2 == 0
            assert damage(session) == []
            assert missing_guards(session) == []
        copy.dispose()


def test_a_backup_holds_what_only_the_write_ahead_log_has(sqlite_engine, tmp_path):
    with writing(sqlite_engine) as session:
        stage(session)
        issue(session)
    backup(sqlite_engine, tmp_path / "copy.db")
    copy = open_engine(f"sqlite:///{tmp_path / 'copy.db'}")
    with reading(copy) as session:
        assert session.execute(text("SELECT number FROM document")).scalars().all() == ["F1"]
    copy.dispose()


def test_a_backup_never_replaces_a_file(sqlite_engine, tmp_path):
    file = tmp_path / "letters.txt"
    file.write_text("dear Kari")
    with pytest.raises(Conflict, match=r"already a file .*letters\.txt"):
        backup(sqlite_engine, file)
    assert file.read_text() == "dear Kari"


def test_postgresql_is_backed_up_by_its_own_tool(postgres_engine, tmp_path):
    with pytest.raises(InvalidInput, match="pg_dump"):
        backup(postgres_engine, tmp_path / "copy.db")


def test_a_damaged_file_is_found_out(sqlite_engine, tmp_path):
    with writing(sqlite_engine) as session:
        insert_many(session, Plan, [{"code": f"plan {number}", "description": "x" * 3000} for number in range(500)])
    file = tmp_path / "damaged.db"
    backup(sqlite_engine, file)
    content = bytearray(file.read_bytes())
    content[len(content) // 2 : len(content) // 2 + 4096] = b"\xff" * 4096
    file.write_bytes(content)
    damaged = open_engine(f"sqlite:///{file}")
    with reading(damaged) as session:
        assert damage(session)
    damaged.dispose()


def test_an_orphan_is_found_out(sqlite_engine):
    with reading(sqlite_engine) as session:
        assert damage(session) == []
    driver = sqlite_engine.raw_connection()
    driver.driver_connection.execute("PRAGMA foreign_keys = OFF")
    driver.driver_connection.execute(
        "INSERT INTO billing_cursor VALUES (7, '2026-01-01', 0, 0, NULL, NULL, NULL, NULL)"
    )
    driver.close()
    with reading(sqlite_engine) as session:
        assert damage(session) == ["billing_cursor row 7 refers to a missing subscription"]


def test_a_dropped_or_disabled_guard_is_named(engine):
    with reading(engine) as session:
        assert missing_guards(session) == []
    name = "document_refuse_update" if engine.dialect.name == "sqlite" else "document_refuse_change"
    with engine.begin() as connection:
        if engine.dialect.name == "sqlite":
            connection.execute(text(f"DROP TRIGGER {name}"))
        else:
            connection.execute(text(f"ALTER TABLE document DISABLE TRIGGER {name}"))
    with reading(engine) as session:
        assert missing_guards(session) == [name]


def test_statistics_can_be_refreshed_at_any_time(engine):
    refresh_statistics(engine)
    with writing(engine) as session:
        insert_many(session, Revision, [{"id": 1, "value": 1}])
    refresh_statistics(engine)
