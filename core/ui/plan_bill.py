"""A sample bill on screen: what the customer has and uses, and what that costs, line by line."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import polars as pl
import streamlit as st

from core.domain.errors import ForbliError
from core.domain.money import parse_decimal, to_minor
from core.domain.plans import Charge, ChargeKind, ChargeModel, PriceTerms
from core.domain.subscriptions import CustomerKind
from core.reports import sample_bill
from core.reports.sample_bill import Sample, SampleBill
from core.ui import parts, session
from core.ui.format import money, number, percent, period, quantity
from core.ui.text import label, refusal, t


def show(terms: PriceTerms, context: session.Context, key: str) -> None:
    """Inputs for what the customer has and uses, then the bill."""
    kind = CustomerKind(
        st.segmented_control(
            t("Customer"), [kind.value for kind in CustomerKind], format_func=label, required=True,
            default=(CustomerKind.CONSUMER if terms.tax_inclusive else CustomerKind.BUSINESS).value, key=f"{key}:kind",
        )
    )  # fmt: skip
    sample = _sample(terms, key)
    try:
        bill = session.frames(sample_bill.sample_bill, terms, sample, context.today, kind)
    except ForbliError as error:
        st.warning(refusal(error), icon=":material/error:")
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
            seats = typed_number(t("Seats"), f"{key}:seats", value="5") or Decimal(0)
        for charge in terms.charges:
            if charge.kind is ChargeKind.ADDON:
                addons[charge.code] = typed_number(
                    parts.plain(charge.name), f"{key}:addon:{charge.code}", value="1"
                ) or Decimal(0)
            if charge.kind is not ChargeKind.USAGE or charge.meter in asked:
                continue
            asked.add(charge.meter)
            name = parts.plain(charge.name)
            counted = converted(charge) if charge.convert_by else t("As the meter “{meter}” counts", meter=charge.meter)
            if charge.model in (ChargeModel.PERCENTAGE, ChargeModel.GRADUATED_PERCENTAGE):
                count = typed_number(
                    t("{name}: events", name=name), f"{key}:events:{charge.meter}", value="20"
                ) or Decimal(0)
                each = typed_number(
                    t("{name}: amount each", name=name), f"{key}:amount:{charge.meter}", value="250"
                ) or Decimal(0)
                events[charge.meter] = (int(min(count, Decimal(100_000))), each)
            else:
                many = typed_number(name, f"{key}:units:{charge.meter}", value="150", help=counted) or Decimal(0)
                units[charge.meter] = many * (charge.convert_by or 1)
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
        "why": st.column_config.TextColumn(t("Why"), width="large"),
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
    said = f"{quantity(line['quantity_micro'], counted_by(charge))} · {label(charge.model.value)}"
    if charge.included_units:
        said += " · " + t("{units} included", units=number(charge.included_units))
    return said


def converted(charge: Charge) -> str:
    """How what is metered becomes what is billed: "Storage per GB: 1,000 × mb are one unit"."""
    name, meter = (parts.plain(each) for each in (charge.name or charge.code, charge.meter or t("Quantity")))
    return t("{charge}: {size} × {meter} are one unit, in which prices, bounds and included units are stated.",
             charge=name, size=number(charge.convert_by or 1), meter=meter)  # fmt: skip


def counted_by(charge: Charge) -> str | None:
    """How many counted units are one billed unit, where they differ."""
    return str(charge.convert_by) if charge.convert_by else None


def typed_number(
    text: str, key: str, *, value: str = "", placeholder: str = "", help: str | None = None
) -> Decimal | None:
    """A number as people type it; a sentence below when it is none."""
    typed = st.text_input(text, value=value, key=key, placeholder=placeholder, width=160, help=help)
    if not (typed or "").strip():
        return None
    try:
        amount = parse_decimal(str(typed))
    except ForbliError as error:
        st.caption(f":red[{refusal(error)}]")
        return None
    return max(amount, Decimal(0))
