"""What support can choose when it changes a subscription on a day: prices on offer, add-ons, coupons, how it stands."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import Any

import polars as pl
from sqlalchemy import and_, or_, select
from sqlalchemy.orm import Session

from core import frames
from core.calc.billing.discounts import grants
from core.calc.changes.standing import SUB, Circumstances, identified, standing, with_pause
from core.calc.threads import inlined
from core.domain.plans import ChargeKind
from core.reports import plans
from core.reports.named_changes import named
from core.store import subscriptions as stored
from core.store.tables import ChargeRow, Coupon, Plan, PriceVersion, Subscription, SubscriptionChange, core_table

CHANGES_SHOWN = 12


@dataclass(frozen=True)
class Choices:
    """`now`: how the subscription stands (calc/changes/standing.py). `offers`: dicts of plan, version and headline price.

    `addons`: dicts code, name, held (whole units). `coupons`: dicts coupon_id, code, name, held. `undoable`: dicts of the
    newest changes in force. `renews_on`: first day of the next period, null outside service.
    """

    now: dict[str, Any]
    offers: list[dict[str, Any]]
    addons: list[dict[str, Any]]
    coupons: list[dict[str, Any]]
    undoable: list[dict[str, Any]]
    seen_change_id: int

    @property
    def renews_on(self) -> date | None:
        """The day on which the next period begins."""
        found: date | None = self.now["period_end"]
        return found


@inlined
def choices(session: Session, subscription_id: int, today: date) -> Choices:
    """What can be chosen for one subscription today."""
    known = Circumstances.of(
        stored.change_inputs(session, pl.DataFrame({SUB: [subscription_id]}, schema={SUB: pl.Int64}), today)
    )
    row = pl.DataFrame(
        {"row": [0], SUB: [subscription_id], "on": [today]}, schema={"row": pl.Int64, SUB: pl.Int64, "on": pl.Date}
    )
    row = identified(row, known).with_columns(on=pl.max_horizontal("on", "started_on"))
    now = with_pause(standing(row, known, "on"), known, "on").row(0, named=True)
    addons = known.track.addons.filter((pl.col("start") <= now["on"]) & (pl.col("end") > now["on"]))
    held = dict(addons.filter(pl.col(SUB) == subscription_id).select("item", "quantity_micro").iter_rows())
    return Choices(
        now,
        offers(session, now["currency"], today),
        _addons(session, now["current_id"], held),
        _coupons(session, known, now, today),
        _undoable(session, subscription_id),
        max(known.changes["change_id"], default=0),
    )


def offers(session: Session, currency: str | None, today: date) -> list[dict[str, Any]]:
    """Published prices on offer today by rank: plan_id, plan, rank, price_version_id, interval, currency, headline."""
    plan = core_table(Plan).c
    live = plans.live_prices(session, today)
    rows = session.execute(select(plan.id, plan.name, plan.rank).where(~plan.archived).order_by(plan.rank, plan.name))
    return [
        {**version, "plan_id": row.id, "plan": row.name, "rank": row.rank}
        for row in rows
        for version in live.get(row.id, [])
        if currency in (None, version["currency"]) and version["retired_at"] is None
    ]


def _addons(session: Session, price_version_id: int | None, held: dict[str, int]) -> list[dict[str, Any]]:
    """The add-ons of the prices in force, and those held that they no longer have."""
    charge = core_table(ChargeRow).c
    statement = (
        select(charge.code, charge.name)
        .where(charge.price_version_id == price_version_id, charge.kind == ChargeKind.ADDON.value)
        .order_by(charge.position)
    )
    named = {row.code: row.name for row in session.execute(statement)}
    codes = [*named, *(code for code in held if code not in named)]
    return [{"code": code, "name": named.get(code, code), "held_micro": held.get(code, 0)} for code in codes]


def _coupons(session: Session, known: Circumstances, now: dict[str, Any], today: date) -> list[dict[str, Any]]:
    """Coupons that may be given today, and those held, with the last day of their effect."""
    coupon = core_table(Coupon)
    fits = (
        ~coupon.c.archived,
        or_(coupon.c.valid_from.is_(None), coupon.c.valid_from <= today),
        or_(coupon.c.valid_to.is_(None), coupon.c.valid_to > today),
        or_(coupon.c.currency == "", coupon.c.currency == now["currency"]),
        or_(coupon.c.plan_id.is_(None), coupon.c.plan_id == now["plan_id"]),
    )
    held = held_coupons(known, today)
    ends = dict(held.filter(pl.col(SUB) == now[SUB]).select("coupon_id", "window_end").iter_rows())
    statement = select(coupon).where(or_(and_(*fits), coupon.c.id.in_(list(ends)))).order_by(coupon.c.name)
    rows = session.execute(statement).mappings()
    return [
        {**row, "coupon_id": row["id"], "held": row["id"] in ends, "held_until": ends.get(row["id"])} for row in rows
    ]


def held_coupons(known: Circumstances, today: date) -> pl.DataFrame:
    """Grants that still give something on a day: grant_id, subscription_id, coupon_id, window_start, window_end (exclusive)."""
    given = grants(known.live, frames.conform(known.coupons, frames.COUPONS), known.track)
    running = given.filter(pl.col("window_end") > today)
    return running.select("grant_id", SUB, "coupon_id", "window_start", "window_end")


def _undoable(session: Session, subscription_id: int) -> list[dict[str, Any]]:
    """The newest changes in force; the action says which of them cannot be undone, and why."""
    change, version, plan, coupon = (core_table(model) for model in (SubscriptionChange, PriceVersion, Plan, Coupon))
    undone = select(change.c.undoes_id).where(
        change.c.subscription_id == subscription_id, change.c.undoes_id.is_not(None)
    )
    statement = (
        select(change, plan.c.id.label("plan_id"), plan.c.name.label("plan"), coupon.c.name.label("coupon"))
        .join_from(change, version, version.c.id == change.c.price_version_id, isouter=True)
        .join(plan, plan.c.id == version.c.plan_id, isouter=True)
        .join(coupon, coupon.c.id == change.c.coupon_id, isouter=True)
        .where(change.c.subscription_id == subscription_id, change.c.kind != "undo", change.c.id.not_in(undone))
        .order_by(change.c.id)
    )
    told = named(dict(row) for row in session.execute(statement).mappings())
    return sorted(told, key=lambda each: -each["id"])[:CHANGES_SHOWN]


def subscription_id_of(session: Session, external_id: str) -> int | None:
    """The id behind a subscription's outside id."""
    table = core_table(Subscription).c
    found: int | None = session.execute(select(table.id).where(table.external_id == external_id)).scalar()
    return found
