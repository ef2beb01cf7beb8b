"""What a roll-out tells each customer: the price of a period before and after, as the plan states its prices, and of what is used."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date
from typing import Any

import polars as pl
from sqlalchemy import case, select
from sqlalchemy.orm import Session

from core import frames
from core.calc import timeline as tl
from core.calc.billing import discounts
from core.calc.billing.layout import RECURRING
from core.calc.billing.price_limits import limit_of
from core.calc.pricebook import MICRO
from core.calc.recurring import recurring_lines
from core.domain.coupons import Duration
from core.domain.plans import Charge, ChargeKind, PriceTerms
from core.reports.scenarios import drafted_version
from core.store import catalogue, load
from core.store.tables import MigrationPlan, Plan, PriceVersion, Subscription, SubscriptionChange, core_table

SUB = "subscription_id"
_PLANNED = {
    SUB: pl.Int64, "external_id": pl.String, "customer_id": pl.Int64, "effective_on": pl.Date, "notice_on": pl.Date,
    "scenario_id": pl.Int64, "change_id": pl.Int64, "from_version_id": pl.Int64, "price_version_id": pl.Int64,
    "before_twelfths": pl.Int64, "after_twelfths": pl.Int64, "cap_ppm": pl.Int64, "floor_ppm": pl.Int64,
}  # fmt: skip
_PEOPLE = {"customer_id": pl.Int64, "external_id": pl.String, "name": pl.String, "language": pl.String}
_PARTS = pl.List(pl.Struct({"code": pl.String, "name": pl.String, "quantity_micro": pl.Int64}))


@dataclass(frozen=True)
class Told:
    """What customers are told. `rows`: customer, name, language, external_id, scenario_id, change_id, plan, currency, tax_inclusive,
    interval_unit, interval_count, notice_on, effective_on, from_version_id, price_version_id, before_minor, after_minor, least (is the
    price after the minimum, which usage counts towards?), least_before (was it before?), discounted (does a coupon of its own lower
    what is billed then?), cap_ppm, floor_ppm (where they matter to the customer) and parts (code, name, quantity_micro of the seats and
    add-ons that both prices count in). `terms`: the price versions that they name.

    Both prices are what one period costs at least, before discounts and usage, with the quantity and add-ons of the day; the price
    after is limited as it will be billed.
    """

    rows: pl.DataFrame
    terms: dict[int, PriceTerms]


def letters(session: Session, scenario_id: int, today: date) -> Told:
    """The letters of a roll-out as it was approved last, without those that need a look."""
    return _told(session, _planned(session, MigrationPlan, scenario_id=scenario_id), today)


def told_of(session: Session, customer_id: int, today: date) -> Told:
    """What a customer is told of the price changes of roll-outs that are planned for its subscriptions."""
    rows = _planned(session, Subscription, customer_id=customer_id)
    ahead = rows.filter(pl.col("change_id").is_not_null() & (pl.col("effective_on") > today))
    return Told(ahead, {}) if ahead.is_empty() else _told(session, ahead, today)


def is_metered(terms: PriceTerms) -> bool:
    """Is anything billed by usage?"""
    return any(charge.kind is ChargeKind.USAGE for charge in terms.charges)


def stands_alone(charge: Charge, row: Mapping[str, Any]) -> bool:
    """Is its price told by itself? What is metered is; where a period costs a minimum, which hides what is below it, the fees are too
    that the customer has: of add-ons those that it holds."""
    if charge.kind is ChargeKind.ADDON and charge.code not in {part["code"] for part in row["parts"]}:
        return False
    return charge.kind is ChargeKind.USAGE or (charge.kind in RECURRING and (row["least"] or row["least_before"]))


def _told(session: Session, rows: pl.DataFrame, today: date) -> Told:
    changes = load.changes(session, rows[SUB])
    named = pl.concat([rows["from_version_id"], rows["price_version_id"]]).unique()
    terms = {version_id: catalogue.terms_of(session, version_id) for version_id in named}
    prices = load.prices(session, pl.concat([changes["price_version_id"].drop_nulls(), named]).unique())
    track = tl.timeline(changes, prices.versions)
    here = (pl.col("start") <= pl.col("effective_on")) & (pl.col("effective_on") < pl.col("end"))
    days = rows.select(SUB, "effective_on")
    held = track.quantity.join(days, on=SUB).filter(here).select(SUB, "quantity_micro")
    addons = track.addons.join(days, on=SUB).filter(here).select(SUB, "quantity_micro", code="item")
    told = rows.join(held, on=SUB, how="inner", maintain_order="left")
    before = _period(told, addons, prices, "from_version_id", "before_minor").rename({"least": "least_before"})
    after = _period(told, addons, prices, "price_version_id", "after_minor")
    for each in (before, after):
        told = told.join(each, on=SUB, how="left", maintain_order="left")
    told = (
        _felt(_limited(told, addons, prices, track), terms)
        .join(_parts(told, addons, prices), on=SUB, how="left", maintain_order="left")
        .with_columns(
            pl.col("parts").fill_null(pl.lit([], dtype=_PARTS)),
            discounted=pl.col(SUB).is_in(_discounted(session, days, changes, track).implode()),
        )
    )
    people = load.customers(session, today, rows["customer_id"].unique(), _PEOPLE).rename({"external_id": "customer"})
    heads = _heads(session, rows["price_version_id"].unique())
    whole = told.join(people, on="customer_id", how="left", maintain_order="left")
    return Told(whole.join(heads, on="price_version_id", how="left", maintain_order="left"), terms)


def _discounted(session: Session, days: pl.DataFrame, changes: pl.DataFrame, track: tl.Timeline) -> pl.Series:
    """The subscriptions with a coupon of their own that lowers what is billed on their day, once given ones aside."""
    given = discounts.grants(tl.live_changes(changes), load.coupons(session), track)
    lasting = given.filter(pl.col("duration") != Duration.ONCE).join(days, on=SUB)
    return lasting.filter(pl.col("effective_on").is_between("window_start", "window_end", closed="left"))[SUB]


def _parts(told: pl.DataFrame, addons: pl.DataFrame, prices: frames.Prices) -> pl.DataFrame:
    """The seats, where they are not just one, and the add-ons of each subscription: subscription_id, parts."""
    seats = prices.charges.filter(pl.col("kind") == ChargeKind.SEAT).select("price_version_id", "code")
    several = told.filter(pl.col("quantity_micro") != MICRO).join(seats, on="price_version_id")
    names = prices.charges.select("code", "price_version_id", "name", "position")
    held = pl.concat([several.select(SUB, "quantity_micro", "code"), addons.select(SUB, "quantity_micro", "code")])
    named = held.join(told.select(SUB, "price_version_id"), on=SUB).join(names, on=["code", "price_version_id"])
    return (
        named.sort(SUB, "position")
        .group_by(SUB, maintain_order=True)
        .agg(parts=pl.struct("code", "name", "quantity_micro"))
    )


def _felt(told: pl.DataFrame, terms: dict[int, PriceTerms]) -> pl.DataFrame:
    """A limit counts for whose price it changes, and where prices that come on top of it or count towards its minimum change, unless
    the bill goes the other way by past use."""
    asked = told.select("from_version_id", "price_version_id", pl.col("least") | pl.col("least_before")).rows()
    other = {each: _nameless(terms[each[0]], each[2]) != _nameless(terms[each[1]], each[2]) for each in set(asked)}
    used = pl.Series([other[each] for each in asked], dtype=pl.Boolean)
    rise = pl.col("after_twelfths") - pl.col("before_twelfths")
    return told.with_columns(
        cap_ppm=pl.when((pl.col("limit_minor") < 0) | (used & (rise >= 0))).then("cap_ppm"),
        floor_ppm=pl.when((pl.col("limit_minor") > 0) | (used & (rise <= 0))).then("floor_ppm"),
    )


def _nameless(terms: PriceTerms, least: bool) -> list[Charge]:
    """What is metered, and where a period costs the minimum all that counts towards it, without the names."""
    kinds = {ChargeKind.USAGE, *(RECURRING if least else ())}
    return [replace(each, name="") for each in sorted(terms.charges, key=lambda each: each.code) if each.kind in kinds]


def _limited(told: pl.DataFrame, addons: pl.DataFrame, prices: frames.Prices, track: tl.Timeline) -> pl.DataFrame:
    """Both prices as they are billed: before with the limit that holds until then, after with the one that is to come."""
    held = track.limits.join(told.select(SUB, "effective_on", "from_version_id"), on=SUB).filter(
        (pl.col("price_version_id") == pl.col("from_version_id")) & (pl.col("start") < pl.col("effective_on"))
        & (pl.col("effective_on") <= pl.col("end"))
    )  # fmt: skip
    terms = {"held_version_id": "earlier_version_id", "held_cap_ppm": "cap_ppm", "held_floor_ppm": "floor_ppm"}
    known = told.join(held.select(SUB, **terms), on=SUB, how="left", maintain_order="left")
    least = _period(known, addons, prices, "held_version_id", "held_minor").drop("least")
    known = known.join(least, on=SUB, how="left", maintain_order="left")
    before, after = pl.col("before_minor"), pl.col("after_minor")
    limited = known.with_columns(
        before_minor=before + limit_of(pl.col("held_minor"), before, pl.col("held_cap_ppm"), pl.col("held_floor_ppm"))
    ).with_columns(limit_minor=limit_of(before, after, pl.col("cap_ppm"), pl.col("floor_ppm")))
    return limited.with_columns(after_minor=after + pl.col("limit_minor")).drop(*terms, "held_minor")


def _planned(session: Session, about: type[Any], **wanted: int) -> pl.DataFrame:
    """The rows of the roll-outs that were approved last, by a column of `about`; change_id is null where it was taken back."""
    table, owner, undoing = core_table(MigrationPlan).c, core_table(Subscription).c, core_table(SubscriptionChange).c
    undone = select(undoing.undoes_id).where(undoing.undoes_id.is_not(None))
    columns: dict[str, Any] = {
        "external_id": owner.external_id, "customer_id": owner.customer_id,
        "change_id": case((table.change_id.not_in(undone), table.change_id)),
    }  # fmt: skip
    statement = (
        select(*((columns[name] if name in columns else table[name]).label(name) for name in _PLANNED))
        .join_from(core_table(MigrationPlan), core_table(Subscription), owner.id == table.subscription_id)
        .where(*(core_table(about).c[name] == value for name, value in wanted.items()))
        .where(table.price_version_id == drafted_version(table.scenario_id), table.wave > 0)
        .order_by(table.effective_on, owner.external_id)
    )
    return load.frame(session, statement, _PLANNED)


def _period(told: pl.DataFrame, addons: pl.DataFrame, prices: frames.Prices, version: str, name: str) -> pl.DataFrame:
    """What one period costs at least at a version: subscription_id and the amount; `least`: is it the minimum?"""
    held = told.select(SUB, "quantity_micro", price_version_id=version)
    sums = recurring_lines(held, addons, prices).group_by(SUB).agg(fees=pl.col("amount_minor").sum())
    minimums = prices.versions.select("price_version_id", "minimum_minor")
    joined = held.join(sums, on=SUB, how="left").join(minimums, on="price_version_id", how="left")
    fees = pl.col("fees").fill_null(0)
    return joined.select(
        SUB, pl.max_horizontal(fees, "minimum_minor").alias(name), least=pl.col("minimum_minor") > fees
    )


def _heads(session: Session, version_ids: pl.Series) -> pl.DataFrame:
    """price_version_id → plan, currency, tax_inclusive, interval."""
    version, plan = core_table(PriceVersion).c, core_table(Plan).c
    schema = {"price_version_id": pl.Int64, "plan": pl.String, "currency": pl.String, "tax_inclusive": pl.Boolean,
              "interval_unit": pl.String, "interval_count": pl.Int64}  # fmt: skip
    statement = (
        select(version.id.label("price_version_id"), plan.name.label("plan"), version.currency, version.tax_inclusive,
               version.interval_unit, version.interval_count)
        .join_from(core_table(PriceVersion), core_table(Plan), plan.id == version.plan_id)
        .where(load.among(session, version.id, version_ids))
    )  # fmt: skip
    return load.frame(session, statement, schema)
