"""The catalogue as it is read: list, versions, effect, curve, falls, sample bills and differences."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from decimal import Decimal as D

import pytest

from core.domain.errors import NotFound
from core.domain.periods import MONTHLY, QUARTERLY, Alignment, Timing
from core.domain.plans import Charge, ChargeKind, ChargeModel, EventTerms, PriceTerms, Rounding, Tier
from core.domain.subscriptions import CustomerKind
from core.reports import plans, price_differences, price_preview
from core.reports.price_preview import Fall
from core.reports.sample_bill import Sample, sample_bill
from core.store.engine import reading
from core.store.tables import Plan
from tests.world import World, charge, fixed, tier

DAY = date(2026, 1, 15)
M = 10**6


def usage(model, *tiers, **more):
    return Charge("u", "Bruk", ChargeKind.USAGE, model, tiers, timing=Timing.ARREARS, meter="m", **more)


def priced(*charges, **more):
    return PriceTerms("NOK", MONTHLY, charges, **more)


VOLUME = usage(ChargeModel.VOLUME, Tier(D(100), D(1)), Tier(None, D("0.80")))
GRADUATED = usage(ChargeModel.GRADUATED, Tier(D(100), D(1)), Tier(D(200), D("0.50")), Tier(None, D("0.25")))


# --- list and effect ------------------------------------------------------------------------------------------------


@pytest.fixture
def world(engine):
    return World(engine)


def test_a_plan_counts_its_subscribers_and_what_they_are_worth_a_month(world):
    plan = world.add(Plan, code="pro", name="Pro", rank=2)
    seats = charge("seat", "seat", "per_unit", tier(unit="100"))
    extra = charge("sms", "addon", "per_unit", tier(unit="10"))
    monthly = world.plan(fixed("300"), seats, extra, plan_id=plan)
    yearly = world.plan(fixed("1200"), plan_id=plan, interval_unit="year")
    first = world.start(world.customer(), monthly, date(2026, 1, 1), quantity=2)
    world.change(first, "addon", date(2026, 1, 1), item="sms", quantity_micro=3 * M)
    world.start(world.customer(), yearly, date(2026, 1, 1))
    ended = world.start(world.customer(), monthly, date(2025, 1, 1))
    world.change(ended, "cancel", date(2026, 1, 15))
    world.start(world.customer(), monthly, date(2026, 1, 16))
    paused = world.start(world.customer(), monthly, date(2025, 1, 1))
    world.change(paused, "pause", date(2026, 1, 10))
    with reading(world.engine) as session:
        found = plans.overview(session, DAY)
    # 300 + 2 · 100 + 3 · 10 = 530, 1200 / 12 = 100, the paused one is worth nothing.
    assert found.plans["subscriptions"].to_list() == [3]
    assert found.mrr == {plan: {"NOK": 63_000}}


def test_prices_with_vat_are_worth_their_net_and_a_minimum_counts(world):
    gross = world.plan(fixed("125"), tax_inclusive=True)
    least = world.plan(fixed("10"), minimum_minor=5_000)
    for version in (gross, least):
        world.start(world.customer(), version, date(2026, 1, 1))
    with reading(world.engine) as session:
        found = plans.overview(session, DAY)
    assert sorted(worth["NOK"] for worth in found.mrr.values()) == [5_000, 10_000]


def test_the_list_is_narrowed_by_text_and_archived_plans_are_shown_on_demand(world):
    for code, name, archived in (("basis", "Basis", False), ("pro", "Pro Ærlig", False), ("old", "Gammel", True)):
        world.add(Plan, code=code, name=name, archived=archived)
    with reading(world.engine) as session:
        found = plans.overview(session, DAY)
    assert found.narrowed()["code"].to_list() == ["basis", "pro"]
    assert found.narrowed("ÆRLIG")["code"].to_list() == ["pro"]
    assert found.narrowed("%_'")["code"].to_list() == []
    assert found.narrowed("gam", archived=True)["code"].to_list() == ["old"]


def test_what_is_live_is_the_newest_published_version_already_valid(world):
    plan = world.add(Plan, code="pro", name="Pro")
    for day in (date(2025, 1, 1), date(2026, 1, 1), date(2026, 2, 1)):
        world.plan(fixed("1"), plan_id=plan, valid_from=day)
    with reading(world.engine) as session:
        live = plans.overview(session, DAY).live[plan]
        one = plans.one_plan(session, "pro", DAY)
    assert [row["valid_from"] for row in live] == [date(2026, 1, 1)]
    newest, before, first = one.versions["price_version_id"].to_list()
    assert plans.previous_version(one.versions, newest) == before
    assert plans.previous_version(one.versions, first) is None
    with reading(world.engine) as session, pytest.raises(NotFound, match="no plan with the code nope"):
        plans.one_plan(session, "nope", DAY)


def test_the_effect_counts_those_on_earlier_prices_and_what_they_would_be_worth(world):
    plan = world.add(Plan, code="pro", name="Pro")
    old = world.plan(fixed("100"), plan_id=plan)
    for _ in range(3):
        world.start(world.customer(), old, date(2026, 1, 1))
    sek = world.plan(fixed("100"), plan_id=plan, currency="SEK")
    world.start(world.customer(), sek, date(2026, 1, 1), currency="SEK")
    new = world.plan(fixed("110"), plan_id=plan)
    with reading(world.engine) as session:
        found = plans.effect(session, plan, new, DAY)
    assert (found.subscriptions, found.now_minor, found.then_minor, found.currency) == (3, 30_000, 33_000, "NOK")
    assert found.second_person


# --- curve and falls ------------------------------------------------------------------------------------------------


def test_a_curve_is_what_the_engine_charges_on_both_sides_of_every_bound():
    found = dict(price_preview.curve(priced(GRADUATED), "u").iter_rows())
    assert found[0] == 0
    assert found[100 * M] == 10_000
    assert found[101 * M] == 10_050
    assert found[200 * M] == 15_000
    assert max(found) == 300 * M


def test_a_volume_price_that_falls_at_its_bound_is_flagged_with_quantity_and_fall():
    # 100 · 1.00 = 100.00, but 101 · 0.80 = 80.80.
    assert price_preview.falls(priced(VOLUME), "u") == [Fall(100 * M, 101 * M, 10_000, 8_080)]
    assert price_preview.falls(priced(GRADUATED), "u") == []


def test_a_fall_is_named_in_counted_units_with_included_units_and_conversion():
    included = replace(VOLUME, included_units=D(10))
    assert [fall.at_micro for fall in price_preview.falls(priced(included), "u")] == [110 * M]
    converted = replace(VOLUME, convert_by=D(1000), convert_rounding=Rounding.UP)
    [fall] = price_preview.falls(priced(converted), "u")
    assert (fall.at_micro, fall.above_micro) == (100_000 * M, 100_001 * M)
    assert (fall.at_minor, fall.above_minor) == (10_000, 8_080)


def test_a_percentage_curve_counts_events_after_its_free_ones():
    terms = EventTerms(D(2), D("1.50"), free_events=2)
    fee = Charge("p", "P", ChargeKind.USAGE, ChargeModel.PERCENTAGE, timing=Timing.ARREARS, meter="p", events=terms)
    found = dict(price_preview.curve(priced(fee), "p", upto=D(4), event_amount=D(100)).iter_rows())
    # Each charged event: 2 % of 100 + 1.50 = 3.50.
    assert found == {0: 0, M: 0, 2 * M: 0, 3 * M: 350, 4 * M: 700}


def test_seats_are_counted_whole():
    seats = Charge("s", "Seter", ChargeKind.SEAT, ChargeModel.PER_UNIT, (Tier(None, D(10)),))
    assert all(quantity % M == 0 for quantity in price_preview.curve(priced(seats), "s")["quantity_micro"])


# --- sample bills ---------------------------------------------------------------------------------------------------


def test_a_sample_bill_is_one_whole_period_with_every_kind_of_charge_and_vat(world):
    terms = priced(
        Charge("fee", "Grunnpris", ChargeKind.FIXED, ChargeModel.FLAT, (Tier(None, flat_amount=D(100)),)),
        Charge("seat", "Seter", ChargeKind.SEAT, ChargeModel.PER_UNIT, (Tier(None, D(50)),)),
        Charge("sms", "SMS-pakke", ChargeKind.ADDON, ChargeModel.PER_UNIT, (Tier(None, D(20)),)),
        Charge("setup", "Etablering", ChargeKind.ONE_OFF, ChargeModel.FLAT, (Tier(None, flat_amount=D(500)),)),
        GRADUATED,
    )
    with reading(world.engine) as session:
        bill = sample_bill(session, terms, Sample(D(3), {"sms": D(2)}, {"m": D(250)}), DAY)
    amounts = dict(bill.lines.select("code", "amount_minor").iter_rows())
    # 100 · 1.00 + 100 · 0.50 + 50 · 0.25 = 162.50
    assert amounts == {"fee": 10_000, "seat": 15_000, "sms": 4_000, "setup": 50_000, "u": 16_250}
    assert bill.steps["u"]["amount_minor"].to_list() == [10_000, 5_000, 1_250]
    assert bill.steps["u"]["quantity_micro"].to_list() == [100 * M, 100 * M, 50 * M]
    assert (bill.net_minor, bill.tax_minor, bill.total_minor) == (95_250, 23_813, 119_063)
    assert (bill.start, bill.end) == (DAY, date(2026, 2, 15))


def test_a_sample_bill_of_a_calendar_quarter_in_euro_with_vat_included(world):
    fee = Charge("fee", "Fee", ChargeKind.FIXED, ChargeModel.FLAT, (Tier(None, flat_amount=D(125)),))
    terms = PriceTerms("EUR", QUARTERLY, (fee,), alignment=Alignment.CALENDAR, tax_inclusive=True)
    with reading(world.engine) as session:
        bill = sample_bill(session, terms, Sample(), DAY, CustomerKind.CONSUMER)
    assert (bill.start, bill.end) == (date(2026, 1, 1), date(2026, 4, 1))
    assert (bill.net_minor, bill.tax_minor, bill.total_minor) == (10_000, 2_500, 12_500)


def test_a_minimum_commitment_shows_as_a_line_of_its_own(world):
    with reading(world.engine) as session:
        bill = sample_bill(session, priced(GRADUATED, minimum_commitment=D(100)), Sample(units={"m": D(30)}), DAY)
    assert bill.lines.select("kind", "amount_minor").rows() == [("usage", 3_000), ("true_up", 7_000)]


def test_a_sample_bill_before_the_company_is_known_says_what_is_missing(engine):
    with reading(engine) as session:
        bill = sample_bill(session, priced(GRADUATED), Sample(units={"m": D(1)}), DAY)
    assert bill.review == ["unknown_vat_treatment"]


# --- differences ----------------------------------------------------------------------------------------------------


def test_differences_mark_changed_cells_and_take_equal_numbers_as_equal():
    before = priced(replace(GRADUATED, tiers=(Tier(D(100), D("1.00")), Tier(None, D("0.50")))), trial_days=14)
    after = priced(replace(GRADUATED, name="Forbruk"), trial_days=14)
    found = price_differences.side_by_side(before, after)
    changed = found.filter("changed").select("charge", "tier", "field", "before", "after").rows()
    assert changed == [
        ("u", 0, "name", "Bruk", "Forbruk"),
        ("u", 2, "up_to", "", "200"),
        ("u", 3, "unit_amount", "", "0.25"),
    ]
    assert ("", 0, "trial_days", "14", "14", False) in found.rows()


def test_the_first_version_is_compared_with_nothing():
    assert price_differences.side_by_side(None, priced(GRADUATED))["changed"].all()
