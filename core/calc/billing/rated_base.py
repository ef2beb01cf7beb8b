"""Every segment of a whole base rated once: the state of each subscription, and how it changes from month to month.

What recurs becomes one wide row a plain subscription for the first month, and a list of differences for each later one.
Running percentages are taken off each state once. `months.py` goes through the months.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import polars as pl

from core.calc.arithmetic import allocate
from core.calc.billing.discounts import percentage
from core.calc.billing.layout import RECURRING, Layout
from core.calc.billing.price_tables import Metered, PriceTables
from core.calc.billing.spread import by_month
from core.calc.pricebook import PriceBook

_MOST_MONTHS = 1000
_NOTHING = pl.DataFrame(schema={"position": pl.UInt32, "first": pl.Int32, "last": pl.Int32, "amount_minor": pl.Int64})


@dataclass(frozen=True)
class RatedBase:
    """`start`: wide amounts of the first month, a row a plain subscription; `deltas[m]`: what month m adds, by column."""

    layout: Layout
    book: PriceBook
    start: pl.DataFrame
    deltas: list[dict[str, pl.DataFrame]]
    metered: list[Metered]


def rate_base(layout: Layout, book: PriceBook) -> RatedBase:
    """Every segment of the plain subscriptions rated once."""
    prices = PriceTables(layout, book)
    changes: dict[str, list[pl.DataFrame]] = {name: [] for name in _columns(layout)}
    discounted = []
    for (kind, timing), segments in layout.segments.items():
        for rated in prices.rated(kind, timing, segments):
            for part in by_month(rated, layout.months, timing):
                changes[f"{kind}_minor"].append(part)
                for slot in range(len(layout.slots)):
                    changes[f"charged_{slot}"].append(part.filter(pl.col("slot") == slot))
                discounted.append(part.filter(layout.people["coupon_ppm"].gather(part["position"]) > 0))
    for name, part in _discounts(prices, discounted):
        changes[name].append(part)
    start, deltas = _laid_out(layout, changes)
    return RatedBase(layout, book, start, deltas, prices.metered())


def _columns(layout: Layout) -> list[str]:
    """Wide columns of what recurs."""
    kinds = [f"{kind}_minor" for kind in RECURRING]
    return [*kinds, "discount_minor", *(f"charged_{slot}" for slot in range(len(layout.slots)))]


def _discounts(prices: PriceTables, lines: list[pl.DataFrame]) -> Iterator[tuple[str, pl.DataFrame]]:
    """What running percentages take off lines that recur: changes of `discount_minor` and, negative, of each slot.

    A state is a run of months in which the same lines fall due; each is discounted once.
    """
    every = pl.concat(lines) if lines else pl.DataFrame()
    if every.is_empty():
        return
    every = every.filter(prices.covered(every["position"], every["row"]))
    edges = pl.concat([every.select("position", month="first"), every.select("position", month=pl.col("last") + 1)])
    states = edges.unique().sort("position", "month").with_columns(
        last=pl.when(pl.col("position") == pl.col("position").shift(-1)).then(pl.col("month").shift(-1) - 1)
    )  # fmt: skip
    key = states.select(pl.col("position").cast(pl.Int64) * _MOST_MONTHS + pl.col("month"))["position"]
    position = pl.col("position").cast(pl.Int64) * _MOST_MONTHS
    low = key.search_sorted(every.select(position + pl.col("first"))["position"])
    high = key.search_sorted(every.select(position + pl.col("last") + 1)["position"])
    each = (
        every.with_columns(state=pl.select(pl.int_ranges(low, high)).to_series())
        .explode("state")
        .sort("state", "row", "service_start")
    )
    sums = each.group_by("state", maintain_order=True).agg(
        pl.col("position").first(), pl.col("amount_minor").sum().alias("base"), mixed=pl.col("slot").n_unique() > 1,
        slot=pl.col("slot").first(),
    )  # fmt: skip
    rate = prices.layout.people["coupon_ppm"].gather(sums["position"])
    totals = sums.with_columns(rate.alias("rate")).select(
        "state", "mixed", "slot", total=pl.min_horizontal(percentage(pl.col("base"), pl.col("rate")), "base")
    )
    spans = states.with_columns(first="month").select("position", "first", "last")
    yield "discount_minor", _spanned(totals.select("state", amount_minor="total"), spans)
    mixed = each.join(totals.filter("mixed").select("state", "total"), on="state", how="inner", maintain_order="left")
    shares = mixed.with_columns(allocate(mixed, ["state"], "total", "amount_minor").alias("total")).select(
        "state", "slot", "total"
    )
    every_share = pl.concat([totals.filter(~pl.col("mixed")).select("state", "slot", "total"), shares])
    for (slot,), given in every_share.group_by("slot"):
        yield f"charged_{slot}", _spanned(given.select("state", amount_minor=-pl.col("total")), spans)


def _spanned(given: pl.DataFrame, spans: pl.DataFrame) -> pl.DataFrame:
    """Amounts of states as changes: position, first, last, amount_minor."""
    return spans.select(pl.all().gather(given["state"])).with_columns(given["amount_minor"])


def _laid_out(
    layout: Layout, changes: dict[str, list[pl.DataFrame]]
) -> tuple[pl.DataFrame, list[dict[str, pl.DataFrame]]]:
    """The first month as dense columns, and what each later month adds to them."""
    size, months = layout.people.height, len(layout.months)
    start: dict[str, pl.Series] = {}
    deltas: list[dict[str, pl.DataFrame]] = [{} for _ in range(months)]
    for name, parts in changes.items():
        start[name] = _dense(
            size, [part.filter(pl.col("first") == 0) if part["first"].max() else part for part in parts if part.height]
        )
        moving = [part.filter((pl.col("first") > 0) | (pl.col("last") < months - 1)) for part in parts]
        some = pl.concat(
            [part.select("position", "first", "last", "amount_minor") for part in moving if part.height] or [_NOTHING]
        )
        begins = some.filter(pl.col("first") > 0).select("position", "amount_minor", month="first")
        ends = some.filter(pl.col("last") < months - 1).select(
            "position", -pl.col("amount_minor"), month=pl.col("last") + 1
        )
        both = pl.concat([begins, ends]).group_by("month", "position").agg(pl.col("amount_minor").sum())
        for (month,), delta in both.group_by("month"):
            deltas[month][name] = delta.select("position", "amount_minor")
    return pl.DataFrame(start), deltas


def _dense(size: int, parts: list[pl.DataFrame]) -> pl.Series:
    """Sum of the parts' amounts at each position."""
    total: pl.Series | None = None
    for part in parts:
        position, amount = part["position"], part["amount_minor"]
        if position.n_unique() < position.len():
            summed = part.group_by("position").agg(pl.col("amount_minor").sum())
            position, amount = summed["position"], summed["amount_minor"]
        if total is None and position.len() == size and position.is_sorted():
            total = amount
            continue
        total = zeros(size) if total is None else total
        total = added(total, position, amount)
    return zeros(size) if total is None else total


def zeros(size: int) -> pl.Series:
    return pl.Series([0], dtype=pl.Int64).new_from_index(0, size)


def added(total: pl.Series, position: pl.Series, amount: pl.Series) -> pl.Series:
    """The column with amounts added at distinct positions."""
    return total.clone().scatter(position, total.gather(position) + amount)
