"""Customer lifetime value: how long customers stay beyond what was seen, and what that is worth (metrics.md section 7).

The unit of time is a renewal opportunity (a month on monthly plans, a year on yearly ones). Churn chances differ between
customers as a beta distribution: sBG; BdW adds `c`, how each customer's own chance moves with time. A fit needs only counts
(`Counts`), so that its cost does not depend on the number of customers. Discounting: δ = 1/(1 + d) a unit.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
import polars as pl
from scipy import special

from core.domain.errors import InvalidInput

HOMOGENEOUS = 1e4  # α + β beyond it: no difference between customers is left to see
FEWEST_PERIODS, FEWEST_CHURNERS = 3, 30
SERIES_END = 1e-9  # a discounted term below it ends a series
LONGEST = 20_000  # units; a series that has not ended by then is cut there
HORIZON_AIC = 4.0
BOUND = 12.0  # of the logarithms of α, β and c fitted to a drawn sample
NEAR = 11.0  # where a search for them begins at most
FARTHEST = 60.0  # of the log-odds of a model without differences between customers: nearly all may stay each month


class Model(StrEnum):
    """What describes the customers' staying."""

    SBG = "sBG"
    BDW = "BdW"
    GEOMETRIC = "geometric"
    WEIBULL = "discrete Weibull"


@dataclass(frozen=True)
class Counts:
    """`churned[t-1]` left at the t-th opportunity, `kept[t-1]` were last seen after they survived t, `late[e-1]` are known
    from their e-th on only."""

    churned: np.ndarray
    kept: np.ndarray
    late: np.ndarray

    @property
    def periods(self) -> int:
        """The longest time seen."""
        return int(self.churned.size)

    @property
    def churners(self) -> int:
        """How many have left."""
        return int(self.churned.sum())

    @property
    def at_risk(self) -> np.ndarray:
        """Customers who came to each opportunity under observation."""
        gone = np.concatenate([[0.0], np.cumsum(self.churned + self.kept)])[:-1]
        total = self.churned.sum() + self.kept.sum()
        not_yet = np.cumsum(self.late[::-1])[::-1]  # known from e on: not seen at opportunities up to e
        return np.asarray(total - gone - not_yet)

    def first(self, periods: int) -> Counts:
        """The same customers as they would have been seen after so many periods: what came later is censored there."""
        kept = self.kept[:periods].copy()
        kept[-1] += self.churned[periods:].sum() + self.kept[periods:].sum()
        late_out = self.late[periods:].sum()  # first seen later: not seen at all
        kept[-1] -= late_out
        return Counts(self.churned[:periods], kept, self.late[:periods])


def from_survivors(alive: Sequence[float]) -> Counts:
    """Counts of one cohort from the number alive after 0, 1, 2 … opportunities. Refuses what no cohort can show."""
    values = np.asarray(alive, dtype=float)
    if values.size < 2:
        raise InvalidInput("A survivor table needs at least two rows", code="survivors_short")
    if not np.isfinite(values).all() or (values < 0).any():
        raise InvalidInput("Every number of survivors must be zero or more", code="survivors_negative")
    if (np.diff(values) > 0).any():
        raise InvalidInput(
            "The number of survivors rises in row {row}: customers of one cohort can only become fewer. Repeat purchases"
            " without a contract cannot be judged here", code="survivors_rise", row=int(np.argmax(np.diff(values) > 0)) + 2,
        )  # fmt: skip
    kept = np.zeros(values.size - 1)
    kept[-1] = values[-1]
    return Counts(-np.diff(values), kept, np.zeros(values.size - 1))


def from_subjects(subjects: pl.DataFrame) -> Counts:
    """Counts of survival.SUBJECTS: exit is the opportunity at which someone left, or the last one survived."""
    some = subjects.filter((pl.col("exit") > pl.col("entry")) & (pl.col("exit") > 0))
    size = int(some["exit"].max() or 1)  # type: ignore[arg-type]
    ended = some["cause"].is_not_null()

    def tally(rows: pl.DataFrame, column: str) -> np.ndarray:
        return np.bincount(rows[column].to_numpy(), weights=rows["n"].to_numpy(), minlength=size + 1)[1 : size + 1]

    return Counts(
        tally(some.filter(ended), "exit"), tally(some.filter(~ended), "exit"), tally(some.filter(pl.col("entry") > 0), "entry")
    )  # fmt: skip


