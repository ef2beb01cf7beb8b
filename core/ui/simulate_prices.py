"""The prices of a scenario: a box for every price, the main one also on a slider, and folded away the whole price list.

What is typed lives in one form of the session (core/domain/price_form.py). The boxes show what it says and write into it as soon
as they are changed; the editor of the whole list works on the same form.
"""

from __future__ import annotations

from collections.abc import Iterator
from decimal import ROUND_HALF_UP, Decimal
from typing import Any, NamedTuple

import streamlit as st

from core.domain.errors import Conflict, ForbliError, InvalidInput
from core.domain.money import exponent_of, parse_decimal
from core.domain.plans import TIERED, Charge, ChargeKind, ChargeModel, Tier
from core.domain.price_edits import applied, between
from core.domain.price_form import PLACES_TYPED, PRICES, TIER_CELLS, TIER_COLUMNS, Form, fill
from core.domain.price_rules import LARGEST, unstorable
from core.domain.scenarios import Edit, Scenario
from core.ui import parts, plan_charge, plan_editor, session
from core.ui.format import number, price
from core.ui.plan_bill import converted
from core.ui.plan_words import field_name
from core.ui.simulate_reads import KEY, Series
from core.ui.text import language, refusal, t

EVENT_PRICES = ("rate_percent", "fixed_amount")
PENDING = f"{KEY}:opened"  # a kept scenario whose prices are not in their form yet


class Cell(NamedTuple):
    """A price of a form: its charge, the number of its tier, and the column."""

    charge: Form
    place: int
    column: str

    @property
    def holder(self) -> Form:
        """Where it is: in its tier, or on the charge for a percentage of each event."""
        in_tier = self.column in TIER_CELLS and self.charge["model"] != ChargeModel.PERCENTAGE.value
        found: Form = self.charge["tiers"][self.place] if in_tier else self.charge
        return found

    @property
    def value(self) -> Decimal | None:
        """Its number; None where it has none that can be read."""
        text = self.holder.get(self.column)
        try:
            return parse_decimal(str(text), places=PLACES_TYPED) if text else None
        except InvalidInput:
            return None


def choose(chosen: Series, context: session.Context) -> tuple[Edit, ...]:
    """The price list, pre-filled with what is sold today: what is changed in it, as edits."""
    key = f"{KEY}:prices:{chosen.plan}:{chosen.currency}:{chosen.interval}"
    form = _form(chosen, key)
    st.caption(_stated(chosen))
    above = st.container()  # filled last: the boxes show what the editor below has just written
    whole = st.expander(
        t("The whole price list: charges, tiers, included units, minimum"), icon=":material/stairs:", key=f"{KEY}:whole", on_change="rerun",
    )  # fmt: skip
    if whole.open or not _usable(form):  # closed, it would cost each step of a slider its many boxes
        with whole:
            _whole(form, key, context)
    with above:
        _boxes(form, chosen, key)
    if not _usable(form):
        st.error(t("Some cells cannot be read. They are listed above."), icon=":material/error:")
        st.stop()
    return between(chosen.terms, plan_editor.reading_of(form)[0].terms)


def _usable(form: Form) -> bool:
    """Can every cell be read and kept?"""
    reading, _ = plan_editor.reading_of(form)
    return not reading.unreadable and not unstorable(reading.terms)


def _boxes(form: Form, chosen: Series, key: str) -> None:
    """A box for every price, and what changes all of them."""
    cells = {(cell.charge["code"], cell.place, cell.column): cell for cell in reversed(list(_prices(form)))}
    with st.grid(4, min_column_width=190):
        for at, cell in enumerate(reversed(cells.values())):
            with st.container():
                _box(cell, chosen, key, slider=at == 0)
    for charge in chosen.terms.charges:
        if charge.convert_by:
            st.caption(converted(charge))
    with st.container(horizontal=True, vertical_alignment="center"):
        _all_by_percent(form, key, chosen.currency)
        changed = plan_editor.is_changed(form)
        st.button(t("Back to today's prices"), key=f"{key}:reset", type="tertiary", icon=":material/undo:",
                  disabled=not changed, on_click=session.forget, args=(key,))  # fmt: skip


