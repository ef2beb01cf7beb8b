"""A mapping: the small TOML file that says what the columns of somebody else's file mean.

Every target is an SQL expression over the file's columns (all of them text, an empty cell is NULL), over `as_of` (the day
the file speaks of) and `row_number` (1 for the first row). Each row stands alone: no aggregates, no windows.

    [file]           separator = ","   encoding = "utf-8" (or "cp1252", "latin-1")   as_of = 2024-01-31 (optional)
    [let]            names for expressions that other expressions use, in the order written
    [plans.CODE]     name, rank, prices = [{currency, interval, amount}], addons = [{code, name, amount}], per_seat = false,
                     charge = "what the line on the invoice is called"; made when they are not in the catalogue yet
    [customer]       id*, name*, kind, contact, address, postal_code, city, country, email, phone, language,
                     organisation_number, reference, payment_option, channel, since; repeats = true when a customer may
                     have several rows
    [subscription]   id, customer (when there is no [customer]), plan*, currency*, interval*, start*, end, end_cause,
                     own_price, total_price, quantity, coupon, coupon_periods_left, discount_percent, minimum_term_until,
                     billed_through; [subscription.addons] CODE = condition or quantity;
                     end_on_extraction_is_open = true when an end on or after `as_of` only means "seen until then"
    [usage]          id*, subscription*, meter*, date*, quantity, amount
    [touch_point]    id, customer*, date*, kind*, topic, outcome, note

A section may have `where`: the condition of the rows it reads. Amounts are in major units a billing interval, rounded half
away from zero to the minor unit; `own_price` replaces the plan's list price, `total_price` is what the row pays in all and
makes one adjustment line beside the list price and the add-ons. A constant is an SQL constant: currency = "'USD'".
`DATE(x)` reads 2024-01-31; other ways of writing take their format: DATE(x, '%d.%m.%Y'). A commented example stands in
`seed/mappings/sample.toml`.
"""

from __future__ import annotations

import hashlib
import tomllib
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from typing import Any

from core.domain.errors import InvalidInput
from core.domain.money import parse_decimal, to_exact_minor
from core.domain.periods import INTERVALS

TEXT, DATE, NUMBER = "text", "date", "number"

# Targets of each section and what they hold. Required ones are in REQUIRED.
TARGETS: dict[str, dict[str, str]] = {
    "customer": {
        "id": TEXT, "name": TEXT, "kind": TEXT, "contact": TEXT, "address": TEXT, "postal_code": TEXT, "city": TEXT,
        "country": TEXT, "email": TEXT, "phone": TEXT, "language": TEXT, "organisation_number": TEXT, "reference": TEXT,
        "payment_option": TEXT, "channel": TEXT, "since": DATE,
    },
    "subscription": {
        "id": TEXT, "customer": TEXT, "plan": TEXT, "currency": TEXT, "interval": TEXT, "start": DATE, "end": DATE,
        "end_cause": TEXT, "own_price": NUMBER, "total_price": NUMBER, "quantity": NUMBER, "coupon": TEXT,
        "coupon_periods_left": NUMBER, "discount_percent": NUMBER, "minimum_term_until": DATE, "billed_through": DATE,
    },
    "usage": {
        "id": TEXT, "subscription": TEXT, "meter": TEXT, "date": DATE, "quantity": NUMBER, "amount": NUMBER,
    },
    "touch_point": {
        "id": TEXT, "customer": TEXT, "date": DATE, "kind": TEXT, "topic": TEXT, "outcome": TEXT, "note": TEXT,
    },
}  # fmt: skip
REQUIRED: dict[str, tuple[str, ...]] = {
    "customer": ("id", "name"),
    "subscription": ("plan", "currency", "interval", "start"),
    "usage": ("id", "subscription", "meter", "date"),
    "touch_point": ("customer", "date", "kind"),
}
OPTIONS: dict[str, tuple[str, ...]] = {
    "customer": ("where", "repeats"),
    "subscription": ("where", "addons", "end_on_extraction_is_open"),
    "usage": ("where",),
    "touch_point": ("where",),
}
PLAN_KEYS = {"name", "rank", "charge", "prices", "addons", "per_seat"}
ENCODINGS = {"utf-8": "utf-8-sig", "latin-1": "latin-1", "iso-8859-1": "latin-1", "cp1252": "cp1252"}


