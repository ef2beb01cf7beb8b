"""Do the books hold? Every rule that must be true of what is stored, checked from the rows themselves.

`check(session)` answers findings as data: code, subject, message. An empty list means that no period is billed twice or
missing, no number is missing, totals tie, the ledger balances and the audit chain is whole (trust.md, INV).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date
from typing import Any

import polars as pl
from sqlalchemy import Select, case, func, select
from sqlalchemy.orm import Session

from core.calc.billing.documents import draft
from core.domain.ledger import Account
from core.store import billing, load
from core.store.audit import first_broken_audit_entry
from core.store.tables import (
    BillingCursor,
    Document,
    DocumentLine,
    DocumentTax,
    LedgerEntry,
    LedgerPosting,
    LineDiscount,
    NumberSeries,
    Payment,
    Subscription,
    core_table,
)

CHUNK_SUBSCRIPTIONS = 10_000
Progress = Callable[[float, str], None]
SHOWN = 20  # findings listed per rule; the rest is counted


@dataclass(frozen=True)
class BookFinding:
    """One thing that does not hold. `message` is a template for `values`, in the user's words."""

    code: str
    subject: str
    message: str
    values: dict[str, Any] = field(default_factory=dict)

    def sentence(self) -> str:
        """The English sentence."""
        return self.message.format(**self.values)


def check(session: Session, progress: Progress | None = None) -> list[BookFinding]:
    """All findings; an empty list when the books hold. `progress` is told the share done and which rule comes next."""
    findings: list[BookFinding] = []
    for place, (name, rule) in enumerate(RULES.items()):
        if progress:
            progress(place / len(RULES), name)
        findings += rule(session)
    return findings


def check_numbers(session: Session) -> list[BookFinding]:
    """Each series counts 1, 2, 3 … without a gap up to its counter."""
    document, series = core_table(Document), core_table(NumberSeries)
    rows = session.execute(
        select(series.c.kind, series.c.year, series.c.last, func.count(document.c.id), func.max(document.c.sequence))
        .join_from(series, document, document.c.series_id == series.c.id, isouter=True)
        .group_by(series.c.id, series.c.kind, series.c.year, series.c.last)
    )
    return [
        BookFinding(
            "number_gap", f"{kind} {year}", "The series of {year} has {count} documents but counts to {last}",
            {"year": year, "count": count, "last": last},
        )
        for kind, year, last, count, highest in rows
        if count != last or (highest or 0) != last
    ]  # fmt: skip


def check_duplicates(session: Session) -> list[BookFinding]:
    """No subscription was billed the same charge for the same days twice: each correction has a revision of its own."""
    line = core_table(DocumentLine).c
    same = (
        line.subscription_id,
        line.charge_id,
        line.kind,
        line.timing,
        line.service_start,
        line.service_end,
        line.revision,
    )
    twice = (
        select(line.subscription_id, line.service_start, line.service_end)
        .where(line.counts_as_billed)
        .group_by(*same)
        .having(func.count() > 1)
        .limit(SHOWN)
    )
    return [
        BookFinding(
            "duplicate", f"subscription:{row.subscription_id}",
            "Subscription {subscription} was billed the same charge twice for {start} to {end}",
            {"subscription": row.subscription_id, "start": row.service_start, "end": row.service_end},
        )
        for row in session.execute(twice)
    ]  # fmt: skip


def check_totals(session: Session) -> list[BookFinding]:
    """A document's subtotal, discount and net are the sums of its lines (a CHECK ties its total to net and VAT)."""
    document, line = core_table(Document), core_table(DocumentLine)
    sign = case((document.c.kind == "credit_note", -1), else_=1)
    wrong = (
        select(document.c.number)
        .join_from(document, line, line.c.document_id == document.c.id, isouter=True)
        .group_by(document.c.id, document.c.number, document.c.kind, document.c.subtotal_minor, document.c.discount_minor, document.c.net_minor)
        .having(
            (func.coalesce(func.sum(line.c.amount_minor), 0) != document.c.subtotal_minor * sign)
            | (func.coalesce(func.sum(line.c.discount_minor), 0) != document.c.discount_minor * sign)
            | (func.coalesce(func.sum(line.c.net_minor), 0) != document.c.net_minor * sign)
        )
    )  # fmt: skip
    return _numbers(session, wrong, "totals", "The lines of {number} do not add up to its totals")


