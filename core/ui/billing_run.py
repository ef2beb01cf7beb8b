"""The billing run on one page: what is due, the usage check, holds, the review, issuing with progress, earlier runs."""

from __future__ import annotations

from datetime import date
from typing import Any

import polars as pl
import streamlit as st

from core.actions.invoices import RunResult
from core.domain.access import Permission
from core.domain.invoices import REVIEW_SENTENCES, Review
from core.reports import billing_review as reads
from core.reports import invoice_list
from core.reports.billing_review import BillingReview
from core.ui import billing_holds, billing_job, parts, session
from core.ui.format import day, instant, money, number, percent, period, quantity
from core.ui.plan_list import permit
from core.ui.plan_words import day_format
from core.ui.text import label, sentence, t

AT_ONCE = 3_000  # customers that are reviewed without being asked
SHOWN = 200


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
    customers = [frame.head(SHOWN)["customer_id"] for frame in (usage, found.review, found.largest())]
    known = session.frames(reads.names, sorted(set(pl.concat(customers).to_list())), context.today)
    names = {row["customer_id"]: f"{row['name']} ({row['external_id']})" for row in known.iter_rows(named=True)}
    _cards(found)
    _issue_button(found, names, context)
    _usage(usage, names)
    _left_out(found.review, names)
    left, right = st.columns([3, 2])
    with left.container(border=True, height="stretch"):
        _plans(found.plans)
    with right.container(border=True, height="stretch"):
        _largest(found, names)


def _cards(found: BillingReview) -> None:
    """What the run would issue, per currency, beside the run before."""
    for row in found.totals().iter_rows(named=True):
        currency = row["currency"]
        mine = found.plans.filter(pl.col("currency") == currency)
        then, before = (int(mine[name].sum()) for name in ("period_minor", "previous_minor"))
        change = f"{percent(round((then - before) / before * 10**4) * 100)}" if before > 0 else None
        parts.cards(
            [
                {"label": t("Invoices"), "value": number(row["invoices"])},
                {"label": t("Credit notes"), "value": number(row["credit_notes"])},
                {"label": t("Before VAT, {currency}", currency=currency), "value": money(row["net_minor"], currency),
                 "delta": change, "delta_color": "off", "delta_arrow": "auto" if then != before else "off", "delta_description": t("the month against the one before") if change else None},
                {"label": t("To pay, {currency}", currency=currency), "value": money(row["total_minor"], currency)},
            ]
        )  # fmt: skip
    if found.heads.is_empty():
        st.caption(t("Nothing would be issued: what is due comes to zero, or needs review first."))


def _usage(usage: pl.DataFrame, names: dict[int, str]) -> None:
    """Metered customers whose usage is missing, nothing, or far from last time."""
    with st.container(border=True):
        st.markdown(f"**{t('Usage check')}**", help=t("Usage that is missing, zero, or more than 50 % away from the period before. It is billed as it is; hold a customer if it must be looked into."))  # fmt: skip
        if usage.is_empty():
            st.caption(t("Every metered customer has usage like last time."))
            return
        signs = {"missing": t("none recorded"), "zero": t("zero"), "jump": t("up more than 50 %"), "drop": t("down more than 50 %")}  # fmt: skip
        counts = dict(usage.group_by("sign").len().iter_rows())
        st.caption(" · ".join(f"{number(counts[sign])} {words}" for sign, words in signs.items() if sign in counts))
        rows = [
            {
                t("Customer"): names.get(row["customer_id"], ""), t("Meter"): row["meter"],
                t("Period"): period(row["service_start"], row["service_end"]), t("Usage"): quantity(row["quantity_micro"]),
                t("Last time"): "" if row["previous_micro"] is None else quantity(row["previous_micro"]),
                t("Look at"): signs[row["sign"]],
            }
            for row in usage.head(SHOWN).iter_rows(named=True)
        ]  # fmt: skip
        st.dataframe(rows, hide_index=True, height=min(36 + 35 * len(rows), 300), column_config=parts.money_columns(t("Usage"), t("Last time")))  # fmt: skip
        _more(usage.height)


def _left_out(review: pl.DataFrame, names: dict[int, str]) -> None:
    """Customers that the run leaves out until somebody decides."""
    if review.is_empty():
        return
    with st.container(border=True):
        st.markdown(f"**{t('Needs review')}** · {number(review.height)}")
        st.caption(t("These customers are left out of the run; the others are billed."))
        rows = [
            {t("Customer"): names.get(row["customer_id"], ""), t("Why"): t(REVIEW_SENTENCES[Review(row["code"])])}
            for row in review.head(SHOWN).iter_rows(named=True)
        ]
        st.dataframe(rows, hide_index=True, height=min(36 + 35 * len(rows), 300))
        _more(review.height)


