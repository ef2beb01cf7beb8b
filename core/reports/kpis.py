"""The KPIs of a range of months, for the whole company or a segment of it. One definition each: core/GLOSSARY.md.

Everything is a sum over the ledger (`mrr.py`); amounts leave here in minor units, rounded once. A month's figures stand at
its end, the running month's at the end of today.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from datetime import date, timedelta
from typing import Any

import polars as pl

from core.calc import movements, retention
from core.calc.movements import CUSTOMER, KINDS, after_months, months_between
from core.calc.recurring import in_minor
from core.calc.survival import poisson
from core.reports.mrr import Ledger

DAY = timedelta(days=1)
DEFINITIONS = "1"  # raised when a definition changes, so that frozen figures say what they meant
AMOUNTS = ("opening", *KINDS, "fx", "closing", "list_mrr")


@dataclass(frozen=True)
class Filters:
    """A segment: of each attribute any of the named values, none named = all. Customers by what they are today."""

    plans: tuple[int, ...] = ()
    kinds: tuple[str, ...] = ()
    countries: tuple[str, ...] = ()
    channels: tuple[str, ...] = ()
    payment_options: tuple[str, ...] = ()
    currency: str = ""

    @property
    def people(self) -> dict[str, tuple[str, ...]]:
        """Column of mrr.PEOPLE → wanted values."""
        wanted = {
            "kind": self.kinds,
            "country": self.countries,
            "channel": self.channels,
            "payment_option": self.payment_options,
        }
        return {name: values for name, values in wanted.items() if values}


def segment(ledger: Ledger, filters: Filters) -> Ledger:
    """The ledger of a segment. With a currency its amounts are in that currency, unconverted; a plan's customers move in and out."""
    steps, log, people = ledger.steps, ledger.log, ledger.people
    for name, values in filters.people.items():
        people = people.filter(pl.col(name).is_in(list(values)))
    if filters.people:
        steps = steps.join(people.select(CUSTOMER), on=CUSTOMER, how="semi", maintain_order="left")
        log = log.join(people.select(CUSTOMER), on=CUSTOMER, how="semi", maintain_order="left")
    home, rates = ledger.home, ledger.rates
    if filters.currency:
        steps = steps.filter(pl.col("currency") == filters.currency)
        home, rates = filters.currency, rates.clear()
    if filters.plans:
        steps = movements.within(steps, list(filters.plans))
    if filters.currency or filters.plans:
        log = movements.moved(movements.log(steps, rates, home), log)
    return replace(ledger, steps=steps, log=log, people=people, home=home, rates=rates)


@dataclass(frozen=True)
class Figures:
    """`months`: a row a month: month, AMOUNTS (minor units), customers_at_start, …_customers, customers_at_end, arpa_minor, asp_minor,
    customer_churn, churn_low, churn_high, gross_mrr_churn, net_mrr_churn, quick_ratio (of the month), nrr, grr (of the twelve
    months that end with it; null before). `last_complete`: the last month that is over.
    """

    currency: str
    months: pl.DataFrame
    last_complete: date | None

    def since(self, month: date) -> pl.DataFrame:
        """The months from this one on."""
        return self.months.filter(pl.col("month") >= month)

    def row(self, month: date) -> dict[str, Any] | None:
        """A month's figures."""
        found = self.months.filter(pl.col("month") == month)
        return found.row(0, named=True) if found.height else None


def figures(ledger: Ledger, filters: Filters, first: date, today: date) -> Figures:
    """The figures of the months from that of `first` to that of today."""
    part = segment(ledger, filters)
    months = months_between(first, today)
    log = part.log.filter(pl.col("day") <= today)
    ends = [min(after_months(month, 1) - DAY, today) for month in months]
    balance = movements.balances(part.steps, [months[0] - DAY, *ends], part.rates, part.home)
    table = movements.monthly_table(log, balance, months).with_columns(
        list_mrr=balance["list_twelfths"].slice(1, len(months))
    )
    rates = pl.DataFrame(
        [_rates(log, month, end, part.first_day) for month, end in zip(months, ends, strict=True)], schema=_RATES
    )
    minor = closing_in_minor(table).with_columns(in_minor(pl.col("list_mrr")))
    complete = [month for month in months if after_months(month, 1) <= today]
    # A customer's mean is what the month ends with, so that it times the customers is the MRR beside it.
    mean = pl.when(pl.col("customers_at_end") > 0).then((pl.col("closing") / pl.col("customers_at_end")).round(0))
    whole = minor.hstack(rates).with_columns(arpa_minor=mean.cast(pl.Int64))
    return Figures(part.home, whole, complete[-1] if complete else None)


_RATES = {
    "customer_churn": pl.Float64, "churn_low": pl.Float64, "churn_high": pl.Float64, "gross_mrr_churn": pl.Float64,
    "net_mrr_churn": pl.Float64, "quick_ratio": pl.Float64, "asp_minor": pl.Int64,
    "nrr": pl.Float64, "grr": pl.Float64, "logo_retention": pl.Float64,
}  # fmt: skip


