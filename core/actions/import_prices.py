"""Plans and price versions that an import needs: found in the catalogue, or made.

Rows with equal plan, currency, interval and own price share one price version; it is found again by its content, so a second
file makes nothing twice. Versions at an own price are stored as retired: they serve those who have them and are offered to
nobody. An adjustment above zero is an add-on at one minor unit a piece (one below zero is a coupon: import_coupons.py).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any

import polars as pl
from sqlalchemy import func, select, update
from sqlalchemy.orm import Session

from core.domain.money import exponent_of, to_major
from core.domain.periods import INTERVALS
from core.domain.plans import Charge, ChargeKind, ChargeModel, PriceStatus, PriceTerms, Tier
from core.domain.price_rules import require_sound
from core.exchange.importing import Intake
from core.exchange.mapping import Mapping, PlanDefinition
from core.exchange.rows import Findings
from core.store import load, save
from core.store.known import ids_of
from core.store.tables import ChargeRow, Plan, PriceVersion, TierRow, core_table

ADJUSTMENT = "adjustment"
BASE = "base"
PRICE_KEY = ["plan", "currency", "interval", "base_minor"]


@dataclass(frozen=True)
class Needs:
    """What the rows of an import need of the catalogue. `priced` has PRICE_KEY and what is found: price_version_id."""

    plans: pl.DataFrame  # code, id
    terms: dict[tuple[str, str, str, int | None], PriceTerms]
    existing: pl.DataFrame  # PRICE_KEY, price_version_id


def needs(session: Session, mapping: Mapping, subscriptions: pl.DataFrame, findings: Findings) -> Needs:
    """Which plans and prices the rows need, and which of them are there already; unknown ones are findings."""
    codes = subscriptions["plan"].unique().drop_nulls()
    plans = ids_of(session, Plan, "code", codes)
    unknown = ~pl.col("plan").is_in([*plans["code"], *mapping.plans])
    findings.where(subscriptions, unknown, "The plan {plan} is neither in the catalogue nor in the mapping")
    adjusted = "total_price" in mapping.sections["subscription"].targets
    keys = subscriptions.select(PRICE_KEY).unique().drop_nulls(["plan", "currency", "interval"]).sort(PRICE_KEY)
    terms = {
        (plan, currency, interval, own): terms_of(mapping.plans[plan], currency, interval, own, adjusted)
        for plan, currency, interval, own in keys.iter_rows()
        if plan in mapping.plans and _has_price(mapping.plans[plan], currency, interval, own)
    }
    existing = pl.concat([_found_by_content(session, plans, terms), _published(session, plans, keys, mapping)])
    missing = subscriptions.join(existing, on=PRICE_KEY, how="anti", nulls_equal=True)
    findings.where(
        missing, ~unknown & ~pl.col("plan").is_in(list(mapping.plans)),
        "The plan {plan} has no published price in {currency} per {interval}",
    )  # fmt: skip
    return Needs(plans, terms, existing)


def _has_price(plan: PlanDefinition, currency: str, interval: str, own: int | None) -> bool:
    return own is not None or (currency, interval) in plan.prices


def terms_of(plan: PlanDefinition, currency: str, interval: str, own: int | None, adjusted: bool) -> PriceTerms:
    """The price terms of a plan as the mapping defines it, at its list price or at an own price in minor units."""
    base = plan.prices[currency, interval] if own is None else to_major(own, currency)
    if plan.per_seat:
        charges = [Charge(BASE, plan.charge, ChargeKind.SEAT, ChargeModel.PER_UNIT, (Tier(None, unit_amount=base),))]
    else:
        charges = [Charge(BASE, plan.charge, ChargeKind.FIXED, ChargeModel.FLAT, (Tier(None, flat_amount=base),))]
    charges += [_addon(addon.code, addon.name, addon.amount) for addon in plan.addons]
    if adjusted:
        charges.append(_addon(ADJUSTMENT, "Adjustment", Decimal(1).scaleb(-exponent_of(currency))))
    return PriceTerms(currency, INTERVALS[interval], tuple(charges))


def _addon(code: str, name: str, amount: Decimal) -> Charge:
    return Charge(code, name, ChargeKind.ADDON, ChargeModel.PER_UNIT, (Tier(None, unit_amount=amount),))


def _found_by_content(session: Session, plans: pl.DataFrame, terms: dict[Any, PriceTerms]) -> pl.DataFrame:
    """Stored versions that say exactly what these terms say: PRICE_KEY, price_version_id."""
    ids = dict(plans.iter_rows())
    wanted: dict[Any, list[Any]] = {}
    for key, term in terms.items():
        if key[0] in ids:
            wanted.setdefault((ids[key[0]], *_content(term)), []).append(key)
    stored = _stored_contents(session, [content[0] for content in wanted])
    rows = [(*key, version) for content, version in stored for key in wanted.get(content, [])]
    return _existing(rows).unique(PRICE_KEY, keep="first", maintain_order=True)


def _existing(rows: list[tuple[Any, ...]]) -> pl.DataFrame:
    schema = dict(zip(PRICE_KEY, (pl.String, pl.String, pl.String, pl.Int64), strict=True))
    return pl.DataFrame(rows, schema={**schema, "price_version_id": pl.Int64}, orient="row")


def _content(terms: PriceTerms) -> tuple[str, int, int, tuple[tuple[str, ...], ...]]:
    """What tells two price versions of a plan apart."""
    charges = tuple(
        (charge.code, charge.kind.value, _plain(charge.tiers[0].unit_amount), _plain(charge.tiers[0].flat_amount))
        for charge in terms.charges
    )
    return terms.currency, terms.interval.months, terms.interval.days, charges


def _plain(amount: Decimal) -> str:
    """One spelling for each amount: 5.00 and 5 are the same price."""
    return format(amount.normalize(), "f")


def _stored_contents(session: Session, plan_ids: list[int]) -> Iterator[tuple[Any, int]]:
    """The contents of the plans' shared versions that consist of single-tier charges, as `_content` spells them."""
    table = core_table(PriceVersion).c
    usable = select(table.id).where(
        table.plan_id.in_(set(plan_ids)), table.subscription_id.is_(None), table.status != PriceStatus.DRAFT.value
    )
    versions, charges, tiers = load.prices(session, list(session.execute(usable).scalars()))
    single = tiers.group_by("charge_id").agg(pl.len(), pl.col("unit_amount").first(), pl.col("flat_amount").first())
    plain = pl.col("len") == 1, pl.col("model").is_in([ChargeModel.FLAT.value, ChargeModel.PER_UNIT.value])
    joined = charges.join(single, on="charge_id", how="left").with_columns(plain=pl.all_horizontal(plain))
    by_version = joined.sort("price_version_id", "position").group_by("price_version_id", maintain_order=True)
    listed = by_version.agg("code", "kind", "unit_amount", "flat_amount", pl.col("plain").all())
    heads = versions.select("price_version_id", "plan_id", "currency", "interval_months", "interval_days")
    for row in heads.join(listed.filter("plain"), on="price_version_id").sort("price_version_id").iter_rows(named=True):
        amounts = ([_plain(Decimal(text)) for text in row[name]] for name in ("unit_amount", "flat_amount"))
        content = tuple(zip(row["code"], row["kind"], *amounts, strict=True))
        yield (
            (row["plan_id"], row["currency"], row["interval_months"], row["interval_days"], content),
            row["price_version_id"],
        )


