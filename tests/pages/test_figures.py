"""Overview, retention and lifetime: what leadership reads, what may be entered, and what is said where little is known."""

from __future__ import annotations

from copy import copy
from datetime import date, timedelta
from pathlib import Path

import pytest

from core.store.tables import Person
from tests.apps import open_page, texts
from tests.world import World, fixed

TODAY = "2026-06-30T10:00:00+00:00"


def people(world):
    """One person a role; answers their ids."""
    return {
        role: world.add(Person, name=role.title(), email=f"{role}@example.com", role=role)
        for role in ("admin", "finance", "product", "support", "viewer")
    }


LIVED = {}  # how many customers: the world and the file of its database, built once by a worker


def lived(engine, customers=150):
    """Customers of two plans and payment options over two and a half years; those with a card leave sooner."""
    if customers not in LIVED:
        world = made(engine, customers)
        engine.dispose()
        LIVED[customers] = world, Path(engine.url.database).read_bytes()
    known, content = LIVED[customers]
    Path(engine.url.database).write_bytes(content)  # nobody is connected yet
    world = copy(known)
    world.engine = engine
    return world


def made(engine, customers):
    world = World(engine)
    plans = [world.plan(fixed("100")), world.plan(fixed("300"))]
    for number in range(customers):
        card = number % 2 == 0
        start = date(2024, 1, 1) + timedelta(days=7 * (number % 60))
        who = world.customer(payment_option="card" if card else "direct_debit", channel="email")
        subscription = world.start(who, plans[number % 3 == 0], start)
        months = 3 + (number * 7) % (24 if card else 34)
        end = (start + timedelta(days=31 * months)).replace(day=min(start.day, 28))
        if end < date(2026, 6, 1):
            world.change(
                subscription,
                "cancel",
                end,
                cause="voluntary" if number % 5 else "involuntary",
                reason="Too dear" if number % 5 else "",
            )
    return world


@pytest.fixture
def metrics(monkeypatch):
    def shown(engine, page, **more):
        app = open_page(monkeypatch, engine, page, now=TODAY, **more)
        assert not app.exception, app.exception
        return app, {metric.label: metric.value for metric in app.metric}

    return shown


def test_the_first_screen_says_how_the_company_stands(sqlite_engine, metrics):
    lived(sqlite_engine, 16)

    app, values = metrics(sqlite_engine, "overview")

    assert values["ARR"] != values["MRR"]
    assert set(values) >= {
        "MRR",
        "Paying customers",
        "Customer churn",
        "ARPA",
        "NRR, 12 months",
        "GRR, 12 months",
        "Quick ratio",
        "Usage MRR",
    }
    assert "Every row adds up" in texts(app)
    assert "their lines and the ledger say the same" in texts(app)


def test_a_link_opens_the_range_and_the_segment(sqlite_engine, metrics):
    lived(sqlite_engine, 16)

    _, whole = metrics(sqlite_engine, "overview")
    app, part = metrics(sqlite_engine, "overview", range="24", payment_option="card")

    assert int(part["Paying customers"]) < int(whole["Paying customers"])
    assert app.query_params["range"] in ("24", ["24"])
    assert app.query_params["payment_option"] in ("card", ["card"])


def listed(app, day):
    """The customers shown behind a mark of a chart: the one table with such a column of days."""
    (frame,) = [each.value for each in app.dataframe if day in each.value.columns]
    return frame


def test_a_link_opens_the_customers_behind_a_bar_until_they_are_closed(sqlite_engine, metrics):
    lived(sqlite_engine, 40)

    app, _ = metrics(sqlite_engine, "overview", range="36", movement="new-2024-03", payment_option="card")

    rows = listed(app, "Day")
    assert "New · Mar 2024" in [header.value for header in app.header]
    assert set(rows["Movement"]) == {"new"}
    assert {day.isoformat()[:7] for day in rows["Day"]} == {"2024-03"}  # days, not words: they sort as days
    assert app.query_params["movement"] in ("new-2024-03", ["new-2024-03"])

    app.button(key="drill:movement:close").click().run()

    assert "movement" not in app.query_params
    assert "New · Mar 2024" not in [header.value for header in app.header]


