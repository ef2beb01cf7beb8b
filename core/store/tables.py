"""The tables. SQLModel classes on a registry of their own, so that a hot reload does not collide.

Facts are dated and appended: `effective_from`/`effective_on` says when they hold, `recorded_at` when they were learned,
`author` by whom. Money: `*_minor` integers. Quantities: `*_micro`, millionths of a unit. Unit prices: exact decimal text
(SQLite's NUMERIC is a float). Rates of tax and discount: `*_ppm`, millionths (25 % = 250,000).
Triggers, checks of types and partial indexes that SQLModel cannot say stand in `guards.py`.
"""

import datetime as dt
from typing import Any, ClassVar

import sqlalchemy
from sqlalchemy import BigInteger, Column, ForeignKey, Index, Integer, MetaData, Text, UniqueConstraint
from sqlalchemy.orm import registry
from sqlmodel import Field, SQLModel

NAMING = {
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "fk": "fk_%(table_name)s_%(column_0_name)s_%(referred_table_name)s",
    "pk": "pk_%(table_name)s",
}

# One 64-bit integer type for both databases; SQLite needs INTEGER for its rowid keys.
Whole = BigInteger().with_variant(Integer, "sqlite")


class Table(SQLModel, registry=registry(metadata=MetaData(naming_convention=NAMING))):
    """Base of all tables."""

    __tablename__: ClassVar[str]


def key() -> Any:
    """An integer primary key given by the database or by a bulk writer."""
    return Field(default=None, sa_column=Column(Whole, primary_key=True))


def whole(*, default: int | None = 0, nullable: bool = False, index: bool = False) -> Any:
    """A 64-bit integer: money, quantity, rate or count."""
    return Field(default=default, sa_column=Column(Whole, nullable=nullable, index=index, default=default))


def ref(target: str, *, nullable: bool = False, index: bool = True) -> Any:
    """A foreign key to `target` ("table.column")."""
    return Field(
        default=None if nullable else ...,
        sa_column=Column(Whole, ForeignKey(target), nullable=nullable, index=index),
    )


def string(*, default: Any = "", unique: bool = False, index: bool = False, nullable: bool = False) -> Any:
    """A text column."""
    return Field(
        default=default, sa_column=Column(Text, nullable=nullable, unique=unique, index=index, default=default)
    )


# --- people, commands, audit -------------------------------------------------------------------------------------


class Person(Table, table=True):
    """Somebody who uses Forbli. The role is read here at each action."""

    __tablename__ = "person"
    id: int | None = key()
    name: str = string()
    email: str = string(unique=True)
    role: str = string()
    active: bool = True


class Command(Table, table=True):
    """One executed command: its id makes a repetition harmless, its hash finds an id used for something else."""

    __tablename__ = "command"
    id: str = Field(sa_column=Column(Text, primary_key=True))
    action: str = string()
    content_hash: str = string()
    result_json: str = string()
    actor: str = string()
    recorded_at: dt.datetime


class AuditEntry(Table, table=True):
    """Append-only chain: ids and field names only, so that erasing a person keeps it valid."""

    __tablename__ = "audit_entry"
    id: int | None = key()
    command_id: str = Field(sa_column=Column(Text, ForeignKey("command.id"), nullable=False, index=True))
    recorded_at: dt.datetime
    actor: str = string()
    action: str = string()
    subject: str = string()
    fields: str = string()
    previous_hash: str = string()
    hash: str = string(unique=True)


class Revision(Table, table=True):
    """One row: the data-revision counter, raised by every command; frames are cached by it."""

    __tablename__ = "revision"
    id: int = Field(default=1, primary_key=True)
    value: int = whole()
    demo_state: str = string()


# --- company -----------------------------------------------------------------------------------------------------


