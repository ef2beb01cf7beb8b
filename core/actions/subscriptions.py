"""Start subscriptions and change them. A request is a row of a frame; one is a batch of one.

Each action decides on the facts as stored in its own transaction and appends dated facts; billing finds the difference
(house.md section 4). Columns that may be null may be left out. Every action takes `partial` (see `changing.py`) and answers
`change_ids`. Rules: billing.md, Decisions and section 8.
"""

from __future__ import annotations

import polars as pl

from core.actions.changing import append, change, circumstances, refusals, store
from core.actions.command import Answer, Work, command
from core.calc.changes.coupons import decide_coupon_end, decide_grant
from core.calc.changes.deciding import asked
from core.calc.changes.service import decide_cancel, decide_pause, decide_resume, decide_trial
from core.calc.changes.standing import SUB
from core.calc.changes.starting import START_REQUESTS, decide_start
from core.calc.changes.terms import decide_addon, decide_price, decide_quantity
from core.calc.changes.undoing import UNDO_REQUESTS, decide_undo
from core.domain.access import Permission
from core.store import subscriptions as stored
from core.store.known import ids_of
from core.store.save import insert_many, reserve_ids
from core.store.tables import BillingCursor, Subscription


@command("subscriptions.start", Permission.CHANGE_SUBSCRIPTIONS)
def start(work: Work, *, requests: pl.DataFrame, partial: bool = False) -> Answer:
    """New subscriptions: customer_id, price_version_id, start_on [, quantity_micro, external_id, anchor_on, trial_days,
    terms_days, minimum_term_until, billed_through].

    `billed_through`: history taken over; nothing on or before that day is billed. Answers subscription_ids too.
    """
    session = work.session
    wanted = asked(requests, START_REQUESTS)
    customers = stored.known_customers(session, wanted["customer_id"].drop_nulls().unique())
    taken = ids_of(session, Subscription, "external_id", wanted["external_id"].drop_nulls().unique())["external_id"]
    first = reserve_ids(session, Subscription, wanted.height) if wanted.height else 1
    made, decision = decide_start(requests, circumstances(work, requests), customers, taken, first)
    refused = refusals(decision, partial=partial)
    _insert(work, made)
    saved = append(work, decision.facts)
    _take_over(work, made, saved)
    own = saved.unique("row", keep="first", maintain_order=True)
    answer: Answer = {"subscription_ids": made[SUB].to_list(), "change_ids": own["id"].to_list()}
    return {**answer, "refused": refused} if partial else answer


def _insert(work: Work, made: pl.DataFrame) -> None:
    """Store the subscriptions themselves."""
    when = {**{name: pl.lit(value) for name, value in work.stamp.items()}, "command_id": pl.lit(work.command_id)}
    names = ["customer_id", "external_id", "currency", "terms_days", "minimum_term_until", "notice_days"]
    insert_many(work.session, Subscription, made.select(*names, id=SUB, started_on="start_on", **when))


def _take_over(work: Work, made: pl.DataFrame, saved: pl.DataFrame) -> None:
    """What another system billed is noted with the last fact that it knew."""
    last = saved.group_by(SUB).agg(opening_change_id=pl.col("id").max())
    taken = made.filter(pl.col("billed_through").is_not_null()).join(last, on=SUB)
    cursors = taken.select(
        SUB, "billed_through", "opening_change_id", opening="billed_through", seen_change_id="opening_change_id",
        next_due_on=pl.max_horizontal("billed_through", pl.col("start_on") - pl.duration(days=1)) + pl.duration(days=1),
    )  # fmt: skip
    insert_many(work.session, BillingCursor, cursors)


@command("subscriptions.change_price", Permission.CHANGE_SUBSCRIPTIONS)
def change_price(work: Work, *, requests: pl.DataFrame, partial: bool = False) -> Answer:
    """Other prices: subscription_id, price_version_id [, effective_on (else by the plan's policy)]."""
    return change(work, requests, decide_price, partial=partial)


@command("subscriptions.change_quantity", Permission.CHANGE_SUBSCRIPTIONS)
def change_quantity(work: Work, *, requests: pl.DataFrame, partial: bool = False) -> Answer:
    """Another quantity: subscription_id, quantity_micro, effective_on."""
    return change(work, requests, decide_quantity, partial=partial)


@command("subscriptions.change_addon", Permission.CHANGE_SUBSCRIPTIONS)
def change_addon(work: Work, *, requests: pl.DataFrame, partial: bool = False) -> Answer:
    """Another quantity of an add-on, 0 removes it: subscription_id, item (charge code), quantity_micro, effective_on."""
    return change(work, requests, decide_addon, partial=partial)


@command("subscriptions.grant_coupon", Permission.CHANGE_SUBSCRIPTIONS)
def grant_coupon(work: Work, *, requests: pl.DataFrame, partial: bool = False) -> Answer:
    """Give a coupon: subscription_id, coupon_id, effective_on."""
    return change(work, requests, decide_grant, partial=partial)


@command("subscriptions.end_coupon", Permission.CHANGE_SUBSCRIPTIONS)
def end_coupon(work: Work, *, requests: pl.DataFrame, partial: bool = False) -> Answer:
    """Stop a coupon: subscription_id, coupon_id, effective_on."""
    return change(work, requests, decide_coupon_end, partial=partial)


@command("subscriptions.pause", Permission.CHANGE_SUBSCRIPTIONS)
def pause(work: Work, *, requests: pl.DataFrame, partial: bool = False) -> Answer:
    """Pause service: subscription_id, effective_on [, until_on (exclusive), reason, credit]."""
    return change(work, requests, decide_pause, partial=partial)


@command("subscriptions.resume", Permission.CHANGE_SUBSCRIPTIONS)
def resume(work: Work, *, requests: pl.DataFrame, partial: bool = False) -> Answer:
    """Serve again: subscription_id, effective_on."""
    return change(work, requests, decide_resume, partial=partial)


@command("subscriptions.cancel", Permission.CHANGE_SUBSCRIPTIONS)
def cancel(work: Work, *, requests: pl.DataFrame, partial: bool = False) -> Answer:
    """End service: subscription_id [, effective_on = last day (else the end of the running period), credit, cause, reason]."""
    return change(work, requests, decide_cancel, partial=partial)


@command("subscriptions.change_trial", Permission.CHANGE_SUBSCRIPTIONS)
def change_trial(work: Work, *, requests: pl.DataFrame, partial: bool = False) -> Answer:
    """Let a trial end later, or sooner: subscription_id, until_on (first billable day)."""
    return change(work, requests, decide_trial, partial=partial)


@command("subscriptions.undo", Permission.CHANGE_SUBSCRIPTIONS)
def undo(work: Work, *, requests: pl.DataFrame, partial: bool = False) -> Answer:
    """Take back a change: change_id."""
    return take_back(work, requests, partial=partial)


def take_back(work: Work, requests: pl.DataFrame, *, partial: bool) -> Answer:
    """What `undo` does, for other actions of the same transaction."""
    wanted = asked(requests, UNDO_REQUESTS)
    owners = stored.owners_of(work.session, wanted["change_id"].drop_nulls())
    known = circumstances(work, owners.to_frame())
    commands = stored.commands_of(work.session, owners)
    return store(work, decide_undo(requests, known, commands), partial=partial)
