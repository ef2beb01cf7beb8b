"""Who left against the stated table: by slow arithmetic of the test's own, one customer a time, and as the charts tell it."""

from __future__ import annotations

import shutil
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from math import log, sqrt
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from sqlalchemy import Engine, select

from core.domain.periods import Interval, Unit, boundary
from core.reports import comparisons, lifetimes, mrr
from core.reports.kpis import Filters
from core.store.engine import open_engine, reading
from core.store.tables import (
    CustomerVersion,
    Plan,
    PriceVersion,
    Subscription,
    SubscriptionChange,
    TouchPoint,
    core_table,
)
from seed.company import fill

AS_OF = date(2026, 11, 20)
PLAN = {"hjem": 0.022, "familie": 0.014, "kontor": 0.010, "handel": 0.012, "kjede": 0.004}
PAYMENT = {"invoice": 1.0, "efaktura": 0.8, "direct_debit": 0.7, "card": 1.4, "bank_transfer": 1.1}
CHANNEL = {"email": 1.0, "sms": 1.1, "digital_mailbox": 0.85, "einvoice": 0.8, "paper": 1.25}


@dataclass
class Told:
    """What the database says about one subscription, until the month of its first pause, new price or new choice."""

    plan: str
    interval: Interval
    calendar: bool
    paid_from: date
    ends: date | None
    until: date
    payment: str
    channel: str
    onboarded: bool
    unresolved: list[date]


def told(engine: Engine) -> list[Told]:
    """Everybody but those on weekly plans and those who never paid."""
    sub, change, touch = (core_table(model).c for model in (Subscription, SubscriptionChange, TouchPoint))
    version, plan, said = (core_table(model).c for model in (PriceVersion, Plan, CustomerVersion))
    with reading(engine) as session:
        rows = session.execute(select(change.id, change.subscription_id, change.kind, change.effective_on, change.until_on,
                                      change.price_version_id, change.undoes_id, change.recorded_at).order_by(change.id)).all()  # fmt: skip
        prices = {row.id: row for row in session.execute(
            select(version.id, version.interval_unit, version.interval_count, version.alignment, plan.code)
            .join_from(core_table(PriceVersion), core_table(Plan), plan.id == version.plan_id))}  # fmt: skip
        owners = dict(session.execute(select(sub.id, sub.customer_id)).all())
        choices: dict[int, list[Any]] = defaultdict(list)
        for row in session.execute(
            select(said.customer_id, said.payment_option, said.channel, said.recorded_at).order_by(said.id)
        ):
            choices[row.customer_id].append(row)
        touches: dict[int, list[Any]] = defaultdict(list)
        for row in session.execute(select(touch.customer_id, touch.occurred_on, touch.topic, touch.outcome)):
            touches[row.customer_id].append(row)
    by_sub: dict[int, list[Any]] = defaultdict(list)
    undone = {row.undoes_id for row in rows}
    for row in rows:
        if row.kind != "undo" and row.id not in undone:
            by_sub[row.subscription_id].append(row)
    lives = []
    for key, facts in by_sub.items():
        kinds = {fact.kind: fact for fact in facts}
        customer = owners[key]
        chosen = choices[customer][0]
        turns = [fact.recorded_at for fact in facts if fact.kind in ("pause", "price")]
        turns += [one.recorded_at for one in choices[customer] if one[1:3] != chosen[1:3]]
        price = prices[kinds["start"].price_version_id]
        paid_from = kinds["trial"].until_on if "trial" in kinds else kinds["start"].effective_on
        ends = kinds["cancel"].effective_on if "cancel" in kinds else None
        if price.interval_unit == "week" or (ends and ends <= paid_from):
            continue
        lives.append(Told(
            price.code, Interval(Unit(price.interval_unit), price.interval_count), price.alignment == "calendar",
            paid_from, ends, min(turns).date() if turns else AS_OF, chosen.payment_option, chosen.channel,
            any(one.topic == "profile" for one in touches[customer]),
            [one.occurred_on for one in touches[customer] if one.outcome == "unresolved"],
        ))  # fmt: skip
    return lives


def decisions(life: Told) -> Iterator[tuple[int, float, bool]]:
    """Each time this customer could leave: completed months, the stated chance, and whether it happened."""
    first = date(life.paid_from.year, 1, 1) if life.calendar else life.paid_from
    for n in range(1, 400):
        tick = boundary(first, life.interval, n)
        if tick > AS_OF or (life.ends and tick > life.ends):
            return
        last = tick - timedelta(days=1)
        if last > life.until:  # facts of a month are recorded on its last day
            return
        if tick <= life.paid_from:
            continue
        months = (tick.year - life.paid_from.year) * 12 + tick.month - life.paid_from.month
        before = [day for day in life.unresolved if (day.year, day.month) < (last.year, last.month)]
        contact = 1.6 if before and (tick - max(before)).days <= 60 else 1.0
        tenure = 2.0 if months <= 3 else 1.0 if months <= 12 else 0.7 if months <= 24 else 0.5
        h = PLAN[life.plan] * tenure * PAYMENT[life.payment] * CHANNEL[life.channel] * contact
        h = min(0.5, h * (0.75 if life.onboarded else 1.35))
        yield months, 1 - (1 - h) ** life.interval.months, tick == life.ends


