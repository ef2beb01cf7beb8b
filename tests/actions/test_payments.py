"""Payments: what is paid leaves the balance, once, in open books, and an error is taken back without a trace lost."""

from __future__ import annotations

from datetime import date
from typing import Any

import polars as pl
import pytest
from sqlalchemy import Engine, delete, update
from sqlalchemy.exc import DBAPIError

from core.actions import subscriptions
from core.actions.company import close_books
from core.actions.customers import edit_customers
from core.actions.payments import register_payments, take_back_payment
from core.actions.reissuing import reissue
from core.domain.access import SYSTEM, Actor, Role
from core.domain.errors import Conflict, ForbliError, InvalidInput, NotPermitted
from core.reports.integrity import check
from core.reports.invoices import explained
from core.reports.one_customer import one_customer
from core.store.engine import reading, writing
from core.store.save import insert_many
from core.store.tables import Customer, LedgerEntry, LedgerPosting, LedgerSeal, Payment, core_table
from tests.story import Story, frame
from tests.world import assert_books_hold, fixed

FINN = Actor("Finn", Role.FINANCE)
PAID = date(2026, 6, 10)


@pytest.fixture
def story(engine: Engine) -> Story:
    """375 kr with VAT billed on 1 June; today is 10 June."""
    told = Story(engine)
    told.begin(told.plan(fixed("300")), date(2026, 6, 1))
    told.bill_on(date(2026, 6, 1))
    return told.on(PAID)


def pay(story: Story, amount_minor: int, **more: Any) -> dict[str, Any]:
    return story.send(
        register_payments, requests=frame(**{"document_id": 1, "paid_on": PAID, "amount_minor": amount_minor, **more})
    )


def balance(story: Story) -> dict[str, int]:
    with reading(story.engine) as session:
        return one_customer(session, story.rows(Customer)[0].external_id, story.day).balance


def state(story: Story, number: str = "F2026-000001") -> tuple[int, str]:
    with reading(story.engine) as session:
        view = explained(session, number)
        return view.open_minor, view.settlement(story.day).value


def test_what_is_paid_leaves_the_balance_and_the_invoice(story: Story) -> None:
    assert (balance(story), state(story)) == ({"NOK": 37_500}, (37_500, "open"))
    pay(story, 30_000)
    assert (balance(story), state(story)) == ({"NOK": 7_500}, (7_500, "open"))
    pay(story, 7_500)
    assert (balance(story), state(story)) == ({"NOK": 0}, (0, "paid"))
    assert_books_hold(story)


def test_an_invoice_is_overdue_from_the_day_after_it_was_due(story: Story) -> None:
    due = story.documents()[0].due_date
    assert state(story.on(due))[1] == "open"
    assert state(story.on(date.fromordinal(due.toordinal() + 1)))[1] == "overdue"


def test_money_without_an_invoice_settles_the_oldest_and_the_rest_is_the_payers(story: Story) -> None:
    pay(story, 50_000, document_id=None, customer_id=1, currency="NOK")
    assert (balance(story), state(story)) == ({"NOK": -12_500}, (0, "offset"))


def test_a_credit_settles_what_is_open_before_anything_is_left_of_it(story: Story) -> None:
    story.do(subscriptions.cancel, 1, effective_on=date(2026, 6, 16), credit="credit", cause="voluntary")
    story.bill_on(date(2026, 6, 16))
    # 14 of 30 days back: 175 of 375 kr.
    assert [state(story, row.number)[0] for row in story.documents()] == [20_000, 0]
    assert balance(story) == {"NOK": 20_000}


def test_who_pays_for_another_has_the_balance_and_both_see_the_invoice(story: Story) -> None:
    story.customer()
    story.send(edit_customers, requests=frame(customer_id=1, effective_from=PAID, bill_to_id=2))
    story.bill_on(date(2026, 7, 1))
    pay(story, 7_500, document_id=2, paid_on=date(2026, 7, 1))
    with reading(story.engine) as session:
        one, two = (one_customer(session, row.external_id, story.day) for row in story.rows(Customer))
    assert (one.balance, two.balance) == ({"NOK": 37_500}, {"NOK": 30_000})
    assert one.invoices.select("number", "open_minor", "other").rows() == [
        ("F2026-000002", 30_000, two.said["name"]), ("F2026-000001", 37_500, ""),
    ]  # fmt: skip
    assert two.invoices["number"].to_list() == ["F2026-000002"]
    assert [view.events.filter(pl.col("sort") == "payment").height for view in (one, two)] == [1, 1]
    with pytest.raises(Conflict, match="goes to another customer"):
        pay(story, 100, document_id=2, customer_id=1, paid_on=date(2026, 7, 1))


