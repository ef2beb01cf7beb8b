"""One invoice or credit note as its reader sees it, with the why of every line and the difference from the one before."""

from __future__ import annotations

from typing import Any

import streamlit as st
from sqlalchemy.orm import Session

from core.calc.breakdown import Part
from core.calc.pricebook import MICRO
from core.domain.errors import NotFound
from core.reports.explain import Reasons, explain
from core.reports.invoices import Explained, explained
from core.ui import invoice_credit, invoice_reissue, invoice_side, parts, payment_forms, session
from core.ui.format import day, money, percent, period, quantity
from core.ui.invoice_list import KEPT
from core.ui.invoice_side import pair_row, unnamed
from core.ui.text import label, sentence, t


def read(db: Session, number: str) -> tuple[Explained, dict[int, Reasons]]:
    """The document and the why of its lines."""
    view = explained(db, number)
    return view, explain(db, view)


def show(number: str, context: session.Context) -> None:
    """The document at the left, what is different from last time at the right."""
    if st.button(t("All invoices"), icon=":material/arrow_back:", type="tertiary"):
        parts.go("invoices", st.session_state.get(KEPT) or None)
    try:
        view, reasons = session.frames(read, number)
    except NotFound as error:
        parts.header(t("Invoices"))
        parts.empty("search_off", t("No such invoice"), parts.plain(sentence(error)))
        return
    parts.header(f"{_kind(view)} {parts.plain(view.head['number'])}")
    _states(view, context)
    if view.head["kind"] == "invoice":
        with st.container(horizontal=True, gap="small"):
            invoice_reissue.button(view, context)
            invoice_credit.amount_button(view, context)
            invoice_credit.button(view, context)
    left, right = st.columns([2.3, 1])
    with left.container(border=True):
        _parties(view)
        _payment(view)
        invoice_side.what_for(view)
        _lines(view, reasons)
        _totals(view)
        _footer(view)
    with right:
        invoice_side.related(view)
        payment_forms.payments(view, context)
        invoice_side.difference(view)
        invoice_side.facts(view)


def _kind(view: Explained) -> str:
    return t("Credit note") if view.head["kind"] == "credit_note" else t("Invoice")


def _states(view: Explained, context: session.Context) -> None:
    """What it is, how far it is settled, and that it cannot change."""
    with st.container(horizontal=True, vertical_alignment="center"):
        parts.pill(view.head["kind"])
        st.badge(t("Issued {day}", day=view.head["issue_date"]), color="gray")
        payment_forms.state(view, context)
        st.caption(t("Issued documents never change; what is wrong is corrected by a credit note."))


def _parties(view: Explained) -> None:
    """Seller and buyer."""
    seller, buyer, head = view.seller, view.buyer, view.head
    with st.container(horizontal=True, horizontal_alignment="distribute"):
        st.header(parts.plain(seller["legal_name"]), anchor=False, width="content")
        st.header(_kind(view), anchor=False, width="content")
    to, dates, references = st.columns([1.3, 1, 1])
    with to:
        if not buyer:
            st.markdown(_titled(t("To"), t("Erased by law")))
        else:
            place = f"{buyer['postal_code']} {buyer['city']}".strip()
            lines = [
                f"**{parts.plain(buyer['name'])}**",
                *(parts.plain(text) for text in (buyer["address"], place) if text),
            ]
            if buyer["organisation_number"]:
                lines.append(t("Org. no. {number}", number=parts.plain(buyer["organisation_number"])))
            st.markdown(_titled(t("To"), "  \n".join(lines)))
    with dates:
        _pair(t("Number"), head["number"])
        _pair(t("Issue date"), day(head["issue_date"]))
        _pair(t("Service"), period(head["service_start"], head["service_end"]))
    with references:
        _pair(t("Your reference"), buyer.get("reference", ""))
        _pair(t("Purchase order"), buyer.get("purchase_order", ""))
        _pair(t("Contact person"), buyer.get("contact", ""))


def _pair(title: str, text: str) -> None:
    """A small title with its value; nothing when there is none."""
    if text:
        st.markdown(_titled(title, parts.plain(text)))


def _titled(title: str, text: str) -> str:
    """A small grey title above a value."""
    return f":gray[:small[{title}]]  \n{text}"


def _payment(view: Explained) -> None:
    """What is to be paid, by when and with which reference."""
    head, seller = view.head, view.seller
    credit = head["kind"] == "credit_note"
    said = {t("Due"): day(head["due_date"]), t("KID"): head["payment_reference"], t("Account"): seller["bank_account"] or seller["iban"]}  # fmt: skip
    with st.container(
        border=True, horizontal=True, horizontal_alignment="distribute", vertical_alignment="center", gap="medium"
    ):
        title = t("In your favour") if credit else t("To pay")
        st.metric(title, money(head["total_minor"], head["currency"]), width="content")
        for title, text in said.items():
            if text and not credit:
                st.markdown(_titled(title, f"**{parts.plain(text)}**"), width="content")


