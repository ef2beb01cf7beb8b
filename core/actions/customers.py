"""Create customers and change what is said about them. A request is a row of a frame; one is a batch of one.

What is said is dated and appended (`customer_version`); nothing is overwritten. Both actions keep the search up to date in
the same transaction. `partial` as in `changing.py`: stores the good rows and answers the refused ones.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import polars as pl
from sqlalchemy import select
from stdnum import get_cc_module
from stdnum.exceptions import ValidationError
from stdnum.no import orgnr

from core.actions.changing import audit_each, today
from core.actions.command import Answer, Work, command
from core.calc.changes import customers as deciding
from core.domain.access import Permission
from core.domain.customers import Refusal, refusal
from core.store import load, search
from core.store.known import ids_of
from core.store.save import insert_many, reserve_ids
from core.store.tables import Customer, CustomerVersion, core_table


@command("customers.create", Permission.EDIT_CUSTOMERS)
def create_customers(work: Work, *, requests: pl.DataFrame, partial: bool = False) -> Answer:
    """New customers: external_id, kind, name [, created_on (else today), and any other field of calc FIELDS].

    What is said holds from created_on. Answers customer_ids of the stored rows in order.
    """
    session, day = work.session, today(work)
    rows = _registered(deciding.with_defaults(deciding.asked(requests, deciding.CREATE), day))
    taken = ids_of(session, Customer, "external_id", rows["external_id"].drop_nulls().unique())["external_id"]
    made, refused = deciding.decide_create(rows, taken, _known(work, rows["bill_to_id"]), day)
    answered = _refusals(refused, partial=partial)
    first = reserve_ids(session, Customer, made.height) if made.height else 0
    made = made.with_columns(
        customer_id=pl.int_range(first, first + pl.len(), dtype=pl.Int64), effective_from="created_on"
    )
    when = {**{name: pl.lit(value) for name, value in work.stamp.items()}, "command_id": pl.lit(work.command_id)}
    insert_many(session, Customer, made.select("external_id", "created_on", id="customer_id", **when))
    _append(work, made)
    search.add(session, made.select("customer_id", *search.FOUND_BY))
    audit_each(work, "customer", made["customer_id"], "name")
    answer: Answer = {"customer_ids": made["customer_id"].to_list()}
    return {**answer, "refused": answered} if partial else answer


@command("customers.edit", Permission.EDIT_CUSTOMERS)
def edit_customers(work: Work, *, requests: pl.DataFrame, partial: bool = False) -> Answer:
    """Say something else from a day on: customer_id, effective_from and any of FIELDS; null keeps what holds then.

    An empty text empties a field; the customer's own id as bill_to_id sends the bills to itself again. Answers version_ids.
    """
    rows = deciding.asked(requests, deciding.EDIT)
    ids, refused = [], []
    for some in _rounds(rows):  # a second edit of the same customer builds on the first
        stored, wrong = _edit(work, some)
        ids.append(stored)
        refused.append(wrong)
    answered = _refusals(pl.concat(refused, how="diagonal") if refused else None, partial=partial)
    answer: Answer = {"version_ids": pl.concat(ids).sort("row")["id"].to_list() if ids else []}
    audit_each(work, "customer", rows["customer_id"].unique(maintain_order=True), *_said(rows))
    return {**answer, "refused": answered} if partial else answer


def _rounds(rows: pl.DataFrame) -> Iterator[pl.DataFrame]:
    """The requests so that each round has a customer once."""
    turn = rows.with_columns(turn=pl.int_range(pl.len()).over("customer_id"))
    for _, some in turn.group_by("turn", maintain_order=True):
        yield some.drop("turn")


def _edit(work: Work, rows: pl.DataFrame) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Store one round: row, id of each request's own version; refused requests."""
    customers = rows["customer_id"].drop_nulls().unique()
    versions = versions_of(work, customers)
    said = _registered(deciding.merged(rows, versions))
    good, refused = deciding.decide_edit(said, versions, _known(work, said["bill_to_id"]), today(work))
    later = deciding.carried(good, versions)
    own = _append(work, good)
    if not later.is_empty():
        _append(work, later)
    search.also(work.session, good.select("customer_id", *(n for n in search.FOUND_BY if n != "external_id")))
    return own, refused


def versions_of(work: Work, customer_ids: load.Ids) -> pl.DataFrame:
    """VERSIONS of these customers."""
    table = core_table(CustomerVersion).c
    columns = [table.id.label("version_id"), *(table[name] for name in deciding.EDIT)]
    statement = select(*columns).where(load.among(work.session, table.customer_id, customer_ids)).order_by(table.id)
    return load.frame(work.session, statement, deciding.VERSIONS)


def _append(work: Work, rows: pl.DataFrame) -> pl.DataFrame:
    """Store versions; answers row, id."""
    first = reserve_ids(work.session, CustomerVersion, rows.height) if rows.height else 0
    numbered = rows.with_columns(id=pl.int_range(first, first + pl.len(), dtype=pl.Int64))
    when = {name: pl.lit(value) for name, value in work.stamp.items()}
    insert_many(work.session, CustomerVersion, numbered.select("id", *deciding.EDIT, **when))
    return numbered.select("row", "id")


def _known(work: Work, customer_ids: pl.Series) -> pl.Series:
    """Those of the ids that customers have."""
    table = core_table(Customer).c
    wanted = customer_ids.drop_nulls().unique()
    found = select(table.id).where(load.among(work.session, table.id, wanted))
    return load.frame(work.session, found, {"id": pl.Int64})["id"]


def _refusals(refused: pl.DataFrame | None, *, partial: bool) -> list[Answer]:
    """What the answer says about refused requests; raises the first one unless the rest may go on."""
    rows = [] if refused is None else list(refused.sort("row").iter_rows(named=True))
    if rows and not partial:
        raise refusal(Refusal(rows[0]["code"]), rows[0])
    return [{"row": row["row"], "code": row["code"], "reason": str(refusal(Refusal(row["code"]), row))} for row in rows]


def _said(rows: pl.DataFrame) -> list[str]:
    """The fields that some request names."""
    return [name for name in deciding.FIELDS if rows[name].null_count() < rows.height]


# --- numbers of registers ------------------------------------------------------------------------------------------


def _registered(rows: pl.DataFrame) -> pl.DataFrame:
    """Organisation and VAT numbers in their plain form, with organisation_fault and vat_fault where they cannot be right."""
    for name, fault in (("organisation_number", "organisation_fault"), ("vat_number", "vat_fault")):
        given = rows.select("country", name).unique().filter(pl.col(name).fill_null("") != "")
        clean = [_plain(name, country, number) for country, number in given.iter_rows()]
        plain = given.with_columns(pl.Series("plain", clean, pl.String), pl.lit(True).alias("given"))
        rows = rows.join(plain, on=["country", name], how="left", maintain_order="left").with_columns(
            (pl.col("given").is_not_null() & pl.col("plain").is_null()).alias(fault), pl.coalesce("plain", name).alias(name)
        ).drop("plain", "given")  # fmt: skip
    return rows


def _plain(name: str, country: str, number: str) -> str | None:
    """The number as its register writes it; None when it cannot be right. Countries without a known register take any."""
    register: Any = orgnr if name == "organisation_number" and country == "NO" else None
    if name == "vat_number":
        register = get_cc_module(country, "vat")
    if register is None:
        return number
    try:
        return str(register.validate(number))
    except ValidationError:
        return None
