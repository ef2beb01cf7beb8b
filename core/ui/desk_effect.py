"""What a change does to the customer's bills, as it is shown before anybody confirms it."""

from __future__ import annotations

import polars as pl
import streamlit as st

from core.domain.invoices import REVIEW_SENTENCES, Review
from core.reports.change_preview import Effect
from core.ui import parts
from core.ui.format import day, money, period, quantity
from core.ui.text import label, refusal, t


def show_effect(effect: Effect, *, lines: bool = True) -> None:
    """From when, what it is worth a month, the next invoices without and with it, and the first one's lines."""
    if effect.error is not None:
        st.markdown(f":red[:material/block:] {refusal(effect.error)}")
        return
    said = [t("From {day}", day=effect.effective_on)]
    for currency, (before, after) in effect.worth.items():
        said.append(_worth(before, after, currency))
    st.markdown("  \n".join(said))
    for code in effect.review:
        st.warning(t(REVIEW_SENTENCES[Review(code)]), icon=":material/rule:")
    if effect.invoices.is_empty():
        st.caption(t("No invoice is ahead, with the change or without it."))
        return
    _first_bill(effect)
    _invoices(effect)
    if lines and effect.lines.height and effect.lines_on:
        with st.expander(t("Lines of the invoice on {day}", day=effect.lines_on)):
            _lines(effect)


def _worth(before: int, after: int, currency: str) -> str:
    """ "MRR 300,00 kr → 600,00 kr (+300,00 kr)" """
    was, will = parts.plain(money(before, currency)), parts.plain(money(after, currency))
    if before == after:
        return t("MRR stays {amount}", amount=will)
    change = parts.plain(money(after - before, currency, sign=True))
    return t("MRR {before} → {after} ({change})", before=was, after=will, change=change)


def _first_bill(effect: Effect) -> None:
    """The first invoice that differs, in a sentence with net, VAT and total."""
    first = effect.first
    if first is None:
        st.markdown(t("The next invoices stay as they are."))
        return
    net, tax, total = (first[f"after_{name}_minor"] - first[f"before_{name}_minor"] for name in ("net", "tax", "total"))
    named = {
        "day": parts.plain(day(first["day"])),
        "total": parts.plain(money(abs(total), first["currency"])),
        "net": parts.plain(money(abs(net), first["currency"])),
        "tax": parts.plain(money(abs(tax), first["currency"])),
    }
    if total < 0 and not first["before_total_minor"]:
        st.markdown(t("On {day} the customer gets a credit note of **{total}**: {net} + {tax} VAT", **named))
    elif total > 0:
        st.markdown(t("On {day} the customer is billed **{total} more**: {net} + {tax} VAT", **named))
    else:
        st.markdown(t("On {day} the customer is billed **{total} less**: {net} + {tax} VAT", **named))


def _invoices(effect: Effect) -> None:
    """The next invoice days, totals with VAT."""
    columns = {"without": t("Without"), "with": t("With the change"), "difference": t("Difference")}
    rows = []
    for row in effect.invoices.iter_rows(named=True):
        before, after, currency = row["before_total_minor"], row["after_total_minor"], row["currency"]
        rows.append(
            {t("Invoice"): day(row["day"]), columns["without"]: money(before, currency) if before else "–",
             columns["with"]: money(after, currency) if after else "–",
             columns["difference"]: money(after - before, currency, sign=True) if after != before else "–"}
        )  # fmt: skip
    st.dataframe(pl.DataFrame(rows), hide_index=True, column_config=parts.money_columns(*columns.values()))
    st.caption(t("Totals with VAT, if billing runs on the days on which something falls due."))


def _lines(effect: Effect) -> None:
    """What stands on the first invoice that differs."""
    assert effect.lines_on is not None
    currency = effect.invoices.filter(pl.col("day") == effect.lines_on)["currency"][0]
    titles = {"discount": t("Discount"), "net": t("Net")}
    rows = [
        {t("Line"): label(row["charge"]), t("Plan"): row["plan"],
         t("Period"): period(row["service_start"], row["service_end"]) if row["service_start"] < row["service_end"] else day(row["service_start"]),
         t("Quantity"): quantity(row["quantity_micro"], row["convert_by"]),
         titles["discount"]: money(-row["discount_minor"], currency) if row["discount_minor"] else "",
         titles["net"]: money(row["net_minor"], currency)}
        for row in effect.lines.iter_rows(named=True)
    ]  # fmt: skip
    st.dataframe(pl.DataFrame(rows), hide_index=True, column_config=parts.money_columns(*titles.values()))
