"""How customers react to another bill: leaving, changing plan, coming (simulation.md section 2). All of it is assumption until
it is estimated from own history.

Months count from the first day of the horizon. Month 0 is billed in full; whoever leaves, leaves at a month's end. Bills are
monthly equivalents before VAT in any unit. Expected values in closed form: no dice are thrown for customers.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, fields, replace

import numpy as np

CLASSES = np.array([0.25, 1.0, 2.5])  # sensitivity of a customer, by share below; mean 1
SHARES = np.array([0.4, 0.4, 0.2])


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
    may change to, one column a plan, NaN where there is none.
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
    fade = np.power(2.0, -np.maximum(since, 0) / r.half_life)
    lasting = r.rho + (1 - r.rho) * fade
    felt = np.maximum(x, 0) + r.cuts * np.minimum(x, 0)
    return np.asarray(r.kappa * sensitivity * felt * lasting + np.where(told, r.notice * fade, 0.0))


def mean_hazard_ratio(x: float, r: Reaction | None = None, since: float = 0.0) -> float:
    """The mean hazard ratio over the classes of sensitivity for a customer who was told."""
    known = r or Reaction()
    return float((SHARES * np.exp(log_hazard_ratio(np.array(x), np.array(since), CLASSES, True, known))).sum())


def tilted(hazard: np.ndarray | float, log_ratio: np.ndarray | float) -> np.ndarray:
    """h′ = 1 − (1 − h)^HR: never negative, never above 1; ratios multiply."""
    return np.asarray(-np.expm1(np.exp(np.minimum(log_ratio, 300.0)) * np.log1p(-np.minimum(hazard, 1 - 1e-12))))


def project(cells: Cells, r: Reaction, months: int, *, changed: bool = True) -> Path:
    """Expected customers and revenue of today's base over the months; without the change when not `changed`."""
    r = _columned(r)
    ratio = np.divide(cells.after, cells.before, out=np.ones_like(cells.after, dtype=float), where=cells.before > 0)
    x = np.where(changed & (cells.before > 0) & (cells.after > 0), np.log(np.maximum(ratio, 1e-9)), 0.0)
    moves = changed & (cells.before != cells.after)
    told = cells.told & moves
    chance = tilted(cells.hazard, r.hazard_shift)
    if not moves.any() and not (changed and np.any(r.spill_over)):
        return _unmoved(cells, chance, r, months)
    stay = (
        cells.n
        * SHARES[:, None]
        * np.ones_like(np.broadcast_to(r.kappa * 0.0, np.broadcast_shapes(np.shape(r.kappa), (1, 1))))[..., :1, :1]
    )
    stay = np.array(np.broadcast_to(stay, (*stay.shape[:-2], SHARES.size, cells.n.size)))
    gone_over = np.zeros_like(stay)  # customers on another plan
    over_bill = np.zeros(stay.shape)  # what those are billed in all
    rows: list[tuple[np.ndarray, ...]] = []
    picked, picked_bill = _choice(cells, r) if changed else (np.zeros_like(cells.after), cells.after)
    whole_term = _of_a_term(chance, cells)
    for month in range(months):
        charged = np.where(moves & (month >= cells.start), cells.after, cells.before)
        revenue = (stay * charged).sum(axis=(-2, -1)) + over_bill.sum(axis=(-2, -1))
        begin, over = stay.sum(axis=(-2, -1)), gone_over.sum(axis=(-2, -1))
        due = (month + 1 - cells.renewal) % cells.term == 0
        # The decision at a month's end is about the months that follow it: a term is renewed at the coming bill.
        since = np.where(cells.term > 1, month + 1 - cells.start, month - cells.start)
        felt = moves & (since >= 0)
        log_ratio = np.where(felt, log_hazard_ratio(x, since, CLASSES[:, None], told, r), 0.0)
        beside = changed & ~moves
        log_ratio = log_ratio + np.where(beside, r.spill_over, 0.0)
        leave = np.where(due, tilted(whole_term, log_ratio), 0.0)
        base_leave = np.where(due, whole_term, 0.0)
        churned = stay * leave
        left_over = gone_over * base_leave
        stay = stay - churned
        looks = np.where(
            felt,
            r.attention
            + np.where(told, r.attention_after_notice, 0.0) * np.power(2.0, -np.maximum(since, 0) / r.half_life),
            0.0,
        )
        switching = stay * np.where(due, looks, 0.0) * picked
        stay = stay - switching
        over_bill = over_bill * (1 - base_leave) + switching * picked_bill
        gone_over = gone_over - left_over + switching
        rows.append((begin, over, (churned + left_over).sum(axis=(-2, -1)), switching.sum(axis=(-2, -1)), revenue))
    return Path(*(np.stack(column, axis=-1) for column in zip(*rows, strict=True)))


def _of_a_term(chance: np.ndarray, cells: Cells) -> np.ndarray:
    """The chance of leaving at the end of a whole term."""
    return np.asarray(-np.expm1(cells.term * np.log1p(-np.minimum(chance, 1 - 1e-12))))


def _unmoved(cells: Cells, chance: np.ndarray, r: Reaction, months: int) -> Path:
    """Nothing changes for anybody: customers leave as they do, whatever their sensitivity."""
    chance = chance[..., 0, :] if chance.ndim > 1 else chance
    whole_term = _of_a_term(chance, cells)
    stay = np.array(
        np.broadcast_to(cells.n, np.broadcast_shapes((*np.shape(r.kappa)[:1], 1), whole_term.shape)), dtype=float
    )
    if not np.ndim(r.kappa):
        stay = stay.reshape(-1)
    rows: list[tuple[np.ndarray, ...]] = []
    for month in range(months):
        churned = stay * np.where((month + 1 - cells.renewal) % cells.term == 0, whole_term, 0.0)
        rows.append((stay.sum(axis=-1), churned.sum(axis=-1), (stay * cells.before).sum(axis=-1)))
        stay = stay - churned
    on_plan, left, revenue = (np.stack(column, axis=-1) for column in zip(*rows, strict=True))
    return Path(on_plan, np.zeros_like(on_plan), left, np.zeros_like(on_plan), revenue)


def _columned(r: Reaction) -> Reaction:
    """Arrays of draws broadcast against class × cell."""
    return Reaction(**{f.name: _wide(getattr(r, f.name)) for f in fields(r)})


def _wide(value: float | np.ndarray) -> float | np.ndarray:
    return value[:, None, None] if isinstance(value, np.ndarray) else value


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
