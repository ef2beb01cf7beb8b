"""Reads of payments: what was paid on documents, and what is left of them. Minor units of the document's currency."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Any

import polars as pl
from sqlalchemy import ColumnElement, case, func, select
from sqlalchemy.orm import Session

from core import frames
from core.calc.settlement import CLAIMS, settled
from core.domain.invoices import DocumentKind, Settlement
from core.store import load
from core.store.tables import Document, Payment, core_table

PAYMENTS: frames.Schema = {
    "payment_id": pl.Int64, "document_id": pl.Int64, "number": pl.String, "paid_on": pl.Date, "currency": pl.String,
    "amount_minor": pl.Int64, "payment_option": pl.String, "note": pl.String, "undoes_id": pl.Int64,
    "recorded_at": pl.Datetime("us", "UTC"), "author": pl.String,
}  # fmt: skip


def open_amounts(session: Session, payer_ids: load.Ids) -> pl.DataFrame:
    """calc.settlement.CLAIMS + open_minor of everything that these payers were invoiced or have paid.

    A credit note that takes an invoice back whole, and what is paid on it, count on that invoice: it has nothing left itself.
    """
    claims = pl.concat([_documents(session, payer_ids), _paid(session, payer_ids)])
    summed = claims.group_by("payer_id", "currency", "document_id").agg(
        pl.col("on_date").min(), pl.col("amount_minor").sum()
    )
    return settled(summed.select(list(CLAIMS)))


def _documents(session: Session, payer_ids: load.Ids) -> pl.DataFrame:
    """CLAIMS of documents, each at the one that it settles."""
    document = core_table(Document).c
    credit = document.kind == DocumentKind.CREDIT_NOTE.value
    sign: ColumnElement[Any] = case((credit, -1), else_=1)
    at: ColumnElement[Any] = case((credit, func.coalesce(document.corrects_id, document.id)), else_=document.id)
    statement = select(
        document.bill_to_id.label("payer_id"), document.currency, at.label("document_id"),
        document.issue_date.label("on_date"), (sign * document.total_minor).label("amount_minor"),
    ).where(load.among(session, document.bill_to_id, payer_ids))  # fmt: skip
    return load.frame(session, statement, CLAIMS, many=load.are_many(payer_ids))


def _paid(session: Session, payer_ids: load.Ids) -> pl.DataFrame:
    """CLAIMS of payments, each at the document that it settles; those without a document name none."""
    payment, document = core_table(Payment).c, core_table(Document).c
    statement = select(
        payment.customer_id.label("payer_id"), payment.currency, payment.document_id, payment.paid_on.label("on_date"),
        (-payment.amount_minor).label("amount_minor"),
    ).where(load.among(session, payment.customer_id, payer_ids))  # fmt: skip
    paid = load.frame(session, statement, CLAIMS, many=load.are_many(payer_ids))
    # Few documents settle another one: asking for them alone is quicker than joining every payment.
    notes = select(document.id, document.corrects_id).where(
        document.corrects_id.is_not(None), document.kind == DocumentKind.CREDIT_NOTE.value
    )
    at = {row.id: row.corrects_id for row in session.execute(notes)}
    return paid.with_columns(pl.col("document_id").replace(at)) if at else paid


def left_ids(session: Session, state: str, today: date) -> pl.Series:
    """Documents of a state by their ids: "open" (something is left to pay), "overdue" (and it was due), "in_favour"."""
    found = open_amounts(session, None).drop_nulls("document_id")
    if state == Settlement.IN_FAVOUR.value:
        return found.filter(pl.col("open_minor") < 0)["document_id"]
    left = found.filter(pl.col("open_minor") > 0)["document_id"]
    if state != Settlement.OVERDUE.value:
        return left
    document = core_table(Document).c
    due = (
        select(document.id)
        .where(document.due_date < today, load.among(session, document.id, left))
        .order_by(document.id)
    )
    return pl.Series("document_id", session.execute(due).scalars().all(), dtype=pl.Int64)


def open_of(session: Session, head: Mapping[str, Any]) -> int:
    """What is left of one document."""
    found = open_amounts(session, [head["bill_to_id"]]).filter(pl.col("document_id") == head["id"])
    return int(found["open_minor"][0]) if found.height else 0


def of_document(session: Session, document_id: int) -> pl.DataFrame:
    """PAYMENTS of one document, oldest first."""
    return _payments(session, core_table(Payment).c.document_id == document_id)


def of_customer(session: Session, customer_id: int, document_ids: load.Ids) -> pl.DataFrame:
    """PAYMENTS of a payer, and of these documents whoever paid them; oldest first."""
    payment = core_table(Payment).c
    return _payments(
        session, (payment.customer_id == customer_id) | load.among(session, payment.document_id, document_ids)
    )


def without_document(session: Session, customer_id: int) -> pl.DataFrame:
    """PAYMENTS of a payer that name no document, oldest first."""
    payment = core_table(Payment).c
    return _payments(session, (payment.customer_id == customer_id) & payment.document_id.is_(None))


def _payments(session: Session, which: ColumnElement[bool]) -> pl.DataFrame:
    payment, document = core_table(Payment), core_table(Document)
    special = {"payment_id": payment.c.id, "number": document.c.number}
    columns = [special[name].label(name) if name in special else payment.c[name] for name in PAYMENTS]
    statement = select(*columns).join_from(payment, document, document.c.id == payment.c.document_id, isouter=True)
    return load.frame(session, statement.where(which).order_by(payment.c.paid_on, payment.c.id), PAYMENTS)