def test_of_two_who_register_the_same_the_second_is_told(story: Story) -> None:
    pay(story, 37_500, seen_payment_id=0)
    with pytest.raises(Conflict, match="system has registered a payment"):
        pay(story, 37_500, seen_payment_id=0)
    assert balance(story) == {"NOK": 0}


def test_no_more_is_paid_back_than_was_paid(story: Story) -> None:
    with pytest.raises(Conflict, match="No more can be paid back"):
        pay(story, -100)
    key = pay(story, 37_500)["payment_ids"][0]
    with pytest.raises(Conflict, match="No more can be paid back"):
        pay(story, -37_501)
    story.send(
        register_payments, requests=frame(document_id=[1, 1], paid_on=[PAID] * 2, amount_minor=[-10_000, -20_000])
    )
    assert balance(story) == {"NOK": 30_000}
    with pytest.raises(Conflict, match="take that back first"):
        story.send(take_back_payment, payment_id=key, reason="Wrong")


def test_the_bank_s_own_id_counts_once_and_says_the_same_thing_each_time(story: Story) -> None:
    first = pay(story, 37_500, source_id="bank 1")
    assert pay(story, 37_500, source_id="bank 1") == {"payment_ids": [], "known": 1}
    assert len(first["payment_ids"]) == 1
    assert balance(story) == {"NOK": 0}
    with pytest.raises(Conflict, match="bank 1 is already stored"):
        pay(story, 37_400, source_id="bank 1")


def test_an_id_whose_payment_was_taken_back_says_so(story: Story) -> None:
    key = pay(story, 37_500, source_id="bank 1")["payment_ids"][0]
    story.send(take_back_payment, payment_id=key, reason="Wrong invoice")
    with pytest.raises(Conflict, match="bank 1 was taken back"):
        pay(story, 37_500, source_id="bank 1")
    assert [len(pay(story, 100, source_id=source)["payment_ids"]) for source in ("", " ")] == [1, 1]


def test_a_batch_keeps_what_is_good_and_says_why_of_the_rest(story: Story) -> None:
    rows = frame(document_id=[1, 99, 1], paid_on=[PAID] * 3, amount_minor=[100, 100, 0])
    rows = rows.with_columns(source_id=pl.Series(["one", "two", "one"]))
    answer = story.send(register_payments, requests=rows, partial=True)
    assert [(each["row"], each["reason"]) for each in answer["refused"]] == [
        (1, "There is no invoice 99"), (2, "Give the amount that was paid, and its currency"),
    ]  # fmt: skip
    assert balance(story) == {"NOK": 37_400}


@pytest.mark.parametrize(
    ("more", "sentence"),
    [
        ({"paid_on": date(2026, 6, 11)}, "has not come yet"),
        ({"paid_on": None}, "Say from which day"),
        ({"paid_on": date(1026, 6, 10)}, "Say from which day"),
        ({"currency": "EUR"}, "The invoice is in NOK and the payment in EUR"),
        ({"document_id": None, "customer_id": 1, "currency": "XXX"}, "and its currency"),
        ({"document_id": None, "customer_id": 7, "currency": "NOK"}, "There is no customer 7"),
        ({"payment_option": "gold"}, "“gold” is not one of the choices"),
        ({"note": "a\0b"}, "cannot be stored"),
    ],
)
def test_bad_input_gets_a_sentence_and_nothing_is_stored(story: Story, more: dict[str, Any], sentence: str) -> None:
    with pytest.raises(ForbliError, match=sentence):
        pay(story, 100, **more)
    assert story.rows(Payment) == []
    assert balance(story) == {"NOK": 37_500}


def test_what_comes_to_light_in_closed_books_is_posted_on_the_first_open_day(story: Story) -> None:
    key = pay(story, 100)["payment_ids"][0]
    close_books(story.engine, FINN, "close", story.on(date(2026, 7, 2)).now, through=date(2026, 6, 30), reason="June")
    pay(story, 200)
    story.send(take_back_payment, payment_id=key, reason="Wrong")
    entries = [row for row in story.rows(LedgerEntry) if row.kind == "payment"]
    assert [row.on_date for row in entries] == [PAID, date(2026, 7, 1), date(2026, 7, 1)]
    assert [row.paid_on for row in story.rows(Payment)] == [PAID] * 3
    assert balance(story) == {"NOK": 37_300}
    assert_books_hold(story)


