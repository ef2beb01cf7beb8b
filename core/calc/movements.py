"""MRR movements: what changed a company's MRR, customer by customer and day by day (metrics.md sections 1 to 3).

The log is netted per customer and day; months and segments sum it, so that for every period MRR at its end = MRR at its
beginning + new + reactivation + expansion + contraction + churn (+ FX, + moved in and out). States decide, not amounts: a
customer whose price is nothing for a while only stays one. Amounts are twelfths of a minor unit; a balance "on" a day is
that at its end, so that the movements of `[a, b)` lie between the balances on a − 1 and b − 1.
"""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

import polars as pl

from core import frames
from core.calc.arithmetic import divide
from core.calc.calendar import OPEN
from core.domain.money import exponent_of

CUSTOMER, SUB = "customer_id", "subscription_id"
NEW, REACTIVATION, EXPANSION, CONTRACTION, CHURN = "new", "reactivation", "expansion", "contraction", "churn"
MOVED_IN, MOVED_OUT, FX = "moved_in", "moved_out", "fx"
KINDS = (NEW, REACTIVATION, EXPANSION, MOVED_IN, CONTRACTION, MOVED_OUT, CHURN)
KIND = pl.Enum(KINDS)

# What a subscription is worth from a day on. Key: subscription_id, day. `holds`: see recurring.STRETCHES.
STEPS: frames.Schema = {
    SUB: pl.Int64, CUSTOMER: pl.Int64, "currency": pl.String, "day": pl.Date, "plan_id": pl.Int64,
    "price_version_id": pl.Int64, "list_twelfths": pl.Int64, "net_twelfths": pl.Int64, "holds": pl.Boolean, "cause": pl.String,
}  # fmt: skip
# A customer's MRR from a day on, before and after. Key: customer_id, day. `delta` is after − before at the day's rates.
LOG: frames.Schema = {
    CUSTOMER: pl.Int64, "day": pl.Date, "kind": KIND, "cause": pl.String, "delta": pl.Int64,
    "before": pl.Int64, "after": pl.Int64, "list_after": pl.Int64, "customer_before": pl.Boolean,
    "customer_after": pl.Boolean, "gap_days": pl.Int32,
}  # fmt: skip


def steps(stretches: pl.DataFrame, owners: pl.DataFrame, ends: pl.DataFrame) -> pl.DataFrame:
    """STEPS of recurring.STRETCHES: a row where a stretch begins, one more where it ends and none follows at once.

    `owners`: subscription_id, customer_id. `ends`: subscription_id, ends_on, cause of the end of service. `cause` says what
    set the step: start, resumed, plan, price, quantity, addon, discount, discount_ended, vat, paused, or how service ended.
    """
    ordered = stretches.sort(SUB, "start")
    same = (pl.col(SUB) == pl.col(SUB).shift(1)).fill_null(False)
    joined = same & (pl.col("start") == pl.col("end").shift(1))
    changed = {name: pl.col(name) != pl.col(name).shift(1) for name in (
        "plan_id", "price_version_id", "paused", "quantity_micro", "addons", "coupons")}  # fmt: skip
    fewer = pl.col("coupons").str.len_chars() < pl.col("coupons").shift(1).str.len_chars()
    cause = (
        pl.when(~same).then(pl.lit("start")).when(~joined).then(pl.lit("resumed"))
        .when(changed["paused"] & pl.col("paused")).then(pl.lit("paused"))
        .when(changed["paused"]).then(pl.lit("resumed"))
        .when(changed["plan_id"]).then(pl.lit("plan")).when(changed["price_version_id"]).then(pl.lit("price"))
        .when(changed["quantity_micro"]).then(pl.lit("quantity")).when(changed["addons"]).then(pl.lit("addon"))
        .when(changed["coupons"] & fewer).then(pl.lit("discount_ended"))
        .when(changed["coupons"]).then(pl.lit("discount")).otherwise(pl.lit("vat"))
    )  # fmt: skip
    begins = ordered.with_columns(cause=cause, day="start")
    follows = (pl.col(SUB) == pl.col(SUB).shift(-1)) & (pl.col("end") == pl.col("start").shift(-1))
    closing = ordered.filter(~follows.fill_null(False) & (pl.col("end") < OPEN)).join(ends, on=SUB, how="left")
    # A stretch that ends while service goes on ends with a pause without a day of return.
    how = pl.when(pl.col("ends_on") <= pl.col("end")).then(
        pl.when(pl.col("cause").fill_null("") == "").then(pl.lit("other")).otherwise("cause")
    ).otherwise(pl.lit("paused"))  # fmt: skip
    stops = closing.with_columns(
        day="end", cause=how, holds=pl.lit(False),
        list_twelfths=pl.lit(0, dtype=pl.Int64), net_twelfths=pl.lit(0, dtype=pl.Int64),
    )  # fmt: skip
    every = pl.concat(
        [begins.select(stops_columns := [n for n in STEPS if n != CUSTOMER]), stops.select(stops_columns)]
    )
    return frames.conform(every.join(owners, on=SUB, how="left").sort(CUSTOMER, "day", SUB), STEPS)


