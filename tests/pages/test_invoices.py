"""The Invoices page inside the shell: list, one document explained, and the billing run, by AppTest."""

from __future__ import annotations

from datetime import date

import pytest
from sqlalchemy import Engine
from streamlit.testing.v1 import AppTest

from core.actions.payments import register_payments
from core.domain.access import SYSTEM
from core.store.tables import Person
from core.ui import billing_job, session
from tests.apps import open_page, texts
from tests.story import frame
from tests.world import World, assert_books_hold, charge, fixed, tier

JANUARY, FEBRUARY = date(2026, 1, 1), date(2026, 2, 1)
NOW_FEBRUARY = "2026-02-01T10:00:00+00:00"


@pytest.fixture
def world(sqlite_engine: Engine) -> World:
    """One customer with a fee and usage, billed for January; another whose name is markup."""
    made = World(sqlite_engine)
    plan = made.plan(
        fixed("100"), charge("kwh", "usage", "graduated", tier("10", unit="2"), tier(unit="1"), meter="kwh")
    )
    subscription = made.start(made.customer(), plan, JANUARY)
    made.start(made.customer(), made.plan(fixed("50")), JANUARY)
    made.bill(JANUARY)
    made.use(subscription, "kwh", date(2026, 1, 9), 14)
    return made


def click(app: AppTest, text: str) -> AppTest:
    """Press the button with these words."""
    next(button for button in app.button if text in button.label).click().run()
    assert not app.exception, app.exception
    return app


def finished(app: AppTest) -> AppTest:
    """Wait for the run in the background and draw the page anew."""
    job = billing_job.current(session.current())
    assert job is not None
    assert job.thread is not None
    job.thread.join(30)
    return app.run()


