"""A pricing change on real tables: equal to what is billed, honest about who is meant, and written nowhere but in its own tables."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, date, datetime
from fractions import Fraction
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from sqlalchemy import select, text

from core.actions import prices
from core.actions.scenarios import approve, decline, learn, request_approval, roll_out, save_scenario, stop
from core.calc.simulation import exact
from core.domain.access import Actor, Role
from core.domain.errors import Conflict, ForbliError, InvalidInput, NotPermitted
from core.domain.scenarios import Edit, Existing, Scenario, from_toml, to_json
from core.reports import expected, kpis, lifetimes, reaction, scenarios, simulation
from core.reports.mrr import ledger
from core.reports.simulation import exact_effect, prepared
from core.store.engine import reading
from core.store.tables import METADATA, DocumentLine, Plan, ReactionEstimate, core_table
from tests.actions.test_imports import given, take_given
from tests.world import World, charge, fixed, tier

TODAY = date(2026, 6, 15)
NOW = datetime(2026, 6, 15, 10, tzinfo=UTC)
ASKER, APPROVER = Actor("Kari", Role.PRODUCT, 1), Actor("Ola", Role.ADMIN, 2)


def company(engine, customers=12, *, amounts_off=False, **version):
    """A plan of every kind of charge, some with coupons and add-ons, usage every month; and a cheaper plan."""
    world = World(engine, NOW)
    plan = world.plan(
        fixed("299"), charge("seat", "seat", "volume", tier("5", unit="40"), tier(unit="30")), charge("x", "addon", "per_unit", tier(unit="39")),
        charge("calls", "usage", "graduated", tier("100", unit="0.5"), tier(unit="0.25"), meter="calls", included_units="20"), code="pro", **version,
    )  # fmt: skip
    small = world.plan(fixed("99"), code="small")
    half = world.coupon(kind="percent", rate_ppm=300_000, duration="forever", scope="plan")
    subscriptions = []
    if amounts_off:
        off = world.coupon(kind="amount", amount_minor=7_000, currency="NOK", duration="forever", scope="plan")
    for number in range(customers):
        who = world.customer(kind="business" if number % 2 else "consumer")
        subscription = world.start(who, plan, date(2025, 1, 1 + number % 9), quantity=1 + number % 8)
        if number % 3 == 0:
            world.change(subscription, "addon", date(2025, 2, 1), item="x", quantity_micro=10**6)
        if number % 4 == 0:
            world.change(subscription, "coupon", date(2025, 1, 1 + number % 9), coupon_id=half)
        if amounts_off and number % 4 == 1:
            world.change(subscription, "coupon", date(2025, 1, 1 + number % 9), coupon_id=off)
        for month in range(1, 13):
            world.use(
                subscription,
                "calls",
                date(2025 + (5 + month) // 13, (5 + month - 1) % 12 + 1, 20),
                37 * (number + 1) * (month % 4),
            )
        subscriptions.append(subscription)
    world.start(world.customer(), small, date(2025, 1, 1))
    return world, plan, subscriptions


SCENARIO = Scenario("Dearer", "pro", "NOK", edits=(Edit("fee", "flat_amount", "349"),), notice_days=0)


def effect(engine, scenario=SCENARIO, today=TODAY):
    with reading(engine) as session:
        return exact_effect(session, prepared(session, ledger(session, today), today), scenario)


@pytest.mark.parametrize(
    "version", [{}, {"minimum_minor": 60_000}, {"tax_inclusive": True}, {"minimum_minor": 60_000, "tax_inclusive": True}],
    ids=["plain", "minimum", "VAT included", "minimum, VAT included"],
)  # fmt: skip
def test_the_looked_at_invoices_are_those_that_were_billed(engine, version):
    world, _, subscriptions = company(engine, amounts_off=True, **version)
    for month in (3, 4, 5, 6):
        world.bill(date(2026, month, 14))
    with reading(engine) as session:
        ready = prepared(session, ledger(session, TODAY), TODAY)
        rated = exact.rerate(ready.base, ready.prices)
        line = core_table(DocumentLine).c
        rows = session.execute(
            select(line.subscription_id, line.period_start, line.net_minor).where(
                line.subscription_id.in_(subscriptions)
            )
        )
        billed: dict[tuple[int, date], int] = {}
        for subscription, start, net in rows:
            billed[subscription, start] = billed.get((subscription, start), 0) + net
        assert scenarios.gap(scenarios.held_against_invoices(session, ready)) == 0
    invoices = ready.base.invoices.with_columns(net=rated.invoices, k=pl.int_range(pl.len()).over("position")).join(
        ready.base.subs.select("position", "subscription_id", "renews_on"), on="position"
    )
    newest = invoices.filter((pl.col("k") == 0) & pl.col("subscription_id").is_in(subscriptions))
    assert newest.height == len(subscriptions)
    sums = invoices.group_by("position").agg(pl.col("net").sum(), n=pl.len()).sort("position")
    assert rated.worth.to_list() == [round(Fraction(net * 12, n)) for net, n in sums.select("net", "n").iter_rows()]
    for row in newest.iter_rows(named=True):
        start = row["renews_on"].replace(month=row["renews_on"].month - 2)
        assert row["net"] == billed[row["subscription_id"], start], row


def test_a_period_that_is_not_billed_yet_and_a_change_that_is_only_planned_are_no_gap(sqlite_engine):
    """On the day after a period what was used in it is not invoiced: nothing is held against it until the run."""
    world, _, subscriptions = company(sqlite_engine)
    world.bill(date(2026, 5, 31))
    for subscription in subscriptions:
        world.change(subscription, "quantity", date(2027, 1, 1), quantity_micro=2_000_000)

    def told(day):
        with reading(sqlite_engine) as session:
            return scenarios.gap(scenarios.held_against_invoices(session, prepared(session, ledger(session, day), day)))

    assert told(date(2026, 5, 31)) == 0
    later = [told(date(2026, 6, day)) for day in range(1, 28)]
    world.bill(date(2026, 6, 27))
    assert later[-1] is None
    assert not any(later)
    assert told(date(2026, 6, 27)) == 0


def test_a_candidate_rated_for_the_base_is_each_subscription_rated_alone(sqlite_engine):
    company(sqlite_engine)
    known = effect(sqlite_engine)
    with reading(sqlite_engine) as session:
        ready = prepared(session, ledger(session, TODAY), TODAY)
    for position in range(4):
        one = simulation.narrowed(ready.base, ready.base.subs["position"].slice(position, 1))
        alone = exact.rerate(one, known.candidate.prices).worth[0]
        row = known.rows.filter(pl.col("subscription_id") == one.subs["subscription_id"][0])
        if row.height:
            assert row["priced"][0] == alone


USAGE = charge("calls", "usage", "graduated", tier("100", unit="0.5"), tier(unit="0.25"), meter="calls")
TRAFFIC = charge("traffic", "usage", "per_unit", tier(unit="0.013"), meter="traffic")
LATER = charge("seat", "seat", "per_unit", tier(unit="33.33")) | {"timing": "in_arrears"}


@pytest.mark.parametrize("interval", [{}, {"interval_count": 3}, {"interval_unit": "week", "interval_count": 2}])
@pytest.mark.parametrize(
    "charges", [(USAGE,), (USAGE, TRAFFIC), (USAGE, LATER), (LATER,), ()],
    ids=["one meter", "two meters", "seats and a meter in arrears", "seats in arrears", "only a fee"],
)  # fmt: skip
def test_what_a_subscription_pays_a_month_is_the_mean_of_its_invoices(sqlite_engine, charges, interval):
    """Added up at once where nothing couples the lines, percentages too; the invoices are made one by one."""
    world = World(sqlite_engine, NOW)
    plan = world.plan(fixed("99.99"), *charges, code="pro", **interval)
    third = world.coupon(kind="percent", rate_ppm=333_333, duration="forever", scope="plan")
    off = world.coupon(kind="amount", amount_minor=5_000, currency="NOK", duration="forever", scope="plan")
    for number in range(9):
        subscription = world.start(world.customer(), plan, date(2025, 3 + number, 1 + number), quantity=1 + number % 4)
        if number % 3:
            coupon = third if number % 3 == 1 else off
            world.change(subscription, "coupon", date(2025, 3 + number, 1 + number), coupon_id=coupon)
        for month in range(number % 2, 6):
            world.use(subscription, "calls", date(2026, 1 + month, 2), 41.37 * (number + 1))
            world.use(subscription, "traffic", date(2026, 1 + month, 3), 1_001 * month)
    with reading(sqlite_engine) as session:
        ready = prepared(session, ledger(session, TODAY), TODAY)
    rated = exact.rerate(ready.base, ready.prices)

    sums = (
        ready.base.invoices.with_columns(net=rated.invoices).group_by("position").agg(pl.col("net").sum(), n=pl.len())
    )
    worth = ready.base.subs.with_columns(worth=rated.worth).join(sums, on="position")
    assert worth.height == 9
    for row in worth.iter_rows(named=True):
        months = Fraction(row["interval_months"] * row["n"]) or Fraction(row["interval_days"] * row["n"] * 12, 364)
        assert row["worth"] == int(row["net"] * 12 / months + Fraction(1, 2)), row


@pytest.mark.parametrize(("cap_ppm", "brought_up"), [(None, 2 * 50), (100_000, 2 * 25)])
def test_what_brings_older_prices_up_to_those_sold_today_is_told_apart(sqlite_engine, cap_ppm, brought_up):
    """Two still pay 250, one the 300 that is sold today; all are to pay 330. What is older is the scenario's effect without its edits."""
    world = World(sqlite_engine, NOW)
    old = world.plan(fixed("250"), code="pro", valid_from=date(2024, 1, 1))
    new = world.plan(fixed("300"), plan_id=1, number=2, valid_from=date(2026, 1, 1))
    for version in (old, old, new):
        world.start(world.customer(), version, date(2026, 1, 1))
    dearer = replace(SCENARIO, edits=(Edit("fee", "flat_amount", "330"),), cap_ppm=cap_ppm)
    numbers = scenarios.exact_numbers(effect(sqlite_engine, dearer))
    alone = scenarios.exact_numbers(effect(sqlite_engine, replace(dearer, edits=())))

    assert numbers["older"] == {"subscriptions": 2, "delta_minor": 100 * brought_up}
    assert alone["delta_minor"] == numbers["older"]["delta_minor"]
    kept = scenarios.exact_numbers(effect(sqlite_engine, replace(dearer, existing=Existing.NEVER)))
    assert kept["older"] == {"subscriptions": 0, "delta_minor": 0}