def in_home(amount: pl.Expr, day: pl.Expr, rates: pl.DataFrame, home: str, currency: pl.Expr) -> pl.Expr:
    """Amounts of other currencies in the company's, by the latest rate on or before their day; null where there is none."""
    converted: Any = pl.when(currency == home).then(amount)
    for (code,), dated in rates.sort("currency", "on_date").group_by("currency", maintain_order=True):
        known = dated.unique("on_date", keep="last", maintain_order=True)
        at = pl.lit(known["on_date"]).search_sorted(day, side="right").cast(pl.Int64) - 1
        rate = pl.lit(known["rate"]).gather(at.clip(lower_bound=0)).cast(pl.Int128)
        shift = exponent_of(home) - exponent_of(str(code))
        top, below = 10 ** max(shift, 0), frames.CURRENCY_RATE_SCALE * 10 ** max(-shift, 0)
        value = divide(amount.cast(pl.Int128) * rate * top, pl.lit(below, dtype=pl.Int128)).cast(pl.Int64)
        # Before the first rate there is none: the first one is used, as a later one would be for later days.
        converted = converted.when(currency == code).then(value)
    expression: pl.Expr = converted.otherwise(None)
    return expression


def _set(steps_: pl.DataFrame) -> pl.DataFrame:
    """What each step changes of its subscription: + d_net, d_list, d_hold, before anything was 0; by subscription and day."""
    ordered = steps_ if _ordered(steps_, SUB) else steps_.sort(SUB, "day", maintain_order=True)
    same = (pl.col(SUB) == pl.col(SUB).shift(1)).fill_null(False)
    held = pl.col("holds").cast(pl.Int64)
    told = {"d_net": pl.col("net_twelfths"), "d_list": pl.col("list_twelfths"), "d_hold": held}
    return ordered.with_columns(
        (now - pl.when(same).then(now.shift(1)).otherwise(0)).alias(name) for name, now in told.items()
    )


def _ordered(frame: pl.DataFrame, key: str) -> bool:
    """Is the frame in order of the key and the day?"""
    before, later = pl.col(key).shift(1), pl.col("day").shift(1)
    fine = (before < pl.col(key)) | ((before == pl.col(key)) & (later <= pl.col("day")))
    return bool(frame.select(fine.all()).item())


def log(steps_: pl.DataFrame, rates: pl.DataFrame, home: str) -> pl.DataFrame:
    """LOG of all customers in STEPS, in the currency `home`, by customer and day.

    `rates`: CURRENCY_RATES. Currencies without any rate must be left out before (`convertible`).
    """
    if steps_.is_empty():
        return pl.DataFrame(schema=LOG)
    ordered = steps_ if _ordered(steps_, CUSTOMER) else steps_.sort(CUSTOMER, "day", maintain_order=True)
    needed = rates if rates.height and (ordered["currency"] != home).any() else rates.clear()
    several = _several(ordered)
    if several.is_empty():
        return _classified(_joined_gaps(_valued(_alone(ordered), needed, home)))
    added = pl.col(CUSTOMER).is_in(several.implode())
    others = _added(ordered.filter(added), needed, home)
    alone = _valued(_alone(ordered.filter(~added)), needed, home)
    return _classified(_joined_gaps(alone.merge_sorted(others, CUSTOMER).collect().lazy()))


