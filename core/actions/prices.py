"""The life of a price version: a draft is saved as often as one likes, published once, retired at last.

Publishing changes nobody's price: those who have an earlier version keep it until their subscription is migrated. It is
still a promise, so a price change needs two people: the one who drafted it last, and another who publishes it.
"""

from __future__ import annotations

from datetime import date, datetime
from typing import Any

from sqlalchemy import delete, func, select, update

from core.actions.command import Answer, Work, command
from core.actions.invoices import business_day
from core.domain.access import GRANTS, SYSTEM, Permission, Role
from core.domain.errors import Conflict, InvalidInput, NotFound, NotPermitted
from core.domain.plans import PriceStatus, PriceTerms
from core.domain.price_rules import require_sound, require_storable
from core.domain.wording import readable
from core.store import catalogue, holders, rollouts
from core.store.tables import Person, Plan, PriceVersion, Subscription, core_table


@command("prices.save_draft", Permission.DRAFT_PRICES)
def save_draft(
    work: Work, *, plan_id: int, terms: PriceTerms, note: str = "", price_version_id: int | None = None,
    seen_at: datetime | None = None,
) -> Answer:  # fmt: skip
    """Keep price terms as a new draft, or in place of a draft; they may still have findings.

    `seen_at`: when the draft that was edited had last been saved; a later save by somebody else is not overwritten.
    """
    _require_plan(work, plan_id)
    require_storable(terms)
    values = {**catalogue.head_values(terms), "note": readable(note), **work.stamp}
    if price_version_id is None:
        number = catalogue.next_number(work.session, plan_id, terms)
        draft = {"plan_id": plan_id, "number": number, "status": PriceStatus.DRAFT.value, **values}
        version_id = catalogue.insert_row(work.session, PriceVersion, draft)
    else:
        row = _own_draft(work, plan_id, price_version_id, seen_at)
        version_id = _replace(work, row, terms, values)
    catalogue.save_charges(work.session, version_id, terms.charges)
    work.audit(f"price_version:{version_id}", "terms")
    return {"price_version_id": version_id}


def _own_draft(work: Work, plan_id: int, version_id: int, seen_at: datetime | None) -> Any:
    """The draft's row; refuses another plan's, and one that was saved after it was looked at."""
    row = require_version(work, version_id, PriceStatus.DRAFT)
    _require_undecided(work, version_id)
    if row.plan_id != plan_id:
        raise Conflict("This draft belongs to another plan", code="other_plan")
    if seen_at is not None and row.recorded_at > seen_at:
        raise Conflict(
            "{author} has saved this draft meanwhile; look at it before you save yours", code="draft_changed",
            author=row.author,
        )  # fmt: skip
    return row


def _require_undecided(work: Work, price_version_id: int) -> None:
    """Refuse to touch what a second person has approved: it is published as it is, or stopped first."""
    scenario = rollouts.approved_with(work.session, price_version_id)
    if scenario is not None:
        raise Conflict(
            "These prices were approved with the scenario “{name}”: stop its roll-out before you change them", code="approved",
            name=scenario.name,
        )  # fmt: skip


def _replace(work: Work, row: Any, terms: PriceTerms, values: dict[str, Any]) -> int:
    """Empty the draft and give it its new head; a draft that moves to another currency or interval gets a new number."""
    series = (terms.currency, terms.interval.unit.value, terms.interval.count)
    if series != (row.currency, row.interval_unit, row.interval_count):
        values = {**values, "number": catalogue.next_number(work.session, row.plan_id, terms)}
    catalogue.delete_charges(work.session, row.id)
    table = core_table(PriceVersion)
    work.session.execute(update(table).where(table.c.id == row.id).values(**values))
    version_id: int = row.id
    return version_id


