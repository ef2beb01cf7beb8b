"""The editor of a draft: everything typed is kept as text, read anew at each run, and shown with its findings.

The form (core/domain/price_form.py) lives in the session under the draft's id until it is saved or thrown away; widgets
write into it, so that nothing is lost when a charge is folded away, a model changes, or a save is refused.
"""

from __future__ import annotations

from typing import Any

import streamlit as st

from core.actions import plans
from core.domain.access import Permission
from core.domain.periods import Alignment
from core.domain.plans import ChargeKind
from core.domain.price_form import Form, Reading, blank_charge, fill, read
from core.domain.price_rules import Finding, check_terms
from core.reports.plans import terms as terms_of
from core.reports.plans import vat_categories
from core.ui import parts, plan_charge, plan_preview, session
from core.ui.plan_list import permit
from core.ui.plan_words import CURRENCIES, INTERVAL_NAMES, field_name, finding_text
from core.ui.text import label, language, t


def form_key(version_id: int) -> str:
    """Where a draft's form lives in the session."""
    return f"draft:{version_id}"


def form_for(version: dict[str, Any]) -> Form:
    """The form of a draft: what was typed, else what is stored."""
    key = form_key(version["price_version_id"])
    if key not in st.session_state:
        terms = session.frames(terms_of, version["price_version_id"])
        form = fill(terms, "," if language() == "nb" else ".")
        form |= {
            "note": version["note"],
            "seen_at": version["recorded_at"],
            "stored": terms,
            "interval_was": terms.interval,
        }
        for charge in form["charges"]:
            plan_charge.mark(charge)
        st.session_state[key] = form
    found: Form = st.session_state[key]
    return found


def reading_of(form: Form) -> tuple[Reading, list[Finding]]:
    """What the form says, and everything that is wrong with it: cells that cannot be read first."""
    reading = read(form, form["interval_was"])
    return reading, [*reading.unreadable, *check_terms(reading.terms)]


def is_changed(form: Form) -> bool:
    """Does the form say something other than what is stored?"""
    reading = read(form, form["interval_was"])
    return bool(reading.unreadable) or reading.terms != form["stored"]


@st.fragment
def show(plan: dict[str, Any], version: dict[str, Any], context: session.Context) -> None:
    """The editor on the left, curve and sample bill on the right."""
    form = form_for(version)
    key = form_key(version["price_version_id"])
    left, right = st.columns([11, 9], gap="medium")
    with left:
        with st.container(border=True):
            _head(form, key)
        chosen = price_list(form, key, context)
        reading, findings = reading_of(form)
        _save(plan, version, context, form, reading)
    with right:
        plan_preview.show(reading.terms, findings, context, f"{key}:preview", chosen)


def _head(form: Form, key: str) -> None:
    """Currency, interval and what holds for the whole price."""

    def choice(name: str, options: list[str], column: Any) -> None:
        options = options if form[name] in options else [*options, form[name]]
        form[name] = column.selectbox(
            field_name(name), options, index=options.index(form[name]), format_func=label if name != "currency" else str,
            key=f"{key}:{name}",
        )  # fmt: skip

    first, second, third = st.columns(3)
    choice("currency", CURRENCIES, first)
    choice("interval", INTERVAL_NAMES, second)
    choice("alignment", [each.value for each in Alignment], third)
    first, second = st.columns(2, vertical_alignment="bottom")
    form["trial_days"] = first.number_input(
        field_name("trial_days"), 0, 366, int(form["trial_days"] or 0), key=f"{key}:trial_days"
    )
    form["minimum_commitment"] = second.text_input(
        field_name("minimum_commitment"), form["minimum_commitment"], key=f"{key}:minimum", placeholder=t("none"),
        help=t("Of one interval. When the charges stay below it, the difference is a line of its own."),
    )  # fmt: skip
    form["tax_inclusive"] = st.toggle(field_name("tax_inclusive"), form["tax_inclusive"], key=f"{key}:tax_inclusive")


def price_list(form: Form, key: str, context: session.Context) -> str:
    """All charges of a form, and what is wrong with them; answers the code of the one that is open. A price in a simulation is
    edited with it too."""
    chosen = _charges(form, key, context)
    reading, findings = reading_of(form)
    _findings(findings, reading)
    return chosen


def _charges(form: Form, key: str, context: session.Context) -> str:
    """One charge at a time, chosen above it; answers the chosen one's code.

    The row above is filled last, so that its marks tell what was just typed: another run for them would lose a click.
    """
    above = st.container(horizontal=True, vertical_alignment="bottom")
    code = _charge(form, key, context)
    with above:
        _choose(form, key)
        kind = st.menu_button(
            t("Add a charge"),
            [each.value for each in ChargeKind],
            format_func=label,
            icon=":material/add:",
            key=f"{key}:add",
        )
    if kind:
        _add(form, key, ChargeKind(kind))
    return code


