"""Who uses Forbli: people with one role each. Nobody is deleted; somebody who leaves becomes inactive.

Facts are recorded under a person's name, and a second approval compares names: a name is therefore unique and stays.
Commands run one after the other (command.claim), so the last administrator cannot be lost between two of them.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import func, insert, select, update

from core.actions.command import Answer, Work, command
from core.domain.access import SYSTEM, Permission, Role
from core.domain.company import good_email
from core.domain.errors import Conflict, InvalidInput, NotFound
from core.domain.wording import good_name, readable
from core.store.tables import Person, core_table


@command("people.add", Permission.MANAGE_PEOPLE)
def add_person(work: Work, *, name: str, email: str, role: str) -> Answer:
    """Let somebody in, with a role."""
    known_role, clean_name, clean_email = _role(role), good_name(name), good_email(email)
    _refuse_taken(work, clean_name, clean_email)
    people = core_table(Person)
    values = {"name": clean_name, "email": clean_email, "role": known_role.value, "active": True}
    work.session.execute(insert(people).values(**values))
    person_id: int = work.session.execute(select(people.c.id).where(people.c.email == clean_email)).scalar_one()
    work.audit(f"person:{person_id}", "name", "email", "role", "active")
    return {"person_id": person_id, "role": known_role.value, "active": True}


@command("people.change", Permission.MANAGE_PEOPLE)
def change_person(work: Work, *, person_id: int, role: str | None = None, active: bool | None = None) -> Answer:
    """Change somebody's role, let them out or in again; one active administrator always stays."""
    people = core_table(Person)
    stored = work.session.execute(select(people).where(people.c.id == person_id)).first()
    if stored is None:
        raise NotFound("That person is not known", code="no_person")
    wanted: dict[str, Any] = {
        "role": stored.role if role is None else _role(role).value,
        "active": stored.active if active is None else active,
    }
    if _is_last_admin(work, stored) and (wanted["role"] != Role.ADMIN or not wanted["active"]):
        raise Conflict(
            "{name} is the last active administrator", code="last_admin", name=stored.name,
            hint="Make somebody else an administrator first",
        )  # fmt: skip
    work.session.execute(update(people).where(people.c.id == person_id).values(**wanted))
    changed = [name for name, value in wanted.items() if value != getattr(stored, name)]
    work.audit(f"person:{person_id}", *changed)
    return {"person_id": person_id, **wanted}


def _role(role: str) -> Role:
    try:
        return Role(role)
    except ValueError:
        raise InvalidInput("“{role}” is no role", code="unknown_role", role=readable(role)) from None


def _refuse_taken(work: Work, name: str, email: str) -> None:
    """Names and e-mail addresses are one person's each; the machine's own name is nobody's."""
    people = core_table(Person).c
    names = work.session.execute(select(people.name)).scalars()
    if name.casefold() in {SYSTEM.name, *(known.casefold() for known in names)}:
        raise Conflict(
            "Somebody is already called {name}", code="name_taken", name=name, hint="Add an initial to tell them apart"
        )
    if work.session.execute(select(people.id).where(func.lower(people.email) == email)).first():
        raise Conflict("Somebody already uses {email}", code="email_taken", email=email)


def _is_last_admin(work: Work, person: Any) -> bool:
    """Is this the only active administrator?"""
    people = core_table(Person).c
    if person.role != Role.ADMIN or not person.active:
        return False
    others = select(func.count()).where(people.role == Role.ADMIN, people.active, people.id != person.id)
    return work.session.execute(others).scalar_one() == 0
