"""Metered events → what a period's usage is, and the fee of a percentage charge event by event.

Rules: billing.md section 2 (percentage) and Decisions (a usage charge is split only by a plan change or its own new price).
"""

from __future__ import annotations

import polars as pl

from core.calc.arithmetic import FITS, LARGEST_LINE_MINOR, divide, largest
from core.calc.pricebook import PriceBook
from core.calc.rating import bounded, component_of
from core.domain.errors import InvalidInput
from core.domain.money import exponent_of

_DAYS = 2**20  # more days than any date needs: (subscription, day) packs into one sorted key
_FEE_SCALE = 10**20  # numerators of a fee, in major units


def assign(events: pl.DataFrame, parts: pl.DataFrame) -> pl.DataFrame:
    """Events that fall in a part, with its number.

    In: `parts` part, subscription_id, service_start, service_end (parts of a subscription do not overlap); `events`
    USAGE_EVENTS. Out: the events' columns + part.
    """
    if events.is_empty() or parts.is_empty():
        return events.head(0).with_columns(part=pl.lit(None, dtype=pl.UInt32))
    ordered = parts.with_columns(_key=_key("service_start")).sort("_key")
    dated = events.with_columns(_key=_key("occurred_on"))
    at = ordered["_key"].search_sorted(dated["_key"], side="right").cast(pl.Int64) - 1
    found = dated.hstack(
        [
            ordered[name].gather(at.clip(lower_bound=0)).alias(f"_{name}")
            for name in ("part", "subscription_id", "service_start", "service_end")
        ]
    )
    inside = (
        (pl.col("subscription_id") == pl.col("_subscription_id"))
        & (pl.col("occurred_on") >= pl.col("_service_start"))
        & (pl.col("occurred_on") < pl.col("_service_end"))
    )
    return found.filter(inside).select(*events.columns, part="_part")


def _key(day: str) -> pl.Expr:
    return pl.col("subscription_id") * _DAYS + pl.col(day).to_physical().cast(pl.Int64)


def totals(events: pl.DataFrame) -> pl.DataFrame:
    """Sum of each part's usage per meter: part, meter → quantity_micro, amount_micro, events."""
    refuse_wrapping_sums(events, ["part", "meter"], ["quantity_micro", "amount_micro"])
    return events.group_by("part", "meter").agg(
        pl.col("quantity_micro").sum(), pl.col("amount_micro").fill_null(0).sum(), events=pl.len()
    )


def refuse_wrapping_sums(events: pl.DataFrame, key: list[str], columns: list[str]) -> None:
    """Refuse events whose sum, running or whole, could leave 64 bits: Polars sums wrap silently."""
    for column in columns:
        if largest(events[column]) * events.height >= FITS:
            sizes = events.group_by(key).agg(pl.col(column).cast(pl.Int128).abs().sum())[column]
            if largest(sizes) >= FITS:
                raise InvalidInput("The quantity is too large to be billed exactly", code="quantity_too_large")


def percentage_fees(book: PriceBook, events: pl.DataFrame) -> pl.DataFrame:
    """Fee of each (line, charge) of a percentage charge: the free allowance first, then rate, fixed part and bounds.

    In: line, charge_id, event_id, amount_micro - in the order of the events. Out: line, charge_id, amount_minor.
    The allowance ends at whichever comes first, its events or its amount; the event that crosses the amount pays for what
    lies beyond it, and its fixed part.
    """
    key = ["line", "charge_id"]
    if events.is_empty():
        return events.select(*key, amount_minor=pl.lit(None, dtype=pl.Int64))
    refuse_wrapping_sums(events, key, ["amount_micro"])
    events = events.sort(key, maintain_order=True)
    priced = events.hstack(_terms(book, events["charge_id"]))
    # Numbers and running sums from where each line begins, which is faster than windows. A sum may wrap, its differences do not.
    begins = (
        pl.col("line").ne_missing(pl.col("line").shift()) | pl.col("charge_id").ne_missing(pl.col("charge_id").shift())
    ).alias("begins")
    placed = priced.with_columns(begins, number=pl.int_range(pl.len()), running=pl.col("amount_micro").cum_sum())
    before = [pl.col("number") - 1, pl.col("running") - pl.col("amount_micro")]
    counted = placed.with_columns(
        pl.col(name) - pl.when("begins").then(upto).forward_fill()
        for name, upto in zip(("number", "running"), before, strict=True)
    )
    some = pl.col("free_events").is_not_null() | pl.col("free_amount").is_not_null()
    within_events = some & (pl.col("number") <= pl.col("free_events").fill_null(2**62))
    # Amount of this event that the allowance leaves to be charged.
    beyond = (pl.col("running") - pl.col("free_amount").fill_null(2**62)).clip(lower_bound=0)
    charged = pl.when(within_events).then(pl.min_horizontal("amount_micro", beyond)).otherwise(pl.col("amount_micro"))
    is_free = within_events & (beyond == 0)
    wide = pl.Int128()
    fee = charged.cast(wide) * pl.col("rate").cast(wide) + pl.col("fixed")
    # Clipping by a null bound keeps the value.
    clamped = pl.min_horizontal(pl.max_horizontal(fee, pl.col("at_least")), pl.col("at_most"))
    summed = (
        counted.with_columns(fee=pl.when(is_free).then(pl.lit(0, dtype=wide)).otherwise(clamped))
        .group_by(key, maintain_order=True)
        .agg(pl.col("fee").sum(), pl.col("amount_micro").sum().alias("total"), pl.col("minor").first())
    )
    minor = pl.when(pl.col("total") > 0).then(divide(pl.col("fee") * pl.col("minor").cast(wide), _wide(_FEE_SCALE)))
    amounts = summed.with_columns(amount_minor=minor.otherwise(pl.lit(0, dtype=wide)))
    if amounts.select((pl.col("amount_minor").abs() > LARGEST_LINE_MINOR).any()).item():
        raise InvalidInput("The amount is too large to be billed exactly", code="amount_too_large")
    amounts = amounts.with_columns(pl.col("amount_minor").cast(pl.Int64))
    limited = bounded(book, component_of(book, amounts["charge_id"]), amounts["amount_minor"])
    return amounts.select(*key).with_columns(amount_minor=limited)


def _terms(book: PriceBook, charge_id: pl.Series) -> list[pl.Series]:
    """The event terms of each row's charge, as columns."""
    at = component_of(book, charge_id)
    parts = book.components
    columns: dict[str, tuple[pl.DataType, list[int] | list[int | None]]] = {
        "rate": (pl.Int64(), [part.event_rate for part in parts]),
        "fixed": (pl.Int128(), [part.event_fixed for part in parts]),
        "free_events": (pl.Int64(), [part.free_events for part in parts]),
        "free_amount": (pl.Int64(), [part.free_amount for part in parts]),
        "at_least": (pl.Int128(), [part.event_minimum for part in parts]),
        "at_most": (pl.Int128(), [part.event_maximum for part in parts]),
        "minor": (pl.Int64(), [10 ** exponent_of(part.currency) for part in parts]),
    }
    return [pl.Series(name, values, dtype=dtype).gather(at) for name, (dtype, values) in columns.items()]


def _wide(value: int) -> pl.Expr:
    """A literal beyond 64 bits."""
    return pl.lit(value, dtype=pl.Int128)
