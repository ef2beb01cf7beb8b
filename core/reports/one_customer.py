"""One customer with everything: what is said, subscriptions and their price periods, invoices, and what happened when."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import Any

import polars as pl
from sqlalchemy import select
from sqlalchemy.orm import Session

from core import frames
from core.calc.billing.price_limits import named_by_charge
from core.calc.calendar import OPEN
from core.calc.recurring import monthly
from core.calc.threads import inlined
from core.calc.timeline import overlap, timeline
from core.domain.errors import NotFound
from core.domain.plans import ChargeKind
from core.reports import asides, invoices, payments
from core.reports.named_changes import named
from core.reports.subscriber_base import twelfths
from core.store import billing, ledger, load
from core.store.tables import (
    Adjustment,
    ChargeRow,
    Coupon,
    Customer,
    CustomerVersion,
    Document,
    Plan,
    PriceVersion,
    Subscription,
    SubscriptionChange,
    TouchPoint,
    core_table,
)

PERIODS: frames.Schema = {
    "subscription_id": pl.Int64, "start": pl.Date, "end": pl.Date, "plan": pl.String, "price_version_id": pl.Int64,
    "currency": pl.String, "interval_months": pl.Int32, "interval_days": pl.Int32, "quantity_micro": pl.Int64,
    "addons": pl.String, "mrr_minor": pl.Int64,
}  # fmt: skip
EVENTS: frames.Schema = {
    "on": pl.Date, "recorded_at": pl.Datetime("us", "UTC"), "author": pl.String, "sort": pl.String, "kind": pl.String,
    "subject": pl.String, "detail": pl.String, "quantity_micro": pl.Int64, "until_on": pl.Date, "amount_minor": pl.Int64,
    "currency": pl.String, "undone": pl.Boolean, "text": pl.String,
}  # fmt: skip
INVOICES: frames.Schema = {
    "number": pl.String, "kind": pl.String, "issue_date": pl.Date, "due_date": pl.Date, "currency": pl.String,
    "net_minor": pl.Int64, "total_minor": pl.Int64, "document_id": pl.Int64, "customer_id": pl.Int64, "bill_to_id": pl.Int64,
}  # fmt: skip
UNSAID = {"id", "customer_id", "effective_from", "recorded_at", "author", "undoes_id"}


@dataclass(frozen=True)
class OneCustomer:
    """`said`: what is in force. `subscriptions`: dicts with external_id, status, since, last_day and `periods` of PERIODS.

    `balance`: currency → what this payer has been invoiced and has not settled. `invoices`: INVOICES + open_minor, other. `events`: EVENTS, newest first. `history`: effective_from, recorded_at, author, field, before, after.
    `hold`: reason, author, recorded_at while nothing is billed, else None.
    """

    customer_id: int
    external_id: str
    created_on: date
    bill_to: tuple[str, str] | None
    said: dict[str, Any]
    status: str
    subscriptions: list[dict[str, Any]]
    periods: pl.DataFrame
    invoices: pl.DataFrame
    events: pl.DataFrame
    history: list[dict[str, Any]]
    balance: dict[str, int]
    hold: dict[str, Any] | None


@inlined
def one_customer(session: Session, external_id: str, today: date) -> OneCustomer:
    """Everything about a customer by its outside id; refuses one that does not exist."""
    table = core_table(Customer)
    row = session.execute(select(table).where(table.c.external_id == external_id)).first()
    if row is None:
        raise NotFound("There is no customer {external_id}", code="no_customer", external_id=external_id)
    versions = _versions(session, row.id)
    now = [version for version in versions if version["effective_from"] <= today] or versions[:1]
    said = now[-1] if now else {}
    changes = load.changes(session, _subscription_ids(session, row.id))
    periods = _periods(session, changes, today)
    subscriptions = _subscriptions(session, row.id, changes, periods, today)
    ranks = ["active", "trial", "paused", "future", "ended"]
    states = [each["status"] for each in subscriptions]
    status = next((state for state in ranks if state in states), "no_subscription")
    documents, history = _invoices(session, row.id, today), _with_payers(session, _history(versions))
    return OneCustomer(
        row.id, row.external_id, row.created_on, _bill_to(session, said.get("bill_to_id"), today), said, status, subscriptions, periods, documents,
        _events(session, row.id, documents, history), history, _balance(session, row.id), billing.hold_of(session, row.id),
    )  # fmt: skip


def owner_of(session: Session, external_id: str) -> str | None:
    """The outside id of the customer who has the subscription."""
    table, owner = core_table(Subscription).c, core_table(Customer).c
    statement = select(owner.external_id).join_from(
        core_table(Subscription), core_table(Customer), owner.id == table.customer_id
    )
    found: str | None = session.execute(statement.where(table.external_id == external_id)).scalar()
    return found


def _balance(session: Session, customer_id: int) -> dict[str, int]:
    """Receivables of whoever gets the bills, per currency: currencies never add."""
    owed = ledger.receivables(session, [customer_id])
    return dict(owed.select("currency", "owed_minor").iter_rows())


def _bill_to(session: Session, customer_id: int | None, today: date) -> tuple[str, str] | None:
    """Outside id and name of who gets the bills."""
    if customer_id is None:
        return None
    row = load.customers(session, today, [customer_id]).row(0, named=True)
    return row["external_id"], row["name"]


def _versions(session: Session, customer_id: int) -> list[dict[str, Any]]:
    """What was said, in the order in which it counts."""
    table = core_table(CustomerVersion)
    statement = select(table).where(table.c.customer_id == customer_id).order_by(table.c.effective_from, table.c.id)
    return [dict(row) for row in session.execute(statement).mappings()]


def _history(versions: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """What each version changed of what held on its day when it was recorded, newest day first.

    What was said for an earlier day at the same time and is carried into a later version is told once, for the earlier day.
    """
    found: list[dict[str, Any]] = []
    known: list[dict[str, Any]] = []
    for after in sorted(versions, key=lambda each: each["id"]):
        held = [each for each in known if each["effective_from"] <= after["effective_from"]]
        before = max(held, key=lambda each: (each["effective_from"], each["id"]), default=None)
        same_time = [
            each
            for each in held
            if each["recorded_at"] == after["recorded_at"] and each["effective_from"] < after["effective_from"]
        ]
        known.append(after)
        if before is None:
            continue
        about = {name: after[name] for name in ("id", "effective_from", "recorded_at", "author")}
        found += [
            {**about, "field": name, "before": before[name], "after": after[name]}
            for name in after
            if name not in UNSAID
            and before[name] != after[name]
            and all(each[name] != after[name] for each in same_time)
        ]
    return sorted(found, key=lambda each: (each["effective_from"], each["id"]), reverse=True)


def _with_payers(session: Session, history: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The history with who gets the bills named by the outside id."""
    asked = {row[side] for row in history if row["field"] == "bill_to_id" for side in ("before", "after")} - {None}
    if not asked:
        return history
    table = core_table(Customer).c
    names = {row.id: row.external_id for row in session.execute(select(table.id, table.external_id).where(load.among(session, table.id, asked)))}  # fmt: skip
    return [
        {
            **row,
            **({side: names.get(row[side]) for side in ("before", "after")} if row["field"] == "bill_to_id" else {}),
        }
        for row in history
    ]


