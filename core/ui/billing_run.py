"""The billing run on one page: what is due, the usage check, holds, the review, issuing with progress, earlier runs."""

from __future__ import annotations

from datetime import date
from typing import Any

import polars as pl
import streamlit as st

from core.actions.crediting import Credited
from core.actions.invoices import RunResult
from core.domain.access import Permission
from core.reports import billing_review as reads
from core.reports import invoice_list
from core.reports.billing_review import BillingReview
from core.ui import billing_holds, billing_job, parts, session
from core.ui import billing_pieces as pieces
from core.ui.format import day, instant, money, number
from core.ui.plan_list import permit
from core.ui.plan_words import day_format
from core.ui.text import label, refusal, t

AT_ONCE = 3_000  # customers that are reviewed without being asked


def show(context: session.Context) -> None:
    """From the day to the issued documents."""
    job = billing_job.current(context)
    if job and job.running:
        _progress(context)
        return
    if job:
        _result(job)
    through = st.date_input(
        t("Bill what falls due through"), context.today, key="through", bind="query-params", format=day_format(), width=220,
        help=t("The invoices are dated today. What is due and not billed yet is found anew at every run."),
    )  # fmt: skip
    assert isinstance(through, date)
    due = session.frames(reads.due_count, through)
    if not due:
        parts.empty(
            "task_alt", t("Nothing is due"), t("Everything that falls due through {day} is invoiced.", day=through)
        )
    else:
        found = _review(context, through, due)
        if found:
            _shown(found, context)
    billing_holds.show(context)
    _earlier(context)


def _review(context: session.Context, through: date, due: int) -> BillingReview | None:
    """The review of the day: at once where it is short, after a click with progress where it is not."""
    key = (context.revision, through, context.today, str(context.engine.url))
    kept = st.session_state.get("review")
    if kept and kept[0] == key:
        found: BillingReview = kept[1]
        return found
    place = st.empty()
    if due > AT_ONCE:
        with place.container():
            st.info(
                t("{count} customers are due. The review drafts every invoice and writes nothing.", count=number(due))
            )
            if not st.button(t("Prepare the review"), type="primary", icon=":material/fact_check:"):
                return None
    bar = place.progress(0.0, t("Drafting"))
    with session.read() as db:
        made = reads.review(db, through, context.today, lambda share, words: _tell(bar, share, words))
    bar.empty()
    st.session_state["review"] = (key, made)
    return made


def _tell(bar: Any, share: float, words: str) -> None:
    bar.progress(share, words)


def _shown(found: BillingReview, context: session.Context) -> None:
    """Totals, usage, what needs review, plans and the largest; then the button that issues."""
    usage = found.usage.sort("previous_micro", descending=True, nulls_last=True)
    customers = [frame.head(pieces.SHOWN)["customer_id"] for frame in (usage, found.review, found.largest())]
    known = session.frames(reads.names, sorted(set(pl.concat(customers).to_list())), context.today)
    names = {row["customer_id"]: f"{row['name']} ({row['external_id']})" for row in known.iter_rows(named=True)}
    pieces.cards(found)
    _ahead(found, context)
    _issue_button(found, names, context)
    pieces.usage(usage, names)
    pieces.left_out(found.review, names)
    left, right = st.columns([3, 2])
    with left.container(border=True, height="stretch"):
        pieces.plans(found.plans)
    with right.container(border=True, height="stretch"):
        pieces.largest(found, names)


def _ahead(found: BillingReview, context: session.Context) -> None:
    """Billing beyond today bills usage that is not over yet."""
    if found.through > context.today:
        st.warning(
            t("This bills through {through}, {count} days ahead of today. Usage of periods that are still running is billed as far as it is recorded; the rest follows on a later invoice.",
              through=found.through, count=number((found.through - context.today).days)), icon=":material/update:",
        )  # fmt: skip


def _issue_button(found: BillingReview, names: dict[int, str], context: session.Context) -> None:
    """Opens the confirmation; disabled without the permission, with the reason."""
    text = t("Issue {count} documents", count=number(found.heads.height))
    if found.heads.height and st.button(text, type="primary", icon=":material/send:", **permit(context, Permission.ISSUE_INVOICES)):  # fmt: skip
        st.dialog(t("Issue invoices through {day}", day=found.through), width="medium")(_confirm)(found, names, context)


