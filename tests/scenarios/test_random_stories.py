"""Random lives of subscriptions: whatever happens in whatever order, the books hold and a second run finds nothing."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, datetime, timedelta
from random import Random
from typing import Any

import pytest
from sqlalchemy import Engine

from core.actions import subscriptions as actions
from core.actions.crediting import credit
from core.actions.usage import record_usage
from core.domain.errors import ForbliError
from core.domain.subscriptions import ChangeKind
from core.store.tables import SubscriptionChange
from tests.story import MICRO, Story, frame
from tests.world import assert_books_hold, charge, fixed, tier

STEPS = 45
Step = Callable[["RandomStory"], object]


class RandomStory:
    """Three customers, four price lists of two plans, two coupons; every step is random and may be refused."""

    def __init__(self, engine: Engine, seed: int) -> None:
        self.random = Random(seed)
        self.story = Story(engine).on(date(2026, 1, 1) + timedelta(days=self.random.randrange(31)))
        low, high = self.story.ranked(1), self.story.ranked(2)
        extra = charge("extra", "addon", "per_unit", tier(unit="7"))
        seats = charge("seat", "seat", "graduated", tier(up_to="3", unit="10"), tier(unit="5"))
        kwh = charge("kwh", "usage", "per_unit", tier(unit="0.5"), meter="kwh")
        self.versions = [
            self.story.plan(fixed("310"), extra, plan_id=low),
            self.story.plan(fixed("3650"), extra, plan_id=low, interval_unit="year"),
            self.story.plan(seats, extra, kwh, plan_id=high),
            self.story.plan(fixed("90"), seats, extra, kwh, plan_id=high, alignment="calendar", minimum_minor=20_000),
        ]
        self.coupons = [
            self.story.coupon(kind="percent", rate_ppm=250_000, duration="periods", periods=2),
            self.story.coupon(kind="amount", amount_minor=5_000, currency="NOK", scope="invoice", duration="once"),
        ]
        self.customers = [self.story.customer() for _ in range(3)]
        self.subscriptions: list[int] = []
        self.told: list[str] = []

    def near(self) -> date:
        """A day around today."""
        return self.story.day + timedelta(days=self.random.randint(-20, 25))

    def about(self, action: Any, **columns: Any) -> None:
        """An action on a random subscription."""
        self.story.do(action, self.random.choice(self.subscriptions), **columns)

    def credit(self) -> str:
        return self.random.choice(["none", "credit"])

    def begin(self) -> None:
        """A subscription that starts around today, perhaps with a trial."""
        asked = frame(
            customer_id=self.random.choice(self.customers), price_version_id=self.random.choice(self.versions),
            start_on=self.near(), quantity_micro=self.random.randint(1, 6) * MICRO,
            trial_days=self.random.choice([0, 0, 14]),
        )  # fmt: skip
        self.subscriptions += self.story.send(actions.start, requests=asked)["subscription_ids"]

    def change_price(self) -> None:
        day = self.random.choice([{}, {"effective_on": self.near()}])
        self.about(actions.change_price, price_version_id=self.random.choice(self.versions), **day)

    def change_quantity(self) -> None:
        self.about(
            actions.change_quantity, quantity_micro=self.random.randint(0, 9) * MICRO // 2, effective_on=self.near()
        )

    def change_addon(self) -> None:
        self.about(
            actions.change_addon,
            item="extra",
            quantity_micro=self.random.randint(0, 2) * MICRO,
            effective_on=self.near(),
        )

    def pause(self) -> None:
        start = self.near()
        until = {"until_on": start + timedelta(days=self.random.randint(1, 50))} if self.random.random() < 0.5 else {}
        self.about(actions.pause, effective_on=start, credit=self.credit(), **until)

    def resume(self) -> None:
        self.about(actions.resume, effective_on=self.near())

    def cancel(self) -> None:
        day = self.random.choice([{}, {"effective_on": self.near()}])
        self.about(actions.cancel, credit=self.credit(), **day)

    def coupon(self) -> None:
        action = self.random.choice([actions.grant_coupon, actions.grant_coupon, actions.end_coupon])
        self.about(action, coupon_id=self.random.choice(self.coupons), effective_on=self.near())

    def undo(self) -> None:
        kinds = [row.id for row in self.story.rows(SubscriptionChange) if row.kind != ChangeKind.UNDO]
        self.story.take_back(self.random.choice(kinds[-6:]))

    def use(self) -> None:
        at = datetime.combine(self.near(), self.story.now.timetz())
        event = frame(source_id=f"u{self.story.sent}", subscription_id=self.random.choice(self.subscriptions), meter="kwh",
                      occurred_at=at, quantity_micro=self.random.randint(1, 300) * MICRO)  # fmt: skip
        self.story.send(record_usage, requests=event)

    def wait(self) -> None:
        self.story.on(self.story.day + timedelta(days=self.random.randint(1, 20)))

    def bill(self) -> None:
        """Bill today; a minute later nothing is left."""
        day = self.story.day + timedelta(days=1)
        self.story.bill_on(day)
        assert self.story.bill(day).documents == 0, "a second run finds nothing"

    def take_invoice_back(self) -> None:
        """A full credit of a random document; refused where nothing is left of it."""
        some = [row.id for row in self.story.documents()]
        self.story.send(credit, document_ids=self.random.sample(some, min(1, len(some))))

    def step(self) -> None:
        """One random step; a refusal is fine, it changes nothing."""
        steps: list[Step] = [
            type(self).change_price, type(self).change_quantity, type(self).change_addon, type(self).pause,
            type(self).resume, type(self).cancel, type(self).coupon, type(self).undo, type(self).use,
            type(self).take_invoice_back,
        ]  # fmt: skip
        often: list[Step] = [type(self).begin, *[type(self).wait] * 4, *[type(self).bill] * 5]
        chosen = self.random.choice([*steps, *often])
        try:
            chosen(self)
            self.told.append(f"{self.story.day} {chosen.__name__}")
        except ForbliError as refusal:
            self.told.append(f"{self.story.day} {chosen.__name__}: {refusal}")


@pytest.mark.parametrize("seed", range(8))
def test_whatever_happens_the_books_hold(sqlite_engine: Engine, seed: int) -> None:
    told = RandomStory(sqlite_engine, seed)
    told.begin()
    told.begin()
    for _ in range(STEPS):
        told.step()
    told.bill()
    assert_books_hold(told.story)
