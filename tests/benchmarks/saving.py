"""How fast issued documents are saved: `uv run python -m tests.benchmarks.saving [sqlite|postgresql] [documents] [rounds]`.

Goal (performance.md): at least half of a raw bulk insert into the same tables with the same indexes and triggers, in the
same run. Raw is the driver's executemany of ready tuples (SQLite) or COPY of ready CSV (PostgreSQL); ours starts from frames.
"""

import datetime as dt
import shutil
import sqlite3
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import contextmanager
from pathlib import Path

import polars as pl

from core.store.engine import PRAGMAS, open_engine, writing
from core.store.migrate import migrate
from core.store.save import complete, insert_many
from core.store.tables import (
    ChargeRow,
    CompanyProfile,
    Customer,
    Document,
    DocumentLine,
    NumberSeries,
    Plan,
    PriceVersion,
    Subscription,
    core_table,
)

NOW = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)
START, END = dt.date(2026, 1, 1), dt.date(2026, 2, 1)
STAMP = {"recorded_at": NOW, "author": "benchmark"}
LINES_EACH = 5


def stage(engine, count):
    """What the documents refer to: as many customers and subscriptions, one price version of five charges."""
    migrate(engine)
    many = pl.DataFrame({"id": range(1, count + 1)}).with_columns(recorded_at=pl.lit(NOW), author=pl.lit("benchmark"))
    named = many.with_columns(external_id=pl.format("x{}", "id"), command_id=pl.lit(""))
    charges = [{"id": i, "price_version_id": 1, "code": f"c{i}", "kind": "fixed", "model": "flat"} for i in range(1, 6)]
    with writing(engine) as session:
        insert_many(session, CompanyProfile, [{"id": 1, "effective_from": START, **STAMP}])
        insert_many(session, Plan, [{"id": 1, "code": "p"}])
        insert_many(session, PriceVersion, [{"id": 1, "plan_id": 1, "currency": "NOK", "status": "draft", **STAMP}])
        insert_many(session, ChargeRow, charges)
        insert_many(session, NumberSeries, [{"id": 1, "kind": "invoice", "year": 2026, "last": count}])
        insert_many(session, Customer, named.with_columns(created_on=START))
        started = named.with_columns(customer_id="id", currency=pl.lit("NOK"), started_on=START)
        insert_many(session, Subscription, started)


def frames(count):
    """Documents and lines, as billing hands them over."""
    documents = pl.DataFrame({"id": range(1, count + 1)}).with_columns(
        kind=pl.lit("invoice"), number=pl.format("F{}", "id"), series_id=pl.lit(1), sequence="id", customer_id="id",
        bill_to_id="id", seller_id=pl.lit(1), currency=pl.lit("NOK"), issue_date=START, due_date=START,
        service_start=START, service_end=END, recorded_at=pl.lit(NOW),
    )  # fmt: skip
    owner = (pl.col("id") - 1) // LINES_EACH + 1
    lines = pl.DataFrame({"id": range(1, LINES_EACH * count + 1)}).with_columns(
        document_id=owner, subscription_id=owner, charge_id=(pl.col("id") - 1) % LINES_EACH + 1,
        price_version_id=pl.lit(1), kind=pl.lit("fixed"), service_start=START, service_end=END, period_start=START,
        period_end=END, timing=pl.lit("in_advance"), amount_minor="id",
    )  # fmt: skip
    return {Document: documents, DocumentLine: lines}


def ours(engine, made):
    with writing(engine) as session:
        for model, frame in made.items():
            insert_many(session, model, frame)


def raw_sqlite(engine, ready):
    driver = sqlite3.connect(engine.url.database, isolation_level=None)
    for name, value in PRAGMAS.items():
        driver.execute(f"PRAGMA {name} = {value}")
    driver.execute("PRAGMA cache_size = -65536")
    driver.execute("BEGIN IMMEDIATE")
    for table, (columns, rows) in ready.items():
        places = ", ".join("?" * len(columns))
        driver.executemany(f"INSERT INTO {table} ({', '.join(columns)}) VALUES ({places})", rows)
    driver.execute("COMMIT")
    driver.close()


def raw_postgresql(engine, ready):
    driver = engine.raw_connection()
    for table, (columns, content) in ready.items():
        with (
            driver.cursor() as cursor,
            cursor.copy(f"COPY {table} ({', '.join(columns)}) FROM STDIN (FORMAT csv)") as copy,
        ):
            copy.write(content)
    driver.commit()
    driver.close()


def ready_rows(made, dialect):
    """The same rows as ready tuples or ready CSV; making them is not timed."""
    ready = {}
    for model, frame in made.items():
        full = complete(core_table(model), frame)
        if dialect == "sqlite":
            stored = full.with_columns(
                pl.selectors.boolean().cast(pl.Int8),
                pl.selectors.date().dt.to_string("%Y-%m-%d"),
                pl.selectors.datetime().dt.to_string("%Y-%m-%d %H:%M:%S%.6f"),
            )
            ready[model.__tablename__] = stored.columns, stored.rows()
        else:
            ready[model.__tablename__] = full.columns, full.write_csv(include_header=False, quote_style="non_numeric")
    return ready


@contextmanager
def staged_databases(dialect, count, folder):
    """A function that gives a fresh staged database each time."""
    if dialect == "sqlite":
        template = folder / "template.db"
        engine = open_engine(f"sqlite:///{template}")
        stage(engine, count)
        engine.dispose()

        def fresh(name):
            return open_engine(f"sqlite:///{shutil.copy(template, folder / f'{name}.db')}")

        yield fresh
        return
    from tests.conftest import administrator, on_database, start_wheel_server

    server = start_wheel_server()
    with administrator(server) as connection:
        connection.exec_driver_sql("CREATE DATABASE staged")
    engine = open_engine(on_database(server, "staged"))
    stage(engine, count)
    engine.dispose()

    def copied(name):
        with administrator(server) as connection:
            connection.exec_driver_sql(f"DROP DATABASE IF EXISTS {name}")
            connection.exec_driver_sql(f"CREATE DATABASE {name} TEMPLATE staged")
        return open_engine(on_database(server, name))

    yield copied


def timed(work: Callable[[], None]) -> float:
    begin = time.perf_counter()
    work()
    return time.perf_counter() - begin


def main(dialect="sqlite", count="100000", rounds="5"):
    """Interleaved rounds, medians."""
    made, folder = frames(int(count)), Path(tempfile.mkdtemp())
    ready = ready_rows(made, dialect)
    raw = raw_sqlite if dialect == "sqlite" else raw_postgresql
    seconds = {"ours": [], "raw": []}
    try:
        with staged_databases(dialect, int(count), folder) as fresh:
            for _ in range(int(rounds)):
                for name, work, rows in (("ours", ours, made), ("raw", raw, ready)):
                    engine = fresh(name)
                    seconds[name].append(timed(lambda work=work, engine=engine, rows=rows: work(engine, rows)))
                    engine.dispose()
    finally:
        shutil.rmtree(folder)
    total = (1 + LINES_EACH) * int(count)
    medians = {name: statistics.median(times) for name, times in seconds.items()}
    for name, median in medians.items():
        print(f"{dialect} {name}: {median:.2f} s, {total / median:,.0f} rows/s")
    print(f"ours reaches {medians['raw'] / medians['ours']:.0%} of raw (goal: 50 %)")


if __name__ == "__main__":
    main(*sys.argv[1:])
