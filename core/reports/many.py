"""One change for many subscriptions: who is concerned, what it does to each, what was done, and how it is taken back.

A batch is the commands whose ids begin with `many:<batch>:`; taking it back is a batch of its own, `many:<batch>~back:`.
Amounts in minor units of the row's currency, before VAT.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

import polars as pl
from sqlalchemy import select
from sqlalchemy.orm import Session

from core import frames
from core.calc.arithmetic import divide
from core.calc.changes.standing import SUB, Circumstances, identified, standing
from core.domain.errors import ForbliError
from core.reports.ahead import billed_through
from core.reports.proposals import Proposal, propose
from core.reports.subscriber_base import base_of
from core.store import load
from core.store import subscriptions as stored
from core.store.tables import Command, Customer, CustomerVersion, Plan, Subscription, SubscriptionChange, core_table

SUBJECTS: frames.Schema = {
    SUB: pl.Int64, "external_id": pl.String, "customer_id": pl.Int64, "customer": pl.String, "customer_external_id": pl.String,
    "plan": pl.String, "currency": pl.String, "current_id": pl.Int64, "renews_on": pl.Date, "payment_option": pl.String,
    "channel": pl.String,
}  # fmt: skip
EFFECTS: frames.Schema = {
    SUB: pl.Int64, "effective_on": pl.Date, "mrr_before_minor": pl.Int64, "mrr_after_minor": pl.Int64,
    "bill_before_minor": pl.Int64, "bill_after_minor": pl.Int64,
}  # fmt: skip
MARK, BACK = "many:", "~back"
TWELFTHS = 12
MONTH = timedelta(days=31)


@dataclass(frozen=True)
class Effects:
    """`rows`: EFFECTS of those that can be changed, key subscription_id. `refused`: request row → why not.

    `through`: the day through which `bill_*` count.
    """

    rows: pl.DataFrame
    refused: dict[int, ForbliError]
    through: date


@dataclass(frozen=True)
class Batch:
    """What one person did to many at once. `ids`: of the changes, or of the customer versions when data were edited."""

    batch: str
    action: str
    actor: str
    recorded_at: Any
    ids: list[int]
    refused: int
    taken_back: bool


def subjects(session: Session, customer_ids: load.Ids, today: date) -> pl.DataFrame:
    """SUBJECTS: the subscriptions of these customers that have not ended, by customer."""
    table = core_table(Subscription).c
    owners = load.frame(
        session,
        select(table.id.label(SUB), table.customer_id).where(load.among(session, table.customer_id, customer_ids)).order_by(table.customer_id, table.id),
        {SUB: pl.Int64, "customer_id": pl.Int64},
    )  # fmt: skip
    known = Circumstances.of(stored.change_inputs(session, owners, today))
    rows = identified(owners.with_row_index("row").with_columns(pl.col("row").cast(pl.Int64)), known)
    here = standing(rows, known, "today_on").filter(pl.col("ends_on") > today)
    people = load.customers(session, today, customer_ids).select(
        "customer_id", "payment_option", "channel", customer="name", customer_external_id="external_id"
    )
    plan = core_table(Plan).c
    plans = load.frame(
        session, select(plan.id.label("plan_id"), plan.name.label("plan")), {"plan_id": pl.Int64, "plan": pl.String}
    )
    joined = here.join(people, on="customer_id", how="left", maintain_order="left").join(
        plans, on="plan_id", how="left", maintain_order="left"
    )
    return frames.conform(joined.with_columns(renews_on="period_end"), SUBJECTS)


def named(session: Session, texts: list[str]) -> tuple[list[int], list[str]]:
    """Customers named by their own ids or by those of their subscriptions, and the texts that name nobody."""
    customer, sub = core_table(Customer).c, core_table(Subscription).c
    found: dict[str, int] = {}
    for key, owner in ((customer.external_id, customer.id), (sub.external_id, sub.customer_id)):
        for start in range(0, len(texts), 500):
            rows = session.execute(select(key, owner).where(key.in_(texts[start : start + 500])))
            found |= {row[0]: row[1] for row in rows}
    return list(dict.fromkeys(found[text] for text in texts if text in found)), [
        text for text in texts if text not in found
    ]


def external_ids(session: Session, customer_ids: list[int]) -> list[str]:
    """The customers' own ids, in order."""
    customer = core_table(Customer).c
    statement = select(customer.external_id).where(load.among(session, customer.id, customer_ids))
    return sorted(session.execute(statement).scalars())


