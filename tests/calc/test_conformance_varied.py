"""The runner on cases that nobody wrote down: random inputs in the cases' format, answers by slow arithmetic."""

from __future__ import annotations

from datetime import date, timedelta
from decimal import Decimal

from hypothesis import given, settings
from hypothesis import strategies as st

from tests import oracle
from tests.calc.conftest import TIMES
from tests.calc.strategies import CURRENCIES, DAYS, charges, quantities_micro
from tests.calc.test_conformance import case
from tests.calc.test_discounts import slow_discounts
from tests.calc.test_usage import percentage_charges
from tests.conformance import check

ROUND = {"up": "ceiling", "down": "floor", "nearest": "nearest"}


def major(amount, currency):
    return str(Decimal(amount).scaleb(-oracle.PLACES.get(currency, 2)))


def passes(kind, expected, **given_input):
    result = check(case(kind, expected, **given_input))
    assert (result.state, result.differences) == ("passed", [])


@settings(max_examples=90 * TIMES)
@given(charges(), CURRENCIES, st.data())
def test_charge_models_of_any_terms(row, currency, data):
    quantity, prior = data.draw(quantities_micro(row)), data.draw(st.sampled_from([0, 0, 5_000_000]))
    terms = {"model": row["model"], "currency": currency, "quantity": str(Decimal(quantity) / 10**6)}
    terms |= {
        "free_quantity": row["included_units"], "package_rounding": row["package_rounding"],
        "zero_usage_charges_first_tier_flat": row["first_tier_flat_at_zero"],
        "min_amount": row["min_amount"], "max_amount": row["max_amount"],
        "tiers": [
            {"up_to": tier["up_to"], "unit_amount": tier["unit_amount"], "flat_amount": tier["flat_amount"],
             "package_size": tier.get("package_size"), "rate": tier["rate_percent"]}
            for tier in row["tiers"]
        ],
    }  # fmt: skip
    if row["convert_by"]:
        terms["unit_conversion"] = {"divide_by": row["convert_by"], "round": ROUND[row["convert_rounding"]]}
    if prior:
        terms["prior_quantity"] = "5"
    free = {**row, "min_amount": None, "max_amount": None}
    before = oracle.cost(free, Decimal(prior) / 10**6, currency) if prior else 0
    whole = oracle.cost(free, Decimal(prior + quantity) / 10**6, currency)
    passes("charge_model", {"amount": major(oracle.limited(row, whole - before, currency), currency)}, **terms)


@given(percentage_charges(), CURRENCIES, st.lists(st.integers(0, 90_000), min_size=1, max_size=8))
def test_percentages_event_by_event(row, currency, cents):
    events = [Decimal(amount) / 100 for amount in cents]
    names = {"rate": "event_rate_percent", "fixed_amount": "event_fixed_amount"}
    same = ("free_events", "free_amount", "min_per_event", "max_per_event", "min_amount", "max_amount")
    terms = {name: row[column] for name, column in [*names.items(), *((name, name) for name in same)]}
    wanted = major(oracle.fees(row, events, currency), currency)
    passes(
        "charge_model",
        {"amount": wanted},
        model="percentage",
        currency=currency,
        events=[str(e) for e in events],
        **terms,
    )


@given(CURRENCIES, st.integers(0, 10**7), DAYS, st.integers(1, 366), st.integers(0, 366))
def test_parts_of_amounts(currency, amount, start, period_days, unused):
    unused = min(unused, period_days)
    end = start + timedelta(days=period_days)
    part = major(oracle.ratio(amount, unused, period_days), currency)
    dates = {
        "from": str(end - timedelta(days=unused)),
        "to": str(end),
        "period_start": str(start),
        "period_end": str(end),
    }
    passes(
        "proration", {"amount": part}, method="amount_day", currency=currency, amount=major(amount, currency), **dates
    )
    days = {"days": unused, "period_days": period_days}
    passes(
        "commitment",
        {"minimum": part},
        op="prorated_minimum",
        currency=currency,
        minimum=major(amount, currency),
        **days,
    )