def _several(ordered: pl.DataFrame) -> pl.Series:
    """The customers with more than one subscription or currency, or more than one step on a day."""
    again = [pl.col(name) != pl.col(name).shift(1) for name in (SUB, "currency")]
    again.append(pl.col("day") == pl.col("day").shift(1))
    found = ordered.lazy().filter(repeats(CUSTOMER) & pl.any_horizontal(again)).select(CUSTOMER)
    return found.unique(maintain_order=True).collect()[CUSTOMER]


def repeats(*names: str) -> pl.Expr:
    """Are these as in the row before?"""
    return pl.all_horizontal(pl.col(name) == pl.col(name).shift(1) for name in names).fill_null(False)


def _alone(ordered: pl.DataFrame) -> pl.LazyFrame:
    """The states of customers with one subscription: they pay what it is worth, nothing has to be added up."""
    net = pl.col("net_twelfths")
    was = pl.when(repeats(CUSTOMER)).then(net.shift(1)).otherwise(0)
    return ordered.lazy().select(CUSTOMER, "currency", "day", "cause", "holds", net=net, was=was, list="list_twelfths")


def _added(steps_: pl.DataFrame, rates: pl.DataFrame, home: str) -> pl.LazyFrame:
    """The states of customers with several subscriptions: what each step changes is added up. Valued, by customer and day."""
    columns = [CUSTOMER, "currency", "day", "d_net", "d_list", "d_hold", "cause"]
    each = _set(steps_).select(columns).sort(CUSTOMER, "day", maintain_order=True)
    if not _several_currencies(each):
        return _valued(_netted(each, [CUSTOMER]).lazy(), rates, home)
    own = [CUSTOMER, "currency"]
    return _together(_netted(each.sort(*own, "day", maintain_order=True), own), rates, home)


def _several_currencies(each: pl.DataFrame) -> bool:
    """Does anybody pay in more than one?"""
    return bool(each.select((repeats(CUSTOMER) & ~repeats("currency")).any()).item())


def _netted(each: pl.DataFrame, own: list[str]) -> pl.DataFrame:
    """One row of `own` and day: net after (and what it was), list, holds; in order. The cause is that of the day's largest change."""
    doubled = each.with_columns(_again=repeats(*own, "day"))
    if doubled["_again"].any():
        part = doubled["_again"] | doubled["_again"].shift(-1, fill_value=False)
        sums = each.filter(part).group_by(*own, "day", maintain_order=True).agg(
            *(pl.col(name).first() for name in each.columns if name not in (*own, "day", "d_net", "d_list", "d_hold", "cause")),
            pl.col("d_net", "d_list", "d_hold").sum(), cause=pl.col("cause").get(pl.col("d_net").abs().arg_max()),
        )  # fmt: skip
        each = pl.concat([each.filter(~part), sums.select(each.columns)]).sort(*own, "day")
    first = ~repeats(*own)
    net, listed, held = (_running_within(pl.col(name), first) for name in ("d_net", "d_list", "d_hold"))
    return each.select(
        CUSTOMER, "currency", "day", "cause", net=net, was=net - pl.col("d_net"), list=listed, holds=held > 0
    )


def _running_within(amount: pl.Expr, first: pl.Expr) -> pl.Expr:
    """Running sums within groups, which begin where `first` is true: those of all rows, less what there was before the group."""
    whole = amount.cum_sum()
    return whole - pl.when(first).then(whole - amount).forward_fill()


def _valued(states: pl.LazyFrame, rates: pl.DataFrame, home: str) -> pl.LazyFrame:
    """Rows of customers with one currency each in the company's: delta, after, list_after, pays, holds, cause."""
    day, currency = pl.col("day"), pl.col("currency")
    after, before, at_list = pl.col("net"), pl.col("was"), pl.col("list")
    if not rates.is_empty():
        after, before, at_list = (in_home(amount, day, rates, home, currency) for amount in (after, before, at_list))
    return states.select(
        CUSTOMER, "day", "holds", "cause", delta=after - before, after=after, list_after=at_list, pays=pl.col("net") > 0
    )


