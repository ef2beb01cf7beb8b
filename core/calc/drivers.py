"""What goes with a longer or a shorter life: adjusted comparisons of segments (metrics.md section 8).

"Associated with", never "caused by": nobody was drawn by lot. Segments with few ends are held back by the caller
(`FEWEST_EVENTS`). Lives are in months; values in minor units. What changes one cause of leaving and keeps the others is a
what-if under independence: nobody knows what those who left would else have done.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl
from scipy import special

from core.calc import survival

FEWEST_EVENTS = 30
MANY_COMPARISONS = 5  # from so many on, chances are corrected for their number (metrics.md section 9)
SURPRISING = 0.05
MONEY, ONBOARDING = (
    ("base", "cross_sell", "upsell"),
    "onboarding",
)  # factors of a value; all others are causes of leaving


@dataclass(frozen=True)
class Ratio:
    """How much likelier, month for month, those with `name` leave than the reference: hazard ratio, 95 % interval, p.

    `constant_p`: the chance of residuals as uneven as these if the ratio were the same at every tenure; None where unknown.
    """

    name: str
    ratio: float
    low: float
    high: float
    p: float
    constant_p: float | None
    n: int
    events: int

    @property
    def changes(self) -> bool:
        """Does the effect change with tenure, so that one ratio cannot tell it?"""
        return self.constant_p is not None and self.constant_p < SURPRISING


def hazard_ratios(subjects: pl.DataFrame, column: str, reference: str, strata: Sequence[str] = ()) -> list[Ratio]:
    """Cox regression (Efron ties) of each value of `column` against `reference`, within strata. In: survival.SUBJECTS + columns.

    Only strata that hold the reference compare anything. Groups with fewer than 30 ends in them are left out, and so is
    everything when the reference has fewer, or when no ratio fits the data best.
    """
    from lifelines import CoxPHFitter  # heavy: only who asks for it waits
    from lifelines.exceptions import ConvergenceError

    at_risk = subjects.filter(pl.col("exit") > pl.col("entry"))
    if strata:
        held = at_risk.filter(pl.col(column) == reference).select(strata).unique()
        at_risk = at_risk.join(held, on=list(strata), how="semi")
    counts = at_risk.group_by(column).agg(
        n=pl.col("n").sum(), events=pl.col("n").filter(pl.col("cause").is_not_null()).sum()
    )
    known = {name: (n, events) for name, n, events in counts.iter_rows() if events >= FEWEST_EVENTS}
    if reference not in known or len(known) < 2:
        return []
    some = at_risk.filter(pl.col(column).is_in(list(known)))
    # One row a customer: weights would make one tie of many.
    rows = some.select(pl.all().repeat_by("n").explode()) if int(some["n"].max() or 1) > 1 else some  # type: ignore[arg-type]
    others = sorted(name for name in known if name != reference)
    table = rows.select(
        "entry", "exit", pl.col("cause").is_not_null().cast(pl.Int64).alias("gone"), *strata,
        *((pl.col(column) == name).cast(pl.Int64).alias(f"is {name}") for name in others),
    ).to_pandas()  # fmt: skip
    late = bool((some["entry"] > 0).any())  # without late entries there is a faster way
    model = CoxPHFitter()
    try:
        model.fit(
            table if late else table.drop(columns="entry"), duration_col="exit", event_col="gone",
            entry_col="entry" if late else None, strata=list(strata) or None,
        )  # fmt: skip
    except ConvergenceError:
        return []
    told = [model.summary.loc[f"is {name}"] for name in others]
    chances = corrected([float(row["p"]) for row in told])
    effects = {name: float(row["coef"]) for name, row in zip(others, told, strict=True)}
    constant = constant_effects(some, column, reference, effects, strata)
    return [
        Ratio(name, float(row["exp(coef)"]), float(row["exp(coef) lower 95%"]), float(row["exp(coef) upper 95%"]),
              p, constant[name], *known[name])
        for name, row, p in zip(others, told, chances, strict=True)
    ]  # fmt: skip


def constant_effects(
    subjects: pl.DataFrame, column: str, reference: str, effects: Mapping[str, float], strata: Sequence[str] = ()
) -> dict[str, float | None]:
    """Is each log hazard ratio of a Cox model the same at every tenure? The p of Schoenfeld's residuals against tenure.

    The score test of Grambsch & Therneau (1994) as R's cox.zph makes it, with Efron's ties; tenure counts as the rank among
    all ends, so that a few late ones do not decide. From counts by month, late entries included: its cost does not grow with
    the number of customers.
    """
    names = pl.Series([reference, *effects])
    some = subjects.filter(pl.col(column).is_in(names.implode()))
    ends = some.filter(pl.col("cause").is_not_null()).group_by("exit").agg(pl.col("n").sum()).sort("exit")
    rank = dict(zip(ends["exit"], (ends["n"].cum_sum() - ends["n"] / 2) / ends["n"].sum() - 0.5, strict=True))
    ratio, size = np.exp([0.0, *effects.values()]), len(effects)
    score, information = np.zeros(2 * size), np.zeros((2 * size, 2 * size))
    for times, observed, risk in survival.events_and_risk(some, column, names, strata):
        for time, events, at_risk in zip(times, observed, risk, strict=True):
            # The tied ends leave one after the other: those before have left the risk set by their share.
            left = np.arange(events.sum())[:, None] / events.sum()
            share = ratio * (at_risk - left * events)
            share = (share / share.sum(axis=1, keepdims=True))[:, 1:]
            spread = np.diag(share.sum(axis=0)) - share.T @ share
            with_time = np.array([1.0, rank[time]])
            score += np.kron(with_time, events[1:] - share.sum(axis=0))
            information += np.kron(np.outer(with_time, with_time), spread)
    level = np.linalg.pinv(information[:size, :size])
    found: list[float] = []
    for k in range(size, 2 * size):
        along = information[k, :size] @ level
        variance = information[k, k] - along @ information[:size, k]
        found.append((score[k] - along @ score[:size]) ** 2 / variance if variance > 1e-9 else math.nan)
    known = [None if math.isnan(value) else float(special.chdtrc(1, value)) for value in found]
    even = iter(corrected([p for p in known if p is not None]))
    return {name: None if p is None else next(even) for name, p in zip(effects, known, strict=True)}


def corrected(chances: Sequence[float]) -> list[float]:
    """Holm's correction of p-values for their number; few comparisons stay as they are."""
    if len(chances) < MANY_COMPARISONS:
        return list(chances)
    order = np.argsort(chances)
    steps = np.asarray(chances)[order] * np.arange(len(chances), 0, -1)
    found = np.empty(len(chances))
    found[order] = np.minimum(np.maximum.accumulate(steps), 1.0)
    return found.tolist()


