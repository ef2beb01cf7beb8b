"""Movements, cohorts, survival and lifetime fits: `uv run --group bench python -m tests.benchmarks metrics [customers …]`.

The work, the same for each, from raw events sorted by customer and day over 36 months: the movement log with all its columns, once;
from it movements by month and kind, and the cohort table in customers and MRR (DuckDB in SQL on two threads, pandas on columns, the
product's own functions). The others know that each customer has one subscription and that no gap is of a day; the product finds out.
Kaplan–Meier by five segments (lifelines, pandas); sBG and BdW fits (from counts; nobody else does that in one step). Tables must be
equal, row by row, or it stops. Medians of five interleaved rounds; trust CPU and ratios.
"""

from __future__ import annotations

import statistics
import sys
import time
from collections.abc import Callable
from datetime import date
from typing import Any

import duckdb
import numpy as np
import pandas as pd
import polars as pl
from lifelines import KaplanMeierFitter

from core import frames
from core.calc import lifetime, movements, retention, survival

ROUNDS = 5
FIRST, LAST = date(2023, 1, 1), date(2025, 12, 31)


def events(customers: int, seed: int = 1) -> pl.DataFrame:
    """STEPS of so many customers, one subscription each: a start, changes, for a third an end, for some a return."""
    rng = np.random.default_rng(seed)
    start = rng.integers(0, 1000, customers)
    count = rng.integers(1, 6, customers)
    owner = np.repeat(np.arange(customers), count)
    place = np.arange(owner.size) - np.repeat(np.cumsum(count) - count, count)
    day = start[owner] + place * rng.integers(20, 60, customers)[owner]
    net = rng.integers(50, 900, owner.size) * 1200
    last = np.r_[owner[1:] != owner[:-1], True]
    net[last & (place > 0) & (rng.random(owner.size) < 0.4)] = 0
    net[(place == 2) & ~last & (rng.random(owner.size) < 0.1)] = 0
    frame = pl.DataFrame({"subscription_id": owner, "day": day, "net_twelfths": net}).unique(
        ["subscription_id", "day"], keep="last", maintain_order=True
    )
    known = frame.with_columns(
        customer_id="subscription_id", currency=pl.lit("NOK"), day=pl.lit(FIRST) + pl.duration(days=pl.col("day")), plan_id=pl.lit(1), price_version_id=pl.lit(1),
        list_twelfths="net_twelfths", holds=pl.lit(False), cause=pl.lit("start"),
    ).filter(pl.col("day") <= LAST).sort("customer_id", "day")  # fmt: skip
    return frames.conform(known, movements.STEPS)


Tables = tuple[list[tuple[Any, ...]], list[tuple[Any, ...]]]  # of movements and cohorts, sorted


def ours(steps: pl.DataFrame) -> Tables:
    """Movements by month and kind (Σ delta, n), and cohorts: cohort, age, size, kept, MRR at the beginning and then."""
    log = movements.log(steps, pl.DataFrame(schema=frames.CURRENCY_RATES), "NOK")
    table = movements.daily(log).group_by(pl.col("day").dt.month_start(), "kind").agg(pl.col("delta", "n").sum())
    return sorted(table.cast({"kind": pl.String}).rows()), retention.cohorts(log, FIRST, LAST).rows()


