"""A draft → the rows of issued documents: numbers, ids, the buyer as known today, VAT, discounts and ledger postings.

Documents show positive totals whichever their kind; lines keep their sign (store/tables.py, DocumentLine).
"""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

import polars as pl

from core import frames
from core.actions.command import Work
from core.calc.billing.documents import Draft
from core.domain.invoices import DocumentKind, keep_buyer_until, number_text, payment_reference
from core.domain.ledger import Account
from core.store import billing, load
from core.store.save import reserve_ids
from core.store.tables import (
    Document,
    DocumentBuyer,
    DocumentLine,
    DocumentTax,
    LedgerEntry,
    LedgerPosting,
    LedgerSeal,
    LineDiscount,
    Table,
)

_AMOUNTS = [
    "subtotal_minor",
    "discount_minor",
    "net_minor",
    "tax_minor",
    "total_minor",
    "tax_in_company_currency_minor",
]
_LINE = ["subscription_id", "price_version_id", "charge_id", "kind", "service_start", "service_end", "period_start",
         "period_end", "timing", "revision", "corrects_id", "adjustment_id", "quantity_micro", "period_amount_minor", "amount_minor",
         "discount_minor", "net_minor", "tax_treatment", "tax_rate_ppm"]  # fmt: skip
SavedRows = dict[type[Table], pl.DataFrame]


def documents_to_save(
    work: Work, made: Draft, run_id: int | None, issue_date: date, *, buyers: pl.DataFrame | None = None
) -> SavedRows:
    """Rows of every table that issuing writes, with ids and numbers taken in the work's transaction.

    `buyers`: what the documents say about whom they go to, else what is known on the day.
    """
    company = billing.company_profile(work.session, issue_date)
    heads = _numbered(work, made.documents, company, issue_date)
    if buyers is None:
        buyers = load.customers(work.session, issue_date, heads["bill_to_id"].unique())
    heads = heads.join(_choices(buyers), on="bill_to_id", how="left", maintain_order="left")
    previous = billing.last_documents(work.session, heads["customer_id"])
    heads = heads.join(previous, on="customer_id", how="left", maintain_order="left")
    first_line = reserve_ids(work.session, DocumentLine, made.lines.height)
    lines = _lines(made.lines, heads, first_line)
    first_entry = reserve_ids(work.session, LedgerEntry, heads.height)
    entries = heads.with_columns(entry_id=pl.int_range(pl.len(), dtype=pl.Int64) + first_entry)
    return {
        Document: _documents(heads, run_id, company.id, issue_date, work.now),
        DocumentLine: lines.drop("line"),
        DocumentTax: _taxes(made.taxes, heads),
        LineDiscount: made.shares.join(lines.select("line", line_id="id"), on="line").drop("line"),
        DocumentBuyer: _buyers(heads, buyers, issue_date),
        LedgerEntry: _entries(entries, work, issue_date),
        LedgerPosting: _postings(entries),
        LedgerSeal: entries.select("entry_id"),
    }


def _numbered(work: Work, documents: pl.DataFrame, company: Any, issue_date: date) -> pl.DataFrame:
    """Documents with id, series, sequence, number and payment reference; invoices and credit notes count apart."""
    first_id = reserve_ids(work.session, Document, documents.height)
    heads = documents.with_columns(id=pl.int_range(pl.len(), dtype=pl.Int64) + first_id)
    parts = []
    prefixes = {DocumentKind.INVOICE: company.invoice_prefix, DocumentKind.CREDIT_NOTE: company.credit_note_prefix}
    for kind, prefix in prefixes.items():
        some = heads.filter(pl.col("kind") == kind)
        if some.is_empty():
            continue
        year = issue_date.year
        series, first = billing.take_numbers(work.session, kind, year, prefix, some.height)
        sequence = range(first, first + some.height)
        parts.append(
            some.with_columns(
                series_id=pl.lit(series, dtype=pl.Int64),
                sequence=pl.Series(sequence, dtype=pl.Int64),
                number=pl.Series([number_text(prefix, year, each) for each in sequence]),
                payment_reference=pl.Series(
                    [payment_reference(year, each) if kind is DocumentKind.INVOICE else "" for each in sequence]
                ),
            )
        )
    return pl.concat(parts).sort("id")