@command("prices.discard_draft", Permission.DRAFT_PRICES)
def discard_draft(work: Work, *, price_version_id: int) -> Answer:
    """Throw a draft away; nothing but a draft can be. One that was once decided on stays on record, and is offered nowhere."""
    require_version(work, price_version_id, PriceStatus.DRAFT)
    _require_undecided(work, price_version_id)
    table = core_table(PriceVersion)
    if rollouts.decided_on(work.session, price_version_id):
        work.session.execute(update(table).where(table.c.id == price_version_id).values(retired_at=work.now))
    else:
        catalogue.delete_charges(work.session, price_version_id)
        work.session.execute(delete(table).where(table.c.id == price_version_id))
    work.audit(f"price_version:{price_version_id}", "discarded")
    return {"price_version_id": price_version_id}


@command("prices.publish", Permission.PUBLISH_PRICES)
def publish(work: Work, *, price_version_id: int, valid_from: date) -> Answer:
    """Freeze a sound draft and offer it from a day on. A price change needs a second person."""
    row = require_version(work, price_version_id, PriceStatus.DRAFT)
    if row.subscription_id is not None:
        raise Conflict("These prices were agreed with one subscription; approve them on its page", code="agreed_price")
    plan = _require_plan(work, row.plan_id)
    if plan.archived:
        raise Conflict("The plan {plan} is archived; bring it back before you publish prices", code="plan_archived", plan=plan.name)  # fmt: skip
    require_sound(catalogue.terms_of(work.session, price_version_id))
    _check_order(work, row, valid_from)
    if needs_second_person(work, row):
        raise NotPermitted(
            "You drafted this price change yourself, so another person must publish it", code="four_eyes",
            hint="The draft is saved: ask somebody who may publish prices to open it and publish it.",
        )  # fmt: skip
    table = core_table(PriceVersion)
    work.session.execute(
        update(table).where(table.c.id == price_version_id).values(
            status=PriceStatus.PUBLISHED.value, valid_from=valid_from, published_at=work.now, published_by=work.author
        )
    )  # fmt: skip
    work.audit(f"price_version:{price_version_id}", "status", "valid_from")
    return {"price_version_id": price_version_id, "number": row.number}


def needs_second_person(work: Work, row: Any) -> bool:
    """Is this the drafter's own price change? Jobs of the system, and plans that nobody has yet, are exempt."""
    if work.actor == SYSTEM or row.author != work.author:
        return False
    return holders.has_subscribers(work.session, row.plan_id, business_day(work.now), but=row.id)


def _check_order(work: Work, row: Any, valid_from: date) -> None:
    """A later version cannot be valid before the one it follows."""
    table = core_table(PriceVersion).c
    latest: date | None = work.session.execute(
        select(func.max(table.valid_from)).where(
            table.plan_id == row.plan_id, table.currency == row.currency, table.interval_unit == row.interval_unit,
            table.interval_count == row.interval_count, table.subscription_id.is_(None),
            table.status == PriceStatus.PUBLISHED.value,
        )
    ).scalar()  # fmt: skip
    if latest is not None and valid_from < latest:
        raise Conflict(
            "Prices of this kind are already published from {latest}; choose that day or a later one",
            code="valid_from_too_early", latest=latest,
        )  # fmt: skip


@command("prices.retire", Permission.PUBLISH_PRICES)
def retire(work: Work, *, price_version_id: int) -> Answer:
    """Offer a published version no longer. Those who have it keep it."""
    require_version(work, price_version_id, PriceStatus.PUBLISHED)
    table = core_table(PriceVersion)
    values = {"status": PriceStatus.RETIRED.value, "retired_at": work.now}
    work.session.execute(update(table).where(table.c.id == price_version_id).values(**values))
    work.audit(f"price_version:{price_version_id}", "status")
    return {"price_version_id": price_version_id}


