"""Settings of the books: closing, reopening by two people, number series; and the database with its checks."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import streamlit as st

from core.actions import company
from core.domain.access import Permission
from core.reports import integrity
from core.reports import settings as reads
from core.ui import parts, session
from core.ui import settings_pieces as pieces
from core.ui.format import day, instant, number
from core.ui.plan_list import permit
from core.ui.text import definition, label, t


def show_books(context: session.Context) -> None:
    """How far the books are closed, the two forms, the history and the series."""
    books = session.frames(reads.books)
    closed = day(books.closed_through) if books.closed_through else t("not closed")
    parts.cards([{"label": t("Books closed through"), "value": closed, "help": definition("closed books")}])
    left, right = st.columns(2, gap="medium")
    with left.container(border=True, height="stretch"):
        _close(context, books)
    with right.container(border=True, height="stretch"):
        _reopen(context, books)
    _books_history(books)


def _close(context: session.Context, books: reads.Books) -> None:
    """What closing does, in figures, then the button."""
    st.header(t("Close"), anchor=False)
    last_month = context.today.replace(day=1) - timedelta(days=1)
    through = pieces.day_input(t("Through"), last_month, "books:through")
    reason = st.text_input(t("Reason"), key="books:reason", placeholder=t("So that the next person understands"))
    waiting = session.frames(reads.unbilled, through)
    dated = session.frames(reads.documents_between, books.closed_through or pieces.FIRST_DAY, through)
    st.caption(
        t("After this no document can be dated {day} or earlier. {count} documents lie in the days that are closed.",
          day=through, count=number(dated))
    )  # fmt: skip
    if waiting:
        st.warning(
            t("Customers with something still to bill through {day}: {count}. Their invoices will be dated later.",
              count=number(waiting), day=through), icon=":material/schedule:",
        )  # fmt: skip
    closed = books.closed_through is not None and through <= books.closed_through
    if closed:
        st.caption(t("They are closed through {day} already.", day=through))
    may = permit(context, Permission.CLOSE_BOOKS) or {"disabled": closed or not reason.strip()}
    if st.button(
        t("Close the books through {day}", day=through), type="primary", key="books:close", **may
    ) and session.act(company.close_books, key="books:close", through=through, reason=reason):
        pieces.forget("books:")
        session.say(t("The books are closed through {day}", day=through))
        st.rerun()


def _reopen(context: session.Context, books: reads.Books) -> None:
    """One asks and says why, another approves."""
    st.header(t("Reopen"), anchor=False, help=definition("second approval"))
    if books.closed_through is None:
        st.caption(t("The books are open."))
        return
    if books.asked is not None:
        _answer(context, books.asked)
        return
    before = books.closed_through.replace(day=1) - timedelta(days=1)
    through = pieces.day_input(t("Stay closed through"), before, "reopen:through")
    reason = st.text_input(t("Reason"), key="reopen:reason", placeholder=t("So that the next person understands"))
    st.caption(
        t("When a second person approves it, documents can again be dated from {day} on.", day=through + timedelta(days=1))
    )  # fmt: skip
    may = permit(context, Permission.CLOSE_BOOKS) or {"disabled": not reason.strip()}
    if st.button(t("Ask to reopen the books"), key="reopen:ask", **may) and session.act(
        company.ask_to_reopen, key="reopen:ask", through=through, reason=reason
    ):
        pieces.forget("reopen:")
        session.say(t("A second person must approve it"))
        st.rerun()


def _answer(context: session.Context, asked: reads.Row) -> None:
    """What somebody asked for; another person approves or declines."""
    own = asked["author"] == context.actor.name
    st.markdown(
        t("**{name}** asks to keep the books closed through **{day}** only: {reason}", name=parts.plain(asked["author"]),
          day=day(asked["through"]), reason=parts.plain(asked["reason"]))
    )  # fmt: skip
    st.caption(t("Documents can again be dated from {day} on.", day=asked["through"] + timedelta(days=1)))
    note = st.text_input(t("Reason for declining"), key="reopen:note")
    may = permit(context, Permission.CLOSE_BOOKS)
    with st.container(horizontal=True):
        own_words = t("Another person must approve what you asked for") if own else None
        approve = may or {"disabled": own, "help": own_words}
        if st.button(t("Reopen the books"), type="primary", key="reopen:go", **approve) and session.act(
            company.reopen_books, key="reopen:go", reopening_id=asked["id"]
        ):
            session.say(t("The books are closed through {day}", day=asked["through"]))
            st.rerun()
        said = may or {"disabled": not note.strip()}
        words = t("Take back") if own else t("Decline")
        if st.button(words, key="reopen:no", **said) and session.act(
            company.decline_reopening, key="reopen:no", reopening_id=asked["id"], reason=note
        ):
            pieces.forget("reopen:")
            session.say(t("The books stay closed"))
            st.rerun()


def _books_history(books: reads.Books) -> None:
    """Every closing and reopening, and the number series."""
    left, right = st.columns(2, gap="medium")
    with left:
        st.header(t("History"), anchor=False)
        rows = [
            {t("What"): t("reopened") if row["reopened"] else t("closed"), t("Closed through"): day(row["through"]),
             t("Reason"): row["reason"], t("Asked by"): row["asked_by"], **pieces.stamp_columns(row)}
            for row in books.history
        ]  # fmt: skip
        if rows:
            st.dataframe(rows, hide_index=True, height="content")
        else:
            st.caption(t("The books have never been closed."))
    with right:
        st.header(t("Number series"), anchor=False, help=t("Each series counts 1, 2, 3 … without a gap."))
        series = [
            {t("Year"): str(row["year"]), t("Kind"): label(row["kind"]), t("Prefix"): row["prefix"],
             t("Last number"): number(row["last"])}
            for row in books.series
        ]  # fmt: skip
        if series:
            st.dataframe(series, hide_index=True, height="content")
        else:
            st.caption(t("Nothing has been numbered yet."))


def show_data(context: session.Context) -> None:
    """What is stored, where, and whether it holds."""
    about = session.frames(reads.about)
    called = {"sqlite": "SQLite", "postgresql": "PostgreSQL"}
    with st.grid(4, min_column_width=180):
        for name in ("customers", "subscriptions", "documents", "document_lines"):
            st.metric(_counted()[name], number(about.counts[name]), border=True)
    left, right = st.columns([2, 3], gap="medium")
    with left.container(border=True):
        st.header(t("The database"), anchor=False)
        facts = [
            (t("Kind"), f"{called.get(about.dialect, about.dialect)} {about.server}"), (t("Place"), about.place),
            (t("Schema"), about.schema if about.schema == about.newest else f"{about.schema} → {about.newest}"),
            (t("Data revision"), number(about.revision)),
            *((_counted()[name], number(count)) for name, count in about.counts.items()),
        ]  # fmt: skip
        parts.facts(facts)
    with right.container(border=True):
        _check(context)
    _trail(about)


def _counted() -> dict[str, str]:
    """What is counted."""
    return {
        "customers": t("Customers"), "subscriptions": t("Subscriptions"), "changes": t("Changes"),
        "price_versions": t("Price versions"), "usage_events": t("Usage events"), "contacts": t("Contacts"),
        "documents": t("Documents"), "document_lines": t("Document lines"), "commands": t("Commands"),
        "audit_entries": t("Entries of the audit trail"),
    }  # fmt: skip


def _rules() -> dict[str, str]:
    """What each rule of the check looks at."""
    return {
        "numbers": t("Numbers without gaps"), "duplicates": t("No period billed twice"),
        "totals": t("Lines add up to totals"), "taxes": t("VAT adds up"), "discounts": t("Discounts add up"),
        "ledger": t("The ledger balances"), "payments": t("Payments are in the ledger"), "audit": t("The audit trail is whole"),
        "periods": t("Every period billed as its facts say"),
    }  # fmt: skip


def _check(context: session.Context) -> None:
    """The button, the progress, and what was found until the data change."""
    st.header(t("Do the books hold?"), anchor=False)
    st.caption(t("Every rule that must be true of what is stored, checked from the rows themselves."))
    if st.button(t("Check the books"), icon=":material/fact_check:", key="check"):
        bar = st.progress(0.0, text=t("Starting"))
        with session.read() as db:
            findings = integrity.check(db, lambda share, rule: _tell(bar, share, rule))
        bar.empty()
        st.session_state["checked"] = (context.revision, context.now, findings)
    revision, when, findings = st.session_state.get("checked", (None, None, []))
    if when is None:
        return
    if findings:
        st.error(t("{count} things do not hold.", count=number(len(findings))), icon=":material/error:")
        said = [t(finding.message, **finding.values) for finding in findings]
        st.dataframe([{t("What does not hold"): text} for text in said], hide_index=True)
    else:
        st.success(t("The books hold: {count} rules, no findings.", count=len(_rules())), icon=":material/verified:")
        st.markdown("\n".join(f"- {name}" for name in _rules().values()))
    st.caption(
        t("Checked {instant}.", instant=when) if revision == context.revision
        else t("Checked {instant}; the data have changed since.", instant=when)
    )  # fmt: skip


def _tell(bar: Any, share: float, rule: str) -> None:
    bar.progress(share, text=_rules()[rule])


def _trail(about: reads.About) -> None:
    """The newest entries of the audit trail and its head."""
    st.header(t("Audit trail"), anchor=False, help=definition("audit trail"))
    st.caption(
        t("{count} entries; the last seal is {hash}", count=number(about.head.entries), hash=about.head.hash[:16])
    )
    rows = [
        {t("When"): instant(row.recorded_at), t("Who"): row.actor, t("Action"): label(row.action), t("About"): row.subject.replace(":", " ").replace("_", " "),
         t("Fields"): row.fields.replace(",", ", ").replace("_", " ")}
        for row in session.frames(reads.trail)
    ]  # fmt: skip
    if rows:
        st.dataframe(rows, hide_index=True, height=360)