def _together(states: pl.DataFrame, rates: pl.DataFrame, home: str) -> pl.LazyFrame:
    """The same where some customers have several currencies: one row a customer and day over all of them."""
    some = states.join(
        states.group_by(CUSTOMER).agg(n=pl.col("currency").n_unique()).filter(pl.col("n") > 1), on=CUSTOMER, how="semi"
    )
    # A currency that does not move on a day still counts that day.
    grid = some.select(CUSTOMER, "day").unique().join(some.select(CUSTOMER, "currency").unique(), on=CUSTOMER)
    filled = grid.join(some, on=[CUSTOMER, "currency", "day"], how="left").sort(CUSTOMER, "currency", "day")
    own = [CUSTOMER, "currency"]
    filled = filled.with_columns(
        pl.col("net", "list").forward_fill().over(own).fill_null(0),
        pl.col("holds").forward_fill().over(own).fill_null(False),
    ).with_columns(pl.col("was").fill_null(pl.col("net")))  # fmt: skip
    rest = states.join(some.select(CUSTOMER).unique(), on=CUSTOMER, how="anti")
    valued = _valued(pl.concat([rest, filled.select(rest.columns)]).lazy(), rates, home)
    return valued.group_by(CUSTOMER, "day").agg(
        pl.col("holds").any(), pl.col("cause").get(pl.col("delta").abs().arg_max()),
        pl.col("delta", "after", "list_after").sum(), pl.col("pays").any(),
    ).sort(CUSTOMER, "day")  # fmt: skip


def _joined_gaps(days: pl.LazyFrame) -> pl.LazyFrame:
    """A gap of at most a day is none: what ends on a day and begins on the next counts as one change on that day."""
    stands, day = pl.col("pays") | pl.col("holds"), pl.col("day").to_physical()
    soon = day.shift(-1) - day <= 1
    bridged = (repeats(CUSTOMER).shift(-1) & ~stands & stands.shift(-1) & soon).fill_null(False)
    if not days.select(bridged.any()).collect().item():
        return days
    marked = days.collect().with_columns(_gone=bridged)
    moved = pl.when(pl.col("_gone").shift(1) & repeats(CUSTOMER)).then(pl.col("delta").shift(1)).otherwise(0)
    return marked.with_columns(delta=pl.col("delta") + moved).filter(~pl.col("_gone")).drop("_gone").lazy()


def _classified(days: pl.LazyFrame) -> pl.DataFrame:
    """LOG: the kind of each customer-day. In, by customer and day: delta, after, list_after, pays, holds, cause."""
    mine, payer, delta = repeats(CUSTOMER), pl.col("_payer"), pl.col("delta")
    # Who paid last, up to a row: if it is the row's own customer, they have been paying by then.
    paid = days.with_columns(_payer=pl.when("pays").then(CUSTOMER).forward_fill())
    known = paid.with_columns(
        customer_after=pl.col("pays") | (pl.col("holds") & (payer == pl.col(CUSTOMER)).fill_null(False)),
        _ever=(payer.shift(1) == pl.col(CUSTOMER)).fill_null(False),
    ).with_columns(customer_before=(pl.col("customer_after").shift(1) & mine).fill_null(False))  # fmt: skip
    before, after = pl.col("customer_before"), pl.col("customer_after")
    kind = (
        pl.when(~before & after & ~pl.col("_ever")).then(_lit(NEW))
        .when(~before & after).then(_lit(REACTIVATION))
        .when(before & ~after).then(_lit(CHURN))
        .when(before & (delta > 0)).then(_lit(EXPANSION))
        .when(before & (delta < 0)).then(_lit(CONTRACTION))
    )  # fmt: skip
    since = pl.col("day").to_physical() - pl.col("day").shift(1).to_physical()
    told = known.with_columns(kind=kind).with_columns(
        gap_days=pl.when(pl.col("kind") == _lit(REACTIVATION)).then(since)
    )
    moved_ = told.filter(pl.col("kind").is_not_null()).with_columns(before=pl.col("after") - delta)
    # Shifts over whole columns: streamed they take a fifth more.
    return frames.conform(moved_.select(*LOG).collect(engine="in-memory"), LOG)


def _lit(kind: str) -> pl.Expr:
    return pl.lit(kind, dtype=KIND)


def convertible(steps_: pl.DataFrame, rates: pl.DataFrame, home: str) -> tuple[pl.DataFrame, list[str]]:
    """The steps whose currency has a rate, and the currencies that have none."""
    known = [home, *rates["currency"].unique().to_list()]
    missing = steps_.filter(~pl.col("currency").is_in(known))["currency"].unique().sort().to_list()
    return steps_.filter(pl.col("currency").is_in(known)), missing


