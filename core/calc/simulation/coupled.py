"""Invoices whose lines depend on each other, made whole: minimum, limit, coupons by the engine, then the VAT that prices include."""

from __future__ import annotations

from typing import TYPE_CHECKING

import polars as pl

from core import frames
from core.calc.billing import discounts
from core.calc.billing.expected import TRUE_UP
from core.calc.billing.price_limits import LIMIT
from core.calc.billing.tax import net_of
from core.calc.calendar import OPEN
from core.calc.simulation.base import SUB, Base
from core.calc.simulation.sums import summed
from core.domain.coupons import Scope
from core.domain.periods import Timing

if TYPE_CHECKING:
    from core.calc.simulation.nets import Nets

LINE = ["code", "kind", "vat_category", "timing", "amount_minor"]


def made_whole(parts: Nets, rows: pl.DataFrame) -> pl.Series:
    """Net of invoices whose lines depend on each other: minimum, limit, then coupons, then the VAT that prices include.

    In: invoices with what limits add, advance and arrears. Those that are alike in state, usage and limit are one.
    """
    base, prices = parts.base, parts.prices
    pairs = (
        base.uses.join(rows.select("row"), on="row", how="semi")
        .group_by("row", maintain_order=True)
        .agg(pl.col("pair").sort())
    )
    told = rows.join(pairs, on="row", how="left", maintain_order="left").with_columns(
        key=pl.format(
            "{}|{}|{}|{}", "state", pl.col("pair").cast(pl.List(pl.String)).list.join(",").fill_null(""), "advance", "arrears"
        )
    )  # fmt: skip
    alike = (
        told.unique("key", maintain_order=True)
        .select("key", "state", "pair", "advance", "arrears")
        .with_row_index("invoice")
    )
    fees = alike.select("invoice", "state").join(parts.recurring, on="state")
    uses = alike.select("invoice", "state", "pair").explode("pair").drop_nulls("pair").join(parts.used, on="pair")
    numbered = pl.concat([fees, uses.select(fees.columns)])
    own_lines = numbered.join(prices.charges, on="charge_id", maintain_order="left").select("invoice", "state", *LINE)
    known = parts.states.select("state", "price_version_id", "tax_inclusive", "minimum_minor", "coupons")
    used = own_lines.group_by("invoice").agg(used=pl.col("amount_minor").sum())
    missing = (
        alike.select("invoice", "state").join(known, on="state").join(used, on="invoice", how="left")
        .with_columns(amount_minor=(pl.col("minimum_minor") - pl.col("used").fill_null(0)).clip(lower_bound=0))
        .filter(pl.col("amount_minor") > 0)
        .select("invoice", "state", code=pl.lit(""), kind=pl.lit(TRUE_UP), vat_category=pl.lit("standard"), timing=pl.lit(Timing.ARREARS.value), amount_minor="amount_minor")
    )  # fmt: skip
    limits = _limit_lines(alike, own_lines).select(own_lines.columns)
    every = pl.concat([own_lines, missing.select(own_lines.columns), limits]).join(
        known, on="state", maintain_order="left"
    )
    every = every.join(base.vat, on="vat_category", how="left", maintain_order="left").rename({"rate_ppm": "vat_ppm"})
    off = _discounts(base, prices, alike, every)
    left = off.with_columns(charged=pl.col("amount_minor") - pl.col("discount_minor"))
    by_rate = left.group_by("invoice", "vat_ppm", "tax_inclusive").agg(pl.col("charged").sum())
    net = pl.when("tax_inclusive").then(net_of(pl.col("charged"), pl.col("vat_ppm").fill_null(0))).otherwise("charged")
    sums = by_rate.with_columns(net=net).group_by("invoice").agg(pl.col("net").sum())
    by_invoice = summed(alike.height, sums["invoice"], sums["net"])
    at = told.join(alike.select("key", "invoice"), on="key", how="left", maintain_order="left")["invoice"]
    return by_invoice.gather(at)


def _limit_lines(alike: pl.DataFrame, lines: pl.DataFrame) -> pl.DataFrame:
    """Lines of limits: the VAT category is the invoice's first, for prices that include VAT have one where they are limited."""
    categories = lines.group_by("invoice", maintain_order=True).agg(pl.col("vat_category").first())
    told = alike.join(categories, on="invoice", how="left").with_columns(
        pl.col("vat_category").fill_null("standard"), code=pl.lit(""), kind=pl.lit(LIMIT)
    )
    parts = [
        told.with_columns(timing=pl.lit(timing.value), amount_minor=column)
        for timing, column in ((Timing.ADVANCE, "advance"), (Timing.ARREARS, "arrears"))
    ]
    return pl.concat(parts).filter(pl.col("amount_minor") != 0)


def _discounts(base: Base, prices: frames.Prices, alike: pl.DataFrame, lines: pl.DataFrame) -> pl.DataFrame:
    """The lines with discount_minor, by the engine's own discounts."""
    free = lines.with_columns(discount_minor=pl.lit(0, dtype=pl.Int64))
    given = (
        alike.select("invoice", "state")
        .join(base.states.select("state", "coupons", "price_version_id"), on="state")
        .filter(pl.col("coupons") != "")
    )
    if given.is_empty():
        return free
    own = given.select("invoice")
    off = _by_engine(base, prices, given, free.join(own, on="invoice", how="semi")).select(free.columns)
    return pl.concat([free.join(own, on="invoice", how="anti"), off])


def _by_engine(base: Base, prices: frames.Prices, given: pl.DataFrame, lines: pl.DataFrame) -> pl.DataFrame:
    """Discounts of invoices by the billing engine: each invoice stands for a subscription of its own."""
    day = pl.date(2000, 1, 1)
    head = prices.versions.select("price_version_id", "plan_id", "currency", "interval_months", "interval_days")
    grants = (
        given.select(pl.col("invoice").cast(pl.Int64).alias(SUB), "price_version_id", coupon_id=pl.col("coupons").str.split("|"))
        .explode("coupon_id").with_columns(pl.col("coupon_id").cast(pl.Int64)).with_row_index("grant_id")
        .join(base.coupons.rename({"kind": "coupon_kind"}), on="coupon_id", maintain_order="left")
        .join(head.select("price_version_id", "interval_months", "interval_days"), on="price_version_id", maintain_order="left")
        .with_columns(
            scope=pl.when(pl.col("scope") == Scope.INVOICE).then(pl.lit(Scope.PLAN.value)).otherwise("scope"), duration=pl.lit("forever"),
            granted_on=day, window_start=day, window_end=pl.lit(OPEN), anchor_on=day,
        )
    )  # fmt: skip
    told = lines.sort("invoice", maintain_order=True).with_row_index("line").join(
        head.select("price_version_id", "plan_id", "currency"), on="price_version_id", maintain_order="left"
    ).with_columns(
        pl.col("line").cast(pl.Int64), pl.col("invoice").cast(pl.Int64).alias(SUB), customer_id=pl.col("invoice").cast(pl.Int64),
        charge_code="code", service_start=day, period_start=day, corrects_id=pl.lit(None, dtype=pl.Int64),
    )  # fmt: skip
    # What is paid ahead is billed first: an amount off the period is taken from it before the usage.
    used, done = frames.empty(frames.USED_DISCOUNTS), []
    for timing in Timing:
        part, given_now = discounts.discount(told.filter(pl.col("timing") == timing), grants, used)
        done.append(part)
        used = frames.conform(given_now, frames.USED_DISCOUNTS)
    return pl.concat(done)
