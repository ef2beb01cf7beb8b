"""Why a line of an issued document costs what it costs, in parts that sum exactly to what it adds to the net amount.

Tier by tier from the product's own price book, then the days of the period, what was billed before, the coupons, and the
VAT inside the price. Facts are taken as they were known when the document was issued. Amounts in minor units.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

import polars as pl
from sqlalchemy import or_, select
from sqlalchemy.orm import Session

from core.calc.arithmetic import part_of_period
from core.calc.billing.adjustments import ADJUSTMENT
from core.calc.billing.expected import ONCE, TRUE_UP
from core.calc.billing.price_limits import LIMIT
from core.calc.breakdown import Part, breakdown, event_breakdown, units
from core.calc.pricebook import PriceBook, compile_book
from core.calc.threads import inlined
from core.domain.money import to_major
from core.domain.plans import ON_AMOUNTS, ChargeModel
from core.domain.subscriptions import ChangeKind
from core.reports.explain_limit import LimitReasons, Why
from core.reports.invoices import Explained
from core.store import billing, load
from core.store.tables import Document, DocumentLine, SubscriptionChange, UsageEvent, core_table

EARLIER = {
    "line_id": pl.Int64, "number": pl.String, "quantity_micro": pl.Int64, "amount_minor": pl.Int64,
}  # fmt: skip


@dataclass(frozen=True)
class Reasons:
    """The parts of one line, summing to its net amount, and the VAT of its rate on the whole document."""

    parts: list[Part]
    vat: dict[str, Any]


@inlined
def explain(session: Session, view: Explained) -> dict[int, Reasons]:
    """Line id → its why, for every line of the document."""
    prices = load.prices(session, view.lines["price_version_id"].unique())
    book = compile_book(*prices)
    maker = _Maker(session, view, book, prices.tiers)
    return {line["line_id"]: maker.reasons(line) for line in view.lines.iter_rows(named=True)}


@dataclass(frozen=True)
class _Maker:
    """What the lines of one document are explained with."""

    session: Session
    view: Explained
    book: PriceBook
    tiers: pl.DataFrame

    def reasons(self, line: dict[str, Any]) -> Reasons:
        """One line's parts: the amount, less the coupons, less the VAT inside."""
        if line["kind"] == ADJUSTMENT:
            amount = [Part(line["amount_minor"], (Why.ADJUSTMENT,))]
        elif line["kind"] == LIMIT:
            amount = LimitReasons(self.session, self.view).parts(line)
        else:
            amount = self._once(line) if line["kind"] in ONCE else list(self._by_day(line))
        parts = [part for part in [*amount, *self._coupons(line)] if part.amount_minor or part.says]
        inside = line["net_minor"] - sum(part.amount_minor for part in parts)
        if inside:
            says = Why.INCLUDED_VAT if self.view.head["tax_inclusive"] else Why.AMOUNT
            parts.append(Part(inside, (says,), {"rate": _percent(line["tax_rate_ppm"])}))
        return Reasons(parts, self._vat(line))

    def _by_day(self, line: dict[str, Any]) -> Iterator[Part]:
        """A recurring line: the price of the whole period, then the days of it; a credit with the signs turned."""
        sign = -1 if line["period_amount_minor"] < 0 else 1
        whole = [
            replace(part, amount_minor=part.amount_minor * sign) for part in self._price(line, line["quantity_micro"])
        ]
        yield from _agreed(whole, line["period_amount_minor"])
        days = (line["service_end"] - line["service_start"]).days
        period_days = (line["period_end"] - line["period_start"]).days
        rest = line["amount_minor"] - line["period_amount_minor"]
        if rest or sign < 0:
            says = Why.CREDIT_DAYS if sign < 0 else Why.DAYS
            yield Part(rest, (says,), {"days": days, "period_days": period_days})
            yield from self._pauses(line)

    def _pauses(self, line: dict[str, Any]) -> Iterator[Part]:
        """Why days are missing or given back: pauses with a reason inside the period, as they were known at issue."""
        change = core_table(SubscriptionChange)
        undone = select(change.c.undoes_id).where(change.c.undoes_id.is_not(None))
        statement = select(change.c.effective_on, change.c.until_on, change.c.reason).where(
            change.c.subscription_id == line["subscription_id"], change.c.kind == ChangeKind.PAUSE.value,
            change.c.reason != "", change.c.recorded_at <= self.view.head["recorded_at"], change.c.id.not_in(undone),
            change.c.effective_on < line["period_end"],
            or_(change.c.until_on.is_(None), change.c.until_on > line["period_start"]),
        ).order_by(change.c.effective_on)  # fmt: skip
        for row in self.session.execute(statement):
            values = {"start": row.effective_on, "reason": row.reason}
            if row.until_on is None:
                yield Part(0, (Why.PAUSED,), values)
            else:
                yield Part(0, (Why.PAUSED_SPAN,), {**values, "last": row.until_on - timedelta(days=1)})

    def _once(self, line: dict[str, Any]) -> list[Part]:
        """Usage, a one-off fee or a true-up: what is owed in all, less what was billed before."""
        earlier = self._earlier(line)
        owed = line["amount_minor"] + earlier["amount_minor"].sum()
        used = line["quantity_micro"] + earlier["quantity_micro"].sum()
        whole = self._true_up(line, owed) if line["kind"] == TRUE_UP else _agreed(self._price(line, used), owed)
        before = [
            Part(-row["amount_minor"], (Why.BEFORE,), {"number": row["number"]})
            for row in earlier.iter_rows(named=True)
        ]
        return [*whole, *before]

    def _true_up(self, line: dict[str, Any], owed: int) -> list[Part]:
        """The commitment's days, less the charges that count towards it."""
        currency = self.view.head["currency"]
        span = pl.DataFrame({name: [line[name]] for name in (
            "service_start", "service_end", "period_start", "period_end", "period_amount_minor")})  # fmt: skip
        share = part_of_period(span).item()
        minimum = to_major(line["period_amount_minor"], currency)
        says: list[str] = [Why.COMMITMENT]
        values = {"minimum": minimum}
        if share != line["period_amount_minor"]:
            says.append(Why.DAYS)
            values["days"] = (line["service_end"] - line["service_start"]).days
            values["period_days"] = (line["period_end"] - line["period_start"]).days
        return [Part(share, tuple(says), values), Part(owed - share, (Why.USED,))]

    def _price(self, line: dict[str, Any], quantity_micro: int) -> list[Part]:
        """The price of a quantity, tier by tier or event by event."""
        model = line["model"]
        if model not in ON_AMOUNTS:
            return breakdown(self.book, self.tiers, line["charge_id"], max(0, quantity_micro))
        amounts = self._event_amounts(line)
        if model == ChargeModel.PERCENTAGE:
            return event_breakdown(self.book, line["charge_id"], amounts)
        return breakdown(self.book, self.tiers, line["charge_id"], max(0, sum(amounts)))

    def _event_amounts(self, line: dict[str, Any]) -> list[int]:
        """Amounts of the usage events of the line's days, as known at issue, in the engine's order."""
        event, seller = core_table(UsageEvent).c, self.view.seller
        statement = (
            select(event.amount_micro)
            .where(
                event.subscription_id == line["subscription_id"],
                event.meter == line["meter"],
                event.occurred_on >= line["service_start"],
                event.occurred_on < line["service_end"],
                event.recorded_at <= self.view.head["recorded_at"],
                ~billing.too_late(self.session, seller["late_usage_days"]),
            )
            .order_by(event.occurred_on, event.id)
        )
        return [amount or 0 for amount in self.session.execute(statement).scalars()]

    def _earlier(self, line: dict[str, Any]) -> pl.DataFrame:
        """EARLIER: what was billed for the same days of the same charge before this line."""
        table, document = core_table(DocumentLine).c, core_table(Document).c
        statement = (
            select(table.id.label("line_id"), document.number, table.quantity_micro, table.amount_minor)
            .join_from(core_table(DocumentLine), core_table(Document), document.id == table.document_id)
            .where(
                table.subscription_id == line["subscription_id"],
                table.charge_id.is_not_distinct_from(line["charge_id"]),
                table.kind == line["kind"],
                table.service_start == line["service_start"],
                table.service_end == line["service_end"],
                table.counts_as_billed,
                table.id < line["line_id"],
            )
            .order_by(table.id)
        )
        if line["revision"] == 0:
            return pl.DataFrame(schema=EARLIER)
        return load.frame(self.session, statement, EARLIER)

    def _coupons(self, line: dict[str, Any]) -> list[Part]:
        """What each coupon takes off; a credit gives it back."""
        given = self.view.coupons.filter(pl.col("line_id") == line["line_id"])
        return [
            Part(-row["amount_minor"], (Why.COUPON,), {"coupon": row["coupon"]}) for row in given.iter_rows(named=True)
        ]

    def _vat(self, line: dict[str, Any]) -> dict[str, Any]:
        """The document's VAT of the line's rate."""
        mine = (pl.col("treatment") == line["tax_treatment"]) & (pl.col("rate_ppm") == line["tax_rate_ppm"])
        return self.view.taxes.row(by_predicate=mine, named=True)


def _agreed(parts: list[Part], amount_minor: int) -> list[Part]:
    """The parts where they give the amount; else the amount as one part, because facts behind it are gone."""
    if sum(part.amount_minor for part in parts) == amount_minor:
        return parts
    return [Part(amount_minor, (Why.AMOUNT,))]


def _percent(ppm: int) -> Any:
    """Millionths as percent."""
    return units(ppm * 100)
