"""Scenarios as stored, and every number of one: for the page, the memo, a file and the frozen prediction alike."""

from __future__ import annotations

import hashlib
import itertools
import json
from collections.abc import Iterator
from dataclasses import asdict, replace
from datetime import date, timedelta
from fractions import Fraction
from typing import Any

import polars as pl
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from core import frames
from core.calc import movements
from core.calc.calendar import boundary, index_on
from core.calc.recurring import in_minor, monthly, year_share
from core.calc.simulation import limits
from core.domain import periods
from core.domain.money import exponent_of
from core.domain.periods import YEARLY, Timing
from core.domain.plans import PriceStatus
from core.domain.price_form import fill
from core.domain.scenarios import Scenario, WhyNot, from_json, to_json
from core.reports import expected as expectation
from core.reports import kpis, lifetimes, mrr
from core.reports.bridge import usage_by_month
from core.reports.expected import Expected
from core.reports.simulation import Exact, Prepared, exact_effect, prepared
from core.store import load, rollouts
from core.store.tables import (
    DocumentLine,
    MigrationPlan,
    Plan,
    PriceVersion,
    ScenarioDecision,
    ScenarioResult,
    Subscription,
    SubscriptionChange,
    UsageEvent,
    core_table,
)  # fmt: skip
from core.store.tables import Scenario as ScenarioRow

ENGINE = "3"  # raised when a rule of the simulation changes, so that frozen numbers say by which they were made
EDGES = (-0.20, -0.05, 0.05, 0.10, 0.25, 0.50)
AMBER, RED = 0.10, 0.25
SHOCK = 10  # a rise of less than so many units of the currency is no shock, whatever its share
SUB = "subscription_id"
PPM = 10**6
_WHO = (SUB, "external_id", "name", "currency", "begin")


def all_scenarios(session: Session) -> list[dict[str, Any]]:
    """The kept scenarios, newest first: id, name, author, recorded_at, step, scenario; replaced ones are left out."""
    table, steps = core_table(ScenarioRow), core_table(ScenarioDecision)
    replaced = select(table.c.replaces_id).where(table.c.replaces_id.is_not(None))
    last = select(func.max(steps.c.id)).group_by(steps.c.scenario_id)
    known = {row.scenario_id: row for row in session.execute(select(steps).where(steps.c.id.in_(last)))}
    rows = session.execute(select(table).where(table.c.id.not_in(replaced)).order_by(table.c.id.desc()))
    return [
        {"id": row.id, "name": row.name, "author": row.author, "recorded_at": row.recorded_at, "scenario": from_json(json.loads(row.content)),
         "step": known[row.id].decision if row.id in known else "", "note": known[row.id].note if row.id in known else "",
         "by": known[row.id].author if row.id in known else ""}
        for row in rows
    ]  # fmt: skip


def decisions(session: Session, scenario_id: int) -> list[dict[str, Any]]:
    """What was decided about a scenario, in order: decision, author, recorded_at, note."""
    table = core_table(ScenarioDecision)
    columns = (table.c.decision, table.c.author, table.c.recorded_at, table.c.note)
    rows = session.execute(select(*columns).where(table.c.scenario_id == scenario_id).order_by(table.c.id))
    return [dict(row) for row in rows.mappings()]


def one(session: Session, scenario_id: int) -> Scenario:
    """A kept scenario."""
    table = core_table(ScenarioRow)
    return from_json(json.loads(session.execute(select(table.c.content).where(table.c.id == scenario_id)).scalar_one()))


def data_hash(session: Session) -> str:
    """What the numbers stand on, in short: the newest fact, usage event and document line, and how many there are."""
    parts = [
        session.execute(select(func.max(core_table(model).c.id), func.count())).one()
        for model in (SubscriptionChange, UsageEvent, DocumentLine)
    ]
    return hashlib.sha256(repr([tuple(part) for part in parts]).encode()).hexdigest()[:12]


