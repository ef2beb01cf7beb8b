"""From an approval to bills: only those whose prices are still what was approved, on their day, with what their letter said."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta

import polars as pl
import pytest

from core.actions import prices, subscriptions
from core.actions.scenarios import approve, request_approval, roll_out, save_scenario, stop
from core.calc.simulation import exact, limits
from core.documents.letters import written
from core.domain.access import Actor, Role
from core.domain.errors import Conflict, InvalidInput, NotFound
from core.domain.scenarios import Edit, Existing, to_json
from core.language import formats
from core.reports import expected as expectation
from core.reports import kpis, lifetimes, overview, plans, reaction, scenarios, simulation
from core.reports.ahead import ahead
from core.reports.contents import contents_of
from core.reports.letters import told_of
from core.reports.mrr import ledger
from core.store import load
from core.store.catalogue import price_version, terms_of
from core.store.engine import reading
from core.store.tables import Plan
from tests.reports.test_simulation import (
    APPROVER,
    ASKER,
    NOW,
    SCENARIO,
    TODAY,
    act,
    company,
    effect,
    outcome,
    prepared_request,
    replaced,
)
from tests.story import frame
from tests.world import World, assert_books_hold, charge, fixed, tier

DEARER_CALLS = replace(SCENARIO, edits=(Edit("calls", "unit_amount", "1.0"),))


def approved(engine, scenario=SCENARIO, *, valid_from=TODAY, publish=True):
    """Asked for, approved and (unless only drafted) published; the scenario's id, what was approved, and the new version."""
    key = prepared_request(engine, scenario)
    known = effect(engine, scenario)
    made = act(engine, approve, APPROVER, "yes", scenario_id=key, terms=known.candidate.terms, moves=known.moves)
    version = made["price_version_id"]
    if publish:
        act(engine, prices.publish, APPROVER, "publish", price_version_id=version, valid_from=valid_from)
    return key, known, version


def told(engine, key):
    """The rows and the texts of the letters."""
    with reading(engine) as session:
        rows = list(written(session, key, TODAY).iter_rows(named=True))
    return rows, [row["letter"].replace("\u00a0", " ") for row in rows]


def planned(engine, key):
    with reading(engine) as session:
        return scenarios.schedule(session, key, TODAY)


def test_a_draft_is_by_whoever_thought_of_its_prices_and_not_by_who_asked(sqlite_engine):
    company(sqlite_engine, 4)
    third = Actor("Per", Role.PRODUCT, 3)
    key = act(sqlite_engine, save_scenario, third, "save", scenario=to_json(SCENARIO))["scenario_id"]
    ask = {"result": {}, "data_hash": "", "engine_version": "2", "as_of": TODAY, "gap_ppm": 0}
    act(sqlite_engine, request_approval, ASKER, "ask", scenario_id=key, **ask)
    known = effect(sqlite_engine)
    made = act(sqlite_engine, approve, APPROVER, "yes", scenario_id=key, terms=known.candidate.terms, moves=known.moves)
    with reading(sqlite_engine) as session:
        version = price_version(session, made["price_version_id"])

    assert version is not None
    assert version.author == "Per"


def test_who_has_changed_plan_since_the_approval_stays_there(engine):
    _world, _, owned = company(engine, 4)
    key, _, version = approved(engine)
    small = effect(engine, replace(SCENARIO, plan="small", edits=())).rows["price_version_id"][0]
    down = frame(subscription_id=owned[1], price_version_id=small, effective_on=date(2026, 6, 20))
    act(engine, subscriptions.change_price, APPROVER, "down", requests=down)

    done = act(engine, roll_out, APPROVER, "go", scenario_id=key)

    assert (done["moved"], len(done["refused"])) == (3, 1)
    assert "other prices" in done["refused"][0]["reason"]
    later = effect(engine, replace(SCENARIO, edits=()), date(2026, 8, 20)).rows
    assert owned[1] not in later["subscription_id"]
    assert set(later["price_version_id"]) == {version}


def test_who_waits_for_other_prices_is_no_longer_counted(sqlite_engine):
    """A second scenario begins from what is decided already: nobody is promised twice."""
    _world, _, owned = company(sqlite_engine, 4)
    key, *_ = approved(sqlite_engine)
    act(sqlite_engine, roll_out, APPROVER, "go", scenario_id=key)

    again = effect(sqlite_engine, replace(SCENARIO, edits=(Edit("fee", "flat_amount", "399"),)))
    assert again.moved.is_empty()
    assert again.rows.filter(pl.col("subscription_id").is_in(owned))["why"].to_list() == ["planned_already"] * 4
    later = effect(sqlite_engine, replace(SCENARIO, edits=(Edit("fee", "flat_amount", "399"),)), date(2026, 8, 20))
    assert later.moved.height == 4


def test_who_used_nothing_last_year_is_moved_too(sqlite_engine):
    """Their bills stay as they were, the next ones may not."""
    world, plan, owned = company(sqlite_engine, 3)
    quiet = world.start(world.customer(), plan, date(2026, 1, 1))
    known = effect(sqlite_engine, DEARER_CALLS)

    alike = known.rows.filter(pl.col("subscription_id") == quiet)
    assert alike["before"].to_list() == alike["after"].to_list()
    assert sorted(known.moves["subscription_id"]) == sorted([*owned, quiet])


