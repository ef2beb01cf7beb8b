"""Reads of the catalogue: the list of plans, one plan with its versions and policies, and whom a draft concerns."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import Any

import polars as pl
from sqlalchemy import select
from sqlalchemy.orm import Session

from core.calc.recurring import monthly
from core.domain.errors import Conflict, NotFound
from core.domain.plans import PriceStatus, PriceTerms
from core.reports import subscriber_base
from core.store import billing, catalogue, holders, load, policies
from core.store.tables import Coupon, Plan, PlanPolicy, PriceVersion, core_table

PLANS: dict[str, Any] = {
    "plan_id": pl.Int64, "code": pl.String, "name": pl.String, "description": pl.String, "rank": pl.Int64,
    "archived": pl.Boolean,
}  # fmt: skip
VERSIONS: dict[str, Any] = {
    "price_version_id": pl.Int64, "number": pl.Int64, "currency": pl.String, "interval_unit": pl.String,
    "interval_count": pl.Int64, "tax_inclusive": pl.Boolean, "status": pl.String, "valid_from": pl.Date,
    "note": pl.String, "reason": pl.String, "author": pl.String, "recorded_at": pl.Datetime("us", "UTC"),
    "published_by": pl.String, "published_at": pl.Datetime("us", "UTC"), "retired_at": pl.Datetime("us", "UTC"),
}  # fmt: skip
POLICIES: dict[str, Any] = {
    "effective_from": pl.Date, "upgrade_when": pl.String, "downgrade_when": pl.String, "cancel_when": pl.String,
    "cancel_credit": pl.String, "minimum_term_months": pl.Int64, "notice_days": pl.Int64,
    "minimum_quantity": pl.Int64, "maximum_pause_days": pl.Int64, "author": pl.String,
    "recorded_at": pl.Datetime("us", "UTC"),
}  # fmt: skip
COUPONS: dict[str, Any] = {
    "coupon_id": pl.Int64, "code": pl.String, "name": pl.String, "kind": pl.String, "rate_ppm": pl.Int64,
    "amount_minor": pl.Int64, "currency": pl.String, "duration": pl.String, "periods": pl.Int64, "scope": pl.String,
    "charge_code": pl.String, "plan_id": pl.Int64, "valid_from": pl.Date, "valid_to": pl.Date, "archived": pl.Boolean,
}  # fmt: skip
SERIES = ["currency", "interval_unit", "interval_count"]


@dataclass(frozen=True)
class Overview:
    """The list: `plans` (PLANS + subscriptions), list MRR per plan and currency, live prices per plan.

    `mrr`: plan_id → currency → minor units a month. `live`: plan_id → rows of VERSIONS that are offered on the day, with
    `headline_minor`: what one period with one seat costs.
    """

    plans: pl.DataFrame
    mrr: dict[int, dict[str, int]]
    live: dict[int, list[dict[str, Any]]]

    def narrowed(self, text: str = "", *, archived: bool = False) -> pl.DataFrame:
        """The plans whose name, code or description holds the text; archived ones only when asked for."""
        wanted = text.strip().lower()
        shown = self.plans if archived else self.plans.filter(~pl.col("archived"))
        if not wanted:
            return shown
        holds = [
            pl.col(name).str.to_lowercase().str.contains(wanted, literal=True)
            for name in ("name", "code", "description")
        ]
        return shown.filter(pl.any_horizontal(holds))


@dataclass(frozen=True)
class OnePlan:
    """One plan as a dict, its versions (VERSIONS + subscriptions; newest first) and its policies (POLICIES, newest first)."""

    plan: dict[str, Any]
    versions: pl.DataFrame
    policies: pl.DataFrame


@dataclass(frozen=True)
class Effect:
    """Whom publishing concerns: subscriptions on earlier prices of the same currency and interval.

    They keep their price; `then_minor` is what they would be worth a month if all were migrated. `second_person`: is this
    a price change of a plan that somebody has?
    """

    subscriptions: int
    negotiated: int
    currency: str
    now_minor: int
    then_minor: int
    second_person: bool


def overview(session: Session, day: date) -> Overview:
    """All plans by rank, with what is offered and who has it on a day."""
    table = core_table(Plan).c
    columns = [table.id.label("plan_id"), *(table[name] for name in list(PLANS)[1:])]
    plans = load.frame(session, select(*columns).order_by(table.rank, table.name, table.id), PLANS)
    held = subscriber_base.by_plan(subscriber_base.base_on(session, day))
    counts = [held.get(plan_id, {}).get("subscriptions", 0) for plan_id in plans["plan_id"]]
    mrr = {plan_id: entry["mrr"] for plan_id, entry in held.items()}
    return Overview(plans.with_columns(subscriptions=pl.Series(counts, dtype=pl.Int64)), mrr, live_prices(session, day))


def live_prices(session: Session, day: date) -> dict[int, list[dict[str, Any]]]:
    """Of each plan, currency and interval the published version that is in force on a day."""
    table = core_table(PriceVersion).c
    columns = [table.plan_id, table.id.label("price_version_id"), *(table[name] for name in list(VERSIONS)[1:])]
    statement = select(*columns).where(
        table.status == PriceStatus.PUBLISHED.value, table.subscription_id.is_(None), table.valid_from <= day
    ).order_by(table.plan_id, table.valid_from, table.id)  # fmt: skip
    published = load.frame(session, statement, {"plan_id": pl.Int64, **VERSIONS})
    newest = published.unique(["plan_id", *SERIES], keep="last", maintain_order=True)
    newest = newest.with_columns(headline_minor=subscriber_base.headline(session, newest["price_version_id"]))
    found: dict[int, list[dict[str, Any]]] = {}
    for row in newest.sort("plan_id", *SERIES).iter_rows(named=True):
        found.setdefault(row["plan_id"], []).append(row)
    return found


def one_plan(session: Session, code: str, day: date) -> OnePlan:
    """A plan by its code; refuses one that does not exist."""
    plan = core_table(Plan)
    row = session.execute(select(plan).where(plan.c.code == code)).mappings().one_or_none()
    if row is None:
        raise NotFound("There is no plan with the code {plan}", code="no_plan", plan=code)
    held = subscriber_base.base_on(session, day, row["id"]).standing
    counts = held.group_by("price_version_id").agg(subscriptions=pl.len().cast(pl.Int64))
    versions = _versions(session, row["id"]).join(counts, on="price_version_id", how="left", maintain_order="left")
    return OnePlan(
        dict(row), versions.with_columns(pl.col("subscriptions").fill_null(0)), _policies(session, row["id"])
    )


def _versions(session: Session, plan_id: int) -> pl.DataFrame:
    """The plan's own versions, newest first, without drafts that were thrown away; prices agreed for one subscription stand on that
    subscription's page."""
    table = core_table(PriceVersion).c
    columns = [table.id.label("price_version_id"), *(table[name] for name in list(VERSIONS)[1:])]
    thrown_away = (table.status == PriceStatus.DRAFT.value) & table.retired_at.is_not(None)
    statement = (
        select(*columns)
        .where(table.plan_id == plan_id, table.subscription_id.is_(None), ~thrown_away)
        .order_by(table.id.desc())
    )
    return load.frame(session, statement, VERSIONS)


