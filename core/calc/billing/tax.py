"""VAT: which treatment and rate a line gets, and the VAT of a document per rate.

VAT is computed once per rate and document (EN 16931 BT-117 = BT-116 × rate); inclusive prices sum gross per rate, derive
net once and allocate it to lines by largest remainder (billing.md, Decisions: Prices, discounts, tax).
"""

from __future__ import annotations

from datetime import date

import polars as pl

from core.calc.arithmetic import allocate, divide, part_of_period

PPM = 10**6
WIDE = pl.Int128()
_BUYER = ["customer_kind", "country", "has_vat_number"]


def treatments(buyers: pl.DataFrame, rules: pl.DataFrame) -> pl.DataFrame:
    """The rule that fits best for each sort of buyer, VAT category and span of days.

    In: `buyers` customer_kind, country, has_vat_number, category (any rows); `rules` VAT_RULES of the seller's country, "*"
    matching anything. Out: those columns + valid_from, valid_to, treatment, rate_ppm; overlapping spans are left to the
    more specific rule. A combination without a rule has no row: it needs review.
    """
    sorts = buyers.select(*_BUYER, "category").unique()
    fitting = sorts.join(rules, on="category", suffix="_rule").filter(
        (pl.col("customer_kind_rule") == "*") | (pl.col("customer_kind_rule") == pl.col("customer_kind")),
        (pl.col("customer_country") == "*") | (pl.col("customer_country") == pl.col("country")),
        pl.col("has_vat_number_rule").is_null() | (pl.col("has_vat_number_rule") == pl.col("has_vat_number")),
    )
    weight = (
        (pl.col("customer_country") != "*").cast(pl.Int8) * 4
        + pl.col("has_vat_number_rule").is_not_null().cast(pl.Int8) * 2
        + (pl.col("customer_kind_rule") != "*").cast(pl.Int8)
    )
    return fitting.with_columns(weight=weight).select(
        *_BUYER, "category", "valid_from", "valid_to", "treatment", "rate_ppm", "weight"
    )


def with_tax(lines: pl.DataFrame, rules: pl.DataFrame) -> pl.DataFrame:
    """Lines with `tax_treatment` and `tax_rate_ppm`, cut by days where a rate changes inside a recurring line.

    In: lines with the buyer's customer_kind, country, has_vat_number and the charge's `category`, service_start,
    service_end, period columns. Credits keep the treatment they carry. A null treatment needs review.
    """
    known = lines.filter(pl.col("tax_treatment").is_not_null())
    fresh = lines.filter(pl.col("tax_treatment").is_null()).drop("tax_treatment", "tax_rate_ppm")
    table = treatments(fresh, rules)
    cut = _cut_at_changes(fresh, table)
    placed = _on_day(cut, table)
    return pl.concat([placed.select(lines.columns), known], how="vertical").sort("line")


def _cut_at_changes(lines: pl.DataFrame, table: pl.DataFrame) -> pl.DataFrame:
    """Recurring lines split at the days on which their own rate changes; the parts sum to the whole."""
    changes = sorted({day for column in ("valid_from", "valid_to") for day in table[column].drop_nulls().to_list()})
    for day in changes:
        across = (pl.col("service_start") < day) & (pl.col("service_end") > day) & pl.col("by_day")
        if lines.select(across.any()).item():
            lines = _cut_on(lines, across, day, table)
    return lines


def _cut_on(lines: pl.DataFrame, across: pl.Expr, day: date, table: pl.DataFrame) -> pl.DataFrame:
    """Lines across the day whose rate before and after differ become two."""
    crossing = lines.filter(across)
    before = _on_day(crossing.with_columns(service_end=pl.lit(day)), table)
    after = _on_day(crossing.with_columns(service_start=pl.lit(day)), table)
    changed = before.filter(
        before["tax_rate_ppm"].ne_missing(after["tax_rate_ppm"])
        | before["tax_treatment"].ne_missing(after["tax_treatment"])
    )["line"]
    split = lines.filter(pl.col("line").is_in(changed.implode()) & across)
    halves = pl.concat([split.with_columns(service_end=pl.lit(day)), split.with_columns(service_start=pl.lit(day))])
    sized = halves.with_columns(part_of_period(halves).alias("amount_minor"))
    rest = lines.filter(~(pl.col("line").is_in(changed.implode()) & across))
    return pl.concat([rest, sized])


