"""Which charges each plain subscription pays and what their segments cost: tables that are gathered from, not joined.

Positions are rows of `Layout.people`; `row` is a charge in order of price version, place on the list and id.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import polars as pl

from core.calc import kernel
from core.calc.arithmetic import largest
from core.calc.billing.layout import Layout, charge_codes
from core.calc.pricebook import PriceBook
from core.calc.rating import component_of, rate_components
from core.domain.periods import Timing
from core.domain.plans import ChargeKind


@dataclass(frozen=True)
class Metered:
    """The n-th usage charge of the plain subscriptions that have one.

    `rows`: position, meter, slot, coupon_ppm, usage_first, usage_last, interval_months + the kernel's terms; `all`: does
    every subscription have a row? `always`: is usage due in every month?
    """

    rows: pl.DataFrame
    component: pl.Series
    all: bool
    always: bool
    meters: list[str]
    used: list[int]  # components that occur


class PriceTables:
    """Which charge each subscription pays, by version: tables that are gathered from instead of joined."""

    def __init__(self, layout: Layout, book: PriceBook) -> None:
        self.layout = layout
        self.book = book
        facts = layout.inputs.facts
        versions = facts.versions.select("price_version_id").sort("price_version_id").with_row_index("version")
        self.codes = charge_codes(layout.inputs)
        categories = facts.charges.select(category="vat_category").unique().sort("category").with_row_index("sorted")
        item = pl.DataFrame({"code": self.codes}).with_row_index("item")
        self.charges = (
            facts.charges.select("charge_id", "price_version_id", "code", "kind", "timing", "position", "meter",
                                 category="vat_category")
            .join(versions, on="price_version_id").join(item, on="code").join(categories, on="category")
            .sort("version", "position", "charge_id").with_row_index("row")
        )  # fmt: skip
        self.component = component_of(book, self.charges["charge_id"])
        self.versions = versions.height
        self.categories = categories.height
        known = layout.slot_of.join(categories, on="category")
        at = known["sort"].cast(pl.Int64) * self.categories + known["sorted"]
        size = (largest(layout.people["sort"]) + 1) * self.categories
        self.slot = scattered(size, at, known["slot"].cast(pl.Int64))

    def rated(self, kind: ChargeKind, timing: Timing, segments: pl.DataFrame) -> Iterator[pl.DataFrame]:
        """The segments with each charge of the kind: + row, slot, period_amount_minor; nothing that costs nothing."""
        own = self.charges.filter(pl.col("kind") == kind, pl.col("timing") == timing)
        version = self.layout.people["version"].gather(segments["position"])
        if kind is ChargeKind.ADDON:
            table = scattered(
                self.versions * self.codes.len(), own["version"] * self.codes.len() + own["item"], own["row"]
            )
            yield self._amounts(segments, table.gather(version * self.codes.len() + segments["item"]))
            return
        for _, place in own.with_columns(nth=pl.int_range(pl.len()).over("version")).group_by(
            "nth", maintain_order=True
        ):
            yield self._amounts(segments, scattered(self.versions, place["version"], place["row"]).gather(version))

    def _amounts(self, segments: pl.DataFrame, row: pl.Series) -> pl.DataFrame:
        """Full period amounts of the segments that have a charge."""
        placed = segments.with_columns(row.alias("row"))
        if row.null_count():
            placed = placed.filter(pl.col("row").is_not_null())
        component = self.component.gather(placed["row"])
        amount = rate_components(self.book, component, placed["quantity_micro"])
        rated = placed.with_columns(amount.alias("period_amount_minor"), self._slot(placed["position"], placed["row"]))
        return rated if amount.min() else rated.filter(pl.col("period_amount_minor") != 0)

    def _slot(self, position: pl.Series, row: pl.Series) -> pl.Series:
        """The VAT slot of a subscription's charge."""
        sort = self.layout.people["sort"].gather(position)
        return self.slot.gather(sort * self.categories + self.charges["sorted"].gather(row)).alias("slot")

    def covered(self, position: pl.Series, row: pl.Series) -> pl.Series:
        """Does the subscription's coupon cover the charge?"""
        wanted = self.layout.people["coupon_charge"].gather(position)
        return (wanted.is_null() | (wanted == self.charges["code"].gather(row))).fill_null(False)

    def metered(self) -> list[Metered]:
        """The usage charges of each version, first ones first."""
        own = self.charges.filter(pl.col("kind") == ChargeKind.USAGE)
        people = self.layout.people
        found = []
        for _, place in own.with_columns(nth=pl.int_range(pl.len()).over("version")).group_by(
            "nth", maintain_order=True
        ):
            rows = people.select("usage_first", "usage_last", "interval_months", "coupon_ppm").with_row_index(
                "position"
            )
            rows = rows.with_columns(
                scattered(self.versions, place["version"], place["row"]).gather(people["version"]).alias("row")
            )
            rows = rows.filter(pl.col("row").is_not_null()) if rows["row"].null_count() else rows
            covered = self.covered(rows["position"], rows["row"])
            component = self.component.gather(rows["row"])
            meters = place["meter"].unique().sort().to_list()
            terms = rows.with_columns(
                pl.col("coupon_ppm") * covered.cast(pl.Int64), self.charges["meter"].gather(rows["row"]),
                self._slot(rows["position"], rows["row"]),
            ).drop("row").hstack(kernel.terms(self.book, component))  # fmt: skip
            months = len(self.layout.months)
            always = rows.select(
                (pl.col("usage_first") <= 0) & (pl.col("usage_last") >= months - 1) & (pl.col("interval_months") == 1)
            )
            found.append(
                Metered(terms.drop("meter") if len(meters) == 1 else terms, component, rows.height == people.height,
                        bool(always.to_series().all()), meters, component.unique().to_list())
            )  # fmt: skip
        return found


def scattered(size: int, at: pl.Series, values: pl.Series) -> pl.Series:
    """A table with the values at their places and null elsewhere."""
    return pl.Series([None], dtype=values.dtype).new_from_index(0, size).scatter(at, values)
