"""Bulk reads: a query's rows as a frame with the schema asked for, inside the session's own transaction.

SQLite goes through the driver's `fetchall`, or column by column where rows are many; PostgreSQL through `COPY … TO STDOUT`
as CSV (trust.md, "Bulk read"). Never through a second SQLite library: it corrupts a live file. The named loaders return the
schemas of `core/frames.py`.
"""

from __future__ import annotations

import io
import json
from collections.abc import Iterable, Sized
from datetime import date
from typing import Any

import polars as pl
from sqlalchemy import (
    ARRAY,
    BigInteger,
    ColumnElement,
    Select,
    Text,
    any_,
    bindparam,
    case,
    cast,
    false,
    func,
    select,
    true,
)
from sqlalchemy.orm import Session

from core import frames
from core.frames import Prices
from core.store.engine import is_sqlite
from core.store.save import as_sqlalchemy
from core.store.tables import (
    ChargeRow,
    Coupon,
    Customer,
    CustomerVersion,
    Document,
    DocumentLine,
    PriceVersion,
    Subscription,
    SubscriptionChange,
    TierRow,
    UsageEvent,
    core_table,
)

Ids = Iterable[int] | pl.Series | None
MANY = 1_000  # ids from which their rows are read column by column


# --- any query ----------------------------------------------------------------------------------------------------


def frame(session: Session, statement: Select[Any], schema: frames.Schema, *, many: bool = False) -> pl.DataFrame:
    """The rows of a select as a frame; its columns must be labelled as the schema's, in the schema's order.

    `many`: thousands of rows are expected. The answer is the same, only the way there is another.
    """
    names = [column.name for column in statement.selected_columns]
    assert names == list(schema), f"the query gives {names}, the schema wants {list(schema)}"
    session.flush()
    raw = {name: _transport(dtype) for name, dtype in schema.items()}
    # JSON would shorten fractions.
    columns = many and pl.Float64 not in raw.values()
    read = (_fetch_columns if columns else _fetch) if is_sqlite(session) else _copy_out
    rows = read(session, statement, raw)
    if rows.is_empty():
        return pl.DataFrame(schema=schema)
    parsed = [_parsed(name, dtype) for name, dtype in schema.items() if raw[name] != dtype]
    return rows.with_columns(parsed) if parsed else rows


def among(session: Session, column: ColumnElement[Any], ids: Ids) -> ColumnElement[bool]:
    """Is the column one of these ids? One parameter, however many ids; None means all."""
    if ids is None:
        return true()
    wanted = [int(value) for value in ids]
    if is_sqlite(session):
        values = func.json_each(json.dumps(wanted)).table_valued("value")
        return column.in_(select(values.c.value))
    return column == any_(bindparam(None, wanted, type_=ARRAY(BigInteger)))


def are_many(ids: Ids) -> bool:
    """Is a read about all, or about so many ids that it is worth going column by column?"""
    return ids is None or (isinstance(ids, Sized) and len(ids) >= MANY)


def _transport(dtype: Any) -> Any:
    """The type a value arrives in: SQLite has no dates, PostgreSQL's CSV says t and f."""
    return dtype if dtype in (pl.Int64, pl.Int32, pl.Float64) else pl.String


def _parsed(name: str, dtype: Any) -> pl.Expr:
    """The value in the type asked for; text that does not fit raises."""
    column = pl.col(name)
    if dtype == pl.Date:
        return column.str.to_date("%Y-%m-%d", strict=True)
    if dtype == pl.Boolean:
        return column.replace_strict({"0": False, "1": True, "f": False, "t": True}, return_dtype=pl.Boolean)
    if isinstance(dtype, pl.Datetime) or dtype == pl.Datetime:
        instants = column.str.strip_suffix("+00").str.to_datetime("%Y-%m-%d %H:%M:%S%.f", time_unit="us", strict=True)
        return instants.dt.replace_time_zone("UTC")
    return column


