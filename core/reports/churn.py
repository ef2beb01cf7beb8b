"""Who leaves, for what cause and stated reason, and whom we may lose next. Amounts in minor units of the ledger's currency."""

from __future__ import annotations

from datetime import date, timedelta

import polars as pl
from sqlalchemy import select
from sqlalchemy.orm import Session

from core.calc import movements, retention
from core.calc.movements import CHURN, CUSTOMER
from core.calc.recurring import in_minor
from core.domain.subscriptions import ChangeKind
from core.reports.kpis import Filters, segment
from core.reports.lifetimes import ONBOARDING, People
from core.reports.mrr import Ledger
from core.store import load
from core.store.tables import Subscription, SubscriptionChange, TouchPoint, core_table

RECENT = timedelta(days=60)
EARLY_MONTHS = 3


def by_cause(ledger: Ledger, filters: Filters, first: date, today: date) -> pl.DataFrame:
    """Churn by month and cause: month, cause, customers, mrr_minor (positive)."""
    log = segment(ledger, filters).log
    gone = log.filter((pl.col("kind") == CHURN) & (pl.col("day") >= first) & (pl.col("day") <= today))
    return gone.group_by("cause", month=pl.col("day").dt.month_start()).agg(
        customers=pl.len().cast(pl.Int64), mrr_minor=in_minor(-pl.col("delta").sum())
    ).sort("month", "cause")  # fmt: skip


def reasons(session: Session, ledger: Ledger, filters: Filters, first: date, today: date) -> pl.DataFrame:
    """Stated reasons of the cancellations behind that churn: reason, cause, customers, mrr_minor; the commonest first."""
    log = segment(ledger, filters).log
    gone = log.filter((pl.col("kind") == CHURN) & (pl.col("day") >= first) & (pl.col("day") <= today))
    change, owner = core_table(SubscriptionChange).c, core_table(Subscription).c
    undone = select(change.undoes_id).where(change.undoes_id.is_not(None))
    statement = (
        select(owner.customer_id, change.effective_on, change.reason, change.cause)
        .join_from(core_table(SubscriptionChange), core_table(Subscription), owner.id == change.subscription_id)
        .where(
            change.kind == ChangeKind.CANCEL.value,
            change.effective_on >= first - timedelta(days=370),
            change.id.not_in(undone),
        )
        .order_by(change.id)
    )
    schema = {CUSTOMER: pl.Int64, "effective_on": pl.Date, "reason": pl.String, "cancel_cause": pl.String}
    said = load.frame(session, statement.with_only_columns(
        owner.customer_id, change.effective_on, change.reason, change.cause.label("cancel_cause")), schema)  # fmt: skip
    latest = said.sort("effective_on", maintain_order=True).unique(CUSTOMER, keep="last")
    joined = gone.join(latest.select(CUSTOMER, "reason"), on=CUSTOMER, how="left")
    return joined.group_by(pl.col("reason").fill_null(""), "cause").agg(
        customers=pl.len().cast(pl.Int64), mrr_minor=in_minor(-pl.col("delta").sum())
    ).sort("customers", "mrr_minor", descending=True)  # fmt: skip


def cohorts(ledger: Ledger, filters: Filters, first: date, today: date) -> pl.DataFrame:
    """retention.cohorts of a segment."""
    return retention.cohorts(segment(ledger, filters).log.filter(pl.col("day") <= today), first, today)


def cohort_members(ledger: Ledger, filters: Filters, cohort: date, today: date) -> pl.DataFrame:
    """Members of a cohort: external_id, name, since, mrr_minor now (0 when gone), left, cause; those who left last first."""
    part = segment(ledger, filters)
    log = part.log.filter(pl.col("day") <= today)
    members = retention.spells(log).filter(pl.col("k") == 0, pl.col("since").dt.month_start() == cohort)
    now = movements.standing(log, today).select(CUSTOMER, mrr_minor=in_minor(pl.col("mrr")))
    told = members.join(now, on=CUSTOMER, how="left").join(
        part.people.select(CUSTOMER, "external_id", "name"), on=CUSTOMER
    )
    return told.select(
        CUSTOMER, "external_id", "name", "since", pl.col("mrr_minor").fill_null(0), left="until",
        cause=pl.when(pl.col("until").is_not_null()).then("cause"),
    ).sort("left", descending=True, nulls_last=True)  # fmt: skip


def at_risk(session: Session, found: People, today: date) -> pl.DataFrame:
    """Active customers with something that goes with leaving: external_id, name, mrr_minor, months, reasons (codes), leaves_on.

    ending: cancelled, not gone yet; unresolved: a contact of the last 60 days without a solution; onboarding: not finished in
    the first three months. Most reasons first, then the dearest.
    """
    active = found.frame.filter(pl.col("cause").is_null())
    planned = found.ledger.log.filter((pl.col("kind") == CHURN) & (pl.col("day") > today))
    leaving = planned.group_by(CUSTOMER).agg(leaves_on=pl.col("day").min())
    table = core_table(TouchPoint).c
    statement = select(table.customer_id, table.occurred_on, table.outcome).where(
        table.kind != ONBOARDING, table.occurred_on > today - RECENT, table.occurred_on <= today
    )
    contacts = load.frame(session, statement, {CUSTOMER: pl.Int64, "occurred_on": pl.Date, "outcome": pl.String})
    last = (
        contacts.sort("occurred_on", maintain_order=True).unique(CUSTOMER, keep="last").select(CUSTOMER, last="outcome")
    )
    known = active.join(leaving, on=CUSTOMER, how="left").join(last, on=CUSTOMER, how="left")
    flags = {
        "ending": pl.col("leaves_on").is_not_null(),
        "unresolved": (pl.col("last") == "unresolved").fill_null(False),
        "onboarding": (pl.col("exit") < EARLY_MONTHS) & (pl.col("onboarding") == "not finished"),
    }
    told = known.with_columns(
        reasons=pl.concat_list(pl.when(flag).then(pl.lit(name)) for name, flag in flags.items()).list.drop_nulls()
    ).filter(pl.col("reasons").list.len() > 0)  # fmt: skip
    return told.select(
        CUSTOMER, "external_id", "name", mrr_minor=in_minor(pl.col("now_mrr").fill_null(0)), months="exit", reasons="reasons", leaves_on="leaves_on"
    ).sort(pl.col("reasons").list.len(), "mrr_minor", descending=True)  # fmt: skip
