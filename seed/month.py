"""One month of the demo company: its days, and how its commands are sent. The other modules fill it.

A month's facts are recorded on its last day (the last month's on `as_of`) and count from days inside it; billing follows on
the first of the next.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl

from seed import happenings
from seed.archetypes import Bools
from seed.book import Column, boundary_in, day_of_month

if TYPE_CHECKING:
    from seed.life import Life

RECORDED_AT = 1  # hour of the day; rates and the first of the month's bills come before it, the last bills after it


class Month:
    """One month's commands."""

    def __init__(self, life: Life, month: int) -> None:
        self.life, self.month, self.story = life, month, life.story
        self.rng = np.random.default_rng([life.story.order.seed, month])
        self.first = np.datetime64(self.story.firsts[month])
        self.last_date = self.story.last_day(month)
        self.last = np.datetime64(self.last_date)
        self.customers, self.subs = life.customers, life.subscriptions
        self.bills = self.last_date > self.story.opening

    def do(self, action: Any, name: str, who: str = "support", **content: Any) -> Any:
        """A command of this month, recorded on its last day."""
        return self.story.do(action, f"{self.month}/{name}", self.last_date, at=RECORDED_AT, who=who, **content)

    def send(self, action: Any, name: str, **columns: Any) -> Any:
        """A batch; nothing when it is empty."""
        requests = pl.DataFrame({key: pl.Series(values) for key, values in columns.items()})
        return self.do(action, name, requests=requests) if requests.height else {"change_ids": []}

    def some_day(self, count: int, since: Column | None = None) -> Column:
        """Days of this month that have come, not before `since`."""
        earliest = self.first if since is None else np.maximum(since, self.first)
        span = (self.last - earliest).astype(np.int64) + 1
        return earliest + (self.rng.random(count) * span).astype(np.int64).astype("m8[D]")

    def ticks(self) -> Column:
        """The billing boundary of each subscription in this month."""
        by_calendar = happenings.of_offer(self.subs["offer"], "calendar")
        return boundary_in(self.first, np.where(by_calendar, 1, day_of_month(self.subs["begins"])))

    def end_of_period(self, tick: Column) -> Column:
        """Weekly plans end with their week, the others at the boundary."""
        days = (tick - self.subs["begins"]).astype(np.int64)
        weekly = self.subs["begins"] + (-(-days // 7) * 7).astype("m8[D]")
        return np.where(happenings.of_offer(self.subs["offer"], "months") == 0, weekly, tick)

    def drawn(self, steady: Bools, chance: Column | float, among: Bools | bool = True) -> Column:
        """Rows of those who do it this month; they do nothing else."""
        where = np.flatnonzero(steady & among & (self.rng.random(len(self.subs)) < chance))
        steady[where] = False
        return where
