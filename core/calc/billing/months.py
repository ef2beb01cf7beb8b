"""Amounts of a whole base over many months, from a base that was rated once.

`rated_base.py` has each subscription's state; a month adds its usage, takes off the running percentage and sums VAT per rate
and document. It is `draft` in another order: the same `rate`, `part_of_period`, `periods`, `percentage`, `allocate` and tax
functions; `tests/calc/test_months.py` holds the two together. Lines stay wide, a column a kind (performance.md section 2).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta

import polars as pl

from core import frames
from core.calc import kernel
from core.calc.arithmetic import largest, wide_enough
from core.calc.billing.base_lines import Sums
from core.calc.billing.discounts import PPM, percentage
from core.calc.billing.documents import Draft, draft
from core.calc.billing.layout import RECURRING, Layout
from core.calc.billing.price_tables import Metered
from core.calc.billing.rated_base import RatedBase
from core.calc.billing.spread import after_month
from core.calc.billing.tax import net_of, tax_on
from core.calc.calendar import boundary, index_on, month_index
from core.calc.rating import bounded, priced_quantity
from core.domain.plans import ChargeKind


def each_month(rated: RatedBase, usage: list[dict[str, pl.Series]]) -> Iterator[pl.DataFrame]:
    """One wide frame a month of what plain subscriptions are billed, a row a document.

    In: per month the usage that falls due, a dense column per meter in the order of `layout.people` (`usage_by_month`). Out:
    document, fixed_minor, seat_minor, addon_minor, usage_minor (before discount), discount_minor, base_<slot> and
    tax_<slot> per VAT slot, net_minor, tax_minor, total_minor; documents of nothing are left out.
    """
    layout = rated.lines.layout
    size = layout.people.height
    current = {name: _added(_zeros(size), sums, rated.amounts) for name, sums in rated.lines.start.items()}
    for month, (moves, used) in enumerate(zip(rated.lines.moves, usage, strict=True)):
        for name, sums in moves.items():
            current[name] = _added(current[name], sums, rated.amounts)
        block = pl.DataFrame({**current, "usage_minor": _zeros(size)})
        for nth in range(len(rated.metered)):
            block = _with_usage(rated, block, nth, used, month)
        yield _documents(layout, block)


def _zeros(size: int) -> pl.Series:
    return pl.Series([0], dtype=pl.Int64).new_from_index(0, size)


def _added(column: pl.Series, sums: Sums, amounts: pl.Series) -> pl.Series:
    """The column with the sums added at their positions."""
    given = sums.of(amounts)
    if given.len() == column.len():
        return column + given
    return column.clone().scatter(sums.target, column.gather(sums.target) + given)


def _with_usage(
    rated: RatedBase, block: pl.DataFrame, nth: int, used: dict[str, pl.Series], month: int
) -> pl.DataFrame:
    """The block with one usage charge of each subscription: rated, discounted and put to its VAT slot."""
    place = rated.lines.metered[nth]
    component, occurring, rows = rated.metered[nth]
    quantity = priced_quantity(rated.book, component, _quantity(place, used))
    scaled, kind = kernel.proven(rated.book, component, quantity, used=occurring)
    terms = rows if scaled.step == 1 else rows.with_columns(kernel.terms(rated.book, component, scaled.step, occurring))
    placed = terms.with_columns(quantity.alias("quantity")).with_columns(
        row=kernel.tier_row(rated.book, scaled, pl.col("quantity"), occurring)
    )
    amount = bounded(rated.book, component, placed.select(kernel.amount(rated.book, scaled, kind)).to_series())
    lines = placed.select("coupon_ppm", "slot").with_columns(amount.alias("amount"))
    if not place.always:
        step, first = pl.col("interval_months"), pl.col("usage_first")
        due = (first <= month) & (pl.col("usage_last") >= month) & ((month - first) % step == 0)
        lines = lines.with_columns(amount=pl.when(rows.select(due=due)["due"]).then("amount").otherwise(0))
    wide = wide_enough(largest(lines["amount"]), PPM)
    lines = lines.with_columns(discount=percentage(pl.col("amount"), pl.col("coupon_ppm"), wide))
    if not place.all:
        every = pl.DataFrame({"position": pl.int_range(block.height, dtype=pl.UInt32, eager=True)})
        lines = every.join(lines.with_columns(rows["position"]), on="position", how="left", maintain_order="left")
        lines = lines.drop("position").with_columns(
            pl.col("amount", "discount").fill_null(0), pl.col("slot").fill_null(-1)
        )
    charged = pl.col("amount") - pl.col("discount")
    slots = {
        f"charged_{slot}": pl.col(f"charged_{slot}") + pl.when(pl.col("slot") == slot).then(charged).otherwise(0)
        for slot in range(len(rated.lines.layout.slots))
    }
    return block.hstack(lines).select(
        "fixed_minor", "seat_minor", "addon_minor", usage_minor=pl.col("usage_minor") + pl.col("amount"),
        discount_minor=pl.col("discount_minor") + pl.col("discount"), **slots,
    )  # fmt: skip


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


def _documents(layout: Layout, block: pl.DataFrame) -> pl.DataFrame:
    """Lines of the same document summed, VAT per rate and document, totals."""
    block = block.hstack([layout.people["document"], layout.people["tax_inclusive"]])
    if layout.shared:
        block = block.group_by("document", "tax_inclusive", maintain_order=True).agg(pl.all().sum())
    rates = [rate for _, rate in layout.slots]
    most = sum(largest(block[f"charged_{slot}"]) for slot in range(len(rates)))
    kind = wide_enough(most, 2 * PPM)
    inclusive = bool(block["tax_inclusive"].any())
    taxed = block.with_columns(
        **{f"base_{slot}": _base(slot, rate, kind, inclusive=inclusive) for slot, rate in enumerate(rates)}
    )
    taxed = taxed.with_columns(
        **{f"tax_{slot}": _tax(slot, rate, kind, inclusive=inclusive) for slot, rate in enumerate(rates)}
    )
    summed = taxed.with_columns(
        net_minor=pl.sum_horizontal(f"base_{slot}" for slot in range(len(rates))),
        tax_minor=pl.sum_horizontal(f"tax_{slot}" for slot in range(len(rates))),
    ).with_columns(total_minor=pl.col("net_minor") + pl.col("tax_minor"))
    made = summed.drop("tax_inclusive", *(f"charged_{slot}" for slot in range(len(rates))))
    something = pl.sum_horizontal(f"{kind}_minor" for kind in (*RECURRING, "usage")) > 0
    worth = made.select(worth=something)["worth"]
    return made if worth.all() else made.filter(worth)


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
    on_top = tax_on(base, pl.lit(rate), kind)
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
