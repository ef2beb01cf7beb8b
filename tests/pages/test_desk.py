"""The subscription desk, run by AppTest: every change is shown with its effect, confirmed once, and may be refused."""

from __future__ import annotations

from datetime import date

import pytest
from streamlit.testing.v1 import AppTest

from core.actions import subscriptions
from core.store.tables import Customer, Person, SubscriptionChange
from core.ui.desk_forms import FORMS
from tests.apps import open_page, texts
from tests.story import Story
from tests.world import SINCE, charge, fixed, tier

TODAY = "2026-06-16T10:00:00+00:00"


@pytest.fixture
def story(sqlite_engine):
    """Basic at 300 kr a month, Pro at 600 kr; one subscription on Basic since 1 June, billed."""
    told = Story(sqlite_engine)
    extra = charge("extra", "addon", "per_unit", tier(unit="50"), name="Ekstra")
    basic = told.plan(fixed("300"), extra, plan_id=told.ranked(1), valid_from=SINCE)
    told.plan(fixed("600"), extra, plan_id=told.ranked(2), valid_from=SINCE)
    told.begin(basic, date(2026, 6, 1), customer_id=told.customer())
    told.bill_on(date(2026, 6, 1))
    for name, role in (("Sara Støtte", "support"), ("Viggo Viser", "viewer")):
        told.add(Person, name=name, email=f"{role}@forbli.no", role=role)
    return told


@pytest.fixture
def page(monkeypatch, story):
    def opened(person: int = 1, language: str = "en") -> AppTest:
        customer = story.rows(Customer)[0].external_id
        app = open_page(
            monkeypatch, story.engine, "customers", person=person, language=language, now=TODAY, customer=customer
        )  # fmt: skip
        assert not app.exception, app.exception
        return app

    return opened


def _dialog(kind: str) -> None:
    """What a dialog shows, without the page that opened it: AppTest closes a dialog at the next run."""
    from core.ui import desk, desk_asked, session

    session.engine()
    subscription = None if kind == "start" else 1
    desk.change_form(kind, desk_asked.Subject(1, "Ås Ødegård", subscription, "S-000001"))


@pytest.fixture
def dialog(page, story):
    def opened(kind: str, language: str = "en") -> AppTest:
        page(language=language)  # sets the database and the day
        app = AppTest.from_function(_dialog, args=(kind,), default_timeout=60)
        app.session_state["language"], app.session_state["person"] = language, 1
        app.run()
        assert not app.exception, app.exception
        return app

    return opened


def press(app: AppTest, label: str) -> AppTest:
    next(each for each in app.button if each.label == label).click().run()
    assert not app.exception, app.exception
    return app


def facts(story: Story) -> list[tuple[str, date]]:
    return [(row.kind, row.effective_on) for row in story.rows(SubscriptionChange)]


def said(app: AppTest) -> str:
    return texts(app).replace("\\", "").replace("\u00a0", " ")


def test_a_button_opens_the_change_with_its_cost_now_and_at_renewal_side_by_side(page):
    shown = said(press(page(), "Change plan"))
    # 15 of 30 days: −150 + 300 = 150 kr net, 37,50 kr VAT; at renewal 300 kr more.
    assert "**187.50 kr more**: 150.00 kr + 37.50 kr VAT" in shown
    assert "**375.00 kr more**: 300.00 kr + 75.00 kr VAT" in shown


def test_support_upgrades_after_seeing_what_it_costs(dialog, story):
    press(dialog("change_price"), "Change plan")
    assert facts(story)[-1] == ("price", date(2026, 6, 16))


def test_among_several_plans_none_is_chosen_for_the_customer(dialog, story):
    story.plan(fixed("900"), plan_id=story.ranked(3), valid_from=SINCE)
    app = dialog("change_price")
    assert app.selectbox[0].value is None
    assert "Change plan" not in [each.label for each in app.button]
    app.selectbox[0].select_index(1).run()
    press(app, "Change plan")
    assert facts(story)[-1] == ("price", date(2026, 6, 16))


def test_a_viewer_sees_the_buttons_but_cannot_use_them(page):
    app = page(person=2)
    assert all(each.disabled for each in app.button if each.label in ("Change plan", "Quantity", "Cancel …"))


def test_a_refusal_stands_where_the_effect_would(dialog, story):
    press(dialog("cancel"), "Cancel the subscription")
    assert facts(story)[-1] == ("cancel", date(2026, 7, 1))
    again = dialog("change_quantity")
    again.number_input[0].set_value(3.0).run()
    assert "MRR stays" in said(again)
    again.date_input[0].set_value(date(2026, 8, 1)).run()
    assert "nothing changes after it" in said(again)
    assert next(each for each in again.button if each.label == "Change quantity").disabled


@pytest.mark.parametrize("kind", sorted(FORMS))
def test_every_form_opens(dialog, kind):
    assert said(dialog(kind))


def test_nothing_is_written_before_it_is_confirmed(dialog, story):
    before = facts(story)
    app = dialog("change_addon")
    app.number_input[0].set_value(2.0).run()
    assert "MRR 300.00 kr → 400.00 kr" in said(app)
    assert facts(story) == before


def test_an_effect_that_moved_is_read_again_before_it_is_confirmed(dialog, story):
    app = dialog("change_addon")
    app.number_input[0].set_value(2.0).run()
    story.on(date(2026, 6, 16)).do(
        subscriptions.change_quantity, 1, quantity_micro=2_000_000, effective_on=date(2026, 6, 16)
    )
    story.do(subscriptions.change_price, 1, price_version_id=2, effective_on=date(2026, 6, 16))
    press(app, "Change add-on")
    assert "system has changed subscription S-000001 meanwhile (price change)" in said(app), "who did what"
    assert "addon" not in [kind for kind, _ in facts(story)]
    press(app, "Change add-on")
    assert facts(story)[-1] == ("addon", date(2026, 6, 16))


def test_an_ended_subscription_begins_again(page, story):
    def _dialog() -> None:
        from core.ui import desk, desk_asked

        desk.change_form("start", desk_asked.Subject(1, "Ås Ødegård", 1, "S-000001"))

    story.do(subscriptions.cancel, 1, effective_on=date(2026, 6, 10), credit="credit")
    page()
    app = AppTest.from_function(_dialog, default_timeout=60).run()
    app.selectbox[0].set_value(app.selectbox[0].options and 1).run()
    press(app, next(each.label for each in app.button if each.key and each.key.endswith(":confirm")))
    assert facts(story)[-1] == ("start", date(2026, 6, 16))


def test_the_desk_speaks_norwegian(page):
    assert "faktureres kunden **187,50 kr mer**" in said(press(page(language="nb"), "Bytt plan"))
