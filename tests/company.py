"""A company in memory: facts as frames, billed through `core.calc.billing` without a database.

Rows are kept as dicts and become the frames of `core/frames.py`. `bill(day)` drafts what is due, as the invoice run does,
and remembers the lines as billed, so that stories over several months can be told in milliseconds.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date, timedelta
from itertools import count
from typing import Any

import polars as pl

from core import frames
from core.calc.billing.documents import Draft, draft
from core.frames import BillingInputs, Facts, Schema, Seller

MICRO = 10**6
SINCE = date(1900, 1, 1)
DAY = timedelta(days=1)


def tier(up_to: str | None = None, unit: str = "0", flat: str = "0", **more: Any) -> dict[str, Any]:
    """A row of TIERS."""
    return {"up_to": up_to, "unit_amount": unit, "flat_amount": flat, "rate_percent": "0", **more}


def charge(kind: str, model: str, *tiers: dict[str, Any], **more: Any) -> dict[str, Any]:
    """A row of CHARGES with its tiers; usage is billed in arrears, all else in advance unless said."""
    return {
        "code": kind, "name": kind, "kind": kind, "model": model, "tiers": tiers, "meter": "units",
        "timing": "in_arrears" if kind == "usage" else "in_advance", "included_units": "0", "package_rounding": "up",
        "convert_rounding": "up", "first_tier_flat_at_zero": True, "vat_category": "standard", **more,
    }  # fmt: skip


def frame(rows: list[dict[str, Any]], schema: Schema) -> pl.DataFrame:
    """Rows as a frame of the contract; what a row does not say is null."""
    return pl.DataFrame([{name: row.get(name) for name in schema} for row in rows], schema=dict(schema))


@dataclass(repr=False)
class Company:
    """Facts and what has been billed so far. Ids count from 1 in each table."""

    vat: dict[str, int] = field(default_factory=lambda: {"standard": 0})
    seller: Seller = field(default_factory=lambda: Seller(skip_zero=False))
    versions: list[dict[str, Any]] = field(default_factory=list)
    charges: list[dict[str, Any]] = field(default_factory=list)
    tiers: list[dict[str, Any]] = field(default_factory=list)
    coupons: list[dict[str, Any]] = field(default_factory=list)
    subscriptions: list[dict[str, Any]] = field(default_factory=list)
    changes: list[dict[str, Any]] = field(default_factory=list)
    events: list[dict[str, Any]] = field(default_factory=list)
    billed: pl.DataFrame = field(default_factory=lambda: frames.empty(frames.LINES))
    used: pl.DataFrame = field(default_factory=lambda: frames.empty(frames.USED_DISCOUNTS))
    cursors: dict[int, tuple[date, int, int]] = field(default_factory=dict)
    _charge_ids: Any = field(default_factory=lambda: count(1))

    def __repr__(self) -> str:
        """The facts, as hypothesis shows them; what was billed follows from them."""
        facts = {"versions": self.versions, "charges": self.charges, "changes": self.changes, "events": self.events}
        return "\n".join(f"{name} {row}" for name, rows in facts.items() for row in rows)

    def _repr_pretty_(self, printer: Any, cycle: bool) -> None:
        printer.text(repr(self))

    def version(self, *charges: dict[str, Any], months: int = 1, days: int = 0, **terms: Any) -> int:
        """A price version; answers its id, which is its plan's too unless said."""
        key = len(self.versions) + 1
        row = {"price_version_id": key, "plan_id": key, "currency": "NOK", "interval_months": 0 if days else months,
               "interval_days": days, "calendar": False, "tax_inclusive": False, "minimum_minor": 0, **terms}  # fmt: skip
        self.versions.append(row)
        for position, given in enumerate(charges):
            charge_id = next(self._charge_ids)
            self.charges.append({**given, "charge_id": charge_id, "price_version_id": key, "position": position})
            self.tiers += [{**row, "charge_id": charge_id, "position": n} for n, row in enumerate(given["tiers"])]
        return key

    def start(self, version: int, on: date, *, anchor: date | None = None, micro: int = MICRO, **more: Any) -> int:
        """A subscription; answers its id. Each has a customer of its own unless said."""
        key = len(self.subscriptions) + 1
        currency = self.versions[version - 1]["currency"]
        row = {"subscription_id": key, "customer_id": key, "currency": currency, "started_on": on, **more}
        self.subscriptions.append(row)
        self.change(key, "start", on, price_version_id=version, quantity_micro=micro, anchor_on=anchor or on)
        return key

    def change(self, subscription: int, kind: str, on: date, **values: Any) -> int:
        """A dated fact; answers its id."""
        key = len(self.changes) + 1
        self.changes.append(
            {"change_id": key, "subscription_id": subscription, "kind": kind, "effective_on": on, **values}
        )
        return key

    def use(
        self, subscription: int, on: date, micro: int, amount_micro: int | None = None, meter: str = "units"
    ) -> int:
        """A usage event; answers its id."""
        key = len(self.events) + 1
        row = {"event_id": key, "subscription_id": subscription, "meter": meter, "occurred_on": on}
        self.events.append({**row, "quantity_micro": micro, "amount_micro": amount_micro})
        return key

    def coupon(self, kind: str, value: int, duration: str = "forever", scope: str = "invoice", **more: Any) -> int:
        """A coupon of so many ppm or minor units; answers its id."""
        key = len(self.coupons) + 1
        terms = {"rate_ppm": value} if kind == "percent" else {"amount_minor": value}
        row = {"coupon_id": key, "code": f"C{key}", "name": f"C{key}", "kind": kind, "currency": "NOK"}
        given = {"duration": duration, "periods": 1, "scope": scope, "includes_true_up": False}
        self.coupons.append({**row, **given, **terms, **more})
        return key

    def facts(self) -> Facts:
        """The facts as frames; usage in the order in which the store gives it."""
        return Facts(
            frame(self.changes, frames.CHANGES),
            frame(self.versions, frames.PRICE_VERSIONS),
            frame(self.charges, frames.CHARGES),
            frame(self.tiers, frames.TIERS),
            frame(self.events, frames.USAGE_EVENTS).sort("subscription_id", "occurred_on", "event_id"),
        )

    def scope(self, until: date | None = None) -> pl.DataFrame:
        """SCOPE of all subscriptions, as `store.billing` finds it for a run until a day."""
        return frame([self._scope(row, until) for row in self.subscriptions], frames.SCOPE)

    def _scope(self, row: dict[str, Any], until: date | None) -> dict[str, Any]:
        key = row["subscription_id"]
        if key not in self.cursors:
            before = row["started_on"] - DAY
            return {"subscription_id": key, "after": before, "billed_through": before, "touched": False}
        through, change, event = self.cursors[key]
        by_id = {fact["change_id"]: fact for fact in self.changes}
        unseen = (
            [
                by_id.get(fact.get("undoes_id"), fact)["effective_on"]
                for fact in self.changes
                if fact["subscription_id"] == key and fact["change_id"] > change
            ]
            + [
                fact["occurred_on"]
                for fact in self.events
                if fact["subscription_id"] == key and fact["event_id"] > event and fact["occurred_on"] <= through
            ]
            + [
                day
                for fact in self.changes
                for day in (fact["effective_on"], fact.get("until_on"))
                if fact["subscription_id"] == key and until and day and through < day <= until
            ]
        )
        after = min([through, *(day - DAY for day in unseen)])
        return {"subscription_id": key, "after": after, "billed_through": through, "touched": bool(unseen)}

    def inputs(self, until: date | None = None) -> BillingInputs:
        """Everything a draft of a run until a day needs."""
        customers = [
            {"customer_id": row["customer_id"], "kind": "consumer", "country": "NO", "vat_number": "",
             "organisation_number": "", "separate_invoices": False}
            for row in {row["customer_id"]: row for row in self.subscriptions}.values()
        ]  # fmt: skip
        rules = [
            {"customer_kind": "*", "customer_country": "*", "category": category, "treatment": "standard",
             "rate_ppm": rate, "valid_from": SINCE}
            for category, rate in self.vat.items()
        ]  # fmt: skip
        currencies = {row["currency"] for row in self.versions} - {self.seller.currency}
        return BillingInputs(
            facts=self.facts(),
            scope=self.scope(until),
            subscriptions=frame(self.subscriptions, frames.SUBSCRIPTIONS),
            customers=frame(customers, frames.CUSTOMERS),
            coupons=frame(self.coupons, frames.COUPONS),
            vat_rules=frame(rules, frames.VAT_RULES),
            billed=self.billed,
            used=self.used,
            currency_rates=dict.fromkeys(currencies, frames.CURRENCY_RATE_SCALE),
            seller=self.seller,
        )

    def bill(self, through: date) -> Draft:
        """Draft everything due through a day and remember it as billed."""
        made = draft(self.inputs(through), through)
        assert made.review.is_empty(), made.review
        first = self.billed.height + 1
        lines = (
            made.lines.with_columns(line_id=pl.col("line") + first - made.lines["line"].min())
            if made.lines.height
            else made.lines
        )
        self.billed = pl.concat([self.billed, frames.conform(lines, frames.LINES)])
        if made.shares.height:
            spent = made.shares.join(lines.select("line", "line_id"), on="line")
            self.used = pl.concat([self.used, frames.conform(spent, frames.USED_DISCOUNTS)])
        for row in self.subscriptions:
            self.cursors[row["subscription_id"]] = (through, len(self.changes), len(self.events))
        return made
