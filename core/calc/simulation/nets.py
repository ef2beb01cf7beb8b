"""What the looked-at invoices of a base come to under a set of prices, by the billing engine's own rating.

What is alike is rated once; where an invoice is the sum of its lines, nothing else is done. Net of VAT, in minor units.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property, reduce
from operator import add

import polars as pl

from core import frames
from core.calc import recurring, usage
from core.calc.arithmetic import largest, wide_enough
from core.calc.billing.discounts import percentage
from core.calc.billing.tax import net_of
from core.calc.kernel import repeated
from core.calc.pricebook import PriceBook, compile_book
from core.calc.rating import rate_runs
from core.calc.simulation.base import SUB, Apart, Base
from core.calc.simulation.coupled import made_whole
from core.calc.simulation.sums import between, summed
from core.calc.threads import inline, side_by_side
from core.domain.periods import Timing
from core.domain.plans import ChargeKind, ChargeModel


@dataclass(frozen=True)
class Nets:
    """What invoices come to under a set of prices. `states`: with the head of their prices; `recurring`: state, charge_id, amount_minor;
    `used`: pair, charge_id, amount_minor; `limit`: advance, arrears of each row of Base.invoices."""

    base: Base
    prices: frames.Prices
    states: pl.DataFrame
    recurring: pl.DataFrame
    used: pl.DataFrame
    limit: pl.DataFrame | None = None

    @classmethod
    def under(cls, base: Base, prices: frames.Prices, limit: pl.DataFrame | None = None) -> Nets:
        """The lines of everything that is alike."""
        prices = _needed(base, prices)
        book = compile_book(*prices)
        head = prices.versions.select("price_version_id", "tax_inclusive", "minimum_minor")
        states = base.states.join(head, on="price_version_id", how="left", maintain_order="left")
        used, recurring_ = side_by_side(
            lambda: _pair_lines(base, prices, book),
            lambda: inline(lambda: _state_lines(base, prices, book), rows=states.height),
            rows=base.pairs.height,
        )
        return cls(base, prices, states, recurring_, used, limit)

    @cached_property
    def plain(self) -> pl.Series:
        """Of each state: are its lines independent of each other, but for one percentage on everything, or for a minimum?"""
        # Included VAT shares the percentage out over several rates, and a minimum that is made up for takes part in both.
        percent, inclusive = self.base.percent_off, pl.col("tax_inclusive")
        free = percent.is_not_null() & ((percent == 0) | ~inclusive)
        whole = pl.when(pl.col("minimum_minor") == 0).then(free).otherwise(free & (percent == 0) & ~inclusive)
        return self.states.select(plain=whole)["plain"]

    @cached_property
    def added(self) -> pl.Series:
        """Of each state: is an invoice the sum of its lines and nothing else?"""
        return self._separable & (self.base.percent_off.fill_null(0) == 0)

    @cached_property
    def reduced(self) -> pl.Series:
        """Of each state: is an invoice the sum of its lines less one percentage on everything?"""
        return self._separable & (self.base.percent_off.fill_null(0) > 0)

    @cached_property
    def _separable(self) -> pl.Series:
        """Of each state: are its invoices summed line by line, without VAT to take out, without a minimum and without limits?"""
        alone = self.plain & ~self.states["tax_inclusive"] & (self.states["minimum_minor"] == 0)
        return alone if self.limit is None else alone & False

    @cached_property
    def recurring_sums(self) -> pl.Series:
        """Of each state: the sum of its recurring lines."""
        return summed(self.states.height, self.recurring["state"], self.recurring["amount_minor"])

    def recurring_of(self, timing: Timing) -> pl.Series:
        """Of each state: the sum of its recurring lines that are billed so."""
        lines = self._of(self.recurring, pl.col("timing") == timing)
        return summed(self.states.height, lines["state"], lines["amount_minor"])

    @cached_property
    def pair_sums(self) -> pl.Series:
        """Of each pair: the sum of its usage lines."""
        return summed(self.base.pairs.height, self.used["pair"], self.used["amount_minor"])

    def of(self, rows: pl.DataFrame) -> pl.Series:
        """Net of each of these rows of Base.invoices."""
        if self.limit is None and self.base.uses.is_empty():
            # Without usage and limits, whoever has the same terms has the same invoice.
            first = rows.unique("state", maintain_order=True)
            if first.height < rows.height:
                return pl.zeros(self.states.height, dtype=pl.Int64, eager=True).scatter(
                    first["state"], self.of(first)
                ).gather(rows["state"])  # fmt: skip
        net, limit = (
            self._plainly(rows),
            None if self.limit is None else self.limit.select(pl.all().gather(rows["row"])),
        )
        apart, least = ~self.plain.gather(rows["state"]), self.states["minimum_minor"]
        if (least > 0).any():
            net = pl.select(pl.max_horizontal(net, least.gather(rows["state"]))).to_series()
        if limit is not None:
            net = net + limit["advance"] + limit["arrears"]
            apart = apart | self.states["tax_inclusive"].gather(rows["state"])
        percent = self.base.percent_off.fill_null(0).gather(rows["state"])
        given = (percent > 0).arg_true()
        if given.len():
            ahead = self.recurring_of(Timing.ADVANCE).gather(rows["state"].gather(given))
            ahead = ahead if limit is None else ahead + limit["advance"].gather(given)
            whole, ppm = net.gather(given), percent.gather(given)
            net = net.scatter(given, whole - _percentage(ahead, ppm) - _percentage(whole - ahead, ppm))
        coupled = apart.arg_true()
        if coupled.is_empty():
            return net
        nothing = pl.DataFrame(
            {name: pl.zeros(rows.height, dtype=pl.Int64, eager=True) for name in ("advance", "arrears")}
        )
        own = rows.hstack(nothing if limit is None else limit)
        whole = inline(lambda: made_whole(self, own[coupled]), rows=coupled.len())
        return net.scatter(coupled, whole)

    def percentage_off(self, given: Apart) -> pl.Series:
        """What the running percentage takes from all invoices of each of these subscriptions, which are of `reduced` states.

        Of what is paid ahead and of what is billed in arrears, each rounded on its own; the first is alike for all of a state.
        """
        percent, ahead = self.base.percent_off.fill_null(0), self.recurring_of(Timing.ADVANCE)
        off, later = _percentage(ahead, percent), self.recurring_sums - ahead
        if self.base.use_ends is None and not ((later != 0) & self.reduced).any():
            # Then what is billed in arrears is one use, and alike uses are shared out once.
            alike, sums = given.shares
            return sums.of(_percentage(self.pair_sums.gather(alike["pair"]), alike["percent"]), off)
        state = given.rows["state"]
        arrears = self._usage(None, given.rows["row"]) + later.gather(state)
        return between(off.gather(state) + _percentage(arrears, percent.gather(state)), given.ends)

    def _plainly(self, rows: pl.DataFrame) -> pl.Series:
        """As if no line depended on another: VAT taken out once a rate and invoice where it is included."""
        inclusive = self.states["tax_inclusive"].gather(rows["state"])
        rates = _categories(self.base, self.prices) if inclusive.any() else {0: None}
        parts = []
        for rate_ppm, categories in rates.items():
            taxed = None if categories is None else pl.col("vat_category").is_in(categories)
            lines = self._of(self.recurring, taxed)
            net = summed(self.states.height, lines["state"], lines["amount_minor"]).gather(rows["state"])
            net = net + self._usage(taxed, rows["row"])
            if inclusive.any():
                gross = pl.DataFrame({"amount": net, "inclusive": inclusive})
                free = net_of(pl.col("amount"), pl.lit(rate_ppm, dtype=pl.Int64))
                net = gross.select(net=pl.when("inclusive").then(free).otherwise("amount"))["net"]
            parts.append(net)
        return reduce(add, parts) if parts else pl.zeros(rows.height, dtype=pl.Int64, eager=True)

    def _usage(self, wanted: pl.Expr | None, rows: pl.Series) -> pl.Series:
        """Usage of these rows of Base.invoices, by what is `wanted` of the charges."""
        if self.base.uses.is_empty():
            return pl.zeros(rows.len(), dtype=pl.Int64, eager=True)
        sums, pair = self.pair_sums, self.base.uses["pair"]
        if wanted is not None:
            lines = self._of(self.used, wanted)
            sums = summed(self.base.pairs.height, lines["pair"], lines["amount_minor"])
        if self.base.use_ends is None:
            return sums.gather(pair.gather(rows))
        return between(sums.gather(pair), self.base.use_ends).gather(rows)

    def _of(self, lines: pl.DataFrame, wanted: pl.Expr | None) -> pl.DataFrame:
        """The lines of these charges."""
        if wanted is None:
            return lines
        charges = self.prices.charges.filter(wanted)["charge_id"]
        return lines.filter(pl.col("charge_id").is_in(charges.implode()))


def _percentage(amount: pl.Series, ppm: pl.Series) -> pl.Series:
    """The percentage of each amount, by billing's own rounding."""
    kind = wide_enough(largest(amount), largest(ppm))
    return pl.select(percentage(pl.lit(amount), pl.lit(ppm), kind)).to_series()


