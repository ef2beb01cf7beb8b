"""What a review of a billing run shows: totals, the usage check, who needs review, the plans, the largest."""

from __future__ import annotations

import polars as pl
import streamlit as st

from core.domain.invoices import REVIEW_SENTENCES, Review
from core.reports.billing_review import BillingReview
from core.ui import parts
from core.ui.format import money, number, percent, period, quantity
from core.ui.text import t

SHOWN = 200


def cards(found: BillingReview) -> None:
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
                {"label": t("Before VAT, {currency}", currency=currency), "value": money(row["net_minor"], currency)},
                {"label": t("To pay, {currency}", currency=currency), "value": money(row["total_minor"], currency)},
                {"label": t("The month with it, {currency}", currency=currency), "value": money(then, currency), "help": t("All plans before VAT, with what was issued in the month already."),
                 "delta": change, "delta_color": "off", "delta_arrow": "auto" if then != before else "off", "delta_description": t("against last month") if change else None},
            ]
        )  # fmt: skip
    if found.heads.is_empty():
        st.caption(t("Nothing would be issued: what is due comes to zero, or needs review first."))


def usage(usage: pl.DataFrame, names: dict[int, str]) -> None:
    """Metered customers whose usage is missing, nothing, or far from last time."""
    with st.container(border=True):
        st.markdown(f"**{t('Usage check')}**", help=t("Usage that is missing, zero, or more than 50 % away from the period before. It is billed as it is; hold a customer if it must be looked into."))  # fmt: skip
        if usage.is_empty():
            st.caption(t("Every metered customer has usage like last time."))
            return
        signs = {"missing": t("none recorded"), "zero": t("zero"), "jump": t("up more than 50 %"), "drop": t("down more than 50 %")}  # fmt: skip
        counts = dict(usage.group_by("sign").len().iter_rows())
        st.caption(
            " · ".join(
                f"{words[:1].upper()}{words[1:]}: {number(counts[sign])}"
                for sign, words in signs.items()
                if sign in counts
            )
        )
        rows = [
            {
                t("Customer"): names.get(row["customer_id"], ""), t("Charge"): row["charge"],
                t("Period"): period(row["service_start"], row["service_end"]), t("Usage"): quantity(row["quantity_micro"]),
                t("Last time"): "" if row["previous_micro"] is None else quantity(row["previous_micro"]),
                t("Look at"): signs[row["sign"]],
            }
            for row in usage.head(SHOWN).iter_rows(named=True)
        ]  # fmt: skip
        st.dataframe(rows, hide_index=True, height=parts.tall(len(rows), 8), column_config=parts.money_columns(t("Usage"), t("Last time")))  # fmt: skip
        _more(usage.height)


def left_out(review: pl.DataFrame, names: dict[int, str]) -> None:
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
        st.dataframe(rows, hide_index=True, height=parts.tall(len(rows), 8))
        _more(review.height)


def _more(count: int) -> None:
    if count > SHOWN:
        st.caption(t("and {count} more", count=number(count - SHOWN)))


def plans(plans: pl.DataFrame) -> None:
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


def largest(found: BillingReview, names: dict[int, str]) -> None:
    """The largest documents of the run."""
    st.markdown(f"**{t('The largest')}**")
    rows = [
        {t("Customer"): names.get(row["customer_id"], ""), t("To pay"): money(row["total_minor"], row["currency"])}
        for row in found.largest().iter_rows(named=True)
    ]
    if not rows:
        st.caption(t("No document would be issued."))
        return
    st.dataframe(rows, hide_index=True, height=parts.tall(len(rows), 10), column_config=parts.money_columns(t("To pay")))  # fmt: skip
