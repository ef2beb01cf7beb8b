"""What a price would cost: the live curve of a charge, its falls, and a sample bill, all from the product's engine."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import altair as alt
import polars as pl
import streamlit as st

from core.domain.errors import ForbliError
from core.domain.money import exponent_of, parse_decimal, to_minor
from core.domain.plans import Charge, ChargeKind, ChargeModel, PriceTerms
from core.domain.price_form import COUNTED
from core.domain.price_rules import Finding
from core.domain.subscriptions import CustomerKind
from core.reports import price_preview
from core.reports.price_preview import Sample, SampleBill
from core.ui import charts, parts, session
from core.ui.format import money, number, percent, period, quantity
from core.ui.text import label, sentence, t

MICRO = 10**6


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
        _bill(terms, context, key)


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
        upto = _typed(t("Up to quantity"), f"{key}:upto:{code}", placeholder=t("automatic"))
        each = None
        if charge.model is ChargeModel.PERCENTAGE:
            each = _typed(t("Amount per event"), f"{key}:each:{code}", value="100")
    more: dict[str, Any] = {"upto": upto} if upto else {}
    if each is not None:
        more["event_amount"] = each
    try:
        points = price_preview.curve(terms, code, **more)
        drops = price_preview.falls(terms, code)
    except ForbliError as error:
        st.warning(sentence(error), icon=":material/error:")
        return
    st.altair_chart(
        _chart(points, drops, charge, terms.currency), key=f"{key}:chart", alt=_described(points, terms.currency)
    )
    for fall in drops:
        st.warning(
            t("The total falls above {quantity}: {above} units cost {less}, {fall} less than {quantity}.",
              quantity=quantity(fall.at_micro), above=quantity(fall.above_micro),
              less=parts.plain(money(fall.above_minor, terms.currency)),
              fall=parts.plain(money(fall.at_minor - fall.above_minor, terms.currency))),
            icon=":material/trending_down:",
        )  # fmt: skip


def _described(points: pl.DataFrame, currency: str) -> str:
    """The curve for those who cannot see it."""
    last = points.row(-1, named=True)
    return t(
        "Amount by quantity: from {first} at {start} to {last} at {end}",
        first=money(points["amount_minor"][0], currency), start=quantity(points["quantity_micro"][0]),
        last=money(last["amount_minor"], currency), end=quantity(last["quantity_micro"]),
    )  # fmt: skip


def _chart(points: pl.DataFrame, drops: list[price_preview.Fall], charge: Charge, currency: str) -> Any:
    """A line with an area, a dashed rule and a dot at each fall."""
    major = 10 ** exponent_of(currency)
    x_title = {ChargeKind.SEAT: t("Seats"), ChargeKind.ADDON: t("Quantity")}.get(
        charge.kind, charge.meter or t("Quantity")
    )
    if charge.model is ChargeModel.PERCENTAGE:
        x_title = t("Events")
    if charge.model is ChargeModel.GRADUATED_PERCENTAGE:
        x_title = t("Amount of events, {currency}", currency=currency)
    drawn = pl.DataFrame({
        "quantity": points["quantity_micro"] / MICRO, "amount": points["amount_minor"] / major,
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
            "quantity": [fall.at_micro / MICRO for fall in drops], "amount": [fall.at_minor / major for fall in drops],
            "says": [f"−{money(fall.at_minor - fall.above_minor, currency)}" for fall in drops],
        })  # fmt: skip
        falls_by = [alt.Tooltip("says:N", title=t("Falls by"))]
        red = charts.COLOURS["churn"]
        marked = alt.Chart(places).encode(x="quantity:Q", tooltip=falls_by)
        chart += marked.mark_rule(strokeDash=[4, 4], color=red)
        chart += marked.mark_point(size=70, filled=True, color=red).encode(y="amount:Q")
    return charts.styled(chart)


def _typed(text: str, key: str, *, value: str = "", placeholder: str = "") -> Decimal | None:
    """A number as people type it; a sentence below when it is none."""
    typed = st.text_input(text, value=value, key=key, placeholder=placeholder, width=160)
    if not (typed or "").strip():
        return None
    try:
        amount = parse_decimal(str(typed))
    except ForbliError as error:
        st.caption(f":red[{parts.plain(sentence(error))}]")
        return None
    return max(amount, Decimal(0))


# --- sample bill ----------------------------------------------------------------------------------------------------


def _bill(terms: PriceTerms, context: session.Context, key: str) -> None:
    """Inputs for what the customer has and uses, then the bill."""
    kind = CustomerKind(
        st.segmented_control(
            t("Customer"), [kind.value for kind in CustomerKind], format_func=label, required=True,
            default=(CustomerKind.CONSUMER if terms.tax_inclusive else CustomerKind.BUSINESS).value, key=f"{key}:kind",
        )
    )  # fmt: skip
    sample = _sample(terms, key)
    try:
        bill = session.frames(price_preview.sample_bill, terms, sample, context.today, kind)
    except ForbliError as error:
        st.warning(sentence(error), icon=":material/error:")
        return
    if bill.review:
        st.warning(t("This bill would need review: no VAT rule fits. Add one in Settings."), icon=":material/error:")
        return
    _bill_table(bill, terms)


def _sample(terms: PriceTerms, key: str) -> Sample:
    """What the customer has, one small field for each thing that can be counted."""
    addons: dict[str, Decimal] = {}
    units: dict[str, Decimal] = {}
    events: dict[str, tuple[int, Decimal]] = {}
    seats = Decimal(1)
    asked: set[str] = set()
    with st.container(horizontal=True):
        if any(charge.kind is ChargeKind.SEAT for charge in terms.charges):
            seats = _typed(t("Seats"), f"{key}:seats", value="5") or Decimal(0)
        for charge in terms.charges:
            if charge.kind is ChargeKind.ADDON:
                addons[charge.code] = _typed(
                    parts.plain(charge.name), f"{key}:addon:{charge.code}", value="1"
                ) or Decimal(0)
            if charge.kind is not ChargeKind.USAGE or charge.meter in asked:
                continue
            asked.add(charge.meter)
            meter = parts.plain(charge.meter)
            if charge.model in (ChargeModel.PERCENTAGE, ChargeModel.GRADUATED_PERCENTAGE):
                count = _typed(
                    t("{meter}: events", meter=meter), f"{key}:events:{charge.meter}", value="20"
                ) or Decimal(0)
                each = _typed(
                    t("{meter}: amount each", meter=meter), f"{key}:amount:{charge.meter}", value="250"
                ) or Decimal(0)
                events[charge.meter] = (int(min(count, Decimal(100_000))), each)
            else:
                units[charge.meter] = _typed(meter, f"{key}:units:{charge.meter}", value="150") or Decimal(0)
    return Sample(seats, addons, units, events)


def _bill_table(bill: SampleBill, terms: PriceTerms) -> None:
    """Line by line with its why, VAT per rate, and the total."""
    currency = terms.currency
    st.caption(t("One whole period, {period}, with one-off fees", period=period(bill.start, bill.end)))
    rows = []
    for line in bill.lines.iter_rows(named=True):
        name = line["charge"] or label(line["kind"])
        rows.append({"what": name, "why": _why(line, terms), "amount": money(line["amount_minor"], currency)})
        for step in bill.steps.get(line["code"] or "", pl.DataFrame()).iter_rows(named=True):
            said = t("{quantity} units", quantity=quantity(step["quantity_micro"]))
            what = t("↳ tier {tier}", tier=step["step"])
            rows.append({"what": what, "why": f"{said}: {money(step['amount_minor'], currency)}", "amount": ""})
    for tax in bill.taxes.iter_rows(named=True):
        said = t("{rate} of {base}", rate=percent(tax["rate_ppm"]), base=money(tax["base_minor"], currency))
        before = t("of which VAT") if terms.tax_inclusive else t("VAT")
        rows.append({"what": before, "why": said, "amount": money(tax["tax_minor"], currency)})
    rows.append({"what": t("To pay"), "why": "", "amount": money(bill.total_minor, currency)})
    columns = {
        "what": st.column_config.TextColumn(t("Line"), width=115),
        "amount": st.column_config.TextColumn(t("Amount"), alignment="right", width=95),
        "why": st.column_config.TextColumn(t("Why")),
    }
    st.dataframe(
        pl.DataFrame(rows), hide_index=True, column_config=columns, column_order=list(columns), height="content"
    )


def _why(line: dict[str, Any], terms: PriceTerms) -> str:
    """What the amount of a line comes from."""
    charge = next((charge for charge in terms.charges if charge.code == line["code"]), None)
    if charge is None:
        return t("up to the minimum commitment of {amount}", amount=money(to_minor(terms.minimum_commitment, terms.currency), terms.currency))  # fmt: skip
    if charge.kind in (ChargeKind.FIXED, ChargeKind.ONE_OFF):
        return label(charge.kind.value)
    said = f"{quantity(line['quantity_micro'])} · {label(charge.model.value)}"
    if charge.included_units:
        said += " · " + t("{units} included", units=number(charge.included_units))
    return said
