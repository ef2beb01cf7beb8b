"""Wrong receiver: the old invoice stays, a credit note takes it back, a new invoice goes to whom it should have gone."""

from __future__ import annotations

from datetime import date

import pytest
from sqlalchemy import Engine

from core.actions import subscriptions
from core.actions.customers import edit_customers
from core.actions.reissuing import reissue
from core.domain.access import SYSTEM, Actor, Role
from core.domain.errors import Conflict, NotFound, NotPermitted
from core.reports.explain import explain
from core.reports.invoices import explained
from core.reports.one_customer import one_customer
from core.store.engine import reading
from core.store.tables import Customer, DocumentBuyer
from tests.story import Story, frame
from tests.world import assert_books_hold, fixed

FINN = Actor("Finn", Role.FINANCE)
LATER = date(2026, 6, 10)


@pytest.fixture
def story(engine: Engine) -> Story:
    """300 kr and VAT billed to Ås Ødegård on 1 June with a coupon of 20 %; another customer is there to pay instead."""
    told = Story(engine)
    told.begin(told.plan(fixed("300")), date(2026, 6, 1))
    coupon = told.coupon(kind="percent", rate_ppm=200_000, duration="forever")
    told.do(subscriptions.grant_coupon, 1, coupon_id=coupon, effective_on=date(2026, 6, 1))
    told.bill_on(date(2026, 6, 1))
    told.customer(organisation_number="923609016")
    return told.on(LATER)


def send_elsewhere(story: Story) -> dict[str, str]:
    story.send(edit_customers, requests=frame(customer_id=1, effective_from=LATER, bill_to_id=2))
    answer: dict[str, str] = reissue(story.engine, FINN, "reissue", story.now, number="F2026-000001")
    return answer


def test_one_step_credits_the_old_receiver_and_bills_the_new_one(story: Story) -> None:
    assert send_elsewhere(story) == {"credit_note": "K2026-000001", "invoice": "F2026-000002"}
    old, credit, new = story.documents()
    # 300 − 20 % = 240 kr, 300 kr with VAT.
    assert [row.total_minor for row in (old, credit, new)] == [30_000, 30_000, 30_000]
    assert [(row.kind, row.bill_to_id, row.corrects_id) for row in (old, credit, new)] == [
        ("invoice", 1, None), ("credit_note", 1, old.id), ("invoice", 2, old.id),
    ]  # fmt: skip
    with reading(story.engine) as session:
        first, second = (one_customer(session, row.external_id, LATER).balance for row in story.rows(Customer))
    assert (first, second) == ({"NOK": 0}, {"NOK": 30_000})
    assert_books_hold(story)


def test_the_period_is_billed_neither_again_nor_twice(story: Story) -> None:
    send_elsewhere(story)
    story.bill_on(LATER, date(2026, 7, 1))
    assert [row.total_minor for row in story.documents()][3:] == [30_000]


def test_every_line_of_the_new_documents_explains_itself(story: Story) -> None:
    for number in send_elsewhere(story).values():
        with reading(story.engine) as session:
            view = explained(session, number)
            why = explain(session, view)
        for line in view.lines.iter_rows(named=True):
            assert sum(part.amount_minor for part in why[line["line_id"]].parts) == line["net_minor"]


def test_the_three_documents_lead_to_each_other(story: Story) -> None:
    send_elsewhere(story)
    with reading(story.engine) as session:
        related = {row.number: explained(session, row.number).related for row in story.documents()}
    assert related == {
        "F2026-000001": [("taken_back_by", "K2026-000001"), ("replaced_by", "F2026-000002")],
        "K2026-000001": [("takes_back", "F2026-000001"), ("issued_anew_as", "F2026-000002")],
        "F2026-000002": [("replaces", "F2026-000001"), ("old_one_taken_back_by", "K2026-000001")],
    }


def test_each_document_is_held_against_what_its_reader_has_in_mind(story: Story) -> None:
    """A new invoice against the one that it replaces, the next period against the period before, a credit note against none."""
    send_elsewhere(story)
    story.bill_on(LATER, date(2026, 7, 1))
    with reading(story.engine) as session:
        told = [explained(session, row.number).previous for row in story.documents()]
    assert [before and before["number"] for before in told] == [None, None, "F2026-000001", "F2026-000001"]


def test_a_name_that_was_wrong_is_enough_and_the_credit_note_keeps_the_old_one(story: Story) -> None:
    story.send(edit_customers, requests=frame(customer_id=1, effective_from=LATER, name="Ås Ødegaard"))
    reissue(story.engine, FINN, "reissue", story.now, number="F2026-000001")
    assert [row.name for row in story.rows(DocumentBuyer)] == ["Ås Ødegård", "Ås Ødegård", "Ås Ødegaard"]


def test_the_same_receiver_needs_no_new_invoice(story: Story) -> None:
    with pytest.raises(Conflict, match="already goes to Ås Ødegård"):
        reissue(story.engine, FINN, "reissue", story.now, number="F2026-000001")
    assert len(story.documents()) == 1


def test_it_is_done_once_only_to_invoices_and_only_by_those_who_may(story: Story) -> None:
    send_elsewhere(story)
    with pytest.raises(Conflict, match="taken back already"):
        reissue(story.engine, FINN, "again", story.now, number="F2026-000001")
    with pytest.raises(Conflict, match="is a credit note"):
        reissue(story.engine, FINN, "credit", story.now, number="K2026-000001")
    with pytest.raises(NotFound):
        reissue(story.engine, SYSTEM, "unknown", story.now, number="F1999-000001")
    with pytest.raises(NotPermitted):
        reissue(story.engine, Actor("Sara", Role.SUPPORT), "support", story.now, number="F2026-000002")
    assert len(story.documents()) == 3