def life(subjects: pl.DataFrame, horizon: int, monthly_discount: float) -> float | None:
    """Discounted months that a new customer stays within the horizon; None when the curve does not reach so far."""
    return survival.restricted_mean(survival.kaplan_meier(subjects), horizon, monthly_discount)


def standardised_life(
    subjects: pl.DataFrame, column: str, stratum: str, horizon: int, monthly_discount: float
) -> dict[str, float | None]:
    """Life of each value of `column` on the common mix of `stratum`: each stratum weighs as it does among all customers."""
    mix = dict(subjects.group_by(stratum).agg(pl.col("n").sum()).iter_rows())
    total = sum(mix.values())
    found: dict[str, float | None] = {}
    for name in subjects[column].unique().drop_nulls().sort():
        own = subjects.filter(pl.col(column) == name)
        lives = {key: life(own.filter(pl.col(stratum) == key), horizon, monthly_discount) for key in mix}
        known = {key: value for key, value in lives.items() if value is not None}
        whole = len(known) == len(mix)
        found[str(name)] = sum(mix[key] * value for key, value in known.items()) / total if whole else None
    return found


def shapley(
    first: Mapping[str, Any], second: Mapping[str, Any], value: Callable[[Mapping[str, Any]], float]
) -> dict[str, float]:
    """The gap value(second) − value(first) split over the factors, whatever the order in which they change; sums exactly to it.

    Each factor's part is its mean effect over all orders of moving the factors from the first segment to the second.
    """
    names = list(first)
    count = len(names)
    worth = {
        moved: value({name: second[name] if name in moved else first[name] for name in names})
        for size in range(count + 1)
        for moved in map(frozenset, itertools.combinations(names, size))
    }
    parts = dict.fromkeys(names, 0.0)
    for moved, without in worth.items():
        for name in (name for name in names if name not in moved):
            weight = math.factorial(len(moved)) * math.factorial(count - len(moved) - 1) / math.factorial(count)
            parts[name] += weight * (worth[moved | {name}] - without)
    return parts