@dataclass(frozen=True)
class Fit:
    """A fitted model: its numbers, log-likelihood and how it did. `covariance` is that of the logarithms of the numbers."""

    model: Model
    alpha: float
    beta: float
    c: float
    log_likelihood: float
    periods: int
    covariance: np.ndarray | None = None

    @property
    def parameters(self) -> int:
        """How many numbers were fitted."""
        return {Model.SBG: 2, Model.BDW: 3, Model.GEOMETRIC: 1, Model.WEIBULL: 2}[self.model]

    @property
    def aic(self) -> float:
        """Akaike's criterion: lower is better."""
        return 2 * self.parameters - 2 * self.log_likelihood

    def survival(self, t: np.ndarray | Sequence[float] | float) -> np.ndarray:
        """S(t): the share that survives t opportunities. sBG/BdW: B(α, β + t^c)/B(α, β)."""
        return np.asarray(np.exp(_log_survival(self.alpha, self.beta, self.c, np.asarray(t, dtype=float), self.model)))

    def retention(self, t: np.ndarray | Sequence[float]) -> np.ndarray:
        """r_t = S(t)/S(t − 1): of those who come to the t-th opportunity, the share that stays."""
        at = np.asarray(t, dtype=float)
        return np.asarray(self.survival(at) / self.survival(at - 1))


def _log_survival(alpha: float, beta: float, c: float, t: np.ndarray, model: Model) -> np.ndarray:
    """ln S(t). The homogeneous models keep 1 − θ in `beta`."""
    with np.errstate(over="ignore"):  # beyond any number nobody is left
        power = np.power(t, c)
    if model in (Model.GEOMETRIC, Model.WEIBULL):
        return np.asarray(power * math.log(beta))
    # B(α, β+x)/B(α, β) by log-gammas: betaln alone loses digits when both are large.
    return np.asarray(special.betaln(alpha, beta + power) - special.betaln(alpha, beta))


def log_likelihood(counts: Counts, alpha: float, beta: float, c: float = 1.0, model: Model = Model.SBG) -> float:
    """Σ_churned ln P(T = t) + Σ_kept ln S(t) − Σ_late ln S(e)."""
    t = np.arange(counts.periods + 1, dtype=float)
    # A search also tries shapes under which nobody is left after a while; only those months count in which somebody was seen.
    with np.errstate(invalid="ignore", divide="ignore"):
        log_s = _log_survival(alpha, beta, c, t, model)
        # P(T = t) = S(t − 1) − S(t), by its logarithm so that small chances keep their digits.
        log_p = log_s[:-1] + np.log(-np.expm1(np.minimum(log_s[1:] - log_s[:-1], -1e-300)))
        return _sum(counts.churned, log_p) + _sum(counts.kept, log_s[1:]) - _sum(counts.late, log_s[1:])


def _sum(n: np.ndarray, logarithms: np.ndarray) -> float:
    """Σ n·ln where n is not nothing."""
    some = n != 0
    return float((n[some] * logarithms[some]).sum())


def fit(counts: Counts, model: Model = Model.SBG) -> Fit:
    """The model's most likely numbers for these counts."""
    if counts.churners == 0:
        raise InvalidInput("Nobody has left yet: nothing can be fitted", code="no_churn")
    if model is Model.GEOMETRIC:
        stay = 1 - counts.churners / counts.at_risk.sum()
        stay = min(max(stay, 1e-12), 1 - 1e-12)
        return Fit(model, math.inf, stay, 1.0, log_likelihood(counts, 1, stay, 1, model), counts.periods)
    unpack, starts = _shape(model, counts)

    def loss(x: np.ndarray) -> float:
        if np.abs(x).max() > FARTHEST:
            return 1e15
        value = -log_likelihood(counts, *unpack(x), model=model)
        return value if math.isfinite(value) else 1e15

    at = min((_descended(loss, start) for start in starts), key=loss)
    covariance = _covariance(loss, at)
    alpha, beta, c = unpack(at)
    return Fit(model, alpha, beta, c, -float(loss(at)), counts.periods, covariance)


