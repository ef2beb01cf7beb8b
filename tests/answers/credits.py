"""`credit_note` and `plan_change`: what is given back and what is charged instead, by drafts against what was billed."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

import polars as pl

from core.calc.arithmetic import part_of_period, share
from core.calc.billing.documents import Draft
from core.calc.billing.tax import credit_tax
from core.calc.pricebook import MICRO, exact
from core.domain.invoices import creditable_minor, refundable_minor
from tests.answers.discount_tax import rate_ppm
from tests.answers.given import Answer, Given, OutOfScope, money
from tests.company import SINCE, Company, charge, tier

LONGEST_PERIOD_DAYS = 10_000


def credit_note(given: Given) -> Answer:
    """Credits for unused days, by hand, and their bounds."""
    currency = given.any("currency")
    rules: dict[str, Any] = {"termination": _termination, "manual": _manual, "cap": _bound, "repair": _repair}
    answer: Answer = rules[given.any("op")](given, currency)
    return answer


def plan_change(given: Given) -> Answer:
    """Credit for the old terms, charge for the new."""
    op = given.any("op")
    if op == "classify":
        raise OutOfScope("direction by price; ours comes from the plan's rank")
    return _ratio(given) if op == "ratio" else _immediate(given)


def _days(number: int) -> date:
    return SINCE + timedelta(days=number)


def _unused(amount_minor: int, unused_days: int, period_days: int) -> int:
    """The part of a period's amount that its last days make up."""
    return _part(amount_minor, period_days - unused_days, period_days, period_days)


def _part(amount_minor: int, first: int, last: int, period_days: int) -> int:
    span = {
        "service_start": _days(first), "service_end": _days(last), "period_start": SINCE, "period_end": _days(period_days)
    }  # fmt: skip
    return int(part_of_period(pl.DataFrame({**span, "period_amount_minor": amount_minor})).item())


def _termination(given: Given, currency: str) -> Answer:
    """The unused days less earlier credits, its VAT at the original rate, and how much of it may be refunded."""
    amount, period_days = given.minor("plan_amount", currency), given.count("period_days")
    unused = _unused(amount, given.count("unused_days"), period_days)
    credited = given.minor("already_credited_net", currency)
    net = creditable_minor(potential_minor=unused, paid_minor=unused, credited_minor=credited)
    tax = _credit_tax(given, net, credited)
    answer = _credit(net, tax, currency)
    if "paid" in given:
        refund = _refund(given, currency, period_days, net + tax)
        answer |= {"refund": money(refund, currency), "credit": money(net + tax - refund, currency)}
    return answer


def _refund(given: Given, currency: str, period_days: int, total: int) -> int:
    """Upper bound of a refund: the line's share of what was paid, less the value of the used days."""
    whole = given.minor("line_total", currency)
    invoice = given.minor("invoice_total", currency)
    paid = pl.DataFrame({"paid": [given.minor("paid", currency)], "line": [whole], "invoice": [invoice]})
    paid_share = share(paid, "paid", pl.col("line"), pl.col("invoice")).item()
    used = _part(whole, 0, given.count("used_days"), period_days)
    return refundable_minor(paid_minor=paid_share, used_minor=used, total_minor=total)


def _credit_tax(given: Given, net_minor: int, credited_minor: int) -> int:
    """VAT of a credit after earlier credits of the same document."""
    rate = pl.lit(rate_ppm(given.any("tax_rate", "0")))
    return int(pl.select(credit_tax(rate, pl.lit(net_minor), pl.lit(credited_minor))).item())


def _credit(net_minor: int, tax_minor: int, currency: str) -> Answer:
    """Rounded net and rounded VAT; their sum is never rounded apart."""
    total = net_minor + tax_minor
    return {"net": money(net_minor, currency), "tax": money(tax_minor, currency), "total": money(total, currency)}


def _manual(given: Given, currency: str) -> Answer:
    net = given.rounded_minor("net", currency)
    return _credit(net, _credit_tax(given, net, given.minor("already_credited_net", currency)), currency)


def _bound(given: Given, currency: str) -> Answer:
    """The most that may be refunded."""
    most = creditable_minor(
        potential_minor=given.minor("potential", currency),
        paid_minor=given.minor("originally_paid", currency),
        credited_minor=given.minor("already_credited", currency),
    )
    return {"credit": money(most, currency)}


def _repair(given: Given, currency: str) -> Answer:
    """The unused part of a line, never more than the line less what was taken off it before."""
    line = given.minor("line_amount", currency)
    unused = _unused(line, given.count("unused_days"), given.count("period_days"))
    adjusted = given.minor("already_adjusted", currency)
    most = creditable_minor(potential_minor=unused, paid_minor=line, credited_minor=adjusted)
    return {"credit": money(most, currency)}


