"""The way of a scenario: kept, put before a second person with its numbers frozen, approved into a draft and a schedule, rolled out, stopped."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import date, timedelta
from typing import Any

import polars as pl
from sqlalchemy import func, select, update

from core.actions.changing import change, today
from core.actions.command import Answer, Work, add_row, command
from core.actions.subscriptions import take_back
from core.calc.changes.terms import decide_move
from core.calc.timeline import limit_track, live_changes
from core.domain.access import Permission
from core.domain.errors import Conflict, InvalidInput, NotFound, NotPermitted
from core.domain.plans import PriceStatus, PriceTerms
from core.domain.price_rules import require_sound
from core.domain.scenarios import Existing, Scenario, Step, from_json, needs_note, to_json
from core.domain.wording import readable
from core.store import billing, catalogue, load, rollouts
from core.store.save import insert_many, reserve_ids
from core.store.tables import (
    MigrationPlan,
    Plan,
    PriceVersion,
    ReactionEstimate,
    ScenarioDecision,
    ScenarioResult,
    core_table,
)  # fmt: skip
from core.store.tables import Scenario as ScenarioRow

FRESH = timedelta(days=7)
LARGEST_GAP_PPM = 1_000  # 0.1 %: beyond it the re-rated history does not explain the invoices
SUB = "subscription_id"


@command("scenarios.save", Permission.SIMULATE_PRICES)
def save_scenario(work: Work, *, scenario: Mapping[str, Any], replaces_id: int | None = None) -> Answer:
    """Keep a scenario under its name; nothing is published by that. A changed one is a new row, and takes the place of `replaces_id`.

    What was put before a second person stays: refused when the replaced one was.
    """
    wanted = from_json(scenario)
    if replaces_id is not None and step_of(work, replaces_id) is not None:
        raise Conflict(
            "This scenario was put before a second person and stays; keep the changed one as a new one", code="stays"
        )
    content = json.dumps(to_json(wanted), sort_keys=True)
    key = add_row(work, ScenarioRow, {"name": readable(wanted.name), "content": content, "replaces_id": replaces_id})
    return {"scenario_id": key}


@command("scenarios.learn", Permission.SIMULATE_PRICES)
def learn(work: Work, *, estimate: Mapping[str, Any]) -> Answer:
    """Assume from now on what own price changes showed: reports.reaction.content. Scenarios that are kept stay as they are."""
    return {"estimate_id": add_row(work, ReactionEstimate, {"content": json.dumps(estimate, sort_keys=True)})}


@command("scenarios.request", Permission.SIMULATE_PRICES)
def request_approval(
    work: Work,
    *,
    scenario_id: int,
    result: Mapping[str, Any],
    as_of: date,
    data_hash: str,
    engine_version: str,
    gap_ppm: int | None,
) -> Answer:
    """Put a scenario before a second person, with its numbers frozen as the prediction.

    Refused when the re-rated history differs from the invoices by more than 0.1 %, the numbers are older than a week, or an
    assumption differs from the usual without a note.
    """
    scenario = require_scenario(work, scenario_id)
    if needs_note(scenario):
        raise Conflict("Some assumptions differ from the usual ones: note why", code="no_note")
    if gap_ppm is not None and gap_ppm > LARGEST_GAP_PPM:
        raise Conflict(
            "The re-rated history differs from the invoices by {gap} %; find out why before anybody decides on it", code="gap",
            gap=gap_ppm / 10_000,
        )  # fmt: skip
    if today(work) - as_of > FRESH:
        raise Conflict("The figures are older than a week; run them again", code="old_figures")
    if step_of(work, scenario_id) in (Step.APPROVED, Step.ROLLED_OUT):
        raise Conflict("This scenario was approved already", code="approved_already")
    frozen = {"scenario_id": scenario_id, "as_of": as_of, "data_hash": data_hash, "engine": engine_version}
    content = json.dumps(result, sort_keys=True, default=str)
    result_id = add_row(work, ScenarioResult, {**frozen, "content": content})
    _step(work, scenario_id, Step.REQUESTED, "")
    return {"result_id": result_id}


@command("scenarios.approve", Permission.APPROVE_SCENARIOS)
def approve(work: Work, *, scenario_id: int, terms: PriceTerms, moves: pl.DataFrame, note: str = "") -> Answer:
    """Approve what another person asked for: a draft of the prices and a schedule with notice dates; a second person publishes it.

    `moves`: reports.simulation.Exact.moves. Notices shorter than the scenario's, or than the company's minimum for that kind of
    customer, are refused.
    """
    scenario = require_scenario(work, scenario_id)
    asked = _require_step(work, scenario_id, Step.REQUESTED, "Nobody has asked for approval of this scenario")
    if asked.author == work.author:
        raise NotPermitted("Another person must approve what you asked for", code="four_eyes")
    as_of = work.session.execute(
        select(core_table(ScenarioResult).c.as_of).where(core_table(ScenarioResult).c.scenario_id == scenario_id).order_by(core_table(ScenarioResult).c.id.desc())
    ).scalars().first()  # fmt: skip
    if as_of is None or today(work) - as_of > FRESH:
        raise Conflict("The figures are older than a week; run them again", code="old_figures")
    _check_notice(work, scenario, moves)
    _check_order(scenario, moves)
    _check_limits(work, moves, terms)
    require_sound(terms)
    plan_id = _plan_id(work, scenario)
    number = catalogue.next_number(work.session, plan_id, terms)
    draft = {"plan_id": plan_id, "number": number, "status": PriceStatus.DRAFT.value, "note": readable(scenario.name),
             **catalogue.head_values(terms), **work.stamp, "author": _drafted_by(work, scenario_id)}  # fmt: skip
    version_id = catalogue.insert_row(work.session, PriceVersion, draft)
    catalogue.save_charges(work.session, version_id, terms.charges)
    if moves.height:
        first = reserve_ids(work.session, MigrationPlan, moves.height)
        insert_many(work.session, MigrationPlan, moves.select(
            SUB, "effective_on", "notice_on", "wave", "from_version_id", "before_twelfths", "after_twelfths", "cap_ppm", "floor_ppm", id=pl.int_range(first, first + pl.len(), dtype=pl.Int64),
            scenario_id=pl.lit(scenario_id, dtype=pl.Int64), price_version_id=pl.lit(version_id, dtype=pl.Int64),
            recorded_at=pl.lit(work.now),
        ))  # fmt: skip
    _step(work, scenario_id, Step.APPROVED, note, price_version_id=version_id)
    work.audit(f"price_version:{version_id}", "terms")
    return {"price_version_id": version_id, "planned": moves.height}


def _drafted_by(work: Work, scenario_id: int) -> str:
    """Who thought of the prices, whoever asked for their approval: the second person who publishes them is another."""
    table = core_table(ScenarioRow).c
    return str(work.session.execute(select(table.author).where(table.id == scenario_id)).scalar_one())


def _check_notice(work: Work, scenario: Scenario, moves: pl.DataFrame) -> None:
    """Nobody is moved with a shorter notice than the scenario's, or into the past."""
    if scenario.existing is Existing.NEVER and moves.height:
        raise Conflict("Existing customers keep their prices in this scenario", code="keeps")
    if moves.height and moves["notice_on"].min() < today(work):  # type: ignore[operator]
        raise Conflict("Some customers would have to be told before today; run the figures again", code="late_notice")
    least = billing.price_notice_days(work.session, today(work))
    owners = load.subscriptions(work.session, moves[SUB]).select(SUB, "customer_id")
    kinds = load.customers(work.session, today(work), owners["customer_id"].unique()).select("customer_id", "kind")
    needed = pl.max_horizontal(pl.lit(scenario.notice_days), pl.col("kind").replace_strict(least, default=0))
    told = moves.join(owners, on=SUB, how="left").join(kinds, on="customer_id", how="left").with_columns(
        given=(pl.col("effective_on") - pl.col("notice_on")).dt.total_days(), needed=needed
    )  # fmt: skip
    short = told.filter(pl.col("given") < pl.col("needed"))
    if short.height:
        raise Conflict("A notice of at least {days} days is due", code="short_notice", days=short["needed"].max())


