"""`discount_tax` and `commitment`: rounding, coupons, VAT, splits and minimums, by drafts and the functions they use."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import polars as pl

from core.calc.arithmetic import allocate, part_of_period
from core.calc.billing.documents import Draft
from core.calc.billing.expected import true_up
from core.calc.billing.tax import net_of, tax_on, tax_per_rate
from core.calc.pricebook import MICRO, exact
from core.calc.rating import cap_then_minimum
from core.domain.money import parse_decimal, to_minor
from tests.answers.given import Answer, Given, OutOfScope, money
from tests.company import SINCE, Company, charge, tier

FINER = 12  # decimals to which an unrounded net is asked for


def discount_tax(given: Given) -> Answer:
    """Amounts, discounts and taxes of one question."""
    currency = given.any("currency")
    rules: dict[str, Any] = {
        "round": lambda: {"amount": money(given.rounded_minor("amount", currency), currency)},
        "line": lambda: _line(given, currency),
        "subtotal_round_each_line": lambda: _subtotal(given, currency),
        "allocate": lambda: _allocate(given, currency),
        "tax_exclusive": lambda: _tax_exclusive(given, currency),
        "tax_inclusive": lambda: _tax_inclusive(given, currency),
        "coupon": lambda: _coupons(given, [given.part("coupon")], currency),
        "sequential_coupons": lambda: _coupons(given, given.rows("coupons"), currency),
        "invoice": lambda: _invoice(given, currency),
    }
    answer: Answer = rules[given.any("op")]()
    return answer


def commitment(given: Given) -> Answer:
    """True-ups to a minimum, its part of a shorter service, and caps."""
    currency, op = given.any("currency"), given.any("op")
    if op == "windowed":
        raise OutOfScope("windowed commitments")
    if op == "cap":
        return _cap(given, currency)
    share = _minimum(given, currency)
    if op == "prorated_minimum":
        return {"minimum": money(share, currency)}
    given.any("round_used")  # the product always rounds both first
    given.any("round_minimum")
    used = given.rounded_minor("used", currency)
    missing = pl.select(true_up(pl.lit(share), pl.lit(used))).item()
    return {"true_up": money(missing, currency)}


def rate_ppm(percent: Any) -> int:
    """A percentage in millionths."""
    return exact(str(percent), 10_000) or 0


def _minimum(given: Given, currency: str) -> int:
    """The minimum's part of the last `days` of its period."""
    minimum = given.minor("minimum", currency)
    period_days = given.count("period_days", 1)
    end = SINCE + timedelta(days=period_days)
    start = end - timedelta(days=given.count("days", period_days))
    span = {"service_start": start, "service_end": end, "period_start": SINCE, "period_end": end}
    return int(part_of_period(pl.DataFrame({**span, "period_amount_minor": minimum})).item())


def _cap(given: Given, currency: str) -> Answer:
    """What is left of an amount under a cap of which some was billed before."""
    key = next(name for name in ("max_amount", "maximum", "cap") if name in given)
    amount = next(name for name in ("used", "amount") if name in given)
    lines = {
        "amount_minor": [given.rounded_minor(amount, currency)],
        "maximum_minor": [given.minor(key, currency)],
        "minimum_minor": [None],
        "already_billed_minor": [given.minor("already_billed", currency)],
    }
    capped = cap_then_minimum(pl.DataFrame(lines, schema_overrides={"minimum_minor": pl.Int64}))
    return {"amount": money(capped.item(), currency)}


def _line(given: Given, currency: str) -> Answer:
    """One line of a quantity at a unit price."""
    unit = tier(unit=given.text("unit_amount") or "0")
    company = Company()
    seats = company.version(charge("seat", "per_unit", unit), currency=currency)
    company.start(seats, SINCE, micro=exact(given.text("quantity"), MICRO) or 0)
    return {"amount": money(company.bill(SINCE).lines["amount_minor"].sum(), currency)}


def _subtotal(given: Given, currency: str) -> Answer:
    """The subtotal of a document with these lines."""
    made = _fees([(f"line {n}", amount) for n, amount in enumerate(given.any("amounts"))], currency).bill(SINCE)
    return {"subtotal": money(made.documents["subtotal_minor"].sum(), currency)}