@command("prices.negotiate", Permission.PUBLISH_PRICES)
def negotiate(
    work: Work, *, subscription_id: int, terms: PriceTerms, reason: str, expires_on: date | None = None,
    approved_by: str,
) -> Answer:  # fmt: skip
    """A price version of one subscription's own, with its reason, expiry and approver; `change_price` puts it in force."""
    _check_approver(work, approved_by)
    version_id = insert_agreed(
        work, subscription_id=subscription_id, terms=terms, reason=reason, valid_from=business_day(work.now),
        expires_on=expires_on, approved_by=approved_by,
    )  # fmt: skip
    version = core_table(PriceVersion)
    published = {"status": PriceStatus.PUBLISHED.value, "published_at": work.now, "published_by": work.author}
    work.session.execute(update(version).where(version.c.id == version_id).values(**published))
    work.audit(f"subscription:{subscription_id}", "negotiated_price")
    return {"price_version_id": version_id}


def insert_agreed(
    work: Work, *, subscription_id: int, terms: PriceTerms, reason: str, valid_from: date, expires_on: date | None,
    approved_by: str = "",
) -> int:  # fmt: skip
    """A draft of one subscription's own prices, checked; answers its id."""
    today = business_day(work.now)
    if not readable(reason):
        raise InvalidInput("Say why this price was agreed", code="no_reason")
    if expires_on is not None and expires_on <= max(today, valid_from):
        raise InvalidInput("An agreed price must end in the future, not on {expires_on}", code="bad_expiry", expires_on=expires_on)  # fmt: skip
    require_storable(terms)
    require_sound(terms)
    plan_id = _plan_of(work, subscription_id, terms, today)
    values = {
        "plan_id": plan_id, "number": catalogue.next_number(work.session, plan_id, terms), "status": "draft",
        **catalogue.head_values(terms), "subscription_id": subscription_id, "reason": readable(reason),
        "expires_on": expires_on, "approved_by": approved_by, "valid_from": valid_from, **work.stamp,
    }  # fmt: skip
    version_id = catalogue.insert_row(work.session, PriceVersion, values)
    catalogue.save_charges(work.session, version_id, terms.charges)
    return version_id


def _check_approver(work: Work, approved_by: str) -> None:
    """An agreed price is approved by another person who may publish prices."""
    if work.actor == SYSTEM:
        return
    if approved_by == work.author:
        raise NotPermitted("An agreed price needs a second person: you cannot approve your own", code="four_eyes")
    person = core_table(Person).c
    rows = work.session.execute(select(person.role).where(person.name == approved_by, person.active))
    if not any(Permission.PUBLISH_PRICES in GRANTS[Role(role)] for role in rows.scalars()):
        raise NotPermitted("{approver} is nobody who may approve prices", code="no_approver", approver=approved_by)


def _plan_of(work: Work, subscription_id: int, terms: PriceTerms, today: date) -> int:
    """The plan that the subscription has; its currency is fixed."""
    table = core_table(Subscription).c
    currency: str | None = work.session.execute(
        select(table.currency).where(table.id == subscription_id)
    ).scalar_one_or_none()
    version_id = holders.subscription_price(work.session, subscription_id, today)
    row = None if version_id is None else catalogue.price_version(work.session, version_id)
    if currency is None or row is None:
        raise NotFound("This subscription does not exist", code="no_subscription")
    if currency != terms.currency:
        raise Conflict("The subscription is billed in {currency}; its price must be too", code="other_currency", currency=currency)  # fmt: skip
    plan_id: int = row.plan_id
    return plan_id


def require_version(work: Work, price_version_id: int, status: PriceStatus) -> Any:
    """The version's row; refuses an unknown one and one in another state."""
    row = catalogue.price_version(work.session, price_version_id)
    if row is None or (row.status == PriceStatus.DRAFT.value and row.retired_at is not None):
        raise NotFound("These prices do not exist any more", code="no_price_version")
    if row.status != status.value:
        raise Conflict(
            "These prices are {status} already; nothing of that kind can be done with them", code="wrong_status",
            status=row.status,
        )  # fmt: skip
    return row


def _require_plan(work: Work, plan_id: int) -> Any:
    table = core_table(Plan)
    row = work.session.execute(select(table).where(table.c.id == plan_id)).one_or_none()
    if row is None:
        raise NotFound("This plan does not exist", code="no_plan")
    return row
