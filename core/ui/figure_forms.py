"""What staff enter on the pages of figures: budgets and marks, saved views, and the month that is reported."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

import polars as pl
import streamlit as st

from core.actions import figures as actions
from core.calc.movements import after_months
from core.domain.access import Permission
from core.domain.money import to_minor
from core.reports import figures as reads
from core.reports.kpis import DEFINITIONS
from core.ui import parts, session
from core.ui.format import day, instant, money, month, number, share
from core.ui.plan_words import day_format
from core.ui.text import label, t


def saved_views(page: str, context: session.Context) -> None:
    """Views of this page by name, and the form that saves what is shown now."""
    known = session.frames(reads.views, page, context.actor.name)
    with st.popover(t("Views"), icon=":material/bookmark:"):
        for view in known:
            asked = dict(pair.partition("=")[::2] for pair in view["query"].split("&"))
            name = view["name"] + (f" · {view['author']}" if view["author"] != context.actor.name else "")
            if st.button(parts.plain(name), key=f"view:{view['id']}", width="stretch", icon=":material/bookmark:"):
                _open(page, asked)
            if view["author"] == context.actor.name and st.button(
                t("Remove"), key=f"view-off:{view['id']}", type="tertiary"
            ):
                session.act(
                    actions.save_view,
                    key=f"view-off:{view['id']}",
                    page=page,
                    name=view["name"],
                    query="",
                    replaces_id=view["id"],
                )
                st.rerun()
        if not known:
            st.caption(t("A view keeps the range and the filters under a name."))
        if context.may(Permission.SAVE_VIEWS):
            with st.form("save-view", clear_on_submit=True, border=False):
                name = st.text_input(t("Name"), key="view:name")
                shared = st.checkbox(t("For everybody"), key="view:shared")
                if st.form_submit_button(t("Save what is shown"), icon=":material/bookmark_add:"):
                    query = "&".join(f"{key}={value}" for key, value in st.query_params.items()) or "range=12"
                    if session.act(actions.save_view, key="view", page=page, name=name, query=query, shared=shared):
                        session.say(t("The view is saved."))
                        st.rerun()


def _open(page: str, query: dict[str, str]) -> None:
    """Show a view: what the session keeps makes way for what the view says."""
    session.forget("segment", "figures", "drill")
    parts.go(page, query)


def plans_and_marks(context: session.Context, currency: str) -> None:
    """The budget of a month and the marks on the time axis."""
    if not context.may(Permission.PLAN_FIGURES):
        return
    with st.popover(t("Budget and marks"), icon=":material/flag:"):
        with st.form("budget", border=False):
            st.markdown(f"**{t('Budget')}**")
            following = after_months(context.today.replace(day=1), 0)
            at = st.date_input(t("Month"), following, key="budget:month", format=day_format())
            amount = st.number_input(
                t("MRR aimed at, {currency}", currency=currency),
                min_value=0.0,
                step=1000.0,
                key="budget:amount",
                format="%.0f",
            )
            if st.form_submit_button(t("Save budget")):
                minor = to_minor(Decimal(str(amount)), currency)
                if session.act(actions.set_budget, key="budget", month=at.replace(day=1), mrr_minor=minor):
                    session.say(t("The budget is saved."))
                    st.rerun()
        with st.form("mark", border=False, clear_on_submit=True):
            st.markdown(f"**{t('Mark a day')}**")
            on = st.date_input(t("Day"), context.today, key="mark:day", format=day_format())
            text = st.text_input(t("What happened"), key="mark:text", placeholder=t("Autumn campaign"))
            if st.form_submit_button(t("Save mark")) and session.act(
                actions.mark_day, key="mark", on_date=on, text=text
            ):
                session.say(t("The mark is saved."))
                st.rerun()
        for on, text, mark_id in session.frames(reads.marks):
            if mark_id is not None and st.button(
                f"{day(on)} · {parts.plain(text)}", key=f"mark:{mark_id}", icon=":material/close:", type="tertiary"
            ):
                session.act(actions.mark_day, key=f"mark-off:{mark_id}", on_date=on, text="", replaces_id=mark_id)
                st.rerun()


def report_month(context: session.Context, last_complete: date | None) -> None:
    """Freeze the last whole month, when it is not yet reported."""
    if (
        last_complete is None
        or last_complete in session.frames(reads.reported)
        or not context.may(Permission.CLOSE_BOOKS)
    ):
        return
    said = t(
        "{month} is over and not reported yet. Reporting freezes its figures; later facts then show as differences.",
        month=month(last_complete),
    )
    with st.container(horizontal=True, vertical_alignment="center"):
        st.caption(said)
        if st.button(t("Report {month}", month=month(last_complete)), key="report", icon=":material/lock_clock:"):
            content = session.frames(reads.month_content, last_complete, context.today)
            done = session.act(
                actions.close_month, key=f"report:{last_complete}", month=last_complete, definitions=DEFINITIONS,
                content=content, revision=context.revision,
            )  # fmt: skip
            if done:
                session.say(t("{month} is reported.", month=month(last_complete)))
                st.rerun()


def figure_words() -> dict[str, str]:
    """What the reported figures are called."""
    return {
        "closing": t("MRR"), "customers_at_end": t("Paying customers"), "arpa_minor": t("ARPA"),
        "customer_churn": t("Customer churn"), "nrr": t("NRR, 12 months"), "grr": t("GRR, 12 months"),
    }  # fmt: skip


def as_reported(context: session.Context) -> None:
    """A reported month beside what today's facts say of it, and the customers that make the difference."""
    known = session.frames(reads.reported)
    if not known:
        st.caption(t("No month has been reported yet: reporting one freezes its figures."))
        return
    names = {start: month(start) for start in sorted(known, reverse=True)}
    chosen = st.selectbox(
        t("Reported month"), list(names), format_func=names.__getitem__, key="reported:month", width=220
    )
    was, now = known[chosen], session.frames(reads.month_content, chosen, context.today)
    st.caption(
        t("Reported by {author} on {instant}, with version {version} of the definitions.", author=parts.plain(was["author"]),
          instant=instant(was["recorded_at"]), version=was["definitions"])
    )  # fmt: skip
    rows = []
    for name, said in figure_words().items():
        sides = [_written(name, side.get(name), was["currency"]) for side in (was, now)]
        rows.append({t("Figure"): said, t("As reported"): sides[0], t("By today's facts"): sides[1],
                     t("Difference"): "–" if sides[0] == sides[1] else _difference(name, was.get(name), now.get(name), was["currency"])})  # fmt: skip
    st.dataframe(
        rows,
        hide_index=True,
        column_config=parts.money_columns(t("As reported"), t("By today's facts"), t("Difference")),
    )
    moved: pl.DataFrame = session.frames(reads.restated, chosen, context.today)
    if moved.is_empty():
        st.caption(t("No fact recorded since then has changed a customer's MRR of that month."))
        return
    columns = {"was": t("Was"), "is": t("Is"), "difference": t("Difference")}
    st.dataframe(
        [
            {t("Customer"): row["name"], t("Id"): row["external_id"],
             **{said: money(row[f"{name}_minor"], was["currency"], sign=name == "difference") for name, said in columns.items()},
             t("Because of"): ", ".join(label(kind) for kind in (row["changes"] or "").split(", ")), t("By"): row["authors"]}
            for row in moved.iter_rows(named=True)
        ],
        hide_index=True, column_config=parts.money_columns(*columns.values()),
    )  # fmt: skip


def _written(name: str, value: float | None, currency: str) -> str:
    from core.ui.format import number

    if value is None:
        return "–"
    if name == "customers_at_end":
        return number(value)
    return money(int(value), currency) if name in ("closing", "arpa_minor") else share(value, 2)


def _difference(name: str, was: float | None, now: float | None, currency: str) -> str:
    if was is None or now is None:
        return "–"
    if name in ("closing", "arpa_minor"):
        return money(int(now - was), currency, sign=True)
    if name == "customers_at_end":
        return f"{now - was:+.0f}".replace("-", "−")
    return t("{change} points", change=f"{'+' if now >= was else '−'}{number(abs(100 * (now - was)), places=2)}")
