"""A small company whose subscriptions live through the product's own actions; what tests/world.py writes by hand is done here.

story = Story(engine)
ada = story.begin(story.plan(fixed("310")), date(2026, 1, 1))
story.on(date(2026, 1, 11)).do(cancel, ada)
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any, Self

import polars as pl

from core.actions import subscriptions
from core.domain.access import SYSTEM
from core.store.tables import CurrencyRate, Plan
from tests.world import STAMP, World

MICRO = 10**6


def frame(**columns: Any) -> pl.DataFrame:
    """A batch of requests; a single value is a batch of one."""
    return pl.DataFrame({name: value if isinstance(value, list) else [value] for name, value in columns.items()})


@dataclass
class Story(World):
    """The company, told day by day."""

    sent: int = 0

    def on(self, day: date) -> Self:
        """Move on to a day."""
        self.now = datetime(day.year, day.month, day.day, 12, tzinfo=UTC)
        return self

    @property
    def day(self) -> date:
        """Today."""
        return self.now.date()

    def ranked(self, rank: int) -> int:
        """A plan of a rank, for prices to belong to."""
        self.count += 1
        return self.add(Plan, code=f"rank {rank} {self.count}", name="Plan", rank=rank)

    def rate(self, currency: str, rate: str) -> None:
        """What a currency is worth in kroner."""
        self.add(CurrencyRate, currency=currency, on_date=date(2020, 1, 1), rate=rate, **STAMP)

    def send(self, action: Any, **content: Any) -> dict[str, Any]:
        """Send a batch of requests."""
        self.sent += 1
        answer: dict[str, Any] = action(self.engine, SYSTEM, f"story {self.sent}", self.now, **content)
        return answer

    def do(self, action: Any, subscription_id: int, **columns: Any) -> int:
        """One request about a subscription; answers the id of its change."""
        answer = self.send(action, requests=frame(subscription_id=subscription_id, **columns))
        return int(answer["change_ids"][0])

    def take_back(self, change_id: int) -> int:
        """Undo a change."""
        return int(self.send(subscriptions.undo, requests=frame(change_id=change_id))["change_ids"][0])

    def begin(
        self, version_id: int, on: date, quantity: int = 1, customer_id: int | None = None, **columns: Any
    ) -> int:
        """A new subscription from a day on, told on that day."""
        self.on(on)
        customer = customer_id or self.customer()
        asked = frame(
            customer_id=customer, price_version_id=version_id, start_on=on, quantity_micro=quantity * MICRO, **columns
        )
        return int(self.send(subscriptions.start, requests=asked)["subscription_ids"][0])

    def bill_on(self, *days: date) -> None:
        """Bill day by day."""
        for day in days:
            self.on(day).bill(day)

    def amounts(self, subscription_id: int | None = None) -> list[int]:
        """Net amounts of all lines in order, of one subscription or of all."""
        return [line.net_minor for line in self.lines() if subscription_id in (None, line.subscription_id)]
