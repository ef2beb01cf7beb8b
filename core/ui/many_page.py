"""One change for many subscriptions: who, what, its effect on each and in sum, ten first, then the rest, and the way back."""

from __future__ import annotations

import re
import uuid
from collections.abc import Sequence
from typing import Any

import polars as pl
import streamlit as st

from core.domain.access import Permission
from core.domain.errors import ForbliError
from core.exchange.export import Table, as_csv
from core.reports import customers as directory
from core.reports import many as reads
from core.ui import parts, session
from core.ui.customer_list import kept_filters
from core.ui.format import day, instant, number
from core.ui.many_changes import CHANGES, Prepared, taken_back
from core.ui.plan_list import permit
from core.ui.text import label, refusal, t

TRIAL = 10  # done first, so that a mistake shows before everybody has it
CHUNK = 2_000
SHOWN = 500
SURE_FROM = 100  # so many at once are asked for twice
KEY = "many"


def show(context: session.Context) -> None:
    """The whole page."""
    if st.button(t("All customers"), icon=":material/arrow_back:", type="tertiary", key="many:back"):
        parts.go("customers", st.session_state.get("customers:view") or None)
    parts.header(t("Change many"), t("The same change for many subscriptions, its effect on each shown first."))
    tabs = {"new": t("New change"), "done": t("Done before")}
    view = st.segmented_control(
        t("View"), list(tabs), format_func=tabs.__getitem__, default="new", key="many:tab", required=True,
        label_visibility="collapsed",
    )  # fmt: skip
    if view == "done":
        _history(context)
        return
    if st.session_state.get("many:results"):
        _begun(context)
        return
    subjects = _who(context)
    if subjects.is_empty():
        parts.empty("group_off", t("Nobody is concerned"), t("Choose customers with a running subscription."))
        return
    change = _what(subjects, context)
    if change is not None:
        _effect_and_run(change, context)


# --- who -------------------------------------------------------------------------------------------------------------


def _who(context: session.Context) -> pl.DataFrame:
    """SUBJECTS by the list's filter or by pasted ids, and of those the chosen rows."""
    ways = {"filter": t("The customer list's filter"), "ids": t("Pasted ids")}
    with st.container(border=True):
        st.markdown(f"**{t('Who')}**")
        way = st.segmented_control(
            t("Chosen by"), list(ways), format_func=ways.__getitem__, default="filter", key="many:way", required=True,
            label_visibility="collapsed",
        )  # fmt: skip
        ids = _by_filter(context) if way == "filter" else _by_ids()
        if not ids:
            return pl.DataFrame(schema=reads.SUBJECTS)
        found = session.frames(reads.subjects, tuple(ids), context.today)
        if way == "ids":
            _ended(ids, found)
        return _rows(found)


def _by_filter(context: session.Context) -> list[int]:
    """Everybody that the customer list shows with its filters."""
    filters, sort, words = kept_filters()
    with session.read() as db:
        found = directory.narrowed(db, filters, sort, session.carried(directory.directory, context.today).rows)
    st.caption(t("Filter: {words}. Change it in the customer list.", words=parts.plain(words or t("all customers"))))
    return found["customer_id"].to_list()


def _by_ids() -> list[int]:
    """Customer or subscription ids, one a line or with commas."""
    pasted = st.text_area(t("Customer or subscription ids"), key="many:ids", placeholder="K10001, A20001 …", height=100)
    texts = list(dict.fromkeys(re.findall(r"[^\s,;]+", pasted or "")))
    if not texts:
        return []
    with session.read() as db:
        found, unknown = reads.named(db, texts)
    if unknown:
        listed = ", ".join(parts.plain(each) for each in unknown[:20])
        st.warning(t("{count} ids are not known: {ids}", count=len(unknown), ids=listed), icon=":material/help:")
    return found


def _ended(ids: Sequence[int], found: pl.DataFrame) -> None:
    """Who was named and has nothing that could be changed."""
    with session.read() as db:
        gone = reads.external_ids(db, sorted(set(ids) - set(found["customer_id"])))
    if gone:
        listed = ", ".join(parts.plain(each) for each in gone[:20])
        st.warning(t("{count} customers have no running subscription and are left out: {ids}", count=len(gone), ids=listed), icon=":material/person_off:")  # fmt: skip


def _rows(found: pl.DataFrame) -> pl.DataFrame:
    """The subscriptions found; choosing rows narrows them."""
    shown = found.head(SHOWN)
    table = shown.select(
        pl.col("customer").alias(t("Customer")), pl.col("customer_external_id").alias(t("Customer id")),
        pl.col("external_id").alias(t("Subscription")), pl.col("plan").alias(t("Plan")), pl.col("currency").alias(t("Currency")),
    )  # fmt: skip
    state: Any = st.dataframe(
        table, hide_index=True, key="many:rows", on_select="rerun", selection_mode="multi-row", height=220
    )
    chosen = [row for row in state.selection.rows if row < shown.height]
    said = t("{count} subscriptions", count=number(found.height))
    if chosen:
        said = t("{chosen} of {count} subscriptions are chosen", chosen=len(chosen), count=number(found.height))
    elif found.height > SHOWN:
        said += " · " + t("the first {count} are shown; all are concerned unless rows are chosen", count=SHOWN)
    st.caption(said)
    return shown[chosen] if chosen else found