def test_a_bundled_add_on_takes_its_line_from_those_who_hold_it(sqlite_engine):
    """SC01 and SC02: 299 → 349 with X (39, held by three of ten) included."""
    world = World(sqlite_engine, NOW)
    plan = world.plan(fixed("299"), charge("x", "addon", "per_unit", tier(unit="39")), code="pro")
    for number in range(10):
        subscription = world.start(world.customer(), plan, date(2026, 1, 1))
        if number < 3:
            world.change(subscription, "addon", date(2026, 1, 1), item="x", quantity_micro=10**6)
    rows = effect(sqlite_engine, replace(SCENARIO, bundled=("x",))).rows

    assert (rows["before"].sum(), rows["after"].sum()) == (3_107 * 1200, 3_490 * 1200)
    shares = scenarios.share_of(rows)["share"].unique().sort().to_list()
    assert shares == [pytest.approx(0.032544, abs=5e-7), pytest.approx(0.167224, abs=5e-7)]
    assert rows["addon"].sum() == 3 * 39 * 1200


def test_newcomers_pay_what_is_sold_today_whatever_older_prices_cost(sqlite_engine):
    """Moving those on older prices changes nothing for whoever comes: no sign-up is lost or won by it."""
    world = World(sqlite_engine, NOW)
    plan_id = world.add(Plan, code="pro", name="Pro")
    old = world.plan(fixed("199"), plan_id=plan_id, valid_from=date(2025, 1, 1))
    world.plan(fixed("299"), plan_id=plan_id, valid_from=date(2026, 1, 1))
    for number in range(6):
        world.start(world.customer(), old, date(2025, 9, 1 + number))

    told = outcome(sqlite_engine, replace(SCENARIO, edits=()))
    assert told["exact"]["delta_minor"] == 6 * 10_000
    assert told["expected"]["parts"]["acquisition"] == 0


