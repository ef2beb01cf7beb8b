"""Customers in batches: what is stored, what is refused in one sentence, what an edit does to later days."""

from __future__ import annotations

from datetime import date

import polars as pl
import pytest

from core.actions.customers import create_customers, edit_customers
from core.domain.access import SYSTEM, Actor, Role
from core.domain.errors import Conflict, ForbliError, NotFound, NotPermitted
from core.reports.one_customer import one_customer
from core.store import load, search
from core.store.engine import reading
from core.store.tables import Customer, CustomerVersion
from tests.world import NOW, World

TODAY = date(2026, 1, 1)
GOOD = {"external_id": "K1", "kind": "business", "name": "Ås Ødegård AS"}


@pytest.fixture
def world(engine):
    return World(engine)


def create(world, *rows, command="create", **more):
    return create_customers(world.engine, SYSTEM, command, NOW, requests=pl.DataFrame(list(rows)), **more)


def edit(world, *rows, command="edit", **more):
    return edit_customers(world.engine, SYSTEM, command, NOW, requests=pl.DataFrame(list(rows)), **more)


def said(world, day=TODAY):
    with reading(world.engine) as session:
        return {row["external_id"]: row for row in load.customers(session, day).iter_rows(named=True)}


def found(world, text):
    with reading(world.engine) as session:
        return search.find(session, text).to_list()


def test_a_batch_is_stored_with_usual_values_and_found_at_once(world):
    ids = create(world, GOOD, {**GOOD, "external_id": "K2", "name": "Åse Bø", "emails": "ASE@Bo.no; b@bo.no"})[
        "customer_ids"
    ]
    known = said(world)
    assert [known[key]["customer_id"] for key in ("K1", "K2")] == ids
    assert known["K2"]["emails"] == "ase@bo.no, b@bo.no"
    assert (known["K1"]["country"], known["K1"]["payment_option"], known["K1"]["effective_from"]) == (
        "NO",
        "invoice",
        TODAY,
    )
    assert found(world, "ÅSE") == [ids[1]] == found(world, "b@bo.no")


def test_the_same_command_twice_makes_one_customer(world):
    assert create(world, GOOD) == create(world, GOOD)
    assert len(world.rows(Customer)) == 1


@pytest.mark.parametrize(
    ("wrong", "sentence"),
    [
        ({"external_id": " "}, "Every customer needs an id of its own"),
        ({"name": ""}, "A name is needed"),
        ({"name": "=1+1"}, "“=1+1” would be read as a formula"),
        ({"name": "<b>Kari</b>"}, "looks like markup"),
        ({"name": "Kari\0"}, "characters that cannot be read"),
        ({"name": "K" * 201}, "The name is too long: it has 201 characters"),
        ({"kind": "robot"}, "“robot” is no kind of customer"),
        ({"payment_option": "gold"}, "“gold” is no payment option"),
        ({"channel": "pigeon"}, "“pigeon” is no channel"),
        ({"language": "fr"}, "“fr” is not a language of documents"),
        ({"country": "XX"}, "The country XX is not known"),
        ({"postal_code": "12"}, "four digits, not “12”"),
        ({"emails": "kari@bo.no, kari.bo.no"}, "“kari.bo.no” is no e-mail address"),
        ({"organisation_number": "123456789"}, "“123456789” is no organisation number"),
        ({"vat_number": "NO12"}, "“NO12” is no VAT number of NO"),
        ({"terms_days": 121}, "0 to 120 days, not 121"),
        ({"bill_to_id": 99}, "The customer who is to get the bills does not exist"),
        ({"created_on": date(1899, 12, 31)}, "1899-12-31 is too early"),
    ],
)  # fmt: skip
def test_what_cannot_be_right_is_refused_in_one_sentence_and_nothing_is_stored(world, wrong, sentence):
    with pytest.raises(ForbliError) as refused:
        create(world, {**GOOD, "external_id": "K0"}, {**GOOD, **wrong})
    assert sentence in str(refused.value)
    assert world.rows(Customer) == []


