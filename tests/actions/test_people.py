"""People have one role each, a name and an address of their own, and there is always an administrator."""

import datetime as dt
from itertools import count

import pytest
from sqlalchemy import select

from core.actions.people import add_person, change_person
from core.domain.access import SYSTEM, Actor, Role
from core.domain.errors import Conflict, InvalidInput, NotFound, NotPermitted
from core.store.engine import reading
from core.store.tables import AuditEntry, Person, core_table

NOW = dt.datetime(2026, 6, 15, 10, tzinfo=dt.UTC)
_ids = count(1)


def do(engine, action, actor=SYSTEM, **content):
    return action(engine, actor, f"test {next(_ids)}", NOW, **content)


@pytest.fixture
def kari(engine):
    """The only administrator."""
    added = do(engine, add_person, name="Kari Ås", email="Kari@Fjordnett.no", role="admin")
    return Actor("Kari Ås", Role.ADMIN, added["person_id"])


def people(engine):
    table = core_table(Person)
    with reading(engine) as session:
        rows = session.execute(select(table).order_by(table.c.id))
        return [(row.name, row.email, row.role, row.active) for row in rows]


def test_somebody_is_let_in_with_a_role(engine, kari):
    do(engine, add_person, kari, name=" Ola ", email="OLA@fjordnett.no", role="support")
    assert people(engine) == [
        ("Kari Ås", "kari@fjordnett.no", "admin", True),
        ("Ola", "ola@fjordnett.no", "support", True),
    ]


@pytest.mark.parametrize(
    ("fields", "kind", "refusal"),
    [
        ({"name": "kari ås"}, Conflict, "already called"),
        ({"name": "System"}, Conflict, "already called"),
        ({"email": "kari@FJORDNETT.no"}, Conflict, "already uses"),
        ({"email": "ola"}, InvalidInput, "no e-mail address"),
        ({"email": "a@b.no, c@d.no"}, InvalidInput, "no e-mail address"),
        ({"name": ""}, InvalidInput, "name is needed"),
        ({"name": "<b>Ola</b>"}, InvalidInput, "markup"),
        ({"role": "boss"}, InvalidInput, "“boss” is no role"),
    ],
)
def test_who_cannot_be_let_in_is_told_why(engine, kari, fields, kind, refusal):
    with pytest.raises(kind, match=refusal):
        do(engine, add_person, kari, **{"name": "Ola", "email": "ola@fjordnett.no", "role": "support", **fields})
    assert len(people(engine)) == 1


def test_the_last_administrator_cannot_leave_or_step_down(engine, kari):
    for change in ({"active": False}, {"role": "viewer"}):
        with pytest.raises(Conflict, match="last active administrator"):
            do(engine, change_person, kari, person_id=kari.person_id, **change)
    ola = do(engine, add_person, kari, name="Ola", email="ola@fjordnett.no", role="admin")["person_id"]
    do(engine, change_person, kari, person_id=ola, active=False)
    with pytest.raises(Conflict, match="Kari Ås is the last"):
        do(engine, change_person, kari, person_id=kari.person_id, active=False)
    do(engine, change_person, kari, person_id=ola, active=True)
    do(engine, change_person, kari, person_id=kari.person_id, role="viewer")
    assert [(role, active) for _, _, role, active in people(engine)] == [("viewer", True), ("admin", True)]


def test_a_change_leaves_what_is_not_given_and_names_what_it_touched(engine, kari):
    ola = do(engine, add_person, kari, name="Ola", email="ola@fjordnett.no", role="support")["person_id"]
    assert do(engine, change_person, kari, person_id=ola, active=False) == {
        "person_id": ola, "role": "support", "active": False,
    }  # fmt: skip
    entry = core_table(AuditEntry).c
    with reading(engine) as session:
        last = session.execute(select(entry.actor, entry.subject, entry.fields).order_by(entry.id.desc())).first()
    assert last == ("Kari Ås", f"person:{ola}", "active")


def test_an_unknown_person_cannot_change(engine, kari):
    with pytest.raises(NotFound, match="not known"):
        do(engine, change_person, kari, person_id=999, role="viewer")


@pytest.mark.parametrize("role", [Role.VIEWER, Role.PRODUCT, Role.SUPPORT, Role.FINANCE])
def test_only_administrators_decide_about_people(engine, kari, role):
    with pytest.raises(NotPermitted):
        do(engine, add_person, Actor("Siv", role), name="Ola", email="ola@fjordnett.no", role="admin")