def test_an_add_on_that_is_included_stays_though_it_was_taken_off_the_list(sqlite_engine):
    company(sqlite_engine)
    gone = Edit("x", "removed", "yes")
    both = effect(sqlite_engine, replace(SCENARIO, edits=(*SCENARIO.edits, gone), bundled=("x",))).rows
    assert both["after"].to_list() == effect(sqlite_engine, replace(SCENARIO, bundled=("x",))).rows["after"].to_list()


def test_nothing_changed_is_zero_for_everybody(engine):
    company(engine)
    known = effect(engine, replace(SCENARIO, edits=()))

    assert (known.rows["before"] == known.rows["after"]).all()
    told = outcome(engine, replace(SCENARIO, edits=()))
    assert told["exact"]["delta_minor"] == 0
    assert told["expected"]["gain"] == {"low": 0.0, "middle": 0.0, "high": 0.0, "above_zero": None}


def outcome(engine, scenario=SCENARIO, today=TODAY):
    with reading(engine) as session:
        return scenarios.simulate(session, scenario, today)


def test_the_same_scenario_is_the_same_bytes_and_every_card_ties_to_the_rows(sqlite_engine):
    company(sqlite_engine)
    first, second = outcome(sqlite_engine), outcome(sqlite_engine)
    rows = effect(sqlite_engine).rows

    assert json.dumps(first, sort_keys=True) == json.dumps(second, sort_keys=True)
    assert first["exact"]["before_minor"] == round(rows["before"].sum() / 12)
    assert sum(band["delta_minor"] for band in first["exact"]["bands"]) == pytest.approx(
        first["exact"]["delta_minor"], abs=len(first["exact"]["bands"])
    )
    assert sum(band["customers"] for band in first["exact"]["bands"]) == rows["customer_id"].n_unique()
    assert first["exact"]["lowest_minor"] <= first["exact"]["after_minor"] <= first["exact"]["highest_minor"]
    assert first["expected"]["gain"]["low"] <= first["expected"]["gain"]["middle"] <= first["expected"]["gain"]["high"]


def test_a_bill_that_a_limit_holds_is_within_the_limit_whatever_was_rounded(sqlite_engine):
    company(sqlite_engine)
    held = replace(SCENARIO, edits=(Edit("fee", "flat_amount", "599"),), cap_ppm=100_000)
    told = outcome(sqlite_engine, held)["exact"]

    # 30 % less of 493.35 is 345.345, and so is 345.35: a little more than 10 % above 313.95.
    assert told["quantiles"]["max"] > 0.10
    assert {band["from"]: band["customers"] for band in told["bands"] if band["customers"]} == {0.05: 12}
    assert told["amber"] == 0


