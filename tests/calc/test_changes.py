"""Requests against how a subscription stands: what is appended, what is refused and in which words. No database.

The subscription of these tests started on 1 January 2026 with 5 seats on the middle one of three plans, billed monthly.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from time import perf_counter
from typing import Any

import polars as pl
import pytest

from core import frames
from core.calc.changes.coupons import decide_coupon_end, decide_grant
from core.calc.changes.deciding import Decision
from core.calc.changes.service import decide_cancel, decide_pause, decide_resume, decide_trial
from core.calc.changes.standing import Circumstances
from core.calc.changes.starting import decide_start
from core.calc.changes.terms import decide_addon, decide_price, decide_quantity
from core.calc.changes.undoing import decide_undo
from core.domain.subscriptions import REFUSALS, Refusal, refusal
from core.language.catalogue import translate

ADA = 7
SMALL, MIDDLE, LARGE, YEARLY, DRAFT, RETIRED, LATER, EURO, AGREED = range(1, 10)
JANUARY, TODAY, FEBRUARY = date(2026, 1, 1), date(2026, 1, 11), date(2026, 2, 1)
MICRO = 10**6


def table(schema: frames.Schema, *rows: dict[str, Any]) -> pl.DataFrame:
    """A frame of the schema; what a row leaves out is null."""
    return pl.DataFrame([{name: row.get(name) for name in schema} for row in rows], schema=dict(schema))


def offer(key: int, rank: int, **more: Any) -> dict[str, Any]:
    """A published monthly price list of the plan with the rank."""
    return {
        "price_version_id": key, "plan_id": rank, "rank": rank, "currency": "NOK", "interval_months": 1,
        "interval_days": 0, "calendar": False, "tax_inclusive": False, "minimum_minor": 0, "status": "published",
        "trial_days": 0, **more,
    }  # fmt: skip


OFFERS = table(
    frames.OFFERS,
    offer(SMALL, 1), offer(MIDDLE, 2), offer(LARGE, 3), offer(YEARLY, 2, interval_months=12),
    offer(DRAFT, 3, status="draft"), offer(RETIRED, 3, status="retired", retired_on=date(2026, 1, 5)),
    offer(LATER, 3, valid_from=date(2026, 3, 1)), offer(EURO, 3, currency="EUR"),
    offer(AGREED, 3, owner_id=99),
)  # fmt: skip
CHARGES = table(
    frames.CHARGE_CODES,
    *({"price_version_id": key, "code": "extra", "kind": "addon"} for key in (MIDDLE, LARGE)),
    {"price_version_id": MIDDLE, "code": "seat", "kind": "seat"},
)
COUPON = {"kind": "percent", "rate_ppm": 500_000, "amount_minor": 0, "duration": "periods", "periods": 3, "scope": "plan",
          "includes_true_up": False, "archived": False, "currency": "", "charge_code": ""}  # fmt: skip
COUPONS = table(
    frames.COUPON_TERMS,
    {**COUPON, "coupon_id": 1, "code": "HALF"},
    {**COUPON, "coupon_id": 2, "code": "OLD", "archived": True},
    {**COUPON, "coupon_id": 3, "code": "SOON", "valid_from": FEBRUARY},
    {**COUPON, "coupon_id": 4, "code": "PAST", "valid_to": JANUARY},
    {**COUPON, "coupon_id": 5, "code": "EURO", "kind": "amount", "amount_minor": 500, "currency": "EUR"},
    {**COUPON, "coupon_id": 6, "code": "TOP", "plan_id": 3},
    {**COUPON, "coupon_id": 7, "code": "FEE", "scope": "charge", "charge_code": "fee"},
)
START = {
    "kind": "start",
    "effective_on": JANUARY,
    "price_version_id": MIDDLE,
    "quantity_micro": 5 * MICRO,
    "anchor_on": JANUARY,
}


def situation(*facts: dict[str, Any], start: dict[str, Any] | None = None, **more: Any) -> Circumstances:
    """Ada's subscription with these facts after its start, numbered from 1."""
    policy = more.pop("policy", {})
    told = [{"change_id": n, "subscription_id": ADA, **fact} for n, fact in enumerate([start or START, *facts], 1)]
    subscriber = {
        "subscription_id": ADA, "external_id": "A-7", "currency": "NOK", "agreed_notice_days": 0, "billed": False,
        **more.pop("subscriber", {}),
    }  # fmt: skip
    known = Circumstances(
        today=TODAY, closed_through=None, subscribers=table(frames.SUBSCRIBERS, subscriber),
        changes=table(frames.CHANGES, *told), offers=OFFERS, policies=table(frames.POLICIES), charges=CHARGES,
        coupons=COUPONS,
    )  # fmt: skip
    rows = [{"plan_id": plan, "effective_from": JANUARY, **policy} for plan in (1, 2, 3)] if policy else []
    return replace(known, policies=table(frames.POLICIES, *rows), **more)


