"""What goes with a longer or a shorter life: adjusted comparisons of segments (metrics.md section 8).

"Associated with", never "caused by": nobody was drawn by lot. Segments with few ends are held back by the caller
(`FEWEST_EVENTS`). Lives are in months; values in minor units.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import polars as pl

from core.calc import survival

FEWEST_EVENTS = 30


@dataclass(frozen=True)
class Ratio:
    """How much likelier, month for month, those with `name` leave than the reference: hazard ratio, 95 % interval, p."""

    name: str
    ratio: float
    low: float
    high: float
    p: float
    n: int
    events: int


def hazard_ratios(subjects: pl.DataFrame, column: str, reference: str, strata: Sequence[str] = ()) -> list[Ratio]:
    """Cox regression (Efron ties) of each value of `column` against `reference`, within strata. In: survival.SUBJECTS + columns.

    Groups under 30 ends are left out, and so is everything when the reference has fewer.
    """
    from lifelines import CoxPHFitter  # heavy: only who asks for it waits

    counts = subjects.group_by(column).agg(
        n=pl.col("n").sum(), events=pl.col("n").filter(pl.col("cause").is_not_null()).sum()
    )
    known = {name: (n, events) for name, n, events in counts.iter_rows() if events >= FEWEST_EVENTS}
    if reference not in known or len(known) < 2:
        return []
    some = subjects.filter(pl.col(column).is_in(list(known)) & (pl.col("exit") > pl.col("entry")))
    # One row a customer: weights would make one tie of many.
    rows = some.select(pl.all().repeat_by("n").explode()) if int(some["n"].max() or 1) > 1 else some  # type: ignore[arg-type]
    others = sorted(name for name in known if name != reference)
    table = rows.select(
        "entry", "exit", pl.col("cause").is_not_null().cast(pl.Int64).alias("gone"), *strata,
        *((pl.col(column) == name).cast(pl.Int64).alias(f"is {name}") for name in others),
    ).to_pandas()  # fmt: skip
    late = bool((some["entry"] > 0).any())  # without late entries there is a faster way
    model = CoxPHFitter()
    model.fit(
        table if late else table.drop(columns="entry"), duration_col="exit", event_col="gone",
        entry_col="entry" if late else None, strata=list(strata) or None,
    )  # fmt: skip
    told = model.summary
    return [
        Ratio(name, float(row["exp(coef)"]), float(row["exp(coef) lower 95%"]), float(row["exp(coef) upper 95%"]),
              float(row["p"]), *known[name])
        for name in others
        for row in [told.loc[f"is {name}"]]
    ]  # fmt: skip


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
    parts = dict.fromkeys(names, 0.0)
    for size in range(count):
        weight = math.factorial(size) * math.factorial(count - size - 1) / math.factorial(count)
        for name in names:
            for moved in itertools.combinations([other for other in names if other != name], size):
                without = {key: second[key] if key in moved else first[key] for key in names}
                parts[name] += weight * (value({**without, name: second[name]}) - value(without))
    return parts


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
    own = subjects.filter(pl.col("cause") == cause).group_by(time="exit").agg(of_cause=pl.col("n").sum())
    joined = table.join(own, on="time", how="left").with_columns(pl.col("of_cause").fill_null(0)).sort("time")
    hazard = (pl.col("events") - pl.col("of_cause") * (1 - share)) / pl.col("at_risk")
    return joined.with_columns(survival=(1 - hazard).cum_prod()).select("time", "at_risk", "survival")