def test_bands_are_told_in_exact_integers():
    """Bills of 100.00 a month that change by so much: what a limit held may be off by two minor units a bill, others by none."""
    changes = [(1_000, 0), (1_002, -5), (1_003, -5), (1_001, 0), (-500, 0), (-501, 5), (-503, 5)]
    rows = pl.DataFrame(
        [(number, 12 * 10_000, 12 * (10_000 + change), limit, 1, 0) for number, (change, limit) in enumerate(changes)],
        schema=["customer_id", "before", "after", "limit", "interval_months", "interval_days"], orient="row",
    )  # fmt: skip
    found = {band["from"]: band["customers"] for band in scenarios.bands(rows) if band["customers"]}

    assert found == {0.05: 2, 0.10: 2, -0.20: 2, -0.05: 1}


def test_another_plan_to_go_to_never_raises_the_lowest(sqlite_engine):
    world, *_ = company(sqlite_engine)
    before = outcome(sqlite_engine)["exact"]["lowest_minor"]
    world.start(world.customer(), world.plan(fixed("59"), code="tiny"), date(2025, 1, 1))

    assert outcome(sqlite_engine)["exact"]["lowest_minor"] <= before


@pytest.mark.parametrize(
    ("anchor", "starts", "term", "earned", "billed"),
    [
        (date(2026, 1, 1), date(2027, 1, 1), 1, 329, 11), (date(2026, 1, 26), date(2026, 11, 26), 1, 365, 12),
        (date(2026, 1, 26), date(2026, 12, 26), 1, 335, 11), (date(2026, 1, 20), date(2026, 12, 20), 1, 341, 12),
        (date(2026, 1, 26), date(2027, 11, 26), 1, 0, 0), (date(2026, 1, 1), date(2028, 1, 1), 1, 0, 0),
        (date(2026, 2, 1), date(2027, 2, 1), 12, 298, 12), (date(2026, 1, 10), date(2027, 1, 10), 3, 320, 12),
        # Within a period: its last 5 of 31 days are billed on 1 January, 31 of 365 with the next year, 15 of 30 no longer in the year.
        (date(2026, 1, 1), date(2026, 12, 27), 1, 334, 11 + Fraction(5, 31)),
        (date(2026, 2, 1), date(2027, 1, 1), 12, 329, 12 * (1 + Fraction(31, 365))),
        (date(2026, 1, 1), date(2027, 11, 16), 1, 10, 0),
    ],
)  # fmt: skip
def test_the_first_year_is_counted_by_the_day_and_by_the_invoice(anchor, starts, term, earned, billed):
    """Twelve months from 26 November 2026; 10.00 a month more. With a term of three: 10 January, April, July, October."""
    frame = pl.DataFrame(
        {"before": [0], "after": [12_000], "anchor_on": [anchor], "starts_on": [starts], "interval_months": [term], "interval_days": [0]},
        schema_overrides={"interval_months": pl.Int32, "interval_days": pl.Int32},
    )  # fmt: skip
    today = date(2026, 11, 26)

    assert scenarios.recognised(frame, today) == round(Fraction(12 * 1000 * earned, 365))
    assert scenarios.invoiced(frame, today) == round(billed * 1000)


def test_two_plans_together_are_expected_in_one_world(sqlite_engine):
    """The sum lies inside the sums of the ends, for where people are more sensitive both lose more; chance is each one's own."""
    company(sqlite_engine)
    both = SCENARIO, Scenario("Small", "small", "NOK", edits=(Edit("fee", "flat_amount", "129"),), notice_days=0)
    with reading(sqlite_engine) as session:
        known = ledger(session, TODAY)
        ready = prepared(session, known, TODAY)
        people = lifetimes.people(session, known, kpis.Filters(), TODAY)
        found = [expected.expected(exact_effect(session, ready, each), people, TODAY) for each in both]
    one, other = (each.gain for each in found)
    told = expected.together(both, found)

    assert expected.together(both[:1], found[:1]) == one
    assert told.middle == pytest.approx(float(np.median(found[0].draws + found[1].draws)))
    assert one.low + other.low - 1 <= told.low < told.middle < told.high <= one.high + other.high + 1
    assert expected.together((both[0], replace(both[1], horizon_months=12)), found) is None


def test_only_new_customers_leaves_everybody_as_they_are(sqlite_engine):
    company(sqlite_engine)
    told = outcome(sqlite_engine, replace(SCENARIO, existing=Existing.NEVER))

    assert told["exact"]["moved"] == 0
    assert told["exact"]["delta_minor"] == 0
    assert told["expected"]["parts"]["exact"] == told["expected"]["parts"]["churn"] == 0


