"""One charge in the editor: its kind, model and numbers, and a tier table whose cells keep what was typed."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from typing import Any

import pandas
import streamlit as st

from core.domain.periods import Timing
from core.domain.plans import TIERED, ChargeKind, ChargeModel, Rounding
from core.domain.price_form import COUNTED, EVENT_FIELDS, MODELS, TIER_COLUMNS, Form
from core.domain.price_rules import Finding
from core.ui import parts
from core.ui.plan_words import field_name, finding_text
from core.ui.text import label, language, t

TIER_FIELDS = ("up_to", "unit_amount", "flat_amount", "package_size", "rate_percent")


def mark(charge: Form) -> None:
    """Give a charge of a form a lasting key for its widgets; another one lets them begin anew from what the form says."""
    charge.pop("look", None)
    charge["key"] = uuid.uuid4().hex[:12]


def show(charge: Form, find: Callable[[], list[Finding]], categories: list[str]) -> None:
    """Everything about one charge; widgets write into the form, then `find` says what is wrong with it."""
    first, second = st.columns([3, 2])
    _text(charge, "name", first, help=t("Stands on the invoice"))
    _text(
        charge,
        "code",
        second,
        help=t("Names the charge in files, add-ons and coupons; keep it from version to version."),
    )
    first, second, third = st.columns(3)
    _choice(charge, "kind", [each.value for each in ChargeKind], first)
    models = [each.value for each in MODELS[ChargeKind(charge["kind"])]]
    if charge["model"] not in models:
        charge["model"] = models[0]
    _choice(charge, "model", models, second)
    kind, model = ChargeKind(charge["kind"]), ChargeModel(charge["model"])
    if kind is ChargeKind.USAGE:
        _text(charge, "meter", third, help=t("The meter whose events are counted"))
    elif kind is not ChargeKind.ONE_OFF:
        _choice(charge, "timing", [each.value for each in Timing], third)
    st.caption(_explained(model))
    if model is ChargeModel.PERCENTAGE:
        _events(charge)
    elif model in TIERED:
        _tiers(charge, model)
    else:
        _single(charge, model)
    for finding in find():
        st.markdown(f":red[:material/error: {field_name(finding.column)}: {parts.plain(finding_text(finding))}]")
    with st.expander(t("Included units, conversion, cap, minimum, VAT")):
        _more(charge, kind, model, categories)


def _explained(model: ChargeModel) -> str:
    """How the model turns a quantity into an amount, in a sentence."""
    return {
        ChargeModel.FLAT: t("The same amount each interval."),
        ChargeModel.PER_UNIT: t("Each unit costs the same."),
        ChargeModel.GRADUATED: t("Each unit costs the price of the tier it falls in."),
        ChargeModel.VOLUME: t("All units cost the price of the tier that the whole quantity reaches."),
        ChargeModel.PACKAGE: t("Units are sold in packages."),
        ChargeModel.STAIRSTEP: t("One fixed amount for the whole step that the quantity reaches."),
        ChargeModel.PERCENTAGE: t("A share of each event's amount, after the free allowance."),
        ChargeModel.GRADUATED_PERCENTAGE: t("A share of the events' total amount, tier by tier."),
    }[model]


def _widget(charge: Form, name: str) -> str:
    return f"charge:{charge['key']}:{name}"


def _text(charge: Form, name: str, column: Any, **more: Any) -> None:
    charge[name] = column.text_input(field_name(name), charge[name], key=_widget(charge, name), **more) or ""


def _choice(charge: Form, name: str, options: list[str], column: Any) -> None:
    at = options.index(charge[name]) if charge[name] in options else 0
    # The options of a model depend on the kind: a key of their own keeps a stale choice away.
    key = _widget(charge, f"{name}:{len(options)}")
    charge[name] = column.selectbox(field_name(name), options, at, format_func=label, key=key)


def _first_tier(charge: Form) -> Form:
    """The only tier of a model without tiers."""
    if not charge["tiers"]:
        charge["tiers"] = [dict.fromkeys(TIER_FIELDS, "")]
    tier: Form = charge["tiers"][0]
    return tier


def _single(charge: Form, model: ChargeModel) -> None:
    """One price: a few fields are easier than a table."""
    tier = _first_tier(charge)
    names = {"unit_amount": t("Per package")} if model is ChargeModel.PACKAGE else {}
    columns = TIER_COLUMNS[model]
    for place, name in zip(st.columns(max(3, len(columns))), columns, strict=False):
        text = names.get(name, field_name(name))
        tier[name] = place.text_input(text, tier.get(name) or "", key=_widget(charge, f"{model.value}:{name}")) or ""


def _events(charge: Form) -> None:
    """Rate, fixed part, free allowance and bounds of a percentage."""
    places = [*st.columns(3), *st.columns(3)]
    for place, name in zip(places, EVENT_FIELDS, strict=True):
        _text(charge, name, place)


def _tiers(charge: Form, model: ChargeModel) -> None:
    """The tier table. Its first frame stays the same while it is edited; a new look begins from what was typed last."""
    look = f"{model.value}:{language()}"
    if charge.get("look") != look:
        charge["look"], charge["first"] = look, [dict(row) for row in charge["tiers"]] or [{}]
    rows = [{name: row.get(name) or None for name in TIER_FIELDS} for row in charge["first"]]
    # Numbered from 1, as the findings count; Polars has no such index.
    first = pandas.DataFrame(rows, columns=TIER_FIELDS, index=pandas.RangeIndex(1, len(rows) + 1), dtype="string")
    shown = TIER_COLUMNS[model]
    helps = {
        "up_to": t("Inclusive. The last tier stays empty: it has no end."),
        "package_size": t("Empty: by the unit"),
    }
    edited = st.data_editor(
        first, key=_widget(charge, f"tiers:{look}"), num_rows="dynamic", column_order=shown, hide_index=False, placeholder="–",
        column_config={
            name: st.column_config.TextColumn(field_name(name), help=helps.get(name), max_chars=60) for name in TIER_FIELDS
        },
        alt=t("Tiers of {name}", name=charge["name"]),
    )  # fmt: skip
    charge["tiers"] = edited.fillna("").to_dict("records")


def _more(charge: Form, kind: ChargeKind, model: ChargeModel, categories: list[str]) -> None:
    """What few charges need."""
    if kind in COUNTED and model is not ChargeModel.PERCENTAGE:
        first, second, third = st.columns(3)
        _text(charge, "included_units", first, help=t("Free units of each interval, taken off before the tiers"))
        _text(charge, "convert_by", second, help=t("1000 when a thousand calls are one billed unit"))
        _choice(charge, "convert_rounding", [each.value for each in Rounding], third)
    if kind in COUNTED:
        first, second, third = st.columns(3, vertical_alignment="bottom")
        _text(charge, "min_amount", first)
        _text(charge, "max_amount", second)
        if "package_size" in TIER_COLUMNS[model]:
            _choice(charge, "package_rounding", [each.value for each in Rounding], third)
        name = "first_tier_flat_at_zero"
        charge[name] = st.toggle(field_name(name), charge[name], key=_widget(charge, name))
    _choice(charge, "vat_category", list(dict.fromkeys([*categories, charge["vat_category"]])), st)


def move_and_remove(charges: list[Form], at: int, key: str) -> None:
    """Order on the invoice, and the way out."""
    with st.container(horizontal=True):
        earlier = st.button(
            t("Earlier"), icon=":material/arrow_upward:", key=f"{key}:up", disabled=at == 0, type="tertiary"
        )
        later = st.button(t("Later"), icon=":material/arrow_downward:", key=f"{key}:down", disabled=at == len(charges) - 1, type="tertiary")  # fmt: skip
        gone = st.button(t("Remove this charge"), icon=":material/delete:", key=f"{key}:remove", type="tertiary")
    if not (earlier or later or gone):
        return
    target = max(0, at - 1) if earlier or gone else at + 1
    charge = charges.pop(at)
    if not gone:
        charges.insert(target, charge)
    st.session_state.pop(f"{key}:chosen", None)
    st.rerun()
