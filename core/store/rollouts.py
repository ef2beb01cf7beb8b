"""Which prices scenarios have decided on: asked in SQL, for single decisions and pages alike."""

from __future__ import annotations

from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from core.domain.scenarios import Step
from core.store.tables import Scenario, ScenarioDecision, core_table


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
