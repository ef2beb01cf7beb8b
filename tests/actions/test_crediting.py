"""A full credit: the invoice stays, a credit note takes back what is left of it, the next run bills what is right by then."""

from __future__ import annotations

from collections import Counter
from datetime import date
from typing import Any

import pytest
from sqlalchemy import Engine

from core.actions import subscriptions
from core.actions.adjustments import ask_adjustments
from core.actions.crediting import credit, credit_run
from core.actions.customers import edit_customers
from core.actions.reissuing import reissue
from core.domain.access import SYSTEM, Actor, Role
from core.domain.errors import Conflict, NotPermitted
from core.reports.explain import explain
from core.reports.invoices import explained
from core.reports.one_customer import one_customer
from core.store.engine import reading
from core.store.tables import BillingRun, Customer, LineDiscount
from tests.story import MICRO, Story, frame
from tests.world import assert_books_hold, charge, fixed, tier

FINN = Actor("Finn", Role.FINANCE)
JUNE, JULY, LATER = date(2026, 6, 1), date(2026, 7, 1), date(2026, 6, 10)


def take_back(story: Story, number: str) -> dict[str, Any]:
    """The full credit of an invoice."""
    key = next(row.id for row in story.documents() if row.number == number)
    return story.send(credit, document_ids=[key])


def by_charge(story: Story) -> Counter[tuple[Any, ...]]:
    """Net of everything billed, by subscription and charge; what cancels out is left away."""
    sums: Counter[tuple[Any, ...]] = Counter()
    for line in story.lines():
        sums[line.subscription_id, line.charge_id, line.period_start] += line.net_minor
    return Counter({key: amount for key, amount in sums.items() if amount})


@pytest.fixture
def story(engine: Engine) -> Story:
    """300 kr, three seats of 100 kr and an odd 33.33 kr with a fifth off, billed in advance on 1 June."""
    told = Story(engine)
    seats = charge("seat", "seat", "per_unit", tier(unit="100"))
    told.begin(told.plan(fixed("300"), seats, charge("odd", "fixed", "flat", tier(flat="33.33"))), JUNE, quantity=3)
    coupon = told.coupon(kind="percent", rate_ppm=200_000, duration="forever")
    told.do(subscriptions.grant_coupon, 1, coupon_id=coupon, effective_on=JUNE)
    told.bill_on(JUNE)
    return told.on(LATER)


def test_a_full_credit_is_exactly_the_invoice(story: Story) -> None:
    assert take_back(story, "F2026-000001") == {"credit_notes": ["K2026-000001"], "total_minor": {"NOK": 63_333}}
    invoice, note = story.documents()
    same = ("subtotal_minor", "discount_minor", "net_minor", "tax_minor", "total_minor", "bill_to_id", "currency")
    assert [getattr(invoice, name) for name in same] == [getattr(note, name) for name in same]
    old, new = story.lines(invoice.id), story.lines(note.id)
    assert [(-line.amount_minor, -line.discount_minor, -line.net_minor, line.corrects_id) for line in new] == [
        (line.amount_minor, line.discount_minor, line.net_minor, line.id) for line in old
    ]
    assert sum(row.amount_minor for row in story.rows(LineDiscount)) == 0
    with reading(story.engine) as session:
        customer = story.rows(Customer)[0].external_id
        assert one_customer(session, customer, LATER).balance == {"NOK": 0}
    assert_books_hold(story)


def test_the_next_run_bills_what_holds_then(story: Story) -> None:
    """Two seats were meant, not three: put right, and billed anew by the next run, the coupon given again."""
    take_back(story, "F2026-000001")
    story.do(subscriptions.change_quantity, 1, quantity_micro=2 * MICRO, effective_on=JUNE)
    story.bill_on(LATER)
    again = story.documents()[2]
    # 300 + 2 × 100 + 33.33, a fifth off, a quarter VAT.
    assert (again.kind, again.net_minor, again.total_minor) == ("invoice", 42_666, 53_333)
    assert story.bill(LATER).documents == 0
    assert_books_hold(story)


def test_what_was_credited_already_is_not_credited_again(story: Story) -> None:
    """A seat fewer from 16 June is credited on the July invoice: the June invoice's rest is what its credit note takes."""
    story.do(subscriptions.change_quantity, 1, quantity_micro=2 * MICRO, effective_on=date(2026, 6, 16))
    story.bill_on(JULY)
    before = by_charge(story)
    take_back(story, "F2026-000001")
    june = Counter({key: amount for key, amount in by_charge(story).items() if key[2] == JUNE})
    # The July invoice charges two seats for the second half of June in place of the three that it credits: that stands.
    assert sum(june.values()) == 8_000
    story.bill_on(date(2026, 7, 2))
    assert by_charge(story) == before
    assert_books_hold(story)


def test_a_one_time_amount_is_there_again(engine: Engine) -> None:
    told = Story(engine)
    told.begin(told.plan(fixed("300")), JUNE)
    once = told.coupon(kind="amount", amount_minor=10_000, currency="NOK", duration="once", scope="invoice")
    told.do(subscriptions.grant_coupon, 1, coupon_id=once, effective_on=JUNE)
    told.bill_on(JUNE)
    take_back(told.on(LATER), "F2026-000001")
    told.bill_on(LATER)
    assert [row.net_minor for row in told.documents()] == [20_000, 20_000, 20_000]
    assert sum(row.amount_minor for row in told.rows(LineDiscount)) == 10_000


