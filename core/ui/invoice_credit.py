"""An invoice credited: whole, an amount of it on the next invoice, or everything that a run issued."""

from __future__ import annotations

import polars as pl
import streamlit as st

from core.actions.crediting import credit
from core.calc.billing.adjustments import ADJUSTMENT
from core.calc.billing.documents import Draft
from core.domain.access import Permission
from core.reports import billing_review, invoices
from core.reports.invoices import Explained
from core.ui import billing_job, parts, session
from core.ui.desk_asides import adjust_form
from core.ui.desk_asked import Subject
from core.ui.format import day, money, number
from core.ui.invoice_reissue import may_take_back, paid_on_it
from core.ui.plan_list import permit
from core.ui.text import t

SAMPLE = 4


def button(view: Explained, context: session.Context) -> None:
    """The way to take the whole invoice back."""
    may = may_take_back(view, context)
    if st.button(t("Credit in full …"), icon=":material/undo:", key="credit_in_full", **may):
        st.dialog(t("Credit in full"), width="medium")(form)(view)


def form(view: Explained) -> None:
    """What the credit note takes back, what becomes of the days that it was for, and the button."""
    head = view.head
    made = session.frames(invoices.credit_of, [head["id"]])
    if made.documents.is_empty():
        st.info(t("Nothing is left to credit: later invoices credited everything on it."), icon=":material/task_alt:")
        return
    total = -made.documents["total_minor"][0]
    words = {"number": parts.plain(head["number"]), "total": f"**{parts.plain(money(total, head['currency']))}**"}
    st.markdown(
        t("A credit note of {total} takes {number} back, to the same receiver. {number} stays as it is.", **words)
    )
    if total != head["total_minor"]:
        st.caption(t("{amount} of it was credited by later invoices already.", amount=parts.plain(money(head["total_minor"] - total, head["currency"]))))  # fmt: skip
    _what_follows(made, one=True)
    paid_on_it(view)
    if st.button(t("Issue the credit note"), type="primary", icon=":material/undo:", key="credit_in_full:go"):
        answer = session.act(credit, key=f"credit:{head['number']}", document_ids=[head["id"]])
        if answer:
            session.say(t("{credit} is issued and takes {number} back", credit=answer["credit_notes"][0], number=head["number"]))  # fmt: skip
            parts.go("invoices", {"number": answer["credit_notes"][0]})


def _what_follows(made: Draft, *, one: bool) -> None:
    """The days are billed again: what is wrong must be put right before that."""
    sentence = (
        t("The next billing run bills these days again, by the prices and the subscription as they are by then. Put right first what was wrong; to wait with it, hold the customer's billing.")
        if one
        else t("The next billing run bills these days again, by the prices and the subscriptions as they are by then. Put right first what was wrong.")
    )  # fmt: skip
    st.warning(sentence, icon=":material/restart_alt:")
    if made.lines.filter(pl.col("kind") == ADJUSTMENT).height:
        st.caption(
            t("One-off charges and credits on it are not billed again: what was right about them is entered anew.")
        )
    if one:
        st.caption(t("To give money away, use “Credit an amount”: that is not billed again."))


def run_button(run_id: int, context: session.Context) -> None:
    """The way back from a whole run."""
    if st.button(t("Credit this run …"), icon=":material/undo:", key="credit_run", **permit(context, Permission.CREDIT_INVOICES)):  # fmt: skip
        st.dialog(t("Credit run {number}", number=run_id), width="medium")(run_form)(run_id)


def run_form(run_id: int) -> None:
    """Count, total, the largest and a sample; what becomes of the days; the button after the number was typed."""
    context = session.current()
    with st.spinner(t("Looking at what is left to credit …")):
        made = session.frames(invoices.credit_of_run, run_id)
    if made.documents.is_empty():
        st.info(t("Nothing is left to credit: every invoice of the run was taken back."), icon=":material/task_alt:")
        return
    sums = made.documents.group_by("currency").agg(pl.len(), -pl.col("total_minor").sum()).sort("len", descending=True)
    for currency, count, minor in sums.iter_rows():
        total = parts.plain(money(minor, currency))
        st.markdown(
            t(
                "{notes} of {total} in all.",
                notes=t("{count} credit notes", count=number(count)),
                total=f"**{total}**",
            )
        )
    largest = made.documents.sort("total_minor").head(1)
    sample = pl.concat([largest, made.documents.sample(min(SAMPLE, made.documents.height), seed=1)]).unique("document", maintain_order=True)  # fmt: skip
    known = session.frames(billing_review.names, sorted(set(sample["customer_id"].to_list())), context.today)
    names = dict(known.select("customer_id", "name").iter_rows())
    st.caption(t("The largest, and a sample:"))
    for row in sample.iter_rows(named=True):
        st.markdown(f"- {parts.plain(names.get(row['customer_id'], ''))}: {parts.plain(money(-row['total_minor'], row['currency']))}")  # fmt: skip
    _what_follows(made, one=False)
    st.caption(
        t("The credit notes get their numbers and the date {day}. They cannot be taken back.", day=day(context.today))
    )
    typed = st.text_input(
        t("Type the number of the run, {number}", number=run_id), key=f"credit_run:{run_id}", live=True
    )
    right = typed.strip() == str(run_id)
    if st.button(
        t("Credit all of it"), type="primary", icon=":material/undo:", key="credit_run:go", disabled=not right
    ):
        billing_job.start_credit(context, run_id)
        parts.go("invoices", {"view": "run"})


def amount_button(view: Explained, context: session.Context) -> None:
    """The way to credit a part: it comes off the next invoice."""
    may = permit(context, Permission.CHANGE_SUBSCRIPTIONS)
    if st.button(t("Credit an amount …"), icon=":material/redeem:", key="credit", **may):
        st.dialog(t("Credit an amount"), width="large")(_amount_form)(view)


def _amount_form(view: Explained) -> None:
    """Which subscription, where there are several, then the amount with its effect."""
    number = parts.plain(view.head["number"])
    st.caption(t("{number} stays as it is: the credit comes off the next invoice, or as a credit note when nothing is to be paid.", number=number))  # fmt: skip
    plans = dict(
        view.lines.select("subscription_id", "plan").unique("subscription_id", maintain_order=True).iter_rows()
    )
    chosen = next(iter(plans))
    if len(plans) > 1:
        chosen = st.selectbox(t("Subscription"), list(plans), format_func=plans.__getitem__, key="credit:which")
    subject = Subject(view.head["customer_id"], view.customer, chosen)
    adjust_form(subject, credit_for=t("Credit for invoice {number}", number=view.head["number"]))
