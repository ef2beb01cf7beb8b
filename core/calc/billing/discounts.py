"""Coupons on lines to be billed.

Order: charge → plan → invoice, oldest first, each on what the ones before left; spread over lines by largest remainder;
never below zero. A fixed one-time coupon keeps its unused rest. Invoice-wide coupons leave true-ups out unless said
(billing.md section 5 and Decisions).
"""

from __future__ import annotations

import polars as pl

from core.calc.arithmetic import allocate, divide, largest
from core.calc.billing.adjustments import ADJUSTMENT
from core.calc.billing.expected import TRUE_UP
from core.calc.billing.price_limits import LIMIT
from core.calc.calendar import OPEN, boundary, index_on
from core.calc.timeline import Timeline
from core.domain.coupons import CouponKind, Duration, Scope
from core.domain.subscriptions import ChangeKind

PPM = 10**6
WIDE = pl.Int128()
_ORDER = {Scope.CHARGE: 0, Scope.PLAN: 1, Scope.INVOICE: 2}
SHARES = {"line": pl.Int64, "grant_id": pl.Int64, "period_start": pl.Date, "amount_minor": pl.Int64}


def grants(live: pl.DataFrame, coupons: pl.DataFrame, track: Timeline) -> pl.DataFrame:
    """Coupons given to subscriptions, with the days they cover.

    In: live CHANGES, COUPONS, the timeline. Out, key grant_id: subscription_id, coupon columns, window_start, window_end
    (lines whose service starts in `[window_start, window_end)`), anchor and interval of the granted subscription.
    """
    given = live.filter(pl.col("kind") == ChangeKind.COUPON).select(
        "subscription_id", "coupon_id", "periods_left", grant_id="change_id", granted_on="effective_on"
    )
    ended = live.filter(pl.col("kind") == ChangeKind.COUPON_END).select(
        "subscription_id", "coupon_id", stopped_on="effective_on"
    )
    stops = given.join(ended, on=["subscription_id", "coupon_id"]).filter(pl.col("stopped_on") >= pl.col("granted_on"))
    first_stop = stops.group_by("grant_id").agg(pl.col("stopped_on").min())
    life = track.life.select("subscription_id", "begins_on")
    dated = (
        given.join(life, on="subscription_id")
        .join(first_stop, on="grant_id", how="left")
        .join(coupons.rename({"kind": "coupon_kind"}), on="coupon_id")
        .with_columns(first_day=pl.max_horizontal("granted_on", "begins_on"))
    )
    terms = track.plan.select("subscription_id", "start", "end", "anchor_on", "interval_months", "interval_days")
    placed = dated.join(terms, on="subscription_id").filter(
        (pl.col("start") <= pl.col("first_day")) & (pl.col("first_day") < pl.col("end"))
    )
    return _windows(placed).drop("start", "end", "first_day", "begins_on", "stopped_on")


def _windows(placed: pl.DataFrame) -> pl.DataFrame:
    """A grant covers periods that start on or after it (the first, shorter one too), as many as its duration says."""
    anchor, month, day = pl.col("anchor_on"), pl.col("interval_months"), pl.col("interval_days")
    here = placed.with_columns(_here=index_on(anchor, month, day, pl.col("first_day")))
    dated = here.with_columns(_boundary=boundary(anchor, month, day, pl.col("_here")))
    starts_here = (pl.col("_boundary") == pl.col("first_day")) | (pl.col("first_day") == pl.col("begins_on"))
    count = pl.coalesce("periods_left", pl.when(pl.col("duration") == Duration.ONCE).then(1).otherwise("periods"))
    counted = dated.with_columns(_first=pl.col("_here") + (~starts_here).cast(pl.Int32)).with_columns(
        _last=pl.col("_first") + count.cast(pl.Int32)
    )
    # A fixed amount given once is used up by amount, not by time; its rest waits.
    unending = (pl.col("duration") == Duration.FOREVER) | (
        (pl.col("duration") == Duration.ONCE) & (pl.col("coupon_kind") == CouponKind.AMOUNT)
    )
    last = pl.when(unending).then(pl.lit(OPEN)).otherwise(boundary(anchor, month, day, pl.col("_last")))
    return counted.with_columns(
        window_start=pl.max_horizontal(boundary(anchor, month, day, pl.col("_first")), "begins_on"),
        window_end=pl.min_horizontal(last, pl.col("stopped_on").fill_null(OPEN)),
    ).drop("_here", "_boundary", "_first", "_last")