def _subscription_ids(session: Session, customer_id: int) -> list[int]:
    table = core_table(Subscription).c
    found = select(table.id).where(table.customer_id == customer_id).order_by(table.id)
    return list(session.execute(found).scalars())


def _periods(session: Session, changes: pl.DataFrame, today: date) -> pl.DataFrame:
    """PERIODS: from when to when which plan, quantity and add-ons held, and what that was worth a month at list prices."""
    prices = load.prices(session, changes["price_version_id"].drop_nulls().unique())
    if changes.is_empty():
        return frames.empty(PERIODS)
    track = timeline(changes, prices.versions)
    held = overlap(track.quantity, track.windows.select("subscription_id", "start", "end"))
    cuts = pl.concat([held.select("subscription_id", on="start"), *(
        track.addons.select("subscription_id", on=pl.col(side)) for side in ("start", "end")
    )]).unique()  # fmt: skip
    pieces = _cut(held, cuts)
    addons = pieces.select("piece", "subscription_id", "start", "end").join(track.addons, on="subscription_id").filter(
        (pl.col("start_right") <= pl.col("start")) & (pl.col("end_right") >= pl.col("end"))
    )  # fmt: skip
    named = {(row["price_version_id"], row["code"]): row["name"] for row in prices.charges.iter_rows(named=True)}
    rated = pieces.select(
        "price_version_id", subscription_id="piece", quantity_micro="quantity_micro"
    )  # each piece is rated as if it were a subscription of its own
    extras = addons.select("quantity_micro", subscription_id="piece", code="item")
    worth = twelfths(session, rated, extras, prices, today)
    words: dict[int, list[str]] = {}
    for row in addons.join(pieces.select("piece", "price_version_id"), on="piece").sort("item").iter_rows(named=True):
        name = named.get((row["price_version_id"], row["item"]), row["item"])
        words.setdefault(row["piece"], []).append(f"{row['quantity_micro'] // 10**6} × {name}")
    plan, version = core_table(Plan).c, core_table(PriceVersion).c
    names = load.frame(
        session,
        select(version.id.label("price_version_id"), plan.name.label("plan"), version.currency)
        .join_from(core_table(PriceVersion), core_table(Plan), plan.id == version.plan_id)
        .where(load.among(session, version.id, changes["price_version_id"].drop_nulls().unique())),
        {"price_version_id": pl.Int64, "plan": pl.String, "currency": pl.String},
    )
    rows = pieces.with_columns(
        mrr_minor=pl.Series([monthly(value) for value in worth], dtype=pl.Int64),
        addons=pl.Series([", ".join(words.get(piece, [])) for piece in pieces["piece"]], dtype=pl.String),
    ).join(names, on="price_version_id", how="left")
    return frames.conform(rows, PERIODS).sort("subscription_id", "start")


