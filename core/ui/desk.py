"""The subscription desk: one dialog for every change, its effect on the customer's bills shown before it is confirmed.

A change is a form (`desk_forms.py`) that says a request to an action; the effect is the engine's (reports/change_preview.py).
What is confirmed is what was shown: when the effect has moved meanwhile, the new one is shown first.
"""

from __future__ import annotations

import polars as pl
import streamlit as st

from core.domain.access import Permission
from core.domain.subscriptions import CreditChoice
from core.reports import change_preview, desk_choices
from core.reports.change_preview import Effect
from core.ui import desk_agreed, desk_asides, parts, session
from core.ui.desk_asked import INSTEAD, Asked, Subject
from core.ui.desk_effect import show_effect
from core.ui.desk_forms import FORMS
from core.ui.plan_list import permit
from core.ui.text import t

AGREE, ADJUST = "agree", "adjust"
WITHOUT_SUBSCRIPTION = ("start", "undo")  # requests that name none: they cannot say what was seen of it
FIRST = ["change_price", "change_quantity", "change_addon", "grant_coupon", "cancel"]


def buttons(subject: Subject, status: str, context: session.Context) -> None:
    """The five commonest changes as buttons, the rest under "More"; an ended subscription can only begin again."""
    may = permit(context, Permission.CHANGE_SUBSCRIPTIONS)
    key = f"desk:{subject.subscription_id}"
    if st.session_state.get(INSTEAD, ("", None))[1] == subject:
        open_change(st.session_state.pop(INSTEAD)[0], subject)
    with st.container(horizontal=True, gap="small"):
        if status == "ended":
            if st.button(t("Start again"), icon=":material/restart_alt:", key=f"{key}:start", **may):
                open_change("start", subject)
            return
        for kind in FIRST:
            form = FORMS[kind]
            if st.button(form.button(), icon=form.icon, key=f"{key}:{kind}", **may):
                open_change(kind, subject)
        more = [*(kind for kind in FORMS if kind not in FIRST and kind != "start"), ADJUST, AGREE]
        chosen = st.menu_button(
            t("More"),
            more,
            format_func=_more_text,
            key=f"{key}:more",
            disabled="disabled" in may,
        )
    if chosen == ADJUST:
        st.dialog(t("One-off charge or credit"), width="large")(desk_asides.adjust_form)(subject)
    elif chosen == AGREE:
        st.dialog(t("Agree a price"), width="large")(desk_agreed.agree_form)(subject)
    elif chosen:
        open_change(chosen, subject)


def _more_text(kind: str) -> str:
    """What an entry under "More" is called."""
    other = {ADJUST: t("One-off charge or credit"), AGREE: t("Agree a price")}
    return other.get(kind) or FORMS[kind].button()


def open_change(kind: str, subject: Subject) -> None:
    """Open the dialog of a change, empty."""
    for name in [name for name in st.session_state if str(name).startswith(f"{_key(kind, subject)}:")]:
        del st.session_state[name]
    st.dialog(FORMS[kind].title(), width="large")(change_form)(kind, subject)


def _key(kind: str, subject: Subject) -> str:
    return f"change:{kind}:{subject.customer_id}:{subject.subscription_id}"


def change_form(kind: str, subject: Subject) -> None:
    """What is asked on top, its effect below, then the confirmation."""
    context, key, form = session.current(), _key(kind, subject), FORMS[kind]
    st.caption(f"{parts.plain(subject.customer)} · {parts.plain(subject.external_id)}" if subject.external_id else parts.plain(subject.customer))  # fmt: skip
    asked = form.draw(subject, _choices(subject, context), context, key)
    if asked is None:
        return
    effects = session.frames(
        change_preview.effects, subject.customer_id, asked.action, tuple(asked.requests), context.today
    )
    _show(asked, effects, key)
    chosen = asked.requests.index(asked.chosen)
    _confirm(kind, subject, asked, effects[chosen], key)


def _choices(subject: Subject, context: session.Context) -> desk_choices.Choices | None:
    """What can be chosen for the subscription; nothing stands yet when one begins."""
    if subject.subscription_id is None:
        return None
    return session.frames(desk_choices.choices, subject.subscription_id, context.today)


def _show(asked: Asked, effects: list[Effect], key: str) -> None:
    """One effect, or the alternatives side by side."""
    for place, name, request, effect in zip(
        st.columns(len(effects)), asked.names, asked.requests, effects, strict=True
    ):
        with place, st.container(border=True, height="stretch"):
            mark = ":material/radio_button_checked: " if len(effects) > 1 and request == asked.chosen else ""
            if name:
                st.markdown(f"{mark}**{name}**")
            show_effect(effect, lines=len(effects) == 1)
            if dict(request).get("credit") == CreditChoice.REFUND and effect.error is None:
                st.caption(t("What the customer has paid of what is credited is to be paid back: register the repayment under Payments once it is made."))  # fmt: skip


def _confirm(kind: str, subject: Subject, asked: Asked, effect: Effect, key: str) -> None:
    """Confirm what was shown, once; when the effect has moved since, the new one must be read first."""
    form = FORMS[kind]
    shown = repr((asked.chosen, effect.invoices.rows(), effect.worth, effect.error and effect.error.code))
    known = st.session_state.get(f"{key}:shown")
    st.session_state[f"{key}:shown"] = shown
    with st.container(horizontal=True, vertical_alignment="center"):
        go = st.button(
            form.confirm(), type="primary", icon=form.icon, key=f"{key}:confirm", disabled=effect.error is not None
        )
        st.caption(t("Nothing happens before you confirm. Every change can be undone as long as its month is open."))
    choices = _choices(subject, session.current()) if kind not in WITHOUT_SUBSCRIPTION else None
    newest = choices.seen_change_id if choices else None
    seen = st.session_state.setdefault(f"{key}:seen", newest)
    if not go:
        return
    # Where somebody else changed the subscription meanwhile, the action refuses and says who did what.
    if known is not None and known != shown and seen == newest:
        st.warning(
            t("The effect has changed since it was shown. Read the new one, then confirm again."),
            icon=":material/sync_problem:",
        )
        return
    requests = pl.DataFrame([dict(asked.chosen)], infer_schema_length=None)
    if seen is not None:
        requests = requests.with_columns(seen_change_id=pl.lit(seen, dtype=pl.Int64))
    st.session_state[f"{key}:seen"] = newest
    if session.act(form.action, key=key, requests=requests):
        later = effect.effective_on is not None and effect.effective_on > session.current().today
        session.say(t("{done} · from {day}", done=form.done(), day=effect.effective_on) if later else form.done())
        st.rerun()
