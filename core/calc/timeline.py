"""Dated changes → service segments: what held for a subscription, and when.

Segments are half-open `[start, end)`; `OPEN` stands for "no end". Rules: billing.md, Decisions (Segments, Days, Anchor).
Three tracks: the plan track (price version, anchor), the quantity track (plan and seats) and one add-on track per item.
Adjacent segments with equal terms are merged, so that a change and its undo leave no trace.
"""

from __future__ import annotations

from dataclasses import dataclass

import polars as pl

from core.calc.calendar import OPEN, aligned_anchor, boundary, index_on
from core.domain.subscriptions import ChangeKind, CreditChoice

_SUB = "subscription_id"
TERMS = ["price_version_id", "anchor_on"]
LIMIT = ["earlier_version_id", "cap_ppm", "floor_ppm"]  # what a limited price change carries


@dataclass(frozen=True)
class Timeline:
    """All tracks of a set of subscriptions.

    `plan`, `quantity`: subscription_id, start, end, price_version_id, anchor_on, interval_months, interval_days
    (+ quantity_micro). `addons`: subscription_id, item, start, end, quantity_micro. `life`: subscription_id, begins_on
    (first billable day, after a trial), ends_on, credit. `windows`: subscription_id, start, end (service, cut at pauses),
    kept_start, kept_end (the same for what was billed in advance: a period without credit stays owed). `limits`:
    subscription_id, start, end, price_version_id, earlier_version_id, cap_ppm, floor_ppm - while a limited price change holds.
    """

    plan: pl.DataFrame
    quantity: pl.DataFrame
    addons: pl.DataFrame
    life: pl.DataFrame
    windows: pl.DataFrame
    limits: pl.DataFrame


def timeline(changes: pl.DataFrame, versions: pl.DataFrame) -> Timeline:
    """Tracks of the subscriptions in CHANGES, with the intervals of PRICE_VERSIONS (frames.py)."""
    live = live_changes(changes)
    base = _base_track(live)
    plan = with_intervals(merge_equal(base, TERMS), versions)
    quantity = with_intervals(merge_equal(base, [*TERMS, "quantity_micro"]), versions)
    life = lives(live)
    return Timeline(plan, quantity, _addon_track(live), life, _windows(live, life, plan), limit_track(live))


def live_changes(changes: pl.DataFrame) -> pl.DataFrame:
    """Changes in force, in the order in which they take effect: neither undone nor an undo."""
    undone = changes.filter(pl.col("undoes_id").is_not_null()).select(change_id="undoes_id")
    live = changes.filter(pl.col("kind") != ChangeKind.UNDO)
    if not undone.is_empty():
        live = live.join(undone, on="change_id", how="anti")
    return live.sort(_SUB, "effective_on", "change_id")


def lives(live: pl.DataFrame) -> pl.DataFrame:
    """First billable day, last day (exclusive), trial end and what the cancellation credits, per subscription."""
    kind = pl.col("kind")
    started = pl.col("effective_on").filter(kind == ChangeKind.START).min()
    trial_end = pl.col("until_on").filter(kind == ChangeKind.TRIAL).last()
    cancelled = kind == ChangeKind.CANCEL
    # The earliest cancellation in force ends service: a later one cannot bring back days that are gone.
    ends_on = pl.col("effective_on").filter(cancelled).min()
    ending = cancelled & (pl.col("effective_on") == ends_on)
    return live.group_by(_SUB, maintain_order=True).agg(
        started_on=started,
        trial_end=trial_end,
        begins_on=pl.max_horizontal(started, trial_end),
        ends_on=ends_on.fill_null(OPEN),
        credit=pl.col("credit").filter(ending).last(),
        cause=pl.col("cause").filter(ending).last(),
    )


def _base_track(live: pl.DataFrame) -> pl.DataFrame:
    """Price version, anchor and quantity in force, day by day of change; later facts of a day win."""
    kinds = [ChangeKind.START, ChangeKind.TRIAL, ChangeKind.PRICE, ChangeKind.QUANTITY]
    facts = live.filter(pl.col("kind").is_in(kinds))
    filled = facts.select(
        _SUB,
        pl.col("effective_on").alias("start"),
        pl.col("price_version_id").forward_fill().over(_SUB),
        pl.col("quantity_micro").forward_fill().over(_SUB),
        pl.col("anchor_on").forward_fill().over(_SUB),
    )
    return _until_next(filled.unique([_SUB, "start"], keep="last", maintain_order=True), [_SUB])


