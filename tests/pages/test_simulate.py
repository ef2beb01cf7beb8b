"""The simulation page: the sentence, the exact numbers first, and the way to a decision by two."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from decimal import Decimal as D
from types import SimpleNamespace

import polars as pl
import pytest

from core.actions.prices import publish
from core.actions.scenarios import approve, stop
from core.domain.periods import MONTHLY
from core.domain.plans import Charge, ChargeKind, ChargeModel, PriceTerms, Tier
from core.domain.price_form import fill
from core.domain.scenarios import Existing
from core.language.formats import money
from core.reports import reaction, scenarios
from core.store import load
from core.store.engine import reading
from core.store.tables import Person
from core.ui.simulate_answer import _room
from core.ui.simulate_decide import _letters
from core.ui.simulate_prices import Cell, _step, _tier_today
from core.ui.text import plain
from tests.apps import open_page, texts
from tests.reports.test_simulation import APPROVER, SCENARIO, act, effect, prepared_request, rising
from tests.world import World, charge, fixed, tier

TODAY = "2026-06-15T10:00:00+00:00"


def company(engine):
    """Twenty subscribers of one plan, some with an add-on, and a cheaper plan; one person a role."""
    world = World(engine)
    plan = world.plan(
        fixed("299"), charge("x", "addon", "per_unit", tier(unit="39")), code="pro", valid_from=date(2024, 1, 1)
    )
    for number in range(20):
        subscription = world.start(world.customer(), plan, date(2025, 1, 1 + number % 9))
        if number % 3 == 0:
            world.change(subscription, "addon", date(2025, 2, 1), item="x", quantity_micro=10**6)
    world.start(world.customer(), world.plan(fixed("99"), code="small", valid_from=date(2024, 1, 1)), date(2025, 1, 1))
    return {
        role: world.add(Person, name=role.title(), email=f"{role}@example.com", role=role)
        for role in ("admin", "product", "support", "viewer", "finance")
    }


@pytest.fixture
def page(monkeypatch):
    def opened(engine, **more):
        app = open_page(monkeypatch, engine, "simulate", now=TODAY, **more)
        assert not app.exception, app.exception
        return app

    return opened


def fee(app):
    return next(field for field in app.number_input if field.key.endswith(":fee:0:flat_amount"))


def figures(app):
    return {metric.label: metric.value for metric in app.metric}


def test_at_first_nothing_changes_and_that_is_said(sqlite_engine, page):
    company(sqlite_engine)
    app = page(sqlite_engine)

    assert figures(app)["A month, nobody reacting"].startswith("0.00")
    assert "Nothing changes yet" in "\n".join(info.value for info in app.info)


def test_a_typed_price_shows_what_it_brings_at_once(engine, page):
    company(engine)
    app = page(engine)

    fee(app).set_value(349.0).run()

    assert not app.exception
    assert figures(app)["A month, nobody reacting"] == "+1,000.00\u00a0kr"
    said = texts(app)
    assert "Who is hit" in said
    assert "chance of a gain" in said
    assert "at their next renewal" in said


def test_a_scenario_is_kept_asked_for_approved_and_stands_as_a_draft(sqlite_engine, page):
    ids = company(sqlite_engine)
    app = page(sqlite_engine, person=ids["product"])
    fee(app).set_value(349.0).run()
    app.text_input(key="simulate:name").set_value("Dearer").run()
    app.button(key="scenario:save").click().run()
    assert not app.exception

    app = page(sqlite_engine, person=ids["product"], scenario="1")
    assert fee(app).value == 349.0
    app.button(key="scenario:ask").click().run()
    assert not app.exception
    own = page(sqlite_engine, person=ids["product"], scenario="1")
    assert own.button(key="scenario:approve").disabled
    assert "Another person" in own.button(key="scenario:approve").help

    second = page(sqlite_engine, person=ids["finance"], scenario="1")
    second.button(key="scenario:decline").click().run()
    assert second.text_input[-1].label == "Why"
    second.button(key="scenario:approve").click().run()
    assert not second.exception
    assert not second.error

    later = page(sqlite_engine, person=ids["admin"], scenario="1")
    assert "Roll-out" in texts(later)
    assert "prediction was frozen" in texts(later)


def test_prices_for_new_customers_only_lead_to_their_draft(sqlite_engine, page, monkeypatch):
    ids = company(sqlite_engine)
    nobody = replace(SCENARIO, existing=Existing.NEVER)
    key = prepared_request(sqlite_engine, nobody)
    known = effect(sqlite_engine, nobody)
    made = act(sqlite_engine, approve, APPROVER, "yes", scenario_id=key, terms=known.candidate.terms, moves=known.moves)
    waiting = page(sqlite_engine, person=ids["admin"], scenario="1")
    assert "publish their draft" in texts(waiting)
    assert any(button.label == "Stop …" for button in waiting.button)
    draft = open_page(monkeypatch, sqlite_engine, "plans", person=ids["admin"], now=TODAY, plan="pro")
    assert "approved with the scenario “Dearer”, so they cannot be edited" in texts(draft)
    assert not {"Save draft", "Throw the draft away"} & {button.label for button in draft.button}
    act(
        sqlite_engine,
        publish,
        APPROVER,
        "publish",
        price_version_id=made["price_version_id"],
        valid_from=date(2026, 6, 15),
    )
    assert "prices: nobody has to be moved" in texts(page(sqlite_engine, person=ids["admin"], scenario="1"))


def test_the_day_of_new_customers_is_said_and_is_the_one_that_publishing_proposes(sqlite_engine, page, monkeypatch):
    ids = company(sqlite_engine)
    app = page(sqlite_engine, person=ids["product"])
    fee(app).set_value(349.0).run()
    app.selectbox(key="simulate:existing").set_value("date").run()
    app.date_input(key="simulate:from").set_value(date(2026, 8, 1)).run()
    assert "on 1 Aug 2026, after existing ones on 15 Jul 2026" in texts(app)
    app.date_input(key="simulate:from").set_value(date(2026, 6, 1)).run()
    assert "The day for new customers has passed" in texts(app)
    assert "new customers from" not in texts(app)

    august = replace(SCENARIO, from_on=date(2026, 8, 5))
    key = prepared_request(sqlite_engine, august)
    known = effect(sqlite_engine, august)
    act(sqlite_engine, approve, APPROVER, "yes", scenario_id=key, terms=known.candidate.terms, moves=known.moves)
    assert "; new customers from 5 Aug 2026;" in texts(page(sqlite_engine, person=ids["admin"], scenario="1"))
    draft = open_page(monkeypatch, sqlite_engine, "plans", person=ids["admin"], now=TODAY, plan="pro")
    publishing = next(button for button in draft.button if button.label == "Publish …")
    publishing.click().run()
    [day] = draft.date_input
    assert (day.label, day.value) == ("Valid from", date(2026, 8, 5))
    draft.session_state[day.key] = date(2026, 12, 1)
    publishing.click().run()
    assert "from 5 Aug 2026 on: with a later day here their roll-out cannot be planned" in texts(draft)


def test_letters_of_prices_that_are_not_published_say_so_and_their_days_are_words(sqlite_engine):
    company(sqlite_engine)
    key = prepared_request(sqlite_engine)
    known = effect(sqlite_engine)
    act(sqlite_engine, approve, APPROVER, "yes", scenario_id=key, terms=known.candidate.terms, moves=known.moves)
    context = SimpleNamespace(engine=sqlite_engine, today=date(2026, 6, 15))
    row = {"id": key, "name": "Dearer"}
    draft, final = (_letters(row, context, draft=each).decode() for each in (True, False))
    assert "Draft: the prices are not published yet" in draft.splitlines()[0]
    assert "Draft" not in final
    assert ",2 Jul 2026,1 Aug 2026," in final


def test_a_stopped_roll_out_offers_no_letters(sqlite_engine, page):
    ids = company(sqlite_engine)
    key = prepared_request(sqlite_engine)
    known = effect(sqlite_engine)
    act(sqlite_engine, approve, APPROVER, "yes", scenario_id=key, terms=known.candidate.terms, moves=known.moves)
    running = page(sqlite_engine, person=ids["admin"], scenario="1")
    assert "letters go out" in texts(running)
    assert "Draft of the letters as CSV" in [button.label for button in running.get("download_button")]
    act(sqlite_engine, stop, APPROVER, "stop", scenario_id=key, note="not now")

    stopped = texts(page(sqlite_engine, person=ids["admin"], scenario="1"))
    assert "roll-out was stopped: 0 changes" in stopped
    assert "letters go out" not in stopped


def test_what_was_stopped_is_shown_as_it_was_approved_and_with_todays_base_when_asked(sqlite_engine, page):
    """Its prices are sold by now, so with today's base nobody would pay more: that is another number than the one approved."""
    ids = company(sqlite_engine)
    kept = replace(SCENARIO, from_on=date(2026, 6, 15))
    key = prepared_request(sqlite_engine, kept)
    known = effect(sqlite_engine, kept)
    made = act(sqlite_engine, approve, APPROVER, "yes", scenario_id=key, terms=known.candidate.terms, moves=known.moves)
    version = made["price_version_id"]
    act(sqlite_engine, publish, APPROVER, "publish", price_version_id=version, valid_from=date(2026, 6, 15))
    act(sqlite_engine, stop, APPROVER, "stop", scenario_id=key, note="not now")

    approved = page(sqlite_engine, person=ids["admin"], scenario="1")
    assert "fee 299.00 kr → 349.00 kr" in texts(approved).replace("\u00a0", " ").replace("\\", "")
    assert "numbers are those that were approved" in texts(approved)
    today = page(sqlite_engine, person=ids["admin"], scenario="1", base="today")
    assert fee(today).value == 349.0
    assert "Other numbers were approved" in texts(today)
    assert "differs from what is kept" not in texts(today)
    assert any(button.key == "scenario:ask" for button in today.button)


