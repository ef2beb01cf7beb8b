"""How long customers stay and what they are worth, by segment; every figure with how sure it is (metrics.md 6 to 9).

Lives are in months since the first paid day. CLV = discounted months × mean MRR × margin, from fitted staying; values in minor
units of the company's currency.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import date
from typing import Any

import numpy as np
import polars as pl
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from core.calc import lifetime, movements, retention, survival
from core.calc.lifetime import Choice, Counts, Fit
from core.calc.movements import CUSTOMER
from core.domain.periods import Interval, Unit
from core.domain.price_form import interval_name
from core.reports.kpis import Filters, segment
from core.reports.mrr import Ledger
from core.store import load
from core.store.tables import PlanMargin, PriceVersion, Subscription, TouchPoint, core_table

YEARLY_DISCOUNT = 0.10
DRAWS, SEED = 200, 20261125
SMALL = 30  # fewer customers: shown greyed
FULL = 1_000_000
DIMENSIONS = ("plan", "interval", "term", "kind", "payment_option", "channel", "country", "onboarding")
UNKNOWN = "unknown"
ONBOARDING = "onboarding"


@dataclass(frozen=True)
class People:
    """Customers as survival subjects: customer_id, since, entry, exit, cause, mrr (twelfths at the first paid day, and `now` while
    they stay), `plan`, billing `interval` and `term` (bound by a minimum term or not) of the first paid day, kind, payment_option,
    channel, country, onboarding (finished: yes, no). `pasts`: what the simulation reads from them of a plan, kept when it is first
    asked for."""

    frame: pl.DataFrame
    ledger: Ledger
    as_of: date
    pasts: dict[tuple[str, date], Any] = field(default_factory=dict, compare=False, repr=False)


def people(session: Session, ledger: Ledger, filters: Filters, today: date) -> People:
    """The subjects of a segment. Contacts and onboarding are those of the customer's first two months."""
    part = segment(ledger, replace(filters, plans=()))
    log = part.log.filter(pl.col("day") <= today)
    subjects = retention.subjects(log, today)
    first = log.filter(pl.col("kind") == movements.NEW).select(CUSTOMER, start_mrr="after")
    now = movements.standing(log, today).select(CUSTOMER, now_mrr="mrr")
    terms = _first_terms(session, part, subjects)
    done = _onboarded(session, subjects)
    frame = (
        subjects.join(part.people, on=CUSTOMER, how="inner").join(first, on=CUSTOMER, how="left")
        .join(now, on=CUSTOMER, how="left").join(terms, on=CUSTOMER, how="left").join(done, on=CUSTOMER, how="left")
        .with_columns(n=pl.lit(1, dtype=pl.Int64), onboarding=pl.col("onboarding").fill_null(UNKNOWN))
    )  # fmt: skip
    if filters.plans:
        frame = frame.filter(pl.col("plan").is_in([part.names[plan_id] for plan_id in filters.plans]))
    return People(frame, part, today)


def _first_terms(session: Session, ledger: Ledger, subjects: pl.DataFrame) -> pl.DataFrame:
    """customer_id, plan, interval, term: those of the subscription that brought most on the first paid day."""
    own = ledger.steps.join(subjects.select(CUSTOMER, "since"), on=CUSTOMER).filter(pl.col("day") <= pl.col("since"))
    best = own.sort("net_twelfths", descending=True).unique(CUSTOMER, keep="first")
    names = pl.DataFrame({"plan_id": list(ledger.names), "plan": list(ledger.names.values())},
                         schema={"plan_id": pl.Int64, "plan": pl.String})  # fmt: skip
    version, table = core_table(PriceVersion).c, core_table(Subscription).c
    sold = session.execute(select(version.id, version.interval_unit, version.interval_count))
    intervals = {row.id: interval_name(Interval(Unit(row.interval_unit), row.interval_count)) for row in sold}
    bound = select(table.id).where(table.minimum_term_until.is_not(None))
    with_term = pl.Series(session.execute(bound).scalars().all(), dtype=pl.Int64)
    term = (
        pl.when(pl.col(movements.SUB).is_in(with_term.implode()))
        .then(pl.lit("minimum_term"))
        .otherwise(pl.lit("no_minimum_term"))
    )
    interval = pl.col("price_version_id").replace_strict(intervals, default=None, return_dtype=pl.String)
    return best.join(names, on="plan_id", how="left").select(CUSTOMER, "plan", interval=interval, term=term)


