"""What moved MRR: the rules by hand, the identity against a slow twin on random lives, and the playbook's published table."""

from __future__ import annotations

from datetime import date, timedelta
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from core import frames
from core.calc import movements, retention
from core.calc.movements import CHURN, CONTRACTION, EXPANSION, KINDS, MOVED_IN, MOVED_OUT, NEW, REACTIVATION
from tests.figures import agrees, metrics

NO_RATES = pl.DataFrame(schema=frames.CURRENCY_RATES)
PLAYBOOK = Path(__file__).parents[3] / "shared" / "data" / "dbt_mrr_playbook_subscription_periods.csv"
JANUARY = date(2026, 1, 1)


def steps(*rows):
    """Steps from (customer, subscription, day of 2026, net [, plan, currency, holds])."""
    told = []
    for customer, subscription, day, net, *more in rows:
        plan, currency, holds = [*more, *(1, "NOK", False)[len(more) :]]
        told.append(
            (
                subscription,
                customer,
                currency,
                JANUARY + timedelta(days=day),
                plan,
                plan,
                net,
                net,
                holds,
                "start" if net else "voluntary",
            )
        )
    frame = pl.DataFrame(told, schema=movements.STEPS, orient="row")
    return frame.sort("customer_id", "day", "subscription_id")


def kinds(frame, rates=NO_RATES):
    return movements.log(frame, rates, "NOK").select("kind", "delta").rows()


def test_a_life_with_every_movement():
    life = steps((1, 1, 0, 100), (1, 1, 10, 150), (1, 1, 20, 120), (1, 1, 30, 0), (1, 1, 50, 80))

    log = movements.log(life, NO_RATES, "NOK")

    assert log.select("kind", "delta").rows() == [
        (NEW, 100),
        (EXPANSION, 50),
        (CONTRACTION, -30),
        (CHURN, -120),
        (REACTIVATION, 80),
    ]
    assert log["gap_days"].to_list()[-1] == 20


def test_one_of_two_subscriptions_cancelled_is_contraction():
    assert kinds(steps((1, 1, 0, 100), (1, 2, 0, 60), (1, 2, 10, 0))) == [(NEW, 160), (CONTRACTION, -60)]


def test_what_happens_on_one_day_is_netted():
    assert kinds(steps((1, 1, 0, 100), (1, 1, 10, 0), (1, 2, 10, 130))) == [(NEW, 100), (EXPANSION, 30)]


def test_a_gap_of_a_day_is_none_and_one_of_two_is():
    assert kinds(steps((1, 1, 0, 100), (1, 1, 10, 0), (1, 2, 11, 100))) == [(NEW, 100)]
    assert kinds(steps((1, 1, 0, 100), (1, 1, 10, 0), (1, 2, 12, 100))) == [
        (NEW, 100),
        (CHURN, -100),
        (REACTIVATION, 100),
    ]


def test_a_price_of_nothing_for_a_while_keeps_a_customer_who_has_paid():
    paid_first = steps((1, 1, 0, 100), (1, 1, 10, 0, 1, "NOK", True), (1, 1, 20, 100))
    never_paid = steps((1, 1, 0, 0, 1, "NOK", True), (1, 1, 20, 100))

    assert kinds(paid_first) == [(NEW, 100), (CONTRACTION, -100), (EXPANSION, 100)]
    assert kinds(never_paid) == [(NEW, 100)]


def test_who_cancels_in_a_pause_is_lost_without_mrr():
    assert kinds(steps((1, 1, 0, 100), (1, 1, 10, 0, 1, "NOK", True), (1, 1, 20, 0))) == [
        (NEW, 100),
        (CONTRACTION, -100),
        (CHURN, 0),
    ]


RATES = pl.DataFrame(
    [("EUR", JANUARY, 11 * 10**10), ("EUR", date(2026, 2, 1), 12 * 10**10)],
    schema=dict(frames.CURRENCY_RATES),
    orient="row",
)