def ask(decide: Any, known: Circumstances, **columns: Any) -> Decision:
    """One request about Ada's subscription."""
    decided: Decision = decide(pl.DataFrame({"subscription_id": ADA, **columns}), known)
    return decided


def fact(decision: Decision, place: int = 0) -> dict[str, Any]:
    """A fact of an accepted request."""
    assert decision.refused.is_empty(), decision.refused["code"].to_list()
    return decision.facts.row(place, named=True)


def sentence(decision: Decision) -> str:
    """What a refused request is told."""
    assert decision.facts.is_empty()
    row = decision.refused.row(0, named=True)
    return str(refusal(Refusal(row["code"]), row))


# --- the catalogue of sentences ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("code", list(Refusal))
def test_every_refusal_has_a_sentence_and_its_translation_with_the_same_places(code: Refusal) -> None:
    _, template = REFUSALS[code]
    norwegian = translate(template, "nb")
    assert norwegian != template
    assert {part.split("}")[0] for part in template.split("{")[1:]} == {
        part.split("}")[0] for part in norwegian.split("{")[1:]
    }


# --- what every change is asked -------------------------------------------------------------------------------------


CANCELLED = {"kind": "cancel", "effective_on": FEBRUARY, "credit": "none"}


@pytest.mark.parametrize(
    ("known", "day", "said"),
    [
        (situation(), date(2025, 12, 31), "Subscription A-7 starts on 2026-01-01; nothing changes before that day"),
        (situation(CANCELLED), FEBRUARY, "The last day of subscription A-7 is 2026-01-31; nothing changes after it"),
        (situation(closed_through=TODAY), TODAY, "The books are closed through 2026-01-11; choose 2026-01-12 or a later day"),
        (situation(), None, "Say from which day the change counts"),
        (situation({"kind": "undo", "undoes_id": 1, "effective_on": JANUARY}), TODAY,
         "The start of subscription A-7 was undone; start a new one"),
    ],
)  # fmt: skip
def test_a_change_falls_within_the_life_and_open_books(known: Circumstances, day: date | None, said: str) -> None:
    asked = pl.Series("effective_on", [day], pl.Date)
    requests = pl.DataFrame({"subscription_id": [ADA], "quantity_micro": [MICRO]}).with_columns(asked)
    assert sentence(decide_quantity(requests, known)) == said


def test_an_unknown_subscription_is_named() -> None:
    requests = pl.DataFrame({"subscription_id": [404], "quantity_micro": [MICRO], "effective_on": [TODAY]})
    assert sentence(decide_quantity(requests, situation())) == "There is no subscription 404"


def test_the_same_subscription_twice_in_a_batch_is_refused_the_second_time() -> None:
    requests = pl.DataFrame({"subscription_id": [ADA, ADA], "quantity_micro": [1, 2], "effective_on": [TODAY, TODAY]})
    decided = decide_quantity(requests, situation())
    assert (decided.facts["row"].to_list(), decided.refused["row"].to_list()) == ([0], [1])
    assert decided.refused["code"].to_list() == ["twice"]


