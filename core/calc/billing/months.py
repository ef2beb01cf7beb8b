"""Amounts of a whole base over many months, from a base that was rated once.

`rated_base.py` has each subscription's state; a month adds its usage, takes off the running percentage and sums VAT per rate
and document. It is `draft` in another order: the same `rate`, `part_of_period`, `periods`, `percentage`, `allocate` and tax
functions; `tests/calc/test_months.py` holds the two together. Lines stay wide, a column a kind (performance.md section 2).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from functools import reduce
from operator import add

import polars as pl

from core import frames
from core.calc import kernel
from core.calc.arithmetic import largest, wide_enough
from core.calc.billing.base_lines import BaseLines, Sums
from core.calc.billing.discounts import PPM, percentage
from core.calc.billing.documents import Draft, draft
from core.calc.billing.layout import RECURRING, Layout
from core.calc.billing.price_tables import Metered
from core.calc.billing.rated_base import PricedUsage, RatedBase
from core.calc.billing.spread import after_month
from core.calc.billing.tax import net_of, tax_on
from core.calc.calendar import boundary, index_on, month_index
from core.calc.pricebook import PriceBook
from core.calc.rating import above_included, bounded, priced_quantity
from core.domain.plans import ChargeKind

_KINDS = [*(f"{kind}_minor" for kind in RECURRING), "usage_minor"]
SMALL = 20_000  # rows: below it one thread in memory is faster than the streaming engine


def each_month(rated: RatedBase, usage: list[dict[str, pl.Series]]) -> Iterator[pl.DataFrame]:
    """One wide frame a month of what plain subscriptions are billed, a row a document.

    In: per month the usage that falls due, a dense column per meter in the order of `layout.people` (`usage_by_month`). Out:
    document, fixed_minor, seat_minor, addon_minor, usage_minor (before discount), discount_minor, base_<slot> and
    tax_<slot> per VAT slot, net_minor, tax_minor, total_minor; documents of nothing are left out.
    """
    size = rated.lines.layout.people.height
    current = {name: _added(_zeros(size), sums, rated.amounts) for name, sums in rated.lines.start.items()}
    highest = {name: largest(current[name]) for name in _KINDS if name in current}
    for month, (moves, used) in enumerate(zip(rated.lines.moves, usage, strict=True)):
        for name, sums in moves.items():
            current[name] = _added(current[name], sums, rated.amounts)
            if name in highest:
                highest[name] = largest(current[name])
        yield _month(rated, current, used, month, most=sum(highest.values()))


def _month(
    rated: RatedBase, current: dict[str, pl.Series], used: dict[str, pl.Series], month: int, *, most: int
) -> pl.DataFrame:
    """One month from what recurs in it; `most` bounds that. Nothing here outlives the call, so that the next month may
    change the columns in place.
    """
    lines, people = rated.lines, rated.lines.layout.people
    block = pl.DataFrame({**current, "usage_minor": _zeros(people.height)}).hstack(
        people.select("document", "tax_inclusive")
    )
    lazy = block.lazy()
    for place, priced in zip(lines.metered, rated.metered, strict=True):
        fused = place is lines.metered[0] and place.all and not priced.bounded
        told, bound = _usage(
            rated.book, place, priced, _quantity(place, used), month=month, block=block if fused else None
        )
        joined = told if fused else _beside(lazy, told, place, people.height)
        lazy = _charged(joined, block.columns, place, lines.main_slot)
        most += bound
    return _documents(lines.layout, lazy.with_columns(_main_slot(lines)), most)


def _main_slot(lines: BaseLines) -> pl.Expr:
    """What the VAT slot of most lines is charged: everything, less discount and the other slots."""
    others = [name for name in lines.start if name.startswith("charged")]
    return (_sum(_KINDS) - _sum(["discount_minor", *others])).alias(f"charged_{lines.main_slot}")


def _sum(names: list[str]) -> pl.Expr:
    """Sum of columns without nulls."""
    return reduce(add, (pl.col(name) for name in names))


def _zeros(size: int) -> pl.Series:
    return pl.Series([0], dtype=pl.Int64).new_from_index(0, size)


def _added(column: pl.Series, sums: Sums, amounts: pl.Series) -> pl.Series:
    """The column with the sums added at their positions."""
    given = sums.of(amounts)
    if given.len() == column.len():
        return column + given
    return column.scatter(sums.target, column.gather(sums.target) + given)


def _usage(
    book: PriceBook, place: Metered, priced: PricedUsage, quantity: pl.Series, *, month: int, block: pl.DataFrame | None
) -> tuple[pl.LazyFrame, int]:  # fmt: skip
    """The month's lines of one usage charge: amount, off, slot, position, beside them the block if given; and a bound of the
    amounts.
    """
    rows = priced.rows
    if priced.converted:
        quantity, rows = priced_quantity(book, priced.component, quantity), rows.with_columns(included=pl.lit(0))
    scaled, kind, bound = kernel.proven(book, priced.component, quantity, used=priced.used)
    if scaled.step > 1:
        rows = rows.with_columns(kernel.terms(book, priced.component, scaled.step, priced.used))
    lines = (
        rows.hstack([quantity.alias("quantity"), *([] if block is None else block)]).lazy()
        .with_columns(quantity=above_included())
        .with_columns(row=kernel.tier_row(book, scaled, pl.col("quantity"), priced.used))
        .with_columns(amount=kernel.amount(book, scaled, kind))
    )  # fmt: skip
    if priced.bounded:
        rated = lines.collect()
        amount = bounded(book, priced.component, rated["amount"])
        lines, bound = rated.with_columns(amount.alias("amount")).lazy(), largest(amount)
    if not place.always:
        step, first = pl.col("interval_months"), pl.col("usage_first")
        due = (first <= month) & (pl.col("usage_last") >= month) & ((month - first) % step == 0)
        lines = lines.with_columns(amount=pl.when(due).then("amount").otherwise(0))
    wide = wide_enough(bound, PPM)
    return lines.with_columns(off=percentage(pl.col("amount"), pl.col("coupon_ppm"), wide)), bound


def _beside(block: pl.LazyFrame, lines: pl.LazyFrame, place: Metered, size: int) -> pl.LazyFrame:
    """The block with the lines of one usage charge beside it."""
    lines = lines.select("position", "amount", "off", "slot")
    if not place.all:
        every = pl.LazyFrame({"position": pl.int_range(size, dtype=pl.UInt32, eager=True)})
        lines = every.join(lines, on="position", how="left", maintain_order="left").with_columns(
            pl.col("amount", "off").fill_null(0), pl.col("slot").fill_null(-1)
        )
    return pl.concat([block, lines.drop("position")], how="horizontal")


def _charged(joined: pl.LazyFrame, columns: list[str], place: Metered, main_slot: int) -> pl.LazyFrame:
    """The lines added to the block and put to their VAT slots; the main one follows from the rest."""
    charged = pl.col("amount") - pl.col("off")
    return joined.with_columns(
        usage_minor=pl.col("usage_minor") + pl.col("amount"),
        discount_minor=pl.col("discount_minor") + pl.col("off"),
        **{
            f"charged_{slot}": pl.col(f"charged_{slot}") + pl.when(pl.col("slot") == slot).then(charged).otherwise(0)
            for slot in place.slots
            if slot != main_slot
        },
    ).select(columns)


def _quantity(place: Metered, used: dict[str, pl.Series]) -> pl.Series:
    """The usage of each row's meter."""
    if len(place.meters) == 1:
        dense = used[place.meters[0]]
        return dense if place.all else dense.gather(place.rows["position"])
    chosen = pl.lit(0, dtype=pl.Int64)
    columns = {meter: used[meter].gather(place.rows["position"]) for meter in place.meters}
    for meter in place.meters:
        chosen = pl.when(pl.col("meter") == meter).then(pl.col(f"used {meter}")).otherwise(chosen)
    frame = place.rows.select("meter").with_columns(column.alias(f"used {meter}") for meter, column in columns.items())
    return frame.select(quantity=chosen)["quantity"]