def _charge(form: Form, key: str, context: session.Context) -> str:
    """The chosen charge with everything about it; answers its code."""
    charges: list[Form] = form["charges"]
    if not charges:
        st.info(t("A price needs at least one charge: add one."), icon=":material/info:")
        return ""
    place = f"{key}:chosen"
    if st.session_state.get(place) is None or st.session_state[place] >= len(charges):
        st.session_state[place] = 0
    chosen: int = st.session_state[place]
    charge = charges[chosen]
    with st.container(border=True):
        plan_charge.show(charge, lambda: _own(form, charge), session.frames(vat_categories, context.today))
        plan_charge.move_and_remove(charges, chosen, key)
    return str(charge["code"]).strip()


def _choose(form: Form, key: str) -> None:
    """The charges by name, those with findings marked."""
    charges: list[Form] = form["charges"]
    faulty = _faulty(form)

    def named(at: int) -> str:
        charge = charges[at]
        mark = ":material/error: " if charge["code"].strip() in faulty else ""
        return mark + parts.plain(charge["name"] or charge["code"] or t("Unnamed"))

    if charges:
        st.pills(t("Charges"), range(len(charges)), format_func=named, key=f"{key}:chosen", required=True)


def _own(form: Form, charge: Form) -> list[Finding]:
    """What is wrong with one charge."""
    return [finding for finding in reading_of(form)[1] if finding.charge == charge["code"].strip()]


def _faulty(form: Form) -> set[str]:
    """Codes of the charges with findings."""
    return {finding.charge for finding in reading_of(form)[1]}


def _add(form: Form, key: str, kind: ChargeKind) -> None:
    """A new charge with a free code, opened at once."""
    used = {charge["code"] for charge in form["charges"]}
    number = next(n for n in range(1, 1000) if f"{kind.value}{n if n > 1 else ''}" not in used)
    charge = blank_charge(kind, f"{kind.value}{number if number > 1 else ''}")
    charge["name"] = label(kind.value).capitalize()
    plan_charge.mark(charge)
    form["charges"].append(charge)
    st.session_state.pop(f"{key}:chosen", None)
    st.session_state[f"{key}:chosen"] = len(form["charges"]) - 1
    st.rerun()


def _findings(findings: list[Finding], reading: Reading) -> None:
    """What stands between the draft and publishing."""
    if not findings:
        return
    with st.container(border=True):
        count = len(findings)
        st.markdown(f":orange[:material/rule:] **{t('Before publishing: {count} to put right', count=count)}**")
        names = {charge.code: charge.name or charge.code for charge in reading.terms.charges}
        for finding in findings:
            where = names.get(finding.charge, "")
            cell = field_name(finding.column)
            before = f"{parts.plain(where)} · {cell}" if where else cell
            st.markdown(f"- {before}: {parts.plain(finding_text(finding))}")


def _save(
    plan: dict[str, Any], version: dict[str, Any], context: session.Context, form: Form, reading: Reading
) -> None:
    """Save keeps the draft, findings or not; throwing away asks nobody's price back."""
    version_id = version["price_version_id"]
    key = form_key(version_id)
    form["note"] = st.text_input(t("Note"), form["note"], key=f"{key}:note", placeholder=t("What changes, and why"))
    with st.container(horizontal=True, vertical_alignment="center"):
        save = st.button(t("Save draft"), type="primary", icon=":material/save:", key=f"{key}:save", **permit(context, Permission.DRAFT_PRICES))  # fmt: skip
        undo = st.button(t("Undo all changes"), key=f"{key}:undo", disabled=not is_changed(form))
        discard = st.button(t("Throw the draft away"), key=f"{key}:discard", type="tertiary", **permit(context, Permission.DRAFT_PRICES))  # fmt: skip
    if save and reading.unreadable:
        st.error(t("Nothing was saved: some cells cannot be read. They are listed above."), icon=":material/error:")
    elif save:
        content = {"plan_id": plan["id"], "terms": reading.terms, "note": form["note"], "price_version_id": version_id}
        if session.act(plans.save_draft, key=f"save:{key}", seen_at=form["seen_at"], **content):
            forget(version_id)
            session.say(t("The draft is saved"))
            st.rerun()
    if undo:
        forget(version_id)
        st.rerun()
    if discard and session.act(plans.discard_draft, key=f"discard:{key}", price_version_id=version_id):
        forget(version_id)
        st.query_params.pop("version", None)
        session.say(t("The draft is gone"))
        st.rerun()


def forget(version_id: int) -> None:
    """Drop the form and its widgets, so that what is stored is shown again."""
    session.forget(form_key(version_id))
