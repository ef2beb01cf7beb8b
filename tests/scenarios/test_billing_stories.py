"""What a customer is billed, told month by month, with amounts that can be checked by head."""

from __future__ import annotations

from datetime import date

from sqlalchemy import Engine

from core.store.tables import SubscriptionChange
from tests.world import World, assert_books_hold, charge, fixed, sums, tier


def test_a_month_in_advance_is_billed_once_with_vat(engine: Engine) -> None:
    world = World(engine)
    world.start(world.customer(), world.plan(fixed("100")), date(2026, 1, 1))

    first = world.bill(date(2026, 1, 1))
    again = world.bill(date(2026, 1, 1))
    world.bill(date(2026, 2, 1))

    assert (first.documents, again.documents) == (1, 0)
    january, february = world.documents()
    assert (january.net_minor, january.tax_minor, january.total_minor) == (10_000, 2_500, 12_500)
    assert [january.number, february.number] == ["F2026-000001", "F2026-000002"]
    assert february.service_start == date(2026, 2, 1)
    assert february.previous_id == january.id
    assert_books_hold(world)


def test_an_upgrade_in_the_middle_credits_the_old_days_and_charges_the_new(engine: Engine) -> None:
    world = World(engine)
    small, large = world.plan(fixed("310")), world.plan(fixed("620"))
    subscription = world.start(world.customer(), small, date(2026, 1, 1))
    world.bill(date(2026, 1, 1))

    world.change(subscription, "price", date(2026, 1, 11), price_version_id=large)
    world.bill(date(2026, 1, 11))

    credit, charged = world.lines(world.documents()[1].id)
    assert (credit.amount_minor, credit.revision, credit.corrects_id) == (-21_000, 1, world.lines()[0].id)
    assert (charged.amount_minor, charged.service_start) == (42_000, date(2026, 1, 11))
    assert_books_hold(world)


def test_an_undone_upgrade_leaves_nothing_to_pay(engine: Engine) -> None:
    world = World(engine)
    small, large = world.plan(fixed("310")), world.plan(fixed("620"))
    subscription = world.start(world.customer(), small, date(2026, 1, 1))
    world.bill(date(2026, 1, 1))
    upgrade = world.change(subscription, "price", date(2026, 1, 11), price_version_id=large)
    world.bill(date(2026, 1, 11))

    world.change(subscription, "undo", date(2026, 1, 11), undoes_id=upgrade)
    world.bill(date(2026, 1, 12))
    world.bill(date(2026, 1, 13))

    assert [document.kind for document in world.documents()] == ["invoice", "invoice", "credit_note"]
    assert sums(world.lines()) == 31_000
    assert_books_hold(world)


def test_late_usage_comes_on_the_next_invoice(engine: Engine) -> None:
    world = World(engine)
    plan = world.plan(charge("kwh", "usage", "per_unit", tier(unit="2"), meter="kwh"))
    subscription = world.start(world.customer(), plan, date(2026, 1, 1))
    world.use(subscription, "kwh", date(2026, 1, 5), 10)
    world.bill(date(2026, 2, 1))

    world.use(subscription, "kwh", date(2026, 1, 20), 3)
    world.bill(date(2026, 3, 1))

    assert [(line.amount_minor, line.quantity_micro, line.revision) for line in world.lines()] == [
        (2_000, 10_000_000, 0),
        (600, 3_000_000, 1),
    ]
    assert_books_hold(world)


def test_cancelling_without_credit_keeps_the_month_and_with_credit_gives_back_the_rest(engine: Engine) -> None:
    world = World(engine)
    plan = world.plan(fixed("310"))
    kept, credited = (world.start(world.customer(), plan, date(2026, 1, 1)) for _ in range(2))
    world.bill(date(2026, 1, 1))

    world.change(kept, "cancel", date(2026, 1, 11), credit="none")
    world.change(credited, "cancel", date(2026, 1, 11), credit="credit")
    world.bill(date(2026, 1, 31))
    world.bill(date(2026, 2, 28))

    assert [line.amount_minor for line in world.lines() if line.subscription_id == kept] == [31_000]
    assert [line.amount_minor for line in world.lines() if line.subscription_id == credited] == [31_000, -21_000]
    note = world.documents()[-1]
    assert (note.kind, note.number, note.total_minor) == ("credit_note", "K2026-000001", 26_250)
    assert_books_hold(world)


def test_a_paused_month_is_not_billed_and_service_resumes_on_the_old_day(engine: Engine) -> None:
    world = World(engine)
    subscription = world.start(world.customer(), world.plan(fixed("280")), date(2026, 1, 1))
    world.bill(date(2026, 1, 1))
    world.change(subscription, "pause", date(2026, 1, 15), until_on=date(2026, 3, 18))

    world.bill(date(2026, 2, 1))
    world.bill(date(2026, 4, 1))

    assert [(line.service_start, line.service_end) for line in world.lines()] == [
        (date(2026, 1, 1), date(2026, 2, 1)),
        (date(2026, 3, 18), date(2026, 4, 1)),
        (date(2026, 4, 1), date(2026, 5, 1)),
    ]
    assert world.lines()[1].amount_minor == 12_645  # 280.00 · 14/31
    assert_books_hold(world)