def _onboarded(session: Session, subjects: pl.DataFrame) -> pl.DataFrame:
    """customer_id, onboarding: were all steps finished before the second month was over? Nobody without any step is told."""
    table = core_table(TouchPoint).c
    statement = select(table.customer_id, table.occurred_on, table.topic, table.outcome).where(table.kind == ONBOARDING)
    schema = {CUSTOMER: pl.Int64, "occurred_on": pl.Date, "topic": pl.String, "outcome": pl.String}
    steps = load.frame(session, statement, schema, many=True)
    every = steps["topic"].n_unique()
    early = steps.join(subjects.select(CUSTOMER, "since"), on=CUSTOMER).filter(
        pl.col("occurred_on") < pl.col("since").dt.offset_by("2mo")
    )
    done = pl.col("topic").filter(pl.col("outcome") == "completed").n_unique() == every
    return early.group_by(CUSTOMER).agg(
        onboarding=pl.when(done).then(pl.lit("finished")).otherwise(pl.lit("not finished"))
    )


def contacts(session: Session) -> pl.DataFrame:
    """customer_id, day of every contact with customer service."""
    table = core_table(TouchPoint).c
    statement = select(table.customer_id, table.occurred_on.label("day")).where(table.kind != ONBOARDING)
    return load.frame(session, statement, {CUSTOMER: pl.Int64, "day": pl.Date}, many=True)


def margins(session: Session, today: date) -> dict[int, int]:
    """plan_id → margin in millionths, of the plans that have one."""
    table = core_table(PlanMargin)
    newest = select(func.max(table.c.id)).where(table.c.effective_from <= today).group_by(table.c.plan_id)
    rows = session.execute(select(table.c.plan_id, table.c.margin_ppm).where(table.c.id.in_(newest)))
    return {row[0]: row[1] for row in rows}


@dataclass(frozen=True)
class Value:
    """What a segment's customers are worth. Amounts in minor units; `low`, `high` the 95 % interval of `clv_new`.

    `choice` is None when there is too little to fit: then only what was seen is shown. `months`: discounted months of a new
    customer. `residual`: value still to come of all active ones. `simple`: ARPA ÷ churn, for comparison only.
    """

    name: str
    customers: int
    active: int
    churners: int
    arpa: int | None
    margin: float
    choice: Choice | None
    months: float | None
    clv_new: int | None
    low: int | None
    high: int | None
    residual: int | None
    simple: int | None
    counts: Counts


def value(frame: pl.DataFrame, name: str, margin: float, yearly: float = YEARLY_DISCOUNT, draws: int = DRAWS) -> Value:
    """The value of the customers of a frame of `people`."""
    counted = survival.counted(frame)
    counts = lifetime.from_subjects(counted) if counted.height else Counts(*(np.zeros(1) for _ in range(3)))
    active = frame.filter(pl.col("cause").is_null())
    started = frame["start_mrr"].drop_nulls()
    paying = active["now_mrr"].drop_nulls()
    arpa = round(int(paying.sum()) / paying.len() / 12) if paying.len() else None
    starting = float(started.mean()) / 12 if started.len() else 0.0  # type: ignore[arg-type]
    exposure = float(counts.at_risk.sum())
    simple = lifetime.simple_ltv(arpa or 0, counts.churners / exposure if exposure else 0.0, margin)
    usual: dict[str, Any] = {"name": name, "customers": frame.height, "active": active.height, "churners": counts.churners, "arpa": arpa,
             "margin": margin, "counts": counts, "simple": None if simple is None else round(simple)}  # fmt: skip
    if not lifetime.enough(counts):
        return Value(**usual, choice=None, months=None, clv_new=None, low=None, high=None, residual=None)
    choice = lifetime.choose(counts)
    d = lifetime.per_unit(yearly, 12)
    months = lifetime.del_(choice.chosen, d)
    drawn = [lifetime.del_(found, d) for found in lifetime.resampled(counts, choice.chosen, draws, SEED)]
    spread = lifetime.interval(drawn)
    worth = starting * margin
    return Value(
        **usual, choice=choice, months=months, clv_new=round(worth * months),
        low=round(worth * spread[0]) if spread else None, high=round(worth * spread[1]) if spread else None,
        residual=round(float(residual(active, choice.chosen, d)["residual"].sum()) * margin),
    )  # fmt: skip


