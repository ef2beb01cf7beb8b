"""Limits on a price rise in a simulation: billing's own rule (calc/billing/price_limits.py) on every looked-at period.

An invoice of the base is one billing period: what is paid ahead for it, and what is billed for it in arrears. Limits are before
coupons and as prices are stated; amounts in minor units. Frames of both sides have a row an invoice: advance, arrears.
"""

from __future__ import annotations

from dataclasses import replace

import polars as pl

from core import frames
from core.calc.billing.price_limits import limit_of
from core.calc.simulation.base import Base, narrowed
from core.calc.simulation.exact import Rerated, rerate
from core.calc.simulation.nets import Nets
from core.calc.simulation.sums import summed
from core.domain.periods import Timing


def standing(base: Base, prices: frames.Prices) -> Rerated:
    """Every looked-at invoice as it is billed today: under today's prices, with the limits that hold."""
    return rerate(base, prices, _held(base, prices))


def stated(base: Base, prices: frames.Prices, *, held: bool = False) -> pl.DataFrame:
    """What each invoice comes to before coupons, with its minimum; `held`: with the limits that hold today."""
    nets, state = Nets.under(base, prices), base.invoices["state"]
    ahead, later = (nets.recurring_of(timing).gather(state) for timing in (Timing.ADVANCE, Timing.ARREARS))
    used = base.uses.select("row", amount=nets.pair_sums.gather(base.uses["pair"]))
    arrears = later + summed(base.invoices.height, used["row"], used["amount"])
    both = pl.DataFrame({"advance": ahead, "arrears": arrears, "minimum": _minimum(base, prices)})
    missing = (pl.col("minimum") - pl.col("advance") - pl.col("arrears")).clip(lower_bound=0)
    told = both.select("advance", arrears=pl.col("arrears") + missing)
    limit = _held(base, prices) if held else None
    return told if limit is None else told.select(pl.col(name) + limit[name] for name in told.columns)


def _minimum(base: Base, prices: frames.Prices) -> pl.Series:
    """The minimum commitment of each invoice."""
    heads = prices.versions.select("price_version_id", "minimum_minor")
    of_state = base.states.join(heads, on="price_version_id", how="left", maintain_order="left")["minimum_minor"]
    return of_state.gather(base.invoices["state"])


def added(base: Base, before: pl.DataFrame, after: pl.DataFrame, limits: pl.DataFrame) -> pl.DataFrame:
    """What limits add to each invoice: at once to what is paid ahead, the rest with what is billed in arrears.

    `limits`: cap_ppm, floor_ppm of each invoice, null where there is none. The floor waits for the last of the period.
    """
    known = pl.concat([
        before.rename({"advance": "before_ahead", "arrears": "before_later"}), after.rename({"advance": "ahead", "arrears": "later"}),
        limits.select("cap_ppm", "floor_ppm"), pl.DataFrame({"metered": base.invoices["row"].is_in(base.uses["row"].unique().implode())}),
    ], how="horizontal")  # fmt: skip
    waits = pl.col("metered") | (pl.col("before_later") != 0) | (pl.col("later") != 0)
    cap, floor = pl.col("cap_ppm"), pl.col("floor_ppm")
    first = limit_of(pl.col("before_ahead"), pl.col("ahead"), cap, pl.when(~waits).then(floor))
    whole = limit_of(pl.col("before_ahead") + pl.col("before_later"), pl.col("ahead") + pl.col("later"), cap, floor)
    return known.select(advance=first, arrears=whole - first)


def _held(base: Base, prices: frames.Prices) -> pl.DataFrame | None:
    """What the limits that hold today add to each invoice; None where none does."""
    earlier = base.subs["earlier_version_id"].drop_nulls().unique()
    if earlier.is_empty():
        return None
    sides = {name: pl.zeros(base.invoices.height, dtype=pl.Int64, eager=True) for name in ("advance", "arrears")}
    for version_id in earlier.sort():
        positions = base.subs.filter(pl.col("earlier_version_id") == version_id)["position"]
        rows = base.invoices.filter(pl.col("position").is_in(positions.implode()))["row"]
        part = narrowed(base, positions)
        version = pl.lit(version_id, dtype=pl.Int64).alias("price_version_id")
        then = replace(part, states=part.states.with_columns(version), pairs=part.pairs.with_columns(version))
        of_state = part.states.select("cap_ppm", "floor_ppm").select(pl.all().gather(part.invoices["state"]))
        limit = added(part, stated(then, prices), stated(part, prices), of_state)
        sides = {name: column.scatter(rows, limit[name]) for name, column in sides.items()}
    return pl.DataFrame(sides)