def _rates(log: pl.DataFrame, month: date, end: date, first_day: date | None) -> dict[str, Any]:
    """The month's own rates, and retention over the twelve months that end with it."""
    here = asdict(retention.rates(log, month - DAY, end))
    before = after_months(month, -11) - DAY
    year = asdict(retention.rates(log, before, end)) if first_day and before >= first_day else {}
    kept = {
        name: here[name]
        for name in ("customer_churn", "churn_low", "churn_high", "gross_mrr_churn", "net_mrr_churn", "quick_ratio")
    }
    asp = {"asp_minor": None if here["asp"] is None else round(here["asp"] / 12)}
    return {**kept, **asp, **{name: year.get(name) for name in ("nrr", "grr", "logo_retention")}}


def closing_in_minor(table: pl.DataFrame) -> pl.DataFrame:
    """Twelfths as minor units so that opening + movements + fx = closing still holds: running sums are rounded, then told apart."""
    running = pl.col("opening")
    rounded = [in_minor(running)]
    for name in (*KINDS, "fx"):
        running = running + pl.col(name)
        rounded.append(in_minor(running))
    steps = {name: after - before for name, before, after in zip((*KINDS, "fx"), rounded, rounded[1:], strict=False)}
    return table.with_columns(opening=rounded[0], closing=rounded[-1], **steps)


def members(ledger: Ledger, filters: Filters, first: date, last: date, kinds: tuple[str, ...] = ()) -> pl.DataFrame:
    """The customers behind movements of `[first, last]`: customer_id, external_id, name, day, kind, cause, delta_minor,
    before_minor, after_minor; the largest first."""
    part = segment(ledger, filters)
    inside = part.log.filter((pl.col("day") >= first) & (pl.col("day") <= last))
    if kinds:
        inside = inside.filter(pl.col("kind").is_in(list(kinds)))
    named = inside.join(part.people.select(CUSTOMER, "external_id", "name"), on=CUSTOMER, how="left")
    return named.select(
        CUSTOMER, "external_id", "name", "day", "kind", "cause",
        *(in_minor(pl.col(name)).alias(f"{name}_minor") for name in ("delta", "before", "after")),
    ).sort(pl.col("delta_minor").abs(), descending=True)  # fmt: skip


def exposed(ledger: Ledger, filters: Filters, first: date, today: date) -> dict[str, Any]:
    """Churn by exposure from the month of `first` to the last whole one: churned, customer_months, hazard, low, high a month."""
    months = [month for month in months_between(first, today) if after_months(month, 1) <= today]
    rows = retention.exposure(segment(ledger, filters).log, months)
    churned, exposure = int(rows["churned"].sum()), float(rows["customer_months"].sum())
    low, high = poisson(churned, exposure) if exposure > 0 else (None, None)
    hazard = churned / exposure if exposure > 0 else None
    return {"churned": churned, "customer_months": exposure, "hazard": hazard, "low": low, "high": high}


def planned(ledger: Ledger, filters: Filters, today: date) -> pl.DataFrame:
    """What is known of the days to come: `members` after today; churn among it is the scheduled churn."""
    return members(ledger, filters, today + DAY, date(2199, 1, 1))


def by_plan(ledger: Ledger, filters: Filters, first: date, last: date) -> pl.DataFrame:
    """Movements of `[first, last]` plan by plan: plan_id, plan, opening, KINDS, closing (minor), customers at the end.

    Within a plan opening + movements + fx = closing; moved in and out are customers that stay with the company. The last row
    (plan_id null) is all of them together; a customer of two plans counts there once.
    """
    part = segment(ledger, replace(filters, plans=()))
    split = movements.by_plan(part.steps)
    log = movements.log(split, part.rates, part.home)
    pairs = split.select(CUSTOMER, "whose", "plan_id").unique()
    named = movements.moved(log.join(pairs, on=CUSTOMER, how="left", maintain_order="left"), part.log)
    rows = []
    for plan_id, name in sorted(part.names.items()):
        own, steps = named.filter(pl.col("plan_id") == plan_id), split.filter(pl.col("plan_id") == plan_id)
        if steps.is_empty() or (filters.plans and plan_id not in filters.plans):
            continue
        ends = movements.balances(steps, [first - DAY, last], part.rates, part.home)["net_twelfths"].to_list()
        inside = own.filter((pl.col("day") >= first) & (pl.col("day") <= last))
        flows = dict(inside.group_by("kind").agg(pl.col("delta").sum()).iter_rows())
        amounts = {kind: flows.get(kind, 0) for kind in KINDS}
        rows.append({
            "plan_id": plan_id, "plan": name, "opening": ends[0], **amounts, "fx": ends[1] - ends[0] - sum(amounts.values()),
            "closing": ends[1], "customers": int(movements.customers_on(own, [last])[0]),
        })  # fmt: skip
    if rows:
        sums = {name: sum(row[name] for row in rows) for name in ("opening", *KINDS, "fx", "closing")}
        everybody = int(movements.customers_on(segment(ledger, filters).log, [last])[0])
        rows.append({"plan_id": None, "plan": "", **sums, "customers": everybody})
    schema = {
        "plan_id": pl.Int64,
        "plan": pl.String,
        **dict.fromkeys(("opening", *KINDS, "fx", "closing"), pl.Int64),
        "customers": pl.Int64,
    }
    found = pl.DataFrame(rows, schema=schema)
    return closing_in_minor(found)
