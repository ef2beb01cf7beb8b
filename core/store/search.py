"""What search looks through: one row a customer with everything it was ever called by, in lower case."""

from __future__ import annotations

import polars as pl
from sqlalchemy import select, update
from sqlalchemy.orm import Session

from core.store import load
from core.store.save import insert_many
from core.store.tables import SearchEntry, core_table

ENTRIES = {"id": pl.Int64, "customer_id": pl.Int64, "haystack": pl.String}
FOUND_BY = ["name", "emails", "external_id", "organisation_number"]


def add(session: Session, customers: pl.DataFrame) -> None:
    """Let new customers be found. In: customer_id, FOUND_BY."""
    found_by = pl.concat_str(FOUND_BY, separator=" ")
    haystack = found_by.str.replace_all(" +", " ").str.strip_chars().str.to_lowercase()
    rows = customers.select("customer_id", kind=pl.lit("customer"), label="name", haystack=haystack)
    insert_many(session, SearchEntry, rows)


def also(session: Session, customers: pl.DataFrame) -> None:
    """Let customers be found by what is said about them now too. In: customer_id, name, emails, organisation_number."""
    table = core_table(SearchEntry)
    wanted = load.among(session, table.c.customer_id, customers["customer_id"])
    stored = load.frame(session, select(table.c.id, table.c.customer_id, table.c.haystack).where(wanted), ENTRIES)
    said = pl.concat_str(["name", "emails", "organisation_number"], separator=" ").str.to_lowercase()
    rows = stored.join(customers.with_columns(said=said), on="customer_id").select(
        entry="id", text=pl.concat_str("haystack", "said", separator=" ")
    )
    changed = rows.with_columns(text=pl.col("text").str.split(" ").list.unique(maintain_order=True).list.join(" "))
    for entry, text in changed.iter_rows():
        session.execute(update(table).where(table.c.id == entry).values(haystack=text))