def test_movements_count_at_their_days_rate_and_the_rest_is_currency():
    life = steps((1, 1, 0, 1000, 1, "EUR"), (1, 1, 35, 1500, 1, "EUR"))
    log = movements.log(life, RATES, "NOK")
    months = [JANUARY, date(2026, 2, 1)]
    balance = movements.balances(life, [date(2025, 12, 31), date(2026, 1, 31), date(2026, 2, 28)], RATES, "NOK")

    table = movements.monthly_table(log, balance, months)

    assert log.select("kind", "delta").rows() == [(NEW, 11_000), (EXPANSION, 6_000)]
    assert table.select("opening", "fx", "closing").rows() == [(0, 0, 11_000), (11_000, 1_000, 18_000)]


def test_one_customer_with_two_currencies_stands_beside_one_with_one():
    both = steps((1, 1, 0, 100), (2, 2, 0, 100), (2, 3, 5, 100, 1, "EUR"), (2, 2, 9, 0), (3, 4, 1, 10, 1, "EUR"))

    log = movements.log(both, RATES, "NOK")

    assert log.select("customer_id", "kind", "delta", "after").rows() == [
        (1, NEW, 100, 100),
        (2, NEW, 100, 100),
        (2, EXPANSION, 1100, 1200),
        (2, CONTRACTION, -100, 1100),
        (3, NEW, 110, 110),
    ]


def test_a_currency_without_a_rate_is_named_and_left_out():
    some, missing = movements.convertible(steps((1, 1, 0, 100), (2, 2, 0, 100, 1, "SEK")), RATES, "NOK")

    assert missing == ["SEK"]
    assert some.height == 1


def test_who_goes_to_another_plan_moves():
    life = steps((1, 1, 0, 100, 1), (1, 1, 10, 150, 2), (1, 1, 20, 0, 2), (2, 2, 5, 50, 2))
    whole = movements.log(life, NO_RATES, "NOK")
    split = movements.by_plan(life)
    pairs = split.select("customer_id", "whose", "plan_id").unique()
    log = movements.moved(movements.log(split, NO_RATES, "NOK").join(pairs, on="customer_id", how="left"), whole)

    told = log.sort("day", "plan_id").select("whose", "plan_id", "kind", "delta").rows()

    assert told == [
        (1, 1, NEW, 100),
        (2, 2, NEW, 50),
        (1, 1, MOVED_OUT, -100),
        (1, 2, MOVED_IN, 150),
        (1, 2, CHURN, -150),
    ]


def random_lives(seed, customers=40, days=300):
    rng = np.random.default_rng(seed)
    rows, subscription = [], 0
    for customer in range(1, customers + 1):
        for _ in range(rng.integers(1, 4)):
            subscription += 1
            for day in sorted(rng.choice(days, rng.integers(1, 7), replace=False)):
                net = int(rng.choice([0, 0, rng.integers(1, 500)]))
                rows.append(
                    (
                        customer,
                        subscription,
                        int(day),
                        net,
                        int(rng.integers(1, 4)),
                        "NOK",
                        bool(net == 0 and rng.random() < 0.3),
                    )
                )
    return steps(*rows)


def slow_balance(frame, customer, day):
    """MRR and standing of a customer at the end of a day, subscription by subscription."""
    own = frame.filter((pl.col("customer_id") == customer) & (pl.col("day") <= day)).sort("day", maintain_order=True)
    last = own.group_by("subscription_id", maintain_order=True).last()
    return int(last["net_twelfths"].sum()), bool(last["holds"].any())