def _addon_track(live: pl.DataFrame) -> pl.DataFrame:
    """Quantity of each add-on; zero quantities leave a gap."""
    facts = live.filter(pl.col("kind") == ChangeKind.ADDON).select(
        _SUB, "item", pl.col("effective_on").alias("start"), "quantity_micro"
    )
    ordered = facts.unique([_SUB, "item", "start"], keep="last", maintain_order=True).sort(_SUB, "item", "start")
    track = merge_equal(_until_next(ordered, [_SUB, "item"]), ["item", "quantity_micro"])
    return track.filter(pl.col("quantity_micro") > 0)


def limit_track(live: pl.DataFrame) -> pl.DataFrame:
    """Limits in force: a price change without one ends it, whatever else changes leaves it."""
    terms = ["price_version_id", *LIMIT]
    if live["earlier_version_id"].null_count() == live.height:
        return live.head(0).select(_SUB, "price_version_id", *LIMIT, start="effective_on", end="effective_on")
    facts = live.filter(pl.col("price_version_id").is_not_null()).select(_SUB, *terms, start="effective_on")
    ordered = facts.unique([_SUB, "start"], keep="last", maintain_order=True)
    return _until_next(ordered, [_SUB]).filter(pl.col("earlier_version_id").is_not_null())


def _until_next(facts: pl.DataFrame, key: list[str]) -> pl.DataFrame:
    """Each fact holds until the next of its key; facts are sorted by key and start."""
    same = pl.all_horizontal(pl.col(name) == pl.col(name).shift(-1) for name in key)
    end = pl.when(same).then(pl.col("start").shift(-1)).otherwise(pl.lit(OPEN)).fill_null(OPEN)
    return facts.with_columns(end=end)


def merge_equal(track: pl.DataFrame, terms: list[str]) -> pl.DataFrame:
    """Adjacent segments of a subscription with equal terms become one; other columns are dropped."""
    begins = pl.any_horizontal(
        pl.col(_SUB) != pl.col(_SUB).shift(1),
        pl.col("start") != pl.col("end").shift(1),
        *(pl.col(name).ne_missing(pl.col(name).shift(1)) for name in terms),
    ).fill_null(True)
    numbered = track.with_columns(_run=begins.cum_sum())
    if numbered.height and numbered["_run"].max() == numbered.height:
        return track.select(_SUB, "start", "end", *terms)
    merged = numbered.group_by("_run", maintain_order=True).agg(
        pl.col(_SUB).first(), pl.col("start").first(), pl.col("end").last(), *(pl.col(name).first() for name in terms)
    )
    return merged.select(_SUB, "start", "end", *terms)


def with_intervals(track: pl.DataFrame, versions: pl.DataFrame) -> pl.DataFrame:
    """The track with each segment's interval, its anchor moved onto the calendar where the price version says so."""
    terms = versions.select("price_version_id", "interval_months", "interval_days", "calendar")
    joined = track.join(terms, on="price_version_id", how="left", maintain_order="left")
    anchor = aligned_anchor(pl.col("anchor_on"), pl.col("calendar"), pl.col("interval_days"))
    return joined.with_columns(anchor_on=anchor).drop("calendar")


def _windows(live: pl.DataFrame, life: pl.DataFrame, plan: pl.DataFrame) -> pl.DataFrame:
    """When service ran: from the first billable day to the end, without its pauses."""
    plain = life.select(_SUB, start="begins_on", end="ends_on", credit="credit")
    paused = live.filter(pl.col("kind") == ChangeKind.PAUSE)
    if not paused.is_empty():
        plain = _without_pauses(plain, live, paused)
    windows = plain.filter(pl.col("start") < pl.col("end"))
    return _kept(windows, plan)