# --- prices ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("version", "policy", "day"),
    [
        (LARGE, {}, TODAY),
        (SMALL, {}, FEBRUARY),
        (YEARLY, {}, FEBRUARY),
        (LARGE, {"upgrade_when": "period_end"}, FEBRUARY),
        (SMALL, {"downgrade_when": "now"}, TODAY),
    ],
)
def test_the_rank_tells_the_direction_and_the_policy_the_day(version: int, policy: dict[str, str], day: date) -> None:
    decided = fact(ask(decide_price, situation(policy=policy), price_version_id=version))
    assert (decided["kind"], decided["effective_on"], decided["anchor_on"]) == ("price", day, None)


def test_in_a_trial_the_end_of_the_period_is_the_end_of_the_trial() -> None:
    trial = {"kind": "trial", "effective_on": JANUARY, "until_on": date(2026, 1, 15), "anchor_on": date(2026, 1, 15)}
    assert fact(ask(decide_price, situation(trial), price_version_id=SMALL))["effective_on"] == date(2026, 1, 15)


@pytest.mark.parametrize(
    ("version", "said"),
    [
        (DRAFT, "These prices are a draft; publish them first"),
        (RETIRED, "These prices have not been sold since 2026-01-05; choose newer ones"),
        (LATER, "These prices hold from 2026-03-01; choose that day or a later one"),
        (EURO, "The subscription is in NOK and these prices in EUR; end it and start a new one"),
        (AGREED, "These prices were agreed for another subscription"),
        (MIDDLE, "Subscription A-7 already has these prices on 2026-01-11"),
        (404, "There are no prices with number 404"),
    ],
)
def test_prices_that_cannot_be_given_are_refused(version: int, said: str) -> None:
    assert sentence(ask(decide_price, situation(), price_version_id=version, effective_on=TODAY)) == said


def test_a_planned_plan_change_must_be_undone_before_another_one() -> None:
    planned = {"kind": "price", "effective_on": FEBRUARY, "price_version_id": SMALL}
    decided = ask(decide_price, situation(planned), price_version_id=LARGE)
    assert sentence(decided) == "Another plan change is planned for 2026-02-01; undo it first"


def test_an_add_on_that_the_new_prices_lack_is_not_lost_silently() -> None:
    held = {"kind": "addon", "effective_on": JANUARY, "item": "extra", "quantity_micro": MICRO}
    decided = ask(decide_price, situation(held), price_version_id=SMALL)
    assert sentence(decided) == "The new prices have no add-on “extra”; remove it from the subscription first"


def test_the_new_plan_wants_its_minimum_quantity() -> None:
    decided = ask(decide_price, situation(policy={"minimum_quantity": 6}), price_version_id=LARGE)
    assert sentence(decided) == "The plan needs a quantity of at least 6"


# --- quantities -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("quantity", "said"),
    [
        (-1, "Give a quantity of zero or more"),
        (2**63 - 1, "Give a quantity of zero or more"),
        (2 * MICRO, "The plan needs a quantity of at least 3"),
        (5 * MICRO, "Subscription A-7 already has this quantity on 2026-01-11"),
    ],
)
def test_a_quantity_is_not_negative_not_below_the_minimum_and_not_the_same(quantity: int, said: str) -> None:
    known = situation(policy={"minimum_quantity": 3})
    assert sentence(ask(decide_quantity, known, quantity_micro=quantity, effective_on=TODAY)) == said


@pytest.mark.parametrize(
    ("item", "quantity", "said"),
    [
        ("nothing", MICRO, "The prices on 2026-01-11 have no add-on “nothing”"),
        ("seat", MICRO, "The prices on 2026-01-11 have no add-on “seat”"),
        ("extra", 0, "Subscription A-7 already has this many of “extra” on 2026-01-11"),
    ],
)
def test_an_add_on_stands_in_the_prices_in_force(item: str, quantity: int, said: str) -> None:
    assert sentence(ask(decide_addon, situation(), item=item, quantity_micro=quantity, effective_on=TODAY)) == said


