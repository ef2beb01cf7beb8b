"""Documents that somebody should look at before they are issued: beyond the company's limits (trust.md, safety bounds)."""

from __future__ import annotations

import polars as pl

from core.domain.invoices import Review


def unusual(documents: pl.DataFrame, above_minor: int, lines_above: int) -> pl.DataFrame:
    """customer_id, code of the customers with a document above a limit. In: `documents` of a draft."""
    code = (
        pl.when(pl.col("total_minor").abs() > above_minor).then(pl.lit(Review.LARGE_AMOUNT.value))
        .when(pl.col("lines") > lines_above).then(pl.lit(Review.MANY_LINES.value))
    )  # fmt: skip
    heads = documents.select("customer_id", code=code)
    return heads.filter(pl.col("code").is_not_null()).unique(maintain_order=True)