def _confirm(found: BillingReview, names: dict[int, str], context: session.Context) -> None:
    """The effect, spelled out: count, total, the largest, a sample, and that it cannot be undone."""
    for row in found.totals().iter_rows(named=True):
        st.markdown(
            t("{invoices} and {credits}, {total} to pay in all.", invoices=t("{count} invoices", count=number(row["invoices"])),
              credits=t("{count} credit notes", count=number(row["credit_notes"])), total=f"**{parts.plain(money(row['total_minor'], row['currency']))}**")
        )  # fmt: skip
    sample = pl.concat([found.largest().head(1), found.heads.sample(min(3, found.heads.height), seed=1)]).unique(
        maintain_order=True
    )
    st.caption(t("The largest, and a sample:"))
    known = session.frames(reads.names, sorted(set(sample["customer_id"].to_list())), context.today)
    named = names | dict(known.select("customer_id", "name").iter_rows())
    for row in sample.iter_rows(named=True):
        st.markdown(f"- {parts.plain(named.get(row['customer_id'], ''))}: {parts.plain(money(row['total_minor'], row['currency']))}")  # fmt: skip
    _ahead(found, context)
    st.warning(
        t("They get their numbers and the date {day}. Issued documents never change; a mistake is corrected by a credit note.", day=context.today),
        icon=":material/lock:",
    )  # fmt: skip
    if st.button(t("Issue now"), type="primary", icon=":material/send:", key="issue_now"):
        billing_job.start(context, found.through, session.command_id(f"bill:{found.through}:{context.revision}"))
        st.rerun()


@st.fragment(run_every="500ms")
def _progress(context: session.Context) -> None:
    """The bar, on every page that looks on; when the run ends, the page is drawn anew."""
    job = billing_job.current(context)
    if job is None or not job.running:
        st.rerun()
        return
    words = (
        t("Crediting: {words} invoices", words=job.words or "0")
        if job.credits
        else t("Issuing: {words} customers", words=job.words or "0")
    )
    st.progress(job.share, words)
    st.caption(t("You may leave this page; the run goes on. Started again, it only completes."))


def _result(job: billing_job.Job) -> None:
    """How the run ended."""
    if job.refusal:
        st.error(refusal(job.refusal), icon=":material/error:")
    elif job.failure:
        st.error(t("The run stopped. What is issued is whole; start it again and it completes. Reference {id}.", id=job.failure),
                 icon=":material/error:")  # fmt: skip
    elif isinstance(job.result, Credited):
        st.success(
            t("{notes} took back what run {number} invoiced.", notes=t("{count} credit notes", count=number(job.result.documents)), number=job.credits)
            + f" {_amounts(job.result.total_minor)}.", icon=":material/check_circle:",
        )  # fmt: skip
    elif job.result:
        _issued(job.result, job.through)


def _amounts(total_minor: dict[str, int]) -> str:
    """Sums of each currency."""
    return " · ".join(parts.plain(money(minor, code)) for code, minor in total_minor.items())


def _issued(result: RunResult, through: date) -> None:
    """What a run issued, and whom it left out."""
    totals = _amounts(result.total_minor)
    st.success(
        t("{count} documents issued through {day}.", count=number(result.documents), day=through)
        + (f" {totals}." if totals else ""), icon=":material/check_circle:",
    )  # fmt: skip
    if result.run_id:
        parts.link("invoices", t("The documents of run {number}", number=result.run_id),
                   query={"run": str(result.run_id)}, icon=":material/receipt_long:")  # fmt: skip
    left_out = sum(result.review.values())
    if left_out:
        st.warning(t("{count} customers were left out and need review.", count=number(left_out)))
    if result.audit_hash:
        _head(result)


def _head(result: RunResult) -> None:
    """The end of the audit chain: kept elsewhere, it shows later whether the trail was cut."""
    st.caption(t("Audit trail after the run: {count} entries, ending in {hash}. Keep it with your books.", count=number(result.audit_entries), hash=f"`{result.audit_hash[:16]}`"))  # fmt: skip


def _earlier(context: session.Context) -> None:
    """Runs that were made, and whom each left out."""
    found = session.frames(invoice_list.runs)
    st.header(t("Earlier runs"), anchor=False)
    if found.is_empty():
        st.caption(t("None yet."))
        return
    rows = [
        {
            t("Run"): row["run_id"], t("Through"): day(row["through"]), t("Issued"): day(row["issue_date"]),
            t("By"): label(row["author"]), t("Documents"): number(row["documents"]), t("Left out"): number(row["left_out"]),
            t("Finished"): instant(row["finished_at"]),
        }
        for row in found.iter_rows(named=True)
    ]  # fmt: skip
    state: Any = st.dataframe(
        rows, hide_index=True, key="runs", on_select="rerun", selection_mode="single-row",
        column_config=parts.money_columns(t("Documents"), t("Left out")), height=parts.tall(len(rows), 10),
    )  # fmt: skip
    if state.selection.rows:
        _one_run(found.row(state.selection.rows[0], named=True))


def _one_run(run: dict[str, Any]) -> None:
    """The way to a run's documents, where it can be credited, and whom it left out."""
    parts.link("invoices", t("The documents of run {number}", number=run["run_id"]), query={"run": str(run["run_id"])}, icon=":material/receipt_long:")  # fmt: skip
    found = session.frames(invoice_list.left_out, run["run_id"])
    if found.height:
        rows = [{t("Customer"): f"{row['name']} ({row['external_id']})", t("Why"): t(row["message"])} for row in found.iter_rows(named=True)]  # fmt: skip
        st.dataframe(rows[: pieces.SHOWN], hide_index=True)
