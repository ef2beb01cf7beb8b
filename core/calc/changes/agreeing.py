"""A price agreed with one subscription: in force from its day, and back to what held without it when it runs out."""

from __future__ import annotations

from dataclasses import replace

import polars as pl

from core import frames
from core.calc.changes.deciding import Decision, asked, facts, together
from core.calc.changes.standing import SUB, Circumstances, identified, standing
from core.calc.changes.terms import decide_price
from core.domain.plans import PriceStatus
from core.domain.subscriptions import ChangeKind

AGREED_REQUESTS: frames.Schema = {
    SUB: pl.Int64, "price_version_id": pl.Int64, "effective_on": pl.Date, "expires_on": pl.Date,
}  # fmt: skip


def decide_agreed(requests: pl.DataFrame, c: Circumstances) -> Decision:
    """The agreed prices from their day on, drafts as if they were published; on `expires_on` the prices that held before.

    Those prices come back even when nobody is offered them any more: the subscription never gave them up.
    """
    wanted = asked(requests, AGREED_REQUESTS)
    own = c.offers["price_version_id"].is_in(wanted["price_version_id"].implode())
    published = pl.when(own).then(pl.lit(PriceStatus.PUBLISHED.value)).otherwise("status")
    known = replace(c, offers=c.offers.with_columns(status=published))
    first = decide_price(requests.select(SUB, "price_version_id", "effective_on"), known)
    before = standing(identified(wanted, known), known, "effective_on").filter(
        pl.col("expires_on").is_not_null()
        & (pl.col("expires_on") < pl.col("ends_on"))
        & pl.col("row").is_in(first.facts["row"].implode())
    )
    back = facts(before, ChangeKind.PRICE, price_version_id="current_id", effective_on="expires_on")
    return Decision(together(first.facts, back), first.refused)
