"""A full credit: invoices taken back by credit notes, of one or of a whole run; the next run bills what is right by then.

What later documents credited already is not credited again. The old documents stay as they are (billing.md, Decisions).
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from datetime import datetime

import polars as pl
from sqlalchemy import Engine

from core.actions.command import Answer, Work, command
from core.actions.invoices import Progress, business_day, check_open_books, save_documents
from core.actions.issuing import documents_to_save
from core.calc.billing.crediting import taken_back
from core.domain.access import Actor, Permission, require
from core.domain.errors import Conflict
from core.store import billing, issued
from core.store.engine import reading
from core.store.tables import Document

CHUNK_DOCUMENTS = 2_000
NOTHING = "nothing_to_credit"


@dataclass
class Credited:
    """What was taken back: how many invoices, and what the credit notes sum to per currency."""

    documents: int = 0
    total_minor: dict[str, int] = field(default_factory=dict)


@command("invoices.credit", Permission.CREDIT_INVOICES)
def credit(work: Work, *, document_ids: list[int]) -> Answer:
    """Take invoices back; answers the credit notes' numbers and total_minor by currency.

    Refuses when there is nothing to take back: a credit note, an invoice that was taken back, or one whose every line was
    credited. Of several, those are left out.
    """
    session, today = work.session, business_day(work.now)
    check_open_books(billing.books_closed_through(session), today)
    found = issued.issued(session, document_ids)
    made = taken_back(found)
    if made.documents.is_empty():
        raise _nothing()
    buyers = issued.buyers(session, made.documents["corrects_id"])
    erased = made.documents.join(buyers, left_on="bill_to_id", right_on="customer_id", how="anti")
    if erased.height:
        numbers = found.documents.filter(pl.col("document_id") == erased["corrects_id"][0])["number"]
        raise Conflict("The receiver of {number} was erased by law; it cannot be credited", code="buyer_erased", number=numbers[0])  # fmt: skip
    rows = documents_to_save(work, made, None, today, buyers=buyers)
    save_documents(session, rows)
    service = made.lines.filter("counts_as_billed")
    billing.rebill(session, service.group_by("subscription_id").agg(rebill_from=pl.col("service_start").min()))
    for document_id in made.documents["corrects_id"]:
        work.audit(f"document:{document_id}", "credited")
    sums = rows[Document].group_by("currency", maintain_order=True).agg(pl.col("total_minor").sum())
    return {"credit_notes": rows[Document]["number"].to_list(), "total_minor": dict(sums.iter_rows())}


def credit_run(
    engine: Engine, actor: Actor | None, *, now: datetime, run_id: int, progress: Progress | None = None
) -> Credited:
    """Take back every invoice of a run that nothing took back yet; stopped in the middle, it completes when asked again."""
    require(actor, Permission.CREDIT_INVOICES)
    with reading(engine) as session:
        standing = issued.standing_of_run(session, run_id)
    result = Credited()
    for start in range(0, len(standing), CHUNK_DOCUMENTS):
        some = standing[start : start + CHUNK_DOCUMENTS]
        key = hashlib.sha256(repr(some).encode()).hexdigest()[:20]
        try:
            answer = credit(engine, actor, f"credit run {run_id}/{key}", now, document_ids=some)
        except Conflict as nothing:
            if nothing.code != NOTHING:
                raise
            continue
        result.documents += len(answer["credit_notes"])
        for currency, amount in answer["total_minor"].items():
            result.total_minor[currency] = result.total_minor.get(currency, 0) + amount
        if progress:
            done = start + len(some)
            progress(done / len(standing), f"{done:,} / {len(standing):,}")
    if not result.documents:
        raise _nothing()
    return result


def _nothing() -> Conflict:
    return Conflict("Nothing is left to credit: it was credited already", code=NOTHING)
