"""Sums of many alike amounts, exact in 64 bits."""

from __future__ import annotations

import numpy as np
import polars as pl


def between(amounts: pl.Series, ends: pl.Series) -> pl.Series:
    """Σ of the amounts up to each end since the end before."""
    upto = ends.to_numpy()
    starts = np.concatenate(([0], upto[:-1])) if upto.size else upto
    sums, some = np.zeros(upto.size, dtype=np.int64), starts < upto
    # Of neighbours where nothing lies between, reduceat would take what comes after: they are left out, and stay 0.
    if some.any():
        sums[some] = np.add.reduceat(amounts.to_numpy(), starts[some])
    return pl.Series(sums)


def summed(size: int, at: pl.Series, amounts: pl.Series) -> pl.Series:
    """Σ of amounts at each of 0 … size − 1."""
    if at.len() == size and bool((at == pl.int_range(size, eager=True)).all()):
        return amounts.cast(pl.Int64)
    sums = pl.DataFrame({"at": at, "amount": amounts}).group_by("at").agg(pl.col("amount").sum())
    return pl.zeros(size, dtype=pl.Int64, eager=True).scatter(sums["at"], sums["amount"].cast(pl.Int64))
