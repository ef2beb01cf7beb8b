"""Rates and cohorts out of the movement log (metrics.md sections 3 and 5).

Shares are fractions; None where the base is empty. Balances are those at the ends of days (`movements.py`).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta

import numpy as np
import polars as pl

from core.calc.arithmetic import sums_at
from core.calc.movements import (
    CHURN,
    CONTRACTION,
    CUSTOMER,
    EXPANSION,
    NEW,
    REACTIVATION,
    after_months,
    repeats,
    standing,
)
from core.calc.survival import poisson, wilson

Share = float | None
MONTH = 32  # places for the days of a month, where days are counted by month: more than there are, a power of two


@dataclass(frozen=True)
class Rates:
    """What became, through `end`, of the customers of `start` (the balance at the end of each day).

    `nrr`, `grr`, `logo_retention`: of a fixed starting set, Σ MRR_i(b)/M, Σ min(MRR_i(a), MRR_i(b))/M, share still there.
    `customer_churn` = 1 − logo retention with Wilson's interval. `gross_mrr_churn`, `net_mrr_churn`: flows in between ÷ M.
    """

    start: date
    end: date
    customers: int
    mrr: int
    customer_churn: Share
    churn_low: Share
    churn_high: Share
    logo_retention: Share
    nrr: Share
    grr: Share
    gross_mrr_churn: Share
    net_mrr_churn: Share
    quick_ratio: Share
    arpa: Share
    asp: Share
    largest_share: Share


def rates(log_: pl.DataFrame, start: date, end: date) -> Rates:
    """The rates between the balances at the ends of two days."""
    base, now = standing(log_, start), standing(log_, end)
    n, mrr = base.height, int(base["mrr"].sum())
    both = base.select(CUSTOMER, a="mrr").join(now.select(CUSTOMER, b="mrr"), on=CUSTOMER, how="left")
    kept = int(both["b"].is_not_null().sum())
    inside = log_.filter((pl.col("day") > start) & (pl.col("day") <= end))
    flow = dict(inside.group_by("kind").agg(pl.col("delta").sum()).iter_rows())
    loss = -flow.get(CHURN, 0) - flow.get(CONTRACTION, 0)
    gain = flow.get(EXPANSION, 0) + flow.get(REACTIVATION, 0)
    new = inside.filter(pl.col("kind") == NEW)
    low, high = wilson(np.array([n - kept]), np.array([n]))
    later = pl.col("b").fill_null(0)
    return Rates(
        start, end, n, mrr,
        customer_churn=_share(n - kept, n), churn_low=float(low[0]) if n else None, churn_high=float(high[0]) if n else None,
        logo_retention=_share(kept, n), nrr=_share(int(both.select(later.sum()).item()), mrr),
        grr=_share(int(both.select(pl.min_horizontal("a", later).sum()).item()), mrr),
        gross_mrr_churn=_share(loss, mrr), net_mrr_churn=_share(loss - gain, mrr),
        quick_ratio=_share(gain + flow.get(NEW, 0), loss), arpa=_share(int(now["mrr"].sum()), now.height),
        asp=_share(int(new["after"].sum()), new.height), largest_share=_share(int(base["mrr"].max() or 0), mrr),  # type: ignore[arg-type]
    )  # fmt: skip


def _share(part: int, whole: int) -> Share:
    return part / whole if whole else None


def exposure(log_: pl.DataFrame, months: list[date]) -> pl.DataFrame:
    """Churn by exposure, month by month: month, churned, customer_months at risk, hazard, low, high (exact Poisson).

    Each day counts as 1/length of its month, so that the rates of segments and tenures add up by their exposures.
    """
    rows = []
    moved = log_.select("day", "kind", step=_step())
    for month in months:
        following = after_months(month, 1)
        length = (following - month).days
        opening = int(moved.filter(pl.col("day") < month)["step"].sum())
        inside = moved.filter((pl.col("day") >= month) & (pl.col("day") < following))
        left = (pl.lit(following) - pl.col("day")).dt.total_days()
        days = opening * length + int(inside.select((pl.col("step") * left).sum()).item() or 0)
        churned = int((inside["kind"] == CHURN).sum())
        low, high = poisson(churned, days / length) if days else (None, None)
        rows.append((month, churned, days / length, churned / (days / length) if days else None, low, high))
    names = {"month": pl.Date, "churned": pl.Int64, "customer_months": pl.Float64, "hazard": pl.Float64,
             "low": pl.Float64, "high": pl.Float64}  # fmt: skip
    return pl.DataFrame(rows, schema=names, orient="row")


def spells(log_: pl.DataFrame) -> pl.DataFrame:
    """When each was a customer: customer_id, since, until (null: still), mrr at the beginning, cause of the end."""
    edges = log_.filter(pl.col("kind").is_in([NEW, REACTIVATION, CHURN]))
    begins = edges.filter(pl.col("kind") != CHURN).with_columns(k=pl.int_range(pl.len()).over(CUSTOMER))
    ends = edges.filter(pl.col("kind") == CHURN).with_columns(k=pl.int_range(pl.len()).over(CUSTOMER))
    return begins.select(CUSTOMER, "k", since="day", mrr="after", kind="kind").join(
        ends.select(CUSTOMER, "k", until="day", cause="cause"), on=[CUSTOMER, "k"], how="left", maintain_order="left"
    )


def cohorts(log_: pl.DataFrame, first: date, through: date) -> pl.DataFrame:
    """Cohort by month of first paid day × age in whole months: cohort, age, size, kept, start_mrr, mrr.

    Age runs from each member's own first paid day. A cell exists only when the cohort's last member has reached it by the
    end of `through`: what is not reached is blank, not zero. Members who come back count again.
    """
    new = pl.col("kind") == NEW
    begun = log_.lazy().filter(new & (pl.col("day") <= through)).group_by("day").agg(
        size=pl.len().cast(pl.Int64), start_mrr=pl.col("after").sum()
    ).with_columns(cohort=pl.col("day").dt.month_start()).filter(pl.col("cohort") >= first)  # fmt: skip
    sizes = begun.group_by("cohort").agg(pl.col("size", "start_mrr").sum(), last=pl.col("day").max()).collect()
    if sizes.is_empty():
        return pl.DataFrame(schema={"cohort": pl.Date, "age": pl.Int64, "size": pl.Int64, "kept": pl.Int64,
                                    "start_mrr": pl.Int64, "mrr": pl.Int64})  # fmt: skip
    begin = sizes["cohort"].min()
    lowest, highest = (month.year * 12 + month.month for month in (begin, through))  # type: ignore[union-attr]
    # Whoever began in the lowest month and changes in the highest may do so past a whole month.
    width = highest - lowest + 2
    # The log is in order: a customer's rows follow that of their first paid day; 0 before it.
    at, since = pl.col("at"), pl.col("since")
    dated = log_.lazy().with_columns(at=_counted(log_["day"])).with_columns(
        since=pl.when(new).then(at).when(~repeats(CUSTOMER)).then(0).forward_fill()
    ).filter((since >= lowest * MONTH) & (pl.col("day") <= through))  # fmt: skip
    # The first age at whose day a change counts already: full months, rounded up.
    age = (at - since + MONTH - 1) // MONTH
    moved = dated.select(
        step=_step(), delta="delta", place=((since // MONTH - lowest) * width + age).cast(pl.Int64)
    ).group_by("place").agg(pl.col("step", "delta").sum()).collect(engine="streaming")  # fmt: skip
    kept, mrr = (
        sums_at(moved["place"], (width - 1) * width, moved[name]).reshape(-1, width).cumsum(axis=1).ravel()
        for name in ("step", "delta")
    )
    reached = _whole_months(pl.col("last"), pl.lit(through))
    grid = sizes.with_columns(age=pl.int_ranges(0, reached + 1)).filter(reached >= 0).explode("age")
    place = (_month(pl.col("cohort")) - lowest) * width + pl.col("age")
    return grid.sort("cohort", "age").select(
        "cohort", pl.col("age").cast(pl.Int64), "size",
        kept=pl.lit(kept).gather(place), start_mrr="start_mrr", mrr=pl.lit(mrr).gather(place),
    )  # fmt: skip


def _step() -> pl.Expr:
    """+1 where somebody becomes a customer, −1 where they stop."""
    return pl.col("customer_after").cast(pl.Int64) - pl.col("customer_before").cast(pl.Int64)


def cohort_summary(cells: pl.DataFrame) -> pl.DataFrame:
    """Per age: Σ kept ÷ Σ size and Σ mrr ÷ Σ start_mrr over the cohorts old enough: age, cohorts, size, customers, revenue."""
    return cells.group_by("age").agg(
        cohorts=pl.len(), size=pl.col("size").sum(), customers=pl.col("kept").sum() / pl.col("size").sum(),
        revenue=pl.col("mrr").sum() / pl.col("start_mrr").sum(),
    ).sort("age")  # fmt: skip


def subjects(log_: pl.DataFrame, as_of: date, known_from: pl.DataFrame | None = None) -> pl.DataFrame:
    """Customers as survival subjects in whole months from the first paid day to the first churn: customer_id, entry, exit, cause.

    A month that was begun and not completed by a leaver is that in which they left (exit = completed months + 1); whoever
    stays is seen through their completed months. `known_from`: customer_id, day from which a customer is known at all.
    """
    first = spells(log_.filter(pl.col("day") <= as_of)).filter(pl.col("k") == 0)
    end = pl.coalesce("until", pl.lit(as_of + timedelta(days=1)))
    left = pl.col("until").is_not_null()
    rows = first.with_columns(
        exit=_whole_months(pl.col("since"), end - pl.duration(days=1)).cast(pl.Int64) + left.cast(pl.Int64)
    )
    if known_from is None:
        late = rows.with_columns(entry=pl.lit(0, dtype=pl.Int64))
    else:
        joined = rows.join(known_from.rename({"day": "known"}), on=CUSTOMER, how="left", maintain_order="left")
        late = joined.with_columns(
            entry=pl.when(pl.col("known") > pl.col("since"))
            .then(_whole_months(pl.col("since"), pl.col("known")))
            .otherwise(0)
            .cast(pl.Int64)
        )
    return late.select(CUSTOMER, "since", "entry", "exit", cause=pl.when(left).then(pl.col("cause").fill_null("other")))


def _whole_months(start: pl.Expr, end: pl.Expr) -> pl.Expr:
    """Completed months from one day to another."""
    months = _month(end) - _month(start)
    # The month's day may not exist in the end's month: then its last day completes it.
    day, last = start.dt.day(), end.dt.month_end().dt.day()
    return months - (end.dt.day() < pl.min_horizontal(day, last)).cast(pl.Int32)


def _month(day: pl.Expr) -> pl.Expr:
    """Months since the year 0."""
    return day.dt.year() * 12 + day.dt.month()


def _counted(days: pl.Series) -> pl.Expr:
    """Of each `day` the months since the year 0, times MONTH, and its day of the month: looked up, for many rows share few days."""
    start, end = days.min(), days.max()
    every = pl.DataFrame({"day": pl.date_range(start, end, eager=True)})  # type: ignore[arg-type]
    known = every.select(_month(pl.col("day")) * MONTH + pl.col("day").dt.day()).to_series()
    return pl.lit(known).gather(pl.col("day").to_physical() - every["day"].to_physical()[0])
