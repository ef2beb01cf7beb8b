"""Reads of payments: what was paid on documents, and what is left of them. Minor units of the document's currency."""

from __future__ import annotations

from typing import Any

import polars as pl
from sqlalchemy import ColumnElement, case, func, select
from sqlalchemy.orm import Session

from core import frames
from core.domain.invoices import DocumentKind
from core.store import load
from core.store.tables import Document, Payment, core_table

PAYMENTS: frames.Schema = {
    "payment_id": pl.Int64, "document_id": pl.Int64, "number": pl.String, "paid_on": pl.Date, "currency": pl.String,
    "amount_minor": pl.Int64, "payment_option": pl.String, "note": pl.String, "undoes_id": pl.Int64,
    "recorded_at": pl.Datetime("us", "UTC"), "author": pl.String,
}  # fmt: skip
OPEN: frames.Schema = {"document_id": pl.Int64, "open_minor": pl.Int64}


def open_amounts(session: Session, document_ids: load.Ids) -> pl.DataFrame:
    """OPEN: what is left to pay of each document; negative is in the customer's favour.

    An invoice less its payments and less the credit note that took it back whole; that credit note itself has nothing left.
    """
    document, payment, credit = core_table(Document), core_table(Payment).c, core_table(Document).alias("credit")
    paid = select(func.coalesce(func.sum(payment.amount_minor), 0)).where(payment.document_id == document.c.id)
    credited = select(func.coalesce(func.sum(credit.c.total_minor), 0)).where(
        credit.c.corrects_id == document.c.id, credit.c.kind == DocumentKind.CREDIT_NOTE
    )
    sign: ColumnElement[Any] = case((document.c.kind == DocumentKind.CREDIT_NOTE, -1), else_=1)
    corrects = (document.c.kind == DocumentKind.CREDIT_NOTE) & document.c.corrects_id.is_not(None)
    left = sign * document.c.total_minor - paid.scalar_subquery() - credited.scalar_subquery()
    statement = select(document.c.id.label("document_id"), case((corrects, 0), else_=left).label("open_minor"))
    return load.frame(session, statement.where(load.among(session, document.c.id, document_ids)), OPEN)


def of_document(session: Session, document_id: int) -> pl.DataFrame:
    """PAYMENTS of one document, oldest first."""
    return _payments(session, core_table(Payment).c.document_id == document_id)


def of_customer(session: Session, customer_id: int) -> pl.DataFrame:
    """PAYMENTS of whoever gets the bills, oldest first."""
    return _payments(session, core_table(Payment).c.customer_id == customer_id)


def _payments(session: Session, which: ColumnElement[bool]) -> pl.DataFrame:
    payment, document = core_table(Payment), core_table(Document)
    special = {"payment_id": payment.c.id, "number": document.c.number}
    columns = [special[name].label(name) if name in special else payment.c[name] for name in PAYMENTS]
    statement = select(*columns).join_from(payment, document, document.c.id == payment.c.document_id, isouter=True)
    return load.frame(session, statement.where(which).order_by(payment.c.paid_on, payment.c.id), PAYMENTS)
