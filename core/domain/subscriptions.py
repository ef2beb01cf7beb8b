"""What can happen to a subscription: the kinds of change and the choices they carry.

A change is a dated fact: effective date, recorded instant, author, and what it undoes. Nothing is overwritten.
A change on day D belongs to the new terms from D; stored ends are exclusive.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from string import Formatter
from typing import Any

from core.domain.errors import Conflict, ForbliError, InvalidInput, NotFound


class ChangeKind(StrEnum):
    """What a change sets. Columns used are named in the comments (store/tables.py `subscription_change`)."""

    START = "start"  # price_version_id, quantity, anchor_on
    TRIAL = "trial"  # until_on = trial end, anchor_on
    PRICE = "price"  # price_version_id (plan, interval, negotiated price or migration); earlier_version_id, cap, floor: a limit
    QUANTITY = "quantity"  # quantity
    ADDON = "addon"  # item (charge code), quantity; 0 removes
    COUPON = "coupon"  # coupon_id, periods_left (import only)
    COUPON_END = "coupon_end"  # coupon_id
    PAUSE = "pause"  # until_on or open
    RESUME = "resume"
    CANCEL = "cancel"  # effective_on = first day without service, credit, cause, reason
    UNDO = "undo"  # undoes_id


class AdjustmentKind(StrEnum):
    """A one-off change of what is billed, beside the plan."""

    CHARGE = "charge"
    GOODWILL = "goodwill"


class AdjustmentDecision(StrEnum):
    """What became of an adjustment that waited."""

    APPROVED = "approved"
    DECLINED = "declined"
    WITHDRAWN = "withdrawn"


class CreditChoice(StrEnum):
    """What happens to the unused part that was billed in advance."""

    NONE = "none"
    CREDIT = "credit"
    REFUND = "refund"


class EndCause(StrEnum):
    """Why service ended (metrics.md section 6)."""

    VOLUNTARY = "voluntary"
    INVOLUNTARY = "involuntary"
    STAFF = "staff"
    DEATH = "death"
    OTHER = "other"


class Timing(StrEnum):
    """When a plan change takes effect by policy."""

    NOW = "now"
    PERIOD_END = "period_end"


class PaymentOption(StrEnum):
    """How the customer has chosen to pay; recorded, not collected."""

    INVOICE = "invoice"
    CARD = "card"
    DIRECT_DEBIT = "direct_debit"  # AvtaleGiro
    EFAKTURA = "efaktura"
    BANK_TRANSFER = "bank_transfer"
    CHECK = "check"


class Channel(StrEnum):
    """Where the customer wants documents and messages."""

    EMAIL = "email"
    SMS = "sms"
    DIGITAL_MAILBOX = "digital_mailbox"
    EINVOICE = "einvoice"
    PAPER = "paper"


class CustomerKind(StrEnum):
    """Consumers and businesses differ in law, tax and documents."""

    CONSUMER = "consumer"
    BUSINESS = "business"


class Refusal(StrEnum):
    """Why a change of a subscription is refused."""

    BAD_CHOICE = "bad_choice"
    NO_DAY = "no_day"
    NOT_FOUND = "not_found"
    NO_CUSTOMER = "no_customer"
    EXTERNAL_ID_TAKEN = "external_id_taken"
    NEVER_STARTED = "never_started"
    TWICE = "twice"
    BEFORE_START = "before_start"
    ENDED = "ended"
    BOOKS_CLOSED = "books_closed"
    UNKNOWN_PRICE = "unknown_price"
    NOT_PUBLISHED = "not_published"
    NOT_YET_VALID = "not_yet_valid"
    RETIRED = "retired"
    AGREED_WITH_ANOTHER = "agreed_with_another"
    AGREEMENT_OVER = "agreement_over"
    OTHER_CURRENCY = "other_currency"
    SAME_PRICE = "same_price"
    PLANNED_PRICE = "planned_price"
    ADDON_LOST = "addon_lost"
    NO_QUANTITY = "no_quantity"
    BELOW_MINIMUM = "below_minimum"
    SAME_QUANTITY = "same_quantity"
    UNKNOWN_ADDON = "unknown_addon"
    SAME_ADDON = "same_addon"
    UNKNOWN_COUPON = "unknown_coupon"
    COUPON_ARCHIVED = "coupon_archived"
    COUPON_EARLY = "coupon_early"
    COUPON_LATE = "coupon_late"
    COUPON_CURRENCY = "coupon_currency"
    COUPON_PLAN = "coupon_plan"
    COUPON_CHARGE = "coupon_charge"
    COUPON_HELD = "coupon_held"
    COUPON_NOT_HELD = "coupon_not_held"
    ALREADY_PAUSED = "already_paused"
    PAUSE_ORDER = "pause_order"
    PAUSE_TOO_LONG = "pause_too_long"
    PAUSE_OVERLAPS = "pause_overlaps"
    NOT_PAUSED = "not_paused"
    ALREADY_CANCELLED = "already_cancelled"
    MINIMUM_TERM = "minimum_term"
    NOTICE = "notice"
    NO_TRIAL = "no_trial"
    TRIAL_OVER = "trial_over"
    TRIAL_SAME = "trial_same"
    TRIAL_PAST = "trial_past"
    TRIAL_LENGTH = "trial_length"
    UNKNOWN_CHANGE = "unknown_change"
    UNDO_OF_UNDO = "undo_of_undo"
    ALREADY_UNDONE = "already_undone"
    UNDO_CLOSED = "undo_closed"
    START_BILLED = "start_billed"
    START_CHANGED = "start_changed"
    PART_OF_ANOTHER = "part_of_another"
    RESUMED_SINCE = "resumed_since"
    PAUSED_AGAIN = "paused_again"
    CHANGED_MEANWHILE = "changed_meanwhile"
    OTHER_PRICES = "other_prices"
    NO_SOURCE = "no_source"
    UNKNOWN_METER = "unknown_meter"
    NO_USAGE = "no_usage"
    OTHER_CONTENT = "other_content"
    FUTURE = "future"
    NO_KIND = "no_kind"
    NUL = "nul"
    NO_AMOUNT = "no_amount"
    NO_TEXT = "no_text"
    LONG_TEXT = "long_text"
    NO_DOCUMENT = "no_document"
    PAID_NOTHING = "paid_nothing"
    PAID_CURRENCY = "paid_currency"
    OTHER_PAYER = "other_payer"
    PAID_BACK = "paid_back"
    PAID_MEANWHILE = "paid_meanwhile"
    TAKEN_BACK = "taken_back"


_R = Refusal
REFUSALS: dict[Refusal, tuple[type[ForbliError], str]] = {
    _R.BAD_CHOICE: (InvalidInput, "“{bad_choice}” is not one of the choices"),
    _R.NO_DAY: (InvalidInput, "Say from which day the change counts"),
    _R.NOT_FOUND: (NotFound, "There is no subscription {subscription_id}"),
    _R.NO_CUSTOMER: (NotFound, "There is no customer {customer_id}"),
    _R.EXTERNAL_ID_TAKEN: (Conflict, "There is already a subscription {external_id}"),
    _R.NEVER_STARTED: (Conflict, "The start of subscription {external_id} was undone; start a new one"),
    _R.TWICE: (InvalidInput, "The same thing is asked for twice at once; send it once"),
    _R.BEFORE_START: (Conflict, "Subscription {external_id} starts on {started_on}; nothing changes before that day"),
    _R.ENDED: (Conflict, "The last day of subscription {external_id} is {last_day}; nothing changes after it"),
    _R.BOOKS_CLOSED: (Conflict, "The books are closed through {closed_through}; choose {open_from} or a later day"),
    _R.UNKNOWN_PRICE: (NotFound, "There are no prices with number {price_version_id}"),
    _R.NOT_PUBLISHED: (Conflict, "These prices are a draft; publish them first"),
    _R.NOT_YET_VALID: (Conflict, "These prices hold from {new_valid_from}; choose that day or a later one"),
    _R.RETIRED: (Conflict, "These prices have not been sold since {new_retired_on}; choose newer ones"),
    _R.AGREED_WITH_ANOTHER: (Conflict, "These prices were agreed for another subscription"),
    _R.AGREEMENT_OVER: (Conflict, "The agreement on these prices ran out on {new_expires_on}"),
    _R.OTHER_CURRENCY: (
        Conflict, "The subscription is in {currency} and these prices in {new_currency}; end it and start a new one",
    ),
    _R.SAME_PRICE: (Conflict, "Subscription {external_id} already has these prices on {effective_on}"),
    _R.PLANNED_PRICE: (Conflict, "Another plan change is planned for {planned_on}; undo it first"),
    _R.ADDON_LOST: (Conflict, "The new prices have no add-on “{lost_item}”; remove it from the subscription first"),
    _R.NO_QUANTITY: (InvalidInput, "Give a quantity of zero or more"),
    _R.BELOW_MINIMUM: (Conflict, "The plan needs a quantity of at least {minimum_quantity}"),
    _R.SAME_QUANTITY: (Conflict, "Subscription {external_id} already has this quantity on {effective_on}"),
    _R.UNKNOWN_ADDON: (Conflict, "The prices on {effective_on} have no add-on “{item}”"),
    _R.SAME_ADDON: (Conflict, "Subscription {external_id} already has this many of “{item}” on {effective_on}"),
    _R.UNKNOWN_COUPON: (NotFound, "There is no coupon {coupon_id}"),
    _R.COUPON_ARCHIVED: (Conflict, "The coupon {coupon_code} is archived and no longer given"),
    _R.COUPON_EARLY: (Conflict, "The coupon {coupon_code} is given from {coupon_from}"),
    _R.COUPON_LATE: (Conflict, "The coupon {coupon_code} was given through {coupon_last_day}"),
    _R.COUPON_CURRENCY: (Conflict, "The coupon {coupon_code} is in {coupon_currency}, the subscription in {currency}"),
    _R.COUPON_PLAN: (Conflict, "The coupon {coupon_code} is for another plan"),
    _R.COUPON_CHARGE: (Conflict, "The coupon {coupon_code} is for “{charge_code}”, which these prices do not have"),
    _R.COUPON_HELD: (Conflict, "Subscription {external_id} already has the coupon {coupon_code}"),
    _R.COUPON_NOT_HELD: (Conflict, "Subscription {external_id} does not have this coupon on {effective_on}"),
    _R.ALREADY_PAUSED: (Conflict, "Subscription {external_id} is already paused on {effective_on}"),
    _R.PAUSE_ORDER: (InvalidInput, "A pause must end after the day it begins"),
    _R.PAUSE_TOO_LONG: (Conflict, "A pause of this plan lasts at most {maximum_pause_days} days"),
    _R.PAUSE_OVERLAPS: (Conflict, "Another pause begins on {next_pause_on}; end this one by then, or undo that one"),
    _R.NOT_PAUSED: (Conflict, "Subscription {external_id} is not paused on {effective_on}"),
    _R.ALREADY_CANCELLED: (
        Conflict, "Subscription {external_id} is cancelled with {last_day} as its last day; undo that first",
    ),
    _R.MINIMUM_TERM: (Conflict, "The agreed term is not over: the earliest last day is {earliest_on}"),
    _R.NOTICE: (Conflict, "{notice_needed_days} days of notice are agreed: the earliest last day is {earliest_on}"),
    _R.NO_TRIAL: (Conflict, "Subscription {external_id} has no trial"),
    _R.TRIAL_OVER: (Conflict, "The trial of subscription {external_id} was over on {trial_end}"),
    _R.TRIAL_SAME: (InvalidInput, "The trial already runs until {trial_end}; choose another day"),
    _R.TRIAL_PAST: (InvalidInput, "A trial cannot end before {today_on}"),
    _R.TRIAL_LENGTH: (InvalidInput, "A trial takes 0 to 366 days"),
    _R.UNKNOWN_CHANGE: (NotFound, "There is no change {change_id}"),
    _R.UNDO_OF_UNDO: (Conflict, "An undo cannot be undone; make the change again"),
    _R.ALREADY_UNDONE: (Conflict, "This change is already undone"),
    _R.UNDO_CLOSED: (
        Conflict, "This change counts from {effective_on}, and the books are closed through {closed_through};"
        " make the opposite change instead",
    ),
    _R.START_BILLED: (Conflict, "Subscription {external_id} has been billed; cancel it instead"),
    _R.START_CHANGED: (Conflict, "Undo what came after the start of subscription {external_id} first"),
    _R.PART_OF_ANOTHER: (Conflict, "This moved the trial as part of another change; undo that one"),
    _R.RESUMED_SINCE: (Conflict, "Service resumed after this pause; undo that first"),
    _R.PAUSED_AGAIN: (Conflict, "Another pause begins on {next_pause_on}; undo it first"),
    _R.CHANGED_MEANWHILE: (
        Conflict, "{changed_by} has changed subscription {external_id} meanwhile ({changed_kind}); look at it and try again",
    ),
    _R.OTHER_PRICES: (Conflict, "Subscription {external_id} has other prices on {effective_on} than those it was to be moved from"),
    _R.NO_SOURCE: (InvalidInput, "Every event needs a source id, so that it counts once"),
    _R.UNKNOWN_METER: (InvalidInput, "No prices measure “{meter}”"),
    _R.NO_USAGE: (InvalidInput, "The event {source_id} has no quantity"),
    _R.OTHER_CONTENT: (Conflict, "What has the source id {source_id} is already stored with other content"),
    _R.FUTURE: (InvalidInput, "{occurred_on} has not come yet; record what has happened"),
    _R.NO_KIND: (InvalidInput, "Say what kind of contact it was"),
    _R.NO_AMOUNT: (InvalidInput, "Give an amount above zero that an invoice can hold"),
    _R.NO_TEXT: (InvalidInput, "Say what the line on the invoice is for"),
    _R.LONG_TEXT: (InvalidInput, "The line on the invoice has at most 200 characters"),
    _R.NO_DOCUMENT: (NotFound, "There is no invoice {document_id}"),
    _R.PAID_NOTHING: (InvalidInput, "Give the amount that was paid, and its currency"),
    _R.PAID_CURRENCY: (Conflict, "The invoice is in {document_currency} and the payment in {currency}"),
    _R.OTHER_PAYER: (Conflict, "The invoice goes to another customer; name only one of the two"),
    _R.PAID_BACK: (Conflict, "No more can be paid back than was paid or credited"),
    _R.PAID_MEANWHILE: (Conflict, "{paid_by} has registered a payment of this invoice meanwhile; look at it and try again"),
    _R.TAKEN_BACK: (Conflict, "What has the bank's id {source_id} was taken back; register it without that id"),
    _R.NUL: (InvalidInput, "The text holds characters that cannot be stored"),
}  # fmt: skip


def refusal(code: Refusal, values: Mapping[str, Any]) -> ForbliError:
    """The refusal as an error, with those of the values that its sentence names."""
    cause, sentence = REFUSALS[code]
    places = {name: values[name] for _, name, _, _ in Formatter().parse(sentence) if name}
    return cause(sentence, code=code.value, **places)
