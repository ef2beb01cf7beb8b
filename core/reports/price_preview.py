"""What a charge would cost by quantity, and where its total falls: always the product's engine (calc/rating.py, usage.py).

Quantities are counted units in micro, before conversion and included units; amounts are minor units.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from decimal import Decimal

import polars as pl

from core import frames
from core.calc.pricebook import MICRO, PriceBook, compile_book
from core.calc.rating import rate
from core.calc.threads import inlined
from core.calc.usage import percentage_fees
from core.domain.plans import Charge, ChargeKind, ChargeModel, PriceTerms, Rounding
from core.store.catalogue import as_prices

CURVE: frames.Schema = {"quantity_micro": pl.Int64, "amount_minor": pl.Int64}
POINTS = 240
WHOLE = (ChargeKind.SEAT, ChargeKind.ADDON)
MOST_EVENTS = 400  # of a percentage charge's curve
LARGEST_QUANTITY = Decimal(10) ** 12
FAR = 10**15  # micro: a curve ends at a thousand million units at the latest


@dataclass(frozen=True)
class Fall:
    """A bound at which one more unit makes the whole cheaper: amounts at `at_micro` and just above, in minor units."""

    at_micro: int
    above_micro: int
    at_minor: int
    above_minor: int


# --- the curve ------------------------------------------------------------------------------------------------------


@inlined
def curve(
    terms: PriceTerms, code: str, *, upto: Decimal | None = None, event_amount: Decimal = Decimal(100)
) -> pl.DataFrame:
    """Amount of one period by quantity: CURVE, ascending. A percentage counts events of `event_amount` each.

    Points lie evenly up to `upto` (default: half beyond the last bound), and on both sides of every bound.
    """
    charge = charge_of(terms, code)
    book = book_of(terms, code)
    if charge.model is ChargeModel.PERCENTAGE:
        return _event_curve(book, event_amount, upto)
    end = _end(charge) if upto is None else micro(upto)
    quantities = _points(charge, end)
    return rated(book, quantities)


@inlined
def falls(terms: PriceTerms, code: str) -> list[Fall]:
    """The bounds at which the total falls. In units as they are counted, before conversion and included units."""
    charge = charge_of(terms, code)
    pairs = bounds(charge)
    if charge.model is ChargeModel.PERCENTAGE or not pairs:
        return []
    book = book_of(terms, code)
    at = rated(book, [low for low, _ in pairs])["amount_minor"]
    above = rated(book, [high for _, high in pairs])["amount_minor"]
    sides = zip(pairs, at, above, strict=True)
    return [Fall(low, high, before, after) for (low, high), before, after in sides if after < before]


def charge_of(terms: PriceTerms, code: str) -> Charge:
    return next(charge for charge in terms.charges if charge.code == code)


def book_of(terms: PriceTerms, code: str) -> PriceBook:
    """The price book of one charge alone, so that faults of others do not matter."""
    alone = replace(terms, charges=(charge_of(terms, code),), minimum_commitment=Decimal(0))
    return compile_book(*as_prices(alone))


def rated(book: PriceBook, quantities: list[int]) -> pl.DataFrame:
    lines = pl.DataFrame({"quantity_micro": quantities}, schema={"quantity_micro": pl.Int64})
    priced = lines.with_columns(charge_id=pl.lit(1, dtype=pl.Int64))
    return lines.with_columns(rate(book, priced).alias("amount_minor"))


def micro(quantity: Decimal) -> int:
    return int(min(max(quantity, Decimal(0)), LARGEST_QUANTITY) * MICRO)


def bounds(charge: Charge) -> list[tuple[int, int]]:
    """Each tier bound in counted units (micro), and the next quantity beyond it."""
    pairs = []
    unit = micro(charge.convert_by) if charge.convert_by else 0
    for tier in charge.tiers[:-1]:
        if tier.up_to is None:
            continue
        low = micro(tier.up_to + charge.included_units)
        if unit:
            step = unit if charge.convert_rounding is not Rounding.UP else min(unit, MICRO)
            pairs.append((low * unit // MICRO, low * unit // MICRO + step))
        else:
            pairs.append((low, low + (MICRO if low % MICRO == 0 else 1)))
    return [(low, high) for low, high in pairs if high < LARGEST_QUANTITY * MICRO]


def _end(charge: Charge) -> int:
    """Where a curve ends when nobody says: half beyond the last bound, or a few packages or units."""
    reached = [low for low, _ in bounds(charge)]
    size = max((micro(tier.package_size) for tier in charge.tiers if tier.package_size), default=0)
    unit = micro(charge.convert_by) if charge.convert_by else MICRO
    usual = 100 if charge.kind is ChargeKind.USAGE else 20
    included = micro(charge.included_units) * unit // MICRO
    return min(FAR, max([bound * 3 // 2 for bound in reached] + [size * 6, included * 3, usual * unit]))


def _points(charge: Charge, end: int) -> list[int]:
    """Quantities to rate: an even grid (whole units where only those exist), and both sides of bounds within it."""
    step = max(1, end // POINTS)
    if charge.kind in WHOLE or step >= MICRO:
        step = max(MICRO, step // MICRO * MICRO)
    grid = {*range(0, end + 1, step), end}
    return sorted(grid | {side for pair in bounds(charge) for side in pair if side <= end})


def _event_curve(book: PriceBook, event_amount: Decimal, upto: Decimal | None) -> pl.DataFrame:
    """The fee of n equal events, for n = 0, 1, 2 …"""
    most = MOST_EVENTS if upto is None else min(MOST_EVENTS, max(1, int(upto)))
    some = sorted({*range(0, most + 1, max(1, most // 60)), most})
    fees = percentage_fees(book, _events([(line, count) for line, count in enumerate(some) if count], event_amount))
    amounts = pl.DataFrame({"line": range(len(some)), "quantity_micro": [count * MICRO for count in some]})
    joined = amounts.join(fees.select("line", "amount_minor"), on="line", how="left", maintain_order="left")
    return frames.conform(joined.with_columns(pl.col("amount_minor").fill_null(0)), CURVE)


def _events(counts: list[tuple[int, int]], amount: Decimal) -> pl.DataFrame:
    """`count` equal events for each line."""
    listed = pl.DataFrame(counts, schema={"line": pl.Int64, "count": pl.Int64}, orient="row")
    repeated = listed.select("line", event_id=pl.int_ranges(1, pl.col("count") + 1)).explode("event_id")
    return repeated.with_columns(
        charge_id=pl.lit(1, dtype=pl.Int64), amount_micro=pl.lit(micro(amount), dtype=pl.Int64)
    )