def _stated(chosen: Series) -> str:
    """How the prices are stated, and what the figures below are."""
    if chosen.terms.tax_inclusive:
        return t("These prices **include VAT**. All figures below are without VAT.")
    return t("These prices are **without VAT**, and so are all figures below.")


def _form(chosen: Series, key: str) -> Form:
    """What was typed, else what is sold today, else what the kept scenario says that is being opened."""
    known = st.session_state.get(key)
    if known is not None and known["stored"] == chosen.terms:
        form: Form = known
        return form
    terms, point = chosen.terms, "," if language() == "nb" else "."
    form = fill(terms, point)
    opened: Scenario | None = st.session_state.pop(PENDING, None)
    if opened is not None:
        try:
            if (opened.plan, opened.currency, opened.interval) != (chosen.plan, chosen.currency, chosen.interval):
                raise Conflict("Nobody has the prices that it is about", code="other_series")
            form = applied(terms, opened.edits)
        except ForbliError as error:
            st.warning(f"{t('The prices have changed since it was kept.')} {refusal(error)}", icon=":material/history:")
    form |= {"stored": terms, "interval_was": terms.interval}
    for charge in form["charges"]:
        plan_charge.mark(charge)
    st.session_state[key] = form
    return form


def restore(scenario: Scenario) -> dict[str, Any]:
    """What the session holds for the prices when a kept scenario is opened."""
    return {PENDING: scenario}


# --- one price ------------------------------------------------------------------------------------------------------------


def _prices(form: Form) -> Iterator[Cell]:
    """Every cell of what costs something again and again."""
    for charge in form["charges"]:
        if charge["kind"] == ChargeKind.ONE_OFF.value:
            continue
        if charge["model"] == ChargeModel.PERCENTAGE.value:
            yield from (Cell(charge, 0, column) for column in EVENT_PRICES if charge[column])
        else:
            columns = TIER_COLUMNS[ChargeModel(charge["model"])]
            read = charge["tiers"] if "up_to" in columns else charge["tiers"][:1]
            for place, tier in enumerate(read):
                yield from (Cell(charge, place, column) for column in PRICES if column in columns and tier.get(column))


def _box(cell: Cell, chosen: Series, key: str, *, slider: bool) -> None:
    """The box of a price, the main one with a slider below it: both show the form's cell and write into it."""
    name = f"{key}:{cell.charge['code']}:{cell.place}:{cell.column}"
    now, before = cell.value, _today(cell, chosen)
    places = max(2, *(0 if value is None else -int(value.normalize().as_tuple().exponent) for value in (now, before)))
    step, shown = _step(before or now, places), None if now is None else max(float(now), 0.0)
    if st.session_state.get(name, ...) != shown:
        st.session_state[name] = shown
    st.number_input(
        _title(cell, before, chosen.currency), step=step, format=f"%.{min(places, 6)}f", key=name,
        placeholder=t("none"), on_change=_typed, args=(cell, name),
    )  # fmt: skip
    if slider and shown is not None and before:
        slide = f"{name}:slide"
        st.session_state[slide] = shown
        st.slider(
            t("The same price on a slider"), 0.0, max(2 * float(before), shown), step=_fine(before, places), format=f"%.{min(places, 6)}f",
            key=slide, on_change=_typed, args=(cell, slide), label_visibility="collapsed",
        )  # fmt: skip


def _step(now: Decimal | None, places: int) -> float:
    """A fiftieth of the price in whole cells of its last decimal, whole for large ones."""
    last = Decimal(1).scaleb(-places)
    step = (now or Decimal(0)) / 50
    return float(step.quantize(Decimal(1) if step >= 1 else last, ROUND_HALF_UP) or last)


def _fine(before: Decimal, places: int) -> float:
    """The slider's step, so that it can stand on today's price as well."""
    whole = before == before.to_integral_value() and before >= 20
    return 1.0 if whole else 10.0**-places


def _typed(cell: Cell, name: str) -> None:
    """A changed box goes into the form."""
    typed = st.session_state[name]
    title = parts.plain(cell.charge["name"] or cell.charge["code"])
    if typed is None or parts.within(title, typed, 0, float(LARGEST - 1), float(cell.value or 0)):
        _write(cell, Decimal(0) if typed is None else Decimal(str(typed)))


