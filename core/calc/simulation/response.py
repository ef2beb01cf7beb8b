"""How customers react to another bill: leaving, changing plan, coming (simulation.md section 2). All of it is assumption until
it is estimated from own history.

Months count from the first day of the horizon. Month 0 is billed in full; whoever leaves, leaves at a month's end. Bills are
monthly equivalents before VAT in any unit. Expected values in closed form: no dice are thrown for customers.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from functools import cached_property
from typing import Any

import numpy as np

CLASSES = np.array([0.25, 1.0, 2.5])  # sensitivity of a customer, by share below; mean 1
SHARES = np.array([0.4, 0.4, 0.2])
BLOCK = 1 << 16  # numbers in an array of `project`


@dataclass(frozen=True)
class Reaction:
    """The numbers of the reaction. Each may be an array with one value a draw.

    `kappa`: log-hazard elasticity of the bill; `rho`: the share of the effect that lasts; `half_life`: months in which the rest
    halves; `notice`: log hazard ratio of being told of a change; `cuts`: how much a fall counts beside a rise; `acquisition`:
    elasticity of new customers by price; `choice`, `inertia`: how sharply, and from what saving on, a customer who looks changes
    plan; `usage_elasticity`: elasticity of usage by the price of one more unit; `attention`, `attention_after_notice`: the share that looks in a month; `spill_over`: log hazard ratio of those whose
    price stays while others' rises; `hazard_shift`: what the base hazard's own uncertainty adds to its logarithm.
    """

    kappa: float | np.ndarray = 2.5
    rho: float | np.ndarray = 0.30
    half_life: float | np.ndarray = 3.0
    notice: float | np.ndarray = 0.09531017980432493  # ln 1.10
    cuts: float | np.ndarray = 0.5
    acquisition: float | np.ndarray = -1.0
    choice: float | np.ndarray = 10.0
    inertia: float | np.ndarray = 0.13
    attention: float | np.ndarray = 0.01
    attention_after_notice: float | np.ndarray = 0.09
    usage_elasticity: float | np.ndarray = 0.0
    spill_over: float | np.ndarray = 0.0
    hazard_shift: float | np.ndarray = 0.0

    def off(self) -> Reaction:
        """Nobody reacts to anything."""
        return replace(
            self,
            kappa=0.0,
            notice=0.0,
            acquisition=0.0,
            attention=0.0,
            attention_after_notice=0.0,
            usage_elasticity=0.0,
            spill_over=0.0,
        )


@dataclass(frozen=True)
class Cells:
    """Customers who are alike, one array entry a cell.

    `n`; `before`, `after`: the bill of one of them without and with the change; `hazard`: monthly chance of leaving as it is;
    `start`: month of the first changed bill (beyond the horizon: never); `term`: months between two chances to leave, `renewal`:
    the month at whose beginning the next term begins; `told`: is anybody told of a change; `others`: bills of the plans that they
    may change to, one column a plan, NaN where there is none. `ratio`: the logarithm of the change that is felt where many cells are
    to feel the same; None: that of their own bills.
    """

    n: np.ndarray
    before: np.ndarray
    after: np.ndarray
    hazard: np.ndarray
    start: np.ndarray
    term: np.ndarray
    renewal: np.ndarray
    told: np.ndarray
    others: np.ndarray
    ratio: np.ndarray | None = None

    @cached_property
    def x(self) -> np.ndarray:
        """Logarithm of the bill with the change ÷ without; 0 where either is nothing."""
        if self.ratio is not None:
            return self.ratio
        pays = (self.before > 0) & (self.after > 0)
        return np.asarray(np.log(np.divide(self.after, self.before, out=np.ones(self.n.size), where=pays)))

    @cached_property
    def alike(self) -> tuple[np.ndarray, np.ndarray]:
        """Cells that differ in number, hazard and bill only feel the same: the first of each such group, and the group of each cell."""
        return _groups(self.x, self.before != self.after, self.told, self.start, self.term, self.renewal)

    @cached_property
    def fates(self) -> tuple[np.ndarray, np.ndarray]:
        """Cells that feel the same and have the same hazard stay alike: the first of each such group, and the group of each cell."""
        return _groups(self.alike[1], self.hazard)

    @cached_property
    def as_they_are(self) -> Cells:
        """All of them without the change: then whoever has the same hazard and term leaves alike, whatever the bill."""
        first, group = _groups(self.hazard, self.term, self.renewal)
        n = np.bincount(group, self.n)
        bill = np.divide(np.bincount(group, self.n * self.before), n, out=np.zeros(n.size), where=n > 0)
        here = self.of_some(first)
        return replace(here, n=n, before=bill, after=bill, others=here.others[:, :0], ratio=None)

    def of_some(self, chosen: np.ndarray) -> Cells:
        """Some of the cells."""
        columns = {f.name: getattr(self, f.name) for f in fields(self)}
        some: dict[str, Any] = {name: None if each is None else each[chosen] for name, each in columns.items()}
        return Cells(**some)

    @staticmethod
    def of(before: float, after: float, hazard: float, n: float = 1.0, *, start: int = 0, told: bool = True) -> Cells:
        """One cell of monthly customers without another plan to go to."""
        one = np.array([1])
        return Cells(
            one * n,
            one * before,
            one * after,
            one * hazard,
            one * start,
            one,
            one * 0,
            np.array([told]),
            np.full((1, 0), np.nan),
        )


def _groups(*columns: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The first of each group of cells that are equal in all columns, and the group of each cell."""
    _, first, group = np.unique(np.column_stack(columns), axis=0, return_index=True, return_inverse=True)
    return first, group.reshape(-1)