def test_a_rise_is_never_billed_backwards(sqlite_engine):
    company(sqlite_engine, 3)
    key, *_ = approved(sqlite_engine)
    late = datetime(2026, 9, 1, tzinfo=UTC)

    with pytest.raises(Conflict, match="3 subscriptions were to be told"):
        roll_out(sqlite_engine, APPROVER, command_id="late", now=late, scenario_id=key)
    stop(sqlite_engine, APPROVER, command_id="stop", now=late, scenario_id=key, note="Too late")
    ask = {"scenario_id": key, "result": {}, "data_hash": "", "engine_version": "1", "as_of": late.date(), "gap_ppm": 0}
    request_approval(sqlite_engine, ASKER, command_id="again", now=late, **ask)
    known = effect(sqlite_engine, SCENARIO, late.date())
    approve(
        sqlite_engine, APPROVER, command_id="yes again", now=late, scenario_id=key, terms=known.candidate.terms, moves=known.moves
    )  # fmt: skip
    assert planned(sqlite_engine, key)["effective_on"].min() > late.date()


def test_new_customers_do_not_get_the_prices_after_existing_ones(sqlite_engine):
    company(sqlite_engine, 3)
    july = date(2026, 7, 20)
    later = replace(SCENARIO, existing=Existing.DATE, existing_on=july, from_on=date(2026, 8, 1))

    with pytest.raises(Conflict, match="on 2026-08-01, after existing ones on 2026-07-20"):
        approved(sqlite_engine, later)


def test_nobody_is_told_later_than_was_approved(engine):
    """Told on 15 June at the earliest, 30 days before: planned a day later, their notice would be shorter."""
    company(engine, 3)
    key, known, _ = approved(engine, replace(SCENARIO, notice_days=30))
    first = known.moves["notice_on"].min()
    plan = {"scenario_id": key}
    late = datetime.combine(first + timedelta(days=1), time(12), UTC)

    with pytest.raises(Conflict, match=f"before today, (the first )?on {first}"):
        roll_out(engine, APPROVER, command_id="late", now=late, **plan)
    in_time = datetime.combine(first, time(12), UTC)
    assert roll_out(engine, APPROVER, command_id="in time", now=in_time, **plan)["moved"] == 3


def test_prices_that_begin_after_somebody_s_day_move_nobody(sqlite_engine):
    company(sqlite_engine, 3)
    key, *_ = approved(sqlite_engine, valid_from=date(2026, 12, 1))

    with pytest.raises(Conflict, match="begin on"):
        act(sqlite_engine, roll_out, APPROVER, "go", scenario_id=key)
    assert not planned(sqlite_engine, key)["moved"].any()


def test_letters_say_what_was_approved_also_weeks_later(sqlite_engine):
    company(sqlite_engine, 3)
    key, known, _ = approved(sqlite_engine)
    act(sqlite_engine, roll_out, APPROVER, "go", scenario_id=key)
    rows = planned(sqlite_engine, key)

    told = known.moved.sort("starts_on", "subscription_id")
    assert rows["moved"].all()
    assert rows["effective_on"].to_list() == told["starts_on"].to_list()
    assert sorted(rows["after_minor"]) == sorted(round(worth / 12) for worth in told["after"])
    act(sqlite_engine, stop, APPROVER, "stop", scenario_id=key, note="Too many left")
    assert not planned(sqlite_engine, key)["moved"].any()


@pytest.mark.parametrize("existing", [Existing.RENEWAL, Existing.NEVER])
def test_prices_that_were_approved_stay_as_they_are_until_the_roll_out_is_stopped(engine, existing):
    company(engine, 3)
    scenario = replace(SCENARIO, existing=existing)
    key, known, version = approved(engine, scenario, publish=False)
    with reading(engine) as session:
        plan = price_version(session, version).plan_id
    dearer = {"plan_id": plan, "price_version_id": version, "terms": replace(known.candidate.terms, trial_days=9)}

    with pytest.raises(Conflict, match="scenario “Dearer”: stop its roll-out"):
        act(engine, prices.save_draft, ASKER, "other", **dearer)
    with pytest.raises(Conflict, match="scenario “Dearer”: stop its roll-out"):
        act(engine, prices.discard_draft, ASKER, "away", price_version_id=version)
    act(engine, stop, APPROVER, "stop", scenario_id=key, note="Not now")
    act(engine, prices.save_draft, ASKER, "other again", **dearer)
    with reading(engine) as session:
        assert terms_of(session, version).trial_days == 9
        assert scenarios.behind(session, version) is None


def test_a_draft_that_was_decided_on_is_thrown_away_and_its_decisions_stay(engine):
    company(engine, 3)
    key, _, version = approved(engine, publish=False)
    act(engine, stop, APPROVER, "stop", scenario_id=key, note="Not now")
    with reading(engine) as session:
        before = scenarios.decisions(session, key)

    act(engine, prices.discard_draft, ASKER, "away", price_version_id=version)

    with reading(engine) as session:
        assert scenarios.decisions(session, key) == before
        assert version not in plans.one_plan(session, "pro", TODAY).versions["price_version_id"]
        assert overview.chores(session, TODAY)["drafts"] == 0
    for again in (prices.discard_draft, lambda *all, **more: prices.publish(*all, valid_from=TODAY, **more)):
        with pytest.raises(NotFound, match="do not exist any more"):
            act(engine, again, APPROVER, "again", price_version_id=version)


