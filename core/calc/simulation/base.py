"""The base of a simulation: running subscriptions as they are today with what they used, what is alike told once.

A `state` is a set of terms, a `pair` a metered quantity at a price version. Prepared once for any number of prices.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import date
from functools import cached_property

import polars as pl
from scipy.sparse import csr_array

from core import frames
from core.calc import timeline as tl
from core.calc.calendar import boundary, index_on
from core.calc.recurring import year_share
from core.calc.simulation.sums import Sums, picked, summed
from core.domain.coupons import CouponKind, Scope
from core.domain.plans import ON_AMOUNTS, ChargeKind, ChargeModel

SUB = "subscription_id"
FAMILY = ["plan_id", "currency", "interval_months", "interval_days"]  # prices among which a scenario moves people
_STATE = ["price_version_id", "quantity_micro", "addons", "coupons", *tl.LIMIT]


@dataclass(frozen=True)
class Base:
    """Running subscriptions as they are today, with what they used. Prepared once for any number of prices.

    `subs`: position, subscription_id, customer_id, price_version_id, plan_id, currency, quantity_micro, addons, coupons,
    earlier_version_id, cap_ppm, floor_ppm (the limit that holds), state,
    interval_months, interval_days, renews_on (the next boundary), started_on, ends_on (far away while nothing is planned), planned_on (when other prices follow that are
    decided on already, or null), periods (how many of them are looked at).
    `states`: state + its terms. `invoices`: row, position, state: one a looked-at period of a subscription that is metered, else one in
    all. `uses`: row (of invoices), pair. `pairs`: pair, price_version_id, meter, quantity_micro, amount_micro, alone. `events`: of pairs
    that are rated event by event. `vat`: vat_category, rate_ppm. `idle`: subscription_id, price_version_id of those that are not served
    today (paused, in a trial, beginning later) but will be: they have no bill that could be rated.
    """

    subs: pl.DataFrame
    states: pl.DataFrame
    invoices: pl.DataFrame
    uses: pl.DataFrame
    pairs: pl.DataFrame
    events: pl.DataFrame
    coupons: pl.DataFrame
    vat: pl.DataFrame
    idle: pl.DataFrame = field(
        default_factory=lambda: pl.DataFrame(schema={SUB: pl.Int64, "price_version_id": pl.Int64})
    )

    kept: dict[str, tuple[pl.Series, Apart]] = field(init=False, default_factory=dict, compare=False, repr=False)

    def apart(self, why: str, states: pl.Series) -> Apart:
        """Whoever is in one of these states (a Boolean each), kept until others are asked for: other prices seldom move anybody."""
        known = self.kept.get(why)
        if known is None or not known[0].equals(states):
            chosen = states.gather(self.subs["state"])
            rows = self.invoices.filter(chosen.gather(self.invoices["position"]))
            ends = rows["position"].search_sorted(self.subs["position"].filter(chosen), side="right").cast(pl.Int64)
            known = self.kept[why] = states, Apart(self, chosen.arg_true(), rows, ends)
        return known[1]

    @cached_property
    def use_ends(self) -> pl.Series | None:
        """Where the uses of each invoice end, None when every invoice has just one, in order."""
        rows = self.uses["row"]
        if rows.len() == self.invoices.height and bool((rows == pl.int_range(rows.len(), eager=True)).all()):
            return None
        return rows.search_sorted(self.invoices["row"], side="right").cast(pl.Int64)

    @cached_property
    def meters(self) -> pl.DataFrame:
        """What is measured at which prices, and which pairs these are, for they lie together: price_version_id, meter, start, end."""
        meters = self.pairs.group_by("price_version_id", "meter", maintain_order=True).len("pairs")
        end = pl.col("pairs").cast(pl.Int64).cum_sum()
        return meters.select("price_version_id", "meter", start=end - pl.col("pairs"), end=end)

    @cached_property
    def sums(self) -> Sums:
        """Of each subscription: over what its pairs come to and over what its state comes to, that one in every looked-at period."""
        ends = self.position_ends if self.use_ends is None else self.use_ends.gather(self.position_ends - 1)
        used = picked(self.uses["pair"], ends, self.pairs.height)
        return Sums.laid_out(used, self.in_states(self.subs), near=self.subs["price_version_id"])

    def using(self, pairs: pl.DataFrame) -> Base:
        """The same base with other quantities in its pairs: the sums over them are laid out as they were."""
        other = replace(self, pairs=pairs)
        vars(other)["sums"] = self.sums
        return other

    def in_states(self, subs: pl.DataFrame) -> csr_array:
        """The state of each of these subscriptions, once a looked-at period."""
        return picked(subs["state"], pl.int_range(1, subs.height + 1, eager=True), self.states.height, subs["periods"])

    @cached_property
    def position_ends(self) -> pl.Series:
        """Where the invoices of each subscription end."""
        return self.invoices["position"].search_sorted(self.subs["position"], side="right").cast(pl.Int64)

    @cached_property
    def held(self) -> tuple[pl.DataFrame, pl.DataFrame]:
        """What recurring.recurring_lines needs of each state in place of a subscription: its terms, and its add-ons."""
        of_state = pl.col("state").cast(pl.Int64).alias(SUB)
        parts = self.states.filter(pl.col("addons") != "").select(of_state, part=pl.col("addons").str.split("|"))
        split = pl.col("part").str.split("×")
        addons = parts.explode("part").select(
            SUB, code=split.list.get(0), quantity_micro=split.list.get(1).cast(pl.Int64)
        )
        return self.states.select("price_version_id", "quantity_micro", of_state), addons

    @cached_property
    def shares_of_month(self) -> pl.DataFrame:
        """Whose invoices in all are not already twelfths of a month, as twelve months of them are: position, top, below (the quotient)."""
        top, below = year_share()
        return self.subs.select("position", top=top, below=below * pl.col("periods")).filter(
            pl.col("top") != pl.col("below")
        )

    @cached_property
    def heads(self) -> pl.Series:
        """How many subscriptions are in each state."""
        return summed(self.states.height, self.subs["state"], pl.ones(self.subs.height, dtype=pl.Int64, eager=True))

    @cached_property
    def percent_off(self) -> pl.Series:
        """Of each state, the one running percentage on everything that it has (millionths); 0 without coupons, null where it is more than that."""
        one = self.coupons.filter(
            (pl.col("kind") == CouponKind.PERCENT) & (pl.col("scope") != Scope.CHARGE) & pl.col("plan_id").is_null()
        ).select(coupons=pl.col("coupon_id").cast(pl.String), percent="rate_ppm")  # fmt: skip
        told = self.states.join(one, on="coupons", how="left", maintain_order="left")
        return told.select(percent=pl.when(pl.col("coupons") == "").then(0).otherwise("percent"))["percent"]


@dataclass(frozen=True)
class Apart:
    """Some subscriptions of a base: their places in `subs`, their rows of `invoices`, and where each one's rows end."""

    base: Base
    places: pl.Series
    rows: pl.DataFrame
    ends: pl.Series

    @cached_property
    def shares(self) -> tuple[pl.DataFrame, Sums]:
        """Where each invoice has one use: what their percentages are of (pair, percent), and sums over these and over states."""
        base, subs = self.base, self.base.subs[self.places]
        percent = base.percent_off.gather(self.rows["state"])
        own = pl.DataFrame({"pair": base.uses["pair"].gather(self.rows["row"]), "percent": percent})
        alike = own.unique().sort("pair", "percent").with_row_index("share")
        at = own.join(alike, on=["pair", "percent"], how="left", maintain_order="left")["share"]
        each = picked(at, self.ends, alike.height)
        return alike, Sums.laid_out(each, base.in_states(subs), near=subs["price_version_id"])


