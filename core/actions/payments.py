"""Register payments: what whoever gets the bills has paid, or was paid back. Forbli collects nothing.

Each posts one balanced entry, bank against receivable; a balance is what is left of the receivable. What was registered by
mistake is taken back by its opposite, never changed.
"""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

import polars as pl
from sqlalchemy import exists, func, select

from core import frames
from core.actions.changing import audit_each, refusals, today
from core.actions.command import Answer, Work, command
from core.calc.changes.deciding import Decision, asked, bad_choice, sorted_out, unstorable
from core.domain.access import Permission
from core.domain.errors import Conflict, InvalidInput, NotFound
from core.domain.ledger import Account
from core.domain.money import EXPONENTS, MAX_MINOR
from core.domain.subscriptions import PaymentOption, Refusal
from core.store import billing, ledger, load
from core.store import subscriptions as stored
from core.store.known import among_texts
from core.store.save import insert_many, reserve_ids
from core.store.tables import Document, LedgerEntry, LedgerPosting, LedgerSeal, Payment, core_table

PAYMENT_REQUESTS: frames.Schema = {
    "customer_id": pl.Int64, "document_id": pl.Int64, "currency": pl.String, "paid_on": pl.Date, "amount_minor": pl.Int64,
    "payment_option": pl.String, "note": pl.String, "source_id": pl.String, "seen_payment_id": pl.Int64,
}  # fmt: skip
_SAID = ["customer_id", "document_id", "currency", "paid_on", "amount_minor", "payment_option", "note"]
_SAVED = [*_SAID, "source_id"]
EARLIEST = date(1990, 1, 1)  # a day before it is a slip of the pen


@command("payments.register", Permission.REGISTER_PAYMENTS)
def register_payments(work: Work, *, requests: pl.DataFrame, partial: bool = False) -> Answer:
    """Payments: document_id, or customer_id and currency; paid_on, amount_minor [, payment_option, note, source_id].

    `amount_minor` is negative where money was paid back, which is never more than was paid or credited. One with a source id
    counts once, however often it is sent. `seen_payment_id`: the newest payment of the document that its author had seen, 0 for
    none; when there is a newer one it is refused. Answers the ids of the new ones and how many were known.
    """
    rows = _placed(work, requests)
    sound, refused = sorted_out(rows, _checks(work, rows))
    known = _known(work, sound)
    good, contradicting = sorted_out(known, _repetitions())
    everything = pl.concat([refused, contradicting], how="diagonal_relaxed")
    answers = refusals(Decision(good, everything), partial=partial)
    again = pl.col("source_id").is_not_null() & (pl.int_range(pl.len()).over("source_id") > 0)
    fresh = good.filter(~again & ~pl.col("known"))
    saved = _save(work, fresh.select(_SAVED))
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
    opposite = {**{name: row[name] for name in _SAID}, "amount_minor": -row["amount_minor"], "note": reason.strip()}
    rows = frames.conform(pl.DataFrame([opposite], infer_schema_length=None), PAYMENT_REQUESTS)
    covered = row["document_id"] is None and _paid_at_large(work, row) >= row["amount_minor"]
    if row["amount_minor"] > 0 and not covered and _too_much_back(work, rows).any():
        raise Conflict("Some of it was paid back; take that back first", code="paid_back")
    saved = _save(work, rows.select(_SAVED).with_columns(undoes_id=pl.lit(payment_id, dtype=pl.Int64)))
    return {"payment_id": saved["id"][0]}


def _placed(work: Work, requests: pl.DataFrame) -> pl.DataFrame:
    """The payments with the payer and currency of their document, and the newest payment of it."""
    rows = asked(requests, PAYMENT_REQUESTS).with_columns(
        pl.col("note").fill_null("").str.strip_chars(), pl.col("payment_option").fill_null(""),
        pl.when(pl.col("source_id").str.strip_chars() != "").then("source_id").alias("source_id"),
    )  # fmt: skip
    documents = _documents(work, rows["document_id"].drop_nulls().unique())
    _, which = bad_choice(payment_option=PaymentOption)
    placed = rows.join(documents, on="document_id", how="left", maintain_order="left").with_columns(
        named_id="customer_id", occurred_on="paid_on", bad_choice=pl.when(pl.col("payment_option") != "").then(which),
        customer_id=pl.coalesce("bill_to_id", "customer_id"), currency=pl.coalesce("currency", "document_currency"),
    )  # fmt: skip
    return placed.with_columns(too_much=_too_much_back(work, placed))


