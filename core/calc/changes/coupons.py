"""Coupons given to subscriptions, and taken back."""

from __future__ import annotations

import polars as pl

from core import frames
from core.calc.billing import discounts
from core.calc.changes.deciding import Decision, asked, facts, sorted_out, usual_checks
from core.calc.changes.standing import DAY, SUB, Circumstances, identified, standing
from core.domain.coupons import CouponKind, Duration, Scope
from core.domain.subscriptions import ChangeKind, Refusal

COUPON_REQUESTS: frames.Schema = {SUB: pl.Int64, "coupon_id": pl.Int64, "effective_on": pl.Date}


def decide_grant(requests: pl.DataFrame, c: Circumstances) -> Decision:
    """A coupon from a day on: one that may be given then, fits the subscription and is not running already."""
    rows = standing(identified(asked(requests, COUPON_REQUESTS), c), c, "effective_on")
    rows = _with_charge(_with_coupon(_with_held(rows, c), c), c)
    good, refused = sorted_out(
        rows,
        [
            *usual_checks(key=(SUB, "coupon_id")),
            (Refusal.UNKNOWN_COUPON, pl.col("coupon_code").is_null()),
            (Refusal.COUPON_ARCHIVED, pl.col("archived")),
            (Refusal.COUPON_EARLY, pl.col("effective_on") < pl.col("coupon_from")),
            (Refusal.COUPON_LATE, pl.col("effective_on") > pl.col("coupon_last_day")),
            (Refusal.COUPON_CURRENCY, pl.col("coupon_currency") != pl.col("currency")),
            (Refusal.COUPON_PLAN, pl.col("coupon_plan_id") != pl.col("plan_id")),
            (Refusal.COUPON_CHARGE, (pl.col("scope") == Scope.CHARGE) & pl.col("covered").is_null()),
            (Refusal.COUPON_HELD, pl.col("held").fill_null(False)),
        ],
    )
    return Decision(facts(good, ChangeKind.COUPON, "coupon_id", "effective_on"), refused)


def decide_coupon_end(requests: pl.DataFrame, c: Circumstances) -> Decision:
    """A coupon no longer counts for service that starts on the day or later."""
    rows = _with_held(identified(asked(requests, COUPON_REQUESTS), c), c)
    good, refused = sorted_out(
        rows,
        [
            *usual_checks(key=(SUB, "coupon_id")),
            (
                Refusal.COUPON_NOT_HELD,
                ~pl.col("held").fill_null(False) | (pl.col("effective_on") < pl.col("granted_on")),
            ),
        ],
    )
    return Decision(facts(good, ChangeKind.COUPON_END, "coupon_id", "effective_on"), refused)


def _with_coupon(rows: pl.DataFrame, c: Circumstances) -> pl.DataFrame:
    """Adds what the asked coupon says; coupon_currency only where it is an amount."""
    amount = pl.col("kind") == CouponKind.AMOUNT
    said = c.coupons.select(
        "coupon_id", "scope", "charge_code", "archived", coupon_code="code", coupon_from="valid_from",
        coupon_last_day=pl.col("valid_to") - DAY, coupon_plan_id="plan_id",
        coupon_currency=pl.when(amount).then("currency"),
    )  # fmt: skip
    return rows.join(said, on="coupon_id", how="left", maintain_order="left")


def _with_charge(rows: pl.DataFrame, c: Circumstances) -> pl.DataFrame:
    """Adds covered: the prices in force have the charge that the coupon is for."""
    codes = c.charges.select("price_version_id", "code", covered=pl.lit(True))
    key = ["price_version_id", "code"]
    return rows.join(codes, left_on=["current_id", "charge_code"], right_on=key, how="left", maintain_order="left")


def _with_held(rows: pl.DataFrame, c: Circumstances) -> pl.DataFrame:
    """Adds held: the same coupon still runs on the day; and granted_on, since when.

    A one-time amount is no longer in the way of a second one once its first period is over.
    """
    once = c.coupons.with_columns(
        kind=pl.when(pl.col("duration") == Duration.ONCE).then(pl.lit(CouponKind.PERCENT.value)).otherwise("kind")
    )
    given = discounts.grants(c.live, frames.conform(once, frames.COUPONS), c.track)
    running = rows.select("row", SUB, "coupon_id", "effective_on").join(
        given.select(SUB, "coupon_id", "granted_on", "window_end"), on=[SUB, "coupon_id"]
    ).filter(pl.col("window_end") > pl.col("effective_on"))  # fmt: skip
    held = running.group_by("row").agg(pl.col("granted_on").min(), held=pl.lit(True))
    return rows.join(held, on="row", how="left", maintain_order="left")
