"""From an approval to bills: only those whose prices are still what was approved, on their day, with what their letter said."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime

import polars as pl
import pytest

from core.actions import prices, subscriptions
from core.actions.scenarios import approve, request_approval, roll_out, save_scenario, stop
from core.documents.letters import letter
from core.domain.errors import Conflict
from core.domain.scenarios import Edit, Existing, to_json
from core.reports import expected as expectation
from core.reports import kpis, lifetimes, reaction, scenarios, simulation
from core.reports.letters import letters
from core.reports.mrr import ledger
from core.store.engine import reading
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
)
from tests.story import frame
from tests.world import World, charge, fixed, tier

DEARER_CALLS = replace(SCENARIO, edits=(Edit("calls", "unit_amount", "1.0"),))


def approved(engine, scenario=SCENARIO, *, valid_from=TODAY):
    """Asked for, approved and published; the scenario's id, what was approved, and the new version."""
    key = prepared_request(engine, scenario)
    known = effect(engine, scenario)
    made = act(engine, approve, APPROVER, "yes", scenario_id=key, terms=known.candidate.terms, moves=known.moves)
    version = made["price_version_id"]
    act(engine, prices.publish, APPROVER, "publish", price_version_id=version, valid_from=valid_from)
    return key, known, version


def planned(engine, key):
    with reading(engine) as session:
        return scenarios.schedule(session, key, TODAY)


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

    with pytest.raises(Conflict, match="has passed"):
        roll_out(sqlite_engine, APPROVER, command_id="late", now=late, scenario_id=key)
    stop(sqlite_engine, APPROVER, command_id="stop", now=late, scenario_id=key, note="Too late")
    ask = {"scenario_id": key, "result": {}, "data_hash": "", "engine_version": "1", "as_of": late.date(), "gap_ppm": 0}
    request_approval(sqlite_engine, ASKER, command_id="again", now=late, **ask)
    known = effect(sqlite_engine, SCENARIO, late.date())
    approve(
        sqlite_engine, APPROVER, command_id="yes again", now=late, scenario_id=key, terms=known.candidate.terms, moves=known.moves
    )  # fmt: skip
    assert planned(sqlite_engine, key)["effective_on"].min() > late.date()


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


def test_what_a_second_person_has_seen_is_not_replaced(sqlite_engine):
    company(sqlite_engine, 3)
    key = prepared_request(sqlite_engine)

    with pytest.raises(Conflict, match="as a new one"):
        act(sqlite_engine, save_scenario, ASKER, "over", scenario=to_json(SCENARIO), replaces_id=key)


@pytest.mark.parametrize(
    ("change", "words"),
    [({"cap_ppm": 50_000}, "not billed yet"), ({"capped": ("K1",)}, "not billed yet"), ({"assumptions": (("rho", 0.9),)}, "note why")],
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
    seat = charge("seat", "seat", "per_unit", tier(unit="40"))
    plan = world.plan(fixed("299"), seat, code="pro", tax_inclusive=True)
    who = world.customer(language="nb")
    world.start(who, plan, date(2025, 1, 1), quantity=3)
    key, *_ = approved(engine)
    with reading(engine) as session:
        (row,) = letters(session, key, TODAY).iter_rows(named=True)

    # 299 + 3 × 40 = 419 kr, then 349 + 3 × 40 = 469 kr a month, VAT included.
    assert (row["before_minor"], row["after_minor"]) == (41_900, 46_900)
    said = letter(row).replace("\u00a0", " ")
    assert "koster" in said
    assert "469,00 kr" in said
    assert "419,00 kr" in said
    assert "med mva." in said or "inkl" in said


def test_a_period_that_a_pause_has_shortened_is_not_held_against_a_whole_one(engine):
    world, plan, _ = company(engine, 3)
    back = world.start(world.customer(), plan, date(2025, 1, 1))
    world.change(back, "pause", date(2026, 3, 1), until_on=date(2026, 5, 20))
    for month in (3, 4, 5, 6):
        world.bill(date(2026, month, 14))
    with reading(engine) as session:
        ready = simulation.prepared(session, ledger(session, TODAY), TODAY)
        assert scenarios.gap(session, ready) == 0