def test_money_without_an_invoice_is_taken_back_while_more_is_owed_but_not_what_was_paid_back(story: Story) -> None:
    """Of 375 kr 100 are paid without naming the invoice, to the wrong customer; of 400 kr paid so 25 kr went back."""
    loose = {"document_id": None, "customer_id": 1, "currency": "NOK"}
    key = pay(story, 10_000, **loose)["payment_ids"][0]
    story.send(take_back_payment, payment_id=key, reason="Wrong customer")
    assert balance(story) == {"NOK": 37_500}
    key = pay(story, 40_000, **loose)["payment_ids"][0]
    pay(story, -2_500, **loose)
    with pytest.raises(Conflict, match="take that back first"):
        story.send(take_back_payment, payment_id=key, reason="Wrong")
    assert_books_hold(story)


def test_a_mistake_is_taken_back_once_and_both_stay_to_be_seen(story: Story) -> None:
    key = pay(story, 37_500)["payment_ids"][0]
    with pytest.raises(InvalidInput, match="Say why"):
        story.send(take_back_payment, payment_id=key, reason=" ")
    story.send(take_back_payment, payment_id=key, reason="Wrong customer")
    assert [row.amount_minor for row in story.rows(Payment)] == [37_500, -37_500]
    assert (balance(story), state(story)) == ({"NOK": 37_500}, (37_500, "open"))
    for payment_id in (key, key + 1):
        with pytest.raises(Conflict, match="taken back already"):
            story.send(take_back_payment, payment_id=payment_id, reason="Again")
    with reading(story.engine) as session:
        events = one_customer(session, story.rows(Customer)[0].external_id, story.day).events
    paid = events.filter(pl.col("sort") == "payment")
    assert paid["kind"].sort().to_list() == ["payment", "taken_back"]
    assert paid["undone"].all()


def test_who_paid_an_invoice_that_went_to_the_wrong_receiver_has_money_to_get(story: Story) -> None:
    pay(story, 37_500)
    story.customer()
    story.send(edit_customers, requests=frame(customer_id=1, effective_from=PAID, bill_to_id=2))
    reissue(story.engine, FINN, "reissue", story.now, number="F2026-000001")
    assert [state(story, number) for number in ("F2026-000001", "K2026-000001", "F2026-000002")] == [
        (-37_500, "in_favour"), (0, "offset"), (37_500, "open"),
    ]  # fmt: skip
    pay(story, -37_500)
    assert state(story)[0] == 0
    assert balance(story) == {"NOK": 0}


def test_support_may_not_register_payments(story: Story) -> None:
    with pytest.raises(NotPermitted):
        register_payments(story.engine, Actor("Sara", Role.SUPPORT), "pay", story.now, requests=frame(document_id=1))


def test_a_payment_never_changes_and_the_check_finds_one_that_the_ledger_does_not_know(story: Story) -> None:
    pay(story, 37_500)
    payment = core_table(Payment)
    for statement in (update(payment).values(amount_minor=1), delete(payment)):
        with pytest.raises(DBAPIError, match="append-only"), writing(story.engine) as session:
            session.execute(statement)
    story.add(
        Payment, entry_id=1, customer_id=1, paid_on=PAID, currency="NOK", amount_minor=5, recorded_at=story.now, author=SYSTEM.name,
        command_id="by hand",
    )  # fmt: skip
    with reading(story.engine) as session:
        assert [finding.code for finding in check(session)] == ["ledger_payment"]
    with writing(story.engine) as session:
        insert_many(
            session,
            LedgerEntry,
            [{"id": 99, "kind": "payment", "on_date": PAID, "customer_id": 1, "recorded_at": story.now}],
        )
        postings = [
            {"entry_id": 99, "account": account, "currency": "NOK", "amount_minor": amount}
            for account, amount in (("1920", 7), ("1500", -7))
        ]
        insert_many(session, LedgerPosting, postings)
        insert_many(session, LedgerSeal, [{"entry_id": 99}])
    with reading(story.engine) as session:
        assert [finding.subject for finding in check(session)] == ["payment:2", "entry:99"]
        assert sum(row.amount_minor for row in story.rows(LedgerPosting)) == 0
