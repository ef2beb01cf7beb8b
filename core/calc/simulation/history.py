"""How customers reacted to price changes of the past: a difference in hazards between those whose bill changed and those whose did not.

Monthly chance of leaving with a complementary log-log link, so that coefficients are log hazard ratios:
`segment + tenure + calendar month + due + exposure·x + Σ β_b·x·1{months since the change in b} + ν·2^(−t/T½) + leads`.
Where all rises are alike, being told (ν) and the rise itself cannot be told apart by data: ν has the prior of the simulation.
Customers who are not renewed yet, keep their prices, or have other plans are the comparison; errors are clustered by customer.
Exposure and leads look ahead, so only changes that were planned beforehand may enter there: of others we know only those who stayed
until their day, and before it they could not have left.
Source: simulation.md section 5.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import polars as pl

from core.calc.simulation.response import Reaction

# Lives: a row a subscription. Months are counted from year 0 (year·12 + month − 1); `until` is the month in which it ended, or the
# first one that is not known; `left`: it ended because the customer wanted.
LIVES = {"subject_id": pl.Int64, "segment": pl.String, "since": pl.Int64, "until": pl.Int64, "left": pl.Boolean}
# Price changes that somebody lived through: x = log of the bill after ÷ before, with the same things bought. `planned`: the schedule
# is known, so those who left before their day have a row too.
RISES = {"subject_id": pl.Int64, "month": pl.Int64, "x": pl.Float64, "planned": pl.Boolean}
BINS = ((0, 2), (3, 5), (6, 11))  # months since the change; what lasts longer has a coefficient that is not reported
LEADS = (-3, -1)
TENURES = (3, 6, 12, 24)  # months at which a new band begins
BEFORE, AFTER = 6, 11  # months around the changes that are looked at
FEWEST_EXITS = 30
NOTICE_ERROR = 0.1  # of ν, whose hazard ratio lies between 1.03 and 1.43 in 9 of 10 cases


@dataclass(frozen=True)
class Estimate:
    """`kappa`: log-hazard elasticity of the bill, with its standard error. `bins`: (first month, last month, estimate, error) since the
    change. `notice`: (estimate, error). `lead`: the same of the three months before planned changes, None without such; far from zero
    it says that something else was going on. `exposed`, `compared`: subscriptions with and without a change; `exits`: how many left in the twelve months after one; `changes`: month of each change.
    """

    kappa: float
    error: float
    bins: tuple[tuple[int, int, float, float], ...]
    lead: tuple[float, float] | None
    notice: tuple[float, float]
    exposed: int
    compared: int
    exits: int
    changes: tuple[int, ...]

    @property
    def low(self) -> float:
        """The lower end of the 90 % interval."""
        return self.kappa - 1.6449 * self.error

    @property
    def high(self) -> float:
        """The upper end of the 90 % interval."""
        return self.kappa + 1.6449 * self.error

    def on_log_scale(self) -> tuple[float, float] | None:
        """Logarithm and its error, to be combined with a prior; None when history shows no reaction at all."""
        return (float(np.log(self.kappa)), self.error / self.kappa) if self.kappa > 0 else None


def estimate(lives: pl.DataFrame, rises: pl.DataFrame) -> Estimate | None:
    """The reaction that LIVES and RISES show; None with fewer than `FEWEST_EXITS` who left in the year after a change."""
    if rises.is_empty():
        return None
    rows = _person_months(lives, rises)
    exposed = rows.filter(pl.col("after") > 0)
    exits = int(exposed["left"].sum())
    if exits < FEWEST_EXITS:
        return None
    cells = rows.group_by(_KEY, maintain_order=True).agg(n=pl.len(), left=pl.col("left").sum()).with_row_index("cell")
    design, at = _design(cells)
    centre, prior = _priors(design.shape[1], at["after"])
    beta, information = _fit(design, (cells["n"].to_numpy(), cells["left"].to_numpy()), centre, prior)
    bread = np.linalg.inv(information)
    covariance = bread @ (_spread(design, beta, rows, cells) + np.diag(prior)) @ bread
    effects = [at[name] for name in _BINS]
    b, v = beta[effects], covariance[np.ix_(effects, effects)]
    d = np.array([_mean_decay(*months) for months in BINS])
    weight = np.linalg.solve(v, d)
    kappa, error = float(weight @ b / (weight @ d)), float((weight @ d) ** -0.5)

    def told(name: str) -> tuple[float, float]:
        return float(beta[at[name]]), float(np.sqrt(covariance[at[name], at[name]]))

    hit = exposed["subject_id"].n_unique()
    return Estimate(
        kappa, error,
        tuple((*months, *told(name)) for name, months in zip(_BINS, BINS, strict=True)),
        told("lead") if rises["planned"].any() else None, told("after"), hit, lives.height - hit, exits, tuple(rises["month"].unique().sort()),
    )  # fmt: skip


_BINS = tuple(f"bin{place}" for place in range(len(BINS)))
_EFFECTS = ("due", "exposure", "lead", "later", *_BINS, "after")
_KEY = ["segment", "tenure", "month", *_EFFECTS]


def _person_months(lives: pl.DataFrame, rises: pl.DataFrame) -> pl.DataFrame:
    """A row a subscription and month at risk near the changes: subject_id, left, and _KEY."""
    first, last = rises["month"].min(), rises["month"].max()
    assert isinstance(first, int)
    assert isinstance(last, int)
    rows = (
        lives.with_columns(_from=pl.max_horizontal("since", pl.lit(first - BEFORE)), _to=pl.min_horizontal("until", pl.lit(last + AFTER)))
        .filter(pl.col("_from") <= pl.col("_to"))
        .with_columns(month=pl.int_ranges("_from", pl.col("_to") + 1)).explode("month")
        .filter((pl.col("month") < pl.col("until")) | pl.col("left"))
        .with_columns(left=pl.col("left") & (pl.col("month") == pl.col("until")))
    )  # fmt: skip
    since = pl.col("month") - pl.col("changed")
    around = rows.select("subject_id", "month").join(rises.rename({"month": "changed"}), on="subject_id")

    def felt(low: int, high: int) -> pl.Expr:
        # A planned day looks ahead, the others count from their day on.
        known = since.is_between(low, high) & (pl.col("planned") | (since >= 0))
        return pl.col("x").filter(known).sum().round(2)

    fade = pl.lit(2.0).pow(-since / float(Reaction().half_life))
    steps = around.group_by("subject_id", "month").agg(
        due=pl.col("planned").any().cast(pl.Int8), exposure=pl.col("x").filter("planned").sum().round(2), lead=felt(*LEADS), later=felt(AFTER + 1, 10_000), after=pl.when(since.is_between(0, AFTER)).then(fade).otherwise(0.0).max(),
        **{name: felt(*months) for name, months in zip(_BINS, BINS, strict=True)},
    )  # fmt: skip
    tenure = pl.sum_horizontal((pl.col("month") - pl.col("since") >= edge).cast(pl.Int8) for edge in TENURES)
    return (
        rows.join(steps, on=["subject_id", "month"], how="left")
        .with_columns(pl.col(*_EFFECTS).fill_null(0))
        .with_columns(tenure=tenure)
        .select("subject_id", "left", *_KEY)
    )  # fmt: skip


def _design(cells: pl.DataFrame) -> tuple[np.ndarray, dict[str, int]]:
    """One column a coefficient, and where each named one stands."""
    columns: list[np.ndarray] = [np.ones(cells.height)]
    at: dict[str, int] = {}
    for name in ("segment", "tenure", "month"):
        values = cells[name].unique().sort()
        columns += [(cells[name] == value).cast(pl.Float64).to_numpy() for value in values[1:]]
    for name in _EFFECTS:
        at[name] = len(columns)
        columns.append(cells[name].cast(pl.Float64).to_numpy())
    return np.column_stack(columns), at


def _priors(size: int, told: int) -> tuple[np.ndarray, np.ndarray]:
    """Centre and precision: of being told; of the others a whiff (variance 100), so that a month without leavers stays finite."""
    centre, precision = np.zeros(size), np.full(size, 1e-2)
    precision[0] = 0.0
    centre[told], precision[told] = Reaction().notice, NOTICE_ERROR**-2
    return centre, precision


def _fit(
    design: np.ndarray, counts: tuple[np.ndarray, np.ndarray], centre: np.ndarray, prior: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Maximum likelihood with priors by scoring, from how many were there and left: coefficients, Fisher's information."""
    n, left = counts
    beta = np.zeros(prior.size)
    beta[0] = np.log(-np.log1p(-max(left.sum() / n.sum(), 1e-6)))
    information = np.eye(beta.size)
    for _ in range(60):
        u = np.exp(np.clip(design @ beta, -30, 5))
        stays = np.exp(-u)
        score = design.T @ (left * u * stays / (1 - stays) - (n - left) * u) - prior * (beta - centre)
        information = (design * (n * u * u * stays / (1 - stays))[:, None]).T @ design + np.diag(prior)
        step = np.linalg.solve(information, score)
        beta = beta + np.clip(step, -2, 2)
        if np.abs(step).max() < 1e-8:
            break
    return beta, information


def _spread(design: np.ndarray, beta: np.ndarray, rows: pl.DataFrame, cells: pl.DataFrame) -> np.ndarray:
    """Σ of squared scores by subject, so that errors are clustered by subject."""
    from scipy.sparse import csr_array

    u = np.exp(np.clip(design @ beta, -30, 5))
    stays = np.exp(-u)
    known = rows.join(cells.select("cell", *_KEY), on=_KEY, how="left", maintain_order="left")
    cell, left = known["cell"].to_numpy(), known["left"].to_numpy()
    residual = np.where(left, (u * stays / (1 - stays))[cell], -u[cell])
    subject = known["subject_id"].rank("dense").to_numpy().astype(np.int64) - 1
    summed = csr_array((residual, (subject, cell)), shape=(int(subject.max()) + 1, cells.height)) @ design
    return np.asarray(summed.T @ summed)


def _mean_decay(first: int, last: int) -> float:
    """Mean of d(t) = ρ + (1 − ρ)·2^(−t/T½) over the months of a bin, at the medians of ρ and T½."""
    usual = Reaction()
    months = np.arange(first, last + 1)
    return float(np.mean(usual.rho + (1 - usual.rho) * np.power(2.0, -months / usual.half_life)))
