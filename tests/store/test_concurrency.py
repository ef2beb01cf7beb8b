"""Eight threads at once: no number is lost or given twice, no increment disappears, and waiting ends in a plain sentence."""

import random
import sqlite3
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier, Event

import pytest
from sqlalchemy import func, select, text, update
from sqlalchemy.exc import IntegrityError

from core.domain.errors import Conflict
from core.store.billing import take_numbers
from core.store.engine import lock, reading, writing
from core.store.save import insert_many, reserve_ids
from core.store.tables import Customer, Document, DocumentLine, NumberSeries, Plan, core_table
from tests.store.books import STAMP, document, line, stage

THREADS = 8


class ChangedMind(Exception):
    """Rolls a transaction back after its number was taken."""


def in_threads(work, rounds):
    """Run work(number) for each number, eight at a time."""
    with ThreadPoolExecutor(THREADS) as threads:
        return list(threads.map(work, range(rounds)))


@pytest.fixture
def staged(engine):
    with writing(engine) as session:
        stage(session)
    return engine


def test_numbers_have_no_gap_although_a_third_of_the_transactions_roll_back(staged):
    dice = random.Random(7)
    fails = [dice.random() < 0.3 for _ in range(120)]
    assert 20 < sum(fails) < 60

    def issue_one(round_number):
        try:
            with writing(staged) as session:
                lock(session, "forbli.command")
                series, first = take_numbers(session, "invoice", 2027, "F", 1)
                row = document(reserve_ids(session, Document, 1), series_id=series, sequence=first, number=f"F{first}")
                insert_many(session, Document, [row])
                if fails[round_number]:
                    raise ChangedMind
        except ChangedMind:
            pass

    in_threads(issue_one, len(fails))
    table = core_table(Document).c
    with reading(staged) as session:
        given = session.execute(select(table.sequence).order_by(table.sequence)).scalars().all()
        last = session.execute(select(core_table(NumberSeries).c.last).where(text("year = 2027"))).scalar()
    assert given == list(range(1, fails.count(False) + 1))
    assert last == len(given)


def test_a_hot_row_loses_no_increment(engine):
    with writing(engine) as session:
        insert_many(session, NumberSeries, [{"kind": str(number), "year": 2026} for number in range(5)])
    series = core_table(NumberSeries)

    def read_then_write(round_number):
        chosen = series.c.kind == str(round_number % 5)
        with writing(engine) as session:
            lock(session, "forbli.command")
            last = session.execute(select(series.c.last).where(chosen)).scalar_one()
            session.execute(update(series).where(chosen).values(last=last + 1))

    in_threads(read_then_write, THREADS * 40)
    with reading(engine) as session:
        assert session.execute(select(series.c.last)).scalars().all() == [64] * 5


def test_reserved_ids_of_eight_threads_never_meet(engine):
    def reserve(_):
        with writing(engine) as session:
            first = reserve_ids(session, Customer, 50)
            rows = [{"id": first + i, "external_id": f"c{first + i}", "created_on": STAMP["recorded_at"].date(), **STAMP}
                    for i in range(50)]  # fmt: skip
            insert_many(session, Customer, rows)

    in_threads(reserve, 40)
    with reading(engine) as session:
        ids = session.execute(select(core_table(Customer).c.id)).scalars().all()
    assert len(set(ids)) == 2000


def test_two_writers_cannot_bill_overlapping_days_at_the_same_moment(staged):
    ready = Barrier(2)
    periods = {2: ("2026-01-01", "2026-02-01"), 3: ("2026-01-31", "2026-03-01")}

    def bill(number):
        start, end = (STAMP["recorded_at"].date().fromisoformat(day) for day in periods[number])
        ready.wait(10)
        try:
            with writing(staged) as session:
                insert_many(session, Document, [document(number)])
                row = line(id=number, document_id=number, service_start=start, service_end=end)
                insert_many(session, DocumentLine, [row])
        except IntegrityError:
            return "refused"
        return "billed"

    with ThreadPoolExecutor(2) as threads:
        assert sorted(threads.map(bill, periods)) == ["billed", "refused"]


def test_a_writer_that_meets_another_waits_and_then_succeeds(engine):
    holds, may_go = Event(), Event()

    def hold():
        with writing(engine) as session:
            lock(session, "forbli.command")
            insert_many(session, Plan, [{"code": "first"}])
            holds.set()
            may_go.wait(10)

    def follow():
        with writing(engine) as session:
            lock(session, "forbli.command")
            return session.execute(select(func.count()).select_from(core_table(Plan))).scalar()

    with ThreadPoolExecutor(2) as threads:
        holder = threads.submit(hold)
        holds.wait(10)
        follower = threads.submit(follow)
        assert not follower.done()
        may_go.set()
        holder.result(10)
        assert follower.result(10) == 1


def test_waiting_too_long_ends_in_a_plain_sentence_and_changes_nothing(engine):
    if engine.dialect.name == "sqlite":
        holder = sqlite3.connect(engine.url.database, isolation_level=None)
        holder.execute("BEGIN IMMEDIATE")
        impatience = "PRAGMA busy_timeout = 50"
    else:
        holder = engine.connect()
        holder.execute(text("SELECT pg_advisory_xact_lock(hashtext('forbli.command'))"))
        impatience = "SET lock_timeout = 50"

    def write():
        with writing(engine) as session:
            lock(session, "forbli.command")
            insert_many(session, Plan, [{"code": "late"}])

    with engine.connect() as connection:  # the pool hands this connection to the writer next
        connection.exec_driver_sql(impatience)
        connection.commit()
    with pytest.raises(Conflict, match="The database is busy; nothing was changed"):
        write()
    holder.close()
    with reading(engine) as session:
        assert session.execute(select(func.count()).select_from(core_table(Plan))).scalar() == 0


def test_a_full_disk_ends_in_a_plain_sentence_and_work_goes_on_when_there_is_room(sqlite_engine):
    def fill():
        with writing(sqlite_engine) as session:
            insert_many(session, Plan, [{"code": "big", "description": "x" * 10_000_000}])

    with sqlite_engine.connect() as connection:
        pages = connection.exec_driver_sql("PRAGMA page_count").scalar()
        connection.exec_driver_sql(f"PRAGMA max_page_count = {pages + 10}")
    with pytest.raises(Conflict, match="The disk is full; nothing was changed"):
        fill()
    with sqlite_engine.connect() as connection:
        connection.exec_driver_sql("PRAGMA max_page_count = 1000000")
    fill()
    with reading(sqlite_engine) as session:
        assert session.execute(text("PRAGMA integrity_check")).scalar() == "ok"
        assert session.execute(select(func.count()).select_from(core_table(Plan))).scalar() == 1


def test_a_severed_connection_is_replaced_and_nothing_is_half_written(postgres_engine):
    engine = postgres_engine
    with engine.connect() as connection:
        pid = connection.execute(text("SELECT pg_backend_pid()")).scalar()
    with engine.connect() as first, engine.connect() as second:
        victims = {each.execute(text("SELECT pg_backend_pid()")).scalar() for each in (first, second)}
        assert pid in victims
    with engine.connect() as other:
        own = other.execute(text("SELECT pg_backend_pid()")).scalar()
        for victim in victims - {own}:
            other.execute(text(f"SELECT pg_terminate_backend({victim})"))
        other.commit()
        with writing(engine) as session:
            insert_many(session, Plan, [{"code": "after"}])
    with reading(engine) as session:
        assert session.execute(select(core_table(Plan).c.code)).scalars().all() == ["after"]
