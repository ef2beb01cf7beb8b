"""The prices of a scenario: a cell for every price of the newest version, and folded away one for whatever else it says."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from decimal import Decimal
from typing import Any

import streamlit as st

from core.domain.plans import Charge, ChargeKind, ChargeModel, PriceTerms
from core.domain.price_form import COUNTED, EVENT_FIELDS, TIER_CELLS, TIER_COLUMNS, Form, fill
from core.domain.scenarios import Edit, Scenario
from core.ui.format import number, price
from core.ui.plan_words import field_name
from core.ui.simulate_reads import KEY, Series
from core.ui.text import label, t

MINIMUM = "minimum_commitment"
PRICES = ("flat_amount", "unit_amount", "rate_percent")
EVENT_PRICES = ("rate_percent", "fixed_amount")
COUNTS = ("up_to", "package_size", "included_units", "free_events")
# The same tiers read in two ways: what a unit costs in the tier it falls in, or what all cost in the tier that is reached.
EITHER_WAY = (ChargeModel.GRADUATED, ChargeModel.VOLUME)


def choose(chosen: Series) -> tuple[tuple[Edit, ...], str]:
    """The cells, pre-filled with what is sold today: what is typed instead as edits, and another minimum commitment."""
    form, edits = fill(chosen.terms), []
    prefix = _prefix(chosen.plan, chosen.currency, chosen.interval)
    charges = {charge.code: charge for charge in chosen.terms.charges}
    with st.grid(4, min_column_width=190):
        for charge, place, column in _prices(form):
            now = _now(charge, place, column)
            edits.append(_number(_price_title(charges[charge["code"]], now, chosen.currency), now, prefix))
    with (
        st.expander(t("Tiers, included units and minimum"), icon=":material/stairs:"),
        st.grid(4, min_column_width=190),
    ):
        for charge, place, column in _shapes(form):
            now, ask = _now(charge, place, column), _model if column == "model" else _number
            edits.append(ask(_shape_title(charge, place, column), now, prefix))
        minimum = _number(field_name(MINIMUM), Edit("", MINIMUM, form[MINIMUM]), prefix)
    return tuple(edit for edit in edits if edit is not None), "" if minimum is None else minimum.value or "0"


def _prefix(plan: str, currency: str, interval: str) -> str:
    return f"{KEY}:price:{plan}:{currency}:{interval}"


def _prices(form: Form) -> Iterator[tuple[Form, int, str]]:
    """Charge, tier and column of what costs something."""
    for charge in form["charges"]:
        if charge["kind"] == ChargeKind.ONE_OFF.value:
            continue
        if charge["model"] == ChargeModel.PERCENTAGE.value:
            yield from ((charge, 0, column) for column in EVENT_PRICES if charge[column])
        else:
            for place, tier in enumerate(charge["tiers"]):
                yield from ((charge, place, column) for column in PRICES if tier[column])


def _shapes(form: Form) -> Iterator[tuple[Form, int, str]]:
    """Charge, tier and column of what says how prices are counted."""
    for charge in form["charges"]:
        kind, model = ChargeKind(charge["kind"]), ChargeModel(charge["model"])
        if model in EITHER_WAY:
            yield charge, 0, "model"
        for place, tier in enumerate(charge["tiers"]):
            used = [column for column in ("up_to", "package_size") if column in TIER_COLUMNS[model] and tier[column]]
            yield from ((charge, place, column) for column in used)
        if kind not in COUNTED:
            continue
        if model is ChargeModel.PERCENTAGE:
            yield from ((charge, 0, column) for column in EVENT_FIELDS if column not in EVENT_PRICES)
        else:
            yield charge, 0, "included_units"
        yield charge, 0, "min_amount"
        yield charge, 0, "max_amount"


def _in_tier(charge: Form, column: str) -> bool:
    """Does the cell belong to a tier? A percentage of each event has its own rate, on the charge."""
    return column in TIER_CELLS and charge["model"] != ChargeModel.PERCENTAGE.value


def _now(charge: Form, place: int, column: str) -> Edit:
    """A cell as it stands today."""
    value = charge["tiers"][place][column] if _in_tier(charge, column) else charge[column]
    return Edit(charge["code"], column, str(value), place)


def _key(prefix: str, cell: Edit) -> str:
    return f"{prefix}:{cell.charge}:{cell.tier}:{cell.column}"


def _number(title: str, now: Edit, prefix: str) -> Edit | None:
    """A box of numbers; what differs from today is an edit, nothing in it takes the number away."""
    today = Decimal(now.value) if now.value else None
    counts = now.column in COUNTS
    places = 0 if counts else 2
    if today is not None:
        places = max(places, -int(today.normalize().as_tuple().exponent))
    typed = st.number_input(
        title, min_value=0.0, value=None if today is None else float(today), step=1.0 if counts else _step(today, places),
        format=f"%.{min(places, 6)}f", key=_key(prefix, now), placeholder=t("none"), persist_state="session",
    )  # fmt: skip
    given = None if typed is None else Decimal(str(typed))
    return None if given == today else replace(now, value="" if given is None else plain(given))


def _step(today: Decimal | None, places: int) -> float:
    """A fiftieth of the price, whole for large ones."""
    step = max(float(today or 0) / 50, 10.0**-places)
    return float(round(Decimal(step), 0)) or step if (today or 0) >= 50 else step


def _model(title: str, now: Edit, prefix: str) -> Edit | None:
    """How the tiers are read."""
    options = [model.value for model in EITHER_WAY]
    picked = st.selectbox(
        title, options, options.index(now.value), format_func=label, key=_key(prefix, now), persist_state="session"
    )
    return None if picked == now.value else replace(now, value=picked)


def plain(value: Decimal) -> str:
    """A number without needless zeros: 109.0 → "109"."""
    return format(value.normalize(), "f")


def _price_title(charge: Charge, now: Edit, currency: str) -> str:
    """ "Fee · today 89,00 kr", with the tier's bound where there are several."""
    name = charge.name or charge.code
    bound = ""
    if len(charge.tiers) > 1:
        up_to = charge.tiers[now.tier].up_to
        bound = t(" up to {bound}", bound=number(up_to)) if up_to is not None else t(" above")
    each = t(" a unit") if now.column == "unit_amount" and charge.model is not ChargeModel.FLAT else ""
    size = charge.tiers[now.tier].package_size if now.column == "unit_amount" and charge.tiers else None
    each = t(" per {size}", size=number(size)) if size else each
    told = _told(now.column, now.value, currency)
    return t("{name}{bound} · today {price}{each}", name=name, bound=bound, price=told, each=each)