def test_a_draft_of_an_earlier_approval_is_free_again(sqlite_engine):
    company(sqlite_engine, 3)
    key, known, first = approved(sqlite_engine, publish=False)
    act(sqlite_engine, stop, APPROVER, "stop", scenario_id=key, note="Not now")
    ask = {"scenario_id": key, "result": {}, "data_hash": "", "engine_version": "1", "as_of": TODAY, "gap_ppm": 0}
    act(sqlite_engine, request_approval, ASKER, "ask again", **ask)
    terms = known.candidate.terms
    second = act(sqlite_engine, approve, APPROVER, "again", scenario_id=key, terms=terms, moves=known.moves)[
        "price_version_id"
    ]

    act(sqlite_engine, prices.discard_draft, ASKER, "away", price_version_id=first)
    with pytest.raises(Conflict, match="stop its roll-out"):
        act(sqlite_engine, prices.discard_draft, ASKER, "away too", price_version_id=second)
    act(sqlite_engine, prices.publish, APPROVER, "publish", price_version_id=second, valid_from=TODAY)


def test_whose_bill_rises_most_stands_first_on_a_day(sqlite_engine):
    company(sqlite_engine, 6)
    dearer = (Edit("seat", "unit_amount", "60"), Edit("seat", "unit_amount", "45", 1))
    key, known, _ = approved(
        sqlite_engine, replace(SCENARIO, edits=dearer, existing=Existing.DATE, existing_on=date(2026, 8, 1))
    )
    rows = planned(sqlite_engine, key)

    assert rows["effective_on"].n_unique() == 1
    assert rows["delta_minor"].to_list() == sorted(rows["after_minor"] - rows["before_minor"], reverse=True)
    assert rows["delta_minor"].n_unique() > 1
    shares = known.moved["after"] / known.moved["before"] - 1
    assert sorted(rows["delta_share"]) == pytest.approx(sorted(shares))


def test_what_a_second_person_has_seen_is_not_replaced(sqlite_engine):
    company(sqlite_engine, 3)
    key = prepared_request(sqlite_engine)

    with pytest.raises(Conflict, match="as a new one"):
        act(sqlite_engine, save_scenario, ASKER, "over", scenario=to_json(SCENARIO), replaces_id=key)


@pytest.mark.parametrize(
    ("change", "words"),
    [({"assumptions": (("rho", 0.9),)}, "note why")],
)  # fmt: skip
def test_what_could_not_be_carried_out_is_not_put_before_anybody(sqlite_engine, change, words):
    company(sqlite_engine, 3)
    with pytest.raises(Conflict, match=words):
        prepared_request(sqlite_engine, replace(SCENARIO, **change))


def test_each_kind_of_customer_has_its_own_shortest_notice(sqlite_engine):
    company(sqlite_engine, 4)
    scenario = replace(SCENARIO, notice_days=20)
    key = prepared_request(sqlite_engine, scenario)
    known = effect(sqlite_engine, scenario)
    short = known.moves.with_columns(notice_on=pl.col("effective_on") - pl.duration(days=19))

    with pytest.raises(Conflict, match="at least"):
        act(sqlite_engine, approve, APPROVER, "yes", scenario_id=key, terms=known.candidate.terms, moves=short)


# --- who counts, and from when ----------------------------------------------------------------------------------------------


def hoped(engine, scenario):
    with reading(engine) as session:
        known = ledger(session, TODAY)
        people = lifetimes.people(session, known, kpis.Filters(), TODAY)
    return expectation.expected(effect(engine, scenario), people, TODAY)


def test_a_customer_who_costs_as_much_as_the_new_price_has_no_break_even(sqlite_engine):
    company(sqlite_engine, 4)
    rise = effect(sqlite_engine).moved
    cost = rise["after"].sum() / 12 / rise.height / 100
    assert hoped(sqlite_engine, replace(SCENARIO, unit_cost=f"{cost:.2f}")).break_even_loss is None
    assert hoped(sqlite_engine, replace(SCENARIO, unit_cost="5000")).break_even_loss is None


def test_who_pays_nothing_today_counts_with_what_they_will_pay(sqlite_engine):
    world = World(sqlite_engine, NOW)
    free = charge("calls", "usage", "per_unit", tier(unit="1"), meter="calls", included_units="100")
    plan = world.plan(free, code="pro")
    for _ in range(4):
        subscription = world.start(world.customer(), plan, date(2025, 1, 1))
        for month in range(1, 6):
            world.use(subscription, "calls", date(2026, month, 10), 60)
    fewer = replace(SCENARIO, edits=(Edit("calls", "included_units", "20"),))

    assert effect(sqlite_engine, fewer).rows["before"].sum() == 0
    assert hoped(sqlite_engine, fewer).parts["exact"] > 0


def test_newcomers_pay_the_new_prices_from_their_day_on(sqlite_engine):
    world, plan, _ = company(sqlite_engine, 4)
    for day in range(1, 9):
        world.start(world.customer(), plan, date(2026, 4, day))
    only_new = replace(SCENARIO, existing=Existing.NEVER, assumptions=(("acquisition", 0.0),))
    gains = [
        hoped(sqlite_engine, replace(only_new, from_on=day)).parts["acquisition"]
        for day in (None, date(2027, 6, 1), date(2029, 6, 1))
    ]
    assert gains[0] > gains[1] > gains[2] == 0


def test_who_is_not_served_today_is_counted_and_told(sqlite_engine):
    world, plan, _ = company(sqlite_engine, 3)
    paused = world.start(world.customer(), plan, date(2025, 1, 1))
    world.change(paused, "pause", date(2026, 6, 1), until_on=date(2026, 8, 1))
    world.start(world.customer(), plan, date(2026, 9, 1))

    assert outcome(sqlite_engine)["exact"]["why_not"] == {"not_served": 2}