def _known(work: Work, rows: pl.DataFrame) -> pl.DataFrame:
    """Adds what was said first under each source id (`…_first`), `known` (is it stored?) and `undone` (was it taken back?)."""
    named = rows.filter(pl.col("source_id").is_not_null())
    before = _stored(work, named["source_id"].unique())
    said = ["source_id", *_SAID]
    first = pl.concat([before.select(said), named.select(said)]).unique("source_id", keep="first", maintain_order=True)
    return (
        rows.join(first, on="source_id", how="left", maintain_order="left", suffix="_first")
        .join(
            before.select("source_id", "undone", known=pl.lit(True)), on="source_id", how="left", maintain_order="left"
        )
        .with_columns(pl.col("known", "undone").fill_null(False))
    )


def _documents(work: Work, ids: pl.Series) -> pl.DataFrame:
    """document_id, bill_to_id, document_currency, newest_id and paid_by of its newest payment."""
    table, payment = core_table(Document).c, core_table(Payment).c
    newest = select(func.max(payment.id)).where(payment.document_id == table.id).scalar_subquery()
    schema = {"document_id": pl.Int64, "bill_to_id": pl.Int64, "document_currency": pl.String, "newest_id": pl.Int64}
    statement = select(
        table.id.label("document_id"), table.bill_to_id, table.currency.label("document_currency"), newest.label("newest_id")
    ).where(load.among(work.session, table.id, ids))  # fmt: skip
    found = load.frame(work.session, statement, schema)
    authors = select(payment.id.label("newest_id"), payment.author.label("paid_by")).where(
        load.among(work.session, payment.id, found["newest_id"].drop_nulls())
    )
    by = load.frame(work.session, authors, {"newest_id": pl.Int64, "paid_by": pl.String})
    return found.join(by, on="newest_id", how="left", maintain_order="left").with_columns(
        pl.col("newest_id").fill_null(0)
    )


def _too_much_back(work: Work, rows: pl.DataFrame) -> pl.Series:
    """Is more paid back with a row than was paid on its document, or than the payer has to get where it is a credit note or none?"""
    back = pl.col("amount_minor") < 0
    if not rows.select(back.any()).item():
        return rows.select(too_much=back)["too_much"]
    payment = core_table(Payment).c
    paid = select(payment.document_id, func.sum(payment.amount_minor).label("paid_minor")).where(
        load.among(work.session, payment.document_id, rows["document_id"].drop_nulls().unique())
    ).group_by(payment.document_id)  # fmt: skip
    on_document = load.frame(work.session, paid, {"document_id": pl.Int64, "paid_minor": pl.Int64})
    owed = ledger.receivables(work.session, rows["customer_id"].drop_nulls().unique())
    key = ["customer_id", "currency"]
    told = rows.join(on_document, on="document_id", how="left", maintain_order="left").join(
        owed, on=key, how="left", maintain_order="left"
    )
    so_far = pl.col("amount_minor").clip(upper_bound=0).cum_sum()
    of_document = pl.col("paid_minor").fill_null(0) + so_far.over("document_id") >= 0
    of_payer = so_far.over(key) >= pl.col("owed_minor").fill_null(0)
    return told.select(too_much=back & ~(of_document & pl.col("document_id").is_not_null()) & ~of_payer)["too_much"]


def _paid_at_large(work: Work, row: Any) -> int:
    """What the payer of a payment has paid without a document, less what was paid back so, in its currency."""
    payment = core_table(Payment).c
    statement = select(func.sum(payment.amount_minor)).where(
        payment.customer_id == row["customer_id"], payment.currency == row["currency"], payment.document_id.is_(None)
    )
    return int(work.session.execute(statement).scalar() or 0)