def discount(lines: pl.DataFrame, given: pl.DataFrame, used: pl.DataFrame) -> tuple[pl.DataFrame, pl.DataFrame]:
    """The lines with their discount, and which grant gave how much of it.

    In: `lines` line (row number), subscription_id, customer_id, currency, charge_code, plan_id, kind, service_start,
    amount_minor, discount_minor (credits carry theirs already), and where limits are among them corrects_id, period_start,
    timing; `given` from `grants`; `used`: grant_id, period_start,
    amount_minor already given. Out: lines with `discount_minor`; shares line, grant_id, period_start, amount_minor.
    """
    shares: list[pl.DataFrame] = []
    own = given.filter(pl.col("scope") != Scope.INVOICE)
    wide = given.filter(pl.col("scope") == Scope.INVOICE)
    wide = _with_customer(wide, lines) if wide.height else wide
    if given.is_empty():
        return lines, pl.DataFrame(schema=SHARES)
    state = _to_pay(lines)
    for some, group in ((own, ["subscription_id"]), (wide, ["customer_id", "currency"])):
        if some.is_empty():
            continue
        order = pl.col("scope").replace_strict(_ORDER, return_dtype=pl.Int8)
        ranked = some.sort(order, "granted_on", "grant_id").with_columns(rank=pl.int_range(pl.len()).over(group))
        for turn in range(largest(ranked["rank"]) + 1):
            part = _one_turn(state, ranked.filter(pl.col("rank") == turn), group, used)
            state = _less(state, part)
            shares.append(part)
    every = pl.concat(shares) if shares else pl.DataFrame(schema=SHARES)
    given_minor = every.group_by("line").agg(given_minor=pl.col("amount_minor").sum())
    discounted = state.join(given_minor, on="line", how="left", maintain_order="left").with_columns(
        discount_minor=pl.col("discount_minor").fill_null(0) + pl.col("given_minor").fill_null(0)
    )
    return discounted.drop("left_minor", "given_minor"), every


def _to_pay(lines: pl.DataFrame) -> pl.DataFrame:
    """The lines with left_minor, what coupons can be taken off.

    What a limit takes off its period is spread over the period's lines first: a coupon lowers the limited price. What a limit
    adds again is paid as any line; a correction of one is not.
    """
    left = lines.with_columns(left_minor=pl.when(pl.col("amount_minor") > 0).then("amount_minor").otherwise(0))
    limits = pl.col("kind") == LIMIT
    if lines.filter(limits).is_empty():
        return left
    takes = limits & ((pl.col("amount_minor") < 0) | pl.col("corrects_id").is_not_null())
    period = ["subscription_id", "period_start", "timing"]
    paid = left.with_columns(left_minor=pl.when(takes).then(0).otherwise("left_minor"))
    off = lines.filter(takes).group_by(period).agg(off_minor=pl.col("amount_minor").sum())
    known = paid.join(off, on=period, how="left", maintain_order="left").with_columns(
        off_minor=pl.min_horizontal(
            -pl.col("off_minor").fill_null(0).clip(upper_bound=0), pl.col("left_minor").sum().over(period)
        )
    )
    part = allocate(known, period, "off_minor", "left_minor")
    return known.with_columns(left_minor=pl.col("left_minor") - part).drop("off_minor")


def _with_customer(given: pl.DataFrame, lines: pl.DataFrame) -> pl.DataFrame:
    """Invoice-wide grants with the customer and currency whose lines they cover."""
    owners = lines.select("subscription_id", "customer_id", owned="currency").unique()
    return given.drop("currency").join(owners, on="subscription_id").rename({"owned": "currency"})


