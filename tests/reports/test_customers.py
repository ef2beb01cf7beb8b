"""The directory and one customer: statuses, what it is worth, price periods, the next invoice."""

from datetime import date

import polars as pl
import pytest

from core.actions import subscriptions
from core.actions.adjustments import ask_adjustments
from core.actions.customers import edit_customers
from core.actions.notes import pin_note
from core.domain.errors import NotFound
from core.reports import kpis, mrr
from core.reports.customers import Filters, alphabetical, directory, narrowed, sums
from core.reports.one_customer import one_customer, owner_of, upcoming
from core.store.engine import reading
from core.store.tables import Customer, Subscription
from tests.story import MICRO, Story, frame
from tests.world import World, charge, fixed, tier

JANUARY, TODAY = date(2026, 1, 1), date(2026, 3, 10)


@pytest.fixture
def world(engine):
    found = World(engine)
    found.pro = found.plan(
        charge("seats", "seat", "per_unit", tier(unit="100")), charge("extra", "addon", "per_unit", tier(unit="30"))
    )
    found.basic = found.plan(fixed("50"))
    found.customers = [found.customer() for _ in range(3)]
    found.seats = found.start(found.customers[0], found.pro, JANUARY, 2)
    found.gone = found.start(found.customers[1], found.basic, JANUARY)
    found.change(found.gone, "cancel", date(2026, 2, 1))
    found.change(found.seats, "quantity", date(2026, 2, 1), quantity_micro=3_000_000)
    found.change(found.seats, "addon", date(2026, 2, 15), item="extra", quantity_micro=2_000_000)
    return found


def test_the_directory_knows_status_and_worth_of_everybody(world):
    with reading(world.engine) as session:
        known = directory(session, TODAY).rows
        active = narrowed(session, Filters(status="active"), "mrr", known)
    assert sorted(known["status"]) == ["active", "ended", "no_subscription"]
    assert active["mrr_minor"].to_list() == [36_000]  # 3 seats at 100 and 2 extras at 30
    assert sums(known).rows() == [("NOK", 36_000)]


def test_a_customer_with_two_currencies_counts_in_both(world):
    euro = world.plan(fixed("20"), currency="EUR")
    world.start(world.customers[0], euro, JANUARY)
    with reading(world.engine) as session:
        known = directory(session, TODAY).rows
    assert sums(known).rows() == [("NOK", 36_000), ("EUR", 2_000)]
    one = known.filter(pl.col("customer_id") == world.customers[0])
    assert one.select("currency", "mrr_minor").rows() == [("NOK", 36_000)]
    assert [(each["currency"], each["mrr_minor"]) for each in one["worth"][0]] == [("NOK", 36_000), ("EUR", 2_000)]


def test_the_directory_brought_forward_is_the_one_made_anew(engine):
    told = Story(engine)
    plan = told.plan(fixed("100"))
    for _ in range(12):
        told.begin(plan, date(2026, 6, 1))
    day = date(2026, 6, 5)
    told.on(day)

    def read(former=None):
        with reading(engine) as session:
            return directory(session, day, former)

    def steps():
        yield told.do(subscriptions.cancel, 3, effective_on=date(2026, 6, 3), credit="credit")
        yield told.begin(plan, day, customer_id=5)
        yield told.begin(plan, day)
        yield told.send(edit_customers, requests=frame(customer_id=7, effective_from=day, name="Ærlig AS"))
        yield told.send(edit_customers, requests=frame(customer_id=8, effective_from=date(2026, 7, 1), name="Later"))
        yield told.plan(fixed("50"))
        yield told.do(subscriptions.change_price, 9, price_version_id=2, effective_on=day)

    former = read()
    for _ in steps():
        former, anew = read(former), read()
        assert former.rows.equals(anew.rows)
    assert read(former).rows.equals(former.rows)


def test_names_stand_in_the_order_of_the_alphabet():
    names = ["Åse", "Ærlig", "Østby", "zebra", "Émile", "eva", "Anne", "ål"]
    rows = pl.DataFrame({"name": names}).sort(alphabetical("name"), "name")
    assert rows["name"].to_list() == ["Anne", "Émile", "eva", "zebra", "Ærlig", "Østby", "ål", "Åse"]


def test_price_periods_are_cut_where_quantity_or_add_ons_change(world):
    with reading(world.engine) as session:
        periods = one_customer(session, "K3", TODAY).periods
    assert periods.select("start", "mrr_minor").rows() == [
        (JANUARY, 20_000), (date(2026, 2, 1), 30_000), (date(2026, 2, 15), 36_000)
    ]  # fmt: skip
    assert periods["addons"].to_list() == ["", "", "2 × extra"]


