"""One-off charges and goodwill credits as lines of a draft.

They stand beside what the plan costs: no coupon is taken off them, nothing reconciles them, they never count as billed
service (billing.md, Decisions: goodwill is never billed again). VAT follows the rules of their category.
"""

from __future__ import annotations

from datetime import date

import polars as pl

from core import frames
from core.calc.pricebook import MICRO
from core.domain.periods import Timing
from core.domain.subscriptions import AdjustmentKind

ADJUSTMENT = "adjustment"
_DAY = pl.duration(days=1)


def adjustment_lines(adjustments: pl.DataFrame, through: date) -> pl.DataFrame:
    """LINES of ADJUSTMENTS whose day has come: a credit with negative amount and quantity (documents.md, rule 3)."""
    due = adjustments.filter(pl.col("effective_on") <= through)
    sign = pl.when(pl.col("kind") == AdjustmentKind.GOODWILL).then(-1).otherwise(1)
    amount = pl.col("amount_minor") * sign
    day = pl.col("effective_on")
    lines = due.with_columns(
        kind=pl.lit(ADJUSTMENT), service_start=day, service_end=day + _DAY, period_start=day, period_end=day + _DAY,
        timing=pl.lit(Timing.ADVANCE.value), due_on=day, quantity_micro=sign * pl.lit(MICRO, dtype=pl.Int64),
        period_amount_minor=amount, period_discount_minor=pl.lit(0), amount_minor=amount, discount_minor=pl.lit(0),
        revision=pl.lit(0),
    )  # fmt: skip
    return frames.conform(lines, frames.LINES)
