"""Actions on subscriptions, usage and touch points on both databases: batches, answers, repetitions and audit lines."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Any

import polars as pl
import pytest
from sqlalchemy import Engine

from core.actions.subscriptions import (
    cancel,
    change_addon,
    change_price,
    change_quantity,
    end_coupon,
    grant_coupon,
    pause,
    resume,
    start,
)
from core.actions.touch_points import record_touch_points
from core.actions.usage import record_usage
from core.domain.access import SYSTEM
from core.domain.errors import Conflict, InvalidInput, NotFound
from core.store.tables import (
    AuditEntry,
    BillingCursor,
    PriceVersion,
    Subscription,
    SubscriptionChange,
    TouchPoint,
    UsageEvent,
)
from tests.story import MICRO, Story, frame
from tests.world import charge, fixed, tier

JANUARY, ELEVENTH, FEBRUARY = date(2026, 1, 1), date(2026, 1, 11), date(2026, 2, 1)


@pytest.fixture
def story(engine: Engine) -> Story:
    """A company."""
    return Story(engine)


def facts(story: Story) -> list[tuple[int, str, date]]:
    return [(row.subscription_id, row.kind, row.effective_on) for row in story.rows(SubscriptionChange)]


def test_a_start_stores_the_subscription_its_facts_and_the_plans_term(story: Story) -> None:
    ada = story.begin(story.plan(fixed("310")), JANUARY, trial_days=14, external_id="ADA", terms_days=30)

    (row,) = story.rows(Subscription)
    assert (row.id, row.external_id, row.currency, row.started_on, row.terms_days) == (ada, "ADA", "NOK", JANUARY, 30)
    assert facts(story) == [(ada, "start", JANUARY), (ada, "trial", JANUARY)]


def test_history_taken_over_gets_its_cursor(story: Story) -> None:
    ada = story.begin(story.plan(fixed("310")), date(2025, 10, 1), billed_through=date(2025, 12, 31))

    (cursor,) = story.rows(BillingCursor)
    assert (cursor.subscription_id, cursor.opening, cursor.next_due_on) == (ada, date(2025, 12, 31), JANUARY)


def test_one_refused_request_refuses_the_batch_and_stores_nothing(story: Story) -> None:
    ada = story.begin(story.plan(fixed("310")), JANUARY)
    before = facts(story)

    with pytest.raises(NotFound, match="There is no subscription 404"):
        story.send(
            change_quantity,
            requests=frame(subscription_id=[ada, 404], quantity_micro=[2 * MICRO] * 2, effective_on=[ELEVENTH] * 2),
        )
    assert facts(story) == before


def test_partial_stores_the_good_requests_and_tells_why_the_others_were_refused(story: Story) -> None:
    plan = story.plan(fixed("310"))
    ada, bo = story.begin(plan, JANUARY), story.begin(plan, JANUARY)

    answer = story.send(
        change_quantity, partial=True,
        requests=frame(
            subscription_id=[ada, 404, bo], quantity_micro=[2 * MICRO, MICRO, MICRO], effective_on=[ELEVENTH] * 3
        ),
    )  # fmt: skip

    assert facts(story)[2:] == [(ada, "quantity", ELEVENTH)]
    assert answer["change_ids"] == [story.rows(SubscriptionChange)[-1].id]
    assert [(row["row"], row["code"]) for row in answer["refused"]] == [(1, "not_found"), (2, "same_quantity")]
    assert answer["refused"][0]["reason"] == "There is no subscription 404"


def test_the_same_command_again_changes_nothing_and_other_rows_are_a_conflict(story: Story) -> None:
    ada = story.begin(story.plan(fixed("310")), JANUARY)

    def send(seats: int) -> dict[str, Any]:
        requests = frame(subscription_id=ada, quantity_micro=seats * MICRO, effective_on=ELEVENTH)
        answer: dict[str, Any] = change_quantity(story.engine, SYSTEM, "once", story.now, requests=requests)
        return answer

    assert send(2) == send(2)
    assert [kind for _, kind, _ in facts(story)] == ["start", "quantity"]
    with pytest.raises(Conflict, match="already sent with other content"):
        send(3)


def test_every_action_leaves_ids_in_the_audit_chain_and_a_large_batch_one_line(story: Story) -> None:
    plan, customer = story.plan(fixed("310")), story.customer()
    ada = story.begin(plan, JANUARY, customer_id=customer)
    story.on(ELEVENTH).do(cancel, ada, reason="“moved”")
    story.send(
        start, requests=frame(customer_id=[customer] * 150, price_version_id=[plan] * 150, start_on=[ELEVENTH] * 150)
    )

    told = [(row.action, row.subject, row.fields) for row in story.rows(AuditEntry)]
    assert told == [
        ("subscriptions.start", f"subscription:{ada}", "start"),
        ("subscriptions.cancel", f"subscription:{ada}", "cancel"),
        ("subscriptions.start", "subscriptions:150", "start"),
    ]


def test_an_undo_names_what_it_undoes_and_only_once(story: Story) -> None:
    ada = story.begin(story.plan(fixed("310")), JANUARY)
    more = story.do(change_quantity, ada, quantity_micro=2 * MICRO, effective_on=ELEVENTH)

    back = story.take_back(more)

    assert [(row.id, row.undoes_id) for row in story.rows(SubscriptionChange)][-1] == (back, more)
    with pytest.raises(Conflict, match="already undone"):
        story.take_back(more)


def test_a_start_that_was_not_billed_is_undone_and_the_subscription_is_gone(story: Story) -> None:
    ada = story.begin(story.plan(fixed("310")), JANUARY, trial_days=14)
    story.take_back(story.rows(SubscriptionChange)[0].id)
    story.bill_on(FEBRUARY)

    assert story.documents() == []
    with pytest.raises(Conflict, match="was undone; start a new one"):
        story.do(cancel, ada)


def test_a_billed_start_is_cancelled_instead(story: Story) -> None:
    story.begin(story.plan(fixed("310")), JANUARY)
    story.bill_on(JANUARY)
    with pytest.raises(Conflict, match="has been billed; cancel it instead"):
        story.take_back(story.rows(SubscriptionChange)[0].id)


def test_what_was_agreed_with_a_subscription_is_for_it_alone(story: Story) -> None:
    plan = story.plan(fixed("310"))
    ada, bo = story.begin(plan, JANUARY), story.begin(plan, JANUARY)
    agreed = story.plan(fixed("250"), subscription_id=ada, reason="loyal", approved_by="Kari")

    story.do(change_price, ada, price_version_id=agreed, effective_on=ELEVENTH)
    with pytest.raises(Conflict, match="agreed for another subscription"):
        story.do(change_price, bo, price_version_id=agreed, effective_on=ELEVENTH)


def test_drafts_and_retired_prices_are_not_given(story: Story) -> None:
    ada = story.begin(story.plan(fixed("310")), JANUARY)
    draft = story.plan(fixed("250"), status="draft")
    retired = story.plan(fixed("250"), retired_at=datetime(2026, 1, 5, tzinfo=UTC))
    for version, said in ((draft, "are a draft"), (retired, "not been sold since 2026-01-05")):
        with pytest.raises(Conflict, match=said):
            story.do(change_price, ada, price_version_id=version, effective_on=ELEVENTH)
    assert len(story.rows(PriceVersion)) == 3


def test_add_ons_coupons_and_pauses_come_and_go(story: Story) -> None:
    plan = story.plan(fixed("310"), charge("extra", "addon", "per_unit", tier(unit="31")))
    ada = story.begin(plan, JANUARY)
    half = story.coupon(kind="percent", rate_ppm=500_000, duration="forever")

    story.do(change_addon, ada, item="extra", quantity_micro=MICRO, effective_on=JANUARY)
    story.do(grant_coupon, ada, coupon_id=half, effective_on=JANUARY)
    story.do(end_coupon, ada, coupon_id=half, effective_on=FEBRUARY)
    story.do(pause, ada, effective_on=ELEVENTH, until_on=FEBRUARY)
    story.do(resume, ada, effective_on=date(2026, 1, 21))

    assert [kind for _, kind, _ in facts(story)] == ["start", "addon", "coupon", "coupon_end", "pause", "resume"]


# --- usage ----------------------------------------------------------------------------------------------------------


@pytest.fixture
def metered(story: Story) -> tuple[Story, int]:
    """A subscription billed by the kilowatt hour."""
    plan = story.plan(charge("kwh", "usage", "per_unit", tier(unit="2"), meter="kwh"))
    return story, story.begin(plan, JANUARY)


def event(subscription_id: int, source: str = "a", **more: Any) -> pl.DataFrame:
    """10 kWh just before midnight in Oslo on 11 January."""
    values = {"meter": "kwh", "occurred_at": datetime(2026, 1, 11, 22, 59, tzinfo=UTC), "quantity_micro": 10 * MICRO}
    return frame(source_id=source, subscription_id=subscription_id, **{**values, **more})


def test_an_event_counts_once_and_on_its_local_day(metered: tuple[Story, int]) -> None:
    story, ada = metered
    story.on(date(2026, 1, 12))
    midnight = event(ada, "b", occurred_at=datetime(2026, 1, 11, 23, 0, tzinfo=UTC))
    batch = pl.concat([event(ada), midnight])

    assert story.send(record_usage, requests=batch) == {"recorded": 2, "known": 0}
    assert story.send(record_usage, requests=pl.concat([batch, event(ada)])) == {"recorded": 0, "known": 3}
    assert [row.occurred_on for row in story.rows(UsageEvent)] == [ELEVENTH, date(2026, 1, 12)]


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ({"meter": "steps"}, "No prices measure “steps”"),
        ({"source_id": " "}, "Every event needs a source id"),
        ({"source_id": "b", "occurred_at": datetime(2025, 12, 31, 12, tzinfo=UTC)}, "starts on 2026-01-01"),
        ({"source_id": "b", "occurred_at": datetime(2026, 3, 1, 12, tzinfo=UTC)}, "has not come yet"),
        ({"quantity_micro": 11 * MICRO}, "already stored with other content"),
        ({"subscription_id": 404}, "There is no subscription 404"),
        ({"source_id": "a\0"}, "characters that cannot be stored"),
    ],
)
def test_an_event_that_cannot_be_is_refused(metered: tuple[Story, int], more: dict[str, Any], said: str) -> None:
    story, ada = metered
    story.on(date(2026, 1, 12)).send(record_usage, requests=event(ada))
    wrong = event(ada).with_columns(pl.lit(value).alias(name) for name, value in more.items())
    with pytest.raises((InvalidInput, Conflict, NotFound), match=said):
        story.send(record_usage, requests=wrong)


# --- touch points ---------------------------------------------------------------------------------------------------


def test_a_touch_point_with_a_source_id_is_recorded_once(story: Story) -> None:
    customer = story.on(ELEVENTH).customer()
    call = {"customer_id": customer, "occurred_on": ELEVENTH, "kind": "call", "topic": "price", "outcome": "kept"}
    batch = frame(**call, source_id="call 1")

    assert story.send(record_touch_points, requests=batch) == {"recorded": 1, "known": 0}
    assert story.send(record_touch_points, requests=batch) == {"recorded": 0, "known": 1}
    assert story.send(record_touch_points, requests=frame(**call)) == {"recorded": 1, "known": 0}
    assert [(row.kind, row.topic, row.note) for row in story.rows(TouchPoint)] == [("call", "price", "")] * 2


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ({"customer_id": 404}, "There is no customer 404"),
        ({"kind": " "}, "Say what kind of contact it was"),
        ({"occurred_on": FEBRUARY}, "2026-02-01 has not come yet"),
        ({"note": "a\0b"}, "characters that cannot be stored"),
    ],
)
def test_a_touch_point_that_cannot_be_is_refused(story: Story, more: dict[str, Any], said: str) -> None:
    customer = story.on(ELEVENTH).customer()
    asked = {"customer_id": customer, "occurred_on": ELEVENTH, "kind": "call", **more}
    with pytest.raises((InvalidInput, NotFound), match=said):
        story.send(record_touch_points, requests=frame(**asked))


def test_the_second_of_two_people_is_told_what_the_first_has_changed(engine: Engine) -> None:
    told = Story(engine)
    ada = told.begin(told.plan(fixed("310")), date(2026, 1, 1))
    seen = told.rows(SubscriptionChange)[-1].id
    told.on(date(2026, 1, 5))
    told.do(change_quantity, ada, quantity_micro=3_000_000, effective_on=date(2026, 1, 5), seen_change_id=seen)
    with pytest.raises(Conflict, match=r"system has changed subscription S-000001 meanwhile \(quantity\)"):
        told.do(
            change_quantity,
            ada,
            quantity_micro=5_000_000,
            effective_on=date(2026, 1, 6),
            seen_change_id=seen,
        )
    assert [row.quantity_micro for row in told.rows(SubscriptionChange)] == [1_000_000, 3_000_000]