def residual(active: pl.DataFrame, fit: Fit, d: float) -> pl.DataFrame:
    """Each active customer's value still to come, before margin: customer_id, payments, residual (minor units).

    DERL of the payments made, for whom the next renewal is half a month away on average.
    """
    payments = active.select(CUSTOMER, "now_mrr", payments=pl.col("exit").clip(lower_bound=0) + 1)
    longest = int(payments["payments"].max() or 0)  # type: ignore[arg-type]
    derl = pl.Series([0.0, *(lifetime.derl(fit, d, n) for n in range(1, longest + 1))])
    half = (1 + d) ** -0.5
    return payments.with_columns(
        residual=derl.gather(payments["payments"]) * payments["now_mrr"].fill_null(0) / 12 * half
    ).select(CUSTOMER, "payments", "residual")


def margin_of(session: Session, found: People, today: date) -> float:
    """The margin of a segment: that of its plans, weighed by what its active customers pay; 1 where none was entered."""
    known = margins(session, today)
    if not known:
        return 1.0
    names = {found.ledger.names[plan_id]: ppm for plan_id, ppm in known.items()}
    paid = found.frame.filter(pl.col("cause").is_null()).group_by("plan").agg(pl.col("now_mrr").sum())
    total = int(paid["now_mrr"].sum())
    return sum(mrr * names.get(plan, FULL) / FULL for plan, mrr in paid.iter_rows()) / total if total else 1.0


def by_segment(found: People, dimension: str, margin: float, yearly: float = YEARLY_DISCOUNT) -> list[Value]:
    """The value of each segment, the dearest first; those that cannot be told last."""
    names = found.frame[dimension].drop_nulls().unique().sort().to_list()
    values = [
        value(found.frame.filter(pl.col(dimension) == name), str(name), margin, yearly, draws=60) for name in names
    ]
    return sorted(values, key=lambda told: (told.clv_new is None, -(told.clv_new or 0)))


def curves(found: People, dimension: str | None) -> pl.DataFrame:
    """Kaplan–Meier by segment, while at least ten are at risk: segment, time, at_risk, survival, low, high."""
    frame = found.frame.with_columns(segment=pl.col(dimension).fill_null(UNKNOWN) if dimension else pl.lit(""))
    curve = survival.kaplan_meier(frame, ["segment"]).filter(pl.col("at_risk") >= survival.MIN_AT_RISK)
    sizes = frame.group_by("segment").agg(at_risk=pl.len().cast(pl.Int64))
    start = sizes.select(
        "segment",
        time=pl.lit(0, dtype=pl.Int64),
        at_risk="at_risk",
        survival=pl.lit(1.0),
        low=pl.lit(1.0),
        high=pl.lit(1.0),
    )
    return pl.concat([start, curve.select(start.columns)]).sort("segment", "time")


def hazards(found: People, dimension: str | None) -> pl.DataFrame:
    """Leaving by tenure and segment, while at least ten are at risk: segment, time, at_risk, events, hazard, low, high."""
    frame = found.frame.with_columns(segment=pl.col(dimension).fill_null(UNKNOWN) if dimension else pl.lit(""))
    rates = survival.hazards(frame, ["segment"])
    return rates.filter(pl.col("at_risk") >= survival.MIN_AT_RISK).sort("segment", "time")
