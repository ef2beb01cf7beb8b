"""What a scenario is expected to bring: the customers' reaction on top of the exact effect, with its range, and when it stops paying.

Amounts in minor units of the scenario's currency; rates are fractions. Everything here contains assumptions and comes with a range.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date
from typing import Any

import numpy as np
import polars as pl

from core.calc import survival
from core.calc.movements import NEW, after_months
from core.calc.simulation import value
from core.calc.simulation.response import Cells, Reaction, newcomers, project
from core.calc.simulation.value import PRIORS, Prior, Range
from core.domain.errors import InvalidInput
from core.domain.money import to_minor
from core.domain.scenarios import Scenario, unit_cost
from core.reports.lifetimes import People
from core.reports.simulation import Exact

BANDS = ((1, 3), (4, 12), (13, 24), (25, 10_000))  # months of tenure
SHRINK_MONTHS = 50.0  # a band with so many customer-months counts as much as its plan's mean
SIGN_UP_MONTHS = 6


@dataclass(frozen=True)
class Expected:
    """`gain`: ΔNPV over the horizon. `steady`: change of monthly revenue from today's base at its end. `parts`: exact, usage, churn, switching,
    acquisition of the ΔNPV at the medians. `months`: month, before, after, low, high (revenue of today's base), customers_before,
    customers_after. `nrr`: expected revenue of month 12 ÷ today's. `break_even_loss`, `break_even_churn`, `break_even_kappa`. `tornado`:
    (assumption, gain at its 10 % point, at its 90 % point). `base_churn`: mean monthly chance of leaving as it is, with `events` behind it.
    `draws`: the gain under each drawn reaction, to which chance adds `noise` (a standard deviation).
    """

    gain: Range
    steady: Range
    lost: Range
    parts: dict[str, int]
    months: pl.DataFrame
    nrr_before: float
    nrr_after: float
    break_even_loss: float | None
    break_even_churn: float | None
    break_even_kappa: float | None
    loss_chance_kappa: float | None
    tornado: list[tuple[str, int, int]]
    base_churn: float
    events: int
    sign_ups: float
    reaction: Reaction
    draws: np.ndarray
    noise: float


def expected(known: Exact, people: People, today: date) -> Expected:
    """The expectation of an exact effect."""
    scenario = known.scenario
    priors, base = assumptions(scenario)
    past = _past(people, known.candidate.plan, today)
    rows = known.rows.join(past.hazards, on="customer_id", how="left", maintain_order="left").with_columns(
        pl.col("hazard").fill_null(past.newcomer)
    )
    cells = _cells(rows, today, scenario.horizon_months)
    cost = to_minor(unit_cost(scenario), scenario.currency)
    months, yearly = scenario.horizon_months, scenario.discount_ppm / 1_000_000
    middle = value.with_medians(priors, base)
    draws = value.drawn(priors, base, value.DRAWS, scenario.seed)
    with_change, without = project(cells, draws, months), project(cells, draws, months, changed=False)
    flows = with_change.revenue - cost * with_change.customers - (without.revenue - cost * without.customers)
    mean = float((rows["hazard"] * rows["before"]).sum()) / max(float(rows["before"].sum()), 1.0)
    stream = _Stream(
        past.sign_ups, *_new_bills(known), hazard=mean, cost=cost, months=months, yearly=yearly,
        begins=_months_until(scenario.from_on, today),
    )  # fmt: skip
    acquisition = stream.gain(draws)
    changes = _changes(known)
    gains = (value.present(flows, yearly) + acquisition) * changes
    mid, none = project(cells, middle, months), project(cells, middle, months, changed=False)
    noise = value.chance_spread(mid, none) * changes
    still = project(cells, base.off(), months)
    no_switch = project(cells, replace(middle, attention=0.0, attention_after_notice=0.0), months)
    stays = project(cells, base.off(), months, changed=False)

    def npv(path: Any, beside: Any) -> float:
        return float(
            value.present((path.revenue - beside.revenue) - cost * (path.customers - beside.customers), yearly)
        )

    used = npv(still, stays)
    exactly = used
    if base.usage_elasticity:
        plain = _cells(rows.with_columns(felt="after"), today, scenario.horizon_months)
        exactly = npv(project(plain, base.off(), months), project(plain, base.off(), months, changed=False))
    besides = float(stream.gain(middle))
    parts = {
        "exact": exactly, "usage": used - exactly, "churn": npv(no_switch, none) - used, "switching": npv(mid, none) - npv(no_switch, none),
        "acquisition": besides,
    }  # fmt: skip
    ends, chance = (
        np.percentile(with_change.revenue, [10, 90], axis=0),
        value.chance_by_month(mid, cells) * value.NINE_OF_TEN,
    )
    table = pl.DataFrame({
        "month": [after_months(today.replace(day=1), k) for k in range(months)], "before": none.revenue, "after": mid.revenue,
        "low": mid.revenue - np.hypot(mid.revenue - ends[0], chance), "high": mid.revenue + np.hypot(ends[1] - mid.revenue, chance), "customers_before": none.customers, "customers_after": mid.customers,
    })  # fmt: skip
    moved = known.moved
    sums = float(moved["before"].sum()) / 12, float(moved["after"].sum()) / 12
    rise = sums[1] > sums[0] > 0
    kappa = value.break_even_kappa(cells, middle, months, yearly, cost, besides=besides) if rise else None
    at12 = min(12, months - 1)
    decided = value.tornado(priors, middle, lambda r: value.gain(cells, r, months, yearly, cost) + stream.gain(r))
    return Expected(
        gain=value.range_of(gains, noise), steady=value.range_of(with_change.revenue[:, -1] - without.revenue[:, -1]),
        lost=value.range_of(with_change.churned.sum(axis=-1) - without.churned.sum(axis=-1)),
        parts={name: round(part) for name, part in parts.items()}, months=table,
        nrr_before=float(none.revenue[at12] / max(none.revenue[0], 1e-9)), nrr_after=float(mid.revenue[at12] / max(none.revenue[0], 1e-9)),
        break_even_loss=value.break_even_loss(*sums, unit_cost=cost * moved.height) if rise else None,
        break_even_churn=value.break_even_churn(sums[0] - cost * moved.height, sums[1] - cost * moved.height, mean, months, yearly) if rise and sums[0] > cost * moved.height else None,
        break_even_kappa=kappa, loss_chance_kappa=value.chance_above(kappa, priors["kappa"]) if kappa else None,
        tornado=[(name, round(low), round(high)) for name, low, high in decided], base_churn=mean, events=past.events, sign_ups=past.sign_ups,
        reaction=middle, draws=gains, noise=noise,
    )  # fmt: skip


def _changes(known: Exact) -> bool:
    """Does anything change: the bill of somebody who is here, or of those who come? Else what is left of a sum is no gain."""
    return known.new_price_ratio != 1 or bool((known.rows["before"] != known.rows["after"]).any())


def together(scenarios: Sequence[Scenario], found: Sequence[Expected]) -> Range | None:
    """The gain of scenarios of different plans in one currency, carried out together: the same people in the same world, so their gains
    are added draw by draw, while chance is their own. None where their worlds differ: other assumptions, horizon, discount or seed."""
    worlds = {(each.assumptions, each.horizon_months, each.discount_ppm, each.seed) for each in scenarios}
    if len(worlds) > 1:
        return None
    return value.range_of(np.sum([each.draws for each in found], axis=0), math.hypot(*(each.noise for each in found)))


def assumptions(scenario: Scenario) -> tuple[dict[str, Prior], Reaction]:
    """Priors and fixed numbers with what the scenario says instead."""
    priors, base = dict(PRIORS), Reaction()
    for name, number in scenario.assumptions:
        if name.removesuffix("_spread") in priors and name.endswith("_spread"):
            plain = name.removesuffix("_spread")
            priors[plain] = replace(priors[plain], spread=number)
        elif name in priors:
            priors[name] = replace(priors[name], median=number)
        elif name in value.names():
            base = replace(base, **{name: number})
        else:
            raise InvalidInput("There is no assumption “{name}”", code="no_assumption", name=name)
    return priors, base


@dataclass(frozen=True)
class _Past:
    """What the past says of a plan, the same for all its prices: `hazards`, each customer's monthly chance of leaving as it is
    (customer_id, hazard), `newcomer` that of somebody not seen before, `events`, how many left, and new customers a month."""

    hazards: pl.DataFrame
    newcomer: float
    events: int
    sign_ups: float


def _past(people: People, plan: str, today: date) -> _Past:
    """Worked out when a plan is first asked for."""
    if (plan, today) not in people.pasts:
        people.pasts[plan, today] = _seen(people, plan, today)
    found: _Past = people.pasts[plan, today]
    return found


def _seen(people: People, plan: str, today: date) -> _Past:
    """Chances of leaving by tenure, small bands drawn to the plan's mean."""
    own = people.frame.filter(pl.col("plan") == plan)
    band = pl.lit(len(BANDS) - 1)
    for place, (_, last) in reversed(list(enumerate(BANDS[:-1]))):
        band = pl.when(pl.col("time") <= last).then(place).otherwise(band)
    events = survival.life_table(own).group_by(band=band).agg(pl.col("events").sum())
    exposed = _exposed(own).group_by(band=band).agg(exposure=pl.col("at_risk").sum())
    both = exposed.join(events, on="band", how="left").fill_null(0)
    left, months = int(both["events"].sum()), int(both["exposure"].sum())
    mean = pl.lit((left + 0.5) / (months + SHRINK_MONTHS) if months else 0.02)
    rates = both.select("band", hazard=(pl.col("events") + SHRINK_MONTHS * mean) / (pl.col("exposure") + SHRINK_MONTHS))
    tenure = people.frame.select("customer_id", time=pl.col("exit") + 1)
    seen = pl.concat([tenure, pl.DataFrame({"customer_id": None, "time": 1}, schema=tenure.schema)])
    told = seen.with_columns(band=band).join(rates, on="band", how="left", maintain_order="left").select(
        "customer_id", pl.col("hazard").fill_null(mean).clip(1e-6, 0.9)
    )  # fmt: skip
    return _Past(told[:-1], float(told["hazard"][-1]), int(events["events"].sum()), _sign_ups(people, own, today))


def _exposed(frame: pl.DataFrame) -> pl.DataFrame:
    """Customers at risk in every month of tenure: time, at_risk."""
    some = survival.counted(frame).filter(pl.col("exit") > pl.col("entry"))
    months = some.with_columns(time=pl.int_ranges(pl.col("entry") + 1, pl.col("exit") + 1)).explode("time")
    return months.group_by("time").agg(at_risk=pl.col("n").sum())


def month_in(name: str, today: date) -> pl.Expr:
    """In which month of the horizon a day lies; the first is 0."""
    return (pl.col(name).dt.year() - today.year) * 12 + pl.col(name).dt.month() - today.month


def _cells(rows: pl.DataFrame, today: date, horizon: int) -> Cells:
    """Customers who are alike: hazard, relative change (to 0.01 on the log scale), months to the change, term and the way out."""
    start, renewal = month_in("starts_on", today), month_in("renews_on", today)
    moved = pl.col("moved") & (pl.col("before") != pl.col("after"))
    # Who pays nothing today counts with what they will pay; a relative change of nothing is none, so nobody reacts to it.
    pays = (pl.col("before") > 0) & (pl.col("felt") > 0)
    known = rows.with_columns(pays=pays).with_columns(
        term=pl.max_horizontal(pl.col("interval_months"), pl.lit(1, dtype=pl.Int32)),
        start=pl.when(moved).then(start.clip(0, horizon)).otherwise(horizon + 1),
        x=pl.when(moved & pays).then((pl.col("felt") / pl.col("before")).log()).otherwise(0.0),
        way_out=pl.when(moved & (pl.col("cheapest") < pl.col("felt"))).then(pl.col("cheapest") / pl.col("felt")),
    ).with_columns(
        renewal=pl.when(pl.col("term") > 1).then(renewal).otherwise(0),
        x_bin=(pl.col("x") * 100).round(0), out_bin=(pl.col("way_out") * 20).round(0),
    ).with_columns(
        # Whose bills change nearly alike feel the same, as one customer with all their bills would.
        x=pl.when(pl.col("x") != 0).then((pl.col("felt").sum() / pl.col("before").sum()).log().over("x_bin", "moved", "pays")).otherwise(0.0),
    )  # fmt: skip
    alike = known.group_by(
        "hazard", "x_bin", "start", "term", "renewal", "out_bin", "moved", "pays", maintain_order=True
    ).agg(
        n=pl.len(),
        before=pl.col("before").mean() / 12,
        after=pl.col("felt").mean() / 12,
        x=pl.col("x").first(),
        cheapest=(pl.col("cheapest").filter(pl.col("way_out").is_not_null())).mean() / 12,
    )

    def column(name: str, kind: Any = float) -> np.ndarray:
        return alike[name].to_numpy().astype(kind)

    others = alike["cheapest"].fill_null(float("nan")).to_numpy().astype(float)[:, None]
    return Cells(
        column("n"),
        column("before"),
        column("after"),
        column("hazard"),
        column("start", int),
        column("term", int),
        column("renewal", int),
        column("moved", bool),
        others,
        column("x"),
    )


def _sign_ups(people: People, own: pl.DataFrame, today: date) -> float:
    """New ones among these customers a month, over the last half year."""
    since = after_months(today.replace(day=1), -SIGN_UP_MONTHS)
    new = people.ledger.log.filter(
        (pl.col("kind") == NEW) & (pl.col("day") >= since) & (pl.col("day") < today.replace(day=1))
    )
    return new.join(own, on="customer_id", how="semi").height / SIGN_UP_MONTHS


def _months_until(day: date | None, today: date) -> int:
    """Months from this one to that of a day, none when it has come."""
    return 0 if day is None else max(0, (day.year - today.year) * 12 + day.month - today.month)


def _new_bills(known: Exact) -> tuple[float, float]:
    """Mean monthly bill of a customer today, and at the new prices."""
    rows = known.rows.filter(pl.col("why").is_null() | (pl.col("why") != "agreed"))
    if rows.is_empty():
        return 0.0, 0.0
    # Newcomers pay what is sold today, whatever older prices those who are here have, and the new ones whoever is moved.
    mean = float(rows["before"].mean() or 0.0) / 12  # type: ignore[arg-type]
    return mean, mean * known.new_price_ratio


@dataclass(frozen=True)
class _Stream:
    """Those who come: so many a month, their bill today and at the new prices, their chance of leaving, what one costs a month, and
    the month from which they get the new prices."""

    sign_ups: float
    before: float
    after: float
    hazard: float
    cost: float
    months: int
    yearly: float
    begins: int = 0

    def gain(self, r: Reaction) -> np.ndarray:
        """ΔNPV from another number of newcomers at another bill, who leave as those do who are there; one a draw."""
        if self.before <= 0:
            return np.zeros(np.shape(r.acquisition))
        coming = newcomers(self.sign_ups, self.before, self.after, r.acquisition)
        stay = (1 - self.hazard) ** np.arange(self.months)
        # Customers of a steady stream of one a month, from that month on, who are there in each month.
        there = np.concatenate([np.zeros(self.months), np.cumsum(stay)])[self.months - min(self.begins, self.months) :]
        there = there[: self.months]
        flow = np.multiply.outer(coming, there) * (self.after - self.cost) - self.sign_ups * there * (
            self.before - self.cost
        )
        return value.present(flow, self.yearly)
