"""What subscriptions are worth a month: MRR of every stretch of equal terms (metrics.md section 1, "Decided form").

MRR is the full period's list amount before VAT, at least the minimum commitment, less the discounts in force, rounded as one
period and kept in twelfths of a minor unit (× 12 a month, × 4 a quarter, × 1 a year, × 52 a week): sums are exact. Usage,
one-off fees and coupons given once never count. A limit on a price rise lowers it like a discount: it is the same rule as
billing's (billing/price_limits.py), on a period without usage. A stretch is `[start, end)`.
"""

from __future__ import annotations

import polars as pl

from core import frames
from core.calc import timeline as tl
from core.calc.arithmetic import divide
from core.calc.billing import discounts
from core.calc.billing.expected import TRUE_UP
from core.calc.billing.price_limits import LIMIT, limit_of
from core.calc.billing.tax import net_of
from core.calc.calendar import OPEN
from core.calc.pricebook import MICRO, PriceBook, compile_book
from core.calc.rating import rate
from core.domain.coupons import Duration, Scope
from core.domain.periods import Timing
from core.domain.plans import ChargeKind
from core.domain.subscriptions import ChangeKind

SUB = "subscription_id"
# `pays`: worth something. `holds`: worth nothing for a while only (a coupon over everything that will end, a pause with a day
# of return): whoever has paid before stays a customer. `terms`: equal where nothing that sets the price differs.
STRETCHES: frames.Schema = {
    SUB: pl.Int64, "start": pl.Date, "end": pl.Date, "price_version_id": pl.Int64, "plan_id": pl.Int64,
    "currency": pl.String, "quantity_micro": pl.Int64, "addons": pl.String, "coupons": pl.String, "paused": pl.Boolean,
    "list_twelfths": pl.Int64, "net_twelfths": pl.Int64, "holds": pl.Boolean,
}  # fmt: skip
# Rates of VAT for prices that include it: one row a category and first day. Key: vat_category, valid_from.
VAT: frames.Schema = {"vat_category": pl.String, "rate_ppm": pl.Int64, "valid_from": pl.Date}
_TERMS = ["price_version_id", "quantity_micro", "addons", "coupons", "vat_era", *tl.LIMIT]


def stretches(
    changes: pl.DataFrame, prices: frames.Prices, coupons: pl.DataFrame, owners: pl.DataFrame, vat: pl.DataFrame
) -> pl.DataFrame:
    """STRETCHES by subscription and start: days without service, in trial or after the end have no row.

    In: CHANGES, the prices they name, COUPONS, `owners` subscription_id, customer_id (an invoice-wide coupon is for all
    subscriptions of a customer), VAT.
    """
    track = tl.timeline(changes, prices.versions)
    live = tl.live_changes(changes)
    given = _grants(live, coupons, track, owners)
    held = _pauses_with_return(live, track)
    served = track.windows.select(SUB, start="kept_start", end="kept_end").filter(pl.col("start") < pl.col("end"))
    spans = pl.concat(
        [served.with_columns(paused=pl.lit(False)), _less(held, served).with_columns(paused=pl.lit(True))]
    )
    pieces = _pieces(track, spans, given, prices.versions, vat["valid_from"].unique().sort())
    if pieces.is_empty():
        return pl.DataFrame(schema=STRETCHES)
    priced = pieces.join(_worth(pieces, prices, coupons, vat), on=_TERMS, how="left", nulls_equal=True)
    paused = pl.col("paused")
    told = priced.with_columns(
        list_twelfths=pl.when(paused).then(0).otherwise("list_twelfths"),
        net_twelfths=pl.when(paused).then(0).otherwise("net_twelfths"),
        holds=paused | ((pl.col("net_twelfths") == 0) & (pl.col("list_twelfths") > 0) & pl.col("will_end")),
    )
    return frames.conform(told.sort(SUB, "start"), STRETCHES)


def _pauses_with_return(live: pl.DataFrame, track: tl.Timeline) -> pl.DataFrame:
    """Days of pauses whose day of return is known, between what was paid and that day: subscription_id, start, end."""
    paused = live.filter((pl.col("kind") == ChangeKind.PAUSE) & pl.col("until_on").is_not_null())
    if paused.is_empty():
        return pl.DataFrame(schema={SUB: pl.Int64, "start": pl.Date, "end": pl.Date})
    spans = tl.pause_spans(live, paused).join(track.life.select(SUB, "begins_on", "ends_on"), on=SUB)
    return spans.select(
        SUB, start=pl.max_horizontal("from", "begins_on"), end=pl.min_horizontal("until", "ends_on")
    ).filter(pl.col("start") < pl.col("end"))  # fmt: skip


