"""The company's profile, VAT, rates and books: dated, nothing overwritten, each refusal one sentence."""

import datetime as dt
from datetime import date
from decimal import Decimal
from itertools import count

import pytest
from sqlalchemy import select

from core.actions.company import (
    add_currency_rate,
    add_vat_rule,
    ask_to_reopen,
    close_books,
    decline_reopening,
    profile_on,
    reopen_books,
    save_company,
)
from core.actions.people import add_person, change_person
from core.domain.access import SYSTEM, Actor, Role
from core.domain.errors import Conflict, InvalidInput, NotPermitted
from core.store.billing import books_closed_through, vat_rules
from core.store.engine import reading
from core.store.tables import CompanyProfile, CurrencyRate, VatRule, core_table

NOW = dt.datetime(2026, 6, 15, 10, tzinfo=dt.UTC)
TODAY = date(2026, 6, 15)
JULY, JANUARY = date(2026, 7, 1), date(2027, 1, 1)
COMPANY = {"legal_name": "Fjordnett AS", "organisation_number": "923609016", "bank_account": "8601.11.17947"}
_ids = count(1)


def do(engine, action, actor=SYSTEM, **content):
    return action(engine, actor, f"test {next(_ids)}", NOW, **content)


@pytest.fixture
def company(engine):
    do(engine, save_company, effective_from=date(2020, 1, 1), **COMPANY)
    return engine


def on(engine, day):
    with reading(engine) as session:
        return profile_on(session, day)


def rows(engine, model):
    with reading(engine) as session:
        return session.execute(select(core_table(model)).order_by(core_table(model).c.id)).all()


def test_a_profile_holds_from_its_day_and_the_old_one_stays(company):
    answer = do(company, save_company, effective_from=JULY, terms_days=30)
    assert answer == {"changed": ["terms_days"], "carried_to": []}
    assert (on(company, date(2026, 6, 30))["terms_days"], on(company, JULY)["terms_days"]) == (14, 30)
    assert on(company, JULY)["legal_name"] == "Fjordnett AS"
    assert [row.author for row in rows(company, CompanyProfile)] == ["system", "system"]


def test_numbers_are_kept_in_their_plain_form(company):
    assert on(company, TODAY)["bank_account"] == "86011117947"
    do(company, save_company, effective_from=TODAY, iban="NO93 8601 1117 947", bic="dnbanokk")
    assert (on(company, TODAY)["iban"], on(company, TODAY)["bic"]) == ("NO9386011117947", "DNBANOKK")


def test_a_change_of_today_is_carried_into_what_begins_later(company):
    do(company, save_company, effective_from=JANUARY, city="Bergen", terms_days=30)
    answer = do(company, save_company, effective_from=TODAY, email="post@fjordnett.no", terms_days=20)
    assert answer["carried_to"] == ["2027-01-01"]
    later = on(company, JANUARY)
    assert (later["city"], later["email"], later["terms_days"]) == ("Bergen", "post@fjordnett.no", 30)


@pytest.mark.parametrize(
    ("fields", "refusal"),
    [
        ({"legal_name": " "}, "A name is needed"),
        ({"legal_name": "=1+1"}, "formula"),
        ({"legal_name": "A\x00S"}, "cannot be read"),
        ({"organisation_number": "923609017"}, "no Norwegian organisation number"),
        ({"bank_account": "86011117948"}, "no Norwegian account number"),
        ({"iban": "NO9386011117948"}, "no IBAN"),
        ({"iban": "GB82WEST12345698765432"}, "two different accounts"),
        ({"bic": "DNB"}, "no BIC"),
        ({"country": "XX"}, "country XX is not known"),
        ({"currency": "KRO"}, "currency KRO is not known"),
        ({"time_zone": "Europe/Atlantis"}, "time zone Europe/Atlantis is not known"),
        ({"postal_code": "123"}, "four digits"),
        ({"email": "post@"}, "no e-mail address"),
        ({"terms_days": 121}, "0 to 120 days, not 121"),
        ({"terms_days": -1}, "0 to 120 days, not -1"),
        ({"late_usage_days": 366}, "0 to 365 days"),
        ({"usage_grace_days": 32}, "0 to 31 days"),
        ({"review_above_minor": 0}, "more than zero"),
        ({"review_lines_above": 0}, "1 to 100000"),
        ({"invoice_prefix": "F-"}, "up to six letters"),
        ({"invoice_prefix": "k"}, "different prefixes"),
        ({"effective_from": date(1026, 1, 1)}, "too early"),
    ],
)
def test_what_a_company_cannot_be_is_one_sentence_and_nothing_is_stored(company, fields, refusal):
    with pytest.raises(InvalidInput, match=refusal):
        do(company, save_company, **{"effective_from": JULY, **fields})
    assert len(rows(company, CompanyProfile)) == 1


