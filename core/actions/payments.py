"""Register payments: what whoever gets the bills has paid, or was paid back. Forbli collects nothing.

Each posts one balanced entry, bank against receivable; a balance is what is left of the receivable. What was registered by
mistake is taken back by its opposite, never changed.
"""

from __future__ import annotations

from typing import Any

import polars as pl
from sqlalchemy import select

from core import frames
from core.actions.changing import AUDITED_ROWS, refusals, today
from core.actions.command import Answer, Work, command
from core.actions.invoices import check_open_books
from core.calc.changes.deciding import Decision, asked, bad_choice, sorted_out, unstorable
from core.domain.access import Permission
from core.domain.errors import Conflict, InvalidInput, NotFound
from core.domain.ledger import Account
from core.domain.money import EXPONENTS, MAX_MINOR
from core.domain.subscriptions import PaymentOption, Refusal
from core.store import billing, load
from core.store import subscriptions as stored
from core.store.known import among_texts
from core.store.save import insert_many, reserve_ids
from core.store.tables import Document, LedgerEntry, LedgerPosting, LedgerSeal, Payment, core_table

PAYMENT_REQUESTS: frames.Schema = {
    "customer_id": pl.Int64, "document_id": pl.Int64, "currency": pl.String, "paid_on": pl.Date, "amount_minor": pl.Int64,
    "payment_option": pl.String, "note": pl.String, "source_id": pl.String,
}  # fmt: skip
_SAID = [name for name in PAYMENT_REQUESTS if name != "source_id"]
DAY = pl.duration(days=1)


@command("payments.register", Permission.REGISTER_PAYMENTS)
def register_payments(work: Work, *, requests: pl.DataFrame, partial: bool = False) -> Answer:
    """Payments: document_id, or customer_id and currency; paid_on, amount_minor [, payment_option, note, source_id].

    `amount_minor` is negative where money was paid back. One with a source id counts once, however often it is sent. Answers
    the ids of the new ones and how many were known.
    """
    rows = _placed(work, requests)
    good, refused = sorted_out(rows, _checks(work, rows))
    answers = refusals(Decision(good, refused), partial=partial)
    again = pl.col("source_id").is_not_null() & (pl.int_range(pl.len()).over("source_id") > 0)
    fresh = good.filter(~again & ~pl.col("known"))
    saved = _save(work, fresh.select(list(PAYMENT_REQUESTS)))
    answer: Answer = {"payment_ids": saved["id"].to_list(), "known": good.height - fresh.height}
    return {**answer, "refused": answers} if partial else answer


@command("payments.take_back", Permission.REGISTER_PAYMENTS)
def take_back_payment(work: Work, *, payment_id: int, reason: str) -> Answer:
    """Undo a registration that was an error, by its opposite on the same day."""
    if not reason.strip() or "\0" in reason:
        raise InvalidInput("Say why, so that the next person understands", code="no_reason")
    table = core_table(Payment)
    row = work.session.execute(select(table).where(table.c.id == payment_id)).mappings().first()
    if row is None:
        raise NotFound("There is no payment {payment_id}", code="no_payment", payment_id=payment_id)
    taken = work.session.execute(select(table.c.id).where(table.c.undoes_id == payment_id)).first()
    if taken or row["undoes_id"] is not None:
        raise Conflict("This payment was taken back already", code="taken_back_already")
    check_open_books(billing.books_closed_through(work.session), row["paid_on"])
    opposite = {**{name: row[name] for name in _SAID}, "amount_minor": -row["amount_minor"], "note": reason.strip()}
    rows = frames.conform(pl.DataFrame([opposite], infer_schema_length=None), PAYMENT_REQUESTS)
    saved = _save(work, rows.with_columns(undoes_id=pl.lit(payment_id, dtype=pl.Int64)))
    return {"payment_id": saved["id"][0]}


def _placed(work: Work, requests: pl.DataFrame) -> pl.DataFrame:
    """The payments with the payer and currency of their document, and with what was said first under their source ids."""
    rows = asked(requests, PAYMENT_REQUESTS).with_columns(
        pl.col("note").fill_null("").str.strip_chars(), pl.col("payment_option").fill_null("")
    )
    documents = _documents(work, rows["document_id"].drop_nulls().unique())
    rows = rows.join(documents, on="document_id", how="left", maintain_order="left").with_columns(
        customer_id=pl.coalesce("bill_to_id", "customer_id"), currency=pl.coalesce("currency", "document_currency")
    )
    named = rows.filter(pl.col("source_id").is_not_null())
    before = _stored(work, named["source_id"].unique())
    first = pl.concat([before, named.select(before.columns)]).unique("source_id", keep="first", maintain_order=True)
    known = before.select("source_id", known=pl.lit(True))
    closed = pl.lit(billing.books_closed_through(work.session), dtype=pl.Date)
    _, which = bad_choice(payment_option=PaymentOption)
    return (
        rows.join(first, on="source_id", how="left", maintain_order="left", suffix="_first")
        .join(known, on="source_id", how="left", maintain_order="left")
        .with_columns(
            pl.col("known").fill_null(False),
            occurred_on="paid_on",
            closed_through=closed,
            open_from=closed + DAY,
            bad_choice=pl.when(pl.col("payment_option") != "").then(which),
        )
    )


