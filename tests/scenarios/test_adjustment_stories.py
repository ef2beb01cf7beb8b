"""One-off charges and goodwill credits, told day by day on both databases: asked for, approved, billed once, never undone."""

from __future__ import annotations

from datetime import date

import pytest
from sqlalchemy import Engine

from core.actions import subscriptions
from core.actions.adjustments import approve_adjustment, ask_adjustments, decline_adjustment, withdraw_adjustment
from core.domain.access import Actor, Role
from core.domain.errors import Conflict, InvalidInput, NotPermitted
from core.reports.ahead import ahead
from core.reports.asides import adjustments
from core.reports.explain import explain
from core.reports.invoices import explained
from core.reports.proposals import propose
from core.store.engine import reading
from tests.story import Story, frame
from tests.world import assert_books_hold, fixed

SARA, FINN, ANNE = Actor("Sara", Role.SUPPORT), Actor("Finn", Role.FINANCE), Actor("Anne", Role.ADMIN)
JUNE, JULY = date(2026, 6, 16), date(2026, 7, 1)


@pytest.fixture
def story(engine: Engine) -> Story:
    """300 kr a month since 1 June, billed; half price for ever from July."""
    told = Story(engine)
    told.begin(told.plan(fixed("300")), date(2026, 6, 1))
    told.bill_on(date(2026, 6, 1))
    return told.on(JUNE)


def ask(story: Story, kind: str, amount: int, by: Actor = SARA, **more: object) -> int:
    story.sent += 1
    requests = frame(
        subscription_id=1, kind=kind, amount_minor=amount, **{"text": "Frakt", "effective_on": JULY, **more}
    )
    answer = ask_adjustments(story.engine, by, f"ask {story.sent}", story.now, requests=requests)
    found: int = answer["adjustment_ids"][0]
    return found


def decide(story: Story, action: object, adjustment_id: int, by: Actor = FINN) -> None:
    story.sent += 1
    action(story.engine, by, f"decide {story.sent}", story.now, adjustment_id=adjustment_id)  # type: ignore[operator]


def totals(story: Story) -> list[int]:
    return [row.total_minor for row in story.documents()]


def test_a_charge_of_200_kr_comes_on_the_next_invoice_with_its_vat_and_only_once(story: Story) -> None:
    ask(story, "charge", 20_000)
    story.bill_on(JULY)
    story.bill_on(JULY, date(2026, 8, 1))
    # 300 + 200 and 25 % VAT; the month after as usual.
    assert totals(story) == [37_500, 62_500, 37_500]
    assert_books_hold(story)


def test_goodwill_takes_100_kr_off_and_is_never_billed_again(story: Story) -> None:
    ask(story, "goodwill", 10_000)
    story.bill_on(JULY)
    story.do(subscriptions.change_quantity, 1, quantity_micro=2_000_000, effective_on=JULY)
    story.bill_on(date(2026, 7, 2), date(2026, 8, 1))
    assert totals(story) == [37_500, 25_000, 37_500]


def test_no_coupon_is_taken_off_a_charge(story: Story) -> None:
    coupon = story.coupon(kind="percent", rate_ppm=500_000, duration="forever", scope="invoice")
    story.do(subscriptions.grant_coupon, 1, coupon_id=coupon, effective_on=JULY)
    ask(story, "charge", 20_000)
    story.bill_on(JULY)
    # 150 + 200 = 350 kr, 437,50 kr with VAT.
    assert totals(story)[-1] == 43_750


def test_each_role_has_its_own_limit(story: Story) -> None:
    """1,000 kr for support and 10,000 kr for administrators, unless Settings say otherwise."""
    for by, amount, waits in ((SARA, 100_000, 0), (SARA, 100_001, 1), (ANNE, 1_000_000, 0), (ANNE, 1_000_001, 1)):
        story.sent += 1
        wanted = frame(subscription_id=1, kind="goodwill", amount_minor=amount, text="Frakt", effective_on=JULY)
        answer = ask_adjustments(story.engine, by, f"ask {story.sent}", story.now, requests=wanted)
        assert answer["waiting"] == waits


