"""The rating kernel: round((intercept + slope · n) / divisor) for each row, in 64 bits with a proof that nothing wraps.

The terms of each row's charge (`terms`) can be laid out once and used for many months of quantities; `amounts` does both in
one go. `rating.py` puts conversion, included units, caps and minimums around it. Quantities are in micro units and already
priced (`rating.priced_quantity`). Representation: performance.md section 1.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import accumulate

import numpy as np
import polars as pl

from core.calc.arithmetic import FITS, LARGEST_LINE_MINOR, divide, largest
from core.calc.pricebook import MICRO, NUMERATOR_SCALE, PriceBook, round_up_by
from core.domain.errors import InvalidInput

COUNTED_TIERS = 12  # comparing with so many bounds is faster than a binary search
NEVER = 2**63 - 1


@dataclass(frozen=True)
class Scaled:
    """The book's rows in the smallest scale that holds them: numerator / divisor = minor units; quantity × step = micro.

    `positive`: can no numerator be negative, as long as each quantity is priced in its own tier? n is (quantity − origin + add) /
    size; all three are empty where no tier has packages.
    """

    divisor: int
    step: int
    first: list[int]
    slope: list[int]
    intercept: list[int]
    positive: bool
    size: list[int]
    add: list[int]
    origin: list[int]


def amounts(
    book: PriceBook, component: pl.Series, quantity: pl.Series, reached: pl.Series | None = None,
    used: list[int] | None = None,
) -> pl.Series:  # fmt: skip
    """Amount of each quantity in minor units; `reached` picks the tier where it is not the quantity itself.

    `used`: the components that occur, where that is known.
    """
    scaled, kind, _ = proven(book, component, quantity, *([] if reached is None else [reached]), used=used)
    frame = terms(book, component, scaled.step, used).with_columns(quantity.alias("quantity"))
    if reached is not None:
        frame = frame.with_columns(reached.alias("reached"))
    tier = tier_row(book, scaled, pl.col("quantity" if reached is None else "reached"), used)
    placed = frame.with_columns(row=tier)
    return placed.select(amount_minor=amount(book, scaled, kind, own_tier=reached is None))["amount_minor"]


def amounts_of_runs(book: PriceBook, components: list[int], ends: list[int], quantity: pl.Series) -> pl.Series:
    """`amounts` where the quantities of each component stand together, up to its end, and rise there.

    Each tier is then one stretch that a binary search finds, and rated with its own price as a number.
    """
    each = quantity.to_numpy()
    component = repeated(components, ends)
    scaled, kind, _ = proven(book, component, quantity, used=components)
    if kind != pl.Int64() or scaled.step > 1 or not scaled.positive or not _rising(each, ends):
        return amounts(book, component, quantity, used=components)
    rows = _rows_of(book)
    out = np.zeros(each.size, dtype=np.int64)
    for index, begin, end in zip(components, [0, *ends], ends, strict=False):
        own = rows[index]
        nothing = 0 if book.components[index].flat_at_zero else int(np.searchsorted(each[begin:end], 1))
        inner = np.searchsorted(each[begin:end], [scaled.first[row] for row in own[1:]])
        cuts = [begin, *(begin + inner).tolist(), end]
        for row, start, stop in zip(own, cuts, cuts[1:], strict=False):
            if stop > (start := max(start, begin + nothing)):
                _rate_stretch(scaled, row, each[start:stop], out[start:stop])
    return pl.Series("amount_minor", out)


def repeated(values: list[int], ends: list[int]) -> pl.Series:
    """Each value up to its end."""
    return pl.Series(np.repeat(np.array(values, dtype=np.uint32), np.diff([0, *ends])))


def _rising(each: np.ndarray, ends: list[int]) -> bool:
    """Does no quantity lie below the one before it in its run?"""
    falls = np.flatnonzero(each[1:] < each[:-1]) + 1
    return bool(np.isin(falls, ends).all())


def _rows_of(book: PriceBook) -> list[list[int]]:
    """The numbers of each component's rows in the book."""
    if "rows" not in book.tables:
        rows: list[list[int]] = [[] for _ in book.components]
        for number, row in enumerate(book.rows):
            rows[row.component].append(number)
        book.tables["rows"] = rows
    found: list[list[int]] = book.tables["rows"]
    return found


def _rate_stretch(scaled: Scaled, row: int, quantity: np.ndarray, out: np.ndarray) -> None:
    """`amount` of quantities that are all in one tier, none of them below zero, into `out`."""
    units = quantity
    if scaled.size and (scaled.size[row] > 1 or scaled.origin[row]):
        units = (np.maximum(quantity - scaled.origin[row], 0) + scaled.add[row]) // scaled.size[row]
    np.multiply(units, scaled.slope[row], out=out)
    out += scaled.intercept[row] + scaled.divisor // 2
    out //= scaled.divisor


