"""The MRR ledger of the whole company: read once, then brought forward by what is recorded; every KPI is a sum over it.

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
from core.store.tables import CurrencyRate, CustomerVersion, Plan, Subscription, core_table

SUB, CUSTOMER = "subscription_id", "customer_id"
PEOPLE = {CUSTOMER: pl.Int64, "external_id": pl.String, "name": pl.String, "kind": pl.String, "country": pl.String,
          "channel": pl.String, "payment_option": pl.String}  # fmt: skip


@dataclass(frozen=True)
class Facts:
    """What the ledger follows from: frames.CHANGES, recurring.STRETCHES, the `lives` of subscriptions (subscription_id, begins_on,
    ends_on, cause), their `owners`, and PEOPLE as they are described on `day`.

    `change_id`, `version_id`: the newest change and customer version in it. `settled`: what changes everybody's worth when it
    changes: coupons, VAT.
    """

    changes: pl.DataFrame
    stretches: pl.DataFrame
    lives: pl.DataFrame
    owners: pl.DataFrame
    people: pl.DataFrame
    day: date
    change_id: int
    version_id: int
    settled: tuple[pl.DataFrame, pl.DataFrame]


@dataclass(frozen=True)
class Ledger:
    """All movements there are, those that are only planned too.

    `steps`: movements.STEPS. `log`: movements.LOG. `names`: plan_id → name. `missing`: currencies without a rate, which are
    left out.
    """

    home: str
    rates: pl.DataFrame
    steps: pl.DataFrame
    log: pl.DataFrame
    names: dict[int, str]
    missing: list[str]
    first_day: date | None
    people: pl.DataFrame
    facts: Facts


def ledger(
    session: Session, today: date, seen_change_id: int | None = None, former: Ledger | None = None
) -> Ledger:  # fmt: skip
    """The ledger by all facts, or by those that were known when `seen_change_id` was the last one.

    `former`: an earlier answer that is brought forward by what was recorded since; the result is the same.
    """
    known = _brought_forward(session, former.facts, today) if former is not None else None
    facts = known or _read(session, today, seen_change_id)
    home = home_currency(session, today)
    rates = currency_rates(session, home)
    ends = facts.lives.select(SUB, "ends_on", "cause")
    steps, missing = movements.convertible(movements.steps(facts.stretches, facts.owners, ends), rates, home)
    log = movements.log(steps, rates, home)
    plan = core_table(Plan).c
    names: dict[int, str] = {row[0]: row[1] for row in session.execute(select(plan.id, plan.name))}
    first = log["day"].min()
    return Ledger(
        home, rates, steps, log, names, missing, first if isinstance(first, date) else None, facts.people, facts
    )


def _read(session: Session, today: date, seen_change_id: int | None = None) -> Facts:
    """Everything, from the beginning."""
    changes = load.changes(session)
    if seen_change_id is not None:
        changes = changes.filter(pl.col("change_id") <= seen_change_id)
    owners = owners_of(session)
    stretches, lives = _lived(session, changes, owners, today)
    return Facts(
        changes, stretches, lives, owners, people_of(session, today), today, _newest(changes),
        _newest_version(session), _settled(session, changes, today),
    )  # fmt: skip


def _brought_forward(session: Session, former: Facts, today: date) -> Facts | None:
    """The former facts with what was recorded since; None when so much is new that reading all is as quick.

    Facts are only ever added, so a customer without a new one stays as they were.
    """
    new = load.changes(session, after_id=former.change_id)
    changes = pl.concat([former.changes, new]).sort(SUB, "effective_on", "change_id") if new.height else former.changes
    settled = _settled(session, changes, today)
    same = all(now.equals(then) for now, then in zip(settled, former.settled, strict=True))
    if former.day != today or not same or new.height > former.changes.height // 5:
        return None
    owners = owners_of(session) if new.height else former.owners
    touched = owners.join(new.select(SUB).unique(), on=SUB, how="semi")[CUSTOMER].unique()
    own = owners.filter(pl.col(CUSTOMER).is_in(touched.implode()))
    stretches, lives = former.stretches, former.lives
    if own.height:
        parts = _lived(session, changes.join(own, on=SUB, how="semi", maintain_order="left"), own, today)
        stretches, lives = (
            pl.concat([before.join(own, on=SUB, how="anti", maintain_order="left"), part])
            for before, part in zip((stretches, lives), parts, strict=True)
        )
    version = core_table(CustomerVersion).c
    described = (
        session.execute(select(version.customer_id).where(version.id > former.version_id).distinct()).scalars().all()
    )
    people = former.people
    if described:
        again = people_of(session, today, described)
        people = pl.concat([people.join(again, on=CUSTOMER, how="anti"), again]).sort(CUSTOMER)
    return Facts(
        changes, stretches.sort(SUB, "start"), lives, owners, people, today, max(former.change_id, _newest(new)),
        _newest_version(session), settled,
    )  # fmt: skip


def _lived(
    session: Session, changes: pl.DataFrame, owners: pl.DataFrame, today: date
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """STRETCHES and lives of the subscriptions of some customers."""
    lives = tl.lives(tl.live_changes(changes)).select(SUB, "begins_on", "ends_on", "cause")
    return stretches(session, changes, owners, today), lives


def _settled(session: Session, changes: pl.DataFrame, today: date) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Coupons, and the VAT that prices include."""
    return load.coupons(session), vat_eras(session, prices_of(session, changes), today)


def _newest(changes: pl.DataFrame) -> int:
    return int(changes.select(pl.col("change_id").max().fill_null(0)).item())


def _newest_version(session: Session) -> int:
    return int(session.execute(select(func.coalesce(func.max(core_table(CustomerVersion).c.id), 0))).scalar_one())


def prices_of(session: Session, changes: pl.DataFrame) -> frames.Prices:
    """Every price version that these changes name."""
    return load.prices(session, changes["price_version_id"].drop_nulls().unique())


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
    prices = prices_of(session, changes)
    return recurring.stretches(changes, prices, load.coupons(session), owners, vat_eras(session, prices, today))


def owners_of(session: Session, customer_ids: load.Ids = None) -> pl.DataFrame:
    """subscription_id, customer_id of all subscriptions, or of those of some customers."""
    table = core_table(Subscription).c
    statement = select(table.id.label(SUB), table.customer_id).where(
        load.among(session, table.customer_id, customer_ids)
    )
    return load.frame(session, statement, {SUB: pl.Int64, CUSTOMER: pl.Int64}, many=load.are_many(customer_ids))


def people_of(session: Session, today: date, ids: load.Ids = None) -> pl.DataFrame:
    """PEOPLE of all customers, or of some, as they are described on a day."""
    return load.customers(session, today, ids, PEOPLE)


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
    return frames.conform(pl.concat(parts), recurring.VAT).sort("vat_category", "valid_from") if parts else empty


def vat_on(session: Session, prices: frames.Prices, day: date) -> pl.DataFrame:
    """What domestic consumers pay on each category on a day: vat_category, rate_ppm."""
    eras = vat_eras(session, prices, day).filter(pl.col("valid_from") <= day).sort("valid_from")
    return eras.unique("vat_category", keep="last", maintain_order=True).select("vat_category", "rate_ppm")