class CompanyProfile(Table, table=True):
    """The seller, dated. The row in force is the latest `effective_from` not after the day, then the highest id."""

    __tablename__ = "company_profile"
    id: int | None = key()
    effective_from: dt.date
    recorded_at: dt.datetime
    author: str = string()
    legal_name: str = string()
    organisation_number: str = string()
    vat_registered: bool = True
    limited_company: bool = True
    address: str = string()
    postal_code: str = string()
    city: str = string()
    country: str = string(default="NO")
    email: str = string()
    phone: str = string()
    bank_account: str = string()
    iban: str = string()
    bic: str = string()
    currency: str = string(default="NOK")
    time_zone: str = string(default="Europe/Oslo")
    terms_days: int = 14
    late_usage_days: int = 60
    usage_grace_days: int = 0
    skip_zero_invoices: bool = True
    invoice_prefix: str = string(default="F")
    credit_note_prefix: str = string(default="K")
    review_above_minor: int = whole(default=100_000_000)
    review_lines_above: int = 200
    support_limit_minor: int = whole(default=100_000)
    admin_limit_minor: int = whole(default=1_000_000)
    price_notice_consumer_days: int = 30
    price_notice_business_days: int = 30


class BooksClosed(Table, table=True):
    """Closing or reopening of the books; the row with the highest id is in force."""

    __tablename__ = "books_closed"
    id: int | None = key()
    through: dt.date
    recorded_at: dt.datetime
    author: str = string()
    reason: str = string()


class BooksReopening(Table, table=True):
    """A step on the way to reopening the books: requested, approved by a second person, or declined."""

    __tablename__ = "books_reopening"
    id: int | None = key()
    step: str = string()
    through: dt.date
    reason: str = string()
    recorded_at: dt.datetime
    author: str = string()


class VatRule(Table, table=True):
    """Dated VAT treatment by seller country, customer kind, country and whether a VAT number is known.

    `customer_country` "*" matches any other country. `treatment`: standard, zero, reverse_charge, outside.
    """

    __tablename__ = "vat_rule"
    id: int | None = key()
    seller_country: str = string()
    customer_kind: str = string(default="*")
    customer_country: str = string(default="*")
    has_vat_number: bool | None = None
    category: str = string(default="standard")
    treatment: str = string(default="standard")
    rate_ppm: int = whole()
    valid_from: dt.date
    valid_to: dt.date | None = None
    recorded_at: dt.datetime
    author: str = string()


class CurrencyRate(Table, table=True):
    """Dated rate entered by staff: units of the company's currency for one unit of `currency`, decimal text."""

    __tablename__ = "currency_rate"
    __table_args__ = (UniqueConstraint("currency", "on_date", "recorded_at"),)
    id: int | None = key()
    currency: str = string()
    on_date: dt.date
    rate: str = string()
    recorded_at: dt.datetime
    author: str = string()


# --- catalogue ---------------------------------------------------------------------------------------------------


class Plan(Table, table=True):
    """A plan. `rank` tells upgrade from downgrade."""

    __tablename__ = "plan"
    id: int | None = key()
    code: str = string(unique=True)
    name: str = string()
    description: str = string()
    rank: int = 0
    archived: bool = False


class PlanPolicy(Table, table=True):
    """What the rules leave open, per plan and dated: directions, timing, credit, minimum term, notice."""

    __tablename__ = "plan_policy"
    id: int | None = key()
    plan_id: int = ref("plan.id")
    effective_from: dt.date
    recorded_at: dt.datetime
    author: str = string()
    upgrade_when: str = string(default="now")
    downgrade_when: str = string(default="period_end")
    cancel_when: str = string(default="period_end")
    cancel_credit: str = string(default="none")
    minimum_term_months: int = 0
    notice_days: int = 0
    minimum_quantity: int = 0
    maximum_pause_days: int = 365


