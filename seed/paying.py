"""How the demo's customers pay: by payment option, on which day, and who pays late or not at all.

Their own random numbers: what happens to people does not depend on when they pay.
"""

from __future__ import annotations

import numpy as np
import polars as pl
from sqlalchemy import select

from core.actions.payments import register_payments
from core.store import ledger, load
from core.store.engine import reading
from core.store.tables import BillingRun, Document, core_table
from seed.month import Month

# Days after the due date (card: after the issue date) on which who pays in time does so, and the share that is late.
HABITS = {
    "card": (0, 1, 0.01), "direct_debit": (0, 0, 0.02), "efaktura": (-5, 0, 0.04), "invoice": (-7, 2, 0.10),
    "bank_transfer": (-3, 4, 0.08),
}  # fmt: skip
LATE_DAYS, NEVER = (8, 34), 0.008  # how late, and the share of all documents that nobody pays
PAID = ["document_id", "paid_on", "amount_minor", "payment_option"]
PENDING = {
    "document_id": pl.Int64, "paid_on": pl.Date, "amount_minor": pl.Int64, "payment_option": pl.String,
    "customer_id": pl.Int64, "currency": pl.String, "credit": pl.Boolean,
}  # fmt: skip


def settle(turn: Month) -> None:
    """Payments that come this month: of the documents of its first day and of earlier ones; then what credits have left over."""
    issued = _issued(turn)
    if issued.height:
        turn.life.unpaid = pl.concat([turn.life.unpaid, _promised(turn, issued)])
    comes = pl.col("paid_on") <= turn.last_date
    now, turn.life.unpaid = turn.life.unpaid.filter(comes), turn.life.unpaid.filter(~comes)
    paid = now.filter(~pl.col("credit"))
    if paid.height:
        turn.do(register_payments, "payments", who="finance", requests=paid.select(PAID))
    back = _left_over(turn, now.filter("credit"))
    if back.height:
        turn.do(register_payments, "repayments", who="finance", requests=back)


def _left_over(turn: Month, credits_: pl.DataFrame) -> pl.DataFrame:
    """What is paid back of credit notes: no more than the payer has to get when the open invoices are settled."""
    with reading(turn.story.engine) as session:
        owed = ledger.receivables(session, credits_["customer_id"].unique())
    sums = credits_.group_by("customer_id", "currency", maintain_order=True).agg(
        pl.col("document_id", "payment_option").last(), pl.col("paid_on").max(), pl.col("amount_minor").sum()
    )
    due = sums.join(owed.filter(pl.col("owed_minor") < 0), on=["customer_id", "currency"], maintain_order="left")
    return due.with_columns(amount_minor=pl.max_horizontal(-pl.col("amount_minor"), "owed_minor")).select(PAID)


def _issued(turn: Month) -> pl.DataFrame:
    """What the month's own billing run issued."""
    document, run = core_table(Document), core_table(BillingRun)
    schema = {"document_id": pl.Int64, "kind": pl.String, "issue_date": pl.Date, "due_date": pl.Date,
              "payment_option": pl.String, "total_minor": pl.Int64, "bill_to_id": pl.Int64, "currency": pl.String}  # fmt: skip
    columns = (document.c.id.label(name) if name == "document_id" else document.c[name] for name in schema)
    statement = (
        select(*columns)
        .join_from(document, run, run.c.id == document.c.run_id)
        .where(run.c.command_id == f"{turn.story.order} {turn.month}/bill/start")
        .order_by(document.c.id)
    )
    with reading(turn.story.engine) as session:
        return load.frame(session, statement, schema)


def _promised(turn: Month, issued: pl.DataFrame) -> pl.DataFrame:
    """PENDING of documents: the day on which each is paid; those that never are, are left out."""
    rng = np.random.default_rng([turn.story.order.seed, turn.month, 1])
    names = sorted(HABITS)
    low, high, late = (np.array([HABITS[name][at] for name in names]) for at in range(3))
    at = np.searchsorted(names, issued["payment_option"].to_numpy().astype("U16"))
    days = low[at] + np.floor(rng.random(issued.height) * (high - low + 1)[at]).astype(int)
    is_late = rng.random(issued.height) < late[at]
    days = np.where(is_late, rng.integers(*LATE_DAYS, issued.height, endpoint=True), days)
    paid = issued.with_columns(
        days=pl.Series(days.astype(np.int64)), never=pl.Series(rng.random(issued.height) < NEVER)
    )
    since = pl.when(pl.col("payment_option") == "card").then("issue_date").otherwise("due_date")
    return paid.filter(~pl.col("never") & (pl.col("total_minor") > 0)).select(
        "document_id",
        paid_on=pl.max_horizontal(since + pl.duration(days="days"), "issue_date"),
        amount_minor="total_minor",
        payment_option="payment_option",
        customer_id="bill_to_id",
        currency="currency",
        credit=pl.col("kind") == "credit_note",
    )
