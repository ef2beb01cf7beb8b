"""Subscriptions of an import as dated facts: start, add-ons, coupons, end.

What fell due on or before `billed_through` was billed elsewhere; the billing cursor says so, and up to which fact.
"""

from __future__ import annotations

from typing import Any

import polars as pl
from sqlalchemy import select
from sqlalchemy.orm import Session

from core.domain.subscriptions import ChangeKind, CreditChoice
from core.exchange.rows import Findings
from core.store import load, save
from core.store.tables import BillingCursor, Subscription, SubscriptionChange, core_table

FACT: dict[str, Any] = {
    "kind": pl.String, "effective_on": pl.Date, "price_version_id": pl.Int64, "quantity_micro": pl.Int64,
    "item": pl.String, "coupon_id": pl.Int64, "periods_left": pl.Int32, "anchor_on": pl.Date, "cause": pl.String,
    "credit": pl.String,
}  # fmt: skip
UNSAID = {"item": "", "cause": "", "credit": CreditChoice.NONE.value}
COMPARED = [name for name in FACT if name != "anchor_on"]


def facts_of(subscriptions: pl.DataFrame, addons: pl.DataFrame, grants: pl.DataFrame) -> pl.DataFrame:
    """Facts by outside id: id, FACT, in the order in which they are recorded.

    In: subscriptions with price_version_id, add-ons, grants with coupon_id.
    """
    starts = subscriptions.select("id", start_on="start")
    start = subscriptions.select(
        "id", "price_version_id", "quantity_micro", kind=pl.lit(ChangeKind.START.value), effective_on="start",
        anchor_on="start",
    )  # fmt: skip
    addon = addons.join(starts, on="id").select(
        "id", "item", "quantity_micro", kind=pl.lit(ChangeKind.ADDON.value), effective_on="start_on"
    )
    adjusted = subscriptions.filter(pl.col("adjustment_minor") > 0).select(
        "id", item=pl.lit("adjustment"), quantity_micro=pl.col("adjustment_minor") * 1_000_000,
        kind=pl.lit(ChangeKind.ADDON.value), effective_on="start",
    )  # fmt: skip
    coupon = grants.join(starts, on="id").select(
        "id", "coupon_id", "periods_left", kind=pl.lit(ChangeKind.COUPON.value), effective_on="start_on"
    )
    # What another system billed is over on the day that the file says; what is to end here keeps the period that is paid.
    over = pl.col("end") <= pl.col("billed_through")
    end = subscriptions.filter(pl.col("end").is_not_null()).select(
        "id", kind=pl.lit(ChangeKind.CANCEL.value), effective_on="end", cause="end_cause",
        credit=pl.when(over).then(pl.lit(CreditChoice.CREDIT.value)).otherwise(pl.lit(CreditChoice.NONE.value)),
    )  # fmt: skip
    parts = pl.concat([start, addon, adjusted, coupon, end], how="diagonal")
    order = pl.DataFrame({"id": subscriptions["id"]}).with_row_index("place")
    placed = parts.join(order, on="id").sort("place", maintain_order=True)
    return placed.select(
        "id",
        *(
            pl.col(name).fill_null(UNSAID[name]) if name in UNSAID else pl.col(name).cast(kind)
            for name, kind in FACT.items()
        ),
    )


def same_subscriptions(
    session: Session, facts: pl.DataFrame, subscriptions: pl.DataFrame, stored: pl.DataFrame, findings: Findings
) -> None:
    """A stored subscription must have been taken in with exactly these facts."""
    if stored.is_empty():
        return
    here = facts.join(stored, left_on="id", right_on="external_id").select("id_right", *COMPARED)
    there = _taken_in(session, stored["id"])
    here = here.rename({"id_right": "subscription_id"})
    key = ["subscription_id", *COMPARED]
    different = pl.concat(
        [
            left.join(right, on=key, how="anti", nulls_equal=True).select("subscription_id")
            for left, right in ((here, there), (there, here))
        ]
    ).unique()
    wrong = stored.join(different, left_on="id", right_on="subscription_id", how="semi")
    rows = subscriptions.join(wrong, left_on="id", right_on="external_id", how="semi")
    findings.where(
        rows, pl.lit(True), "The subscription {id} is already stored and says something else; an import only adds"
    )


def _taken_in(session: Session, ids: pl.Series) -> pl.DataFrame:
    """The facts that an earlier import recorded: those up to the cursor's opening change."""
    change, cursor = core_table(SubscriptionChange), core_table(BillingCursor)
    statement = (
        select(change.c.subscription_id, *(change.c[name] for name in COMPARED))
        .join_from(change, cursor, cursor.c.subscription_id == change.c.subscription_id)
        .where(
            load.among(session, change.c.subscription_id, ids),
            change.c.id <= cursor.c.opening_change_id,
        )
    )
    return load.frame(session, statement, {"subscription_id": pl.Int64, **{name: FACT[name] for name in COMPARED}})


def insert_subscriptions(
    session: Session, stamp: dict[str, Any], command_id: str, subscriptions: pl.DataFrame, facts: pl.DataFrame
) -> pl.DataFrame:
    """Store new subscriptions (with customer_id) and their facts and cursors. Answers external_id, id."""
    first = save.reserve_ids(session, Subscription, subscriptions.height)
    when = {**{name: pl.lit(value) for name, value in stamp.items()}, "command_id": pl.lit(command_id)}
    rows = subscriptions.rename({"id": "external_id"}).with_columns(
        id=pl.int_range(first, first + pl.len(), dtype=pl.Int64)
    )
    save.insert_many(
        session, Subscription,
        rows.select("id", "customer_id", "external_id", "currency", "minimum_term_until", started_on="start", **when),
    )  # fmt: skip
    first_change = save.reserve_ids(session, SubscriptionChange, facts.height)
    ids = rows.select("external_id", "id")
    changes = facts.join(ids, left_on="id", right_on="external_id", maintain_order="left").select(
        pl.int_range(first_change, first_change + pl.len(), dtype=pl.Int64).alias("id"),
        *FACT, subscription_id="id_right", **when,
    )  # fmt: skip
    save.insert_many(session, SubscriptionChange, changes)
    last = changes.group_by("subscription_id").agg(seen_change_id=pl.col("id").max())
    # Whoever was served beyond the opening is looked at by the next run; it finds the exact day that follows.
    served_after = pl.col("end").is_null() | (pl.col("end") > pl.col("billed_through"))
    following = pl.col("billed_through") + pl.duration(days=1)
    cursors = rows.select(
        "billed_through",
        subscription_id="id",
        opening="billed_through",
        next_due_on=pl.when(served_after).then(following),
    ).join(last, on="subscription_id")
    save.insert_many(session, BillingCursor, cursors.with_columns(opening_change_id="seen_change_id"))
    return ids
