"""Taking in a file: customers, subscriptions with their facts, usage and touch points - all of it or nothing.

A file is recognised by its content and its mapping; the second time does nothing. Rows are recognised by their outside
ids: what is stored already and says the same is passed over, what says something else is a finding. Imported history
counts for metrics; nothing that fell due on or before `billed_through` is billed (billing.md, Decisions, Opening).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import Any

import polars as pl
from sqlalchemy import Engine, insert, select
from sqlalchemy.orm import Session

from core.actions import import_coupons as coupons
from core.actions import import_facts as facts
from core.actions import import_people as people
from core.actions import import_prices as prices
from core.actions.command import Answer, Work, command
from core.domain.access import Permission
from core.exchange.importing import Intake, read_intake
from core.exchange.mapping import parse_mapping
from core.exchange.reading import content_hash
from core.exchange.rows import Findings, ImportRefused
from core.store.engine import reading
from core.store.known import ids_of
from core.store.tables import Customer, ImportFile, Subscription, core_table

EXTERNAL = {"external_id": pl.String, "id": pl.Int64}
WHOLE_PPM = 1_000_000


@dataclass(frozen=True)
class Arrival:
    """An intake next to what is stored."""

    intake: Intake
    customer_ids: pl.DataFrame  # external_id, id: stored before
    subscription_ids: pl.DataFrame  # external_id, id: stored before
    needs: prices.Needs | None = None
    grants: pl.DataFrame | None = None
    events: pl.DataFrame | None = None  # usage rows whose source id is new
    touches: pl.DataFrame | None = None  # touch points whose source id is new

    def new_customers(self) -> pl.DataFrame | None:
        """Customers that are not stored yet."""
        return _without(self.intake.customers, self.customer_ids)

    def new_subscriptions(self) -> pl.DataFrame | None:
        """Subscriptions that are not stored yet."""
        return _without(self.intake.subscriptions, self.subscription_ids)


def _without(rows: pl.DataFrame | None, stored: pl.DataFrame) -> pl.DataFrame | None:
    return None if rows is None else rows.join(stored, left_on="id", right_on="external_id", how="anti")


@command("imports.import_file", Permission.IMPORT_DATA)
def import_file(work: Work, *, name: str, mapping: str, data: bytes, as_of: date | None = None) -> Answer:
    """Take in a file by its mapping (TOML text). `as_of`: the day it speaks of, else the mapping's, else today."""
    known = parse_mapping(mapping)
    earlier = earlier_import(work.session, data, mapping)
    if earlier is not None:
        return earlier
    intake = read_intake(known, name, data, as_of or known.as_of or work.now.date())
    arrival = compare(work.session, intake)
    return _store(work, arrival, content_hash(mapping.encode()))


def preview_import(
    engine: Engine, *, name: str, mapping: str, data: bytes, today: date, as_of: date | None = None
) -> Answer:
    """What `import_file` would do, refusing what it would refuse; writes nothing."""
    known = parse_mapping(mapping)
    with reading(engine) as session:
        earlier = earlier_import(session, data, mapping)
        if earlier is not None:
            return earlier
        arrival = compare(session, read_intake(known, name, data, as_of or known.as_of or today))
        return _answer(arrival)


def earlier_import(session: Session, data: bytes, mapping: str) -> Answer | None:
    """What to answer when this file was taken in by this mapping before."""
    table = core_table(ImportFile).c
    same = (table.content_hash == content_hash(data), table.mapping_hash == content_hash(mapping.encode()))
    row = session.execute(select(table.as_of, table.rows).where(*same)).first()
    return None if row is None else {"already_imported": True, "as_of": row.as_of.isoformat(), "rows": row.rows}


# --- comparing with what is stored ----------------------------------------------------------------------------------


