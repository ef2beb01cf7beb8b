"""What the company says of itself, dated: its profile, VAT rules, currency rates and closed books. Nothing is overwritten.

A profile is a row in force from a day on. A change that begins before a later row is carried into that row too, so that
a new e-mail address of today is not lost on 1 January when a new postal address begins.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from decimal import Decimal
from typing import Any, NamedTuple

from sqlalchemy import and_, func, select
from sqlalchemy.orm import Session
from stdnum import bic as bic_number
from stdnum import iban as iban_number
from stdnum.exceptions import ValidationError
from stdnum.no import kontonr, orgnr

from core.actions.command import Answer, Work, add_row, command
from core.actions.invoices import business_day
from core.domain import company as rules
from core.domain.access import Permission
from core.domain.company import Reopening
from core.domain.errors import Conflict, InvalidInput, NotPermitted
from core.domain.money import parse_decimal
from core.domain.wording import readable
from core.store import billing
from core.store.save import insert_many
from core.store.tables import BooksClosed, BooksReopening, CompanyProfile, CurrencyRate, VatRule, core_table

DATED = ("id", "effective_from", "recorded_at", "author")
PROFILE_FIELDS = tuple(name for name in CompanyProfile.model_fields if name not in DATED)
NUMBERS = {  # field: the register's own check, and the sentence of its refusal
    "iban": (iban_number, "“{given}” is no IBAN: its check digits do not fit"),
    "bic": (bic_number, "“{given}” is no BIC: it has 8 or 11 characters, such as DNBANOKK"),
}
NORWEGIAN_NUMBERS = {
    "organisation_number": (orgnr, "“{given}” is no Norwegian organisation number: it has nine digits, the last a check digit"),
    "bank_account": (kontonr, "“{given}” is no Norwegian account number: it has eleven digits, the last a check digit"),
}  # fmt: skip


@command("company.save", Permission.EDIT_SETTINGS)
def save_company(work: Work, /, *, effective_from: date, **fields: Any) -> Answer:
    """Say something of the company from a day on; fields that are not given keep what holds on that day."""
    plan = plan_profile(work.session, effective_from, fields)
    insert_many(work.session, CompanyProfile, [{**row, **work.stamp} for row in plan.rows])
    work.audit("company", *plan.changes)
    return {"changed": sorted(plan.changes), "carried_to": [day.isoformat() for day in plan.carried_to]}


class ProfilePlan(NamedTuple):
    """What a save would do: field → (before, after), the rows it writes, the later days that take the change over."""

    changes: dict[str, tuple[Any, Any]]
    rows: list[dict[str, Any]]

    @property
    def carried_to(self) -> list[date]:
        """The first days of later profiles that the change is carried into."""
        return [row["effective_from"] for row in self.rows[1:]]


def plan_profile(session: Session, effective_from: date, fields: Mapping[str, Any]) -> ProfilePlan:
    """What `save_company` would do, refusing what it would refuse; writes nothing."""
    rules.check_day(effective_from)
    _refuse_closed(session, effective_from)
    base = profile_on(session, effective_from)
    wanted = good_profile({**base, **fields})
    changes = {name: (base[name], wanted[name]) for name in PROFILE_FIELDS if wanted[name] != base[name]}
    rows = [{**wanted, "effective_from": effective_from}]
    for later in later_profiles(session, effective_from):
        carried = {name: wanted[name] for name in changes if later[name] == base[name]}
        if carried:
            rows.append({**later, **carried})
    return ProfilePlan(changes, rows)


def profile_on(session: Session, day: date) -> dict[str, Any]:
    """The profile's fields in force on a day; the defaults before there is one."""
    try:
        row = billing.company_profile(session, day)
    except Conflict:
        return {name: _default(name) for name in PROFILE_FIELDS}
    return {name: getattr(row, name) for name in PROFILE_FIELDS}


def _default(name: str) -> Any:
    default = core_table(CompanyProfile).c[name].default
    return CompanyProfile.model_fields[name].default if default is None else default.arg  # type: ignore[attr-defined]


def later_profiles(session: Session, day: date) -> list[dict[str, Any]]:
    """What is in force from each later day on, by day."""
    table = core_table(CompanyProfile)
    newest = select(func.max(table.c.id)).where(table.c.effective_from > day).group_by(table.c.effective_from)
    rows = session.execute(select(table).where(table.c.id.in_(newest)).order_by(table.c.effective_from))
    return [{name: row[name] for name in (*PROFILE_FIELDS, "effective_from")} for row in rows.mappings()]


def good_profile(profile: Mapping[str, Any]) -> dict[str, Any]:
    """The profile with clean numbers; refuses what cannot be right and an account that is not its IBAN."""
    unknown = set(profile) - set(PROFILE_FIELDS)
    assert not unknown, f"a company has no {sorted(unknown)}"
    clean = {name: readable(value) if isinstance(value, str) else value for name, value in profile.items()}
    rules.check_profile(clean)
    numbers = {**NUMBERS, **(NORWEGIAN_NUMBERS if clean["country"] == "NO" else {})}
    for name, (register, refusal) in numbers.items():
        clean[name] = _valid(register, clean[name], refusal)
    both = clean["country"] == "NO" and clean["bank_account"] and clean["iban"]
    if both and kontonr.to_iban(clean["bank_account"]) != clean["iban"]:
        raise InvalidInput("The IBAN and the account number are two different accounts", code="two_accounts")
    return clean