def check_taxes(session: Session) -> list[BookFinding]:
    """VAT per rate adds up to the document's VAT, and is the rate times its base."""
    document, tax = core_table(Document), core_table(DocumentTax)
    wrong = (
        select(document.c.number)
        .join_from(document, tax, tax.c.document_id == document.c.id, isouter=True)
        .group_by(document.c.id, document.c.number, document.c.tax_minor, document.c.net_minor)
        .having(
            (func.coalesce(func.sum(tax.c.tax_minor), 0) != document.c.tax_minor)
            | (func.coalesce(func.sum(tax.c.base_minor), 0) != document.c.net_minor)
        )
    )
    # Twice the distance from rate × base, in millionths: within half a minor unit, inclusive prices within one.
    distance = func.abs(tax.c.tax_minor * 1_000_000 - tax.c.base_minor * tax.c.rate_ppm)
    off = (
        select(document.c.number)
        .join_from(document, tax, tax.c.document_id == document.c.id)
        .where(distance > case((document.c.tax_inclusive, 1_250_000), else_=500_000))
    )
    return [
        *_numbers(session, wrong, "vat_total", "The VAT rows of {number} do not add up to its VAT"),
        *_numbers(session, off, "vat_rate", "A VAT row of {number} is not its rate times its base"),
    ]


def check_discounts(session: Session) -> list[BookFinding]:
    """What coupons gave on a line adds up to the line's discount; what is issued anew gives nothing a second time."""
    line, given, document = core_table(DocumentLine), core_table(LineDiscount), core_table(Document)
    shares = select(given.c.line_id, func.sum(given.c.amount_minor).label("given")).group_by(given.c.line_id).subquery()
    wrong = (
        select(document.c.number)
        .distinct()
        .join_from(line, document, document.c.id == line.c.document_id)
        .join(shares, shares.c.line_id == line.c.id, isouter=True)
        .where(line.c.counts_as_billed, func.coalesce(shares.c.given, 0) != line.c.discount_minor)
    )
    return _numbers(session, wrong, "discounts", "The coupons of {number} do not add up to its discount")


def check_ledger(session: Session) -> list[BookFinding]:
    """Every entry balances per currency, and every document has one entry that owes its total."""
    entry, posting, document = core_table(LedgerEntry), core_table(LedgerPosting), core_table(Document)
    unbalanced = session.execute(
        select(posting.c.entry_id)
        .group_by(posting.c.entry_id, posting.c.currency)
        .having(func.sum(posting.c.amount_minor) != 0)
        .limit(SHOWN)
    ).scalars()
    owed = case((posting.c.account == Account.RECEIVABLE, posting.c.amount_minor), else_=0)
    sign = case((document.c.kind == "credit_note", -1), else_=1)
    wrong = (
        select(document.c.number)
        .join_from(document, entry, entry.c.document_id == document.c.id, isouter=True)
        .join(posting, posting.c.entry_id == entry.c.id, isouter=True)
        .group_by(document.c.id, document.c.number, document.c.kind, document.c.total_minor)
        .having(
            (func.coalesce(func.sum(owed), 0) != document.c.total_minor * sign)
            | (func.count(entry.c.id.distinct()) != 1)
        )
    )
    return [
        *(
            BookFinding("ledger_entry", f"entry:{key}", "Ledger entry {entry} does not balance", {"entry": key})
            for key in unbalanced
        ),
        *_numbers(session, wrong, "ledger_document", "The ledger does not owe what {number} says"),
    ]