def test_above_the_limit_it_waits_for_a_second_person(story: Story) -> None:
    wanted = ask(story, "goodwill", 1_000_001, by=ANNE)
    story.bill_on(JULY)
    assert totals(story) == [37_500, 37_500]
    with pytest.raises(NotPermitted, match="another person"):
        decide(story, approve_adjustment, wanted, by=ANNE)
    decide(story, approve_adjustment, wanted)
    story.bill_on(date(2026, 7, 2))
    # A credit note of 10 000,01 kr and 2 500 kr VAT.
    assert (totals(story)[-1], story.documents()[-1].kind) == (1_250_001, "credit_note")


def test_what_is_declined_or_withdrawn_is_never_billed(story: Story) -> None:
    decide(story, decline_adjustment, ask(story, "goodwill", 200_000))
    decide(story, withdraw_adjustment, ask(story, "charge", 5_000), by=SARA)
    story.bill_on(JULY)
    assert totals(story) == [37_500, 37_500]
    with pytest.raises(Conflict, match="decided already"):
        decide(story, approve_adjustment, 1)


def test_a_billed_one_cannot_be_withdrawn(story: Story) -> None:
    wanted = ask(story, "charge", 5_000)
    story.bill_on(JULY)
    with pytest.raises(Conflict, match="has been invoiced"):
        decide(story, withdraw_adjustment, wanted, by=SARA)


def test_after_the_end_a_last_charge_is_still_billed(story: Story) -> None:
    story.do(subscriptions.cancel, 1)
    story.bill_on(JULY)
    story.on(date(2026, 7, 10))
    ask(story, "charge", 50_000, effective_on=date(2026, 7, 10))
    story.bill_on(date(2026, 7, 10))
    assert totals(story) == [37_500, 62_500]


def test_what_is_shown_is_what_is_billed(story: Story) -> None:
    with reading(story.engine) as session:
        asked = frame(subscription_id=1, kind="goodwill", amount_minor=10_000, text="Beklager", effective_on=JUNE)
        coming = ahead(session, [story.documents()[0].customer_id], JUNE, propose(session, "adjust", asked, JUNE), 2)
    assert coming.documents["total_minor"].to_list() == [-12_500, 37_500]
    ask(story, "goodwill", 10_000, effective_on=JUNE)
    story.bill_on(JUNE, JULY)
    assert totals(story)[1:] == [12_500, 37_500]


def test_the_invoice_shows_its_text_and_sums_its_why(story: Story) -> None:
    ask(story, "charge", 20_000, text="Frakt til Bodø")
    story.bill_on(JULY)
    with reading(story.engine) as session:
        view = explained(session, "F2026-000002")
        why = explain(session, view)
        states = [row["state"] for row in adjustments(session, view.head["customer_id"])]
    line = next(row for row in view.lines.iter_rows(named=True) if row["kind"] == "adjustment")
    assert line["charge"] == "Frakt til Bodø"
    assert sum(part.amount_minor for part in why[line["line_id"]].parts) == 20_000
    assert states == ["billed"]


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"amount": 0}, "amount above zero"),
        ({"text": "  "}, "what the line on the invoice is for"),
        ({"text": "x" * 201}, "at most 200 characters"),
        ({"text": "a\0b"}, "cannot be stored"),
        ({"effective_on": date(2026, 5, 1)}, "nothing changes before that day"),
        ({"kind": "gift"}, "is not one of the choices"),
    ],
)
def test_bad_input_says_what_is_wrong_and_stores_nothing(story: Story, changed: dict[str, object], said: str) -> None:
    content = {"kind": "charge", "amount": 100, **changed}
    with pytest.raises((InvalidInput, Conflict), match=said):
        ask(story, **content)  # type: ignore[arg-type]
    with reading(story.engine) as session:
        assert adjustments(session, story.documents()[0].customer_id) == []


def test_the_same_command_twice_is_one_charge(story: Story) -> None:
    requests = frame(subscription_id=1, kind="charge", amount_minor=100, text="Frakt")
    first, again = (ask_adjustments(story.engine, SARA, "once", story.now, requests=requests) for _ in range(2))
    assert first == again
    with reading(story.engine) as session:
        assert len(adjustments(session, story.documents()[0].customer_id)) == 1


def test_the_books_hold_while_something_waits_and_after_it_is_billed(story: Story) -> None:
    ask(story, "charge", 20_000, effective_on=JUNE)
    assert_books_hold(story)
    story.bill_on(JUNE)
    assert_books_hold(story)