def _published(session: Session, plans: pl.DataFrame, keys: pl.DataFrame, mapping: Mapping) -> pl.DataFrame:
    """For plans of the catalogue alone: their newest published version in the row's currency and interval."""
    table = core_table(PriceVersion).c
    rows = []
    ids = dict(plans.iter_rows())
    for plan, currency, interval, own in keys.iter_rows():
        if plan in mapping.plans or plan not in ids or interval not in INTERVALS:
            continue
        newest = session.execute(
            select(table.id)
            .where(
                table.plan_id == ids[plan], table.currency == currency, table.subscription_id.is_(None),
                table.interval_unit == INTERVALS[interval].unit.value,
                table.interval_count == INTERVALS[interval].count, table.status == PriceStatus.PUBLISHED.value,
            )
            .order_by(table.number.desc())
            .limit(1)
        ).scalar()  # fmt: skip
        if newest is not None:
            rows.append((plan, currency, interval, own, newest))
    return _existing(rows)


def check_addons(session: Session, intake: Intake, existing: pl.DataFrame, findings: Findings) -> None:
    """Add-ons of plans that only the catalogue knows must be add-ons there."""
    assert intake.subscriptions is not None
    versions = intake.subscriptions.join(existing, on=PRICE_KEY, nulls_equal=True).select("id", "price_version_id")
    foreign = intake.addons.filter(~pl.col("plan").is_in(list(intake.mapping.plans))).join(versions, on="id")
    if foreign.is_empty():
        return
    charges = load.prices(session, foreign["price_version_id"].unique()).charges
    offered = charges.filter(pl.col("kind") == ChargeKind.ADDON.value).select("price_version_id", item="code")
    missing = foreign.join(offered, on=["price_version_id", "item"], how="anti")
    findings.where(missing, pl.lit(True), "The plan {plan} has no add-on {item}")


