"""How long customers stay: life tables, Kaplan–Meier, causes, log-rank tests (metrics.md section 6).

Subjects are counted, never listed: one row a (segment, entry, exit, cause) with `n` of them. Durations are whole units
(months of tenure, or renewals), an end at `t` means that the t-th unit was not completed into another one. A subject known
only from tenure `entry` on (an imported base) is at risk at t while `entry < t <= exit`. Ends come before censorings at ties.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl
from scipy import special  # scipy.stats would say the same and takes a second to load

from core.calc.arithmetic import sums_at

Z95 = 1.959963984540054
MIN_AT_RISK = 10  # below it a curve is noise and is not shown
CLOSE = 1_000  # whole numbers that lie within are counted without being sorted
SUBJECTS = {"entry": pl.Int64, "exit": pl.Int64, "cause": pl.String, "n": pl.Int64}  # cause null: still a customer


@dataclass(frozen=True)
class Test:
    """A test of equal curves: chi-square `statistic` on `df` degrees of freedom, probability `p` of one as large by chance."""

    statistic: float
    df: int
    p: float


def _subjects(subjects: pl.DataFrame) -> pl.LazyFrame:
    """With all columns of SUBJECTS: nobody says otherwise, each is one who is known from the beginning and still there."""
    usual = {"entry": 0, "cause": None, "n": 1}
    return subjects.lazy().with_columns(
        (pl.col(name) if name in subjects.columns else pl.lit(usual[name])).cast(dtype).alias(name)
        for name, dtype in SUBJECTS.items()
    )


def counted(subjects: pl.DataFrame, by: Sequence[str] = ()) -> pl.DataFrame:
    """Rows with equal entry, exit, cause and segment as one: SUBJECTS + `by`. In: exit [, entry, cause, n]."""
    alike = _subjects(subjects).group_by(*by, "entry", "exit", "cause").agg(pl.col("n").sum())
    return alike.collect(engine="streaming").sort(*by, "exit", "entry", "cause")


def life_table(subjects: pl.DataFrame, by: Sequence[str] = ()) -> pl.DataFrame:
    """Per segment and time at which anybody leaves: `at_risk`, `events`, `censored`; key by + `time`.

    Someone whose exit is not after their entry was never at risk and is left out.
    """
    return _flows(subjects, by).table()


@dataclass(frozen=True)
class _Flows:
    """Who leaves, for a cause (`events`) or not, and who is at risk, segment × time from `first` on; the segments in order."""

    names: pl.DataFrame
    first: int
    left: np.ndarray
    events: np.ndarray
    at_risk: np.ndarray

    def table(self, **more: np.ndarray) -> pl.DataFrame:
        """The life table, and more columns of the same shape whose NaN are null."""
        segment, place = np.nonzero(self.left)
        own = {name: self.names[name].gather(segment) for name in self.names.columns}
        counts = {"at_risk": self.at_risk, "events": self.events, "censored": self.left - self.events, **more}
        columns = {name: values[segment, place] for name, values in counts.items()}
        return pl.DataFrame({**own, "time": place + self.first, **columns}, nan_to_null=True)


def _flows(subjects: pl.DataFrame, by: Sequence[str]) -> _Flows:
    """Durations are small whole numbers, so all is counted by its place on the grid of segments and times."""
    some, names = _numbered(subjects, by)
    have = some.collect_schema().names()
    first, last = some.select(
        first=pl.col("entry").min() if "entry" in have else 0, last=pl.col("exit").max()
    ).collect().row(0)  # fmt: skip
    first, last = first or 0, last or 0
    segments, width = names.height or 1, max(last - first, 0) + 1
    entry = pl.col("entry") if "entry" in have else pl.lit(0)
    begin = pl.col("_number") * width - first
    rows = some.filter(pl.col("exit") > entry).select(
        *(["n"] if "n" in have else []), *([(begin + entry).alias("come")] if "entry" in have else []),
        out=(begin + pl.col("exit")) * 2 + pl.col("_gone"),
    ).collect(engine="streaming")  # fmt: skip
    n = rows["n"] if "n" in have else 1
    stays, events = sums_at(rows["out"], segments * width * 2, n).reshape(segments, width, 2).transpose(2, 0, 1)
    left = stays + events
    if "entry" in have:
        come = sums_at(rows["come"], segments * width, n).reshape(segments, width)
    else:
        come = np.zeros_like(left)
        come[:, 0] = left.sum(axis=1)
    # At risk at t: everybody who entered before t less everybody who left before t.
    stock = come - left
    return _Flows(names, first, left, events, stock.cumsum(axis=1) - stock)


def _numbered(subjects: pl.DataFrame, by: Sequence[str]) -> tuple[pl.LazyFrame, pl.DataFrame]:
    """The subjects, `_gone` or not, with the `_number` of their segment, and the segments in that order.

    A whole number is one already where they lie close together. Of anything else equal rows are counted first: few can be sorted.
    """
    cause = pl.col("cause") if "cause" in subjects.columns else pl.lit(None)
    gone = cause.is_not_null().alias("_gone")
    if not by:
        return subjects.lazy().with_columns(gone, _number=pl.lit(0, dtype=pl.Int64)), pl.DataFrame()
    column = subjects[by[0]]
    if len(by) == 1 and column.dtype.is_integer() and column.len() and not column.null_count():
        low, high = int(column.min()), int(column.max())  # type: ignore[arg-type]
        if high - low < CLOSE:
            own = pl.DataFrame({by[0]: range(low, high + 1)}, schema={by[0]: column.dtype})
            return subjects.lazy().with_columns(gone, _number=pl.col(by[0]).cast(pl.Int64) - low), own
    alike = _subjects(subjects).group_by(*by, "entry", "exit", gone).agg(pl.col("n").sum()).collect(engine="streaming")
    some = alike.sort(*by).with_columns(_number=pl.struct(by).rle_id().cast(pl.Int64))
    return some.lazy(), some.unique("_number", keep="first", maintain_order=True).select(by)


def kaplan_meier(subjects: pl.DataFrame, by: Sequence[str] = ()) -> pl.DataFrame:
    """The life table with `survival`, Greenwood's `se`, and the 95 % interval `low`, `high` on the log(−log) scale.

    S(t) = Π (1 − d/n); V = S² Σ d/(n(n−d)); interval S^exp(±z·√V/(S·ln S)).
    """
    flows = _flows(subjects, by)
    d, n = flows.events.astype(float), flows.at_risk.astype(float)
    with np.errstate(divide="ignore", invalid="ignore"):
        s = np.where(d > 0, 1 - d / n, 1.0).cumprod(axis=1)
        total = np.where(d > 0, d / (n * (n - d)), 0.0).cumsum(axis=1)
        width = np.where(s < 1, Z95 * np.sqrt(total) / np.log(s), 0.0)
        se, low, high = s * np.sqrt(total), s ** np.exp(-width), s ** np.exp(width)
    known = s > 0
    return flows.table(survival=s, **{
        name: np.where(known, values, np.nan) for name, values in (("se", se), ("low", low), ("high", high))
    })  # fmt: skip


def survival_at(curve: pl.DataFrame, times: Sequence[int]) -> list[float | None]:
    """S at each time; None past the last exposure: a curve is not drawn on."""
    known = curve.sort("time")
    if known.is_empty():
        return [None for _ in times]
    last = int(known["time"][-1])
    ends, values = known["time"].to_numpy(), known["survival"].to_numpy()
    at = np.searchsorted(ends, np.asarray(times), side="right") - 1
    return [
        None if time > last else (1.0 if place < 0 else float(values[place]))
        for time, place in zip(times, at, strict=True)
    ]


def median(curve: pl.DataFrame) -> int | None:
    """The first time at which half have left; None when not reached."""
    reached = curve.filter(pl.col("survival") <= 0.5)["time"]
    return int(reached.min()) if reached.len() else None  # type: ignore[arg-type]


def restricted_mean(curve: pl.DataFrame, horizon: int, discount: float = 0.0) -> float | None:
    """Σ_{k<horizon} S(k)·δ^k: units that a new customer stays within the horizon, the first one whole; δ = 1/(1 + discount).

    None when the curve does not reach that far.
    """
    values = survival_at(curve, range(horizon))
    if any(value is None for value in values):
        return None
    delta = 1 / (1 + discount)
    return float(sum((value or 0.0) * delta**k for k, value in enumerate(values)))


def hazards(subjects: pl.DataFrame, by: Sequence[str] = ()) -> pl.DataFrame:
    """Leaving by tenure: the life table with `hazard` = events ÷ at risk and its Wilson interval `low`, `high`."""
    table = life_table(subjects, by).filter(pl.col("at_risk") > 0)
    share = table.with_columns(hazard=pl.col("events") / pl.col("at_risk"))
    low, high = wilson(share["events"].to_numpy(), share["at_risk"].to_numpy())
    return share.with_columns(low=pl.Series(low), high=pl.Series(high))


def incidence(subjects: pl.DataFrame) -> pl.DataFrame:
    """Aalen–Johansen: per time and `cause` the share that has left for it; key time, cause. S + Σ shares = 1.

    F_j(t) = Σ S(t₋)·d_j/n: what 1 − Kaplan–Meier of a cause alone overstates, as others leave first.
    """
    some = counted(subjects).filter(pl.col("exit") > pl.col("entry"))
    curve = kaplan_meier(some)
    before = curve.select("time", "at_risk", "survival", _before=pl.col("survival").shift(1, fill_value=1.0))
    causes = some.filter(pl.col("cause").is_not_null()).group_by("cause", time="exit").agg(events=pl.col("n").sum())
    grid = before.join(causes.select("cause").unique(), how="cross").join(causes, on=["time", "cause"], how="left")
    parts = grid.sort("cause", "time").with_columns(
        _part=pl.col("_before") * pl.col("events").fill_null(0) / pl.col("at_risk")
    )
    return parts.with_columns(share=pl.col("_part").cum_sum().over("cause")).select(
        "time", "cause", "share", "survival"
    )


def log_rank(subjects: pl.DataFrame, group: str, strata: Sequence[str] = (), *, wilcoxon: bool = False) -> Test:
    """Do the groups leave at equal rates? Hypergeometric variance, df = groups − 1; `strata` sums O − E and V over strata.

    `wilcoxon` weighs each time by the number at risk (Gehan). Source: metrics.md section 6.
    """
    names = life_table(subjects, [group])[group].unique().sort()
    count = names.len()
    if count < 2:
        return Test(0.0, 0, 1.0)
    difference, variance = np.zeros(count), np.zeros((count, count))
    for _, observed, risk in events_and_risk(subjects, group, names, strata):
        d, n = observed.sum(axis=1), risk.sum(axis=1)
        weight = n if wilcoxon else np.ones_like(n)
        share = risk / n[:, None]
        difference += (weight[:, None] * (observed - d[:, None] * share)).sum(axis=0)
        factor = np.where(n > 1, weight**2 * d * (n - d) / np.maximum(n - 1, 1), 0.0)
        variance += np.diag((factor[:, None] * share).sum(axis=0)) - share.T @ (factor[:, None] * share)
    # One group is told by the others: the last row and column are left out.
    statistic = float(difference[:-1] @ np.linalg.pinv(variance[:-1, :-1]) @ difference[:-1])
    return Test(statistic, count - 1, float(special.chdtrc(count - 1, statistic)))


def events_and_risk(
    subjects: pl.DataFrame, group: str, names: pl.Series, strata: Sequence[str] = ()
) -> Iterator[tuple[np.ndarray, np.ndarray, np.ndarray]]:
    """Per stratum: the times at which anybody leaves, and who leaves and who is at risk then, time × group of `names`."""
    some = counted(subjects, [*strata, group]).filter(pl.col("exit") > pl.col("entry"))
    for part in some.partition_by(list(strata)) if strata else [some]:
        times = part.filter(pl.col("cause").is_not_null())["exit"].unique().sort().to_numpy()
        observed, risk = np.zeros((times.size, names.len())), np.zeros((times.size, names.len()))
        for place, name in enumerate(names):
            own = part.filter(pl.col(group) == name)
            weight = own["n"].to_numpy()
            entered = _cumulated(own["entry"].to_numpy(), weight, times)
            left = _cumulated(own["exit"].to_numpy(), weight, times)
            risk[:, place] = entered - left
            ended = own.filter(pl.col("cause").is_not_null())
            np.add.at(observed[:, place], np.searchsorted(times, ended["exit"].to_numpy()), ended["n"].to_numpy())
        yield times, observed, risk


def _cumulated(at: np.ndarray, weight: np.ndarray, times: np.ndarray) -> np.ndarray:
    """Σ weight of what lies before each time."""
    order = np.argsort(at, kind="stable")
    total = np.concatenate([[0], np.cumsum(weight[order])])
    return np.asarray(total[np.searchsorted(at[order], times, side="left")])


def wilson(events: np.ndarray, of: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The 95 % Wilson interval of a share; the whole of [0, 1] where nothing was seen."""
    n = np.maximum(np.asarray(of, dtype=float), 1.0)
    share = np.asarray(events, dtype=float) / n
    scale = 1 + Z95**2 / n
    middle = (share + Z95**2 / (2 * n)) / scale
    half = Z95 * np.sqrt(share * (1 - share) / n + Z95**2 / (4 * n**2)) / scale
    nothing = np.asarray(of) == 0
    return np.where(nothing, 0.0, np.clip(middle - half, 0, 1)), np.where(nothing, 1.0, np.clip(middle + half, 0, 1))


def poisson(events: int, exposure: float) -> tuple[float, float]:
    """The exact 95 % interval of a rate of `events` in `exposure`."""
    low = special.chdtri(2 * events, 0.975) / 2 if events else 0.0
    return float(low / exposure), float(special.chdtri(2 * events + 2, 0.025) / 2 / exposure)
