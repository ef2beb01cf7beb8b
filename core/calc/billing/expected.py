"""What each billing period should cost by today's facts, before discounts and VAT.

`expected_lines` is a pure function of facts: who was a subscriber on which terms, the price lists, the usage. Nothing here
knows what was invoiced. Rules: billing.md, Decisions (What is billed) and sections 3, 4 and 6.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import date
from functools import cached_property

import polars as pl

from core import frames
from core.calc import usage as metering
from core.calc.arithmetic import part_of_period
from core.calc.billing.price_limits import LIMIT, limit_lines
from core.calc.pricebook import MICRO, PriceBook, compile_book
from core.calc.rating import rate
from core.calc.timeline import Timeline, overlap, periods, timeline, within
from core.domain.periods import Timing
from core.domain.plans import ChargeKind, ChargeModel
from core.frames import Facts

TRUE_UP = "true_up"
ONCE = [ChargeKind.USAGE.value, ChargeKind.ONE_OFF.value, TRUE_UP, LIMIT]  # billed as one sum, not by the day
_TERMS = ["price_version_id", "anchor_on", "interval_months", "interval_days"]
_CHARGE = ["charge_id", "code", "kind", "model", "timing", "meter"]


def expected_lines(
    facts: Facts, scope: pl.DataFrame, through: date, book: PriceBook | None = None, track: Timeline | None = None
) -> pl.DataFrame:
    """Every line due through a day: LINES (frames.py), revision 0, without discount or tax, line_id null.

    `scope`: subscription_id, after - only periods that end after that day. Key: subscription_id, charge_id (null for a
    true-up), kind, timing, service_start, service_end.
    """
    book = book or compile_book(facts.versions, facts.charges, facts.tiers)
    track = track or timeline(facts.changes, facts.versions)
    scoped = Scoped(track, scope, facts, book, through)
    lines = [*scoped.recurring(), scoped.usage_lines(), scoped.one_off()]
    every = pl.concat([frames.conform(part, frames.LINES) for part in lines])
    minimums = frames.conform(scoped.true_ups(every), frames.LINES)
    due = pl.concat([every, minimums, scoped.limits()]).filter(pl.col("due_on") <= through)
    return due.sort("subscription_id", "service_start", "charge_id", nulls_last=True).with_columns(
        pl.lit(0, dtype=pl.Int32).alias("revision")
    )


def metered_usage(facts: Facts, scope: pl.DataFrame, through: date) -> pl.DataFrame:
    """Usage of each metered charge and period due through a day, also where nothing was recorded.

    Out, key subscription_id, charge_id, service_start: LINES' columns + meter, events (null when none was recorded).
    """
    book = compile_book(facts.versions, facts.charges, facts.tiers)
    lines = Scoped(timeline(facts.changes, facts.versions), scope, facts, book, through).metered()
    return lines.filter(pl.col("due_on") <= through)


@dataclass(frozen=True)
class Scoped:
    """The timeline of the subscriptions in scope, ready to be cut into periods."""

    track: Timeline
    scope: pl.DataFrame
    facts: Facts
    book: PriceBook
    through: date

    def recurring(self) -> list[pl.DataFrame]:
        """Lines of fixed charges, seats and add-ons, in advance and in arrears.

        Each segment's full period amount is rated once; its periods and parts are cut from that amount.
        """
        charges = self._charges(pl.col("kind").is_in([ChargeKind.FIXED, ChargeKind.SEAT, ChargeKind.ADDON]))
        parts = [
            self._charged(ChargeKind(kind), Timing(timing), priced)
            for (kind, timing), priced in charges.group_by("kind", "timing", maintain_order=True)
        ]
        if not parts:
            return []
        joined = pl.concat(parts)
        rated = joined.with_columns(rate(self.book, joined).alias("period_amount_minor"))
        cut = self._periods(rated.filter(pl.col("period_amount_minor") != 0))
        due = pl.when(pl.col("timing") == Timing.ADVANCE).then("service_start").otherwise("service_end")
        return [cut.with_columns(part_of_period(cut).alias("amount_minor"), due_on=due)]

    def _charged(self, kind: ChargeKind, timing: Timing, charges: pl.DataFrame) -> pl.DataFrame:
        """Segments of one kind with their charges."""
        on = ["price_version_id", "code"] if kind is ChargeKind.ADDON else ["price_version_id"]
        joined = self.segments(kind, kept=timing is Timing.ADVANCE).join(charges, on=on, how="inner")
        return joined.select("subscription_id", "start", "end", "after", *_TERMS, "quantity_micro", *_CHARGE)

    def segments(self, kind: ChargeKind, *, kept: bool) -> pl.DataFrame:
        """Segments with `quantity_micro` that split this kind of charge."""
        if kind is ChargeKind.SEAT:
            return within(self._in_scope(self.track.quantity), self.track.windows, kept=kept)
        plan = self._kept_plan if kept else self._served_plan
        if kind is ChargeKind.ADDON:
            return overlap(plan, self.track.addons.rename({"item": "code"}))
        return plan.with_columns(quantity_micro=pl.lit(MICRO, dtype=pl.Int64))

    @cached_property
    def _kept_plan(self) -> pl.DataFrame:
        """Plan segments clipped to what in-advance charges owe."""
        return within(self._in_scope(self.track.plan), self.track.windows, kept=True)

    @cached_property
    def _served_plan(self) -> pl.DataFrame:
        """Plan segments clipped to the service."""
        return within(self._in_scope(self.track.plan), self.track.windows, kept=False)

    def usage_lines(self) -> pl.DataFrame:
        """Lines of usage charges: each part of a period rated on its own sum of events, with its own tiers and allowance."""
        metered = self.metered()
        used = (pl.col("period_amount_minor") != 0) | (pl.col("quantity_micro") != 0)
        return metered.filter(used) if metered.height else frames.empty(frames.LINES)

    def metered(self) -> pl.DataFrame:
        """LINES of every metered charge and period, unused ones too, + meter and events (how many were recorded)."""
        charges = self._charges(pl.col("kind") == ChargeKind.USAGE)
        with_meter = pl.col("price_version_id").is_in(charges["price_version_id"].unique().implode())
        plan = self._in_scope(self.track.plan).filter(with_meter)
        parts = self._periods(self._alive(plan)).with_row_index("part")
        events = metering.assign(self.facts.usage, parts)
        lines = (
            parts.join(charges, on="price_version_id", how="inner")
            .join(metering.totals(events), on=["part", "meter"], how="left")
            .with_columns(pl.col("quantity_micro", "amount_micro").fill_null(0).clip(lower_bound=0))
            .with_row_index("line")
        )
        amount = self._usage_amounts(lines, events)
        return lines.with_columns(amount.alias("period_amount_minor")).with_columns(
            amount_minor="period_amount_minor", due_on="service_end"
        )

    def _usage_amounts(self, lines: pl.DataFrame, events: pl.DataFrame) -> pl.Series:
        """Amounts of usage lines: the kernel for units and summed amounts, event by event for a percentage."""
        on_money = pl.col("model") == ChargeModel.GRADUATED_PERCENTAGE
        base = lines.with_columns(quantity_micro=pl.when(on_money).then("amount_micro").otherwise("quantity_micro"))
        amount = rate(self.book, base)
        by_event = lines.filter(pl.col("model") == ChargeModel.PERCENTAGE).select("line", "charge_id", "part", "meter")
        if by_event.is_empty():
            return amount
        each = by_event.join(
            events.select("part", "meter", "event_id", "amount_micro", "occurred_on"), on=["part", "meter"]
        )
        ordered = each.with_columns(pl.col("amount_micro").fill_null(0)).sort("line", "occurred_on", "event_id")
        fees = metering.percentage_fees(self.book, ordered)
        joined = lines.select("line").with_columns(amount).join(fees, on="line", how="left", maintain_order="left")
        return joined.select(pl.coalesce("amount_minor_right", "amount_minor"))["amount_minor_right"]

    def one_off(self) -> pl.DataFrame:
        """One-off fees, due on the first billable day, at the price version of that day."""
        charges = self._charges(pl.col("kind") == ChargeKind.ONE_OFF)
        first = self._in_scope(self.track.life).filter(
            (pl.col("begins_on") < pl.col("ends_on")) & (pl.col("begins_on") >= pl.col("after"))
        )
        if charges.is_empty() or first.is_empty():
            return frames.empty(frames.LINES)
        terms = first.join(self.track.plan, on="subscription_id").filter(
            (pl.col("start") <= pl.col("begins_on")) & (pl.col("begins_on") < pl.col("end"))
        )
        lines = terms.join(charges, on="price_version_id", how="inner").with_columns(
            quantity_micro=pl.lit(MICRO, dtype=pl.Int64)
        )
        day_after = pl.col("begins_on") + pl.duration(days=1)
        rated = lines.with_columns(rate(self.book, lines).alias("amount_minor"))
        return rated.filter(pl.col("amount_minor") != 0).with_columns(
            period_amount_minor="amount_minor", service_start="begins_on", service_end=day_after,
            period_start="begins_on", period_end=day_after, due_on="begins_on",
        )  # fmt: skip

    def true_ups(self, lines: pl.DataFrame) -> pl.DataFrame:
        """What is missing to the minimum commitment of each part of a period, before coupons (billing.md section 6).

        One-off fees do not count towards a recurring commitment.
        """
        committed = self.facts.versions.filter(pl.col("minimum_minor") > 0).select("price_version_id", "minimum_minor")
        if committed.is_empty():
            return frames.empty(frames.LINES)
        parts = self._periods(self._served_plan.join(committed, on="price_version_id", how="inner")).with_row_index(
            "part"
        )
        key = ["subscription_id", "price_version_id", "period_start"]
        inside = (pl.col("service_start") >= pl.col("from")) & (pl.col("service_start") < pl.col("until"))
        recurring = lines.filter(pl.col("kind") != ChargeKind.ONE_OFF)
        used = (
            parts.select(*key, "part", pl.col("service_start").alias("from"), until="service_end")
            .join(recurring.select(*key, "service_start", "amount_minor"), on=key, how="inner")
            .filter(inside)
            .group_by("part")
            .agg(used_minor=pl.col("amount_minor").sum())
        )
        owed = parts.join(used, on="part", how="left").with_columns(
            part_of_period(parts, amount="minimum_minor").alias("share_minor")
        )
        missing = true_up(pl.col("share_minor"), pl.col("used_minor").fill_null(0))
        return owed.with_columns(amount_minor=missing).filter(pl.col("amount_minor") > 0).with_columns(
            kind=pl.lit(TRUE_UP), timing=pl.lit(Timing.ARREARS.value), due_on="service_end",
            period_amount_minor="minimum_minor", quantity_micro=pl.lit(MICRO, dtype=pl.Int64),
        )  # fmt: skip

    def limits(self) -> pl.DataFrame:
        """LINES of limits on a price rise (price_limits.py)."""
        if self.track.limits.is_empty():
            return frames.empty(frames.LINES)
        after, before = (self._limited_days(version) for version in ("price_version_id", "earlier_version_id"))
        return frames.conform(limit_lines(after, before, self.track.limits, self.facts.charges), frames.LINES)

    def _limited_days(self, version: str) -> pl.DataFrame:
        """LINES of the days on which a limit holds, by the prices of that column of the limit; the periods stay as they are."""
        prices = self.track.limits.select("subscription_id", "start", "end", pl.col(version).alias("_version"))
        plan, quantity = (
            overlap(track, prices).with_columns(price_version_id="_version").drop("_version")
            for track in (self.track.plan, self.track.quantity)
        )
        priced = replace(self, track=replace(self.track, plan=plan, quantity=quantity))
        lines = pl.concat([frames.conform(part, frames.LINES) for part in [*priced.recurring(), priced.metered()]])
        return pl.concat([lines, frames.conform(priced.true_ups(lines), frames.LINES)])

    def _charges(self, which: pl.Expr) -> pl.DataFrame:
        """Charges of the book as far as lines need them."""
        return self.facts.charges.filter(which).select("price_version_id", *_CHARGE)

    def _in_scope(self, frame: pl.DataFrame) -> pl.DataFrame:
        """Rows of the subscriptions in scope, with `after`."""
        return frame.join(
            self.scope.select("subscription_id", "after"), on="subscription_id", how="inner", maintain_order="left"
        )

    def _alive(self, plan: pl.DataFrame) -> pl.DataFrame:
        """Plan segments clipped to the billable life; a pause does not split usage."""
        life = self.track.life.select("subscription_id", start="begins_on", end="ends_on")
        return overlap(plan, life)

    def _periods(self, segments: pl.DataFrame) -> pl.DataFrame:
        """The periods of segments in scope."""
        return periods(segments, pl.col("after"), pl.lit(self.through))


def true_up(minimum_minor: pl.Expr, used_minor: pl.Expr) -> pl.Expr:
    """max(0, minimum − used); both already rounded, used before coupons."""
    return (minimum_minor - used_minor).clip(lower_bound=0)