# --- making what is missing -----------------------------------------------------------------------------------------


def make_prices(
    session: Session, stamp: dict[str, Any], mapping: Mapping, need: Needs, valid_from: date
) -> tuple[pl.DataFrame, int, int]:
    """PRICE_KEY → price_version_id for every row; how many plans and versions were made."""
    plans, made_plans = _make_plans(session, mapping, need)
    found = {key[:4] for key in need.existing.iter_rows()}
    missing = {key: terms for key, terms in need.terms.items() if key not in found}
    if not missing:
        return need.existing, made_plans, 0
    first = save.reserve_ids(session, PriceVersion, len(missing))
    numbers = _Numbers(session)
    versions = []
    for version_id, (key, terms) in enumerate(missing.items(), first):
        require_sound(terms)
        plan_id = plans[key[0]]
        interval = terms.interval
        versions.append({
            "id": version_id, "plan_id": plan_id, "number": numbers.following(plan_id, terms), "currency": key[1],
            "interval_unit": interval.unit.value, "interval_count": interval.count, "status": PriceStatus.DRAFT.value,
            "valid_from": valid_from, "note": "From an import", "reason": "Own price" if key[3] is not None else "",
            "published_at": stamp["recorded_at"], "published_by": stamp["author"], **stamp,
        })  # fmt: skip
    save.insert_many(session, PriceVersion, versions)
    _make_charges(session, dict(enumerate(missing.values(), first)))
    _publish(session, stamp, first, len(missing))
    made = _existing([(*key, version_id) for version_id, key in enumerate(missing, first)])
    return pl.concat([need.existing, made]), made_plans, len(missing)


def _make_plans(session: Session, mapping: Mapping, need: Needs) -> tuple[dict[str, int], int]:
    """Ids of the plans by code, with those of the mapping that were not there."""
    ids = dict(need.plans.iter_rows())
    wanted = dict.fromkeys(key[0] for key in need.terms if key[0] not in ids)
    if wanted:
        first = save.reserve_ids(session, Plan, len(wanted))
        new = dict(zip(wanted, range(first, first + len(wanted)), strict=True))
        rows = [{"id": new[c], "code": c, "name": mapping.plans[c].name, "rank": mapping.plans[c].rank} for c in new]
        save.insert_many(session, Plan, rows)
        ids |= new
    return ids, len(wanted)


class _Numbers:
    """Next version number per plan, currency and interval."""

    def __init__(self, session: Session) -> None:
        table = core_table(PriceVersion).c
        key = (table.plan_id, table.currency, table.interval_unit, table.interval_count)
        stored = session.execute(select(*key, func.max(table.number)).group_by(*key))
        self._last: dict[tuple[Any, ...], int] = {tuple(row[:4]): row[4] for row in stored}

    def following(self, plan_id: int, terms: PriceTerms) -> int:
        """One above the last number given."""
        key = (plan_id, terms.currency, terms.interval.unit.value, terms.interval.count)
        self._last[key] = self._last.get(key, 0) + 1
        return self._last[key]


def _make_charges(session: Session, versions: dict[int, PriceTerms]) -> None:
    """Charges of one tier each."""
    listed = [
        (version, place, charge) for version, terms in versions.items() for place, charge in enumerate(terms.charges)
    ]
    first = save.reserve_ids(session, ChargeRow, len(listed))
    charges, tiers = [], []
    for charge_id, (version, place, charge) in enumerate(listed, first):
        charges.append({
            "id": charge_id, "price_version_id": version, "position": place, "code": charge.code, "name": charge.name,
            "kind": charge.kind.value, "model": charge.model.value, "timing": charge.timing.value,
        })  # fmt: skip
        tier = charge.tiers[0]
        tiers.append(
            {"charge_id": charge_id, "unit_amount": _plain(tier.unit_amount), "flat_amount": _plain(tier.flat_amount)}
        )
    save.insert_many(session, ChargeRow, charges)
    save.insert_many(session, TierRow, tiers)


def _publish(session: Session, stamp: dict[str, Any], first: int, count: int) -> None:
    """Publish the new versions, and retire those at an own price at once: the guards ask for both steps."""
    table = core_table(PriceVersion)
    new = table.c.id.between(first, first + count - 1)
    session.execute(update(table).where(new).values(status=PriceStatus.PUBLISHED.value))
    session.execute(
        update(table)
        .where(new, table.c.reason != "")
        .values(status=PriceStatus.RETIRED.value, retired_at=stamp["recorded_at"])
    )