def _descended(loss: Callable[[np.ndarray], float], start: np.ndarray) -> np.ndarray:
    """Downhill by gradients; by a simplex where those end in nothing; then a narrow simplex around what was found."""
    from scipy import optimize  # slow to load: only who fits waits

    found = optimize.minimize(loss, start, method="BFGS", options={"gtol": 1e-6, "maxiter": 200})
    at = found.x if math.isfinite(found.fun) and found.fun < 1e15 else start
    wide = found.fun >= loss(start)
    options = {"xatol": 1e-8, "fatol": 1e-9, "maxiter": 2000}
    if not wide:
        options["initial_simplex"] = at + np.vstack([np.zeros(at.size), 1e-3 * np.eye(at.size)])
    return np.asarray(optimize.minimize(loss, at, method="Nelder-Mead", options=options).x)


def _shape(model: Model, counts: Counts) -> tuple[Callable[[np.ndarray], tuple[float, float, float]], list[np.ndarray]]:
    """How free numbers become the model's, and where the search begins."""
    churn = min(max(counts.churners / max(counts.at_risk.sum(), 1.0), 1e-6), 1 - 1e-6)
    if model is Model.WEIBULL:
        return lambda x: (math.inf, 1 / (1 + math.exp(-x[0])), math.exp(x[1])), [
            np.array([math.log((1 - churn) / churn), 0.0])
        ]
    odds = (1 - churn) / churn
    pair = np.array([0.0, math.log(odds)])
    if model is Model.SBG:
        return lambda x: (math.exp(x[0]), math.exp(x[1]), 1.0), [pair, pair + 1.5]
    return lambda x: (math.exp(x[0]), math.exp(x[1]), math.exp(x[2])), [
        np.append(pair, 0.0),
        np.append(pair + 1.5, -0.3),
    ]


def _covariance(loss: Callable[[np.ndarray], float], at: np.ndarray) -> np.ndarray | None:
    """The inverse of the curvature at the optimum; None where it is flat, as at a boundary."""
    size, step = at.size, 1e-3
    curvature = np.zeros((size, size))
    for i in range(size):
        for j in range(size):
            sides = [
                loss(at + step * (a * np.eye(size)[i] + b * np.eye(size)[j]))
                for a, b in ((1, 1), (1, -1), (-1, 1), (-1, -1))
            ]
            curvature[i, j] = (sides[0] - sides[1] - sides[2] + sides[3]) / (4 * step**2)
    try:
        inverse = np.linalg.inv(curvature)
    except np.linalg.LinAlgError:
        return None
    return inverse if np.isfinite(inverse).all() and (np.linalg.eigvalsh(inverse) > 0).all() else None


@dataclass(frozen=True)
class Choice:
    """The model chosen and why: `homogeneous`, and the hold-out errors (mean absolute, of survival) of both candidates."""

    chosen: Fit
    candidates: list[Fit]
    homogeneous: bool
    holdout: dict[Model, float]


def enough(counts: Counts) -> bool:
    """Is there enough to fit? Fewer than 3 periods or 30 churners: only what was seen is shown."""
    return counts.periods >= FEWEST_PERIODS and counts.churners >= FEWEST_CHURNERS


def choose(counts: Counts) -> Choice:
    """sBG, unless BdW is better by 4 points of AIC and on the last third of the periods, which its fit did not see.

    Where no difference between customers is left (α + β beyond 10,000) the homogeneous twin of each is fitted instead.
    """
    sbg, bdw = _bounded(counts, Model.SBG), _bounded(counts, Model.BDW)
    errors = {found.model: holdout_error(counts, found.model) for found in (sbg, bdw)}
    better = bdw.aic <= sbg.aic - HORIZON_AIC and errors[bdw.model] < errors[sbg.model]
    chosen = bdw if better else sbg
    return Choice(chosen, [sbg, bdw], chosen.model in (Model.GEOMETRIC, Model.WEIBULL), errors)