def prepare(
    stretches: pl.DataFrame,
    facts: frames.Facts,
    coupons: pl.DataFrame,
    *,
    vat: pl.DataFrame,
    metered: pl.DataFrame,
    today: date,
    window_months: int = 12,
) -> Base:
    """The base of a day. In: recurring.STRETCHES, facts with the usage of the window, COUPONS, vat_category + rate_ppm, `meters_of`
    all prices that anybody may be moved to."""
    track = tl.timeline(facts.changes, facts.versions)
    day = pl.lit(today)
    running = stretches.filter((pl.col("start") <= day) & (pl.col("end") > day) & ~pl.col("paused"))
    here = track.plan.filter((pl.col("start") <= day) & (pl.col("end") > day))
    terms = here.select(SUB, "anchor_on", "interval_months", "interval_days")
    # Other prices that are decided on already: whoever waits for them is not moved by a scenario before.
    ahead = track.plan.filter(pl.col("start") > day).join(here.select(SUB, _held="price_version_id"), on=SUB)
    planned = (
        ahead.filter(pl.col("price_version_id") != pl.col("_held")).group_by(SUB).agg(planned_on=pl.col("start").min())
    )
    limits = track.limits.filter((pl.col("start") <= day) & (pl.col("end") > day)).select(SUB, *tl.LIMIT)
    # Whoever has ended is served until what was paid ahead is used up, but no invoice follows.
    life = track.life.select(SUB, "begins_on", "ends_on").filter(pl.col("ends_on") > day)
    subs = (
        running.select(SUB, "price_version_id", "plan_id", "currency", "quantity_micro", "addons", "coupons")
        .join(terms, on=SUB).join(life, on=SUB)
        .join(limits, on=SUB, how="left").join(planned, on=SUB, how="left").sort(SUB).with_row_index("position")
    )  # fmt: skip
    anchor, months, days = pl.col("anchor_on"), pl.col("interval_months"), pl.col("interval_days")
    subs = subs.with_columns(_now=index_on(anchor, months, days, day)).with_columns(
        renews_on=boundary(anchor, months, days, pl.col("_now") + 1),
        _first=index_on(anchor, months, days, pl.col("begins_on")),
    )
    length = pl.when(months > 0).then(months.cast(pl.Int64) * 30).otherwise(days.cast(pl.Int64))
    wanted = (pl.lit(window_months * 30 + 5) // length).clip(lower_bound=1)
    # By what any prices of the family meter: older ones may not, and whoever has them used it all the same.
    metering = metered.select(FAMILY).unique().with_columns(metering=True)
    subs = subs.join(metering, on=FAMILY, how="left", maintain_order="left")
    uses_meter = pl.col("metering").fill_null(False)
    subs = subs.with_columns(
        periods=pl.when(uses_meter).then(pl.min_horizontal(wanted, (pl.col("_now") - pl.col("_first")).cast(pl.Int64)).clip(lower_bound=1)).otherwise(1),
        started_on="begins_on",
    ).drop("_first", "metering")  # fmt: skip
    states = subs.select(_STATE).unique(maintain_order=True).with_row_index("state")
    subs = subs.join(states, on=_STATE, how="left", maintain_order="left", nulls_equal=True)
    rows = subs.select("position", "state", "periods", k=pl.int_ranges(0, "periods")).explode("k").with_row_index("row")
    uses, pairs, events = _used(subs, rows, facts.usage, metered)
    served = track.plan.filter(pl.col("end") > day).unique(SUB, keep="first", maintain_order=True)
    idle = served.join(life, on=SUB, how="semi").join(subs, on=SUB, how="anti").select(SUB, "price_version_id")
    return Base(subs, states, rows.select("row", "position", "state"), uses, pairs, events, coupons, vat, idle)


def meters_of(prices: frames.Prices) -> pl.DataFrame:
    """What prices meter: plan_id, currency, interval_months, interval_days, meter, by_event (is any of its events charged on its own?),
    by_amount (or by the events' amounts?)."""
    charges = prices.charges.filter(pl.col("kind") == ChargeKind.USAGE).join(prices.versions, on="price_version_id")
    return charges.group_by(*FAMILY, "meter", maintain_order=True).agg(
        by_event=(pl.col("model") == ChargeModel.PERCENTAGE).any(),
        by_amount=pl.col("model").is_in([each.value for each in ON_AMOUNTS]).any(),
    )


def _used(
    subs: pl.DataFrame, rows: pl.DataFrame, usage: pl.DataFrame, metered: pl.DataFrame
) -> tuple[pl.DataFrame, pl.DataFrame, pl.DataFrame]:
    """Usage by looked-at period, alike ones as one pair; zero where nothing was used."""
    grid = rows.join(subs.select("position", "price_version_id", SUB, *FAMILY), on="position").join(
        metered.drop("by_amount"), on=FAMILY
    )
    known = usage.join(
        subs.select("position", SUB, "anchor_on", "interval_months", "interval_days", "_now"), on=SUB, how="inner"
    ).with_columns(
        k=pl.col("_now") - 1 - index_on(pl.col("anchor_on"), pl.col("interval_months"), pl.col("interval_days"), pl.col("occurred_on"))
    ).with_columns(pl.col("k").cast(pl.Int64))  # fmt: skip
    sums = known.group_by("position", "k", "meter").agg(
        pl.col("quantity_micro").sum().clip(lower_bound=0),
        pl.col("amount_micro").fill_null(0).sum().clip(lower_bound=0),
    )
    filled = grid.with_columns(pl.col("k").cast(pl.Int64)).join(sums, on=["position", "k", "meter"], how="left").with_columns(
        pl.col("quantity_micro", "amount_micro").fill_null(0)
    ).with_columns(own=pl.when("by_event").then(pl.col("row").cast(pl.Int64)).otherwise(-1))  # fmt: skip
    key = ["price_version_id", "meter", "quantity_micro", "amount_micro", "own"]
    # What is close together in price and quantity is kept close together: they are rated and summed in this order.
    pairs = filled.select(key).unique().sort(key).with_row_index("pair")
    uses = (
        filled.select("row", *key)
        .join(pairs, on=key, how="left", maintain_order="left")
        .select("row", "pair")
        .sort("row")
    )
    singles = filled.filter("by_event").join(pairs, on=key).select("position", "k", "meter", "pair")
    events = (
        known.join(singles, on=["position", "k", "meter"])
        .sort("pair", "occurred_on", "event_id")
        .select("pair", "event_id", pl.col("amount_micro").fill_null(0))
    )
    return uses, pairs, events


def narrowed(base: Base, positions: pl.Series) -> Base:
    """The base of some subscriptions: they, their states, invoices and pairs numbered anew."""
    subs = base.subs.filter(pl.col("position").is_in(positions.implode()))
    invoices = base.invoices.filter(pl.col("position").is_in(positions.implode()))
    uses = base.uses.join(invoices.select("row"), on="row", how="semi", maintain_order="left")
    states = base.states.filter(pl.col("state").is_in(subs["state"].unique().implode()))
    pairs = base.pairs.filter(pl.col("pair").is_in(uses["pair"].unique().implode()))
    kept = {"position": subs["position"], "row": invoices["row"], "state": states["state"], "pair": pairs["pair"]}

    def anew(frame: pl.DataFrame) -> pl.DataFrame:
        """Each number becomes its place among those that are kept."""
        at = {
            name: old.search_sorted(frame[name]).cast(pl.UInt32) for name, old in kept.items() if name in frame.columns
        }
        return frame.with_columns(**at)

    events = base.events.join(pairs.select("pair"), on="pair", how="semi", maintain_order="left")
    return Base(anew(subs), anew(states), anew(invoices), anew(uses), anew(pairs), anew(events), base.coupons, base.vat)