def _check_order(scenario: Scenario, moves: pl.DataFrame) -> None:
    """Nobody is moved to prices that are not sold yet."""
    first: Any = moves["effective_on"].min()
    if scenario.from_on and first and scenario.from_on > first:
        raise Conflict(
            "New customers would get these prices on {begin}, after existing ones on {day}; ask for approval with an earlier day for new customers",
            code="newcomers_later", begin=scenario.from_on, day=first,
        )  # fmt: skip


def _check_limits(work: Work, moves: pl.DataFrame, terms: PriceTerms) -> None:
    """Refuse limits that an invoice could not show to the minor unit.

    A limit is compared with the prices that a customer has, as they are stated: not with prices that are limited themselves,
    not across prices with and without VAT, and not where VAT of several rates is inside them.
    """
    limited = moves.filter(pl.col("cap_ppm").is_not_null() | pl.col("floor_ppm").is_not_null())
    if limited.is_empty():
        return
    prices = load.prices(work.session, limited["from_version_id"].unique())
    changes = load.changes(work.session, limited[SUB])
    held = limit_track(live_changes(changes)).join(limited.select(SUB, "effective_on"), on=SUB).filter(
        (pl.col("start") <= pl.col("effective_on")) & (pl.col("effective_on") < pl.col("end"))
    )  # fmt: skip
    if held.height:
        raise Conflict(
            "The last rise of {count} subscriptions is still limited: leave them out, or limit nobody", code="limited_already",
            count=held[SUB].n_unique(),
        )  # fmt: skip
    if (prices.versions["tax_inclusive"] != terms.tax_inclusive).any():
        raise Conflict("Prices with VAT cannot be limited against prices without", code="limit_vat")
    categories = {*prices.charges["vat_category"], *(charge.vat_category for charge in terms.charges)}
    if terms.tax_inclusive and len(categories) > 1:
        raise Conflict("Prices that include VAT of several categories cannot be limited", code="limit_categories")