def _cut(held: pl.DataFrame, cuts: pl.DataFrame) -> pl.DataFrame:
    """The segments cut at days on which add-ons change, numbered as `piece`."""
    inside = held.join(cuts, on="subscription_id").filter(
        (pl.col("on") >= pl.col("start")) & (pl.col("on") < pl.col("end"))
    )
    key = ["subscription_id", "start"]
    every = inside.sort(*key, "on").with_columns(until=pl.col("on").shift(-1).over(key))
    pieces = every.with_columns(end=pl.coalesce("until", "end"), start="on").drop("on", "until")
    return pieces.with_row_index("piece").with_columns(pl.col("piece").cast(pl.Int64))


def _subscriptions(
    session: Session, customer_id: int, changes: pl.DataFrame, periods: pl.DataFrame, today: date
) -> list[dict[str, Any]]:
    """Each subscription with its state today and the price period in force, running ones first."""
    table = core_table(Subscription)
    rows = session.execute(select(table).where(table.c.customer_id == customer_id).order_by(table.c.id)).mappings()
    prices = load.prices(session, changes["price_version_id"].drop_nulls().unique())
    lives = {} if changes.is_empty() else {
        row["subscription_id"]: row for row in timeline(changes, prices.versions).life.iter_rows(named=True)
    }  # fmt: skip
    found = []
    for row in rows:
        life = lives.get(row["id"])
        own = periods.filter(pl.col("subscription_id") == row["id"])
        here = own.filter((pl.col("start") <= today) & (pl.col("end") > today))
        ends_on = life["ends_on"] if life else None
        found.append(
            {
                "subscription_id": row["id"], "external_id": row["external_id"], "started_on": row["started_on"],
                "currency": row["currency"], "status": _state(life, here.height > 0, today),
                "ends_on": None if ends_on == OPEN else ends_on,
                "trial_end": life["trial_end"] if life else None,
                "now": here.row(0, named=True) if here.height else None,
            }
        )  # fmt: skip
    return sorted(found, key=lambda each: each["status"] == "ended")


def _state(life: dict[str, Any] | None, served: bool, today: date) -> str:
    if life is None or life["ends_on"] <= today:
        return "ended"
    if life["started_on"] > today:
        return "future"
    if served:
        return "active"
    return "trial" if life["begins_on"] > today else "paused"


def _invoices(session: Session, customer_id: int, today: date) -> pl.DataFrame:
    """INVOICES + open_minor, newest first: those about the customer, and those of others that it pays.

    `other`: the name of the other one where two are concerned.
    """
    table = core_table(Document).c
    statement = (
        select(*(table.id.label(name) if name == "document_id" else table[name] for name in INVOICES))
        .where((table.customer_id == customer_id) | (table.bill_to_id == customer_id))
        .order_by(table.issue_date.desc(), table.id.desc())
    )
    found = load.frame(session, statement, INVOICES)
    left = payments.open_amounts(session, found["bill_to_id"].unique()).select("document_id", "open_minor")
    whom = pl.when(pl.col("bill_to_id") == customer_id).then("customer_id").otherwise("bill_to_id")
    placed = found.join(left, on="document_id", how="left", maintain_order="left").with_columns(_whom=whom)
    others = placed["_whom"].unique().drop_nulls()
    names = load.customers(session, today, others.filter(others != customer_id)).select(
        _whom="customer_id", other="name"
    )
    # What a credit note took back whole has nothing left of its own.
    return placed.join(names, on="_whom", how="left", maintain_order="left").with_columns(
        pl.col("open_minor").fill_null(0), pl.col("other").fill_null("")
    ).drop("_whom")  # fmt: skip