def _write(cell: Cell, value: Decimal) -> None:
    """A number into its cell; the editor's widgets of the charge begin anew from it."""
    cell.holder[cell.column] = plain(value).replace(".", "," if language() == "nb" else ".")
    plan_charge.mark(cell.charge)


def plain(value: Decimal) -> str:
    """A number without needless zeros: 109.0 → "109"."""
    return format(value.normalize(), "f")


def _all_by_percent(form: Form, key: str, currency: str) -> None:
    """Every price by the same share, rounded like the price itself."""
    with st.popover(t("All prices by …"), icon=":material/percent:"), st.form(f"{key}:all", border=False):
        share = st.number_input(
            t("Percent, down with a minus"), -100.0, 1000.0, 5.0, 1.0, key=f"{key}:share", format="%.2f"
        )
        st.caption(t("Of the prices that stand in the boxes now, rounded to the decimals that each has."))
        if st.form_submit_button(t("Change all prices"), type="primary"):
            _scale(form, Decimal(str(share)), currency)
            st.rerun()


def _scale(form: Form, percent: Decimal, currency: str) -> None:
    for cell in list(_prices(form)):
        now = cell.value
        if now is None:
            continue
        least = 2 if cell.column == "rate_percent" else exponent_of(currency)
        places = max(least, -int(now.normalize().as_tuple().exponent))
        _write(cell, (now * (100 + percent) / 100).quantize(Decimal(1).scaleb(-places), ROUND_HALF_UP))


def _title(cell: Cell, before: Decimal | None, currency: str) -> str:
    """ "Fee · today 89,00 kr", with the tier's bound where there are several; "new" where today has no such price."""
    charge, place, column = cell
    name = parts.plain(charge["name"] or charge["code"])
    tiers = charge["tiers"]
    bound, each = "", ""
    if charge["model"] in TIERED and len(tiers) > 1:
        up_to = Cell(charge, place, "up_to").value
        bound = t(" up to {bound}", bound=number(up_to)) if up_to is not None else t(" above")
    if column == "unit_amount" and charge["model"] != ChargeModel.FLAT.value:
        size = Cell(charge, place, "package_size").value
        each = t(" per {size}", size=number(size)) if size else t(" a unit")
    if column == "fixed_amount":
        each = t(" an event")
    if before is None:
        return t("{name}{bound} · new{each}", name=name, bound=bound, each=each)
    told = f"{number(before)} %" if column == "rate_percent" else price(before, currency)
    return t("{name}{bound} · today {price}{each}", name=name, bound=bound, price=told, each=each)


def _today(cell: Cell, chosen: Series) -> Decimal | None:
    """What the price is today; None where there is no such price."""
    charge = next((each for each in chosen.terms.charges if each.code == cell.charge["code"]), None)
    if charge is None or (charge.events is not None) != (cell.charge["model"] == ChargeModel.PERCENTAGE.value):
        return None
    if charge.events is not None:
        return getattr(charge.events, cell.column, None)
    tier = _tier_today(cell, charge)
    return None if tier is None else getattr(tier, cell.column)


def _tier_today(cell: Cell, charge: Charge) -> Tier | None:
    """Today's tier that stands in the same place; where tiers came or went, the one that holds the last unit of this one."""
    if len(charge.tiers) == len(cell.charge["tiers"]):
        return charge.tiers[cell.place]
    last = Cell(cell.charge, cell.place, "up_to").value
    holds = (tier for tier in charge.tiers if tier.up_to is None or (last is not None and last <= tier.up_to))
    return next(holds, None)


# --- the whole list -------------------------------------------------------------------------------------------------------


def _whole(form: Form, key: str, context: session.Context) -> None:
    """The catalogue's own editor on the same form; currency, interval and how prices are stated stay."""
    try:
        plan_editor.price_list(form, f"{key}:list", context)
    except ForbliError as error:
        st.error(refusal(error), icon=":material/error:")
    form["minimum_commitment"] = st.text_input(
        field_name("minimum_commitment"), form["minimum_commitment"], key=f"{key}:minimum", placeholder=t("none"), width=240,
        help=t("Of one interval. When the charges stay below it, the difference is a line of its own."),
    )  # fmt: skip