@pytest.fixture(scope="module")
def company(sqlite_template: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    """The demo company of twenty months, made once for this file."""
    file = tmp_path_factory.mktemp("company") / "forbli.db"
    shutil.copy(sqlite_template, file)
    engine = open_engine(f"sqlite:///{file}")
    fill(engine, as_of=AS_OF, customers=5_000, months=20, invoiced=1)
    yield engine
    engine.dispose()


@pytest.fixture(scope="module")
def people(company: Engine) -> lifetimes.People:
    """Its customers as the pages see them."""
    with reading(company) as session:
        return lifetimes.people(session, mrr.ledger(session, AS_OF), Filters(), AS_OF)


def test_who_left_is_what_the_table_says(company: Engine) -> None:
    expected: dict[str, float] = defaultdict(float)
    happened: dict[str, int] = defaultdict(int)
    for life in told(company):
        for months, chance, left in decisions(life):
            groups = ["all", life.plan, life.payment, life.channel, f"onboarded {life.onboarded}",
                      "months 1-3" if months <= 3 else "months 4-12" if months <= 12 else "months 13-24"]  # fmt: skip
            for group in groups:
                expected[group] += chance
                happened[group] += left
    assert expected["all"] > 300
    far = {
        group: (happened[group], round(most, 1))
        for group, most in expected.items()
        if abs(happened[group] - most) > 3.5 * sqrt(most)
    }
    assert far == {}
    assert happened["all"] == pytest.approx(expected["all"], rel=0.15)


@pytest.mark.parametrize("dimension", ["plan", "payment_option", "channel", "onboarding"])
def test_the_log_rank_test_finds_what_differs(people: lifetimes.People, dimension: str) -> None:
    assert comparisons.compare(people, dimension).p < 0.001
    assert comparisons.compare(people, dimension, comparisons.stratum_of(dimension)).p < 0.01


def test_the_log_rank_test_finds_nothing_where_nothing_is_stated(people: lifetimes.People) -> None:
    assert comparisons.compare(people, "country", "plan").p > 0.05


@pytest.mark.parametrize(
    ("dimension", "reference", "stated", "plain"),
    [
        ("plan", "Hjem", {"Familie": 0.014 / 0.022, "Hytte": 0.030 / 0.022}, {"Familie", "Hytte"}),
        ("plan", "Kontor", {"Handel": 0.012 / 0.010}, set()),
        ("payment_option", "invoice", {name: PAYMENT[name] for name in ("card", "direct_debit", "efaktura")}, {"card", "direct_debit"}),
        ("channel", "email", {name: CHANNEL[name] for name in ("digital_mailbox", "einvoice", "paper", "sms")}, {"paper", "einvoice"}),
        ("onboarding", "finished", {"not finished": 1.35 / 0.75}, {"not finished"}),
    ],
)  # fmt: skip
def test_the_ratios_of_leaving_are_the_stated_ones(
    people: lifetimes.People, dimension: str, reference: str, stated: dict[str, float], plain: set[str]
) -> None:
    """Within 3.5 standard errors, as above; `plain`: those whose interval does not hold 1. Groups with few ends are held back."""
    ratios = {ratio.name: ratio for ratio in comparisons.hazard_ratios(people, dimension, reference)}
    off = {
        name: log(ratio.ratio / stated[name]) / (log(ratio.high / ratio.low) / 3.92) for name, ratio in ratios.items()
    }

    assert ratios.keys() == stated.keys()
    assert {name: errors for name, errors in off.items() if abs(errors) > 3.5} == {}
    assert {name for name, ratio in ratios.items() if ratio.low > 1 or ratio.high < 1} == plain


def test_the_curves_stand_in_the_stated_order(people: lifetimes.People) -> None:
    def at_a_year(dimension: str) -> dict[str, tuple[float, float, float]]:
        told = lifetimes.curves(people, dimension).filter(pl.col("time") <= 12).group_by("segment", maintain_order=True)
        return {row[0]: row[1:] for row in told.agg(pl.col("low", "survival", "high").last()).iter_rows()}

    plans, onboarding = at_a_year("plan"), at_a_year("onboarding")

    order = ["Hytte", "Hjem", "Familie", "Kontor", "Kjede"]
    assert sorted(order, key=lambda name: plans[name][1]) == order
    assert onboarding["not finished"][2] < onboarding["finished"][0]  # the bands do not touch


def test_customers_leave_less_the_longer_they_are_there(people: lifetimes.People) -> None:
    rates = lifetimes.hazards(people, None)
    bands = [rates.filter(pl.col("time").is_between(*months)) for months in ((1, 3), (4, 11), (13, 18))]
    hazard = [band["events"].sum() / band["at_risk"].sum() for band in bands]

    # Twice as fast at first and 0.7 times after a year; plans by the year leave in month 12 alone and dilute all three alike.
    assert hazard[0] / hazard[1] == pytest.approx(2.0, rel=0.25)
    assert hazard[2] / hazard[1] == pytest.approx(0.7, rel=0.25)