def terms(book: PriceBook, component: pl.Series, step: int = 1, used: list[int] | None = None) -> pl.DataFrame:
    """What `amount` needs of each row's component: its first tier row and the bounds of its tiers."""
    name = f"terms {step}"
    if name not in book.tables:
        book.tables[name] = _component_table(book, scaled_rows(book, step))
    table: pl.DataFrame = book.tables[name]
    if used is not None:
        most = _most_tiers(book, used)
        table = table.drop(name for name in table.columns if name.startswith("bound_") and int(name[6:]) >= most)
    return table.select(pl.all().gather(component))


def _most_tiers(book: PriceBook, used: list[int] | None = None) -> int:
    """Most tiers that one of the used components has."""
    rows = _rows_of(book)
    return max((len(rows[index]) for index in (range(len(rows)) if used is None else used)), default=1)


def _component_table(book: PriceBook, scaled: Scaled) -> pl.DataFrame:
    """One row a component: `start`, and `bound_1`… where its second, third… tier begins, NEVER where it has none; where the book has
    too many tiers for that, `component` to search for."""
    firsts = [[scaled.first[row] for row in rows] for rows in _rows_of(book)]
    ends = accumulate(len(own) for own in firsts)
    most = _most_tiers(book)
    columns: dict[str, pl.Series] = {
        "start": pl.Series([end - len(own) for end, own in zip(ends, firsts, strict=True)], dtype=pl.UInt32),
    }
    if most > COUNTED_TIERS:
        columns["component"] = pl.Series(range(len(firsts)), dtype=pl.UInt32)
    for place in range(1, most if most <= COUNTED_TIERS else 1):
        bounds = [min(own[place], NEVER) if place < len(own) else NEVER for own in firsts]
        columns[f"bound_{place}"] = pl.Series(bounds, dtype=pl.Int64)
    if not all(part.flat_at_zero for part in book.components):
        columns["flat_at_zero"] = pl.Series([part.flat_at_zero for part in book.components])
    return pl.DataFrame(columns)


def amount(book: PriceBook, scaled: Scaled, kind: pl.DataType, *, own_tier: bool = True) -> pl.Expr:
    """The amount as an expression over the columns of `terms`, `quantity` and `row` (from `tier_row`)."""
    row = pl.col("row")
    n = _counted(book, scaled, row).cast(kind)
    numerator = _at(book, scaled.intercept, row, kind) + _at(book, scaled.slope, row, kind) * n
    divisor = pl.lit(scaled.divisor, dtype=kind)
    quotient = divide(numerator, divisor, positive=own_tier and scaled.positive)
    if not all(part.flat_at_zero for part in book.components):
        quotient = pl.when(pl.col("flat_at_zero") | (pl.col("quantity") != 0)).then(quotient).otherwise(0)
    return quotient.cast(pl.Int64)


def tier_row(book: PriceBook, scaled: Scaled, reached: pl.Expr, used: list[int] | None = None) -> pl.Expr:
    """Row number in `book.rows` of the tier that holds each quantity: its bounds counted, or searched when they are many."""
    most = _most_tiers(book, used)
    if most == 1:
        return pl.col("start")
    units = reached if scaled.step == 1 else reached // scaled.step
    if _most_tiers(book) <= COUNTED_TIERS:
        above = pl.sum_horizontal((units >= pl.col(f"bound_{place}")).cast(pl.UInt8) for place in range(1, most))
        return pl.col("start") + above.cast(pl.UInt32)
    wide = pl.Int128()
    keys = [(row.component << 64) + first for row, first in zip(book.rows, scaled.first, strict=True)]
    key = pl.col("component").cast(wide) * pl.lit(2**64, dtype=wide) + units.cast(wide)
    return pl.lit(pl.Series(keys, dtype=wide)).search_sorted(key, side="right") - 1


def _counted(book: PriceBook, scaled: Scaled, row: pl.Expr) -> pl.Expr:
    """n of each line: scaled units, or packages where the tier has a size."""
    quantity = pl.col("quantity")
    units = quantity if scaled.step == 1 else quantity // scaled.step
    if not scaled.size:
        return units
    above = quantity
    if any(scaled.origin):
        above = (quantity - _at(book, scaled.origin, row, pl.Int64())).clip(lower_bound=0)
    # Without packages the size is one step and nothing is added or taken away, so n is the quantity itself.
    return (above + _at(book, scaled.add, row, pl.Int64())).truncdiv(_at(book, scaled.size, row, pl.Int64()))


def _at(book: PriceBook, values: list[int], row: pl.Expr, kind: pl.DataType) -> pl.Expr:
    """The value of each line's tier row. A price beyond 64 bits can only stand in a tier that is proven not to be reached."""
    key = (id(values), str(kind))
    if key not in book.tables:
        wide = kind == pl.Int128()
        fits = [value if wide or abs(value) <= NEVER else 0 for value in values]
        book.tables[key] = pl.Series(fits, dtype=kind)
    return pl.lit(book.tables[key]).gather(row)