def _grants(live: pl.DataFrame, coupons: pl.DataFrame, track: tl.Timeline, owners: pl.DataFrame) -> pl.DataFrame:
    """Coupons that recur, with the days on which they lower a price; invoice-wide ones for each of the customer's subscriptions.

    An amount off the whole invoice is taken from the subscription that has the coupon.
    """
    every = discounts.grants(live, coupons, track).filter(pl.col("duration") != Duration.ONCE)
    wide = every.filter((pl.col("scope") == Scope.INVOICE) & (pl.col("coupon_kind") == "percent"))
    if wide.height:
        others = (
            wide.join(owners, on=SUB)
            .join(owners.select(pl.col(SUB).alias("_other"), "customer_id"), on="customer_id")
            .with_columns(pl.col("_other").alias(SUB)).select(every.columns)
        )  # fmt: skip
        every = pl.concat([every.join(wide, on="grant_id", how="anti"), others]).unique([SUB, "grant_id"])
    return every.filter(pl.col("window_start") < pl.col("window_end"))


def _pieces(
    track: tl.Timeline, spans: pl.DataFrame, given: pl.DataFrame, versions: pl.DataFrame, eras: pl.Series
) -> pl.DataFrame:
    """Served and paused days cut wherever anything that sets the price moves, with what holds in each piece."""
    inclusive = versions.filter("tax_inclusive")["price_version_id"]
    own = tl.overlap(
        spans, track.quantity.select(SUB, "start", "end", "price_version_id", "quantity_micro")
    )  # fmt: skip
    edges = [
        own.select(SUB, day=side) for side in ("start", "end")
    ] + [
        part.select(SUB, day=side)
        for part in (track.addons, track.limits, given.select(SUB, start="window_start", end="window_end"))
        for side in ("start", "end")
    ]  # fmt: skip
    if eras.len() > 1 and inclusive.len():
        crossing = own.filter(pl.col("price_version_id").is_in(inclusive.implode())).select(SUB).unique()
        edges.append(crossing.join(pl.DataFrame({"day": eras}), how="cross").select(SUB, "day"))
    days = pl.concat(edges).unique().sort(SUB, "day")
    inside = days.join(own, on=SUB).filter((pl.col("start") <= pl.col("day")) & (pl.col("day") < pl.col("end")))
    following = inside.sort(SUB, "start", "day").with_columns(
        _next=pl.when(
            (pl.col(SUB) == pl.col(SUB).shift(-1)) & (pl.col("start") == pl.col("start").shift(-1))
        ).then(pl.col("day").shift(-1)).otherwise("end")
    )  # fmt: skip
    cut = following.select(SUB, "price_version_id", "quantity_micro", "paused", start="day", end="_next")
    known = cut.with_row_index("piece").join(
        versions.select("price_version_id", "plan_id", "currency", "tax_inclusive"), on="price_version_id", how="left",
        maintain_order="left",
    )  # fmt: skip
    item = pl.concat_str(pl.col("item"), pl.lit("×"), pl.col("quantity_micro"))
    addons = _listed(known, track.addons.select(SUB, "start", "end", what=item))
    named = given.select(
        SUB, start="window_start", end="window_end", what=pl.col("coupon_id").cast(pl.String), grant_id="grant_id"
    )
    kept = _listed(known, named.sort("grant_id").drop("grant_id"))
    ending = given.filter(pl.col("duration") != Duration.FOREVER).select(SUB, start="window_start", end="window_end")
    will_end = tl.overlap(known.select(SUB, "piece", "start", "end"), ending)["piece"].unique()
    era = (
        eras.search_sorted(known["start"], side="right") - 1
        if eras.len()
        else pl.Series([0]).new_from_index(0, known.height)
    )
    return _with_limit(known, track.limits).with_columns(
        addons=addons, coupons=kept,
        will_end=pl.col("piece").is_in(will_end.implode()),
        vat_era=pl.when("tax_inclusive").then(era.cast(pl.Int64)).otherwise(0),
    )  # fmt: skip


