"""From MRR to what was invoiced: where a month's invoices differ from the MRR at its end, to the minor unit.

MRR at the month's end ± longer intervals ± part periods and changes + usage + one-offs + credits ± currency = net of the
documents of the month = what the ledger says. Amounts in minor units of the company's currency.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

import polars as pl
from sqlalchemy import case, func, select
from sqlalchemy.orm import Session

from core.calc import movements
from core.calc.billing.adjustments import ADJUSTMENT
from core.calc.billing.price_limits import LIMIT
from core.calc.movements import SUB, after_months, in_home
from core.calc.recurring import in_minor, monthly
from core.domain.ledger import Account
from core.domain.periods import Timing
from core.domain.plans import ChargeKind
from core.reports.mrr import Ledger
from core.store import load
from core.store.tables import (
    Customer,
    Document,
    DocumentLine,
    LedgerEntry,
    LedgerPosting,
    PriceVersion,
    Subscription,
    core_table,
)  # fmt: skip

LONGER, PARTS, USAGE, ONE_OFFS, CREDITS, CURRENCY = "longer", "parts", "usage", "one_offs", "credits", "currency"
BARS = (LONGER, PARTS, USAGE, ONE_OFFS, CREDITS, CURRENCY)
_LINES = {SUB: pl.Int64, "currency": pl.String, "issue_date": pl.Date, "part": pl.String, "net_minor": pl.Int64}


@dataclass(frozen=True)
class Bridge:
    """`bars`: BARS → amount; mrr_minor + Σ bars = invoiced_minor. `rows`: subscription_id, part, mrr_minor, billed_minor,
    difference_minor. `ties`: do lines and ledger agree in every currency? `coverage`: documents of the month at all?"""

    month: date
    currency: str
    mrr_minor: int
    bars: dict[str, int]
    invoiced_minor: int
    ties: bool
    rows: pl.DataFrame
    documents: int


def bridge(session: Session, ledger: Ledger, month: date, today: date) -> Bridge:
    """The bridge of a calendar month, the running one up to today."""
    end = min(after_months(month, 1) - timedelta(days=1), today)
    lines = _lines(session, month, end)
    home, rates = ledger.home, ledger.rates
    at_issue = in_home(pl.col("net_minor"), pl.col("issue_date"), rates, home, pl.col("currency"))
    at_end = in_home(pl.col("net_minor"), pl.lit(end), rates, home, pl.col("currency"))
    valued = lines.with_columns(home_minor=at_end, issued_minor=at_issue)
    worth = _worth(session, ledger, end)
    billed = valued.group_by(SUB, "part").agg(pl.col("home_minor").sum())
    both = pl.concat([
        billed.select(SUB, "part", billed="home_minor", mrr=pl.lit(0, dtype=pl.Int64)),
        worth.select(SUB, "part", billed=pl.lit(0, dtype=pl.Int64), mrr="mrr"),
    ]).group_by(SUB, "part").agg(pl.col("billed").sum(), twelfths=pl.col("mrr").sum())  # fmt: skip
    rows = both.with_columns(mrr_minor=in_minor(pl.col("twelfths"))).with_columns(
        difference_minor=pl.col("billed") - pl.col("mrr_minor")
    )  # fmt: skip
    balance = movements.balances(ledger.steps, [end], rates, home)["net_twelfths"][0]
    mrr_minor = monthly(balance)
    sums = dict(rows.group_by("part").agg(pl.col("difference_minor").sum()).iter_rows())
    bars = {name: int(sums.get(name, 0)) for name in BARS}
    invoiced = int(valued["issued_minor"].sum())
    bars[CURRENCY] = invoiced - int(valued["home_minor"].sum())
    # Each subscription's MRR was rounded for itself; what that leaves stands with the part periods.
    bars[PARTS] += invoiced - mrr_minor - sum(bars.values())
    named = rows.filter(pl.col("difference_minor") != 0).join(_names(session, rows[SUB]), on=SUB, how="left")
    shown = named.select(
        SUB, "external_id", "customer", "part", "mrr_minor", "difference_minor", billed_minor="billed"
    ).sort(pl.col("difference_minor").abs(), descending=True)
    return Bridge(
        month,
        home,
        mrr_minor,
        bars,
        invoiced,
        _ties(session, lines, month, end),
        shown,
        _documents(session, month, end),
    )


def _lines(session: Session, first: date, last: date, only: str = "") -> pl.DataFrame:
    """Net of the issued lines by subscription, day of issue and what they are; of one part only if it is named."""
    line, document, version = (core_table(model).c for model in (DocumentLine, Document, PriceVersion))
    credit = (line.corrects_id.is_not(None)) | (document.kind == "credit_note") | (
        (line.kind == ADJUSTMENT) & (line.net_minor < 0)
    )  # fmt: skip
    part = case(
        (credit, CREDITS), (line.kind == ChargeKind.USAGE.value, USAGE),
        ((line.kind == LIMIT) & (line.timing == Timing.ARREARS.value), USAGE),  # what usage adds to a limit
        (line.kind.in_([ChargeKind.ONE_OFF.value, ADJUSTMENT]), ONE_OFFS),
        ((version.interval_unit == "month") & (version.interval_count == 1), PARTS), else_=LONGER,
    ).label("part")  # fmt: skip
    statement = (
        select(
            line.subscription_id,
            document.currency,
            document.issue_date,
            part,
            func.sum(line.net_minor).label("net_minor"),
        )
        .join_from(core_table(DocumentLine), core_table(Document), document.id == line.document_id)
        .join(core_table(PriceVersion), version.id == line.price_version_id)
        .where(document.issue_date >= first, document.issue_date <= last)
        .group_by(line.subscription_id, document.currency, document.issue_date, part)
    )
    if only:
        statement = statement.where(part == only)
    return load.frame(session, statement, _LINES, many=True)


def _worth(session: Session, ledger: Ledger, end: date) -> pl.DataFrame:
    """MRR of each subscription at the end of a day at that day's rates: subscription_id, part (PARTS or LONGER), mrr."""
    past = ledger.steps.filter(pl.col("day") <= end)
    last = (
        past.sort(SUB, "day", maintain_order=True)
        .group_by(SUB, maintain_order=True)
        .last()
        .filter(pl.col("net_twelfths") != 0)
    )
    version = core_table(PriceVersion).c
    monthly = select(version.id).where(version.interval_unit == "month", version.interval_count == 1)
    ids = list(session.execute(monthly).scalars())
    value = in_home(pl.col("net_twelfths"), pl.lit(end), ledger.rates, ledger.home, pl.col("currency"))
    part = pl.when(pl.col("price_version_id").is_in(ids)).then(pl.lit(PARTS)).otherwise(pl.lit(LONGER))
    return last.select(SUB, part=part, mrr=value)


