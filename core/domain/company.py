"""The seller: what its profile, its VAT rules and its currency rates may say. Each refusal is one sentence.

Terms are days, rates of VAT millionths (25 % = 250,000), limits minor units. Numbers of other registers (organisation
number, account, IBAN, BIC) have check digits that the action verifies; here stands what needs no table of anybody.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import date
from decimal import Decimal
from enum import StrEnum
from typing import Any
from zoneinfo import ZoneInfo

from core.domain.errors import Conflict, InvalidInput
from core.domain.money import exponent_of
from core.domain.subscriptions import CustomerKind
from core.domain.wording import good_code, good_name, readable

ANY = "*"  # matches every kind of customer, or every other country
WHOLE_PPM = 1_000_000
FIRST_DAY = date(1990, 1, 1)
RATE_PLACES = 10  # decimals of a currency rate
HIGHEST_RATE = Decimal(1_000_000)
# ISO 3166-1 alpha-2.
_CODES = (
    "AD AE AF AG AI AL AM AO AQ AR AS AT AU AW AX AZ BA BB BD BE BF BG BH BI BJ BL BM BN BO BQ BR BS BT BV BW BY BZ CA "
    "CC CD CF CG CH CI CK CL CM CN CO CR CU CV CW CX CY CZ DE DJ DK DM DO DZ EC EE EG EH ER ES ET FI FJ FK FM FO FR GA "
    "GB GD GE GF GG GH GI GL GM GN GP GQ GR GS GT GU GW GY HK HM HN HR HT HU ID IE IL IM IN IO IQ IR IS IT JE JM JO JP "
    "KE KG KH KI KM KN KP KR KW KY KZ LA LB LC LI LK LR LS LT LU LV LY MA MC MD ME MF MG MH MK ML MM MN MO MP MQ MR MS "
    "MT MU MV MW MX MY MZ NA NC NE NF NG NI NL NO NP NR NU NZ OM PA PE PF PG PH PK PL PM PN PR PS PT PW PY QA RE RO RS "
    "RU RW SA SB SC SD SE SG SH SI SJ SK SL SM SN SO SR SS ST SV SX SY SZ TC TD TF TG TH TJ TK TL TM TN TO TR TT TV TW "
    "TZ UA UG UM US UY UZ VA VC VE VG VI VN VU WF WS YE YT ZA ZM ZW"
)
COUNTRIES = frozenset(_CODES.split())
# What a number may be: lowest, highest, and the sentence that says so.
BOUNDS: dict[str, tuple[int, int, str]] = {
    "terms_days": (0, 120, "Payment terms are 0 to 120 days, not {value}"),
    "late_usage_days": (0, 365, "Late usage is billed for 0 to 365 days, not {value}"),
    "usage_grace_days": (0, 31, "The wait for usage is 0 to 31 days, not {value}"),
    "review_above_minor": (1, 10**15, "The amount above which an invoice is reviewed must be more than zero"),
    "price_notice_consumer_days": (0, 365, "The notice of a price change takes 0 to 365 days"),
    "price_notice_business_days": (0, 365, "The notice of a price change takes 0 to 365 days"),
    "support_limit_minor": (0, 10**12, "The amount up to which one person may charge or credit must not be negative"),
    "admin_limit_minor": (0, 10**12, "The amount up to which one person may charge or credit must not be negative"),
    "review_lines_above": (1, 100_000, "The number of lines above which an invoice is reviewed is 1 to 100000, not {value}"),
}  # fmt: skip
_EMAIL = re.compile(r"[^@\s,;<>]+@[^@\s,;<>]+\.[^@\s,;<>.]{2,}")
_PREFIX = re.compile(r"[A-Za-z]{0,6}")


class Reopening(StrEnum):
    """A step on the way to reopening the books."""

    REQUESTED = "requested"
    APPROVED = "approved"
    DECLINED = "declined"


class Treatment(StrEnum):
    """What VAT does to a line."""

    STANDARD = "standard"
    ZERO = "zero"
    REVERSE_CHARGE = "reverse_charge"
    OUTSIDE = "outside"


def check_profile(profile: Mapping[str, Any]) -> None:
    """Refuse a company profile that cannot be right."""
    good_name(profile["legal_name"])
    check_country(profile["country"])
    exponent_of(profile["currency"])
    check_time_zone(profile["time_zone"])
    for name, (lowest, highest, refusal) in BOUNDS.items():
        if not lowest <= profile[name] <= highest:
            raise InvalidInput(refusal, code="out_of_bounds", value=profile[name])
    check_postal_code(profile["postal_code"], profile["country"])
    if profile["email"]:
        good_email(profile["email"])
    check_prefixes(profile["invoice_prefix"], profile["credit_note_prefix"])


def check_day(day: date) -> None:
    """Refuse a day that is a slip of the keyboard."""
    if day < FIRST_DAY:
        raise InvalidInput(
            "Forbli knows days from {first}; {day} is too early", code="too_early", first=FIRST_DAY, day=day
        )


def check_country(country: str) -> None:
    """Refuse what is no country."""
    if country not in COUNTRIES:
        raise InvalidInput(
            "The country {country} is not known", code="unknown_country", country=readable(country),
            hint="Use a two-letter code such as NO, SE or DK",
        )  # fmt: skip


def check_time_zone(name: str) -> None:
    """Refuse what is no time zone."""
    try:
        ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        raise InvalidInput(
            "The time zone {zone} is not known", code="unknown_time_zone", zone=readable(name),
            hint="Use a name such as Europe/Oslo",
        ) from None  # fmt: skip


def check_postal_code(code: str, country: str) -> None:
    """Norwegian postal codes have four digits."""
    if country == "NO" and code and not re.fullmatch(r"[0-9]{4}", code):
        raise InvalidInput(
            "A Norwegian postal code has four digits, not “{given}”", code="bad_postal_code", given=readable(code)
        )


def good_email(email: str) -> str:
    """An e-mail address in lower case; refuses what no mail reaches."""
    cleaned = readable(email)
    if not _EMAIL.fullmatch(cleaned):
        raise InvalidInput("“{email}” is no e-mail address", code="bad_email", email=cleaned)
    return cleaned.lower()


def check_prefixes(invoice: str, credit_note: str) -> None:
    """Numbers of invoices and credit notes must differ, so their prefixes do."""
    for prefix in (invoice, credit_note):
        if not _PREFIX.fullmatch(prefix):
            raise InvalidInput(
                "A number's prefix is up to six letters A to Z, not “{prefix}”",
                code="bad_prefix",
                prefix=readable(prefix),
            )
    if invoice.upper() == credit_note.upper():
        raise InvalidInput(
            "Invoices and credit notes need different prefixes; both are “{prefix}”", code="same_prefix", prefix=invoice
        )


def check_vat_rule(rule: Mapping[str, Any]) -> None:
    """Refuse a VAT rule that contradicts itself."""
    check_country(rule["seller_country"])
    if rule["customer_country"] != ANY:
        check_country(rule["customer_country"])
    if rule["customer_kind"] not in (ANY, *CustomerKind):
        raise InvalidInput(
            "A customer is a consumer or a business, not “{kind}”",
            code="unknown_kind",
            kind=readable(rule["customer_kind"]),
        )
    if rule["treatment"] not in set(Treatment):
        raise InvalidInput(
            "VAT is standard, zero, reverse charge or outside, not “{treatment}”",
            code="unknown_treatment", treatment=readable(rule["treatment"]),
        )  # fmt: skip
    good_code(rule["category"])
    check_vat_rate(rule["treatment"], rule["rate_ppm"])
    check_day(rule["valid_from"])
    if rule["valid_to"] is not None and rule["valid_to"] <= rule["valid_from"]:
        raise InvalidInput("The rule would end before it begins", code="ends_before_start")


def check_vat_rate(treatment: str, rate_ppm: int) -> None:
    """Only the standard treatment has a rate, and it is more than nothing."""
    if not 0 <= rate_ppm <= WHOLE_PPM:
        raise InvalidInput("A VAT rate is 0 to 100 %", code="out_of_bounds")
    if treatment != Treatment.STANDARD and rate_ppm:
        raise InvalidInput("Only the standard treatment has a rate; the others are 0 %", code="rate_without_vat")
    if treatment == Treatment.STANDARD and not rate_ppm:
        raise InvalidInput(
            "Standard VAT of 0 % is the treatment zero", code="zero_rate",
            hint="Choose zero, reverse charge or outside",
        )  # fmt: skip


def check_overlap(valid_to: date | None, next_from: date | None) -> None:
    """A new rule replaces an older one from its first day, but may not reach into one that begins later."""
    if next_from is not None and (valid_to is None or valid_to > next_from):
        raise Conflict(
            "Another rule for the same customers begins on {next_from}; end this one there at the latest",
            code="overlap", next_from=next_from,
        )  # fmt: skip


def check_currency_rate(currency: str, own: str, rate: Decimal, on_date: date, today: date) -> None:
    """Refuse a rate that cannot be one."""
    exponent_of(currency)
    if currency == own:
        raise InvalidInput(
            "{currency} is the company's own currency; it needs no rate", code="own_currency", currency=currency
        )
    if not 0 < rate <= HIGHEST_RATE:
        raise InvalidInput("A rate is more than zero and at most 1000000", code="out_of_bounds")
    check_day(on_date)
    if on_date > today:
        raise InvalidInput("The rate of {day} is not known yet", code="in_the_future", day=on_date)


def check_closing(through: date, closed_through: date | None, today: date) -> None:
    """Books are closed for days that have been, and only forwards."""
    check_day(through)
    if through > today:
        raise InvalidInput(
            "Books cannot be closed through {day}: it is still to come", code="in_the_future", day=through
        )
    if closed_through is not None and through <= closed_through:
        raise Conflict("The books are already closed through {closed}", code="already_closed", closed=closed_through)


def check_reopening(through: date, closed_through: date | None) -> None:
    """Reopening moves the closed day back."""
    check_day(through)
    if closed_through is None:
        raise Conflict("The books are not closed", code="not_closed")
    if through >= closed_through:
        raise Conflict(
            "The books are closed through {closed}; reopening needs an earlier day",
            code="not_earlier",
            closed=closed_through,
        )


def good_reason(reason: str) -> str:
    """Why something irreversible was done."""
    cleaned = readable(reason)
    if not cleaned:
        raise InvalidInput("Say why, so that the next person understands", code="no_reason")
    return cleaned