def test_limits_exemptions_scope_and_waves(sqlite_engine):
    company(sqlite_engine)
    dear = replace(SCENARIO, edits=(Edit("fee", "flat_amount", "599"),))
    free = effect(sqlite_engine, dear).rows
    capped = effect(sqlite_engine, replace(dear, cap_ppm=100_000)).rows
    spared = effect(sqlite_engine, replace(dear, exempt=(free["external_id"][0],))).rows
    kinds = effect(sqlite_engine, replace(dear, kinds=("business",))).rows
    waves = effect(sqlite_engine, replace(dear, waves=3, wave_months=2)).rows

    assert (capped["after"] <= capped["before"] * 1.1 + 13).all()
    assert (capped["limit"] < 0).any()
    assert spared.filter(pl.col("external_id") == free["external_id"][0])["why"].to_list() == ["exempt"]
    assert set(kinds.filter("moved")["kind"]) == {"business"}
    assert waves["wave"].unique().sort().to_list() == [1, 2, 3]
    assert waves.filter(pl.col("wave") == 3)["starts_on"].min() > waves.filter(pl.col("wave") == 1)["starts_on"].max()  # type: ignore[operator]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"plan": "gold"}, "no plan"), ({"currency": "EUR"}, "no published prices in EUR"), ({"horizon_months": 0}, "1 to 120 months"),
        ({"waves": 2, "existing": Existing.NEVER}, "no waves"), ({"existing": Existing.DATE}, "Say on which day"), ({"only": ("nobody",)}, "Nobody is left"),
        ({"edits": (Edit("gift", "flat_amount", "1"),)}, "no charge gift"), ({"edits": (Edit("fee", "colour", "1"),)}, "no “colour”"),
        ({"edits": (Edit("fee", "flat_amount", "dear"),)}, "is not a number"), ({"bundled": ("fee",)}, "no add-on fee"), ({"name": " "}, "a name"),
        ({"assumptions": (("luck", 1.0),)}, "no assumption"), ({"only": ("K1",), "without": ("K1",)}, "both chosen and left out"), ({"interval": "week"}, "no published prices"),
    ],
)  # fmt: skip
def test_what_cannot_be_simulated_says_why(sqlite_engine, change, words):
    company(sqlite_engine, 3)

    with pytest.raises(ForbliError, match=words):
        outcome(sqlite_engine, replace(SCENARIO, **change))


def fingerprint(engine):
    """All tables but those of scenarios and what every command leaves."""
    own = {"scenario", "scenario_result", "scenario_decision", "migration_plan", "command", "audit_entry", "revision"}
    with reading(engine) as session:
        return {
            name: session.execute(text(f"SELECT * FROM {name}")).fetchall()
            for name in METADATA.tables
            if name not in own
        }


def act(engine, action, actor, name, **content):
    return action(engine, actor, command_id=name, now=NOW, **content)


def prepared_request(engine, scenario=SCENARIO):
    """Saved, simulated, put before a second person."""
    key = act(engine, save_scenario, ASKER, "save", scenario=to_json(scenario))["scenario_id"]
    told = outcome(engine, scenario)
    act(
        engine,
        request_approval,
        ASKER,
        "ask",
        scenario_id=key,
        result=told,
        as_of=TODAY,
        data_hash=told["data_hash"],
        engine_version="1",
        gap_ppm=0,
    )
    return key


def test_prices_for_new_customers_only_are_known_as_an_approved_scenario_too(sqlite_engine):
    company(sqlite_engine)
    nobody = replace(SCENARIO, existing=Existing.NEVER)
    key = prepared_request(sqlite_engine, nobody)
    known = effect(sqlite_engine, nobody)
    made = act(sqlite_engine, approve, APPROVER, "yes", scenario_id=key, terms=known.candidate.terms, moves=known.moves)
    with reading(sqlite_engine) as session:
        told = scenarios.behind(session, made["price_version_id"])
        nothing = {"count": 0, "before_minor": 0, "after_minor": 0, "from_on": None, "first_on": None}
        assert told == {"id": key, "name": nobody.name, **nothing}
        assert scenarios.draft(session, key) == "pro"


def test_simulating_saving_and_asking_write_nothing_else(engine):
    company(engine, 4)
    before = fingerprint(engine)

    prepared_request(engine)

    assert fingerprint(engine) == before


