"""Issue invoices: once, in chunks, each chunk one transaction.

`run_billing` finds who is due, then issues chunk by chunk. A chunk recomputes its draft inside its own transaction, takes
its numbers there, writes documents, lines, VAT, ledger and cursors, and commits; killed in the middle, a rerun finds the
rest (trust.md, "Books in one transaction").
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any
from zoneinfo import ZoneInfo

import polars as pl
from sqlalchemy import Engine, insert, select

from core.actions.command import Answer, Work, command
from core.actions.issuing import SavedRows, documents_to_save
from core.calc.billing.documents import Draft, draft
from core.calc.billing.limits import unusual
from core.calc.timeline import next_due, timeline
from core.domain.access import Actor, Permission, require
from core.domain.errors import Conflict, InvalidInput
from core.domain.invoices import REVIEW_SENTENCES, Review
from core.frames import BillingInputs
from core.store import billing
from core.store.audit import audit_head
from core.store.engine import reading
from core.store.holds import released
from core.store.save import insert_many
from core.store.tables import (
    BillingHold,
    BillingRun,
    Document,
    DocumentBuyer,
    DocumentLine,
    DocumentTax,
    LedgerEntry,
    LedgerPosting,
    LedgerSeal,
    LineDiscount,
    Parked,
    RunChunk,
    core_table,
)

CHUNK_CUSTOMERS = 5_000
Progress = Callable[[float, str], None]


@dataclass
class RunResult:
    """What a run did, or would do: documents and sums per currency, and who was left out and why.

    `audit_entries` and `audit_hash` are the end of the audit chain after it: kept elsewhere, they show a cut-off tail.
    """

    through: date
    issue_date: date
    dry_run: bool
    documents: int = 0
    credit_notes: int = 0
    lines: int = 0
    net_minor: dict[str, int] = field(default_factory=dict)
    total_minor: dict[str, int] = field(default_factory=dict)
    review: dict[str, int] = field(default_factory=dict)
    run_id: int | None = None
    audit_entries: int = 0
    audit_hash: str = ""

    def add(self, answer: Answer) -> None:
        """Add a chunk's counts."""
        self.documents += answer["documents"]
        self.credit_notes += answer["credit_notes"]
        self.lines += answer["lines"]
        for mine, theirs in ((self.net_minor, "net_minor"), (self.total_minor, "total_minor"), (self.review, "review")):
            for name, value in answer[theirs].items():
                mine[name] = mine.get(name, 0) + value


def business_day(now: datetime, time_zone: str = "Europe/Oslo") -> date:
    """The company's calendar day at an instant."""
    return now.astimezone(ZoneInfo(time_zone)).date()


def run_billing(
    engine: Engine, actor: Actor | None, *, now: datetime, through: date, command_id: str = "",
    issue_date: date | None = None, dry_run: bool = False, progress: Progress | None = None,
    customer_ids: list[int] | None = None, chunk_customers: int = CHUNK_CUSTOMERS,
) -> RunResult:  # fmt: skip
    """Bill everything due through a day. Run it again, or twice at once: each period is still billed once.

    `progress` is told the share done and a sentence. A dry run computes the same documents and writes nothing. Raises
    NotPermitted, Conflict (no company, books closed).
    """
    require(actor, Permission.ISSUE_INVOICES)
    issued_on = issue_date or business_day(now)
    result = RunResult(through, issued_on, dry_run)
    with reading(engine) as session:
        check_open_books(billing.books_closed_through(session), issued_on)
        billing.company_profile(session, issued_on)
        seen = billing.newest_facts(session)
        due = billing.due_subscriptions(session, through, customer_ids)
    customers = due["customer_id"].unique(maintain_order=True)
    run_id = None
    if not dry_run and customers.len():
        name = command_id or f"run {through} {now.isoformat()}"
        run_id = start_run(engine, actor, f"{name}/start", now, through=through, issue_date=issued_on)["run_id"]
        result.run_id = run_id
    for done, some in _chunks(customers, chunk_customers):
        if dry_run:
            result.add(_dry_chunk(engine, some, through, issued_on))
        else:
            # What is known belongs to the chunk: sent again after something was learned, it is another chunk.
            key = hashlib.sha256(repr((some, seen)).encode()).hexdigest()[:20]
            result.add(
                issue_chunk(
                    engine, actor, f"run {run_id}/{key}", now,
                    run_id=run_id, customer_ids=some, through=through, issue_date=issued_on,
                )
            )  # fmt: skip
        if progress:
            progress(done / customers.len(), f"{done:,} / {customers.len():,}")
    if run_id is not None and customer_ids is None:
        finish_run(engine, actor, f"run {run_id}/finish {seen}", now, change_id=seen.change_id, event_id=seen.event_id)
    if run_id is not None:
        with reading(engine) as session:
            result.audit_entries, result.audit_hash = audit_head(session)
    return result


