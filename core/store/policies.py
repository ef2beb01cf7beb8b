"""Plan policies as they hold on a day; without one, the defaults of the table."""

from __future__ import annotations

from datetime import date
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from core.store.tables import PlanPolicy, core_table

POLICY_FIELDS = (
    "upgrade_when", "downgrade_when", "cancel_when", "cancel_credit", "minimum_term_months", "notice_days",
    "minimum_quantity", "maximum_pause_days",
)  # fmt: skip


def policy_on(session: Session, plan_id: int, on: date) -> dict[str, Any]:
    """The plan's policy in force on a day; the defaults when none was set by then."""
    table = core_table(PlanPolicy)
    row = session.execute(
        select(table)
        .where(table.c.plan_id == plan_id, table.c.effective_from <= on)
        .order_by(table.c.effective_from.desc(), table.c.id.desc())
        .limit(1)
    ).one_or_none()
    if row is not None:
        return {name: getattr(row, name) for name in POLICY_FIELDS}
    return default_policy()


def default_policy() -> dict[str, Any]:
    """What holds for a plan for which nothing was set."""
    defaults: dict[str, Any] = {name: core_table(PlanPolicy).c[name].default for name in POLICY_FIELDS}
    return {name: default.arg for name, default in defaults.items()}