class PriceVersion(Table, table=True):
    """Prices of a plan in one currency and interval; frozen once published. Negotiated when `subscription_id` is set. A draft with
    `retired_at` was thrown away after somebody had decided on it."""

    __tablename__ = "price_version"
    __table_args__ = (UniqueConstraint("plan_id", "currency", "interval_unit", "interval_count", "number"),)
    id: int | None = key()
    plan_id: int = ref("plan.id")
    number: int = 1
    currency: str = string()
    interval_unit: str = string(default="month")
    interval_count: int = 1
    alignment: str = string(default="anniversary")
    tax_inclusive: bool = False
    minimum_minor: int = whole()
    trial_days: int = 0
    status: str = string(default="draft")
    valid_from: dt.date | None = None
    note: str = string()
    subscription_id: int | None = whole(default=None, nullable=True, index=True)
    reason: str = string()
    expires_on: dt.date | None = None
    approved_by: str = string()
    author: str = string()
    recorded_at: dt.datetime
    published_at: dt.datetime | None = None
    published_by: str = string()
    retired_at: dt.datetime | None = None


class ChargeRow(Table, table=True):
    """A charge of a price version (domain/plans.py `Charge`). Amounts are decimal text in major units."""

    __tablename__ = "charge"
    __table_args__ = (UniqueConstraint("price_version_id", "code"),)
    id: int | None = key()
    price_version_id: int = ref("price_version.id")
    position: int = 0
    code: str = string()
    name: str = string()
    kind: str = string()
    model: str = string()
    timing: str = string(default="in_advance")
    meter: str = string()
    included_units: str = string(default="0")
    package_rounding: str = string(default="up")
    convert_by: str | None = string(default=None, nullable=True)
    convert_rounding: str = string(default="up")
    first_tier_flat_at_zero: bool = True
    min_amount: str | None = string(default=None, nullable=True)
    max_amount: str | None = string(default=None, nullable=True)
    vat_category: str = string(default="standard")
    event_rate_percent: str | None = string(default=None, nullable=True)
    event_fixed_amount: str | None = string(default=None, nullable=True)
    free_events: int | None = None
    free_amount: str | None = string(default=None, nullable=True)
    min_per_event: str | None = string(default=None, nullable=True)
    max_per_event: str | None = string(default=None, nullable=True)


class TierRow(Table, table=True):
    """A tier of a charge; `up_to` empty = open."""

    __tablename__ = "tier"
    __table_args__ = (UniqueConstraint("charge_id", "position"),)
    id: int | None = key()
    charge_id: int = ref("charge.id")
    position: int = 0
    up_to: str | None = string(default=None, nullable=True)
    unit_amount: str = string(default="0")
    flat_amount: str = string(default="0")
    package_size: str | None = string(default=None, nullable=True)
    rate_percent: str = string(default="0")


class Coupon(Table, table=True):
    """A discount: percent (`rate_ppm`) or amount (`amount_minor`); once, N periods or for ever; on charge, plan or invoice."""

    __tablename__ = "coupon"
    id: int | None = key()
    code: str = string(unique=True)
    name: str = string()
    kind: str = string()
    rate_ppm: int = whole()
    amount_minor: int = whole()
    currency: str = string()
    duration: str = string(default="once")
    periods: int = 1
    scope: str = string(default="plan")
    charge_code: str = string()
    plan_id: int | None = ref("plan.id", nullable=True)
    includes_true_up: bool = False
    valid_from: dt.date | None = None
    valid_to: dt.date | None = None
    archived: bool = False
    recorded_at: dt.datetime
    author: str = string()


# --- customers and subscriptions -----------------------------------------------------------------------------------


class Customer(Table, table=True):
    """A customer's identity. What is said about it is dated in `customer_version`."""

    __tablename__ = "customer"
    id: int | None = key()
    external_id: str = string(unique=True)
    created_on: dt.date
    recorded_at: dt.datetime
    author: str = string()
    command_id: str = string(index=True)


