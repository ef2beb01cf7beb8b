"""The Customers page, run by AppTest on a few customers."""

from __future__ import annotations

from datetime import date

import polars as pl
import pytest
from streamlit.testing.v1 import AppTest

from core.actions.customers import create_customers
from core.actions.invoices import hold
from core.actions.payments import register_payments
from core.actions.subscriptions import change_price
from core.domain.access import SYSTEM
from core.store.tables import CustomerVersion, Payment
from core.ui import parts
from core.ui.finder import ICONS
from core.ui.text import label, spoken
from tests.apps import open_page, texts
from tests.world import NOW, World, fixed


@pytest.fixture
def world(sqlite_engine):
    found = World(sqlite_engine)
    rows = pl.DataFrame(
        {"external_id": ["K1", "K2"], "name": ["Ås *fet* [lenke](x) AS", "Kari Nordmann"], "kind": ["business", "consumer"],
         "emails": ["a@as.no", "kari@post.no"]}
    )  # fmt: skip
    ids = create_customers(found.engine, SYSTEM, "c", NOW, requests=rows)["customer_ids"]
    found.start(ids[0], found.plan(fixed("100")), date(2026, 1, 1))
    found.bill(date(2026, 1, 1))
    return found


@pytest.fixture
def page(monkeypatch):
    def opened(world: World, language: str = "en", **query: str) -> AppTest:
        app = open_page(monkeypatch, world.engine, "customers", language=language, **query)
        assert not app.exception, app.exception
        return app

    return opened


def names(app: AppTest) -> list[str]:
    return app.dataframe[0].value["Name"].to_list()


def test_the_list_counts_everybody_and_says_what_they_are_worth(world, page):
    app = page(world)
    assert names(app) == ["Kari Nordmann", "Ås *fet* [lenke](x) AS"]
    assert "**2** customers" in texts(app)
    assert "100" in app.dataframe[0].value["MRR"].to_list()[1]


def test_the_list_says_what_comes_and_what_is_overdue(world, page):
    row = page(world).dataframe[0].value.iloc[1]
    assert (row["Next invoice"], row["Overdue"]) == ("1 Feb 2026", "125.00\u00a0kr")
    assert list(row["Status"]) == ["active"]


def test_filters_and_search_come_from_the_url(world, page):
    assert names(page(world, find="kari@")) == ["Kari Nordmann"]
    assert names(page(world, status="active")) == ["Ås *fet* [lenke](x) AS"]
    assert names(page(world, find="F2026-000001")) == ["Ås *fet* [lenke](x) AS"]


def test_what_finds_nobody_says_so_and_offers_a_way_out(world, page):
    app = page(world, find="%_'\"--")
    assert "No customer fits" in texts(app)
    next(button for button in app.button if button.label == "Show all customers").click()
    app.run()
    assert len(names(app)) == 2


def test_a_payment_without_an_invoice_is_seen_and_taken_back_on_the_customers_page(world, page):
    payment = pl.DataFrame([{"customer_id": 1, "currency": "NOK", "paid_on": date(2026, 1, 1), "amount_minor": 5_000}])
    register_payments(world.engine, SYSTEM, "pay", NOW, requests=payment)
    app = page(world, customer="K1")
    assert "Payments without an invoice" in texts(app)
    next(each for each in app.text_input if each.label == "Reason").set_value("Wrong customer").run()
    next(each for each in app.button if each.label == "Take back").click().run()
    assert not app.exception
    assert [row.amount_minor for row in world.rows(Payment)] == [5_000, -5_000]


def test_a_customer_without_invoices_is_asked_for_no_payments(world, page):
    assert "Payments without an invoice" not in texts(page(world, customer="K2"))


def test_another_plan_is_called_a_plan_change(world, page):
    other = world.plan(fixed("200"))
    requests = pl.DataFrame([{"subscription_id": 1, "price_version_id": other, "effective_on": date(2026, 2, 1)}])
    change_price(world.engine, SYSTEM, "other", NOW, requests=requests)
    app = page(world, customer="K1")
    assert "plan change" in texts(app)
    assert "plan change" in app.dataframe[-1].value["What"].to_list()


