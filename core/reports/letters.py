"""What a roll-out tells each customer: the price of a period before and after, as the plan states its prices."""

from __future__ import annotations

from datetime import date
from typing import Any

import polars as pl
from sqlalchemy import select
from sqlalchemy.orm import Session

from core import frames
from core.calc import timeline as tl
from core.calc.billing.price_limits import limit_of
from core.calc.pricebook import MICRO
from core.calc.recurring import recurring_lines
from core.reports.scenarios import drafted_version
from core.store import load
from core.store.tables import MigrationPlan, Plan, PriceVersion, Subscription, core_table

SUB = "subscription_id"
_PLANNED = {
    SUB: pl.Int64, "external_id": pl.String, "customer_id": pl.Int64, "effective_on": pl.Date, "notice_on": pl.Date,
    "from_version_id": pl.Int64, "price_version_id": pl.Int64, "cap_ppm": pl.Int64, "floor_ppm": pl.Int64,
}  # fmt: skip
_PEOPLE = {"customer_id": pl.Int64, "external_id": pl.String, "name": pl.String, "language": pl.String}


def letters(session: Session, scenario_id: int, today: date) -> pl.DataFrame:
    """The letters of a roll-out as it was approved last, without those that need a look: customer, name, language, external_id,
    plan, currency, tax_inclusive, interval_unit, interval_count, notice_on, effective_on, before_minor, after_minor, cap_ppm, floor_ppm,
    quantity_micro and addons ("2 × Storage, Audio"), which both prices count in.

    Both prices are what one period costs at least, before discounts and usage, with the quantity and add-ons of the day; the price
    after is limited as it will be billed.
    """
    rows = _planned(session, scenario_id)
    changes = load.changes(session, rows[SUB])
    versions = pl.concat([changes["price_version_id"], rows["price_version_id"]]).drop_nulls().unique()
    prices = load.prices(session, versions)
    track = tl.timeline(changes, prices.versions)
    here = (pl.col("start") <= pl.col("effective_on")) & (pl.col("effective_on") < pl.col("end"))
    days = rows.select(SUB, "effective_on")
    held = track.quantity.join(days, on=SUB).filter(here).select(SUB, "quantity_micro")
    addons = track.addons.join(days, on=SUB).filter(here).select(SUB, "quantity_micro", code="item")
    told = rows.join(held, on=SUB, how="inner", maintain_order="left")
    for name, version in (("before_minor", "from_version_id"), ("after_minor", "price_version_id")):
        told = told.join(_period(told, addons, prices, version, name), on=SUB, how="left", maintain_order="left")
    told = (
        _limited(told, addons, prices, track)
        .join(_named(told, addons, prices), on=SUB, how="left", maintain_order="left")
        .with_columns(pl.col("addons").fill_null(""))
    )
    people = load.customers(session, today, rows["customer_id"].unique(), _PEOPLE).rename({"external_id": "customer"})
    return told.join(people, on="customer_id", how="left", maintain_order="left").join(
        _heads(session, rows["price_version_id"].unique()), on="price_version_id", how="left", maintain_order="left"
    )


def _named(told: pl.DataFrame, addons: pl.DataFrame, prices: frames.Prices) -> pl.DataFrame:
    """The add-ons of each subscription in words: subscription_id, addons."""
    names = prices.charges.select("code", "price_version_id", "name").unique(["code", "price_version_id"])
    held = addons.join(told.select(SUB, "price_version_id"), on=SUB).join(names, on=["code", "price_version_id"])
    count = pl.col("quantity_micro") // MICRO
    each = pl.when(count == 1).then("name").otherwise(pl.format("{} × {}", count, "name"))
    return held.sort(SUB, "code").group_by(SUB, maintain_order=True).agg(addons=each.str.join(", "))


def _limited(told: pl.DataFrame, addons: pl.DataFrame, prices: frames.Prices, track: tl.Timeline) -> pl.DataFrame:
    """Both prices as they are billed: before with the limit that holds until then, after with the one that is to come."""
    held = track.limits.join(told.select(SUB, "effective_on", "from_version_id"), on=SUB).filter(
        (pl.col("price_version_id") == pl.col("from_version_id")) & (pl.col("start") < pl.col("effective_on"))
        & (pl.col("effective_on") <= pl.col("end"))
    )  # fmt: skip
    terms = {"held_version_id": "earlier_version_id", "held_cap_ppm": "cap_ppm", "held_floor_ppm": "floor_ppm"}
    known = told.join(held.select(SUB, **terms), on=SUB, how="left", maintain_order="left")
    known = known.join(
        _period(known, addons, prices, "held_version_id", "held_minor"), on=SUB, how="left", maintain_order="left"
    )
    before, after = pl.col("before_minor"), pl.col("after_minor")
    limited = known.with_columns(
        before_minor=before + limit_of(pl.col("held_minor"), before, pl.col("held_cap_ppm"), pl.col("held_floor_ppm"))
    ).with_columns(after_minor=after + limit_of(before, after, pl.col("cap_ppm"), pl.col("floor_ppm")))  # fmt: skip
    return limited.drop(*terms, "held_minor")


def _planned(session: Session, scenario_id: int) -> pl.DataFrame:
    table, owner = core_table(MigrationPlan).c, core_table(Subscription).c
    columns: dict[str, Any] = {"external_id": owner.external_id, "customer_id": owner.customer_id}
    statement = (
        select(*((columns[name] if name in columns else table[name]).label(name) for name in _PLANNED))
        .join_from(core_table(MigrationPlan), core_table(Subscription), owner.id == table.subscription_id)
        .where(table.scenario_id == scenario_id, table.price_version_id == drafted_version(scenario_id), table.wave > 0)
        .order_by(table.effective_on, owner.external_id)
    )
    return load.frame(session, statement, _PLANNED)


def _period(told: pl.DataFrame, addons: pl.DataFrame, prices: frames.Prices, version: str, name: str) -> pl.DataFrame:
    """What one period costs at least at a version: subscription_id and the amount."""
    held = told.select(SUB, "quantity_micro", price_version_id=version)
    fees = recurring_lines(held, addons, prices).group_by(SUB).agg(fees=pl.col("amount_minor").sum())
    least = prices.versions.select("price_version_id", "minimum_minor")
    joined = held.join(fees, on=SUB, how="left").join(least, on="price_version_id", how="left")
    return joined.select(SUB, pl.max_horizontal(pl.col("fees").fill_null(0), "minimum_minor").alias(name))


def _heads(session: Session, version_ids: pl.Series) -> pl.DataFrame:
    """price_version_id → plan, currency, tax_inclusive, interval."""
    version, plan = core_table(PriceVersion).c, core_table(Plan).c
    schema = {"price_version_id": pl.Int64, "plan": pl.String, "currency": pl.String, "tax_inclusive": pl.Boolean,
              "interval_unit": pl.String, "interval_count": pl.Int64}  # fmt: skip
    statement = (
        select(version.id.label("price_version_id"), plan.name.label("plan"), version.currency, version.tax_inclusive,
               version.interval_unit, version.interval_count)
        .join_from(core_table(PriceVersion), core_table(Plan), plan.id == version.plan_id)
        .where(load.among(session, version.id, version_ids))
    )  # fmt: skip
    return load.frame(session, statement, schema)