def _documents(layout: Layout, block: pl.LazyFrame, most: int) -> pl.DataFrame:
    """Lines of the same document summed, VAT per rate and document, totals. `most`: no line block can charge more."""
    if layout.shared:
        block = block.group_by("document", "tax_inclusive", maintain_order=True).agg(pl.all().sum())
        most *= largest(layout.people["document"].value_counts()["count"])
    rates = [rate for _, rate in layout.slots]
    kind = wide_enough(most, 2 * PPM)
    inclusive = bool(layout.people["tax_inclusive"].any())
    slots = range(len(rates))
    taxed = block.with_columns(
        **{f"base_{slot}": _base(slot, rate, kind, inclusive=inclusive) for slot, rate in enumerate(rates)}
    ).with_columns(**{f"tax_{slot}": _tax(slot, rate, kind, inclusive=inclusive) for slot, rate in enumerate(rates)})
    summed = taxed.with_columns(
        net_minor=_sum([f"base_{slot}" for slot in slots]), tax_minor=_sum([f"tax_{slot}" for slot in slots])
    ).with_columns(total_minor=pl.col("net_minor") + pl.col("tax_minor"))
    wanted = ["document", *_KINDS, "discount_minor", *(f"base_{slot}" for slot in slots),
              *(f"tax_{slot}" for slot in slots), "net_minor", "tax_minor", "total_minor"]  # fmt: skip
    made = summed.select(wanted).collect(engine="streaming" if layout.people.height > SMALL else "in-memory")
    if any(made[f"{kind}_minor"].min() for kind in RECURRING):
        return made
    return made.filter(_sum(_KINDS) > 0)