@dataclass(frozen=True)
class Path:
    """Expected customers at the beginning of each month, by months in rows: `on_plan`, `moved` (to another plan), `churned` and
    `switched` in the month, `revenue` billed in it. Leading axes are those of the draws."""

    on_plan: np.ndarray
    moved: np.ndarray
    churned: np.ndarray
    switched: np.ndarray
    revenue: np.ndarray

    @property
    def customers(self) -> np.ndarray:
        """Those there at the beginning of each month."""
        return np.asarray(self.on_plan + self.moved)


def log_hazard_ratio(
    x: np.ndarray, since: np.ndarray, sensitivity: np.ndarray | float, told: np.ndarray | bool, r: Reaction
) -> np.ndarray:
    """κ·m·[x⁺ + λ·x⁻]·d(t) + ν·2^(−t/T½), d(t) = ρ + (1 − ρ)·2^(−t/T½); nothing where the bill stays and nobody is told."""
    effect, notice = _effects(x, since, told, r)
    return np.asarray(sensitivity * effect + notice)


def _effects(x: np.ndarray, since: np.ndarray, told: np.ndarray | bool, r: Reaction) -> tuple[np.ndarray, np.ndarray]:
    """The two parts of the log hazard ratio: of the other bill at a sensitivity of 1, and of being told."""
    fade = np.exp2(-np.maximum(since, 0) / r.half_life)
    felt = np.maximum(x, 0) + r.cuts * np.minimum(x, 0)
    return r.kappa * felt * (r.rho + (1 - r.rho) * fade), np.where(told, r.notice * fade, 0.0)


def mean_hazard_ratio(x: float, r: Reaction | None = None, since: float = 0.0) -> float:
    """The mean hazard ratio over the classes of sensitivity for a customer who was told."""
    known = r or Reaction()
    return float((SHARES * np.exp(log_hazard_ratio(np.array(x), np.array(since), CLASSES, True, known))).sum())


def tilted(hazard: np.ndarray | float, log_ratio: np.ndarray | float) -> np.ndarray:
    """h′ = 1 − (1 − h)^HR: never negative, never above 1; ratios multiply."""
    return np.asarray(-np.expm1(np.exp(np.minimum(log_ratio, 300.0)) * np.log1p(-np.minimum(hazard, 1 - 1e-12))))