def balances(steps_: pl.DataFrame, days: list[date], rates: pl.DataFrame, home: str) -> pl.DataFrame:
    """MRR in `home` at the end of each day, at that day's rates: day, net_twelfths, list_twelfths."""
    each = _set(steps_).group_by("currency", "day").agg(pl.col("d_net", "d_list").sum()).sort("currency", "day")
    wanted = pl.DataFrame({"at": days}, schema={"at": pl.Date})
    if each.is_empty():
        zero = pl.lit(0, dtype=pl.Int64)
        return wanted.select(day="at", net_twelfths=zero, list_twelfths=zero)
    sums = [
        wanted.with_columns(
            currency=pl.lit(code),
            **{
                to: _running(dated["day"], dated[of], wanted["at"]) for to, of in (("net", "d_net"), ("list", "d_list"))
            },
        )
        for (code,), dated in each.group_by("currency", maintain_order=True)
    ]
    every = pl.concat(sums).with_columns(
        in_home(pl.col(name), pl.col("at"), rates, home, pl.col("currency")).alias(f"{name}_twelfths")
        for name in ("net", "list")
    )
    return every.group_by(day="at").agg(pl.col("net_twelfths", "list_twelfths").sum()).sort("day")


def _running(days: pl.Series, amounts: pl.Series, at: pl.Series) -> pl.Series:
    """Σ of what lies on or before each day."""
    total = pl.concat([pl.Series([0], dtype=pl.Int64), amounts.cum_sum().rechunk().cast(pl.Int64)])
    return total.gather(days.search_sorted(at, side="right"))


