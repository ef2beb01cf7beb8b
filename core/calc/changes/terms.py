"""Another price, another quantity, another add-on from a day on."""

from __future__ import annotations

from dataclasses import replace

import polars as pl

from core import frames
from core.calc.changes.deciding import (
    Decision,
    asked,
    facts,
    less,
    offer_checks,
    sorted_out,
    usual_checks,
)
from core.calc.changes.standing import SUB, Circumstances, identified, standing, with_offer, with_policy
from core.calc.pricebook import MICRO
from core.calc.timeline import LIMIT
from core.domain.money import MAX_MINOR
from core.domain.plans import ChargeKind
from core.domain.subscriptions import ChangeKind, Refusal, Timing

PRICE_REQUESTS: frames.Schema = {SUB: pl.Int64, "price_version_id": pl.Int64, "effective_on": pl.Date}
MOVE_REQUESTS: frames.Schema = {
    **PRICE_REQUESTS,
    "from_version_id": pl.Int64,
    "cap_ppm": pl.Int64,
    "floor_ppm": pl.Int64,
}
QUANTITY_REQUESTS: frames.Schema = {SUB: pl.Int64, "quantity_micro": pl.Int64, "effective_on": pl.Date}
ADDON_REQUESTS: frames.Schema = {
    SUB: pl.Int64, "item": pl.String, "quantity_micro": pl.Int64, "effective_on": pl.Date,
}  # fmt: skip


def decide_price(requests: pl.DataFrame, c: Circumstances) -> Decision:
    """Plan change, interval change and price migration are one: another price version from a day on.

    Without a day: an upgrade (by rank) and a downgrade when the policy of the plan that is left says so, a change within
    the same rank at the end of the running period. The anchor stays, so that another interval begins with a part of the
    period that its own boundaries draw. What was billed ahead for the old prices is always credited.
    """
    rows = identified(asked(requests, PRICE_REQUESTS), c)
    rows = rows.with_columns(asked_on=pl.coalesce("effective_on", "today_on"))
    rows = with_offer(standing(rows, c, "asked_on"), c)
    step = pl.col("new_rank") - pl.col("rank")
    when = pl.when(step > 0).then("upgrade_when").when(step < 0).then("downgrade_when").otherwise(pl.lit("period_end"))
    by_policy = pl.when(when == Timing.NOW).then("asked_on").otherwise("period_end")
    rows = rows.with_columns(effective_on=pl.coalesce("effective_on", by_policy))
    rows = with_minimum_of_new(_with_lost_addons(_with_planned_price(rows, c), c), c)
    good, refused = sorted_out(
        rows,
        [
            *usual_checks(),
            *offer_checks("effective_on"),
            (Refusal.OTHER_CURRENCY, pl.col("new_currency") != pl.col("currency")),
            (Refusal.PLANNED_PRICE, pl.col("planned_on").is_not_null()),
            (Refusal.SAME_PRICE, pl.col("current_id") == pl.col("price_version_id")),
            (Refusal.BELOW_MINIMUM, pl.col("quantity_now_micro") < pl.col("minimum_quantity") * MICRO),
            (Refusal.ADDON_LOST, pl.col("lost_item").is_not_null()),
        ],
    )
    return Decision(facts(good, ChangeKind.PRICE, "price_version_id", "effective_on"), refused)


def decide_move(requests: pl.DataFrame, c: Circumstances) -> Decision:
    """A price migration: another price version for those who still have, on the day, the one that they are moved from.

    Whoever has changed plan or agreed a price since then decided for themselves, and is refused. `cap_ppm`, `floor_ppm`: the
    fact carries them and the prices that it is compared with (billing/price_limits.py).
    """
    rows = standing(identified(asked(requests, MOVE_REQUESTS), c), c, "effective_on")
    elsewhere = rows.filter(pl.col("current_id").is_not_null() & (pl.col("current_id") != pl.col("from_version_id")))
    refused = elsewhere.with_columns(code=pl.lit(Refusal.OTHER_PRICES.value))
    plain = decide_price(requests.select(name for name in requests.columns if name in PRICE_REQUESTS), c)
    return less(replace(plain, facts=_with_limits(plain.facts, rows)), refused)


def _with_limits(made: pl.DataFrame, rows: pl.DataFrame) -> pl.DataFrame:
    """NEW_FACTS with the limits that were asked for."""
    limited = rows.filter(pl.col("cap_ppm").is_not_null() | pl.col("floor_ppm").is_not_null()).select(
        "row", "cap_ppm", "floor_ppm", earlier_version_id="from_version_id"
    )
    return made.drop(LIMIT).join(limited, on="row", how="left", maintain_order="left").select(made.columns)


