"""Bill = expected − already billed.

Nothing computes proration "in an upgrade handler": what should have been billed by today's facts is set against what was,
and the difference becomes lines. A second run finds nothing. Rules: billing.md, Decisions (Reconcile; Which difference
becomes what).
"""

from __future__ import annotations

import polars as pl

from core import frames
from core.calc.arithmetic import part_of_period, share
from core.calc.billing.expected import ONCE
from core.calc.billing.price_limits import LIMIT

_KEY = ["subscription_id", "charge_id"]
_TERMS = ["price_version_id", "quantity_micro", "period_amount_minor", "period_start", "period_end", "kind", "timing"]
_SPAN = ["service_start", "service_end"]
_CLAIM = [*_KEY, "kind", "timing"]  # a true-up has no charge, a limit the charge that it is taxed like


def reconcile(expected: pl.DataFrame, billed: pl.DataFrame, planned: pl.DataFrame | None = None) -> pl.DataFrame:
    """Lines to bill: LINES (frames.py). Credits are negative, name the line they correct and carry its tax and discount.

    `expected`: LINES by today's facts; `billed`: LINES that count as billed of the same subscriptions and periods, their
    credits included (`period_amount_minor` negative). `revision` 0 is an original line; every correction of the same days
    has the next one. `planned`: subscription_id, planned_on - what is billed already from that day on waits for it, so that
    a change planned ahead is credited and charged at once when its day has come.
    """
    if billed.is_empty():
        return frames.conform(expected, frames.LINES)
    once = pl.col("kind").is_in(ONCE)
    by_day = _by_day(expected.filter(~once), billed.filter(~once), planned)
    by_sum = _by_sum(expected.filter(once), billed.filter(once))
    lines = pl.concat([frames.conform(by_day, frames.LINES), frames.conform(by_sum, frames.LINES)])
    return with_revisions(lines, billed)


def _by_day(expected: pl.DataFrame, billed: pl.DataFrame, planned: pl.DataFrame | None) -> pl.DataFrame:
    """Differences of charges that are owed by the day: cut both sides at every boundary, count what remains of each day."""
    spans = pl.concat([expected.select(*_KEY, *_SPAN), billed.select(*_KEY, *_SPAN)])
    waiting = _waiting(billed, planned)
    bounds = pl.concat(
        [_boundaries(spans), _boundaries(spans.select(_KEY).unique().join(waiting, on="subscription_id"))]
    )
    bounds = bounds.unique().sort(*_KEY, "on")
    owed = _cut(expected.with_columns(sign=pl.lit(1)), bounds)
    sign = pl.when(pl.col("period_amount_minor") < 0).then(-1).otherwise(1)
    had = billed.with_columns(sign=-sign, period_amount_minor=pl.col("period_amount_minor").abs())
    every = pl.concat([owed.select(*_KEY, *_SPAN, *_TERMS, "due_on", "sign", "line_id"),
                       _cut(had, bounds).select(*_KEY, *_SPAN, *_TERMS, "due_on", "sign", "line_id")])  # fmt: skip
    every = _without(every, waiting)
    original = pl.col("line_id").filter(pl.col("sign") == -1).max()
    due = pl.col("due_on").filter(pl.col("sign") == 1).min()
    pieces = (
        every.group_by([*_KEY, *_SPAN, *_TERMS])
        .agg(pl.col("sign").sum(), corrects_id=original, due_on=pl.coalesce(due, pl.col("due_on").max()))
        .filter(pl.col("sign") != 0)
    )
    return _priced(_joined(pieces), billed)


def _waiting(billed: pl.DataFrame, planned: pl.DataFrame | None) -> pl.DataFrame:
    """subscription_id, service_start, service_end: billed days from a planned change on."""
    billed_until = billed.group_by("subscription_id").agg(pl.col("service_end").max())
    if planned is None:
        return billed_until.head(0).with_columns(service_start="service_end")
    days = planned.select("subscription_id", service_start="planned_on").join(billed_until, on="subscription_id")
    return days.filter(pl.col("service_start") < pl.col("service_end"))


