"""What can be changed for many at once, and how its effect is told: coupon, prices, channel, payment option, taking back."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from typing import Any

import polars as pl
import streamlit as st

from core.actions import subscriptions
from core.actions.customers import edit_customers
from core.domain.access import Permission
from core.domain.subscriptions import Channel, PaymentOption
from core.reports import many as reads
from core.reports.desk_choices import offers
from core.reports.plans import coupons as all_coupons
from core.ui import parts, session
from core.ui.desk_asked import offer_text
from core.ui.desk_terms import coupon_text
from core.ui.format import day, money, number
from core.ui.plan_words import day_format
from core.ui.text import label, sentence, t

SUB = "subscription_id"


@dataclass(frozen=True)
class Prepared:
    """A change that is ready to be previewed and run.

    `rows`: one a request, key row: SUBJECTS and the request's columns. `columns`: those of the request. `field`: the part of
    the customer's data that is edited; empty for changes of subscriptions, which have an effect on bills.
    """

    action: Any
    permission: Permission
    rows: pl.DataFrame
    columns: list[str]
    words: str
    field: str = ""

    @property
    def mark(self) -> Any:
        """Tells two preparations apart."""
        return self.rows.select(self.columns).hash_rows(seed=1).sum(), self.columns, self.words

    def requests(self, some: pl.DataFrame) -> pl.DataFrame:
        """The requests of these rows."""
        own = self.rows.join(some.select("row"), on="row", how="semi", maintain_order="left")
        return own.select(self.columns)

    def effect(self, context: session.Context) -> pl.DataFrame:
        """`rows` with reason (why it cannot be changed) and what the change does."""
        if self.field:
            same = pl.col(f"{self.field}_now") == pl.col(self.field)
            return self.rows.with_columns(reason=pl.when(same).then(pl.lit(t("says so already"))).otherwise(pl.lit("")))
        with session.read() as db:
            found = reads.effects(
                db, self.action.action.removeprefix("subscriptions."), self.rows.select(self.columns),
                self.rows["customer_id"].unique(maintain_order=True), context.today,
            )  # fmt: skip
        reasons = {row: sentence(error) for row, error in found.refused.items()}
        said = pl.DataFrame(
            {"row": list(reasons), "reason": list(reasons.values())}, schema={"row": pl.Int64, "reason": pl.String}
        )
        told = self.rows.join(said, on="row", how="left", maintain_order="left").with_columns(
            pl.col("reason").fill_null("")
        )
        return (
            told.drop("effective_on", strict=False)
            .join(found.rows, on=SUB, how="left", maintain_order="left")
            .with_columns(through=pl.lit(found.through))
        )

    def summary(self, good: pl.DataFrame) -> str:
        """How many, and what will be done."""
        return t("**{count}** will be changed: {words}", count=number(good.height), words=parts.plain(self.words))

    def sums(self, good: pl.DataFrame) -> pl.DataFrame | None:
        """What it does in sum, a row a currency; None when nothing about bills changes."""
        if self.field or good.is_empty():
            return None
        names = ["mrr_before_minor", "mrr_after_minor", "bill_before_minor", "bill_after_minor"]
        titles = [
            t("MRR at list prices"), t("MRR after"), t("Billed through {day}", day=good["through"][0]), t("With the change"),
        ]  # fmt: skip
        totals = good.group_by("currency").agg(pl.col(names).sum()).sort("currency")
        return pl.DataFrame(
            [
                {t("Currency"): row["currency"]}
                | {title: money(row[name], row["currency"]) for name, title in zip(names, titles, strict=True)}
                for row in totals.iter_rows(named=True)
            ]
        )

    def shown(self, rows: pl.DataFrame, *, refused: bool) -> pl.DataFrame:
        """The table on the page: what it does, or why it cannot be done."""
        titles = self.titles()
        names = ["customer", "customer_external_id", "external_id", "plan", "reason"] if refused else list(titles)[:-1]
        told = [{titles[name]: self._cell(name, row) for name in names} for row in rows.iter_rows(named=True)]
        return pl.DataFrame(told, schema={titles[name]: pl.String for name in names})

    def amounts(self) -> list[str]:
        """The columns of the table that hold amounts."""
        return [title for name, title in self.titles().items() if name.endswith("_minor")]

    def _cell(self, name: str, row: dict[str, Any]) -> str:
        value = row[name]
        if value is None:
            return ""
        if isinstance(value, date):
            return day(value)
        if name.endswith("_minor"):
            return money(value, row["currency"])
        return label(value) if self.field and name in (self.field, f"{self.field}_now") else str(value)

    def titles(self) -> dict[str, str]:
        """Columns of table and file."""
        who = {
            "customer": t("Customer"),
            "customer_external_id": t("Customer id"),
            "external_id": t("Subscription"),
            "plan": t("Plan"),
        }
        if self.field:
            return {**who, f"{self.field}_now": t("Now"), self.field: t("Then"), "reason": t("Why not")}
        return {
            **who, "effective_on": t("From"), "mrr_before_minor": t("MRR before"), "mrr_after_minor": t("MRR after"),
            "bill_before_minor": t("Billed without"), "bill_after_minor": t("Billed with"), "reason": t("Why not"),
        }  # fmt: skip


@dataclass(frozen=True)
class Change:
    """One kind of change for many."""

    name: Callable[[], str]
    draw: Callable[[pl.DataFrame, session.Context], Prepared | None]


def _numbered(rows: pl.DataFrame) -> pl.DataFrame:
    return rows.with_row_index("row").with_columns(pl.col("row").cast(pl.Int64))


def _day(text: str, key: str, context: session.Context) -> date | None:
    return st.date_input(text, context.today, key=key, format=day_format())


def draw_coupon(subjects: pl.DataFrame, context: session.Context) -> Prepared | None:
    """The same coupon for everybody."""
    known = {row["coupon_id"]: row for row in session.frames(all_coupons).iter_rows(named=True) if not row["archived"]}
    if not known:
        st.info(t("There is no coupon yet: make one under Plans."), icon=":material/info:")
        return None
    left, right = st.columns([2, 1])
    picked = left.selectbox(
        t("Coupon"), list(known), format_func=lambda each: coupon_text(known[each]), key="many:coupon"
    )
    with right:
        on = _day(t("From"), "many:coupon:on", context)
    if on is None:
        return None
    rows = _numbered(subjects).with_columns(coupon_id=pl.lit(picked, dtype=pl.Int64), effective_on=pl.lit(on))
    words = t("coupon {name} from {day}", name=known[picked]["name"] or known[picked]["code"], day=on)
    return Prepared(
        subscriptions.grant_coupon, Permission.CHANGE_SUBSCRIPTIONS, rows, [SUB, "coupon_id", "effective_on"], words
    )


def draw_price(subjects: pl.DataFrame, context: session.Context) -> Prepared | None:
    """Migrate to newer prices, at each one's renewal or on a day."""
    options = {offer["price_version_id"]: offer for offer in session.frames(offers, None, context.today)}
    if not options:
        st.info(t("No plan is on offer: publish prices first."), icon=":material/info:")
        return None
    left, middle, right = st.columns([2, 1, 1])
    picked = left.selectbox(
        t("New prices"), list(options), format_func=lambda each: offer_text(options[each]), key="many:version"
    )
    names = {"renewal": t("At each one's renewal"), "day": t("On a day")}
    when = middle.selectbox(t("When"), list(names), format_func=names.__getitem__, key="many:when")
    on: date | None = None
    if when == "day":
        with right:
            on = _day(t("From"), "many:price:on", context)
        if on is None:
            return None
    rows = _numbered(subjects).with_columns(
        price_version_id=pl.lit(picked, dtype=pl.Int64),
        effective_on=pl.lit(on, dtype=pl.Date) if when == "day" else pl.col("renews_on"),
    )
    where = names["renewal"] if when == "renewal" else t("from {day}", day=on)
    words = f"{offer_text(options[picked])}, {where}"
    return Prepared(
        subscriptions.change_price,
        Permission.CHANGE_SUBSCRIPTIONS,
        rows,
        [SUB, "price_version_id", "effective_on"],
        words,
    )


