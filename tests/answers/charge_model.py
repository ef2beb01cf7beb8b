"""`charge_model`: what a quantity or a list of events costs, through the price book and the rating kernel."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import polars as pl

from core import frames
from core.calc.billing.reconcile import reconcile
from core.calc.pricebook import MICRO, PriceBook, compile_book, exact
from core.calc.rating import cap_then_minimum, rate, tier_of
from core.calc.usage import percentage_fees
from core.domain.money import QUANTITY_PLACES, parse_decimal, to_minor
from core.domain.periods import Timing
from core.domain.plans import ChargeKind, Rounding
from tests.answers.given import Answer, Given, OutOfScope, money
from tests.company import SINCE, Company, charge, tier

ROUNDINGS = {
    "ceiling": Rounding.UP, "up": Rounding.UP, "floor": Rounding.DOWN, "down": Rounding.DOWN,
    "nearest": Rounding.NEAREST, "half_up": Rounding.NEAREST, "round": Rounding.NEAREST,
}  # fmt: skip


def charge_model(given: Given) -> Answer:
    """The amount in major units, before and after cap and minimum, and what each tier costs."""
    model, currency = given.any("model"), given.any("currency")
    if model in ("dynamic", "bucketed"):
        raise OutOfScope(f"model {model}")
    given.one_of("rounding", "currency_per_line")  # the product rounds once per line as well
    if model == "stairstep" and "quantities" in given:
        return {"amount": money(_highest_step(given, currency), currency)}
    book = _book(model, given, currency)
    before = _slice(book, given)
    amount = _limited(before, given, currency)
    lines = _by_tier(book, given) if model == "graduated" else []
    return {
        "amount": money(amount, currency),
        "amount_before_cap": money(before, currency),
        "lines": [money(line, currency) for line in lines],
    }


def check_unrounded(expected: str, currency: str) -> str:
    """The product's rounding of an exact amount: the only thing that it says about unrounded ones."""
    return money(to_minor(parse_decimal(expected), currency), currency)


def _book(model: str, given: Given, currency: str, step: list[dict[str, Any]] | None = None) -> PriceBook:
    """The price book of a charge as the case describes it; its cap and minimum are applied to the slice."""
    conversion = given.part("unit_conversion")
    percentage = model == "percentage"
    company = Company()
    company.version(
        charge(
            "usage", model, *(step or _tiers(model, given)),
            included_units=given.text("free_quantity", given.text("free_units", "0")),
            package_rounding=ROUNDINGS[given.any("package_rounding", "up")],
            convert_by=conversion.text("divide_by") if conversion else None,
            convert_rounding=ROUNDINGS[conversion.any("round")] if conversion else "up",
            first_tier_flat_at_zero=given.any("zero_usage_charges_first_tier_flat", True),
            event_rate_percent=given.text("rate") if percentage else None,
            event_fixed_amount=given.text("fixed_amount"),
            free_events=given.any("free_events"),
            free_amount=given.text("free_amount"),
            min_per_event=given.text("min_per_event"),
            max_per_event=given.text("max_per_event"),
        ),
        currency=currency,
    )  # fmt: skip
    facts = company.facts()
    return compile_book(facts.versions, facts.charges, facts.tiers)


def _tiers(model: str, given: Given) -> list[dict[str, Any]]:
    """Tier rows; models without tiers have one open row."""
    if model == "percentage":
        return []
    if "tiers" in given:
        return [_tier(row, row.text("up_to")) for row in given.rows("tiers")]
    unit = given.text("package_amount" if model == "package" else "unit_amount", "0")
    flat = given.text("flat_amount", given.text("amount", unit) if model == "flat" else "0")
    return [tier(unit=unit or "0", flat=flat or "0", package_size=given.text("package_size"))]


def _tier(row: Given, up_to: str | None) -> dict[str, Any]:
    return tier(
        up_to, row.text("unit_amount", "0") or "0", row.text("flat_amount", "0") or "0",
        package_size=row.text("package_size"), rate_percent=row.text("rate", "0"),
    )  # fmt: skip


def _micro(value: Any) -> int:
    """A quantity in millionths; more than six decimals are refused."""
    return exact(str(parse_decimal(str(value), places=QUANTITY_PLACES)), MICRO) or 0


def _rate(book: PriceBook, quantity_micro: int, tier_micro: int | None = None) -> int:
    """The amount of one line."""
    lines = pl.DataFrame({"charge_id": [1], "quantity_micro": [quantity_micro]})
    if tier_micro is not None:
        lines = lines.with_columns(tier_quantity_micro=pl.lit(tier_micro))
    return int(rate(book, lines).item())


