"""Wrong receiver: one step that credits a document whole and issues it anew to whom it should have gone.

The old document stays as it is; the two new ones sum to nothing. Their lines do not count as billed service, so that no
period is ever billed twice or again.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import polars as pl
from sqlalchemy import select

from core.actions.command import Answer, Work, command
from core.actions.invoices import business_day, check_open_books, save_documents
from core.actions.issuing import documents_to_save
from core.calc.billing.documents import Draft
from core.domain.access import Permission
from core.domain.errors import Conflict, NotFound
from core.domain.invoices import DocumentKind, Purpose
from core.frames import BUYER
from core.store import billing, issued, load
from core.store.tables import Document, DocumentLine, DocumentTax, core_table

_SIGNED = [
    "quantity_micro",
    "period_amount_minor",
    "period_discount_minor",
    "amount_minor",
    "discount_minor",
    "net_minor",
]
_TOTALS = ["subtotal_minor", "discount_minor", "net_minor", "tax_minor", "total_minor", "tax_in_company_currency_minor"]


@command("invoices.reissue", Permission.CREDIT_INVOICES)
def reissue(work: Work, *, number: str) -> Answer:
    """Credit an invoice to its old receiver and issue it to today's one; answers credit_note and invoice numbers."""
    session, today = work.session, business_day(work.now)
    check_open_books(billing.books_closed_through(session), today)
    row = _document(work, number)
    old = _old_buyer(work, row)
    now = load.customers(session, today, [row["customer_id"]]).row(0, named=True)
    payer_id = now["bill_to_id"] or row["customer_id"]
    payer = load.customers(session, today, [payer_id]).row(0, named=True)
    if payer_id == row["bill_to_id"] and all(payer[name] == old[name] for name in BUYER):
        raise Conflict(
            "{number} already goes to {name}; change the customer's data or who gets the bills first", code="same_receiver",
            number=number, name=payer["name"],
        )  # fmt: skip
    made = _as_draft(work, row)
    back = _reversed(made)
    first = documents_to_save(work, back, None, today, buyers=pl.DataFrame([old]))
    save_documents(session, first)
    again = replace(made, documents=made.documents.with_columns(bill_to_id=pl.lit(payer_id, dtype=pl.Int64)))
    second = documents_to_save(work, again, None, today)
    save_documents(session, second)
    work.audit(f"document:{row['id']}", "reissued")
    return {"credit_note": first[Document]["number"][0], "invoice": second[Document]["number"][0]}


def _document(work: Work, number: str) -> dict[str, Any]:
    """The invoice; refuses an unknown one, a credit note, and one that was corrected whole already."""
    table = core_table(Document)
    row = work.session.execute(select(table).where(table.c.number == number)).mappings().first()
    if row is None:
        raise NotFound("There is no invoice {number}", code="no_document", number=number)
    if row["kind"] != DocumentKind.INVOICE:
        raise Conflict(
            "{number} is a credit note; only an invoice can go to another receiver",
            code="not_an_invoice",
            number=number,
        )
    if work.session.execute(select(table.c.id).where(table.c.corrects_id == row["id"])).first():
        raise Conflict("{number} was taken back already", code="taken_back_already", number=number)
    return dict(row)


def _old_buyer(work: Work, row: dict[str, Any]) -> dict[str, Any]:
    """What the document says about its buyer, as `load.customers` says it."""
    found = issued.buyers(work.session, [row["id"]])
    if found.is_empty():
        raise Conflict(
            "The receiver of {number} was erased by law; it cannot be issued anew",
            code="buyer_erased",
            number=row["number"],
        )
    return found.row(0, named=True)


def _as_draft(work: Work, row: dict[str, Any]) -> Draft:
    """The document as it would be issued once more: lines that do not count as billed."""
    terms = (row["due_date"] - row["issue_date"]).days
    head = {**row, "document": 1, "terms_days": terms, "purpose": Purpose.REISSUE.value, "corrects_id": row["id"]}
    names = ["document", "kind", "customer_id", "bill_to_id", "currency", "terms_days", "tax_inclusive", "service_start",
             "service_end", "purpose", "corrects_id", *_TOTALS]  # fmt: skip
    documents = pl.DataFrame([{name: head[name] for name in names}], schema_overrides=dict.fromkeys(_TOTALS, pl.Int64))
    lines = _rows(work, DocumentLine, row["id"]).with_columns(
        document=pl.lit(1), line="id", corrects_id=pl.lit(None, dtype=pl.Int64), adjustment_id=pl.lit(None, dtype=pl.Int64),
        counts_as_billed=pl.lit(False),
    )  # fmt: skip
    taxes = _rows(work, DocumentTax, row["id"]).with_columns(document=pl.lit(1))
    shares = pl.DataFrame(
        schema={"line": pl.Int64, "grant_id": pl.Int64, "period_start": pl.Date, "amount_minor": pl.Int64}
    )
    return Draft(lines, documents, taxes, shares, pl.DataFrame())


def _rows(work: Work, model: Any, document_id: int) -> pl.DataFrame:
    """A document's rows of a table, in their order."""
    table = core_table(model)
    statement = select(table).where(table.c.document_id == document_id).order_by(table.c.id)
    rows = [dict(row) for row in work.session.execute(statement).mappings()]
    return pl.DataFrame(rows, infer_schema_length=None).drop("document_id")


def _reversed(made: Draft) -> Draft:
    """Everything with the signs turned; each line names the one it corrects."""
    return replace(
        made,
        documents=made.documents.with_columns(
            *(-pl.col(name) for name in _TOTALS),
            kind=pl.lit(DocumentKind.CREDIT_NOTE.value),
            purpose=pl.lit(Purpose.CORRECTION.value),
        ),
        lines=made.lines.with_columns(*(-pl.col(name) for name in _SIGNED), corrects_id="id"),
        taxes=made.taxes.with_columns(-pl.col("base_minor"), -pl.col("tax_minor")),
    )