def check_open_books(closed_through: date | None, issue_date: date) -> None:
    """Refuse to issue into closed books."""
    if closed_through is not None and issue_date <= closed_through:
        raise Conflict(
            "The books are closed through {closed}; a document cannot be dated {issue_date}",
            code="books_closed", closed=closed_through, issue_date=issue_date,
        )  # fmt: skip


def _chunks(customers: pl.Series, size: int) -> Iterator[tuple[int, list[int]]]:
    """Customers in slices, with how many are done after each."""
    for start in range(0, customers.len(), size):
        some = customers.slice(start, size).to_list()
        yield start + len(some), some


def _dry_chunk(engine: Engine, customer_ids: list[int], through: date, issue_date: date) -> Answer:
    """What `issue_chunk` would answer."""
    with reading(engine) as session:
        _, made, review = draft_for(session, customer_ids, through, issue_date)
        return _answer(made, review)


@command("invoices.start_run", Permission.ISSUE_INVOICES)
def start_run(work: Work, *, through: date, issue_date: date) -> Answer:
    """Note that a run began; the same command id gives the same run."""
    check_open_books(billing.books_closed_through(work.session), issue_date)
    runs = core_table(BillingRun)
    work.session.execute(
        insert(runs).values(
            through=through, issue_date=issue_date, started_at=work.now, author=work.author, command_id=work.command_id
        )
    )
    run_id = work.session.execute(select(runs.c.id).where(runs.c.command_id == work.command_id)).scalar_one()
    work.audit(f"billing_run:{run_id}", "through", "issue_date")
    return {"run_id": run_id}


@command("invoices.issue_chunk", Permission.ISSUE_INVOICES)
def issue_chunk(work: Work, *, run_id: int, customer_ids: list[int], through: date, issue_date: date) -> Answer:
    """Issue what these customers are due, recomputed here and now; answers counts and sums."""
    session = work.session
    check_open_books(billing.books_closed_through(session), issue_date)
    seen = billing.newest_facts(session)
    loaded, made, review = draft_for(session, customer_ids, through, issue_date)
    _park(work, run_id, review)
    if made.documents.height:
        _save(work, made, run_id, issue_date)
    left_out = review["customer_id"].unique()
    _move_cursors(work, loaded, through, seen, left_out)
    answer = _answer(made, review)
    work.audit(f"billing_run:{run_id}", "documents", "cursors")
    insert_many(
        session, RunChunk,
        [{"run_id": run_id, "command_id": work.command_id, "documents": answer["documents"],
          "net_minor_json": repr(answer["net_minor"]), "finished_at": work.now}],
    )  # fmt: skip
    return answer


@command("invoices.finish_run", Permission.ISSUE_INVOICES)
def finish_run(work: Work, *, change_id: int, event_id: int) -> Answer:
    """Mark the facts that the run knew as seen for everybody it did not concern, so that the next run stays short."""
    billing.see_all(work.session, billing.Seen(change_id, event_id))
    return {}


