"""Who has which prices on a day, and what that is worth a month at list prices.

List MRR (metrics.md section 1): the engine's full-period amount before VAT and before discounts, at least the minimum
commitment, kept in twelfths of a minor unit (× 12 a month, × 1 a year, × 52 a week) so that sums are exact. Trials and
pauses are worth nothing while they last; usage and one-off fees never count.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import Any

import polars as pl
from sqlalchemy import select
from sqlalchemy.orm import Session

from core import frames
from core.calc.pricebook import MICRO
from core.calc.recurring import a_month, monthly, recurring_lines, with_net_rates
from core.calc.timeline import timeline
from core.reports.mrr import vat_on
from core.store import load
from core.store.tables import PriceVersion, SubscriptionChange, core_table

STANDING: frames.Schema = {
    "subscription_id": pl.Int64,
    "price_version_id": pl.Int64,
    "plan_id": pl.Int64,
    "currency": pl.String,
    "interval_months": pl.Int32,
    "interval_days": pl.Int32,
    "quantity_micro": pl.Int64,
    "state": pl.String,  # paying, trial, paused
    "list_twelfths": pl.Int64,
}
PAYING, TRIAL, PAUSED = "paying", "trial", "paused"


@dataclass(frozen=True)
class Base:
    """The subscriptions running on a day (STANDING, key subscription_id) and their add-ons (subscription_id, code, quantity_micro)."""

    standing: pl.DataFrame
    addons: pl.DataFrame


def base_on(session: Session, day: date, plan_id: int | None = None) -> Base:
    """All running subscriptions on a day, or those that have a plan then."""
    base = base_of(session, load.changes(session, None if plan_id is None else _ever_on(session, plan_id)), day)
    if plan_id is None:
        return base
    return Base(base.standing.filter(pl.col("plan_id") == plan_id), base.addons)


def base_of(session: Session, changes: pl.DataFrame, day: date) -> Base:
    """The subscriptions that by these CHANGES, stored or only proposed, run on a day."""
    prices = load.prices(session, changes["price_version_id"].drop_nulls().unique())
    track = timeline(changes, prices.versions)
    here = (pl.col("start") <= day) & (pl.col("end") > day)
    served = track.windows.filter(here).select("subscription_id", served=pl.lit(True))
    terms = prices.versions.select("price_version_id", "plan_id", "currency")
    running = (
        track.quantity.filter(here)
        .join(track.life.filter(pl.col("ends_on") > day), on="subscription_id", maintain_order="left")
        .join(served, on="subscription_id", how="left", maintain_order="left")
        .join(terms, on="price_version_id", how="left", maintain_order="left")
        .with_columns(
            state=pl.when("served").then(pl.lit(PAYING)).when(pl.col("begins_on") > day).then(pl.lit(TRIAL))
            .otherwise(pl.lit(PAUSED))
        )
    )  # fmt: skip
    addons = track.addons.filter(here).select("subscription_id", "quantity_micro", code="item")
    worth = twelfths(session, running, addons, prices, day)
    paying = pl.when(pl.col("state") == PAYING).then(worth).otherwise(0)
    return Base(frames.conform(running.with_columns(list_twelfths=paying), STANDING), addons)


def _ever_on(session: Session, plan_id: int) -> list[int]:
    """Subscriptions that some fact has put on the plan."""
    change, version = core_table(SubscriptionChange), core_table(PriceVersion)
    statement = (
        select(change.c.subscription_id)
        .join_from(change, version, version.c.id == change.c.price_version_id)
        .where(version.c.plan_id == plan_id)
        .distinct()
    )
    return list(session.execute(statement).scalars())


def twelfths(
    session: Session, standing: pl.DataFrame, addons: pl.DataFrame, prices: frames.Prices, day: date
) -> pl.Series:
    """List MRR of each row of `standing` (subscription_id, price_version_id, quantity_micro) at its price version."""
    if standing.is_empty():
        return pl.Series("list_twelfths", [], dtype=pl.Int64)
    versions = prices.versions.select(
        "price_version_id", "tax_inclusive", "minimum_minor", "interval_months", "interval_days"
    )
    held = standing.select("subscription_id", "price_version_id", "quantity_micro")
    lines = recurring_lines(held, addons, prices)
    vat = vat_on(session, prices, day)
    rates = lines.select("vat_category").join(vat, on="vat_category", how="left", maintain_order="left")["rate_ppm"]
    lines = with_net_rates(lines, prices.versions, rates.fill_null(0))
    fees = lines.group_by("subscription_id").agg(pl.col("net_minor").sum())
    priced = (
        held.join(versions, on="price_version_id", how="left", maintain_order="left")
        .join(fees, on="subscription_id", how="left", maintain_order="left")
        .with_columns(period_minor=pl.max_horizontal(pl.col("net_minor").fill_null(0), "minimum_minor"))
    )
    return priced.select(list_twelfths=a_month(pl.col("period_minor")))["list_twelfths"]


def headline(session: Session, price_version_ids: pl.Series) -> pl.Series:
    """What one period with one seat and no add-on costs at least at each price version, as its prices are stated."""
    prices = load.prices(session, price_version_ids)
    held = pl.DataFrame({"price_version_id": price_version_ids}, schema={"price_version_id": pl.Int64}).select(
        "price_version_id", subscription_id="price_version_id", quantity_micro=pl.lit(MICRO, dtype=pl.Int64)
    )
    if held.is_empty():
        return pl.Series("headline_minor", [], dtype=pl.Int64)
    none = pl.DataFrame(schema={"subscription_id": pl.Int64, "code": pl.String, "quantity_micro": pl.Int64})
    sums = (
        recurring_lines(held, none, prices)
        .group_by("price_version_id")
        .agg(headline_minor=pl.col("amount_minor").sum())
    )
    least = prices.versions.select("price_version_id", "minimum_minor")
    joined = held.join(sums, on="price_version_id", how="left", maintain_order="left").join(
        least, on="price_version_id", how="left", maintain_order="left"
    )
    costs = pl.max_horizontal(pl.col("headline_minor").fill_null(0), "minimum_minor")
    return joined.select(headline_minor=costs)["headline_minor"]


def by_plan(base: Base) -> dict[int, dict[str, Any]]:
    """Per plan: how many subscriptions, and list MRR in minor units a month per currency."""
    found: dict[int, dict[str, Any]] = {}
    sums = base.standing.group_by("plan_id", "currency").agg(pl.len(), pl.col("list_twelfths").sum())
    for plan_id, currency, count, worth in sums.sort("plan_id", "list_twelfths", descending=[False, True]).iter_rows():
        entry = found.setdefault(plan_id, {"subscriptions": 0, "mrr": {}})
        entry["subscriptions"] += count
        entry["mrr"][currency] = monthly(worth)
    return found