# --- the end --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("known", "columns", "first_day_without"),
    [
        (situation(), {}, FEBRUARY),
        (situation(), {"effective_on": TODAY}, date(2026, 1, 12)),
        (situation(policy={"cancel_when": "now"}), {}, date(2026, 1, 12)),
        (situation(policy={"notice_days": 30}), {}, date(2026, 3, 1)),
        (situation(policy={"notice_days": 30}), {"cause": "death", "effective_on": TODAY}, date(2026, 1, 12)),
        (situation(subscriber={"minimum_term_until": date(2026, 7, 1)}), {}, date(2026, 7, 1)),
        (situation(subscriber={"agreed_notice_days": 30}), {"effective_on": date(2026, 2, 10)}, date(2026, 2, 11)),
    ],
)
def test_the_end_is_the_running_period_or_the_day_asked_for(
    known: Circumstances, columns: dict[str, Any], first_day_without: date
) -> None:
    assert fact(ask(decide_cancel, known, **columns))["effective_on"] == first_day_without


@pytest.mark.parametrize(
    ("known", "columns", "said"),
    [
        (situation(subscriber={"minimum_term_until": date(2026, 7, 1)}), {"effective_on": TODAY},
         "The agreed term is not over: the earliest last day is 2026-06-30"),
        (situation(policy={"notice_days": 30}), {"effective_on": FEBRUARY},
         "30 days of notice are agreed: the earliest last day is 2026-02-10"),
        (situation(CANCELLED), {}, "Subscription A-7 is cancelled with 2026-01-31 as its last day; undo that first"),
        (situation(), {"cause": "boredom"}, "“boredom” is not one of the choices"),
        (situation(), {"effective_on": date(2025, 12, 31)}, "Subscription A-7 starts on 2026-01-01; nothing changes before that day"),
    ],
)  # fmt: skip
def test_an_end_too_early_names_the_earliest_day(known: Circumstances, columns: dict[str, Any], said: str) -> None:
    assert sentence(ask(decide_cancel, known, **columns)) == said


# --- pauses and trials ----------------------------------------------------------------------------------------------


PAUSED = {"kind": "pause", "effective_on": date(2026, 1, 5), "until_on": FEBRUARY, "credit": "none"}
TRIAL = {"kind": "trial", "effective_on": JANUARY, "until_on": date(2026, 1, 15), "anchor_on": date(2026, 1, 15)}


def test_an_open_pause_lasts_as_long_as_the_policy_allows() -> None:
    known = situation(policy={"maximum_pause_days": 30})
    assert fact(ask(decide_pause, known, effective_on=TODAY))["until_on"] == date(2026, 2, 10)


@pytest.mark.parametrize(
    ("known", "columns", "said"),
    [
        (situation(PAUSED), {"effective_on": TODAY}, "Subscription A-7 is already paused on 2026-01-11"),
        (situation(PAUSED), {"effective_on": date(2026, 1, 2)},
         "Another pause begins on 2026-01-05; end this one by then, or undo that one"),
        (situation(), {"effective_on": TODAY, "until_on": TODAY}, "A pause must end after the day it begins"),
        (situation(), {"effective_on": TODAY, "until_on": date(2027, 2, 1)}, "A pause of this plan lasts at most 365 days"),
    ],
)  # fmt: skip
def test_pauses_do_not_meet_and_do_not_last_too_long(known: Circumstances, columns: dict[str, Any], said: str) -> None:
    assert sentence(ask(decide_pause, known, **columns)) == said


def test_only_a_paused_subscription_is_resumed() -> None:
    assert (
        sentence(ask(decide_resume, situation(), effective_on=TODAY)) == "Subscription A-7 is not paused on 2026-01-11"
    )


def test_a_pause_in_a_trial_moves_its_end_and_the_anchor_on_it() -> None:
    decided = ask(decide_pause, situation(TRIAL), effective_on=TODAY, until_on=date(2026, 1, 21))
    moved = fact(decided, 1)
    assert (moved["kind"], moved["until_on"], moved["anchor_on"]) == ("trial", date(2026, 1, 25), date(2026, 1, 25))