@dataclass(frozen=True)
class AddOn:
    """An add-on of a plan: its amount a billing interval in major units."""

    code: str
    name: str
    amount: Decimal


@dataclass(frozen=True)
class PlanDefinition:
    """A plan as a mapping defines it; `prices` by (currency, interval) in major units."""

    code: str
    name: str
    rank: int
    charge: str
    per_seat: bool
    prices: dict[tuple[str, str], Decimal]
    addons: tuple[AddOn, ...]


@dataclass(frozen=True)
class Section:
    """The expressions of one target table."""

    name: str
    targets: dict[str, str]
    where: str | None = None
    addons: dict[str, str] = field(default_factory=dict)
    repeats: bool = False
    end_on_extraction_is_open: bool = False


@dataclass(frozen=True)
class Mapping:
    """A checked mapping. `content_hash` recognises it again."""

    content_hash: str
    separator: str
    encoding: str
    as_of: date | None
    let: dict[str, str]
    plans: dict[str, PlanDefinition]
    sections: dict[str, Section]


def parse_mapping(text: str) -> Mapping:
    """Read and check a mapping; a mistake in it is one sentence that names the place."""
    try:
        raw = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise InvalidInput("The mapping is not TOML: {reason}", code="bad_mapping", reason=str(error)) from None
    _only(raw, {"title", "file", "let", "plans", *TARGETS}, "the mapping")
    file = _table(raw, "file")
    _only(file, {"separator", "encoding", "as_of"}, "[file]")
    sections = {name: _section(name, _table(raw, name)) for name in TARGETS if name in raw}
    if not sections:
        raise InvalidInput(
            "The mapping says nothing to read: it needs [subscription], [usage] or [touch_point]", code="bad_mapping"
        )
    if "subscription" in sections and "customer" not in sections and "customer" not in sections["subscription"].targets:
        raise _missing("customer", "[subscription]")
    return Mapping(
        content_hash=hashlib.sha256(text.encode()).hexdigest(),
        separator=_separator(file),
        encoding=_encoding(file),
        as_of=_as_of(file),
        let={name: _expression("let", name, value) for name, value in _table(raw, "let").items()},
        plans={code: _plan(code, plan) for code, plan in _table(raw, "plans").items()},
        sections=sections,
    )


def _missing(name: str, place: str) -> InvalidInput:
    return InvalidInput("{place} of the mapping lacks “{name}”", code="bad_mapping", place=place, name=name)


def _table(raw: dict[str, Any], name: str) -> dict[str, Any]:
    value = raw.get(name, {})
    if not isinstance(value, dict):
        raise InvalidInput("“{name}” of the mapping must be a table: [{name}]", code="bad_mapping", name=name)
    return value


def _only(table: dict[str, Any], known: set[str], place: str) -> None:
    """Refuse words that mean nothing: most likely they are misspelt."""
    for name in table:
        if name not in known:
            raise InvalidInput(
                "“{name}” means nothing in {place}; known are {known}", code="bad_mapping", name=name, place=place,
                known=", ".join(sorted(known)),
            )  # fmt: skip


def _separator(file: dict[str, Any]) -> str:
    separator = file.get("separator", ",")
    if not isinstance(separator, str) or len(separator) != 1 or separator in '"\r\n':
        raise InvalidInput("The separator must be one character, such as , or ;", code="bad_mapping")
    return separator


def _encoding(file: dict[str, Any]) -> str:
    encoding = str(file.get("encoding", "utf-8")).lower()
    if encoding not in ENCODINGS:
        raise InvalidInput(
            "The encoding {encoding} is not known; use one of {known}", code="bad_mapping", encoding=encoding,
            known=", ".join(ENCODINGS),
        )  # fmt: skip
    return encoding


def _as_of(file: dict[str, Any]) -> date | None:
    as_of = file.get("as_of")
    if as_of is not None and type(as_of) is not date:
        raise InvalidInput("as_of under [file] must be a date such as 2024-01-31, without quotes", code="bad_mapping")
    return as_of