def test_with_partial_the_good_rows_are_stored_and_the_others_answered(world):
    answer = create(
        world, GOOD, {**GOOD, "external_id": "K2", "kind": "robot"}, {**GOOD, "external_id": "K1"}, partial=True
    )
    assert len(answer["customer_ids"]) == 1
    assert [(row["row"], row["code"]) for row in answer["refused"]] == [(1, "unknown_kind"), (2, "external_id_twice")]


def test_an_id_in_use_is_a_conflict_and_numbers_are_stored_plain(world):
    create(world, {**GOOD, "organisation_number": "923 609 016"})
    assert said(world)["K1"]["organisation_number"] == "923609016"
    with pytest.raises(Conflict, match="already a customer K1"):
        create(world, GOOD, command="again")


def test_an_edit_holds_from_its_day_and_nothing_is_overwritten(world):
    (key,) = create(world, GOOD)["customer_ids"]
    edit(world, {"customer_id": key, "effective_from": date(2026, 2, 1), "name": "Nytt Navn AS", "city": "Moss"})
    assert said(world)["K1"]["name"] == "Ås Ødegård AS"
    later = said(world, date(2026, 2, 1))["K1"]
    assert (later["name"], later["city"], later["kind"]) == ("Nytt Navn AS", "Moss", "business")
    assert found(world, "nytt navn") == [key] == found(world, "ødegård")


def test_an_earlier_edit_is_carried_into_later_days_that_said_the_same(world):
    (key,) = create(world, GOOD)["customer_ids"]
    edit(world, {"customer_id": key, "effective_from": date(2026, 3, 1), "city": "Moss"})
    edit(
        world,
        {"customer_id": key, "effective_from": date(2026, 2, 1), "name": "Nytt AS", "city": "Bergen"},
        command="2",
    )
    march = said(world, date(2026, 3, 1))["K1"]
    assert (march["name"], march["city"]) == ("Nytt AS", "Moss")


def test_two_edits_of_one_customer_in_a_batch_build_on_each_other(world):
    (key,) = create(world, GOOD)["customer_ids"]
    rows = [{"customer_id": key, "effective_from": TODAY, name: "x"} for name in ("city", "contact")]
    assert len(edit(world, *rows)["version_ids"]) == 2
    assert (said(world)["K1"]["city"], said(world)["K1"]["contact"]) == ("x", "x")


def test_bills_go_to_another_customer_and_back_to_oneself(world):
    first, second = create(world, GOOD, {**GOOD, "external_id": "K2"})["customer_ids"]
    edit(world, {"customer_id": first, "effective_from": TODAY, "bill_to_id": second})
    assert said(world)["K1"]["bill_to_id"] == second
    edit(world, {"customer_id": first, "effective_from": TODAY, "bill_to_id": first}, command="back")
    assert said(world)["K1"]["bill_to_id"] is None


def test_an_edit_before_the_customer_was_known_or_of_nobody_is_refused(world):
    (key,) = create(world, GOOD)["customer_ids"]
    with pytest.raises(Conflict, match="known from 2026-01-01"):
        edit(world, {"customer_id": key, "effective_from": date(2025, 12, 31), "city": "Moss"})
    with pytest.raises(NotFound, match="no customer 99"):
        edit(world, {"customer_id": 99, "effective_from": TODAY, "city": "Moss"})
    assert len(world.rows(CustomerVersion)) == 1


def test_the_history_tells_who_changed_what(world):
    (key,) = create(world, GOOD)["customer_ids"]
    edit(world, {"customer_id": key, "effective_from": TODAY, "city": "Moss"})
    with reading(world.engine) as session:
        (change,) = one_customer(session, "K1", TODAY).history
    assert (change["field"], change["before"], change["after"], change["author"]) == ("city", "", "Moss", "system")


def test_a_viewer_may_not_create_customers(world):
    with pytest.raises(NotPermitted):
        create_customers(world.engine, Actor("Vera", Role.VIEWER), "c", NOW, requests=pl.DataFrame([GOOD]))