def test_one_customer_tells_its_subscription_next_invoice_and_documents(world, page):
    app = page(world, customer="K1")
    shown = texts(app)
    assert "Ås \\*fet\\* \\[lenke\\]\\(x\\) AS" in shown
    assert "next invoice 1 Feb 2026: about 125" in shown
    assert "F2026-000001" in app.dataframe[2].value["Number"].to_list()


def test_a_customer_without_subscriptions_and_one_that_does_not_exist_have_a_page(world, page):
    assert "No subscriptions" in texts(page(world, customer="K2"))
    assert "No such customer" in texts(page(world, customer="nobody"))


def test_the_page_speaks_bokmal(world, page):
    assert "Neste faktura" in texts(page(world, language="nb", customer="K1"))


def test_an_empty_company_says_where_customers_come_from(sqlite_engine, page):
    assert "No customers yet" in texts(page(World(sqlite_engine)))


def test_customer_data_are_edited_with_a_date_and_the_next_bills_go_elsewhere(world, page):
    app = page(world, customer="K1")
    next(button for button in app.button if button.label == "Edit").click().run()
    fields = {field.label: field for field in app.text_input}
    assert fields["Name"].value == "Ås *fet* [lenke](x) AS"
    assert fields["Bills go to"].value == ""


def test_a_contact_can_be_noted_by_those_who_may(world, page):
    app = page(world, customer="K1")
    next(button for button in app.button if button.label == "Note a contact").click().run()
    assert [field.label for field in app.selectbox][-2:] == ["Topic", "Outcome"]


def _edited(fields: list[list[str]]) -> None:
    """The form without the page that opened it: AppTest closes a dialog at the next run."""
    from core.reports.one_customer import one_customer
    from core.ui import customer_forms, session

    customer_forms.edit_form(session.frames(one_customer, "K1", session.current().today), fields)


def test_what_is_typed_holds_from_the_day_and_a_payer_must_exist(world, page):
    page(world, customer="K1")
    app = AppTest.from_function(_edited, args=([["emails", "bill_to"]],), default_timeout=60).run()
    payer = next(field for field in app.text_input if field.label == "Bills go to")
    payer.set_value("K9")
    app.button[0].click().run()
    assert "There is no customer K9" in texts(app)
    next(field for field in app.text_input if field.label == "Bills go to").set_value("K2")
    next(field for field in app.text_input if field.label == "E-mail").set_value("ny@as.no")
    app.button[0].click().run()
    newest = world.rows(CustomerVersion)[-1]
    assert (newest.emails, newest.bill_to_id, newest.effective_from) == ("ny@as.no", 2, date(2026, 1, 20))


def test_a_customer_is_entered_by_hand_and_opened(sqlite_engine, monkeypatch):
    World(sqlite_engine)
    app = open_page(monkeypatch, sqlite_engine, "customers")
    assert "No customers yet" in texts(app)
    app.button(key="customers:new").click().run()
    assert not app.exception
    names = {field.label: field for field in app.text_input}
    assert {"Name", "Customer id", "E-mail"} <= set(names)
    names["Name"].set_value("Ærlig Øl AS")
    names["Customer id"].set_value("K1")
    next(button for button in app.button if button.label == "Create").click().run()
    assert not app.exception


def test_a_hold_is_told_with_what_comes_once_it_is_released(world, page):
    hold(world.engine, SYSTEM, "hold", NOW, customer_id=1, held=True, reason="Disagrees")
    app = page(world, customer="K1")
    said = "\n".join(each.value for each in app.warning)
    assert "On hold since" in said
    assert "Disagrees" in said
    assert "next invoice 1 Feb 2026: about 125" in texts(app)


def test_files_and_the_finder_say_their_words_in_the_language_of_the_page():
    rows = pl.DataFrame({"kind": ["business", "consumer", ""], "channel": ["paper", None, "email"]})
    with spoken("nb"):
        worded = parts.in_words(rows, "kind", "channel")
        found = {kind: label(kind) for kind in ICONS}
    assert worded.to_dict(as_series=False) == {
        "kind": ["bedrift", "forbruker", ""], "channel": ["papir", None, "e-post"],
    }  # fmt: skip
    assert found == {"customer": "kunde", "subscription": "abonnement", "document": "dokument", "plan": "plan"}