# --- what ------------------------------------------------------------------------------------------------------------


def _what(subjects: pl.DataFrame, context: session.Context) -> Prepared | None:
    """The change and its details."""
    with st.container(border=True):
        st.markdown(f"**{t('What')}**")
        kind = st.segmented_control(
            t("Change"), list(CHANGES), format_func=lambda each: CHANGES[each].name(), default="coupon", key="many:kind",
            required=True, label_visibility="collapsed",
        )  # fmt: skip
        return CHANGES[kind or "coupon"].draw(subjects, context)


def _effect_and_run(change: Prepared, context: session.Context) -> None:
    """The effect when it is asked for, then the run; another change or other people ask anew."""
    mark = repr((change.action.action, change.mark))
    if st.session_state.get("many:mark") != mark:
        if not st.button(t("Show the effect"), icon=":material/visibility:", type="primary", key="many:preview"):
            return
        st.session_state["many:mark"] = mark
        st.session_state["many:batch"] = uuid.uuid4().hex[:12]
    known = st.session_state.get("many:effect")
    if known is None or known[0] != (mark, context.revision):
        with st.spinner(t("Billing everybody without and with the change …")):
            known = st.session_state["many:effect"] = (mark, context.revision), change.effect(context)
    rows = known[1]
    _table(rows, change, context)
    ready = change.rows.join(rows.filter(pl.col("reason") == "").select("row"), on="row", how="semi")
    _run(change, ready, context)


def _begun(context: session.Context) -> None:
    """What was begun goes on with the same people and the same change, whatever the first ten have moved."""
    change, ready = st.session_state["many:change"]
    with st.container(border=True):
        with st.container(horizontal=True, vertical_alignment="center"):
            st.markdown(f"**{parts.plain(change.words)}**", width="stretch")
            if st.button(t("Another change"), icon=":material/add:", key="many:another"):
                session.forget("many:results", "many:change", "many:mark", "many:effect")
                st.rerun()
        _run(change, ready, context)


def _table(rows: pl.DataFrame, change: Prepared, context: session.Context) -> None:
    """Each one's effect, and the sums."""
    good, bad = rows.filter(pl.col("reason") == ""), rows.filter(pl.col("reason") != "")
    with st.container(border=True):
        st.markdown(f"**{t('Effect')}**")
        st.markdown(change.summary(good))
        sums = change.sums(good)
        if sums is not None:
            st.dataframe(sums, hide_index=True, column_config=parts.money_columns(*sums.columns[1:]))
            st.caption(t("Before VAT; billed by one run through that day, without and with the change."))
        if good.height:
            _listed(change.shown(good.head(SHOWN), refused=False), good.height, change.amounts())
        if bad.height:
            with st.expander(t(":orange[{count} cannot be changed] and are left out", count=number(bad.height))):
                _listed(change.shown(bad.head(SHOWN), refused=True), bad.height)
        table = Table("Forbli", rows, change.titles(), {t("Change"): change.words, t("Made"): day(context.today)})
        parts.download(
            t("CSV"), lambda: as_csv(table), f"forbli-effect-{context.today.isoformat()}.csv", key="many:csv"
        )


def _listed(shown: pl.DataFrame, count: int, amounts: Sequence[str] = ()) -> None:
    """The first rows of so many."""
    st.dataframe(
        shown, hide_index=True, height=parts.tall(shown.height, 10), column_config=parts.money_columns(*amounts)
    )
    if count > SHOWN:
        st.caption(t("The first {count} are shown; the file has all.", count=SHOWN))


# --- run -------------------------------------------------------------------------------------------------------------


def _run(change: Prepared, ready: pl.DataFrame, context: session.Context) -> None:
    """Ten first, then the rest; a row's result is kept."""
    may = permit(context, change.permission)
    results: list[dict[str, Any]] = st.session_state.get("many:results", [])
    done = {row["row"] for row in results}
    left = ready.filter(~pl.col("row").is_in(list(done)))
    with st.container(horizontal=True, vertical_alignment="center"):
        first = left.height > TRIAL and not results and st.button(
            t("Change the first {count}", count=TRIAL), icon=":material/science:", key="many:trial", **may
        )  # fmt: skip
        text = (
            t("Change the other {count}", count=number(left.height))
            if results
            else t("Change all {count}", count=number(left.height))
        )
        untried = not results and left.height > SURE_FROM
        sure = not untried or st.checkbox(t("Without trying ten first"), key="many:sure")
        if not sure:
            may = {"disabled": True, "help": t("Try the first {count}, or say that you do not want to.", count=TRIAL)}
        rest = left.height > 0 and st.button(text, type="primary", icon=":material/done_all:", key="many:all", **may)
    if first or rest:
        asked = left.head(TRIAL) if first else left
        st.session_state["many:change"] = change, ready
        st.session_state["many:results"] = [*results, *_carry_out(change, asked, context)]
        st.rerun()
    if results:
        _results(results, change, context)


