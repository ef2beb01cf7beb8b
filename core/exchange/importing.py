"""A file and its mapping → checked frames, ready to be stored; nothing here touches the database.

Customers by `id`; subscriptions by `id` with their prices in minor units a billing interval; add-ons by subscription and
code. `price_key` columns (plan, currency, interval, base_minor) say which price version a subscription needs: equal ones
share it, so that 29,317 policies at 616 different prices make a few thousand versions, not 29,317.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from enum import StrEnum

import polars as pl

from core.domain.money import EXPONENTS, to_minor
from core.domain.periods import INTERVALS
from core.domain.subscriptions import Channel, CustomerKind, EndCause, PaymentOption
from core.exchange.mapping import Mapping, Section
from core.exchange.reading import Source, read_source
from core.exchange.rows import Findings, in_micro, in_minor, section_rows, working_frame

UNIT_MICRO = 1_000_000
LARGEST = 9e18  # an amount times millionths must fit 64 bits
LANGUAGES = ["nb", "en"]
CUSTOMER_DEFAULTS = {
    "kind": "consumer",
    "country": "NO",
    "language": "nb",
    "payment_option": "invoice",
    "channel": "email",
}


@dataclass(frozen=True)
class Intake:
    """What a file says, typed and checked on its own. `findings` are refused by the action together with its own."""

    name: str
    content_hash: str
    mapping: Mapping
    as_of: date
    rows: int
    customers: pl.DataFrame | None
    subscriptions: pl.DataFrame | None
    addons: pl.DataFrame
    usage: pl.DataFrame | None
    touch_points: pl.DataFrame | None
    findings: Findings


def read_intake(mapping: Mapping, name: str, data: bytes, as_of: date) -> Intake:
    """Read a file by its mapping. `as_of` is the day that the file speaks of."""
    source = read_source(name, data, separator=mapping.separator, encoding=mapping.encoding)
    return intake(mapping, source, as_of)


def intake(mapping: Mapping, source: Source, as_of: date) -> Intake:
    """The frames of every section that the mapping has."""
    findings = Findings()
    frame = working_frame(mapping, source, as_of, findings)
    read = {name: section_rows(frame, section, findings) for name, section in mapping.sections.items()}
    customers = subscriptions = None
    addons = NO_ADDONS
    if "customer" in read:
        customers = _customers(read["customer"], mapping.sections["customer"], findings)
    if "subscription" in read:
        rows = _with_customer(read["subscription"], read.get("customer"))
        subscriptions, addons = _subscriptions(rows, mapping, as_of, findings)
    if customers is not None:
        customers = _since(customers, subscriptions, as_of)
    usage = _usage(read["usage"], findings) if "usage" in read else None
    touch_points = _touch_points(read["touch_point"], findings) if "touch_point" in read else None
    return Intake(
        source.name, source.content_hash, mapping, as_of, source.rows.height,
        customers, subscriptions, addons, usage, touch_points, findings,
    )  # fmt: skip


NO_ADDONS = pl.DataFrame(
    schema={"id": pl.String, "line": pl.Int64, "plan": pl.String, "item": pl.String, "quantity_micro": pl.Int64}
)


def _is_one_of(rows: pl.DataFrame, column: str, known: type[StrEnum] | list[str], findings: Findings) -> None:
    words = [str(word) for word in known]
    findings.where(
        rows, ~pl.col(column).is_in(words), f"“{{{column}}}” is no {{target}}; known are {{known}}",
        target=column.replace("_", " "), known=", ".join(words),
    )  # fmt: skip


# --- customers ----------------------------------------------------------------------------------------------------


def _customers(rows: pl.DataFrame, section: Section, findings: Findings) -> pl.DataFrame:
    """One row a customer, with defaults; the same id twice must be allowed and say the same."""
    filled = rows.with_columns(pl.col(name).fill_null(value) for name, value in CUSTOMER_DEFAULTS.items())
    _is_one_of(filled, "kind", CustomerKind, findings)
    _is_one_of(filled, "payment_option", PaymentOption, findings)
    _is_one_of(filled, "channel", Channel, findings)
    _is_one_of(filled, "language", LANGUAGES, findings)
    findings.where(filled, ~pl.col("country").str.contains("^[A-Z]{2}$"), "“{country}” is no country code such as NO")
    findings.where(filled, ~pl.col("email").str.contains("^[^@\\s]+@[^@\\s]+$"), "“{email}” is no e-mail address")
    return _first_of_each(filled, section, findings)


def _first_of_each(rows: pl.DataFrame, section: Section, findings: Findings) -> pl.DataFrame:
    """The first row of each customer; findings about later ones that are not allowed or say something else."""
    first = rows.unique("id", keep="first", maintain_order=True)
    if first.height == rows.height:
        return first
    again = rows.join(first, on="id", suffix="_first").filter(pl.col("line") != pl.col("line_first"))
    if not section.repeats:
        hint = "“{id}” already stands in line {line_first}; say repeats = true under [customer] if customers have several rows"
        findings.where(again, pl.lit(True), hint)
        return first
    said = [name for name in section.targets if name not in ("id", "since")]
    for name in said:
        findings.where(
            again, pl.col(name).ne_missing(pl.col(f"{name}_first")),
            "Customer {id} has another {target} than in line {line_first}", target=name.replace("_", " "),
        )  # fmt: skip
    return first


def _since(customers: pl.DataFrame, subscriptions: pl.DataFrame | None, as_of: date) -> pl.DataFrame:
    """A customer is known from the day stated, else from the first start, else from `as_of`; never after a start."""
    if subscriptions is None:
        return customers.with_columns(since=pl.col("since").fill_null(as_of))
    first = subscriptions.group_by("customer").agg(_start=pl.col("start").min())
    joined = customers.join(first, left_on="id", right_on="customer", how="left", maintain_order="left")
    return joined.with_columns(since=pl.min_horizontal("since", "_start").fill_null(as_of)).drop("_start")


# --- subscriptions ------------------------------------------------------------------------------------------------


def _with_customer(rows: pl.DataFrame, customers: pl.DataFrame | None) -> pl.DataFrame:
    """The customer's id on each row, from the row's own [customer]; the subscription's id is the customer's unless said."""
    if customers is not None:
        named = customers.select("line", _customer="id")
        rows = rows.join(named, on="line", how="left", maintain_order="left")
        rows = rows.with_columns(customer=pl.coalesce("customer", "_customer")).drop("_customer")
    return rows.with_columns(id=pl.coalesce("id", "customer"))


def _subscriptions(
    rows: pl.DataFrame, mapping: Mapping, as_of: date, findings: Findings
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Subscriptions with amounts as integers, and their add-ons."""
    section = mapping.sections["subscription"]
    rows = _ends(rows, section, as_of)
    _check_subscriptions(rows, as_of, findings)
    quantity = in_micro(rows.with_columns(pl.col("quantity").fill_null("1")), "quantity", findings)
    own, total = in_minor(rows, "own_price", findings), in_minor(rows, "total_price", findings)
    addons = _addons(rows, section, mapping, findings)
    periods = in_micro(rows, "coupon_periods_left", findings)
    amounts = rows.with_columns(
        quantity,
        own,
        total,
        (periods // UNIT_MICRO).cast(pl.Int32).alias("periods_left"),
        billed_through=pl.col("billed_through").fill_null(as_of),
    )
    return _prices(amounts, addons, mapping, findings), addons


def _ends(rows: pl.DataFrame, section: Section, as_of: date) -> pl.DataFrame:
    """Ends and causes; an end at the extraction is none when the mapping says so."""
    if section.end_on_extraction_is_open:
        rows = rows.with_columns(pl.when(pl.col("end") < as_of).then(pl.col("end")))
    ended = pl.col("end").is_not_null()
    return rows.with_columns(end_cause=pl.when(ended).then(pl.col("end_cause").fill_null(EndCause.OTHER.value)))


def _check_subscriptions(rows: pl.DataFrame, as_of: date, findings: Findings) -> None:
    """Everything about a row that needs no other row and no database."""
    findings.where(rows, pl.col("customer").is_null(), "The subscription has no customer")
    findings.where(
        rows.filter(pl.col("id").is_not_null()).with_columns(first=pl.col("line").min().over("id")),
        pl.col("line") != pl.col("first"), "The subscription “{id}” already stands in line {first}",
    )  # fmt: skip
    findings.where(rows, ~pl.col("currency").is_in(list(EXPONENTS)), "The currency {currency} is not known")
    _is_one_of(rows, "interval", list(INTERVALS), findings)
    _is_one_of(rows, "end_cause", EndCause, findings)
    findings.where(rows, pl.col("end") <= pl.col("start"), "The end {end} is not after the start {start}")
    number = pl.col("own_price").cast(pl.Float64), pl.col("total_price").cast(pl.Float64)
    findings.where(rows, number[0] < 0, "The price {own_price} is below zero")
    findings.where(rows, number[1] < 0, "The price {total_price} is below zero")
    findings.where(
        rows, pl.col("own_price").is_not_null() & pl.col("total_price").is_not_null(),
        "A row has an own price or a total price, not both",
    )  # fmt: skip
    percent = pl.col("discount_percent").cast(pl.Float64)
    findings.where(rows, ~percent.is_between(0, 100), "A discount lies between 0 and 100 %, not at {discount_percent}")
    findings.where(
        rows, pl.col("coupon").is_null() & pl.col("coupon_periods_left").is_not_null(),
        "Coupon periods are left, but no coupon is named",
    )  # fmt: skip


def _addons(rows: pl.DataFrame, section: Section, mapping: Mapping, findings: Findings) -> pl.DataFrame:
    """Add-ons with a quantity above zero: id, line, plan, item, quantity_micro; each must be one of its plan's."""
    if not section.addons:
        return NO_ADDONS
    parts = []
    for code in section.addons:
        micro = in_micro(rows, f"addon:{code}", findings)
        parts.append(rows.select("id", "line", "plan", item=pl.lit(code), quantity_micro=micro))
    addons = pl.concat(parts).filter(pl.col("quantity_micro") > 0)
    for plan in mapping.plans.values():
        own = [addon.code for addon in plan.addons]
        wrong = (pl.col("plan") == plan.code) & ~pl.col("item").is_in(own)
        findings.where(addons, wrong, "The plan {plan} has no add-on {item}")
    return addons


def _prices(rows: pl.DataFrame, addons: pl.DataFrame, mapping: Mapping, findings: Findings) -> pl.DataFrame:
    """Adds base_minor (own price, else null), list_minor, addons_minor, adjustment_minor and price_minor (before percent)."""
    listed = pl.DataFrame(
        [
            (plan.code, currency, interval, to_minor(amount, currency), plan.per_seat)
            for plan in mapping.plans.values()
            for (currency, interval), amount in plan.prices.items()
        ],
        schema={"plan": pl.String, "currency": pl.String, "interval": pl.String, "list_minor": pl.Int64, "per_seat": pl.Boolean},
        orient="row",
    )  # fmt: skip
    joined = rows.join(listed, on=["plan", "currency", "interval"], how="left", maintain_order="left")
    extra = _addon_amounts(joined, addons, mapping, findings)
    joined = joined.join(extra, on="id", how="left", maintain_order="left")
    defined = pl.col("plan").is_in(list(mapping.plans))
    sound = pl.col("currency").is_in(list(EXPONENTS)) & pl.col("interval").is_in(list(INTERVALS))
    findings.where(
        joined, defined & sound & pl.col("own_price").is_null() & pl.col("list_minor").is_null(),
        "The mapping gives no price of the plan {plan} in {currency} per {interval}",
    )  # fmt: skip
    findings.where(
        joined, ~defined & (pl.col("own_price").is_not_null() | pl.col("total_price").is_not_null()),
        "The plan {plan} must be defined in the mapping for a row to have a price of its own",
    )  # fmt: skip
    one = pl.coalesce("own_price_minor", "list_minor")
    times = one * pl.when("per_seat").then("quantity_micro").otherwise(UNIT_MICRO)
    too_large = one.cast(pl.Float64) * pl.when("per_seat").then("quantity_micro").otherwise(UNIT_MICRO) > LARGEST
    findings.where(joined, too_large, "The price of this row is too large")
    base = _units(times)
    extras = pl.col("addons_minor").fill_null(0)
    return joined.with_columns(
        base_minor=pl.col("own_price_minor"),
        adjustment_minor=pl.col("total_price_minor") - base - extras,
        price_minor=pl.coalesce("total_price_minor", base + extras),
    )


def _units(amount_micro: pl.Expr) -> pl.Expr:
    """Amount times millionths → amount, rounded half up (both are not negative)."""
    return (amount_micro + UNIT_MICRO // 2) // UNIT_MICRO


def _addon_amounts(rows: pl.DataFrame, addons: pl.DataFrame, mapping: Mapping, findings: Findings) -> pl.DataFrame:
    """id → addons_minor: what the add-ons of a subscription cost a billing interval."""
    currencies = rows["currency"].unique().drop_nulls()
    listed = pl.DataFrame(
        [
            (plan.code, currency, addon.code, to_minor(addon.amount, currency))
            for plan in mapping.plans.values()
            for addon in plan.addons
            for currency in currencies
            if currency in EXPONENTS
        ],
        schema={"plan": pl.String, "currency": pl.String, "item": pl.String, "addon_minor": pl.Int64},
        orient="row",
    )
    priced = addons.join(rows.select("id", "currency"), on="id").join(listed, on=["plan", "currency", "item"])
    too_large = pl.col("addon_minor").cast(pl.Float64) * pl.col("quantity_micro") > LARGEST
    findings.where(priced, too_large, "The price of the add-on {item} is too large")
    each = priced.select("id", amount=_units(pl.col("addon_minor") * pl.col("quantity_micro")))
    return each.group_by("id").agg(addons_minor=pl.col("amount").sum())


# --- usage and touch points ---------------------------------------------------------------------------------------


def _usage(rows: pl.DataFrame, findings: Findings) -> pl.DataFrame:
    """Events with quantity_micro and amount_micro; a source id stands once."""
    _once(rows, findings)
    quantity = in_micro(rows.with_columns(pl.col("quantity").fill_null("1")), "quantity", findings)
    return rows.with_columns(quantity, in_micro(rows, "amount", findings))


def _touch_points(rows: pl.DataFrame, findings: Findings) -> pl.DataFrame:
    """Touch points; a source id, where there is one, stands once."""
    _once(rows, findings)
    return rows.with_columns(pl.col("topic", "outcome", "note").fill_null(""))


def _once(rows: pl.DataFrame, findings: Findings) -> None:
    findings.where(
        rows.filter(pl.col("id").is_not_null()).with_columns(first=pl.col("line").min().over("id")),
        pl.col("line") != pl.col("first"), "The id “{id}” already stands in line {first}",
    )  # fmt: skip