def test_the_next_invoice_is_what_the_engine_would_bill(world):
    world.bill(TODAY)
    with reading(world.engine) as session:
        ahead = upcoming(session, world.customers[0], TODAY)
        assert upcoming(session, world.customers[2], TODAY) is None
    assert (ahead.day, ahead.net_minor, ahead.tax_minor, ahead.total_minor) == (date(2026, 4, 1), 36_000, 9_000, 45_000)


def test_an_undone_change_stays_in_the_timeline_and_is_marked(world):
    change = world.change(world.seats, "quantity", TODAY, quantity_micro=9_000_000)
    world.change(world.seats, "undo", TODAY, undoes_id=change)
    with reading(world.engine) as session:
        events = one_customer(session, "K3", TODAY).events
    assert events.filter(events["undone"])["quantity_micro"].to_list() == [9_000_000]


def test_the_timeline_tells_amounts_notes_data_reasons_and_what_was_undone(engine):
    told = Story(engine)
    extra = charge("x", "addon", "per_unit", tier(unit="39"), name="Extra box")
    told.begin(told.plan(fixed("100"), extra), date(2026, 6, 1))
    told.on(date(2026, 6, 5)).do(
        subscriptions.change_addon, 1, item="x", quantity_micro=2 * MICRO, effective_on=date(2026, 6, 5)
    )
    cancelled = told.do(subscriptions.cancel, 1, effective_on=date(2026, 6, 20), reason="Too dear")
    told.take_back(cancelled)
    told.send(ask_adjustments, requests=frame(subscription_id=1, kind="goodwill", amount_minor=5_000, text="Sorry"))
    told.send(pin_note, customer_id=1, text="Call first")
    told.send(edit_customers, requests=frame(customer_id=1, effective_from=date(2026, 6, 5), city="Bodø"))
    with reading(engine) as session:
        events = one_customer(session, told.rows(Customer)[0].external_id, date(2026, 6, 5)).events
    said = {row["kind"]: (row["detail"], row["text"]) for row in events.iter_rows(named=True)}
    assert said["addon"][0] == "Extra box"
    assert said["cancel"][1] == "Too dear"
    assert said["undo"][0] == "cancel"
    assert said["goodwill"] == ("next", "Sorry")
    assert said["note"][1] == "Call first"
    assert said["customer_data"] == ("", "Bodø")


def test_what_is_carried_into_a_later_version_is_told_once(engine):
    told = Story(engine)
    told.customer()
    told.on(date(2026, 6, 1)).send(
        edit_customers, requests=frame(customer_id=1, effective_from=date(2026, 12, 1), city="Bodø")
    )
    told.send(edit_customers, requests=frame(customer_id=1, effective_from=date(2026, 6, 1), channel="sms"))
    with reading(engine) as session:
        history = one_customer(session, told.rows(Customer)[0].external_id, date(2026, 6, 1)).history
    assert [(row["effective_from"], row["field"], row["after"]) for row in history] == [
        (date(2026, 12, 1), "city", "Bodø"), (date(2026, 6, 1), "channel", "sms"),
    ]  # fmt: skip


def test_a_subscription_leads_to_its_owner(world):
    with reading(world.engine) as session:
        assert owner_of(session, world.rows(Subscription)[0].external_id) == world.rows(Customer)[0].external_id
        assert owner_of(session, "nothing") is None


def test_somebody_unknown_is_not_found(world):
    with reading(world.engine) as session, pytest.raises(NotFound, match="no customer K99"):
        one_customer(session, "K99", TODAY)


def test_the_sum_of_the_list_is_rounded_once_and_equals_the_overview(engine):
    world = World(engine)
    yearly = world.plan(fixed("2"), interval_unit="year")
    for _ in range(3):
        world.start(world.customer(), yearly, date(2026, 1, 1))

    with reading(engine) as session:
        known = directory(session, date(2026, 1, 2)).rows
        ledger = mrr.ledger(session, date(2026, 1, 2))

    assert known["mrr_minor"].to_list() == [17, 17, 17]  # 2.00 a year is 16.67 øre a month
    assert sums(known).rows() == [("NOK", 50)]
    assert kpis.figures(ledger, kpis.Filters(), date(2026, 1, 1), date(2026, 1, 2)).months["closing"].to_list() == [50]
