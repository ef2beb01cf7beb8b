"""What is shown before a change is confirmed is what the next runs bill, to the minor unit, on hundreds of random changes."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, timedelta
from typing import Any

import polars as pl
import pytest
from sqlalchemy import Engine

from core.actions import subscriptions as actions
from core.actions.command import COMMANDS
from core.domain.errors import ForbliError
from core.reports.ahead import Ahead, ahead
from core.reports.proposals import DECIDE, Proposal, propose
from core.store.engine import reading
from core.store.tables import Command, Revision, SubscriptionChange
from tests.scenarios.test_random_stories import RandomStory
from tests.story import MICRO, Story, frame
from tests.world import charge, fixed, tier

LINE = ["subscription_id", "price_version_id", "charge_id", "kind", "service_start", "service_end", "period_start",
        "period_end", "revision", "quantity_micro", "period_amount_minor", "amount_minor", "discount_minor", "net_minor",
        "tax_treatment", "tax_rate_ppm"]  # fmt: skip
Row = tuple[Any, ...]


class Foreseen(RandomStory):
    """Every change of a subscription is previewed, carried out, and billed on the days that the preview named."""

    def __init__(self, engine: Engine, seed: int, turns: int) -> None:
        super().__init__(engine, seed)
        self.turns, self.compared, self.refused = turns, 0, 0

    def foresee(self, action: Any, requests: pl.DataFrame, owner: int) -> None:
        """Preview, act, bill, compare; what the preview refuses the action refuses in the same words."""
        name = action.action.removeprefix("subscriptions.")
        with reading(self.story.engine) as session:
            proposal = propose(session, name, requests, self.story.day)
            coming = ahead(session, [owner], self.story.day, proposal, self.turns)
        if proposal.refused:
            self.refused += 1
            with pytest.raises(ForbliError) as said:
                self.story.send(action, requests=requests)
            assert str(said.value) == str(proposal.refused[0]["error"])
            raise said.value
        self.story.send(action, requests=requests)
        for day in days_of(coming):
            known = {row.id for row in self.story.documents()}
            self.story.bill_on(day)
            new = [row for row in self.story.documents() if row.id not in known and row.customer_id == owner]
            assert stored(self.story, new) == expected(coming, day), (name, requests.to_dicts(), day)
            self.compared += 1

    def about(self, action: Any, **columns: Any) -> None:
        chosen = self.random.choice(self.subscriptions)
        self.foresee(action, frame(subscription_id=chosen, **columns), self.owner(chosen))

    def undo(self) -> None:
        kinds = [row for row in self.story.rows(SubscriptionChange) if row.kind != "undo"]
        chosen = self.random.choice(kinds[-6:])
        self.foresee(actions.undo, frame(change_id=chosen.id), self.owner(chosen.subscription_id))

    def owner(self, subscription_id: int) -> int:
        from core.store.tables import Subscription

        return next(row.customer_id for row in self.story.rows(Subscription) if row.id == subscription_id)


def days_of(coming: Ahead) -> list[date]:
    """The days on which a run was supposed."""
    return coming.days["day"].unique().sort().to_list()


def expected(coming: Ahead, day: date) -> tuple[list[Row], list[Row]]:
    """Documents and lines of a day as the preview has them."""
    documents = coming.documents.filter(pl.col("day") == day)
    heads = documents.select("currency", "kind", pl.col("net_minor", "tax_minor", "total_minor").abs()).rows()
    lines = coming.lines.filter(pl.col("day") == day).select(LINE).rows()
    return sorted(heads), sorted(lines, key=repr)


def stored(story: Story, documents: list[Any]) -> tuple[list[Row], list[Row]]:
    """The same of issued documents."""
    heads = [(row.currency, row.kind, row.net_minor, row.tax_minor, row.total_minor) for row in documents]
    ids = {row.id for row in documents}
    lines = [tuple(getattr(line, name) for name in LINE) for line in story.lines() if line.document_id in ids]
    return sorted(heads), sorted(lines, key=repr)


def live(engine: Engine, seed: int, steps: int, turns: int) -> Foreseen:
    told = Foreseen(engine, seed, turns)
    told.begin()
    told.begin()
    for _ in range(steps):
        told.step()
    return told


@pytest.mark.parametrize("seed", range(4))
def test_the_next_runs_bill_what_was_shown(sqlite_engine: Engine, seed: int) -> None:
    told = live(sqlite_engine, seed, steps=30, turns=2)
    assert told.compared > 3


def test_the_next_runs_bill_what_was_shown_on_both_databases(engine: Engine) -> None:
    assert live(engine, seed=99, steps=15, turns=3).compared > 1


def test_every_change_can_be_foreseen() -> None:
    named = {name.removeprefix("subscriptions.") for name in COMMANDS if name.startswith("subscriptions.")}
    assert {*DECIDE, "start", "undo"} == named


@pytest.fixture
def told(engine: Engine) -> Story:
    return Story(engine)


def foreseen(story: Story, action: str, owner: int, turns: int = 1, **columns: Any) -> tuple[Proposal, Ahead]:
    with reading(story.engine) as session:
        proposal = propose(session, action, frame(**columns), story.day)
        return proposal, ahead(session, [owner], story.day, proposal, turns)


def test_an_upgrade_in_the_middle_of_june_is_seen_before_it_is_made(told: Story) -> None:
    basic, pro = told.plan(fixed("300"), plan_id=told.ranked(1)), told.plan(fixed("600"), plan_id=told.ranked(2))
    ada = told.customer()
    subscription = told.begin(basic, date(2026, 6, 1), customer_id=ada)
    told.bill_on(date(2026, 6, 1))
    told.on(date(2026, 6, 16))
    _, coming = foreseen(told, "change_price", ada, turns=2, subscription_id=subscription, price_version_id=pro)
    # 15 of 30 days: 150 kr back, 300 kr more; then 600 kr a month.
    assert coming.documents.select("turn", "day", "net_minor", "tax_minor").rows() == [
        (1, date(2026, 6, 16), 15_000, 3_750),
        (2, date(2026, 7, 1), 60_000, 15_000),
    ]


def test_seats_of_a_limited_price_are_seen_as_they_are_billed(told: Story) -> None:
    old, new = (told.plan(charge("seat", "seat", "per_unit", tier(unit=unit))) for unit in ("100", "200"))
    ada = told.customer()
    subscription = told.begin(old, date(2026, 5, 1), quantity=3, customer_id=ada)
    told.change(subscription, "price", date(2026, 6, 1), price_version_id=new, earlier_version_id=old, cap_ppm=100_000)
    told.bill_on(date(2026, 5, 1), date(2026, 6, 1))
    told.on(date(2026, 6, 16))
    asked = {"subscription_id": subscription, "quantity_micro": 5 * MICRO, "effective_on": date(2026, 6, 16)}
    _, coming = foreseen(told, "change_quantity", ada, turns=2, **asked)
    # Two seats more at 110 kr for 15 of 30 days, then five of them.
    assert coming.documents["net_minor"].to_list() == [11_000, 55_000]
    told.do(actions.change_quantity, **asked)
    for day in days_of(coming):
        known = {row.id for row in told.documents()}
        told.bill_on(day)
        assert stored(told, [row for row in told.documents() if row.id not in known]) == expected(coming, day)


def test_a_new_subscription_is_seen_before_it_exists(told: Story) -> None:
    ada = told.customer()
    told.on(date(2026, 6, 16))
    _, coming = foreseen(
        told, "start", ada, customer_id=ada, price_version_id=told.plan(fixed("300")), start_on=date(2026, 7, 1),
        quantity_micro=MICRO,
    )  # fmt: skip
    assert coming.documents.select("day", "net_minor").rows() == [(date(2026, 7, 1), 30_000)]


def test_looking_ahead_writes_nothing(told: Story) -> None:
    subscription = told.begin(told.plan(fixed("300")), date(2026, 6, 1), customer_id=(ada := told.customer()))
    before = (told.rows(Command), told.rows(Revision), told.rows(SubscriptionChange))
    foreseen(told, "cancel", ada, subscription_id=subscription)
    assert (told.rows(Command), told.rows(Revision), told.rows(SubscriptionChange)) == before


def test_many_customers_are_seen_at_once_each_on_its_own_day(told: Story) -> None:
    plan, owners = told.plan(fixed("300")), [told.customer() for _ in range(3)]
    for day, owner in enumerate(owners, start=1):
        told.begin(plan, date(2026, 6, day), customer_id=owner)
        told.bill_on(date(2026, 6, day))
    told.on(date(2026, 6, 16))
    with reading(told.engine) as session:
        coming = ahead(session, owners, told.day, turns=2)
    days: Callable[[int], list[date]] = lambda month: [date(2026, month, day) for day in (1, 2, 3)]  # noqa: E731
    assert sorted(coming.documents["day"].to_list()) == [*days(7), *days(8)]
    assert coming.documents["document"].n_unique() == 6


def test_nothing_comes_for_a_customer_without_subscriptions(told: Story) -> None:
    with reading(told.engine) as session:
        assert ahead(session, [told.customer()], told.day + timedelta(days=1)).documents.is_empty()