def test_an_anchor_of_its_own_stays_when_the_trial_moves() -> None:
    own = {**START, "anchor_on": date(2026, 1, 20)}
    trial = {"kind": "trial", "effective_on": JANUARY, "until_on": date(2026, 1, 15)}
    decided = ask(decide_pause, situation(trial, start=own), effective_on=TODAY, until_on=date(2026, 1, 21))
    assert fact(decided, 1)["anchor_on"] is None


@pytest.mark.parametrize(
    ("known", "until", "said"),
    [
        (situation(), date(2026, 1, 20), "Subscription A-7 has no trial"),
        (situation(TRIAL), date(2026, 1, 15), "The trial already runs until 2026-01-15; choose another day"),
        (situation(TRIAL), date(2026, 1, 10), "A trial cannot end before 2026-01-11"),
        (situation(TRIAL, today=date(2026, 1, 15)), date(2026, 1, 20), "The trial of subscription A-7 was over on 2026-01-15"),
    ],
)  # fmt: skip
def test_only_a_running_trial_is_moved_and_not_into_the_past(known: Circumstances, until: date, said: str) -> None:
    assert sentence(ask(decide_trial, known, until_on=until)) == said


# --- coupons --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("coupon", "said"),
    [
        (2, "The coupon OLD is archived and no longer given"),
        (3, "The coupon SOON is given from 2026-02-01"),
        (4, "The coupon PAST was given through 2025-12-31"),
        (5, "The coupon EURO is in EUR, the subscription in NOK"),
        (6, "The coupon TOP is for another plan"),
        (7, "The coupon FEE is for “fee”, which these prices do not have"),
        (404, "There is no coupon 404"),
    ],
)
def test_a_coupon_must_fit(coupon: int, said: str) -> None:
    assert sentence(ask(decide_grant, situation(), coupon_id=coupon, effective_on=TODAY)) == said


def test_a_running_coupon_is_not_given_twice_and_may_be_given_again_when_it_is_over() -> None:
    held = {"kind": "coupon", "effective_on": JANUARY, "coupon_id": 1}
    known = situation(held)
    assert (
        sentence(ask(decide_grant, known, coupon_id=1, effective_on=TODAY))
        == "Subscription A-7 already has the coupon HALF"
    )
    assert fact(ask(decide_grant, known, coupon_id=1, effective_on=date(2026, 4, 1)))["coupon_id"] == 1
    assert fact(ask(decide_coupon_end, known, coupon_id=1, effective_on=FEBRUARY))["kind"] == "coupon_end"
    refused = ask(decide_coupon_end, situation(), coupon_id=1, effective_on=FEBRUARY)
    assert sentence(refused) == "Subscription A-7 does not have this coupon on 2026-02-01"


# --- undo -----------------------------------------------------------------------------------------------------------


def take_back(known: Circumstances, change_id: int) -> Decision:
    """An undo; every change was made by its own command, a trial fact by that of the change before it."""
    kinds = known.changes["kind"].to_list()
    ids = [f"c{n - (kind == 'trial')}" for n, kind in enumerate(kinds, 1)]
    commands = pl.DataFrame({"change_id": known.changes["change_id"], "command_id": ids})
    return decide_undo(pl.DataFrame({"change_id": [change_id]}), known, commands)


QUANTITY = {"kind": "quantity", "effective_on": TODAY, "quantity_micro": 9 * MICRO}
RESUMED = {"kind": "resume", "effective_on": date(2026, 1, 9)}


