"""What may be said about a customer. Each refusal is one sentence; the rules are vectorised in calc/changes/customers.py.

Check digits of organisation and VAT numbers belong to registers that the action asks; here stands what needs nobody else.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from enum import StrEnum
from string import Formatter
from typing import Any

from core.domain.errors import Conflict, ForbliError, InvalidInput, NotFound

LANGUAGES = ("nb", "en")
FIRST_DAY = date(1900, 1, 1)
LONGEST_TERMS_DAYS = 120
# Characters that a text may have; all others 200.
LONGEST = {"external_id": 100, "emails": 1_000, "address": 500, "phone": 50, "postal_code": 20}
LONGEST_TEXT = 200


class Refusal(StrEnum):
    """Why a customer is refused."""

    NO_EXTERNAL_ID = "no_external_id"
    EXTERNAL_ID_TWICE = "external_id_twice"
    EXTERNAL_ID_TAKEN = "external_id_taken"
    NOT_FOUND = "no_customer"
    NO_DAY = "no_day"
    TOO_EARLY = "too_early"
    TOO_LATE = "too_late"
    BEFORE_FIRST = "before_first"
    UNREADABLE = "unreadable_text"
    TOO_LONG = "long_text"
    NO_NAME = "no_name"
    FORMULA = "formula"
    MARKUP = "markup"
    KIND = "unknown_kind"
    LANGUAGE = "unknown_language"
    PAYMENT_OPTION = "unknown_payment_option"
    CHANNEL = "unknown_channel"
    COUNTRY = "unknown_country"
    POSTAL_CODE = "bad_postal_code"
    EMAIL = "bad_email"
    ORGANISATION_NUMBER = "bad_organisation_number"
    VAT_NUMBER = "bad_vat_number"
    TERMS = "terms_out_of_bounds"
    BILL_TO = "unknown_bill_to"


_R = Refusal
REFUSALS: dict[Refusal, tuple[type[ForbliError], str]] = {
    _R.NO_EXTERNAL_ID: (InvalidInput, "Every customer needs an id of its own"),
    _R.EXTERNAL_ID_TWICE: (InvalidInput, "The customer id {external_id} is given twice at once"),
    _R.EXTERNAL_ID_TAKEN: (Conflict, "There is already a customer {external_id}"),
    _R.NOT_FOUND: (NotFound, "There is no customer {customer_id}"),
    _R.NO_DAY: (InvalidInput, "Say from which day this holds"),
    _R.TOO_EARLY: (InvalidInput, "{day} is too early: customers are known from 1900"),
    _R.TOO_LATE: (InvalidInput, "{day} is more than a year ahead"),
    _R.BEFORE_FIRST: (Conflict, "The customer is known from {known_from}; choose that day or a later one"),
    _R.UNREADABLE: (InvalidInput, "The text holds characters that cannot be read, such as NUL; type it anew"),
    _R.TOO_LONG: (InvalidInput, "The {long_field} is too long: it has {characters} characters"),
    _R.NO_NAME: (InvalidInput, "A name is needed"),
    _R.FORMULA: (
        InvalidInput,
        "“{text}” would be read as a formula in a spreadsheet: begin the name with a letter or a digit",
    ),
    _R.MARKUP: (InvalidInput, "“{text}” looks like markup: write the name without < and >"),
    _R.KIND: (InvalidInput, "“{kind}” is no kind of customer; choose consumer or business"),
    _R.LANGUAGE: (InvalidInput, "“{language}” is not a language of documents; choose nb or en"),
    _R.PAYMENT_OPTION: (InvalidInput, "“{payment_option}” is no payment option"),
    _R.CHANNEL: (InvalidInput, "“{channel}” is no channel"),
    _R.COUNTRY: (InvalidInput, "The country {country} is not known"),
    _R.POSTAL_CODE: (InvalidInput, "A Norwegian postal code has four digits, not “{given}”"),
    _R.EMAIL: (InvalidInput, "“{email}” is no e-mail address"),
    _R.ORGANISATION_NUMBER: (
        InvalidInput,
        "“{organisation_number}” is no organisation number: nine digits, the last of which checks the others",
    ),
    _R.VAT_NUMBER: (InvalidInput, "“{vat_number}” is no VAT number of {country}"),
    _R.TERMS: (InvalidInput, "Payment terms are 0 to 120 days, not {value}"),
    _R.BILL_TO: (NotFound, "The customer who is to get the bills does not exist"),
}


def refusal(code: Refusal, values: Mapping[str, Any]) -> ForbliError:
    """The refusal as an error, with those of the values that its sentence names."""
    cause, sentence = REFUSALS[code]
    places = {name: values[name] for _, name, _, _ in Formatter().parse(sentence) if name}
    return cause(sentence, code=code.value, **places)