def compare(session: Session, intake: Intake) -> Arrival:
    """Look up what the rows name; refuses the file with everything that is wrong with it."""
    findings = intake.findings
    customer_ids = _stored(session, Customer, [intake.customers, "id"], [intake.subscriptions, "customer"],
                           [intake.touch_points, "customer"])  # fmt: skip
    subscription_ids = _stored(session, Subscription, [intake.subscriptions, "id"], [intake.usage, "subscription"])
    arrival = Arrival(intake, customer_ids, subscription_ids)
    if intake.customers is not None:
        said = list(intake.mapping.sections["customer"].targets)
        people.same_customers(session, intake.customers, said, customer_ids, findings)
    if intake.subscriptions is not None:
        arrival = _with_catalogue(session, arrival)
    arrival = _with_events(session, arrival)
    if findings.count:
        raise ImportRefused(findings)
    return arrival


def _stored(session: Session, model: Any, *named: list[Any]) -> pl.DataFrame:
    """external_id, id of those named in the columns that are stored."""
    texts = {text for frame, column in named if frame is not None for text in frame[column].drop_nulls()}
    return ids_of(session, model, "external_id", texts) if texts else pl.DataFrame(schema=EXTERNAL)


def _with_catalogue(session: Session, arrival: Arrival) -> Arrival:
    """Prices and coupons that the subscriptions need; subscriptions that are stored must say the same."""
    intake, findings = arrival.intake, arrival.intake.findings
    rows = intake.subscriptions
    assert rows is not None
    _must_be_known(rows, "customer", intake.customers, arrival.customer_ids, findings)
    need = prices.needs(session, intake.mapping, rows, findings)
    prices.check_addons(session, intake, need.existing, findings)
    grants = coupons.coupon_grants(rows)
    coupons.check_coupons(session, grants, findings)
    again = rows.join(arrival.subscription_ids, left_on="id", right_on="external_id", how="semi")
    if not again.is_empty() and not findings.count:
        named = coupons.with_ids(session, grants)
        facts.same_subscriptions(
            session, _facts(again, intake, need.existing, named), again, arrival.subscription_ids, findings
        )
    return Arrival(intake, arrival.customer_ids, arrival.subscription_ids, need, grants)


def _facts(rows: pl.DataFrame, intake: Intake, priced: pl.DataFrame, grants: pl.DataFrame) -> pl.DataFrame:
    """The facts of some of the subscriptions."""
    versions = rows.join(priced, on=prices.PRICE_KEY, how="left", nulls_equal=True, maintain_order="left")
    return facts.facts_of(versions, intake.addons, grants)


def _must_be_known(
    rows: pl.DataFrame, column: str, same_file: pl.DataFrame | None, stored: pl.DataFrame, findings: Findings
) -> None:
    """What a row refers to must stand in the same file or be stored."""
    known = [stored["external_id"]] if same_file is None else [stored["external_id"], same_file["id"]]
    unknown = pl.col(column).is_not_null() & ~pl.col(column).is_in(pl.concat(known).to_list())
    findings.where(rows, unknown, f"The {column} {{{column}}} is not known")


def _with_events(session: Session, arrival: Arrival) -> Arrival:
    """Usage and touch points that are new."""
    intake, findings = arrival.intake, arrival.intake.findings
    events = touches = None
    if intake.usage is not None:
        _must_be_known(intake.usage, "subscription", intake.subscriptions, arrival.subscription_ids, findings)
        events = people.new_events(session, intake.usage, arrival.subscription_ids, findings)
    if intake.touch_points is not None:
        _must_be_known(intake.touch_points, "customer", intake.customers, arrival.customer_ids, findings)
        touches = people.new_touches(session, intake.touch_points, arrival.customer_ids, findings)
    return Arrival(
        intake, arrival.customer_ids, arrival.subscription_ids, arrival.needs, arrival.grants, events, touches
    )


# --- storing --------------------------------------------------------------------------------------------------------