@pytest.mark.parametrize("seed", range(3))
def test_every_day_of_every_customer_is_what_the_slow_twin_says(seed):
    frame = random_lives(seed, customers=12, days=60)
    log = movements.log(frame, NO_RATES, "NOK")

    for customer in range(1, 13):
        paid, before, was = False, 0, False
        for day in (JANUARY + timedelta(days=k) for k in range(61)):
            now, held = slow_balance(frame, customer, day)
            following, following_held = slow_balance(frame, customer, day + timedelta(days=1))
            alive = now > 0 or (held and paid)
            if was and not alive and (following > 0 or following_held):
                continue  # a gap of one day is none
            paid = paid or now > 0
            told = log.filter((pl.col("customer_id") == customer) & (pl.col("day") == day))
            assert int(told["delta"].sum()) == now - before if alive or was else told.is_empty()
            if told.height:
                assert (told["customer_before"][0], told["customer_after"][0]) == (was, alive)
            before, was = (now if alive else 0), alive


@pytest.mark.parametrize("seed", range(6))
def test_the_identity_holds_in_every_month_whole_and_by_plan(seed):
    frame = random_lives(seed)
    log = movements.log(frame, NO_RATES, "NOK")
    months = movements.months_between(JANUARY, date(2026, 10, 1))
    ends = [month - timedelta(days=1) for month in [*months, movements.after_months(months[-1], 1)]]

    whole = movements.monthly_table(log, movements.balances(frame, ends, NO_RATES, "NOK"), months)
    assert (whole["fx"] == 0).all()
    assert (whole["customers_at_end"].slice(0, whole.height - 1) == whole["customers_at_start"].slice(1)).all()
    assert whole.select(pl.col("opening") + pl.sum_horizontal(KINDS) == pl.col("closing")).to_series().all()
    for plan in (1, 2, 3):
        part = movements.within(frame, [plan])
        own = movements.moved(movements.log(part, NO_RATES, "NOK"), log)
        table = movements.monthly_table(own, movements.balances(part, ends, NO_RATES, "NOK"), months)
        assert (table["fx"] == 0).all()
        assert int(table["customers_at_end"][-1]) == movements.standing(own, ends[-1]).height


@pytest.mark.parametrize("seed", range(6))
def test_retention_stays_within_its_bounds_and_ties_to_the_customers(seed):
    log = movements.log(random_lives(seed), NO_RATES, "NOK")
    rates = retention.rates(log, date(2026, 3, 31), date(2026, 9, 30))

    base, now = movements.standing(log, rates.start), movements.standing(log, rates.end)
    kept = base.join(now, on="customer_id", suffix="_now")
    assert 0 <= rates.grr <= min(1.0, rates.nrr)
    assert rates.customer_churn == pytest.approx(1 - kept.height / base.height)
    assert rates.nrr == pytest.approx(kept["mrr_now"].sum() / base["mrr"].sum())
    assert rates.churn_low <= rates.customer_churn <= rates.churn_high


def test_nobody_to_lose_is_no_rate_and_no_loss_no_ratio():
    log = movements.log(steps((1, 1, 40, 100)), NO_RATES, "NOK")

    nothing = retention.rates(log, JANUARY, date(2026, 1, 31))
    first = retention.rates(log, JANUARY, date(2026, 2, 28))

    assert (nothing.customer_churn, nothing.nrr, nothing.arpa) == (None, None, None)
    assert first.quick_ratio is None
    assert first.asp == 100


def test_a_cohort_is_blank_where_its_last_member_has_not_come():
    life = steps((1, 1, 0, 100), (2, 2, 20, 100), (2, 2, 60, 0))
    cells = retention.cohorts(movements.log(life, NO_RATES, "NOK"), JANUARY, date(2026, 3, 25))

    # The second began on 21 January: two months on 21 March, three only in April. It left on 2 March, before its second month.
    assert cells.select("age", "size", "kept").rows() == [(0, 2, 2), (1, 2, 2), (2, 2, 1)]
    assert cells["mrr"].to_list() == [200, 200, 100]


def test_tenures_count_completed_months():
    life = steps((1, 1, 0, 100), (2, 2, 0, 100), (2, 2, 40, 0), (3, 3, 0, 100), (3, 3, 31, 0))
    told = retention.subjects(movements.log(life, NO_RATES, "NOK"), date(2026, 4, 30))

    # The first stays through three whole months; the second leaves within its second; the third at the end of its first.
    assert told.select("customer_id", "exit", "cause").rows() == [
        (1, 3, None),
        (2, 2, "voluntary"),
        (3, 1, "voluntary"),
    ]


