"""The same year of invoices four other ways: DuckDB SQL, pandas, Decimal row by row, and one fused numba loop.

Each starts from the wide table and the usage of `company.py` and from the price lists as flat arrays; each makes a wide row
per invoice and month and adds it up. Nothing here is imported from `core/calc` but the compiled tiers of the price book.
"""

from collections.abc import Callable
from dataclasses import dataclass
from decimal import ROUND_CEILING, ROUND_HALF_UP, Decimal

import numpy as np
import polars as pl

from core.calc.kernel import scaled_rows
from core.calc.pricebook import compile_book
from tests.benchmarks.company import CHARGES_EACH, MONTHS, NEXT, Company

OUT = ["fixed", "seat", "addon", "usage", "discount", "tax_standard", "tax_food", "net", "gross"]
DAYS = [(end - start).days for start, end in zip(MONTHS, NEXT, strict=True)]
BIG = 2**62


@dataclass(frozen=True)
class Lists:
    """Price lists as arrays by version − 1: prices in minor units a unit, included micro units; usage tiers flat."""

    fee: np.ndarray
    seat: np.ndarray
    addon: np.ndarray  # (versions × 3)
    included: np.ndarray
    start: np.ndarray  # first tier of each version, and one more
    first: np.ndarray
    slope: np.ndarray
    intercept: np.ndarray
    size: np.ndarray
    divisor: int