# Who has paid is found by a join, which costs DuckDB less than a third window function.
LOG_SQL = """
CREATE OR REPLACE TEMP TABLE log AS
WITH told AS (
  SELECT customer_id, day, cause, net_twelfths AS after, list_twelfths AS list_after, net_twelfths > 0 AS pays, holds,
         coalesce(lag(net_twelfths) OVER w, 0) AS before, lag(day) OVER w AS earlier, coalesce(lag(holds) OVER w, false) AS held,
         coalesce(day > paid, false) AS ever
  FROM steps LEFT JOIN (SELECT customer_id, min(day) AS paid FROM steps WHERE net_twelfths > 0 GROUP BY 1) USING (customer_id)
  WINDOW w AS (PARTITION BY customer_id ORDER BY day)),
states AS (
  SELECT *, pays OR (holds AND ever) AS customer_after, before > 0 OR (held AND ever) AS customer_before FROM told),
named AS (
  SELECT *, CASE WHEN NOT customer_before AND customer_after AND NOT ever THEN 'new' WHEN NOT customer_before AND customer_after THEN 'reactivation'
         WHEN customer_before AND NOT customer_after THEN 'churn' WHEN customer_before AND after > before THEN 'expansion'
         WHEN customer_before AND after < before THEN 'contraction' END AS kind FROM states)
SELECT customer_id, day, kind, cause, after - before AS delta, before, after, list_after, customer_before, customer_after,
       CASE WHEN kind = 'reactivation' THEN day - earlier END AS gap_days
FROM named WHERE kind IS NOT NULL
"""
TABLE_SQL = "SELECT date_trunc('month', day)::DATE, kind, sum(delta)::BIGINT, count(*) FROM log GROUP BY 1, 2"
COHORTS_SQL = f"""
WITH first AS (SELECT customer_id, day AS since, after AS start FROM log WHERE kind = 'new'),
sizes AS (
  SELECT date_trunc('month', since)::DATE AS cohort, count(*) AS size, sum(start)::BIGINT AS start_mrr, max(since) AS last FROM first GROUP BY 1),
moved AS (
  SELECT date_trunc('month', since)::DATE AS cohort, datediff('month', since, day) + (day(day) > day(since))::INT AS age,
         sum(customer_after::INT - customer_before::INT) AS step, sum(delta) AS delta
  FROM log JOIN first USING (customer_id) WHERE day >= since GROUP BY 1, 2),
grid AS (
  SELECT cohort, size, start_mrr, unnest(range(datediff('month', last, DATE '{LAST}') + 1)) AS age FROM sizes)
SELECT cohort, age, size, (sum(coalesce(step, 0)) OVER w)::BIGINT, start_mrr, (sum(coalesce(delta, 0)) OVER w)::BIGINT
FROM grid LEFT JOIN moved USING (cohort, age) WINDOW w AS (PARTITION BY cohort ORDER BY age)
"""


def by_duckdb(connection: Any) -> Tables:
    """The same in SQL. The last day ends a month, so that every member of a cohort has reached the age its months say."""
    connection.execute(LOG_SQL)
    table = connection.execute(TABLE_SQL).fetchall()
    return sorted(table), sorted(connection.execute(COHORTS_SQL).fetchall())


def by_pandas(frame: pd.DataFrame) -> Tables:
    """The same on columns."""
    owner, day, after = frame["customer_id"], frame["day"], frame["net_twelfths"]
    own = frame.groupby("customer_id", sort=False)
    before = own["net_twelfths"].shift(1).fillna(0).astype("int64")
    ever = after.gt(0).groupby(owner, sort=False).cummax().groupby(owner, sort=False).shift(1, fill_value=False)
    is_in = after.gt(0) | (frame["holds"] & ever)
    was_in = before.gt(0) | (own["holds"].shift(1, fill_value=False) & ever)
    kind = np.select([~was_in & is_in & ~ever, ~was_in & is_in, was_in & ~is_in, was_in & (after > before), was_in & (after < before)],
                     ["new", "reactivation", "churn", "expansion", "contraction"], "")  # fmt: skip
    gap = (day - own["day"].shift(1)).dt.days.where(kind == "reactivation")
    every = pd.DataFrame({"customer_id": owner, "day": day, "kind": kind, "cause": frame["cause"], "delta": after - before, "before": before,
                          "after": after, "list_after": frame["list_twelfths"], "customer_before": was_in, "customer_after": is_in,
                          "gap_days": gap})  # fmt: skip
    log = every[kind != ""]
    month = log["day"].dt.year * 12 + log["day"].dt.month - 1
    table = log.groupby([month, "kind"])["delta"].agg(["sum", "size"])
    new = log[log["kind"] == "new"]
    since = log["customer_id"].map(new.set_index("customer_id")["day"])
    begun = since.dt.year * 12 + since.dt.month - 1
    age = month - begun + (log["day"].dt.day > since.dt.day)
    step = log["customer_after"].astype("int64") - log["customer_before"].astype("int64")
    moved = pd.DataFrame({"cohort": begun, "age": age, "step": step, "delta": log["delta"]})[log["day"] >= since]
    cells = moved.groupby(["cohort", "age"]).sum()
    sizes = new.groupby(new["day"].dt.year * 12 + new["day"].dt.month - 1)["after"].agg(["size", "sum"])
    end = LAST.year * 12 + LAST.month - 1
    grid = pd.MultiIndex.from_tuples(
        [(int(c), a) for c in sizes.index for a in range(end - int(c) + 1)], names=["cohort", "age"]
    )
    whole = cells.reindex(grid, fill_value=0).groupby(level="cohort").cumsum().reset_index().join(sizes, on="cohort")
    named = ((_first_of(int(m)), k, int(d), int(n)) for (m, k), d, n in table.itertuples())
    told = whole[["cohort", "age", "size", "step", "sum", "delta"]].itertuples(index=False)
    return sorted(named), [(_first_of(int(c)), *(int(one) for one in rest)) for c, *rest in told]