def test_a_roll_out_stays_on_the_page_when_its_prices_are_what_is_sold(sqlite_engine, page, monkeypatch):
    ids = company(sqlite_engine)
    key = prepared_request(sqlite_engine)
    known = effect(sqlite_engine)
    made = act(sqlite_engine, approve, APPROVER, "yes", scenario_id=key, terms=known.candidate.terms, moves=known.moves)
    version = made["price_version_id"]
    with reading(sqlite_engine) as session:
        behind = scenarios.behind(session, version)
    told = {f"{side}_minor": known.moved[side].sum() // 12 for side in ("before", "after")}
    days = {"from_on": None, "first_on": known.moves["effective_on"].min()}
    assert behind == {"id": key, "name": known.scenario.name, "count": 20, **told, **days}, (
        "whoever publishes is told what follows"
    )
    finance = texts(page(sqlite_engine, person=ids["finance"], scenario="1"))
    assert "Next: whoever may publish prices" in finance
    act(sqlite_engine, publish, APPROVER, "publish", price_version_id=version, valid_from=date(2026, 6, 15))

    late = open_page(
        monkeypatch, sqlite_engine, "simulate", now="2026-07-03T10:00:00+00:00", person=ids["admin"], scenario="1"
    )
    assert "were to be told of their new prices before today, the first on 2 Jul 2026" in texts(late)
    assert late.button(key="rollout:go").disabled
    app = page(sqlite_engine, person=ids["admin"], scenario="1")
    app.button(key="rollout:go").click().run()
    assert not app.exception
    assert "**20 of 20** changes are planned" in texts(app)
    with reading(sqlite_engine) as session:
        who = load.customers(session, date(2026, 6, 15), [1])["external_id"][0]
    customer = open_page(monkeypatch, sqlite_engine, "customers", person=ids["support"], now=TODAY, customer=who)
    assert "338.00 kr → 388.00 kr per month (before VAT)" in texts(customer).replace("\u00a0", " ").replace("\\", "")
    assert any(link.label == "To the scenario" for link in customer.get("page_link"))
    # The sentence and the numbers are those that were approved, though the prices are sold by now.
    approved = page(sqlite_engine, person=ids["admin"], scenario="1")
    assert "fee 299.00 kr → 349.00 kr" in texts(approved).replace("\u00a0", " ").replace("\\", "")
    assert figures(approved)["A month, nobody reacting"] == figures(app)["A month, nobody reacting"] != "0.00\u00a0kr"
    # Another price is tried and kept: what was rolled out is still there, with its way to be stopped.
    app = page(sqlite_engine, person=ids["admin"])
    fee(app).set_value(359.0).run()
    app.button(key="scenario:save").click().run()
    assert not app.exception
    again = page(sqlite_engine, person=ids["admin"], scenario="1")
    assert any(button.label == "Stop …" for button in again.button)
    assert "prediction was frozen" in texts(again)


def test_a_day_begins_as_the_notice_allows_and_one_too_early_is_told_with_the_real_one(sqlite_engine, page):
    company(sqlite_engine)
    app = page(sqlite_engine)
    fee(app).set_value(349.0).run()
    app.selectbox(key="simulate:existing").set_value("date").run()

    assert app.date_input(key="simulate:on").value == date(2026, 7, 15)  # 30 days after 15 June
    assert "existing customers on 15 Jul 2026, with 30 days of notice" in texts(app)
    app.date_input(key="simulate:on").set_value(date(2026, 6, 1)).run()
    said = "existing customers on 15 Jul 2026, as soon after 1 Jun 2026 as the notice allows, with 30 days of notice"
    assert said in texts(app)
    assert "existing customers on 1 Jun" not in texts(app)
    app.number_input(key="simulate:notice").set_value(0).run()
    assert said in texts(app), "the company's own notice holds, not none"


def test_waves_that_begin_after_the_horizon_are_said_not_to_count(sqlite_engine, page):
    company(sqlite_engine)
    app = page(sqlite_engine)
    fee(app).set_value(349.0).run()
    assert "Not counted" not in texts(app)
    app.number_input(key="simulate:waves").set_value(2).run()
    app.number_input(key="simulate:apart").set_value(12).run()
    app.number_input(key="simulate:horizon").set_value(6).run()

    assert not app.exception
    assert (
        "Not counted: 10 subscriptions of wave 2, whose new prices begin after the horizon, on 1 Aug 2027 at the earliest."
        in texts(app).replace("\\", "")
    )


@pytest.mark.parametrize(
    ("low", "high", "room"),
    [(193_581.073, 193_581.073, (192_614, 194_549)), (0.0, 0.0, (-1, 1)), (500.0, 900.0, None)],
)
def test_the_axis_of_months_that_hardly_differ_is_no_magnifying_glass(low, high, room):
    assert _room(pl.DataFrame({"low": [low], "high": [high]})) == room


def test_whoever_publishes_the_prices_of_a_scenario_sees_its_figures(sqlite_engine, monkeypatch):
    """Not those at list prices of customers who keep them: the draft was made so that they do not."""
    ids = company(sqlite_engine)
    limited = replace(SCENARIO, cap_ppm=50_000)
    key = prepared_request(sqlite_engine, limited)
    known = effect(sqlite_engine, limited)
    made = act(sqlite_engine, approve, APPROVER, "yes", scenario_id=key, terms=known.candidate.terms, moves=known.moves)
    draft = {"plan": "pro", "version": str(made["price_version_id"])}
    app = open_page(monkeypatch, sqlite_engine, "plans", person=ids["product"], now=TODAY, **draft)
    next(button for button in app.button if button.label == "Publish …").click().run()
    said = texts(app).replace("\\", "")

    before, after = (known.moved[side].sum() // 12 for side in ("before", "after"))
    assert f"{money(before, 'NOK', 'en')} a month today and {money(after, 'NOK', 'en')} then" in said
    assert "They keep their price" not in said


@pytest.mark.parametrize(
    ("role", "said"), [("viewer", "keep a scenario or ask"), ("support", "keep a scenario or ask"), ("finance", "and approve or decline"), ("product", "")]
)  # fmt: skip
def test_who_may_keep_a_scenario_and_what_the_others_can_do_here(sqlite_engine, page, role, said):
    ids = company(sqlite_engine)
    app = page(sqlite_engine, person=ids[role])
    fee(app).set_value(349.0).run()

    assert app.button(key="scenario:save").disabled is bool(said)
    assert ("you can try prices" in texts(app)) is bool(said)
    assert said in texts(app)


def test_scenarios_stand_side_by_side(sqlite_engine, page):
    company(sqlite_engine)
    app = page(sqlite_engine)
    fee(app).set_value(349.0).run()
    app.button(key="scenario:beside").click().run()
    fee(app).set_value(329.0).run()

    assert not app.exception
    table = next(frame.value for frame in app.dataframe if "Chance of a loss" in frame.value.columns)
    assert table["A month"].to_list() == ["+600\u00a0kr", "+1,000\u00a0kr"]
    told = [each.replace("\u00a0", " ") for each in table["What differs"]]
    assert told == ["fee 299.00 kr → 329.00 kr", "fee 299.00 kr → 349.00 kr"]
    assert [each.replace("\u00a0", " ") for each in table["Scenario"]] == told, (
        "one name says nothing, so what differs does"
    )


def test_without_subscribers_there_is_nothing_to_simulate(sqlite_engine, page):
    World(sqlite_engine)

    assert "Nothing to simulate yet" in texts(page(sqlite_engine))


def test_it_speaks_norwegian(sqlite_engine, page):
    company(sqlite_engine)

    assert page(sqlite_engine, language="nb").title[0].value == "Simuler"


def test_a_price_that_no_churn_undoes_is_answered_too(sqlite_engine, page):
    company(sqlite_engine)
    app = page(sqlite_engine)
    fee(app).set_value(99_000.0).run()
    assert not app.exception
    assert figures(app)["A month, nobody reacting"].startswith("+")


def test_history_is_told_and_learned_from_with_one_click(sqlite_engine, page):
    rising(sqlite_engine)
    person = World(sqlite_engine).add(Person, name="Kari", email="kari@example.com", role="product")
    app = page(sqlite_engine, person=person)
    fee(app).set_value(150.0).run()
    assert "lived through a rise" in texts(app)
    kappa = next(box for box in app.number_input if box.key.endswith("assume:kappa"))
    assert kappa.value == 2.5
    app.button(key="scenario:learn").click().run()
    assert not app.exception
    learned = next(box for box in app.number_input if box.key.endswith("assume:kappa")).value
    assert learned != 2.5
    with reading(sqlite_engine) as session:
        assert reaction.learned(session).kappa == learned


def test_without_own_rises_history_says_nothing(sqlite_engine, page):
    company(sqlite_engine)
    app = page(sqlite_engine)
    fee(app).set_value(349.0).run()
    assert "history says nothing yet" in texts(app)


def metered(engine):
    """Twelve subscribers of a plan with volume prices of calls, each with 8, 9, 10 or 11 calls a month."""
    world = World(engine)
    calls = charge("calls", "usage", "volume", tier("10", unit="5"), tier(unit="4"), meter="calls", name="Calls")
    plan = world.plan(fixed("100"), calls, code="pro", valid_from=date(2024, 1, 1))
    for number in range(12):
        subscription = world.start(world.customer(), plan, date(2025, 1, 1))
        for month in range(12):  # June 2025 to May 2026
            world.use(subscription, "calls", date(2025 + (month + 5) // 12, (month + 5) % 12 + 1, 20), 8 + number % 4)


LIST = "simulate:prices:pro:NOK:month"


def opened_charge(app, at):
    """The whole price list with one of its charges open."""
    app.session_state["simulate:whole"] = True
    app.session_state[f"{LIST}:list:chosen"] = at
    return app.run()


def box(fields, name):
    return next(field for field in fields if field.label == name)


def month_effect(app):
    return figures(app)["A month, nobody reacting"].replace("\u00a0", " ")


def test_included_units_the_minimum_and_another_model_are_part_of_the_price_list(sqlite_engine, page):
    metered(sqlite_engine)
    app = opened_charge(page(sqlite_engine), 1)
    box(app.text_input, "Included units").set_value("2").run()
    # Two calls fewer are paid for by each: −2 × 5.00 up to ten calls; eleven cost 9 × 5.00 instead of 11 × 4.00.
    assert month_effect(app) == "−87.00 kr"
    assert "Calls: Included units none → 2" in texts(app).replace("\\", "")
    app.text_input(key=f"{LIST}:minimum").set_value("200").run()
    assert not app.exception
    risen = month_effect(app)
    assert risen.startswith("+")
    app.session_state["simulate:whole"] = False
    assert month_effect(app.run()) == risen  # closed, what was typed there stays
    opened_charge(app, 1)
    assert app.text_input(key=f"{LIST}:minimum").value == "200"
    assert box(app.text_input, "Included units").value == "2"
    box(app.selectbox, "Model").set_value("graduated").run()
    assert "Calls (volume → graduated)" in texts(app).replace("\\", "")
    app.button(key=f"{LIST}:reset").click().run()
    assert month_effect(app) == "0.00 kr"


def test_a_charge_is_added_and_another_taken_away(sqlite_engine, page):
    metered(sqlite_engine)
    app = opened_charge(page(sqlite_engine), 1)
    app.button(key=f"{LIST}:list:remove").click().run()
    assert not app.exception
    assert "Calls is no longer charged" in texts(app)
    assert month_effect(app).startswith("−")


def test_what_cannot_be_read_is_said_in_its_cell(sqlite_engine, page):
    metered(sqlite_engine)
    app = opened_charge(page(sqlite_engine), 1)
    box(app.text_input, "Included units").set_value("many").run()
    assert not app.exception
    assert "“many” is not a number" in texts(app)
    assert any("cannot be read" in error.value for error in app.error)


def test_whatever_stands_in_the_list_the_page_goes_on(sqlite_engine, page):
    """A percentage, a negative price and a second charge of the same code are said or shown, and can be put right."""
    metered(sqlite_engine)
    app = opened_charge(page(sqlite_engine), 1)
    box(app.selectbox, "Model").set_value("percentage").run()
    box(app.text_input, "Percent").set_value("2").run()
    box(app.text_input, "Fixed per event").set_value("1").run()
    assert not app.exception
    assert any("past use is not known" in error.value for error in app.error)
    app.button(key=f"{LIST}:reset").click().run()
    app = opened_charge(app, 0)
    for typed in ("-5", "99"):
        box(app.text_input, "Flat fee").set_value(typed).run()
        assert not app.exception
    assert fee(app).value == 99.0
    box(app.text_input, "Code").set_value("calls").run()
    assert not app.exception
    assert any("cannot be read" in error.value for error in app.error)
    app.button(key=f"{LIST}:reset").click().run()
    assert month_effect(app) == "0.00 kr"


def test_all_prices_rise_by_a_share_and_go_back(sqlite_engine, page):
    metered(sqlite_engine)
    app = page(sqlite_engine)
    app.number_input(key=f"{LIST}:share").set_value(10.0)
    next(button for button in app.button if button.label == "Change all prices").click().run()
    assert not app.exception
    boxes = {
        field.key.removeprefix(f"{LIST}:"): field.value for field in app.number_input if field.key.startswith(LIST)
    }
    assert (boxes["fee:0:flat_amount"], boxes["calls:0:unit_amount"], boxes["calls:1:unit_amount"]) == (110.0, 5.5, 4.4)
    app.slider(key=f"{LIST}:fee:0:flat_amount:slide").set_value(120.0).run()
    assert fee(app).value == 120.0


def test_a_kept_scenario_opens_with_every_cell_as_it_was(sqlite_engine, page):
    metered(sqlite_engine)
    person = World(sqlite_engine).add(Person, name="Kari", email="kari@example.com", role="product")
    app = opened_charge(page(sqlite_engine, person=person), 1)
    box(app.text_input, "Included units").set_value("3").run()
    box(app.selectbox, "Model").set_value("graduated").run()
    fee(app).set_value(120.0).run()
    told = month_effect(app)
    app.button(key="scenario:save").click().run()
    assert not app.exception
    kept = opened_charge(page(sqlite_engine, person=person, scenario="1"), 1)
    assert (box(kept.text_input, "Included units").value, box(kept.selectbox, "Model").value) == ("3", "graduated")
    assert fee(kept).value == 120.0
    assert month_effect(kept) == told


def test_scenarios_of_different_plans_have_a_sum(sqlite_engine, page):
    company(sqlite_engine)
    app = page(sqlite_engine)
    fee(app).set_value(349.0).run()
    app.button(key="scenario:beside").click().run()
    series = next(field for field in app.selectbox if field.key == "simulate:series")
    series.set_value("small|NOK|month").run()
    fee(app).set_value(109.0).run()
    assert not app.exception
    table = next(frame.value for frame in app.dataframe if "Chance of a loss" in frame.value.columns)
    together = table[table["Scenario"] == "Together"]
    assert together["A month"].to_list() == ["+1,010\u00a0kr"]
    assert all("kr" in told for told in (together["Expected"].item(), together["8 of 10 cases"].item()))


def test_bills_below_a_bound_at_which_the_price_falls_are_counted(sqlite_engine, page):
    metered(sqlite_engine)
    app = page(sqlite_engine)
    # Ten calls cost 50.00, eleven 44.00: whoever makes nine (45.00) or ten pays more than for eleven.
    next(box for box in app.number_input if box.key.endswith("fee:0:flat_amount")).set_value(110.0).run()
    said = "\n".join(each.value for each in app.warning).replace("\u00a0", " ").replace("\\", "")
    assert "11 units cost 44.00 kr, 6.00 kr less than 10" in said
    assert "72 bills of the last year are just below the bound" in said


def test_where_a_tier_was_added_a_box_says_what_its_last_unit_costs_today():
    tiers = (Tier(D(100), D(3)), Tier(None, D(1)))
    today = Charge("kwh", "kWh", ChargeKind.USAGE, ChargeModel.GRADUATED, tiers, meter="kwh")
    form = fill(PriceTerms("NOK", MONTHLY, (today,)))["charges"][0]
    moved = {**form, "tiers": [{**form["tiers"][0], "up_to": "200"}, form["tiers"][1]]}
    added = {**form, "tiers": [{**form["tiers"][0], "up_to": "50"}, *form["tiers"]]}

    def told(charge):
        return [
            _tier_today(Cell(charge, place, "unit_amount"), today).unit_amount for place in range(len(charge["tiers"]))
        ]

    assert told(moved) == [3, 1], "the same tiers, in their places"
    assert told(added) == [3, 3, 1], "a new one below: it costs what it costs today"


def test_a_number_that_cannot_be_is_refused_in_a_sentence_and_the_last_one_stays(sqlite_engine, page):
    company(sqlite_engine)
    app = page(sqlite_engine)
    fee(app).set_value(349.0).run()
    told = month_effect(app)
    fee(app).set_value(-5.0).run()
    limits = "is not possible, it takes 0 to 999,999,999,999. 349 stays."
    assert any(f"−5 {limits}" in error.value for error in app.error)
    assert fee(app).value == 349.0
    fee(app).set_value(1e12).run()
    assert any(f"1,000,000,000,000 {limits}" in error.value for error in app.error)
    app.number_input(key="simulate:horizon").set_value(36).run()
    assert not app.error
    app.number_input(key="simulate:horizon").set_value(0).run()
    assert any("Horizon, months: 0 is not possible, it takes 1 to 120. 36 stays." in each.value for each in app.error)
    assert "Expected in 36 months" in figures(app)
    assert month_effect(app) == told


def test_the_name_of_a_box_is_read_aloud_as_it_is_written():
    assert plain("API-kall + SMS") == "API-kall + SMS"
    assert (plain("- one"), plain("+ one")) == (r"\- one", r"\+ one"), "no list"


def test_a_step_of_a_price_leads_to_another_price_that_can_be_sold():
    assert [_step(D(price), 2) for price in ("1.65", "0.40", "4.50", "39", "299")] == [0.03, 0.01, 0.09, 0.78, 6.0]


def test_how_what_is_metered_becomes_what_is_billed_is_said(sqlite_engine, page):
    world = World(sqlite_engine)
    storage = charge("gb", "usage", "per_unit", tier(unit="2"), meter="mb", name="Storage", convert_by="1000")
    world.start(world.customer(), world.plan(fixed("100"), storage, code="pro"), date(2025, 1, 1))

    assert "Storage: 1,000 × mb are one unit" in texts(page(sqlite_engine))