def exact_numbers(known: Exact) -> dict[str, Any]:
    """The numbers that rest on no assumption."""
    rows, moved = known.rows, known.moved
    before, after = int(rows["before"].sum()), int(rows["after"].sum())
    red, amber = (
        _shock(share, known.scenario.currency).sum().alias(name) for name, share in (("red", RED), ("amber", AMBER))
    )
    shocked = share_of(moved).select(red, amber).row(0, named=True)
    return {
        "subscriptions": rows.height, "moved": moved.height, "changed": int((moved["after"] != moved["before"]).sum()), "before_minor": monthly(before), "after_minor": monthly(after),
        "delta_minor": monthly(after) - monthly(before), "delta_share": (after - before) / before if before else None,
        "lowest_minor": monthly(_lowest(rows)), "highest_minor": monthly(after), "addons_given_up_minor": monthly(int(rows["addon"].sum())),
        "limits_minor": monthly(int(rows["limit"].sum())), "coupled_share": known.coupled / rows.height if rows.height else 0.0,
        "recognised_first_year_minor": recognised(moved, known.today), "invoiced_first_year_minor": invoiced(moved, known.today),
        "bands": bands(moved), "quantiles": quantiles(moved), "top_ten_share": _top(moved), **shocked, "segments": segments(moved),
        "edges": [{"charge": edge.charge, **asdict(edge.fall), "bills": edge.bills, "convert_by": edge.convert_by} for edge in known.edges], "why_not": _why_not(known),
        "begins": _ends(moved.filter(pl.col("wave") == 1)["starts_on"]), "starts": _ends(moved["starts_on"]), "letters": _ends(moved["notice_on"]),
        "notice": [moved["notice_days"].min(), moved["notice_days"].max()] if moved.height else [], "beyond": _after_horizon(known), "older": _older(moved),
    }  # fmt: skip


def outcome(known: Exact, hoped: Expected, numbers: dict[str, Any] | None = None) -> dict[str, Any]:
    """Every number of the page as plain data; money in minor units of the scenario's currency, shares as fractions.

    `numbers`: `exact_numbers`, where they are known already.
    """
    prices = {
        "plan": known.candidate.plan,
        "before": fill(known.candidate.before),
        "after": fill(known.candidate.terms),
    }
    return {
        "scenario": to_json(known.scenario), "prices": prices, "as_of": known.today.isoformat(), "engine": ENGINE,
        "exact": numbers or exact_numbers(known),
        "expected": {
            "gain": _range(hoped.gain), "steady": _range(hoped.steady), "lost": _range(hoped.lost), "parts": hoped.parts,
            "nrr_before": hoped.nrr_before, "nrr_after": hoped.nrr_after, "break_even_loss": hoped.break_even_loss,
            "break_even_churn": hoped.break_even_churn, "break_even_kappa": hoped.break_even_kappa, "loss_chance_kappa": hoped.loss_chance_kappa,
            "base_churn": hoped.base_churn, "churn_events": hoped.events, "sign_ups_a_month": hoped.sign_ups,
            "tornado": [{"assumption": name, "low": low, "high": high} for name, low, high in hoped.tornado],
            "months": [{**row, "month": row["month"].isoformat()[:7]} for row in hoped.months.iter_rows(named=True)],
            "kappa": float(hoped.reaction.kappa),
        },
    }  # fmt: skip


def _why_not(known: Exact) -> dict[str, int]:
    """How many keep their prices, by the reason."""
    counts = dict(known.rows.filter(pl.col("why").is_not_null())["why"].value_counts().iter_rows())
    return {**counts, **({WhyNot.NOT_SERVED.value: known.idle} if known.idle else {})}


def _ends(days: pl.Series) -> list[str]:
    """The first and the last of some days."""
    told = days.unique().sort()
    return [told[end].isoformat() for end in (0, -1)] if told.len() else []


def _older(moved: pl.DataFrame) -> dict[str, int]:
    """Who pays other than the prices sold today, and what of the effect is bringing them up to those: subscriptions, delta_minor."""
    sold, before = int(moved["sold"].sum()), int(moved["before"].sum())
    count = int((moved["sold"] != moved["before"]).sum())
    return {"subscriptions": count, "delta_minor": monthly(sold - before)}