def _with_limit(pieces: pl.DataFrame, limits: pl.DataFrame) -> pl.DataFrame:
    """The pieces with the limit that holds in each."""
    both = pieces.select(SUB, "piece", at="start").join(limits, on=SUB)
    here = both.filter((pl.col("start") <= pl.col("at")) & (pl.col("at") < pl.col("end"))).select("piece", *tl.LIMIT)
    return pieces.join(here, on="piece", how="left", maintain_order="left")


def _less(held: pl.DataFrame, served: pl.DataFrame) -> pl.DataFrame:
    """The days of pauses that were not paid ahead: a pause begins where what was paid ends."""
    if held.is_empty():
        return held
    paid = held.with_row_index("_row").join(served, on=SUB, suffix="_paid").filter(
        (pl.col("start_paid") <= pl.col("start")) & (pl.col("end_paid") > pl.col("start"))
    )  # fmt: skip
    until = paid.group_by("_row").agg(paid_until=pl.col("end_paid").max())
    cut = held.with_row_index("_row").join(until, on="_row", how="left", maintain_order="left")
    return cut.select(
        SUB, start=pl.max_horizontal("start", pl.col("paid_until").fill_null(pl.col("start"))), end="end"
    ).filter(pl.col("start") < pl.col("end"))  # fmt: skip


def _listed(pieces: pl.DataFrame, track: pl.DataFrame) -> pl.Series:
    """What of the track (subscription_id, start, end, what) holds in each piece, as one text: "seats×3000000|sms×1000000"."""
    both = pieces.select(SUB, "piece", at="start").join(track, on=SUB, how="inner", maintain_order="left_right")
    here = both.filter((pl.col("start") <= pl.col("at")) & (pl.col("at") < pl.col("end")))
    texts = here.group_by("piece").agg(pl.col("what").sort().str.join("|"))
    joined = pieces.select("piece").join(texts, on="piece", how="left", maintain_order="left")
    return joined["what"].fill_null("")


def _worth(pieces: pl.DataFrame, prices: frames.Prices, coupons: pl.DataFrame, vat: pl.DataFrame) -> pl.DataFrame:
    """List and net twelfths of every set of terms that occurs: _TERMS, list_twelfths, net_twelfths."""
    terms = pieces.filter(~pl.col("paused")).select(_TERMS).unique(maintain_order=True).with_row_index(SUB).with_columns(
        pl.col(SUB).cast(pl.Int64)
    )  # fmt: skip
    held = terms.select(SUB, "price_version_id", "quantity_micro", "vat_era", *tl.LIMIT)
    parts = terms.filter(pl.col("addons") != "").select(SUB, part=pl.col("addons").str.split("|")).explode("part")
    split = pl.col("part").str.split("×")
    addons = parts.select(SUB, code=split.list.get(0), quantity_micro=split.list.get(1).cast(pl.Int64))
    lines = recurring_lines(held, addons, prices)
    lines = with_net_rates(lines, prices.versions, _in_era(lines, held, vat))
    full = lines.group_by(SUB).agg(list_minor=pl.col("net_minor").sum())
    whole = (
        held.join(prices.versions.select("price_version_id", "minimum_minor", "interval_months", "interval_days"),
                  on="price_version_id", how="left", maintain_order="left")
        .join(full, on=SUB, how="left", maintain_order="left")
        .with_columns(pl.col("list_minor").fill_null(0))
        .with_columns(gap_minor=(pl.col("minimum_minor") - pl.col("list_minor")).clip(lower_bound=0))
    )  # fmt: skip
    limits = _limits(held, lines, addons, prices)
    taken = _discounted(terms, pl.concat([lines, limits], how="diagonal_relaxed"), whole, prices.versions, coupons)
    told = (
        whole.join(taken, on=SUB, how="left", maintain_order="left")
        .join(limits.select(SUB, limit_minor="net_minor"), on=SUB, how="left", maintain_order="left")
        .with_columns(list_minor=pl.col("list_minor") + pl.col("gap_minor"))
        .with_columns(
            net_minor=pl.sum_horizontal("list_minor", "limit_minor", -pl.col("off_minor")).clip(lower_bound=0)
        )
    )
    return terms.select(_TERMS).hstack(
        told.select(list_twelfths=a_month(pl.col("list_minor")), net_twelfths=a_month(pl.col("net_minor")))
    )


