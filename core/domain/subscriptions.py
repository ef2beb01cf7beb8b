"""What can happen to a subscription: the kinds of change and the choices they carry.

A change is a dated fact: effective date, recorded instant, author, and what it undoes. Nothing is overwritten.
A change on day D belongs to the new terms from D; stored ends are exclusive.
"""

from __future__ import annotations

from enum import StrEnum


class ChangeKind(StrEnum):
    """What a change sets. Columns used are named in the comments (store/tables.py `subscription_change`)."""

    START = "start"  # price_version_id, quantity, anchor_on
    TRIAL = "trial"  # until_on = trial end, anchor_on
    PRICE = "price"  # price_version_id (plan, interval, negotiated price or migration)
    QUANTITY = "quantity"  # quantity
    ADDON = "addon"  # item (charge code), quantity; 0 removes
    COUPON = "coupon"  # coupon_id, periods_left (import only)
    COUPON_END = "coupon_end"  # coupon_id
    PAUSE = "pause"  # until_on or open
    RESUME = "resume"
    CANCEL = "cancel"  # effective_on = first day without service, credit, cause, reason
    UNDO = "undo"  # undoes_id


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