def test_half_a_year_of_usage_is_looked_at_twice_a_year(sqlite_engine):
    world = World(sqlite_engine, NOW)
    calls = charge("calls", "usage", "per_unit", tier(unit="1"), meter="calls")
    plan = world.plan(fixed("100"), calls, code="pro", interval_unit="month", interval_count=6)
    world.start(world.customer(), plan, date(2024, 1, 1))
    scenario = replace(SCENARIO, interval="half_year", edits=())

    assert effect(sqlite_engine, scenario).rows["periods"].to_list() == [2]


def test_a_stopped_roll_out_is_no_rise_to_learn_from(sqlite_engine):
    company(sqlite_engine, 4)
    key, known, version = approved(sqlite_engine, replace(SCENARIO, waves=2, wave_months=3))
    act(sqlite_engine, roll_out, APPROVER, "go", scenario_id=key)
    first = known.moves.filter(pl.col("wave") == 1)["subscription_id"]
    after_the_first = datetime(2026, 8, 20, tzinfo=UTC)
    stop(sqlite_engine, APPROVER, command_id="stop", now=after_the_first, scenario_id=key, note="Too many left")
    later = date(2027, 3, 1)
    with reading(sqlite_engine) as session:
        rises = reaction.rises(session, ledger(session, later).facts.stretches, later)

    assert sorted(rises["subject_id"]) == sorted(first)
    assert rises["planned"].all()
    assert version


def test_a_second_rise_within_a_year_is_a_shock_however_small(sqlite_engine):
    world = World(sqlite_engine, NOW)
    old = world.plan(fixed("300"), code="pro", valid_from=date(2024, 1, 1))
    new = world.plan(fixed("310"), plan_id=1, number=2, valid_from=date(2026, 1, 1))
    first, second = (world.start(world.customer(), old, date(2025, 1, 1)) for _ in range(2))
    world.change(first, "price", date(2026, 2, 1), price_version_id=new)
    scenario = replace(SCENARIO, edits=(Edit("fee", "flat_amount", "330"),))
    rows = effect(sqlite_engine, scenario).rows

    assert dict(rows.select("subscription_id", "again").iter_rows()) == {first: True, second: False}
    assert outcome(sqlite_engine, scenario)["exact"]["red"] == 1


def test_a_letter_speaks_the_customer_s_language_and_states_the_price_as_the_plan_does(engine):
    world = World(engine, NOW)
    seat = charge("seat", "seat", "per_unit", tier(unit="40"), name="Plass")
    extra = charge("extra", "addon", "per_unit", tier(unit="25"), name="Lagring")
    plan = world.plan(fixed("299"), seat, extra, code="pro", tax_inclusive=True)
    who = world.customer(language="nb")
    key = world.start(who, plan, date(2025, 1, 1), quantity=3)
    world.change(key, "addon", date(2025, 1, 1), item="extra", quantity_micro=2_000_000)
    coupon = world.coupon(kind="percent", rate_ppm=100_000, duration="forever", scope="plan")
    key, *_ = approved(engine)
    (row,), (said,) = told(engine, key)

    # 299 + 3 × 40 + 2 × 25 = 469 kr, then 349 + 3 × 40 + 2 × 25 = 519 kr a month, VAT included.
    assert (row["before_minor"], row["after_minor"]) == (46_900, 51_900)
    assert "koster Plan med 3 × Plass, 2 × Lagring deg 519,00 kr" in said
    assert "469,00 kr (med mva.)" in said
    world.change(row["subscription_id"], "coupon", date(2025, 1, 1), coupon_id=coupon)
    assert "469,00 kr (med mva., før rabatten)" in told(engine, key)[1][0]


def test_a_letter_names_each_price_of_usage_that_changes(engine):
    world = World(engine, NOW)
    calls = charge(
        "calls",
        "usage",
        "graduated",
        tier("100", unit="0.80"),
        tier(unit="0.50"),
        meter="calls",
        name="Calls",
        included_units="20",
    )
    texts = charge("sms", "usage", "per_unit", tier(unit="0.30"), meter="sms", name="SMS")
    plan = world.plan(fixed("299"), calls, texts, code="pro")
    world.start(world.customer(language="en"), plan, date(2025, 1, 1), quantity=3)
    key, *_ = approved(engine, replace(SCENARIO, edits=(Edit("calls", "unit_amount", "0.95"),)))
    (row,), (said,) = told(engine, key)

    assert (row["before_minor"], row["after_minor"]) == (29_900, 29_900)
    assert said == (
        "From 1 Aug 2026 other prices hold in Plan; one month still costs 299.00 kr (before VAT, without what is used). "
        "Calls: 0.95 kr a unit up to 100, 0.50 kr a unit above instead of 0.80 kr a unit up to 100, 0.50 kr a unit above."
    )


def test_where_a_minimum_hides_the_fees_a_letter_names_each_that_changes(sqlite_engine):
    """499 + 40 a seat are below the 990 that a month costs at least; who uses more pays the 50 more all the same."""
    world = World(sqlite_engine, NOW)
    calls = charge("calls", "usage", "per_unit", tier(unit="1"), meter="calls", name="Calls")
    seat = charge("seat", "seat", "per_unit", tier(unit="40"), name="Seats")
    boxes = [charge(code, "addon", "per_unit", tier(unit="25"), name=code.title()) for code in ("box", "bag")]
    plan = world.plan(fixed("499"), seat, *boxes, calls, code="pro", minimum_minor=99_000)
    little, much = (world.start(world.customer(language="en"), plan, date(2025, 1, 1), quantity=n) for n in (1, 20))
    for each in (little, much):
        world.use(each, "calls", date(2026, 4, 20), 900)
        world.change(each, "addon", date(2025, 1, 1), item="box", quantity_micro=10**6)
    edits = [
        ("fee", "flat_amount", "549"),
        ("seat", "unit_amount", "42"),
        *((code, "unit_amount", "30") for code in ("box", "bag")),
    ]
    key, *_ = approved(sqlite_engine, replace(SCENARIO, edits=tuple(Edit(*edit) for edit in edits), cap_ppm=10_000))
    rows, texts = told(sqlite_engine, key)
    said = {row["subscription_id"]: text for row, text in zip(rows, texts, strict=True)}

    assert "one month still costs 990.00 kr (before VAT, at least, with what is used). " in said[little]
    fees = "fee: 549.00 kr instead of 499.00 kr. Seats: 42.00 kr a unit instead of 40.00 kr a unit. Box: 30.00 kr a unit instead of 25.00 kr a unit."
    assert fees in said[little]
    assert "Bag" not in said[little]
    assert "at most 1 % more" in said[little], "the limit holds for the fees and what is used together"
    assert "fee" not in said[much], "the price of its month shows them"


