"""Coupons that an import grants: those that rows name, and those it makes for discounts and for adjustments below zero.

A price cannot be negative, so a row that pays less than its plan and add-ons gets an amount coupon for ever; list price and
add-ons stay visible above it. Coupons of the import's own are archived at once: nobody is offered them.
"""

from __future__ import annotations

from typing import Any

import polars as pl
from sqlalchemy.orm import Session

from core.domain.coupons import CouponKind, Duration, Scope
from core.exchange.rows import Findings
from core.store import load, save
from core.store.known import ids_of
from core.store.tables import Coupon, Plan


def coupon_grants(subscriptions: pl.DataFrame) -> pl.DataFrame:
    """Every coupon a row gets: id, line, code, name, kind, rate_ppm, amount_minor, currency, plan, periods_left, named."""
    nothing = {"rate_ppm": pl.lit(0, dtype=pl.Int64), "amount_minor": pl.lit(0, dtype=pl.Int64)}
    common = ["id", "line", "currency", "plan"]
    named = subscriptions.filter(pl.col("coupon").is_not_null()).select(
        *common, "periods_left", code="coupon", name=pl.lit(""), kind=pl.lit(""), **nothing, named=pl.lit(True)
    )
    share = pl.col("discount_percent")
    percent = subscriptions.filter(share.cast(pl.Float64) > 0).select(
        *common, code=pl.lit("IMPORT-PERCENT-") + share, name=pl.lit("Discount ") + share + pl.lit(" %"),
        kind=pl.lit(CouponKind.PERCENT.value), rate_ppm=(share.cast(pl.Decimal(38, 12)) * 10_000).cast(pl.Int64),
    )  # fmt: skip
    below = -pl.col("adjustment_minor")
    adjusted = subscriptions.filter(below > 0).select(
        *common, code=pl.format("IMPORT-ADJUSTMENT-{}-{}-{}", "plan", "currency", below), name=pl.lit("Adjustment"),
        kind=pl.lit(CouponKind.AMOUNT.value), amount_minor=below,
    )  # fmt: skip
    return pl.concat([named, percent, adjusted], how="diagonal")


def check_coupons(session: Session, grants: pl.DataFrame, findings: Findings) -> None:
    """Coupons that a row names must be in the catalogue, and in the row's currency."""
    named = grants.filter(pl.col("named").fill_null(False))
    if named.is_empty():
        return
    ids = ids_of(session, Coupon, "code", named["code"].unique())
    findings.where(named, ~pl.col("code").is_in(ids["code"].to_list()), "The coupon {code} is not known")
    stored = load.coupons(session).select("code", own="currency", own_kind="kind")
    amounts = named.join(stored, on="code").filter(pl.col("own_kind") == CouponKind.AMOUNT.value)
    findings.where(amounts, pl.col("own") != pl.col("currency"), "The coupon {code} is in {own}, not in {currency}")


def make_coupons(session: Session, stamp: dict[str, Any], grants: pl.DataFrame) -> pl.DataFrame:
    """The grants with their coupon_id; coupons of the import's own are made archived, so that nobody is offered them."""
    distinct = grants.unique("code", keep="first", maintain_order=True)
    known = ids_of(session, Coupon, "code", distinct["code"])
    missing = distinct.join(known, on="code", how="anti")
    plans = ids_of(session, Plan, "code", missing["plan"].unique()).rename({"code": "plan", "id": "plan_id"})
    amount = pl.col("kind") == CouponKind.AMOUNT.value
    rows = missing.join(plans, on="plan", how="left", maintain_order="left").select(
        "code", "name", "kind", pl.col("rate_ppm").fill_null(0), pl.col("amount_minor").fill_null(0),
        currency=pl.when(amount).then("currency").otherwise(pl.lit("")),
        plan_id=pl.when(amount).then("plan_id"),
        duration=pl.lit(Duration.FOREVER.value), scope=pl.lit(Scope.PLAN.value), archived=pl.lit(True),
        **{name: pl.lit(value) for name, value in stamp.items()},
    )  # fmt: skip
    save.insert_many(session, Coupon, rows)
    return with_ids(session, grants)


def with_ids(session: Session, grants: pl.DataFrame) -> pl.DataFrame:
    """The grants with their coupon_id, null where the coupon is not there yet."""
    ids = ids_of(session, Coupon, "code", grants["code"].unique()).select("code", coupon_id="id")
    return grants.join(ids, on="code", how="left", maintain_order="left")
