"""The list of invoices and credit notes: filters in the URL, a page of rows, count and sums, export."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import date
from typing import Any

import polars as pl
import streamlit as st
from sqlalchemy import Engine

from core.domain.invoices import settlement
from core.exchange.export import MOST_SHEET_ROWS, Table, as_csv, as_xlsx
from core.reports import invoice_list as reads
from core.reports import payments
from core.reports.invoice_list import Filters
from core.store.engine import reading
from core.ui import invoice_credit, parts, session
from core.ui.format import day, money, number
from core.ui.plan_words import day_format
from core.ui.text import label, t
from core.ui.view import View, keep

PAGE_SIZES = [25, 50, 100]
STATES = ("open", "overdue", "in_favour")
KINDS = ("invoice", "credit_note")
KEYS = ("find", "kind", "state", "currency", "from", "to", "customer", "run", "sort", "size", "page")
XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
KEPT = "invoices:view"
VIEW = View("invoices")


def show(context: session.Context) -> None:
    """Filters above, the rows, what they sum to, and the files."""
    filters, sort, size = _filters()
    found = session.frames(reads.sums, filters)
    count = int(found["count"].sum())
    if not count:
        _nothing(filters)
        return
    _sums(found, count)
    pages = -(-count // size)
    place = VIEW.place(pages, filters)
    st.session_state[KEPT] = {key: value for key, value in st.query_params.items() if key in KEYS}
    _rows(session.frames(reads.page, filters, sort, number=place, size=size, count=count))
    with st.container(horizontal=True, vertical_alignment="center"):
        if pages > 1:
            st.pagination(pages, key="invoices:page")
        st.space("stretch")
        _export(filters, sort, count, context)


def _filters() -> tuple[Filters, str, int]:
    """The widgets, each bound to the URL."""
    sorts = {"newest": t("Newest first"), "oldest": t("Oldest first"), "largest": t("Largest first"), "smallest": t("Smallest first")}  # fmt: skip
    currencies = {code: code for code in session.frames(reads.currencies)}
    with st.container(horizontal=True, vertical_alignment="bottom", gap="small"):
        text = st.text_input(t("Find"), key=VIEW.begin("find", str, ""), type="search", live="300ms", width=230,
                             placeholder=t("Number, KID, name or customer id"))  # fmt: skip
        kind = VIEW.chosen("kind", t("Kind"), {each: label(each) for each in KINDS}, usual=None, width=125)
        states = {each: label(each) for each in STATES}
        state = VIEW.chosen("state", t("Left to pay"), states, usual=None, width=130)
        currency = None
        if len(currencies) > 1:
            currency = VIEW.chosen("currency", t("Currency"), currencies, usual=None, width=95)
        first = st.date_input(t("From"), key=VIEW.begin("from", _as_day, None), format=day_format(), width=130)
        last = st.date_input(t("To"), key=VIEW.begin("to", _as_day, None), format=day_format(), width=130)
        sort = VIEW.chosen("sort", t("Sort"), sorts, usual="newest", width=140)
        size = VIEW.chosen("size", t("Rows"), {str(each): str(each) for each in PAGE_SIZES}, usual="50", width=75)
    for name, value in (("find", text), ("from", first), ("to", last)):
        keep(name, str(value) if value else "")
    run = st.query_params.get("run", "")
    filters = Filters(
        text=text or "", kind=kind or "", currency=currency or "", issued_from=first, issued_to=last,
        customer=st.query_params.get("customer", ""), run_id=int(run) if run.isdecimal() else None, state=state or "",
    )  # fmt: skip
    if state:
        with st.spinner(t("Settling payments and credits …")):
            filters = replace(filters, only=session.frames(payments.left_ids, state, session.current().today))
    _chips(filters)
    return filters, str(sort), int(size or 50)


def _as_day(text: str) -> date | None:
    """A day of the URL; nonsense is no day."""
    try:
        return date.fromisoformat(text)
    except ValueError:
        return None


def _clear() -> None:
    """Forget every filter."""
    for name in ("customer", "run", "page"):
        st.query_params.pop(name, None)
    usual = {"find": "", "currency": None, "from": None, "to": None, "kind": None, "state": None, "page": 1}
    st.session_state.update({f"invoices:{name}": value for name, value in usual.items()})


def _chips(filters: Filters) -> None:
    """What narrows the list beyond the fields, each with a way to lose it."""
    chips = {"customer": (filters.customer, t("Customer {id}", id=parts.plain(filters.customer))),
             "run": (filters.run_id, t("Run {number}", number=filters.run_id))}  # fmt: skip
    with st.container(horizontal=True):
        for key, (value, text) in chips.items():
            if value and st.button(text, icon=":material/close:", key=f"without_{key}", help=t("Show all again")):
                st.query_params.pop(key, None)
                st.rerun()
        if filters.run_id:
            invoice_credit.run_button(filters.run_id, session.current())


def _nothing(filters: Filters) -> None:
    """No rows: because there are none, or because of the filters."""
    if filters == Filters():
        parts.empty(
            "receipt_long", t("No invoices yet"), t("Invoices are made by a billing run."),
            button=t("Go to the billing run"), page="invoices", query={"view": "run"},
        )  # fmt: skip
    else:
        parts.empty("search_off", t("No invoice fits"), t("Change the filters, or show all."))
        st.button(t("Show all invoices"), icon=":material/filter_alt_off:", on_click=_clear)


def _sums(found: pl.DataFrame, count: int) -> None:
    """Count and sums of everything that the filters leave."""
    net, total = (
        " + ".join(f"**{parts.plain(money(row[name], row['currency']))}**" for row in found.iter_rows(named=True))
        for name in ("net_minor", "total_minor")
    )
    said = t("{net} before VAT, {total} with VAT", net=net, total=total)
    st.markdown(t("{count} documents", count=f"**{number(count)}**") + f" · {said}",
                help=t("Sums of all documents that the filters leave, not only of this page; credit notes are subtracted."))  # fmt: skip


def _rows(found: pl.DataFrame) -> None:
    """One row a document; choosing one opens it."""
    sign = {"credit_note": -1}
    status, today = t("Status"), session.current().today
    titles = {"kind": t("Kind"), "net": t("Net"), "total": t("With VAT"), "left": t("Left to pay")}
    rows = [
        {
            t("Number"): row["number"], titles["kind"]: label(row["kind"]), t("Customer"): row["name"] or t("Erased by law"),
            t("Issued"): day(row["issue_date"]), t("Due"): day(row["due_date"]) if row["kind"] == "invoice" else "",
            titles["net"]: money(row["net_minor"] * sign.get(row["kind"], 1), row["currency"]),
            titles["total"]: money(row["total_minor"] * sign.get(row["kind"], 1), row["currency"]),
            titles["left"]: money(row["open_minor"], row["currency"]) if row["open_minor"] else "",
            status: [label(_settled(row, today))] if row["open_minor"] else [],
        }
        for row in found.iter_rows(named=True)
    ]  # fmt: skip
    words = {each: label(each) for each in STATES}
    columns = parts.money_columns(titles["net"], titles["total"], titles["left"]) | parts.pill_columns(status, words)
    # A table of its own each time: the choice that opened a document must not open it again on the way back.
    opened = st.session_state.setdefault("invoices:opened", 0)
    state: Any = st.dataframe(
        pl.DataFrame(rows), hide_index=True, key=f"documents:{opened}", on_select="rerun", selection_mode="single-row",
        column_config=columns, height=parts.tall(len(rows), 25),
    )  # fmt: skip
    chosen = state.selection.rows
    if chosen and chosen[0] < found.height:
        st.session_state["invoices:opened"] = opened + 1
        parts.go("invoices", {"number": found["number"][chosen[0]]})
    st.caption(t("Choose a row to see the invoice and the why of every line."))


def _settled(row: dict[str, Any], today: date) -> str:
    """How far a document is settled of which something is left."""
    return settlement(open_minor=row["open_minor"], paid_minor=0, due=row["due_date"], today=today).value


def _export(filters: Filters, sort: str, count: int, context: session.Context) -> None:
    """The filtered set as files, made when they are asked for."""
    made = _Export(context.engine, filters, sort, _about(filters, context), _titles())
    name = f"forbli-invoices-{context.today.isoformat()}"
    parts.download(t("CSV"), made.csv, f"{name}.csv", key="csv")
    if count <= MOST_SHEET_ROWS:
        parts.download(t("Excel"), made.xlsx, f"{name}.xlsx", key="xlsx", mime=XLSX)


@dataclass(frozen=True)
class _Export:
    """What a download button calls, off the page's own thread: texts are translated beforehand."""

    engine: Engine
    filters: Filters
    sort: str
    about: dict[str, str]
    titles: dict[str, str]

    def tables(self) -> Iterator[Table]:
        """Everything that the filters leave, credit notes negative, piece by piece."""
        sign = pl.when(pl.col("kind") == "credit_note").then(-1).otherwise(1)
        with reading(self.engine) as session:
            for rows in reads.every_row(session, self.filters, self.sort):
                signed = rows.with_columns(pl.col("net_minor", "tax_minor", "total_minor") * sign)
                yield Table(
                    "Forbli", parts.in_words(signed, "kind", "payment_option", "channel"), self.titles, self.about
                )

    def csv(self) -> bytes:
        """As CSV."""
        return b"".join(as_csv(table, more=place > 0) for place, table in enumerate(self.tables()))

    def xlsx(self) -> bytes:
        """As a workbook."""
        pieces = list(self.tables())
        return as_xlsx(replace(pieces[0], rows=pl.concat([piece.rows for piece in pieces])))