class CustomerVersion(Table, table=True):
    """Everything said about a customer from a day on. In force: latest `effective_from` not after the day, highest id."""

    __tablename__ = "customer_version"
    __table_args__ = (Index("ix_customer_version_customer_id_effective_from", "customer_id", "effective_from", "id"),)
    id: int | None = key()
    customer_id: int = ref("customer.id", index=False)
    effective_from: dt.date
    recorded_at: dt.datetime
    author: str = string()
    undoes_id: int | None = whole(default=None, nullable=True)
    kind: str = string()
    name: str = string(index=True)
    contact: str = string()
    address: str = string()
    postal_code: str = string()
    city: str = string()
    country: str = string(default="NO")
    emails: str = string()
    phone: str = string()
    language: str = string(default="nb")
    organisation_number: str = string()
    vat_number: str = string()
    reference: str = string()
    purchase_order: str = string()
    bill_to_id: int | None = ref("customer.id", nullable=True)
    einvoice_id: str = string()
    payment_option: str = string(default="invoice")
    channel: str = string(default="email")
    terms_days: int | None = None
    separate_invoices: bool = False


class Subscription(Table, table=True):
    """A subscription's identity; currency is fixed. All else is changes."""

    __tablename__ = "subscription"
    id: int | None = key()
    customer_id: int = ref("customer.id")
    external_id: str = string(unique=True)
    currency: str = string()
    started_on: dt.date
    terms_days: int | None = None
    minimum_term_until: dt.date | None = None
    notice_days: int = 0
    recorded_at: dt.datetime
    author: str = string()
    command_id: str = string(index=True)


class SubscriptionChange(Table, table=True):
    """A dated fact about a subscription (domain/subscriptions.py `ChangeKind`); appended, never edited."""

    __tablename__ = "subscription_change"
    __table_args__ = (
        Index("ix_subscription_change_subscription_id_effective_on", "subscription_id", "effective_on", "id"),
    )
    id: int | None = key()
    subscription_id: int = ref("subscription.id", index=False)
    kind: str = string()
    effective_on: dt.date
    recorded_at: dt.datetime
    author: str = string()
    command_id: str = string(index=True)
    undoes_id: int | None = whole(default=None, nullable=True)
    price_version_id: int | None = ref("price_version.id", nullable=True)
    earlier_version_id: int | None = ref("price_version.id", nullable=True, index=False)
    cap_ppm: int | None = whole(default=None, nullable=True)
    floor_ppm: int | None = whole(default=None, nullable=True)
    quantity_micro: int | None = whole(default=None, nullable=True)
    item: str = string()
    coupon_id: int | None = ref("coupon.id", nullable=True)
    periods_left: int | None = None
    anchor_on: dt.date | None = None
    until_on: dt.date | None = None
    credit: str = string(default="none")
    cause: str = string()
    reason: str = string()


class Adjustment(Table, table=True):
    """A one-off charge or goodwill credit of a subscription, billed on the first document from its day; appended only.

    `amount_minor` is positive, as the subscription's prices are stated (with or without VAT). What `needs_approval` waits
    for its `adjustment_decision`.
    """

    __tablename__ = "adjustment"
    id: int | None = key()
    subscription_id: int = ref("subscription.id")
    price_version_id: int = ref("price_version.id", index=False)
    kind: str = string()
    effective_on: dt.date
    text: str = string()
    amount_minor: int = whole()
    vat_category: str = string(default="standard")
    reason: str = string()
    needs_approval: bool = False
    recorded_at: dt.datetime
    author: str = string()
    command_id: str = string(index=True)


class AdjustmentDecision(Table, table=True):
    """What became of an adjustment: approved or declined by a second person, or withdrawn; once."""

    __tablename__ = "adjustment_decision"
    id: int | None = key()
    adjustment_id: int = Field(sa_column=Column(Whole, ForeignKey("adjustment.id"), nullable=False, unique=True))
    decision: str = string()
    recorded_at: dt.datetime
    author: str = string()
    command_id: str = string(index=True)


class CustomerNote(Table, table=True):
    """A note pinned to a customer; a later one replaces it, an empty one takes it down. Appended only."""

    __tablename__ = "customer_note"
    id: int | None = key()
    customer_id: int = ref("customer.id")
    text: str = string()
    replaces_id: int | None = ref("customer_note.id", nullable=True)
    recorded_at: dt.datetime
    author: str = string()
    command_id: str = string(index=True)


