"""What a price would cost: the live curve of a charge, its falls, and a sample bill, all from the product's engine."""

from __future__ import annotations

from typing import Any

import altair as alt
import polars as pl
import streamlit as st

from core.calc.pricebook import MICRO
from core.domain.errors import ForbliError
from core.domain.money import exponent_of
from core.domain.plans import Charge, ChargeKind, ChargeModel, PriceTerms
from core.domain.price_form import COUNTED
from core.domain.price_rules import Finding
from core.reports import price_preview
from core.ui import charts, parts, plan_bill, session
from core.ui.format import money, quantity
from core.ui.plan_bill import converted, counted_by, typed_number
from core.ui.text import refusal, t


def show(terms: PriceTerms, findings: list[Finding], context: session.Context, key: str, chosen: str = "") -> None:
    """Curve of the chosen charge, then the bill of a customer that one can change."""
    faulty = {finding.charge for finding in findings if finding.charge}
    sound = [charge for charge in terms.charges if charge.code not in faulty]
    with st.container(border=True):
        st.header(t("Price curve"), anchor=False)
        _curve(terms, sound, key, chosen, faulty)
    with st.container(border=True):
        st.header(t("Sample bill"), anchor=False)
        if findings:
            st.caption(t("A bill needs prices without findings. Put them right, and it appears here."))
            return
        plan_bill.show(terms, context, key)


def _curve(
    terms: PriceTerms, sound: list[Charge], key: str, chosen: str, faulty: set[str]
) -> None:  # fmt: skip
    """One charge's amount by quantity, with the bounds at which it falls."""
    if chosen in faulty:
        st.caption(t("The curve appears when the prices of this charge have no findings."))
        return
    if not sound:
        st.caption(t("Add a charge to see what it costs."))
        return
    counted = [charge for charge in sound if charge.kind in COUNTED] or sound
    names = {charge.code: charge.name for charge in counted}
    if chosen in {charge.code for charge in sound} - set(names):
        st.caption(t("This charge does not depend on a quantity."))
        return
    code = chosen
    if chosen not in names:
        code = st.selectbox(t("Charge"), list(names), format_func=lambda each: names[each] or each, key=f"{key}:curve")
    charge = next(charge for charge in sound if charge.code == code)
    with st.container(horizontal=True):
        upto = typed_number(t("Up to quantity"), f"{key}:upto:{code}", placeholder=t("automatic"))
        each = None
        if charge.model is ChargeModel.PERCENTAGE:
            each = typed_number(t("Amount per event"), f"{key}:each:{code}", value="100")
    if charge.convert_by:
        st.caption(converted(charge))
    more: dict[str, Any] = {"upto": upto * (charge.convert_by or 1)} if upto else {}
    if each is not None:
        more["event_amount"] = each
    try:
        points = price_preview.curve(terms, code, **more)
        drops = price_preview.falls(terms, code)
    except ForbliError as error:
        st.warning(refusal(error), icon=":material/error:")
        return
    st.altair_chart(
        _chart(points, drops, charge, terms.currency),
        key=f"{key}:chart",
        alt=_described(points, counted_by(charge), terms.currency),
    )
    for fall in drops:
        st.warning(
            t("The total falls above {quantity}: {above} units cost {less}, {fall} less than {quantity}.",
              quantity=quantity(fall.at_micro, counted_by(charge)), above=quantity(fall.above_micro, counted_by(charge)),
              less=parts.plain(money(fall.above_minor, terms.currency)),
              fall=parts.plain(money(fall.at_minor - fall.above_minor, terms.currency))),
            icon=":material/trending_down:",
        )  # fmt: skip


def _described(points: pl.DataFrame, size: str | None, currency: str) -> str:
    """The curve for those who cannot see it."""
    last = points.row(-1, named=True)
    return t(
        "Amount by quantity: from {first} at {start} to {last} at {end}",
        first=money(points["amount_minor"][0], currency), start=quantity(points["quantity_micro"][0], size),
        last=money(last["amount_minor"], currency), end=quantity(last["quantity_micro"], size),
    )  # fmt: skip


def _chart(points: pl.DataFrame, drops: list[price_preview.Fall], charge: Charge, currency: str) -> Any:
    """A line with an area, a dashed rule and a dot at each fall."""
    major = 10 ** exponent_of(currency)
    x_title = {ChargeKind.SEAT: t("Seats"), ChargeKind.ADDON: t("Quantity")}.get(
        charge.kind, charge.name or t("Quantity")
    )
    if charge.model is ChargeModel.PERCENTAGE:
        x_title = t("Events")
    if charge.model is ChargeModel.GRADUATED_PERCENTAGE:
        x_title = t("Amount of events, {currency}", currency=currency)
    one = MICRO * float(charge.convert_by or 1)  # a billed unit
    drawn = pl.DataFrame({
        "quantity": points["quantity_micro"] / one, "amount": points["amount_minor"] / major,
        "says": [money(minor, currency) for minor in points["amount_minor"]],
    })  # fmt: skip
    y_title = t("Amount, {currency}", currency=currency)
    whole = charge.kind in price_preview.WHOLE or charge.model is ChargeModel.PERCENTAGE
    how: Any = "step-after" if whole and points.height < 60 else "linear"
    base = alt.Chart(drawn).encode(
        x=alt.X("quantity:Q", title=x_title), y=alt.Y("amount:Q", title=y_title),
        tooltip=[alt.Tooltip("quantity:Q", title=x_title), alt.Tooltip("says:N", title=t("Amount"))],
    )  # fmt: skip
    colour = charts.COLOURS["price"]
    chart = base.mark_area(opacity=0.12, color=colour, interpolate=how) + base.mark_line(color=colour, interpolate=how)
    if drops:
        places = pl.DataFrame({
            "quantity": [fall.at_micro / one for fall in drops], "amount": [fall.at_minor / major for fall in drops],
            "says": [f"−{money(fall.at_minor - fall.above_minor, currency)}" for fall in drops],
        })  # fmt: skip
        falls_by = [alt.Tooltip("says:N", title=t("Falls by"))]
        red = charts.COLOURS["churn"]
        marked = alt.Chart(places).encode(x="quantity:Q", tooltip=falls_by)
        chart += marked.mark_rule(strokeDash=[4, 4], color=red)
        chart += marked.mark_point(size=70, filled=True, color=red).encode(y="amount:Q")
    return charts.styled(chart)
