"""A small company to test with: rows written straight into the tables, so that a story depends on nothing but the engine.

`World(engine)` has a Norwegian seller with 25 % VAT (15 % on food); `plan(...)`, `customer(...)`, `start(...)` and
`change(...)` add to it; `bill(day)` runs billing and answers what it issued.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from typing import Any

import polars as pl
from sqlalchemy import Engine, insert, select, update

from core.actions.invoices import RunResult, hold, run_billing
from core.domain.access import SYSTEM
from core.reports.integrity import check
from core.store.engine import reading, writing
from core.store.save import insert_many, reserve_ids
from core.store.tables import (
    BillingCursor,
    ChargeRow,
    CompanyProfile,
    Coupon,
    Customer,
    CustomerVersion,
    Document,
    DocumentLine,
    Plan,
    PriceVersion,
    Subscription,
    SubscriptionChange,
    Table,
    TierRow,
    UsageEvent,
    VatRule,
    core_table,
)

NOW = datetime(2026, 1, 1, 12, tzinfo=UTC)
STAMP = {"recorded_at": NOW, "author": "test"}
SINCE = date(2000, 1, 1)


def tier(up_to: str | None = None, unit: str = "0", flat: str = "0", **more: Any) -> dict[str, Any]:
    """A tier row."""
    return {"up_to": up_to, "unit_amount": unit, "flat_amount": flat, **more}


def charge(code: str, kind: str, model: str, *tiers: dict[str, Any], **more: Any) -> dict[str, Any]:
    """A charge with its tiers; usage is billed in arrears, all else in advance."""
    timing = "in_arrears" if kind == "usage" else "in_advance"
    return {"code": code, "name": code, "kind": kind, "model": model, "tiers": tiers, "timing": timing, **more}


def fixed(amount: str, **more: Any) -> dict[str, Any]:
    """A fixed fee per period."""
    return charge("fee", "fixed", "flat", tier(flat=amount), **more)


@dataclass
class World:
    """The company and its days; `today` moves as stories tell."""

    engine: Engine
    now: datetime = NOW
    count: int = field(default=0)

    def __post_init__(self) -> None:
        with writing(self.engine) as session:
            profile = {"effective_from": SINCE, "legal_name": "Prøve AS", "country": "NO", **STAMP}
            insert_many(session, CompanyProfile, [profile])
            for category, rate in (("standard", 250_000), ("food", 150_000), ("zero", 0)):
                rule = {"seller_country": "NO", "customer_country": "NO", "category": category, "rate_ppm": rate}
                insert_many(session, VatRule, [{**rule, "valid_from": SINCE, **STAMP}])

    def add(self, model: type[Table], /, **values: Any) -> int:
        """One row; answers its id."""
        with writing(self.engine) as session:
            key = reserve_ids(session, model, 1)
            session.execute(insert(core_table(model)), {"id": key, **values})
            return key

    def plan(self, *charges: dict[str, Any], code: str = "", **version: Any) -> int:
        """A plan with one published price version; answers the version's id."""
        self.count += 1
        plan_id = version.pop("plan_id", None) or self.add(Plan, code=code or f"plan {self.count}", name="Plan")
        status = version.pop("status", "published")
        terms = {"currency": "NOK", "number": self.count, "status": "draft", **version}
        version_id = self.add(PriceVersion, plan_id=plan_id, **terms, **STAMP)
        for position, given in enumerate(charges):
            values = {name: value for name, value in given.items() if name != "tiers"}
            charge_id = self.add(ChargeRow, price_version_id=version_id, position=position, **values)
            for place, row in enumerate(given["tiers"]):
                self.add(TierRow, charge_id=charge_id, position=place, **row)
        with writing(self.engine) as session:
            versions = core_table(PriceVersion)
            session.execute(update(versions).where(versions.c.id == version_id).values(status=status))
        return version_id

    def coupon(self, **values: Any) -> int:
        """A coupon; by default once, on the plan."""
        self.count += 1
        return self.add(Coupon, code=f"C{self.count}", name="Coupon", **values, **STAMP)

    def customer(self, kind: str = "consumer", **values: Any) -> int:
        """A Norwegian customer."""
        self.count += 1
        key = self.add(Customer, external_id=f"K{self.count}", created_on=SINCE, command_id="test", **STAMP)
        self.add(
            CustomerVersion, customer_id=key, effective_from=SINCE, kind=kind, name="Ås Ødegård", **values, **STAMP
        )
        return key

    def start(self, customer_id: int, version_id: int, on: date, quantity: int = 1, **values: Any) -> int:
        """A subscription from a day on."""
        self.count += 1
        currency = values.pop("currency", "NOK")
        key = self.add(
            Subscription, customer_id=customer_id, external_id=f"S{self.count}", currency=currency, started_on=on,
            command_id="test", **STAMP,
        )  # fmt: skip
        anchor = values.pop("anchor_on", on)
        self.change(key, "start", on, price_version_id=version_id, quantity_micro=quantity * 10**6, anchor_on=anchor)
        return key

    def change(self, subscription_id: int, kind: str, on: date, **values: Any) -> int:
        """A dated fact about a subscription."""
        return self.add(
            SubscriptionChange, subscription_id=subscription_id, kind=kind, effective_on=on, command_id="test",
            **values, **STAMP,
        )  # fmt: skip

    def use(self, subscription_id: int, meter: str, on: date, quantity: float, amount: float | None = None) -> int:
        """A usage event, recorded on the same day."""
        self.count += 1
        at = datetime(on.year, on.month, on.day, 10, tzinfo=UTC)
        return self.add(
            UsageEvent, source_id=f"U{self.count}", subscription_id=subscription_id, meter=meter, occurred_at=at,
            occurred_on=on, quantity_micro=round(quantity * 10**6),
            amount_micro=None if amount is None else round(amount * 10**6), recorded_at=at, author="test",
        )  # fmt: skip

    def cursor(self, subscription_id: int, billed_through: date, change_id: int) -> None:
        """A subscription taken over from another system, billed there through a day."""
        with writing(self.engine) as session:
            row = {"subscription_id": subscription_id, "billed_through": billed_through, "opening": billed_through,
                   "opening_change_id": change_id, "seen_change_id": change_id}  # fmt: skip
            insert_many(session, BillingCursor, [row])

    def hold(self, customer_id: int, *, held: bool) -> None:
        """Hold or release a customer's billing."""
        self.count += 1
        hold(self.engine, SYSTEM, f"hold {self.count}", NOW, customer_id=customer_id, held=held, reason="test")

    def bill(self, through: date, **more: Any) -> RunResult:
        """Run billing through a day, issued that day."""
        noon = datetime(through.year, through.month, through.day, 12, tzinfo=UTC)
        return run_billing(self.engine, SYSTEM, now=noon, through=through, issue_date=through, **more)

    def documents(self) -> list[Any]:
        """All documents in order."""
        return self.rows(Document)

    def lines(self, document_id: int | None = None) -> list[Any]:
        """Lines in order, of one document or of all."""
        return [row for row in self.rows(DocumentLine) if document_id in (None, row.document_id)]

    def rows(self, model: type[Table]) -> list[Any]:
        """All rows of a table by id."""
        table = core_table(model)
        with reading(self.engine) as session:
            return list(session.execute(select(table).order_by(*table.primary_key.columns)).all())


def sums(lines: list[Any]) -> int:
    """Net of lines in minor units."""
    return int(pl.Series([line.net_minor for line in lines], dtype=pl.Int64).sum())


def assert_books_hold(world: World) -> None:
    """The books have no finding."""
    with reading(world.engine) as session:
        assert [finding.sentence() for finding in check(session)] == []
