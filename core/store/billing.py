"""What billing reads and writes in bulk: who is due, the inputs of a draft, and issued documents with their ledger.

Reading joins facts by subscription; nothing here knows how an amount comes about.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import polars as pl
from sqlalchemy import ColumnElement, Select, and_, bindparam, delete, func, insert, literal, or_, select, update
from sqlalchemy.orm import Session

from core import frames
from core.domain.access import OWN_LIMIT, Role
from core.domain.coupons import CouponKind
from core.domain.errors import Conflict
from core.domain.invoices import DocumentKind
from core.domain.subscriptions import AdjustmentDecision as Decision
from core.store import load
from core.store.engine import is_sqlite
from core.store.save import insert_many
from core.store.tables import (
    Adjustment,
    AdjustmentDecision,
    BillingCursor,
    BillingHold,
    BooksClosed,
    BooksReopening,
    CompanyProfile,
    Coupon,
    CurrencyRate,
    Document,
    DocumentLine,
    LineDiscount,
    NumberSeries,
    Subscription,
    SubscriptionChange,
    UsageEvent,
    VatRule,
    core_table,
)

DUE: frames.Schema = {
    "subscription_id": pl.Int64,
    "customer_id": pl.Int64,
    "started_on": pl.Date,
    "billed_through": pl.Date,
    "opening": pl.Date,
    "opening_change_id": pl.Int64,
    "unseen_from": pl.Date,
}
BILLING_STATES: frames.Schema = {**DUE, "next_due_on": pl.Date}
LONGEST_LATE = timedelta(days=400)  # a period of usage is at most a year; its events lie at most this far back


@dataclass(frozen=True)
class Seen:
    """The newest facts that a draft knows."""

    change_id: int
    event_id: int


def newest_facts(session: Session) -> Seen:
    """Highest ids of changes and usage events now."""
    changes, events = core_table(SubscriptionChange).c, core_table(UsageEvent).c
    return Seen(
        session.execute(select(func.coalesce(func.max(changes.id), 0))).scalar_one(),
        session.execute(select(func.coalesce(func.max(events.id), 0))).scalar_one(),
    )


def due_subscriptions(
    session: Session, through: date, customer_ids: load.Ids = None, *, held_too: bool = False
) -> pl.DataFrame:
    """Subscriptions with something to bill through a day, or touched by facts recorded since they were billed.

    Out: DUE, key subscription_id. `unseen_from`: first day that an unseen fact speaks about, null when there is none.
    Customers on hold (unless `held_too`), and subscriptions billed beyond that day, are left out.
    """
    sub, cursor = core_table(Subscription), core_table(BillingCursor)
    statement, unseen = _billing_states(session, customer_ids)
    due = statement.where(
        or_(
            and_(cursor.c.subscription_id.is_(None), sub.c.started_on <= through),
            cursor.c.next_due_on <= through,
            unseen.is_not(None),
            sub.c.id.in_(select(core_table(Adjustment).c.subscription_id).where(*_waiting_adjustments(through))),
        ),
        or_(cursor.c.subscription_id.is_(None), cursor.c.billed_through <= through),
        *([] if held_too else [sub.c.customer_id.not_in(_held_customers())]),
    )
    return load.frame(session, due, DUE)


def hold_of(session: Session, customer_id: int) -> dict[str, Any] | None:
    """The hold on a customer's billing (reason, author, recorded_at), None when nothing holds it."""
    hold = core_table(BillingHold)
    row = session.execute(select(hold).where(hold.c.customer_id == customer_id).order_by(hold.c.id.desc())).first()
    return dict(row._mapping) if row is not None and row.held else None


def billing_states(session: Session, customer_ids: load.Ids) -> pl.DataFrame:
    """All subscriptions of these customers, due or not, on hold or not: BILLING_STATES, key subscription_id."""
    statement, _ = _billing_states(session, customer_ids)
    ahead = statement.add_columns(core_table(BillingCursor).c.next_due_on)
    return load.frame(session, ahead, BILLING_STATES)