def _slice(book: PriceBook, given: Given) -> int:
    """Cost of this slice: of everything so far, less what the earlier slices were billed."""
    prior = _micro(given.any("prior_quantity", "0"))
    if book.components[0].model == "percentage":
        events = given.any("events", [given.any("quantity", "0")])
        before = [given.any("prior_quantity")] if prior else []
        return _difference(_fees(book, [*before, *events]), _fees(book, before)) if prior else _fees(book, events)
    quantity = _micro(given.any("quantity", "0"))
    selecting = given.any("tier_selection_quantity")
    whole = _rate(book, prior + quantity, None if selecting is None else _micro(selecting))
    return _difference(whole, _rate(book, prior)) if prior else whole


def _fees(book: PriceBook, events: list[Any]) -> int:
    """The fee of a percentage charge on events in their order."""
    rows = [{"line": 0, "charge_id": 1, "event_id": n, "amount_micro": _micro(value)} for n, value in enumerate(events)]
    return int(percentage_fees(book, pl.DataFrame(rows))["amount_minor"].sum()) if rows else 0


def _difference(expected_minor: int, billed_minor: int) -> int:
    """Expected less billed, as `reconcile` finds it for a usage charge."""
    lines = [_line(expected_minor, None), _line(billed_minor, 1)]
    expected, billed = (pl.DataFrame([line], schema=dict(frames.LINES)) for line in lines)
    return int(reconcile(expected, billed)["amount_minor"].sum())


def _line(amount_minor: int, line_id: int | None) -> dict[str, Any]:
    return {
        **dict.fromkeys(frames.LINES), "line_id": line_id, "subscription_id": 1, "price_version_id": 1, "charge_id": 1,
        "kind": ChargeKind.USAGE.value, "timing": Timing.ARREARS.value, "service_start": SINCE, "service_end": SINCE,
        "period_start": SINCE, "period_end": SINCE, "due_on": SINCE, "quantity_micro": 0, "revision": 0,
        "period_amount_minor": amount_minor, "amount_minor": amount_minor, "discount_minor": 0,
    }  # fmt: skip


def _limited(before_minor: int, given: Given, currency: str) -> int:
    """After the charge's own discount, then the cap, then the minimum (owed on the last slice only)."""
    final = given.any("final_slice", True)
    lines = pl.DataFrame(
        {
            "amount_minor": [_discounted(before_minor, given.text("percentage_discount"), currency)],
            "maximum_minor": [given.minor("max_amount", currency) if "max_amount" in given else None],
            "minimum_minor": [given.minor("min_amount", currency) if "min_amount" in given else None],
            "already_billed_minor": [given.minor("already_billed", currency)],
            "final": [final],
        },
        schema_overrides={"maximum_minor": pl.Int64, "minimum_minor": pl.Int64},
    )
    return int(cap_then_minimum(lines).item())


def _discounted(amount_minor: int, percent: str | None, currency: str) -> int:
    """The net of a line with a coupon on it, by a draft."""
    if percent is None:
        return amount_minor
    company = Company()
    fee = charge("fixed", "flat", tier(flat=money(amount_minor, currency)))
    subscription = company.start(company.version(fee, currency=currency), SINCE)
    coupon = company.coupon("percent", exact(percent, 10_000) or 0, currency=currency)
    company.change(subscription, "coupon", SINCE, coupon_id=coupon)
    return int(company.bill(SINCE).documents["net_minor"].sum())


def _by_tier(book: PriceBook, given: Given) -> list[int]:
    """What each tier that is reached adds: the slices between the bounds."""
    quantity = _micro(given.any("quantity", "0"))
    bounds = [row.lower for row in book.rows[1:] if row.lower < quantity]
    costs = [_rate(book, bound) for bound in [*bounds, quantity]]
    return [costs[0], *(_difference(whole, below) for below, whole in pairwise(costs))]


def _highest_step(given: Given, currency: str) -> int:
    """Several units: the amount of the highest step that any of them reaches."""
    rows = given.rows("tiers")
    reached, amounts = [], []
    for unit, quantity in given.any("quantities").items():
        steps = [_tier(row, (row.any("up_to") or {}).get(unit)) for row in rows]
        book = _book("stairstep", given, currency, steps)
        line = pl.DataFrame({"charge_id": [1], "quantity_micro": [_micro(quantity)]})
        reached.append(tier_of(book, line).item())
        amounts.append(int(rate(book, line).item()))
    return amounts[reached.index(max(reached))] if amounts else 0