def worth_of(factors: Mapping[str, Any], monthly_discount: float) -> float:
    """What a new customer is worth by the factors of a segment.

    MONEY: minor units a month. ONBOARDING: (discounted months of the first k, discounted chance to come beyond them). Each
    other factor is a cause of leaving, as its chances in the months after (`cause_hazards`): together they make later life.
    """
    early, reach = factors[ONBOARDING]
    leaving = sum(chances for name, chances in factors.items() if name not in (*MONEY, ONBOARDING))
    later = months_from(np.atleast_1d(leaving), monthly_discount) if reach else 0.0
    return float(sum(factors[name] for name in MONEY) * (early + reach * later))


def cause_hazards(subjects: pl.DataFrame, causes: Sequence[str], after: int, horizon: int) -> dict[str, np.ndarray]:
    """For each cause the share of those at risk that leaves for it in the months after `after` and before `horizon`.

    Chances of all causes add up to that of leaving at all; a month in which nobody leaves has none.
    """
    at_risk = survival.life_table(subjects).select("time", "at_risk")
    subjects = subjects.filter(
        pl.col("exit") > pl.col("entry")
    )  # as the table: who is there no longer was never at risk
    ends = subjects.group_by("cause", time="exit").agg(pl.col("n").sum()).join(at_risk, on="time")
    months = pl.DataFrame({"time": range(after + 1, max(horizon, after + 1))}, schema={"time": pl.Int64})
    share = (pl.col("n") / pl.col("at_risk")).fill_null(0.0)
    return {
        cause: months.join(ends.filter(pl.col("cause") == cause), on="time", how="left").sort("time")
        .select(share).to_series().to_numpy()
        for cause in causes
    }  # fmt: skip


def months_from(leaving: np.ndarray, monthly_discount: float) -> float:
    """Discounted months from one that is reached on, that one whole; `leaving`: the chance to leave in each month after it.

    Chances of causes from two segments may add up to more than all: then everybody leaves.
    """
    staying = np.concatenate([[1.0], np.cumprod(np.clip(1 - leaving, 0.0, 1.0))])
    return float((staying / (1 + monthly_discount) ** np.arange(staying.size)).sum())


def landmark(subjects: pl.DataFrame, contacts: pl.DataFrame, months: int) -> pl.DataFrame:
    """Customers who are there after `months`, by whether they were contacted before: + contacted, entry at the landmark.

    Only contacts of the first months count, and only lives from then on: a call before cancelling is no cause of it, and whoever
    stays longer has more time for contacts. In: subjects customer_id, since, entry, exit, cause; contacts customer_id, day.
    """
    early = contacts.join(subjects.select("customer_id", "since"), on="customer_id").filter(
        (pl.col("day") >= pl.col("since")) & (pl.col("day") < pl.col("since").dt.offset_by(f"{months}mo"))
    )
    there = subjects.filter(pl.col("exit") > months)
    return there.with_columns(
        contacted=pl.col("customer_id").is_in(early["customer_id"].unique().implode()),
        entry=pl.max_horizontal("entry", pl.lit(months, dtype=pl.Int64)),
    )


def without_cause(subjects: pl.DataFrame, cause: str, share: float) -> pl.DataFrame:
    """What-if: the curve if ends by a cause were `share` of what they are and the others stayed the same (time, survival).

    Each month's chance of leaving for the cause is scaled; causes are taken to be independent.
    """
    table = survival.life_table(subjects)
    own = (
        subjects.filter((pl.col("cause") == cause) & (pl.col("exit") > pl.col("entry")))
        .group_by(time="exit")
        .agg(of_cause=pl.col("n").sum())
    )
    joined = table.join(own, on="time", how="left").with_columns(pl.col("of_cause").fill_null(0)).sort("time")
    hazard = (pl.col("events") - pl.col("of_cause") * (1 - share)) / pl.col("at_risk")
    return joined.with_columns(survival=(1 - hazard).cum_prod()).select("time", "at_risk", "survival")
