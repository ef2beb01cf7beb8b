"""What stands beside a customer's plans: pinned notes, one-off charges and goodwill credits."""

from __future__ import annotations

from datetime import date
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from core.domain.access import Role
from core.store import billing
from core.store.tables import (
    Adjustment,
    AdjustmentDecision,
    Customer,
    CustomerNote,
    Document,
    DocumentLine,
    Subscription,
    core_table,
)

WAITING, NEXT, BILLED = "waiting", "next", "billed"


def own_limit(session: Session, role: Role, currency: str, today: date) -> int:
    """Up to which amount, in minor units, one person of the role may charge or credit alone: nothing in other currencies."""
    company = billing.company_profile(session, today)
    return billing.own_limit(company, role) if company.currency == currency else 0


def notes(session: Session, customer_id: int) -> list[dict[str, Any]]:
    """Notes that are up, newest first: id, text, author, recorded_at."""
    note = core_table(CustomerNote).c
    replaced = select(note.replaces_id).where(note.replaces_id.is_not(None))
    statement = select(core_table(CustomerNote)).where(
        note.customer_id == customer_id, note.text != "", note.id.not_in(replaced)
    )
    return [dict(row) for row in session.execute(statement.order_by(note.id.desc())).mappings()]


def adjustments(session: Session, customer_id: int | None = None) -> list[dict[str, Any]]:
    """One-off charges and credits, newest first, with `state`: waiting, next (on the next document), billed, or the decision.

    Without a customer: only those that wait for approval.
    """
    adjustment, decision, line, document, sub, customer = (
        core_table(model) for model in (Adjustment, AdjustmentDecision, DocumentLine, Document, Subscription, Customer)
    )
    statement = (
        select(
            adjustment, decision.c.decision, document.c.number, sub.c.external_id, sub.c.currency, sub.c.customer_id,
            customer.c.external_id.label("customer_external_id"),
        )
        .join_from(adjustment, sub, sub.c.id == adjustment.c.subscription_id)
        .join(customer, customer.c.id == sub.c.customer_id)
        .join(decision, decision.c.adjustment_id == adjustment.c.id, isouter=True)
        .join(line, line.c.adjustment_id == adjustment.c.id, isouter=True)
        .join(document, document.c.id == line.c.document_id, isouter=True)
        .order_by(adjustment.c.id.desc())
    )  # fmt: skip
    if customer_id is not None:
        statement = statement.where(sub.c.customer_id == customer_id)
    else:
        statement = statement.where(adjustment.c.needs_approval, decision.c.id.is_(None))
    return [{**row, "state": _state(dict(row))} for row in map(dict, session.execute(statement).mappings())]


def _state(row: dict[str, Any]) -> str:
    if row["number"]:
        return BILLED
    if row["decision"] in ("declined", "withdrawn"):
        return str(row["decision"])
    return WAITING if row["needs_approval"] and row["decision"] is None else NEXT