def _billing_states(session: Session, customer_ids: load.Ids) -> tuple[Select[Any], ColumnElement[Any]]:
    """How far each subscription is billed and what its billing has not seen; the second says since when."""
    sub, cursor = core_table(Subscription), core_table(BillingCursor)
    changed, used = _unseen_changes(), _unseen_events()
    unseen = _earliest(session, changed.c.first_on, used.c.first_on, cursor.c.rebill_from)
    statement = (
        select(
            sub.c.id.label("subscription_id"), sub.c.customer_id, sub.c.started_on, cursor.c.billed_through,
            cursor.c.opening, cursor.c.opening_change_id, unseen.label("unseen_from"),
        )
        .join_from(sub, cursor, cursor.c.subscription_id == sub.c.id, isouter=True)
        .join(changed, changed.c.subscription_id == sub.c.id, isouter=True)
        .join(used, used.c.subscription_id == sub.c.id, isouter=True)
        .where(load.among(session, sub.c.customer_id, customer_ids))
        .order_by(sub.c.customer_id, sub.c.id)
    )  # fmt: skip
    return statement, unseen


def _waiting_adjustments(through: date) -> list[ColumnElement[bool]]:
    """Adjustments that may be billed through a day and were not: approved where they need it, never declined."""
    adjustment, decision, line = core_table(Adjustment).c, core_table(AdjustmentDecision).c, core_table(DocumentLine).c
    said = select(decision.adjustment_id)
    approved = said.where(decision.decision == Decision.APPROVED.value)
    return [
        adjustment.effective_on <= through,
        or_(
            and_(~adjustment.needs_approval, adjustment.id.not_in(said)),
            adjustment.id.in_(approved),
        ),
        adjustment.id.not_in(select(line.adjustment_id).where(line.adjustment_id.is_not(None))),
    ]


def waiting_adjustments(session: Session, subscription_ids: load.Ids, through: date) -> pl.DataFrame:
    """frames.ADJUSTMENTS of these subscriptions that are to be billed through a day."""
    table = core_table(Adjustment).c
    columns = [table.id.label("adjustment_id"), *(table[name] for name in list(frames.ADJUSTMENTS)[1:])]
    wanted = (load.among(session, table.subscription_id, subscription_ids), *_waiting_adjustments(through))
    return load.frame(session, select(*columns).where(*wanted).order_by(table.id), frames.ADJUSTMENTS)


def _earliest(session: Session, *days: ColumnElement[Any]) -> ColumnElement[Any]:
    """The earliest of the days that there are, null when there is none."""
    if not is_sqlite(session):
        return func.least(*days)
    # SQLite's own function knows nothing as soon as one is missing.
    last = literal(date.max)
    return func.nullif(func.min(*(func.coalesce(each, last) for each in days)), last)


def _unseen_changes() -> Any:
    """First day of the changes that a subscription's last billing had not seen; an undo speaks about what it undoes."""
    change, cursor = core_table(SubscriptionChange), core_table(BillingCursor)
    undone = change.alias("undone")
    return (
        select(
            change.c.subscription_id,
            func.min(func.coalesce(undone.c.effective_on, change.c.effective_on)).label("first_on"),
        )
        .join_from(change, cursor, cursor.c.subscription_id == change.c.subscription_id)
        .join(undone, undone.c.id == change.c.undoes_id, isouter=True)
        .where(change.c.id > cursor.c.seen_change_id, change.c.id > _lowest(cursor.c.seen_change_id))
        .group_by(change.c.subscription_id)
        .subquery("changed")
    )


def _unseen_events() -> Any:
    """First day of the usage recorded after a subscription was billed, about days that were billed."""
    event, cursor = core_table(UsageEvent), core_table(BillingCursor)
    return (
        select(event.c.subscription_id, func.min(event.c.occurred_on).label("first_on"))
        .join_from(event, cursor, cursor.c.subscription_id == event.c.subscription_id)
        .where(
            event.c.id > cursor.c.seen_event_id,
            event.c.id > _lowest(cursor.c.seen_event_id),
            event.c.occurred_on <= cursor.c.billed_through,
        )
        .group_by(event.c.subscription_id)
        .subquery("used")
    )


def _lowest(column: ColumnElement[int]) -> Any:
    """The lowest id that any cursor has seen: what lies below need not be read at all."""
    return select(func.coalesce(func.min(column), 0)).scalar_subquery()


