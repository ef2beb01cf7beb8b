"""What needs a hand today: billing that is due, what was left out, drafts, and what waits for a second person."""

from __future__ import annotations

from datetime import date
from typing import Any

from sqlalchemy import case, func, select
from sqlalchemy.orm import Session

from core.domain.errors import Conflict
from core.domain.plans import PriceStatus
from core.reports import asides, price_proposals
from core.reports.billing_review import held
from core.store import billing
from core.store.tables import (
    BillingRun,
    Document,
    Parked,
    PriceVersion,
    core_table,
)


def has_company(session: Session, today: date) -> bool:
    """Is the seller known on this day?"""
    try:
        billing.company_profile(session, today)
    except Conflict:
        return False
    return True


def chores(session: Session, today: date) -> dict[str, int]:
    """What waits for somebody: customers due for billing, left out by the last run, on hold; drafts of live plans."""
    run, parked, version = core_table(BillingRun).c, core_table(Parked).c, core_table(PriceVersion).c
    last_run = session.execute(select(func.max(run.id))).scalar()
    left_out = select(func.count(parked.customer_id.distinct())).where(parked.run_id == last_run)
    drafts = select(func.count(case((version.status == PriceStatus.DRAFT, 1)))).where(
        version.subscription_id.is_(None), version.retired_at.is_(None)
    )
    return {
        "due": billing.due_subscriptions(session, today)["customer_id"].n_unique(),
        "review": session.execute(left_out).scalar_one() if last_run else 0,
        "held": held(session).height,
        "drafts": session.execute(drafts).scalar_one(),
    }


def approvals(session: Session) -> list[dict[str, Any]]:
    """What waits for a second person: kind (price, adjustment), customer_external_id, external_id, text, author, recorded_at."""
    prices = [{**row, "kind": "price", "text": row["reason"]} for row in price_proposals.waiting(session)]
    amounts = [{**row, "kind": "adjustment"} for row in asides.adjustments(session)]
    return sorted([*prices, *amounts], key=lambda row: row["recorded_at"])


def billed_since(session: Session) -> date | None:
    """The day of the first invoice that was issued here; what is earlier was recorded or imported, not billed."""
    found: date | None = session.execute(select(func.min(core_table(Document).c.issue_date))).scalar()
    return found


def last_run(session: Session) -> dict[str, Any] | None:
    """The latest run and how many documents it issued."""
    run, document = core_table(BillingRun), core_table(Document)
    latest = session.execute(select(func.max(run.c.id))).scalar()
    if latest is None:
        return None
    head = session.execute(select(run).where(run.c.id == latest)).mappings().one()
    count = session.execute(select(func.count()).where(document.c.run_id == latest)).scalar_one()
    return {**head, "documents": count}
