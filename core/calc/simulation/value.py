"""What a pricing change is worth, how sure that is, and when it stops paying (simulation.md sections 3 and 4).

Money in any unit, monthly; the yearly discount rate becomes r_m = (1 + r)^(1/12) − 1, payment in advance.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, fields, replace

import numpy as np
from scipy import special

from core.calc.simulation.response import Cells, Path, Reaction, project

DRAWS = 1024
YEARLY = 0.10


@dataclass(frozen=True)
class Prior:
    """What is thought of a number before own data: median and spread, on the log scale when `log`."""

    median: float
    spread: float
    log: bool = True

    def at(self, quantile: np.ndarray) -> np.ndarray:
        """Values at quantiles of a normal (log-normal) distribution."""
        steps = special.ndtri(quantile) * self.spread
        return np.asarray(self.median * np.exp(steps) if self.log else self.median + steps)


# simulation.md section 2, "Defaults": medians with their 90 % ranges.
PRIORS: dict[str, Prior] = {
    "kappa": Prior(2.5, 0.5),
    "rho": Prior(0.30, 0.44),
    "half_life": Prior(3.0, 0.50),
    "notice": Prior(math.log(1.10), 0.8),
    "acquisition": Prior(-1.0, 0.486, log=False),
    "choice": Prior(10.0, 0.3),
    "hazard_shift": Prior(0.0, 0.10, log=False),
}


def monthly_rate(yearly: float) -> float:
    """r_m = (1 + r)^(1/12) − 1."""
    return float((1 + yearly) ** (1 / 12) - 1)


def root(function: Callable[[float], float], low: float, high: float, xtol: float) -> float:
    """Where the function is zero between two points on either side of it."""
    from scipy.optimize import brentq

    return float(brentq(function, low, high, xtol=xtol))


def present(flows: np.ndarray, yearly: float = YEARLY) -> np.ndarray:
    """Σ flow_t/(1 + r_m)^t along the last axis."""
    return np.asarray((flows * (1 + monthly_rate(yearly)) ** -np.arange(flows.shape[-1])).sum(axis=-1))


def clv(margin: float, hazard: float, yearly: float = YEARLY) -> float:
    """m/(1 − (1 − h)/(1 + r_m)): constant hazard, payment in advance."""
    return margin / (1 - (1 - hazard) / (1 + monthly_rate(yearly)))


# --- break-evens --------------------------------------------------------------------------------------------------------


def break_even_loss(before: float, after: float, unit_cost: float = 0.0) -> float | None:
    """The share of customers that may leave once and for all: ΔP/(CM + ΔP); 1 − B0/B1 without costs.

    None where no share makes the two alike: customers who cost as much as they bring, before or after.
    """
    margin = after - unit_cost
    if margin <= 0 or before - unit_cost < 0:
        return None
    return (after - before) / margin


def break_even_churn(
    before: float, after: float, hazard: float, months: int | None = None, yearly: float = 0.0
) -> float | None:
    """The monthly churn at which the value is what it was: over `months` (undiscounted unless `yearly`), or for ever.

    None where no churn undoes it: the first month alone brings more than all months did.

    For ever: h₁ = 1 − [1 − (m₁/m₀)(1 − (1 − h₀)d)]/d, d = 1/(1 + r_m).
    """
    d = 1 / (1 + monthly_rate(yearly))
    if months is None:
        return 1 - (1 - (after / before) * (1 - (1 - hazard) * d)) / d
    t = np.arange(months)

    def gap(h: float) -> float:
        return float(after * (((1 - h) * d) ** t).sum() - before * (((1 - hazard) * d) ** t).sum())

    low, high = -0.9, 0.999
    return root(gap, low, high, xtol=1e-13) if gap(high) < 0 < gap(low) else None


def gain(
    cells: Cells, r: Reaction, months: int, yearly: float = YEARLY, unit_cost: float = 0.0, *,
    without: Path | None = None,
) -> np.ndarray:  # fmt: skip
    """ΔNPV of today's base: contribution with the change less without (`without`, where it is known already), discounted."""
    with_change, without = project(cells, r, months), without or project(cells, r, months, changed=False)
    flows = (with_change.revenue - unit_cost * with_change.customers) - (
        without.revenue - unit_cost * without.customers
    )
    return present(flows, yearly)


def break_even_kappa(
    cells: Cells, r: Reaction, months: int, yearly: float = YEARLY, unit_cost: float = 0.0, *, besides: float = 0.0,
) -> float | None:  # fmt: skip
    """The elasticity at which nothing is gained, with what newcomers bring `besides`; None when it pays at any, or at none."""
    without = project(cells, r, months, changed=False)  # nobody feels anything then, whatever the elasticity

    def at(kappa: float) -> float:
        return besides + float(gain(cells, replace(r, kappa=kappa), months, yearly, unit_cost, without=without))

    low, high = 0.0, 60.0
    if at(low) <= 0 or at(high) >= 0:
        return None
    return root(at, low, high, xtol=1e-9)