class BillingCursor(Table, table=True):
    """How far a subscription is billed, and which facts that run had seen. A cache of the lines, kept with them."""

    __tablename__ = "billing_cursor"
    subscription_id: int = Field(sa_column=Column(Whole, ForeignKey("subscription.id"), primary_key=True))
    billed_through: dt.date
    seen_change_id: int = whole()
    seen_event_id: int = whole()
    opening: dt.date | None = None
    opening_change_id: int | None = whole(default=None, nullable=True)
    next_due_on: dt.date | None = Field(default=None, index=True)
    rebill_from: dt.date | None = None  # first day of what was credited since, to be billed by what holds then


class UsageEvent(Table, table=True):
    """One metered event. `occurred_on` is its local business day in the company's time zone."""

    __tablename__ = "usage_event"
    __table_args__ = (Index("ix_usage_event_subscription_id_occurred_on", "subscription_id", "occurred_on"),)
    id: int | None = key()
    source_id: str = string(unique=True)
    subscription_id: int = ref("subscription.id", index=False)
    meter: str = string()
    occurred_at: dt.datetime
    occurred_on: dt.date
    quantity_micro: int = whole()
    amount_micro: int | None = whole(default=None, nullable=True)
    recorded_at: dt.datetime
    author: str = string()


class TouchPoint(Table, table=True):
    """An onboarding step, a service contact, a reminder: something between us and the customer."""

    __tablename__ = "touch_point"
    __table_args__ = (Index("ix_touch_point_customer_id_occurred_on", "customer_id", "occurred_on"),)
    id: int | None = key()
    source_id: str | None = string(default=None, nullable=True, unique=True)
    customer_id: int = ref("customer.id", index=False)
    occurred_on: dt.date
    kind: str = string()
    topic: str = string()
    outcome: str = string()
    note: str = string()
    recorded_at: dt.datetime
    author: str = string()


# --- billing -----------------------------------------------------------------------------------------------------


class NumberSeries(Table, table=True):
    """A gapless series of document numbers: the counter is taken in the transaction that issues."""

    __tablename__ = "number_series"
    __table_args__ = (UniqueConstraint("kind", "year"),)
    id: int | None = key()
    kind: str = string()
    year: int = 0
    prefix: str = string()
    last: int = whole()


class BillingRun(Table, table=True):
    """One run over a date; its chunks finish or not, each in one transaction."""

    __tablename__ = "billing_run"
    id: int | None = key()
    through: dt.date
    issue_date: dt.date
    started_at: dt.datetime
    author: str = string()
    command_id: str = string(unique=True)


class RunChunk(Table, table=True):
    """A finished chunk of a run: what it issued, and the head of the audit chain after it."""

    __tablename__ = "run_chunk"
    id: int | None = key()
    run_id: int = ref("billing_run.id")
    command_id: str = string(unique=True)
    documents: int = 0
    net_minor_json: str = string()
    finished_at: dt.datetime


class BillingHold(Table, table=True):
    """A hold on a customer's billing, or its release; the highest id for a customer is in force."""

    __tablename__ = "billing_hold"
    id: int | None = key()
    customer_id: int = ref("customer.id")
    held: bool = True
    reason: str = string()
    recorded_at: dt.datetime
    author: str = string()


class Parked(Table, table=True):
    """A customer that a run left out, with the reason in words; needs review."""

    __tablename__ = "parked"
    id: int | None = key()
    run_id: int = ref("billing_run.id")
    customer_id: int = ref("customer.id")
    code: str = string()
    message: str = string()
    recorded_at: dt.datetime