def _documents(work: Work, ids: pl.Series) -> pl.DataFrame:
    """document_id, bill_to_id, document_currency."""
    table = core_table(Document).c
    schema = {"document_id": pl.Int64, "bill_to_id": pl.Int64, "document_currency": pl.String}
    statement = select(table.id.label("document_id"), table.bill_to_id, table.currency.label("document_currency"))
    return load.frame(work.session, statement.where(load.among(work.session, table.id, ids)), schema)


def _stored(work: Work, source_ids: pl.Series) -> pl.DataFrame:
    """Payments already stored under these source ids."""
    payment = core_table(Payment).c
    schema = {name: PAYMENT_REQUESTS[name] for name in ["source_id", *_SAID]}
    statement = select(*(payment[name] for name in schema)).where(
        among_texts(work.session, payment.source_id, source_ids)
    )
    return load.frame(work.session, statement, schema)


def _checks(work: Work, rows: pl.DataFrame) -> list[tuple[Refusal, pl.Expr]]:
    """May this payment be registered?"""
    customers = stored.known_customers(work.session, rows["customer_id"].drop_nulls().unique())
    differs = pl.any_horizontal(pl.col(name).ne_missing(pl.col(f"{name}_first")) for name in _SAID)
    amount, on = pl.col("amount_minor"), pl.col("paid_on")
    unknown = ~pl.col("currency").is_in(list(EXPONENTS)).fill_null(False)
    return [
        (Refusal.NO_DOCUMENT, pl.col("document_id").is_not_null() & pl.col("document_currency").is_null()),
        (Refusal.NO_CUSTOMER, ~pl.col("customer_id").is_in(customers.implode()) | pl.col("customer_id").is_null()),
        (Refusal.NO_DAY, on.is_null()),
        (Refusal.PAID_NOTHING, amount.is_null() | (amount == 0) | (amount.abs() > MAX_MINOR // 1000) | unknown),
        (Refusal.PAID_CURRENCY, pl.col("currency") != pl.col("document_currency")),
        (Refusal.BAD_CHOICE, pl.col("bad_choice").is_not_null()),
        (Refusal.FUTURE, on > pl.lit(today(work))),
        (Refusal.BOOKS_CLOSED, ~pl.col("known") & (on <= pl.col("closed_through"))),
        (Refusal.NUL, unstorable("note", "source_id", "currency")),
        (Refusal.OTHER_CONTENT, pl.col("source_id").is_not_null() & differs),
    ]


def _save(work: Work, rows: pl.DataFrame) -> pl.DataFrame:
    """Write the payments with their ledger entries; answers them with their ids."""
    if rows.is_empty():
        return rows.with_columns(id=pl.lit(None, dtype=pl.Int64))
    session = work.session
    first, entry = reserve_ids(session, Payment, rows.height), reserve_ids(session, LedgerEntry, rows.height)
    numbered = rows.with_columns(id=pl.int_range(pl.len()) + first, entry_id=pl.int_range(pl.len()) + entry)
    when: dict[str, Any] = {"recorded_at": pl.lit(work.now), "command_id": pl.lit(work.command_id)}
    insert_many(
        session, LedgerEntry,
        numbered.select("customer_id", id="entry_id", kind=pl.lit("payment"), on_date="paid_on", note="note", **when),
    )  # fmt: skip
    sides = ((Account.BANK, pl.col("amount_minor")), (Account.RECEIVABLE, -pl.col("amount_minor")))
    postings = [
        numbered.select("entry_id", "currency", account=pl.lit(account.value), amount_minor=amount)
        for account, amount in sides
    ]
    insert_many(session, LedgerPosting, pl.concat(postings).sort("entry_id"))
    insert_many(session, LedgerSeal, numbered.select("entry_id"))
    insert_many(session, Payment, numbered.with_columns(author=pl.lit(work.author), **when))
    _audit(work, numbered)
    return numbered


def _audit(work: Work, saved: pl.DataFrame) -> None:
    """One line a customer, or one for all of a large batch."""
    customers = saved["customer_id"].unique().sort()
    if customers.len() > AUDITED_ROWS:
        work.audit(f"customers:{customers.len()}", "payment")
        return
    for customer_id in customers:
        work.audit(f"customer:{customer_id}", "payment")
