"""Price terms in and out of their rows: `PriceTerms` ↔ price_version, charge, tier.

Amounts are decimal text exactly as they were given ("5.00" stays "5.00"); the minimum commitment is minor units.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import polars as pl
from sqlalchemy import delete, func, insert, select
from sqlalchemy.orm import Session

from core import frames
from core.domain.money import to_exact_minor, to_major
from core.domain.periods import Alignment, Interval, Timing, Unit
from core.domain.plans import (
    Charge,
    ChargeKind,
    ChargeModel,
    EventTerms,
    PriceTerms,
    Rounding,
    Tier,
)
from core.store import save
from core.store.tables import ChargeRow, PriceVersion, Table, TierRow, core_table


def text_of(value: Decimal | None) -> str | None:
    """Decimal text without exponent, its zeros kept."""
    return None if value is None else format(value, "f")


def _number(text: str | None) -> Decimal | None:
    return Decimal(text) if text else None


def insert_row(session: Session, model: type[Table], values: dict[str, Any]) -> int:
    """Insert one row; answers its id."""
    table = core_table(model)
    new_id: int = session.execute(insert(table).values(**values).returning(table.c.id)).scalar_one()
    return new_id


# --- writing --------------------------------------------------------------------------------------------------------


def head_values(terms: PriceTerms) -> dict[str, Any]:
    """What a price version's own row says of its terms."""
    return {
        "currency": terms.currency, "interval_unit": terms.interval.unit.value, "interval_count": terms.interval.count,
        "alignment": terms.alignment.value, "tax_inclusive": terms.tax_inclusive, "trial_days": terms.trial_days,
        "minimum_minor": to_exact_minor(terms.minimum_commitment, terms.currency),
    }  # fmt: skip


def next_number(session: Session, plan_id: int, terms: PriceTerms) -> int:
    """The number after the last one of the plan's versions in this currency and interval."""
    table = core_table(PriceVersion).c
    last: int | None = session.execute(
        select(func.max(table.number)).where(
            table.plan_id == plan_id, table.currency == terms.currency,
            table.interval_unit == terms.interval.unit.value, table.interval_count == terms.interval.count,
        )
    ).scalar()  # fmt: skip
    return (last or 0) + 1


def save_charges(session: Session, price_version_id: int, charges: tuple[Charge, ...]) -> None:
    """The charges and tiers of a new draft, in their order."""
    first = save.reserve_ids(session, ChargeRow, len(charges))
    rows = [
        {"id": first + place, "price_version_id": price_version_id, "position": place, **_charge_values(charge)}
        for place, charge in enumerate(charges)
    ]
    tiers = [
        {"charge_id": first + place, "position": row, **_tier_values(tier)}
        for place, charge in enumerate(charges)
        for row, tier in enumerate(charge.tiers)
    ]
    save.insert_many(session, ChargeRow, rows)
    save.insert_many(session, TierRow, tiers)


def _charge_values(charge: Charge) -> dict[str, Any]:
    events = charge.events or EventTerms()
    given = charge.events is not None
    return {
        "code": charge.code, "name": charge.name, "kind": charge.kind.value, "model": charge.model.value,
        "timing": charge.timing.value, "meter": charge.meter, "included_units": text_of(charge.included_units),
        "package_rounding": charge.package_rounding.value, "convert_by": text_of(charge.convert_by),
        "convert_rounding": charge.convert_rounding.value, "first_tier_flat_at_zero": charge.first_tier_flat_at_zero,
        "min_amount": text_of(charge.min_amount), "max_amount": text_of(charge.max_amount),
        "vat_category": charge.vat_category,
        "event_rate_percent": text_of(events.rate_percent) if given else None,
        "event_fixed_amount": text_of(events.fixed_amount) if given else None,
        "free_events": events.free_events, "free_amount": text_of(events.free_amount),
        "min_per_event": text_of(events.min_per_event), "max_per_event": text_of(events.max_per_event),
    }  # fmt: skip


def _tier_values(tier: Tier) -> dict[str, Any]:
    return {
        "up_to": text_of(tier.up_to), "unit_amount": text_of(tier.unit_amount), "flat_amount": text_of(tier.flat_amount),
        "package_size": text_of(tier.package_size), "rate_percent": text_of(tier.rate_percent),
    }  # fmt: skip


