"""Reads of invoices: the list, one document explained, what is to come.

Amounts are in minor units of the document's currency. Documents show positive totals on both kinds; lines keep their sign.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

import polars as pl
from sqlalchemy import ColumnElement, func, select
from sqlalchemy.orm import Session

from core.calc.billing.documents import Draft, draft
from core.domain.errors import NotFound
from core.store import billing, load
from core.store.tables import (
    BillingCursor,
    BillingRun,
    ChargeRow,
    CompanyProfile,
    Coupon,
    Document,
    DocumentBuyer,
    DocumentLine,
    DocumentTax,
    LineDiscount,
    NumberSeries,
    Plan,
    PriceVersion,
    Subscription,
    SubscriptionChange,
    core_table,
)

LIST: dict[str, Any] = {
    "document_id": pl.Int64, "number": pl.String, "kind": pl.String, "customer_id": pl.Int64, "name": pl.String,
    "issue_date": pl.Date, "due_date": pl.Date, "currency": pl.String, "net_minor": pl.Int64, "tax_minor": pl.Int64,
    "total_minor": pl.Int64,
}  # fmt: skip
SORTS = ("newest", "oldest", "largest", "smallest")
LINES: dict[str, Any] = {
    "line_id": pl.Int64, "position": pl.Int64, "subscription_id": pl.Int64, "plan": pl.String, "charge_id": pl.Int64,
    "charge": pl.String, "charge_code": pl.String, "model": pl.String, "meter": pl.String, "kind": pl.String, "service_start": pl.Date,
    "service_end": pl.Date, "period_start": pl.Date, "period_end": pl.Date, "timing": pl.String,
    "revision": pl.Int64, "corrects_id": pl.Int64, "price_version_id": pl.Int64, "quantity_micro": pl.Int64,
    "period_amount_minor": pl.Int64, "amount_minor": pl.Int64, "discount_minor": pl.Int64, "net_minor": pl.Int64,
    "tax_treatment": pl.String, "tax_rate_ppm": pl.Int64,
}  # fmt: skip


@dataclass(frozen=True)
class Filters:
    """What a list of documents is narrowed to; empty fields do not narrow."""

    text: str = ""
    kind: str = ""
    currency: str = ""
    issued_from: date | None = None
    issued_to: date | None = None
    customer_id: int | None = None
    run_id: int | None = None


@dataclass(frozen=True)
class Explained:
    """One document with everything it says: head, seller and buyer as dicts; lines, taxes, coupons and bridge as frames.

    `coupons`: line_id, coupon, amount_minor. `corrected`: line_id, number - the document that a credited line stood on.
    `bridge`: part, code, amount_minor - why the total differs from the document before, in parts that sum exactly.
    """

    head: dict[str, Any]
    seller: dict[str, Any]
    buyer: dict[str, Any]
    lines: pl.DataFrame
    taxes: pl.DataFrame
    coupons: pl.DataFrame
    corrected: pl.DataFrame
    previous: dict[str, Any] | None
    bridge: pl.DataFrame


def documents(
    session: Session, filters: Filters, *, sort: str = "newest", page: int = 1, size: int = 50
) -> tuple[pl.DataFrame, int, pl.DataFrame]:
    """One page of the list, how many there are, and their sums per currency (currency, net_minor, tax_minor, total_minor).

    Sums count credit notes negative.
    """
    document, buyer = core_table(Document), core_table(DocumentBuyer)
    narrowed = _conditions(filters)
    columns = [
        document.c.id.label("document_id"),
        *(buyer.c.name if name == "name" else document.c[name] for name in list(LIST)[1:]),
    ]
    statement = (
        select(*columns)
        .join_from(document, buyer, buyer.c.document_id == document.c.id, isouter=True)
        .where(*narrowed)
        .order_by(*_order(sort))
        .limit(size)
        .offset((page - 1) * size)
    )
    sign = func.sum(document.c.total_minor).label("total_minor")
    sums = (
        select(document.c.currency, document.c.kind, func.count().label("count"), func.sum(document.c.net_minor).label("net_minor"),
               func.sum(document.c.tax_minor).label("tax_minor"), sign)
        .join_from(document, buyer, buyer.c.document_id == document.c.id, isouter=True)
        .where(*narrowed)
        .group_by(document.c.currency, document.c.kind)
    )  # fmt: skip
    schema = {"currency": pl.String, "kind": pl.String, "count": pl.Int64, "net_minor": pl.Int64, "tax_minor": pl.Int64,
              "total_minor": pl.Int64}  # fmt: skip
    kinds = load.frame(session, sums, schema)
    return load.frame(session, statement, LIST), int(kinds["count"].sum()), _signed_sums(kinds)


def _signed_sums(kinds: pl.DataFrame) -> pl.DataFrame:
    """Sums per currency, credit notes negative."""
    sign = pl.when(pl.col("kind") == "credit_note").then(-1).otherwise(1)
    amounts = ["net_minor", "tax_minor", "total_minor"]
    signed = kinds.with_columns(pl.col(amounts) * sign)
    return signed.group_by("currency").agg(pl.col("count", *amounts).sum()).sort("total_minor", descending=True)


def _conditions(filters: Filters) -> list[ColumnElement[bool]]:
    """The filters as SQL; text is taken literally."""
    document, buyer = core_table(Document).c, core_table(DocumentBuyer).c
    wanted: list[ColumnElement[bool]] = []
    text = filters.text.strip()
    if text:
        number = document.number.ilike(_literal(text), escape="\\")
        wanted.append(number | buyer.name.ilike(_literal(text), escape="\\"))
    if filters.kind:
        wanted.append(document.kind == filters.kind)
    if filters.currency:
        wanted.append(document.currency == filters.currency)
    if filters.issued_from:
        wanted.append(document.issue_date >= filters.issued_from)
    if filters.issued_to:
        wanted.append(document.issue_date <= filters.issued_to)
    if filters.customer_id is not None:
        wanted.append(document.customer_id == filters.customer_id)
    if filters.run_id is not None:
        wanted.append(document.run_id == filters.run_id)
    return wanted


def _literal(text: str) -> str:
    """A pattern that finds the text as it is typed."""
    escaped = text.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
    return f"%{escaped}%"


def _order(sort: str) -> list[Any]:
    document = core_table(Document).c
    orders: dict[str, list[Any]] = {
        "newest": [document.issue_date.desc(), document.id.desc()],
        "oldest": [document.issue_date, document.id],
        "largest": [document.total_minor.desc(), document.id.desc()],
        "smallest": [document.total_minor, document.id],
    }
    return orders.get(sort, orders["newest"])


def explained(session: Session, number: str) -> Explained:
    """One document with the why of every line; refuses a number that does not exist."""
    document = core_table(Document)
    row = session.execute(select(document).where(document.c.number == number)).mappings().first()
    if row is None:
        raise NotFound("There is no invoice {number}", code="no_document", number=number)
    head = dict(row)
    lines = _lines(session, head["id"])
    previous = _head(session, head["previous_id"]) if head["previous_id"] else None
    return Explained(
        head=head,
        seller=_one(session, CompanyProfile, CompanyProfile.__tablename__, head["seller_id"]),
        buyer=_buyer(session, head["id"]),
        lines=lines,
        taxes=_taxes(session, head["id"]),
        coupons=_coupons(session, head["id"]),
        corrected=_corrected(session, lines["corrects_id"].drop_nulls()),
        previous=previous,
        bridge=bridge(head, lines, previous, _lines(session, previous["id"])) if previous else _NO_BRIDGE,
    )


_NO_BRIDGE = pl.DataFrame(schema={"part": pl.String, "code": pl.String, "amount_minor": pl.Int64})


def bridge(
    head: dict[str, Any], lines: pl.DataFrame, before: dict[str, Any], lines_before: pl.DataFrame
) -> pl.DataFrame:
    """Why "to pay" differs from the document before: per charge, then discounts, then VAT; parts sum to the difference.

    Out: part (charge, correction, discount, vat), code (the charge's name), amount_minor. Documents in two currencies have
    none.
    """
    if head["currency"] != before["currency"]:
        return _NO_BRIDGE
    corrected = (pl.col("revision") > 0) | pl.col("corrects_id").is_not_null()
    part = pl.when(corrected).then(pl.lit("correction")).otherwise(pl.lit("charge"))
    now = lines.select(part=part, code=pl.coalesce("charge", "kind"), amount_minor="amount_minor")
    then = lines_before.select(part=part, code=pl.coalesce("charge", "kind"), amount_minor=-pl.col("amount_minor"))
    charges = pl.concat([now, then]).group_by("part", "code", maintain_order=True).agg(pl.col("amount_minor").sum())
    discount = _signed(before, "discount_minor") - _signed(head, "discount_minor")
    moved = charges["amount_minor"].sum() + discount
    # With inclusive prices the lines hold the VAT already; what is left is then nothing.
    vat = _signed(head, "total_minor") - _signed(before, "total_minor") - moved
    rest = pl.DataFrame(
        {"part": ["discount", "vat"], "code": ["", ""], "amount_minor": [discount, vat]}, schema=_NO_BRIDGE.schema
    )
    return pl.concat([charges.select(_NO_BRIDGE.columns), rest]).filter(pl.col("amount_minor") != 0)


def _signed(head: dict[str, Any], column: str) -> int:
    """An amount of a document with its sign: a credit note is negative."""
    value: int = head[column]
    return -value if head["kind"] == "credit_note" else value


def _lines(session: Session, document_id: int) -> pl.DataFrame:
    """A document's lines with the names of their plan and charge."""
    line, charge, version, plan = (core_table(model) for model in (DocumentLine, ChargeRow, PriceVersion, Plan))
    special = {
        "line_id": line.c.id, "plan": plan.c.name, "charge": charge.c.name, "charge_code": charge.c.code,
        "model": charge.c.model, "meter": charge.c.meter,
    }  # fmt: skip
    columns = [special[name].label(name) if name in special else line.c[name] for name in LINES]
    statement = (
        select(*columns)
        .join_from(line, version, version.c.id == line.c.price_version_id)
        .join(plan, plan.c.id == version.c.plan_id)
        .join(charge, charge.c.id == line.c.charge_id, isouter=True)
        .where(line.c.document_id == document_id)
        .order_by(line.c.position)
    )
    return load.frame(session, statement, LINES)


def _taxes(session: Session, document_id: int) -> pl.DataFrame:
    tax = core_table(DocumentTax).c
    schema = {"treatment": pl.String, "rate_ppm": pl.Int64, "base_minor": pl.Int64, "tax_minor": pl.Int64}
    statement = (
        select(*(tax[name] for name in schema)).where(tax.document_id == document_id).order_by(tax.rate_ppm.desc())
    )
    return load.frame(session, statement, schema)


def _coupons(session: Session, document_id: int) -> pl.DataFrame:
    """Which coupon gave how much of each line's discount."""
    line, share, grant, coupon = (
        core_table(model) for model in (DocumentLine, LineDiscount, SubscriptionChange, Coupon)
    )
    schema = {"line_id": pl.Int64, "coupon": pl.String, "amount_minor": pl.Int64}
    statement = (
        select(line.c.id.label("line_id"), coupon.c.name.label("coupon"), share.c.amount_minor)
        .join_from(line, share, share.c.line_id == line.c.id)
        .join(grant, grant.c.id == share.c.grant_id)
        .join(coupon, coupon.c.id == grant.c.coupon_id)
        .where(line.c.document_id == document_id)
        .order_by(line.c.id, share.c.id)
    )
    return load.frame(session, statement, schema)


def _corrected(session: Session, line_ids: pl.Series) -> pl.DataFrame:
    """The documents that corrected lines stood on."""
    line, document = core_table(DocumentLine), core_table(Document)
    schema = {"line_id": pl.Int64, "number": pl.String}
    statement = (
        select(line.c.id.label("line_id"), document.c.number)
        .join_from(line, document, document.c.id == line.c.document_id)
        .where(load.among(session, line.c.id, line_ids))
    )
    return load.frame(session, statement, schema)


def _head(session: Session, document_id: int) -> dict[str, Any]:
    return _one(session, Document, "invoice", document_id)


def _one(session: Session, model: Any, what: str, key: int) -> dict[str, Any]:
    table = core_table(model)
    row = session.execute(select(table).where(table.c.id == key)).mappings().first()
    assert row is not None, f"{what} {key} is referred to and must exist"
    return dict(row)


def _buyer(session: Session, document_id: int) -> dict[str, Any]:
    """What the document says about its buyer; empty when it was purged by law."""
    buyer = core_table(DocumentBuyer)
    row = session.execute(select(buyer).where(buyer.c.document_id == document_id)).mappings().first()
    return dict(row) if row else {}


def upcoming(session: Session, customer_id: int, as_of: date) -> tuple[date, Draft] | None:
    """The customer's next invoice as it would look today: its day and the draft; None when nothing is ahead.

    The same engine as the run; a day is tried at a time, because a first day may bring nothing but a zero.
    """
    for day in _next_days(session, customer_id, as_of):
        due = billing.due_subscriptions(session, day, [customer_id])
        if due.is_empty():
            continue
        made = draft(billing.inputs(session, due, day, as_of), day)
        if made.documents.height:
            return day, made
    return None


def _next_days(session: Session, customer_id: int, as_of: date) -> list[date]:
    """Days on which something may fall due: today, then each subscription's next billing day, then a year ahead."""
    sub, cursor = core_table(Subscription), core_table(BillingCursor)
    rows = session.execute(
        select(sub.c.started_on, cursor.c.next_due_on, cursor.c.billed_through)
        .join_from(sub, cursor, cursor.c.subscription_id == sub.c.id, isouter=True)
        .where(sub.c.customer_id == customer_id)
    ).all()
    if not rows:
        return []
    billed = max((row.billed_through for row in rows if row.billed_through), default=as_of)
    first = max(as_of, billed)
    days = {max(first, row.next_due_on or row.started_on) for row in rows if row.next_due_on or not row.billed_through}
    return [first, *sorted(days - {first}), first + timedelta(days=366)]


def runs(session: Session, limit: int = 24) -> pl.DataFrame:
    """The latest runs: run_id, through, issue_date, author, started_at, documents, net per kind summed in the first currency."""
    run, document = core_table(BillingRun), core_table(Document)
    schema = {"run_id": pl.Int64, "through": pl.Date, "issue_date": pl.Date, "author": pl.String, "documents": pl.Int64}
    statement = (
        select(run.c.id.label("run_id"), run.c.through, run.c.issue_date, run.c.author, func.count(document.c.id).label("documents"))
        .join_from(run, document, document.c.run_id == run.c.id, isouter=True)
        .group_by(run.c.id, run.c.through, run.c.issue_date, run.c.author)
        .order_by(run.c.id.desc())
        .limit(limit)
    )  # fmt: skip
    return load.frame(session, statement, schema)


def series(session: Session) -> pl.DataFrame:
    """The number series: kind, year, prefix, last."""
    table = core_table(NumberSeries).c
    schema = {"kind": pl.String, "year": pl.Int64, "prefix": pl.String, "last": pl.Int64}
    return load.frame(
        session, select(*(table[name] for name in schema)).order_by(table.year.desc(), table.kind), schema
    )