def _immediate(given: Given) -> Answer:
    """A change inside a period that was billed in advance (or is billed afterwards), by a draft against it."""
    currency, old, new = given.any("currency"), given.part("old"), given.part("new")
    assert old is not None, "the case needs the old terms"
    given.any("action")
    change_on = given.day("change_on")
    start = old.day_or_none("period_start") or given.day("period_start")
    end = old.day_or_none("period_end") or given.day("period_end")
    timing = given.one_of("billing", "in_advance", "in_arrears")
    anchor = given.day_or_none("anchor")
    company = Company()
    before = _version(company, old, currency, (end - start).days, timing)
    company.start(before, start, anchor=anchor or start, micro=_quantity(old))
    billed = int(company.bill(start).lines["amount_minor"].sum())
    if new is None:
        company.change(1, "cancel", change_on, credit="credit")
    else:
        after = _version(company, new, currency, (end - start).days, timing)
        own = None if anchor else new.day_or_none("period_start")
        _period_of(new)
        terms = {"price_version_id": after, "quantity_micro": _quantity(new), "anchor_on": own}
        company.change(1, "price", change_on, **terms)
    made = company.bill(change_on if timing == "in_advance" else end)
    return _bounded(given, made, billed, currency)


def _period_of(terms: Given) -> tuple[date | None, date | None]:
    """The period that the case states for these terms; the product finds it from the anchor."""
    return terms.day_or_none("period_start"), terms.day_or_none("period_end")


def _version(company: Company, terms: Given, currency: str, period_days: int, timing: str = "in_advance") -> int:
    """Seats at a unit price; without an interval the period itself is one."""
    price = charge("seat", "per_unit", tier(unit=terms.text("unit_amount") or "0"), timing=timing)
    months = terms.count("interval_months")
    return company.version(price, currency=currency, months=months, days=0 if months else period_days)


def _quantity(terms: Given) -> int:
    return exact(terms.text("quantity", "1"), MICRO) or 0


def _bounded(given: Given, made: Draft, billed_minor: int, currency: str) -> Answer:
    """Credit, charge and net of a draft; what was paid and what was taken off before bound the credit."""
    amounts = made.lines["amount_minor"]
    unused, charged = -int(amounts.filter(amounts < 0).sum()), int(amounts.filter(amounts > 0).sum())
    paid = given.minor("paid", currency) if "paid" in given else billed_minor
    adjusted = given.minor("already_adjusted", currency)
    credit = creditable_minor(potential_minor=unused, paid_minor=paid, credited_minor=adjusted)
    net = int(made.documents["net_minor"].sum()) if credit == unused else charged - credit
    return {"credit": money(credit, currency), "charge": money(charged, currency), "net": money(net, currency)}


def _ratio(given: Given) -> Answer:
    """A change when a known share of the period remains: a period of as many days as the share needs."""
    currency, old, new = given.any("currency"), given.part("old"), given.part("new")
    if old is None or new is None:
        raise ValueError("the case needs both terms")
    remaining, days = given.decimal("remaining_ratio").as_integer_ratio()
    if days > LONGEST_PERIOD_DAYS:
        return _by_share(old, new, remaining, days, currency)
    days *= 2  # a change on the first day would be the first line of the day, not a credit
    company = Company()
    company.start(_version(company, old, currency, days), SINCE, micro=_quantity(old))
    billed = int(company.bill(SINCE).lines["amount_minor"].sum())
    after = _version(company, new, currency, days)
    on = _days(days - 2 * remaining)
    company.change(1, "price", on, price_version_id=after, quantity_micro=_quantity(new))
    return _bounded(given, company.bill(on), billed, currency)


def _by_share(old: Given, new: Given, remaining: int, days: int, currency: str) -> Answer:
    """The same for shares that no period of days can have."""
    full = pl.DataFrame({"amount": [_period_amount(old, currency), _period_amount(new, currency)]})
    credit, charged = share(full, "amount", pl.lit(remaining), days)
    return {
        "credit": money(credit, currency), "charge": money(charged, currency), "net": money(charged - credit, currency)
    }  # fmt: skip


def _period_amount(terms: Given, currency: str) -> int:
    """What a whole period costs."""
    company = Company()
    company.start(_version(company, terms, currency, 1), SINCE, micro=_quantity(terms))
    return int(company.bill(SINCE).lines["amount_minor"].sum())
