"""The Plans page, run by AppTest on a small catalogue."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from decimal import Decimal as D

import pytest
from streamlit.testing.v1 import AppTest

from core.actions import plans
from core.domain.access import Actor, Role
from core.domain.periods import MONTHLY, Timing
from core.domain.plans import Charge, ChargeKind, ChargeModel, PriceTerms, Tier
from core.store.tables import ChargeRow, Person, Plan, PlanPolicy, PriceVersion, TierRow
from tests.apps import open_page, texts
from tests.world import NOW, World

KARI = Actor("Kari Nordmann", Role.PRODUCT)
FEE = Charge("fee", "Grunnpris", ChargeKind.FIXED, ChargeModel.FLAT, (Tier(None, flat_amount=D("299")),))
CALLS = Charge(
    "calls", "Samtaler", ChargeKind.USAGE, ChargeModel.VOLUME, (Tier(D(100), D(1)), Tier(None, D("0.80"))),
    timing=Timing.ARREARS, meter="calls",
)  # fmt: skip
TERMS = PriceTerms("NOK", MONTHLY, (FEE, CALLS))


@pytest.fixture
def world(sqlite_engine):
    found = World(sqlite_engine)
    for name, role in (("Kari Nordmann", "product"), ("Ola Bø", "product"), ("Vera Vik", "viewer")):
        found.add(Person, name=name, email=f"{name[:4]}@forbli.no", role=role)
    found.plan_id = plans.create_plan(found.engine, KARI, "plan", NOW, code="pro", name="Pro", rank=2)["plan_id"]
    return found


def draft(world, terms=TERMS, command="draft"):
    return plans.save_draft(world.engine, KARI, command, NOW, plan_id=world.plan_id, terms=terms)["price_version_id"]


@pytest.fixture
def page(world, monkeypatch):
    """Opens the Plans page as a person."""

    def opened(person: str = "Kari Nordmann", language: str = "en", **query: str) -> AppTest:
        person_id = next(row.id for row in world.rows(Person) if row.name == person)
        now = NOW.isoformat()
        app = open_page(monkeypatch, world.engine, "plans", person=person_id, language=language, now=now, **query)
        assert not app.exception, app.exception
        return app

    return opened


def press(app: AppTest, label: str) -> AppTest:
    next(button for button in app.button if button.label == label).click()
    app.run()
    assert not app.exception, app.exception
    return app


def test_the_list_shows_plans_and_finds_them_by_text(world, page):
    version = draft(world)
    plans.publish(world.engine, KARI, "publish", NOW, price_version_id=version, valid_from=date(2026, 1, 1))
    world.start(world.customer(), version, date(2026, 1, 1))
    app = page()
    assert "list MRR" in texts(app)
    assert "299" in texts(app)
    next(box for box in app.text_input if box.label == "Find a plan").set_value("nothing like it")
    app.run()
    assert "No plan fits" in texts(app)


def test_an_empty_catalogue_says_what_to_do(sqlite_engine, monkeypatch):
    World(sqlite_engine).add(Person, name="Kari Nordmann", email="k@forbli.no", role="product")
    assert "No plans yet" in texts(open_page(monkeypatch, sqlite_engine, "plans"))


def test_an_unknown_plan_in_a_link_gets_a_way_back(world, page):
    assert "There is no plan with the code nope" in texts(page(plan="nope")).replace("\\", "")


def test_a_draft_opens_in_the_editor_with_its_curve_and_falls(world, page):
    version = draft(world)
    app = page(plan="pro", version=str(version))
    assert "Price curve" in texts(app)
    app.session_state[f"draft:{version}:chosen"] = 1
    app.run()
    # 100 · 1.00 = 100.00 at the bound, 101 · 0.80 = 80.80 above it: 19.20 less.
    assert "The total falls above 100: 101 units cost 80\\.80" in texts(app)
    assert "19\\.20" in texts(app)


def test_usage_that_is_converted_is_typed_and_drawn_in_the_units_that_are_billed(world, page):
    storage = replace(CALLS, name="Lagring per GB", meter="mb", convert_by=D(1000))
    version = draft(world, PriceTerms("NOK", MONTHLY, (FEE, storage)))
    app = page(plan="pro", version=str(version))
    app.session_state[f"draft:{version}:chosen"] = 1
    app.run()
    said = texts(app)
    assert "Lagring per GB: 1,000 × mb are one unit" in said
    assert "The total falls above 100: 100.001 units cost 80\\.80" in said, "a started thousand counts as one"
    # 150 GB at 0.80: 120.00.
    amounts = [amount for frame in app.dataframe if "amount" in frame.value for amount in frame.value["amount"]]
    assert "120.00\u00a0kr" in amounts


def test_a_word_where_a_number_belongs_is_named_and_nothing_typed_is_lost(world, page):
    version = draft(world)
    app = page(plan="pro", version=str(version))
    box = next(each for each in app.text_input if each.label == "Flat fee")
    box.set_value("mye")
    app.run()
    assert "“mye” is not a number" in texts(app)
    press(app, "Save draft")
    assert "Nothing was saved" in texts(app)
    assert next(each for each in app.text_input if each.label == "Flat fee").value == "mye"
    assert len(world.rows(ChargeRow)) == 2


def test_a_price_is_saved_as_it_is_typed_with_comma_or_point(world, page):
    version = draft(world)
    app = page(plan="pro", version=str(version))
    next(each for each in app.text_input if each.label == "Flat fee").set_value("1 299,50")
    app.run()
    press(app, "Save draft")
    assert "1299.50" in [row.flat_amount for row in world.rows(TierRow)]


def test_a_crossed_tier_is_saved_with_its_finding(world, page):
    crossed = replace(CALLS, tiers=(Tier(D(100), D(1)), Tier(D(200), D(1)), Tier(D(100), D(1)), Tier(None, D(1))))
    version = draft(world, replace(TERMS, charges=(crossed,)))
    app = page(plan="pro", version=str(version))
    assert "Tier 3 ends at 100, but tier 2 already ends at 200" in texts(app).replace("\\", "")
    press(app, "Save draft")
    assert world.rows(PriceVersion)[0].status == "draft"


def test_publishing_says_whom_it_concerns_and_asks_for_a_second_person(world, page):
    first = draft(world)
    plans.publish(world.engine, KARI, "publish", NOW, price_version_id=first, valid_from=date(2026, 1, 1))
    world.start(world.customer(), first, date(2026, 1, 1))
    second = draft(
        world, replace(TERMS, charges=(replace(FEE, tiers=(Tier(None, flat_amount=D(320)),)), CALLS)), "second"
    )
    app = press(page(plan="pro", version=str(second)), "Publish …")
    said = texts(app).replace("\\", "")
    assert "Affects 1 subscription," in said
    assert "Who can: Ola Bø" in said
    app = press(page("Ola Bø", plan="pro", version=str(second)), "Publish …")
    said = texts(app).replace("\\", "")
    assert "A second person" not in said
    assert next(button for button in app.button if button.label == "Publish").disabled


def test_a_viewer_sees_prices_and_cannot_change_them(world, page):
    version = draft(world)
    app = page("Vera Vik", plan="pro", version=str(version))
    locked = {button.label: button.disabled for button in app.button}
    assert locked["Save draft"]
    assert locked["Publish …"]
    assert locked["New draft from this"]


def test_policies_are_shown_and_set_from_a_day_on(world, page):
    app = page(plan="pro", view="policies")
    next(each for each in app.number_input if each.label == "Notice, days").set_value(30)
    press(app, "Save policies")
    [row] = world.rows(PlanPolicy)
    assert (row.notice_days, row.effective_from) == (30, date(2026, 1, 1))


def test_a_new_plan_begins_with_an_empty_draft(world, page):
    plans.create_plan(world.engine, KARI, "other", NOW, code="basis", name="Basis")
    app = press(page(plan="basis"), "Start a draft")
    assert "A price needs at least one charge" in texts(app)
    assert len(world.rows(Plan)) == 2


def test_norwegian_pages_speak_norwegian(world, page):
    version = draft(world)
    said = texts(page(language="nb", plan="pro", version=str(version)))
    assert "Priskurve" in said
    assert "Price curve" not in said
    assert "Eksempelfaktura" in said
