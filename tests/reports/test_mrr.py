"""The MRR ledger from real tables: worked examples, states that decide, and the bridge to what was invoiced."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from core.actions.figures import close_month
from core.calc import movements
from core.domain.access import SYSTEM
from core.domain.errors import Conflict
from core.reports import bridge, figures, kpis, mrr
from core.reports.subscriber_base import base_on
from core.store.engine import reading
from core.store.tables import CurrencyRate, CustomerVersion, SubscriptionChange
from tests.figures import agrees
from tests.world import STAMP, World, charge, fixed, tier

TODAY = date(2026, 6, 30)
JANUARY = date(2026, 1, 1)


def ledger(engine, today=TODAY):
    with reading(engine) as session:
        return mrr.ledger(session, today)


def moved(engine, today=TODAY):
    """(kind, cause, delta in whole units a month)."""
    return [
        (kind, cause, delta / 1200)
        for kind, cause, delta in ledger(engine, today).log.select("kind", "cause", "delta").iter_rows()
    ]


@pytest.mark.parametrize(
    ("unit", "count", "amount", "monthly"),
    [("month", 1, "100", 100), ("month", 3, "300", 100), ("month", 6, "600", 100), ("year", 1, "1200", 100), ("year", 2, "2400", 100),
     ("week", 1, "30", 130), ("day", 1, "12", 365)],
)  # fmt: skip
def test_every_interval_is_worth_its_share_of_a_year(sqlite_engine, unit, count, amount, monthly):
    world = World(sqlite_engine)
    world.start(world.customer(), world.plan(fixed(amount), interval_unit=unit, interval_count=count), JANUARY)

    assert moved(sqlite_engine) == [("new", "start", monthly)]


def test_the_vendors_worked_examples(sqlite_engine):
    world = World(sqlite_engine)
    monthly, yearly = world.plan(fixed("100")), world.plan(fixed("600"), interval_unit="year")
    for _ in range(10):
        world.start(world.customer(), monthly, JANUARY)
    for _ in range(5):
        world.start(world.customer(), yearly, JANUARY)

    assert agrees("stripe.mrr_example", 10 * ledger(sqlite_engine).log["after"].sum() / 1200)


def test_churn_counts_on_the_day_through_which_it_was_paid(sqlite_engine):
    world = World(sqlite_engine)
    sarah = world.start(world.customer(), world.plan(fixed("10")), date(2026, 5, 15))
    world.change(sarah, "cancel", date(2026, 6, 9), cause="voluntary")  # last day of service 8 June, paid to 15 June

    row = ledger(sqlite_engine).log.filter(pl.col("kind") == "churn").row(0, named=True)

    assert row["day"] == date(2026, 6, 15)
    assert agrees("paddle.sarah_churn", -row["delta"] / 1200)


@pytest.mark.parametrize("inclusive", [False, True])
def test_a_limit_lowers_mrr_until_the_prices_change_again(sqlite_engine, inclusive):
    world = World(sqlite_engine)
    prices = [world.plan(fixed(amount), tax_inclusive=inclusive) for amount in ("200", "400", "500")]
    subscription = world.start(world.customer(), prices[0], JANUARY)
    half = world.coupon(kind="percent", rate_ppm=500_000, duration="forever", scope="plan")
    limit = {"earlier_version_id": prices[0], "cap_ppm": 100_000}
    world.change(subscription, "price", date(2026, 3, 1), price_version_id=prices[1], **limit)
    world.change(subscription, "coupon", date(2026, 4, 1), coupon_id=half)
    world.change(subscription, "quantity", date(2026, 5, 1), quantity_micro=2_000_000)
    world.change(subscription, "price", date(2026, 6, 1), price_version_id=prices[2])

    known = ledger(sqlite_engine)
    net = 0.8 if inclusive else 1.0
    assert [delta / 1200 for delta in known.log["delta"]] == [200 * net, 20 * net, -110 * net, 140 * net]
    limited = known.facts.stretches.filter(pl.col("start") == date(2026, 3, 1))
    assert limited.select("list_twelfths", "net_twelfths").rows() == [(round(480_000 * net), round(264_000 * net))]


def test_coupons_that_recur_lower_mrr_and_their_end_raises_it(sqlite_engine):
    world = World(sqlite_engine)
    subscription = world.start(world.customer(), world.plan(fixed("200")), JANUARY)
    half = world.coupon(kind="percent", rate_ppm=500_000, duration="periods", periods=2, scope="plan")
    once = world.coupon(kind="percent", rate_ppm=500_000, duration="once", scope="plan")
    world.change(subscription, "coupon", JANUARY, coupon_id=half)
    world.change(subscription, "coupon", date(2026, 4, 1), coupon_id=once)

    assert moved(sqlite_engine) == [("new", "start", 100), ("expansion", "discount_ended", 100)]


def test_a_coupon_over_everything_keeps_whoever_has_paid(sqlite_engine):
    world = World(sqlite_engine)
    plan = world.plan(fixed("200"))
    free = world.coupon(kind="percent", rate_ppm=1_000_000, duration="periods", periods=1, scope="plan")
    paid, new = world.start(world.customer(), plan, JANUARY), world.start(world.customer(), plan, JANUARY)
    world.change(paid, "coupon", date(2026, 3, 1), coupon_id=free)
    world.change(new, "coupon", JANUARY, coupon_id=free)

    told = ledger(sqlite_engine).log.select("customer_id", "kind", "day").rows()

    assert [kind for customer, kind, _ in told if customer == told[0][0]] == ["new", "contraction", "expansion"]
    assert [(kind, day) for customer, kind, day in told if customer != told[0][0]] == [("new", date(2026, 2, 1))]


def test_a_fixed_coupon_counts_like_a_percentage_and_never_below_zero(sqlite_engine):
    world = World(sqlite_engine)
    plan = world.plan(fixed("200"))
    for minor in (5_000, 90_000):
        coupon = world.coupon(kind="amount", amount_minor=minor, currency="NOK", duration="forever", scope="invoice")
        world.change(world.start(world.customer(), plan, JANUARY), "coupon", JANUARY, coupon_id=coupon)

    assert moved(sqlite_engine) == [("new", "start", 150)]  # for ever for nothing is no customer


def test_pauses_with_a_day_of_return_are_no_churn_and_others_are(sqlite_engine):
    world = World(sqlite_engine)
    plan = world.plan(fixed("100"))
    returns, leaves = world.start(world.customer(), plan, JANUARY), world.start(world.customer(), plan, JANUARY)
    world.change(returns, "pause", date(2026, 3, 1), until_on=date(2026, 4, 1))
    world.change(leaves, "pause", date(2026, 3, 1))
    world.change(leaves, "resume", date(2026, 5, 1))

    assert moved(sqlite_engine) == [
        ("new", "start", 100), ("contraction", "paused", -100), ("expansion", "resumed", 100),
        ("new", "start", 100), ("churn", "paused", -100), ("reactivation", "resumed", 100),
    ]  # fmt: skip


def test_trials_are_worth_nothing_and_prices_with_vat_count_without(sqlite_engine):
    world = World(sqlite_engine)
    trial = world.start(world.customer(), world.plan(fixed("125"), tax_inclusive=True), JANUARY)
    world.change(trial, "trial", JANUARY, until_on=date(2026, 2, 1), anchor_on=date(2026, 2, 1))

    log = ledger(sqlite_engine).log

    assert log.select("day", "after").rows() == [(date(2026, 2, 1), 10_000 * 12)]


def test_seats_tiers_add_ons_and_the_minimum(sqlite_engine):
    world = World(sqlite_engine)
    seats = charge("seat", "seat", "volume", tier("5", unit="100"), tier(unit="80"))
    addon = charge("storage", "addon", "per_unit", tier(unit="30"))
    subscription = world.start(world.customer(), world.plan(seats, addon, minimum_minor=50_000), JANUARY, quantity=3)
    world.change(subscription, "quantity", date(2026, 2, 1), quantity_micro=10 * 10**6)
    world.change(subscription, "addon", date(2026, 3, 1), item="storage", quantity_micro=2 * 10**6)

    assert moved(sqlite_engine) == [("new", "start", 500), ("expansion", "quantity", 300), ("expansion", "addon", 60)]


def test_list_mrr_is_what_the_other_pages_show(sqlite_engine):
    world = World(sqlite_engine)
    for amount in ("99.90", "1299"):
        world.start(world.customer(), world.plan(fixed(amount), tax_inclusive=True), JANUARY)
    with reading(sqlite_engine) as session:
        shown = int(base_on(session, TODAY).standing["list_twelfths"].sum())

    assert ledger(sqlite_engine).log["list_after"].sum() == shown


def test_what_is_planned_is_told_apart(sqlite_engine):
    world = World(sqlite_engine)
    subscription = world.start(world.customer(), world.plan(fixed("100")), JANUARY)
    world.change(subscription, "cancel", date(2026, 8, 1), cause="voluntary", reason="For dyrt")
    known = ledger(sqlite_engine)

    assert kpis.planned(known, kpis.Filters(), TODAY).select("kind", "day", "delta_minor").rows() == [
        ("churn", date(2026, 8, 1), -10_000)
    ]
    assert movements.standing(known.log, TODAY).height == 1


def busy(engine):
    """Yearly and monthly plans, two currencies, usage, changes in the month, a credit."""
    world = World(engine)
    world.add(CurrencyRate, currency="EUR", on_date=JANUARY, rate="11.5", **STAMP)
    world.add(CurrencyRate, currency="EUR", on_date=date(2026, 3, 10), rate="12", **STAMP)
    usage = charge("calls", "usage", "per_unit", tier(unit="1.5"), meter="calls")
    seats = charge("seat", "seat", "per_unit", tier(unit="49.90"))
    plan, yearly = world.plan(fixed("100"), seats, usage), world.plan(fixed("1200"), interval_unit="year")
    euro = world.plan(fixed("10"), currency="EUR")
    first = world.start(world.customer(), plan, date(2026, 1, 10), quantity=4)
    world.start(world.customer(), yearly, date(2026, 3, 5))
    world.start(world.customer(), euro, date(2026, 3, 1), currency="EUR")
    world.use(first, "calls", date(2026, 2, 20), 40)
    return world, first


def test_from_mrr_to_what_was_invoiced_to_the_minor_unit(engine):
    world, first = busy(engine)
    for day in (date(2026, 1, 31), date(2026, 2, 28), date(2026, 3, 15)):
        world.bill(day)
    world.change(first, "quantity", date(2026, 3, 20), quantity_micro=2 * 10**6)
    world.bill(date(2026, 3, 31))
    known = ledger(engine, date(2026, 4, 1))
    with reading(engine) as session:
        for month in (JANUARY, date(2026, 2, 1), date(2026, 3, 1)):
            found = bridge.bridge(session, known, month, date(2026, 4, 1))
            assert found.ties
            assert found.mrr_minor + sum(found.bars.values()) == found.invoiced_minor
            rows = found.rows.group_by("part").agg(pl.col("difference_minor").sum())
            assert dict(rows.iter_rows()).get("usage", 0) == found.bars["usage"]
    assert found.bars["usage"] == 40 * 150
    assert found.bars["credits"] < 0
    assert found.bars["longer"] == 120_000 - 10_000


def test_a_reported_month_stays_and_says_who_makes_the_difference(engine):
    world = World(engine)
    subscription = world.start(world.customer(), world.plan(fixed("100")), JANUARY)
    now = datetime(2026, 4, 10, 12, tzinfo=UTC)
    month = date(2026, 3, 1)
    with reading(engine) as session:
        content = figures.month_content(session, month, now.date())
    close_month(
        engine,
        SYSTEM,
        command_id="close",
        now=now,
        month=month,
        definitions=kpis.DEFINITIONS,
        content=content,
        revision=0,
    )
    world.change(subscription, "quantity", date(2026, 3, 1), quantity_micro=10**6)
    world.change(subscription, "cancel", date(2026, 3, 1), cause="voluntary")  # back-dated

    with reading(engine) as session:
        was, now_said = figures.reported(session)[month], figures.month_content(session, month, now.date())
        moved_rows = figures.restated(session, month, now.date())

    assert (was["closing"], now_said["closing"]) == (10_000, 0)
    assert moved_rows.select("was_minor", "is_minor", "changes", "authors").rows() == [
        (10_000, 0, "cancel, quantity", "test")
    ]
    with pytest.raises(Conflict, match="reported already"):
        close_month(
            engine,
            SYSTEM,
            command_id="again",
            now=now.replace(day=11),
            month=month,
            definitions="1",
            content={},
            revision=1,
        )


def test_a_month_that_is_not_over_and_stale_figures_are_refused(sqlite_engine):
    now = datetime(2026, 4, 10, 12, tzinfo=UTC)

    def close(month, revision, name):
        close_month(
            sqlite_engine, SYSTEM, command_id=name, now=now, month=month, definitions="1", content={}, revision=revision
        )

    with pytest.raises(Conflict, match="not over"):
        close(date(2026, 4, 1), 0, "a")
    with pytest.raises(Conflict, match="read them again"):
        close(date(2026, 3, 1), 7, "b")


def test_segments_close_too(sqlite_engine):
    busy(sqlite_engine)
    known = ledger(sqlite_engine)
    for filters in (
        kpis.Filters(),
        kpis.Filters(kinds=("consumer",)),
        kpis.Filters(plans=(1,)),
        kpis.Filters(currency="EUR"),
    ):
        table = kpis.figures(known, filters, JANUARY, TODAY).months
        assert (
            table.select(pl.col("opening") + pl.sum_horizontal(kpis.KINDS) + pl.col("fx") == pl.col("closing"))
            .to_series()
            .all()
        )
        assert table["closing"].slice(0, table.height - 1).to_list() == table["opening"].slice(1).to_list()
    euros = kpis.figures(known, kpis.Filters(currency="EUR"), JANUARY, TODAY)
    assert (euros.currency, euros.months["closing"][-1]) == ("EUR", 1_000)


def test_a_customer_s_mean_times_the_customers_is_the_mrr_beside_it(sqlite_engine):
    """With several currencies too: what a rate has changed since counts in both."""
    busy(sqlite_engine)
    months = kpis.figures(ledger(sqlite_engine), kpis.Filters(), JANUARY, TODAY).months
    off = months["arpa_minor"] * months["customers_at_end"] - months["closing"]
    assert (off.abs() * 2 <= months["customers_at_end"]).all()


def test_the_months_by_plan_add_up_to_the_whole(sqlite_engine):
    busy(sqlite_engine)
    known = ledger(sqlite_engine)
    by_plan = kpis.by_plan(known, kpis.Filters(), JANUARY, TODAY)
    whole = movements.balances(known.steps, [TODAY], known.rates, known.home)["net_twelfths"][0] // 12
    everything = by_plan.row(-1, named=True)

    assert by_plan.filter(pl.col("plan_id").is_not_null())["closing"].sum() == whole
    assert (everything["plan_id"], everything["closing"]) == (None, whole)
    assert everything["customers"] == kpis.figures(known, kpis.Filters(), JANUARY, TODAY).months["customers_at_end"][-1]
    assert (
        by_plan.select(pl.col("opening") + pl.sum_horizontal(kpis.KINDS) + pl.col("fx") == pl.col("closing"))
        .to_series()
        .all()
    )


def test_a_day_has_no_memory_of_the_order_in_which_facts_were_told(sqlite_engine):
    world = World(sqlite_engine)
    plan = world.plan(fixed("100"))
    subscription = world.start(world.customer(), plan, JANUARY)
    change = world.change(subscription, "cancel", date(2026, 3, 1), cause="voluntary")
    before = ledger(sqlite_engine).log
    world.change(subscription, "undo", date(2026, 3, 1), undoes_id=change)

    assert before["kind"].to_list() == ["new", "churn"]
    assert ledger(sqlite_engine).log["kind"].to_list() == ["new"]
    assert ledger(sqlite_engine).log["day"].to_list() == [JANUARY + timedelta(days=0)]


# --- brought forward by what was recorded since ---------------------------------------------------------------------------


def assert_alike(one: mrr.Ledger, other: mrr.Ledger) -> None:
    for name in ("steps", "log", "people"):
        assert_frame_equal(getattr(one, name), getattr(other, name))
    for name in ("changes", "stretches", "lives"):
        left, right = (getattr(side.facts, name).sort(pl.all()) for side in (one, other))
        assert_frame_equal(left, right)
    assert (one.names, one.first_day, one.facts.change_id) == (other.names, other.first_day, other.facts.change_id)


def test_a_ledger_brought_forward_is_the_ledger_made_anew(engine):
    """One fact after another, on both databases; a coupon for a whole invoice reaches the customer's other subscription."""
    world = World(engine)
    basic, pro = world.plan(fixed("100")), world.plan(fixed("50"), charge("seats", "seat", "per_unit", tier(unit="30")))
    wide = world.coupon(rate_ppm=200_000, scope="invoice", duration="forever")
    for _ in range(12):  # enough that one fact more is little
        world.start(world.customer(), basic, JANUARY)
    first, other = world.customer(), world.customer(kind="business")
    one, two = world.start(first, basic, JANUARY), world.start(first, pro, date(2026, 2, 1), 3)
    known = ledger(engine)
    steps = [
        lambda: world.change(two, "quantity", date(2026, 3, 1), quantity_micro=5_000_000),
        lambda: world.change(one, "coupon", date(2026, 4, 1), coupon_id=wide),
        lambda: world.start(other, pro, date(2026, 4, 3)),
        lambda: world.change(one, "cancel", date(2026, 5, 1), cause="voluntary"),
        lambda: world.change(one, "undo", date(2026, 4, 20), undoes_id=world.rows(SubscriptionChange)[-1].id),
        lambda: world.add(CustomerVersion, customer_id=other, effective_from=date(2026, 5, 1), kind="business", name="Nytt navn", **STAMP),
        lambda: world.add(CurrencyRate, currency="EUR", on_date=JANUARY, rate="11.5", **STAMP),
        lambda: world.start(world.customer(), world.plan(fixed("20"), currency="EUR"), date(2026, 6, 1), currency="EUR"),
    ]  # fmt: skip
    for step in steps:
        step()
        with reading(engine) as session:
            forward = mrr.ledger(session, TODAY, former=known)
        assert forward.facts.changes.height >= known.facts.changes.height
        assert_alike(forward, ledger(engine))
        known = forward
    world.coupon(
        rate_ppm=100_000, scope="invoice", duration="forever"
    )  # what may change everybody's worth is read anew
    with reading(engine) as session:
        assert_alike(mrr.ledger(session, TODAY, former=known), ledger(engine))