def _base(slot: int, rate: int, kind: pl.DataType, *, inclusive: bool) -> pl.Expr:
    """Net of a slot."""
    charged = pl.col(f"charged_{slot}")
    if not inclusive or rate == 0:
        return charged
    return pl.when("tax_inclusive").then(net_of(charged, pl.lit(rate), kind)).otherwise(charged)


def _tax(slot: int, rate: int, kind: pl.DataType, *, inclusive: bool) -> pl.Expr:
    """VAT of a slot."""
    base = pl.col(f"base_{slot}")
    if rate == 0:
        return pl.lit(0, dtype=pl.Int64)
    on_top = tax_on(base, pl.lit(rate), kind, positive=True)
    return pl.when("tax_inclusive").then(pl.col(f"charged_{slot}") - base).otherwise(on_top) if inclusive else on_top


def usage_by_month(layout: Layout) -> list[dict[str, pl.Series]]:
    """What plain subscriptions used, per month in which it falls due and meter: a column in the order of `people`."""
    people, months = layout.people, layout.months
    known = people.select("subscription_id", "begins_on", "ends_on", "anchor_on", "interval_months").with_row_index(
        "position"
    )
    anchor, step, days = pl.col("anchor_on"), pl.col("interval_months"), pl.lit(0, dtype=pl.Int32)
    on = pl.col("occurred_on")
    events = layout.inputs.facts.usage.join(known, on="subscription_id").filter(
        on >= pl.col("begins_on"), on < pl.col("ends_on")
    )
    end = boundary(anchor, step, days, index_on(anchor, step, days, on) + 1)
    due = month_index(pl.min_horizontal(end, "ends_on")) - month_index(pl.lit(months[0]))
    sums = events.with_columns(month=due).group_by("month", "meter", "position").agg(pl.col("quantity_micro").sum())
    meters = layout.inputs.facts.charges.filter(pl.col("kind") == ChargeKind.USAGE)["meter"].unique()
    blocks = [{meter: _zeros(people.height) for meter in meters} for _ in months]
    for (month, meter), some in sums.group_by("month", "meter"):
        if 0 <= month < len(months) and meter in blocks[month]:
            column = blocks[month][meter].clone().scatter(some["position"], some["quantity_micro"].clip(lower_bound=0))
            blocks[month][meter] = column
    return blocks


def whole_by_month(layout: Layout) -> Iterator[Draft]:
    """What all others are billed, drafted month by month; what coupons gave in earlier months counts."""
    inputs = layout.whole
    used = [inputs.used]
    for month in layout.months:
        billed = month - timedelta(days=1)
        scope = inputs.scope.with_columns(after=pl.lit(billed), billed_through=pl.lit(billed), touched=pl.lit(False))
        made = draft(replace(inputs, scope=scope, used=pl.concat(used)), after_month(month) - timedelta(days=1))
        used.append(frames.conform(made.shares, frames.USED_DISCOUNTS))
        yield made
