"""Every line of an invoice says why: parts with their tiers, days, coupons and VAT that sum to the line to the minor unit."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import Engine

from core import frames
from core.calc.breakdown import Says, breakdown
from core.calc.pricebook import compile_book
from core.calc.rating import rate
from core.reports.explain import Reasons, Why, explain
from core.reports.invoices import explained
from core.store.engine import reading
from core.store.tables import UsageEvent
from tests.world import World, charge, fixed, tier

JANUARY, FEBRUARY = date(2026, 1, 1), date(2026, 2, 1)
MICRO = 10**6
TWO_TIERS = (tier("10", unit="5", flat="3"), tier(unit="2.5", flat="7"))
MODELS: dict[str, dict[str, Any]] = {
    "per unit": charge("c", "usage", "per_unit", tier(unit="0.0525"), meter="m"),
    "graduated": charge("c", "usage", "graduated", *TWO_TIERS, meter="m"),
    "volume": charge("c", "usage", "volume", *TWO_TIERS, meter="m"),
    "package": charge("c", "usage", "package", tier(unit="90", package_size="10"), meter="m"),
    "graduated packages": charge(
        "c", "usage", "graduated", tier("10", unit="9", package_size="4"), tier(unit="5", package_size="6"), meter="m"
    ),
    "volume packages": charge(
        "c", "usage", "volume", tier("10", unit="9", package_size="4"), tier(unit="5", package_size="6"), meter="m"
    ),
    "stairstep": charge("c", "usage", "stairstep", tier("10", flat="99"), tier(flat="199"), meter="m"),
    "flat": charge("c", "usage", "flat", tier(flat="49"), meter="m"),
    "percentage": charge(
        "c", "usage", "percentage", event_rate_percent="1.5", event_fixed_amount="2", free_events=1, free_amount="30",
        min_per_event="2.5", max_per_event="4", meter="m",
    ),
    "graduated percentage": charge(
        "c", "usage", "graduated_percentage", tier("100", rate_percent="2"), tier(rate_percent="1", flat="5"), meter="m"
    ),
    "included and converted": charge(
        "c", "usage", "per_unit", tier(unit="12"), convert_by="4", included_units="2", meter="m"
    ),
    "capped": charge("c", "usage", "per_unit", tier(unit="12"), max_amount="100", meter="m"),
    "at least": charge("c", "usage", "per_unit", tier(unit="0.01"), min_amount="100", meter="m"),
}  # fmt: skip


def whys(engine: Engine, number: str) -> tuple[list[dict[str, Any]], list[Reasons]]:
    """The lines of a document and their reasons; each sums to its line."""
    with reading(engine) as session:
        view = explained(session, number)
        reasons = explain(session, view)
    lines = view.lines.to_dicts()
    for line in lines:
        parts = reasons[line["line_id"]].parts
        assert sum(part.amount_minor for part in parts) == line["net_minor"]
    return lines, [reasons[line["line_id"]] for line in lines]


def said(reasons: Reasons) -> list[tuple[str, int]]:
    """Sentences in English with their amounts."""
    return [
        (", ".join(each.format(**part.values) for each in part.says), part.amount_minor) for part in reasons.parts
    ]  # fmt: skip


@pytest.mark.parametrize("quantity", [0, 9, 10, 10.5, 73.25])
def test_every_charge_model_explains_its_line_from_the_price_book(engine: Engine, quantity: float) -> None:
    world = World(engine)
    every = [{**given_charge, "code": name} for name, given_charge in MODELS.items()]
    subscription = world.start(world.customer(), world.plan(fixed("10"), *every), JANUARY)
    for day, part in ((3, 0.25), (9, 0.5), (20, 0.25)):
        world.use(subscription, "m", date(2026, 1, day), quantity * part, amount=quantity * part * 20)
    world.bill(FEBRUARY)

    lines, reasons = whys(engine, "F2026-000001")
    usage = [why for line, why in zip(lines, reasons, strict=True) if line["kind"] == "usage"]
    assert len(usage) == len(MODELS) if quantity else len(usage) >= 3
    assert all(Why.AMOUNT not in part.says for why in usage for part in why.parts)


@given(
    model=st.sampled_from([name for name in MODELS if "percentage" not in name]),
    quantity=st.decimals(0, 500, places=6), 
)  # fmt: skip
def test_the_parts_of_any_quantity_sum_to_what_the_engine_says(model: str, quantity: Decimal) -> None:
    given_charge = {**MODELS[model], "charge_id": 7, "price_version_id": 1, "position": 0}
    terms = {"package_rounding": "up", "convert_rounding": "up", "first_tier_flat_at_zero": True, **given_charge}
    tiers = pl.DataFrame(
        [{"charge_id": 7, "position": place, **row} for place, row in enumerate(given_charge["tiers"])]
    )
    versions = frames.conform(pl.DataFrame({"price_version_id": [1], "currency": ["NOK"]}), frames.PRICE_VERSIONS)
    charges = pl.DataFrame([{name: terms.get(name) for name in frames.CHARGES}], schema=frames.CHARGES)
    tier_frame = frames.conform(tiers, frames.TIERS)
    book = compile_book(versions, charges, tier_frame)
    micro = int(quantity * MICRO)

    parts = breakdown(book, tier_frame, 7, micro)
    line = pl.DataFrame({"charge_id": [7], "quantity_micro": [micro]})
    assert sum(part.amount_minor for part in parts) == rate(book, line).item()


def test_tiers_are_named_with_their_bounds_their_units_and_their_price(engine: Engine) -> None:
    world = World(engine)
    subscription = world.start(world.customer(), world.plan(MODELS["graduated"]), JANUARY)
    world.use(subscription, "m", date(2026, 1, 9), 14.5)
    world.bill(FEBRUARY)

    _, (why,) = whys(engine, "F2026-000001")
    assert said(why) == [
        ("Up to 10, 10 at 5, fixed price 3", 5_300),
        ("Above 10, 4.5 at 2.5, fixed price 7", 1_825),
    ]
    assert why.vat == {"treatment": "standard", "rate_ppm": 250_000, "base_minor": 7_125, "tax_minor": 1_781}


def test_an_upgrade_in_the_middle_says_days_over_days_and_what_is_given_back(engine: Engine) -> None:
    world = World(engine)
    small, large = world.plan(fixed("310")), world.plan(fixed("620"))
    subscription = world.start(world.customer(), small, JANUARY)
    world.bill(JANUARY)
    world.change(subscription, "price", date(2026, 1, 11), price_version_id=large)
    world.bill(date(2026, 1, 11))

    _, (credit, charged) = whys(engine, "F2026-000002")
    assert said(credit) == [("fixed price 310", -31_000), ("Given back: 21 of 31 days of the period", 10_000)]
    assert said(charged) == [("fixed price 620", 62_000), ("21 of 31 days of the period", -20_000)]


def test_coupons_and_vat_inside_the_price_are_parts_too(engine: Engine) -> None:
    world = World(engine)
    plan = world.plan(fixed("125"), tax_inclusive=True)
    subscription = world.start(world.customer(), plan, JANUARY)
    coupon = world.coupon(kind="percent", rate_ppm=200_000, duration="forever")
    world.change(subscription, "coupon", JANUARY, coupon_id=coupon)
    world.bill(JANUARY)

    _, (why,) = whys(engine, "F2026-000001")
    assert said(why) == [
        ("fixed price 125", 12_500), ("Discount: Coupon", -2_500), ("VAT of 25 % is inside the price", -2_000),
    ]  # fmt: skip


def test_late_usage_is_the_whole_month_less_what_was_billed_before(engine: Engine) -> None:
    world = World(engine)
    subscription = world.start(world.customer(), world.plan(MODELS["graduated"]), JANUARY)
    world.use(subscription, "m", date(2026, 1, 9), 8)
    world.bill(FEBRUARY)
    world.use(subscription, "m", date(2026, 1, 20), 4)
    world.bill(date(2026, 3, 1))

    lines, reasons = whys(engine, "F2026-000002")
    late = next(why for line, why in zip(lines, reasons, strict=True) if line["revision"] == 1)
    assert said(late) == [
        ("Up to 10, 10 at 5, fixed price 3", 5_300),
        ("Above 10, 2 at 2.5, fixed price 7", 1_200),
        ("Billed before on F2026-000001", -4_300),
    ]


def test_a_minimum_commitment_names_the_minimum_and_what_counts_towards_it(engine: Engine) -> None:
    world = World(engine)
    plan = world.plan(fixed("100"), MODELS["per unit"], minimum_minor=50_000)
    world.start(world.customer(), plan, JANUARY)
    world.bill(FEBRUARY)

    lines, reasons = whys(engine, "F2026-000001")
    true_up = next(why for line, why in zip(lines, reasons, strict=True) if line["kind"] == "true_up")
    assert said(true_up) == [
        ("The minimum that was agreed for the period: 500.00", 50_000),
        ("The other charges of the period count towards it", -10_000),
    ]


def test_a_limit_says_what_its_period_may_come_to_and_what_was_taken_off_before(engine: Engine) -> None:
    world = World(engine)
    old, new = (
        world.plan(fixed(fee), charge("c", "usage", "per_unit", tier(unit=unit), meter="m")) for fee, unit in (("300", "1"), ("600", "2"))
    )  # fmt: skip
    who = world.start(world.customer(), old, date(2025, 12, 1))
    rise = world.change(who, "price", JANUARY, price_version_id=new, earlier_version_id=old, cap_ppm=100_000)
    world.use(who, "m", date(2026, 1, 10), 50)
    for day in (JANUARY, FEBRUARY):
        world.bill(day)

    (ahead,) = [why for line, why in zip(*whys(engine, "F2026-000001"), strict=True) if line["kind"] == "limit"]
    # 300 and a tenth are 330, less 600.
    assert said(ahead) == [
        ("So far at most 10 % more than by the earlier prices", 33_000),
        ("The same by the new prices, before discounts", -60_000),
    ]
    lines, reasons = whys(engine, "F2026-000002")
    used = next(
        why for line, why in zip(lines, reasons, strict=True) if line["kind"] == "limit" and line["period_start"] == JANUARY
    )  # fmt: skip
    assert said(used) == [
        ("So far at most 10 % more than by the earlier prices", 38_500),
        ("The same by the new prices, before discounts", -70_000),
        ("The limit so far", 27_000),
    ]
    assert {line["charge"] for line in lines if line["kind"] == "limit"} == {None}

    world.change(who, "undo", JANUARY, undoes_id=rise)
    world.bill(date(2026, 2, 2))
    lines, reasons = whys(engine, world.documents()[-1].number)
    back = [said(why) for line, why in zip(lines, reasons, strict=True) if line["kind"] == "limit"]
    assert sorted(back) == [[("The limit changes with what it limits", amount)] for amount in (4_500, 27_000, 27_000)]


def test_a_life_full_of_changes_is_explained_line_by_line(engine: Engine) -> None:
    world = World(engine)
    extra = charge("extra", "addon", "per_unit", tier(unit="19.99"))
    seats = charge("seats", "seat", "graduated", *TWO_TIERS)
    small, large = world.plan(fixed("310"), seats, extra), world.plan(fixed("620.55"), seats, MODELS["percentage"])
    arrears = world.plan(fixed("99", timing="in_arrears"), charge("setup", "one_off", "flat", tier(flat="500")))
    coupon = world.coupon(kind="amount", amount_minor=7_777, currency="NOK", duration="forever", scope="invoice")
    customer = world.customer()
    first = world.start(customer, small, date(2026, 1, 31), 12, anchor_on=date(2026, 1, 31))
    world.start(customer, arrears, date(2026, 1, 15))
    world.change(first, "coupon", date(2026, 1, 31), coupon_id=coupon)
    world.change(first, "addon", date(2026, 1, 31), item="extra", quantity_micro=2 * MICRO)
    world.bill(date(2026, 1, 31))
    world.change(first, "quantity", date(2026, 2, 7), quantity_micro=int(8.5 * MICRO))
    world.bill(date(2026, 2, 10))
    world.change(first, "price", date(2026, 2, 20), price_version_id=large)
    world.use(first, "m", date(2026, 2, 21), 1, amount=350.5)
    world.bill(date(2026, 3, 1))
    late = {
        "occurred_on": date(2026, 2, 25),
        "occurred_at": datetime(2026, 2, 25, 9, tzinfo=UTC),
        "amount_micro": 20 * MICRO,
    }
    world.add(
        UsageEvent, source_id="late", subscription_id=first, meter="m", quantity_micro=MICRO, author="test",
        recorded_at=datetime(2026, 3, 5, 9, tzinfo=UTC), **late,
    )  # fmt: skip
    world.change(first, "cancel", date(2026, 3, 12), credit="credit")
    world.bill(date(2026, 4, 1))

    numbers = [document.number for document in world.documents()]
    every = [why for number in numbers for why in whys(engine, number)[1]]
    assert {document.kind for document in world.documents()} == {"invoice", "credit_note"}
    assert len(every) >= 15
    assert all(Why.AMOUNT not in part.says for why in every for part in why.parts)


def test_a_percentage_charge_says_what_the_allowance_and_the_bounds_did(engine: Engine) -> None:
    world = World(engine)
    subscription = world.start(world.customer(), world.plan(MODELS["percentage"]), JANUARY)
    for day, amount in ((3, 20.0), (9, 100.0), (20, 400.0)):
        world.use(subscription, "m", date(2026, 1, day), 1, amount=amount)
    world.bill(FEBRUARY)

    _, (why,) = whys(engine, "F2026-000001")
    # 520 at 1.5 % is 7.80, 3 × 2 is 6; the first event (0.30 + 2) is free; 3.50 stays, 8 becomes 4.
    assert said(why) == [
        ("1.5 % of 520 in 3 events", 780), ("2 for each event", 600), ("The free allowance", -230),
        ("The least and the most that an event costs", -400),
    ]  # fmt: skip
    assert Says.FREE in why.parts[2].says


def test_a_pause_tells_its_reason_where_days_are_given_back(engine: Engine) -> None:
    world = World(engine)
    subscription = world.start(world.customer(), world.plan(fixed("310")), JANUARY)
    world.bill(JANUARY)
    world.change(subscription, "pause", date(2026, 1, 11), until_on=date(2026, 1, 21), credit="credit", reason="Ferie")
    world.bill(FEBRUARY)

    lines, reasons = whys(engine, "F2026-000002")
    back = next(why for line, why in zip(lines, reasons, strict=True) if line["net_minor"] < 0)
    # 10 of 31 days of 310 kr.
    assert sum(part.amount_minor for part in back.parts) == -10_000
    assert "Paused 2026-01-11 to 2026-01-20: Ferie" in [sentence for sentence, _ in said(back)]
