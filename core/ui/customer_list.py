"""The list of customers: search as you type, filters in the URL, a page of rows, count and sums, export."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import polars as pl
import streamlit as st

from core.domain.subscriptions import Channel, CustomerKind, PaymentOption
from core.exchange.export import MOST_SHEET_ROWS, Table, as_csv, as_xlsx
from core.reports import customers as reads
from core.reports.customers import Filters
from core.ui import customer_forms, parts, session
from core.ui.format import day, money, number
from core.ui.text import label, t
from core.ui.view import View, keep

PAGE_SIZE = 50
STATUSES = ("active", "trial", "paused", "ended", "no_subscription")
KEYS = ("find", "kind", "status", "plan", "payment_option", "channel", "country", "sort", "page")
XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
KEPT = "customers:view"
VIEW = View("customers")


def show(context: session.Context) -> None:
    """Filters above, then the rows and what they are worth."""
    known = session.carried(reads.directory, context.today).rows
    if known.is_empty():
        parts.empty(
            "group",
            t("No customers yet"),
            t("Enter the first one here, or import a file: uv run python -m core import MAPPING.toml FILE"),
        )
        customer_forms.new_customer(context)
        return
    filters, sort = _filters(known)
    with session.read() as db:
        found = reads.narrowed(db, filters, sort, known)
    if found.is_empty():
        parts.empty("search_off", t("No customer fits"), t("Change the search or the filters, or show all."))
        st.button(t("Show all customers"), icon=":material/filter_alt_off:", on_click=_clear)
        return
    _sums(found)
    pages = -(-found.height // PAGE_SIZE)
    place = VIEW.place(pages, (filters, sort))
    st.session_state[KEPT] = {key: value for key, value in st.query_params.items() if key in KEYS}
    _rows(found.slice((place - 1) * PAGE_SIZE, PAGE_SIZE))
    with st.container(horizontal=True, vertical_alignment="center"):
        if pages > 1:
            st.pagination(pages, key="customers:page")
        st.space("stretch")
        customer_forms.new_customer(context)
        if st.button(t("Change many …"), icon=":material/done_all:", key="customers:many"):
            parts.go("customers", {"many": "1"})
        _export(found, filters, context)


def _filters(known: pl.DataFrame) -> tuple[Filters, str]:
    """The widgets; the URL says the same."""
    values = reads.choices(known)
    words = {
        "kind": (t("Kind"), {each.value: label(each.value) for each in CustomerKind}, 125),
        "status": (t("Status"), {each: label(each) for each in STATUSES}, 150),
        "plan": (t("Plan"), {each: each for each in values["plan"]}, 125),
        "payment_option": (t("Payment option"), {each.value: label(each.value) for each in PaymentOption}, 150),
        "channel": (t("Channel"), {each.value: label(each.value) for each in Channel}, 145),
        "country": (t("Country"), {each: each for each in values["country"]}, 100),
    }
    sorts = {
        "name": t("By name"),
        "newest": t("Newest first"),
        "oldest": t("Oldest first"),
        "mrr": t("Highest MRR first"),
    }
    with st.container(horizontal=True, vertical_alignment="bottom", gap="small"):
        text = st.text_input(
            t("Find"), key=VIEW.begin("find", str, ""), type="search", live="200ms", width=330,
            placeholder=t("Name, e-mail, customer id or number"), help=t("Also by organisation number and by invoice number."),
        )  # fmt: skip
        keep("find", text or "")
        chosen = {
            name: VIEW.chosen(name, said[0], said[1], width=said[2]) for name, said in words.items() if len(said[1]) > 1
        }
        sort = VIEW.chosen("sort", t("Sort"), sorts, usual="name", width=165)
    return Filters(text=text or "", **{name: value or "" for name, value in chosen.items()}), sort or "name"


def kept_filters() -> tuple[Filters, str, str]:
    """The filters, the order and the words of the list as it was seen last, wherever it is asked from."""
    kept: dict[str, str] = st.session_state.get(KEPT, {})
    filters = Filters(text=kept.get("find", ""), **{name: kept.get(name, "") for name in KEYS[1:-2]})
    return filters, kept.get("sort", "name"), words_of(filters)


def _clear() -> None:
    """Forget every filter."""
    for name in KEYS:
        st.query_params.pop(name, None)
        st.session_state.pop(f"customers:{name}", None)


def _sums(found: pl.DataFrame) -> None:
    """Count and MRR of everything that the filters leave."""
    worth = [
        f"**{parts.plain(money(row['mrr_minor'], row['currency']))}**"
        for row in reads.sums(found).iter_rows(named=True)
    ]
    said = t("{count} customers", count=f"**{number(found.height)}**")
    if worth:
        said += " · " + t("{amount} a month", amount=" + ".join(worth))
    st.markdown(
        said, help=t("List prices before VAT, without discounts, usage and one-off fees; one sum for each currency.")
    )


def _rows(found: pl.DataFrame) -> None:
    """One row a customer; choosing one opens it."""
    mrr, overdue, status = t("MRR"), t("Overdue"), t("Status")
    due = session.frames(reads.what_comes, found["customer_id"].to_list(), session.current().today)
    rows = [
        {
            t("Name"): row["name"], t("Customer id"): row["external_id"], status: [label(row["status"])], t("Plan"): row["plans"],
            mrr: _sum(row["worth"], "mrr_minor"), t("Next invoice"): day(row["next_on"]),
            overdue: _sum(row["overdue"], "open_minor"), t("E-mail"): row["emails"], t("Kind"): label(row["kind"]),
            t("Town"): row["city"], t("Since"): day(row["created_on"]),
        }
        for row in found.join(due, on="customer_id", how="left", maintain_order="left").iter_rows(named=True)
    ]  # fmt: skip
    columns = parts.money_columns(mrr) | parts.pill_columns(status, {each: label(each) for each in STATUSES})
    columns[overdue] = st.column_config.TextColumn(
        alignment="right", width=105
    )  # mostly empty: else as narrow as its title
    # A table of its own each time: the choice that opened a customer must not open it again on the way back.
    opened = st.session_state.setdefault("customers:opened", 0)
    state: Any = st.dataframe(
        pl.DataFrame(rows), hide_index=True, key=f"customers:rows:{opened}", on_select="rerun",
        selection_mode="single-row", column_config=columns, height=parts.tall(len(rows), 25),
    )  # fmt: skip
    chosen = state.selection.rows
    if chosen and chosen[0] < found.height:
        st.session_state["customers:opened"] = opened + 1
        parts.go("customers", {"customer": found["external_id"][chosen[0]]})
    st.caption(t("Choose a row to see everything about the customer."))


def _sum(amounts: list[dict[str, Any]] | None, name: str) -> str:
    """Amounts of several currencies side by side."""
    return " + ".join(money(each[name], each["currency"]) for each in amounts or () if each[name])


def _export(found: pl.DataFrame, filters: Filters, context: session.Context) -> None:
    """The filtered set as files, made when they are asked for."""
    worded = parts.in_words(found, "kind", "status", "payment_option", "channel")
    made = _Export(worded, _titles(), _about(filters, context))
    name = f"forbli-customers-{context.today.isoformat()}"
    parts.download(t("CSV"), made.csv, f"{name}.csv", key="customers:csv")
    if found.height <= MOST_SHEET_ROWS:
        parts.download(t("Excel"), made.xlsx, f"{name}.xlsx", key="customers:xlsx", mime=XLSX)


@dataclass(frozen=True)
class _Export:
    """What a download button calls, off the page's own thread: texts are translated beforehand."""

    rows: pl.DataFrame
    titles: dict[str, str]
    about: dict[str, str]

    def table(self) -> Table:
        """A row for each currency of a customer. Amounts need a currency; a customer who pays nothing has none."""
        rows = self.rows.drop("currency", "mrr_minor").explode("worth").unnest("worth")
        rows = rows.with_columns(pl.col("currency").fill_null("NOK"), pl.col("mrr_minor").fill_null(0))
        return Table("Forbli", rows, self.titles, self.about)

    def csv(self) -> bytes:
        """As CSV."""
        return as_csv(self.table())

    def xlsx(self) -> bytes:
        """As a workbook."""
        return as_xlsx(self.table())


def _titles() -> dict[str, str]:
    """The columns of the files."""
    return {
        "external_id": t("Customer id"), "name": t("Name"), "kind": t("Kind"), "emails": t("E-mail"),
        "organisation_number": t("Organisation number"), "status": t("Status"), "plans": t("Plan"),
        "currency": t("Currency"), "mrr_minor": t("MRR"), "created_on": t("Since"), "city": t("Town"),
        "country": t("Country"), "payment_option": t("Payment option"), "channel": t("Channel"),
    }  # fmt: skip


def _about(filters: Filters, context: session.Context) -> dict[str, str]:
    """The filter in words, and when the file was made."""
    return {
        t("Filter"): words_of(filters) or t("all customers"), t("Made"): f"{day(context.today)}, {context.actor.name}"
    }  # fmt: skip


def words_of(filters: Filters) -> str:
    """The filters in words."""
    said = {
        t("Find"): filters.text, t("Kind"): label(filters.kind), t("Status"): label(filters.status),
        t("Plan"): filters.plan, t("Payment option"): label(filters.payment_option), t("Channel"): label(filters.channel),
        t("Country"): filters.country,
    }  # fmt: skip
    return ", ".join(f"{name} {value}" for name, value in said.items() if value)