def test_what_needs_a_hand_says_how_many_invoices_are_overdue(sqlite_engine, metrics):
    world = World(sqlite_engine)
    world.start(world.customer(), world.plan(fixed("100")), date(2026, 6, 1))
    world.bill(date(2026, 6, 1))

    app, _ = metrics(sqlite_engine, "overview")

    assert "Overdue invoices: **1**" in [link.proto.label for link in app.get("page_link")]


def test_a_link_opens_the_customers_of_a_cohort_until_they_are_closed(sqlite_engine, metrics):
    lived(sqlite_engine, 40)

    app, _ = metrics(sqlite_engine, "retention", cohort="2024-03")

    assert {day.isoformat()[:7] for day in listed(app, "Since")["Since"]} == {"2024-03"}
    app.segmented_control(key="cohorts:what").set_value("revenue").run()
    assert "**Mar 2024**" in texts(app)
    assert app.query_params["cohort"] in ("2024-03", ["2024-03"])

    app.button(key="drill:cohort:close").click().run()

    assert "cohort" not in app.query_params
    assert "**Mar 2024**" not in texts(app)


@pytest.mark.parametrize("asked", ["2024-13", "2099-01", "9999-12", "nonsense", "churn-", "stay-2024-03", "2024-3"])
def test_a_link_to_nothing_opens_nothing(sqlite_engine, metrics, asked):
    lived(sqlite_engine, 16)

    for page, name in (("overview", "movement"), ("retention", "cohort")):
        app, _ = metrics(sqlite_engine, page, **{name: asked})

        assert name not in app.query_params
        assert not [button for button in app.button if button.label == "Close"]


def test_retention_tells_cohorts_curves_and_reasons(sqlite_engine, metrics):
    lived(sqlite_engine)

    app, _ = metrics(sqlite_engine, "retention", by="payment_option")

    said = texts(app)
    assert "The segments **differ**" in said
    assert [frame.value.shape for frame in app.dataframe if "Stated reason" in frame.value.columns]
    assert "Whom we may lose" in said


def test_a_lifetime_comes_with_its_range_and_reasons(sqlite_engine, metrics):
    lived(sqlite_engine)

    app, values = metrics(sqlite_engine, "lifetime")

    said = texts(app)
    assert values["A new customer is worth"].endswith("kr")
    assert "95 % interval" in said
    assert "Estimated from your history" in said
    assert "none was entered, so revenue counts in full" in said
    assert "Shapley" in said
    assert "what-if under independence" in said
    headers = [header.value for header in app.header]
    assert "By payment option, over the whole life" in headers
    assert any(header.startswith("What separates two segments in their first ") for header in headers)
    assert "Nothing says that these ratios change with tenure" in said


