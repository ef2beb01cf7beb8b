"""Why a limit on a price rise is what it is: what its period may come to, what it comes to, and what was taken off before.

Read from the issued lines and the price change that was in force, as they were known when the document was issued. Amounts in
minor units; parts sum to the line.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from core.calc.billing.adjustments import ADJUSTMENT
from core.calc.billing.price_limits import LIMIT
from core.calc.breakdown import Part, units
from core.domain.periods import Timing
from core.domain.plans import ChargeKind
from core.reports.invoices import Explained
from core.store.tables import DocumentLine, SubscriptionChange, core_table


class Why(StrEnum):
    """What a part of a line says beyond its price (`breakdown.Says`): English templates, translated at the edge."""

    DAYS = "{days} of {period_days} days of the period"
    PAUSED = "Paused from {start}: {reason}"
    PAUSED_SPAN = "Paused {start} to {last}: {reason}"
    CREDIT_DAYS = "Given back: {days} of {period_days} days of the period"
    BEFORE = "Billed before on {number}"
    COMMITMENT = "The minimum that was agreed for the period: {minimum}"
    USED = "The other charges of the period count towards it"
    LIMIT_CAP = "So far at most {share} % more than by the earlier prices"
    LIMIT_FLOOR = "So far at most {share} % less than by the earlier prices"
    LIMIT_AFTER = "The same by the new prices, before discounts"
    LIMIT_BEFORE = "The limit so far"
    LIMIT_SHARE = "Part of the limit: at most {share} % more than by the earlier prices"
    LIMIT_FLOOR_SHARE = "Part of the limit: at most {share} % less than by the earlier prices"
    LIMIT_CHANGED = "The limit changes with what it limits"
    LIMIT_OVER = "Nothing of the limit is needed any more for the period"
    AMOUNT = "The amount as it was agreed then"
    ADJUSTMENT = "Agreed with you, once"
    COUPON = "Discount: {coupon}"
    INCLUDED_VAT = "VAT of {rate} % is inside the price"


@dataclass(frozen=True)
class LimitReasons:
    """The limits of one document."""

    session: Session
    view: Explained

    def parts(self, line: dict[str, Any]) -> list[Part]:
        """What the period may come to, less what it comes to, less what was taken off before; or its share of that."""
        amount = line["amount_minor"]
        if line["revision"] or line["corrects_id"]:
            return [Part(amount, (Why.LIMIT_CHANGED,))]
        cap_ppm, floor_ppm = self._terms(line)
        issued_anew = self.view.head["corrects_id"] is not None
        before = 0 if issued_anew else self._billed(line, limits=True)
        total = before + amount
        if total == 0:
            return [Part(amount, (Why.LIMIT_OVER,))]
        is_cap = total < 0
        values = {"share": units((cap_ppm if is_cap else floor_ppm) * 100)}
        if issued_anew or not self._alone(line):
            return [Part(amount, (Why.LIMIT_SHARE if is_cap else Why.LIMIT_FLOOR_SHARE,), values)]
        after = self._billed(line, limits=False)
        says = Why.LIMIT_CAP if is_cap else Why.LIMIT_FLOOR
        parts = [Part(total + after, (says,), values), Part(-after, (Why.LIMIT_AFTER,))]
        return [*parts, Part(-before, (Why.LIMIT_BEFORE,))] if before else parts

    def _terms(self, line: dict[str, Any]) -> tuple[int, int]:
        """Cap and floor of the price change that held, as it was known; 0 where there is none."""
        change = core_table(SubscriptionChange).c
        statement = (
            select(change.cap_ppm, change.floor_ppm)
            .where(
                change.subscription_id == line["subscription_id"],
                change.price_version_id == line["price_version_id"],
                change.earlier_version_id.is_not(None),
                change.effective_on <= line["service_start"],
                change.recorded_at <= self.view.head["recorded_at"],
            )
            .order_by(change.effective_on.desc(), change.id.desc())
        )
        row = self.session.execute(statement).first()
        return (row.cap_ppm or 0, row.floor_ppm or 0) if row else (0, 0)

    def _billed(self, line: dict[str, Any], *, limits: bool) -> int:
        """What the line's period was billed by the same prices up to this document: its earlier limits, or everything else."""
        table = core_table(DocumentLine).c
        ahead = [table.timing == Timing.ADVANCE.value] if line["timing"] == Timing.ADVANCE else []
        others = [ChargeKind.ONE_OFF.value, ADJUSTMENT, LIMIT]
        own = [table.kind == LIMIT, table.id < line["line_id"]] if limits else [table.kind.not_in(others), *ahead]
        statement = select(func.coalesce(func.sum(table.amount_minor), 0)).where(
            table.subscription_id == line["subscription_id"], table.price_version_id == line["price_version_id"],
            table.period_start == line["period_start"], table.counts_as_billed, table.document_id <= self.view.head["id"], *own,
        )  # fmt: skip
        return int(self.session.execute(statement).scalar_one())

    def _alone(self, line: dict[str, Any]) -> bool:
        """Is it the only limit of its period and moment on the document, so that it is about the whole period?"""
        key = ("subscription_id", "period_start", "timing", "kind")
        same = [each for each in self.view.lines.iter_rows(named=True) if all(each[name] == line[name] for name in key)]
        return len(same) == 1