def _carry_out(change: Prepared, asked: pl.DataFrame, context: session.Context) -> list[dict[str, Any]]:
    """Chunk by chunk, each one command; what is refused meanwhile says why."""
    batch, found = st.session_state["many:batch"], []
    bar = st.progress(0.0)
    for start in range(0, asked.height, CHUNK):
        some = asked.slice(start, CHUNK)
        requests = change.requests(some)
        try:
            command = f"{reads.MARK}{batch}:{some['row'][0]}"
            answer = change.action(context.engine, context.actor, command, context.now, requests=requests, partial=True)
        except ForbliError as error:
            st.error(refusal(error), icon=":material/error:")
            break
        refused = {row["row"]: row["reason"] for row in answer["refused"]}
        found += [
            {"row": row, "reason": refused.get(place, "")} for place, row in enumerate(some["row"].to_list())
        ]  # fmt: skip
        bar.progress(
            (start + some.height) / asked.height, text=f"{number(start + some.height)} / {number(asked.height)}"
        )
    return found


def _results(results: list[dict[str, Any]], change: Prepared, context: session.Context) -> None:
    """What was done to whom."""
    known = change.rows.select("row", "customer", "customer_external_id", "external_id")
    rows = pl.DataFrame(results, schema={"row": pl.Int64, "reason": pl.String}).join(
        known, on="row", how="left", maintain_order="left"
    )
    bad = rows.filter(pl.col("reason") != "")
    st.success(t("{count} are changed. The whole change can be taken back under “Done before”.", count=number(rows.height - bad.height)), icon=":material/check_circle:")  # fmt: skip
    titles = {"customer": t("Customer"), "customer_external_id": t("Customer id"), "external_id": t("Subscription"), "result": t("Result")}  # fmt: skip
    said = rows.with_columns(result=pl.when(pl.col("reason") == "").then(pl.lit(t("changed"))).otherwise("reason"))
    st.dataframe(
        said.head(SHOWN).select(pl.col(name).alias(title) for name, title in titles.items()),
        hide_index=True,
        height=240,
    )
    table = Table("Forbli", said, titles, {t("Change"): change.words, t("Made"): day(context.today)})
    parts.download(t("CSV"), lambda: as_csv(table), f"forbli-result-{context.today.isoformat()}.csv", key="many:result")


# --- the way back ----------------------------------------------------------------------------------------------------


def _history(context: session.Context) -> None:
    """What was done to many before, newest first, each with its way back."""
    batches = session.frames(reads.batches)
    if not batches:
        parts.empty("history", t("Nothing was changed for many yet"), t("What is done here can be taken back here."))
        return
    for each in batches:
        with st.container(border=True, horizontal=True, vertical_alignment="center"):
            said = t("{count} changed, {refused} refused", count=number(len(each.ids)), refused=number(each.refused))
            what = label(each.action)
            st.markdown(
                f"**{what}** · {said} · {parts.plain(each.actor)} · {instant(each.recorded_at)}", width="stretch"
            )
            if each.taken_back:
                st.badge(t("taken back"), color="gray")
            elif st.button(
                t("Take back …"),
                icon=":material/undo:",
                key=f"many:back:{each.batch}",
                **permit(context, Permission.CHANGE_SUBSCRIPTIONS),
            ):
                st.dialog(t("Take back"), width="large")(_take_back)(each)


def _take_back(batch: reads.Batch) -> None:
    """The reversal's own preview: a new change, never a deletion."""
    context = session.current()
    change = taken_back(batch, context)
    if change is None:
        st.info(t("Nothing of it holds any more: there is nothing to take back."), icon=":material/info:")
        return
    rows = change.effect(context)
    _table(rows, change, context)
    ready = rows.filter(pl.col("reason") == "")
    st.caption(
        t("Taking back is a new change of its own; what was invoiced meanwhile is corrected on the next invoices.")
    )
    if st.button(
        t("Take back {count}", count=number(ready.height)), type="primary", disabled=ready.is_empty(), key="many:undo"
    ):
        st.session_state["many:batch"] = f"{batch.batch}{reads.BACK}"
        done = _carry_out(change, ready, context)
        session.say(t("{count} are taken back", count=number(sum(1 for row in done if not row["reason"]))))
        st.rerun()