def _policies(session: Session, plan_id: int) -> pl.DataFrame:
    table = core_table(PlanPolicy).c
    statement = (
        select(*(table[name] for name in POLICIES))
        .where(table.plan_id == plan_id)
        .order_by(table.effective_from.desc(), table.id.desc())
    )
    return load.frame(session, statement, POLICIES)


def policy(session: Session, plan_id: int, day: date) -> dict[str, Any]:
    """What holds for the plan on a day."""
    return policies.policy_on(session, plan_id, day)


def terms(session: Session, price_version_id: int) -> PriceTerms:
    """What a price version says; refuses one that does not exist."""
    if catalogue.price_version(session, price_version_id) is None:
        raise NotFound("These prices do not exist any more", code="no_price_version")
    return catalogue.terms_of(session, price_version_id)


def previous_version(versions: pl.DataFrame, price_version_id: int) -> int | None:
    """The version before this one in the same currency and interval: what it is compared with."""
    own = versions.filter(pl.col("price_version_id") == price_version_id)
    older = versions.join(own.select(SERIES), on=SERIES, how="semi").filter(
        pl.col("number") < own["number"].item(), pl.col("status") != PriceStatus.DRAFT.value
    )
    found: int | None = older.sort("number")["price_version_id"].last() if older.height else None  # type: ignore[assignment]
    return found


def effect(session: Session, plan_id: int, price_version_id: int, day: date) -> Effect:
    """Whom a draft concerns, and what they are worth a month now and at its prices, by the engine."""
    draft = load.prices(session, [price_version_id])
    head = draft.versions.row(0, named=True)
    base = subscriber_base.base_on(session, day, plan_id)
    same = ["currency", "interval_months", "interval_days"]
    concerned = base.standing.filter(pl.all_horizontal(pl.col(name) == head[name] for name in same))
    version = core_table(PriceVersion).c
    agreed = session.execute(select(version.id).where(version.plan_id == plan_id, version.subscription_id.is_not(None)))
    own = pl.col("price_version_id").is_in(list(agreed.scalars()))
    shared = concerned.filter(~own)
    at_draft = shared.with_columns(price_version_id=pl.lit(price_version_id, dtype=pl.Int64))
    then = subscriber_base.twelfths(session, at_draft, base.addons, draft, day)
    paying = shared["state"] == subscriber_base.PAYING
    return Effect(
        subscriptions=shared.height, negotiated=concerned.height - shared.height, currency=head["currency"],
        now_minor=monthly(int(shared["list_twelfths"].sum())),
        then_minor=monthly(int(then.filter(paying).sum())),
        second_person=holders.has_subscribers(session, plan_id, day, but=price_version_id),
    )  # fmt: skip


def coupons(session: Session) -> pl.DataFrame:
    """All coupons, newest first (COUPONS)."""
    table = core_table(Coupon).c
    columns = [table.id.label("coupon_id"), *(table[name] for name in list(COUPONS)[1:])]
    return load.frame(session, select(*columns).order_by(table.id.desc()), COUPONS)


def vat_categories(session: Session, day: date) -> list[str]:
    """The VAT categories that the company's rules know; the usual one first."""
    try:
        seller = billing.company_profile(session, day)
    except Conflict:
        return ["standard"]
    known = billing.vat_rules(session, seller.country)["category"].unique().to_list()
    return ["standard", *sorted(set(known) - {"standard"})]
