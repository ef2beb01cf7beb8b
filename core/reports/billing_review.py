"""What a billing run would do, before it is done: totals, by plan, the largest, what needs review, and the usage check.

The numbers are the engine's own draft of every due customer; issuing recomputes them in its transaction.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date

import polars as pl
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from core.calc.billing.documents import draft
from core.calc.billing.expected import metered_usage
from core.calc.billing.limits import unusual
from core.domain.periods import MONTHLY, boundary
from core.frames import BillingInputs, Schema
from core.store import billing, load
from core.store.holds import released
from core.store.tables import (
    BillingHold,
    BillingRun,
    ChargeRow,
    Customer,
    CustomerVersion,
    Document,
    DocumentLine,
    Plan,
    PriceVersion,
    core_table,
)

CHUNK_CUSTOMERS = 10_000
LARGEST = 20
JUMP = 0.5  # usage that moved by more than half is worth a look (issue 2, section 6)
Progress = Callable[[float, str], None]
USAGE = {
    "customer_id": pl.Int64, "subscription_id": pl.Int64, "charge_id": pl.Int64, "charge": pl.String,
    "service_start": pl.Date, "service_end": pl.Date, "quantity_micro": pl.Int64, "previous_micro": pl.Int64,
    "sign": pl.String,
}  # fmt: skip


@dataclass(frozen=True)
class BillingReview:
    """A run as it would be.

    `heads`: one row a document (customer_id, kind, currency, lines, net_minor, tax_minor, total_minor). `plans`: plan,
    currency, net_minor (this run), period_minor (with what was issued since a month ago), previous_minor (the month before
    that). `review`: customer_id, code. `usage`: USAGE rows with something odd.
    """

    through: date
    heads: pl.DataFrame
    plans: pl.DataFrame
    review: pl.DataFrame
    usage: pl.DataFrame

    def totals(self) -> pl.DataFrame:
        """Per currency: invoices, credit_notes, net_minor, tax_minor, total_minor."""
        return self.heads.group_by("currency").agg(
            invoices=(pl.col("kind") == "invoice").sum(),
            credit_notes=(pl.col("kind") == "credit_note").sum(),
            net_minor=pl.col("net_minor").sum(),
            tax_minor=pl.col("tax_minor").sum(),
            total_minor=pl.col("total_minor").sum(),
        ).sort("total_minor", descending=True)  # fmt: skip

    def largest(self) -> pl.DataFrame:
        """The largest documents, by what is to pay."""
        return self.heads.sort("total_minor", descending=True).head(LARGEST)


def review(session: Session, through: date, issue_date: date, progress: Progress | None = None) -> BillingReview:
    """Everything due through a day, drafted; `progress` is told the share done."""
    company = billing.company_profile(session, issue_date)
    due = billing.due_subscriptions(session, through)
    customers = due["customer_id"].unique(maintain_order=True)
    heads, plans, reasons, usage = [], [], [], []
    for start in range(0, customers.len(), CHUNK_CUSTOMERS):
        some = customers.slice(start, CHUNK_CUSTOMERS)
        loaded = billing.inputs(session, due.filter(pl.col("customer_id").is_in(some.implode())), through, issue_date)
        made = draft(loaded, through)
        odd = unusual(made.documents, company.review_above_minor, company.review_lines_above)
        odd = odd.filter(~pl.col("customer_id").is_in(released(session, odd["customer_id"])))
        made = made.without(odd["customer_id"])
        heads.append(made.documents)
        plans.append(made.lines.group_by("price_version_id", "currency").agg(pl.col("net_minor").sum()))
        reasons.append(pl.concat([made.review, odd]).unique(maintain_order=True))
        usage.append(usage_signs(session, loaded, through))
        if progress:
            progress(min(1.0, (start + some.len()) / customers.len()), f"{start + some.len():,} / {customers.len():,}")
    return BillingReview(
        through,
        _stack(heads, _HEADS),
        _by_plan(session, _stack(plans, _PLAN_PARTS), through),
        _stack(reasons, {"customer_id": pl.Int64, "code": pl.String}),
        _stack(usage, USAGE),
    )


_HEADS = {
    "customer_id": pl.Int64, "kind": pl.String, "currency": pl.String, "lines": pl.UInt32, "net_minor": pl.Int64,
    "tax_minor": pl.Int64, "total_minor": pl.Int64,
}  # fmt: skip
_PLAN_PARTS = {"price_version_id": pl.Int64, "currency": pl.String, "net_minor": pl.Int64}


def _stack(parts: list[pl.DataFrame], schema: dict[str, type[pl.DataType]]) -> pl.DataFrame:
    """Chunks in one frame with exactly these columns."""
    if not parts:
        return pl.DataFrame(schema=schema)
    return pl.concat([part.select(pl.col(name).cast(kind) for name, kind in schema.items()) for part in parts])


def _by_plan(session: Session, parts: pl.DataFrame, through: date) -> pl.DataFrame:
    """Net per plan and currency, and what the month up to the day then sums to beside the month before it."""
    names = _plan_names(session)
    month_ago, two_ago = (boundary(through, MONTHLY, -count) for count in (1, 2))
    parts_of = [
        parts.join(names, on="price_version_id", how="left").select(
            "plan", "currency", "net_minor", since=pl.lit(0), before=pl.lit(0)
        ),
        _issued_by_plan(session, month_ago, through).select(
            "plan", "currency", net_minor=pl.lit(0), since="issued", before=pl.lit(0)
        ),
        _issued_by_plan(session, two_ago, month_ago).select(
            "plan", "currency", net_minor=pl.lit(0), since=pl.lit(0), before="issued"
        ),
    ]
    typed = [part.with_columns(pl.col("net_minor", "since", "before").cast(pl.Int64)) for part in parts_of]
    summed = pl.concat(typed).group_by("plan", "currency").agg(pl.col("net_minor", "since", "before").sum())
    return summed.select(
        "plan", "currency", "net_minor", period_minor=pl.col("net_minor") + pl.col("since"), previous_minor="before"
    ).sort("net_minor", "plan", descending=[True, False])


def _plan_names(session: Session) -> pl.DataFrame:
    version, plan = core_table(PriceVersion), core_table(Plan)
    statement = select(version.c.id.label("price_version_id"), plan.c.name.label("plan")).join_from(
        version, plan, plan.c.id == version.c.plan_id
    )
    return load.frame(session, statement, {"price_version_id": pl.Int64, "plan": pl.String})


def _issued_by_plan(session: Session, after: date, through: date) -> pl.DataFrame:
    """Net per plan and currency of the runs whose day lies in (after, through]: plan, currency, issued."""
    run, document, line = core_table(BillingRun), core_table(Document), core_table(DocumentLine)
    version, plan = core_table(PriceVersion), core_table(Plan)
    statement = (
        select(plan.c.name.label("plan"), document.c.currency, func.sum(line.c.net_minor).label("issued"))
        .join_from(run, document, document.c.run_id == run.c.id)
        .join(line, line.c.document_id == document.c.id)
        .join(version, version.c.id == line.c.price_version_id)
        .join(plan, plan.c.id == version.c.plan_id)
        .where(run.c.through > after, run.c.through <= through)
        .group_by(plan.c.name, document.c.currency)
    )
    return load.frame(session, statement, {"plan": pl.String, "currency": pl.String, "issued": pl.Int64})


def usage_signs(session: Session, loaded: BillingInputs, through: date) -> pl.DataFrame:
    """Metered periods due now whose usage is missing, nothing, or more than half away from the period before.

    Out: USAGE, key subscription_id, charge_id, service_start; `sign`: missing, zero, jump, drop.
    """
    metered = metered_usage(loaded.facts, loaded.scope, through)
    if metered.is_empty():
        return pl.DataFrame(schema=USAGE)
    fresh = metered.join(loaded.scope.select("subscription_id", "billed_through"), on="subscription_id").filter(
        pl.col("due_on") > pl.col("billed_through")
    )
    before = _previous_usage(session, fresh["subscription_id"].unique())
    owners = loaded.subscriptions.select("subscription_id", "customer_id")
    compared = fresh.join(before, on=["subscription_id", "charge_id"], how="left").join(owners, on="subscription_id")
    change = pl.col("quantity_micro") / pl.col("previous_micro") - 1
    sign = (
        pl.when(pl.col("events").is_null()).then(pl.lit("missing"))
        .when(pl.col("quantity_micro") == 0).then(pl.lit("zero"))
        .when((pl.col("previous_micro") > 0) & (change > JUMP)).then(pl.lit("jump"))
        .when((pl.col("previous_micro") > 0) & (change < -JUMP)).then(pl.lit("drop"))
    )  # fmt: skip
    names = loaded.facts.charges.select(
        "charge_id", charge=pl.when(pl.col("name") == "").then("code").otherwise("name")
    )
    odd = compared.with_columns(sign=sign).filter(pl.col("sign").is_not_null()).join(names, on="charge_id", how="left")
    return odd.select(pl.col(name).cast(kind) for name, kind in USAGE.items())


def _previous_usage(session: Session, subscription_ids: pl.Series) -> pl.DataFrame:
    """The quantity of each metered charge on its latest billed line."""
    line = core_table(DocumentLine).c
    latest = (
        select(func.max(line.id))
        .where(line.kind == "usage", line.revision == 0, load.among(session, line.subscription_id, subscription_ids))
        .group_by(line.subscription_id, line.charge_id)
    )
    statement = select(line.subscription_id, line.charge_id, line.quantity_micro.label("previous_micro")).where(
        line.id.in_(latest)
    )
    return load.frame(
        session, statement, {"subscription_id": pl.Int64, "charge_id": pl.Int64, "previous_micro": pl.Int64}
    )


def held(session: Session) -> pl.DataFrame:
    """Customers on hold: customer_id, external_id, name, reason, author, recorded_at."""
    hold, version, customer = core_table(BillingHold), core_table(CustomerVersion), core_table(Customer)
    newest = select(func.max(hold.c.id)).group_by(hold.c.customer_id)
    last_name = (
        select(version.c.name)
        .where(version.c.customer_id == hold.c.customer_id)
        .order_by(version.c.effective_from.desc(), version.c.id.desc())
        .limit(1)
        .scalar_subquery()
    )
    statement = (
        select(
            hold.c.customer_id,
            customer.c.external_id,
            last_name.label("name"),
            hold.c.reason,
            hold.c.author,
            hold.c.recorded_at,
        )
        .join_from(hold, customer, customer.c.id == hold.c.customer_id)
        .where(hold.c.id.in_(newest), hold.c.held)
        .order_by(hold.c.id.desc())
    )
    schema: Schema = {"customer_id": pl.Int64, "external_id": pl.String, "name": pl.String, "reason": pl.String, "author": pl.String,
              "recorded_at": pl.Datetime("us", "UTC")}  # fmt: skip
    return load.frame(session, statement, schema)


def names(session: Session, customer_ids: load.Ids, as_of: date) -> pl.DataFrame:
    """Names of customers on a day: customer_id, name, external_id."""
    return load.customers(session, as_of, customer_ids).select("customer_id", "name", "external_id")


def charge_names(session: Session) -> pl.DataFrame:
    """Names of charges: charge_id, charge."""
    charge = core_table(ChargeRow).c
    statement = select(charge.id.label("charge_id"), charge.name.label("charge"))
    return load.frame(session, statement, {"charge_id": pl.Int64, "charge": pl.String})


def customer_count(session: Session) -> int:
    """How many customers there are."""
    return session.execute(select(func.count()).select_from(core_table(Customer))).scalar_one()


def due_count(session: Session, through: date) -> int:
    """How many customers have something to bill through a day."""
    return billing.due_subscriptions(session, through)["customer_id"].n_unique()


def customer_id_of(session: Session, external_id: str) -> int | None:
    """The customer with this id of its own."""
    customer = core_table(Customer).c
    found: int | None = session.execute(select(customer.id).where(customer.external_id == external_id.strip())).scalar()
    return found