def _valid(register: Any, given: str, refusal: str) -> str:
    """The number in its plain form; an empty one stays empty."""
    try:
        return str(register.validate(given)) if given else ""
    except ValidationError:
        raise InvalidInput(refusal, code="bad_number", given=given) from None


def _refuse_closed(session: Session, day: date) -> None:
    """What documents said in closed books stays."""
    closed = billing.books_closed_through(session)
    if closed is not None and day <= closed:
        raise Conflict(
            "The books are closed through {closed}; begin on a later day", code="books_closed", closed=closed
        )


# --- VAT and currencies --------------------------------------------------------------------------------------------


@command("company.add_vat_rule", Permission.EDIT_SETTINGS)
def add_vat_rule(
    work: Work, *, seller_country: str, valid_from: date, rate_ppm: int = 0, treatment: str = "standard",
    category: str = "standard", customer_kind: str = rules.ANY, customer_country: str = rules.ANY,
    has_vat_number: bool | None = None, valid_to: date | None = None,
) -> Answer:  # fmt: skip
    """Add a dated VAT rule: from its first day it replaces an older one for the same customers; documents issued stay."""
    buyers = {"seller_country": seller_country, "customer_kind": customer_kind, "customer_country": customer_country,
              "has_vat_number": has_vat_number, "category": category}  # fmt: skip
    rule = {**buyers, "treatment": treatment, "rate_ppm": rate_ppm, "valid_from": valid_from, "valid_to": valid_to}
    rules.check_vat_rule(rule)
    _refuse_closed(work.session, valid_from)
    rules.check_overlap(valid_to, _next_begin(work.session, buyers, valid_from))
    return {"vat_rule_id": add_row(work, VatRule, rule, "vat_rule")}


def _next_begin(session: Session, buyers: Mapping[str, Any], after: date) -> date | None:
    """When the next rule for the same customers begins."""
    rule = core_table(VatRule).c
    same = and_(*(rule[name].is_(value) if value is None else rule[name] == value for name, value in buyers.items()))
    found: date | None = session.execute(
        select(func.min(rule.valid_from)).where(same, rule.valid_from > after)
    ).scalar()
    return found


@command("company.add_currency_rate", Permission.EDIT_SETTINGS)
def add_currency_rate(work: Work, *, currency: str, on_date: date, rate: Decimal | str) -> Answer:
    """Enter a rate: units of the company's currency for one unit of `currency`. The last one entered for a day holds."""
    value = parse_decimal(str(rate), places=rules.RATE_PLACES)
    profile = profile_on(work.session, on_date)
    today = business_day(work.now, profile["time_zone"])
    rules.check_currency_rate(currency, profile["currency"], value, on_date, today)
    row = {"currency": currency, "on_date": on_date, "rate": format(value, "f")}
    return {"currency_rate_id": add_row(work, CurrencyRate, row, "currency_rate")}


# --- books ---------------------------------------------------------------------------------------------------------


@command("company.close_books", Permission.CLOSE_BOOKS)
def close_books(work: Work, *, through: date, reason: str) -> Answer:
    """Close the books through a day: no document is dated on or before it any more."""
    today = business_day(work.now, profile_on(work.session, through)["time_zone"])
    rules.check_closing(through, billing.books_closed_through(work.session), today)
    row = {"through": through, "reason": rules.good_reason(reason)}
    return {"books_id": add_row(work, BooksClosed, row, "books")}


@command("company.ask_to_reopen", Permission.CLOSE_BOOKS)
def ask_to_reopen(work: Work, *, through: date, reason: str) -> Answer:
    """Ask a second person to move the closed day back to `through`; a newer request takes the place of an open one."""
    rules.check_reopening(through, billing.books_closed_through(work.session))
    row = {"step": Reopening.REQUESTED.value, "through": through, "reason": rules.good_reason(reason)}
    return {"reopening_id": add_row(work, BooksReopening, row)}


@command("company.reopen_books", Permission.CLOSE_BOOKS)
def reopen_books(work: Work, *, reopening_id: int) -> Answer:
    """Approve what another person asked for: the books stay closed through the earlier day only."""
    asked = _asked(work, reopening_id)
    if work.author == asked.author:
        raise NotPermitted("Reopening needs a second person; you cannot approve it yourself", code="four_eyes")
    rules.check_reopening(asked.through, billing.books_closed_through(work.session))
    given = {"through": asked.through, "reason": asked.reason}
    add_row(work, BooksReopening, {"step": Reopening.APPROVED.value, **given})
    return {"books_id": add_row(work, BooksClosed, given, "books"), "asked_by": asked.author}


@command("company.decline_reopening", Permission.CLOSE_BOOKS)
def decline_reopening(work: Work, *, reopening_id: int, reason: str) -> Answer:
    """Leave the books closed, and say why; whoever asked may take it back so too."""
    asked = _asked(work, reopening_id)
    row = {"step": Reopening.DECLINED.value, "through": asked.through, "reason": rules.good_reason(reason)}
    return {"reopening_id": add_row(work, BooksReopening, row)}


def _asked(work: Work, reopening_id: int) -> Any:
    """The open request; refuses one that was answered or replaced."""
    last = billing.last_reopening(work.session)
    if last is None or last.id != reopening_id or last.step != Reopening.REQUESTED:
        raise Conflict("This request was answered or replaced in the meantime", code="not_open")
    return last
