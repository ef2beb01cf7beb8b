"""What the Settings page shows: the company's dated profile, VAT rules, rates, books, people, and the database itself.

Everything is dated: `state` says for a day whether something is in force, still to come, ended or replaced by a later
entry. Rates of VAT are millionths.
"""

from __future__ import annotations

import json
from datetime import date, datetime
from decimal import Decimal
from typing import Any, NamedTuple

import polars as pl
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from core.domain.company import Reopening
from core.store import billing
from core.store.audit import AuditHead, audit_head
from core.store.migrate import current_revision, newest_revision
from core.store.tables import (
    AuditEntry,
    BooksClosed,
    Command,
    CompanyProfile,
    CurrencyRate,
    Customer,
    Document,
    DocumentLine,
    NumberSeries,
    Person,
    PriceVersion,
    Revision,
    Subscription,
    SubscriptionChange,
    Table,
    TouchPoint,
    UsageEvent,
    VatRule,
    core_table,
)

IN_FORCE, TO_COME, ENDED, REPLACED = "in_force", "to_come", "ended", "replaced"
Row = dict[str, Any]
BUYERS = ("seller_country", "customer_kind", "customer_country", "has_vat_number", "category")
COUNTED: dict[str, type[Table]] = {
    "customers": Customer, "subscriptions": Subscription, "changes": SubscriptionChange, "price_versions": PriceVersion,
    "usage_events": UsageEvent, "contacts": TouchPoint, "documents": Document, "document_lines": DocumentLine,
    "commands": Command, "audit_entries": AuditEntry,
}  # fmt: skip


def profiles(session: Session, today: date) -> list[Row]:
    """Every profile, newest day first: its row, `state`, and `changes`: field → (before, after) to the day before it."""
    table = core_table(CompanyProfile)
    rows = [dict(row) for row in session.execute(select(table)).mappings()]
    rows.sort(key=lambda row: (row["effective_from"], row["id"]))
    last = {row["effective_from"]: row["id"] for row in rows}
    running = max((day for day in last if day <= today), default=None)
    before: Row = {}
    for row in rows:
        row["changes"] = _differences(before, row)
        row["state"] = _state(row, last[row["effective_from"]] == row["id"], today, running)
        before = row
    return rows[::-1]


def _differences(before: Row, after: Row) -> dict[str, tuple[Any, Any]]:
    """What the later row says otherwise; nothing for the first one."""
    stamps = {"id", "effective_from", "recorded_at", "author", "changes", "state"}
    return {
        name: (before[name], after[name])
        for name in after
        if before and name not in stamps and before[name] != after[name]
    }


def _state(row: Row, is_last: bool, today: date, running: date | None) -> str:
    """In force on the day, to come, or over."""
    if not is_last:
        return REPLACED
    if row["effective_from"] > today:
        return TO_COME
    return IN_FORCE if row["effective_from"] == running else ENDED


def vat(session: Session, today: date) -> list[Row]:
    """Every VAT rule with its `state` and `until`: its own end, or the day a later one for the same customers begins."""
    table = core_table(VatRule)
    rows = [dict(row) for row in session.execute(select(table).order_by(table.c.valid_from, table.c.id)).mappings()]
    for row in rows:
        same = [other for other in rows if all(other[name] == row[name] for name in BUYERS)]
        begins = [other["valid_from"] for other in same if other["valid_from"] > row["valid_from"]]
        row["until"] = min((day for day in (row["valid_to"], *begins) if day), default=None)
        newer = any(other["valid_from"] == row["valid_from"] and other["id"] > row["id"] for other in same)
        row["state"] = REPLACED if newer else _span_state(row["valid_from"], row["until"], today)
    order = {IN_FORCE: 0, TO_COME: 1, ENDED: 2, REPLACED: 3}
    return sorted(
        rows, key=lambda row: (order[row["state"]], row["customer_country"] == "*", row["category"], row["id"])
    )


def replaced_rule(session: Session, buyers: Row, day: date) -> Row | None:
    """The rule that holds for exactly these customers on a day, before a new one."""
    found = [
        row for row in vat(session, day) if row["state"] == IN_FORCE and all(row[name] == buyers[name] for name in BUYERS)
    ]  # fmt: skip
    return found[0] if found else None


def _span_state(start: date, end: date | None, today: date) -> str:
    if start > today:
        return TO_COME
    return ENDED if end is not None and end <= today else IN_FORCE


def rates(session: Session) -> list[Row]:
    """Every currency rate, newest day first; `state` is in force for the newest of each currency."""
    table = core_table(CurrencyRate)
    order = (table.c.on_date.desc(), table.c.id.desc())
    rows = [dict(row) for row in session.execute(select(table).order_by(*order)).mappings()]
    seen: set[str] = set()
    days: set[tuple[str, date]] = set()
    for row in rows:
        day = (row["currency"], row["on_date"])
        row["state"] = IN_FORCE if row["currency"] not in seen else REPLACED if day in days else ENDED
        seen.add(row["currency"])
        days.add(day)
    return rows