def _limits(held: pl.DataFrame, lines: pl.DataFrame, addons: pl.DataFrame, prices: frames.Prices) -> pl.DataFrame:
    """What limits add to sets of terms, as lines: amounts as the prices are stated, net as the largest line of the terms is taxed."""
    limited = held.filter(pl.col("earlier_version_id").is_not_null())
    earlier = limited.with_columns(price_version_id="earlier_version_id")
    sides = limited.join(_stated(limited, lines, prices), on=SUB).join(
        _stated(earlier, recurring_lines(earlier, addons, prices), prices), on=SUB, suffix="_before"
    )  # fmt: skip
    limit = limit_of(pl.col("stated_minor_before"), pl.col("stated_minor"), pl.col("cap_ppm"), pl.col("floor_ppm"))
    largest = lines.sort(SUB, "amount_minor", maintain_order=True).group_by(SUB, maintain_order=True).last()
    made = sides.select(
        SUB, "price_version_id", amount_minor=limit, code=pl.lit(""), kind=pl.lit(LIMIT)
    ).filter(pl.col("amount_minor") != 0).join(largest.select(SUB, "vat_ppm"), on=SUB, how="left")  # fmt: skip
    return with_net_rates(made.drop("vat_ppm"), prices.versions, made["vat_ppm"].fill_null(0))


def _stated(held: pl.DataFrame, lines: pl.DataFrame, prices: frames.Prices) -> pl.DataFrame:
    """What a period costs as the prices are stated, its minimum at least: subscription_id, stated_minor."""
    least = held.select(SUB, "price_version_id").join(
        prices.versions.select("price_version_id", "minimum_minor"), on="price_version_id", how="left"
    )
    sums = lines.group_by(SUB).agg(pl.col("amount_minor").sum())
    return least.join(sums, on=SUB, how="left").select(
        SUB, stated_minor=pl.max_horizontal(pl.col("amount_minor").fill_null(0), "minimum_minor")
    )


def _in_era(lines: pl.DataFrame, held: pl.DataFrame, vat: pl.DataFrame) -> pl.Series:
    """The VAT rate of each line in its era, 0 where none is known."""
    eras = vat["valid_from"].unique().sort()
    since = pl.DataFrame({"vat_era": pl.int_range(eras.len(), eager=True), "_from": eras})
    table = since.join(vat, how="cross").filter(pl.col("valid_from") <= pl.col("_from")).sort("valid_from").group_by(
        "vat_era", "vat_category", maintain_order=True
    ).agg(pl.col("rate_ppm").last())  # fmt: skip
    era = lines.select(SUB, "vat_category").join(held.select(SUB, "vat_era"), on=SUB, how="left", maintain_order="left")
    typed = table.with_columns(pl.col("vat_era").cast(pl.Int64))
    return era.join(typed, on=["vat_era", "vat_category"], how="left", maintain_order="left")["rate_ppm"].fill_null(0)


def _discounted(
    terms: pl.DataFrame, lines: pl.DataFrame, whole: pl.DataFrame, versions: pl.DataFrame, coupons: pl.DataFrame
) -> pl.DataFrame:
    """What coupons take off each set of terms, net: subscription_id, off_minor. The billing engine's own discounts."""
    nothing = pl.DataFrame(schema={SUB: pl.Int64, "off_minor": pl.Int64})
    named = terms.filter(pl.col("coupons") != "")
    if named.is_empty():
        return nothing
    day = pl.date(2000, 1, 1)
    grid = versions.select(
        "price_version_id", "plan_id", "currency", "interval_months", "interval_days", "tax_inclusive"
    )
    given = (
        named.select(SUB, "price_version_id", coupon_id=pl.col("coupons").str.split("|"))
        .explode("coupon_id").with_columns(pl.col("coupon_id").cast(pl.Int64)).with_row_index("grant_id")
        .join(coupons.rename({"kind": "coupon_kind"}), on="coupon_id", maintain_order="left")
        .join(grid.select("price_version_id", "interval_months", "interval_days"), on="price_version_id", maintain_order="left")
        .with_columns(
            scope=pl.when(pl.col("scope") == Scope.INVOICE).then(pl.lit(Scope.PLAN.value)).otherwise("scope"),
            granted_on=day, window_start=day, window_end=pl.lit(OPEN), anchor_on=day,
            duration=pl.lit(Duration.FOREVER.value),
        )
    )  # fmt: skip
    true_ups = whole.filter(pl.col("gap_minor") > 0).select(
        SUB,
        "price_version_id",
        amount_minor="gap_minor",
        code=pl.lit(""),
        kind=pl.lit(TRUE_UP),
        vat_ppm=pl.lit(0, dtype=pl.Int64),
    )
    own = pl.concat([lines.select(SUB, "price_version_id", "amount_minor", "code", "kind", "vat_ppm"), true_ups])
    rated = (
        own.join(named.select(SUB), on=SUB, how="semi").sort(SUB, maintain_order=True).with_row_index("line")
        .join(grid.select("price_version_id", "plan_id", "currency", "tax_inclusive"), on="price_version_id", maintain_order="left")
        .with_columns(
            pl.col("line").cast(pl.Int64), customer_id=pl.col(SUB), charge_code="code", service_start=day,
            discount_minor=pl.lit(0, dtype=pl.Int64), corrects_id=pl.lit(None, dtype=pl.Int64), period_start=day,
            timing=pl.lit(Timing.ADVANCE.value),
        )
    )  # fmt: skip
    done, _ = discounts.discount(rated, given, pl.DataFrame(schema=frames.USED_DISCOUNTS))
    left = pl.col("amount_minor") - pl.col("discount_minor")
    vat_ppm = pl.col("vat_ppm").fill_null(0)
    net = (
        pl.when("tax_inclusive")
        .then(net_of(pl.col("amount_minor"), vat_ppm) - net_of(left, vat_ppm))
        .otherwise("discount_minor")
    )
    return done.group_by(SUB).agg(off_minor=net.sum())