def _one_turn(state: pl.DataFrame, given: pl.DataFrame, group: list[str], used: pl.DataFrame) -> pl.DataFrame:
    """Shares that one grant of each group gives: percent of, or an amount off, what is left of each of its periods."""
    columns = ["grant_id", "coupon_kind", "rate_ppm", "amount_minor", "duration", "scope", "charge_code", "plan_id",
               "includes_true_up", "window_start", "window_end", "anchor_on", "interval_months", "interval_days"]  # fmt: skip
    offers = given.select(*group, *columns).rename({"amount_minor": "offer_minor"})
    joined = state.join(offers, on=group, how="inner", suffix="_coupon").filter(_covered() & (pl.col("left_minor") > 0))
    anchor, month, day = pl.col("anchor_on"), pl.col("interval_months"), pl.col("interval_days")
    placed = joined.with_columns(_n=index_on(anchor, month, day, pl.col("service_start")))
    dated = placed.with_columns(period_start=boundary(anchor, month, day, pl.col("_n"))).sort("line")
    once = pl.col("duration") == Duration.ONCE
    by_period = used.group_by("grant_id", "period_start").agg(used_period=pl.col("amount_minor").sum())
    by_grant = used.group_by("grant_id").agg(used_ever=pl.col("amount_minor").sum())
    known = dated.join(by_period, on=["grant_id", "period_start"], how="left", maintain_order="left").join(
        by_grant, on="grant_id", how="left", maintain_order="left"
    )
    # A one-time amount is one purse over all periods, every other coupon has a purse for each period.
    gone = pl.when(once).then("used_ever").otherwise("used_period").fill_null(0)
    is_amount = pl.col("coupon_kind") == CouponKind.AMOUNT
    purse = pl.when(is_amount & once).then(pl.lit(OPEN)).otherwise("period_start")
    purses = known.with_columns(_purse=purse, _gone=gone)
    key = ["grant_id", "_purse"]
    base = pl.col("left_minor").sum().over(key)
    percent = percentage(base, pl.col("rate_ppm"))
    available = (pl.col("offer_minor") - pl.col("_gone")).clip(lower_bound=0)
    total = pl.when(is_amount).then(available).otherwise(percent)
    totals = purses.with_columns(_total=pl.min_horizontal(total, base))
    parts = totals.with_columns(amount_minor=allocate(totals, key, "_total", "left_minor"))
    return parts.filter(pl.col("amount_minor") != 0).select(pl.col(name).cast(kind) for name, kind in SHARES.items())


def percentage(base_minor: pl.Expr, rate_ppm: pl.Expr, kind: pl.DataType = WIDE) -> pl.Expr:
    """round(base · rate) of what is left to pay (≥ 0); in 64 bits where the caller has proven that the product fits."""
    whole = pl.lit(PPM, dtype=kind)
    return divide(base_minor.cast(kind) * rate_ppm.cast(kind), whole, positive=True).cast(pl.Int64)


def _covered() -> pl.Expr:
    """Does the grant cover the line?"""
    inside = (pl.col("service_start") >= pl.col("window_start")) & (pl.col("service_start") < pl.col("window_end"))
    scope = pl.col("scope")
    target = (
        pl.when(scope == Scope.CHARGE).then(pl.col("charge_code") == pl.col("charge_code_coupon"))
        .when(scope == Scope.PLAN).then(pl.col("plan_id_coupon").is_null() | (pl.col("plan_id") == pl.col("plan_id_coupon")))
        .otherwise(True)
    )  # fmt: skip
    # A limit stands for the whole period, also where it is taxed like one charge.
    whole = (pl.col("kind") != LIMIT) | (scope != Scope.CHARGE)
    allowed = whole & (pl.col("kind") != ADJUSTMENT) & ((pl.col("kind") != TRUE_UP) | pl.col("includes_true_up"))
    return inside & target.fill_null(False) & allowed


def _less(state: pl.DataFrame, shares: pl.DataFrame) -> pl.DataFrame:
    """What is left of each line after the shares."""
    taken = shares.select("line", _taken="amount_minor")
    return state.join(taken, on="line", how="left", maintain_order="left").with_columns(
        left_minor=pl.col("left_minor") - pl.col("_taken").fill_null(0)
    ).drop("_taken")  # fmt: skip


def credited_shares(lines: pl.DataFrame, original: pl.DataFrame) -> pl.DataFrame:
    """How credits give the discount back to the grants that gave it: negative shares.

    In: `lines` line, corrects_id, discount_minor (≤ 0); `original` line_id, grant_id, period_start, amount_minor. Out:
    line, grant_id, period_start, amount_minor ≤ 0, summing to each line's discount.
    """
    back = lines.filter(pl.col("discount_minor") < 0).select("line", "corrects_id", "discount_minor")
    if back.is_empty():
        return pl.DataFrame(schema=SHARES)
    spread = back.join(original, left_on="corrects_id", right_on="line_id", how="inner").filter(
        pl.col("amount_minor") > 0
    )
    parts = spread.with_columns(amount_minor=allocate(spread, ["line"], "discount_minor", "amount_minor"))
    return parts.filter(pl.col("amount_minor") != 0).select(pl.col(name).cast(kind) for name, kind in SHARES.items())