def _bounded(counts: Counts, model: Model) -> Fit:
    """The fit, or that of its homogeneous twin at the boundary."""
    found = fit(counts, model)
    if found.alpha + found.beta <= HOMOGENEOUS:
        return found
    return fit(counts, Model.GEOMETRIC if model is Model.SBG else Model.WEIBULL)


def holdout_error(counts: Counts, model: Model) -> float:
    """Fitted on the first two thirds of the periods: mean absolute error of S over the rest, against what was seen."""
    known = max(FEWEST_PERIODS - 1, counts.periods - math.ceil(counts.periods / 3))
    if known >= counts.periods:
        return math.inf
    early = counts.first(known)
    if early.churners == 0:
        return math.inf
    actual = observed(counts)[known:]
    seen = np.isfinite(actual)
    if not seen.any():
        return math.inf
    told = fit(early, model).survival(np.arange(known + 1, counts.periods + 1))
    return float(np.abs(told - actual)[seen].mean())


def observed(counts: Counts) -> np.ndarray:
    """What was seen: Kaplan–Meier S(1), S(2) …; NaN where nobody was at risk any more."""
    risk = counts.at_risk
    step = np.where(risk > 0, 1 - counts.churned / np.maximum(risk, 1e-300), np.nan)
    return np.asarray(np.cumprod(step))


# --- what staying is worth -----------------------------------------------------------------------------------------


def del_(found: Fit, d: float) -> float:
    """DEL(d) = Σ_{t≥0} S(t)·δ^t: discounted payments of a new customer, the first one at once. sBG: ₂F₁(1, β; α+β; δ)."""
    _check_discount(d)
    delta = 1 / (1 + d)
    if found.model is Model.SBG:
        return float(special.hyp2f1(1, found.beta, found.alpha + found.beta, delta))
    if found.model is Model.GEOMETRIC:
        return 1 / (1 - found.beta * delta)
    return float(_series(found, d, 0))


def derl(found: Fit, d: float, n: int) -> float:
    """DERL(d | n): discounted payments still to come after `n` were made, valued just before renewal n.

    Σ_{t≥n} S(t)/S(n−1)·δ^(t−n); sBG: (β+n−1)/(α+β+n−1)·₂F₁(1, β+n; α+β+n; δ).
    """
    _check_discount(d)
    if n < 1:
        raise InvalidInput("A customer has made at least one payment", code="no_payment")
    delta = 1 / (1 + d)
    if found.model is Model.SBG:
        a, b = found.alpha, found.beta
        return float((b + n - 1) / (a + b + n - 1) * special.hyp2f1(1, b + n, a + b + n, delta))
    if found.model is Model.GEOMETRIC:
        return found.beta / (1 - found.beta * delta)
    return float(_series(found, d, n) / found.survival(n - 1))


def _series(found: Fit, d: float, first: int) -> float:
    """Σ_{t≥first} S(t)·δ^(t−first), until a term is below 1e-9 of a payment."""
    length = min(LONGEST, math.ceil(math.log(SERIES_END) / math.log(1 / (1 + d))))
    t = np.arange(length)
    return float((found.survival(first + t) * (1 / (1 + d)) ** t).sum())


def _check_discount(d: float) -> None:
    if not d > 0:
        raise InvalidInput("Give a discount rate above zero: without one the value may be infinite", code="no_discount")


def mean_retention_elasticity(found: Fit, d: float, n: int) -> float:
    """Mean of the customers' own elasticities of value by retention, E[1/(1 − rδ)] = ₂F₁(1, β+n−1; α+β+n−1; δ)."""
    return float(special.hyp2f1(1, found.beta + n - 1, found.alpha + found.beta + n - 1, 1 / (1 + d)))