def _lines(view: Explained, reasons: dict[int, Reasons]) -> None:
    """One row a line, with a button that opens its why; lines of one plan stand together."""
    plan = None
    with st.container(gap="xsmall"):
        for line in view.lines.iter_rows(named=True):
            if line["plan"] != plan:
                plan = line["plan"]
                st.markdown(f":gray[{parts.plain(plan)}]")
            _line(view, line, reasons[line["line_id"]])


def _line(view: Explained, line: dict[str, Any], why: Reasons) -> None:
    """What and how many, and below it for which days; the amount and its why at the right. One row on a telephone too."""
    name = f"**{parts.plain(line['charge'] or unnamed(line['kind']))}**"
    many = abs(line["quantity_micro"])  # what is credited is negative; the amount says so
    if many != MICRO:
        name += f" × {parts.plain(quantity(many, line['convert_by']))}"
    if line["revision"] or line["corrects_id"]:
        name += f" · :orange[{t('correction')}]"
    when = parts.plain(period(line["service_start"], line["service_end"]))
    amount = parts.plain(money(line["amount_minor"], view.head["currency"]))
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        st.markdown(f"{name}  \n:gray[:small[{when}]]", width="stretch")
        st.markdown(amount, width="content")
        with st.popover(t("Why"), key=f"why:{line['line_id']}", type="tertiary"):
            _why(view, line, why)


def _why(view: Explained, line: dict[str, Any], why: Reasons) -> None:
    """The parts of a line, what they sum to, and the VAT it is part of."""
    currency = view.head["currency"]
    rows = [(says(part), money(part.amount_minor, currency)) for part in why.parts]
    rows.append((f"**{t('Net amount of this line')}**", f"**{parts.plain(money(line['net_minor'], currency))}**"))
    st.table([{t("What"): text, t("Amount"): amount} for text, amount in rows], border="horizontal", hide_index=True)
    vat = why.vat
    st.caption(
        t("VAT {rate} of {base} on this document: {tax}", rate=parts.plain(percent(vat["rate_ppm"])),
          base=parts.plain(money(vat["base_minor"], currency)), tax=parts.plain(money(vat["tax_minor"], currency)))
        + (f" · {label(vat['treatment'])}" if vat["treatment"] != "standard" else "")
    )  # fmt: skip
    numbers = dict(view.corrected.iter_rows())
    for each in [numbers[line["corrects_id"]]] if line["corrects_id"] in numbers else []:
        parts.link("invoices", t("Corrects {number}", number=parts.plain(each)), query={"number": each})


def says(part: Part) -> str:
    """A part's sentences in the page's language; names are shown as they are written."""
    values = {name: parts.plain(value) if isinstance(value, str) else value for name, value in part.values.items()}
    said = [t(str(each), **values) for each in part.says]
    return ", ".join([said[0][:1].upper() + said[0][1:], *said[1:]]) if said else ""


def _totals(view: Explained) -> None:
    """Sum of lines, discount, VAT per rate, to pay."""
    head, currency = view.head, view.head["currency"]
    rows = [(t("Sum of lines"), money(head["subtotal_minor"], currency))]
    if head["discount_minor"]:
        rows.append((t("Discount"), money(-head["discount_minor"], currency)))
    for vat in view.taxes.iter_rows(named=True):
        rate = parts.plain(percent(vat["rate_ppm"]))
        rows.append((t("Base of VAT {rate}", rate=rate), money(vat["base_minor"], currency)))
        rows.append((t("VAT {rate}", rate=rate), money(vat["tax_minor"], currency)))
    if head["tax_in_company_currency_minor"] is not None:
        rows.append((t("VAT in {currency}", currency=view.seller["currency"]),
                     money(head["tax_in_company_currency_minor"], view.seller["currency"])))  # fmt: skip
    _, box = st.columns([1, 1.1])
    with box.container(gap="xsmall"):
        for title, text in rows:
            pair_row(title, parts.plain(text))
        last = t("In your favour") if head["kind"] == "credit_note" else t("To pay")
        pair_row(f"**{last}**", f"**{parts.plain(money(head['total_minor'], currency))}**")
        if head["tax_inclusive"]:
            st.caption(t("The prices of the lines include VAT."))


def _footer(view: Explained) -> None:
    """The seller's own line."""
    seller = view.seller
    register = "MVA" if seller["vat_registered"] and seller["country"] == "NO" else ""
    number = f"{seller['organisation_number']} {register}".strip()
    said = [seller["legal_name"], seller["address"], f"{seller['postal_code']} {seller['city']}".strip(), number]
    st.caption(" · ".join(parts.plain(text) for text in said if text))
