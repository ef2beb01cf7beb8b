"""The lines of a laid-out base, numbered, and which of them each month adds up: everything but the prices.

A line is a whole period that recurs from a first to a last month, or a part of one. Amounts are one vector in the order of
the lines (`rated_base.py` makes it), so that another price book needs no new layout. Plain lines come first, then what
running percentages take off: a total per state, and its shares per VAT slot. A state is a run of months in which the same
lines of a subscription fall due; it is discounted once.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import polars as pl

from core.calc.arithmetic import largest
from core.calc.billing.layout import RECURRING, Layout
from core.calc.billing.price_tables import Metered, PriceTables
from core.calc.billing.spread import PART_DAYS, spread
from core.domain.periods import Timing
from core.domain.plans import ChargeKind

_MONTHS = 1000  # more than any layout has: (position, month) packs into one key
_LINE = ["position", "first", "last", "kind", "slot", "row", "service_start"]


@dataclass(frozen=True)
class Block:
    """Segments that are rated once, and their lines. `rated`: row (of `PriceTables.charges`), quantity_micro; `whole`: which
    of them each whole line is (None: each its own); `parts`: of, PART_DAYS. `used`: rows that occur.
    """

    rated: pl.DataFrame
    whole: pl.Series | None
    parts: pl.DataFrame
    used: pl.Series


@dataclass(frozen=True)
class Sums:
    """Sums of lines by target: lines `at`, times `sign`, up to the rows `ends` (None: each line its own).

    `run`: do the lines follow each other?
    """

    at: pl.Series
    sign: pl.Series | None
    ends: pl.Series | None
    target: pl.Series
    run: bool

    def of(self, amounts: pl.Series) -> pl.Series:
        """One sum a target. Differences of running sums are exact even when those wrap."""
        given = amounts.slice(self.at[0], self.at.len()) if self.run else amounts.gather(self.at)
        signed = given if self.sign is None else given * self.sign
        if self.ends is None:
            return signed
        running = signed.cum_sum().gather(self.ends)
        return running - running.shift(1, fill_value=0)


@dataclass(frozen=True)
class Discounts:
    """States of discounted subscriptions: `base` sums their lines; `single` states lie in one VAT slot; `mixed`: line, state
    of the lines whose state has several slots, in the order in which the odd units go.
    """

    base: Sums
    rate_ppm: pl.Series
    single: pl.Series
    mixed: pl.DataFrame


@dataclass(frozen=True)
class BaseLines:
    """`start`: sums of the first month by wide column; `moves[m]`: what month m adds; `metered`: the usage charges.

    `main_slot`, the VAT slot of most lines, has no sums: it is charged what the kinds sum to, less discount and other slots.
    """

    layout: Layout
    prices: PriceTables
    blocks: list[Block]
    discounts: Discounts
    start: dict[str, Sums]
    moves: list[dict[str, Sums]]
    metered: list[Metered]
    main_slot: int


def lay_lines(layout: Layout) -> BaseLines:
    """Lines, states and sums of the plain subscriptions of a layout."""
    prices = PriceTables(layout)
    made = [both for given in layout.segments for both in _blocks(layout, prices, given.kind, given.timing, given.rows)]
    schema = {"position": pl.UInt32, "first": pl.Int32, "last": pl.Int32, "kind": pl.String, "slot": pl.Int64,
              "row": pl.UInt32, "service_start": pl.Date}  # fmt: skip
    lines = pl.concat([pl.DataFrame(schema=schema), *(part for _, parts in made for part in parts)]).with_row_index(
        "line"
    )
    discounts, taken = _discounts(layout, prices, lines)
    main = largest(lines["slot"].mode().head(1))
    columns = dict(_columns(layout, lines, taken, main))
    months = len(layout.months)
    moves: list[dict[str, Sums]] = [{} for _ in range(months)]
    for name, own in columns.items():
        for month, moved in _moves(own, months):
            moves[month][name] = moved
    start = {name: summed(own.filter(pl.col("first") == 0)) for name, own in columns.items()}
    return BaseLines(layout, prices, [block for block, _ in made], discounts, start, moves, prices.metered(), main)


def _blocks(
    layout: Layout, prices: PriceTables, kind: ChargeKind, timing: Timing, segments: pl.DataFrame
) -> Iterator[tuple[Block, list[pl.DataFrame]]]:
    """Each charge of the kind with its segments: the block and its lines, whole ones first."""
    for placed in prices.placed(kind, timing, segments):
        whole, parts = spread(placed, layout.months, timing)
        once = placed.select("position", "row", prices.slot(placed["position"], placed["row"]))
        lines = [
            once.select(pl.all().gather(frame["of"])).hstack(
                frame.select("first", last=last, kind=pl.lit(kind.value), service_start=day)
            ).select(_LINE)
            for frame, last, day in ((whole, "last", pl.lit(None, dtype=pl.Date)), (parts, "first", "service_start"))
        ]  # fmt: skip
        used = placed["row"].unique().sort()
        if kind is ChargeKind.FIXED:
            # A fixed charge costs the same for everybody: what is rated is the charge, not the segments.
            rated = pl.DataFrame({"row": used}).with_columns(quantity_micro=placed["quantity_micro"].first())
            of = used.search_sorted(placed["row"])
            yield Block(rated, of.gather(whole["of"]), parts.with_columns(of=of.gather(parts["of"])), used), lines
            continue
        # As many lines as segments is not enough: one without a whole period may stand beside one with two.
        each = pl.int_range(placed.height, dtype=pl.UInt32, eager=True)
        own = whole["of"].len() == placed.height and bool((whole["of"] == each).all())
        yield (
            Block(
                placed.select("row", "quantity_micro"),
                None if own else whole["of"],
                parts.select("of", *PART_DAYS),
                used,
            ),
            lines,
        )


def _discounts(layout: Layout, prices: PriceTables, lines: pl.DataFrame) -> tuple[Discounts, pl.DataFrame]:
    """The states, and the lines that they add: line, position, first, last, slot (null for a state's total)."""
    rate = layout.people["coupon_ppm"]
    every = lines.filter(rate.gather(lines["position"]) > 0)
    every = every.filter(prices.covered(every["position"], every["row"]))
    edges = pl.concat([every.select("position", month="first"), every.select("position", month=pl.col("last") + 1)])
    states = edges.unique().sort("position", "month").with_columns(
        last=pl.when(pl.col("position") == pl.col("position").shift(-1)).then(pl.col("month").shift(-1) - 1)
    )  # fmt: skip
    position = pl.col("position").cast(pl.Int64) * _MONTHS
    key = states.select(position + pl.col("month"))["position"]
    low, high = (
        key.search_sorted(every.select(position + month)["position"]) for month in (pl.col("first"), pl.col("last") + 1)
    )
    each = (
        every.with_columns(state=pl.select(pl.int_ranges(low, high, dtype=pl.UInt32)).to_series())
        .explode("state").sort("state", "row", "service_start")
    )  # fmt: skip
    kinds = each.group_by("state", maintain_order=True).agg(
        pl.col("slot").first(), several=pl.col("slot").n_unique() > 1
    )
    spans = states.select(pl.all().gather(kinds["state"])).select("position", first="month", last="last")
    numbered = kinds.select("slot", "several").hstack(spans).with_row_index("state")
    mixed = each.drop("state").with_columns(state=each["state"].rle_id()).join(
        numbered.select("state", "several", span_first="first", span_last="last"), on="state", maintain_order="left"
    ).filter("several")  # fmt: skip
    single = numbered.filter(~pl.col("several"))
    shared = mixed.select("position", "slot", first="span_first", last="span_last")
    taken = pl.concat(
        [
            numbered.with_columns(slot=pl.lit(None, dtype=pl.Int64)).select(shared.columns),
            single.select(shared.columns),
            shared,
        ]
    )
    base = summed(each.select("line", position=each["state"].rle_id()))
    found = Discounts(base, rate.gather(numbered["position"]), single["state"], mixed.select("line", "state"))
    return found, taken.with_row_index("line", lines.height)


def _columns(layout: Layout, lines: pl.DataFrame, taken: pl.DataFrame, main: int) -> Iterator[tuple[str, pl.DataFrame]]:
    """The lines of each wide column: kinds, discount, and what is charged per VAT slot but the main one."""
    span = ["line", "position", "first", "last"]
    for kind in RECURRING:
        yield f"{kind}_minor", lines.filter(pl.col("kind") == kind).select(span)
    yield "discount_minor", taken.filter(pl.col("slot").is_null()).select(span)
    every = pl.concat([lines.select(*span, "slot"), taken.select(*span, "slot")])
    for slot in set(range(len(layout.slots))) - {main}:
        yield f"charged_{slot}", every.filter(pl.col("slot") == slot).select(span)


def _moves(own: pl.DataFrame, months: int) -> Iterator[tuple[int, Sums]]:
    """Per month after the first: lines that begin, and lines that were there for the last time the month before."""
    begins = own.filter(pl.col("first") > 0).select("line", "position", month="first", sign=pl.lit(1, dtype=pl.Int64))
    ends = own.filter(pl.col("last") < months - 1).select(
        "line", "position", month=pl.col("last") + 1, sign=pl.lit(-1, dtype=pl.Int64)
    )
    for (month,), moved in pl.concat([begins, ends]).group_by("month"):
        yield month, summed(moved)


def summed(lines: pl.DataFrame) -> Sums:
    """Sums of the lines by position. In: line, position, perhaps sign."""
    ordered = lines.sort("position", maintain_order=True)
    final = ordered.select(pl.col("position") != pl.col("position").shift(-1)).to_series().fill_null(True)
    sign = ordered["sign"] if "sign" in lines.columns else None
    at = ordered["line"]
    run = at.len() > 0 and bool((at == pl.int_range(at[0], at[0] + at.len(), eager=True)).all())
    if final.all():
        return Sums(at, sign, None, ordered["position"], run)
    ends = final.arg_true()
    return Sums(at, sign, ends, ordered["position"].gather(ends), run)