class Document(Table, table=True):
    """An issued invoice or credit note; frozen. Amounts are positive on both kinds; the ledger knows the sign."""

    __tablename__ = "document"
    __table_args__ = (
        UniqueConstraint("series_id", "sequence"),
        Index("ix_document_customer_id_issue_date", "customer_id", "issue_date"),
        # The list's count and sums come from this index alone; a million documents take 0.2 s instead of 0.7.
        Index("ix_document_sums", "currency", "kind", "issue_date", "net_minor", "tax_minor", "total_minor"),
        Index("ix_document_total_minor", "total_minor", "id"),
    )
    id: int | None = key()
    kind: str = string()
    number: str = string(unique=True)
    series_id: int = ref("number_series.id", index=False)
    sequence: int = whole()
    run_id: int | None = ref("billing_run.id", nullable=True)
    customer_id: int = ref("customer.id", index=False)
    bill_to_id: int = ref("customer.id")
    seller_id: int = ref("company_profile.id", index=False)
    currency: str = string()
    issue_date: dt.date = Field(index=True)
    due_date: dt.date
    service_start: dt.date
    service_end: dt.date
    tax_inclusive: bool = False
    payment_reference: str = string()
    payment_option: str = string()
    channel: str = string()
    language: str = string()
    purpose: str = string(default="billing")
    corrects_id: int | None = ref("document.id", nullable=True)
    previous_id: int | None = whole(default=None, nullable=True)
    subtotal_minor: int = whole()
    discount_minor: int = whole()
    net_minor: int = whole()
    tax_minor: int = whole()
    total_minor: int = whole()
    tax_in_company_currency_minor: int | None = whole(default=None, nullable=True)
    recorded_at: dt.datetime


class DocumentBuyer(Table, table=True):
    """What a document says about its buyer. May be purged by law (`purge_after`) without touching a number."""

    __tablename__ = "document_buyer"
    document_id: int = Field(sa_column=Column(Whole, ForeignKey("document.id"), primary_key=True))
    kind: str = string()
    name: str = string(index=True)
    contact: str = string()
    address: str = string()
    postal_code: str = string()
    city: str = string()
    country: str = string()
    emails: str = string()
    organisation_number: str = string()
    vat_number: str = string()
    reference: str = string()
    purchase_order: str = string()
    einvoice_id: str = string()
    purge_after: dt.date


class DocumentLine(Table, table=True):
    """One line of a document; frozen. `amount` is before discount, signed as on an invoice (a credit is negative).

    On a credit note the same signs are kept: its lines sum to a negative amount, its totals are shown positive.
    `period_amount_minor` is the amount of the whole period `[period_start, period_end)`, of which this line bills
    `[service_start, service_end)`; it lets any later part be cut out exactly.
    """

    __tablename__ = "document_line"
    __table_args__ = (Index("ix_document_line_subscription_id_period_end", "subscription_id", "period_end"),)
    id: int | None = key()
    document_id: int = ref("document.id")
    position: int = 0
    subscription_id: int = ref("subscription.id", index=False)
    price_version_id: int = ref("price_version.id", index=False)
    charge_id: int | None = ref("charge.id", nullable=True, index=False)
    kind: str = string()
    service_start: dt.date
    service_end: dt.date
    period_start: dt.date
    period_end: dt.date
    timing: str = string()
    revision: int = 0
    corrects_id: int | None = whole(default=None, nullable=True)
    adjustment_id: int | None = Field(
        default=None, sa_column=Column(Whole, ForeignKey("adjustment.id"), nullable=True, unique=True)
    )
    counts_as_billed: bool = True
    quantity_micro: int = whole()
    period_amount_minor: int = whole()
    period_discount_minor: int = whole()
    amount_minor: int = whole()
    discount_minor: int = whole()
    net_minor: int = whole()
    tax_treatment: str = string(default="standard")
    tax_rate_ppm: int = whole()


class LineDiscount(Table, table=True):
    """How much of a line's discount each coupon grant gave; frozen at issue."""

    __tablename__ = "line_discount"
    id: int | None = key()
    line_id: int = ref("document_line.id")
    grant_id: int = ref("subscription_change.id")
    period_start: dt.date
    amount_minor: int = whole()


class DocumentTax(Table, table=True):
    """VAT of a document per treatment and rate."""

    __tablename__ = "document_tax"
    __table_args__ = (UniqueConstraint("document_id", "treatment", "rate_ppm"),)
    id: int | None = key()
    document_id: int = ref("document.id", index=False)
    treatment: str = string()
    rate_ppm: int = whole()
    base_minor: int = whole()
    tax_minor: int = whole()