def _without(pieces: pl.DataFrame, waiting: pl.DataFrame) -> pl.DataFrame:
    """Pieces that do not lie in the waiting days of their subscription."""
    if waiting.is_empty():
        return pieces
    spans = waiting.select("subscription_id", _from="service_start", _until="service_end")
    inside = (pl.col("service_start") >= pl.col("_from")) & (pl.col("service_start") < pl.col("_until"))
    marked = pieces.join(spans, on="subscription_id", how="left")
    return marked.filter(~inside.fill_null(False)).drop("_from", "_until")


def _boundaries(spans: pl.DataFrame) -> pl.DataFrame:
    """All starts and ends per subscription and charge."""
    return pl.concat([spans.select(*_KEY, on="service_start"), spans.select(*_KEY, on="service_end")]).unique()


def _cut(lines: pl.DataFrame, bounds: pl.DataFrame) -> pl.DataFrame:
    """Lines cut at the boundaries inside them; `bounds`: sorted by key and day, a line's own start and end are among them."""
    numbered = bounds.with_row_index("_bound")
    spans = lines
    for end, place in zip(_SPAN, ("_first", "_last"), strict=True):
        at = numbered.select(*_KEY, pl.col("on").alias(end), pl.col("_bound").cast(pl.Int64).alias(place))
        spans = spans.join(at, on=[*_KEY, end], nulls_equal=True)
    each = spans.filter(pl.col("_first") < pl.col("_last")).with_columns(_bound=pl.int_ranges("_first", "_last"))
    each = each.drop("_first", "_last").explode("_bound")
    starts, ends = each["_bound"], each["_bound"] + 1
    return each.drop("_bound").with_columns(
        service_start=bounds["on"].gather(starts), service_end=bounds["on"].gather(ends)
    )


def _joined(pieces: pl.DataFrame) -> pl.DataFrame:
    """Neighbouring pieces of one claim become one line again."""
    same = [*_KEY, *_TERMS, "sign", "corrects_id"]
    ordered = pieces.sort([*same, "service_start"], nulls_last=True)
    begins = pl.any_horizontal(
        pl.col("service_start") != pl.col("service_end").shift(1),
        *(pl.col(name).ne_missing(pl.col(name).shift(1)) for name in same),
    ).fill_null(True)
    return (
        ordered.with_columns(_run=begins.cum_sum())
        .group_by("_run", maintain_order=True)
        .agg(*(pl.col(name).first() for name in same), pl.col("service_start").first(), pl.col("service_end").last(),
             pl.col("due_on").min())
        .drop("_run")
    )  # fmt: skip


def _priced(pieces: pl.DataFrame, billed: pl.DataFrame) -> pl.DataFrame:
    """Amounts of the pieces; a credit takes its share of the discount, and the tax, of the line that it corrects."""
    sized = pieces.with_columns(part_of_period(pieces).alias("amount_minor")).with_columns(
        period_amount_minor=pl.col("period_amount_minor") * pl.col("sign").sign(),
        amount_minor=pl.col("amount_minor") * pl.col("sign"),
        corrects_id=pl.when(pl.col("sign") < 0).then("corrects_id"),
    )
    original = billed.select(
        corrects_id="line_id", from_start="service_start", from_end="service_end", line_discount="discount_minor",
        tax_treatment="tax_treatment", tax_rate_ppm="tax_rate_ppm",
    ).filter(pl.col("corrects_id").is_not_null())  # fmt: skip
    known = sized.join(original, on="corrects_id", how="left").with_columns(
        from_start=pl.coalesce("from_start", "service_start"),
        from_end=pl.coalesce("from_end", "service_end"),
        line_discount=pl.col("line_discount").fill_null(0),
    )
    part = part_of_period(known, "line_discount", period_start="from_start", period_end="from_end")
    return known.with_columns(discount_minor=-part)