@pytest.mark.skipif(not PLAYBOOK.exists(), reason="the playbook's periods are not part of this repository")
def test_the_playbook():
    rows = pl.read_csv(PLAYBOOK, try_parse_dates=True)
    table = playbook(rows)

    for kind in ("new", "expansion", "contraction", "churn", "reactivation"):
        assert agrees(f"mrr.playbook.total.{kind}", float(table[kind].sum()))
    for figure in (name for name in metrics() if name.startswith("mrr.playbook.20")):
        row = table.filter(pl.col("month").dt.strftime("%Y-%m") == figure[-7:]).row(0, named=True)
        told = [
            row[name]
            for name in ("closing", "new", "expansion", "contraction", "churn", "reactivation", "customers_at_end")
        ]
        assert agrees(figure, *map(float, told)), figure
    assert agrees("mrr.playbook.identity", float(table["fx"].abs().max()))


def playbook(rows):
    """The playbook's periods as steps, and the monthly table of them."""
    start, end = (pl.col(name).cast(pl.Date) for name in ("start_date", "end_date"))
    ids = rows.with_row_index("row").with_columns(customer=pl.col("customer_id").cast(pl.Int64), start=start, end=end)
    named = {"plan_id": 1, "price_version_id": 1, "currency": "NOK", "holds": False}
    begins = ids.select(
        subscription_id="row", customer_id="customer", day="start", net_twelfths="monthly_amount", cause=pl.lit("start")
    )
    ends = ids.filter(pl.col("end").is_not_null()).select(
        subscription_id="row", customer_id="customer", day="end", net_twelfths=pl.lit(0), cause=pl.lit("other")
    )
    every = pl.concat(
        [
            begins.with_columns(pl.col("net_twelfths").cast(pl.Int64)),
            ends.with_columns(pl.col("net_twelfths").cast(pl.Int64)),
        ]
    )
    every = every.with_columns(list_twelfths="net_twelfths", **{name: pl.lit(value) for name, value in named.items()})
    frame = frames.conform(every, movements.STEPS).sort("customer_id", "day", "subscription_id")
    log = movements.log(frame, NO_RATES, "NOK")
    months = movements.months_between(date(2017, 9, 1), date(2020, 2, 1))
    days = [month - timedelta(days=1) for month in [*months, date(2020, 3, 1)]]
    return movements.monthly_table(log, movements.balances(frame, days, NO_RATES, "NOK"), months)


@pytest.mark.skipif(not PLAYBOOK.exists(), reason="the playbook's periods are not part of this repository")
def test_retention_of_the_playbook():
    rows = pl.read_csv(PLAYBOOK, try_parse_dates=True)
    start, end = (pl.col(name).cast(pl.Date) for name in ("start_date", "end_date"))
    ids = rows.with_row_index("row").with_columns(start=start, end=end)

    def standing(day):
        here = ids.filter((pl.col("start") <= day) & (pl.col("end").is_null() | (pl.col("end") > day)))
        return dict(here.group_by("customer_id").agg(pl.col("monthly_amount").sum()).iter_rows())

    base, now = standing(date(2018, 12, 1)), standing(date(2019, 12, 1))
    life = [(int(customer), int(customer), 0, int(amount)) for customer, amount in base.items()]
    life += [(int(customer), int(customer), 40, int(now.get(customer, 0))) for customer in base]
    told = retention.rates(movements.log(steps(*life), NO_RATES, "NOK"), JANUARY, date(2026, 3, 1))

    assert agrees("nrr.playbook.2018-12_to_2019-12", told.nrr)
    assert agrees("grr.playbook.2018-12_to_2019-12.point_to_point", told.grr)