class LedgerEntry(Table, table=True):
    """One balanced entry; its postings sum to zero per currency, which its seal proves at commit."""

    __tablename__ = "ledger_entry"
    id: int | None = Field(
        default=None,
        sa_column=Column(
            Whole,
            ForeignKey("ledger_seal.entry_id", deferrable=True, initially="DEFERRED"),
            primary_key=True,
            autoincrement=True,
        ),
    )
    kind: str = string()
    on_date: dt.date = Field(index=True)
    document_id: int | None = ref("document.id", nullable=True)
    customer_id: int = ref("customer.id")
    note: str = string()
    recorded_at: dt.datetime
    command_id: str = string(index=True)


class LedgerPosting(Table, table=True):
    """Debit positive, credit negative."""

    __tablename__ = "ledger_posting"
    id: int | None = key()
    entry_id: int = ref("ledger_entry.id")
    account: str = string(index=True)
    currency: str = string()
    amount_minor: int = whole()


class LedgerSeal(Table, table=True):
    """Written last: a trigger checks that the entry balances; an entry without its seal cannot commit."""

    __tablename__ = "ledger_seal"
    entry_id: int = Field(sa_column=Column(Whole, primary_key=True, autoincrement=False))


class Payment(Table, table=True):
    """Money received from whoever gets the bills, or paid back (negative); registered, never collected. Append-only.

    `undoes_id`: this takes back a registration that was an error, with the opposite amount. `source_id`: the bank's own id.
    """

    __tablename__ = "payment"
    id: int | None = key()
    entry_id: int = Field(sa_column=Column(Whole, ForeignKey("ledger_entry.id"), nullable=False, unique=True))
    customer_id: int = ref("customer.id")
    document_id: int | None = ref("document.id", nullable=True)
    paid_on: dt.date
    currency: str = string()
    amount_minor: int = whole()
    payment_option: str = string()
    note: str = string()
    source_id: str | None = string(default=None, nullable=True, unique=True)
    undoes_id: int | None = Field(
        default=None, sa_column=Column(Whole, ForeignKey("payment.id"), nullable=True, unique=True)
    )
    recorded_at: dt.datetime
    author: str = string()
    command_id: str = string(index=True)


# --- imports and search ------------------------------------------------------------------------------------------


class ImportFile(Table, table=True):
    """A file taken in: the same content under the same mapping is recognised and does nothing."""

    __tablename__ = "import_file"
    __table_args__ = (UniqueConstraint("content_hash", "mapping_hash"),)
    id: int | None = key()
    name: str = string()
    content_hash: str = string()
    mapping_hash: str = string()
    as_of: dt.date
    rows: int = 0
    recorded_at: dt.datetime
    author: str = string()


class Budget(Table, table=True):
    """MRR that is aimed at for a month's end, in the company's currency; the highest id of a month is in force."""

    __tablename__ = "budget"
    id: int | None = key()
    month: dt.date
    mrr_minor: int = whole()
    recorded_at: dt.datetime
    author: str = string()


class PlanMargin(Table, table=True):
    """The share of a plan's revenue that is left after its own costs, dated; 100 % until somebody enters one."""

    __tablename__ = "plan_margin"
    id: int | None = key()
    plan_id: int = ref("plan.id")
    effective_from: dt.date
    margin_ppm: int = whole(default=1_000_000)
    recorded_at: dt.datetime
    author: str = string()


class MonthClose(Table, table=True):
    """The KPIs of a month as they were reported: frozen with the version of their definitions and the last change known."""

    __tablename__ = "month_close"
    id: int | None = key()
    month: dt.date
    definitions: str = string()
    seen_change_id: int = whole()
    content: str = string()  # JSON: KPI name → number
    recorded_at: dt.datetime
    author: str = string()