def test_the_list_shows_count_and_sums_of_what_the_url_narrows_to(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    app = open_page(monkeypatch, world.engine, "invoices")
    assert "**2** documents · **150\\.00 kr** before VAT, **187\\.50 kr** with VAT" in texts(app).replace("\u00a0", " ")

    app = open_page(monkeypatch, world.engine, "invoices", find="F2026-000001")
    assert "**1** document" in texts(app)
    assert app.dataframe[0].value["Number"].to_list() == ["F2026-000001"]

    app = open_page(monkeypatch, world.engine, "invoices", find="%_'\"--")
    assert "No invoice fits" in texts(app)


def test_one_invoice_says_the_why_of_each_line_and_what_is_different(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.bill(FEBRUARY)
    app = open_page(monkeypatch, world.engine, "invoices", number="F2026-000003")

    assert not app.exception
    said = texts(app)
    assert "Prøve AS" in said
    assert "What is different from last time?" in said
    why = [table.value.iloc[:, 0].to_list() for table in app.table]
    assert ["Up to 10, 10 at 2", "Above 10, 4 at 1", "**Net amount of this line**"] in why
    assert "155" in said  # 100 + 24 and 25 % VAT


def test_a_number_that_does_not_exist_is_said_in_words(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    assert "There is no invoice X1" in texts(open_page(monkeypatch, world.engine, "invoices", number="X1"))


def test_a_run_is_reviewed_confirmed_and_done_once_although_clicked_twice(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    app = open_page(monkeypatch, world.engine, "invoices", now=NOW_FEBRUARY, view="run")
    assert not app.exception
    assert [metric.value for metric in app.metric][:2] == ["2", "0"]
    click(app, "Issue 2 documents")
    assert "2 invoices and 0 credit notes" in texts(app)

    click(app, "Issue now")
    again = open_page(monkeypatch, world.engine, "invoices", now=NOW_FEBRUARY, view="run")
    billing_job.start(session.current(), FEBRUARY, "second")
    finished(app)

    assert len(world.documents()) == 4
    assert not again.exception
    assert "2 documents issued through" in texts(app) or "0 documents issued through" in texts(app)
    assert "Audit trail after the run" in texts(app)
    assert_books_hold(world)


def test_an_empty_company_has_a_way_to_its_first_run(sqlite_engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    World(sqlite_engine)
    assert "No invoices yet" in texts(open_page(monkeypatch, sqlite_engine, "invoices"))
    assert "Nothing is due" in texts(open_page(monkeypatch, sqlite_engine, "invoices", view="run"))


def test_a_viewer_sees_the_run_but_cannot_start_it(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    viewer = world.add(Person, name="Vera", email="v@x.no", role="viewer", active=True)
    app = open_page(monkeypatch, world.engine, "invoices", person=viewer, now=NOW_FEBRUARY, view="run")

    assert all(button.disabled for button in app.button if "Issue" in button.label or "Hold" in button.label)


def test_a_payment_is_registered_and_an_error_taken_back(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    def _dialog() -> None:
        from core.reports.invoices import explained
        from core.ui import payment_forms, session

        payment_forms.form(session.frames(explained, "F2026-000001"))

    opened = open_page(monkeypatch, world.engine, "invoices", number="F2026-000001", now=NOW_FEBRUARY)
    assert "Overdue: 125" in texts(opened)
    app = AppTest.from_function(_dialog, default_timeout=60).run()
    assert app.number_input[0].value == 125.0
    app.number_input[0].set_value(130.0).run()
    assert "It is **5\\.00 kr** more than was left" in texts(app).replace("\u00a0", " ")
    app.number_input[0].set_value(125.0).run()
    click(app, "Register payment")

    paid = open_page(monkeypatch, world.engine, "invoices", number="F2026-000001", now=NOW_FEBRUARY)
    assert "paid" in texts(paid)
    paid.text_input(key="payment:1:back:reason").set_value("Wrong invoice").run()
    click(paid, "Take back")
    assert "Overdue: 125" in texts(paid)


def test_support_sees_payments_but_registers_none(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    world.add(Person, name="Sara", email="sara@forbli.no", role="support")
    app = open_page(monkeypatch, world.engine, "invoices", person=1, number="F2026-000001", now=NOW_FEBRUARY)
    assert next(each for each in app.button if each.label == "Register payment").disabled


def test_the_list_shows_what_is_left_to_pay_and_narrows_to_what_is_overdue(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    register_payments(
        world.engine, SYSTEM, "paid", world.now, requests=frame(document_id=1, paid_on=JANUARY, amount_minor=12_500)
    )

    app = open_page(monkeypatch, world.engine, "invoices", now=NOW_FEBRUARY)
    shown = app.dataframe[0].value
    assert dict(zip(shown["Number"], shown["Left to pay"], strict=True)) == {
        "F2026-000001": "", "F2026-000002": "62.50\u00a0kr",
    }  # fmt: skip
    app = open_page(monkeypatch, world.engine, "invoices", now=NOW_FEBRUARY, state="overdue")
    assert app.dataframe[0].value["Number"].to_list() == ["F2026-000002"]
    app = open_page(monkeypatch, world.engine, "invoices", now="2026-01-02T10:00:00+00:00", state="overdue")
    assert "No invoice fits" in texts(app)


def test_an_invoice_is_credited_in_full_with_what_follows_said_first(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    def _dialog() -> None:
        from core.reports.invoices import explained
        from core.ui import invoice_credit, session

        invoice_credit.form(session.frames(explained, "F2026-000001"))

    app = click(open_page(monkeypatch, world.engine, "invoices", number="F2026-000001"), "Credit in full")
    said = texts(app).replace("\u00a0", " ")
    assert "A credit note of **125\\.00 kr** takes F2026-000001 back" in said
    assert "The next billing run bills these days again" in said
    AppTest.from_function(_dialog, default_timeout=60).run().button[0].click().run()
    assert [(row.kind, row.total_minor) for row in world.documents()][-1] == ("credit_note", 12_500)
    app = open_page(monkeypatch, world.engine, "invoices", number="F2026-000001")
    buttons = {button.label: button.disabled for button in app.button}
    assert (buttons["Credit in full …"], buttons["Wrong receiver …"]) == (True, True)


def test_a_run_is_credited_after_its_number_was_typed(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    def _dialog() -> None:
        from core.ui import invoice_credit

        invoice_credit.run_form(1)

    said = texts(click(open_page(monkeypatch, world.engine, "invoices", run="1"), "Credit this run"))
    assert "2 credit notes of **187\\.50 kr** in all." in said.replace("\u00a0", " ")
    app = AppTest.from_function(_dialog, default_timeout=60).run()
    assert app.button[0].disabled
    app.text_input[0].set_value("1").run()
    finished(app.button[0].click().run())
    assert [row.kind for row in world.documents()].count("credit_note") == 2
    world.bill(FEBRUARY)
    assert_books_hold(world)


def test_support_may_not_credit_in_full(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    world.add(Person, name="Sara", email="sara@forbli.no", role="support")
    for query in ({"number": "F2026-000001"}, {"run": "1"}):
        app = open_page(monkeypatch, world.engine, "invoices", person=1, **query)
        buttons = {button.label: button.disabled for button in app.button if button.label.startswith("Credit")}
        assert buttons.pop("Credit an amount …", False) is False
        assert list(buttons.values()) == [True]
