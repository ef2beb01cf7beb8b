"""Beside an invoice: what it pays for, what is different from the one before, and where it belongs."""

from __future__ import annotations

from typing import Any

import altair as alt
import polars as pl
import streamlit as st

from core.calc.billing.expected import TRUE_UP
from core.calc.billing.price_limits import LIMIT
from core.domain.invoices import Purpose
from core.domain.money import to_major
from core.domain.plans import ChargeKind
from core.reports.invoices import Explained
from core.ui import charts, parts
from core.ui.format import money, number
from core.ui.text import label, t

# The colour of a share in the bar, and its name in Streamlit's text.
SHARES = {"subscription": ("charge", "blue"), "usage": ("discount", "green"), "change": ("correction", "orange"), "vat": ("vat", "gray")}  # fmt: skip


def what_for(view: Explained) -> None:
    """What the amount pays for, as one bar: the subscription, usage, changes of earlier periods, VAT."""
    shares = _shares(view)
    if view.head["kind"] == "credit_note" or min(shares.values(), default=0) < 0 or len(shares) < 2:
        return
    names = {"subscription": t("Subscription after discounts"), "usage": t("Usage after discounts"),
             "change": t("Changes in earlier periods"), "vat": t("VAT")}  # fmt: skip
    currency = view.head["currency"]
    frame = pl.DataFrame({
        "name": [names[key] for key in shares], "amount": [float(to_major(value, currency)) for value in shares.values()],
        "colour": [charts.COLOURS[SHARES[key][0]] for key in shares], "place": list(range(len(shares))),
    })  # fmt: skip
    bar = alt.Chart(frame).mark_bar(height=14, cornerRadius=2).encode(
        x=alt.X("amount:Q", stack="normalize", axis=None), color=alt.Color("colour:N", scale=None), order="place:Q",
        tooltip=[alt.Tooltip("name:N", title=" "), alt.Tooltip("amount:Q", title=currency, format=",.2f")],
    )  # fmt: skip
    st.altair_chart(charts.styled(bar, height=24), width="stretch", key="what_for", alt=t("What you pay for"))
    for column, (key, value) in zip(st.columns(len(shares)), shares.items(), strict=True):
        column.markdown(f":{SHARES[key][1]}[●] :small[{names[key]}]  \n**{parts.plain(money(value, currency))}**")


def _shares(view: Explained) -> dict[str, int]:
    """Net of the lines by what they are, and the VAT; in minor units, only what is not nothing."""
    changed = (pl.col("revision") > 0) | pl.col("corrects_id").is_not_null()
    kind = pl.when(changed).then(pl.lit("change")).when(pl.col("kind") == ChargeKind.USAGE).then(pl.lit("usage")).otherwise(pl.lit("subscription"))  # fmt: skip
    sums = dict(view.lines.group_by(kind.alias("share")).agg(pl.col("net_minor").sum()).iter_rows())
    sums["vat"] = view.head["tax_minor"]
    return {key: sums[key] for key in SHARES if sums.get(key)}


def pair_row(title: str, text: str) -> None:
    """A title at the left, its amount at the right, and below them what else the title says."""
    first, _, more = title.partition("  \n")
    with st.container(gap=None):
        # A row breaks by the width of all of a title's lines: the amount would fall below the long ones.
        with st.container(horizontal=True, gap="small"):
            st.markdown(first, width="stretch")
            st.markdown(text, width="content")
        if more:
            st.markdown(more)


def related(view: Explained) -> None:
    """The documents that this one takes back, replaces or corrects, and those that do so to it."""
    if not view.related:
        return
    with st.container(border=True, gap="small"):
        st.markdown(f"**{t('Belongs together')}**")
        for relation, number in view.related:
            text = _relation(relation, parts.plain(number))
            parts.link("invoices", text, query={"number": number}, icon=":material/link:")