class TimeMark(Table, table=True):
    """Something on a day that charts should name: a campaign, an outage. An empty text takes the mark it replaces down."""

    __tablename__ = "time_mark"
    id: int | None = key()
    on_date: dt.date
    text: str = string()
    replaces_id: int | None = ref("time_mark.id", nullable=True)
    recorded_at: dt.datetime
    author: str = string()


class SavedView(Table, table=True):
    """A page's filters under a name: the query of its address. An empty query takes the view it replaces down."""

    __tablename__ = "saved_view"
    id: int | None = key()
    page: str = string()
    name: str = string()
    query: str = string()
    shared: bool = False
    replaces_id: int | None = ref("saved_view.id", nullable=True)
    recorded_at: dt.datetime
    author: str = string()


# --- simulation ----------------------------------------------------------------------------------------------------


class Scenario(Table, table=True):
    """A pricing change as somebody imagined it: everything its numbers follow from. A changed one is a new row."""

    __tablename__ = "scenario"
    id: int | None = key()
    name: str = string()
    content: str = string()  # JSON of domain.scenarios.Scenario
    replaces_id: int | None = ref("scenario.id", nullable=True)
    recorded_at: dt.datetime
    author: str = string()


class ScenarioResult(Table, table=True):
    """What a scenario's numbers were when it was put before somebody: the frozen prediction."""

    __tablename__ = "scenario_result"
    id: int | None = key()
    scenario_id: int = ref("scenario.id")
    as_of: dt.date
    data_hash: str = string()
    engine: str = string()
    content: str = string()  # JSON: every number of the page
    recorded_at: dt.datetime
    author: str = string()


class ScenarioDecision(Table, table=True):
    """A step of a scenario's way: requested, approved, declined, rolled out, stopped. `price_version_id`: what approving it drafted."""

    __tablename__ = "scenario_decision"
    id: int | None = key()
    scenario_id: int = ref("scenario.id")
    decision: str = string()
    price_version_id: int | None = ref("price_version.id", nullable=True)
    note: str = string()
    recorded_at: dt.datetime
    author: str = string()
    command_id: str = string(index=True)


class ReactionEstimate(Table, table=True):
    """What was learned from past price changes, with the estimate behind it (JSON); the last row is assumed from then on."""

    __tablename__ = "reaction_estimate"
    id: int | None = key()
    content: str = string()
    recorded_at: dt.datetime
    author: str = string()


class MigrationPlan(Table, table=True):
    """When a subscription is to get an approved scenario's prices and when its customer is told; `change_id` once it is done.

    `from_version_id`: the prices that it is moved from; whoever has others by then is not moved. What a month costs before and
    after stands here as it was approved (twelfths of a minor unit), so that letters say what was decided on. `cap_ppm`,
    `floor_ppm`: the limits that its price change is to carry.
    """

    __tablename__ = "migration_plan"
    __table_args__ = (UniqueConstraint("scenario_id", "subscription_id", "price_version_id"),)
    id: int | None = key()
    scenario_id: int = ref("scenario.id", index=False)
    subscription_id: int = ref("subscription.id")
    price_version_id: int = ref("price_version.id", index=False)
    from_version_id: int = ref("price_version.id", index=False)
    cap_ppm: int | None = whole(default=None, nullable=True)
    floor_ppm: int | None = whole(default=None, nullable=True)
    before_twelfths: int
    after_twelfths: int
    effective_on: dt.date
    notice_on: dt.date
    wave: int = 1
    change_id: int | None = ref("subscription_change.id", nullable=True)
    recorded_at: dt.datetime


class SearchEntry(Table, table=True):
    """What search looks through: one row a customer, everything it was ever called by in lower case (store/search.py)."""

    __tablename__ = "search_entry"
    id: int | None = key()
    customer_id: int = ref("customer.id")
    kind: str = string()
    label: str = string()
    haystack: str = string()


METADATA = Table.metadata


def core_table(model: type[Table]) -> sqlalchemy.Table:
    """The SQLAlchemy Core table of a model: what bulk writers and typed queries use."""
    return METADATA.tables[model.__tablename__]
