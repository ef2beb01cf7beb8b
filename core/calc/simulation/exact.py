"""Exact re-rating of the base: what every subscription would be billed for its past usage under today's and under other prices.

Both sides use today's terms (plan, quantity, add-ons, coupons that run on) on the usage of the last periods and come from the
billing engine's own rating, discounts and VAT; their difference is the exact effect. What is alike is rated once: a `state` is a
set of terms, a `pair` a metered quantity at a price version. Amounts leave here net of VAT, in minor units or in twelfths of one
a month. Source: simulation.md section 1.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import date
from functools import cached_property, reduce
from operator import add

import numpy as np
import polars as pl

from core import frames
from core.calc import recurring, usage
from core.calc import timeline as tl
from core.calc.arithmetic import divide, largest, wide_enough
from core.calc.billing import discounts
from core.calc.billing.discounts import percentage
from core.calc.billing.expected import TRUE_UP
from core.calc.billing.price_limits import LIMIT
from core.calc.billing.tax import net_of
from core.calc.calendar import OPEN, boundary, index_on
from core.calc.pricebook import MICRO, compile_book
from core.calc.rating import component_of, rate_components
from core.domain.coupons import CouponKind, Scope
from core.domain.periods import Timing
from core.domain.plans import ChargeKind, ChargeModel

SUB = "subscription_id"
_LINE = ["code", "kind", "vat_category", "timing", "amount_minor"]
_STATE = ["price_version_id", "quantity_micro", "addons", "coupons", *tl.LIMIT]


@dataclass(frozen=True)
class Base:
    """Running subscriptions as they are today, with what they used. Prepared once for any number of prices.

    `subs`: position, subscription_id, customer_id, price_version_id, plan_id, currency, quantity_micro, addons, coupons,
    earlier_version_id, cap_ppm, floor_ppm (the limit that holds), state,
    interval_months, interval_days, renews_on (the next boundary), started_on, ends_on (far away while nothing is planned), periods (how many of them are looked at).
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

    def apart(self, states: pl.Series) -> Apart:
        """Whoever is in one of these states (a Boolean each), kept until others are asked for: other prices seldom move anybody."""
        known = self.kept.get("apart")
        if known is None or not known[0].equals(states):
            chosen = states.gather(self.subs["state"])
            rows = self.invoices.filter(chosen.gather(self.invoices["position"]))
            ends = rows["position"].search_sorted(self.subs["position"].filter(chosen), side="right").cast(pl.Int64)
            known = self.kept["apart"] = states, Apart(chosen.arg_true(), rows, ends)
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
        """What is measured at which prices: meter_id, price_version_id, meter."""
        return self.pairs.select("price_version_id", "meter").unique(maintain_order=True).with_row_index("meter_id")

    @cached_property
    def pair_meters(self) -> pl.Series:
        """The meter_id of each pair."""
        key = ["price_version_id", "meter"]
        return self.pairs.join(self.meters, on=key, how="left", maintain_order="left")["meter_id"]

    @cached_property
    def position_use_ends(self) -> pl.Series:
        """Where the uses of each subscription end."""
        return self.position_ends if self.use_ends is None else self.use_ends.gather(self.position_ends - 1)

    @cached_property
    def position_ends(self) -> pl.Series:
        """Where the invoices of each subscription end."""
        return self.invoices["position"].search_sorted(self.subs["position"], side="right").cast(pl.Int64)

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

    places: pl.Series
    rows: pl.DataFrame
    ends: pl.Series