def _store(work: Work, arrival: Arrival, mapping_hash: str) -> Answer:
    """Write everything that is new, then the file itself."""
    session, intake = work.session, arrival.intake
    customer_ids, subscription_ids = arrival.customer_ids, arrival.subscription_ids
    new_customers, new_subscriptions = arrival.new_customers(), arrival.new_subscriptions()
    if new_customers is not None and not new_customers.is_empty():
        made = people.insert_customers(session, work.stamp, work.command_id, new_customers)
        customer_ids = pl.concat([customer_ids, made])
    plans = versions = 0
    if new_subscriptions is not None and not new_subscriptions.is_empty():
        made, plans, versions = _store_subscriptions(work, arrival, new_subscriptions, customer_ids)
        subscription_ids = pl.concat([subscription_ids, made])
    if arrival.events is not None:
        people.insert_events(session, work.stamp, arrival.events, subscription_ids)
    if arrival.touches is not None:
        people.insert_touches(session, work.stamp, arrival.touches, customer_ids)
    file = {
        "name": intake.name,
        "content_hash": intake.content_hash,
        "mapping_hash": mapping_hash,
        "as_of": intake.as_of,
    }
    table = core_table(ImportFile)
    file_id = session.execute(
        insert(table).values(**file, rows=intake.rows, **work.stamp).returning(table.c.id)
    ).scalar_one()
    work.audit(f"import_file:{file_id}", *intake.mapping.sections)
    return {**_answer(arrival), "plans": plans, "price_versions": versions}


def _store_subscriptions(
    work: Work, arrival: Arrival, rows: pl.DataFrame, customer_ids: pl.DataFrame
) -> tuple[pl.DataFrame, int, int]:
    """New subscriptions with their prices, coupons and facts: external_id, id; plans and price versions made."""
    session, intake = work.session, arrival.intake
    assert arrival.needs is not None
    assert arrival.grants is not None
    first_day = rows["start"].min()
    assert isinstance(first_day, date)
    priced, plans, versions = prices.make_prices(session, work.stamp, intake.mapping, arrival.needs, first_day)
    grants = coupons.make_coupons(session, work.stamp, arrival.grants.join(rows.select("id"), on="id", how="semi"))
    owned = rows.join(
        customer_ids.rename({"id": "customer_id"}), left_on="customer", right_on="external_id", maintain_order="left"
    )
    said = _facts(rows, intake, priced, grants)
    return facts.insert_subscriptions(session, work.stamp, work.command_id, owned, said), plans, versions


# --- answering ------------------------------------------------------------------------------------------------------


def _answer(arrival: Arrival) -> Answer:
    """What came in: how much of it is new, how subscriptions ended, what the active ones pay."""
    intake = arrival.intake
    new = {"customers": arrival.new_customers(), "subscriptions": arrival.new_subscriptions()}
    events = {"usage_events": arrival.events, "touch_points": arrival.touches}
    counts = {name: 0 if frame is None else frame.height for name, frame in {**new, **events}.items()}
    answer: Answer = {"already_imported": False, "as_of": intake.as_of.isoformat(), "rows": intake.rows, **counts}
    return answer if intake.subscriptions is None else {**answer, **_lives(intake.subscriptions, intake.as_of)}


def _lives(rows: pl.DataFrame, as_of: date) -> Answer:
    """Ends by cause, how many are active on the day and what they pay a billing interval (minor units, before VAT rules)."""
    ended = rows.filter(pl.col("end").is_not_null()).group_by("end_cause").len().sort("end_cause")
    active = rows.filter((pl.col("start") <= as_of) & (pl.col("end").is_null() | (pl.col("end") > as_of)))
    share_ppm = (pl.col("discount_percent").cast(pl.Float64).fill_null(0) * 10_000).round().cast(pl.Int64)
    paid = pl.col("price_minor") - (pl.col("price_minor") * share_ppm + WHOLE_PPM // 2) // WHOLE_PPM
    by_interval = active.group_by("currency", "interval").agg(price_minor=paid.sum()).sort("currency", "interval")
    return {
        "ended": dict(ended.iter_rows()),
        "active": active.height,
        "active_price_minor": {
            f"{currency} per {interval}": price for currency, interval, price in by_interval.iter_rows()
        },
    }