def _after_horizon(known: Exact) -> dict[str, Any] | None:
    """Whose new prices begin after the horizon, so that nothing of them is in what is expected: subscriptions, waves, first_on."""
    late = known.moved.filter(expectation.month_in("starts_on", known.today) >= known.scenario.horizon_months)
    if late.is_empty():
        return None
    waves = sorted(late["wave"].unique()) if known.scenario.waves > 1 else []
    return {"subscriptions": late.height, "waves": waves, "first_on": min(late["starts_on"]).isoformat()}


def _range(found: Any) -> dict[str, float]:
    return {
        "low": round(found.low, 4),
        "middle": round(found.middle, 4),
        "high": round(found.high, 4),
        "above_zero": found.above_zero,
    }


def _lowest(rows: pl.DataFrame) -> int:
    """If everybody whose bill changes picks the cheapest plan open to them: Σ min(after, cheapest), twelfths."""
    best = pl.when("moved").then(pl.min_horizontal("after", "cheapest")).otherwise("after")
    return int(rows.select(best.sum()).item() or 0)


def share_of(rows: pl.DataFrame) -> pl.DataFrame:
    """The rows with `delta` (twelfths) and `share`, the relative change of the bill; null where nothing was billed before."""
    delta = pl.col("after") - pl.col("before")
    return rows.with_columns(delta=delta, share=pl.when(pl.col("before") > 0).then(delta / pl.col("before")))