def as_prices(terms: PriceTerms, price_version_id: int = 1, plan_id: int = 1) -> frames.Prices:
    """Terms that may not be stored at all as the frames that the engine reads; charge ids count from 1."""
    head = {**head_values(terms), "price_version_id": price_version_id, "plan_id": plan_id}
    head |= {"interval_months": terms.interval.months, "interval_days": terms.interval.days}
    head["calendar"] = terms.alignment is Alignment.CALENDAR
    charges, tiers = [], []
    for place, charge in enumerate(terms.charges):
        named = {"charge_id": place + 1, "price_version_id": price_version_id, "position": place}
        charges.append({**named, **_charge_values(charge)})
        tiers += [
            {"charge_id": place + 1, "position": at, **_tier_values(tier)} for at, tier in enumerate(charge.tiers)
        ]
    return frames.Prices(
        _frame([head], frames.PRICE_VERSIONS), _frame(charges, frames.CHARGES), _frame(tiers, frames.TIERS)
    )


def _frame(rows: list[dict[str, Any]], schema: frames.Schema) -> pl.DataFrame:
    return pl.DataFrame([[row[name] for name in schema] for row in rows], schema=schema, orient="row")


def delete_charges(session: Session, price_version_id: int) -> None:
    """Remove a draft's charges and tiers; the database refuses it for anything but a draft."""
    charge, tier = core_table(ChargeRow), core_table(TierRow)
    own = select(charge.c.id).where(charge.c.price_version_id == price_version_id)
    session.execute(delete(tier).where(tier.c.charge_id.in_(own)))
    session.execute(delete(charge).where(charge.c.price_version_id == price_version_id))


# --- reading --------------------------------------------------------------------------------------------------------


def price_version(session: Session, price_version_id: int) -> Any | None:
    """The price version's row, None when there is none."""
    table = core_table(PriceVersion)
    return session.execute(select(table).where(table.c.id == price_version_id)).one_or_none()


def terms_of(session: Session, price_version_id: int) -> PriceTerms:
    """What a stored price version says."""
    head = price_version(session, price_version_id)
    assert head is not None, f"price version {price_version_id} is not stored"
    charge, tier = core_table(ChargeRow), core_table(TierRow)
    rows = session.execute(
        select(charge).where(charge.c.price_version_id == price_version_id).order_by(charge.c.position, charge.c.id)
    ).all()
    tiers: dict[int, list[Tier]] = {}
    joined = select(tier).join_from(tier, charge, charge.c.id == tier.c.charge_id)
    wanted = joined.where(charge.c.price_version_id == price_version_id).order_by(tier.c.charge_id, tier.c.position)
    for row in session.execute(wanted):
        tiers.setdefault(row.charge_id, []).append(_tier(row))
    return PriceTerms(
        currency=head.currency, interval=Interval(Unit(head.interval_unit), head.interval_count),
        charges=tuple(_charge(row, tuple(tiers.get(row.id, ()))) for row in rows),
        alignment=Alignment(head.alignment), tax_inclusive=head.tax_inclusive,
        minimum_commitment=to_major(head.minimum_minor, head.currency), trial_days=head.trial_days,
    )  # fmt: skip


def _tier(row: Any) -> Tier:
    return Tier(
        _number(row.up_to), Decimal(row.unit_amount), Decimal(row.flat_amount), _number(row.package_size),
        Decimal(row.rate_percent),
    )  # fmt: skip


def _charge(row: Any, tiers: tuple[Tier, ...]) -> Charge:
    return Charge(
        code=row.code, name=row.name, kind=ChargeKind(row.kind), model=ChargeModel(row.model), tiers=tiers,
        timing=Timing(row.timing), meter=row.meter, events=_events(row), included_units=Decimal(row.included_units),
        package_rounding=Rounding(row.package_rounding), convert_by=_number(row.convert_by),
        convert_rounding=Rounding(row.convert_rounding), first_tier_flat_at_zero=row.first_tier_flat_at_zero,
        min_amount=_number(row.min_amount), max_amount=_number(row.max_amount), vat_category=row.vat_category,
    )  # fmt: skip


def _events(row: Any) -> EventTerms | None:
    if row.event_rate_percent is None:
        return None
    return EventTerms(
        Decimal(row.event_rate_percent), Decimal(row.event_fixed_amount or 0), row.free_events,
        _number(row.free_amount), _number(row.min_per_event), _number(row.max_per_event),
    )  # fmt: skip