@command("scenarios.decline", Permission.APPROVE_SCENARIOS)
def decline(work: Work, *, scenario_id: int, note: str) -> Answer:
    """Say no, and why."""
    require_scenario(work, scenario_id)
    _require_step(work, scenario_id, Step.REQUESTED, "Nobody has asked for approval of this scenario")
    if not readable(note).strip():
        raise InvalidInput("Say why", code="no_reason")
    _step(work, scenario_id, Step.DECLINED, note)
    return {}


@command("scenarios.roll_out", Permission.PUBLISH_PRICES)
def roll_out(work: Work, *, scenario_id: int, most: int = 5_000) -> Answer:
    """Plan the price change of the next subscriptions of an approved scenario whose prices are published: a dated fact each.

    Answers how many were `moved`, which were `refused` and why, and how many are `left`. Done once however often it is started.
    Refused as a whole where the prices begin after somebody's day, or where the day of a letter has passed: nobody's notice gets
    shorter, and a rise is never billed backwards.
    """
    require_scenario(work, scenario_id)
    if step_of(work, scenario_id) not in (Step.APPROVED, Step.ROLLED_OUT):
        raise Conflict("This scenario is not approved", code="not_approved")
    table = core_table(MigrationPlan)
    waiting = load.frame(
        work.session,
        select(table.c.id, table.c.subscription_id, table.c.price_version_id, table.c.effective_on, table.c.from_version_id,
               table.c.cap_ppm, table.c.floor_ppm)
        .where(table.c.scenario_id == scenario_id, table.c.change_id.is_(None), table.c.wave > 0).order_by(table.c.id).limit(most),
        {"id": pl.Int64, SUB: pl.Int64, "price_version_id": pl.Int64, "effective_on": pl.Date, "from_version_id": pl.Int64,
         "cap_ppm": pl.Int64, "floor_ppm": pl.Int64},
    )  # fmt: skip
    if waiting.is_empty():
        _step(work, scenario_id, Step.ROLLED_OUT, "")
        return {"moved": 0, "refused": [], "left": 0}
    version = catalogue.price_version(work.session, waiting["price_version_id"][0])
    if version is None or version.status != PriceStatus.PUBLISHED.value:
        raise Conflict("Publish the draft of this scenario first", code="not_published")
    if hindrance := rollouts.hindrance(work.session, scenario_id, today(work)):
        raise hindrance
    done = change(work, waiting.drop("id"), decide_move, partial=True)
    bad = {row["row"] for row in done["refused"]}
    good = waiting.with_row_index("row").filter(~pl.col("row").is_in(list(bad)))
    for plan_id, change_id in zip(good["id"], done["change_ids"], strict=True):
        work.session.execute(update(table).where(table.c.id == plan_id).values(change_id=change_id))
    for row in bad:  # wave 0: somebody must look at it
        work.session.execute(update(table).where(table.c.id == waiting["id"][row]).values(wave=0))
    left = work.session.execute(
        select(func.count()).where(table.c.scenario_id == scenario_id, table.c.change_id.is_(None), table.c.wave > 0)
    ).scalar_one()
    if left == 0:
        _step(work, scenario_id, Step.ROLLED_OUT, "")
    refused = [{SUB: waiting[SUB][row["row"]], "reason": row["reason"]} for row in done["refused"]]
    return {"moved": good.height, "refused": refused, "left": int(left)}