def check_payments(session: Session) -> list[BookFinding]:
    """Every payment has an entry that takes its amount off what its payer owes, and every such entry has its payment."""
    payment, entry, posting = core_table(Payment), core_table(LedgerEntry), core_table(LedgerPosting)
    taken = case((posting.c.account == Account.RECEIVABLE, posting.c.amount_minor), else_=0)
    wrong = session.execute(
        select(payment.c.id)
        .join_from(payment, entry, (entry.c.id == payment.c.entry_id) & (entry.c.customer_id == payment.c.customer_id), isouter=True)
        .join(posting, (posting.c.entry_id == entry.c.id) & (posting.c.currency == payment.c.currency), isouter=True)
        .group_by(payment.c.id, payment.c.amount_minor)
        .having(func.coalesce(func.sum(taken), 0) != -payment.c.amount_minor)
        .limit(SHOWN)
    ).scalars()  # fmt: skip
    alone = session.execute(
        select(entry.c.id)
        .join_from(entry, payment, payment.c.entry_id == entry.c.id, isouter=True)
        .where(entry.c.kind == "payment", payment.c.id.is_(None))
        .limit(SHOWN)
    ).scalars()
    differs, lacks = "Payment {payment} is not what the ledger took off", "Ledger entry {entry} has no payment"
    return [
        *(BookFinding("ledger_payment", f"payment:{key}", differs, {"payment": key}) for key in wrong),
        *(BookFinding("ledger_payment", f"entry:{key}", lacks, {"entry": key}) for key in alone),
    ]


def check_audit(session: Session) -> list[BookFinding]:
    """The audit chain is whole."""
    broken = first_broken_audit_entry(session)
    if broken is None:
        return []
    return [
        BookFinding("audit_chain", f"audit:{broken}", "The audit trail was altered at entry {entry}", {"entry": broken})
    ]


def check_periods(session: Session) -> list[BookFinding]:
    """What each subscription was billed is what its facts say, from its first day: no period twice, none missing."""
    billed = _billed_subscriptions(session)
    findings: list[BookFinding] = []
    for (through,), some in billed.group_by(["billed_through"], maintain_order=True):
        assert isinstance(through, date), "a cursor has a day"
        for chunk in some.iter_slices(CHUNK_SUBSCRIPTIONS):
            findings += _period_findings(session, chunk, through)
    return findings


def _billed_subscriptions(session: Session) -> pl.DataFrame:
    """Every billed subscription as DUE (store/billing.py), with what its last billing had seen.

    What was credited and is not billed again yet is left to the next run.
    """
    sub, cursor = core_table(Subscription).c, core_table(BillingCursor).c
    statement = (
        select(
            sub.id.label("subscription_id"), sub.customer_id, sub.started_on, cursor.billed_through, cursor.opening,
            cursor.opening_change_id, sub.started_on.label("unseen_from"), cursor.seen_change_id, cursor.seen_event_id,
        )
        .join_from(core_table(Subscription), core_table(BillingCursor), cursor.subscription_id == sub.id)
        .where(cursor.rebill_from.is_(None))
        .order_by(cursor.billed_through, sub.id)
    )  # fmt: skip
    schema = {**billing.DUE, "seen_change_id": pl.Int64, "seen_event_id": pl.Int64}
    return load.frame(session, statement, schema)


def _period_findings(session: Session, chunk: pl.DataFrame, through: date) -> list[BookFinding]:
    """Customers whom the engine, given the facts of their last billing, would still bill or credit something."""
    loaded = billing.inputs(session, chunk.select(list(billing.DUE)), through, through)
    made = draft(billing.as_seen(loaded, chunk), through)
    return [
        BookFinding(
            "period", f"customer:{row['customer_id']}",
            "Customer {customer} was billed {difference} {currency} (minor units) too little for periods through {through}",
            {"customer": row["customer_id"], "difference": row["net_minor"], "currency": row["currency"], "through": through},
        )
        for row in made.documents.head(SHOWN).iter_rows(named=True)
    ]  # fmt: skip


def _numbers(session: Session, wrong: Select[Any], code: str, message: str) -> list[BookFinding]:
    """A finding for each document number that the query gives."""
    numbers = session.execute(wrong.limit(SHOWN)).scalars()
    return [BookFinding(code, number, message, {"number": number}) for number in numbers]


# Every rule by its name, the quick ones first.
RULES: dict[str, Callable[[Session], list[BookFinding]]] = {
    "numbers": check_numbers,
    "duplicates": check_duplicates,
    "totals": check_totals,
    "taxes": check_taxes,
    "discounts": check_discounts,
    "ledger": check_ledger,
    "payments": check_payments,
    "audit": check_audit,
    "periods": check_periods,
}