def months_between(first: date, last: date) -> list[date]:
    """The first days of the months from that of `first` to that of `last`."""
    count = (last.year - first.year) * 12 + last.month - first.month
    return [date(first.year + (first.month - 1 + k) // 12, (first.month - 1 + k) % 12 + 1, 1) for k in range(count + 1)]


def after_months(month: date, count: int) -> date:
    """The first day of the month `count` months later."""
    return date(month.year + (month.month - 1 + count) // 12, (month.month - 1 + count) % 12 + 1, 1)


def daily(log_: pl.DataFrame) -> pl.DataFrame:
    """Σ of the log by day and kind: day, kind, delta, n. Many customers move on few days, so what is summed further begins here."""
    # One number for day and kind: grouped by two columns it takes a third more.
    place = pl.col("day").to_physical() * len(KINDS) + pl.col("kind").to_physical().cast(pl.Int32)
    sums = log_.lazy().group_by(place=place).agg(pl.col("delta").sum(), n=pl.len().cast(pl.Int64))
    kind = pl.lit(pl.Series(KINDS, dtype=KIND)).gather(pl.col("place") % len(KINDS))
    return sums.select(
        day=(pl.col("place") // len(KINDS)).cast(pl.Date), kind=kind, delta="delta", n="n"
    ).collect(engine="streaming")  # fmt: skip


def monthly_table(log_: pl.DataFrame, balance: pl.DataFrame, months: list[date]) -> pl.DataFrame:
    """One row a month: opening, each kind, fx, closing (twelfths); customers at the beginning, new_customers … and end.

    `balance`: `balances` on the day before each month and on the last month's last day. FX is the exact residual.
    """
    inside = log_.filter((pl.col("day") >= months[0]) & (pl.col("day") < after_months(months[-1], 1)))
    flows = (
        daily(inside)
        .group_by(month=pl.col("day").dt.month_start())
        .agg(
            *(pl.col("delta").filter(pl.col("kind") == kind).sum().alias(kind) for kind in KINDS),
            *(pl.col("n").filter(pl.col("kind") == kind).sum().alias(f"{kind}_customers") for kind in KINDS),
        )
    )
    whole = pl.DataFrame({"month": months}, schema={"month": pl.Date}).join(flows, on="month", how="left").fill_null(0)
    net = balance["net_twelfths"]
    count = customers_on(log_, [month - timedelta(days=1) for month in months])
    opened = whole.with_columns(
        opening=net.slice(0, len(months)), closing=net.slice(1, len(months)), customers_at_start=count
    )
    moved = pl.sum_horizontal(KINDS)
    gone = pl.col("churn_customers") + pl.col("moved_out_customers")
    come = pl.col("new_customers") + pl.col("reactivation_customers") + pl.col("moved_in_customers")
    return opened.with_columns(
        fx=pl.col("closing") - pl.col("opening") - moved, customers_at_end=pl.col("customers_at_start") + come - gone
    )


def customers_on(log_: pl.DataFrame, days: list[date]) -> pl.Series:
    """How many are customers at the end of each day."""
    step = pl.col("customer_after").cast(pl.Int64) - pl.col("customer_before").cast(pl.Int64)
    moved = log_.select("day", step=step).group_by("day").agg(pl.col("step").sum()).sort("day")
    return _running(moved["day"], moved["step"], pl.Series(days, dtype=pl.Date)).alias("customers")


def standing(log_: pl.DataFrame, on: date) -> pl.DataFrame:
    """Who is a customer at the end of a day: customer_id, mrr (twelfths, at the rate of their last change), list_mrr, since."""
    past = log_.filter(pl.col("day") <= on)
    last = past.group_by(CUSTOMER, maintain_order=True).agg(
        pl.col("after", "list_after", "customer_after").last(),
        since=pl.col("day").filter(pl.col("kind") == NEW).first(),
    )
    return last.filter("customer_after").select(CUSTOMER, mrr="after", list_mrr="list_after", since="since")


def within(steps_: pl.DataFrame, plan_ids: list[int]) -> pl.DataFrame:
    """The steps as these plans see them: a subscription on another plan is worth nothing here."""
    here = pl.col("plan_id").is_in(plan_ids)
    return steps_.with_columns(
        *(pl.when(here).then(name).otherwise(0).alias(name) for name in ("list_twelfths", "net_twelfths")),
        holds=pl.col("holds") & here,
    )


def by_plan(steps_: pl.DataFrame) -> pl.DataFrame:
    """The steps split by plan: `customer_id` numbers (customer, plan) pairs, named by the columns `whose` and `plan_id`.

    Where a subscription leaves a plan for another, the plan that is left has a step to nothing on that day.
    """
    ordered = steps_.sort(SUB, "day", maintain_order=True)
    left = (pl.col(SUB) == pl.col(SUB).shift(1)) & (pl.col("plan_id") != pl.col("plan_id").shift(1))
    zeros = ordered.with_columns(old=pl.when(left).then(pl.col("plan_id").shift(1))).filter(pl.col("old").is_not_null())
    zero = pl.lit(0, dtype=pl.Int64)
    leaving = zeros.with_columns(plan_id="old", list_twelfths=zero, net_twelfths=zero, holds=pl.lit(False)).drop("old")
    every = pl.concat([ordered, leaving.select(ordered.columns)])
    pair = pl.struct(CUSTOMER, "plan_id").rank("dense").cast(pl.Int64)
    return every.with_columns(
        pl.struct(SUB, "plan_id").rank("dense").cast(pl.Int64).alias(SUB), whose=pl.col(CUSTOMER), pair=pair
    ).with_columns(pl.col("pair").alias(CUSTOMER)).drop("pair").sort(CUSTOMER, "day", SUB)  # fmt: skip


def moved(part: pl.DataFrame, whole: pl.DataFrame) -> pl.DataFrame:
    """The log of a part of the subscriptions, whose customers may stay elsewhere: they move in and out, they are not new or gone.

    In: LOG of the part (with `whose` where its customer_id is not the customer's), LOG of the whole.
    """
    own = "whose" if "whose" in part.columns else CUSTOMER
    named = part.join(
        whole.select(pl.col(CUSTOMER).alias(own), "day", whole="kind"),
        on=[own, "day"],
        how="left",
        maintain_order="left",
    )
    kind, known = pl.col("kind"), pl.col("whole")
    elsewhere = (
        pl.when((kind == CHURN) & (known.is_null() | (known != CHURN))).then(_lit(MOVED_OUT))
        .when(kind.is_in([NEW, REACTIVATION]) & known.is_in([NEW, REACTIVATION])).then(known)
        .when(kind.is_in([NEW, REACTIVATION])).then(_lit(MOVED_IN)).otherwise(kind)
    )  # fmt: skip
    return named.with_columns(kind=elsewhere).drop("whole")