def value_elasticity(found: Fit, d: float, n: int) -> float:
    """Elasticity of the whole base's value by all retention rates: value-weighted, above the mean of its customers' own."""
    length = min(LONGEST, math.ceil(math.log(SERIES_END * 1e-3) / math.log(1 / (1 + d))))
    t = np.arange(length)
    terms = found.survival(n + t) / found.survival(n - 1) * (1 / (1 + d)) ** t
    return float(((t + 1) * terms).sum() / terms.sum())


def per_unit(yearly: float, units_a_year: float) -> float:
    """The discount rate of one unit that compounds to a yearly one."""
    return float((1 + yearly) ** (1 / units_a_year) - 1)


def margin_multiple(retention: float, discount: float) -> float:
    """Gupta & Lehmann: r/(1 + i − r), constant retention, the first margin one period ahead."""
    return retention / (1 + discount - retention)


def contribution_less_marketing(
    contribution: float, marketing: float, retention: float, discount: float, periods: int
) -> float:
    """Berger & Nasr, case 1: GC·Σ_{i=0}^{n} r^i/(1+d)^i − M·Σ_{i=1}^{n} r^(i−1)/(1+d)^(i−½)."""
    i = np.arange(periods + 1)
    gained = contribution * (retention**i / (1 + discount) ** i).sum()
    spent = marketing * (retention ** (i[1:] - 1) / (1 + discount) ** (i[1:] - 0.5)).sum()
    return float(gained - spent)


def simple_ltv(arpa: float, churn: float, margin: float = 1.0) -> float | None:
    """ARPA × margin ÷ churn, as vendors print it; None at zero churn. A comparison, never the headline (metrics.md 4)."""
    return arpa * margin / churn if churn > 0 else None


# --- how sure it is ------------------------------------------------------------------------------------------------


def resampled(counts: Counts, found: Fit, draws: int, seed: int) -> list[Fit]:
    """Fits like `found` on customers drawn anew with replacement: a multinomial draw of the table of counts."""
    rng = np.random.default_rng(seed)
    cells = np.concatenate([counts.churned, counts.kept])
    total = int(cells.sum())
    if total == 0 or counts.churners == 0:
        return []
    fits: list[Fit] = []
    for drawn in rng.multinomial(total, cells / cells.sum(), size=draws):
        parts = drawn.astype(float)
        late = counts.late
        sample = Counts(parts[: counts.periods], parts[counts.periods :], late)
        if sample.churners:
            fits.append(fit(sample, found.model) if found.model is Model.GEOMETRIC else _fit_near(sample, found))
    return fits


def _fit_near(counts: Counts, found: Fit) -> Fit:
    """A fit that begins at one of the same customers, without the curvature: for draws of which only the spread counts."""
    model = found.model
    unpack, _ = _shape(model, counts)
    if model is Model.WEIBULL:
        start, bound = np.array([special.logit(found.beta), math.log(found.c)]), FARTHEST
    else:
        start = np.clip(np.log([found.alpha, found.beta, found.c][: found.parameters]), -NEAR, NEAR)
        bound = BOUND

    def loss(x: np.ndarray) -> float:
        if np.abs(x).max() > bound:  # a drawn sample at the boundary stays near it
            return 1e15
        value = -log_likelihood(counts, *unpack(x), model=model)
        return value if math.isfinite(value) else 1e15

    from scipy import optimize

    around = start + np.vstack([np.zeros(start.size), 0.05 * np.eye(start.size)])
    options = {"xatol": 1e-4, "fatol": 1e-5, "maxiter": 400, "initial_simplex": around}
    best = optimize.minimize(loss, start, method="Nelder-Mead", options=options)
    alpha, beta, c = unpack(best.x)
    return Fit(model, alpha, beta, c, -float(best.fun), counts.periods)


def interval(values: Sequence[float], share: float = 0.95) -> tuple[float, float] | None:
    """The middle `share` of drawn values."""
    known = np.asarray([value for value in values if math.isfinite(value)])
    if known.size < 20:
        return None
    low, high = np.percentile(known, [50 * (1 - share), 100 - 50 * (1 - share)])
    return float(low), float(high)
