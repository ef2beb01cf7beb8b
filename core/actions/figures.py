"""What staff enter about the figures: budgets, margins, marks in time, saved views, and the freezing of a month. Appended only."""

from __future__ import annotations

import json
from datetime import date
from typing import Any

from sqlalchemy import func, select

from core.actions.command import Answer, Work, add_row, command
from core.actions.invoices import business_day
from core.domain.access import Permission
from core.domain.errors import Conflict, InvalidInput, NotFound, NotPermitted
from core.domain.wording import readable
from core.store.tables import (
    Budget,
    MonthClose,
    Plan,
    PlanMargin,
    Revision,
    SavedView,
    SubscriptionChange,
    TimeMark,
    core_table,
)  # fmt: skip

LONGEST_TEXT = 120


@command("figures.set_budget", Permission.PLAN_FIGURES)
def set_budget(work: Work, *, month: date, mrr_minor: int) -> Answer:
    """The MRR aimed at for the end of a month; entering one again replaces it."""
    if month.day != 1:
        raise InvalidInput("A budget is for a month: give its first day", code="not_a_month")
    if mrr_minor < 0:
        raise InvalidInput("Give a budget of zero or more", code="negative_budget")
    return {"budget_id": add_row(work, Budget, {"month": month, "mrr_minor": mrr_minor})}


@command("figures.set_margin", Permission.PLAN_FIGURES)
def set_margin(work: Work, *, plan_id: int, effective_from: date, margin_ppm: int) -> Answer:
    """The share of a plan's revenue that is left after its own costs, from a day on."""
    if not 0 <= margin_ppm <= 1_000_000:
        raise InvalidInput("A margin lies between 0 and 100 %", code="bad_margin")
    if work.session.execute(select(core_table(Plan).c.id).where(core_table(Plan).c.id == plan_id)).first() is None:
        raise NotFound("That plan is not known", code="no_plan")
    return {
        "margin_id": add_row(
            work, PlanMargin, {"plan_id": plan_id, "effective_from": effective_from, "margin_ppm": margin_ppm}
        )
    }


@command("figures.mark_day", Permission.PLAN_FIGURES)
def mark_day(work: Work, *, on_date: date, text: str, replaces_id: int | None = None) -> Answer:
    """Name something that charts should show on a day; an empty text takes the mark it replaces down."""
    said = readable(text).strip()
    if not said and replaces_id is None:
        raise InvalidInput("Say what happened on that day", code="no_text")
    if len(said) > LONGEST_TEXT:
        raise InvalidInput("Say it in at most {most} characters", code="long_text", most=LONGEST_TEXT)
    return {"mark_id": add_row(work, TimeMark, {"on_date": on_date, "text": said, "replaces_id": replaces_id})}


@command("figures.save_view", Permission.SAVE_VIEWS)
def save_view(
    work: Work, *, page: str, name: str, query: str, shared: bool = False, replaces_id: int | None = None
) -> Answer:
    """Keep a page's filters under a name, for oneself or for all; an empty query takes the view it replaces down."""
    said = readable(name).strip()
    if not said:
        raise InvalidInput("Give the view a name", code="no_name")
    if len(said) > LONGEST_TEXT:
        raise InvalidInput("Say it in at most {most} characters", code="long_text", most=LONGEST_TEXT)
    if replaces_id is not None:
        table = core_table(SavedView)
        author = work.session.execute(select(table.c.author).where(table.c.id == replaces_id)).scalar()
        if author != work.author:
            raise NotPermitted("Only who saved a view can change it", code="not_own_view")
    row = {"page": page, "name": said, "query": query, "shared": shared, "replaces_id": replaces_id}
    return {"view_id": add_row(work, SavedView, row)}


@command("figures.close_month", Permission.CLOSE_BOOKS)
def close_month(work: Work, *, month: date, definitions: str, content: dict[str, Any], revision: int) -> Answer:
    """Freeze a month's KPIs as reported: `content` is what the data of `revision` said by the definitions' version.

    Refused when the month is not over, is frozen already, or facts were recorded since the figures were read.
    """
    if month.day != 1:
        raise InvalidInput("A month is named by its first day", code="not_a_month")
    today = business_day(work.now)
    if (month.year, month.month) >= (today.year, today.month):
        raise Conflict("The month is not over yet", code="month_open")
    table = core_table(MonthClose)
    if work.session.execute(select(table.c.id).where(table.c.month == month)).first():
        raise Conflict("This month was reported already; its figures stay", code="month_closed")
    known = work.session.execute(select(core_table(Revision).c.value)).scalar() or 0
    if known != revision:
        raise Conflict("Facts were recorded since the figures were read; read them again", code="moved_on")
    newest = work.session.execute(select(func.max(core_table(SubscriptionChange).c.id))).scalar() or 0
    row = {
        "month": month,
        "definitions": definitions,
        "seen_change_id": newest,
        "content": json.dumps(content, sort_keys=True),
    }
    return {"month_close_id": add_row(work, MonthClose, row)}
