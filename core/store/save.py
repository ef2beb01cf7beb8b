"""Bulk writes: whole frames into a table, inside the session's own transaction.

SQLite takes one `executemany` on the driver, PostgreSQL a `COPY … FROM STDIN` of CSV (trust.md: 10–20 times faster than
objects). What the frame leaves out gets the model's default; a column that has none is our own bug. Errors of the
database arrive as SQLAlchemy's (`IntegrityError` …) on both.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from typing import Any

import polars as pl
import sqlalchemy
from sqlalchemy import func, select, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session
from sqlmodel.sql.sqltypes import UTCDateTime

from core.store.engine import is_sqlite, lock
from core.store.tables import Table, core_table

INSTANT = pl.Datetime("us", "UTC")
SLICE_ROWS = 50_000

Rows = pl.DataFrame | Sequence[Mapping[str, Any]]


def insert_many(session: Session, model: type[Table], rows: Rows) -> None:
    """Insert all rows or none. A frame's columns or the dicts' keys are the table's; dates are dates, instants aware."""
    if len(rows) == 0:
        return
    table = core_table(model)
    frame = complete(table, rows if isinstance(rows, pl.DataFrame) else _from_dicts(table, rows))
    session.flush()
    if is_sqlite(session):
        _execute_many(session, table, frame)
    else:
        _copy_in(session, table, frame)
        _sequence_passes(session, table, frame)


def reserve_ids(session: Session, model: type[Table], count: int) -> int:
    """The first of `count` consecutive free ids, for rows that must know each other before they are written.

    Use them in the same transaction, and give every row of the table an id in it (SQLite hands out max + 1).
    """
    table = core_table(model)
    if is_sqlite(session):
        return _reserve_after_highest(session, table, count)
    lock(session, f"forbli.ids.{table.name}")
    return _reserve_from_sequence(session, table, count)


def _reserve_after_highest(session: Session, table: sqlalchemy.Table, count: int) -> int:
    """SQLite has one writer: above the highest id stored, and above what this transaction already reserved."""
    key = ("forbli.reserved", table.name)
    stored: int = session.execute(select(func.coalesce(func.max(table.c.id), 0))).scalar_one()
    first: int = max(stored, session.info.get(key, 0)) + 1
    session.info[key] = first + count - 1
    return first


def _reserve_from_sequence(session: Session, table: sqlalchemy.Table, count: int) -> int:
    """PostgreSQL: one call of the sequence per id; again if another writer's single insert fell in between."""
    sequence = f"{table.name}_id_seq"
    while True:
        ids = select(func.nextval(sequence).label("id")).select_from(func.generate_series(1, count)).subquery()
        first, last = session.execute(select(func.min(ids.c.id), func.max(ids.c.id))).one()
        if last - first == count - 1:
            return int(first)


def dtype_of(column: sqlalchemy.Column[Any]) -> pl.DataType | type[pl.DataType]:
    """The Polars type that a column's values have."""
    known: list[tuple[type, pl.DataType | type[pl.DataType]]] = [
        (sqlalchemy.Boolean, pl.Boolean),
        (sqlalchemy.Integer, pl.Int64),
        (sqlalchemy.String, pl.String),
        (sqlalchemy.Date, pl.Date),
        (UTCDateTime, INSTANT),
    ]
    return next(dtype for kind, dtype in known if isinstance(column.type, kind))


def complete(table: sqlalchemy.Table, frame: pl.DataFrame) -> pl.DataFrame:
    """The frame in the table's types, with defaults for columns it does not have; keys and nullable ones may stay away."""
    unknown = set(frame.columns) - set(table.c.keys())
    assert not unknown, f"{table.name} has no columns {sorted(unknown)}"
    columns = []
    for column in table.c:
        if column is table.autoincrement_column and _is_blank(frame, column.name):
            continue
        if column.name in frame.columns:
            columns.append(_typed(frame, column))
        elif column.default is not None:
            columns.append(pl.lit(column.default.arg, dtype=dtype_of(column)).alias(column.name))  # type: ignore[attr-defined]
        else:
            assert column.nullable, f"{table.name}.{column.name} is missing"
    return frame.select(columns)


def _is_blank(frame: pl.DataFrame, name: str) -> bool:
    """Is the key left to the database?"""
    return name not in frame.columns or frame[name].null_count() == frame.height


