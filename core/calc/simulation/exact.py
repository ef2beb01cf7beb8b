"""Exact re-rating of the base: what every subscription would be billed for its past usage under today's and under other prices.

Both sides use today's terms (plan, quantity, add-ons, coupons that run on) on the usage of the last periods and come from the
billing engine's own rating, discounts and VAT; their difference is the exact effect. What is alike is rated once: a `state` is a
set of terms, a `pair` a metered quantity at a price version. Amounts leave here net of VAT, in minor units or in twelfths of one
a month. Source: simulation.md section 1.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property

import polars as pl

from core import frames
from core.calc.arithmetic import divide
from core.calc.pricebook import MICRO
from core.calc.simulation.base import Base
from core.calc.simulation.nets import Nets
from core.calc.simulation.sums import between
from core.calc.threads import inline, side_by_side


@dataclass(frozen=True)
class Rerated:
    """`worth`: twelfths of a minor unit a month of each position; `coupled`: positions that were rated whole because a coupon, a
    minimum or included VAT couples their lines; `invoices`: net of each row of Base.invoices, worked out when it is asked for."""

    worth: pl.Series
    coupled: int
    nets: Nets

    @cached_property
    def invoices(self) -> pl.Series:
        """Net of each row of Base.invoices."""
        return self.nets.of(self.nets.base.invoices)


def rerate(base: Base, prices: frames.Prices, limit: pl.DataFrame | None = None) -> Rerated:
    """Every looked-at invoice under these prices: all price versions of the base must be among them.

    `limit`: what limits on a price rise add to each (limits.py): advance, arrears; limits that hold today count only there. Where
    an invoice is just the sum of its lines, or that less a percentage, so is what a subscription pays in all of them; the others
    are made one by one.
    """
    return inline(lambda: _rerated(base, prices, limit), rows=base.subs.height)


def _rerated(base: Base, prices: frames.Prices, limit: pl.DataFrame | None) -> Rerated:
    nets = Nets.under(base, prices, limit)
    total, off = side_by_side(
        lambda: base.sums.of(nets.pair_sums, nets.recurring_sums), lambda: _reduced(nets), rows=base.invoices.height
    )
    if off is not None:
        total = total.scatter(off[0], total.gather(off[0]) - off[1])
    whole = ~(nets.added | nets.reduced)
    if whole.any():
        others = base.apart("whole", whole)
        total = total.scatter(others.places, between(nets.of(others.rows), others.ends))
    return Rerated(_monthly(base, total), int(base.heads.filter(~nets.plain).sum()), nets)


def _reduced(nets: Nets) -> tuple[pl.Series, pl.Series] | None:
    """The positions whose invoices are the sum of their lines less one percentage, and what it takes from them in all."""
    if not nets.reduced.any():
        return None
    given = nets.base.apart("reduced", nets.reduced)
    return given.places, nets.percentage_off(given)


def _monthly(base: Base, total: pl.Series) -> pl.Series:
    """Twelfths of a minor unit a month of each position: the mean of its invoices (`total` is their sum), spread over their periods."""
    shares = base.shares_of_month
    each = shares.with_columns(total=total.gather(shares["position"]))
    worth = each.select(divide(pl.col("total") * pl.col("top"), pl.col("below"))).to_series()
    return total.scatter(shares["position"], worth).alias("worth")


def responding(base: Base, before: frames.Prices, after: frames.Prices, elasticity: float) -> Base:
    """The base with the usage that other prices lead to: Q1 = Q0·(price of one more unit after ÷ before)^ε (simulation.md 2.3).

    An assumption, never part of the exact layer. What is charged event by event, and what costs nothing on either side, stays.
    """
    more = replace(base, pairs=base.pairs.with_columns(pl.col("quantity_micro") + MICRO))

    def one_more(prices: frames.Prices) -> pl.Series:
        return Nets.under(more, prices).pair_sums - Nets.under(base, prices).pair_sums

    known = base.pairs.with_columns(one_more(before).alias("_before"), one_more(after).alias("_after"))
    told = (pl.col("_before") > 0) & (pl.col("_after") > 0)
    factor = pl.when(told).then((pl.col("_after") / pl.col("_before")) ** elasticity).otherwise(1.0)
    quantity = (pl.col("quantity_micro") * factor).round().cast(pl.Int64)
    return base.using(known.with_columns(quantity_micro=quantity).drop("_before", "_after"))