def test_an_effect_that_changes_with_tenure_is_read_from_the_curves(sqlite_engine, metrics):
    world = World(sqlite_engine)
    plan, begin = world.plan(fixed("100")), date(2024, 1, 1)
    # With a card many leave at once and then nobody; by direct debit it is the other way round.
    for option, months in (("card", [2] * 35 + [25] * 10), ("direct_debit", [20] * 35 + [25] * 10)):
        for at in months:
            who = world.start(world.customer(payment_option=option), plan, begin)
            world.change(who, "cancel", date(2024 + at // 12, at % 12 + 1, 1), cause="voluntary")

    app, _ = metrics(sqlite_engine, "lifetime")

    assert "the effect changes with tenure (p < 0.001): read the curves instead" in texts(app)


def test_where_little_is_known_it_is_said(sqlite_engine, metrics):
    lived(sqlite_engine, 10)

    app, values = metrics(sqlite_engine, "lifetime")

    assert "A new customer is worth" not in values
    assert "Too little to tell a lifetime" in texts(app)


@pytest.mark.parametrize("page", ["overview", "retention", "lifetime"])
def test_an_empty_company_has_no_figures(sqlite_engine, metrics, page):
    World(sqlite_engine)

    app, _ = metrics(sqlite_engine, page)

    assert ("No figures yet" if page == "overview" else "No history yet") in texts(app)


@pytest.mark.parametrize("page", ["overview", "retention", "lifetime"])
def test_customers_whose_currency_has_no_rate_are_no_empty_company(sqlite_engine, metrics, page):
    world = World(sqlite_engine)
    world.start(world.customer(), world.plan(fixed("10"), currency="USD"), date(2025, 1, 1), currency="USD")

    app, _ = metrics(sqlite_engine, page)

    assert "Left out for want of a rate: USD. Enter one in Settings." in texts(app)


@pytest.mark.parametrize(("role", "may"), [("support", False), ("product", True)])
def test_who_may_enter_budgets_and_margins(sqlite_engine, metrics, role, may):
    ids = people(lived(sqlite_engine, 16))

    overview, _ = metrics(sqlite_engine, "overview", person=ids[role])
    lifetime, _ = metrics(sqlite_engine, "lifetime", person=ids[role])

    assert any(button.label == "Save budget" for button in overview.button) is may
    assert any(button.label == "Save margin" for button in lifetime.button) is may


def test_a_month_is_reported_once_by_who_may_close_books(sqlite_engine, metrics):
    ids = people(lived(sqlite_engine, 16))
    app, _ = metrics(sqlite_engine, "overview", person=ids["finance"])

    app.button(key="report").click().run()

    assert not app.exception
    assert "report" not in [button.key for button in app.button]


@pytest.mark.parametrize(
    ("page", "title"), [("overview", "Oversikt"), ("retention", "Kundebevaring"), ("lifetime", "Levetid")]
)
def test_the_pages_speak_norwegian(sqlite_engine, metrics, page, title):
    lived(sqlite_engine, 16)

    app, _ = metrics(sqlite_engine, page, language="nb")

    assert app.title[0].value == title


def test_a_table_from_elsewhere_is_fitted_on_the_bench(sqlite_engine, metrics):
    lived(sqlite_engine, 16)
    app, _ = metrics(sqlite_engine, "lifetime")

    app.text_area(key="bench:survivors").set_value("1000\n631\n468\n382\n326\n289\n262\n241").run()
    assert "α 0.7041" in texts(app)
    app.text_area(key="bench:survivors").set_value("1000\n1100").run()
    assert "rises in row 2" in texts(app)


def test_what_was_not_billed_here_is_said(sqlite_engine, metrics):
    world = lived(sqlite_engine, 16)
    app, _ = metrics(sqlite_engine, "overview")
    assert "Nothing has been billed here yet" in texts(app)
    later = world.start(world.customer(), world.plan(fixed("10")), date(2026, 5, 1))
    world.bill(date(2026, 5, 1))
    assert later
    app, _ = metrics(sqlite_engine, "retention")
    assert "Billed here since" in texts(app)
    assert "from Jan 2024 until then" in texts(app)


def test_retention_says_who_is_to_leave_and_how_sure_the_rate_is(sqlite_engine, metrics):
    world = lived(sqlite_engine, 30)
    leaving = world.start(world.customer(), world.plan(fixed("250")), date(2026, 1, 1))
    world.change(leaving, "cancel", date(2026, 8, 1), cause="voluntary")
    app, values = metrics(sqlite_engine, "retention")
    assert int(values["Scheduled to leave"]) >= 1
    assert values["Leave in a month"].endswith("%")
    cards = {metric.label: metric for metric in app.metric}
    assert "95 % interval" in cards["Leave in a month"].help
    app.segmented_control(key="curves:seen").set_value("leave").run()
    assert not app.exception