def _titles() -> dict[str, str]:
    """The columns of the files."""
    return {
        "number": t("Number"), "kind": t("Kind"), "external_id": t("Customer id"), "name": t("Customer"),
        "issue_date": t("Issued"), "due_date": t("Due"), "service_start": t("Service from"),
        "service_end": t("Service until (exclusive)"), "currency": t("Currency"), "net_minor": t("Net"),
        "tax_minor": t("VAT"), "total_minor": t("With VAT"), "payment_reference": t("KID"),
        "payment_option": t("Payment option"), "channel": t("Channel"),
    }  # fmt: skip


def _about(filters: Filters, context: session.Context) -> dict[str, str]:
    """The filter in words, and when the file was made."""
    said = {
        t("Find"): filters.text, t("Kind"): label(filters.kind) if filters.kind else "",
        t("Left to pay"): label(filters.state) if filters.state else "", t("Currency"): filters.currency,
        t("From"): _day(filters.issued_from), t("To"): _day(filters.issued_to), t("Customer"): filters.customer,
        t("Run"): str(filters.run_id or ""),
    }  # fmt: skip
    narrowed = ", ".join(f"{name} {value}" for name, value in said.items() if value)
    return {
        t("Filter"): narrowed or t("all documents"),
        t("Made"): f"{day(context.today)}, {context.actor.name}",
    }


def _day(value: date | None) -> str:
    return day(value) if value else ""
