"""Limits on a price rise: lines that hold a bill to the earlier prices' and a cap, or lift it to their floor.

A price change may name the price version that it is compared with, a cap and a floor (shares in millionths). Until the next
price change every billing period is rated twice: by the prices in force and by the earlier ones, for the same days, quantities,
add-ons and usage, each with its own minimum. Both sums are before coupons and as the prices are stated (with VAT where they
include it); coupons then lower the limited price, as they lower any.

*The same period* is the billing period that lines belong to, whenever they are invoiced: a fee paid in advance and the usage of
its period, billed in arrears, are limited together. What has fallen due of a period so far is limited as soon as it does, so a
fee in advance never waits for the usage; each line states what its day adds to the lines of the period before it. Over a whole
period they sum to min(0, before · (1 + cap) − after), then to what lifts that to before · (1 − floor). A floor waits for the
period's last day: a bill that is low so far may still grow. Source: simulation.md section 1 (guards).

A limit is taxed like what it limits: it is shared out over the VAT categories of the period, and each line carries the first
charge of its category.
"""

from __future__ import annotations

import polars as pl

from core.calc.arithmetic import allocate, divide
from core.calc.pricebook import MICRO
from core.domain.periods import Timing

LIMIT = "limit"
PPM = 10**6
_SUB = "subscription_id"
_PERIOD = [_SUB, "limit_start", "period_start", "period_end"]
_DAY = [*_PERIOD, "due_on", "timing"]
_TERMS = ["limit_end", "price_version_id", "cap_ppm", "floor_ppm"]
_MONEY = ["after_minor", "before_minor"]


def limit_of(before: pl.Expr, after: pl.Expr, cap_ppm: pl.Expr, floor_ppm: pl.Expr) -> pl.Expr:
    """The limit of a sum: min(0, before · (1 + cap) − after), then what lifts it to before · (1 − floor); null = no such limit."""
    most, least = _share_of(before, PPM + cap_ppm), _share_of(before, PPM - floor_ppm)
    cap = (most - after).clip(upper_bound=0).fill_null(0)
    return cap + (least - after - cap).clip(lower_bound=0).fill_null(0)


def _share_of(amount: pl.Expr, ppm: pl.Expr) -> pl.Expr:
    """round(amount · ppm), half away from zero."""
    wide = pl.Int128()
    return divide(amount.cast(wide) * ppm.cast(wide), pl.lit(PPM, dtype=wide)).cast(pl.Int64)


def named_by_charge(lines: pl.DataFrame) -> pl.DataFrame:
    """The lines, limits without the charge that they are only taxed like."""
    return lines.with_columns(charge_id=pl.when(pl.col("kind") != LIMIT).then("charge_id"))


def limit_lines(after: pl.DataFrame, before: pl.DataFrame, limits: pl.DataFrame, charges: pl.DataFrame) -> pl.DataFrame:
    """Lines of limits: the columns of LINES that say something.

    In: LINES of the limited days by the prices in force and by the earlier ones, metered charges without usage too; the
    timeline's `limits`; CHARGES.
    """
    sides = pl.concat([
        _placed(after, limits, charges).with_columns(after_minor="amount_minor", before_minor=pl.lit(0, dtype=pl.Int64)),
        _placed(before, limits, charges).with_columns(after_minor=pl.lit(0, dtype=pl.Int64), before_minor="amount_minor"),
    ])  # fmt: skip
    shared = _shared(_limited(sides), sides)
    first = charges.sort("position", "charge_id").group_by("price_version_id", "vat_category").agg(
        pl.col("charge_id").first()
    )  # fmt: skip
    told = shared.filter(pl.col("amount_minor") != 0).join(first, on=["price_version_id", "vat_category"], how="left")
    ahead = pl.col("timing") == Timing.ADVANCE
    begins, ends = pl.max_horizontal("period_start", "limit_start"), pl.min_horizontal("period_end", "limit_end")
    return told.with_columns(
        kind=pl.lit(LIMIT), quantity_micro=pl.lit(MICRO, dtype=pl.Int64), period_amount_minor="amount_minor",
        service_start=pl.when(ahead).then("due_on").otherwise(begins),
        service_end=pl.when(ahead).then(ends).otherwise("due_on"),
    )  # fmt: skip


def _placed(lines: pl.DataFrame, limits: pl.DataFrame, charges: pl.DataFrame) -> pl.DataFrame:
    """The lines with the limit that holds on their first day and their VAT category."""
    held = limits.rename({"start": "limit_start", "end": "limit_end"})
    joined = lines.drop("price_version_id").join(held, on=_SUB).filter(
        (pl.col("limit_start") <= pl.col("service_start")) & (pl.col("service_start") < pl.col("limit_end"))
    )  # fmt: skip
    return joined.join(charges.select("charge_id", "vat_category"), on="charge_id", how="left").select(
        *_DAY, *_TERMS, "amount_minor", pl.col("vat_category").fill_null("standard")
    )


def _limited(sides: pl.DataFrame) -> pl.DataFrame:
    """A row a period and day on which something of it falls due: _DAY, _TERMS, limit_minor and the sums so far."""
    days = sides.group_by(*_DAY, *_TERMS).agg(pl.col(_MONEY).sum()).sort(_DAY)
    summed = days.with_columns(pl.col(_MONEY).cum_sum().over(_PERIOD))
    last = pl.int_range(pl.len()).over(_PERIOD) == pl.len().over(_PERIOD) - 1
    floor = pl.when(last).then("floor_ppm")
    limit = limit_of(pl.col("before_minor"), pl.col("after_minor"), pl.col("cap_ppm"), floor)
    return summed.with_columns(limit_minor=limit)


def _shared(days: pl.DataFrame, sides: pl.DataFrame) -> pl.DataFrame:
    """Each day's limit shared out over the VAT categories by what they cost so far, less what the days before had: amount_minor."""
    cells = sides.group_by(*_DAY, "vat_category").agg(pl.col(_MONEY).sum())
    grid = days.join(cells.select(*_PERIOD, "vat_category").unique(), on=_PERIOD).join(
        cells, on=[*_DAY, "vat_category"], how="left", suffix="_here"
    ).sort(*_DAY, "vat_category")  # fmt: skip
    own = [*_PERIOD, "vat_category"]
    so_far = {name: pl.col(f"{name}_here").fill_null(0).cum_sum().over(own) for name in _MONEY}
    costs = pl.when(pl.col("after_minor") > 0).then(so_far["after_minor"]).otherwise(so_far["before_minor"])
    weighed = grid.with_columns(weight=costs)
    parts = weighed.with_columns(allocate(weighed, _DAY, "limit_minor", "weight").alias("part_minor"))
    before = pl.col("part_minor").shift(1, fill_value=0).over(own)
    return parts.with_columns(amount_minor=pl.col("part_minor") - before)