def project(cells: Cells, r: Reaction, months: int, *, changed: bool = True) -> Path:
    """Expected customers and revenue of today's base over the months; without the change when not `changed`."""
    numbers = [np.atleast_1d(getattr(r, f.name)) for f in fields(r)]
    draws = max(value.size for value in numbers)
    columns = [np.broadcast_to(value, draws)[:, None] for value in numbers]
    cells = cells if changed else cells.as_they_are
    # So many draws at once as leave every array in the processor's cache.
    block = max(1, BLOCK // max(cells.n.size * months, 1))
    parts = [
        _projected(cells, Reaction(*(column[at : at + block] for column in columns)), months, changed)
        for at in range(0, draws, block)
    ]
    whole = (np.concatenate(column, axis=1).T for column in zip(*parts, strict=True))
    single = all(np.ndim(getattr(r, f.name)) == 0 for f in fields(r))
    return Path(*(column[0] if single else column for column in whole))


def _projected(cells: Cells, r: Reaction, months: int, changed: bool) -> tuple[np.ndarray, ...]:
    """The columns of a Path for some draws, month × draw. Arrays within are month × draw × cell."""
    month = np.arange(months)[:, None, None]
    moves = changed & (cells.before != cells.after)
    charged = cells.n * np.where(moves & (month >= cells.start), cells.after, cells.before)
    (first, group), (own, fate) = cells.alike, cells.fates
    # Logarithm of the chance to stay after a term as it is; the hazard ratios of all terms so far multiply it.
    a_term = np.exp(r.hazard_shift) * (cells.term * np.log1p(-np.minimum(cells.hazard, 1 - 1e-12)))[own]
    ratios, looks = _felt(cells.of_some(first), r, month, changed)
    # The share of each fate that is on the plan at the beginning of each month, and at the end of the last; then of each cell.
    there = np.zeros((months + 1, *a_term.shape))
    there[0] = 1.0
    for share, ratio in ratios:
        part = np.take(ratio, group[own], axis=-1)  # rows as they lie in memory, unlike ratio[..., group]
        part *= a_term
        np.exp(part, out=part)
        part *= share
        there[1:] += part
    there = np.take(there, fate, axis=-1)
    stays = there[1:]
    out = np.flatnonzero(moves & np.isfinite(cells.others).any(axis=1))
    if not out.size:
        on_plan, none = there @ cells.n, np.zeros(stays.shape[:2])
        return on_plan[:-1], none, -np.diff(on_plan, axis=0), none, _billed(there, charged)
    beside, none = cells.of_some(out), np.zeros((1, stays.shape[1], out.size))
    picked, bill = _choice(beside, r)
    switches = np.take(looks, group[out], axis=-1) * picked
    kept = np.concatenate([np.ones_like(none), np.cumprod(1 - switches, axis=0)])
    switched = beside.n * np.take(stays, out, axis=-1) * kept[:-1] * switches  # whoever leaves does not look any more
    there[..., out] *= kept
    leaves = np.where(
        (month + 1 - beside.renewal) % beside.term == 0, -np.expm1(np.take(a_term, fate[out], axis=-1)), 0.0
    )
    over = np.concatenate([none, switched])
    for at in range(months):
        over[at + 1] += over[at] * (1 - leaves[at])
    on_plan, over = there @ cells.n, over[:-1]
    moved_on = switched.sum(axis=-1)
    churned = -np.diff(on_plan, axis=0) - moved_on + (over * leaves).sum(axis=-1)
    revenue = _billed(there, charged) + (over * bill).sum(axis=-1)
    return on_plan[:-1], over.sum(axis=-1), churned, moved_on, revenue


def _billed(there: np.ndarray, charged: np.ndarray) -> np.ndarray:
    """What is billed to those who are there at the beginning of each month: month × draw."""
    return np.asarray(np.matmul(there[:-1], charged.swapaxes(1, 2))[..., 0])


def _felt(
    cells: Cells, r: Reaction, month: np.ndarray, changed: bool
) -> tuple[list[tuple[float, np.ndarray]], np.ndarray]:
    """What customers feel who are told of the same change at the same time, whatever their hazard and their bill.

    For each class of sensitivity its share and the sum of the hazard ratios of all terms that have ended by the end of a month (one
    class where nothing changes), and the share of those still there that then looks at other plans: month × draw × cell.
    """
    moves = changed & (cells.before != cells.after)
    due = (month + 1 - cells.renewal) % cells.term == 0
    unrest = np.where(changed & ~moves, r.spill_over, 0.0)
    if not moves.any():
        return [(1.0, np.cumsum(due * np.exp(unrest), axis=0))], np.zeros((1, 1, 1))
    # The decision at a month's end is about the months that follow it: a term is renewed at the coming bill.
    since = month + (cells.term > 1) - cells.start
    felt = moves & (since >= 0)
    effect, notice = _effects(np.where(felt, cells.x, 0.0), since, felt & cells.told, r)
    ratios = []
    for share, sensitivity in zip(SHARES, CLASSES, strict=True):
        ratio = due * np.exp(np.minimum(sensitivity * effect + (notice + unrest), 300.0))
        for at in range(1, len(ratio)):  # a third of the time of np.cumsum, which is slow along the first axis
            ratio[at] += ratio[at - 1]
        ratios.append((share, ratio))
    after_notice = r.attention_after_notice * np.exp2(-np.maximum(since, 0) / r.half_life)
    return ratios, np.where(felt & due, r.attention + np.where(cells.told, after_notice, 0.0), 0.0)


def _choice(cells: Cells, r: Reaction) -> tuple[np.ndarray, np.ndarray]:
    """The chance that someone who looks changes plan, and the bill they then expect: logit over savings s_j, own plan at 0.

    V_j = α(s_j − τ), s_j = 1 − b_j/B1; only cheaper plans count. Whoever is here has stayed at the old bill, whatever the others
    cost: what counts is what the change adds, P(moves now | stayed before) = 1 − (1 + ΣeV₀)/(1 + ΣeV₁). So a change of nothing
    moves nobody, and it is the plain logit for whom there was nothing cheaper before (own derivation; simulation.md 2.2).
    """
    if cells.others.shape[1] == 0:
        return np.zeros_like(cells.after, dtype=float), cells.after
    before, _ = _weights(cells, cells.before, r)
    total, bill = _weights(cells, cells.after, r)
    chance = np.maximum(1 - (1 + before) / (1 + total), 0.0)
    usual = np.broadcast_to(cells.after, np.shape(chance)).astype(float).copy()
    return chance, np.divide(bill, total, out=usual, where=total > 0)


def _weights(cells: Cells, own: np.ndarray, r: Reaction) -> tuple[np.ndarray, np.ndarray]:
    """ΣeV of the plans that are cheaper than the own bill, and their bills weighted by it."""
    total = bill = np.zeros(np.broadcast_shapes(np.shape(r.choice), np.shape(r.inertia), own.shape))
    for column in cells.others.T:
        saving = 1 - np.divide(column, own, out=np.ones_like(column), where=own > 0)
        offered = np.isfinite(column) & (column < own)
        weight = np.where(
            offered, np.exp(np.minimum(r.choice * (np.where(offered, saving, 0.0) - r.inertia), 50.0)), 0.0
        )
        total = total + weight
        bill = bill + weight * np.where(offered, column, 0.0)
    return total, bill


def leavers_of_hundred(rise: float, hazard: float, months: int = 12, r: Reaction | None = None) -> float:
    """In plain words: how many more of 100 leave within the months for a rise of the bill by a share."""
    cell = Cells.of(1.0, 1 + rise, hazard, 100.0)
    known = r or Reaction()
    lost = [project(cell, known, months, changed=changed).churned.sum() for changed in (True, False)]
    return float(lost[0] - lost[1])


def newcomers(before: float, price_before: float, price_after: float, elasticity: float | np.ndarray) -> np.ndarray:
    """A1 = A0·(P1/P0)^η."""
    known = price_before > 0 and price_after > 0
    return np.asarray(before * np.power(price_after / price_before if known else 1.0, elasticity))


def combined(prior: tuple[float, float], own: tuple[float, float]) -> tuple[float, float]:
    """Prior and own estimate of a positive number on the log scale, by precision: (log of its median, standard error)."""
    weights = [1 / error**2 for _, error in (prior, own)]
    mean = sum(weight * value for weight, (value, _) in zip(weights, (prior, own), strict=True)) / sum(weights)
    return mean, sum(weights) ** -0.5


def implied_kappa(hazard_ratio: float, price_before: float, price_after: float) -> float:
    """The elasticity that a seen hazard ratio implies when the price alone made it."""
    return math.log(hazard_ratio) / math.log(price_after / price_before)


def chance_noise(n: Sequence[float], chance: Sequence[float]) -> tuple[float, float]:
    """Mean and standard deviation of how many leave by chance alone: Σ n·p, √Σ n·p(1 − p)."""
    counts, p = np.asarray(n, dtype=float), np.asarray(chance, dtype=float)
    return float((counts * p).sum()), float(np.sqrt((counts * p * (1 - p)).sum()))