def _fees(fees: list[tuple[str, str]], currency: str, **more: Any) -> Company:
    """A company with one subscription to flat fees named by their code."""
    company = Company(**more)
    charges = [charge("fixed", "flat", tier(flat=str(amount)), code=code) for code, amount in fees]
    company.start(company.version(*charges, currency=currency), SINCE)
    return company


def _allocate(given: Given, currency: str) -> Answer:
    """An amount spread by weights."""
    weights = [exact(str(weight), 10**6) for weight in given.any("weights")]
    rows = {"group": 0, "total": given.minor("amount", currency), "weight": weights}
    parts = allocate(pl.DataFrame(rows), ["group"], "total", "weight")
    return {"parts": [money(part, currency) for part in parts]}


def _tax_exclusive(given: Given, currency: str) -> Answer:
    """VAT on a net amount, each rate by itself."""
    base = given.rounded_minor("base", currency)
    rates = given.any("rates", [given.any("rate", "0")])
    rows = [_tax_row(f"rate {n}", rate, base) for n, rate in enumerate(rates)]
    taxes = tax_per_rate(pl.DataFrame(rows))["tax_minor"]
    return {"taxes": [money(tax, currency) for tax in taxes], "tax": money(taxes.sum(), currency)}


def _tax_row(treatment: str, rate: Any, charged_minor: int, *, inclusive: bool = False) -> dict[str, Any]:
    return {"document": 1, "tax_inclusive": inclusive, "tax_treatment": treatment, "tax_rate_ppm": rate_ppm(rate),
            "charged_minor": charged_minor}  # fmt: skip


def _tax_inclusive(given: Given, currency: str) -> Answer:
    """Net and VAT of an amount that holds the VAT: the net is rounded, the VAT is the rest."""
    how = given.one_of("round", "net", "none")
    rate = given.any("rate", "0")
    if how == "none":
        finer = exact(given.text("gross"), 10**FINER) or 0
        net = pl.select(net_of(pl.lit(finer), pl.lit(rate_ppm(rate)))).item()
        return {"net": f"{net // 10**FINER}.{net % 10**FINER:0{FINER}d}"}
    row = _tax_row("", rate, given.minor("gross", currency), inclusive=True)
    tax = tax_per_rate(pl.DataFrame([row]))
    return {"net": money(tax["base_minor"].item(), currency), "tax": money(tax["tax_minor"].item(), currency)}


def _coupons(given: Given, coupons: list[Given | None], currency: str) -> Answer:
    """What coupons take off one line."""
    company = _fees([("line", money(given.minor("base", currency), currency))], currency)
    for coupon in coupons:
        assert coupon is not None, "the case needs its coupon"
        _grant(company, coupon, currency, {"scope": "invoice"}, [])
    return {"discount": money(company.bill(SINCE).documents["discount_minor"].sum(), currency)}


def _invoice(given: Given, currency: str) -> Answer:
    """A document of lines with their own rates, and coupons on lines, groups of lines or the whole."""
    given.one_of("tax_rounding", "per_rate", "once_on_invoice")  # the product's way is per rate, whatever the source's
    rows = given.rows("lines")
    names = [str(row.any("id", n)) for n, row in enumerate(rows)]
    groups = {name: str(row.any("group", "")) for name, row in zip(names, rows, strict=True)}
    rates = {name: [rate_ppm(rate) for rate in row.any("tax_rates", [])] for name, row in zip(names, rows, strict=True)}
    company = Company(vat={str(rate): rate for rate in sorted({rate for of in rates.values() for rate in of} | {0})})
    coupons = given.rows("coupons")
    targets = _targets([coupon.any("lines") for coupon in coupons], groups)
    for group in dict.fromkeys(groups.values()):
        members = [(name, row) for name, row in zip(names, rows, strict=True) if groups[name] == group]
        company.start(_plan(company, members, rates, targets, currency), SINCE, customer_id=1)
    for coupon, target in zip(coupons, targets, strict=True):
        _grant(company, coupon, currency, target, list(dict.fromkeys(groups.values())))
    return _document(company.bill(SINCE), company, names, rates, currency)


def _plan(
    company: Company,
    members: list[tuple[str, Given]],
    rates: dict[str, list[int]],
    targets: list[dict[str, Any]],
    currency: str,
) -> int:
    """One plan for a group of lines; a coupon on some of them finds them by a shared code."""
    charges = []
    for name, row in members:
        code = next((target["charge_code"] for target in targets if name in target.get("covered", ())), name)
        amount = money(to_minor(parse_decimal(str(row.any("amount"))), currency), currency)
        category = str(rates[name][0]) if rates[name] else "0"
        charges.append(charge("fixed", "flat", tier(flat=amount), code=code, name=name, vat_category=category))
    return company.version(*charges, currency=currency)