@pytest.mark.parametrize(
    ("known", "change_id", "said"),
    [
        (situation(), 404, "There is no change 404"),
        (situation(QUANTITY, {"kind": "undo", "undoes_id": 2, "effective_on": TODAY}), 2, "This change is already undone"),
        (situation(QUANTITY, {"kind": "undo", "undoes_id": 2, "effective_on": TODAY}), 3,
         "An undo cannot be undone; make the change again"),
        (situation(subscriber={"billed": True}), 1, "Subscription A-7 has been billed; cancel it instead"),
        (situation(QUANTITY), 1, "Undo what came after the start of subscription A-7 first"),
        (situation(TRIAL), 2, "This moved the trial as part of another change; undo that one"),
        (situation(PAUSED, RESUMED), 2, "Service resumed after this pause; undo that first"),
        (situation(PAUSED, RESUMED, {**PAUSED, "effective_on": TODAY}), 3, "Another pause begins on 2026-01-11; undo it first"),
        (situation(QUANTITY, closed_through=TODAY), 2,
         "This change counts from 2026-01-11, and the books are closed through 2026-01-11; make the opposite change instead"),
    ],
)  # fmt: skip
def test_only_a_change_in_force_that_stands_alone_is_undone(known: Circumstances, change_id: int, said: str) -> None:
    assert sentence(take_back(known, change_id)) == said


def test_an_undo_takes_the_trial_fact_along() -> None:
    decided = take_back(situation(TRIAL), 1)
    assert decided.facts.select("kind", "undoes_id", "effective_on").rows() == [
        ("undo", 1, JANUARY),
        ("undo", 2, JANUARY),
    ]


# --- starts ---------------------------------------------------------------------------------------------------------


def begin(known: Circumstances, **columns: Any) -> tuple[pl.DataFrame, Decision]:
    """One new subscription of customer 1; A-7 is in use."""
    request = {"customer_id": 1, "price_version_id": MIDDLE, "start_on": TODAY, **columns}
    return decide_start(pl.DataFrame(request), known, pl.Series([1]), pl.Series(["A-7"]), 50)


def test_a_start_takes_term_notice_and_trial_from_the_policy_of_its_day() -> None:
    known = situation(policy={"minimum_term_months": 12, "notice_days": 30})
    made, decided = begin(known, trial_days=14)
    (row,) = made.iter_rows(named=True)
    assert (row["subscription_id"], row["external_id"], row["notice_days"]) == (50, "S-000050", 30)
    assert row["minimum_term_until"] == date(2027, 1, 11)
    assert decided.facts.select("kind", "until_on", "anchor_on").rows() == [
        ("start", None, date(2026, 1, 25)),
        ("trial", date(2026, 1, 25), date(2026, 1, 25)),
    ]


@pytest.mark.parametrize(
    ("columns", "said"),
    [
        ({"customer_id": 2}, "There is no customer 2"),
        ({"external_id": "A-7"}, "There is already a subscription A-7"),
        ({"price_version_id": DRAFT}, "These prices are a draft; publish them first"),
        ({"price_version_id": AGREED}, "These prices were agreed for another subscription"),
        ({"quantity_micro": -1}, "Give a quantity of zero or more"),
        ({"trial_days": 400}, "A trial takes 0 to 366 days"),
        ({"external_id": "A\0"}, "The text holds characters that cannot be stored"),
    ],
)
def test_a_start_is_refused_in_plain_words(columns: dict[str, Any], said: str) -> None:
    assert sentence(begin(situation(), **columns)[1]) == said


def test_history_that_was_billed_elsewhere_may_begin_in_closed_books() -> None:
    closed = situation(closed_through=TODAY)
    assert "books are closed" in sentence(begin(closed)[1])
    assert fact(begin(closed, billed_through=TODAY)[1])["kind"] == "start"


# --- size -----------------------------------------------------------------------------------------------------------


def test_a_hundred_thousand_requests_are_decided_in_seconds() -> None:
    count = 100_000
    one = situation()
    ids = pl.int_range(1, count + 1, eager=True)
    many = replace(
        one,
        subscribers=pl.concat([one.subscribers] * count).with_columns(subscription_id=ids),
        changes=pl.concat([one.changes] * count).with_columns(subscription_id=ids, change_id=ids),
    )
    began = perf_counter()
    decided = decide_price(pl.DataFrame({"subscription_id": ids, "price_version_id": LARGE}), many)
    assert decided.facts.height == count
    assert perf_counter() - began < 10