def _fetch(session: Session, statement: Select[Any], raw: dict[str, Any]) -> pl.DataFrame:
    """SQLite: the driver's own tuples; booleans come as 0 and 1."""
    cursor: Any = session.connection().execute(statement).cursor
    rows = cursor.fetchall()
    cursor.close()
    if not rows:
        return pl.DataFrame(schema=raw)
    return pl.DataFrame(rows, schema=raw, orient="row", strict=False)


def _fetch_columns(session: Session, statement: Select[Any], raw: dict[str, Any]) -> pl.DataFrame:
    """SQLite, many rows: one row of a JSON list for each column, in the order of the statement.

    No Python object is made for a value, and the interpreter is free for other pages meanwhile: row by row it is asked for
    again and again, and 230,000 rows take 10 s beside a thread that computes.
    """
    inner = statement.subquery()
    wanted = (cast(inner.c[name], Text) if dtype == pl.String else inner.c[name] for name, dtype in raw.items())
    cursor: Any = session.connection().execute(select(*(func.json_group_array(column) for column in wanted))).cursor
    texts = cursor.fetchone()
    cursor.close()
    lists = pl.DataFrame([texts], schema=dict.fromkeys(raw, pl.String), orient="row")
    return pl.DataFrame(
        {name: lists[name].str.json_decode(pl.List(dtype)).item() for name, dtype in raw.items()}, schema=raw
    )


def _copy_out(session: Session, statement: Select[Any], raw: dict[str, Any]) -> pl.DataFrame:
    """PostgreSQL: CSV on this connection, so that it sees what this transaction wrote."""
    connection = session.connection()
    compiled = statement.compile(dialect=connection.dialect, compile_kwargs={"render_postcompile": True})
    query = f"COPY ({compiled}) TO STDOUT (FORMAT csv)"
    driver: Any = connection.connection.driver_connection
    try:
        with driver.cursor() as cursor, cursor.copy(query, compiled.params or None) as copy:
            content = b"".join(bytes(block) for block in copy)
    except Exception as error:
        raise as_sqlalchemy(session, query, error) from error
    return pl.read_csv(io.BytesIO(content), has_header=False, schema=raw)


# --- what the engine reads ----------------------------------------------------------------------------------------


def subscriptions(session: Session, ids: Ids = None) -> pl.DataFrame:
    """frames.SUBSCRIPTIONS by id; of all or of these."""
    table = core_table(Subscription).c
    statement = (
        select(table.id.label("subscription_id"), *_named(table, frames.SUBSCRIPTIONS, 1))
        .where(among(session, table.id, ids))
        .order_by(table.id)
    )
    return frame(session, statement, frames.SUBSCRIPTIONS, many=are_many(ids))


def changes(session: Session, subscription_ids: Ids = None, after_id: int = 0) -> pl.DataFrame:
    """frames.CHANGES by subscription, day and id; of all subscriptions or of these; those recorded after a change."""
    table = core_table(SubscriptionChange).c
    statement = select(table.id.label("change_id"), *_named(table, frames.CHANGES, 1)).where(
        among(session, table.subscription_id, subscription_ids), table.id > after_id
    )
    read = frame(session, statement, frames.CHANGES, many=not after_id and are_many(subscription_ids))
    return read.sort("subscription_id", "effective_on", "change_id")


def usage(
    session: Session, subscription_ids: Ids = None, start: date | None = None, end: date | None = None
) -> pl.DataFrame:
    """frames.USAGE_EVENTS that occurred in `[start, end)`, by subscription, day and id."""
    table = core_table(UsageEvent).c
    statement = select(table.id.label("event_id"), *_named(table, frames.USAGE_EVENTS, 1))
    statement = statement.where(among(session, table.subscription_id, subscription_ids))
    if start is not None:
        statement = statement.where(table.occurred_on >= start)
    if end is not None:
        statement = statement.where(table.occurred_on < end)
    ordered = statement.order_by(table.subscription_id, table.occurred_on, table.id)
    return frame(session, ordered, frames.USAGE_EVENTS, many=are_many(subscription_ids))