def test_a_letter_says_that_an_add_on_is_included_from_then_on(sqlite_engine):
    """To whoever has it as the reason of the fall; whoever has not may take it for nothing, but does not get it unasked."""
    world = World(sqlite_engine, NOW)
    plan = world.plan(fixed("300"), charge("x", "addon", "per_unit", tier(unit="39"), name="Fruit"), code="pro")
    holder, other = (world.start(world.customer(language="en"), plan, date(2025, 1, 1)) for _ in range(2))
    world.change(holder, "addon", date(2025, 1, 1), item="x", quantity_micro=2 * 10**6)
    key, *_ = approved(sqlite_engine, replace(SCENARIO, edits=(Edit("fee", "flat_amount", "310"),), bundled=("x",)))
    rows, texts = told(sqlite_engine, key)
    said = {row["subscription_id"]: text for row, text in zip(rows, texts, strict=True)}

    assert "with 2 × Fruit costs you 310.00 kr per month instead of 378.00 kr" in said[holder]
    assert said[holder].endswith("Fruit is included from then on and costs nothing, instead of 39.00 kr a unit.")
    assert said[other].endswith("Fruit costs nothing from then on, if you want it.")


def test_a_limit_is_told_to_those_for_whom_it_matters(engine):
    """300 + 40 a seat becomes 345 + 40 a seat: one seat rises by 13 %, ten by 6 %; an add-on of 100 that is included makes one cheaper."""
    world = World(engine, NOW)
    seat, extra = (
        charge("seat", "seat", "per_unit", tier(unit="40")),
        charge("extra", "addon", "per_unit", tier(unit="100")),
    )
    plan = world.plan(fixed("300"), seat, extra, code="pro")
    small, large, cheaper = (
        world.start(world.customer(language="en"), plan, date(2025, 1, 1), quantity=n) for n in (1, 10, 1)
    )
    world.change(cheaper, "addon", date(2025, 1, 1), item="extra", quantity_micro=1_000_000)
    dearer = replace(SCENARIO, edits=(Edit("fee", "flat_amount", "345"),), bundled=("extra",), cap_ppm=100_000)
    key, known, _ = approved(engine, dearer)
    rows, texts = told(engine, key)

    assert known.moved["new_cap_ppm"].to_list() == [100_000] * 3, "all of them are limited"
    said = {row["subscription_id"]: text for row, text in zip(rows, texts, strict=True)}
    assert {each: "at most 10 %" in text for each, text in said.items()} == {small: True, large: False, cheaper: False}


def test_a_period_that_a_pause_has_shortened_is_not_held_against_a_whole_one(engine):
    world, plan, _ = company(engine, 3)
    back = world.start(world.customer(), plan, date(2025, 1, 1))
    world.change(back, "pause", date(2026, 3, 1), until_on=date(2026, 5, 20))
    for month in (3, 4, 5, 6):
        world.bill(date(2026, month, 14))
    with reading(engine) as session:
        ready = simulation.prepared(session, ledger(session, TODAY), TODAY)
        assert scenarios.gap(scenarios.held_against_invoices(session, ready)) == 0


# --- limits on the rise -----------------------------------------------------------------------------------------------------

DEAR = replace(
    SCENARIO, edits=(Edit("fee", "flat_amount", "599"), Edit("calls", "unit_amount", "0.65"), Edit("x", "unit_amount", "55"))
)  # fmt: skip
LIMITS = {
    "a cap for all": {"cap_ppm": 100_000},
    "a cap of nothing": {"cap_ppm": 0},
    "a cap for one": {"capped": ("K32",), "cap_one_ppm": 50_000},
    "a tighter cap for one": {"cap_ppm": 200_000, "capped": ("K32",), "cap_one_ppm": 50_000},
    "a floor": {"edits": (Edit("fee", "flat_amount", "199"), Edit("calls", "unit_amount", "0.3")), "floor_ppm": 30_000},
}


def busiest(ready, moved):
    """The looked-at period in which each moved subscription used most: subscription_id, row, quantity_micro."""
    used = ready.base.uses.join(ready.base.pairs, on="pair").join(ready.base.invoices, on="row")
    own = used.join(ready.base.subs.select("position", "subscription_id"), on="position").filter(
        pl.col("subscription_id").is_in(moved["subscription_id"].to_list())
    )
    return own.sort("quantity_micro", "row", descending=[True, False]).unique("subscription_id", keep="first")