def test_what_is_rolled_out_is_billed_as_it_was_simulated(engine):
    world, _, subscriptions = company(engine)
    for month in (4, 5, 6):
        world.bill(date(2026, month, 14))
    key = prepared_request(engine)
    known = effect(engine)
    with pytest.raises(NotPermitted, match="Another person"):
        act(
            engine,
            approve,
            Actor("Kari", Role.ADMIN, 1),
            "self",
            scenario_id=key,
            terms=known.candidate.terms,
            moves=known.moves,
        )
    made = act(engine, approve, APPROVER, "yes", scenario_id=key, terms=known.candidate.terms, moves=known.moves)
    with pytest.raises(Conflict, match="Publish the draft"):
        act(engine, roll_out, APPROVER, "early", scenario_id=key)
    act(engine, prices.publish, APPROVER, "publish", price_version_id=made["price_version_id"], valid_from=TODAY)
    done = act(engine, roll_out, APPROVER, "go", scenario_id=key)
    assert (done["moved"], done["refused"], done["left"]) == (len(subscriptions), [], 0)

    # Each customer uses in the first new period what they used in the newest looked-at one.
    with reading(engine) as session:
        ready = prepared(session, ledger(session, TODAY), TODAY)
    for subscription, quantity in newest_usage(ready, subscriptions).items():
        start = known.rows.filter(pl.col("subscription_id") == subscription)["starts_on"][0]
        world.use(subscription, "calls", start, quantity)
    world.bill(date(2026, 8, 25))
    after = exact.rerate(
        simulation.narrowed(
            ready.base, ready.base.subs.filter(pl.col("subscription_id").is_in(subscriptions))["position"]
        ),
        replaced(known, ready),
    ).invoices
    base = simulation.narrowed(
        ready.base, ready.base.subs.filter(pl.col("subscription_id").is_in(subscriptions))["position"]
    )
    newest = (
        base.invoices.with_columns(net=after)
        .group_by("position", maintain_order=True)
        .first()
        .join(base.subs.select("position", "subscription_id"), on="position")
    )
    with reading(engine) as session:
        line = core_table(DocumentLine).c
        for subscription, net in newest.select("subscription_id", "net").iter_rows():
            start = known.rows.filter(pl.col("subscription_id") == subscription)["starts_on"][0]
            lines = (
                session.execute(
                    select(line.net_minor).where(line.subscription_id == subscription, line.period_start == start)
                )
                .scalars()
                .all()
            )
            assert sum(lines) == net


def replaced(known, ready):
    """The candidate's prices for the base as it was."""
    return simulation.with_terms(ready.prices, known.candidate.replaced, known.candidate.terms, known.candidate.plan_id)


def newest_usage(ready, subscriptions):
    """What each used in its newest looked-at period."""
    rows = (
        ready.base.invoices.group_by("position", maintain_order=True)
        .first()
        .join(ready.base.subs.select("position", "subscription_id"), on="position")
    )
    used = (
        rows.join(ready.base.uses, on="row")
        .join(ready.base.pairs, on="pair")
        .filter(pl.col("subscription_id").is_in(subscriptions))
    )
    return {sub: quantity / 10**6 for sub, quantity in used.select("subscription_id", "quantity_micro").iter_rows()}


def test_a_stopped_roll_out_takes_back_what_is_not_in_force(sqlite_engine):
    company(sqlite_engine, 6)
    key = prepared_request(sqlite_engine)
    known = effect(sqlite_engine)
    made = act(sqlite_engine, approve, APPROVER, "yes", scenario_id=key, terms=known.candidate.terms, moves=known.moves)
    act(sqlite_engine, prices.publish, APPROVER, "publish", price_version_id=made["price_version_id"], valid_from=TODAY)
    act(sqlite_engine, roll_out, APPROVER, "go", scenario_id=key)

    stopped = act(sqlite_engine, stop, APPROVER, "stop", scenario_id=key, note="Too many left")

    assert stopped["taken_back"] == 6
    later = effect(sqlite_engine, replace(SCENARIO, edits=()), date(2026, 8, 20)).rows
    assert made["price_version_id"] not in later["price_version_id"]
    with pytest.raises(Conflict):
        act(sqlite_engine, roll_out, APPROVER, "again", scenario_id=key)


def test_a_gap_old_figures_and_an_unasked_approval_are_refused(sqlite_engine):
    company(sqlite_engine, 3)
    key = act(sqlite_engine, save_scenario, ASKER, "save", scenario=to_json(SCENARIO))["scenario_id"]
    ask = {"scenario_id": key, "result": {}, "data_hash": "", "engine_version": "1"}
    known = effect(sqlite_engine)

    with pytest.raises(Conflict, match="differs from the invoices"):
        act(sqlite_engine, request_approval, ASKER, "gap", as_of=TODAY, gap_ppm=1_001, **ask)
    with pytest.raises(Conflict, match="older than a week"):
        act(sqlite_engine, request_approval, ASKER, "old", as_of=date(2026, 6, 1), gap_ppm=0, **ask)
    with pytest.raises(Conflict, match="Nobody has asked"):
        act(sqlite_engine, approve, APPROVER, "yes", scenario_id=key, terms=known.candidate.terms, moves=known.moves)
    act(sqlite_engine, request_approval, ASKER, "ask", as_of=TODAY, gap_ppm=0, **ask)
    with pytest.raises(InvalidInput, match="Say why"):
        act(sqlite_engine, decline, APPROVER, "no", scenario_id=key, note=" ")
    act(sqlite_engine, decline, APPROVER, "no", scenario_id=key, note="Not now")


@pytest.mark.parametrize(
    "name", sorted(path.name for path in (Path(__file__).parents[2] / "seed" / "scenarios").glob("*.toml"))
)
def test_every_example_file_can_be_read(name):
    scenario = from_toml((Path(__file__).parents[2] / "seed" / "scenarios" / name).read_text(encoding="utf-8"))

    assert scenario == from_toml_again(scenario)


def from_toml_again(scenario):
    from core.domain.scenarios import from_json

    return from_json(json.loads(json.dumps(to_json(scenario))))


# --- usage that answers to its price, and what own history says -------------------------------------------------------------