def _with_planned_price(rows: pl.DataFrame, c: Circumstances) -> pl.DataFrame:
    """Adds planned_on, the first plan change after the day asked about."""
    prices = c.live.filter(pl.col("kind") == ChangeKind.PRICE).select(SUB, planned_on="effective_on")
    later = rows.select("row", SUB, "asked_on").join(prices, on=SUB).filter(pl.col("planned_on") > pl.col("asked_on"))
    first = later.group_by("row").agg(pl.col("planned_on").min())
    return rows.join(first, on="row", how="left", maintain_order="left")


def _with_lost_addons(rows: pl.DataFrame, c: Circumstances) -> pl.DataFrame:
    """Adds lost_item, an add-on that the subscription has on the day and the new prices do not."""
    held = rows.select("row", SUB, "effective_on", "price_version_id").join(c.track.addons, on=SUB).filter(
        (pl.col("start") <= pl.col("effective_on")) & (pl.col("effective_on") < pl.col("end"))
    )  # fmt: skip
    lost = held.join(
        addon_codes(c), left_on=["price_version_id", "item"], right_on=["price_version_id", "code"], how="anti"
    )
    return rows.join(
        lost.group_by("row").agg(lost_item=pl.col("item").min()), on="row", how="left", maintain_order="left"
    )


def with_minimum_of_new(rows: pl.DataFrame, c: Circumstances) -> pl.DataFrame:
    """`minimum_quantity` as the plan of the asked prices wants it."""
    theirs = rows.select("row", "effective_on", plan_id="new_plan_id")
    policy = with_policy(theirs, c, "effective_on").select("row", "minimum_quantity")
    return rows.drop("minimum_quantity", strict=False).join(policy, on="row", how="left", maintain_order="left")


def addon_codes(c: Circumstances) -> pl.DataFrame:
    """price_version_id, code of every add-on."""
    return c.charges.filter(pl.col("kind") == ChargeKind.ADDON).select("price_version_id", "code")


# --- quantities -----------------------------------------------------------------------------------------------------


def no_quantity(quantity: pl.Expr) -> pl.Expr:
    """Is it no quantity at all?"""
    return quantity.is_null() | (quantity < 0) | (quantity > MAX_MINOR // MICRO)


def decide_quantity(requests: pl.DataFrame, c: Circumstances) -> Decision:
    """Another quantity (seats) from a day on; not below what the plan's policy wants."""
    rows = standing(identified(asked(requests, QUANTITY_REQUESTS), c), c, "effective_on")
    quantity = pl.col("quantity_micro")
    good, refused = sorted_out(
        rows,
        [
            *usual_checks(),
            (Refusal.NO_QUANTITY, no_quantity(quantity)),
            (Refusal.BELOW_MINIMUM, quantity < pl.col("minimum_quantity") * MICRO),
            (Refusal.SAME_QUANTITY, quantity == pl.col("quantity_now_micro")),
        ],
    )
    return Decision(facts(good, ChangeKind.QUANTITY, "quantity_micro", "effective_on"), refused)


def decide_addon(requests: pl.DataFrame, c: Circumstances) -> Decision:
    """Another quantity of an add-on from a day on; 0 removes it, also one that the prices no longer have."""
    rows = standing(identified(asked(requests, ADDON_REQUESTS), c), c, "effective_on")
    offered = addon_codes(c).select("price_version_id", "code", offered=pl.lit(True))
    rows = rows.join(
        offered,
        left_on=["current_id", "item"],
        right_on=["price_version_id", "code"],
        how="left",
        maintain_order="left",
    )
    held = rows.select("row", SUB, "item", "effective_on").join(c.track.addons, on=[SUB, "item"], suffix="_held").filter(
        (pl.col("start") <= pl.col("effective_on")) & (pl.col("effective_on") < pl.col("end"))
    )  # fmt: skip
    rows = rows.join(
        held.select("row", held_micro="quantity_micro"), on="row", how="left", maintain_order="left"
    ).with_columns(pl.col("held_micro").fill_null(0))  # fmt: skip
    quantity = pl.col("quantity_micro")
    good, refused = sorted_out(
        rows,
        [
            *usual_checks(key=(SUB, "item")),
            (Refusal.NO_QUANTITY, no_quantity(quantity)),
            (Refusal.UNKNOWN_ADDON, pl.col("offered").is_null() & ((quantity > 0) | (pl.col("held_micro") == 0))),
            (Refusal.SAME_ADDON, quantity == pl.col("held_micro")),
        ],
    )
    return Decision(facts(good, ChangeKind.ADDON, "item", "quantity_micro", "effective_on"), refused)
