"""Who has which prices, asked of the facts in SQL: for single decisions, where a whole timeline would be too much."""

from __future__ import annotations

from datetime import date
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from core.domain.subscriptions import ChangeKind
from core.store.tables import PriceVersion, SubscriptionChange, core_table


def live_facts() -> Any:
    """A subquery of changes that are neither undone nor undos."""
    change = core_table(SubscriptionChange)
    undone = select(change.c.undoes_id).where(change.c.undoes_id.is_not(None))
    return select(change).where(change.c.kind != ChangeKind.UNDO.value, change.c.id.not_in(undone)).subquery()


def has_subscribers(session: Session, plan_id: int, on: date, *, but: int) -> bool:
    """Does somebody have, on this day or later, another published version of the plan than `but`?"""
    change, version = core_table(SubscriptionChange), core_table(PriceVersion)
    facts = live_facts()
    ended = select(facts.c.subscription_id).where(facts.c.kind == ChangeKind.CANCEL.value, facts.c.effective_on <= on)
    found = (
        select(change.c.id)
        .join_from(change, version, version.c.id == change.c.price_version_id)
        .where(version.c.plan_id == plan_id, version.c.id != but, change.c.subscription_id.not_in(ended))
        .limit(1)
    )
    return session.execute(found).first() is not None


def subscription_price(session: Session, subscription_id: int, on: date) -> int | None:
    """The price version that a subscription has on a day, or will start with; None when it is not known."""
    facts = live_facts()
    priced = facts.c.kind.in_([ChangeKind.START.value, ChangeKind.PRICE.value])
    latest = (
        select(facts.c.price_version_id)
        .where(facts.c.subscription_id == subscription_id, priced)
        .order_by((facts.c.effective_on <= on).desc(), facts.c.effective_on.desc(), facts.c.id.desc())
        .limit(1)
    )
    found: int | None = session.execute(latest).scalar()
    return found
