"""What the demo's author remembers of the customers and subscriptions made so far: columns of equal length, one row each.

The database is the truth; this is only what is needed to decide what people do next. Days are numpy datetime64[D].
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

NEVER = np.datetime64("9999-12-31")
LONG_AGO = np.datetime64("1900-01-01")
CUSTOMER = {
    "id": np.int64, "business": np.bool_, "payment": "U16", "channel": "U16", "onboarded": np.bool_,
    "unresolved_on": "M8[D]", "created_on": "M8[D]", "country": "U2",
}  # fmt: skip
SUBSCRIPTION = {
    "id": np.int64, "customer": np.int64, "offer": "U16", "version": np.int64, "quantity": np.int64,
    "addon": "U16", "begins": "M8[D]", "ends": "M8[D]", "paused_until": "M8[D]", "cause": "U12",
    "trial_leaver": np.bool_, "migrated_on": "M8[D]", "own_price": np.bool_,
}  # fmt: skip
Column = npt.NDArray[Any]


class Book:
    """Columns that grow by whole batches; `book["ends"]` is a column."""

    def __init__(self, schema: dict[str, Any]) -> None:
        self.columns: dict[str, Column] = {name: np.empty(0, dtype=kind) for name, kind in schema.items()}

    def __getitem__(self, name: str) -> Column:
        return self.columns[name]

    def __len__(self) -> int:
        return len(self.columns["id"])

    def add(self, **values: Any) -> npt.NDArray[np.int64]:
        """Append rows; every column must be given. Answers their positions."""
        assert set(values) == set(self.columns), f"missing {set(self.columns) - set(values)}"
        before, count = len(self), len(values["id"])
        for name, column in self.columns.items():
            new = np.broadcast_to(np.asarray(values[name]).astype(column.dtype), (count,))
            self.columns[name] = np.concatenate([column, new])
        return np.arange(before, before + count)


def month_number(day: Any) -> Any:
    """Months since year 0 of days."""
    return np.asarray(day).astype("M8[M]").astype(np.int64)


def day_of_month(day: Any) -> Any:
    """1 to 31."""
    at = np.asarray(day).astype("M8[D]")
    return (at - at.astype("M8[M]").astype("M8[D]")).astype(np.int64) + 1


def boundary_in(first: np.datetime64, day: Column) -> Column:
    """The day of the month `day` after the month's first day, up to and with the first of the next month.

    Billing day 1 has its boundary on the first of the next month: who leaves then has decided in this one.
    """
    following = (first.astype("M8[M]") + 1).astype("M8[D]")
    length = (following - first).astype(np.int64)
    inside = first + (np.minimum(day, length) - 1).astype("m8[D]")
    at: Column = np.where(day == 1, following, inside)
    return at
