"""Simulated worlds with a known reaction to a price change, to try the estimator of `calc/simulation/history.py` on.

Source of the setting: simulation.md section 5 (common drift of churn, change at renewal, some keep their prices).
"""

from __future__ import annotations

import numpy as np
import polars as pl

from core.calc.simulation.history import LIVES, RISES

KAPPA, RHO, HALF_LIFE, NOTICE = 2.5, 0.30, 3.0, 0.0953
MONTHS, ANNOUNCED = 36, 12
DRIFT = 0.04  # churn of everybody rises by so much a month


def world(
    seed: int, customers: int = 20_000, kappa: float = KAPPA, *, planned: bool = True
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """LIVES and RISES: two plans, renewals spread over a year, a quarter of the customers keep their prices.

    With `planned` the schedule is known; without it only changes that were lived through are seen.
    """
    rng = np.random.default_rng(seed)
    since = rng.integers(-24, MONTHS - 6, customers)
    plan = rng.integers(0, 2, customers)
    keeps = rng.random(customers) < 0.25
    rise = np.where(plan == 0, 0.10, 0.20) * rng.choice([0.5, 1.0, 1.5], customers)
    changed = np.where(keeps, MONTHS + 99, ANNOUNCED + (rng.integers(0, 12, customers)))
    changed = np.where(since >= ANNOUNCED, MONTHS + 99, changed)  # newcomers come at the new prices
    x = np.log1p(rise)
    until, left = np.full(customers, MONTHS), np.zeros(customers, dtype=bool)
    for month in range(MONTHS):
        there = (since <= month) & ~left
        age, after = month - since, month - changed
        base = 0.02 * np.where(plan == 0, 1.0, 0.7) * np.where(age < 6, 1.6, 1.0)
        base = base * np.exp(DRIFT * (month - ANNOUNCED))
        fade = np.power(2.0, -np.maximum(after, 0) / HALF_LIFE)
        ratio = np.where(after >= 0, np.exp(kappa * x * (RHO + (1 - RHO) * fade) + NOTICE * fade), 1.0)
        goes = there & (rng.random(customers) < 1 - np.power(1 - np.minimum(base, 0.5), ratio))
        until[goes], left[goes] = month, True
    lives = pl.DataFrame(
        {"subject_id": np.arange(customers), "segment": np.where(plan == 0, "a", "b"), "since": since, "until": until, "left": left},
        schema_overrides=LIVES,
    )  # fmt: skip
    lived = (changed < MONTHS) & (planned | (changed <= until))
    rises = pl.DataFrame(
        {"subject_id": np.arange(customers)[lived], "month": changed[lived], "x": x[lived], "planned": planned},
        schema_overrides=RISES,
    )
    return lives, rises


def naive(lives: pl.DataFrame, rises: pl.DataFrame) -> float:
    """What comparing the months before with the months after says: the log of the ratio of rates ÷ the mean change."""
    known = (
        lives.join(rises, on="subject_id")
        .filter(pl.col("month") <= pl.col("until"))
        .with_columns(
            after=(pl.min_horizontal("until", pl.col("month") + 12) - pl.col("month")).clip(0),
            gone=pl.col("left") & (pl.col("until") >= pl.col("month")) & (pl.col("until") < pl.col("month") + 12),
        )
    )
    # Everybody was there when the price changed, so nobody left before: the rate before is that of all customers then.
    others = lives.filter((pl.col("since") < ANNOUNCED - 6) & (pl.col("until") >= ANNOUNCED - 6))
    early = others.filter(pl.col("left") & (pl.col("until") < ANNOUNCED)).height
    months = (others["until"].clip(upper_bound=ANNOUNCED) - (ANNOUNCED - 6)).sum()
    after = float(known["gone"].sum()) / float(known["after"].sum())
    return float(np.log(after / (early / months)) / known["x"].mean())