def simulated(known, ready):
    """Net of each moved subscription's busiest looked-at period at the new prices with their limits, and all limits together."""
    base, prices = ready.base, replaced(known, ready)
    caps = base.subs.select("subscription_id").join(
        known.moves, on="subscription_id", how="left", maintain_order="left"
    )
    each = caps.select("cap_ppm", "floor_ppm").select(pl.all().gather(base.invoices["position"]))
    line = limits.added(base, limits.stated(base, ready.prices), limits.stated(base, prices), each)
    nets = base.invoices.select("row", limit=line["advance"] + line["arrears"]).with_columns(
        net=exact.rerate(base, prices, line).invoices
    )
    told = busiest(ready, known.moved).join(nets, on="row")
    return dict(told.select("subscription_id", "net").iter_rows()), told["limit"].sum()


def used_again(world, scenario):
    """Approve and roll out; each uses again what it used most; billed until the first periods are over."""
    key, known, _ = approved(world.engine, scenario)
    with reading(world.engine) as session:
        ready = simulation.prepared(session, ledger(session, TODAY), TODAY)
    act(world.engine, roll_out, APPROVER, "go", scenario_id=key)
    starts = dict(known.moves.select("subscription_id", "effective_on").iter_rows())
    for subscription, quantity in busiest(ready, known.moved).select("subscription_id", "quantity_micro").iter_rows():
        world.use(subscription, "calls", starts[subscription], quantity / 10**6)
    monthly(world)
    return known, ready, starts


def rolled_out(engine, scenario):
    """A company whose approved scenario is rolled out, each using again what it used most; billed until their first period is over."""
    world, *_ = company(engine)
    for month in (4, 5, 6):
        world.bill(date(2026, month, 14))
    return world, *used_again(world, scenario)


SETTLED = date(2026, 9, 14)  # the first periods at the new prices, from 1 to 9 August, are over


def monthly(world):
    """Billed on the 14th of each month, as fees in advance and usage in arrears fall due."""
    for month in (7, 8, 9):
        world.bill(SETTLED.replace(month=month))


def billed(world, subscription, start):
    """Net of everything billed for a period."""
    return sum(
        line.net_minor for line in world.lines() if (line.subscription_id, line.period_start) == (subscription, start)
    )


@pytest.mark.parametrize("named", LIMITS)
def test_a_limited_rise_is_billed_as_it_was_simulated(engine, named):
    world, known, ready, starts = rolled_out(engine, replace(DEAR, **LIMITS[named]))

    wanted, limit = simulated(known, ready)
    assert limit != 0
    assert min(busiest(ready, known.moved)["quantity_micro"]) > 0
    assert {key: billed(world, key, start) for key, start in starts.items()} == wanted
    named_ones = known.moves.filter(pl.col("cap_ppm").is_not_null() | pl.col("floor_ppm").is_not_null())[
        "subscription_id"
    ]
    assert {line.subscription_id for line in world.lines() if line.kind == "limit"} == set(named_ones)
    assert world.bill(SETTLED).documents == 0
    assert_books_hold(world)


def test_seats_that_change_within_a_limited_period_are_limited_and_their_undo_nets_nothing(engine):
    world, known, _, starts = rolled_out(engine, replace(DEAR, cap_ppm=100_000))
    subscription = known.moved["subscription_id"][1]
    start, day = starts[subscription].replace(month=9), date(2026, 9, 15)
    before = billed(world, subscription, start)
    more = frame(subscription_id=subscription, quantity_micro=20 * 10**6, effective_on=day)
    told = subscriptions.change_quantity(world.engine, APPROVER, command_id="more", now=at(day), requests=more)
    world.bill(day)
    assert billed(world, subscription, start) > before
    assert_books_hold(world)
    back = frame(change_id=told["change_ids"][0])
    subscriptions.undo(world.engine, APPROVER, command_id="less", now=at(day), requests=back)
    world.bill(date(2026, 9, 16))

    assert billed(world, subscription, start) == before
    assert world.bill(date(2026, 9, 16)).documents == 0
    assert_books_hold(world)


def test_who_is_limited_already_is_simulated_with_the_limit_and_not_limited_again(engine):
    world, known, *_ = rolled_out(engine, replace(DEAR, cap_ppm=100_000))
    later = date(2026, 10, 20)
    world.bill(date(2026, 10, 14))
    again = replace(SCENARIO, name="Again", edits=(Edit("fee", "flat_amount", "650"),), cap_ppm=100_000)
    with reading(world.engine) as session:
        assert (
            scenarios.gap(
                scenarios.held_against_invoices(session, simulation.prepared(session, ledger(session, later), later))
            )
            == 0
        )
    second = effect(world.engine, again, later)
    with_limit = second.moved.select("subscription_id", "before").join(
        known.rows.select("subscription_id", full="priced"), on="subscription_id"
    )
    assert (with_limit["before"] < with_limit["full"]).all()
    assert (second.moved["after"] <= second.moved["before"] * 1.1 + 13).all()
    key = save_scenario(world.engine, ASKER, command_id="s2", now=at(later), scenario=to_json(again))["scenario_id"]
    ask = {"scenario_id": key, "result": {}, "data_hash": "", "engine_version": "2", "as_of": later, "gap_ppm": 0}
    request_approval(world.engine, ASKER, command_id="ask2", now=at(later), **ask)
    with pytest.raises(Conflict, match="still limited"):
        approve(
            world.engine, APPROVER, command_id="yes2", now=at(later), scenario_id=key, terms=second.candidate.terms, moves=second.moves
        )  # fmt: skip


def at(day):
    return datetime(day.year, day.month, day.day, 10, tzinfo=UTC)