@command("scenarios.stop", Permission.PUBLISH_PRICES)
def stop(work: Work, *, scenario_id: int, note: str) -> Answer:
    """Take back the price changes of a roll-out that have not come into force; those that have stay."""
    require_scenario(work, scenario_id)
    if step_of(work, scenario_id) not in (Step.APPROVED, Step.ROLLED_OUT):
        raise Conflict("Nothing of this scenario is rolled out", code="not_rolled_out")
    if not readable(note).strip():
        raise InvalidInput("Say why", code="no_reason")
    table = core_table(MigrationPlan)
    rows = load.frame(
        work.session,
        select(table.c.change_id).where(table.c.scenario_id == scenario_id, table.c.change_id.is_not(None), table.c.effective_on > today(work)),
        {"change_id": pl.Int64},
    )  # fmt: skip
    answer = take_back(work, rows, partial=True) if rows.height else {"change_ids": [], "refused": []}
    work.session.execute(
        update(table).where(table.c.scenario_id == scenario_id, table.c.change_id.is_(None)).values(wave=0)
    )
    _step(work, scenario_id, Step.STOPPED, note)
    return {"taken_back": len(answer["change_ids"]), "refused": answer["refused"]}


# --- what all of them need ------------------------------------------------------------------------------------------------


def require_scenario(work: Work, scenario_id: int) -> Scenario:
    """The scenario's content."""
    table = core_table(ScenarioRow)
    content = work.session.execute(select(table.c.content).where(table.c.id == scenario_id)).scalar()
    if content is None:
        raise NotFound("That scenario is not known", code="no_scenario")
    return from_json(json.loads(content))


def step_of(work: Work, scenario_id: int) -> Step | None:
    """The last step of a scenario's way."""
    table = core_table(ScenarioDecision)
    last = work.session.execute(
        select(table.c.decision).where(table.c.scenario_id == scenario_id).order_by(table.c.id.desc())
    ).scalars().first()  # fmt: skip
    return Step(last) if last else None


def _require_step(work: Work, scenario_id: int, step: Step, refusal: str) -> Any:
    """The row of the last step, which must be this one."""
    table = core_table(ScenarioDecision)
    last = work.session.execute(
        select(table).where(table.c.scenario_id == scenario_id).order_by(table.c.id.desc())
    ).first()
    if last is None or last.decision != step.value:
        raise Conflict(refusal, code="wrong_step")
    return last


def _step(work: Work, scenario_id: int, step: Step, note: str, *, price_version_id: int | None = None) -> None:
    said = {"scenario_id": scenario_id, "decision": step.value, "price_version_id": price_version_id,
            "note": readable(note), "command_id": work.command_id}  # fmt: skip
    add_row(work, ScenarioDecision, said)


def _plan_id(work: Work, scenario: Scenario) -> int:
    table = core_table(Plan)
    found: int | None = work.session.execute(
        select(table.c.id).where((table.c.code == scenario.plan) | (table.c.name == scenario.plan))
    ).scalar()  # fmt: skip
    if found is None:
        raise NotFound("There is no plan {plan}", code="no_plan", plan=scenario.plan)
    return found