def _beyond(edge: float) -> pl.Expr:
    """Does a bill rise by more than a share, or fall by as much as one below nought? In exact integers. What a limit holds is within it:
    the bill today, the limit and what coupons and VAT leave of it are each rounded, so up to two minor units a bill say nothing.
    """
    months, days = pl.col("interval_months"), pl.col("interval_days")
    bills = pl.when(months > 0).then(12 // months).otherwise(366 // days + 1)
    slack = pl.when(pl.col("limit") != 0).then(2 * bills).otherwise(0)  # twelfths a month are whole ones a year
    size = (pl.col("delta") if edge > 0 else -pl.col("delta")) - slack
    wide, bound = size.cast(pl.Int128) * PPM, pl.col("before").cast(pl.Int128) * round(abs(edge) * PPM)
    return (pl.col("before") > 0) & ((wide > bound) if edge > 0 else (wide >= bound))


def bands(moved: pl.DataFrame) -> list[dict[str, Any]]:
    """Customers and money by relative change: from, to (None = open), customers, delta_minor; the newly charged have no share."""
    known = share_of(moved)
    passed = (_beyond(edge) if edge > 0 else ~_beyond(edge) for edge in EDGES)
    above = pl.sum_horizontal(each.cast(pl.Int64) for each in passed)
    sums = known.drop_nulls("share").group_by(above=above).agg(pl.col("customer_id").n_unique(), pl.col("delta").sum())
    of_band = {number: (customers, delta) for number, customers, delta in sums.iter_rows()}
    found = []
    for number, (low, high) in enumerate(itertools.pairwise([None, *EDGES, None])):
        customers, delta = of_band.get(number, (0, 0))
        found.append({"from": low, "to": high, "customers": customers, "delta_minor": monthly(delta)})
    newly = known.filter(pl.col("share").is_null() & (pl.col("after") > 0))
    if newly.height:
        found.append(
            {
                "from": None,
                "to": None,
                "customers": newly.height,
                "delta_minor": monthly(int(newly["delta"].sum())),
                "newly_charged": True,
            }
        )
    return found


def segments(moved: pl.DataFrame) -> list[dict[str, Any]]:
    """The effect by kind and by country of the customers: dimension, segment, subscriptions, rising, falling, before_minor, after_minor, delta_share."""
    found = []
    for dimension in ("kind", "country"):
        table = moved.group_by(dimension).agg(
            pl.col("before", "after").sum(), subscriptions=pl.len(), rising=(pl.col("after") > pl.col("before")).sum(),
            falling=(pl.col("after") < pl.col("before")).sum(),
        ).sort("before", dimension, descending=[True, False])  # fmt: skip
        for row in table.iter_rows(named=True):
            before, after = int(row["before"]), int(row["after"])
            found.append({
                "dimension": dimension, "segment": row[dimension], "subscriptions": row["subscriptions"], "rising": row["rising"], "falling": row["falling"],
                "before_minor": monthly(before), "after_minor": monthly(after), "delta_share": (after - before) / before if before else None,
            })  # fmt: skip
    return found


def quantiles(moved: pl.DataFrame) -> dict[str, float | None]:
    """Median, 90 %, 95 % and the largest relative change."""
    shares = share_of(moved)["share"].drop_nulls()
    if shares.is_empty():
        return {"p50": None, "p90": None, "p95": None, "max": None}
    return {
        name: float(shares.quantile(q, "linear") or 0.0)
        for name, q in (("p50", 0.5), ("p90", 0.9), ("p95", 0.95), ("max", 1.0))
    }


def _top(moved: pl.DataFrame) -> float | None:
    """The ten customers' share of the uplift who pay most of it."""
    by = (
        share_of(moved)
        .group_by("customer_id")
        .agg(pl.col("delta").sum())
        .filter(pl.col("delta") > 0)
        .sort("delta", descending=True)
    )
    return float(by["delta"].head(10).sum()) / float(by["delta"].sum()) if by.height else None


def _shock(share: float, currency: str) -> pl.Expr:
    """Bills that rise by more than a share, or for the second time within a year, and by more than a small amount."""
    rises = _beyond(share) | pl.col("again")
    return rises & (pl.col("delta") > pl.lit(12 * SHOCK * 10 ** exponent_of(currency)))


def recognised(moved: pl.DataFrame, today: date) -> int:
    """The uplift that is earned in the twelve months from today on, day by day, without any reaction: minor units."""
    end = periods.boundary(today, YEARLY, 1)
    days = (pl.lit(end) - pl.col("starts_on")).dt.total_days().clip(0, (end - today).days)
    uplift = (pl.col("after") - pl.col("before")).cast(pl.Int128) * 12 * days
    return monthly(round(Fraction(int(moved.select(uplift.sum()).item() or 0), (end - today).days)))


def invoiced(moved: pl.DataFrame, today: date) -> int:
    """The uplift on the invoices that fall due in the twelve months from today on: a period in advance is billed whole, and what is left
    of one in which the prices change by its days on the next invoice."""
    end, terms = periods.boundary(today, YEARLY, 1), ("anchor_on", "interval_months", "interval_days")
    anchor, months, days = (pl.col(name) for name in terms)
    starts, (top, below) = pl.col("starts_on"), year_share()
    at = index_on(anchor, months, days, starts)
    last = index_on(anchor, months, days, pl.lit(end - timedelta(days=1)))
    begin, following = (boundary(anchor, months, days, n) for n in (at, at + 1))
    whole, length, rest = last - at, (following - begin).dt.total_days(), (following - starts).dt.total_days()
    left = pl.when((begin == starts) | (following < end)).then(rest).otherwise(0)
    uplift = (pl.col("after") - pl.col("before")).cast(pl.Int128) * (whole * length + left)
    sums = moved.filter(starts < end).group_by(top=top, below=below, length=length).agg(uplift=uplift.sum())
    parts = (
        Fraction(int(row["uplift"]) * row["below"], row["top"] * row["length"]) for row in sums.iter_rows(named=True)
    )
    return round(sum(parts, Fraction(0)))


def simulate(session: Session, scenario: Scenario, today: date) -> dict[str, Any]:
    """Everything about a scenario, for files and schedulers."""
    ledger = mrr.ledger(session, today)
    ready = prepared(session, ledger, today, scenario.window_months)
    known = exact_effect(session, ready, scenario)
    people = lifetimes.people(session, ledger, kpis.Filters(), today)
    found = outcome(known, expectation.expected(known, people, today))
    return {**found, "data_hash": data_hash(session), "gap_ppm": gap(held_against_invoices(session, ready))}


def gap(held: pl.DataFrame) -> int | None:
    """How far re-rated history is from the invoices: Σ |difference| ÷ Σ invoiced of the last whole period, in millionths, of the currency
    where it is largest, for they never add. In: `held_against_invoices`. None when nothing was billed that could be compared."""
    shares = held.group_by("currency").agg(
        off=(pl.col("net_minor") - pl.col("billed_minor")).abs().sum(), total=pl.col("billed_minor").abs().sum()
    ).filter(pl.col("total") > 0)  # fmt: skip
    return max((round(1_000_000 * row["off"] / row["total"]) for row in shares.iter_rows(named=True)), default=None)


def held_against_invoices(session: Session, ready: Prepared) -> pl.DataFrame:
    """Re-rated history beside the invoices, the largest difference first: subscription_id, external_id and name of the customer,
    currency, begin (of the period), net_minor, billed_minor.

    Compared are subscriptions without any change since that period began, whose recurring and metered lines one invoice billed: their
    latest looked-at period under the prices then in force, against its lines.
    """
    spans = _last_periods(ready)
    oldest = spans["begin"].min()
    if not isinstance(oldest, date):
        return spans.select(*_WHO, net_minor="net", billed_minor="net")
    line = core_table(DocumentLine).c
    statement = select(line.subscription_id, line.period_start, line.net_minor.label("billed")).where(
        line.period_start >= oldest, line.kind.not_in(["one_off", "adjustment"]), line.counts_as_billed
    )
    lines = load.frame(session, statement, {SUB: pl.Int64, "period_start": pl.Date, "billed": pl.Int64}, many=True)
    billed = lines.group_by(SUB, "period_start").agg(pl.col("billed").sum())
    # What a period used is billed with what is paid ahead for the next: until then one invoice has not billed the whole.
    over = spans.join(billed, left_on=[SUB, "end"], right_on=[SUB, "period_start"], how="semi")
    known = pl.concat([over, spans.filter(~pl.col("ahead"))]).unique(SUB)
    for disturbed in (_changed(session, spans, ready.today, oldest), _discounted_before(session, ready)):
        known = known.filter(~pl.col(SUB).is_in(disturbed.implode()))
    both = known.join(billed, left_on=[SUB, "begin"], right_on=[SUB, "period_start"])
    told = both.select(*_WHO, net_minor="net", billed_minor="billed")
    return told.sort((pl.col("net_minor") - pl.col("billed_minor")).abs(), SUB, descending=[True, False])


def _last_periods(ready: Prepared) -> pl.DataFrame:
    """The last whole period of everybody who is billed by the month: subscription_id, net (re-rated), currency, begin, end, and is
    anything paid ahead?"""
    rated = limits.standing(ready.base, ready.prices)
    nets = ready.base.invoices.with_columns(rated.invoices.alias("net"))
    first = nets.group_by("position", maintain_order=True).first()
    ahead = rated.nets.recurring_of(Timing.ADVANCE) != 0
    subs = ready.base.subs.join(first.select("position", "net"), on="position").filter(pl.col("interval_months") == 1)
    subs = subs.join(
        ready.people.select("customer_id", "external_id", "name"), on="customer_id", how="left", maintain_order="left"
    )
    anchor, step, days = pl.col("anchor_on"), pl.col("interval_months"), pl.col("interval_days")
    return subs.select(
        SUB, "external_id", "name", "net", "currency", begin=boundary(anchor, step, days, pl.col("_now") - 1),
        end=boundary(anchor, step, days, pl.col("_now")), ahead=ahead.gather(subs["state"]),
    )  # fmt: skip


def _changed(session: Session, spans: pl.DataFrame, today: date, oldest: date) -> pl.Series:
    """Whose terms have changed since the period began; a pause or a trial that ends inside it has shortened it. What is planned has not."""
    change = core_table(SubscriptionChange).c
    moved = load.frame(
        session,
        select(change.subscription_id, change.effective_on, change.until_on).where(
            change.effective_on <= today, (change.effective_on >= oldest) | (change.until_on >= oldest)
        ),
        {SUB: pl.Int64, "effective_on": pl.Date, "until_on": pl.Date},
        many=True,
    )
    last = pl.max_horizontal("effective_on", "until_on")
    return moved.join(spans, on=SUB).filter(last >= pl.col("begin"))[SUB].unique()


def _discounted_before(session: Session, ready: Prepared) -> pl.Series:
    """Who had a coupon that has run out since: it lowered that period's bill, but no longer lowers today's."""
    change = core_table(SubscriptionChange).c
    granted = load.frame(
        session,
        select(change.subscription_id, change.coupon_id).where(change.coupon_id.is_not(None)),
        {SUB: pl.Int64, "coupon_id": pl.Int64},
        many=True,
    )
    held = (
        ready.base.subs.select(SUB, coupon_id=pl.col("coupons").str.split("|"))
        .explode("coupon_id")
        .filter(pl.col("coupon_id") != "")
    )
    known = held.with_columns(pl.col("coupon_id").cast(pl.Int64))
    return granted.join(known, on=[SUB, "coupon_id"], how="anti")[SUB].unique()


def drafted_version(scenario_id: Any) -> Any:
    """The price version that was drafted when the scenario was approved last, as a subquery; by its id or a column of ids."""
    table = core_table(ScenarioDecision).c
    return select(func.max(table.price_version_id)).where(table.scenario_id == scenario_id).scalar_subquery()


def schedule(session: Session, scenario_id: int, today: date) -> pl.DataFrame:
    """The roll-out of a scenario as it was approved last, day by day and those first whose bill rises most: external_id, customer,
    name, effective_on, notice_on, wave, before_minor, after_minor, delta_minor (a month), delta_share (null where nothing was billed
    before), moved (is the change planned?)."""
    table, owner, undoing = core_table(MigrationPlan).c, core_table(Subscription).c, core_table(SubscriptionChange).c
    undone = select(undoing.undoes_id).where(undoing.undoes_id.is_not(None))
    statement = (
        select(owner.external_id, owner.customer_id, table.effective_on, table.notice_on, table.wave, table.before_twelfths, table.after_twelfths,
               (table.change_id.is_not(None) & table.change_id.not_in(undone)).label("moved"))
        .join_from(core_table(MigrationPlan), core_table(Subscription), owner.id == table.subscription_id)
        .where(table.scenario_id == scenario_id, table.price_version_id == drafted_version(scenario_id))
        .order_by(table.effective_on, (table.after_twelfths - table.before_twelfths).desc(), owner.external_id)
    )  # fmt: skip
    rows = load.frame(
        session,
        statement,
        {
            "external_id": pl.String, "customer_id": pl.Int64, "effective_on": pl.Date, "notice_on": pl.Date, "wave": pl.Int64,
            "before_twelfths": pl.Int64, "after_twelfths": pl.Int64, "moved": pl.Boolean,
        },
    )  # fmt: skip
    names = mrr.people_of(session, today, rows["customer_id"].unique()).select(
        "customer_id", "name", customer="external_id"
    )
    told = rows.join(names, on="customer_id", how="left", maintain_order="left").rename(
        {"before_twelfths": "before", "after_twelfths": "after"}
    )
    return share_of(told).with_columns(
        before_minor=in_minor(pl.col("before")), after_minor=in_minor(pl.col("after")), delta_share="share",
    ).with_columns(delta_minor=pl.col("after_minor") - pl.col("before_minor")).drop("customer_id", "before", "after", "delta", "share")  # fmt: skip


def draft(session: Session, scenario_id: int) -> str | None:
    """The code of the plan whose draft waits to be published before the roll-out; None when it is published."""
    version, plan = core_table(PriceVersion).c, core_table(Plan).c
    code: str | None = session.execute(
        select(plan.code).join_from(core_table(PriceVersion), core_table(Plan), plan.id == version.plan_id)
        .where(version.id == drafted_version(scenario_id), version.status == PriceStatus.DRAFT.value)
    ).scalar()  # fmt: skip
    return code


def behind(session: Session, price_version_id: int) -> dict[str, Any] | None:
    """The approved scenario, not stopped since, whose prices a version is: id, name, count (of the subscriptions that its schedule
    moves), before_minor and after_minor, what these are billed a month as it was approved, from_on (the day of new customers, or
    None) and first_on (the first day of existing ones, or None)."""
    row = rollouts.approved_with(session, price_version_id)
    if row is None:
        return None
    move = core_table(MigrationPlan).c
    count, before, after, first_on = session.execute(
        select(func.count(), func.sum(move.before_twelfths), func.sum(move.after_twelfths), func.min(move.effective_on))
        .where(move.price_version_id == price_version_id)
    ).one()  # fmt: skip
    return {
        "id": row.id, "name": row.name, "count": count, "before_minor": monthly(int(before or 0)), "after_minor": monthly(int(after or 0)),
        "from_on": from_json(json.loads(row.content)).from_on, "first_on": first_on,
    }  # fmt: skip


def prediction(session: Session, scenario_id: int) -> dict[str, Any] | None:
    """The frozen prediction of a scenario: result, as_of, data_hash."""
    table = core_table(ScenarioResult)
    row = session.execute(select(table).where(table.c.scenario_id == scenario_id).order_by(table.c.id.desc())).first()
    return (
        None
        if row is None
        else {
            "result": json.loads(row.content),
            "as_of": row.as_of,
            "data_hash": row.data_hash,
            "recorded_at": row.recorded_at,
        }
    )


def afterwards(session: Session, scenario_id: int, today: date) -> pl.DataFrame:
    """Predicted against actual, month by month from the first in which the change is felt: month, low, middle, high, actual (MRR at the
    month's end and usage invoiced in it, of the base as it was then), customers_expected, customers. Compared with the frozen
    prediction, never with a newer one.
    """
    frozen = prediction(session, scenario_id)
    schema: frames.Schema = {
        "month": pl.Date, "low": pl.Float64, "middle": pl.Float64, "high": pl.Float64, "actual": pl.Int64,
        "customers_expected": pl.Float64, "customers": pl.Int64,
    }  # fmt: skip
    if frozen is None:
        return pl.DataFrame(schema=schema)
    ledger, as_of = mrr.ledger(session, today), frozen["as_of"]
    base = _base_then(session, ledger, as_of, frozen["result"]["scenario"])
    own = kpis.segment(ledger, kpis.Filters(currency=frozen["result"]["scenario"]["currency"]))
    own = replace(own, steps=own.steps.join(base, on=SUB, how="semi", maintain_order="left"))
    used = dict(usage_by_month(session, own, as_of.replace(day=1), today).iter_rows())
    rows = []
    for told in _felt_months(frozen["result"]["expected"]["months"], as_of):
        end = movements.after_months(told["month"], 1) - kpis.DAY
        if end >= today:
            break
        past = own.steps.filter(pl.col("day") <= end)
        last = past.sort(SUB, "day", maintain_order=True).group_by(SUB, maintain_order=True).last()
        actual = monthly(int(last["net_twelfths"].sum())) + used.get(told["month"], 0)
        rows.append((*told.values(), actual, int((last["net_twelfths"] > 0).sum())))
    found = pl.DataFrame(
        rows, schema=["month", "low", "middle", "high", "customers_expected", "actual", "customers"], orient="row"
    )
    return frames.conform(found, schema) if rows else pl.DataFrame(schema=schema)


def _felt_months(months: list[dict[str, Any]], as_of: date) -> Iterator[dict[str, Any]]:
    """The predicted months from the first in which the change moves the revenue: month, low, middle, high, customers_expected.

    The prediction counts its months from its own day and tells who is there as each begins; what came is read at the end of calendar
    months, so whoever leaves in the days between is taken off.
    """
    began, until = as_of.replace(day=1), movements.after_months(as_of.replace(day=1), 1)
    between = (until - as_of).days / (until - began).days
    felt = False
    for at, told in enumerate(months):
        felt = felt or abs(told["after"] - told["before"]) >= 1
        here, following = (months[min(place, len(months) - 1)]["customers_after"] for place in (at, at + 1))
        stay = (following / here) ** between if here > 0 else 1.0
        if felt:
            yield {
                "month": date.fromisoformat(f"{told['month']}-01"),
                **{name: stay * told[key] for name, key in (("low", "low"), ("middle", "after"), ("high", "high"), ("customers_expected", "customers_after"))},
            }  # fmt: skip


def below_band(told: pl.DataFrame) -> int:
    """How many of the newest months in a row lie below the predicted band."""
    run = 0
    for row in told.sort("month", descending=True).iter_rows(named=True):
        if row["actual"] >= row["low"]:
            break
        run += 1
    return run


def _base_then(session: Session, ledger: mrr.Ledger, as_of: date, scenario: dict[str, Any]) -> pl.DataFrame:
    """The subscriptions that the prediction was about."""
    ready = prepared(session, ledger, as_of)
    return exact_effect(session, ready, from_json(scenario)).rows.select(SUB)