def _without_pauses(windows: pl.DataFrame, live: pl.DataFrame, paused: pl.DataFrame) -> pl.DataFrame:
    """Windows cut at pauses: the k-th opening (start, then each resumption) pairs with the k-th closing (pause or end)."""
    pauses = pause_spans(live, paused).join(windows.select(_SUB, "start", life_end="end"), on=_SUB)
    # A trial that is paused moves its end (actions write that); what is left of such a pause before billing is no window.
    pauses = pauses.filter((pl.col("from") < pl.col("life_end")) & (pl.col("until") > pl.col("start")))
    opens = pl.concat([windows.select(_SUB, "start"), pauses.select(_SUB, start="until")])
    closes = pl.concat([windows.select(_SUB, "end", "credit"), pauses.select(_SUB, end="from", credit="credit")])
    # Openings at or after the end pair with nothing real; the filter start < end drops them.
    opens = opens.sort(_SUB, "start").with_columns(k=pl.int_range(pl.len()).over(_SUB))
    closes = closes.sort(_SUB, "end").with_columns(k=pl.int_range(pl.len()).over(_SUB))
    return opens.join(closes, on=[_SUB, "k"]).drop("k").sort(_SUB, "start")


def pause_spans(live: pl.DataFrame, paused: pl.DataFrame) -> pl.DataFrame:
    """[from, until) of each pause: to its planned end or the first resumption after it, whichever comes first."""
    resumed = live.filter(pl.col("kind") == ChangeKind.RESUME).select(_SUB, resumed_on="effective_on")
    spans = paused.select(_SUB, "change_id", "credit", pl.col("effective_on").alias("from"), until="until_on")
    later = spans.join(resumed, on=_SUB).filter(pl.col("resumed_on") >= pl.col("from"))
    first = later.group_by("change_id").agg(pl.col("resumed_on").min())
    return spans.join(first, on="change_id", how="left").with_columns(
        until=pl.min_horizontal(pl.col("until").fill_null(OPEN), pl.col("resumed_on").fill_null(OPEN))
    ).filter(pl.col("from") < pl.col("until"))  # fmt: skip


def _kept(windows: pl.DataFrame, plan: pl.DataFrame) -> pl.DataFrame:
    """Adds kept_start and kept_end: an end without credit keeps the period in which it falls (billing.md, Decisions)."""
    ends = windows.with_row_index("window").with_columns(last_day=pl.col("end") - pl.duration(days=1))
    cut = ends.filter((pl.col("end") < OPEN) & (pl.col("credit").fill_null(CreditChoice.NONE) == CreditChoice.NONE))
    if cut.is_empty():
        return _claims(ends.with_columns(kept_end="end")).select(_SUB, "start", "end", "kept_start", "kept_end")
    terms = cut.join(plan, on=_SUB, suffix="_plan").filter(
        (pl.col("start_plan") <= pl.col("last_day")) & (pl.col("last_day") < pl.col("end_plan"))
    )
    month, day = pl.col("interval_months"), pl.col("interval_days")
    n = index_on(pl.col("anchor_on"), month, day, pl.col("last_day"))
    # Other terms (prices or billing day) end the period too: what was paid ahead for the old ones is credited, so nothing
    # of it is kept.
    ahead = boundary(pl.col("anchor_on"), month, day, n + 1)
    through = terms.select("window", kept_end=pl.min_horizontal(ahead, "end_plan"))
    kept = ends.join(through, on="window", how="left", maintain_order="left").with_columns(
        kept_end=pl.max_horizontal("end", "kept_end")
    )
    return _claims(kept).select(_SUB, "start", "end", "kept_start", "kept_end")


def _claims(windows: pl.DataFrame) -> pl.DataFrame:
    """Adds kept_start: what is kept ends where service resumes, and what follows without a gap is one claim, told first."""
    again = (pl.col(_SUB) == pl.col(_SUB).shift(-1)).fill_null(False)
    if not windows.select(again.any()).item():
        return windows.with_columns(kept_start="start")
    until = pl.when(again).then(pl.min_horizontal("kept_end", pl.col("start").shift(-1))).otherwise("kept_end")
    begins = ~again.shift(1, fill_value=False) | (pl.col("start") != pl.col("kept_end").shift(1))
    numbered = windows.with_columns(kept_end=until).with_columns(_begins=begins, _claim=begins.cum_sum())
    return numbered.with_columns(
        kept_start=pl.when("_begins").then("start").otherwise("kept_end"),
        kept_end=pl.when("_begins").then(pl.col("kept_end").last().over("_claim")).otherwise("kept_end"),
    )