def prices(session: Session, price_version_ids: Ids = None) -> Prices:
    """Price versions with charges and tiers in their order; of all or of these."""
    version, charge, tier = (core_table(model).c for model in (PriceVersion, ChargeRow, TierRow))
    wanted = among(session, version.id, price_version_ids)
    versions = select(*version_columns(version)).where(wanted).order_by(version.id)
    charges = (
        select(charge.id.label("charge_id"), *_named(charge, frames.CHARGES, 1))
        .where(among(session, charge.price_version_id, price_version_ids))
        .order_by(charge.price_version_id, charge.position, charge.id)
    )
    tiers = (
        select(*_named(tier, frames.TIERS))
        .join_from(core_table(TierRow), core_table(ChargeRow), charge.id == tier.charge_id)
        .where(among(session, charge.price_version_id, price_version_ids))
        .order_by(tier.charge_id, tier.position)
    )
    return Prices(
        frame(session, versions, frames.PRICE_VERSIONS),
        frame(session, charges, frames.CHARGES),
        frame(session, tiers, frames.TIERS),
    )


def version_columns(version: Any) -> list[ColumnElement[Any]]:
    """An interval as months or days, the other being 0."""
    unit, count = version.interval_unit, version.interval_count
    return [
        version.id.label("price_version_id"),
        version.plan_id,
        version.currency,
        case((unit == "month", count), (unit == "year", 12 * count), else_=0).label("interval_months"),
        case((unit == "day", count), (unit == "week", 7 * count), else_=0).label("interval_days"),
        case((version.alignment == "calendar", true()), else_=false()).label("calendar"),
        version.tax_inclusive,
        version.minimum_minor,
    ]


def coupons(session: Session) -> pl.DataFrame:
    """frames.COUPONS by id, archived ones too: they may still be granted."""
    table = core_table(Coupon).c
    statement = select(table.id.label("coupon_id"), *_named(table, frames.COUPONS, 1)).order_by(table.id)
    return frame(session, statement, frames.COUPONS)


def customers(session: Session, as_of: date, ids: Ids = None, schema: frames.Schema = frames.CUSTOMERS) -> pl.DataFrame:
    """frames.CUSTOMERS, or some of its columns, as of a day: of each customer the version in force; by customer."""
    version, customer = core_table(CustomerVersion).c, core_table(Customer).c
    of_customer = {"external_id": customer.external_id, "created_on": customer.created_on}
    statement = (
        select(*(of_customer[name] if name in of_customer else version[name] for name in schema))
        .join_from(core_table(CustomerVersion), core_table(Customer), customer.id == version.customer_id)
        .where(version.effective_from <= as_of, among(session, version.customer_id, ids))
        .order_by(version.customer_id, version.effective_from, version.id)
    )
    # Cheaper to read the few former versions too than to have the database rank all of them.
    read = frame(session, statement, schema, many=are_many(ids))
    return read.unique("customer_id", keep="last", maintain_order=True)


def billed_lines(session: Session, subscription_ids: Ids = None, period_end_after: date | None = None) -> pl.DataFrame:
    """frames.LINES that count as billed, optionally of periods that end after a day; `due_on` is the issue date."""
    line, document = core_table(DocumentLine).c, core_table(Document).c
    columns = [
        line.id.label("line_id") if name == "line_id"
        else document.issue_date.label("due_on") if name == "due_on"
        else line[name]
        for name in frames.LINES
    ]  # fmt: skip
    statement = (
        select(*columns)
        .join_from(core_table(DocumentLine), core_table(Document), document.id == line.document_id)
        .where(line.counts_as_billed, among(session, line.subscription_id, subscription_ids))
    )
    if period_end_after is not None:
        statement = statement.where(line.period_end > period_end_after)
    ordered = statement.order_by(line.subscription_id, line.id)
    return frame(session, ordered, frames.LINES, many=are_many(subscription_ids))


def _named(columns: Any, schema: frames.Schema, skip: int = 0) -> list[ColumnElement[Any]]:
    """The table's columns that carry the schema's names, after the first `skip` ones."""
    return [columns[name] for name in list(schema)[skip:]]