def _by_sum(expected: pl.DataFrame, billed: pl.DataFrame) -> pl.DataFrame:
    """Differences of charges billed as one sum: usage, one-off fees, true-ups and limits."""
    key = [*_CLAIM, *_SPAN]
    kept = [name for name in _TERMS if name not in ("quantity_micro", *_CLAIM)]
    had = billed.group_by(key).agg(
        billed_minor=pl.col("amount_minor").sum(),
        billed_micro=pl.col("quantity_micro").sum(),
        corrects_id=pl.col("line_id").filter(pl.col("corrects_id").is_null()).max(),
        **{f"{name}_had": pl.col(name).last() for name in kept},
        due_on_had=pl.col("service_end").max(),
    )
    both = expected.drop("corrects_id").join(had, on=key, how="full", coalesce=True, nulls_equal=True)
    terms = [pl.coalesce(name, f"{name}_had").alias(name) for name in [*kept, "due_on"]]
    delta = both.with_columns(
        *terms,
        amount_minor=pl.col("amount_minor").fill_null(0) - pl.col("billed_minor").fill_null(0),
        quantity_micro=pl.col("quantity_micro").fill_null(0) - pl.col("billed_micro").fill_null(0),
    ).filter((pl.col("amount_minor") != 0) | pl.col("billed_minor").is_null())
    return _credited_share(delta, billed)


def _credited_share(delta: pl.DataFrame, billed: pl.DataFrame) -> pl.DataFrame:
    """A correction of less gives back its share of the discount of the line that it corrects; less of a limit is upwards."""
    limit_off = (pl.col("kind") == LIMIT) & (pl.col("billed_minor").fill_null(0) < 0)
    down = pl.when(limit_off).then(pl.col("amount_minor") > 0).otherwise(pl.col("amount_minor") < 0)
    told = pl.col("line_id").is_not_null() & ((pl.col("amount_minor") > 0) | (pl.col("kind") == LIMIT))
    original = billed.filter(told).select(
        corrects_id="line_id", line_amount=pl.col("amount_minor").abs(), line_discount="discount_minor",
        tax_treatment="tax_treatment", tax_rate_ppm="tax_rate_ppm",
    )  # fmt: skip
    known = (
        delta.with_columns(corrects_id=pl.when(down).then("corrects_id"))
        .drop("tax_treatment", "tax_rate_ppm")
        .join(original, on="corrects_id", how="left")
        .with_columns(pl.col("line_amount").fill_null(1), pl.col("line_discount").fill_null(0))
    )
    back = share(known, "line_discount", pl.when(down).then(pl.col("amount_minor")).otherwise(0), pl.col("line_amount"))
    return known.with_columns(discount_minor=back)


def with_revisions(lines: pl.DataFrame, billed: pl.DataFrame) -> pl.DataFrame:
    """Revision 0 where nothing was billed for those days, else one above what is there; credits come before new lines."""
    numbered = lines.with_row_index("_line")
    spans = billed.select(*_CLAIM, _from="service_start", _until="service_end", _revision="revision")
    touching = (
        numbered.select("_line", *_CLAIM, *_SPAN)
        .join(spans, on=_CLAIM, how="inner", nulls_equal=True)
        .filter((pl.col("_from") < pl.col("service_end")) & (pl.col("_until") > pl.col("service_start")))
        .group_by("_line")
        .agg(above=pl.col("_revision").max() + 1)
    )
    ordered = numbered.join(touching, on="_line", how="left").sort("amount_minor")
    # A credit and the new line for the same days need two revisions.
    step = pl.int_range(pl.len()).over([*_CLAIM, *_SPAN])
    revision = pl.when(pl.col("above").is_null()).then(step).otherwise(pl.col("above") + step)
    revised = ordered.with_columns(revision=revision.cast(pl.Int32))
    sorted_lines = revised.sort("subscription_id", "service_start", "_line")
    return frames.conform(sorted_lines, frames.LINES)
