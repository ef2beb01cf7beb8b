"""Reads for simulating a pricing change: the prepared base of a day, and what a scenario says of it."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import date, timedelta
from typing import Any

import polars as pl
from sqlalchemy import select
from sqlalchemy.orm import Session

from core import frames
from core.calc.calendar import boundary, index_on
from core.calc.simulation import exact, limits
from core.calc.simulation.base import FAMILY, Base, meters_of, narrowed, prepare
from core.domain import price_form
from core.domain.errors import Conflict, InvalidInput, NotFound
from core.domain.periods import INTERVALS
from core.domain.plans import ON_AMOUNTS, ChargeKind, ChargeModel, PriceStatus, PriceTerms
from core.domain.price_edits import applied
from core.domain.price_rules import require_sound
from core.domain.scenarios import Assumption, Existing, Scenario, WhyNot, check, kept_edits
from core.reports import mrr, reaction
from core.reports.edges import Edge, edges
from core.store import billing, catalogue, load
from core.store.tables import Plan, PriceVersion, core_table

WINDOW_MONTHS = 12
FIRST_IMAGINED = 10**12  # ids of charges that exist in memory only


@dataclass(frozen=True)
class Prepared:
    """The base of a day ready for any prices: `base`, `prices` (today's, of every version in use), and who the customers are.

    `risen`: subscription_id, risen_in, the month (since year 0) of the last rise of its price while everything else stayed.
    `metered`: calc.simulation.base.meters_of all prices. `today_of`: what stays the same for every new price of a plan, kept when it is first asked for.
    """

    base: Base
    prices: frames.Prices
    people: pl.DataFrame
    today: date
    risen: pl.DataFrame
    metered: pl.DataFrame
    today_of: dict[tuple[Any, ...], Standing] = field(default_factory=dict)


@dataclass(frozen=True)
class Standing:
    """Who has a plan in a currency and interval, as it is today: `subs`, their `base`, what they are billed (`before`), and the
    cheapest bill among the plans that they may change to; `idle`: how many more have it and are not served today; `newest`: what each
    would pay at the prices sold today, and `brought_up` with which limits; `days`: when the prices of whom change, and for which wishes
    that was worked out; `bundles`: what each pays for add-ons that a scenario includes, by the add-ons."""

    subs: pl.DataFrame
    base: Base
    before: exact.Rerated
    cheapest: pl.Series
    idle: int
    newest: pl.Series
    days: dict[str, tuple[Any, pl.DataFrame]] = field(default_factory=dict, compare=False, repr=False)
    brought_up: dict[tuple[Any, ...], pl.Series] = field(default_factory=dict, compare=False, repr=False)
    bundles: dict[tuple[str, ...], pl.Series] = field(default_factory=dict, compare=False, repr=False)


def prepared(session: Session, known: mrr.Ledger, today: date, window_months: int = WINDOW_MONTHS) -> Prepared:
    """Read and prepare everything that re-rating needs beside the ledger; once for a data revision."""
    changes, owners = known.facts.changes, known.facts.owners
    prices = mrr.prices_of(session, changes)
    since = date(today.year - 1 - window_months // 12, today.month, 1)
    facts = frames.Facts(changes, *prices, usage=load.usage(session, start=since, end=today))
    coupons, metered = load.coupons(session), meters_of(load.prices(session))
    base = prepare(
        known.facts.stretches, facts, coupons, vat=mrr.vat_on(session, prices, today), metered=metered, today=today,
        window_months=window_months,
    )  # fmt: skip
    named = base.subs.join(owners, on="subscription_id", how="left", maintain_order="left")
    rises = reaction.rises(session, known.facts.stretches, today)
    risen = rises.group_by(subscription_id="subject_id").agg(risen_in=pl.col("month").max())
    return Prepared(replace(base, subs=named), prices, known.people, today, risen, metered)


# --- new prices ----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Candidate:
    """The new prices: `terms`, the versions of the plan, currency and interval that they replace, the newest of which is `newest_id`, and
    all prices with the new ones in place (`prices`)."""

    terms: PriceTerms
    before: PriceTerms
    plan_id: int
    plan: str
    newest_id: int
    replaced: list[int]
    prices: frames.Prices


def candidate(session: Session, ready: Prepared, scenario: Scenario) -> Candidate:
    """The newest published prices with the scenario's edits; refuses what cannot be read, sold or compared."""
    plan, newest, replaced = _versions(session, scenario)
    before = catalogue.terms_of(session, newest)
    terms = edited(before, scenario)
    _require_history(ready, plan.id, terms)
    changed = [version_id for version_id in replaced if version_id in ready.prices.versions["price_version_id"]]
    return Candidate(
        terms, before, plan.id, plan.name, newest, changed, with_terms(ready.prices, changed, terms, plan.id)
    )


def _versions(session: Session, scenario: Scenario) -> tuple[Any, int, list[int]]:
    """The plan, its newest published version of the currency and interval, and all that were ever sold, agreed ones last."""
    table, versions = core_table(Plan), core_table(PriceVersion)
    plan = session.execute(
        select(table).where((table.c.code == scenario.plan) | (table.c.name == scenario.plan))
    ).first()
    if plan is None:
        raise NotFound("There is no plan {plan}", code="no_plan", plan=scenario.plan)
    interval = INTERVALS.get(scenario.interval)
    if interval is None:
        raise InvalidInput("“{interval}” is no billing interval", code="no_interval", interval=scenario.interval)
    rows = session.execute(
        select(
            versions.c.id,
            versions.c.status,
            versions.c.subscription_id,
            versions.c.currency,
            versions.c.interval_unit,
            versions.c.interval_count,
        )
        .where(versions.c.plan_id == plan.id, versions.c.status != PriceStatus.DRAFT.value)
        .order_by(versions.c.valid_from, versions.c.id)
    ).all()
    fits = [
        row
        for row in rows
        if (row.currency, row.interval_unit, row.interval_count)
        == (scenario.currency, interval.unit.value, interval.count)
    ]
    sold = [row for row in fits if row.subscription_id is None and row.status == PriceStatus.PUBLISHED.value]
    if not sold:
        raise Conflict(
            "The plan {plan} has no published prices in {currency} per {interval}", code="other_currency", plan=plan.name,
            currency=scenario.currency, interval=scenario.interval,
        )  # fmt: skip
    wanted = [row.id for row in fits if row.subscription_id is None or scenario.agreed_too]
    return plan, sold[-1].id, wanted


def edited(before: PriceTerms, scenario: Scenario) -> PriceTerms:
    """The terms with every edit in its cell and the bundled add-ons free; refuses unknown cells and unsound prices."""
    form = applied(before, kept_edits(scenario))
    charges = {charge["code"]: charge for charge in form["charges"]}
    for code in scenario.bundled:
        if code not in charges or charges[code]["kind"] != ChargeKind.ADDON.value:
            raise InvalidInput("The prices have no add-on {charge}", code="no_addon", charge=code)
        price_form.make_free(charges[code])
    reading = price_form.read(form, before.interval)
    if reading.unreadable:
        finding = reading.unreadable[0]
        raise InvalidInput(finding.message, code="unreadable_price", **finding.values)
    require_sound(reading.terms)
    return reading.terms


def _require_history(ready: Prepared, plan_id: int, after: PriceTerms) -> None:
    """Refuse to charge by what was not measured: another meter, single events where only their sum is known, or amounts that no
    event was asked to have."""
    months, days = after.interval.months, after.interval.days
    here = dict(zip(FAMILY, (plan_id, after.currency, months, days), strict=True))
    known = {row["meter"]: row for row in ready.metered.iter_rows(named=True) if here.items() <= row.items()}
    for charge in after.charges:
        if not charge.meter:
            continue
        measured = known.get(charge.meter, {"by_event": False, "by_amount": False})
        by_event, by_amount = charge.model is ChargeModel.PERCENTAGE, charge.model in ON_AMOUNTS
        if charge.meter not in known or by_event > measured["by_event"] or by_amount > measured["by_amount"]:
            raise InvalidInput(
                "{charge} is charged by {meter}, of which the past use is not known as it would be charged", code="no_history",
                charge=charge.name or charge.code, meter=charge.meter,
            )  # fmt: skip


def with_terms(prices: frames.Prices, replaced: list[int], terms: PriceTerms, plan_id: int) -> frames.Prices:
    """All prices, with the terms under the ids of the versions that they replace."""
    charges = prices.charges.filter(~pl.col("price_version_id").is_in(replaced))
    versions = prices.versions.filter(~pl.col("price_version_id").is_in(replaced))
    tiers = prices.tiers.join(charges.select("charge_id"), on="charge_id", how="semi", maintain_order="left")
    parts = [(versions, charges, tiers)]
    start = FIRST_IMAGINED
    for version_id in replaced:
        own = catalogue.as_prices(terms, version_id, plan_id)
        parts.append((
            own.versions, own.charges.with_columns(pl.col("charge_id") + start), own.tiers.with_columns(pl.col("charge_id") + start)
        ))  # fmt: skip
        start += 1000
    whole = [pl.concat(column) for column in zip(*parts, strict=True)]
    return frames.Prices(whole[0].sort("price_version_id"), whole[1], whole[2])


# --- who, when, how much --------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Exact:
    """What the change does to everybody, without any assumption.

    `rows`: a row a subscription of the plan, currency and interval: subscription_id, customer_id, external_id, name, kind, country,
    moved (do its prices change?), why (why not), before, priced (at the new prices), limit, after (twelfths of a minor unit a
    month), sold (after if the prices sold today stayed as they are), felt (after, with the usage that the scenario assumes), starts_on, wave, again (has its price risen within the year before?), cheapest (the cheapest plan it may change to), addon (what it pays for bundled add-ons),
    new_cap_ppm, new_floor_ppm (the limits of its change, null where there is none).
    `new_price_ratio`: new bills ÷ those at the prices sold today of everybody who has the plan, for newcomers. `edges`: bounds at which the new prices fall.
    `idle`: how many have the plan and are not served today (paused, in a trial, beginning later); they keep their prices.
    """

    scenario: Scenario
    candidate: Candidate
    rows: pl.DataFrame
    coupled: int
    today: date
    new_price_ratio: float
    edges: list[Edge]
    idle: int

    @property
    def moved(self) -> pl.DataFrame:
        """Those whose prices change."""
        return self.rows.filter("moved")

    @property
    def moves(self) -> pl.DataFrame:
        """The roll-out's schedule: subscription_id, effective_on, notice_on, wave, from_version_id, before_twelfths, after_twelfths,
        cap_ppm, floor_ppm.

        Everybody whose prices change is in it, also those whose past bills would have been the same: the next ones may differ.
        """
        return self.moved.select(
            "subscription_id", "notice_on", "wave", effective_on="starts_on", from_version_id="price_version_id",
            before_twelfths="before", after_twelfths="after", cap_ppm="new_cap_ppm", floor_ppm="new_floor_ppm",
        )  # fmt: skip


def exact_effect(session: Session, ready: Prepared, scenario: Scenario) -> Exact:
    """The exact layer of a scenario."""
    check(scenario)
    new = candidate(session, ready, scenario)
    standing = _standing(session, ready, new, scenario)
    subs, base, before = standing.subs, standing.base, standing.before
    after = exact.rerate(base, new.prices)
    known = subs.hstack(_limits(subs, scenario))
    limited = _limited(ready, base, base, new.prices, known) or after
    usage = dict(scenario.assumptions).get(Assumption.USAGE, 0.0)
    felt = limited
    if usage:
        answering = exact.responding(base, ready.prices, new.prices, usage)
        felt = _limited(ready, base, answering, new.prices, known) or exact.rerate(answering, new.prices)
    rows = known.drop("position").with_columns(
        before=before.worth, priced=after.worth, limited=limited.worth, felt=felt.worth,
        sold=_brought_up(ready, standing, new, scenario, known),
        addon=_bundled_worth(standing, ready.prices, scenario.bundled),
    )  # fmt: skip
    scoped = _scoped(rows, new, scenario)
    if not scoped["moved"].any() and scenario.existing is not Existing.NEVER:
        raise InvalidInput("Nobody is left in the scope", code="empty_scope")
    moved = pl.col("moved")
    scoped = scoped.join(ready.risen, on="subscription_id", how="left", maintain_order="left")
    dated = _staying(scoped.hstack(_days(session, standing, scenario, ready.today)))
    _require_addons(dated.filter("moved"), new)
    told = dated.with_columns(
        priced=pl.when(moved).then("priced").otherwise("before"), after=pl.when(moved).then("limited").otherwise("before"),
        felt=pl.when(moved).then("felt").otherwise("before"), sold=pl.when(moved).then("sold").otherwise("before"),
        addon=pl.when(moved).then("addon").otherwise(0),
    ).with_columns(
        limit=pl.col("after") - pl.col("priced"),
        again=(reaction.month_of("starts_on") - pl.col("risen_in") < 12).fill_null(False) & (pl.col("after") > pl.col("before")),
    ).drop("risen_in")  # fmt: skip
    ratio = float(after.worth.sum()) / max(float(standing.newest.sum()), 1.0)
    return Exact(
        scenario,
        new,
        told.with_columns(cheapest=standing.cheapest).drop("limited"),
        after.coupled,
        ready.today,
        ratio,
        edges(base, new.terms),
        standing.idle,
    )


def _require_addons(subs: pl.DataFrame, new: Candidate) -> None:
    """Refuse to take an add-on off the list that somebody has: nobody would know what becomes of it."""
    before, after = (
        {each.code for each in terms.charges if each.kind is ChargeKind.ADDON} for terms in (new.before, new.terms)
    )
    held = (
        subs.select(pl.col("addons").str.split("|"))
        .explode("addons")
        .select(code=pl.col("addons").str.split("×").list.first())["code"]
    )
    names = {each.code: each.name or each.code for each in new.before.charges}
    for code in sorted(before - after):
        count = int((held == code).sum())
        if count:
            raise InvalidInput(
                "{count} subscriptions have the add-on {charge}: include it for nothing, or keep its price", code="addon_held",
                count=count, charge=names[code],
            )  # fmt: skip


def _limits(subs: pl.DataFrame, scenario: Scenario) -> pl.DataFrame:
    """The limits of each subscription: the scenario's, and the tighter cap of customers who are limited by name."""
    both = [cap for cap in (scenario.cap_ppm, scenario.cap_one_ppm) if cap is not None]
    named = pl.col("external_id").is_in(list(scenario.capped))
    cap = pl.when(named).then(min(both)).otherwise(pl.lit(scenario.cap_ppm, dtype=pl.Int64))
    return subs.select(new_cap_ppm=cap.cast(pl.Int64), new_floor_ppm=pl.lit(scenario.floor_ppm, dtype=pl.Int64))


def _limited(
    ready: Prepared, base: Base, answering: Base, prices: frames.Prices, known: pl.DataFrame
) -> exact.Rerated | None:
    """The invoices of the answering base at other prices with the limits of each; None where nobody has one."""
    given = known.select(cap_ppm="new_cap_ppm", floor_ppm="new_floor_ppm")
    if given.drop_nulls("cap_ppm").is_empty() and given.drop_nulls("floor_ppm").is_empty():
        return None
    before, after = limits.stated(base, ready.prices, held=True), limits.stated(answering, prices)
    each = given.select(pl.all().gather(base.invoices["position"]))
    return exact.rerate(answering, prices, limits.added(base, before, after, each))


def _brought_up(
    ready: Prepared, standing: Standing, new: Candidate, scenario: Scenario, known: pl.DataFrame
) -> pl.Series:
    """What each would pay after the change if it changed no price: twelfths. Worked out once for its limits, whatever the prices are."""
    limit = (scenario.cap_ppm, scenario.floor_ppm, scenario.cap_one_ppm, scenario.capped)
    if limit not in standing.brought_up:
        limited = _limited(ready, standing.base, standing.base, _sold_today(ready, new), known)
        standing.brought_up[limit] = limited.worth if limited else standing.newest
    return standing.brought_up[limit]


def _sold_today(ready: Prepared, new: Candidate) -> frames.Prices:
    """All prices, with those that are sold today in the place of the older ones that the scenario replaces."""
    return with_terms(ready.prices, new.replaced, new.before, new.plan_id)


def _standing(session: Session, ready: Prepared, new: Candidate, scenario: Scenario) -> Standing:
    """Everything about a plan, currency and interval that does not depend on the new prices."""
    key = (new.newest_id, scenario.currency, scenario.interval, scenario.alternatives, scenario.agreed_too)
    if key not in ready.today_of:
        family = _family(session, new.plan_id, scenario)
        here = pl.col("price_version_id").is_in(family)
        subs = ready.base.subs.filter(here).join(ready.people, on="customer_id", how="left", maintain_order="left")
        if subs.is_empty():
            raise InvalidInput("Nobody has these prices", code="empty_scope")
        base = narrowed(ready.base, subs["position"])
        cheapest = _cheapest(session, ready, base, scenario, family)
        ready.today_of[key] = Standing(
            subs, base, limits.standing(base, ready.prices), cheapest, ready.base.idle.filter(here).height,
            exact.rerate(base, _sold_today(ready, new)).worth,
        )  # fmt: skip
    return ready.today_of[key]


def _family(session: Session, plan_id: int, scenario: Scenario) -> list[int]:
    """All price versions of the plan in the currency and interval, agreed ones too."""
    table = core_table(PriceVersion).c
    interval = INTERVALS[scenario.interval]
    statement = select(table.id).where(
        table.plan_id == plan_id, table.currency == scenario.currency, table.interval_unit == interval.unit.value,
        table.interval_count == interval.count,
    )  # fmt: skip
    return list(session.execute(statement).scalars())


def _bundled_worth(standing: Standing, prices: frames.Prices, bundled: tuple[str, ...]) -> pl.Series:
    """What each pays a month for the add-ons that are bundled, before discounts: twelfths. Worked out when they are first asked for."""
    if bundled not in standing.bundles:
        standing.bundles[bundled] = _addon_worth(standing.base, prices, bundled)
    return standing.bundles[bundled]


def _addon_worth(base: Base, prices: frames.Prices, codes: tuple[str, ...]) -> pl.Series:
    """The base rated with these add-ons alone, without what would couple them to other lines."""
    if not codes:
        return pl.zeros(base.subs.height, dtype=pl.Int64, eager=True)
    own = prices.charges.filter(pl.col("code").is_in(list(codes)) & (pl.col("kind") == ChargeKind.ADDON))
    heads = prices.versions.with_columns(minimum_minor=pl.lit(0, dtype=pl.Int64))
    only = frames.Prices(heads, own, prices.tiers.join(own.select("charge_id"), on="charge_id", how="semi"))
    plain = replace(
        base, states=base.states.with_columns(coupons=pl.lit("")), uses=base.uses.clear(), pairs=base.pairs.clear(),
        events=base.events.clear(),
    )  # fmt: skip
    return exact.rerate(plain, only).worth


def _scoped(rows: pl.DataFrame, new: Candidate, scenario: Scenario) -> pl.DataFrame:
    """Adds moved and why: out of scope, agreed price, exempt, existing customers keep theirs."""
    chosen = pl.lit(True)
    for name, values in (("kind", scenario.kinds), ("country", scenario.countries), ("external_id", scenario.only)):
        if values:
            chosen = chosen & pl.col(name).is_in(list(values))
    why = (
        pl.when(~pl.col("price_version_id").is_in(new.replaced)).then(pl.lit(WhyNot.AGREED.value))
        .when(~chosen | pl.col("external_id").is_in(list(scenario.without))).then(pl.lit(WhyNot.OUT_OF_SCOPE.value))
        .when(pl.col("external_id").is_in(list(scenario.exempt))).then(pl.lit(WhyNot.EXEMPT.value))
        .when(pl.lit(scenario.existing is Existing.NEVER)).then(pl.lit(WhyNot.KEEPS.value))
        .when(_held_out(scenario)).then(pl.lit(WhyNot.HOLD_OUT.value))
    )  # fmt: skip
    return rows.with_columns(why=why).with_columns(moved=pl.col("why").is_null())


def _held_out(scenario: Scenario) -> pl.Expr:
    """Is the customer among those who keep their prices for comparison? Drawn from the customer's id, so the same ones each time."""
    # A 64-bit mix of id and seed (splitmix64's first step), not Polars' own hash, which may differ between versions.
    mixed = (pl.col("customer_id").cast(pl.Int128) * 0x9E3779B97F4A7C + scenario.seed * 0xBF58476D1CE4E5) % (2**61 - 1)
    return (mixed % 1_000_000 < scenario.hold_out_ppm).cast(pl.Boolean)


def _least_notice(session: Session, today: date) -> dict[str, int]:
    """The company's minimum notice in days by kind of customer."""
    try:
        return billing.price_notice_days(session, today)
    except Conflict:
        return {"consumer": 0, "business": 0}


def first_day(session: Session, kinds: tuple[str, ...], notice_days: int, today: date) -> date:
    """The first day on which customers of all these kinds can get new prices, told so long before or as the company must."""
    least = _least_notice(session, today)
    return today + timedelta(days=max(notice_days, *(least.get(kind, 0) for kind in kinds), 0))


def _days(session: Session, standing: Standing, scenario: Scenario, today: date) -> pl.DataFrame:
    """When whose prices change, kept until it is asked for otherwise: they do not depend on the prices."""
    least = _least_notice(session, today)
    asked = (
        least, today, scenario.notice_days, scenario.existing, scenario.existing_on, scenario.from_on, scenario.waves,
        scenario.wave_months,
    )  # fmt: skip
    known = standing.days.get("last")
    if known is None or known[0] != asked:
        known = standing.days["last"] = asked, _dated(standing.subs, scenario, least, today)
    return known[1]


def _dated(rows: pl.DataFrame, scenario: Scenario, least: dict[str, int], today: date) -> pl.DataFrame:
    """Each one's notice_days, wave, starts_on (first changed bill) and notice_on. Waves share out the customers evenly by their ids."""
    days = pl.max_horizontal(
        pl.lit(scenario.notice_days), pl.col("kind").replace_strict(least, default=0, return_dtype=pl.Int64)
    ).cast(pl.Int64)
    order = pl.struct("customer_id").rank("dense").cast(pl.Int64) - 1
    dated = rows.with_columns(notice_days=days, wave=(order % scenario.waves) + 1)
    asked = {Existing.RENEWAL: scenario.existing_on or scenario.from_on, Existing.DATE: scenario.existing_on}.get(
        scenario.existing
    ) or today
    earliest = pl.max_horizontal(pl.lit(max(asked, today)), pl.lit(today) + pl.duration(days=pl.col("notice_days")))
    shifted = earliest.dt.offset_by(pl.format("{}mo", (pl.col("wave") - 1) * scenario.wave_months))
    from_day = dated.with_columns(_from=shifted)
    if scenario.existing is Existing.DATE:
        starts = pl.col("_from")
    else:
        anchor, months, step = pl.col("anchor_on"), pl.col("interval_months"), pl.col("interval_days")
        n = index_on(anchor, months, step, pl.col("_from") - pl.duration(days=1)) + 1
        starts = boundary(anchor, months, step, n)
    return from_day.with_columns(starts_on=starts).select(
        "notice_days", "wave", "starts_on", notice_on=pl.col("starts_on") - pl.duration(days=pl.col("notice_days"))
    )


def _staying(rows: pl.DataFrame) -> pl.DataFrame:
    """Who has cancelled and is gone before the new prices begin keeps the old ones to the end, and who gets others before that
    day by what is decided already is no longer on the prices that change: a roll-out would leave them alone too."""
    moved, starts = pl.col("moved"), pl.col("starts_on")
    why = (
        pl.when(moved & (pl.col("ends_on") <= starts)).then(pl.lit(WhyNot.LEAVING.value))
        .when(moved & (pl.col("planned_on") <= starts)).then(pl.lit(WhyNot.PLANNED.value)).otherwise("why")
    )  # fmt: skip
    return rows.with_columns(why=why).with_columns(moved=pl.col("why").is_null())


def _cheapest(session: Session, ready: Prepared, base: Base, scenario: Scenario, family: list[int]) -> pl.Series:
    """The cheapest bill among the other plans on sale in the currency and interval that customers of the same kind have, or among the
    scenario's alternatives: twelfths, or null."""
    table, plan = core_table(PriceVersion).c, core_table(Plan).c
    interval = INTERVALS[scenario.interval]
    rows = session.execute(
        select(table.plan_id, table.id).where(
            table.currency == scenario.currency, table.interval_unit == interval.unit.value, table.interval_count == interval.count,
            table.status == PriceStatus.PUBLISHED.value, table.subscription_id.is_(None), table.id.not_in(family),
            *([] if scenario.alternatives is None else [plan.code.in_(scenario.alternatives)]),
        ).join_from(core_table(PriceVersion), core_table(Plan), plan.id == table.plan_id).order_by(table.valid_from, table.id)
    )  # fmt: skip
    newest: dict[int, int] = {row[0]: row[1] for row in rows}
    known = ready.base.subs.join(ready.people.select("customer_id", "kind"), on="customer_id", how="left")
    pairs = set(known.select("plan_id", "kind").unique().iter_rows())
    kind = base.subs.join(
        ready.people.select("customer_id", "kind"), on="customer_id", how="left", maintain_order="left"
    )["kind"]
    best = pl.Series("cheapest", [None], dtype=pl.Int64).new_from_index(0, base.subs.height)
    prices = load.prices(session, [*newest.values()])
    for plan_id, version_id in newest.items():
        kinds = [name for plan, name in pairs if plan == plan_id]
        if not kinds:
            continue
        there = pl.lit(version_id, dtype=pl.Int64)
        moved = replace(
            base,
            states=base.states.with_columns(price_version_id=there),
            pairs=base.pairs.with_columns(price_version_id=there),
        )
        worth = exact.rerate(moved, prices).worth
        allowed = pl.DataFrame({"kind": kind, "worth": worth, "best": best})
        best = allowed.select(
            pl.when(pl.col("kind").is_in(kinds))
            .then(pl.min_horizontal("best", "worth"))
            .otherwise("best")
            .alias("best")
        )["best"]
    return best.alias("cheapest")