def within(track: pl.DataFrame, windows: pl.DataFrame, *, kept: bool) -> pl.DataFrame:
    """The track's segments clipped to the service windows (`kept`: to what in-advance charges owe)."""
    start, end = ("kept_start", "kept_end") if kept else ("start", "end")
    spans = windows.select(_SUB, _from=pl.col(start), _until=pl.col(end))
    joined = track.join(spans, on=_SUB, how="inner", maintain_order="left")
    return joined.with_columns(
        start=pl.max_horizontal("start", "_from"), end=pl.min_horizontal("end", "_until")
    ).filter(pl.col("start") < pl.col("end")).drop("_from", "_until")  # fmt: skip


def overlap(left: pl.DataFrame, right: pl.DataFrame) -> pl.DataFrame:
    """Pairs of segments of the same subscription that share days, clipped to them. Columns of both; `right` adds its own."""
    joined = left.join(right, on=_SUB, how="inner", suffix="_right")
    return joined.with_columns(
        start=pl.max_horizontal("start", "start_right"), end=pl.min_horizontal("end", "end_right")
    ).filter(pl.col("start") < pl.col("end")).drop("start_right", "end_right")  # fmt: skip


def periods(segments: pl.DataFrame, after: pl.Expr, until: pl.Expr) -> pl.DataFrame:
    """One row per segment and billing period: the segment's columns + period_start, period_end, service_start, service_end.

    Only periods that end after the day `after` and begin on or before the day `until`; parts are clipped to the segment.
    """
    month, day, anchor = pl.col("interval_months"), pl.col("interval_days"), pl.col("anchor_on")
    last_day = pl.col("end") - pl.duration(days=1)
    # A segment that ended before `after` still counts while its period runs: what is billed for it is compared as well.
    longest = pl.duration(days=month.cast(pl.Int64) * 31 + day)
    due = segments.filter((pl.col("start") <= until) & (pl.col("end") + longest > after))
    numbered = due.with_columns(
        _first=index_on(anchor, month, day, pl.max_horizontal("start", pl.min_horizontal(last_day, after))),
        _last=index_on(anchor, month, day, pl.min_horizontal(last_day, until)),
        _after=after,
    )
    if not numbered.is_empty() and bool((numbered["_first"] == numbered["_last"]).all()):
        each = numbered.with_columns(_n=pl.col("_first"))
    else:
        each = numbered.with_columns(_n=pl.int_ranges("_first", pl.col("_last") + 1)).explode("_n")
    n = pl.col("_n").cast(pl.Int32)
    bounded = each.with_columns(
        period_start=boundary(anchor, month, day, n), period_end=boundary(anchor, month, day, n + 1)
    )
    return bounded.with_columns(
        service_start=pl.max_horizontal("start", "period_start"), service_end=pl.min_horizontal("end", "period_end")
    ).filter(pl.col("period_end") > pl.col("_after")).drop("_first", "_last", "_n", "_after")  # fmt: skip


def next_due(track: Timeline, through: pl.Expr) -> pl.DataFrame:
    """First day after `through` on which something may fall due, per subscription; null when nothing ever will."""
    month, day, anchor = pl.col("interval_months"), pl.col("interval_days"), pl.col("anchor_on")
    ahead = pl.concat([within(track.plan, track.windows, kept=kept) for kept in (True, False)])
    ahead = ahead.filter(pl.col("end") > through)
    from_day = pl.max_horizontal(pl.col("start"), through)
    following = boundary(anchor, month, day, index_on(anchor, month, day, from_day) + 1)
    candidate = pl.when(pl.col("start") > through).then(pl.col("start")).otherwise(pl.min_horizontal(following, "end"))
    return ahead.select(_SUB, next_due_on=candidate).group_by(_SUB).agg(pl.col("next_due_on").min())