def _expression(section: str, name: str, value: Any) -> str:
    if not isinstance(value, str) or not value.strip():
        raise InvalidInput(
            "“{name}” under [{section}] must be an SQL expression in quotes", code="bad_mapping", name=name,
            section=section,
        )  # fmt: skip
    return value


def _section(name: str, raw: dict[str, Any]) -> Section:
    options = OPTIONS[name]
    _only(raw, {*TARGETS[name], *options}, f"[{name}]")
    for required in REQUIRED[name]:
        if required not in raw:
            raise _missing(required, f"[{name}]")
    for flag in ("repeats", "end_on_extraction_is_open"):
        if not isinstance(raw.get(flag, False), bool):
            raise InvalidInput("“{name}” must be true or false", code="bad_mapping", name=flag)
    addons = _table(raw, "addons")
    return Section(
        name=name,
        targets={key: _expression(name, key, value) for key, value in raw.items() if key not in options},
        where=_expression(name, "where", raw["where"]) if "where" in raw else None,
        addons={code: _expression("subscription.addons", code, value) for code, value in addons.items()},
        repeats=raw.get("repeats", False),
        end_on_extraction_is_open=raw.get("end_on_extraction_is_open", False),
    )


def _plan(code: str, raw: Any) -> PlanDefinition:
    """A plan definition with its amounts checked against their currencies."""
    place = f"[plans.{code}]"
    if not isinstance(raw, dict):
        raise InvalidInput(
            "“{name}” of the mapping must be a table: [{name}]", code="bad_mapping", name=f"plans.{code}"
        )
    _only(raw, PLAN_KEYS, place)
    name = raw.get("name")
    if not isinstance(name, str) or not name.strip():
        raise _missing("name", place)
    return PlanDefinition(
        code=code,
        name=name,
        rank=_of_type(place, raw, "rank", int, 0),
        charge=_of_type(place, raw, "charge", str, name),
        per_seat=_of_type(place, raw, "per_seat", bool, False),
        prices=dict(_price(place, price) for price in _of_type(place, raw, "prices", list, [])),
        addons=tuple(_addon(place, addon) for addon in _of_type(place, raw, "addons", list, [])),
    )


def _of_type(place: str, raw: dict[str, Any], key: str, kind: type, default: Any) -> Any:
    """An optional entry of a plan, of its kind."""
    value = raw.get(key, default)
    if type(value) is not kind:
        words = {int: "a whole number", str: "text in quotes", bool: "true or false", list: "a list: [{ … }]"}
        raise InvalidInput(
            "“{name}” under {place} must be {kind}", code="bad_mapping", name=key, place=place, kind=words[kind]
        )
    return value


def _price(place: str, raw: Any) -> tuple[tuple[str, str], Decimal]:
    currency, interval, amount = (_entry(place, raw, key) for key in ("currency", "interval", "amount"))
    if interval not in INTERVALS:
        raise InvalidInput(
            "The interval {interval} is not known; use one of {known}", code="unknown_interval", interval=interval,
            known=", ".join(INTERVALS),
        )  # fmt: skip
    value = parse_decimal(amount)
    to_exact_minor(value, currency)
    return (currency, interval), _not_negative(place, value)


def _addon(place: str, raw: Any) -> AddOn:
    code, name, amount = (_entry(place, raw, key) for key in ("code", "name", "amount"))
    return AddOn(code, name, _not_negative(place, parse_decimal(amount)))


def _entry(place: str, raw: Any, key: str) -> str:
    value = raw.get(key) if isinstance(raw, dict) else None
    if not isinstance(value, str) or not value.strip():
        raise InvalidInput(
            "{place} of the mapping: each price and add-on needs “{name}” in quotes", code="bad_mapping", place=place,
            name=key,
        )  # fmt: skip
    return value


def _not_negative(place: str, amount: Decimal) -> Decimal:
    if amount < 0:
        raise InvalidInput("{place} of the mapping: a price cannot be negative", code="bad_mapping", place=place)
    return amount