def _events(session: Session, customer_id: int, documents: pl.DataFrame, history: list[dict[str, Any]]) -> pl.DataFrame:
    """EVENTS: changes, one-off amounts, documents, payments, contacts, notes and changes of data, newest first."""
    rows = [
        *_changes(session, customer_id),
        *_amounts(session, customer_id),
        *_contacts(session, customer_id),
        *_notes(session, customer_id),
        *_payments(session, customer_id, documents["document_id"]),
        *_data(history),
    ]
    rows += [
        {"on": row["issue_date"], "sort": "invoice", "kind": row["kind"], "subject": row["number"],
         "amount_minor": row["total_minor"], "currency": row["currency"], "author": ""}
        for row in documents.iter_rows(named=True)
    ]  # fmt: skip
    whole = [{name: row.get(name) for name in EVENTS} for row in rows]
    found = pl.DataFrame(whole, schema=dict(EVENTS)) if whole else frames.empty(EVENTS)
    return found.with_columns(pl.col("undone").fill_null(False)).sort(
        "on", "recorded_at", descending=True, nulls_last=True
    )


def _changes(session: Session, customer_id: int) -> list[dict[str, Any]]:
    """Changes with what they set, by whom, and whether they were undone."""
    change, sub, version, plan, coupon = (
        core_table(model) for model in (SubscriptionChange, Subscription, PriceVersion, Plan, Coupon)
    )
    statement = (
        select(
            change,
            sub.c.external_id,
            plan.c.id.label("plan_id"),
            plan.c.name.label("plan"),
            coupon.c.name.label("coupon"),
        )
        .join_from(change, sub, sub.c.id == change.c.subscription_id)
        .join(version, version.c.id == change.c.price_version_id, isouter=True)
        .join(plan, plan.c.id == version.c.plan_id, isouter=True)
        .join(coupon, coupon.c.id == change.c.coupon_id, isouter=True)
        .where(sub.c.customer_id == customer_id)
        .order_by(change.c.id)
    )
    rows = [dict(row) for row in session.execute(statement).mappings()]
    undone = {row["undoes_id"] for row in rows}
    in_force = [row for row in rows if row["id"] not in undone]
    kinds = {
        each["id"]: each["kind"]
        for subscription_id in {row["subscription_id"] for row in rows}
        for each in named(row for row in in_force if row["subscription_id"] == subscription_id)
    }
    # What was undone is called what it was when it held.
    for row in rows:
        if row["id"] in undone:
            others = [each for each in in_force if each["subscription_id"] == row["subscription_id"]]
            kinds |= {each["id"]: each["kind"] for each in named([*others, row]) if each["id"] == row["id"]}
    names = _addon_names(session, {row["price_version_id"] for row in rows if row["price_version_id"]})
    return [
        {"on": row["effective_on"], "recorded_at": row["recorded_at"], "author": row["author"], "sort": "change",
         "kind": kinds.get(row["id"], row["kind"]), "subject": row["external_id"], "quantity_micro": row["quantity_micro"],
         "detail": row["plan"] or row["coupon"] or names.get(row["item"], row["item"]) or kinds.get(row["undoes_id"]) or row["cause"] or "",
         "until_on": row["until_on"], "undone": row["id"] in undone, "text": row["reason"]}
        for row in rows
    ]  # fmt: skip


def _addon_names(session: Session, version_ids: set[int]) -> dict[str, str]:
    """What add-ons of these prices are called, by their codes."""
    charge = core_table(ChargeRow).c
    statement = (
        select(charge.code, charge.name)
        .where(charge.kind == ChargeKind.ADDON.value, load.among(session, charge.price_version_id, version_ids))
        .order_by(charge.price_version_id)
    )
    return {row.code: row.name for row in session.execute(statement) if row.name}