def _names(session: Session, ids: pl.Series) -> pl.DataFrame:
    subscription, customer = core_table(Subscription).c, core_table(Customer).c
    statement = (
        select(subscription.id.label(SUB), subscription.external_id, customer.external_id.label("customer"))
        .join_from(core_table(Subscription), core_table(Customer), customer.id == subscription.customer_id)
        .where(load.among(session, subscription.id, ids.unique()))
    )
    schema = {SUB: pl.Int64, "external_id": pl.String, "customer": pl.String}
    return load.frame(session, statement, schema, many=load.are_many(ids))


def _ties(session: Session, lines: pl.DataFrame, first: date, last: date) -> bool:
    """Do the ledger's revenue postings of the month say what the lines say, in every currency?"""
    entry, posting = core_table(LedgerEntry).c, core_table(LedgerPosting).c
    booked = session.execute(
        select(posting.currency, func.sum(posting.amount_minor))
        .join_from(core_table(LedgerPosting), core_table(LedgerEntry), entry.id == posting.entry_id)
        .where(entry.on_date >= first, entry.on_date <= last,
               posting.account.in_([Account.REVENUE.value, Account.REVENUE_EXEMPT.value]))
        .group_by(posting.currency)
    )  # fmt: skip
    said: dict[str, Any] = {currency: -int(amount) for currency, amount in booked if amount}
    summed = {
        currency: int(amount)
        for currency, amount in lines.group_by("currency").agg(pl.col("net_minor").sum()).iter_rows()
    }
    return said == {currency: amount for currency, amount in summed.items() if amount}


def _documents(session: Session, first: date, last: date) -> int:
    document = core_table(Document).c
    statement = select(func.count()).where(document.issue_date >= first, document.issue_date <= last)
    return int(session.execute(statement).scalar_one())


def usage_by_month(session: Session, ledger: Ledger, first: date, last: date) -> pl.DataFrame:
    """Metered revenue of a ledger's subscriptions by month of issue: month, usage_minor; credits of usage are left out."""
    own = ledger.steps.select(SUB, "currency").unique()
    used = _lines(session, first, last, USAGE).join(own, on=[SUB, "currency"], how="semi")
    value = in_home(pl.col("net_minor"), pl.col("issue_date"), ledger.rates, ledger.home, pl.col("currency"))
    return used.with_columns(home=value, month=pl.col("issue_date").dt.month_start()).group_by("month").agg(
        usage_minor=pl.col("home").sum()
    ).sort("month")  # fmt: skip
