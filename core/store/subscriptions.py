"""What deciding on changes of subscriptions reads: who they are, what is offered to them, the policies of plans."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date

import polars as pl
from sqlalchemy import Date, Select, cast, exists, func, literal, or_, select, update
from sqlalchemy.orm import Session

from core import frames
from core.store import load
from core.store.billing import books_closed_through
from core.store.engine import is_sqlite
from core.store.tables import (
    BillingCursor,
    ChargeRow,
    CompanyProfile,
    Coupon,
    Customer,
    DocumentLine,
    Plan,
    PlanPolicy,
    PriceVersion,
    Subscription,
    SubscriptionChange,
    core_table,
)

COMMANDS: frames.Schema = {"change_id": pl.Int64, "command_id": pl.String}


def change_inputs(session: Session, requests: pl.DataFrame, today: date) -> frames.ChangeInputs:
    """What these requests are decided on, as stored now; columns that they lack name nothing."""
    ids = _named(requests, "subscription_id")
    changes = load.changes(session, ids)
    versions = pl.concat([changes["price_version_id"].drop_nulls(), _named(requests, "price_version_id")]).unique()
    coupons = pl.concat([changes["coupon_id"].drop_nulls(), _named(requests, "coupon_id")]).unique()
    return frames.ChangeInputs(
        today=today,
        closed_through=books_closed_through(session),
        subscribers=subscribers(session, ids),
        changes=changes,
        offers=offers(session, versions),
        policies=policies(session),
        charges=charge_codes(session, versions),
        coupons=coupon_terms(session, coupons),
    )


def _named(requests: pl.DataFrame, column: str) -> pl.Series:
    """The ids that requests name in a column."""
    if column not in requests.columns:
        return pl.Series(column, [], pl.Int64)
    return requests[column].cast(pl.Int64).drop_nulls().unique()


def time_zone(session: Session, as_of: date) -> str:
    """The company's time zone on a day; Norway's before a company is filled in."""
    company = core_table(CompanyProfile).c
    in_force = (
        select(company.time_zone)
        .where(company.effective_from <= as_of)
        .order_by(company.effective_from.desc(), company.id.desc())
        .limit(1)
    )
    return session.execute(in_force).scalar() or "Europe/Oslo"


def subscribers(session: Session, ids: load.Ids) -> pl.DataFrame:
    """frames.SUBSCRIBERS of these subscriptions."""
    sub, cursor, line = core_table(Subscription), core_table(BillingCursor), core_table(DocumentLine)
    opened = exists().where(cursor.c.subscription_id == sub.c.id, cursor.c.opening.is_not(None))
    billed = or_(opened, exists().where(line.c.subscription_id == sub.c.id))
    statement = select(
        sub.c.id.label("subscription_id"), sub.c.external_id, sub.c.currency, sub.c.minimum_term_until,
        sub.c.notice_days.label("agreed_notice_days"), billed.label("billed"),
    ).where(load.among(session, sub.c.id, ids)).order_by(sub.c.id)  # fmt: skip
    return load.frame(session, statement, frames.SUBSCRIBERS)


def offers(session: Session, ids: load.Ids) -> pl.DataFrame:
    """frames.OFFERS of these price versions."""
    version, plan = core_table(PriceVersion).c, core_table(Plan).c
    retired = func.date(version.retired_at) if is_sqlite(session) else cast(version.retired_at, Date)
    statement = (
        select(
            *load.version_columns(version), plan.rank, version.status, version.trial_days, version.valid_from,
            retired.label("retired_on"), version.expires_on, version.subscription_id.label("owner_id"),
        )
        .join_from(core_table(PriceVersion), core_table(Plan), plan.id == version.plan_id)
        .where(load.among(session, version.id, ids))
        .order_by(version.id)
    )  # fmt: skip
    return load.frame(session, statement, frames.OFFERS)


def policies(session: Session) -> pl.DataFrame:
    """frames.POLICIES of all plans, later ones last."""
    policy = core_table(PlanPolicy).c
    columns = [policy[name] for name in frames.POLICIES]
    statement = select(*columns).order_by(policy.plan_id, policy.effective_from, policy.id)
    return load.frame(session, statement, frames.POLICIES)


def charge_codes(session: Session, price_version_ids: load.Ids) -> pl.DataFrame:
    """frames.CHARGE_CODES of these price versions."""
    charge = core_table(ChargeRow).c
    statement = select(charge.price_version_id, charge.code, charge.kind).where(
        load.among(session, charge.price_version_id, price_version_ids)
    )
    return load.frame(session, statement, frames.CHARGE_CODES)


def coupon_terms(session: Session, ids: load.Ids) -> pl.DataFrame:
    """frames.COUPON_TERMS of these coupons."""
    coupon = core_table(Coupon).c
    names = list(frames.COUPON_TERMS)[1:]
    statement = select(coupon.id.label("coupon_id"), *(coupon[name] for name in names)).where(
        load.among(session, coupon.id, ids)
    )
    return load.frame(session, statement, frames.COUPON_TERMS)


def known_customers(session: Session, ids: load.Ids) -> pl.Series:
    """Those of the ids that are customers."""
    customer = core_table(Customer).c
    statement = select(customer.id).where(load.among(session, customer.id, ids))
    return load.frame(session, statement, {"id": pl.Int64})["id"]


def known_meters(session: Session) -> pl.Series:
    """Every meter that some price version measures."""
    charge = core_table(ChargeRow).c
    statement = select(charge.meter).where(charge.meter != "").distinct()
    return load.frame(session, statement, {"meter": pl.String})["meter"]


def owners_of(session: Session, change_ids: load.Ids) -> pl.Series:
    """The subscriptions that these changes are about."""
    change = core_table(SubscriptionChange).c
    statement = select(change.subscription_id).where(load.among(session, change.id, change_ids)).distinct()
    return load.frame(session, statement, {"subscription_id": pl.Int64})["subscription_id"]


def commands_of(session: Session, subscription_ids: load.Ids) -> pl.DataFrame:
    """change_id, command_id of the subscriptions' changes."""
    change = core_table(SubscriptionChange).c
    statement: Select[tuple[int, str]] = select(change.id.label("change_id"), change.command_id).where(
        load.among(session, change.subscription_id, subscription_ids)
    )
    return load.frame(session, statement, COMMANDS)


def extend_openings(session: Session, subscription_ids: Iterable[int], last_change_id: int) -> None:
    """History that is filled in later belongs to what the other system billed: nothing bills before the opening.

    Only for subscriptions that we have not billed yet and that have no fact of a later day beyond their opening.
    """
    cursor, change = core_table(BillingCursor), core_table(SubscriptionChange)
    later = select(literal(1)).where(
        change.c.subscription_id == cursor.c.subscription_id,
        change.c.id > cursor.c.opening_change_id,
        change.c.effective_on > cursor.c.opening,
    )
    session.execute(
        update(cursor)
        .where(
            load.among(session, cursor.c.subscription_id, list(subscription_ids)),
            cursor.c.opening == cursor.c.billed_through,
            ~later.exists(),
        )
        .values(opening_change_id=last_change_id, seen_change_id=last_change_id)
    )
