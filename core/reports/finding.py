"""Find anything by a few letters: customers, subscriptions, documents, plans. Fast enough for every keystroke."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

from sqlalchemy import or_, select
from sqlalchemy.orm import Session

from core.store import load, search
from core.store.tables import Plan, core_table

MOST, LOOKED_AT = 8, 60


@dataclass(frozen=True)
class Hit:
    """One thing found: what it is, what it is called, enough to tell two apart, and the page that shows it."""

    kind: str  # customer, subscription, document, plan
    title: str
    detail: str
    page: str
    query: tuple[tuple[str, str], ...]


def find(session: Session, text: str, today: date) -> list[Hit]:
    """The best hits: numbers and ids first, because they are exact, then customers, those first whose name says it, then plans."""
    text = text.replace("\0", "").strip()
    if not text:
        return []
    numbers = [
        Hit("document", number, "", "invoices", (("number", number),)) for number in search.documents(session, text, 3)
    ]
    return [*numbers, *_subscriptions(session, text, today), *_customers(session, text, today), *_plans(session, text)]


def _subscriptions(session: Session, text: str, today: date) -> list[Hit]:
    found = search.subscriptions(session, text, 3)
    if not found:
        return []
    people = {
        row["customer_id"]: row
        for row in load.customers(session, today, [owner for _, owner in found]).iter_rows(named=True)
    }
    return [
        Hit("subscription", external_id, people[owner]["name"], "customers",
            (("customer", people[owner]["external_id"]), ("subscription", external_id)))
        for external_id, owner in found
        if owner in people
    ]  # fmt: skip


def _customers(session: Session, text: str, today: date) -> list[Hit]:
    ids = search.find(session, text, LOOKED_AT)[:LOOKED_AT]
    people = {row["customer_id"]: row for row in load.customers(session, today, ids).iter_rows(named=True)}
    words = text.lower().split()
    known = [people[each] for each in ids if each in people]
    rows = sorted(known, key=lambda row: _distance(row["name"], words))[:MOST]
    return [
        Hit("customer", row["name"], " · ".join(filter(None, (row["external_id"], row["city"], row["emails"]))),
            "customers", (("customer", row["external_id"]),))
        for row in rows
    ]  # fmt: skip


def _distance(name: str, words: list[str]) -> int:
    """How far a name is from what was typed: 0 where each word stands in it, 1 where each begins one of its words, else 2."""
    own = name.lower().split()
    if all(word in own for word in words):
        return 0
    return 1 if all(any(each.startswith(word) for each in own) for word in words) else 2


def _plans(session: Session, text: str) -> list[Hit]:
    plan = core_table(Plan).c
    escaped = text.lower().replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
    fits = or_(plan.name.ilike(f"%{escaped}%", escape="\\"), plan.code.ilike(f"%{escaped}%", escape="\\"))
    rows = session.execute(select(plan.code, plan.name, plan.description).where(fits).order_by(plan.rank).limit(3))
    return [Hit("plan", row.name, row.description, "plans", (("plan", row.code),)) for row in rows]
