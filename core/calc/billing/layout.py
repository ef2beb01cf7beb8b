"""A whole base laid out for months of rating: who can be rated from one cached state, on which segments, with which VAT.

A subscription is *plain* when nothing couples its lines beyond its own period: one price version, one window of service,
intervals of months, at most one running percentage on it, no minimum commitment, no limit on a price rise, no fee event by
event, no VAT change and nothing to review. All others, and whoever shares a document with one, are `whole`: `months.py` drafts them month by month.
A month bills what falls due in it, as `draft` does when all before is billed by the same facts.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import date, timedelta

import polars as pl

from core.calc.billing import discounts
from core.calc.billing.expected import Scoped
from core.calc.billing.spread import after_month
from core.calc.billing.tax import with_tax
from core.calc.calendar import boundary, index_on, month_index
from core.calc.pricebook import PriceBook
from core.calc.timeline import Timeline, live_changes, timeline
from core.domain.coupons import CouponKind, Scope
from core.domain.periods import Timing
from core.domain.plans import ON_AMOUNTS, ChargeKind
from core.frames import BillingInputs

_SUB = "subscription_id"
RECURRING = (ChargeKind.FIXED, ChargeKind.SEAT, ChargeKind.ADDON)
_BUYER = ["customer_kind", "country", "has_vat_number"]


@dataclass(frozen=True)
class Segments:
    """Segments that split one kind of charge: position, start, end, terms, quantity_micro; of one add-on (code)."""

    kind: ChargeKind
    timing: Timing
    rows: pl.DataFrame


@dataclass(frozen=True)
class Layout:
    """Plain subscriptions in order of their id (a row's number is its `position`), and the rest as the inputs of drafts.

    `people`: subscription_id, document, customer_id, currency, tax_inclusive, version (row in facts.versions by id), anchor_on,
    interval_months, usage_first, usage_last (months in which usage falls due), sort (of buyer), coupon_ppm, coupon_charge
    (null = all). `slots`: treatment and rate; `slot_of`: sort, category → slot.
    """

    months: list[date]
    people: pl.DataFrame
    segments: list[Segments]
    slots: list[tuple[str, int]]
    slot_of: pl.DataFrame
    inputs: BillingInputs
    whole: BillingInputs
    shared: bool  # do some plain subscriptions stand on one document?


def lay_out(inputs: BillingInputs, months: list[date]) -> Layout:
    """The base of the inputs over consecutive calendar months, each given by its first day."""
    track = timeline(inputs.facts.changes, inputs.facts.versions)
    known = _people(inputs, track, months)
    slots, slot_of = _slots(known, inputs, months)
    judged = _judged(known, inputs, track, months, slot_of)
    sharing = judged.filter(~pl.col("plain"))["customer_id"].unique()
    plain = ~pl.col("customer_id").is_in(sharing.implode())
    people = judged.filter(plain).sort(_SUB).drop("plain")
    scoped = Scoped(track, people.select(_SUB, after=pl.lit(months[0] - timedelta(days=1))), inputs.facts,
                    PriceBook((), ()), months[-1])  # fmt: skip
    segments = [
        Segments(kind, timing, part)
        for kind in RECURRING
        for timing in Timing
        if inputs.facts.charges.filter(pl.col("kind") == kind, pl.col("timing") == timing).height
        for part in _positioned(scoped.segments(kind, kept=timing is Timing.ADVANCE), people)
    ]
    rest = inputs.scope.join(people, on=_SUB, how="anti", maintain_order="left")
    return Layout(months, people, segments, slots, slot_of, inputs, restricted(inputs, rest),
                  people["document"].n_unique() < people.height)  # fmt: skip


def restricted(inputs: BillingInputs, scope: pl.DataFrame) -> BillingInputs:
    """The inputs of some subscriptions only."""
    ids = scope.select(_SUB)
    facts = inputs.facts
    own = replace(
        facts, changes=facts.changes.join(ids, on=_SUB, how="semi", maintain_order="left"),
        usage=facts.usage.join(ids, on=_SUB, how="semi", maintain_order="left"),
    )  # fmt: skip
    subscriptions = inputs.subscriptions.join(ids, on=_SUB, how="semi", maintain_order="left")
    return replace(inputs, facts=own, scope=scope, subscriptions=subscriptions)


def _positioned(segments: pl.DataFrame, people: pl.DataFrame) -> list[pl.DataFrame]:
    """Segments with the position of their subscription, those of each add-on apart."""
    at = people[_SUB].search_sorted(segments[_SUB]).alias("position")
    columns = ["start", "end", "anchor_on", "interval_months", "interval_days", "quantity_micro", "code"]
    placed = segments.select(at, *(name for name in columns if name in segments.columns)).sort("position", "start")
    return placed.partition_by("code", maintain_order=True) if "code" in placed.columns else [placed]


def _people(inputs: BillingInputs, track: Timeline, months: list[date]) -> pl.DataFrame:
    """One row a subscription with its first terms, its buyer and the coupon that runs."""
    versions = inputs.facts.versions.sort("price_version_id").with_row_index("version").select(
        "version", "price_version_id", "plan_id", "tax_inclusive", "minimum_minor"
    )  # fmt: skip
    terms = track.plan.group_by(_SUB).agg(
        pl.col("price_version_id", "anchor_on", "interval_months", "interval_days").first(), plans=pl.len()
    )
    windows = track.windows.group_by(_SUB).agg(windows=pl.len())
    owners = inputs.subscriptions.select(_SUB, "customer_id", "currency", own_terms="terms_days")
    buyers = inputs.customers.select(
        "customer_id", "separate_invoices", customer_kind="kind", country=pl.col("country").fill_null(""),
        bill_to_id=pl.coalesce("bill_to_id", "customer_id"), customer_terms="terms_days",
        has_vat_number=((pl.col("vat_number") != "") | (pl.col("organisation_number") != "")).fill_null(False),
    )  # fmt: skip
    joined = inputs.scope.select(_SUB)
    for frame, on in (
        (owners, _SUB),
        (buyers, "customer_id"),
        (terms, _SUB),
        (windows, _SUB),
        (versions, "price_version_id"),
    ):
        joined = joined.join(frame, on=on, how="left", maintain_order="left")
    lives = track.life.select(_SUB, "begins_on", "ends_on")
    coupons = _running(inputs, track, months)
    documents = pl.struct(
        "customer_id", "bill_to_id", "currency", pl.coalesce("own_terms", "customer_terms"), "tax_inclusive",
        pl.when("separate_invoices").then(_SUB).otherwise(0),
    ).rank("dense")  # fmt: skip
    return (
        joined.join(lives, on=_SUB, how="left").join(coupons, on=_SUB, how="left")
        .with_columns(document=documents, sort=pl.struct(_BUYER).rank("dense"), coupon_ppm=_rate_here())
    )  # fmt: skip


def _rate_here() -> pl.Expr:
    """The coupon's rate, 0 where it is another plan's."""
    elsewhere = (pl.col("coupon_scope") == Scope.PLAN) & (pl.col("coupon_plan") != pl.col("plan_id"))
    return pl.when(elsewhere.fill_null(False)).then(0).otherwise("coupon_ppm").fill_null(0)


def _running(inputs: BillingInputs, track: Timeline, months: list[date]) -> pl.DataFrame:
    """The coupon that covers a subscription over all months; `odd` where more than one simple percentage is at work."""
    grants = discounts.grants(live_changes(inputs.facts.changes), inputs.coupons, track)
    grants = grants.join(track.life.select(_SUB, "begins_on", "ends_on"), on=_SUB)
    earliest = pl.lit(months[0]) - pl.duration(days=1) * 31 * pl.max_horizontal("interval_months", 1)
    first = pl.max_horizontal(earliest, "begins_on")
    last = pl.min_horizontal(pl.lit(after_month(months[-1])), "ends_on")
    near = grants.filter((pl.col("window_end") > first) & (pl.col("window_start") < last))
    simple = (
        (pl.col("coupon_kind") == CouponKind.PERCENT) & (pl.col("scope") != Scope.INVOICE)
        & (pl.col("window_start") <= first) & (pl.col("window_end") >= last)
    )  # fmt: skip
    return near.group_by(_SUB).agg(
        odd=(pl.len() > 1) | ~simple.all(), coupon_ppm=pl.col("rate_ppm").first(), coupon_scope=pl.col("scope").first(),
        coupon_charge=pl.when(pl.col("scope") == Scope.CHARGE).then(pl.col("charge_code").fill_null("")).first(),
        coupon_plan=pl.col("plan_id").first(),
    )  # fmt: skip


def _slots(
    people: pl.DataFrame, inputs: BillingInputs, months: list[date]
) -> tuple[list[tuple[str, int]], pl.DataFrame]:
    """VAT treatment and rate of each sort of buyer and VAT category on the first day; a slot each."""
    categories = inputs.facts.charges.select(category="vat_category").unique()
    sorts = people.select("sort", *_BUYER).unique().drop_nulls()
    each = sorts.join(categories, how="cross").sort("sort", "category").with_row_index("line").with_columns(
        pl.col("line").cast(pl.Int64), service_start=pl.lit(months[0]), service_end=pl.lit(months[0] + timedelta(days=1)),
        by_day=pl.lit(True), tax_treatment=pl.lit(None, dtype=pl.String), tax_rate_ppm=pl.lit(None, dtype=pl.Int64),
    )  # fmt: skip
    known = with_tax(each, inputs.vat_rules).filter(pl.col("tax_treatment").is_not_null())
    slots = known.select("tax_treatment", "tax_rate_ppm").unique().sort("tax_treatment", "tax_rate_ppm")
    numbered = slots.with_columns(slot=pl.int_range(pl.len(), dtype=pl.Int8))
    placed = known.join(numbered, on=["tax_treatment", "tax_rate_ppm"])
    return list(slots.iter_rows()), placed.select("sort", "category", "slot").sort("sort", "category")


def _judged(
    people: pl.DataFrame, inputs: BillingInputs, track: Timeline, months: list[date], slot_of: pl.DataFrame
) -> pl.DataFrame:
    """People with `plain`, and the months in which their usage falls due."""
    first, last = months[0], after_month(months[-1])
    charges = inputs.facts.charges
    kind = pl.col("kind")
    prices = charges.group_by("price_version_id").agg(
        meters=(kind == ChargeKind.USAGE).sum(), once=(kind == ChargeKind.ONE_OFF).any(),
        on_money=pl.col("model").is_in([model.value for model in ON_AMOUNTS]).any(),
        later=((pl.col("timing") == Timing.ARREARS) & (kind != ChargeKind.USAGE)).any(),
        categories=pl.col("vat_category").n_unique(),
    )  # fmt: skip
    taxed = (
        people.select("sort", "price_version_id").unique()
        .join(charges.select("price_version_id", category="vat_category").unique(), on="price_version_id")
        .join(slot_of, on=["sort", "category"]).group_by("sort", "price_version_id").agg(taxed=pl.len())
    )  # fmt: skip
    known = people.join(prices, on="price_version_id", how="left").join(
        taxed, on=["sort", "price_version_id"], how="left"
    )
    known = known.join(_edges(track, first, last), on=_SUB, how="left")
    anchor, month, day = pl.col("anchor_on"), pl.col("interval_months"), pl.col("interval_days")
    on_boundary = boundary(anchor, month, day, index_on(anchor, month, day, pl.col("ends_on"))) == pl.col("ends_on")
    rules = inputs.vat_rules
    moved = pl.concat([rules["valid_from"], rules["valid_to"]]).is_between(
        first - timedelta(days=400), last + timedelta(days=400)
    )
    currencies = [inputs.seller.currency, *inputs.currency_rates]
    discounted = pl.col("coupon_ppm") > 0
    plain = (
        (pl.col("plans") == 1) & (pl.col("windows") == 1) & (day == 0) & (pl.col("minimum_minor") == 0)
        & ~pl.col("on_money") & ~(pl.col("once") & (pl.col("begins_on") >= first))
        & (pl.col("taxed") == pl.col("categories")) & pl.col("bill_to_id").is_not_null()
        & pl.col("currency").is_in(currencies) & ((pl.col("ends_on") >= last) | on_boundary | (pl.col("meters") == 0))
        & ~pl.col("odd").fill_null(False) & pl.lit(not moved.any()) & pl.lit(inputs.seller.skip_zero)
        & ~(discounted & (pl.col("later") | (pl.col("meters") > 1)))
        & ~pl.col(_SUB).is_in(track.limits[_SUB].implode())
        & ~(discounted & pl.col("edges").fill_null(False) & (anchor.dt.day() > 1))
    ).fill_null(False)  # fmt: skip
    start = month_index(pl.lit(first))
    begins = index_on(anchor, month, day, pl.col("begins_on")) + 1
    return known.with_columns(
        plain=plain,
        usage_first=month_index(anchor) + month * begins - start,
        usage_last=month_index(pl.col("ends_on")) - start,
    )


def _edges(track: Timeline, first: date, last: date) -> pl.DataFrame:
    """Subscriptions whose seats, add-ons or service begin or end near the months."""
    spans = pl.concat([
        track.quantity.select(_SUB, "start", "end"), track.addons.select(_SUB, "start", "end"),
        track.windows.select(_SUB, start="kept_start", end="kept_end"),
    ])  # fmt: skip
    near = pl.any_horizontal(
        pl.col(side).is_between(first - timedelta(days=400), last + timedelta(days=400)) for side in ("start", "end")
    )
    return spans.filter(near).select(_SUB).unique().with_columns(edges=pl.lit(True))
