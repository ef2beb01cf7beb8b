"""What staff entered about the figures: budgets, marks in time, saved views, and the months that were reported."""

from __future__ import annotations

import json
from datetime import date
from typing import Any

import polars as pl
from sqlalchemy import func, or_, select
from sqlalchemy.orm import Session

from core.calc import movements
from core.calc.movements import CUSTOMER, after_months
from core.calc.recurring import in_minor
from core.reports import mrr
from core.reports.kpis import DAY, Figures, Filters, figures
from core.store import load
from core.store.tables import (
    Budget,
    Customer,
    MonthClose,
    Plan,
    PriceVersion,
    SavedView,
    Subscription,
    SubscriptionChange,
    TimeMark,
    core_table,
)  # fmt: skip

REPORTED = (
    "closing", "list_mrr", "customers_at_end", "arpa_minor", "customer_churn", "gross_mrr_churn", "net_mrr_churn", "nrr", "grr",
    "quick_ratio", *movements.KINDS, "fx", "opening",
)  # fmt: skip


def budgets(session: Session) -> dict[date, int]:
    """Month → MRR aimed at, in minor units."""
    table = core_table(Budget)
    newest = select(func.max(table.c.id)).group_by(table.c.month)
    rows = session.execute(
        select(table.c.month, table.c.mrr_minor).where(table.c.id.in_(newest)).order_by(table.c.month)
    )
    return {row[0]: row[1] for row in rows}


def marks(session: Session) -> list[tuple[date, str, int | None]]:
    """(day, text, id) of what charts should name: marks that staff set, and days on which prices changed (id None)."""
    table = core_table(TimeMark)
    replaced = select(table.c.replaces_id).where(table.c.replaces_id.is_not(None))
    own = session.execute(
        select(table.c.on_date, table.c.text, table.c.id).where(table.c.id.not_in(replaced), table.c.text != "")
    )
    version, plan = core_table(PriceVersion).c, core_table(Plan).c
    earliest = select(func.min(version.valid_from)).where(version.subscription_id.is_(None)).scalar_subquery()
    prices = session.execute(
        select(version.valid_from, plan.name)
        .join_from(core_table(PriceVersion), core_table(Plan), plan.id == version.plan_id)
        .where(
            version.subscription_id.is_(None),
            version.valid_from.is_not(None),
            version.number > 1,
            version.valid_from > earliest,
        )
        .distinct()
    )
    return sorted(
        [*((day, text, key) for day, text, key in own), *((day, name, None) for day, name in prices)],
        key=lambda row: row[0],
    )


def views(session: Session, page: str, person: str) -> list[dict[str, Any]]:
    """Saved views of a page: one's own and those shared with all, by name: id, name, query, shared, author."""
    table = core_table(SavedView)
    replaced = select(table.c.replaces_id).where(table.c.replaces_id.is_not(None))
    rows = session.execute(
        select(table.c.id, table.c.name, table.c.query, table.c.shared, table.c.author)
        .where(
            table.c.page == page,
            table.c.query != "",
            table.c.id.not_in(replaced),
            or_(table.c.author == person, table.c.shared),
        )
        .order_by(table.c.name)
    )
    return [dict(row) for row in rows.mappings()]


def reported(session: Session) -> dict[date, dict[str, Any]]:
    """Month → figures as they were reported, with `definitions`, `author`, `recorded_at`, `seen_change_id`."""
    table = core_table(MonthClose)
    rows = session.execute(select(table).order_by(table.c.month)).mappings()
    return {
        row["month"]: {
            **json.loads(row["content"]),
            **{name: row[name] for name in ("definitions", "author", "recorded_at", "seen_change_id")},
        }
        for row in rows
    }


def content(found: Figures, month: date) -> dict[str, Any]:
    """What closing a month freezes."""
    row = found.row(month)
    assert row is not None, "the month is among the figures"
    return {"currency": found.currency, **{name: row[name] for name in REPORTED}}


def month_content(session: Session, month: date, today: date) -> dict[str, Any]:
    """The figures of a whole month by what is known now."""
    known = mrr.ledger(session, today)
    return content(figures(known, Filters(), month, today), month)


def restated(session: Session, month: date, today: date) -> pl.DataFrame:
    """Why a reported month reads otherwise today: customer by customer, by the facts recorded since.

    external_id, name, was_minor, is_minor, difference_minor (MRR at the month's end), changes (kinds), authors; largest first.
    """
    seen = reported(session)[month]["seen_change_id"]
    end = min(after_months(month, 1) - DAY, today)
    now, then = mrr.ledger(session, today), mrr.ledger(session, today, seen)
    sides = [movements.standing(side.log, end).select(CUSTOMER, mrr="mrr") for side in (then, now)]
    both = sides[0].join(sides[1], on=CUSTOMER, how="full", coalesce=True, suffix="_now").fill_null(0)
    moved = both.filter(pl.col("mrr") != pl.col("mrr_now"))
    change, owner = core_table(SubscriptionChange).c, core_table(Subscription).c
    statement = (
        select(owner.customer_id, change.kind, change.author)
        .join_from(core_table(SubscriptionChange), core_table(Subscription), owner.id == change.subscription_id)
        .where(change.id > seen, load.among(session, owner.customer_id, moved[CUSTOMER]))
    )
    facts = load.frame(session, statement, {CUSTOMER: pl.Int64, "kind": pl.String, "author": pl.String})
    said = facts.group_by(CUSTOMER).agg(
        changes=pl.col("kind").unique().sort().str.join(", "), authors=pl.col("author").unique().sort().str.join(", ")
    )
    table = core_table(Customer).c
    names = load.frame(
        session, select(table.id.label(CUSTOMER), table.external_id).where(load.among(session, table.id, moved[CUSTOMER])),
        {CUSTOMER: pl.Int64, "external_id": pl.String},
    )  # fmt: skip
    people = now.people.select(CUSTOMER, "name")
    told = moved.join(names, on=CUSTOMER).join(people, on=CUSTOMER, how="left").join(said, on=CUSTOMER, how="left")
    return told.select(
        "external_id", "name", was_minor=in_minor(pl.col("mrr")), is_minor=in_minor(pl.col("mrr_now")),
        difference_minor=in_minor(pl.col("mrr_now")) - in_minor(pl.col("mrr")), changes="changes", authors="authors",
    ).sort(pl.col("difference_minor").abs(), descending=True)  # fmt: skip