def test_people_may_use_less_of_what_costs_more_and_the_exact_number_stays(sqlite_engine):
    company(sqlite_engine)
    dearer = replace(SCENARIO, edits=(Edit("calls", "unit_amount", "1.0"), Edit("calls", "unit_amount", "0.5", 1)))
    asked = {"as before": dearer, "less": replace(dearer, assumptions=(("usage_elasticity", -0.5),))}
    rows = {name: effect(sqlite_engine, scenario).rows for name, scenario in asked.items()}
    assert rows["as before"]["felt"].equals(rows["as before"]["after"])
    assert rows["less"]["after"].equals(rows["as before"]["after"])
    risen = rows["less"].filter(pl.col("after") > pl.col("before"))
    assert risen.height > 5
    assert (risen["felt"] < risen["after"]).all()
    assert (risen["felt"] > risen["before"]).all()


def test_usage_follows_the_price_of_one_more_unit(sqlite_engine):
    company(sqlite_engine)
    with reading(sqlite_engine) as session:
        ready = prepared(session, ledger(session, TODAY), TODAY)
        new = simulation.candidate(session, ready, replace(SCENARIO, edits=(Edit("calls", "unit_amount", "1.0"),)))
    answered = exact.responding(ready.base, ready.prices, new.prices, -0.5)
    both = ready.base.pairs.with_columns(after=answered.pairs["quantity_micro"]).filter(pl.col("quantity_micro") > 0)
    for row in both.iter_rows(named=True):
        units = row["quantity_micro"] // 10**6
        first_tier = 20 <= units < 120  # 20 included, 100 at the price that doubles
        assert row["after"] == (round(row["quantity_micro"] * 2**-0.5) if first_tier else row["quantity_micro"])


def rising(engine, customers=240):
    """A plan whose price rises for half of its customers, of whom more leave."""
    world = World(engine, NOW)
    old = world.plan(fixed("100"), code="net", valid_from=date(2024, 1, 1))
    new = world.plan(fixed("130"), plan_id=1, number=2, valid_from=date(2025, 1, 1))
    for number in range(customers):
        one = world.start(world.customer(), old, date(2024, 1 + number % 12, 1))
        if number % 2:
            world.change(one, "price", date(2025, 3 + number % 6, 1), price_version_id=new)
        if (
            number % 4 == 1 or number % 24 == 2
        ):  # those who pay more leave in the three months after, the others at any time
            month = 3 + number % 6 + number // 12 % 3 if number % 2 else 3 + number // 24
            world.change(one, "cancel", date(2025, month, 10), cause="voluntary")
    return world


def test_own_history_is_learned_from_and_kept_scenarios_stay(sqlite_engine):
    rising(sqlite_engine)
    with reading(sqlite_engine) as session:
        own = reaction.own_reaction(session, ledger(session, TODAY), TODAY)
        assert reaction.learned(session) is None
    assert own.exposed + own.compared == 240
    assert own.lead is None
    assert own.exits >= 30
    assert own.kappa > 0
    joined = reaction.joined(own)
    wanted = reaction.content(own, joined, TODAY)
    for _ in range(2):  # the same command has one effect
        learn(sqlite_engine, ASKER, "learn", NOW, estimate=wanted)
    with reading(sqlite_engine) as session:
        assert reaction.learned(session) == joined
        assert reaction.learned_row(session)["author"] == "Kari"
        assert len(session.execute(select(core_table(ReactionEstimate))).all()) == 1
    with pytest.raises(NotPermitted):
        learn(sqlite_engine, Actor("Siv", Role.SUPPORT, 3), "learn 2", NOW, estimate=wanted)


def test_an_agreed_price_another_interval_and_a_fall_are_no_rise(sqlite_engine):
    world = World(sqlite_engine, NOW)
    monthly = world.plan(fixed("100"), code="net")
    yearly = world.plan(fixed("2000"), plan_id=1, number=2, interval_unit="year")
    cheaper = world.plan(fixed("90"), plan_id=1, number=3)
    for version in (yearly, cheaper):
        world.change(
            world.start(world.customer(), monthly, date(2025, 1, 1)),
            "price",
            date(2025, 6, 1),
            price_version_id=version,
        )
    one = world.start(world.customer(), monthly, date(2025, 1, 1))
    agreed = world.plan(fixed("120"), plan_id=1, number=4, subscription_id=one)
    world.change(one, "price", date(2025, 6, 1), price_version_id=agreed)
    with reading(sqlite_engine) as session:
        assert reaction.rises(session, ledger(session, TODAY).facts.stretches, TODAY).is_empty()


# --- what is measured afterwards ----------------------------------------------------------------------------------------------


def test_some_are_kept_apart_to_compare_and_the_same_ones_each_time(sqlite_engine):
    company(sqlite_engine, 60)
    held = replace(SCENARIO, hold_out_ppm=100_000)
    first, again = (effect(sqlite_engine, held).rows for _ in range(2))
    apart = first.filter(pl.col("why") == "hold_out")
    assert 1 <= apart.height <= 15
    assert (apart["after"] == apart["before"]).all()
    assert first.equals(again)
    other = effect(sqlite_engine, replace(held, seed=2)).rows.filter(pl.col("why") == "hold_out")
    assert not apart["subscription_id"].equals(other["subscription_id"])
    with pytest.raises(InvalidInput, match="at most half"):
        effect(sqlite_engine, replace(SCENARIO, hold_out_ppm=600_000))


