"""Reads of invoices: one document with everything it says, and what is to come.

Amounts are in minor units of the document's currency. Documents show positive totals on both kinds; lines keep their sign.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

import polars as pl
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from core.calc.billing.crediting import taken_back
from core.calc.billing.documents import Draft, draft
from core.calc.billing.price_limits import LIMIT
from core.domain.errors import NotFound
from core.domain.invoices import DocumentKind, Purpose, Settlement, settlement
from core.reports import payments
from core.store import billing, load
from core.store.issued import issued, standing_of_run
from core.store.tables import (
    Adjustment,
    BillingCursor,
    ChargeRow,
    CompanyProfile,
    Coupon,
    Customer,
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

LINES: dict[str, Any] = {
    "line_id": pl.Int64, "position": pl.Int64, "subscription_id": pl.Int64, "plan": pl.String, "charge_id": pl.Int64,
    "charge": pl.String, "charge_code": pl.String, "model": pl.String, "meter": pl.String, "convert_by": pl.String, "kind": pl.String, "service_start": pl.Date,
    "service_end": pl.Date, "period_start": pl.Date, "period_end": pl.Date, "timing": pl.String,
    "revision": pl.Int64, "corrects_id": pl.Int64, "price_version_id": pl.Int64, "quantity_micro": pl.Int64,
    "period_amount_minor": pl.Int64, "amount_minor": pl.Int64, "discount_minor": pl.Int64, "net_minor": pl.Int64,
    "tax_treatment": pl.String, "tax_rate_ppm": pl.Int64,
}  # fmt: skip


@dataclass(frozen=True)
class Explained:
    """One document with everything it says: head, seller and buyer as dicts; lines, taxes, coupons and bridge as frames.

    `coupons`: line_id, coupon, amount_minor. `corrected`: line_id, number - the document that a credited line stood on.
    `customer`: the customer's own id. `previous`: the document that it is compared with. `bridge`: part, code, amount_minor - why
    the total differs from that one, in parts that sum exactly. `related`: what it is to other documents ("replaces",
    "taken_back_by", …) and their numbers.
    `payments`: reports.payments.PAYMENTS; `open_minor` is what is left of it.
    """

    head: dict[str, Any]
    customer: str
    seller: dict[str, Any]
    buyer: dict[str, Any]
    lines: pl.DataFrame
    taxes: pl.DataFrame
    coupons: pl.DataFrame
    corrected: pl.DataFrame
    related: list[tuple[str, str]]
    previous: dict[str, Any] | None
    bridge: pl.DataFrame
    payments: pl.DataFrame
    open_minor: int

    @property
    def is_taken_back(self) -> bool:
        """Did a credit note take it back whole?"""
        return "taken_back_by" in dict(self.related)

    def settlement(self, today: date) -> Settlement:
        """How far the document is settled."""
        paid = int(self.payments["amount_minor"].sum())
        credited = self.is_taken_back or "corrected_by" in dict(self.related)
        return settlement(
            open_minor=self.open_minor, paid_minor=paid, due=self.head["due_date"], today=today, credited=credited
        )


def explained(session: Session, number: str) -> Explained:
    """One document with the why of every line; refuses a number that does not exist."""
    document = core_table(Document)
    row = session.execute(select(document).where(document.c.number == number)).mappings().first()
    if row is None:
        raise NotFound("There is no invoice {number}", code="no_document", number=number)
    head = dict(row)
    lines = _lines(session, head["id"])
    corrected = _corrected(session, lines["corrects_id"].drop_nulls())
    previous = _compared_with(session, head)
    return Explained(
        head=head,
        customer=_one(session, Customer, "customer", head["customer_id"])["external_id"],
        seller=_one(session, CompanyProfile, CompanyProfile.__tablename__, head["seller_id"]),
        buyer=_buyer(session, head["id"]),
        lines=lines,
        taxes=_taxes(session, head["id"]),
        coupons=_coupons(session, head["id"]),
        corrected=corrected,
        related=_related(session, head, lines["line_id"], corrected),
        previous=previous,
        payments=payments.of_document(session, head["id"]),
        open_minor=payments.open_of(session, head),
        bridge=bridge(head, lines, previous, _lines(session, previous["id"])) if previous else _NO_BRIDGE,
    )


def credit_of(session: Session, document_ids: list[int]) -> Draft:
    """The credit notes that would take these invoices back now; an invoice of which nothing is left has none."""
    return taken_back(issued(session, document_ids))


def credit_of_run(session: Session, run_id: int) -> Draft:
    """The credit notes that would take a run back now."""
    return credit_of(session, standing_of_run(session, run_id))


def _compared_with(session: Session, head: dict[str, Any]) -> dict[str, Any] | None:
    """What a reader holds a document against: what it replaces, else the one before it that billed something.

    A credit note that takes a document back whole is that document over again: there is nothing to explain.
    """
    if head["purpose"] == Purpose.CORRECTION:
        return None
    if head["purpose"] == Purpose.REISSUE:
        return _head(session, head["corrects_id"])
    before = head
    while before["previous_id"]:
        before = _head(session, before["previous_id"])
        if before["purpose"] == Purpose.BILLING:
            return before
    return None


def _related(
    session: Session, head: dict[str, Any], line_ids: pl.Series, corrected: pl.DataFrame
) -> list[tuple[str, str]]:
    """What a document is to others: the whole ones first, then those of which lines are corrected, by their numbers."""
    document, line = core_table(Document), core_table(DocumentLine)
    root = head["corrects_id"] or head["id"]
    named, corrects = document.c, document.c.corrects_id
    whole = session.execute(
        select(named.id, named.number, named.purpose, corrects)
        .where((named.id == root) | corrects.in_([root, head["id"]]), named.id != head["id"])
        .order_by(named.id)
    ).all()
    mine = {Purpose.CORRECTION: "taken_back_by", Purpose.REISSUE: "replaced_by"}
    beside = {Purpose.CORRECTION: "old_one_taken_back_by", Purpose.REISSUE: "issued_anew_as"}
    first = "takes_back" if head["kind"] == DocumentKind.CREDIT_NOTE else "replaces"
    said = [
        (
            first if row.id == root else (mine if row.corrects_id == head["id"] else beside)[Purpose(row.purpose)],
            str(row.number),
        )
        for row in whole
    ]
    later = session.execute(
        select(document.c.number)
        .join_from(line, document, document.c.id == line.c.document_id)
        # The customer's documents first: lines have no index by what they correct.
        .where(document.c.customer_id == head["customer_id"], document.c.id > head["id"])
        .where(load.among(session, line.c.corrects_id, line_ids))
        .distinct()
        .order_by(document.c.number)
    ).scalars()
    parts = [("corrects", number) for number in corrected["number"].unique().sort()]
    parts += [("corrected_by", str(number)) for number in later]
    known = {number for _, number in said} | {head["number"]}
    return said + [(relation, number) for relation, number in parts if number not in known]


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
    line, charge, version, plan, adjustment = (
        core_table(model) for model in (DocumentLine, ChargeRow, PriceVersion, Plan, Adjustment)
    )
    special = {
        "line_id": line.c.id, "plan": plan.c.name, "charge": func.coalesce(charge.c.name, adjustment.c.text), "charge_code": charge.c.code,
        "model": charge.c.model, "meter": charge.c.meter, "convert_by": charge.c.convert_by,
    }  # fmt: skip
    columns = [special[name].label(name) if name in special else line.c[name] for name in LINES]
    statement = (
        select(*columns)
        .join_from(line, version, version.c.id == line.c.price_version_id)
        .join(plan, plan.c.id == version.c.plan_id)
        .join(charge, (charge.c.id == line.c.charge_id) & (line.c.kind != LIMIT), isouter=True)
        .join(adjustment, adjustment.c.id == line.c.adjustment_id, isouter=True)
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

    The same engine as the run; a day is tried at a time, because a first day may bring nothing but a zero. A hold is looked past:
    it is what comes once it is released.
    """
    for day in _next_days(session, customer_id, as_of):
        due = billing.due_subscriptions(session, day, [customer_id], held_too=True)
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


def series(session: Session) -> pl.DataFrame:
    """The number series: kind, year, prefix, last."""
    table = core_table(NumberSeries).c
    schema = {"kind": pl.String, "year": pl.Int64, "prefix": pl.String, "last": pl.Int64}
    return load.frame(
        session, select(*(table[name] for name in schema)).order_by(table.year.desc(), table.kind), schema
    )
