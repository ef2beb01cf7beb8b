"""Issued invoices as they stand, read to be taken back or issued anew.

An invoice that was issued anew says what the first one said: its lines are read from there, because they count as billed.
"""

from __future__ import annotations

from datetime import date
from typing import Any

import polars as pl
from sqlalchemy import Select, select
from sqlalchemy.orm import Session

from core import frames
from core.domain.invoices import DocumentKind
from core.store import load
from core.store.tables import Document, DocumentBuyer, DocumentLine, LineDiscount, core_table

_LINES: frames.Schema = {**frames.LINES, "document_id": pl.Int64, "position": pl.Int64}
_DISCOUNTS: frames.Schema = {
    "line_id": pl.Int64, "grant_id": pl.Int64, "period_start": pl.Date, "amount_minor": pl.Int64,
}  # fmt: skip


def standing_of_run(session: Session, run_id: int) -> list[int]:
    """Invoices that a run made and nothing took back yet, in order."""
    document = core_table(Document)
    statement = _standing().where(document.c.run_id == run_id).order_by(document.c.id)
    return list(session.execute(statement).scalars())


def _standing() -> Select[Any]:
    """Ids of invoices that nothing took back."""
    document, later = core_table(Document), core_table(Document).alias("later")
    back = select(later.c.id).where(later.c.corrects_id == document.c.id)
    return select(document.c.id).where(document.c.kind == DocumentKind.INVOICE.value, ~back.exists())


def issued(session: Session, document_ids: load.Ids) -> frames.Issued:
    """Those of the invoices that nothing took back yet."""
    document = core_table(Document).c
    columns = [document.id.label("document_id"), *(document[name] for name in list(frames.ISSUED)[1:])]
    statement = (
        select(*columns)
        .where(load.among(session, document.id, document_ids), document.id.in_(_standing()))
        .order_by(document.id)
    )
    heads = load.frame(session, statement, frames.ISSUED, many=True)
    lines = _lines(session, heads["document_id"])
    share = core_table(LineDiscount).c
    given = select(*(share[name] for name in _DISCOUNTS)).where(load.among(session, share.line_id, lines["line_id"]))
    first_day = lines["service_start"].min()
    assert first_day is None or isinstance(first_day, date), "service begins on a day"
    return frames.Issued(
        heads,
        lines,
        load.frame(session, given.order_by(share.id), _DISCOUNTS, many=True),
        load.billed_lines(session, lines["subscription_id"].unique(), first_day),
    )


def _lines(session: Session, document_ids: pl.Series) -> pl.DataFrame:
    """The lines of invoices, in order; an invoice that was issued anew has those of the first."""
    line, head = core_table(DocumentLine).c, core_table(Document).c
    own = {"line_id": line.id, "due_on": head.issue_date, "document_id": head.id}
    columns = [own[name].label(name) if name in own else line[name] for name in _LINES]
    first = _first_ones(session, document_ids)
    statement = (
        select(*columns)
        .join_from(core_table(Document), core_table(DocumentLine), line.document_id == head.id)
        .where(load.among(session, head.id, first.values()))
        .order_by(head.id, line.position)
    )
    again = {then: now for now, then in first.items() if now != then}
    lines = load.frame(session, statement, _LINES, many=True)
    return lines.with_columns(pl.col("document_id").replace(again)) if again else lines


def _first_ones(session: Session, document_ids: pl.Series) -> dict[int, int]:
    """Each invoice and the one that it says anew, itself where it is the first."""
    document = core_table(Document).c
    first = {key: key for key in document_ids}
    statement = select(document.id, document.corrects_id).where(document.corrects_id.is_not(None))
    while True:
        rows = session.execute(statement.where(load.among(session, document.id, list(first.values())))).all()
        if not rows:
            return first
        before = {row.id: row.corrects_id for row in rows}
        first = {key: before.get(then, then) for key, then in first.items()}


def buyers(session: Session, document_ids: load.Ids) -> pl.DataFrame:
    """What documents say about whom they went to, as `load.customers` says it; one row for each receiver.

    A receiver that was erased by law has none.
    """
    buyer, head = core_table(DocumentBuyer).c, core_table(Document).c
    columns = [head.bill_to_id.label("customer_id"), *(buyer[name] for name in frames.BUYER),
               head.payment_option, head.channel, head.language]  # fmt: skip
    statement = (
        select(*columns)
        .join_from(core_table(Document), core_table(DocumentBuyer), buyer.document_id == head.id)
        .where(load.among(session, head.id, document_ids))
        .order_by(head.id)
    )
    schema = {"customer_id": pl.Int64} | dict.fromkeys(
        [*frames.BUYER, "payment_option", "channel", "language"], pl.String
    )
    return load.frame(session, statement, schema, many=True).unique("customer_id", keep="last", maintain_order=True)