@given(CURRENCIES, st.integers(0, 10**6), st.integers(0, 31), st.integers(0, 31), st.sampled_from(["25", "7.25", "0"]))
def test_terminations_after_earlier_credits(currency, amount, unused, earlier, rate):
    ppm = int(Decimal(rate) * 10_000)
    most = oracle.ratio(amount, unused, 31)
    credited = oracle.ratio(most, earlier, 31)
    tax = oracle.vat(most, ppm) - oracle.vat(credited, ppm)
    net = most - credited
    expected = {"net": major(net, currency), "tax": major(tax, currency), "total": major(net + tax, currency)}
    terms = {"plan_amount": major(amount, currency), "period_days": 31, "unused_days": unused, "tax_rate": rate}
    passes(
        "credit_note",
        expected,
        op="termination",
        currency=currency,
        already_credited_net=major(credited, currency),
        **terms,
    )


@settings(max_examples=25 * TIMES)
@given(
    CURRENCIES,
    st.tuples(st.integers(1, 10**6), st.integers(1, 10**6)),
    st.integers(1, 4),
    st.integers(30, 92),
    st.data(),
)
def test_changes_inside_a_period(currency, prices, quantity, period_days, data):
    (old, new), day = prices, data.draw(st.integers(1, period_days - 1))
    start = date(2024, 1, 31)
    change, end = start + timedelta(days=day), start + timedelta(days=period_days)
    left = period_days - day
    credit, charged = (oracle.ratio(amount, left, period_days) for amount in (old * quantity, new))
    amounts = {"credit": credit, "charge": charged, "net": charged - credit}
    passes(
        "plan_change", {name: major(amount, currency) for name, amount in amounts.items()}, op="immediate",
        currency=currency, old={"unit_amount": major(old, currency), "quantity": str(quantity)},
        new={"unit_amount": major(new, currency), "quantity": "1"}, change_on=str(change), period_start=str(start),
        period_end=str(end), billing="in_advance", action="upgrade",
    )  # fmt: skip


@settings(max_examples=30 * TIMES)
@given(
    st.lists(st.tuples(st.integers(0, 40_000), st.sampled_from(["0", "10", "25", "7.25"])), min_size=1, max_size=5),
    st.lists(st.tuples(st.sampled_from(["fixed", "percentage"]), st.integers(0, 100), st.booleans()), max_size=3),
)
def test_invoices_with_coupons_and_several_rates(rows, coupons):
    lines = [
        {"id": f"l{n}", "amount": major(a, "EUR"), "tax_rates": [rate], "group": "g"}
        for n, (a, rate) in enumerate(rows)
    ]
    wanted = [
        ("percent" if kind == "percentage" else "amount", value * (10_000 if kind == "percentage" else 100), "charge" if own else "invoice", 1, 0)
        for kind, value, own in coupons
    ]  # fmt: skip
    asked = [
        {"type": kind, ("rate" if kind == "percentage" else "amount"): str(value)} | ({"lines": ["l0"]} if own else {})
        for kind, value, own in coupons
    ]  # fmt: skip
    off = slow_discounts({(1, n): amount for n, (amount, _) in enumerate(rows)}, wanted)
    bases = {}
    for n, (amount, rate) in enumerate(rows):
        bases[rate] = bases.get(rate, 0) + amount - off[1, n]
    tax = sum(oracle.vat(base, int(Decimal(rate) * 10_000)) for rate, base in bases.items())
    total = sum(bases.values()) + tax
    expected = {
        "discount": major(sum(off.values()), "EUR"), "tax": major(tax, "EUR"), "total": major(total, "EUR"),
        "line_discounts": {f"l{n}": major(off[1, n], "EUR") for n in range(len(rows))},
    }  # fmt: skip
    passes("discount_tax", expected, op="invoice", currency="EUR", lines=lines, coupons=asked)