def _on_day(lines: pl.DataFrame, table: pl.DataFrame) -> pl.DataFrame:
    """The treatment of each line on its last day of service (its first, when it is billed by the day)."""
    tax_day = pl.when(pl.col("by_day")).then("service_start").otherwise(pl.col("service_end") - pl.duration(days=1))
    numbered = lines.with_columns(_tax_day=tax_day).with_row_index("_row")
    fitting = (
        numbered.select("_row", "_tax_day", *_BUYER, "category")
        .join(table, on=[*_BUYER, "category"], how="inner")
        .filter(
            (pl.col("valid_from") <= pl.col("_tax_day"))
            & (pl.col("valid_to").is_null() | (pl.col("_tax_day") < pl.col("valid_to")))
        )
        .sort("_row", "weight", "valid_from", descending=[False, True, True])
        .unique("_row", keep="first", maintain_order=True)
        .select("_row", tax_treatment="treatment", tax_rate_ppm="rate_ppm")
    )
    return numbered.join(fitting, on="_row", how="left", maintain_order="left").drop("_row", "_tax_day")


def tax_per_rate(lines: pl.DataFrame) -> pl.DataFrame:
    """VAT of each document per treatment and rate.

    In: document, tax_inclusive, tax_treatment, tax_rate_ppm, charged_minor (amount less discount). Out: document,
    treatment, rate_ppm, base_minor (net), tax_minor; credits negative.
    """
    summed = lines.group_by("document", "tax_treatment", "tax_rate_ppm", maintain_order=True).agg(
        pl.col("charged_minor").sum(), pl.col("tax_inclusive").first()
    )
    return summed.with_columns(
        base_minor=pl.when("tax_inclusive").then(net_of(pl.col("charged_minor"), pl.col("tax_rate_ppm"))).otherwise("charged_minor")
    ).select(
        "document", treatment="tax_treatment", rate_ppm="tax_rate_ppm", base_minor="base_minor",
        tax_minor=pl.when("tax_inclusive").then(pl.col("charged_minor") - pl.col("base_minor"))
        .otherwise(tax_on(pl.col("base_minor"), pl.col("tax_rate_ppm"))),
    )  # fmt: skip


def tax_on(net_minor: pl.Expr, rate_ppm: pl.Expr, kind: pl.DataType = WIDE, *, positive: bool = False) -> pl.Expr:
    """round(net · rate), half away from zero; `kind` and `positive` where the caller has proven that 64 bits hold it and
    that nothing is a credit.
    """
    whole = pl.lit(PPM, dtype=kind)
    return divide(net_minor.cast(kind) * rate_ppm.cast(kind), whole, positive=positive).cast(pl.Int64)


def net_of(gross_minor: pl.Expr, rate_ppm: pl.Expr, kind: pl.DataType = WIDE) -> pl.Expr:
    """round(gross / (1 + rate)), half away from zero; `kind` as in `tax_on`."""
    whole = pl.lit(PPM, dtype=kind)
    return divide(gross_minor.cast(kind) * whole, rate_ppm.cast(kind) + whole).cast(pl.Int64)


def net_lines(lines: pl.DataFrame, taxes: pl.DataFrame) -> pl.Series:
    """Net amount of each line: what is charged, or with inclusive prices its share of the net of its rate."""
    if not lines["tax_inclusive"].any():
        return lines["charged_minor"].alias("net_minor")
    rates = taxes.select("document", "base_minor", tax_treatment="treatment", tax_rate_ppm="rate_ppm")
    key = ["document", "tax_treatment", "tax_rate_ppm"]
    known = lines.join(rates, on=key, how="left", maintain_order="left").with_columns(
        _size=pl.col("charged_minor").abs(), _own=net_of(pl.col("charged_minor"), pl.col("tax_rate_ppm"))
    )
    spread = known.with_columns(_spread=allocate(known, key, "base_minor", "_size"))
    # Lines of both signs cannot share by size: each keeps its own net, the odd units go to the largest line.
    low, high = pl.col("charged_minor").min().over(key), pl.col("charged_minor").max().over(key)
    odd = pl.col("base_minor") - pl.col("_own").sum().over(key)
    largest = pl.col("_size").arg_max().over(key) == pl.int_range(pl.len()).over(key)
    mixed = pl.col("_own") + pl.when(largest).then(odd).otherwise(0)
    inclusive = pl.when((low < 0) & (high > 0)).then(mixed).otherwise("_spread")
    net = pl.when("tax_inclusive").then(inclusive).otherwise("charged_minor")
    return spread.select(net.cast(pl.Int64).alias("net_minor"))["net_minor"]


def credit_tax(rate_ppm: pl.Expr, net_minor: pl.Expr, credited_net_minor: pl.Expr) -> pl.Expr:
    """VAT of a credit: round(rate × cumulative credited net) − VAT already credited, so that full credit is the original."""
    return tax_on(net_minor + credited_net_minor, rate_ppm) - tax_on(credited_net_minor, rate_ppm)