def test_a_vat_rule_replaces_the_older_one_from_its_first_day(company):
    standard = {"seller_country": "NO", "customer_country": "NO"}
    do(company, add_vat_rule, **standard, valid_from=date(2020, 1, 1), rate_ppm=250_000)
    do(company, add_vat_rule, **standard, valid_from=JANUARY, rate_ppm=200_000)
    do(company, add_vat_rule, **standard, valid_from=JANUARY, rate_ppm=260_000)
    with reading(company) as session:
        known = vat_rules(session, "NO").select("valid_from", "rate_ppm").rows()
    assert known == [(date(2020, 1, 1), 250_000), (JANUARY, 260_000)]
    assert [row.rate_ppm for row in rows(company, VatRule)] == [250_000, 200_000, 260_000]


def test_a_vat_rule_may_not_reach_into_a_later_one_for_the_same_customers(company):
    do(company, add_vat_rule, seller_country="NO", valid_from=JANUARY, rate_ppm=260_000)
    with pytest.raises(Conflict, match="begins on 2027-01-01"):
        do(company, add_vat_rule, seller_country="NO", valid_from=JULY, rate_ppm=250_000)
    do(company, add_vat_rule, seller_country="NO", valid_from=JULY, valid_to=JANUARY, rate_ppm=250_000)
    do(company, add_vat_rule, seller_country="NO", customer_kind="business", valid_from=JULY, rate_ppm=250_000)


@pytest.mark.parametrize(
    ("fields", "refusal"),
    [
        ({"rate_ppm": 1_000_001}, "0 to 100 %"),
        ({"rate_ppm": -1}, "0 to 100 %"),
        ({"rate_ppm": 0}, "is the treatment zero"),
        ({"treatment": "zero"}, "Only the standard treatment has a rate"),
        ({"treatment": "free"}, "not “free”"),
        ({"customer_kind": "robot"}, "not “robot”"),
        ({"customer_country": "XX"}, "country XX"),
        ({"seller_country": "*"}, "country \\*"),
        ({"category": "a/b"}, "is no code"),
        ({"valid_to": JULY}, "end before it begins"),
    ],
)
def test_what_a_vat_rule_cannot_be_is_one_sentence(company, fields, refusal):
    with pytest.raises(InvalidInput, match=refusal):
        do(company, add_vat_rule, **{"seller_country": "NO", "valid_from": JULY, "rate_ppm": 250_000, **fields})
    assert rows(company, VatRule) == []


def test_a_rate_is_kept_as_it_was_typed(company):
    do(company, add_currency_rate, currency="EUR", on_date=TODAY, rate="11,5025")
    do(company, add_currency_rate, currency="JPY", on_date=TODAY, rate=Decimal("0.0670"))
    assert [(row.currency, row.rate) for row in rows(company, CurrencyRate)] == [("EUR", "11.5025"), ("JPY", "0.0670")]


@pytest.mark.parametrize(
    ("currency", "rate", "on_date", "refusal"),
    [
        ("KRO", "1", TODAY, "currency KRO"),
        ("NOK", "1", TODAY, "own currency"),
        ("EUR", "0", TODAY, "more than zero"),
        ("EUR", "-1", TODAY, "more than zero"),
        ("EUR", "NaN", TODAY, "not a number"),
        ("EUR", "1.12345678901", TODAY, "more than 10 decimals"),
        ("EUR", "11.5", date(2026, 6, 16), "not known yet"),
    ],
)
def test_what_a_rate_cannot_be_is_one_sentence(company, currency, rate, on_date, refusal):
    with pytest.raises(InvalidInput, match=refusal):
        do(company, add_currency_rate, currency=currency, rate=rate, on_date=on_date)


def closed(engine):
    with reading(engine) as session:
        return books_closed_through(session)