def rate_change_ppm(session: Session, currency: str, on_date: date, rate: Decimal) -> int | None:
    """How far a rate lies from the one before it, in millionths; None for a first rate."""
    earlier = next((row for row in rates(session) if row["currency"] == currency and row["on_date"] <= on_date), None)
    return None if earlier is None else round((rate / Decimal(earlier["rate"]) - 1) * 1_000_000)


def currencies_without_rate(session: Session, own: str) -> list[str]:
    """Currencies of subscriptions for which no rate is known: their VAT cannot be stated in the company's currency."""
    known = {own, *(row["currency"] for row in rates(session))}
    return [currency for currency in currencies_in_use(session) if currency not in known]


def currencies_in_use(session: Session) -> list[str]:
    """The currencies of subscriptions, most used first."""
    currency = core_table(Subscription).c.currency
    return list(session.execute(select(currency).group_by(currency).order_by(func.count().desc())).scalars())


class Books(NamedTuple):
    """The closed day, the history newest first (`asked_by` where it was reopened), number series, an open request to reopen."""

    closed_through: date | None
    history: list[Row]
    series: list[Row]
    asked: Row | None


def books(session: Session) -> Books:
    """How far the books are closed, by whom and why; the number series."""
    table, series = core_table(BooksClosed), core_table(NumberSeries)
    rows = [dict(row) for row in session.execute(select(table).order_by(table.c.id)).mappings()]
    asked_by = {
        answer["books_id"]: answer["asked_by"] for _, answer in _answers(session, "company.reopen_books")
    }  # fmt: skip
    before: date | None = None
    for row in rows:
        row["reopened"] = before is not None and row["through"] < before
        row["asked_by"] = asked_by.get(row["id"], "")
        before = row["through"]
    numbered = session.execute(select(series).order_by(series.c.year.desc(), series.c.kind.desc())).mappings()
    last = billing.last_reopening(session)
    asked = dict(last._mapping) if last is not None and last.step == Reopening.REQUESTED else None
    return Books(before, rows[::-1], [dict(row) for row in numbered], asked)


def _answers(session: Session, *actions: str) -> list[tuple[Any, Row]]:
    """What these actions answered, oldest first: (the command's row, its answer)."""
    table = core_table(Command)
    found = session.execute(select(table).where(table.c.action.in_(actions)).order_by(table.c.recorded_at)).all()
    return [(row, json.loads(row.result_json)) for row in found]


def unbilled(session: Session, through: date) -> int:
    """Customers with something still to bill through a day: closing would move it to a later date."""
    due: pl.DataFrame = billing.due_subscriptions(session, through)
    return due["customer_id"].n_unique()


def documents_between(session: Session, after: date, through: date) -> int:
    """Documents dated in (after, through]."""
    document = core_table(Document).c
    counted = select(func.count(document.id)).where(document.issue_date > after, document.issue_date <= through)
    return session.execute(counted).scalar_one()


def people(session: Session) -> list[Row]:
    """Everybody, active ones first, by name."""
    table = core_table(Person)
    return [
        dict(row) for row in session.execute(select(table).order_by(table.c.active.desc(), table.c.name)).mappings()
    ]


def people_history(session: Session) -> list[Row]:
    """Who gave whom which role and when, newest first: name, role, active, author, recorded_at, added."""
    names = {row["id"]: row["name"] for row in people(session)}
    return [
        {"name": names.get(answer["person_id"], ""), "role": answer["role"], "active": answer["active"],
         "author": row.actor, "recorded_at": row.recorded_at, "added": row.action == "people.add"}
        for row, answer in reversed(_answers(session, "people.add", "people.change"))
    ]  # fmt: skip


class About(NamedTuple):
    """The database: kind and version of its server, schema, newest schema, revision, counts, head of the audit trail."""

    dialect: str
    server: str
    place: str
    schema: str
    newest: str
    revision: int
    counts: dict[str, int]
    head: AuditHead


def about(session: Session) -> About:
    """What the database is and holds; its address without a password."""
    connection, url = session.connection(), session.get_bind().engine.url
    counts = {
        name: session.execute(select(func.count()).select_from(core_table(model))).scalar_one()
        for name, model in COUNTED.items()
    }
    raised = session.execute(select(core_table(Revision).c.value)).scalar() or 0
    dialect, schema = connection.dialect, current_revision(connection) or ""
    version = ".".join(str(part) for part in dialect.server_version_info or ())
    place = url.database if dialect.name == "sqlite" else f"{url.host}/{url.database}"
    return About(dialect.name, version, place or "", schema, newest_revision(), raised, counts, audit_head(session))


class Trail(NamedTuple):
    """One entry of the audit trail."""

    recorded_at: datetime
    actor: str
    action: str
    subject: str
    fields: str


def trail(session: Session, count: int = 50) -> list[Trail]:
    """The newest entries of the audit trail."""
    entry = core_table(AuditEntry).c
    columns = (entry.recorded_at, entry.actor, entry.action, entry.subject, entry.fields)
    return [Trail(*row) for row in session.execute(select(*columns).order_by(entry.id.desc()).limit(count))]
