"""The list of customers: who they are today, which plans they have, what that is worth a month at list prices.

One frame for everybody, brought forward by what was recorded since; filters, sorting and pages are cut from it.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

import polars as pl
from sqlalchemy import case, func, select, union
from sqlalchemy.orm import Session

from core import frames
from core.calc.arithmetic import divide
from core.reports import payments
from core.reports.mrr import owners_of
from core.reports.subscriber_base import PAUSED, PAYING, TRIAL, base_of
from core.store import load, search
from core.store.tables import (
    BillingCursor,
    CompanyProfile,
    Customer,
    CustomerVersion,
    Document,
    Plan,
    Subscription,
    SubscriptionChange,
    Table,
    VatRule,
    core_table,
)

# What a customer is worth in one currency.
WORTH = pl.Struct({"currency": pl.String, "list_twelfths": pl.Int64, "mrr_minor": pl.Int64})
DIRECTORY: frames.Schema = {
    "customer_id": pl.Int64, "external_id": pl.String, "name": pl.String, "kind": pl.String, "emails": pl.String,
    "status": pl.String, "plans": pl.String, "currency": pl.String, "mrr_minor": pl.Int64, "worth": pl.List(WORTH),
    "created_on": pl.Date,
    "payment_option": pl.String, "channel": pl.String, "country": pl.String, "city": pl.String,
    "organisation_number": pl.String,
}  # fmt: skip
PEOPLE = {name: dtype for name, dtype in frames.CUSTOMERS.items() if name in DIRECTORY}
# What comes of a customer: `overdue` has one sum for each currency.
DUE: frames.Schema = {
    "customer_id": pl.Int64, "next_on": pl.Date, "overdue": pl.List(pl.Struct({"currency": pl.String, "open_minor": pl.Int64})),
}  # fmt: skip
STATUSES = {PAYING: "active", TRIAL: "trial", PAUSED: "paused"}  # the best one that a customer's subscriptions have
ENDED, NOTHING = "ended", "no_subscription"
SORTS = {
    "name": ("name", False), "newest": ("created_on", True), "oldest": ("created_on", False), "mrr": ("mrr_minor", True),
}  # fmt: skip
TWELFTHS = 12
# Letters in the order of the Norwegian alphabet, which ends z æ ø å; other accents stand with their plain letter.
LETTERS = {
    "æ": "{", "ä": "{", "ø": "|", "ö": "|", "å": "}", "á": "a", "à": "a", "â": "a", "ç": "c", "é": "e", "è": "e", "ê": "e", "ë": "e",
    "í": "i", "ï": "i", "ñ": "n", "ó": "o", "ò": "o", "ô": "o", "õ": "o", "š": "s", "ú": "u", "ù": "u", "ü": "u", "ý": "y", "ž": "z",
}  # fmt: skip


@dataclass(frozen=True)
class Filters:
    """What the list is narrowed to; empty fields do not narrow."""

    text: str = ""
    kind: str = ""
    status: str = ""
    plan: str = ""
    payment_option: str = ""
    channel: str = ""
    country: str = ""


@dataclass(frozen=True)
class Directory:
    """`rows`: DIRECTORY of all customers by name, as of a day; and the newest facts in it, by which it is brought forward."""

    rows: pl.DataFrame
    day: date
    change_id: int
    version_id: int
    # What changes everybody's row when it changes: the plans' names, VAT and the company.
    settled: tuple[pl.DataFrame, int, int]


def directory(session: Session, today: date, former: Directory | None = None) -> Directory:
    """All customers. MRR is in the customer's largest currency; `worth` has all of them.

    `former`: an earlier answer that is brought forward by what was recorded since; the result is the same.
    """
    table = core_table(Plan).c
    names = load.frame(session, select(table.id.label("plan_id"), table.name), {"plan_id": pl.Int64, "name": pl.String})
    settled = names, _newest(session, VatRule), _newest(session, CompanyProfile)
    change_id, version_id = _newest(session, SubscriptionChange), _newest(session, CustomerVersion)
    rows = None
    if former and former.day == today and former.settled[0].equals(names) and former.settled[1:] == settled[1:]:
        rows = _brought_forward(session, former, names)
    if rows is None:
        rows = _rows(session, today, names)
    return Directory(rows.sort(alphabetical("name"), "name", "customer_id"), today, change_id, version_id, settled)


def _newest(session: Session, model: type[Table]) -> int:
    found: int = session.execute(select(func.coalesce(func.max(core_table(model).c.id), 0))).scalar_one()
    return found


def _brought_forward(session: Session, former: Directory, names: pl.DataFrame) -> pl.DataFrame | None:
    """The former rows with those anew of whom something was recorded since; None when they are many.

    Facts are only ever added, so a customer without a new one stays as they were.
    """
    change, sub, version = (core_table(model).c for model in (SubscriptionChange, Subscription, CustomerVersion))
    changed = (
        select(sub.customer_id)
        .join_from(core_table(SubscriptionChange), core_table(Subscription), sub.id == change.subscription_id)
        .where(change.id > former.change_id)
    )
    described = select(version.customer_id).where(version.id > former.version_id)
    touched = pl.Series("customer_id", session.execute(union(changed, described)).scalars().all(), dtype=pl.Int64)
    if touched.len() > former.rows.height // 5:
        return None
    if touched.is_empty():
        return former.rows
    others = former.rows.filter(~pl.col("customer_id").is_in(touched.implode()))
    return pl.concat([others, _rows(session, former.day, names, touched)])


def _rows(session: Session, today: date, names: pl.DataFrame, ids: pl.Series | None = None) -> pl.DataFrame:
    """DIRECTORY of all customers, or of some."""
    people = load.customers(session, today, ids, PEOPLE)
    owners = owners_of(session, ids)
    changes = load.changes(session, None if ids is None else owners["subscription_id"])
    running = base_of(session, changes, today).standing.join(owners, on="subscription_id", how="left")
    worth = _worth(running, names)
    ever = owners.select("customer_id", ever=pl.lit(True)).unique()
    rows = people.join(worth, on="customer_id", how="left").join(ever, on="customer_id", how="left")
    rows = rows.with_columns(
        status=pl.coalesce("status", pl.when("ever").then(pl.lit(ENDED)).otherwise(pl.lit(NOTHING))),
        plans=pl.col("plans").fill_null(""), mrr_minor=pl.col("mrr_minor").fill_null(0),
    )  # fmt: skip
    return frames.conform(rows, DIRECTORY)


def what_comes(session: Session, customer_ids: load.Ids, today: date) -> pl.DataFrame:
    """DUE of a few customers: the next billing day of any subscription, and what is overdue of the invoices that they pay."""
    sub, cursor, document = (core_table(model) for model in (Subscription, BillingCursor, Document))
    # A subscription that was never billed falls due when it starts.
    day = func.coalesce(cursor.c.next_due_on, case((cursor.c.billed_through.is_(None), sub.c.started_on)))
    ahead = load.frame(
        session,
        select(sub.c.customer_id, func.min(day).label("next_on"))
        .join_from(sub, cursor, cursor.c.subscription_id == sub.c.id, isouter=True)
        .where(load.among(session, sub.c.customer_id, customer_ids))
        .group_by(sub.c.customer_id),
        {"customer_id": pl.Int64, "next_on": pl.Date},
    )
    left = payments.open_amounts(session, customer_ids).filter(pl.col("open_minor") > 0)
    late = load.frame(
        session,
        select(document.c.id.label("document_id")).where(
            load.among(session, document.c.id, left["document_id"].drop_nulls()), document.c.due_date < today
        ),
        {"document_id": pl.Int64},
    )
    overdue = (
        left.join(late, on="document_id", how="semi")
        .group_by(pl.col("payer_id").alias("customer_id"), "currency")
        .agg(pl.col("open_minor").sum())
        .sort("customer_id", "currency")
        .group_by("customer_id", maintain_order=True)
        .agg(overdue=pl.struct("currency", "open_minor"))
    )
    return frames.conform(ahead.join(overdue, on="customer_id", how="full", coalesce=True), DUE)


def alphabetical(column: str) -> pl.Expr:
    """What to sort by so that names stand as in a Norwegian directory, capitals with small letters."""
    return pl.col(column).str.to_lowercase().str.replace_many(LETTERS)


def _worth(running: pl.DataFrame, names: pl.DataFrame) -> pl.DataFrame:
    """customer_id, status, plans, currency, mrr_minor, worth of those who have something running."""
    best = pl.col("state").replace_strict({state: place for place, state in enumerate(STATUSES)}, return_dtype=pl.Int64)
    each = running.join(names, on="plan_id", how="left").with_columns(best=best)
    sums = each.group_by("customer_id", "currency").agg(pl.col("list_twelfths").sum())
    amount = divide(pl.col("list_twelfths"), TWELFTHS)
    ranked = sums.sort("list_twelfths", "currency", descending=[True, False]).with_columns(mrr_minor=amount)
    worth = ranked.group_by("customer_id", maintain_order=True).agg(
        pl.col("currency", "mrr_minor").first(), worth=pl.struct(*(field.name for field in WORTH.fields))
    )
    states = dict(enumerate(STATUSES.values()))
    said = each.sort("name").group_by("customer_id").agg(
        status=pl.col("best").min().replace_strict(states, return_dtype=pl.String),
        plans=pl.col("name").unique(maintain_order=True).str.join(", "),
    )  # fmt: skip
    return said.join(worth, on="customer_id", how="left")


def narrowed(session: Session, filters: Filters, sort: str, known: pl.DataFrame) -> pl.DataFrame:
    """DIRECTORY of those who fit the filters, sorted; `known` is the whole directory."""
    wanted = [
        pl.col(name) == value
        for name in ("kind", "status", "payment_option", "channel", "country")
        if (value := getattr(filters, name))
    ]
    if filters.plan:
        wanted.append(pl.col("plans").str.split(", ").list.contains(filters.plan))
    if filters.text.strip():
        found = search.find(session, filters.text)
        wanted.append(pl.col("customer_id").is_in(found.implode()))
    rows = known.filter(*wanted) if wanted else known
    by, descending = SORTS.get(sort, SORTS["name"])
    return rows if by == "name" else rows.sort(by, "customer_id", descending=[descending, False])


def sums(rows: pl.DataFrame) -> pl.DataFrame:
    """currency, mrr_minor of these customers, the largest first; rounded once, so that it equals the overview's figure."""
    paying = rows.select(pl.col("worth").explode()).drop_nulls().unnest("worth").filter(pl.col("list_twelfths") > 0)
    added = paying.group_by("currency").agg(mrr_minor=divide(pl.col("list_twelfths").sum(), TWELFTHS))
    return added.sort("mrr_minor", "currency", descending=True)


def choices(known: pl.DataFrame) -> dict[str, list[str]]:
    """The values that filters can take: plan, country."""
    plans = known["plans"].str.split(", ").explode().unique().sort()
    return {
        "plan": [plan for plan in plans if plan],
        "country": [country for country in known["country"].unique().sort() if country],
    }


def customer_id_of(session: Session, external_id: str) -> int | None:
    """The customer behind an outside id."""
    table = core_table(Customer).c
    found: int | None = session.execute(select(table.id).where(table.external_id == external_id)).scalar()
    return found
