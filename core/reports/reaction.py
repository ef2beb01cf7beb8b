"""How the company's own customers reacted to its price changes so far, and what was learned from it for the next simulation."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from datetime import date
from typing import Any

import numpy as np
import polars as pl
from sqlalchemy import select
from sqlalchemy.orm import Session

from core.calc.calendar import OPEN
from core.calc.simulation import history
from core.calc.simulation.history import Estimate
from core.calc.simulation.response import combined
from core.calc.simulation.value import PRIORS
from core.domain.subscriptions import EndCause
from core.reports.mrr import Ledger
from core.store import load
from core.store.tables import MigrationPlan, PriceVersion, ReactionEstimate, core_table

SUB = "subscription_id"
SMALLEST = 0.005  # a rise of the bill by less than half a per cent is none


@dataclass(frozen=True)
class Learned:
    """What to assume from now on: `kappa` (median) with its `spread` on the log scale, after the own estimate has joined the prior."""

    kappa: float
    spread: float


def own_reaction(session: Session, known: Ledger, today: date) -> Estimate | None:
    """The reaction that the company's history shows; None while too few left after a price change."""
    facts = known.facts
    risen = rises(session, facts.stretches, today)
    lives = _lives(facts.lives, facts.stretches, known.names, today)
    return history.estimate(lives, risen.join(lives.select("subject_id"), on="subject_id", how="semi"))


def joined(own: Estimate) -> Learned | None:
    """Prior and own estimate by their precision, on the log scale; None when history shows no reaction to join."""
    told = own.on_log_scale()
    if told is None:
        return None
    prior = PRIORS["kappa"]
    median, spread = combined((float(np.log(prior.median)), prior.spread), told)
    return Learned(round(float(np.exp(median)), 2), round(spread, 3))


def learned(session: Session) -> Learned | None:
    """What was learned last; None as long as nobody has."""
    row = learned_row(session)
    return None if row is None else Learned(row["kappa"], row["spread"])


def learned_row(session: Session) -> dict[str, Any] | None:
    """What was learned last, with the estimate behind it, by whom and when."""
    table = core_table(ReactionEstimate)
    row = session.execute(select(table).order_by(table.c.id.desc()).limit(1)).first()
    return None if row is None else {**json.loads(row.content), "author": row.author, "recorded_at": row.recorded_at}


def content(own: Estimate, joined_: Learned, today: date) -> dict[str, Any]:
    """What learning keeps."""
    return {**asdict(joined_), "own": asdict(own), "as_of": today.isoformat()}


def month_of(day: str) -> pl.Expr:
    """Months since year 0."""
    return (pl.col(day).dt.year() * 12 + pl.col(day).dt.month() - 1).cast(pl.Int64)


def rises(session: Session, stretches: pl.DataFrame, today: date) -> pl.DataFrame:
    """history.RISES: dearer prices for the same things, at once after each other; and those of a roll-out who left before their day.

    Agreed prices and changes of interval, currency or plan are none: there the customer took part.
    """
    table = core_table(PriceVersion).c
    listed = load.frame(
        session,
        select(table.id.label("price_version_id"), table.interval_unit, table.interval_count).where(table.subscription_id.is_(None)),
        {"price_version_id": pl.Int64, "interval_unit": pl.String, "interval_count": pl.Int64},
    )  # fmt: skip
    kept = (SUB, "plan_id", "currency", "quantity_micro", "addons", "coupons", "interval_unit", "interval_count")
    # Agreed versions are not listed: their interval is unknown, so nothing equals it.
    ordered = stretches.join(listed, on="price_version_id", how="left").sort(SUB, "start")
    same = pl.all_horizontal(
        *(pl.col(name) == pl.col(name).shift(1) for name in kept), pl.col("start") == pl.col("end").shift(1)
    )
    moved = ordered.with_columns(_before=pl.col("net_twelfths").shift(1)).filter(
        same
        & (pl.col("price_version_id") != pl.col("price_version_id").shift(1))
        & ~pl.col("paused")
        & (pl.col("_before") > 0)
        & (pl.col("net_twelfths") > 0)
        & (pl.col("start") <= today)
    )
    lived = moved.select(
        subject_id=SUB, month=month_of("start"), x=(pl.col("net_twelfths") / pl.col("_before")).log(), planned=pl.lit(False),
        version="price_version_id",
    ).filter(pl.col("x") >= SMALLEST)  # fmt: skip
    plan = core_table(MigrationPlan).c
    statement = select(plan.subscription_id, plan.effective_on, plan.price_version_id).where(plan.effective_on <= today)
    due = load.frame(session, statement, {SUB: pl.Int64, "effective_on": pl.Date, "price_version_id": pl.Int64})
    if due.is_empty():
        return lived.drop("version")
    # Who left before the day has no bill to compare; the mean change of that roll-out stands for it. Who is still there without a
    # rise was never moved: the roll-out was stopped, or refused for them.
    means = lived.group_by("version").agg(x=pl.col("x").mean())
    ends = stretches.group_by(subject_id=SUB).agg(end=pl.col("end").max())
    planned = (
        due.select("effective_on", subject_id=SUB, month=month_of("effective_on"), version="price_version_id")
        .join(lived.select("subject_id", "version", own="x"), on=["subject_id", "version"], how="left")
        .join(means, on="version", how="inner")
        .join(ends, on="subject_id", how="left")
        .filter(pl.col("own").is_not_null() | (pl.col("end") <= pl.col("effective_on")))
        .select("subject_id", "month", x=pl.coalesce("own", "x"), planned=pl.lit(True), version="version")
    )  # fmt: skip
    others = lived.join(planned, on=["subject_id", "version"], how="anti")
    return pl.concat([others, planned]).drop("version")


def _lives(lives: pl.DataFrame, stretches: pl.DataFrame, names: dict[int, str], today: date) -> pl.DataFrame:
    """history.LIVES up to the last whole month: the first plan is the segment."""
    this_month = today.year * 12 + today.month - 1
    first = stretches.sort(SUB, "start").unique(SUB, keep="first").select(SUB, "plan_id")
    known = lives.join(first, on=SUB).filter(pl.col("begins_on") < today.replace(day=1))
    ended = (pl.col("ends_on") < pl.lit(OPEN)) & (pl.col("ends_on") < today.replace(day=1))
    return known.select(
        subject_id=SUB, segment=pl.col("plan_id").replace_strict(names, default="", return_dtype=pl.String), since=month_of("begins_on"),
        until=pl.when(ended).then(month_of("ends_on")).otherwise(this_month),
        left=(ended & (pl.col("cause").fill_null("") == EndCause.VOLUNTARY)),
    )  # fmt: skip