def _choices(buyers: pl.DataFrame) -> pl.DataFrame:
    """How the buyer pays and is reached."""
    return buyers.select("payment_option", "channel", "language", bill_to_id="customer_id")


def _documents(heads: pl.DataFrame, run_id: int | None, seller_id: int, issue_date: date, now: Any) -> pl.DataFrame:
    """Rows of `document`: amounts positive on both kinds."""
    sign = pl.when(pl.col("kind") == DocumentKind.CREDIT_NOTE).then(-1).otherwise(1)
    terms = pl.duration(days=pl.col("terms_days"))
    return heads.select(
        "id", "kind", "number", "series_id", "sequence", "customer_id", "bill_to_id", "currency", "service_start",
        "service_end", "tax_inclusive", "payment_reference", "payment_option", "channel", "language", "previous_id",
        *(pl.col(name) * sign for name in _AMOUNTS),
        *(name for name in ("purpose", "corrects_id") if name in heads.columns),
        run_id=pl.lit(run_id, dtype=pl.Int64),
        seller_id=pl.lit(seller_id, dtype=pl.Int64),
        issue_date=pl.lit(issue_date),
        due_date=pl.lit(issue_date) + terms,
        recorded_at=pl.lit(now),
    )  # fmt: skip


def _lines(lines: pl.DataFrame, heads: pl.DataFrame, first_id: int) -> pl.DataFrame:
    """Rows of `document_line` + line."""
    ids = heads.select("document", document_id="id")
    joined = lines.join(ids, on="document", how="inner", maintain_order="left").sort("document_id", "position")
    return joined.select(
        "line", "document_id", pl.col("position").cast(pl.Int64), *_LINE,
        counts_as_billed="counts_as_billed" if "counts_as_billed" in lines.columns else pl.col("adjustment_id").is_null(),
        id=pl.int_range(pl.len(), dtype=pl.Int64) + first_id,
    )  # fmt: skip


def _taxes(taxes: pl.DataFrame, heads: pl.DataFrame) -> pl.DataFrame:
    """Rows of `document_tax`, positive on a credit note too."""
    sign = pl.when(pl.col("kind") == DocumentKind.CREDIT_NOTE).then(-1).otherwise(1)
    return taxes.join(heads.select("document", "kind", document_id="id"), on="document").select(
        "document_id",
        "treatment",
        "rate_ppm",
        base_minor=pl.col("base_minor") * sign,
        tax_minor=pl.col("tax_minor") * sign,
    )


def _buyers(heads: pl.DataFrame, buyers: pl.DataFrame, issue_date: date) -> pl.DataFrame:
    """Rows of `document_buyer`: what the document says about whom it goes to."""
    known = buyers.select(pl.col("customer_id").alias("bill_to_id"), *frames.BUYER)
    rows = heads.select("bill_to_id", document_id="id").join(known, on="bill_to_id", how="left").drop("bill_to_id")
    purge_after = keep_buyer_until(issue_date)
    return rows.with_columns(purge_after=pl.lit(purge_after - timedelta(days=1)))


def _entries(entries: pl.DataFrame, work: Work, issue_date: date) -> pl.DataFrame:
    """Rows of `ledger_entry`: one for each document."""
    return entries.select(
        "kind", id="entry_id", document_id="id", customer_id="bill_to_id", on_date=pl.lit(issue_date),
        note=pl.col("number"), recorded_at=pl.lit(work.now), command_id=pl.lit(work.command_id),
    )  # fmt: skip


def _postings(entries: pl.DataFrame) -> pl.DataFrame:
    """Rows of `ledger_posting`: receivable against revenue and VAT; signed, so a credit note reverses."""
    sides = (
        (Account.RECEIVABLE, pl.col("total_minor")),
        (Account.REVENUE, -pl.col("net_minor")),
        (Account.VAT, -pl.col("tax_minor")),
    )
    postings = [
        entries.select("entry_id", "currency", account=pl.lit(account.value), amount_minor=amount)
        for account, amount in sides
    ]
    vat_free = (pl.col("account") == Account.VAT) & (pl.col("amount_minor") == 0)
    return pl.concat(postings).filter(~vat_free).sort("entry_id")
