"""The list of documents: a page of it, its count and sums, the whole of it for a file; and the runs that issued them.

Amounts are in minor units of the document's currency and positive on both kinds; sums count credit notes negative. A page
finds its ids first, from the nearer end, so that a million documents are no slower than a thousand.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date
from typing import Any

import polars as pl
from sqlalchemy import ColumnElement, Select, func, or_, select, union, union_all
from sqlalchemy.orm import Session

from core.domain.invoices import DocumentKind, number_text, payment_reference
from core.frames import Schema
from core.reports.payments import open_amounts
from core.store import load
from core.store.engine import is_sqlite
from core.store.tables import (
    BillingRun,
    Customer,
    CustomerVersion,
    Document,
    DocumentBuyer,
    NumberSeries,
    Parked,
    RunChunk,
    core_table,
)

LIST: Schema = {
    "document_id": pl.Int64, "number": pl.String, "kind": pl.String, "customer_id": pl.Int64, "name": pl.String,
    "issue_date": pl.Date, "due_date": pl.Date, "currency": pl.String, "net_minor": pl.Int64, "tax_minor": pl.Int64,
    "total_minor": pl.Int64, "bill_to_id": pl.Int64,
}  # fmt: skip
EXPORT: Schema = {
    **LIST, "external_id": pl.String, "service_start": pl.Date, "service_end": pl.Date, "payment_reference": pl.String,
    "payment_option": pl.String, "channel": pl.String,
}  # fmt: skip
SUMS: Schema = {
    "currency": pl.String,
    "count": pl.Int64,
    "net_minor": pl.Int64,
    "tax_minor": pl.Int64,
    "total_minor": pl.Int64,
}
DIGITS = 6  # of a number after its year (domain/invoices.py number_text)
MOST_NAMED = 5_000  # customers whose documents are looked up one by one
SORTS = ("newest", "oldest", "largest", "smallest")
_OPPOSITE = {"newest": "oldest", "oldest": "newest", "largest": "smallest", "smallest": "largest"}


@dataclass(frozen=True)
class Filters:
    """What a list of documents is narrowed to; empty fields do not narrow. `customer` is the customer's own id.

    `state`: how far they are settled; `only` are then the ids of those that are (reports.payments.left_ids).
    """

    text: str = ""
    kind: str = ""
    currency: str = ""
    issued_from: date | None = None
    issued_to: date | None = None
    customer: str = ""
    run_id: int | None = None
    state: str = ""
    only: pl.Series | None = field(default=None, compare=False, repr=False)


def page(session: Session, filters: Filters, sort: str, *, number: int, size: int, count: int) -> pl.DataFrame:
    """LIST + open_minor (what is left to pay): page `number` (1 = first) of `count` documents in all."""
    first = (number - 1) * size
    wanted = max(0, min(size, count - first))
    from_end = first > count // 2
    order = _OPPOSITE[sort] if from_end else sort
    skipped = count - first - wanted if from_end else first
    ids = select(core_table(Document).c.id).where(*_conditions(session, filters)).order_by(*_order(order))
    found = session.execute(ids.limit(wanted).offset(skipped)).scalars().all()
    rows = load.frame(session, _rows(found, sort), LIST)
    left = open_amounts(session, rows["bill_to_id"].unique()).select("document_id", "open_minor")
    return rows.join(left, on="document_id", how="left", maintain_order="left").with_columns(
        pl.col("open_minor").fill_null(0)
    )


def sums(session: Session, filters: Filters) -> pl.DataFrame:
    """SUMS per currency of all documents that the filters leave, credit notes negative; largest first."""
    document = core_table(Document).c
    amounts = ("net_minor", "tax_minor", "total_minor")
    statement = (
        select(document.currency, document.kind, func.count().label("count"),
               *(func.sum(document[name]).label(name) for name in amounts))
        .where(*_conditions(session, filters))
        .group_by(document.currency, document.kind)
    )  # fmt: skip
    kinds = load.frame(session, statement, {"currency": pl.String, "kind": pl.String, **dict(list(SUMS.items())[1:])})
    sign = pl.when(pl.col("kind") == "credit_note").then(-1).otherwise(1)
    signed = kinds.with_columns(pl.col(amounts) * sign)
    return signed.group_by("currency").agg(pl.col("count", *amounts).sum()).sort("total_minor", descending=True)


def every_row(session: Session, filters: Filters, sort: str, size: int = 50_000) -> Iterator[pl.DataFrame]:
    """EXPORT of all documents that the filters leave, in order, in frames of `size` rows so that memory stays small."""
    document, buyer, customer = core_table(Document), core_table(DocumentBuyer), core_table(Customer)
    special = {"document_id": document.c.id, "name": buyer.c.name, "external_id": customer.c.external_id}
    columns = [(special[name] if name in special else document.c[name]).label(name) for name in EXPORT]
    ordered = select(document.c.id.label("document_id")).where(*_conditions(session, filters)).order_by(*_order(sort))
    ids = load.frame(session, ordered, {"document_id": pl.Int64})["document_id"]
    for start in range(0, max(1, ids.len()), size):
        statement = (
            select(*columns)
            .join_from(document, customer, customer.c.id == document.c.customer_id)
            .join(buyer, buyer.c.document_id == document.c.id, isouter=True)
            .where(load.among(session, document.c.id, ids.slice(start, size)))
            .order_by(*_order(sort))
        )
        yield load.frame(session, statement, EXPORT)


def _rows(ids: Any, sort: str) -> Select[Any]:
    """LIST of these documents in order."""
    document, buyer = core_table(Document), core_table(DocumentBuyer)
    special = {"document_id": document.c.id, "name": buyer.c.name}
    return (
        select(*((special[name] if name in special else document.c[name]).label(name) for name in LIST))
        .join_from(document, buyer, buyer.c.document_id == document.c.id, isouter=True)
        .where(document.c.id.in_(ids))
        .order_by(*_order(sort))
    )


def _conditions(session: Session, filters: Filters) -> list[ColumnElement[bool]]:
    """The filters as SQL; text is taken literally."""
    document = core_table(Document).c
    wanted: list[ColumnElement[bool]] = []
    text = filters.text.strip()
    if text:
        wanted.append(_says(session, text))
    for name in ("kind", "currency"):
        if value := getattr(filters, name):
            wanted.append(document[name] == value)
    if filters.issued_from:
        wanted.append(document.issue_date >= filters.issued_from)
    if filters.issued_to:
        wanted.append(document.issue_date <= filters.issued_to)
    if filters.customer:
        customer = core_table(Customer).c
        wanted.append(document.customer_id.in_(select(customer.id).where(customer.external_id == filters.customer)))
    if filters.state:
        wanted.append(load.among(session, document.id, [] if filters.only is None else filters.only))
    if filters.run_id is not None:
        wanted.append(document.run_id == filters.run_id)
    return wanted


def _says(session: Session, text: str) -> ColumnElement[bool]:
    """Does the number begin with the text, is it the payment reference, or is the text in the customer's name or its id?

    One search by index each; an OR over them would read every document.
    """
    document, version, customer = core_table(Document).c, core_table(CustomerVersion).c, core_table(Customer).c
    # SQLite knows small and large only of a to z.
    shapes = {text, text.lower(), text.capitalize(), text.title()} if is_sqlite(session) else {text}
    skipped = 0 if len(text) > 1 else 1  # one letter is looked for where names begin
    patterns = [_literal(shape)[skipped:] for shape in sorted(shapes)]
    named = select(version.customer_id).where(or_(*(version.name.ilike(each, escape="\\") for each in patterns)))
    called = select(customer.id).where(customer.external_id == text)
    known = session.execute(union(named, called).limit(MOST_NAMED + 1)).scalars().all()
    if len(known) > MOST_NAMED:  # so many names are read from one end to the other; their text is no number
        return document.customer_id.in_(named)
    found = [
        select(document.id).where(document.number == text.upper()),
        *(select(document.id).where(condition) for condition in _numbered(session, text)),
        select(document.id).where(load.among(session, document.customer_id, known)),
    ]
    return document.id.in_(union_all(*found).subquery().select())


def _numbered(session: Session, text: str) -> Iterator[ColumnElement[bool]]:
    """Ranges of the series whose numbers begin with the text, or whose payment reference it is."""
    document, series = core_table(Document).c, core_table(NumberSeries).c
    for row in session.execute(select(series.id, series.prefix, series.year, series.kind)):
        head = number_text(row.prefix, row.year, 0)[:-DIGITS]
        rest = text.upper().removeprefix(head)
        if head.startswith(text.upper()):
            yield document.series_id == row.id
        elif rest != text.upper() and rest.isdecimal():
            for low, high in _ranges(rest):
                yield (document.series_id == row.id) & document.sequence.between(low, high)
        if text.isdecimal() and len(text) > 3:
            sequence = int(text[2:-1])
            if text == payment_reference(row.year, sequence) and row.kind == DocumentKind.INVOICE:
                yield (document.series_id == row.id) & (document.sequence == sequence)


def _ranges(digits: str) -> Iterator[tuple[int, int]]:
    """Sequences that are written beginning with these digits, in six digits or in one more."""
    for length in (DIGITS, DIGITS + 1):
        if len(digits) <= length and (length == DIGITS or digits[0] != "0"):
            scale = 10 ** (length - len(digits))
            yield int(digits) * scale, (int(digits) + 1) * scale - 1


def _literal(text: str) -> str:
    """A pattern that finds the text as it is typed."""
    escaped = text.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
    return f"%{escaped}%"


def _order(sort: str) -> list[Any]:
    document = core_table(Document).c
    orders: dict[str, list[Any]] = {
        "newest": [document.issue_date.desc(), document.id.desc()],
        "oldest": [document.issue_date, document.id],
        "largest": [document.total_minor.desc(), document.id.desc()],
        "smallest": [document.total_minor, document.id],
    }
    return orders.get(sort, orders["newest"])


RUNS: Schema = {
    "run_id": pl.Int64, "through": pl.Date, "issue_date": pl.Date, "author": pl.String,
    "started_at": pl.Datetime("us", "UTC"), "finished_at": pl.Datetime("us", "UTC"), "documents": pl.Int64,
    "left_out": pl.Int64,
}  # fmt: skip


def runs(session: Session, limit: int = 24) -> pl.DataFrame:
    """RUNS, the latest first: `documents` issued, `left_out` customers that needed review, when the last chunk was done."""
    run, chunk, parked = core_table(BillingRun), core_table(RunChunk).c, core_table(Parked).c
    documents = select(func.coalesce(func.sum(chunk.documents), 0)).where(chunk.run_id == run.c.id)
    finished = select(func.max(chunk.finished_at)).where(chunk.run_id == run.c.id)
    left_out = select(func.count(parked.customer_id.distinct())).where(parked.run_id == run.c.id)
    special = {
        "run_id": run.c.id, "documents": documents.scalar_subquery(), "finished_at": finished.scalar_subquery(),
        "left_out": left_out.scalar_subquery(),
    }  # fmt: skip
    columns = ((special[name] if name in special else run.c[name]).label(name) for name in RUNS)
    return load.frame(session, select(*columns).order_by(run.c.id.desc()).limit(limit), RUNS)


def left_out(session: Session, run_id: int) -> pl.DataFrame:
    """Who a run left out and why: customer_id, external_id, name, message."""
    parked, customer, version = core_table(Parked), core_table(Customer), core_table(CustomerVersion)
    last_name = (
        select(version.c.name)
        .where(version.c.customer_id == parked.c.customer_id)
        .order_by(version.c.effective_from.desc(), version.c.id.desc())
        .limit(1)
        .scalar_subquery()
    )
    statement = (
        select(parked.c.customer_id, customer.c.external_id, last_name.label("name"), parked.c.message)
        .join_from(parked, customer, customer.c.id == parked.c.customer_id)
        .where(parked.c.run_id == run_id)
        .order_by(parked.c.id)
    )
    schema = {"customer_id": pl.Int64, "external_id": pl.String, "name": pl.String, "message": pl.String}
    return load.frame(session, statement, schema)


def currencies(session: Session) -> list[str]:
    """Currencies that documents are in."""
    return list(session.execute(select(core_table(Document).c.currency).distinct().order_by("currency")).scalars())
