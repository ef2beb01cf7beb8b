"""The first screen: how the company stands today, what it invoiced month by month, and what needs a hand.

Amounts are before VAT, in minor units of the company's currency; other currencies are counted, never added.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import Any

import polars as pl
from sqlalchemy import case, func, select
from sqlalchemy.orm import Session

from core.calc.arithmetic import divide
from core.calc.recurring import monthly
from core.domain.plans import PriceStatus
from core.reports import asides, price_proposals
from core.reports.billing_review import held
from core.reports.subscriber_base import PAYING, base_on
from core.store import billing, load
from core.store.tables import (
    BillingRun,
    Customer,
    Document,
    DocumentLine,
    Parked,
    Plan,
    PriceVersion,
    core_table,
)

MONTHS = 13
INVOICED = {"month": pl.String, "plan": pl.String, "net_minor": pl.Int64}


@dataclass(frozen=True)
class Standing:
    """Today: `mrr_minor` list MRR in `currency`; `by_plan`: plan, currency, subscriptions, mrr_minor."""

    currency: str
    customers: int
    paying: int
    trials: int
    paused: int
    mrr_minor: int
    other_currencies: int
    by_plan: pl.DataFrame


def standing(session: Session, today: date) -> Standing:
    """Who is a subscriber today, and what that is worth a month at list prices."""
    currency = billing.company_profile(session, today).currency
    running = base_on(session, today).standing
    plan = core_table(Plan).c
    names = load.frame(session, select(plan.id.label("plan_id"), plan.name.label("plan")), _PLANS)
    paying = running.filter(pl.col("state") == PAYING)
    by_plan = (
        paying.join(names, on="plan_id", how="left")
        .group_by("plan", "currency")
        .agg(subscriptions=pl.len(), mrr_minor=divide(pl.col("list_twelfths").sum(), pl.lit(12)))
        .sort("mrr_minor", descending=True)
    )
    states = dict(running.group_by("state").len().iter_rows())
    home = paying.filter(pl.col("currency") == currency)
    twelfths = int(home["list_twelfths"].sum())
    return Standing(
        currency=currency,
        customers=session.execute(select(func.count()).select_from(core_table(Customer))).scalar_one(),
        paying=paying.height,
        trials=states.get("trial", 0),
        paused=states.get("paused", 0),
        mrr_minor=monthly(twelfths),
        other_currencies=paying.height - home.height,
        by_plan=by_plan,
    )


_PLANS = {"plan_id": pl.Int64, "plan": pl.String}


def invoiced_by_month(session: Session, today: date) -> pl.DataFrame:
    """Net of issued lines per month of issue and plan, the last thirteen months: INVOICED; credit notes are negative."""
    currency = billing.company_profile(session, today).currency
    first = date(today.year - 1, today.month, 1)
    document, line, version, plan = (core_table(model) for model in (Document, DocumentLine, PriceVersion, Plan))
    month = func.substr(_as_text(session, document.c.issue_date), 1, 7).label("month")
    statement = (
        select(month, plan.c.name.label("plan"), func.sum(line.c.net_minor).label("net_minor"))
        .join_from(document, line, line.c.document_id == document.c.id)
        .join(version, version.c.id == line.c.price_version_id)
        .join(plan, plan.c.id == version.c.plan_id)
        .where(document.c.issue_date >= first, document.c.currency == currency)
        .group_by(month, plan.c.name)
        .order_by(month, plan.c.name)
    )
    return load.frame(session, statement, INVOICED)


def _as_text(session: Session, column: Any) -> Any:
    """A date as its ISO text on both databases."""
    return column if session.get_bind().dialect.name == "sqlite" else func.to_char(column, "YYYY-MM-DD")


def chores(session: Session, today: date) -> dict[str, int]:
    """What waits for somebody: customers due for billing, left out by the last run, on hold; drafts of live plans."""
    run, parked, version = core_table(BillingRun).c, core_table(Parked).c, core_table(PriceVersion).c
    last_run = session.execute(select(func.max(run.id))).scalar()
    left_out = select(func.count(parked.customer_id.distinct())).where(parked.run_id == last_run)
    drafts = select(func.count(case((version.status == PriceStatus.DRAFT, 1)))).where(version.subscription_id.is_(None))
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


def last_run(session: Session) -> dict[str, Any] | None:
    """The latest run and how many documents it issued."""
    run, document = core_table(BillingRun), core_table(Document)
    latest = session.execute(select(func.max(run.c.id))).scalar()
    if latest is None:
        return None
    head = session.execute(select(run).where(run.c.id == latest)).mappings().one()
    count = session.execute(select(func.count()).where(document.c.run_id == latest)).scalar_one()
    return {**head, "documents": count}