def test_a_one_off_charge_is_not_billed_again(story: Story) -> None:
    asked = frame(subscription_id=1, kind="charge", amount_minor=50_000, text="Training", effective_on=JULY)
    story.send(ask_adjustments, requests=asked)
    story.bill_on(JULY)
    take_back(story, "F2026-000002")
    story.bill_on(date(2026, 7, 2))
    july = [row for row in story.documents() if row.issue_date >= JULY]
    assert [(row.kind, row.net_minor) for row in july] == [
        ("invoice", 50_666 + 50_000), ("credit_note", 50_666 + 50_000), ("invoice", 50_666),
    ]  # fmt: skip
    assert_books_hold(story)


def test_usage_and_prices_with_vat_come_back_whole(engine: Engine) -> None:
    told = Story(engine)
    kwh = charge("kwh", "usage", "graduated", tier(up_to="10", unit="3.33"), tier(unit="0.77"), meter="kwh")
    told.begin(
        told.plan(fixed("99.90"), kwh, charge("box", "fixed", "flat", tier(flat="0.05")), tax_inclusive=True), JUNE
    )
    told.use(1, "kwh", date(2026, 6, 20), 17.3)
    told.bill_on(JULY)
    take_back(told, "F2026-000001")
    told.bill_on(date(2026, 7, 2))
    first, back, again = told.documents()
    assert (first.net_minor, first.tax_minor) == (back.net_minor, back.tax_minor) == (again.net_minor, again.tax_minor)
    assert [line.net_minor for line in told.lines(first.id)] == [-line.net_minor for line in told.lines(back.id)]
    assert_books_hold(told)


def test_an_invoice_that_was_issued_anew_can_be_credited_too(story: Story) -> None:
    story.customer()
    story.send(edit_customers, requests=frame(customer_id=1, effective_from=LATER, bill_to_id=2))
    for place in ("1", "2"):
        story.send(edit_customers, requests=frame(customer_id=1, effective_from=LATER, bill_to_id=int(place) % 2 + 1))
        story.send(reissue, number=f"F2026-00000{place}")
    take_back(story, "F2026-000003")
    story.bill_on(LATER)
    assert [(row.kind, row.total_minor) for row in story.documents()][-2:] == [
        ("credit_note", 63_333),
        ("invoice", 63_333),
    ]
    assert_books_hold(story)


def test_every_line_explains_itself_and_the_documents_lead_to_each_other(story: Story) -> None:
    take_back(story, "F2026-000001")
    story.bill_on(LATER)
    for number in ("K2026-000001", "F2026-000002"):
        with reading(story.engine) as session:
            view = explained(session, number)
            why = explain(session, view)
        for line in view.lines.iter_rows(named=True):
            assert sum(part.amount_minor for part in why[line["line_id"]].parts) == line["net_minor"]
    with reading(story.engine) as session:
        assert explained(session, "F2026-000001").related == [("taken_back_by", "K2026-000001")]
        assert explained(session, "K2026-000001").related == [("takes_back", "F2026-000001")]


def test_nothing_is_credited_twice_and_only_by_those_who_may(story: Story) -> None:
    key = story.documents()[0].id
    with pytest.raises(NotPermitted):
        credit(story.engine, Actor("Sara", Role.SUPPORT), "support", story.now, document_ids=[key])
    first = credit(story.engine, FINN, "finance", story.now, document_ids=[key])
    assert credit(story.engine, FINN, "finance", story.now, document_ids=[key]) == first, "the same command once"
    for wrong in (key, story.documents()[1].id):
        with pytest.raises(Conflict, match="Nothing is left to credit"):
            credit(story.engine, FINN, f"again {wrong}", story.now, document_ids=[wrong])
    story.send(edit_customers, requests=frame(customer_id=1, effective_from=LATER, name="Another name"))
    with pytest.raises(Conflict, match="taken back already"):
        reissue(story.engine, FINN, "reissue", story.now, number="F2026-000001")
    assert len(story.documents()) == 2


def test_a_run_is_taken_back_whole_and_once(engine: Engine) -> None:
    told = Story(engine)
    version = told.plan(fixed("300"))
    for _ in range(4):
        told.begin(version, JUNE)
    told.bill_on(JUNE)
    run_id = told.rows(BillingRun)[-1].id
    told.send(credit, document_ids=[told.documents()[0].id])
    shares: list[float] = []
    result = credit_run(
        told.engine, SYSTEM, now=told.now, run_id=run_id, progress=lambda share, _: shares.append(share)
    )
    assert (result.documents, result.total_minor, shares) == (3, {"NOK": 112_500}, [1.0])
    with pytest.raises(Conflict, match="Nothing is left to credit"):
        credit_run(told.engine, SYSTEM, now=told.now, run_id=run_id)
    with pytest.raises(NotPermitted):
        credit_run(told.engine, Actor("Sara", Role.SUPPORT), now=told.now, run_id=run_id)
    told.bill_on(date(2026, 6, 2))
    assert sum(line.net_minor for line in told.lines()) == 4 * 30_000
    assert_books_hold(told)
