"""Reads of the ledger: what payers owe."""

from __future__ import annotations

import polars as pl
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from core.domain.ledger import Account
from core.store import load
from core.store.tables import LedgerEntry, LedgerPosting, core_table


def receivables(session: Session, customer_ids: load.Ids) -> pl.DataFrame:
    """What payers owe by the ledger: customer_id, currency, owed_minor; negative is in their favour."""
    entry, posting = core_table(LedgerEntry), core_table(LedgerPosting)
    statement = (
        select(entry.c.customer_id, posting.c.currency, func.sum(posting.c.amount_minor).label("owed_minor"))
        .join_from(entry, posting, posting.c.entry_id == entry.c.id)
        .where(load.among(session, entry.c.customer_id, customer_ids), posting.c.account == Account.RECEIVABLE.value)
        .group_by(entry.c.customer_id, posting.c.currency)
        .order_by(entry.c.customer_id, posting.c.currency)
    )
    return load.frame(session, statement, {"customer_id": pl.Int64, "currency": pl.String, "owed_minor": pl.Int64})