def _shape_title(charge: Form, place: int, column: str) -> str:
    """ "Calls · tier 2: Up to" """
    name = charge["name"] or charge["code"]
    if _in_tier(charge, column) and len(charge["tiers"]) > 1:
        name = t("{name} · tier {tier}", name=name, tier=place + 1)
    return f"{name}: {field_name(column)}"


def in_words(scenario: Scenario, terms: PriceTerms) -> list[str]:
    """What changes, piece by piece: "Fee 89,00 kr → 109,00 kr"."""
    form = fill(terms)
    charges = {charge["code"]: charge for charge in form["charges"]}
    edits = [*scenario.edits, *([Edit("", MINIMUM, scenario.minimum)] if scenario.minimum else [])]
    said = [_edit_in_words(edit, charges.get(edit.charge, form), scenario.currency) for edit in edits]
    if scenario.bundled:
        names = {code: charge["name"] or code for code, charge in charges.items()}
        said.append(t("{addons} included", addons=", ".join(names.get(code, code) for code in scenario.bundled)))
    return said


def _edit_in_words(edit: Edit, charge: Form, currency: str) -> str:
    after = _told(edit.column, edit.value, currency)
    if edit.column == MINIMUM:
        return f"{field_name(MINIMUM)} {_told(MINIMUM, charge[MINIMUM], currency)} → {after}"
    if "tiers" not in charge or (_in_tier(charge, edit.column) and edit.tier >= len(charge["tiers"])):
        return f"{edit.charge} {field_name(edit.column)} {after}"
    priced = edit.column in PRICES or edit.column in EVENT_PRICES
    title = charge["name"] or charge["code"] if priced else _shape_title(charge, edit.tier, edit.column)
    return f"{title} {_told(edit.column, _now(charge, edit.tier, edit.column).value, currency)} → {after}"


def _told(column: str, value: str, currency: str) -> str:
    """A cell as people read it."""
    if column == "model":
        return label(value)
    if not value:
        return t("none")
    if column == "rate_percent":
        return f"{number(Decimal(value))} %"
    return number(Decimal(value)) if column in COUNTS else price(value, currency)


def restore(scenario: Scenario) -> dict[str, Any]:
    """What the cells' widgets hold when a kept scenario is opened."""
    prefix = _prefix(scenario.plan, scenario.currency, scenario.interval)
    held: dict[str, Any] = {}
    for edit in scenario.edits:
        held[_key(prefix, edit)] = (
            edit.value if edit.column == "model" else float(Decimal(edit.value)) if edit.value else None
        )
    if scenario.minimum:
        held[_key(prefix, Edit("", MINIMUM, ""))] = float(Decimal(scenario.minimum))
    return held
