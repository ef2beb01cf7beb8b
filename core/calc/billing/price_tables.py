"""Which charges each plain subscription pays: tables that are gathered from, not joined.

Positions are rows of `Layout.people`; `row` is a charge in order of price version, place on the list and id.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import polars as pl

from core.calc.arithmetic import largest
from core.calc.billing.layout import Layout
from core.domain.periods import Timing
from core.domain.plans import ChargeKind


@dataclass(frozen=True)
class Metered:
    """The n-th usage charge of the plain subscriptions that have one.

    `rows`: position, row, meter, slot, coupon_ppm, usage_first, usage_last, interval_months; `all`: does every subscription
    have a row? `always`: is usage due in every month? `used`: rows of charges
    that occur, `slots` likewise.
    """

    rows: pl.DataFrame
    all: bool
    always: bool
    meters: list[str]
    used: pl.Series
    slots: list[int]


class PriceTables:
    """The charges of a layout by price version."""

    def __init__(self, layout: Layout) -> None:
        self.layout = layout
        facts = layout.inputs.facts
        versions = facts.versions.select("price_version_id").sort("price_version_id").with_row_index("version")
        categories = facts.charges.select(category="vat_category").unique().sort("category").with_row_index("sorted")
        self.charges = (
            facts.charges.select("charge_id", "price_version_id", "code", "kind", "timing", "position", "meter",
                                 category="vat_category")
            .join(versions, on="price_version_id").join(categories, on="category")
            .sort("version", "position", "charge_id").with_row_index("row")
        )  # fmt: skip
        self.versions = versions.height
        self.categories = categories.height
        known = layout.slot_of.join(categories, on="category")
        at = known["sort"].cast(pl.Int64) * self.categories + known["sorted"]
        size = (largest(layout.people["sort"]) + 1) * self.categories
        self.slots = scattered(size, at, known["slot"].cast(pl.Int64))

    def placed(self, kind: ChargeKind, timing: Timing, segments: pl.DataFrame) -> Iterator[pl.DataFrame]:
        """The segments (of one add-on) with the n-th charge of the kind, for each n: + row."""
        own = self.charges.filter(pl.col("kind") == kind, pl.col("timing") == timing)
        if "code" in segments.columns and segments.height:
            own = own.filter(pl.col("code") == segments["code"].first())
        version = self.layout.people["version"].gather(segments["position"])
        for place in self._places(own):
            row = scattered(self.versions, place["version"], place["row"]).gather(version)
            yield segments.with_columns(row.alias("row")).filter(pl.col("row").is_not_null())

    def _places(self, own: pl.DataFrame) -> Iterator[pl.DataFrame]:
        """The charges split so that each version has at most one of them."""
        numbered = own.with_columns(nth=pl.int_range(pl.len()).over("version"))
        for _, place in numbered.group_by("nth", maintain_order=True):
            yield place

    def slot(self, position: pl.Series, row: pl.Series) -> pl.Series:
        """The VAT slot of a subscription's charge."""
        sort = self.layout.people["sort"].gather(position)
        return self.slots.gather(sort * self.categories + self.charges["sorted"].gather(row)).alias("slot")

    def covered(self, position: pl.Series, row: pl.Series) -> pl.Series:
        """Does the subscription's coupon cover the charge?"""
        wanted = self.layout.people["coupon_charge"].gather(position)
        return (wanted.is_null() | (wanted == self.charges["code"].gather(row))).fill_null(False)

    def metered(self) -> list[Metered]:
        """The usage charges of each version, first ones first."""
        own = self.charges.filter(pl.col("kind") == ChargeKind.USAGE)
        return [self._metered(place) for place in self._places(own)]

    def _metered(self, place: pl.DataFrame) -> Metered:
        """One usage charge of each version that has so many."""
        people = self.layout.people
        row = scattered(self.versions, place["version"], place["row"]).gather(people["version"])
        rows = people.select("usage_first", "usage_last", "interval_months", "coupon_ppm").with_row_index("position")
        rows = rows.with_columns(row.alias("row")).filter(pl.col("row").is_not_null())
        covered = self.covered(rows["position"], rows["row"])
        told = rows.with_columns(
            pl.col("coupon_ppm") * covered.cast(pl.Int64), self.charges["meter"].gather(rows["row"]),
            self.slot(rows["position"], rows["row"]),
        )  # fmt: skip
        last = len(self.layout.months) - 1
        always = (pl.col("usage_first") <= 0) & (pl.col("usage_last") >= last) & (pl.col("interval_months") == 1)
        return Metered(
            told, rows.height == people.height, bool(rows.select(always).to_series().all()),
            place["meter"].unique().sort().to_list(), rows["row"].unique().sort(),
            told["slot"].unique().to_list(),
        )  # fmt: skip


def scattered(size: int, at: pl.Series, values: pl.Series) -> pl.Series:
    """A table with the values at their places and null elsewhere."""
    return pl.Series([None], dtype=values.dtype).new_from_index(0, size).scatter(at, values)
