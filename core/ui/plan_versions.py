"""Price versions in words: their names, what they say, how two of them differ, and all of a plan's."""

from __future__ import annotations

from typing import Any

import polars as pl
import streamlit as st

from core.domain.plans import PriceTerms
from core.domain.price_form import interval_name
from core.reports import plans as reads
from core.reports.price_differences import side_by_side
from core.ui import parts, session
from core.ui.format import day, instant, price
from core.ui.plan_list import interval_of
from core.ui.plan_words import field_name, more_text, prices_text
from core.ui.text import label, t


def version_name(version: dict[str, Any]) -> str:
    """A version in a list: "NOK · month · version 3 · draft"."""
    number_text = t("version {number}", number=version["number"])
    return f"{version['currency']} · {interval_of(version)} · {number_text} · {label(version['status'])}"


def said_by(terms: PriceTerms) -> None:
    """The whole price in a line, then a row for each charge."""
    vat = t("prices include VAT") if terms.tax_inclusive else t("prices before VAT")
    said = [terms.currency, label(interval_name(terms.interval)), label(terms.alignment.value), vat]
    if terms.trial_days:
        said.append(t("{days} days of trial", days=terms.trial_days))
    if terms.minimum_commitment:
        said.append(t("at least {amount}", amount=price(terms.minimum_commitment, terms.currency)))
    st.caption(parts.plain(" · ".join(said)))
    for charge in terms.charges:
        what = " · ".join(label(word) for word in (charge.kind.value, charge.model.value, charge.timing.value))
        st.markdown(f"**{parts.plain(charge.name)}** :gray[{parts.plain(what)}]")
        more = more_text(charge, terms.currency)
        st.caption(parts.plain(prices_text(charge, terms.currency) + (f" · {more}" if more else "")))


def differences(versions: pl.DataFrame, version_id: int) -> None:
    """This version beside the one before it, changed cells first and marked."""
    before_id = reads.previous_version(versions, version_id)
    if before_id is None:
        st.caption(t("This is the first version in its currency and interval."))
        return
    before, after = session.frames(reads.terms, before_id), session.frames(reads.terms, version_id)
    cells = side_by_side(before, after)
    names = {charge.code: charge.name for terms in (before, after) for charge in terms.charges}
    changed = int(cells["changed"].sum())
    st.caption(t("{count} cells differ from version {number}", count=changed, number=versions.filter(versions["price_version_id"] == before_id)["number"].item()))  # fmt: skip
    everything = st.toggle(t("Show what is equal too"), key=f"equal:{version_id}")
    shown = cells if everything else cells.filter(cells["changed"])
    if shown.height:
        st.dataframe(_table(shown, names), hide_index=True, height="content")


def _table(cells: pl.DataFrame, names: dict[str, str]) -> pl.DataFrame:
    """Side by side for the screen: where, which field, before, now, and a word for what changed."""
    rows = []
    for row in cells.iter_rows(named=True):
        where = names.get(row["charge"]) or row["charge"] or t("The whole price")
        tier = t(", tier {tier}", tier=row["tier"]) if row["tier"] else ""
        rows.append({
            t("Where"): f"{where}{tier}", t("Field"): field_name(row["field"]), t("Before"): label(row["before"]),
            t("Now"): label(row["after"]), t("Changed"): t("● changed") if row["changed"] else "",
        })  # fmt: skip
    return pl.DataFrame(rows)


def history(versions: pl.DataFrame) -> None:
    """All versions with status, who and when."""
    rows = [
        {
            t("Version"): version_name(row), t("Valid from"): day(row["valid_from"]),
            t("Drafted by"): row["author"], t("Published by"): row["published_by"],
            t("Published"): instant(row["published_at"]), t("Subscriptions"): row["subscriptions"], t("Note"): row["note"],
        }
        for row in versions.iter_rows(named=True)
    ]  # fmt: skip
    st.dataframe(pl.DataFrame(rows), hide_index=True)