def _categories(base: Base, prices: frames.Prices) -> dict[int, list[str] | None]:
    """The VAT rates that occur with the categories that have them; None when one rate is all."""
    known = dict(base.vat.select("vat_category", "rate_ppm").iter_rows())
    rates: dict[int, list[str] | None] = {}
    for category in prices.charges["vat_category"].unique().sort():
        rates.setdefault(known.get(category) or 0, []).append(category)  # type: ignore[union-attr]
    return rates if len(rates) > 1 else dict.fromkeys(rates)


def _needed(base: Base, prices: frames.Prices) -> frames.Prices:
    """The prices of the versions that the base has, for compiling the others costs as much."""
    used = pl.col("price_version_id").is_in(base.states["price_version_id"].unique().implode())
    charges = prices.charges.filter(used)
    tiers = prices.tiers.join(charges.select("charge_id"), on="charge_id", how="semi", maintain_order="left")
    return frames.Prices(prices.versions.filter(used), charges, tiers)


def _state_lines(base: Base, prices: frames.Prices, book: PriceBook) -> pl.DataFrame:
    """The recurring lines of every state: state, charge_id, amount_minor."""
    lines = recurring.recurring_lines(*base.held, prices, book)
    return lines.select(pl.col(SUB).cast(pl.UInt32).alias("state"), "charge_id", "amount_minor")