def test_books_close_forwards_and_never_into_the_future(company):
    do(company, close_books, through=date(2026, 4, 30), reason="April is reported")
    with pytest.raises(Conflict, match="already closed through 2026-04-30"):
        do(company, close_books, through=date(2026, 4, 30), reason="again")
    with pytest.raises(InvalidInput, match="still to come"):
        do(company, close_books, through=date(2026, 6, 16), reason="early")
    with pytest.raises(InvalidInput, match="Say why"):
        do(company, close_books, through=date(2026, 5, 31), reason="  ")
    assert closed(company) == date(2026, 4, 30)


def test_the_day_is_the_company_s_own(company):
    late = dt.datetime(2026, 6, 15, 22, 30, tzinfo=dt.UTC)  # half past midnight on the 16th in Oslo
    close_books(company, SYSTEM, "late", late, through=date(2026, 6, 16), reason="year end")
    assert closed(company) == date(2026, 6, 16)


def test_nothing_is_said_about_days_whose_books_are_closed(company):
    do(company, close_books, through=date(2026, 4, 30), reason="reported")
    with pytest.raises(Conflict, match="begin on a later day"):
        do(company, save_company, effective_from=date(2026, 4, 30), city="Oslo")
    with pytest.raises(Conflict, match="begin on a later day"):
        do(company, add_vat_rule, seller_country="NO", valid_from=date(2026, 4, 1), rate_ppm=250_000)


@pytest.fixture
def people(company):
    """Kari and Ola of finance, Siv of support, Per who has left."""
    added = [("Kari", "finance"), ("Ola", "finance"), ("Siv", "support"), ("Per", "finance")]
    ids = {
        name: do(company, add_person, name=name, email=f"{name}@fjordnett.no", role=role)["person_id"]
        for name, role in added
    }
    do(company, change_person, person_id=ids["Per"], active=False)
    do(company, close_books, through=date(2026, 4, 30), reason="reported")
    return ids


def test_reopening_needs_a_second_person_who_may_close(company, people):
    kari, ola, siv = (Actor(name, role, people[name]) for name, role in (("Kari", Role.FINANCE), ("Ola", Role.FINANCE), ("Siv", Role.SUPPORT)))  # fmt: skip
    wanted = {"through": date(2026, 3, 31), "reason": "April was reported without a credit note"}
    asked = do(company, ask_to_reopen, kari, **wanted)["reopening_id"]
    for actor, refusal in ((kari, "cannot approve it yourself"), (siv, "may not do this")):
        with pytest.raises(NotPermitted, match=refusal):
            do(company, reopen_books, actor, reopening_id=asked)
    assert closed(company) == date(2026, 4, 30)
    assert do(company, reopen_books, ola, reopening_id=asked)["asked_by"] == "Kari"
    assert closed(company) == date(2026, 3, 31)
    with pytest.raises(Conflict, match="answered or replaced"):
        do(company, reopen_books, ola, reopening_id=asked)


def test_a_request_to_reopen_is_declined_or_replaced(company, people):
    kari, ola = (Actor(name, Role.FINANCE, people[name]) for name in ("Kari", "Ola"))
    first = do(company, ask_to_reopen, kari, through=date(2026, 3, 31), reason="x")["reopening_id"]
    second = do(company, ask_to_reopen, kari, through=date(2026, 2, 28), reason="y")["reopening_id"]
    with pytest.raises(Conflict, match="replaced"):
        do(company, reopen_books, ola, reopening_id=first)
    with pytest.raises(InvalidInput, match="Say why"):
        do(company, decline_reopening, ola, reopening_id=second, reason=" ")
    do(company, decline_reopening, ola, reopening_id=second, reason="a credit note does it")
    with pytest.raises(Conflict, match="answered"):
        do(company, reopen_books, ola, reopening_id=second)
    assert closed(company) == date(2026, 4, 30)


def test_reopening_goes_back_and_says_why(company, people):
    with pytest.raises(Conflict, match="earlier day"):
        do(company, ask_to_reopen, through=date(2026, 4, 30), reason="x")
    with pytest.raises(InvalidInput, match="Say why"):
        do(company, ask_to_reopen, through=date(2026, 3, 31), reason="")


@pytest.mark.parametrize("role", [Role.VIEWER, Role.PRODUCT, Role.SUPPORT])
def test_only_finance_and_administrators_change_settings(company, role):
    actor = Actor("Siv", role)
    with pytest.raises(NotPermitted):
        do(company, save_company, actor, effective_from=JULY, city="Oslo")
    with pytest.raises(NotPermitted):
        do(company, close_books, actor, through=date(2026, 4, 30), reason="x")