def draw_channel(subjects: pl.DataFrame, context: session.Context) -> Prepared | None:
    """Where documents and messages go."""
    return _edited(subjects, context, "channel", [each.value for each in Channel], t("Channel"))


def draw_payment_option(subjects: pl.DataFrame, context: session.Context) -> Prepared | None:
    """How the customers pay."""
    return _edited(subjects, context, "payment_option", [each.value for each in PaymentOption], t("Payment option"))


def _edited(
    subjects: pl.DataFrame, context: session.Context, field: str, options: list[str], title: str
) -> Prepared | None:
    """A part of the customers' data: one row a customer."""
    left, right = st.columns([2, 1])
    picked = left.selectbox(title, options, format_func=label, key=f"many:{field}")
    with right:
        on = _day(t("Holds from"), f"many:{field}:on", context)
    if on is None:
        return None
    people = subjects.unique("customer_id", keep="first", maintain_order=True).rename({field: f"{field}_now"})
    rows = _numbered(people).with_columns(pl.lit(picked).alias(field), effective_from=pl.lit(on))
    words = t("{field} {value} from {day}", field=title, value=label(picked), day=on)
    return Prepared(
        edit_customers, Permission.EDIT_CUSTOMERS, rows, ["customer_id", "effective_from", field], words, field
    )


def taken_back(batch: reads.Batch, context: session.Context) -> Prepared | None:
    """The reversal of a batch: its changes undone, or what was said before said again."""
    with session.read() as db:
        if batch.action == "customers.edit":
            return _said_again(db, batch, context)
        owners = reads.owners_of_changes(db, batch.ids)
        subjects = reads.subjects_of_changes(db, batch.ids, owners, context.today)
    if subjects.is_empty():
        return None
    words = t("what was done on {day} is undone", day=batch.recorded_at.date())
    return Prepared(subscriptions.undo, Permission.CHANGE_SUBSCRIPTIONS, _numbered(subjects), ["change_id"], words)


def _said_again(db: Any, batch: reads.Batch, context: session.Context) -> Prepared | None:
    for field in ("channel", "payment_option"):
        values = reads.values_before(db, batch.ids, field, context.today)
        if values.is_empty():
            continue
        subjects = reads.subjects(db, values["customer_id"], context.today).unique("customer_id", maintain_order=True)
        rows = values.join(subjects.rename({field: f"{field}_now"}), on="customer_id", maintain_order="left")
        words = t("what was said before {day} is said again", day=batch.recorded_at.date())
        return Prepared(
            edit_customers,
            Permission.EDIT_CUSTOMERS,
            _numbered(rows),
            ["customer_id", "effective_from", field],
            words,
            field,
        )
    return None


CHANGES: dict[str, Change] = {
    "coupon": Change(lambda: t("Give a coupon"), draw_coupon),
    "price": Change(lambda: t("Move to other prices"), draw_price),
    "channel": Change(lambda: t("Channel"), draw_channel),
    "payment_option": Change(lambda: t("Payment option"), draw_payment_option),
}