def lists(base: Company) -> Lists:
    """The arrays of the company's price book."""
    book = compile_book(*base.prices)
    scaled = scaled_rows(book, 1)
    unit = [0] * len(book.components)
    for row, slope, intercept in zip(book.rows, scaled.slope, scaled.intercept, strict=True):
        unit[row.component] = (intercept + slope * 10**6) // scaled.divisor
    prices = np.array(unit, dtype=np.int64).reshape(-1, CHARGES_EACH)
    usage = [place for place, row in enumerate(book.rows) if row.component % CHARGES_EACH == 2]
    owner = np.array([book.rows[place].component // CHARGES_EACH for place in usage])
    pick = lambda values: np.array([values[place] for place in usage], dtype=np.int64)  # noqa: E731
    return Lists(
        prices[:, 0].copy(), prices[:, 1].copy(), prices[:, 3:].copy(),
        np.array([part.included for part in book.components], dtype=np.int64)[2::CHARGES_EACH].copy(),
        np.searchsorted(owner, np.arange(len(prices) + 1)), pick(scaled.first), pick(scaled.slope),
        pick(scaled.intercept), pick([row.size for row in book.rows]), scaled.divisor,
    )  # fmt: skip


def columns(base: Company) -> dict[str, np.ndarray]:
    """The wide table as arrays."""
    return {name: base.wide[name].cast(pl.Int64).to_numpy().copy() for name in base.wide.columns}


# --- numba ----------------------------------------------------------------------------------------------------------


def numba_run(base: Company) -> Callable[[], dict[str, int]]:
    """One fused loop a month on one thread; the rows of a month go to one buffer that is used again."""
    from numba import njit

    at, price = columns(base), lists(base)
    rows = np.empty((len(OUT), len(base.wide)), dtype=np.int64)

    @njit
    def month(  # noqa: PLR0917
        number, days, q, version, seats, after, when, day, a1, a2, a3, ppm, standard, food, fee, seat, addon,
              included, start, first, slope, intercept, size, divisor, out):  # fmt: skip
        total = np.zeros(out.shape[0], np.int64)
        for i in range(len(q)):
            v = version[i] - 1
            fixed, second = fee[v], 0
            count = seats[i] if when[i] == 0 or number <= when[i] else after[i]
            sat = count * seat[v]
            if when[i] == number:
                left = days - day[i] + 1
                second = (after[i] * seat[v] * left + days // 2) // days
                sat -= (sat * left + days // 2) // days
            one, two, three = a1[i] * addon[v, 0], a2[i] * addon[v, 1], a3[i] * addon[v, 2]
            whole = fixed + sat + second + one + two + three
            off = (whole * ppm[i] + 500_000) // 1_000_000
            share = 0
            if off > 0 and three > 0:
                odd = off * three % whole
                rest, rank = off, 0
                for weight in (fixed, sat, second, one, two):
                    rest -= off * weight // whole
                    rank += off * weight % whole >= odd
                share = off * three // whole
                share += rank < rest - share
            units = max(q[i] - included[v], 0)
            t = start[v]
            while t + 1 < start[v + 1] and units >= first[t + 1]:
                t += 1
            n = units if size[t] == 0 else (units + size[t] - 1) // size[t]
            used = (intercept[t] + slope[t] * n + divisor // 2) // divisor
            less = (used * ppm[i] + 500_000) // 1_000_000
            low = three - share
            high = whole - off - low + used - less
            tax_high = (high * standard[i] + 500_000) // 1_000_000
            tax_low = (low * food[i] + 500_000) // 1_000_000
            values = (fixed, sat + second, one + two + three, used, off + less, tax_high, tax_low, high + low,
                      high + low + tax_high + tax_low)  # fmt: skip
            for k in range(len(values)):
                out[k, i] = values[k]
                total[k] += values[k]
        return total

    names = ("version", "seats", "seats_after", "change_month", "change_day", "a1", "a2", "a3", "coupon_ppm",
             "standard_ppm", "food_ppm")  # fmt: skip
    wide = [at[name] for name in names]

    def run() -> dict[str, int]:
        total = np.zeros(len(OUT), dtype=np.int64)
        for number, (days, used) in enumerate(zip(DAYS, base.usage, strict=False), 1):
            total += month(number, days, used, *wide, price.fee, price.seat, price.addon, price.included, price.start,
                           price.first, price.slope, price.intercept, price.size, price.divisor, rows)  # fmt: skip
        return dict(zip(OUT, total.tolist(), strict=True))

    return run


# --- pandas ---------------------------------------------------------------------------------------------------------


def pandas_run(base: Company) -> Callable[[], dict[str, int]]:
    """Whole columns a month; tiers by binary search of a composite key."""
    import pandas as pd

    table, price = pd.DataFrame(columns(base)), lists(base)
    owner = np.repeat(np.arange(len(price.fee)), np.diff(price.start))
    keys = (owner << 44) + price.first

    def month(number: int, days: int, used: np.ndarray) -> pd.DataFrame:
        frame = table.copy(deep=False)
        v = frame["version"].to_numpy() - 1
        moved = frame["change_month"] == number
        begun = (frame["change_month"] == 0) | (number <= frame["change_month"])
        sat = frame["seats"].where(begun, frame["seats_after"]) * price.seat[v]
        left = days - frame["change_day"] + 1
        second = ((frame["seats_after"] * price.seat[v] * left + days // 2) // days).where(moved, 0)
        sat = sat - ((sat * left + days // 2) // days).where(moved, 0)
        addons = [frame[f"a{n + 1}"] * price.addon[v, n] for n in range(3)]
        fixed = pd.Series(price.fee[v])
        whole = fixed + sat + second + addons[0] + addons[1] + addons[2]
        off = (whole * frame["coupon_ppm"] + 500_000) // 1_000_000
        share = pd.Series(np.zeros(len(frame), dtype=np.int64))
        both = ((off > 0) & (addons[2] > 0)).to_numpy().nonzero()[0]
        weights = [part.to_numpy()[both] for part in (fixed, sat, second, addons[0], addons[1], addons[2])]
        total, base_minor = off.to_numpy()[both], whole.to_numpy()[both]
        floors = [total * weight // base_minor for weight in weights]
        odds = [total * weight % base_minor for weight in weights]
        rank = sum((odd >= odds[-1]).astype(np.int64) for odd in odds[:-1])
        share.iloc[both] = floors[-1] + (rank < total - sum(floors))
        units = np.maximum(used - price.included[v], 0)
        tier = np.searchsorted(keys, (v << 44) + units, side="right") - 1
        size = price.size[tier]
        n = np.where(size == 0, units, (units + size - 1) // np.maximum(size, 1))
        usage = pd.Series((price.intercept[tier] + price.slope[tier] * n + price.divisor // 2) // price.divisor)
        less = (usage * frame["coupon_ppm"] + 500_000) // 1_000_000
        low = addons[2] - share
        high = whole - off - low + usage - less
        tax_high = (high * frame["standard_ppm"] + 500_000) // 1_000_000
        tax_low = (low * frame["food_ppm"] + 500_000) // 1_000_000
        made = (fixed, sat + second, addons[0] + addons[1] + addons[2], usage, off + less, tax_high, tax_low, high + low,
                high + low + tax_high + tax_low)  # fmt: skip
        return pd.DataFrame(dict(zip(OUT, made, strict=True)))

    def run() -> dict[str, int]:
        sums = [month(number, DAYS[number - 1], used).sum() for number, used in enumerate(base.usage, 1)]
        return {name: int(sum(one[name] for one in sums)) for name in OUT}

    return run


# --- DuckDB ---------------------------------------------------------------------------------------------------------

MONTH_SQL = """
CREATE OR REPLACE TEMP TABLE month AS
WITH priced AS (
  SELECT s.*, v.fee AS fixed, greatest(s.u{number} - v.included, 0) AS units,
    CASE WHEN change_month = 0 OR {number} <= change_month THEN seats ELSE seats_after END * v.seat AS sat_whole,
    CASE WHEN change_month = {number} THEN (seats_after * v.seat * ({days} - change_day + 1) + {half}) // {days} ELSE 0 END
      AS second,
    a1 * v.addon1 AS one, a2 * v.addon2 AS two, a3 * v.addon3 AS three
  FROM subscription s JOIN version v USING (version)),
seated AS (
  SELECT *, sat_whole - CASE WHEN change_month = {number}
    THEN (sat_whole * ({days} - change_day + 1) + {half}) // {days} ELSE 0 END AS sat
  FROM priced),
summed AS (SELECT *, fixed + sat + second + one + two + three AS whole FROM seated),
cut AS (SELECT *, (whole * coupon_ppm + 500000) // 1000000 AS off FROM summed),
shared AS (
  SELECT *, CASE WHEN off > 0 AND three > 0 THEN off * three // whole + CASE WHEN
      (off * fixed % whole >= off * three % whole)::INT + (off * sat % whole >= off * three % whole)::INT
      + (off * second % whole >= off * three % whole)::INT + (off * one % whole >= off * three % whole)::INT
      + (off * two % whole >= off * three % whole)::INT
      < off - off * fixed // whole - off * sat // whole - off * second // whole - off * one // whole
        - off * two // whole - off * three // whole
    THEN 1 ELSE 0 END ELSE 0 END AS share
  FROM cut),
rated AS (
  SELECT s.*, (t.intercept + t.slope * CASE WHEN t.size = 0 THEN units ELSE (units + t.size - 1) // t.size END
    + {divisor} // 2) // {divisor} AS usage
  FROM shared s JOIN tier t ON t.version = s.version AND s.units >= t.first AND s.units < t.beyond),
netted AS (
  SELECT *, (usage * coupon_ppm + 500000) // 1000000 AS less, three - share AS low FROM rated),
charged AS (SELECT *, whole - off - low + usage - less AS high FROM netted),
taxed AS (
  SELECT *, (high * standard_ppm + 500000) // 1000000 AS tax_standard, (low * food_ppm + 500000) // 1000000 AS tax_food
  FROM charged)
SELECT subscription_id, fixed, sat + second AS seat, one + two + three AS addon, usage, off + less AS discount,
  tax_standard, tax_food, high + low AS net, high + low + tax_standard + tax_food AS gross
FROM taxed
"""


def duckdb_run(base: Company) -> Callable[[], dict[str, int]]:
    """A query a month over tables that are loaded beforehand; usage stands beside the subscription, so nothing joins it."""
    import duckdb

    price = lists(base)
    connection = duckdb.connect(config={"threads": 2})
    named = {f"u{number}": used for number, used in enumerate(base.usage, 1)}
    subscription = base.wide.with_columns(pl.Series(name, used) for name, used in named.items()).to_arrow()  # noqa: F841
    version = pl.DataFrame(  # noqa: F841
        {"version": np.arange(1, len(price.fee) + 1), "fee": price.fee, "seat": price.seat, "included": price.included,
         **{f"addon{n + 1}": price.addon[:, n] for n in range(3)}}
    ).to_arrow()  # fmt: skip
    owner = np.repeat(np.arange(1, len(price.fee) + 1), np.diff(price.start))
    beyond = np.where(np.append(owner[1:] != owner[:-1], True), BIG, np.append(price.first[1:], BIG))
    tier = pl.DataFrame(  # noqa: F841
        {"version": owner, "first": price.first, "beyond": beyond, "slope": price.slope, "intercept": price.intercept,
         "size": price.size}
    ).to_arrow()  # fmt: skip
    for name in ("subscription", "version", "tier"):
        connection.execute(f"CREATE TABLE {name}_stored AS SELECT * FROM {name}")
        connection.execute(f"CREATE VIEW {name} AS SELECT * FROM {name}_stored")

    def run() -> dict[str, int]:
        total = dict.fromkeys(OUT, 0)
        for number in range(1, len(base.usage) + 1):
            days = DAYS[number - 1]
            connection.execute(MONTH_SQL.format(number=number, days=days, half=days // 2, divisor=price.divisor))
            sums = connection.execute(f"SELECT {', '.join(f'sum({name})' for name in OUT)} FROM month").fetchall()[0]
            total = {name: total[name] + int(value) for name, value in zip(OUT, sums, strict=True)}
        return total

    return run


# --- Decimal --------------------------------------------------------------------------------------------------------


def decimal_run(base: Company, sample: int) -> Callable[[], dict[str, int]]:
    """Row by row from the price lists as people write them, tier by tier, for the first so many subscriptions."""
    prices = _plain_prices(base)
    rows = base.wide.head(sample).to_dicts()

    def run() -> dict[str, int]:
        total = dict.fromkeys(OUT, 0)
        for number, used in enumerate(base.usage, 1):
            for row, quantity in zip(rows, used[:sample].tolist(), strict=True):
                for name, value in _invoice(prices[row["version"]], row, number, Decimal(quantity) / 10**6).items():
                    total[name] += value
        return total

    return run


def _plain_prices(base: Company) -> dict[int, list]:
    """Per version its charges in order, each with its tiers as Decimals."""
    _, charges, tiers = base.prices
    by_charge: dict[int, list] = {}
    for row in tiers.to_dicts():
        values = [None if row[name] is None else Decimal(row[name])
                  for name in ("up_to", "unit_amount", "flat_amount", "package_size")]  # fmt: skip
        by_charge.setdefault(row["charge_id"], []).append(values)
    found: dict[int, list] = {}
    for row in charges.to_dicts():
        terms = (row["model"], Decimal(row["included_units"]), by_charge[row["charge_id"]])
        found.setdefault(row["price_version_id"], []).append(terms)
    return found


def _invoice(prices: list, row: dict, number: int, quantity: Decimal) -> dict[str, int]:
    """One invoice of one month."""
    cost = lambda place, units: _cost(*prices[place], Decimal(units))  # noqa: E731
    days, changed = DAYS[number - 1], row["change_month"]
    seats = row["seats"] if not changed or number <= changed else row["seats_after"]
    lines = [cost(0, 1), cost(1, seats), 0, *(cost(2 + n, row[f"a{n}"]) if row[f"a{n}"] else 0 for n in (1, 2, 3))]
    if changed == number:
        left = Decimal(days - row["change_day"] + 1)
        lines[1] -= _round(lines[1] * left / days)
        lines[2] = _round(cost(1, row["seats_after"]) * left / days)
    used, rate = cost(2, quantity), Decimal(row["coupon_ppm"]) / 10**6
    off, less = _round(sum(lines) * rate), _round(used * rate)
    low = lines[5] - _last_share(off, lines)
    high = sum(lines) - off - low + used - less
    tax_high = _round(high * Decimal(row["standard_ppm"]) / 10**6)
    tax_low = _round(low * Decimal(row["food_ppm"]) / 10**6)
    values = (lines[0], lines[1] + lines[2], sum(lines[3:]), used, off + less, tax_high, tax_low, high + low,
              high + low + tax_high + tax_low)  # fmt: skip
    return dict(zip(OUT, values, strict=True))


def _last_share(total: int, weights: list[int]) -> int:
    """The last line's part of a total spread by largest remainder."""
    if not total or not weights[-1]:
        return 0
    parts = [divmod(total * weight, sum(weights)) for weight in weights]
    left = total - sum(whole for whole, _ in parts)
    order = sorted(range(len(parts)), key=lambda n: (-parts[n][1], n))
    return parts[-1][0] + (order.index(len(parts) - 1) < left)


def _cost(model: str, included: Decimal, tiers: list, quantity: Decimal) -> int:
    """Minor units of a quantity, by the words of the price list."""
    units = max(quantity - included, Decimal(0))
    below = amount = Decimal(0)
    for place, (up_to, unit, flat, size) in enumerate(tiers):
        inside = up_to is None or units <= up_to
        if model == "graduated":
            if place == 0 or units > below:
                amount += (min(units, up_to or units) - below) * unit + flat
        elif inside:
            amount = ((units / size).to_integral_value(ROUND_CEILING) if size else units) * unit + flat
        if inside:
            break
        below = up_to
    return _round(amount * 100)


def _round(amount: Decimal) -> int:
    return int(amount.quantize(Decimal(1), rounding=ROUND_HALF_UP))