def _pair_lines(base: Base, prices: frames.Prices, book: PriceBook) -> pl.DataFrame:
    """Usage lines of every pair: pair, charge_id, amount_minor."""
    metered = prices.charges.filter(pl.col("kind") == ChargeKind.USAGE)
    key = ["price_version_id", "meter"]
    billed = base.meters.join(metered.select(*key, "charge_id", "model"), on=key, maintain_order="left_right")
    if billed.is_empty():
        return pl.DataFrame(schema={"pair": pl.UInt32, "charge_id": pl.Int64, "amount_minor": pl.Int64})
    pairs, ends = _billed_pairs(base, billed)
    quantity, at = pairs["quantity_micro"], repeated(list(range(billed.height)), ends)
    on_money = billed["model"] == ChargeModel.GRADUATED_PERCENTAGE
    if on_money.any():
        quantity = quantity.zip_with(~on_money.gather(at), pairs["amount_micro"])
    amount = rate_runs(book, billed["charge_id"], ends, quantity)
    lines = pl.DataFrame({"pair": pairs["pair"], "charge_id": billed["charge_id"].gather(at), "amount_minor": amount})
    fee = billed["model"] == ChargeModel.PERCENTAGE
    if not fee.any():
        return lines
    each = lines.select("pair", "charge_id").with_row_index("line").filter(fee.gather(at))
    fees = usage.percentage_fees(book, each.join(base.events, on="pair", maintain_order="left_right"))
    return lines.with_columns(lines["amount_minor"].scatter(fees["line"], fees["amount_minor"]))


def _billed_pairs(base: Base, billed: pl.DataFrame) -> tuple[pl.DataFrame, list[int]]:
    """The pairs of these charges' meters behind each other, and where each one's end."""
    starts, ends = billed["start"], billed["end"]
    if starts.equals(base.meters["start"]):  # each meter has one charge, as nearly always
        return base.pairs, ends.to_list()
    parts = [base.pairs[start:end] for start, end in zip(starts, ends, strict=True)]
    return pl.concat(parts), (ends - starts).cum_sum().to_list()
