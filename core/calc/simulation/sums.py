"""Sums of many alike amounts, exact in 64 bits."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import polars as pl
from scipy.sparse import csr_array, hstack

from core.calc.arithmetic import largest, sums_at
from core.calc.threads import side_by_side


@dataclass(frozen=True)
class Sums:
    """Sums of picked amounts: laid out once, then any amounts are picked and added up in one pass. `most` amounts make up one sum."""

    halves: tuple[csr_array, csr_array]
    places: pl.Series
    most: int

    @classmethod
    def laid_out(cls, *picks: csr_array, near: pl.Series) -> Sums:
        """One sum a row, over amounts that stand behind each other as the `picks` do side by side.

        Rows that are alike in `near` pick amounts that lie close together, so they are worked out after each other.
        """
        order, rows = near.arg_sort(), hstack(picks, format="csr")
        rows, half = rows[order.to_numpy()], order.len() // 2
        most = int(rows.sum(axis=1).max()) if rows.nnz else 0
        return cls((rows[:half], rows[half:]), order.arg_sort(), most)

    def of(self, *amounts: pl.Series) -> pl.Series:
        """Every sum of these amounts, in the order of `picks`."""
        each = np.concatenate([part.to_numpy() for part in amounts])
        if self.most * max(map(largest, amounts)) < 2**31:
            each = each.astype(np.int32)  # half as much to read
        one, other = self.halves
        sums = np.concatenate(side_by_side(lambda: one @ each, lambda: other @ each, rows=one.nnz)).astype(np.int64)
        return pl.Series(sums).gather(self.places)


def picked(at: pl.Series, ends: pl.Series, size: int, times: pl.Series | None = None) -> csr_array:
    """Row i picks the amounts at `at` up to ends[i] since the end before, out of so many, and counts them so many times (once)."""
    number = np.int32 if max(at.len(), size) < 2**31 else np.int64
    counts = np.ones(at.len(), dtype=np.int32) if times is None else times.cast(pl.Int32).to_numpy()
    upto = np.concatenate(([0], ends.to_numpy())).astype(number)
    return csr_array((counts, at.to_numpy().astype(number), upto), shape=(ends.len(), size))


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
    return pl.Series(sums_at(at, size, amounts))
