"""Documents: their kinds, numbers, payment references and how long their buyer's data is kept."""

from __future__ import annotations

from datetime import date
from enum import StrEnum

# Norwegian bookkeeping law keeps documents five years after the end of the year (documents.md, rule 10).
KEEP_YEARS = 5


class DocumentKind(StrEnum):
    """What a document is."""

    INVOICE = "invoice"
    CREDIT_NOTE = "credit_note"


class Purpose(StrEnum):
    """What a document is for: billing, taking another one back whole, or saying it anew to whom it should have gone."""

    BILLING = "billing"
    CORRECTION = "correction"
    REISSUE = "reissue"


class Settlement(StrEnum):
    """How far a document is settled."""

    OPEN = "open"
    OVERDUE = "overdue"
    PAID = "paid"
    CREDITED = "credited"
    OFFSET = "offset"
    IN_FAVOUR = "in_favour"


def settlement(*, open_minor: int, paid_minor: int, due: date, today: date, credited: bool = False) -> Settlement:
    """What the open amount of a document means on a day: a document is overdue from the day after it was due.

    `credited`: a credit note is about it. What neither a payment nor a credit names was offset by money in the payer's favour.
    """
    if open_minor < 0:
        return Settlement.IN_FAVOUR
    if open_minor == 0:
        return Settlement.PAID if paid_minor else Settlement.CREDITED if credited else Settlement.OFFSET
    return Settlement.OVERDUE if today > due else Settlement.OPEN


class Review(StrEnum):
    """Why a customer was left out of a billing run."""

    NO_CUSTOMER_DATA = "no_customer_data"
    UNKNOWN_VAT = "unknown_vat_treatment"
    NO_CURRENCY_RATE = "no_currency_rate"
    LARGE_AMOUNT = "large_amount"
    MANY_LINES = "many_lines"


REVIEW_SENTENCES: dict[Review, str] = {
    Review.NO_CUSTOMER_DATA: "Nothing is known about this customer on the issue date",
    Review.UNKNOWN_VAT: "No VAT rule fits this customer; add one in Settings",
    Review.NO_CURRENCY_RATE: "The VAT must be stated in the company's currency; enter a rate in Settings",
    Review.LARGE_AMOUNT: "The amount is above the limit for review; release the customer to issue it",
    Review.MANY_LINES: "There are more lines than the limit for review; release the customer to issue it",
}


def number_text(prefix: str, year: int, sequence: int) -> str:
    """The number printed on a document: F2026-000123."""
    return f"{prefix}{year}-{sequence:06d}"


def payment_reference(year: int, sequence: int) -> str:
    """KID of an invoice: two digits of the year, the number, and a MOD10 check digit (documents.md, rule 8)."""
    digits = f"{year % 100:02d}{sequence:07d}"
    return digits + str(check_digit(digits))


def check_digit(digits: str) -> int:
    """MOD10 (Luhn) check digit of a string of digits."""
    total = 0
    for place, digit in enumerate(reversed(digits)):
        doubled = int(digit) * (2 if place % 2 == 0 else 1)
        total += doubled - 9 if doubled > 9 else doubled
    return -total % 10


def keep_buyer_until(issue_date: date) -> date:
    """The day from which a document's buyer may be purged."""
    return date(issue_date.year + KEEP_YEARS + 1, 1, 1)


def refundable_minor(*, paid_minor: int, used_minor: int, total_minor: int) -> int:
    """Most of a credit that may be paid back: what was paid beyond the value used, never more than the credit.

    The rest settles the invoice or stays as balance (billing.md section 7).
    """
    return min(max(0, paid_minor - used_minor), total_minor)


def creditable_minor(*, potential_minor: int, paid_minor: int, credited_minor: int) -> int:
    """A refund never exceeds what was paid less what was refunded before (billing.md section 7, rule `cap`)."""
    return max(0, min(potential_minor, paid_minor - credited_minor))
