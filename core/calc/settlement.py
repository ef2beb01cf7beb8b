"""What is left to pay of each document: credits and payments settle what they name, then the oldest that is open.

Amounts are minor units, positive where something is owed and negative where the payer has something to get. Everything of one
payer and currency is settled together, so that what is left adds up to the receivable. Rule: billing.md, Decisions.
"""

from __future__ import annotations

import polars as pl

_PURSE = ["payer_id", "currency"]
CLAIMS = {
    "payer_id": pl.Int64, "currency": pl.String, "document_id": pl.Int64, "on_date": pl.Date, "amount_minor": pl.Int64,
}  # fmt: skip


def settled(claims: pl.DataFrame) -> pl.DataFrame:
    """CLAIMS with `open_minor`. A row is a document less what was paid on it, or money without a document (document_id null).

    What is negative pays what is positive, oldest first on both sides; `open_minor` is what is left of either.
    """
    amount, open_ = pl.col("amount_minor"), pl.col("open_minor")
    ordered = claims.sort(*_PURSE, "on_date", "document_id", nulls_last=True)
    owed, given = amount.clip(lower_bound=0), (-amount).clip(lower_bound=0)
    used = pl.min_horizontal(owed.sum().over(_PURSE), given.sum().over(_PURSE))
    # Of each row's amount, what lies within the first `used` of its side is settled.
    left = ordered.with_columns(_used=used, _owed=owed.cum_sum().over(_PURSE), _given=given.cum_sum().over(_PURSE))
    still_owed = pl.min_horizontal(owed, (pl.col("_owed") - pl.col("_used")).clip(lower_bound=0))
    still_given = pl.min_horizontal(given, (pl.col("_given") - pl.col("_used")).clip(lower_bound=0))
    told = left.with_columns(open_minor=still_owed - still_given).drop("_used", "_owed", "_given")
    assert told.select((amount.sum() == open_.sum()).all()).item(), "what is left adds up to what is owed"
    return told