def test_limits_that_could_not_be_shown_exactly_are_refused(sqlite_engine):
    world = World(sqlite_engine, NOW)
    food = charge("box", "fixed", "flat", tier(flat="100"), vat_category="food")
    mixed = world.plan(fixed("299"), food, code="pro", tax_inclusive=True)
    world.start(world.customer(), mixed, date(2025, 1, 1))
    scenario = replace(SCENARIO, cap_ppm=100_000)
    key = prepared_request(sqlite_engine, scenario)
    known = effect(sqlite_engine, scenario)

    with pytest.raises(Conflict, match="several categories"):
        act(sqlite_engine, approve, APPROVER, "yes", scenario_id=key, terms=known.candidate.terms, moves=known.moves)
    without = replace(known.candidate.terms, tax_inclusive=False)
    with pytest.raises(Conflict, match="with VAT"):
        act(sqlite_engine, approve, APPROVER, "no", scenario_id=key, terms=without, moves=known.moves)


def test_included_vat_is_limited_as_it_was_simulated(engine):
    world = World(engine, NOW)
    seat = charge("seat", "seat", "per_unit", tier(unit="39.90"))
    plan = world.plan(fixed("299"), seat, code="pro", tax_inclusive=True)
    coupon = world.coupon(kind="percent", rate_ppm=333_333, duration="forever", scope="plan")
    owned = [world.start(world.customer(), plan, date(2025, 1, day), quantity=day) for day in (3, 5, 7)]
    world.change(owned[0], "coupon", date(2025, 1, 3), coupon_id=coupon)
    world.bill(date(2026, 6, 14))
    key, known, _ = approved(engine, replace(SCENARIO, cap_ppm=77_777))
    act(engine, roll_out, APPROVER, "go", scenario_id=key)
    world.bill(date(2026, 8, 14))

    starts = dict(known.moves.select("subscription_id", "effective_on").iter_rows())
    told = {row["subscription_id"]: row["after"] for row in known.moved.iter_rows(named=True)}
    assert {key: 12 * billed(world, key, start) for key, start in starts.items()} == told
    assert any(line.kind == "limit" for line in world.lines())
    assert_books_hold(world)


def test_a_letter_states_the_limited_price_and_how_long_it_holds(engine):
    world = World(engine, NOW)
    plan = world.plan(fixed("300"), code="pro", tax_inclusive=True)
    world.start(world.customer(language="nb"), plan, date(2025, 1, 1))
    key, *_ = approved(engine, replace(SCENARIO, edits=(Edit("fee", "flat_amount", "600"),), cap_ppm=100_000))
    act(engine, roll_out, APPROVER, "go", scenario_id=key)
    (row,), (said,) = told(engine, key)

    assert (row["before_minor"], row["after_minor"]) == (30_000, 33_000)
    assert "330,00 kr" in said
    assert "høyst 10 % mer enn etter de tidligere prisene, til prisene endres igjen." in said
    later = date(2026, 10, 1)
    second = replace(SCENARIO, name="Later", edits=(Edit("fee", "flat_amount", "700"),))
    known = effect(engine, second, later)
    assert known.moved["before"].to_list() == [12 * 26_400]  # 330 without VAT, which is what is paid by then


def test_what_a_customer_s_page_tells_of_a_planned_rise_is_what_the_next_invoice_bills(engine):
    _world, _, owned = company(engine, 2)
    key, *_ = approved(engine, replace(DEAR, cap_ppm=100_000))
    act(engine, roll_out, APPROVER, "go", scenario_id=key)
    later = date(2026, 7, 20)
    with reading(engine) as session:
        customer = load.subscriptions(session, [owned[0]])["customer_id"][0]
        (row,) = told_of(session, customer, later).rows.iter_rows(named=True)
        coming = ahead(session, [customer], later, turns=3).lines
        (planned,) = contents_of(session, customer, later)[owned[0]].planned
        texts = dict(written(session, key, later).select("subscription_id", "letter").iter_rows())

    billed_then = coming.filter((pl.col("period_start") == row["effective_on"]) & (pl.col("kind") != "usage"))
    billed_now = coming.filter((pl.col("period_end") == row["effective_on"]) & (pl.col("kind") != "usage"))
    assert row["after_minor"] == billed_then["amount_minor"].sum() < row["before_minor"] * 1.1 + 1
    assert row["before_minor"] == billed_now["amount_minor"].sum()
    assert (row["scenario_id"], row["change_id"]) == (key, planned["change_id"])
    assert planned["invoice_on"] == billed_then["day"].min()
    assert formats.money(row["after_minor"], "NOK", "nb") in texts[owned[0]]

    act(engine, stop, APPROVER, "stop", scenario_id=key, note="Too many left")
    with reading(engine) as session:
        assert told_of(session, customer, later).rows.is_empty()


REBUILT = (
    Edit("support", "removed", "yes"),
    Edit("sign", "kind", "fixed"), Edit("sign", "flat_amount", "35"), Edit("sign", "name", "Signing"),
    Edit("desk", "kind", "addon"), Edit("desk", "unit_amount", "12"), Edit("desk", "model", "per_unit"), Edit("desk", "name", "Desk"),
    Edit("seat", "model", "graduated"), Edit("seat", "tiers", "3"), Edit("seat", "unit_amount", "45", 0), Edit("seat", "up_to", "8", 1),
    Edit("seat", "unit_amount", "38", 1), Edit("seat", "unit_amount", "31", 2),
    Edit("calls", "tiers", "1"), Edit("calls", "up_to", ""), Edit("calls", "unit_amount", "0.6"), Edit("calls", "min_amount", "20"),
)  # fmt: skip