def _held_customers() -> Select[Any]:
    """Customers whose newest hold row says held."""
    hold = core_table(BillingHold)
    newest = select(func.max(hold.c.id)).group_by(hold.c.customer_id)
    return select(hold.c.customer_id).where(hold.c.id.in_(newest), hold.c.held)


def inputs(session: Session, due: pl.DataFrame, through: date, as_of: date) -> frames.BillingInputs:
    """Everything a draft of the DUE subscriptions needs, as known now and in force on `as_of`."""
    ids = due["subscription_id"]
    changes = load.changes(session, ids)
    scope = scope_of(due, changes, through)
    prices = load.prices(session, changes["price_version_id"].drop_nulls().unique())
    earliest = scope["after"].min() if scope.height else through
    assert isinstance(earliest, date), "a scope has a first day"
    touched = scope.filter("touched")["subscription_id"]
    company = company_profile(session, as_of)
    owners = due["customer_id"].unique()
    return frames.BillingInputs(
        facts=frames.Facts(changes, *prices, usage=_usage(session, ids, earliest, through, company)),
        scope=scope,
        subscriptions=load.subscriptions(session, ids),
        customers=load.customers(session, as_of, owners),
        coupons=load.coupons(session),
        vat_rules=vat_rules(session, company.country),
        billed=load.billed_lines(session, touched, earliest) if touched.len() else frames.empty(frames.LINES),
        used=_used_discounts(session, ids, touched),
        adjustments=waiting_adjustments(session, ids, through),
        currency_rates=_currency_rates(session, as_of, company.currency),
        seller=frames.Seller(company.country, company.currency, company.terms_days, company.skip_zero_invoices),
    )


def as_seen(inputs: frames.BillingInputs, cursors: pl.DataFrame) -> frames.BillingInputs:
    """The inputs as the last billing of each subscription saw them: without later changes, usage and adjustments.

    `cursors`: subscription_id, seen_change_id, seen_event_id.
    """
    seen = cursors.select("subscription_id", "seen_change_id", "seen_event_id")
    changes = inputs.facts.changes.join(seen, on="subscription_id", maintain_order="left").filter(
        pl.col("change_id") <= pl.col("seen_change_id")
    )
    usage = inputs.facts.usage.join(seen, on="subscription_id", maintain_order="left").filter(
        pl.col("event_id") <= pl.col("seen_event_id")
    )
    facts = replace(
        inputs.facts,
        changes=frames.conform(changes, frames.CHANGES),
        usage=frames.conform(usage, frames.USAGE_EVENTS),
    )
    return replace(inputs, facts=facts, adjustments=frames.empty(frames.ADJUSTMENTS))


def scope_of(due: pl.DataFrame, changes: pl.DataFrame, through: date) -> pl.DataFrame:
    """How far back each subscription is looked at: to its last billing, or to the first day that unseen facts touch.

    A fact that was planned ahead touches when its day has come: it may lie inside a period that is billed already.
    """
    day = pl.duration(days=1)
    come = _come_into_force(due, changes, through)
    touched_from = pl.min_horizontal("unseen_from", "come_on")
    billed = pl.coalesce("billed_through", pl.col("started_on") - day)
    touched = touched_from.is_not_null() & pl.col("billed_through").is_not_null()
    after = pl.when(touched).then(pl.min_horizontal(billed, touched_from - day)).otherwise(billed)
    scope = due.join(come, on="subscription_id", how="left", maintain_order="left").with_columns(
        billed_through=billed, touched=touched, after=after
    )
    return frames.conform(scope, frames.SCOPE)


def _come_into_force(due: pl.DataFrame, changes: pl.DataFrame, through: date) -> pl.DataFrame:
    """subscription_id, come_on: the first day since the last billing on which a fact took effect or a pause ended."""
    days = pl.concat(
        [changes.select("subscription_id", come_on=name) for name in ("effective_on", "until_on")]
    ).join(due.select("subscription_id", "billed_through"), on="subscription_id")  # fmt: skip
    since = days.filter((pl.col("come_on") > pl.col("billed_through")) & (pl.col("come_on") <= through))
    return since.group_by("subscription_id").agg(pl.col("come_on").min())