def test_a_coupon_for_three_months_ends_and_a_credit_gives_its_share_back(engine: Engine) -> None:
    world = World(engine)
    subscription = world.start(world.customer(), world.plan(fixed("310")), date(2026, 1, 1))
    half = world.coupon(kind="percent", rate_ppm=500_000, duration="periods", periods=3)
    world.change(subscription, "coupon", date(2026, 1, 1), coupon_id=half)
    for month in (1, 2, 3, 4):
        world.bill(date(2026, month, 1))
    assert [line.discount_minor for line in world.lines()] == [15_500, 15_500, 15_500, 0]

    world.change(subscription, "cancel", date(2026, 3, 11), credit="credit")
    world.bill(date(2026, 4, 2))

    back = [line for line in world.lines() if line.amount_minor < 0]
    assert [(line.amount_minor, line.discount_minor) for line in back] == [(-21_000, -10_500), (-31_000, 0)]
    assert_books_hold(world)


def test_a_fixed_coupon_keeps_its_rest_for_the_next_invoice(engine: Engine) -> None:
    world = World(engine)
    subscription = world.start(world.customer(), world.plan(fixed("100")), date(2026, 1, 1))
    gift = world.coupon(kind="amount", amount_minor=15_000, currency="NOK", duration="once", scope="invoice")
    world.change(subscription, "coupon", date(2026, 1, 1), coupon_id=gift)

    for month in (1, 2, 3):
        world.bill(date(2026, month, 1))

    assert [line.discount_minor for line in world.lines()] == [10_000, 5_000, 0]
    assert_books_hold(world)


def test_a_minimum_commitment_is_trued_up_at_the_end_of_the_period(engine: Engine) -> None:
    world = World(engine)
    usage = charge("kwh", "usage", "per_unit", tier(unit="1"), meter="kwh")
    plan = world.plan(fixed("100"), usage, minimum_minor=30_000)
    subscription = world.start(world.customer(), plan, date(2026, 1, 1))
    world.bill(date(2026, 1, 1))
    world.use(subscription, "kwh", date(2026, 1, 9), 50)

    world.bill(date(2026, 2, 1))

    assert {line.kind: line.amount_minor for line in world.lines() if line.period_start == date(2026, 1, 1)} == {
        "fixed": 10_000,
        "usage": 5_000,
        "true_up": 15_000,
    }
    assert_books_hold(world)


def test_a_trial_costs_nothing_and_moves_the_anchor(engine: Engine) -> None:
    world = World(engine)
    subscription = world.start(world.customer(), world.plan(fixed("100")), date(2026, 1, 1))
    world.change(subscription, "trial", date(2026, 1, 1), until_on=date(2026, 1, 15), anchor_on=date(2026, 1, 15))

    world.bill(date(2026, 1, 14))
    world.bill(date(2026, 1, 15))

    (line,) = world.lines()
    assert (line.service_start, line.service_end) == (date(2026, 1, 15), date(2026, 2, 15))
    assert_books_hold(world)


def test_inclusive_prices_keep_their_gross(engine: Engine) -> None:
    world = World(engine)
    plan = world.plan(fixed("2.99"), tax_inclusive=True)
    world.start(world.customer(), plan, date(2026, 1, 1))

    world.bill(date(2026, 1, 1))

    (document,) = world.documents()
    assert (document.net_minor, document.tax_minor, document.total_minor) == (239, 60, 299)
    assert_books_hold(world)


def test_what_another_system_billed_is_not_billed_again_but_is_credited(engine: Engine) -> None:
    world = World(engine)
    small, large = world.plan(fixed("310")), world.plan(fixed("620"))
    subscription = world.start(world.customer(), small, date(2025, 10, 1))
    newest = world.rows(SubscriptionChange)[-1].id
    world.cursor(subscription, date(2026, 1, 5), newest)
    world.change(subscription, "price", date(2026, 1, 11), price_version_id=large)

    world.bill(date(2026, 1, 11))

    assert [line.amount_minor for line in world.lines()] == [-21_000, 42_000]
    assert_books_hold(world)


def test_a_held_customer_waits_and_is_billed_in_full_after_release(engine: Engine) -> None:
    world = World(engine)
    customer = world.customer()
    world.start(customer, world.plan(fixed("100")), date(2026, 1, 1))
    world.hold(customer, held=True)
    assert world.bill(date(2026, 2, 1)).documents == 0

    world.hold(customer, held=False)
    world.bill(date(2026, 2, 1))

    (document,) = world.documents()
    assert document.net_minor == 20_000
    assert_books_hold(world)