def _targets(covered: list[list[str] | None], groups: dict[str, str]) -> list[dict[str, Any]]:
    """Scope of each coupon: the lines it names, all lines of a group (its plan), or the whole invoice."""
    targets: list[dict[str, Any]] = []
    for number, lines in enumerate(covered):
        whole = [
            group for group in set(groups.values()) if {n for n, g in groups.items() if g == group} == set(lines or ())
        ]
        if lines is None:
            targets.append({"scope": "invoice"})
        elif whole and len(lines) > 1:
            targets.append({"scope": "plan", "group": whole[0]})
        else:
            same = next((t for t in targets if set(t.get("covered", ())) == set(lines)), None)
            if same is None and any(set(t.get("covered", ())) & set(lines) for t in targets):
                raise ValueError("coupons on overlapping sets of lines")
            code = same["charge_code"] if same else (lines[0] if len(lines) == 1 else f"lines {number}")
            targets.append({"scope": "charge", "covered": tuple(lines), "charge_code": code})
    return targets


def _grant(company: Company, coupon: Given, currency: str, target: dict[str, Any], groups: list[str]) -> None:
    """Give a coupon to the subscription that has its lines: the first for the whole invoice."""
    percent = coupon.any("type") in ("percentage", "percent")
    value = rate_ppm(coupon.any("rate")) if percent else coupon.minor("amount", currency)
    terms: dict[str, Any] = {"scope": target["scope"], "charge_code": target.get("charge_code")}
    owner = 1
    if target["scope"] == "plan":
        owner = groups.index(target["group"]) + 1
    elif target["scope"] == "charge":
        names = {row["code"]: row["price_version_id"] for row in company.charges}
        owner = names[target["charge_code"]]
    coupon_id = company.coupon("percent" if percent else "amount", value, "once", currency=currency, **terms)
    company.change(owner, "coupon", SINCE, coupon_id=coupon_id)


def _document(made: Draft, company: Company, names: list[str], rates: dict[str, list[int]], currency: str) -> Answer:
    """Totals and what each line gave; the VAT of a line is shown, the document's is per rate."""
    head = made.documents.select("subtotal_minor", "discount_minor", "net_minor", "tax_minor", "total_minor").sum()
    subtotal, discount, net, tax, total = head.row(0)
    by_name = _by_name(made, company, names)
    if any(len(of) > 1 for of in rates.values()):  # the product's own lines bear one rate each
        tax = _taxes(by_name, rates)
        total = net + tax
    return {
        "subtotal": money(subtotal, currency),
        "discount": money(discount, currency),
        "tax": money(tax, currency),
        "total": money(total, currency),
        "line_discounts": {name: money(row["discount_minor"], currency) for name, row in by_name.items()},
        "line_tax": {
            name: money(sum(_tax(row["net_minor"], rate) for rate in rates[name]), currency)
            for name, row in by_name.items()
        },
    }


def _by_name(made: Draft, company: Company, names: list[str]) -> dict[str, dict[str, Any]]:
    """The draft's lines by the case's ids; a line of nothing is not billed."""
    named = {row["charge_id"]: row["name"] for row in company.charges}
    nothing = {"discount_minor": 0, "net_minor": 0}
    return dict.fromkeys(names, nothing) | {
        named[row["charge_id"]]: row for row in made.lines.iter_rows(named=True)
    }  # fmt: skip


def _tax(net_minor: int, rate: int) -> int:
    return int(pl.select(tax_on(pl.lit(net_minor), pl.lit(rate))).item())


def _taxes(by_name: dict[str, dict[str, Any]], rates: dict[str, list[int]]) -> int:
    """VAT per rate over the lines that bear it; several rates on a line do not compound."""
    rows = [
        {
            "document": 1,
            "tax_inclusive": False,
            "tax_treatment": "",
            "tax_rate_ppm": rate,
            "charged_minor": row["net_minor"],
        }
        for name, row in by_name.items()
        for rate in rates[name]
    ]
    return int(tax_per_rate(pl.DataFrame(rows))["tax_minor"].sum()) if rows else 0