def _usage(session: Session, ids: pl.Series, earliest: date, through: date, company: Any) -> pl.DataFrame:
    """Usage of the periods in scope, without what came too late to be billed unasked (company setting)."""
    event = core_table(UsageEvent).c
    columns = [event.id.label("event_id"), *(event[name] for name in list(frames.USAGE_EVENTS)[1:])]
    statement = (
        select(*columns)
        .where(
            load.among(session, event.subscription_id, ids),
            event.occurred_on >= earliest - LONGEST_LATE,
            event.occurred_on <= through,
            ~too_late(session, company.late_usage_days),
        )
        .order_by(event.subscription_id, event.occurred_on, event.id)
    )
    return load.frame(session, statement, frames.USAGE_EVENTS)


def too_late(session: Session, days: int) -> ColumnElement[bool]:
    """Was the usage event recorded more than so many days after it occurred?"""
    event = core_table(UsageEvent).c
    if is_sqlite(session):
        return func.julianday(event.recorded_at) - func.julianday(event.occurred_at) > days
    return event.recorded_at - event.occurred_at > timedelta(days=days)


def _used_discounts(session: Session, ids: pl.Series, touched: pl.Series) -> pl.DataFrame:
    """What fixed coupons have given so far, and all discounts of subscriptions whose lines may be credited."""
    share, line = core_table(LineDiscount).c, core_table(DocumentLine).c
    change, coupon = core_table(SubscriptionChange).c, core_table(Coupon).c
    fixed = (
        select(change.id)
        .join_from(core_table(SubscriptionChange), core_table(Coupon), coupon.id == change.coupon_id)
        .where(coupon.kind == CouponKind.AMOUNT, load.among(session, change.subscription_id, ids))
    )
    columns = [share[name] for name in frames.USED_DISCOUNTS]
    by_grant = select(*columns).where(share.grant_id.in_(fixed))
    found = [load.frame(session, by_grant, frames.USED_DISCOUNTS)]
    if touched.len():
        by_line = (
            select(*columns)
            .join_from(core_table(LineDiscount), core_table(DocumentLine), line.id == share.line_id)
            .where(load.among(session, line.subscription_id, touched))
        )
        found.append(load.frame(session, by_line, frames.USED_DISCOUNTS))
    return pl.concat(found).unique(maintain_order=True)


def price_notice_days(session: Session, as_of: date) -> dict[str, int]:
    """How many days before a price change each kind of customer must be told at least."""
    profile = company_profile(session, as_of)
    return {"consumer": profile.price_notice_consumer_days, "business": profile.price_notice_business_days}


def given_once(session: Session, grant_ids: load.Ids) -> dict[int, int]:
    """What these coupon grants have given so far on issued lines, in minor units; credits give it back."""
    share = core_table(LineDiscount).c
    sums = select(share.grant_id, func.sum(share.amount_minor)).where(load.among(session, share.grant_id, grant_ids))
    return {grant_id: int(amount) for grant_id, amount in session.execute(sums.group_by(share.grant_id))}


def company_profile(session: Session, as_of: date) -> Any:
    """The company's row in force on a day; without one, nothing can be billed."""
    company = core_table(CompanyProfile)
    row = session.execute(
        select(company)
        .where(company.c.effective_from <= as_of)
        .order_by(company.c.effective_from.desc(), company.c.id.desc())
        .limit(1)
    ).first()
    if row is None:
        raise Conflict("Fill in your company in Settings before billing", code="no_company")
    return row


def company_name(session: Session, as_of: date) -> str:
    """The company's name on papers that bill nothing; "" while nobody has filled it in."""
    try:
        return str(company_profile(session, as_of).legal_name)
    except Conflict:
        return ""


def own_limit(company: Any, role: Role) -> int:
    """Up to which amount, in minor units of the company's currency, one person of the role may charge or credit alone."""
    return int(getattr(company, OWN_LIMIT[role])) if role in OWN_LIMIT else 0


def vat_rules(session: Session, seller_country: str) -> pl.DataFrame:
    """frames.VAT_RULES of the seller's country; of rules for the same customers and first day the last one entered."""
    rule = core_table(VatRule).c
    same = (rule.customer_kind, rule.customer_country, rule.has_vat_number, rule.category, rule.valid_from)
    newest = select(func.max(rule.id)).where(rule.seller_country == seller_country).group_by(*same)
    statement = select(*(rule[name] for name in frames.VAT_RULES)).where(rule.id.in_(newest)).order_by(rule.id)
    return load.frame(session, statement, frames.VAT_RULES)


