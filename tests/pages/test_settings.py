"""The Settings page, run by AppTest: effects before a save, saves that are dated, and who may do what."""

from __future__ import annotations

from datetime import date

import pytest
from streamlit.testing.v1 import AppTest

from core.store.tables import BooksClosed, CompanyProfile, CurrencyRate, Person, VatRule
from tests.apps import open_page, texts
from tests.world import World, fixed

SECTIONS = ["company", "numbers", "vat", "currencies", "books", "people", "data"]


@pytest.fixture
def world(sqlite_engine):
    """A company with four people; 1 January 2026 is in force, today is 20 January 2026."""
    found = World(sqlite_engine)
    for name, role in (("Kari Ås", "admin"), ("Ola Bø", "finance"), ("Siv Dal", "support"), ("Tor Eid", "finance")):
        found.add(Person, name=name, email=f"{name[:3].lower()}@forbli.no", role=role)
    return found


@pytest.fixture
def settings(world, monkeypatch):
    """Opens a section as somebody."""

    def open_as(section: str, person: str = "Ola Bø", language: str = "en") -> AppTest:
        person_id = next(row.id for row in world.rows(Person) if row.name == person)
        app = open_page(monkeypatch, world.engine, "settings", person=person_id, language=language, section=section)
        assert not app.exception, app.exception
        return app

    return open_as


def press(app: AppTest, key: str) -> AppTest:
    app.button(key=key).click().run()
    assert not app.exception, app.exception
    return app


@pytest.mark.parametrize("language", ["en", "nb"])
@pytest.mark.parametrize("section", SECTIONS)
def test_every_section_opens_in_both_languages(settings, section, language):
    assert settings(section, language=language).title[0].value == {"en": "Settings", "nb": "Innstillinger"}[language]


@pytest.mark.parametrize("section", SECTIONS)
def test_every_section_opens_before_there_is_a_company(sqlite_engine, monkeypatch, section):
    app = open_page(monkeypatch, sqlite_engine, "settings", section=section)
    assert not app.exception, app.exception


def test_a_first_company_is_entered_by_its_name_alone(sqlite_engine, monkeypatch):
    app = open_page(monkeypatch, sqlite_engine, "settings", section="company")
    app.text_input(key="company:company:legal_name").set_value("Fjordnett AS").run()
    press(app, "company:company:save")
    assert "Since 20 Jan 2026" in texts(app)


def test_a_change_shows_its_effect_first_and_then_is_one_more_row(settings, world):
    app = settings("company")
    assert app.button(key="company:company:save").disabled
    app.date_input(key="company:company:from").set_value(date(2026, 2, 1))
    app.text_input(key="company:company:city").set_value("Bergen").run()
    assert "From 1 Feb 2026 documents will say" in texts(app)
    assert app.dataframe[0].value.to_dict("list") == {"Field": ["City"], "Before": ["–"], "After": ["Bergen"]}
    press(app, "company:company:save")
    assert [(row.effective_from, row.city) for row in world.rows(CompanyProfile)] == [
        (date(2000, 1, 1), ""), (date(2026, 2, 1), "Bergen"),
    ]  # fmt: skip
    assert "To come from 1 Feb 2026" in texts(app)


def test_a_wrong_number_is_refused_while_it_is_typed(settings, world):
    app = settings("company")
    app.text_input(key="company:company:organisation_number").set_value("123456789").run()
    assert "no Norwegian organisation number" in app.warning[0].value
    assert app.button(key="company:company:save").disabled
    assert len(world.rows(CompanyProfile)) == 1


def test_an_amount_is_typed_in_whole_kroner(settings, world):
    app = settings("numbers")
    app.number_input(key="company:numbers:review_above_minor").set_value(50_000).run()
    press(app, "company:numbers:save")
    assert world.rows(CompanyProfile)[-1].review_above_minor == 5_000_000


def test_what_one_person_may_credit_is_typed_and_shown_in_kroner(settings, world):
    app = settings("numbers")
    limit = next(each for each in app.number_input if "Support may charge or credit alone" in each.label)
    assert limit.value == 1_000
    limit.set_value(2_500).run()
    assert "2,500.00\u00a0kr" in app.dataframe[0].value["After"].to_list()


def test_a_vat_rule_says_what_it_replaces(settings, world):
    app = settings("vat")
    app.date_input(key="vat:from").set_value(date(2026, 3, 1))
    app.text_input(key="vat:rate").set_value("26").run()
    assert "It replaces 25\u00a0% since 1 Jan 2000" in texts(app)
    press(app, "vat:add")
    assert (world.rows(VatRule)[-1].rate_ppm, world.rows(VatRule)[-1].valid_from) == (260_000, date(2026, 3, 1))


def test_a_rate_far_from_the_one_before_is_pointed_out(settings, world):
    app = settings("currencies")
    app.text_input(key="rate:rate").set_value("11,50").run()
    press(app, "rate:add")
    app.text_input(key="rate:rate").set_value("115").run()
    assert "900" in app.warning[0].value
    assert [row.rate for row in world.rows(CurrencyRate)] == ["11.50"]


def test_a_currency_that_is_used_and_has_no_rate_is_named(settings, world):
    world.start(world.customer(), world.plan(fixed("9"), currency="EUR"), date(2026, 1, 1), currency="EUR")
    assert "There are subscriptions in EUR, but no rate" in settings("currencies").warning[0].value


def test_closing_counts_what_it_closes_and_reopening_takes_a_second_person(settings, world):
    world.start(world.customer(), world.plan(fixed("100")), date(2025, 12, 1))
    app = settings("books")
    assert "still to bill through 31 Dec 2025: 1." in app.warning[0].value
    app.text_input(key="books:reason").set_value("year end").run()
    press(app, "books:close")
    assert [row.through for row in world.rows(BooksClosed)] == [date(2025, 12, 31)]
    app.text_input(key="reopen:reason").set_value("an invoice was forgotten").run()
    asking = app.session_state["person"]
    press(app, "reopen:ask")
    assert app.button(key="reopen:go").disabled
    app = settings("books", "Tor Eid")
    assert app.session_state["person"] != asking
    assert "an invoice was forgotten" in texts(app)
    press(app, "reopen:go")
    assert [row.through for row in world.rows(BooksClosed)] == [date(2025, 12, 31), date(2025, 11, 30)]
    assert "Ola Bø" in app.dataframe[0].value.to_string()


def test_support_may_look_but_not_change(settings):
    for section, key in (("company", "company:company:save"), ("vat", "vat:add"), ("books", "books:close")):
        app = settings(section, "Siv Dal")
        assert app.button(key=key).disabled


def test_an_administrator_lets_somebody_in_and_cannot_step_down_alone(settings, world):
    app = settings("people", "Kari Ås")
    app.text_input(key="new_person:name").set_value("<b>Per</b>")
    app.text_input(key="new_person:email").set_value("per@forbli.no").run()
    press(app, "new_person:add")
    assert "looks like markup" in app.error[0].value
    app.text_input(key="new_person:name").set_value("Per Aa").run()
    press(app, "new_person:add")
    assert world.rows(Person)[-1].name == "Per Aa"
    app.selectbox(key="person:who").select("Kari Ås").run()
    app.selectbox(key="person:role:1").select("viewer").run()
    press(app, "person:save")
    assert "Kari Ås is the last active administrator" in app.error[0].value


def test_the_books_are_checked_on_demand(settings, world):
    world.start(world.customer(), world.plan(fixed("100")), date(2026, 1, 1))
    world.bill(date(2026, 1, 1))
    app = settings("data")
    press(app, "check")
    assert "The books hold: 9 rules, no findings." in app.success[0].value