@pytest.mark.parametrize("cap_ppm", [None, 101_010])
def test_a_price_list_rebuilt_is_billed_as_simulated(engine, cap_ppm):
    """A charge goes, two come, tiers come and go, seats are counted in another way: what is billed is what was shown."""
    world = World(engine, NOW)
    seats = charge("seat", "seat", "volume", tier("5", unit="40"), tier(unit="30"))
    calls = charge("calls", "usage", "graduated", tier("100", unit="0.55"), tier(unit="0.25"), meter="calls")
    support = charge("support", "fixed", "flat", tier(flat="45.50"), timing="in_arrears")
    plan = world.plan(fixed("99"), seats, support, calls, code="pro")
    for number in range(8):
        subscription = world.start(world.customer(), plan, date(2025, 1, 3), quantity=1 + 2 * number)
        world.use(subscription, "calls", date(2026, 4, 20), 37 + 111 * number)
    world.bill(date(2026, 6, 14))
    known, ready, starts = used_again(world, replace(SCENARIO, edits=REBUILT, cap_ppm=cap_ppm))

    wanted, _ = simulated(known, ready)
    assert {key: billed(world, key, start) for key, start in starts.items()} == wanted
    assert sum(wanted.values()) != known.rows["before"].sum()
    assert world.bill(SETTLED).documents == 0
    assert_books_hold(world)


@pytest.mark.parametrize(
    ("edits", "words"),
    [
        ((Edit("sms", "kind", "usage"), Edit("sms", "unit_amount", "1"), Edit("sms", "model", "per_unit"), Edit("sms", "name", "SMS")), "past use is not known"),
        ((Edit("calls", "model", "percentage"), Edit("calls", "rate_percent", "1")), "past use is not known"),
        ((Edit("calls", "tiers", "1"),), "last tier must be open"),
        ((Edit("x", "removed", "yes"),), "4 subscriptions have the add-on x"),
    ],
)  # fmt: skip
def test_prices_that_nobody_could_be_moved_to_are_refused(sqlite_engine, edits, words):
    company(sqlite_engine)
    with pytest.raises(InvalidInput) as refused:
        effect(sqlite_engine, replace(SCENARIO, edits=edits))
    assert words in str(refused.value)


def test_whoever_has_older_prices_without_a_meter_is_rated_by_it_as_well(engine):
    """Calls are charged by the newest prices only; what those on the older ones used is known all the same."""
    world = World(engine, NOW)
    plan_id = world.add(Plan, code="pro", name="Pro")
    old = world.plan(fixed("99"), plan_id=plan_id, valid_from=date(2025, 1, 1))
    calls = charge("calls", "usage", "per_unit", tier(unit="0.50"), meter="calls")
    world.plan(fixed("99"), calls, plan_id=plan_id, valid_from=date(2026, 2, 1))
    for number in range(4):
        subscription = world.start(world.customer(), old, date(2025, 1, 3))
        world.use(subscription, "calls", date(2026, 4, 20), 40 + number)
    world.bill(date(2026, 6, 14))
    known, ready, starts = used_again(world, replace(SCENARIO, edits=()))

    assert known.moved.height == 4
    assert known.rows["after"].sum() > known.rows["before"].sum()
    wanted, _ = simulated(known, ready)
    assert {key: billed(world, key, start) for key, start in starts.items()} == wanted


def test_only_those_who_are_moved_lose_nothing(sqlite_engine):
    """An add-on that somebody outside the scope has may leave the list of the others."""
    company(sqlite_engine)
    gone = replace(SCENARIO, edits=(Edit("x", "removed", "yes"),))
    assert effect(sqlite_engine, replace(gone, existing=Existing.NEVER)).moved.is_empty()
    with pytest.raises(InvalidInput, match="add-on x"):
        effect(sqlite_engine, gone)


def test_minimums_and_coupons_of_every_kind_beside_a_limit_are_billed_as_simulated(engine):
    world = World(engine, NOW)
    calls = charge("calls", "usage", "graduated", tier("100", unit="0.55"), tier(unit="0.25"), meter="calls")
    later = charge("support", "fixed", "flat", tier(flat="45.50"), timing="in_arrears")
    plan = world.plan(fixed("99"), later, calls, code="pro", minimum_minor=25_000)
    coupons = [
        {"kind": "amount", "amount_minor": 12_345, "currency": "NOK", "scope": "plan"}, {"kind": "percent", "rate_ppm": 333_333, "scope": "charge", "charge_code": "calls"},
        {"kind": "percent", "rate_ppm": 123_456, "scope": "plan", "includes_true_up": True}, {"kind": "percent", "rate_ppm": 100_000, "scope": "invoice"},
    ]  # fmt: skip
    for number, coupon in enumerate([*coupons, None] * 2):
        subscription = world.start(world.customer(), plan, date(2025, 1, 3))
        if coupon is not None:
            world.change(subscription, "coupon", date(2025, 1, 3), coupon_id=world.coupon(duration="forever", **coupon))
        world.use(subscription, "calls", date(2026, 4, 20), 37 + 311 * (number // 5))
    scenario = replace(
        SCENARIO, edits=(Edit("fee", "flat_amount", "159"), Edit("calls", "unit_amount", "0.95"), Edit("support", "flat_amount", "20"), Edit("", "minimum_commitment", "300")),
        cap_ppm=101_010,
    )  # fmt: skip
    world.bill(date(2026, 6, 14))
    known, ready, starts = used_again(world, scenario)

    wanted, limit = simulated(known, ready)
    assert limit < 0
    assert {key: billed(world, key, start) for key, start in starts.items()} == wanted
    assert world.bill(SETTLED).documents == 0
    assert_books_hold(world)