def _stored(work: Work, source_ids: pl.Series) -> pl.DataFrame:
    """Payments already stored under these source ids, and whether they were taken back."""
    payment, undo = core_table(Payment).c, core_table(Payment).alias("undo")
    undone = exists().where(undo.c.undoes_id == payment.id)
    schema = {name: PAYMENT_REQUESTS[name] for name in ["source_id", *_SAID]} | {"undone": pl.Boolean}
    columns = (undone.label(name) if name == "undone" else payment[name] for name in schema)
    statement = select(*columns).where(among_texts(work.session, payment.source_id, source_ids))
    return load.frame(work.session, statement, schema)


def _checks(work: Work, rows: pl.DataFrame) -> list[tuple[Refusal, pl.Expr]]:
    """May this payment be registered?"""
    customers = stored.known_customers(work.session, rows["customer_id"].drop_nulls().unique())
    amount, on = pl.col("amount_minor"), pl.col("paid_on")
    unknown = ~pl.col("currency").is_in(list(EXPONENTS)).fill_null(False)
    return [
        (Refusal.NO_DOCUMENT, pl.col("document_id").is_not_null() & pl.col("document_currency").is_null()),
        (Refusal.NO_CUSTOMER, ~pl.col("customer_id").is_in(customers.implode()) | pl.col("customer_id").is_null()),
        (Refusal.OTHER_PAYER, pl.col("named_id") != pl.col("bill_to_id")),
        (Refusal.NO_DAY, on.is_null() | (on < EARLIEST)),
        (Refusal.PAID_NOTHING, amount.is_null() | (amount == 0) | (amount.abs() > MAX_MINOR // 1000) | unknown),
        (Refusal.PAID_CURRENCY, pl.col("currency") != pl.col("document_currency")),
        (Refusal.BAD_CHOICE, pl.col("bad_choice").is_not_null()),
        (Refusal.FUTURE, on > pl.lit(today(work))),
        (Refusal.NUL, unstorable("note", "source_id", "currency")),
        (Refusal.PAID_MEANWHILE, pl.col("seen_payment_id") < pl.col("newest_id")),
        (Refusal.PAID_BACK, pl.col("too_much")),
    ]


def _repetitions() -> list[tuple[Refusal, pl.Expr]]:
    """Does it say what was said first under its source id?"""
    differs = pl.any_horizontal(pl.col(name).ne_missing(pl.col(f"{name}_first")) for name in _SAID)
    return [
        (Refusal.TAKEN_BACK, pl.col("undone")),
        (Refusal.OTHER_CONTENT, pl.col("source_id").is_not_null() & differs),
    ]


def _save(work: Work, rows: pl.DataFrame) -> pl.DataFrame:
    """Write the payments with their ledger entries; answers them with their ids."""
    if rows.is_empty():
        return rows.with_columns(id=pl.lit(None, dtype=pl.Int64))
    session = work.session
    closed = billing.books_closed_through(session)
    open_from = None if closed is None else closed + timedelta(days=1)
    first, entry = reserve_ids(session, Payment, rows.height), reserve_ids(session, LedgerEntry, rows.height)
    numbered = rows.with_columns(id=pl.int_range(pl.len()) + first, entry_id=pl.int_range(pl.len()) + entry)
    # What comes to light when its month is closed is posted on the first day that is open.
    posted = pl.max_horizontal("paid_on", pl.lit(open_from, dtype=pl.Date))
    when: dict[str, Any] = {"recorded_at": pl.lit(work.now), "command_id": pl.lit(work.command_id)}
    insert_many(
        session, LedgerEntry,
        numbered.select("customer_id", id="entry_id", kind=pl.lit("payment"), note="note", on_date=posted, **when),
    )  # fmt: skip
    sides = ((Account.BANK, pl.col("amount_minor")), (Account.RECEIVABLE, -pl.col("amount_minor")))
    postings = [
        numbered.select("entry_id", "currency", account=pl.lit(account.value), amount_minor=amount)
        for account, amount in sides
    ]
    insert_many(session, LedgerPosting, pl.concat(postings).sort("entry_id"))
    insert_many(session, LedgerSeal, numbered.select("entry_id"))
    insert_many(session, Payment, numbered.with_columns(author=pl.lit(work.author), **when))
    audit_each(work, "customer", numbered["customer_id"].unique().sort(), "payment")
    return numbered