def _more(count: int) -> None:
    if count > SHOWN:
        st.caption(t("and {count} more", count=number(count - SHOWN)))


def _plans(plans: pl.DataFrame) -> None:
    """Net by plan, and the month that it ends beside the month before."""
    st.markdown(f"**{t('Net by plan')}**", help=t("This month: what was issued since a month before the day, and this run. Last month: the month before that."))  # fmt: skip
    titles = (t("This run"), t("This month"), t("Last month"), t("Difference"))
    rows = [
        {
            t("Plan"): row["plan"], titles[0]: money(row["net_minor"], row["currency"]),
            titles[1]: money(row["period_minor"], row["currency"]),
            titles[2]: money(row["previous_minor"], row["currency"]),
            titles[3]: money(row["period_minor"] - row["previous_minor"], row["currency"], sign=True),
        }
        for row in plans.iter_rows(named=True)
    ]  # fmt: skip
    st.dataframe(rows, hide_index=True, column_config=parts.money_columns(*titles))


def _largest(found: BillingReview, names: dict[int, str]) -> None:
    """The largest documents of the run."""
    st.markdown(f"**{t('The largest')}**")
    rows = [
        {t("Customer"): names.get(row["customer_id"], ""), t("To pay"): money(row["total_minor"], row["currency"])}
        for row in found.largest().iter_rows(named=True)
    ]
    st.dataframe(rows, hide_index=True, height=min(36 + 35 * max(1, len(rows)), 320), column_config=parts.money_columns(t("To pay")))  # fmt: skip


def _issue_button(found: BillingReview, names: dict[int, str], context: session.Context) -> None:
    """Opens the confirmation; disabled without the permission, with the reason."""
    text = t("Issue {count} documents", count=number(found.heads.height))
    if found.heads.height and st.button(text, type="primary", icon=":material/send:", **permit(context, Permission.ISSUE_INVOICES)):  # fmt: skip
        st.dialog(t("Issue invoices through {day}", day=found.through), width="medium")(_confirm)(found, names, context)


def _confirm(found: BillingReview, names: dict[int, str], context: session.Context) -> None:
    """The effect, spelled out: count, total, the largest, a sample, and that it cannot be undone."""
    for row in found.totals().iter_rows(named=True):
        st.markdown(
            t("{invoices} invoices and {credits} credit notes, {total} to pay in all.", invoices=number(row["invoices"]),
              credits=number(row["credit_notes"]), total=f"**{parts.plain(money(row['total_minor'], row['currency']))}**")
        )  # fmt: skip
    sample = pl.concat([found.largest().head(1), found.heads.sample(min(3, found.heads.height), seed=1)]).unique(
        maintain_order=True
    )
    st.caption(t("The largest, and a sample:"))
    known = session.frames(reads.names, sorted(set(sample["customer_id"].to_list())), context.today)
    named = names | dict(known.select("customer_id", "name").iter_rows())
    for row in sample.iter_rows(named=True):
        st.markdown(f"- {parts.plain(named.get(row['customer_id'], ''))}: {parts.plain(money(row['total_minor'], row['currency']))}")  # fmt: skip
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
    st.progress(job.share, t("Issuing: {words} customers", words=job.words or "0"))
    st.caption(t("You may leave this page; the run goes on. Started again, it only completes."))


def _result(job: billing_job.Job) -> None:
    """How the run ended."""
    if job.refusal:
        st.error(sentence(job.refusal), icon=":material/error:")
    elif job.failure:
        st.error(t("The run stopped. What is issued is whole; start it again and it completes. Reference {id}.", id=job.failure),
                 icon=":material/error:")  # fmt: skip
    elif job.result:
        result = job.result
        totals = " · ".join(parts.plain(money(minor, code)) for code, minor in result.total_minor.items())
        st.success(
            t("{count} documents issued through {day}.", count=number(result.documents), day=job.through)
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
    st.subheader(t("Earlier runs"), anchor=False)
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
        column_config=parts.money_columns(t("Documents"), t("Left out")), height=min(36 + 35 * len(rows), 320),
    )  # fmt: skip
    if state.selection.rows:
        _one_run(found.row(state.selection.rows[0], named=True))


def _one_run(run: dict[str, Any]) -> None:
    """The way to a run's documents, and whom it left out."""
    parts.link("invoices", t("The documents of run {number}", number=run["run_id"]), query={"run": str(run["run_id"])}, icon=":material/receipt_long:")  # fmt: skip
    found = session.frames(invoice_list.left_out, run["run_id"])
    if found.height:
        rows = [{t("Customer"): f"{row['name']} ({row['external_id']})", t("Why"): t(row["message"])} for row in found.iter_rows(named=True)]  # fmt: skip
        st.dataframe(rows[:SHOWN], hide_index=True)
