"""What goes with a longer life: segments against each other, and what-ifs (metrics.md section 8). "Associated with", never "caused by".

Values in minor units of the company's currency, lives in months since the first paid day, as far as they were seen.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import polars as pl

from core.calc import drivers, lifetime, movements, survival
from core.calc.drivers import FEWEST_EVENTS, ONBOARDING, Ratio
from core.calc.movements import CUSTOMER
from core.domain.subscriptions import EndCause
from core.reports.lifetimes import YEARLY_DISCOUNT, People, Value

FIRST_MONTHS = 3  # months that count as onboarding


def compare(found: People, dimension: str, strata: str | None = None) -> survival.Test:
    """Do the segments leave at equal rates?"""
    frame = found.frame.filter(pl.col(dimension).is_not_null())
    return survival.log_rank(frame, dimension, [strata] if strata else [])


def stratum_of(dimension: str) -> str:
    """Within what segments are compared: the same plan, plans within the same kind of customer."""
    return "kind" if dimension == "plan" else "plan"


def hazard_ratios(found: People, dimension: str, reference: str) -> list[Ratio]:
    """How much likelier the others leave than the reference, within `stratum_of` the dimension."""
    stratum = stratum_of(dimension)
    known = found.frame.filter(pl.col(dimension).is_not_null() & pl.col(stratum).is_not_null())
    return drivers.hazard_ratios(known, dimension, reference, [stratum])


@dataclass(frozen=True)
class Gap:
    """The difference of CLV between two segments in their first `months`, as far as both were seen, and its exact parts.

    `parts` (Shapley, minor units, summing to `gap`): base (MRR of the first paid day), cross_sell, upsell, onboarding (staying
    through the first three months), then each cause of leaving later. `clv`: both values.
    """

    names: tuple[str, str]
    gap: int
    parts: dict[str, int]
    clv: tuple[int, int]
    months: int


def gap(
    found: People, dimension: str, names: tuple[str, str], margin: float = 1.0, yearly: float = YEARLY_DISCOUNT
) -> Gap | None:
    """What separates two segments, at one margin; None when either has fewer than 30 ends."""
    sides = [found.frame.filter(pl.col(dimension) == name) for name in names]
    if any(int(side["cause"].is_not_null().sum()) < FEWEST_EVENTS for side in sides):
        return None
    d = lifetime.per_unit(yearly, 12)
    horizon = min(_reach(side) for side in sides)
    told = _told_causes(sides)
    first, second = (_factors(found, side, told, horizon, d, margin=margin) for side in sides)
    parts = drivers.shapley(first, second, lambda factors: drivers.worth_of(factors, d))
    totals = round(drivers.worth_of(first, d)), round(drivers.worth_of(second, d))
    rounded = {name: round(part) for name, part in parts.items()}
    # What rounding leaves stands with the largest part.
    most = max(rounded, key=lambda name: abs(rounded[name]))
    rounded[most] += totals[1] - totals[0] - sum(rounded.values())
    return Gap(names, totals[1] - totals[0], rounded, totals, horizon)


def _reach(side: pl.DataFrame) -> int:
    """Months through which the curve is known."""
    known = survival.life_table(side).filter(pl.col("at_risk") >= survival.MIN_AT_RISK)["time"]
    return int(known.max() or 1)  # type: ignore[arg-type]


def _told_causes(sides: Sequence[pl.DataFrame]) -> list[str]:
    """The causes that at least 30 of the two together left for, the commonest first; rarer ones are told as one, "other"."""
    ends = pl.concat([side.select("cause") for side in sides]).drop_nulls()["cause"].value_counts(sort=True)
    often = ends.filter(pl.col("count") >= FEWEST_EVENTS)["cause"].to_list()
    rest = EndCause.OTHER.value
    return often if len(often) == ends.height else [*(cause for cause in often if cause != rest), rest]


def _factors(
    found: People, side: pl.DataFrame, told: list[str], horizon: int, d: float, *, margin: float
) -> dict[str, Any]:
    """The factors of a segment as `drivers.worth_of` takes them."""
    rare = pl.col("cause").is_not_null() & ~pl.col("cause").is_in(told)
    cause = pl.when(rare).then(pl.lit(EndCause.OTHER.value)).otherwise("cause")
    leaving = drivers.cause_hazards(side.with_columns(cause=cause), told, FIRST_MONTHS, horizon)
    values = survival.survival_at(survival.kaplan_meier(side), range(horizon))
    present = np.array([value or 0.0 for value in values]) / (1 + d) ** np.arange(horizon)
    early = float(present[:FIRST_MONTHS].sum())
    reach = float(present[FIRST_MONTHS]) if horizon > FIRST_MONTHS else 0.0
    upsell, cross_sell = _growth(found, side, horizon)
    base = float(side["start_mrr"].fill_null(0).mean() or 0.0) / 12  # type: ignore[arg-type]
    money = {"base": base, "cross_sell": cross_sell, "upsell": upsell}
    return {**{name: margin * amount for name, amount in money.items()}, ONBOARDING: (early, reach), **leaving}


def _growth(found: People, side: pl.DataFrame, horizon: int) -> tuple[float, float]:
    """(upsell, cross-sell): by how much plan, price and seat changes, and add-ons, raise MRR above that of the first paid day, minor
    units, on average over the months within the horizon that these customers stayed."""
    grown = found.ledger.log.filter(
        pl.col("kind").is_in([movements.EXPANSION, movements.CONTRACTION]), pl.col("day") <= found.as_of
    )
    own = grown.join(side.select(CUSTOMER, "since", "exit"), on=CUSTOMER)
    before = (pl.col("day") - pl.col("since")).dt.total_days() * 12 / 365.25
    lasts = (pl.min_horizontal("exit", pl.lit(horizon)) - before).clip(lower_bound=0)
    sums = dict(own.group_by(pl.col("cause") == "addon").agg((pl.col("delta") * lasts).sum()).iter_rows())
    lived = max(int(side["exit"].clip(upper_bound=horizon).sum()), 1) * 12
    return sums.get(False, 0.0) / lived, sums.get(True, 0.0) / lived


def what_if(
    found: People, cause: str, share: float, yearly: float = YEARLY_DISCOUNT
) -> tuple[float, float, int] | None:
    """(discounted months as it is, and if ends by a cause were `share` of what they are, horizon); None without enough of them."""
    horizon = _reach(found.frame)
    ends = int((found.frame["cause"] == cause).sum())
    if ends < FEWEST_EVENTS or horizon < 2:
        return None
    d = lifetime.per_unit(yearly, 12)
    changed = drivers.without_cause(found.frame, cause, share)
    now = drivers.life(found.frame, horizon, d)
    then = survival.restricted_mean(changed, horizon, d)
    return (now, then, horizon) if now is not None and then is not None else None


def comparable(values: Sequence[Value]) -> list[str]:
    """The segments that enough have left of to compare them, the dearest first."""
    return [value.name for value in values if value.churners >= FEWEST_EVENTS]


def drivers_of(found: People, dimension: str, values: Sequence[Value]) -> dict[str, Any]:
    """What the lifetime page tells of a dimension, as plain data: the segments, their test, the gap, the hazard ratios."""
    known = comparable(values)
    pair = (known[-1], known[0]) if len(known) > 1 else None
    parted = gap(found, dimension, pair, values[0].margin) if pair else None
    ratios = hazard_ratios(found, dimension, pair[0]) if pair else []
    shown = ("name", "customers", "active", "churners", "months", "clv_new", "low", "high")
    return {
        "dimension": dimension, "segments": [{name: getattr(value, name) for name in shown} for value in values],
        "log_rank": asdict(compare(found, dimension)), "gap": asdict(parted) if parted else None,
        "reference": pair[0] if pair else None, "within": stratum_of(dimension),
        "hazard_ratios": [{**asdict(ratio), "changes_with_tenure": ratio.changes} for ratio in ratios],
    }  # fmt: skip
