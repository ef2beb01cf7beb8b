"""A price agreed with one customer, told month by month: asked for, approved by another, in force, run out, taken back."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

import polars as pl
import pytest
from sqlalchemy import Engine

from core.actions import subscriptions
from core.actions.agreed_prices import approve_price, decline_price, propose_price, withdraw_price
from core.actions.plans import retire
from core.domain.access import SYSTEM, Actor, Role
from core.domain.errors import Conflict, InvalidInput, NotPermitted
from core.domain.plans import lowered
from core.reports.ahead import ahead
from core.reports.plans import terms
from core.reports.price_proposals import waiting
from core.reports.proposals import propose
from core.store.engine import reading
from core.store.tables import PriceVersion, SubscriptionChange
from tests.story import Story
from tests.world import SINCE, fixed

SARA, PER = Actor("Sara Støtte", Role.SUPPORT), Actor("Per Produkt", Role.PRODUCT)
LIST, AGREED = 29_900, 24_900


@pytest.fixture
def story(engine: Engine) -> Story:
    """299 kr a month since 1 January, billed."""
    told = Story(engine)
    told.begin(told.plan(fixed("299"), valid_from=SINCE), date(2026, 1, 1))
    told.bill_on(date(2026, 1, 1))
    return told


def ask(story: Story, by: Actor = SARA, **changed: object) -> int:
    """249 kr from 1 February through 30 April."""
    with reading(story.engine) as session:
        own = lowered(terms(session, 1), Decimal(5000) / Decimal(299))
    content = {"subscription_id": 1, "terms": own, "reason": "Toårig avtale", "effective_on": date(2026, 2, 1),
               "expires_on": date(2026, 5, 1), **changed}  # fmt: skip
    story.sent += 1
    answer: int = propose_price(story.engine, by, f"ask {story.sent}", story.now, **content)["price_version_id"]
    return answer


def approve(story: Story, version_id: int, by: Actor = PER) -> None:
    story.sent += 1
    approve_price(story.engine, by, f"approve {story.sent}", story.now, price_version_id=version_id)


MONTHS = [date(2026, month, 1) for month in range(2, 7)]


def test_an_agreed_price_holds_for_three_months_and_runs_out(story: Story) -> None:
    approve(story, ask(story))
    story.bill_on(*MONTHS)
    assert story.amounts() == [LIST, AGREED, AGREED, AGREED, LIST, LIST]


def test_nothing_changes_until_another_person_has_approved_it(story: Story) -> None:
    boss = Actor("Anne Admin", Role.ADMIN)
    version_id = ask(story, by=boss)
    with pytest.raises(NotPermitted, match="second person"):
        approve(story, version_id, by=boss)
    with pytest.raises(NotPermitted):
        approve(story, version_id, by=SARA)
    story.bill_on(MONTHS[0])
    assert story.amounts() == [LIST, LIST]


def test_what_the_approver_is_shown_is_what_is_billed(story: Story) -> None:
    version_id = ask(story)
    with reading(story.engine) as session:
        assert [row["reason"] for row in waiting(session)] == ["Toårig avtale"]
        shown = propose(session, "approve_price", pl.DataFrame({"price_version_id": [version_id]}), story.day)
        coming = ahead(session, [story.documents()[0].customer_id], story.day, shown, 4)
    assert coming.documents["net_minor"].to_list() == [AGREED, AGREED, AGREED, LIST]
    approve(story, version_id)
    story.bill_on(*MONTHS[:4])
    assert story.amounts()[1:] == [AGREED, AGREED, AGREED, LIST]


def test_the_price_runs_out_to_prices_that_nobody_is_offered_any_more(story: Story) -> None:
    retire(story.engine, SYSTEM, "retire", story.now, price_version_id=1)
    approve(story, ask(story))
    story.bill_on(*MONTHS)
    assert story.amounts()[-2:] == [LIST, LIST]


def test_a_proposal_can_be_dropped_and_leaves_nothing(story: Story) -> None:
    withdraw_price(story.engine, SARA, "drop", story.now, price_version_id=ask(story))
    decline_price(story.engine, PER, "decline", story.now, price_version_id=ask(story))
    assert [row.id for row in story.rows(PriceVersion)] == [1]
    with reading(story.engine) as session:
        assert waiting(session) == []


def test_another_persons_proposal_is_not_support_to_drop(story: Story) -> None:
    other = Actor("Ola Støtte", Role.SUPPORT)
    with pytest.raises(NotPermitted, match="Sara Støtte"):
        withdraw_price(story.engine, other, "drop", story.now, price_version_id=ask(story))


def test_an_agreed_price_is_undone_like_any_change(story: Story) -> None:
    approve(story, ask(story))
    agreed, back = [row.id for row in story.rows(SubscriptionChange) if row.kind == "price"]
    story.take_back(back)
    story.take_back(agreed)
    story.bill_on(*MONTHS)
    assert story.amounts() == [LIST] * 6


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"reason": " "}, "Say why this price was agreed"),
        ({"expires_on": date(2026, 2, 1)}, "must end in the future"),
    ],
)
def test_a_proposal_says_why_and_ends_after_it_begins(story: Story, changed: dict[str, object], said: str) -> None:
    with pytest.raises(InvalidInput, match=said):
        ask(story, **changed)


def test_an_agreed_price_in_closed_or_ended_service_is_refused_at_approval(story: Story) -> None:
    version_id = ask(story)
    story.do(subscriptions.cancel, 1)
    with pytest.raises(Conflict, match="nothing changes after it"):
        approve(story, version_id)
    with reading(story.engine) as session:
        assert len(waiting(session)) == 1
