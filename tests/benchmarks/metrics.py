"""Movements, cohorts, survival and lifetime fits: `uv run --group bench python -m tests.benchmarks metrics [customers …]`.

The work, the same for each, from raw events sorted by customer and day over 36 months: movements by month and kind, and the cohort
table's counts (DuckDB in SQL on two threads, pandas on columns, the product's own functions); Kaplan–Meier by five segments (lifelines,
pandas); sBG and BdW fits (from counts; nobody else does that in one step). Tables must be equal, or it stops. Medians of five
interleaved rounds; trust CPU and ratios.
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


def ours(steps: pl.DataFrame) -> dict[str, Any]:
    """Movements by month and kind, and customers kept by cohort and age."""
    log = movements.log(steps, pl.DataFrame(schema=frames.CURRENCY_RATES), "NOK")
    table = movements.daily(log).group_by(pl.col("day").dt.month_start(), "kind").agg(pl.col("delta", "n").sum())
    cells = retention.cohorts(log, FIRST, LAST)
    return {
        "delta": int(table["delta"].abs().sum()),
        "n": int(table["n"].sum()),
        "new": int(table.filter(pl.col("kind") == "new")["n"].sum()),
        "cells": cells.height,
    }


SQL = """
WITH ordered AS (
  SELECT customer_id, day, net_twelfths AS v, coalesce(lag(net_twelfths) OVER w, 0) AS p, lead(day) OVER w AS next_day, lead(net_twelfths) OVER w AS next_v,
         coalesce(max(net_twelfths) OVER (PARTITION BY customer_id ORDER BY day ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING), 0) AS most
  FROM steps WINDOW w AS (PARTITION BY customer_id ORDER BY day)),
moved AS (
  SELECT customer_id, day, v - p AS delta, CASE WHEN p = 0 AND v > 0 AND most = 0 THEN 'new' WHEN p = 0 AND v > 0 THEN 'reactivation'
         WHEN v > p THEN 'expansion' WHEN p > v AND v > 0 THEN 'contraction' WHEN p > 0 AND v = 0 THEN 'churn' END AS kind
  FROM ordered)
"""


def by_duckdb(connection: Any) -> dict[str, Any]:
    """The same in SQL; gaps of a day do not occur in these data."""
    rows = connection.execute(
        SQL
        + "SELECT date_trunc('month', day), kind, sum(delta), count(*) FROM moved WHERE kind IS NOT NULL GROUP BY 1, 2"
    ).fetchall()
    cohorts = connection.execute(
        SQL
        + """
      , first AS (SELECT customer_id, min(day) AS since FROM moved WHERE kind = 'new' GROUP BY 1)
      SELECT date_trunc('month', since), datediff('month', since, day), sum(CASE kind WHEN 'churn' THEN -1 WHEN 'new' THEN 1 WHEN 'reactivation' THEN 1 ELSE 0 END)
      FROM moved JOIN first USING (customer_id) WHERE kind IS NOT NULL GROUP BY 1, 2"""
    ).fetchall()
    return {
        "delta": sum(abs(row[2]) for row in rows),
        "n": sum(row[3] for row in rows),
        "new": sum(row[3] for row in rows if row[1] == "new"),
        "cells": len(cohorts),
    }


def by_pandas(frame: pd.DataFrame) -> dict[str, Any]:
    """The same on columns."""
    own = frame.groupby("customer_id", sort=False)["net_twelfths"]
    p = own.shift(1).fillna(0).astype("int64")
    v = frame["net_twelfths"]
    most = own.cummax().groupby(frame["customer_id"], sort=False).shift(1).fillna(0)
    kind = np.select([(p == 0) & (v > 0) & (most == 0), (p == 0) & (v > 0), v > p, (p > v) & (v > 0), (p > 0) & (v == 0)],
                     ["new", "reactivation", "expansion", "contraction", "churn"], "")  # fmt: skip
    told = pd.DataFrame({"month": frame["day"].dt.to_period("M"), "kind": kind, "delta": v - p})
    told = told[told["kind"] != ""]
    table = told.groupby(["month", "kind"])["delta"].agg(["sum", "size"])
    new = frame[kind == "new"].set_index("customer_id")["day"]
    since = frame["customer_id"].map(new)
    step = np.select([kind == "churn", (kind == "new") | (kind == "reactivation")], [-1, 1], 0)
    age = (frame["day"].dt.year - since.dt.year) * 12 + frame["day"].dt.month - since.dt.month
    cells = (
        pd.DataFrame({"cohort": since.dt.to_period("M"), "age": age, "step": step})
        .dropna()
        .groupby(["cohort", "age"])["step"]
        .sum()
    )
    return {
        "delta": int(table["sum"].abs().sum()),
        "n": int(table["size"].sum()),
        "new": int(table.xs("new", level="kind")["size"].sum()),
        "cells": len(cells),
    }


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
    connection = duckdb.connect()
    connection.execute("SET threads TO 2")
    connection.register("given", steps.select("customer_id", "day", "net_twelfths").to_arrow())
    connection.execute("CREATE TABLE steps AS SELECT * FROM given")
    columns = steps.select("customer_id", "day", "net_twelfths").to_pandas()
    columns["day"] = pd.to_datetime(columns["day"])
    works = {
        "product": lambda: ours(steps),
        "DuckDB": lambda: by_duckdb(connection),
        "pandas": lambda: by_pandas(columns),
    }
    answers = {name: work() for name, work in works.items()}
    for name in ("delta", "n", "new"):
        assert len({answer[name] for answer in answers.values()}) == 1, answers
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
