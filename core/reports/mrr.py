"""The MRR ledger of the whole company: read once for a data revision, and every KPI is a sum over it.

Amounts are twelfths of a minor unit of the company's currency (`calc/recurring.py`, `calc/movements.py`).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from decimal import Decimal

import polars as pl
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from core import frames
from core.calc import movements, recurring
from core.calc import timeline as tl
from core.calc.billing.tax import treatments
from core.domain.errors import Conflict
from core.domain.subscriptions import CustomerKind
from core.store import billing, load
from core.store.tables import CurrencyRate, Plan, Subscription, core_table

SUB, CUSTOMER = "subscription_id", "customer_id"
PEOPLE = {CUSTOMER: pl.Int64, "external_id": pl.String, "name": pl.String, "kind": pl.String, "country": pl.String,
          "channel": pl.String, "payment_option": pl.String}  # fmt: skip


@dataclass(frozen=True)
class Ledger:
    """All movements there are, those that are only planned too.

    `steps`: movements.STEPS. `log`: movements.LOG. `people`: PEOPLE, the customers as they are described today. `names`:
    plan_id → name. `missing`: currencies without a rate, which are left out.
    """

    home: str
    rates: pl.DataFrame
    steps: pl.DataFrame
    log: pl.DataFrame
    people: pl.DataFrame
    names: dict[int, str]
    missing: list[str]
    first_day: date | None


def ledger(session: Session, today: date, seen_change_id: int | None = None) -> Ledger:
    """The ledger by all facts, or by those that were known when `seen_change_id` was the last one."""
    home = home_currency(session, today)
    changes = load.changes(session)
    if seen_change_id is not None:
        changes = changes.filter(pl.col("change_id") <= seen_change_id)
    owners, rates = owners_of(session), currency_rates(session, home)
    known = stretches(session, changes, owners, today)
    life = tl.lives(tl.live_changes(changes)).select(SUB, "ends_on", "cause")
    steps, missing = movements.convertible(movements.steps(known, owners, life), rates, home)
    log = movements.log(steps, rates, home)
    plan = core_table(Plan).c
    names: dict[int, str] = {row[0]: row[1] for row in session.execute(select(plan.id, plan.name))}
    first = log["day"].min()
    return Ledger(
        home, rates, steps, log, people_of(session, today), names, missing, first if isinstance(first, date) else None,
    )  # fmt: skip


def home_currency(session: Session, today: date) -> str:
    """The company's currency; before there is a company, that of most subscriptions."""
    try:
        return str(billing.company_profile(session, today).currency)
    except Conflict:
        table = core_table(Subscription).c
        most = select(table.currency).group_by(table.currency).order_by(func.count().desc(), table.currency).limit(1)
        return session.execute(most).scalar() or "NOK"


def stretches(session: Session, changes: pl.DataFrame, owners: pl.DataFrame, today: date) -> pl.DataFrame:
    """recurring.STRETCHES by these CHANGES."""
    prices = load.prices(session, changes["price_version_id"].drop_nulls().unique())
    return recurring.stretches(changes, prices, load.coupons(session), owners, vat_eras(session, prices, today))


def owners_of(session: Session) -> pl.DataFrame:
    """subscription_id, customer_id of all subscriptions."""
    table = core_table(Subscription).c
    statement = select(table.id.label(SUB), table.customer_id)
    return load.frame(session, statement, {SUB: pl.Int64, CUSTOMER: pl.Int64})


def people_of(session: Session, today: date) -> pl.DataFrame:
    """PEOPLE of all customers, as they are described on a day."""
    return load.customers(session, today).select(list(PEOPLE))


def currency_rates(session: Session, home: str) -> pl.DataFrame:
    """frames.CURRENCY_RATES, of rates for the same day the last one entered."""
    table = core_table(CurrencyRate).c
    rows = session.execute(
        select(table.currency, table.on_date, table.rate).where(table.currency != home).order_by(table.id)
    )
    dated = {(code, day): int(Decimal(rate) * frames.CURRENCY_RATE_SCALE) for code, day, rate in rows}
    listed = [(code, day, rate) for (code, day), rate in sorted(dated.items())]
    return pl.DataFrame(listed, schema=dict(frames.CURRENCY_RATES), orient="row")


def vat_eras(session: Session, prices: frames.Prices, today: date) -> pl.DataFrame:
    """recurring.VAT: what domestic consumers pay on each category, from every day on which a rate began."""
    empty = pl.DataFrame(schema=recurring.VAT)
    if not prices.versions["tax_inclusive"].any():
        return empty
    try:
        seller = billing.company_profile(session, today)
    except Conflict:
        return empty
    rules = billing.vat_rules(session, seller.country)
    buyers = prices.charges.select(
        customer_kind=pl.lit(CustomerKind.CONSUMER.value), country=pl.lit(seller.country), has_vat_number=pl.lit(False),
        category="vat_category",
    ).unique()  # fmt: skip
    found = treatments(buyers, rules)
    parts = []
    for day in rules["valid_from"].unique().sort():
        valid = (pl.col("valid_from") <= day) & (pl.col("valid_to").is_null() | (pl.col("valid_to") > day))
        best = found.filter(valid).sort("weight", "valid_from", descending=True).unique("category", keep="first")
        parts.append(best.select("rate_ppm", vat_category="category", valid_from=pl.lit(day)))
    return frames.conform(pl.concat(parts), recurring.VAT) if parts else empty


def vat_on(session: Session, prices: frames.Prices, day: date) -> pl.DataFrame:
    """What domestic consumers pay on each category on a day: vat_category, rate_ppm."""
    eras = vat_eras(session, prices, day).filter(pl.col("valid_from") <= day).sort("valid_from")
    return eras.unique("vat_category", keep="last", maintain_order=True).select("vat_category", "rate_ppm")
