"""Customers of an import, and what happened with them: usage events and touch points.

A customer or event that is stored already must say the same; then it is passed over.
"""

from __future__ import annotations

from datetime import time
from typing import Any

import polars as pl
from sqlalchemy import select
from sqlalchemy.orm import Session

from core.exchange.rows import Findings
from core.frames import Schema
from core.store import load, save, search
from core.store.known import among_texts
from core.store.tables import Customer, CustomerVersion, Table, TouchPoint, UsageEvent, core_table

TEXTS = [
    "kind", "name", "contact", "address", "postal_code", "city", "country", "phone", "language", "organisation_number",
    "reference", "payment_option", "channel",
]  # fmt: skip
NOON = time(12)  # an event that only has a day counts at noon


def same_customers(
    session: Session, customers: pl.DataFrame, said: list[str], stored: pl.DataFrame, findings: Findings
) -> None:
    """A stored customer must have what the mapping says of it (`said`: its targets)."""
    if stored.is_empty():
        return
    table = core_table(CustomerVersion).c
    names = [name for name in TEXTS if name in said] + (["emails"] if "email" in said else [])
    schema: Schema = {"id": pl.Int64, **dict.fromkeys(names, pl.String)}
    statement = (
        select(table.customer_id.label("id"), *(table[name] for name in names))
        .where(load.among(session, table.customer_id, stored["id"]))
        .order_by(table.effective_from, table.id)
    )
    latest = load.frame(session, statement, schema).unique("id", keep="last")
    rows = customers.rename({"email": "emails"}).join(
        stored.rename({"external_id": "key", "id": "own"}), left_on="id", right_on="key"
    )
    both = rows.join(latest, left_on="own", right_on="id", suffix="_stored")
    for name in names:
        findings.where(
            both, pl.col(name).fill_null("") != pl.col(f"{name}_stored"),
            "Customer {id} is already stored with another {target}; an import changes nobody", target=name,
        )  # fmt: skip


def insert_customers(session: Session, stamp: dict[str, Any], command_id: str, customers: pl.DataFrame) -> pl.DataFrame:
    """Store new customers as of the day they are known from. Answers external_id, id."""
    first = save.reserve_ids(session, Customer, customers.height)
    rows = customers.rename({"id": "external_id", "email": "emails"}).with_columns(
        pl.col(*TEXTS, "emails").fill_null(""), id=pl.int_range(first, first + pl.len(), dtype=pl.Int64)
    )
    when = {name: pl.lit(value) for name, value in stamp.items()}
    known = rows.select("id", "external_id", created_on="since", command_id=pl.lit(command_id), **when)
    save.insert_many(session, Customer, known)
    said = rows.select(*TEXTS, "emails", customer_id="id", effective_from="since", **when)
    save.insert_many(session, CustomerVersion, said)
    search.add(session, rows.select(*search.FOUND_BY, customer_id="id"))
    return rows.select("external_id", "id")


# --- usage and touch points ---------------------------------------------------------------------------------------


def new_events(
    session: Session, usage: pl.DataFrame, subscription_ids: pl.DataFrame, findings: Findings
) -> pl.DataFrame:
    """Usage rows whose source id is not stored; one stored with other content is a finding."""
    rows = usage.rename({"id": "source_id", "date": "occurred_on"})
    said: Schema = {"meter": pl.String, "occurred_on": pl.Date, "quantity_micro": pl.Int64, "amount_micro": pl.Int64}
    owner = subscription_ids.rename({"external_id": "subscription", "id": "subscription_id"})
    return _new(session, UsageEvent, said, rows, owner, findings=findings)


def new_touches(
    session: Session, touch_points: pl.DataFrame, customer_ids: pl.DataFrame, findings: Findings
) -> pl.DataFrame:
    """Touch points whose source id is not stored; those without one are always new."""
    rows = touch_points.rename({"id": "source_id", "date": "occurred_on"})
    said: Schema = {"occurred_on": pl.Date, **dict.fromkeys(["kind", "topic", "outcome", "note"], pl.String)}
    owner = customer_ids.rename({"external_id": "customer", "id": "customer_id"})
    return _new(session, TouchPoint, said, rows, owner, findings=findings)


def _new(
    session: Session, model: type[Table], said: Schema, rows: pl.DataFrame, owner: pl.DataFrame, *, findings: Findings
) -> pl.DataFrame:
    """Rows that are not stored by their source id; `owner`: outside id and own id of what a row belongs to."""
    outside, own = owner.columns
    schema: Schema = {"source_id": pl.String, own: pl.Int64, **said}
    table = core_table(model).c
    known = among_texts(session, table.source_id, rows["source_id"].drop_nulls())
    stored = load.frame(session, select(*(table[name] for name in schema)).where(known), schema)
    both = rows.join(owner, on=outside, how="left").join(stored, on="source_id", suffix="_stored")
    differs = pl.any_horizontal(pl.col(name).ne_missing(pl.col(f"{name}_stored")) for name in [own, *said])
    findings.where(both, differs, "“{source_id}” is already stored with other content")
    return rows.join(stored.select("source_id"), on="source_id", how="anti", maintain_order="left")


def insert_events(
    session: Session, stamp: dict[str, Any], events: pl.DataFrame, subscription_ids: pl.DataFrame
) -> None:
    """Store new usage events."""
    owner = subscription_ids.rename({"external_id": "subscription", "id": "subscription_id"})
    rows = events.join(owner, on="subscription", maintain_order="left").select(
        "source_id", "subscription_id", "meter", "occurred_on", "quantity_micro", "amount_micro",
        occurred_at=pl.col("occurred_on").dt.combine(NOON).dt.replace_time_zone("UTC"),
        **{name: pl.lit(value) for name, value in stamp.items()},
    )  # fmt: skip
    save.insert_many(session, UsageEvent, rows)


def insert_touches(session: Session, stamp: dict[str, Any], touches: pl.DataFrame, customer_ids: pl.DataFrame) -> None:
    """Store new touch points."""
    owner = customer_ids.rename({"external_id": "customer", "id": "customer_id"})
    rows = touches.join(owner, on="customer", maintain_order="left").select(
        "source_id", "customer_id", "occurred_on", "kind", "topic", "outcome", "note",
        **{name: pl.lit(value) for name, value in stamp.items()},
    )  # fmt: skip
    save.insert_many(session, TouchPoint, rows)