def _currency_rates(session: Session, as_of: date, home: str) -> dict[str, int]:
    """The latest rate of each currency on or before a day, scaled."""
    rate = core_table(CurrencyRate).c
    rows = session.execute(
        select(rate.currency, rate.rate)
        .where(rate.on_date <= as_of, rate.currency != home)
        .order_by(rate.on_date, rate.id)
    )
    return {currency: int(Decimal(value) * frames.CURRENCY_RATE_SCALE) for currency, value in rows}


def books_closed_through(session: Session) -> date | None:
    """The last day whose books are closed."""
    closed = core_table(BooksClosed).c
    through: date | None = session.execute(select(closed.through).order_by(closed.id.desc()).limit(1)).scalar()
    return through


def last_reopening(session: Session) -> Any:
    """The newest step on the way to reopening the books: BooksReopening's columns, None when nobody ever asked."""
    table = core_table(BooksReopening)
    return session.execute(select(table).order_by(table.c.id.desc()).limit(1)).first()


def take_numbers(session: Session, kind: str, year: int, prefix: str, count: int) -> tuple[int, int]:
    """(series id, first number) of `count` consecutive numbers, taken in this transaction so that none is ever lost."""
    series = core_table(NumberSeries)
    chosen = and_(series.c.kind == kind, series.c.year == year)
    if session.execute(select(series.c.id).where(chosen)).first() is None:
        session.execute(insert(series).values(kind=kind, year=year, prefix=prefix, last=0))
    session.execute(update(series).where(chosen).values(last=series.c.last + count))
    row = session.execute(select(series.c.id, series.c.last).where(chosen)).one()
    return row.id, row.last - count + 1


def last_documents(session: Session, customer_ids: load.Ids) -> pl.DataFrame:
    """The newest invoice of each customer: customer_id, previous_id. A credit note is nothing to compare an invoice with."""
    document = core_table(Document).c
    statement = (
        select(document.customer_id, func.max(document.id).label("previous_id"))
        .where(load.among(session, document.customer_id, customer_ids), document.kind == DocumentKind.INVOICE.value)
        .group_by(document.customer_id)
    )
    return load.frame(session, statement, {"customer_id": pl.Int64, "previous_id": pl.Int64})


def move_cursors(session: Session, cursors: pl.DataFrame) -> None:
    """Replace the cursors of these subscriptions. In: the columns of billing_cursor."""
    cursor = core_table(BillingCursor)
    session.execute(delete(cursor).where(load.among(session, cursor.c.subscription_id, cursors["subscription_id"])))
    insert_many(session, BillingCursor, cursors)


def rebill(session: Session, first_days: pl.DataFrame) -> None:
    """Have the next run bill again, from a day on, what was credited. In: subscription_id, rebill_from."""
    cursor = core_table(BillingCursor)
    days = {"subscription": "subscription_id", "day": "rebill_from"}
    earlier = or_(cursor.c.rebill_from.is_(None), cursor.c.rebill_from > bindparam("day"))
    statement = (
        update(cursor)
        .where(cursor.c.subscription_id == bindparam("subscription"), earlier)
        .values(rebill_from=bindparam("day"))
    )
    rows = first_days.select(**{name: pl.col(column) for name, column in days.items()}).to_dicts()
    if rows:
        session.connection().execute(statement, rows)


def see_all(session: Session, seen: Seen) -> None:
    """Every billed subscription without unseen facts has now seen everything up to `seen`; keeps later runs short."""
    cursor = core_table(BillingCursor)
    changed, used = _unseen_changes(), _unseen_events()
    untouched = and_(
        cursor.c.subscription_id.not_in(select(changed.c.subscription_id)),
        cursor.c.subscription_id.not_in(select(used.c.subscription_id)),
    )
    behind = or_(cursor.c.seen_change_id < seen.change_id, cursor.c.seen_event_id < seen.event_id)
    session.execute(
        update(cursor).where(untouched, behind).values(seen_change_id=seen.change_id, seen_event_id=seen.event_id)
    )