def _typed(frame: pl.DataFrame, column: sqlalchemy.Column[Any]) -> pl.Expr:
    """A given column in the table's type; a float for a whole number or an instant without zone is our own bug."""
    given, wanted = frame.schema[column.name], dtype_of(column)
    assert not (given.is_float() and wanted == pl.Int64), f"{column.name} takes whole numbers, not {given}"
    if isinstance(given, pl.Datetime):
        assert given.time_zone, f"{column.name} takes aware instants"
        return pl.col(column.name).dt.convert_time_zone("UTC").dt.cast_time_unit("us")
    return pl.col(column.name).cast(wanted)


def _from_dicts(table: sqlalchemy.Table, rows: Sequence[Mapping[str, Any]]) -> pl.DataFrame:
    """One typed column for every key that some row has; a row without it gets the column's default."""
    names = dict.fromkeys(name for row in rows for name in row)
    unknown = set(names) - set(table.c.keys())
    assert not unknown, f"{table.name} has no columns {sorted(unknown)}"
    return pl.DataFrame([_series(table.c[name], rows) for name in names])


def _series(column: sqlalchemy.Column[Any], rows: Sequence[Mapping[str, Any]]) -> pl.Series:
    default = None if column.default is None else column.default.arg  # type: ignore[attr-defined]
    values = [row.get(column.name, default) for row in rows]
    wanted = dtype_of(column)
    if wanted == INSTANT:
        return pl.Series(column.name, [_in_utc(value) for value in values], pl.Datetime("us")).dt.replace_time_zone(
            "UTC"
        )
    return pl.Series(column.name, values, wanted, strict=True)


def _in_utc(value: dt.datetime | None) -> dt.datetime | None:
    if value is None:
        return None
    assert value.tzinfo is not None, "instants are aware"
    return value.astimezone(dt.UTC).replace(tzinfo=None)


def _execute_many(session: Session, table: sqlalchemy.Table, frame: pl.DataFrame) -> None:
    """SQLite: values as SQLAlchemy would store them - ISO dates, UTC instants with microseconds, 0 and 1."""
    stored = frame.with_columns(
        pl.selectors.boolean().cast(pl.Int8),
        pl.selectors.date().dt.to_string("%Y-%m-%d"),
        pl.selectors.datetime().dt.to_string("%Y-%m-%d %H:%M:%S%.6f"),
    )
    names = ", ".join(f'"{name}"' for name in stored.columns)
    places = ", ".join("?" * stored.width)
    connection = session.connection()
    for part in stored.iter_slices(SLICE_ROWS):
        connection.exec_driver_sql(f'INSERT INTO "{table.name}" ({names}) VALUES ({places})', part.rows())


def _copy_in(session: Session, table: sqlalchemy.Table, frame: pl.DataFrame) -> None:
    """PostgreSQL: text is always quoted, so that an empty one differs from null and `\\.` is no end mark."""
    names = ", ".join(f'"{name}"' for name in frame.columns)
    statement = f'COPY "{table.name}" ({names}) FROM STDIN (FORMAT csv)'
    driver: Any = session.connection().connection.driver_connection
    try:
        with driver.cursor() as cursor, cursor.copy(statement) as copy:
            for part in frame.iter_slices(SLICE_ROWS):
                copy.write(part.write_csv(include_header=False, quote_style="non_numeric"))
    except Exception as error:
        raise as_sqlalchemy(session, statement, error) from error


def _sequence_passes(session: Session, table: sqlalchemy.Table, frame: pl.DataFrame) -> None:
    """PostgreSQL hands out ids after the highest one given by hand, as SQLite does; reserved ids are passed already."""
    column = table.autoincrement_column
    if column is None or column.name not in frame.columns:
        return
    sequence = f"{table.name}_{column.name}_seq"
    session.execute(
        text(f"SELECT setval('{sequence}', :given) FROM {sequence} WHERE last_value <= :given"),
        {"given": frame[column.name].max()},
    )


def as_sqlalchemy(session: Session, statement: str, error: Exception) -> BaseException:
    """A driver's error as the class that SQLAlchemy gives it, so that callers know one family."""
    driver: Any = session.get_bind().dialect.dbapi
    return DBAPIError.instance(statement, None, error, driver.Error, dialect=session.get_bind().dialect)