def proven(
    book: PriceBook, component: pl.Series, *quantities: pl.Series, used: list[int] | None = None
) -> tuple[Scaled, pl.DataType, int]:
    """Rows and integer type in which no intermediate can reach 2^62: units of a millionth in 64 bits where that holds,
    else the coarsest step that divides everything, else 128 bits; and a bound of the amounts. `used`: the components that
    occur, where that is known. Refuses amounts beyond what is exact everywhere.
    """
    most = max(largest(series) for series in quantities)
    fine = scaled_rows(book, 1)
    # First with the largest quantity for every component: it costs nothing, and nearly always it is enough.
    reached = _crude_worst(book, fine, most, used)
    if reached + fine.divisor < FITS:
        return fine, pl.Int64(), reached // fine.divisor + 1
    rows = pl.concat([pl.DataFrame({"component": component, "quantity": series}) for series in quantities])
    highest: list[int | None] = [None] * len(book.components)
    for index, top in rows.group_by("component").agg(pl.col("quantity").max()).iter_rows():
        highest[index] = top
    reached = worst(book, fine, highest)
    if reached + fine.divisor < FITS:
        return fine, pl.Int64(), reached // fine.divisor + 1
    scaled = scaled_rows(book, _step(book, quantities))
    reached = worst(book, scaled, highest)
    if reached // scaled.divisor > LARGEST_LINE_MINOR:
        raise InvalidInput("The amount is too large to be billed exactly", code="amount_too_large")
    return scaled, pl.Int64() if reached + scaled.divisor < FITS else pl.Int128(), reached // scaled.divisor + 1


def _crude_worst(book: PriceBook, scaled: Scaled, most: int, used: list[int] | None) -> int:
    """A bound of `worst` when no component's quantity is above `most`; the largest price of any tier is taken for all."""
    key = ("extremes", scaled.step, None if used is None else tuple(used))
    if key not in book.tables:
        wanted = set(range(len(book.components)) if used is None else used)
        rows = [
            (slope, abs(intercept), row.size)
            for row, slope, intercept in zip(book.rows, scaled.slope, scaled.intercept, strict=True)
            if row.component in wanted
        ]
        units = max((-(-abs(slope) // (size or scaled.step)) for slope, _, size in rows), default=0)
        package = max((abs(slope) for slope, _, size in rows if size), default=0)
        book.tables[key] = units, package, max((intercept for _, intercept, _ in rows), default=0)
    unit, package, intercept = book.tables[key]
    bound: int = intercept + unit * most + package
    return bound


def worst(book: PriceBook, scaled: Scaled, highest: list[int | None]) -> int:
    """Largest numerator that quantities up to each component's `highest` can give; None = not used."""
    largest_numerator = 0
    for row, slope, intercept in zip(book.rows, scaled.slope, scaled.intercept, strict=True):
        top = highest[row.component]
        if top is not None:
            count = top // row.size + 1 if row.size else top // scaled.step
            reach = max(count, 0) if row.lower <= top else 0
            largest_numerator = max(largest_numerator, abs(intercept) + abs(slope) * reach)
    return largest_numerator


def scaled_rows(book: PriceBook, step: int) -> Scaled:
    """Rows in this quantity step and the smallest common scale that hold everything exactly."""
    key = f"scaled {step}"
    if key not in book.tables:
        slope = [row.slope if row.size else row.slope * step for row in book.rows]
        intercept = [row.intercept for row in book.rows]
        spare = _spare_zeros([*slope, *intercept])
        # A tier begins one step above the bound before it.
        first = [row.lower // step + 1 if row.first else 0 for row in book.rows]
        positive = all(
            up >= 0 and base + up * (row.lower // step if not row.size else 0) >= 0
            for row, up, base in zip(book.rows, slope, intercept, strict=True)
        )
        book.tables[key] = Scaled(
            10 ** (NUMERATOR_SCALE - spare), step, first, [value // 10**spare for value in slope],
            [value // 10**spare for value in intercept], positive, *_packages(book, step),
        )  # fmt: skip
    found: Scaled = book.tables[key]
    return found


def _packages(book: PriceBook, step: int) -> tuple[list[int], list[int], list[int]]:
    """Package size, what rounding adds, and origin of each row."""
    if not any(tier.size for tier in book.rows):
        return [], [], []
    rounding = [book.components[tier.component].package_rounding for tier in book.rows]
    add = [round_up_by(how, tier.size) if tier.size else 0 for how, tier in zip(rounding, book.rows, strict=True)]
    return [tier.size or step for tier in book.rows], add, [tier.origin for tier in book.rows]


def _step(book: PriceBook, quantities: tuple[pl.Series, ...]) -> int:
    """Largest power of ten (micro) that divides every quantity and every bound."""
    step = MICRO
    while step > 1:
        whole = all(row.lower % step == 0 for row in book.rows)
        if whole and all(bool((series % step == 0).all()) for series in quantities):
            return step
        step //= 10
    return step


def _spare_zeros(values: list[int]) -> int:
    """How many trailing decimal zeros all numerators share."""
    for zeros in range(NUMERATOR_SCALE, 0, -1):
        if all(value % 10**zeros == 0 for value in values):
            return zeros
    return 0
