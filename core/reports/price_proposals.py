"""Agreed prices that wait for a second person."""

from __future__ import annotations

from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from core.domain.plans import PriceStatus
from core.store.tables import Customer, Plan, PriceVersion, Subscription, core_table


def waiting(session: Session, customer_id: int | None = None) -> list[dict[str, Any]]:
    """Proposals, oldest first: price_version_id, subscription and customer, plan, reason, from, until, author, recorded_at."""
    version, sub, customer, plan = (core_table(model) for model in (PriceVersion, Subscription, Customer, Plan))
    statement = (
        select(
            version.c.id.label("price_version_id"), version.c.reason, version.c.valid_from, version.c.expires_on,
            version.c.author, version.c.recorded_at, version.c.subscription_id, sub.c.external_id, sub.c.customer_id,
            customer.c.external_id.label("customer_external_id"), plan.c.name.label("plan"),
        )
        .join_from(version, sub, sub.c.id == version.c.subscription_id)
        .join(customer, customer.c.id == sub.c.customer_id)
        .join(plan, plan.c.id == version.c.plan_id)
        .where(version.c.status == PriceStatus.DRAFT.value)
        .order_by(version.c.recorded_at, version.c.id)
    )  # fmt: skip
    if customer_id is not None:
        statement = statement.where(sub.c.customer_id == customer_id)
    return [dict(row) for row in session.execute(statement).mappings()]
