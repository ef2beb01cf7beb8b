"""What the simulation page reads, shared by all sessions until the data change."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass
from datetime import date
from typing import Any

import polars as pl
import streamlit as st
from sqlalchemy import select
from sqlalchemy.orm import Session

from core.calc.simulation.history import Estimate
from core.domain.periods import INTERVALS
from core.domain.plans import PriceStatus, PriceTerms
from core.domain.scenarios import Scenario
from core.reports import expected as expectation
from core.reports import kpis, lifetimes, mrr, reaction, scenarios, simulation
from core.reports.expected import Expected
from core.reports.simulation import Exact, Prepared
from core.store import catalogue
from core.store.tables import Plan, PriceVersion, core_table
from core.ui import session
from core.ui.text import t

KEY = "simulate"  # begins the names of all widgets of the page


@dataclass(frozen=True)
class Series:
    """Prices on sale: a plan in a currency and interval, the newest version's terms, how many subscribe, and customers of which kinds."""

    plan: str
    name: str
    currency: str
    interval: str
    terms: PriceTerms
    subscriptions: int
    kinds: tuple[str, ...]


def prepared(db: Session, today: date) -> Prepared:
    """The base, prepared once."""
    return simulation.prepared(db, session.carried(mrr.ledger, today), today)


def series(db: Session, today: date) -> list[Series]:
    """Every plan, currency and interval on sale that somebody has, those with most subscriptions first.

    The newest prices count, also when they begin later: what follows them begins from them (reports/simulation.py).
    """
    ready: Prepared = session.frames(prepared, today)
    plan, version = core_table(Plan), core_table(PriceVersion)
    names = {(interval.unit.value, interval.count): name for name, interval in INTERVALS.items()}
    rows = db.execute(
        select(version.c.id, plan.c.code, plan.c.name, plan.c.id.label("plan_id"), version.c.currency, version.c.interval_unit, version.c.interval_count)
        .join_from(version, plan, plan.c.id == version.c.plan_id)
        .where(version.c.status == PriceStatus.PUBLISHED.value, version.c.subscription_id.is_(None))
        .order_by(version.c.valid_from, version.c.id)
    ).all()  # fmt: skip
    newest = {(row.plan_id, row.currency, row.interval_unit, row.interval_count): row for row in rows}
    months = {name: (interval.months, interval.days) for name, interval in INTERVALS.items()}
    found = []
    for (plan_id, currency, unit, count), row in newest.items():
        name = names.get((unit, count))
        if name is None:
            continue
        here = (pl.col("plan_id") == plan_id) & (pl.col("currency") == currency)
        here = here & (pl.col("interval_months") == months[name][0]) & (pl.col("interval_days") == months[name][1])
        held = ready.base.subs.filter(here)
        if held.height:
            kinds = ready.people.join(held, on="customer_id", how="semi")["kind"].unique().sort()
            terms = catalogue.terms_of(db, row.id)
            found.append(Series(row.code, row.name, currency, name, terms, held.height, tuple(kinds)))
    return sorted(found, key=lambda each: -each.subscriptions)


def exact(db: Session, scenario: Scenario, today: date) -> Exact:
    """The exact layer of a scenario."""
    return simulation.exact_effect(db, session.frames(prepared, today), scenario)


def people(db: Session, today: date) -> lifetimes.People:
    """All customers as survival subjects."""
    return lifetimes.people(db, session.carried(mrr.ledger, today), kpis.Filters(), today)


def hoped(_db: Session, scenario: Scenario, today: date) -> Expected:
    """The expectation of a scenario."""
    return expectation.expected(session.frames(exact, scenario, today), session.frames(people, today), today)


def exact_numbers(_db: Session, scenario: Scenario, today: date) -> dict[str, Any]:
    """What rests on no assumption."""
    return scenarios.exact_numbers(session.frames(exact, scenario, today))


def outcome(_db: Session, scenario: Scenario, today: date) -> dict[str, Any]:
    """Every number of a scenario."""
    numbers = session.frames(exact_numbers, scenario, today)
    return scenarios.outcome(session.frames(exact, scenario, today), session.frames(hoped, scenario, today), numbers)


def answer(
    scenario: Scenario, today: date, first: Callable[[dict[str, Any]], None]
) -> tuple[Exact, Expected, dict[str, Any]]:
    """The exact layer, the expectation and every number. `first` shows what is exact as soon as it is known. The first answer of a
    plan takes its time and says so."""
    about = (scenario.plan, scenario.currency, scenario.interval, session.revision())
    known = st.session_state.get(f"{KEY}:known") == about
    with nullcontext() if known else st.spinner(t("Rating every bill of the last year anew …")):
        first(session.frames(exact_numbers, scenario, today))
        found = tuple(session.frames(read, scenario, today) for read in (exact, hoped, outcome))
    st.session_state[f"{KEY}:known"] = about
    return found  # type: ignore[return-value]


def own_reaction(db: Session, today: date) -> Estimate | None:
    """What own price changes of the past showed."""
    return reaction.own_reaction(db, session.carried(mrr.ledger, today), today)


def held_against_invoices(db: Session, today: date) -> pl.DataFrame:
    """Re-rated history beside the invoices, the largest difference first."""
    return scenarios.held_against_invoices(db, session.frames(prepared, today))