def chance_above(kappa: float, prior: Prior = PRIORS["kappa"]) -> float:
    """How likely the elasticity exceeds a value by its prior."""
    return float(special.ndtr(-math.log(kappa / prior.median) / prior.spread))


# --- how sure ------------------------------------------------------------------------------------------------------------


def drawn(priors: dict[str, Prior], base: Reaction, draws: int, seed: int) -> Reaction:
    """Quasi-random reactions (scrambled Sobol): the same seed gives the same draws. A spread of 0 leaves the median."""
    from scipy.stats import qmc  # slow to load: only who draws waits

    points = qmc.Sobol(len(priors), scramble=True, rng=np.random.default_rng(seed)).random(draws)
    inside = np.clip(points, 1e-6, 1 - 1e-6)
    values = {name: prior.at(inside[:, place]) for place, (name, prior) in enumerate(priors.items())}
    if "rho" in values:
        values["rho"] = np.minimum(values["rho"], 1.0)
    return replace(base, **values)


NINE_OF_TEN = 1.2815515655446004  # standard deviations from the middle to the 90 % point


@dataclass(frozen=True)
class Range:
    """P10, P50 and P90 of a number, and the chance that it is above zero; no chance where it is nought in every case."""

    low: float
    middle: float
    high: float
    above_zero: float | None


def range_of(values: np.ndarray, noise: float = 0.0) -> Range:
    """The range of drawn values; chance's own `noise` (a standard deviation) is added in quadrature around the median, and to the
    chance of being above zero: each drawn value is the mean of a normal one."""
    low, middle, high = (float(value) for value in np.percentile(values, [10, 50, 90]))
    extra = NINE_OF_TEN * noise
    above = special.ndtr(values / noise) if noise > 0 else values > 0
    certain = noise == 0 and not values.any()
    return Range(
        middle - math.hypot(middle - low, extra),
        middle,
        middle + math.hypot(high - middle, extra),
        None if certain else float(above.mean()),
    )


def tornado(
    priors: dict[str, Prior], base: Reaction, value: Callable[[Reaction], np.ndarray]
) -> list[tuple[str, float, float]]:
    """Each assumption at its 10 % and 90 % point, the others at their median: (name, low, high), the most decisive first.

    `value` is asked once, with two draws for each assumption.
    """
    points = {name: np.full(2 * len(priors), getattr(base, name), dtype=float) for name in priors}
    for place, (name, prior) in enumerate(priors.items()):
        points[name][2 * place : 2 * place + 2] = prior.at(np.array([0.1, 0.9]))
    ends = value(replace(base, **points)).reshape(-1, 2)
    rows = [(name, float(low), float(high)) for name, (low, high) in zip(priors, ends, strict=True)]
    return sorted(rows, key=lambda row: -abs(row[2] - row[1]))


def chance_spread(with_change: Path, without: Path) -> float:
    """Standard deviation of the gain by chance alone: who leaves because of the change takes half the horizon's bills along on average."""
    n = float(with_change.customers[..., 0].max()) or 1e-9
    leave = float(np.abs(with_change.churned.sum(axis=-1) - without.churned.sum(axis=-1)).mean()) / n
    months = with_change.revenue.shape[-1]
    mean_bill = float(with_change.revenue.sum(axis=-1).mean()) / max(
        float(with_change.customers.sum(axis=-1).mean()), 1e-9
    )
    return float(math.sqrt(max(n * leave * (1 - leave), 0.0)) * mean_bill * months / 2)


def chance_by_month(path: Path, cells: Cells) -> np.ndarray:
    """Standard deviation of each month's revenue by chance alone: which of n are still there, √(n·S·(1 − S)) bills of their root mean
    square size."""
    n = max(float(cells.n.sum()), 1e-9)
    stay = np.clip(path.customers / max(float(path.customers[0]), 1e-9), 0.0, 1.0)
    return np.asarray(np.sqrt(n * stay * (1 - stay)) * math.sqrt(float((cells.n * cells.after**2).sum()) / n))


def with_medians(priors: dict[str, Prior], base: Reaction) -> Reaction:
    """The reaction at the medians."""
    return replace(base, **{name: prior.median for name, prior in priors.items()})


def names() -> list[str]:
    """The numbers of a reaction."""
    return [field.name for field in fields(Reaction)]