def _relation(relation: str, number: str) -> str:
    """What this document is to another one."""
    return {
        "takes_back": t("Takes back {number} whole", number=number), "taken_back_by": t("Taken back by {number}", number=number),
        "old_one_taken_back_by": t("The old one is taken back by {number}", number=number), "issued_anew_as": t("Issued anew as {number}", number=number),
        "replaces": t("Replaces {number}", number=number), "replaced_by": t("Replaced by {number}", number=number),
        "corrects": t("Corrects {number}", number=number), "corrected_by": t("Corrected by {number}", number=number),
    }[relation]  # fmt: skip


def difference(view: Explained) -> None:
    """Why the amount differs from the document it is compared with, in parts that sum exactly."""
    before, head = view.previous, view.head
    if head["purpose"] == Purpose.CORRECTION:
        return  # the document that it takes back, over again
    with st.container(border=True):
        if before is None:
            st.markdown(f"**{t('The first document of this customer')}**")
            return
        anew = head["purpose"] == Purpose.REISSUE
        st.markdown(
            f"**{t('What is different from the one it replaces?') if anew else t('What is different from last time?')}**"
        )
        if not anew:
            text = t("Before: {number}", number=parts.plain(before["number"]))
            parts.link("invoices", text, query={"number": before["number"]})
        if head["currency"] != before["currency"]:
            st.caption(t("The two documents are in different currencies."))
            return
        if view.bridge.is_empty():
            st.caption(t("Nothing: the amount is the same."))
            return
        rows = [(_bridge_name(row), row["amount_minor"]) for row in view.bridge.iter_rows(named=True)]
        moved = sum(amount for _, amount in rows)
        for name, amount in [*rows, (t("In all"), moved)]:
            pair_row(parts.plain(name), parts.plain(money(amount, head["currency"], sign=True)))
        _waterfall(before, head, rows)


def _bridge_name(row: dict[str, Any]) -> str:
    """What a part of the difference is called."""
    name = unnamed(row["code"]) if row["code"] in (TRUE_UP, LIMIT) else row["code"]
    named = {"discount": t("Discounts"), "vat": t("VAT"), "correction": t("Correction: {charge}", charge=name)}
    return named.get(row["part"], name)


def unnamed(kind: str) -> str:
    """What a line without a charge of its own is called."""
    return t("Limit on the price rise") if kind == LIMIT else t("Up to the agreed minimum")


def _waterfall(before: dict[str, Any], head: dict[str, Any], rows: list[tuple[str, int]]) -> None:
    """From the amount before to this one."""
    currency = head["currency"]
    signed = [-each["total_minor"] if each["kind"] == "credit_note" else each["total_minor"] for each in (before, head)]
    steps = [(before["number"], signed[0], "total"), *((name, amount, "part") for name, amount in rows), (head["number"], signed[1], "total")]  # fmt: skip
    frame = pl.DataFrame(
        {
            "name": [name for name, _, _ in steps],
            "amount": [float(to_major(amount, currency)) for _, amount, _ in steps],
            "kind": [kind for _, _, kind in steps],
        }
    )
    chart = charts.styled(charts.waterfall(frame, label="name", amount="amount", y_title=currency), height=220)
    st.altair_chart(chart, width="stretch", key="waterfall", alt=t("What is different from last time?"))


def facts(view: Explained) -> None:
    """Who it belongs to, how it goes out, which run made it."""
    head = view.head
    with st.container(border=True):
        st.markdown(f"**{t('About this document')}**")
        if (parts.PAGES / "customers.py").exists():
            parts.link("customers", t("Customer {id}", id=parts.plain(view.customer)), query={"customer": view.customer},
                       icon=":material/person:")  # fmt: skip
        parts.link("invoices", t("All of this customer's documents"), query={"customer": view.customer},
                   icon=":material/receipt_long:")  # fmt: skip
        if head["run_id"]:
            parts.link("invoices", t("Made by run {number}", number=number(head["run_id"])), query={"run": str(head["run_id"])},
                       icon=":material/playlist_play:")  # fmt: skip
        facts = {t("Payment option"): label(head["payment_option"]), t("Channel"): label(head["channel"])}
        for title, text in facts.items():
            if text:
                st.caption(f"{title}: {text}")
