"""One change for many, run by AppTest: its effect on each, ten first, then the rest, and the way back."""

from __future__ import annotations

from datetime import date

import polars as pl
import pytest
from streamlit.testing.v1 import AppTest

from core.actions import subscriptions
from core.actions.customers import create_customers
from core.domain.access import SYSTEM
from core.reports import many
from core.store.engine import reading
from core.store.tables import CustomerVersion, SubscriptionChange
from tests.apps import open_page, texts
from tests.story import Story, frame
from tests.world import SINCE, fixed

TODAY = "2026-06-16T10:00:00+00:00"
MANY = 12


@pytest.fixture
def story(sqlite_engine):
    """Twelve customers at 300 kr a month since 1 June, billed; a coupon of half the price for two periods."""
    told = Story(sqlite_engine)
    people = pl.DataFrame({"external_id": [f"K{n}" for n in range(MANY)], "name": [f"Kunde {n}" for n in range(MANY)]})
    owners = told.send(create_customers, requests=people.with_columns(kind=pl.lit("consumer")))["customer_ids"]
    basic = told.plan(fixed("300"), plan_id=told.ranked(1), valid_from=SINCE)
    told.on(date(2026, 6, 1))
    for owner in owners:
        told.begin(basic, date(2026, 6, 1), customer_id=owner)
    told.bill_on(date(2026, 6, 1))
    told.coupon(kind="percent", rate_ppm=500_000, duration="periods", periods=2)
    return told


@pytest.fixture
def page(monkeypatch, story):
    def opened(**query: str) -> AppTest:
        app = open_page(monkeypatch, story.engine, "customers", now=TODAY, many="1", **query)
        assert not app.exception, app.exception
        return app

    return opened


def press(app: AppTest, label: str) -> AppTest:
    next(each for each in app.button if each.label == label).click().run()
    assert not app.exception, app.exception
    return app


def said(app: AppTest) -> str:
    return texts(app).replace("\\", "").replace("\u00a0", " ")


def kinds(story: Story) -> list[str]:
    return [row.kind for row in story.rows(SubscriptionChange) if row.kind not in ("start", "trial")]


def test_the_effect_is_shown_for_each_and_in_sum_before_anything_happens(page, story):
    app = press(page(), "Show the effect")
    # 12 × 300 kr on 1 July, half of it with the coupon.
    sums = app.dataframe[1].value
    assert sums["Billed through 17 Jul 2026"].to_list() == ["3,600.00\u00a0kr"]
    assert sums["With the change"].to_list() == ["1,800.00\u00a0kr"]
    assert "12 will be changed: coupon Coupon from 16 Jun 2026" in said(app).replace("**", "")
    assert kinds(story) == []


def test_ten_come_first_then_the_rest_and_everything_is_taken_back(page, story):
    app = press(page(), "Show the effect")
    press(app, "Change the first 10")
    assert kinds(story) == ["coupon"] * 10
    press(app, "Change the other 2")
    assert kinds(story) == ["coupon"] * MANY
    assert "12 are changed" in said(app)


def test_pasted_ids_name_customers_and_subscriptions_and_the_unknown_are_told(page, story):
    app = page()
    next(each for each in app.segmented_control if each.key == "many:way").set_value("ids").run()
    app.text_area[0].set_value("K1, S-000003\nnobody").run()
    assert "1 id is not known: nobody" in said(app)
    assert app.dataframe[0].value["Customer id"].to_list() == ["K1", "K2"]


def test_who_was_named_and_has_ended_is_told(page, story):
    story.on(date(2026, 6, 10)).do(subscriptions.cancel, 1, effective_on=date(2026, 6, 12), credit="credit")
    app = page()
    next(each for each in app.segmented_control if each.key == "many:way").set_value("ids").run()
    app.text_area[0].set_value("K0 K1").run()
    assert "1 customer has no running subscription and is left out: K0" in said(app)


def test_those_who_cannot_be_changed_are_left_out_with_the_reason(page, story):
    story.on(date(2026, 6, 16)).do(subscriptions.grant_coupon, 1, coupon_id=1, effective_on=date(2026, 6, 16))
    app = press(page(), "Show the effect")
    assert [each.label for each in app.expander] == [":orange[1 cannot be changed] and is left out"]
    done, refused = app.dataframe[-2].value, app.dataframe[-1].value
    assert len(done) == MANY - 1
    assert "Why not" not in done
    assert "Subscription S-000001 already has the coupon" in refused["Why not"].to_list()[0]
    press(press(app, "Change the first 10"), "Change the other 1")
    assert kinds(story).count("coupon") == MANY


def test_a_channel_is_changed_for_everybody_and_taken_back(page, story):
    from core.reports import many
    from core.store.engine import reading

    app = page()
    next(each for each in app.segmented_control if each.key == "many:kind").set_value("channel").run()
    next(each for each in app.selectbox if each.key == "many:channel").set_value("paper").run()
    press(press(app, "Show the effect"), "Change the first 10")
    assert [row.channel for row in story.rows(CustomerVersion)].count("paper") == 10
    assert "10 are changed" in said(app)
    press(app, "Change the other 2")
    assert "12 are changed" in said(app)
    with reading(story.engine) as session:
        batch = many.batches(session)[0]
        before = many.values_before(session, batch.ids, "channel", date(2026, 6, 16))
    assert before["channel"].to_list() == ["email"] * MANY
    press(app, "Another change")
    assert "Show the effect" in [each.label for each in app.button]


def test_a_batch_taken_back_is_undone_by_new_changes(page, story):
    press(press(page(), "Show the effect"), "Change the first 10")
    with reading(story.engine) as session:
        batch = many.batches(session)[0]
    assert (batch.action, len(batch.ids), batch.taken_back) == ("subscriptions.grant_coupon", 10, False)
    undone = frame(change_id=batch.ids)
    subscriptions.undo(story.engine, SYSTEM, f"many:{batch.batch}~back:0", story.now, requests=undone, partial=True)
    with reading(story.engine) as session:
        assert many.batches(session)[0].taken_back
    app = page()
    next(each for each in app.segmented_control if each.key == "many:tab").set_value("done").run()
    assert "10 changed, 0 refused" in said(app)