@command("invoices.hold", Permission.HOLD_BILLING)
def hold(work: Work, *, customer_id: int, held: bool, reason: str) -> Answer:
    """Hold a customer's billing, or release it; a release also lets an unusual amount pass once."""
    if not reason.strip():
        raise InvalidInput("Say why, so that the next person understands", code="no_reason")
    insert_many(
        work.session, BillingHold,
        [{"customer_id": customer_id, "held": held, "reason": reason.strip(), **work.stamp}],
    )  # fmt: skip
    work.audit(f"customer:{customer_id}", "billing_hold")
    return {"customer_id": customer_id, "held": held}


def draft_for(
    session: Any, customer_ids: list[int], through: date, issue_date: date
) -> tuple[BillingInputs, Draft, pl.DataFrame]:
    """Inputs and draft of the due subscriptions of these customers, without those that need a decision first."""
    due = billing.due_subscriptions(session, through, customer_ids)
    loaded = billing.inputs(session, due, through, issue_date)
    made = draft(loaded, through)
    unusual = _unusual(session, made, billing.company_profile(session, issue_date))
    review = pl.concat([made.review, unusual]).unique(maintain_order=True)
    return loaded, made.without(unusual["customer_id"]), review


def _unusual(session: Any, made: Draft, company: Any) -> pl.DataFrame:
    """Customers whose document is beyond the company's limits and whom nobody has released since their last one."""
    heads = unusual(made.documents, company.review_above_minor, company.review_lines_above)
    return heads.filter(~pl.col("customer_id").is_in(released(session, heads["customer_id"])))


def _park(work: Work, run_id: int, review: pl.DataFrame) -> None:
    """Keep who was left out and why."""
    insert_many(
        work.session, Parked,
        [
            {"run_id": run_id, "customer_id": row["customer_id"], "code": row["code"],
             "message": REVIEW_SENTENCES[Review(row["code"])], "recorded_at": work.now}
            for row in review.iter_rows(named=True)
        ],
    )  # fmt: skip


def _save(work: Work, made: Draft, run_id: int, issue_date: date) -> None:
    """Write documents with everything that hangs on them; the ledger last, because it closes them."""
    save_documents(work.session, documents_to_save(work, made, run_id, issue_date))


def save_documents(session: Any, rows: SavedRows) -> None:
    """Write what `documents_to_save` made; the ledger last, because it closes the documents."""
    for model in (
        Document, DocumentLine, DocumentTax, LineDiscount, DocumentBuyer, LedgerEntry, LedgerPosting, LedgerSeal,
    ):  # fmt: skip
        insert_many(session, model, rows[model])


def _move_cursors(work: Work, loaded: BillingInputs, through: date, seen: billing.Seen, left_out: pl.Series) -> None:
    """Everybody in scope is billed through the day, save those left out for review."""
    owners = loaded.subscriptions.select("subscription_id", "customer_id")
    scope = loaded.scope.join(owners, on="subscription_id").filter(~pl.col("customer_id").is_in(left_out.implode()))
    ahead = next_due(timeline(loaded.facts.changes, loaded.facts.versions), pl.lit(through))
    cursors = scope.join(ahead, on="subscription_id", how="left").select(
        "subscription_id",
        billed_through=pl.lit(through),
        seen_change_id=pl.lit(seen.change_id, dtype=pl.Int64),
        seen_event_id=pl.lit(seen.event_id, dtype=pl.Int64),
        opening="opening",
        opening_change_id="opening_change_id",
        next_due_on="next_due_on",
    )
    billing.move_cursors(work.session, cursors)


def _answer(made: Draft, review: pl.DataFrame) -> Answer:
    """Counts and sums of a draft, as JSON."""
    sums = made.documents.group_by("currency", maintain_order=True).agg(pl.col("net_minor", "total_minor").sum())
    return {
        "documents": made.documents.height,
        "credit_notes": made.documents.filter(pl.col("kind") == "credit_note").height,
        "lines": made.lines.height,
        "net_minor": dict(sums.select("currency", "net_minor").iter_rows()),
        "total_minor": dict(sums.select("currency", "total_minor").iter_rows()),
        "review": dict(review.group_by("code").len().iter_rows()),
    }