def _first_of(month: int) -> date:
    return date(month // 12, month % 12 + 1, 1)


def measured(works: dict[str, Callable[[], Any]]) -> dict[str, tuple[float, float]]:
    """Median CPU and wall seconds of each, interleaved; the first answers must agree where they are tables."""
    times: dict[str, list[tuple[float, float]]] = {name: [] for name in works}
    for _ in range(ROUNDS):
        for name, work in works.items():
            wall, cpu = time.perf_counter(), time.process_time()
            work()
            times[name].append((time.process_time() - cpu, time.perf_counter() - wall))
    return {
        name: (statistics.median(cpu for cpu, _ in each), statistics.median(wall for _, wall in each))
        for name, each in times.items()
    }


def printed(title: str, found: dict[str, tuple[float, float]], goal: str) -> None:
    """One table; ratios against the first row."""
    first = next(iter(found.values()))
    print(f"\n{title}   goal: {goal}\n{'':14}{'CPU s':>9}{'wall s':>9}{'CPU ratio':>11}{'wall ratio':>12}")
    for name, (cpu, wall) in found.items():
        print(f"{name:14}{cpu:9.3f}{wall:9.3f}{cpu / first[0]:11.1f}{wall / first[1]:12.1f}")


def movement_table(steps: pl.DataFrame) -> None:
    raw = steps.select("customer_id", "day", "net_twelfths", "list_twelfths", "holds", "cause")
    connection = duckdb.connect()
    connection.execute("SET threads TO 2")
    connection.register("given", raw.to_arrow())
    connection.execute("CREATE TABLE steps AS SELECT * FROM given")
    columns = raw.to_pandas()
    columns["day"] = pd.to_datetime(columns["day"])
    works = {
        "product": lambda: ours(steps),
        "DuckDB": lambda: by_duckdb(connection),
        "pandas": lambda: by_pandas(columns),
    }
    answers = {name: work() for name, work in works.items()}
    for name, answer in answers.items():
        assert answer == answers["product"], name
    printed(
        f"movements and cohorts, {steps['customer_id'].n_unique():,} customers, {steps.height:,} events",
        measured(works),
        "≥ 8× less CPU than DuckDB",
    )


def survival_table(customers: int) -> None:
    rng = np.random.default_rng(2)
    leave, gone = rng.integers(1, 60, customers), rng.random(customers) < 0.35
    segment = rng.integers(0, 5, customers)
    known = pl.DataFrame(
        {
            "exit": leave,
            "cause": pl.Series(gone).map_elements(lambda one: "voluntary" if one else None, return_dtype=pl.String),
            "segment": segment,
        }
    )
    columns = pd.DataFrame({"exit": leave, "gone": gone, "segment": segment})

    def theirs() -> list[Any]:
        return [
            KaplanMeierFitter().fit(own["exit"], own["gone"]).survival_function_
            for _, own in columns.groupby("segment")
        ]

    def plain() -> Any:
        table = columns.groupby(["segment", "exit"])["gone"].agg(["sum", "size"]).sort_index()
        left = table["size"].groupby(level="segment").cumsum() - table["size"]
        risk = table["size"].groupby(level="segment").transform("sum") - left
        return (1 - table["sum"] / risk).groupby(level="segment").cumprod()

    works = {"product": lambda: survival.kaplan_meier(known, ["segment"]), "lifelines": theirs, "pandas": plain}
    ours_, lib = works["product"](), theirs()
    for place, curve in enumerate(lib):
        mine = ours_.filter(pl.col("segment") == place)
        assert np.allclose(mine["survival"].to_numpy(), curve.loc[mine["time"].to_numpy()].to_numpy()[:, 0])
    printed(f"Kaplan–Meier by 5 segments, {customers:,} customers", measured(works), "≥ 20× faster than lifelines")


def fit_table(customers: int) -> None:
    rng = np.random.default_rng(3)
    life = rng.geometric(np.clip(rng.beta(0.8, 9, customers), 1e-6, 1))
    counts = lifetime.from_survivors([int((life > month).sum()) for month in range(37)])
    works = {"sBG": lambda: lifetime.fit(counts), "BdW": lambda: lifetime.fit(counts, lifetime.Model.BDW)}
    printed(f"lifetime fits, {customers:,} customers", measured(works), "< 0.1 s each")


def main(arguments: list[str]) -> None:
    """The tables for each number of customers."""
    for customers in [int(text) for text in arguments] or [100_000, 1_000_000]:
        movement_table(events(customers))
        survival_table(customers)
        fit_table(customers)
        sys.stdout.flush()