def prepare(
    stretches: pl.DataFrame,
    facts: frames.Facts,
    coupons: pl.DataFrame,
    *,
    vat: pl.DataFrame,
    today: date,
    window_months: int = 12,
) -> Base:
    """The base of a day. In: recurring.STRETCHES, facts with the usage of the window, COUPONS, vat_category + rate_ppm."""
    track = tl.timeline(facts.changes, facts.versions)
    day = pl.lit(today)
    running = stretches.filter((pl.col("start") <= day) & (pl.col("end") > day) & ~pl.col("paused"))
    here = track.plan.filter((pl.col("start") <= day) & (pl.col("end") > day))
    terms = here.select(SUB, "anchor_on", "interval_months", "interval_days")
    limits = track.limits.filter((pl.col("start") <= day) & (pl.col("end") > day)).select(SUB, *tl.LIMIT)
    # Whoever has ended is served until what was paid ahead is used up, but no invoice follows.
    life = track.life.select(SUB, "begins_on", "ends_on").filter(pl.col("ends_on") > day)
    subs = (
        running.select(SUB, "price_version_id", "plan_id", "currency", "quantity_micro", "addons", "coupons")
        .join(terms, on=SUB).join(life, on=SUB)
        .join(limits, on=SUB, how="left").sort(SUB).with_row_index("position")
    )  # fmt: skip
    anchor, months, days = pl.col("anchor_on"), pl.col("interval_months"), pl.col("interval_days")
    subs = subs.with_columns(_now=index_on(anchor, months, days, day)).with_columns(
        renews_on=boundary(anchor, months, days, pl.col("_now") + 1),
        _first=index_on(anchor, months, days, pl.col("begins_on")),
    )
    length = pl.when(months > 0).then(months.cast(pl.Int64) * 30).otherwise(days.cast(pl.Int64))
    wanted = (pl.lit(window_months * 30 + 5) // length).clip(lower_bound=1)
    metered = facts.charges.filter(pl.col("kind") == ChargeKind.USAGE)
    uses_meter = pl.col("price_version_id").is_in(metered["price_version_id"].unique().implode())
    subs = subs.with_columns(
        periods=pl.when(uses_meter).then(pl.min_horizontal(wanted, (pl.col("_now") - pl.col("_first")).cast(pl.Int64)).clip(lower_bound=1)).otherwise(1),
        started_on="begins_on",
    ).drop("_first")  # fmt: skip
    states = subs.select(_STATE).unique(maintain_order=True).with_row_index("state")
    subs = subs.join(states, on=_STATE, how="left", maintain_order="left", nulls_equal=True)
    rows = subs.select("position", "state", "periods", k=pl.int_ranges(0, "periods")).explode("k").with_row_index("row")
    uses, pairs, events = _used(subs, rows, facts, metered)
    ahead = track.plan.filter(pl.col("end") > day).unique(SUB, keep="first", maintain_order=True)
    idle = ahead.join(life, on=SUB, how="semi").join(subs, on=SUB, how="anti").select(SUB, "price_version_id")
    return Base(subs, states, rows.select("row", "position", "state"), uses, pairs, events, coupons, vat, idle)


def _used(
    subs: pl.DataFrame, rows: pl.DataFrame, facts: frames.Facts, metered: pl.DataFrame
) -> tuple[pl.DataFrame, pl.DataFrame, pl.DataFrame]:
    """Usage by looked-at period, alike ones as one pair; zero where nothing was used."""
    charged = metered.group_by("price_version_id", "meter").agg(
        by_event=(pl.col("model") == ChargeModel.PERCENTAGE).any()
    )
    grid = rows.join(subs.select("position", "price_version_id", SUB), on="position").join(
        charged, on="price_version_id"
    )
    known = facts.usage.join(
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
    pairs = filled.select(key).unique(maintain_order=True).with_row_index("pair")
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
    an invoice is just the sum of its lines, so is what a subscription pays in all of them; the others are made one by one.
    """
    nets = Nets.under(base, prices, limit)
    state = base.subs["state"]
    total = nets.recurring_sums.gather(state) * base.subs["periods"].cast(pl.Int64)
    if base.uses.height:
        total = total + _between(nets.pair_sums(None).gather(base.uses["pair"]), base.position_use_ends)
    if not nets.added.all():
        others = base.apart(~nets.added)
        total = total.scatter(others.places, _between(nets.of(others.rows), others.ends))
    return Rerated(_monthly(base, total), int((~nets.plain.gather(state)).sum()), nets)


@dataclass(frozen=True)
class Nets:
    """What invoices come to under a set of prices. `states`: with the head of their prices; `recurring`: state, charge, amount_minor;
    `used`: pair, charge, amount_minor; `charges`: the charge's number, code, kind, vat_category, timing; `limit`: advance, arrears of
    each row of Base.invoices."""

    base: Base
    prices: frames.Prices
    states: pl.DataFrame
    charges: pl.DataFrame
    recurring: pl.DataFrame
    used: pl.DataFrame
    limit: pl.DataFrame | None = None

    @classmethod
    def under(cls, base: Base, prices: frames.Prices, limit: pl.DataFrame | None = None) -> Nets:
        """The lines of everything that is alike."""
        prices = _needed(base, prices)
        head = prices.versions.select("price_version_id", "tax_inclusive", "minimum_minor")
        states = base.states.join(head, on="price_version_id", how="left", maintain_order="left")
        charges, recurring_ = _state_lines(base, prices)
        return cls(base, prices, states, charges, recurring_, _pair_lines(base, prices, charges), limit)

    @cached_property
    def plain(self) -> pl.Series:
        """Of each state: are its lines independent of each other, but for one percentage on everything?"""
        # Included VAT shares the percentage out over several rates.
        percent = self.base.percent_off
        whole = (pl.col("minimum_minor") == 0) & percent.is_not_null() & ((percent == 0) | ~pl.col("tax_inclusive"))
        return self.states.select(whole.alias("plain"))["plain"]

    @cached_property
    def added(self) -> pl.Series:
        """Of each state: is an invoice the sum of its lines and nothing else?"""
        alone = self.plain & (self.base.percent_off.fill_null(0) == 0) & ~self.states["tax_inclusive"]
        return alone if self.limit is None else alone & False

    @cached_property
    def recurring_sums(self) -> pl.Series:
        """Of each state: the sum of its recurring lines."""
        return summed(self.states.height, self.recurring["state"], self.recurring["amount_minor"])

    def recurring_of(self, timing: Timing) -> pl.Series:
        """Of each state: the sum of its recurring lines that are billed so."""
        wanted = self.charges.filter(pl.col("timing") == timing)["charge"]
        lines = self.recurring.filter(pl.col("charge").is_in(wanted.implode()))
        return summed(self.states.height, lines["state"], lines["amount_minor"])

    def pair_sums(self, categories: list[str] | None) -> pl.Series:
        """Of each pair: the sum of its usage lines of these VAT categories, of all when None."""
        lines = self._of(self.used, categories)
        return summed(self.base.pairs.height, lines["pair"], lines["amount_minor"])

    def of(self, rows: pl.DataFrame) -> pl.Series:
        """Net of each of these rows of Base.invoices."""
        net, limit = (
            self._plainly(rows),
            None if self.limit is None else self.limit.select(pl.all().gather(rows["row"])),
        )
        apart = ~self.plain.gather(rows["state"])
        if limit is not None:
            net = net + limit["advance"] + limit["arrears"]
            apart = apart | self.states["tax_inclusive"].gather(rows["state"])
        percent = self.base.percent_off.fill_null(0).gather(rows["state"])
        given = (percent > 0).arg_true()
        if given.len():
            ahead = self.recurring_of(Timing.ADVANCE).gather(rows["state"].gather(given))
            ahead = ahead if limit is None else ahead + limit["advance"].gather(given)
            net = net.scatter(given, _less_percentage(net.gather(given), ahead, percent.gather(given)))
        coupled = apart.arg_true()
        if coupled.is_empty():
            return net
        nothing = pl.DataFrame(
            {name: pl.zeros(rows.height, dtype=pl.Int64, eager=True) for name in ("advance", "arrears")}
        )
        own = rows.hstack(nothing if limit is None else limit)
        return net.scatter(coupled, _coupled(self, own[coupled]))

    def _plainly(self, rows: pl.DataFrame) -> pl.Series:
        """As if no line depended on another: VAT taken out once a rate and invoice where it is included."""
        inclusive = self.states["tax_inclusive"].gather(rows["state"])
        rates = _categories(self.base, self.prices) if inclusive.any() else {0: None}
        parts = []
        for rate_ppm, categories in rates.items():
            lines = self._of(self.recurring, categories)
            net = summed(self.states.height, lines["state"], lines["amount_minor"]).gather(rows["state"])
            if self.base.uses.height:
                net = net + self._usage(categories, rows["row"])
            if inclusive.any():
                gross = pl.DataFrame({"amount": net, "inclusive": inclusive})
                free = net_of(pl.col("amount"), pl.lit(rate_ppm, dtype=pl.Int64))
                net = gross.select(net=pl.when("inclusive").then(free).otherwise("amount"))["net"]
            parts.append(net)
        return reduce(add, parts) if parts else pl.zeros(rows.height, dtype=pl.Int64, eager=True)

    def _usage(self, categories: list[str] | None, rows: pl.Series) -> pl.Series:
        """Usage of these rows of Base.invoices."""
        sums, pair = self.pair_sums(categories), self.base.uses["pair"]
        if self.base.use_ends is None:
            return sums.gather(pair.gather(rows))
        return _between(sums.gather(pair), self.base.use_ends).gather(rows)

    def _of(self, lines: pl.DataFrame, categories: list[str] | None) -> pl.DataFrame:
        """The lines of these VAT categories."""
        if categories is None:
            return lines
        wanted = self.charges.filter(pl.col("vat_category").is_in(categories))["charge"]
        return lines.filter(pl.col("charge").is_in(wanted.implode()))


def _less_percentage(net: pl.Series, ahead: pl.Series, ppm: pl.Series) -> pl.Series:
    """Nets less a percentage on everything: of what is paid ahead, and of what is billed in arrears, each rounded on its own."""
    kind = wide_enough(largest(net), largest(ppm))
    off = (percentage(pl.lit(part), pl.lit(ppm), kind) for part in (ahead, net - ahead))
    return pl.select(pl.lit(net) - sum(off)).to_series()


def _categories(base: Base, prices: frames.Prices) -> dict[int, list[str] | None]:
    """The VAT rates that occur with the categories that have them; None when one rate is all."""
    known = dict(base.vat.select("vat_category", "rate_ppm").iter_rows())
    rates: dict[int, list[str] | None] = {}
    for category in prices.charges["vat_category"].unique().sort():
        rates.setdefault(known.get(category) or 0, []).append(category)  # type: ignore[union-attr]
    return rates if len(rates) > 1 else dict.fromkeys(rates)


def monthly(base: Base, net: pl.Series) -> pl.Series:
    """Twelfths of a minor unit a month of each position: the mean of its invoices, spread over their periods."""
    return _monthly(base, _between(net, base.position_ends))


def _monthly(base: Base, total: pl.Series) -> pl.Series:
    """`monthly` of what each position pays in all of its invoices."""
    known = base.subs.select("periods", "interval_months", "interval_days").with_columns(total.alias("total"))
    months, days = pl.col("interval_months"), pl.col("interval_days")
    top = pl.when(months > 0).then(12).when(days % 7 == 0).then(364).otherwise(365).cast(pl.Int64)
    below = pl.when(months > 0).then(months).otherwise(days).cast(pl.Int64) * pl.col("periods")
    return known.select(worth=divide(pl.col("total") * top, below))["worth"]


def _between(amounts: pl.Series, ends: pl.Series) -> pl.Series:
    """Σ of the amounts up to each end since the end before."""
    upto = ends.to_numpy()
    starts = np.concatenate(([0], upto[:-1])) if upto.size else upto
    sums, some = np.zeros(upto.size, dtype=np.int64), starts < upto
    # Of neighbours where nothing lies between, reduceat would take what comes after: they are left out, and stay 0.
    if some.any():
        sums[some] = np.add.reduceat(amounts.to_numpy(), starts[some])
    return pl.Series(sums)


def summed(size: int, at: pl.Series, amounts: pl.Series) -> pl.Series:
    """Σ of amounts at each of 0 … size − 1."""
    if at.len() == size and bool((at == pl.int_range(size, eager=True)).all()):
        return amounts.cast(pl.Int64)
    sums = pl.DataFrame({"at": at, "amount": amounts}).group_by("at").agg(pl.col("amount").sum())
    return pl.zeros(size, dtype=pl.Int64, eager=True).scatter(sums["at"], sums["amount"].cast(pl.Int64))


def _needed(base: Base, prices: frames.Prices) -> frames.Prices:
    """The prices of the versions that the base has, for compiling the others costs as much."""
    used = pl.col("price_version_id").is_in(base.states["price_version_id"].unique().implode())
    charges = prices.charges.filter(used)
    tiers = prices.tiers.join(charges.select("charge_id"), on="charge_id", how="semi", maintain_order="left")
    return frames.Prices(prices.versions.filter(used), charges, tiers)


def _state_lines(base: Base, prices: frames.Prices) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Nets.charges, and the recurring lines of every state: state, charge, amount_minor."""
    held = base.states.select("price_version_id", "quantity_micro", pl.col("state").cast(pl.Int64).alias(SUB))
    parts = base.states.filter(pl.col("addons") != "").select(
        pl.col("state").cast(pl.Int64).alias(SUB), part=pl.col("addons").str.split("|")
    ).explode("part")  # fmt: skip
    split = pl.col("part").str.split("×")
    addons = parts.select(SUB, code=split.list.get(0), quantity_micro=split.list.get(1).cast(pl.Int64))
    lines = recurring.recurring_lines(held, addons, prices)
    names = _LINE[:-1]
    charges = pl.concat([lines.select(names), prices.charges.select(names)]).unique(maintain_order=True)
    charges = charges.with_row_index("charge")
    told = lines.join(charges, on=names, how="left", maintain_order="left")
    return charges, told.select(pl.col(SUB).cast(pl.UInt32).alias("state"), "charge", "amount_minor")


def _pair_lines(base: Base, prices: frames.Prices, charges: pl.DataFrame) -> pl.DataFrame:
    """Usage lines of every pair: pair, charge, amount_minor."""
    metered = prices.charges.filter(pl.col("kind") == ChargeKind.USAGE).join(charges, on=_LINE[:-1])
    key = ["price_version_id", "meter"]
    billed = base.meters.join(metered.select(*key, "charge_id", "charge", "model"), on=key, maintain_order="left")
    if billed.is_empty():
        return pl.DataFrame(schema={"pair": pl.UInt32, "charge": pl.UInt32, "amount_minor": pl.Int64})
    pair, at = _billed_pairs(base, billed["meter_id"])
    quantity = base.pairs["quantity_micro"].gather(pair)
    on_money = billed["model"] == ChargeModel.GRADUATED_PERCENTAGE
    if on_money.any():
        quantity = quantity.zip_with(~on_money.gather(at), base.pairs["amount_micro"].gather(pair))
    book = compile_book(*prices)
    amount = rate_components(book, component_of(book, billed["charge_id"]).gather(at), quantity)
    lines = pl.DataFrame({"pair": pair, "charge": billed["charge"].gather(at), "amount_minor": amount})
    by_event = (billed["model"] == ChargeModel.PERCENTAGE).gather(at).arg_true()
    if by_event.is_empty():
        return lines
    own = pl.DataFrame(
        {"line": by_event, "pair": pair[by_event], "charge_id": billed["charge_id"].gather(at[by_event])}
    )
    each = own.join(base.events, on="pair", maintain_order="left_right")
    fees = usage.percentage_fees(book, each)
    return lines.with_columns(lines["amount_minor"].scatter(fees["line"], fees["amount_minor"]))


def _billed_pairs(base: Base, meters: pl.Series) -> tuple[pl.Series, pl.Series]:
    """The pair of each line, and which of these charges' meters it is of: nearly always each meter has one charge."""
    if meters.len() == base.meters.height and bool((meters == base.meters["meter_id"]).all()):
        return base.pairs["pair"], base.pair_meters
    places = pl.DataFrame({"meter_id": meters}).with_row_index("at")
    told = base.pairs.select("pair", base.pair_meters).join(places, on="meter_id", maintain_order="left")
    return told["pair"], told["at"]


def _coupled(parts: Nets, rows: pl.DataFrame) -> pl.Series:
    """Net of invoices whose lines depend on each other: minimum, limit, then coupons, then the VAT that prices include.

    In: invoices with what limits add, advance and arrears. Those that are alike in state, usage and limit are one.
    """
    base, prices = parts.base, parts.prices
    pairs = (
        base.uses.join(rows.select("row"), on="row", how="semi")
        .group_by("row", maintain_order=True)
        .agg(pl.col("pair").sort())
    )
    told = rows.join(pairs, on="row", how="left", maintain_order="left").with_columns(
        key=pl.format(
            "{}|{}|{}|{}", "state", pl.col("pair").cast(pl.List(pl.String)).list.join(",").fill_null(""), "advance", "arrears"
        )
    )  # fmt: skip
    alike = (
        told.unique("key", maintain_order=True)
        .select("key", "state", "pair", "advance", "arrears")
        .with_row_index("invoice")
    )
    fees = alike.select("invoice", "state").join(parts.recurring, on="state")
    uses = alike.select("invoice", "state", "pair").explode("pair").drop_nulls("pair").join(parts.used, on="pair")
    numbered = pl.concat([fees, uses.select(fees.columns)])
    own_lines = numbered.join(parts.charges, on="charge", maintain_order="left").select("invoice", "state", *_LINE)
    known = parts.states.select("state", "price_version_id", "tax_inclusive", "minimum_minor", "coupons")
    used = own_lines.group_by("invoice").agg(used=pl.col("amount_minor").sum())
    missing = (
        alike.select("invoice", "state").join(known, on="state").join(used, on="invoice", how="left")
        .with_columns(amount_minor=(pl.col("minimum_minor") - pl.col("used").fill_null(0)).clip(lower_bound=0))
        .filter(pl.col("amount_minor") > 0)
        .select("invoice", "state", code=pl.lit(""), kind=pl.lit(TRUE_UP), vat_category=pl.lit("standard"), timing=pl.lit(Timing.ARREARS.value), amount_minor="amount_minor")
    )  # fmt: skip
    limits = _limit_lines(alike, own_lines).select(own_lines.columns)
    every = pl.concat([own_lines, missing.select(own_lines.columns), limits]).join(
        known, on="state", maintain_order="left"
    )
    every = every.join(base.vat, on="vat_category", how="left", maintain_order="left").rename({"rate_ppm": "vat_ppm"})
    off = _discounts(base, prices, alike, every)
    left = off.with_columns(charged=pl.col("amount_minor") - pl.col("discount_minor"))
    by_rate = left.group_by("invoice", "vat_ppm", "tax_inclusive").agg(pl.col("charged").sum())
    net = pl.when("tax_inclusive").then(net_of(pl.col("charged"), pl.col("vat_ppm").fill_null(0))).otherwise("charged")
    sums = by_rate.with_columns(net=net).group_by("invoice").agg(pl.col("net").sum())
    by_invoice = summed(alike.height, sums["invoice"], sums["net"])
    at = told.join(alike.select("key", "invoice"), on="key", how="left", maintain_order="left")["invoice"]
    return by_invoice.gather(at)


def _limit_lines(alike: pl.DataFrame, lines: pl.DataFrame) -> pl.DataFrame:
    """Lines of limits: the VAT category is the invoice's first, for prices that include VAT have one where they are limited."""
    categories = lines.group_by("invoice", maintain_order=True).agg(pl.col("vat_category").first())
    told = alike.join(categories, on="invoice", how="left").with_columns(
        pl.col("vat_category").fill_null("standard"), code=pl.lit(""), kind=pl.lit(LIMIT)
    )
    parts = [
        told.with_columns(timing=pl.lit(timing.value), amount_minor=column)
        for timing, column in ((Timing.ADVANCE, "advance"), (Timing.ARREARS, "arrears"))
    ]
    return pl.concat(parts).filter(pl.col("amount_minor") != 0)


def _discounts(base: Base, prices: frames.Prices, alike: pl.DataFrame, lines: pl.DataFrame) -> pl.DataFrame:
    """The lines with discount_minor, by the engine's own discounts."""
    free = lines.with_columns(discount_minor=pl.lit(0, dtype=pl.Int64))
    given = (
        alike.select("invoice", "state")
        .join(base.states.select("state", "coupons", "price_version_id"), on="state")
        .filter(pl.col("coupons") != "")
    )
    if given.is_empty():
        return free
    own = given.select("invoice")
    off = _by_engine(base, prices, given, free.join(own, on="invoice", how="semi")).select(free.columns)
    return pl.concat([free.join(own, on="invoice", how="anti"), off])


def _by_engine(base: Base, prices: frames.Prices, given: pl.DataFrame, lines: pl.DataFrame) -> pl.DataFrame:
    """Discounts of invoices by the billing engine: each invoice stands for a subscription of its own."""
    day = pl.date(2000, 1, 1)
    head = prices.versions.select("price_version_id", "plan_id", "currency", "interval_months", "interval_days")
    grants = (
        given.select(pl.col("invoice").cast(pl.Int64).alias(SUB), "price_version_id", coupon_id=pl.col("coupons").str.split("|"))
        .explode("coupon_id").with_columns(pl.col("coupon_id").cast(pl.Int64)).with_row_index("grant_id")
        .join(base.coupons.rename({"kind": "coupon_kind"}), on="coupon_id", maintain_order="left")
        .join(head.select("price_version_id", "interval_months", "interval_days"), on="price_version_id", maintain_order="left")
        .with_columns(
            scope=pl.when(pl.col("scope") == Scope.INVOICE).then(pl.lit(Scope.PLAN.value)).otherwise("scope"), duration=pl.lit("forever"),
            granted_on=day, window_start=day, window_end=pl.lit(OPEN), anchor_on=day,
        )
    )  # fmt: skip
    told = lines.sort("invoice", maintain_order=True).with_row_index("line").join(
        head.select("price_version_id", "plan_id", "currency"), on="price_version_id", maintain_order="left"
    ).with_columns(
        pl.col("line").cast(pl.Int64), pl.col("invoice").cast(pl.Int64).alias(SUB), customer_id=pl.col("invoice").cast(pl.Int64),
        charge_code="code", service_start=day, period_start=day, corrects_id=pl.lit(None, dtype=pl.Int64),
    )  # fmt: skip
    # What is paid ahead is billed first: an amount off the period is taken from it before the usage.
    used, done = frames.empty(frames.USED_DISCOUNTS), []
    for timing in Timing:
        part, given_now = discounts.discount(told.filter(pl.col("timing") == timing), grants, used)
        done.append(part)
        used = frames.conform(given_now, frames.USED_DISCOUNTS)
    return pl.concat(done)


# --- usage that answers to its price ----------------------------------------------------------------------------------------


def responding(base: Base, before: frames.Prices, after: frames.Prices, elasticity: float) -> Base:
    """The base with the usage that other prices lead to: Q1 = Q0·(price of one more unit after ÷ before)^ε (simulation.md 2.3).

    An assumption, never part of the exact layer. What is charged event by event, and what costs nothing on either side, stays.
    """
    more = replace(base, pairs=base.pairs.with_columns(pl.col("quantity_micro") + MICRO))

    def one_more(prices: frames.Prices) -> pl.Series:
        return Nets.under(more, prices).pair_sums(None) - Nets.under(base, prices).pair_sums(None)

    known = base.pairs.with_columns(one_more(before).alias("_before"), one_more(after).alias("_after"))
    told = (pl.col("_before") > 0) & (pl.col("_after") > 0)
    factor = pl.when(told).then((pl.col("_after") / pl.col("_before")) ** elasticity).otherwise(1.0)
    quantity = (pl.col("quantity_micro") * factor).round().cast(pl.Int64)
    return replace(base, pairs=known.with_columns(quantity_micro=quantity).drop("_before", "_after"))