def effects(session: Session, action: str, requests: pl.DataFrame, customer_ids: load.Ids, today: date) -> Effects:
    """What the requests to the action "subscriptions.…" would do, one by one; those refused with their reason.

    `bill_*`: net of the subscription's lines that one run through a month after the last change would bill.
    """
    proposal = propose(session, action, requests, today)
    refused = {each["row"]: each["error"] for each in proposal.refused}
    if proposal.facts.is_empty():
        return Effects(frames.empty(EFFECTS), refused, today)
    rows = proposal.facts.group_by(SUB, maintain_order=True).agg(pl.col("effective_on").min())
    last = max(*rows["effective_on"], today)
    through = last + MONTH
    for name, some in (("bill_before_minor", None), ("bill_after_minor", proposal)):
        lines = billed_through(session, customer_ids, today, through, some).lines
        billed = lines.group_by(SUB).agg(pl.col("net_minor").sum().alias(name))
        rows = rows.join(billed, on=SUB, how="left", maintain_order="left")
    rows = rows.join(_worth(session, proposal, last), on=SUB, how="left", maintain_order="left")
    amounts = [pl.col(name).fill_null(0) for name in list(EFFECTS)[2:]]
    return Effects(frames.conform(rows.with_columns(amounts), EFFECTS), refused, through)


def _worth(session: Session, proposal: Proposal, day: date) -> pl.DataFrame:
    """subscription_id, list MRR on the day on which all changes are in force, without and with them."""
    ids = proposal.facts[SUB].unique()
    changes = load.changes(session, ids)
    sides = {"mrr_before_minor": changes, "mrr_after_minor": pl.concat([changes, proposal.changes])}
    found = pl.DataFrame({SUB: ids})
    for name, some in sides.items():
        worth = base_of(session, some, day).standing.select(SUB, divide(pl.col("list_twelfths"), TWELFTHS).alias(name))
        found = found.join(worth, on=SUB, how="left")
    return found


# --- what was done ---------------------------------------------------------------------------------------------------


def batches(session: Session, limit: int = 20) -> list[Batch]:
    """The newest batches, taken together from their commands."""
    table = core_table(Command).c
    rows = session.execute(
        select(table.id, table.action, table.actor, table.recorded_at, table.result_json)
        .where(table.id.between(MARK, MARK + "\U0010ffff"))
        .order_by(table.recorded_at.desc(), table.id)
    ).all()
    found: dict[str, Batch] = {}
    for row in rows:
        name = row.id.removeprefix(MARK).rsplit(":", 1)[0]
        answer = json.loads(row.result_json)
        known = found.setdefault(name, Batch(name, row.action, row.actor, row.recorded_at, [], 0, False))
        ids = [*known.ids, *answer.get("change_ids", answer.get("version_ids", []))]
        found[name] = Batch(
            name, row.action, row.actor, row.recorded_at, ids, known.refused + len(answer["refused"]), False
        )
    return [
        Batch(each.batch, each.action, each.actor, each.recorded_at, each.ids, each.refused, each.batch + BACK in found)
        for each in list(found.values())[:limit]
        if not each.batch.endswith(BACK)
    ]


def values_before(session: Session, version_ids: list[int], field: str, today: date) -> pl.DataFrame:
    """customer_id, effective_from, field: what says again what held before these versions, where they still hold."""
    version = core_table(CustomerVersion).c
    own = load.frame(
        session,
        select(version.id, version.customer_id, version[field]).where(load.among(session, version.id, version_ids)),
        {"id": pl.Int64, "customer_id": pl.Int64, field: pl.String},
    )
    every = load.frame(
        session,
        select(version.id, version.customer_id, version.effective_from, version[field]).where(
            load.among(session, version.customer_id, own["customer_id"])
        ),
        {"id": pl.Int64, "customer_id": pl.Int64, "effective_from": pl.Date, field: pl.String},
    )
    before = every.join(own.select("customer_id", own="id"), on="customer_id").filter(pl.col("id") < pl.col("own"))
    earlier = before.sort("effective_from", "id").group_by("customer_id").agg(pl.col(field).last().alias("before"))
    now = load.customers(session, today, own["customer_id"]).select("customer_id", now=field)
    still = own.join(now, on="customer_id").filter(pl.col(field) == pl.col("now")).join(earlier, on="customer_id")
    changed = still.filter(pl.col("before") != pl.col("now")).sort("customer_id")
    return changed.select("customer_id", pl.col("before").alias(field), effective_from=pl.lit(today))


def owners_of_changes(session: Session, change_ids: list[int]) -> pl.Series:
    """The customers whose subscriptions these changes are about."""
    return load.subscriptions(session, stored.owners_of(session, change_ids))["customer_id"].unique(maintain_order=True)


def subjects_of_changes(session: Session, change_ids: list[int], customer_ids: load.Ids, today: date) -> pl.DataFrame:
    """SUBJECTS + change_id: whom these changes are about, those whose subscription still runs."""
    table = core_table(SubscriptionChange).c
    statement = select(table.id.label("change_id"), table.subscription_id).where(
        load.among(session, table.id, change_ids)
    )
    changes = load.frame(session, statement.order_by(table.id), {"change_id": pl.Int64, SUB: pl.Int64})
    return changes.join(subjects(session, customer_ids, today), on=SUB, maintain_order="left")
