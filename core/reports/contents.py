"""What a subscription consists of today: its parts with their prices, discounts with their ends, usage so far, what is planned.

Amounts in minor units of the subscription's currency, as its prices are stated (`tax_inclusive`), per billing period.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import Any

import polars as pl
from sqlalchemy import select
from sqlalchemy.orm import Session

from core import frames
from core.calc.billing.price_limits import limit_of
from core.calc.breakdown import breakdown
from core.calc.calendar import OPEN
from core.calc.changes.standing import SUB, Circumstances, identified, standing, with_pause
from core.calc.pricebook import MICRO, compile_book
from core.calc.recurring import recurring_lines
from core.calc.threads import inlined
from core.domain.coupons import CouponKind, Duration
from core.domain.plans import ON_AMOUNTS, Charge, ChargeKind, ChargeModel
from core.reports.ahead import Ahead, ahead
from core.reports.desk_choices import held_coupons
from core.reports.named_changes import named
from core.store import billing, catalogue, load
from core.store import subscriptions as stored
from core.store.tables import Plan, PriceVersion, Subscription, core_table


@dataclass(frozen=True)
class Contents:
    """One subscription. `now`: how it stands (calc/changes/standing.py), null terms outside service.

    `version`: plan, interval, currency, tax_inclusive, reason, expires_on of the prices in force, None when there are none.
    `parts`: dicts name, kind, quantity_micro, amount_minor, why (Parts). `minimum_minor`: what a period costs at least; `limit`:
    cap_ppm, floor_ppm and amount_minor of the limit that holds on its last price rise, of a period without usage, None when none; `metered`: the charges
    that usage is billed by. `discounts`:
    coupon columns + until (exclusive, None for ever) and left_minor, what is left of a fixed amount that is given once. `usage`:
    dicts name, meter, quantity_micro, convert_by, amount_minor, included, bound (the next tier's, None), start, end.
    `planned`: dicts of changes that are ahead; invoice_on: of the next documents the first about days from then on, None when none is.
    """

    subscription_id: int
    external_id: str
    started_on: date
    now: dict[str, Any]
    version: dict[str, Any] | None
    parts: list[dict[str, Any]]
    minimum_minor: int
    limit: dict[str, Any] | None
    metered: list[Charge]
    discounts: list[dict[str, Any]]
    usage: list[dict[str, Any]]
    planned: list[dict[str, Any]]

    @property
    def period_minor(self) -> int:
        """What a period costs before discounts: the recurring parts, or the minimum where usage fills up to it, limited."""
        fees: int = sum(part["amount_minor"] for part in self.parts)
        return max(self.minimum_minor, fees) + (self.limit["amount_minor"] if self.limit else 0)


@inlined
def contents_of(session: Session, customer_id: int, today: date) -> dict[int, Contents]:
    """`contents` by the customer's next documents."""
    return contents(session, customer_id, today, ahead(session, [customer_id], today, turns=2))


def contents(session: Session, customer_id: int, today: date, coming: Ahead) -> dict[int, Contents]:
    """Subscription id → its contents, for all subscriptions of a customer. `coming`: the customer's next documents."""
    table = core_table(Subscription).c
    rows = load.frame(
        session,
        select(table.id.label(SUB), table.started_on.label("since"))
        .where(table.customer_id == customer_id)
        .order_by(table.id),
        {SUB: pl.Int64, "since": pl.Date},
    )
    known = Circumstances.of(stored.change_inputs(session, rows, today))
    placed = identified(rows.with_row_index("row").with_columns(pl.col("row").cast(pl.Int64)), known)
    placed = placed.with_columns(on=pl.max_horizontal("today_on", pl.lit(today)))
    placed = with_pause(standing(placed, known, "on"), known, "on")
    shown = pl.concat([placed["current_id"].drop_nulls(), known.track.limits["earlier_version_id"].drop_nulls()])
    prices = load.prices(session, shown.unique())
    maker = _Maker(session, known, prices, coming, today)
    return {row[SUB]: maker.make(row) for row in placed.iter_rows(named=True)}


@dataclass(frozen=True)
class _Maker:
    """What all subscriptions of the customer are told with."""

    session: Session
    known: Circumstances
    prices: frames.Prices
    coming: Ahead
    today: date

    def make(self, row: dict[str, Any]) -> Contents:
        """One subscription."""
        version = self._version(row["current_id"])
        return Contents(
            row[SUB], row["external_id"], row["since"], row, version, self._parts(row) if version else [], self._minimum(row["current_id"]), self._limit(row),
            self._metered(row["current_id"]),
            self._discounts(row[SUB]), self._usage(row[SUB]), self._planned(row),
        )  # fmt: skip

    def _version(self, price_version_id: int | None) -> dict[str, Any] | None:
        if price_version_id is None:
            return None
        version, plan = core_table(PriceVersion), core_table(Plan)
        statement = select(version, plan.c.name.label("plan"), plan.c.code.label("plan_code")).join_from(
            version, plan, plan.c.id == version.c.plan_id
        )
        return dict(self.session.execute(statement.where(version.c.id == price_version_id)).mappings().one())

    def _minimum(self, price_version_id: int | None) -> int:
        found = self.prices.versions.filter(pl.col("price_version_id") == price_version_id)["minimum_minor"]
        return int(found[0]) if found.len() else 0

    def _limit(self, row: dict[str, Any]) -> dict[str, Any] | None:
        """The limit that holds, with what it adds to a period without usage."""
        here = (pl.col(SUB) == row[SUB]) & (pl.col("start") <= row["on"]) & (pl.col("end") > row["on"])
        held = self.known.track.limits.filter(here)
        if held.is_empty() or row["current_id"] is None:
            return None
        limit = held.row(0, named=True)
        before, after = (self._period(row, limit[name]) for name in ("earlier_version_id", "price_version_id"))
        shares = [pl.lit(limit[name], dtype=pl.Int64) for name in ("cap_ppm", "floor_ppm")]
        amount = pl.select(limit_of(pl.lit(before), pl.lit(after), *shares)).item()
        return {"cap_ppm": limit["cap_ppm"], "floor_ppm": limit["floor_ppm"], "amount_minor": amount}

    def _period(self, row: dict[str, Any], price_version_id: int) -> int:
        """What a period of today's quantity and add-ons costs at least by some prices."""
        fees = int(self._recurring(row, price_version_id)["amount_minor"].sum())
        return max(self._minimum(price_version_id), fees)

    def _metered(self, price_version_id: int | None) -> list[Charge]:
        if price_version_id is None:
            return []
        terms = catalogue.terms_of(self.session, price_version_id)
        return [charge for charge in terms.charges if charge.kind is ChargeKind.USAGE]

    def _parts(self, row: dict[str, Any]) -> list[dict[str, Any]]:
        """The recurring charges with what they cost a period, and why."""
        lines = self._recurring(row, row["current_id"])
        names = self.prices.charges.select("charge_id", "name", "position")
        book = compile_book(*self.prices)
        return [
            {**line, "why": breakdown(book, self.prices.tiers, line["charge_id"], line["quantity_micro"])}
            for line in lines.join(names, on="charge_id").sort("position").iter_rows(named=True)
        ]

    def _recurring(self, row: dict[str, Any], price_version_id: int) -> pl.DataFrame:
        """The recurring lines of today's quantity and add-ons by some prices."""
        held = pl.DataFrame(
            {SUB: [row[SUB]], "price_version_id": [price_version_id], "quantity_micro": [row["quantity_now_micro"]]},
            schema={SUB: pl.Int64, "price_version_id": pl.Int64, "quantity_micro": pl.Int64},
        )
        here = (pl.col(SUB) == row[SUB]) & (pl.col("start") <= row["on"]) & (pl.col("end") > row["on"])
        addons = self.known.track.addons.filter(here).select(SUB, "quantity_micro", code="item")
        return recurring_lines(held, addons, self.prices)

    def _discounts(self, subscription_id: int) -> list[dict[str, Any]]:
        """Coupons that still give something, with the first day on which they no longer do."""
        held = held_coupons(self.known, self.today).filter(pl.col(SUB) == subscription_id)
        named = held.join(self.known.coupons, on="coupon_id").sort("window_end", "coupon_id")
        given = billing.given_once(self.session, named["grant_id"])
        found = [
            {**row, "until": None if row["window_end"] == OPEN else row["window_end"],
             "left_minor": (row["amount_minor"] or 0) - (given.get(row["grant_id"], 0) if row["duration"] == Duration.ONCE else 0)}
            for row in named.iter_rows(named=True)
        ]  # fmt: skip
        # A fixed amount that is used up gives nothing any more, however long its coupon would hold.
        return [row for row in found if row["kind"] != CouponKind.AMOUNT or row["left_minor"] > 0]

    def _usage(self, subscription_id: int) -> list[dict[str, Any]]:
        """Metered charges of the running period: what was used so far and costs so far, by the next documents."""
        if self.coming.lines.is_empty():
            return []
        running = (pl.col("period_start") <= self.today) & (pl.col("period_end") > self.today)
        lines = self.coming.lines.filter(
            (pl.col(SUB) == subscription_id) & (pl.col("kind") == ChargeKind.USAGE) & running
        )
        charges = self.prices.charges.filter(pl.col("model") != ChargeModel.PERCENTAGE)
        named = lines.select("charge_id", "quantity_micro", "amount_minor", "period_start", "period_end").join(
            charges.select("charge_id", "name", "meter", "model", "included_units", "convert_by"),
            on="charge_id",
            maintain_order="left",
        )
        return [{**row, "bound": self._bound(row)} for row in named.iter_rows(named=True)]

    def _bound(self, row: dict[str, Any]) -> str | None:
        """Up to where the tier in which the usage stands reaches, as stated; None in the last one."""
        if row["convert_by"] or row["model"] in ON_AMOUNTS:
            return None
        tiers = self.prices.tiers.filter((pl.col("charge_id") == row["charge_id"]) & pl.col("up_to").is_not_null())
        used = row["quantity_micro"] / MICRO - float(row["included_units"])
        return next(
            (tier["up_to"] for tier in tiers.sort("position").iter_rows(named=True) if float(tier["up_to"]) >= used),
            None,
        )

    def _planned(self, row: dict[str, Any]) -> list[dict[str, Any]]:
        """Changes in force that take effect after today, in their order, with what they name."""
        live = self.known.live.filter(pl.col(SUB) == row[SUB]).sort("change_id")
        plans = dict(self.known.offers.select("price_version_id", "plan_id").iter_rows())
        plan = core_table(Plan).c
        names = {each.id: each.name for each in self.session.execute(select(plan.id, plan.name))}
        coupons = dict(self.known.coupons.select("coupon_id", "name").iter_rows())
        known = live.with_columns(
            plan_id=pl.col("price_version_id").replace_strict(plans, default=None, return_dtype=pl.Int64)
        )
        told = [
            {**change, "plan": names.get(change["plan_id"]), "coupon": coupons.get(change["coupon_id"])}
            for change in named(known.iter_rows(named=True))
        ]
        return [
            {**change, "invoice_on": self._invoice_on(row[SUB], change["effective_on"])}
            for change in told
            if change["effective_on"] > self.today
        ]

    def _invoice_on(self, subscription_id: int, since: date) -> date | None:
        """The day of the first of the next documents that bills days from one on."""
        if self.coming.lines.is_empty():
            return None
        here = (pl.col(SUB) == subscription_id) & (pl.col("service_start") >= since)
        found: date | None = self.coming.lines.filter(here)["day"].min()  # type: ignore[assignment]
        return found
