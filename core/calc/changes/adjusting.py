"""One-off charges and goodwill credits as they may be asked for."""

from __future__ import annotations

import polars as pl

from core import frames
from core.calc.changes.deciding import asked, bad_choice, sorted_out, unstorable
from core.calc.changes.standing import SUB, Circumstances, identified, standing
from core.domain.money import MAX_MINOR
from core.domain.subscriptions import AdjustmentKind, Refusal

ADJUSTMENT_REQUESTS: frames.Schema = {
    SUB: pl.Int64, "kind": pl.String, "amount_minor": pl.Int64, "text": pl.String, "effective_on": pl.Date,
    "vat_category": pl.String, "reason": pl.String,
}  # fmt: skip
LONGEST = 200


def decide_adjustments(requests: pl.DataFrame, c: Circumstances) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Adjustments that may be stored (ADJUSTMENT_REQUESTS + row, price_version_id), and refused requests with their code.

    They may be billed after the end too, at the prices that held last; `effective_on` is today where it is not given.
    """
    rows = identified(asked(requests, ADJUSTMENT_REQUESTS), c).with_columns(
        pl.coalesce("effective_on", "today_on").alias("effective_on"),
        pl.col("text", "reason").fill_null("").str.strip_chars(),
        pl.col("vat_category").fill_null("standard"),
    )
    last = c.track.quantity.group_by(SUB).agg(last_price_id=pl.col("price_version_id").sort_by("start").last())
    rows = standing(rows, c, "effective_on").join(last, on=SUB, how="left", maintain_order="left")
    wrong, which = bad_choice(kind=AdjustmentKind)
    amount, text, on = pl.col("amount_minor"), pl.col("text"), pl.col("effective_on")
    good, refused = sorted_out(
        rows.with_columns(bad_choice=which, price_version_id=pl.coalesce("current_id", "last_price_id")),
        [
            (Refusal.NOT_FOUND, pl.col("external_id").is_null()),
            (Refusal.NEVER_STARTED, pl.col("started_on").is_null()),
            (Refusal.BAD_CHOICE, wrong | pl.col("kind").is_null()),
            (Refusal.NO_AMOUNT, amount.is_null() | (amount <= 0) | (amount > MAX_MINOR // 1000)),
            (Refusal.NO_TEXT, text == ""),
            (Refusal.LONG_TEXT, text.str.len_chars() > LONGEST),
            (Refusal.NUL, unstorable("text", "reason")),
            (Refusal.BEFORE_START, on < pl.col("started_on")),
            (Refusal.BOOKS_CLOSED, on <= pl.col("closed_through")),
        ],
    )
    return good.select("row", "price_version_id", *ADJUSTMENT_REQUESTS, "currency"), refused