def _amounts(session: Session, customer_id: int) -> list[dict[str, Any]]:
    """One-off charges and credits, also those that wait or were declined."""
    return [
        {"on": row["effective_on"], "recorded_at": row["recorded_at"], "author": row["author"], "sort": "change",
         "kind": row["kind"], "subject": row["external_id"], "detail": row["state"], "amount_minor": row["amount_minor"],
         "currency": row["currency"], "text": row["text"]}
        for row in asides.adjustments(session, customer_id)
    ]  # fmt: skip


def _notes(session: Session, customer_id: int) -> list[dict[str, Any]]:
    """Pinned notes, on the day on which they were written."""
    return [
        {"on": row["recorded_at"].date(), "recorded_at": row["recorded_at"], "author": row["author"], "sort": "contact",
         "kind": "note", "text": row["text"]}
        for row in asides.notes(session, customer_id)
    ]  # fmt: skip


def _data(history: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Changes of what is said about the customer, by the names of the fields."""
    return [
        {"on": row["effective_from"], "recorded_at": row["recorded_at"], "author": row["author"], "sort": "data",
         "kind": "customer_data", "subject": row["field"], "detail": _plain(row["before"]), "text": _plain(row["after"])}
        for row in history
    ]  # fmt: skip


def _plain(value: Any) -> str:
    """A field's value as a word."""
    return {None: "", True: "yes", False: "no"}[value] if value in (None, True, False) else str(value)


def _contacts(session: Session, customer_id: int) -> list[dict[str, Any]]:
    table = core_table(TouchPoint)
    rows = session.execute(select(table).where(table.c.customer_id == customer_id)).mappings()
    return [
        {"on": row["occurred_on"], "recorded_at": row["recorded_at"], "author": row["author"], "sort": "contact",
         "kind": row["kind"], "subject": row["topic"], "detail": " ".join(filter(None, (row["outcome"], row["note"])))}
        for row in rows
    ]  # fmt: skip


def _payments(session: Session, customer_id: int, document_ids: pl.Series) -> list[dict[str, Any]]:
    rows = payments.of_customer(session, customer_id, document_ids)
    undone = set(rows["undoes_id"].drop_nulls())
    return [
        {"on": row["paid_on"], "recorded_at": row["recorded_at"], "author": row["author"], "sort": "payment",
         "kind": "taken_back" if row["undoes_id"] else "payment" if row["amount_minor"] > 0 else "repayment", "subject": row["number"], "detail": row["payment_option"],
         "amount_minor": row["amount_minor"], "currency": row["currency"],
         "undone": row["payment_id"] in undone or row["undoes_id"] is not None}
        for row in rows.iter_rows(named=True)
    ]  # fmt: skip


@dataclass(frozen=True)
class Upcoming:
    """The next invoice as it would look today. `lines`: charge, corrects_id, revision, service_start, service_end, quantity_micro, convert_by, amounts."""

    day: date
    currency: str
    net_minor: int
    tax_minor: int
    total_minor: int
    lines: pl.DataFrame


@inlined
def upcoming(session: Session, customer_id: int, today: date) -> Upcoming | None:
    """The customer's next document by the engine itself; None when nothing is ahead or a decision is needed first."""
    found = invoices.upcoming(session, customer_id, today)
    if found is None:
        return None
    day, made = found
    head = made.documents.row(0, named=True)
    lines = made.lines.filter(pl.col("document") == head["document"]).sort("position")
    prices = load.prices(session, lines["price_version_id"].unique())
    names = prices.charges.select("charge_id", charge="name", convert_by="convert_by")
    table = core_table(Adjustment).c
    asked = select(table.id.label("adjustment_id"), table.text).where(
        load.among(session, table.id, lines["adjustment_id"].drop_nulls())
    )
    texts = load.frame(session, asked, {"adjustment_id": pl.Int64, "text": pl.String})
    told = named_by_charge(lines).join(names, on="charge_id", how="left", maintain_order="left").join(
        texts, on="adjustment_id", how="left", maintain_order="left"
    )  # fmt: skip
    shown = told.select(
        "subscription_id", "corrects_id", "revision", pl.coalesce("charge", "text", "kind").alias("charge"), "service_start", "service_end", "quantity_micro",
        "convert_by", "amount_minor", "discount_minor", "net_minor",
    )  # fmt: skip
    return Upcoming(day, head["currency"], head["net_minor"], head["tax_minor"], head["total_minor"], shown)