def test_the_frozen_prediction_is_held_against_what_came(sqlite_engine):
    world = World(sqlite_engine, NOW)
    plan = world.plan(fixed("299"), charge("calls", "usage", "per_unit", tier(unit="1"), meter="calls"), code="pro")
    subscriptions = [world.start(world.customer(), plan, date(2025, 5, 1 + number)) for number in range(12)]
    for month in (3, 4, 5, 6, 7, 8):
        world.bill(date(2026, month, 14))
        for subscription in subscriptions:
            world.use(subscription, "calls", date(2026, month, 20), 10)
    with reading(sqlite_engine) as session:
        found = scenarios.simulate(session, SCENARIO, TODAY)
    key = act(sqlite_engine, save_scenario, ASKER, "save", scenario=to_json(SCENARIO))["scenario_id"]
    act(sqlite_engine, request_approval, ASKER, "ask", scenario_id=key, result=found, as_of=TODAY, data_hash=found["data_hash"], engine_version="1", gap_ppm=0)  # fmt: skip
    for subscription in subscriptions[:9]:
        world.change(subscription, "cancel", date(2026, 7, 10), cause="voluntary")
    with reading(sqlite_engine) as session:
        told = scenarios.afterwards(session, key, date(2026, 9, 15))
    months = {each["month"]: each for each in found["expected"]["months"]}
    # Nobody's price changes before August: June and July say nothing about the change.
    assert months["2026-07"]["low"] < months["2026-07"]["after"] == pytest.approx(months["2026-07"]["before"])
    assert told["month"].to_list() == [date(2026, 8, 1)]
    assert told["customers"].to_list() == [3]
    # MRR of those who are there, and what was invoiced of usage: 120 units.
    assert told["actual"].to_list() == [3 * 29_900 + 12_000]
    # The prediction counts from the 15th: until the end of a month 16 of 30 days more have gone by.
    here, following = (months[name]["customers_after"] for name in ("2026-08", "2026-09"))
    assert told["customers_expected"].to_list() == [pytest.approx(here * (following / here) ** (16 / 30))]
    assert told["low"][0] < told["middle"][0] < months["2026-08"]["after"]
    assert scenarios.below_band(told) == 1
    assert scenarios.below_band(told.with_columns(low=0.0)) == 0


def test_who_leaves_before_the_new_prices_is_not_moved(sqlite_engine):
    world, _, subscriptions = company(sqlite_engine, 4)
    world.change(subscriptions[0], "cancel", date(2026, 6, 20), cause="voluntary")  # before the next renewal
    world.change(subscriptions[1], "cancel", date(2026, 12, 1), cause="voluntary")
    world.change(
        subscriptions[2], "cancel", date(2026, 6, 10), cause="voluntary"
    )  # over, but served until what was paid is used up
    rows = effect(sqlite_engine).rows
    why = dict(rows.select("subscription_id", "why").iter_rows())
    assert why == {subscriptions[0]: "leaving", subscriptions[1]: None, subscriptions[3]: None}
    assert (rows.filter(pl.col("why") == "leaving")["after"] == rows.filter(pl.col("why") == "leaving")["before"]).all()


def test_the_plans_that_customers_may_change_to_can_be_named(sqlite_engine):
    world, _, _ = company(sqlite_engine, 4)
    world.start(world.customer(), world.plan(fixed("10"), code="tiny"), date(2025, 1, 1))
    for named, cheapest in ((None, 10 * 1200), (("small",), 99 * 1200), ((), None)):
        rows = effect(sqlite_engine, replace(SCENARIO, alternatives=named, kinds=("consumer",))).rows
        assert set(rows.filter(pl.col("moved") & (pl.col("coupons") == ""))["cheapest"]) == {cheapest}


def test_the_telephone_company_pays_what_its_file_says(sqlite_engine):
    """Independent of the product: from the file alone, 5 dollars more for every fiber customer, 5 less for whoever has support."""
    data = given("telco_customer_churn.csv")
    take_given(sqlite_engine, "telco", "telco_customer_churn.csv", date(2024, 1, 31))
    file = Path(__file__).parents[2] / "seed" / "scenarios" / "telco_fiber.toml"
    with reading(sqlite_engine) as session:
        found = scenarios.simulate(session, from_toml(file.read_text(encoding="utf-8")), date(2024, 1, 31))["exact"]
    fiber = pl.read_csv(data).filter((pl.col("Churn") == "No") & (pl.col("InternetService") == "Fiber optic"))
    supported = fiber.filter(pl.col("TechSupport") == "Yes").height
    assert (found["moved"], found["before_minor"]) == (fiber.height, round(100 * fiber["MonthlyCharges"].sum()))
    assert found["delta_minor"] == 500 * (fiber.height - supported) == 564_500
    assert found["addons_given_up_minor"] == 500 * supported
