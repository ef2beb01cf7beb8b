"""Holds of customers' billing: who was released, so that an unusual amount may pass once."""

from __future__ import annotations

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from core.store import load
from core.store.tables import BillingHold, Document, core_table


def released(session: Session, customer_ids: load.Ids) -> list[int]:
    """Customers of these whom somebody released after their last document."""
    hold, document = core_table(BillingHold).c, core_table(Document).c
    last = select(func.max(document.recorded_at)).where(document.customer_id == hold.customer_id).scalar_subquery()
    statement = select(hold.customer_id).where(
        load.among(session, hold.customer_id, customer_ids),
        hold.held.is_(False),
        (hold.recorded_at > last) | last.is_(None),
    )
    return list(session.execute(statement).scalars())
