"""Which prices scenarios have decided on, and what hinders their roll-outs: asked in SQL, for single decisions and pages alike."""

from __future__ import annotations

from datetime import date
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from core.domain.errors import Conflict
from core.domain.scenarios import Step
from core.store.tables import MigrationPlan, PriceVersion, Scenario, ScenarioDecision, core_table


def approved_with(session: Session, price_version_id: int) -> Any | None:
    """The scenario (id, name, content) that was approved with these prices last, unless it was stopped since."""
    scenario, step = core_table(Scenario), core_table(ScenarioDecision)
    own = step.c.scenario_id == scenario.c.id
    last, drafted = (
        select(func.max(each)).where(own).correlate(scenario).scalar_subquery()
        for each in (step.c.id, step.c.price_version_id)
    )
    decided = step.alias()
    return session.execute(
        select(scenario.c.id, scenario.c.name, scenario.c.content)
        .join_from(scenario, decided, decided.c.id == last)
        .where(drafted == price_version_id, decided.c.decision.in_([Step.APPROVED.value, Step.ROLLED_OUT.value]))
    ).first()


def decided_on(session: Session, price_version_id: int) -> bool:
    """Was a decision ever made about these prices? Then they stay on record."""
    table = core_table(ScenarioDecision).c
    return session.execute(select(table.id).where(table.price_version_id == price_version_id)).first() is not None


def hindrance(session: Session, scenario_id: int, today: date) -> Conflict | None:
    """Why the changes that are not planned yet cannot be: somebody should have been told before today, or the prices begin too late."""
    move, version = core_table(MigrationPlan).c, core_table(PriceVersion).c
    waiting = move.scenario_id == scenario_id, move.change_id.is_(None), move.wave > 0
    late, told_on = session.execute(
        select(func.count(), func.min(move.notice_on)).where(*waiting, move.notice_on < today)
    ).one()
    if late:
        return Conflict(
            "{count} subscriptions were to be told of their new prices before today, the first on {day}: stop this roll-out and ask for approval again",
            code="late", count=late, day=told_on,
        )  # fmt: skip
    early = session.execute(
        select(version.valid_from, func.min(move.effective_on))
        .join_from(core_table(MigrationPlan), core_table(PriceVersion), version.id == move.price_version_id)
        .where(*waiting, move.effective_on < version.valid_from).group_by(version.valid_from)
    ).first()  # fmt: skip
    if early is None:
        return None
    return Conflict(
        "The prices begin on {begin}, after the day of the first customers, {day}: stop this roll-out and ask for approval again",
        code="begins_later", begin=early[0], day=early[1],
    )  # fmt: skip