def recurring_lines(
    held: pl.DataFrame, addons: pl.DataFrame, prices: frames.Prices, book: PriceBook | None = None
) -> pl.DataFrame:
    """Recurring charges of each subscription with their full-period amounts: fixed fees, seats, add-ons.

    In: `held` subscription_id, price_version_id, quantity_micro; `addons` subscription_id, code, quantity_micro; `book`: the
    prices compiled, where they are already.
    """
    charges = prices.charges.filter(pl.col("kind").is_in([ChargeKind.FIXED, ChargeKind.SEAT, ChargeKind.ADDON])).select(
        "price_version_id", "charge_id", "code", "kind", "vat_category", "timing"
    )
    every = held.join(charges, on="price_version_id", how="inner")
    fixed = every.filter(pl.col("kind") == ChargeKind.FIXED).with_columns(quantity_micro=pl.lit(MICRO, dtype=pl.Int64))
    seats = every.filter(pl.col("kind") == ChargeKind.SEAT)
    chosen = every.filter(pl.col("kind") == ChargeKind.ADDON).drop("quantity_micro")
    extras = chosen.join(addons, on=[SUB, "code"], how="inner").select(every.columns)
    lines = pl.concat([fixed, seats, extras])
    return lines.with_columns(rate(book or compile_book(*prices), lines).alias("amount_minor"))


def with_net_rates(lines: pl.DataFrame, versions: pl.DataFrame, vat_ppm: pl.Series) -> pl.DataFrame:
    """Lines with `vat_ppm` and `net_minor`: prices that include VAT without it."""
    stated = versions.select("price_version_id", "tax_inclusive")
    joined = lines.with_columns(vat_ppm.alias("vat_ppm")).join(
        stated, on="price_version_id", how="left", maintain_order="left"
    )
    net = net_of(pl.col("amount_minor"), pl.col("vat_ppm"))
    return joined.with_columns(net_minor=pl.when("tax_inclusive").then(net).otherwise("amount_minor"))


def year_share() -> tuple[pl.Expr, pl.Expr]:
    """What makes twelfths a month of a period's amount, as top and below of a quotient, by interval_months and interval_days: periods
    a year by calendar months, 52 weeks, or 365 days."""
    months, days = pl.col("interval_months"), pl.col("interval_days")
    top = pl.when(months > 0).then(12).when(days % 7 == 0).then(364).otherwise(365)
    return top.cast(pl.Int64), pl.when(months > 0).then(months).otherwise(days).cast(pl.Int64)


def a_month(period_minor: pl.Expr) -> pl.Expr:
    """A period's amount as twelfths of a minor unit a month, by interval_months and interval_days."""
    top, below = year_share()
    return divide(period_minor.cast(pl.Int64) * top, below)


def in_minor(twelfths: pl.Expr) -> pl.Expr:
    """Twelfths as minor units a month, rounded half away from zero: `monthly` over a column."""
    return divide(twelfths, pl.lit(12, dtype=pl.Int64))


def monthly(twelfths: int) -> int:
    """Twelfths as minor units a month, rounded half away from zero."""
    sign = -1 if twelfths < 0 else 1
    return sign * ((abs(twelfths) + 6) // 12)
